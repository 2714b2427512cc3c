"""The Options of a collection: which hold, which are remembered, and what they mean for its class."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from eas_server.errors import CommandError
from eas_server.model.kinds import MAIL_ALONE, Kinds
from eas_server.model.mail import ItemClass
from eas_server.model.view import NO_LIMIT
from eas_server.sync.filters import FilterType, Scope, cutoff
from protocol import quirks, wbxml
from protocol.codepages import tag as find_tag
from protocol.commands.sync import SMS, Collection, Options, Status
from protocol.elements import Element, Tag
from protocol.schema import dump, load
from protocol.versions import V14_0, ProtocolVersion

_FILTERS: Final = {
    ItemClass.EMAIL: frozenset(range(FilterType.ALL, FilterType.ONE_MONTH + 1)),
    ItemClass.CALENDAR: frozenset({FilterType.ALL, *range(FilterType.TWO_WEEKS, FilterType.SIX_MONTHS + 1)}),
    ItemClass.TASKS: frozenset({FilterType.ALL, FilterType.INCOMPLETE_TASKS}),
}
"""The values of FilterType that a class has (MS-ASCMD_R3035 to R3061); the other classes ignore it (R3078)."""

KEPT_UNPACKED: Final = 1024
"""Devices of one make ask for the same, each time anew: so many different Options are read once."""
_SUPPORTED: Final = find_tag("AirSync:Supported")
_KINDS: Final = {SMS: Kinds(mail=True, sms=True), "SMS alone": Kinds(mail=False, sms=True)}
"""How the classes of a mail folder are remembered: as the Class of further Options."""


def choose(given: Sequence[Options], item_class: ItemClass, remembered: bytes) -> Options:
    """The Options that hold for a collection: those given for its class, else the remembered ones, else none.

    Given Options replace the remembered ones as a whole. Raises CommandError(PROTOCOL_ERROR) for two of one class, or
    of classes that do not go together, or a filter that the class does not have.
    """
    if not given:
        return unpack(remembered) if remembered else Options()
    by_class: dict[str, Options] = {}
    for options in given:
        name = options.item_class or item_class.value
        if name in by_class:
            raise CommandError(Status.PROTOCOL_ERROR, f"two Options for {name}")  # MS-ASCMD_R930
        by_class[name] = options
    allowed = {item_class.value, SMS} if item_class is ItemClass.EMAIL else {item_class.value}
    if not by_class.keys() <= allowed:
        raise CommandError(Status.PROTOCOL_ERROR, "Options for another class")  # MS-ASCMD_R935
    # where text messages alone are asked for, the Options for them are those that hold
    chosen = by_class.get(item_class.value) or by_class.get(SMS) or Options()
    if not has_filter(item_class, chosen):
        raise CommandError(Status.PROTOCOL_ERROR, f"FilterType {chosen.filter_type}")  # MS-ASCMD_R3080
    return chosen


def kinds_of(given: Sequence[Options], item_class: ItemClass, remembered: bytes, version: ProtocolVersion) -> Kinds:
    """Which classes of a mail folder are asked for. SMS came with 14.0 (MS-ASCMD_R6298)."""
    if version < V14_0 or item_class is not ItemClass.EMAIL:
        return MAIL_ALONE
    if not given:
        return kinds_in(remembered)
    names = {options.item_class or item_class.value for options in given}
    return Kinds(mail=item_class.value in names, sms=SMS in names)


def has_filter(item_class: ItemClass, options: Options) -> bool:
    """Whether the class has the filter that is asked for; classes without filters ignore it."""
    filters = _FILTERS.get(item_class)
    return filters is None or options.filter_type is None or options.filter_type in filters


def limit_of(options: Options, item_class: ItemClass, now: datetime) -> int:
    """The instant before which items are hidden, in seconds since 1970."""
    if item_class not in _FILTERS or options.filter_type is None:
        return NO_LIMIT
    return cutoff(FilterType(options.filter_type), now)


def scope_of(options: Options, item_class: ItemClass, now: datetime, *, conversations: bool) -> Scope:
    """Which items the client is to hold; without a filter whole conversations are there anyway (MS-ASCMD_R2113)."""
    limit = limit_of(options, item_class, now)
    return Scope(cutoff=limit, conversations=conversations and limit != NO_LIMIT)


def conversations_of(asked: Collection, remembered: bytes) -> bool:
    """Whether whole conversations are asked for. As the Options, with which it comes, it is remembered until Options
    come anew.
    """
    if asked.conversation_mode is not None or asked.options:
        return bool(asked.conversation_mode)
    return conversations_in(remembered)


def supported_by(asked: Collection) -> frozenset[Tag] | None:
    """The properties that a client names as its own; None where it names none, by an empty Supported too (LG sends
    such), so that all count as supported (MS-ASCMD_R5906).
    """
    if asked.supported is None:
        return None
    if not asked.supported.children and quirks.tolerates(quirks.EMPTY_SUPPORTED):
        return None
    return frozenset(child.tag for child in asked.supported.children)


def pack(
    options: Options,
    supported: frozenset[Tag] | None,
    *,
    conversations: bool = False,
    kinds: Kinds = MAIL_ALONE,
) -> bytes:
    """Options, ConversationMode and Supported as a StateStore keeps them: in a Collection."""
    named = sorted(supported or (), key=lambda tag: (tag.page, tag.token))
    kept = Collection(
        sync_key="",
        collection_id="",
        supported=Element(_SUPPORTED, [Element(tag) for tag in named]) if supported is not None else None,
        conversation_mode=True if conversations else None,
        options=(options, *(Options(item_class=name) for name, each in _KINDS.items() if each == kinds)),
    )
    return wbxml.encode(dump(kept)).join()


def unpack(packed: bytes) -> Options:
    """The Options that `pack` was given."""
    return _unpacked(packed).options[0]


def supported_in(packed: bytes) -> frozenset[Tag] | None:
    """The Supported that `pack` was given."""
    return supported_by(_unpacked(packed)) if packed else None


def conversations_in(packed: bytes) -> bool:
    """The ConversationMode that `pack` was given."""
    return bool(_unpacked(packed).conversation_mode) if packed else False


def kinds_in(packed: bytes) -> Kinds:
    """The kinds that `pack` was given."""
    marks = _unpacked(packed).options[1:] if packed else ()
    return _KINDS.get(marks[0].item_class or "", MAIL_ALONE) if marks else MAIL_ALONE


@lru_cache(maxsize=KEPT_UNPACKED)
def _unpacked(packed: bytes) -> Collection:
    return load(Collection, wbxml.decode(packed))
