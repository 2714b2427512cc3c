"""A note out of its VJOURNAL, and the VJOURNAL after a device's change ([MS-ASNOTE] 2.2.2, RFC 5545 3.6.3)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.render import item_body
from eas_server.render.contentlines import Component, dump, parse
from eas_server.render.item_body import HTML_OF_EVENTS
from eas_server.render.merging import merged
from eas_server.render.objects import calendar_of, categories_of, main_component, modified, stamped, with_categories
from eas_server.render.pim import InvalidItem
from protocol.items.airsyncbase import BodyPreference
from protocol.items.notes import MAX_CATEGORIES, MESSAGE_CLASS, Note
from protocol.versions import ProtocolVersion

_COMPONENT: Final = "VJOURNAL"
_CLASS: Final = "X-EAS-MESSAGE-CLASS"
_KEPT: Final = frozenset({"subject", "message_class", "last_modified_date"})
"""What a Change does not delete by leaving it out (MS-ASNOTE_R10003, R124)."""


def note_from(octets: bytes, preferences: Sequence[BodyPreference] = ()) -> Note:
    """The note that a VJOURNAL holds, with its body as the client prefers it. Raises MalformedLines."""
    return _note(main_component(parse(octets), _COMPONENT), preferences)


def last_modified(octets: bytes) -> datetime:
    """When a note was last changed: the instant that orders notes. Raises MalformedLines."""
    return modified(main_component(parse(octets), _COMPONENT))


def search_text(octets: bytes) -> str:
    """The words of a note for full-text search: subject, text, categories. Raises MalformedLines."""
    journal = main_component(parse(octets), _COMPONENT)
    return "\n".join((journal.text("SUMMARY") or "", journal.text("DESCRIPTION") or "", *categories_of(journal)))


def apply_note(stored: bytes | None, change: Note, *, version: ProtocolVersion, now: datetime, uid: str) -> bytes:
    """The VJOURNAL after a client's change; `stored` is None for an Add, `uid` counts then only.

    Categories that are absent are deleted (MS-ASNOTE_R112, R10002), the subject and the body are not (R113, R10003).
    LastModifiedDate becomes `now`, whatever the client says (R209). Where nothing changes, the octets stay the same.
    Raises InvalidItem, and MalformedLines where `stored` is no VJOURNAL.
    """
    _check(change)
    calendar = parse(stored) if stored is not None else calendar_of(_COMPONENT, uid, now)
    journal = main_component(calendar, _COMPONENT)
    current = _note(journal)
    wanted = merged(current, change, version=version, kept=_KEPT)
    changed = journal
    if wanted.subject != current.subject:
        changed = changed.with_text("SUMMARY", wanted.subject)
    if wanted.message_class != current.message_class:
        own = wanted.message_class if wanted.message_class != MESSAGE_CLASS else None
        changed = changed.with_text(_CLASS, own)
    if wanted.categories != current.categories:
        changed = with_categories(changed, wanted.categories)
    text = item_body.sent_text(change.body)
    if text is not None and text != item_body.held_text(journal, "DESCRIPTION", HTML_OF_EVENTS):
        changed = item_body.with_text(changed, "DESCRIPTION", HTML_OF_EVENTS, text)
    if stored is not None and changed is journal:
        return stored
    return dump(calendar.replaced(journal, stamped(changed, now)))


def _check(change: Note) -> None:
    sent = change.message_class
    if sent and sent != MESSAGE_CLASS and not sent.startswith(MESSAGE_CLASS + "."):
        raise InvalidItem("a MessageClass that is none of a note")  # MS-ASNOTE_R119
    if len(change.categories or ()) > MAX_CATEGORIES:
        raise InvalidItem("more categories than a note can have")


def _note(journal: Component, preferences: Sequence[BodyPreference] = ()) -> Note:
    body = item_body.text_body(item_body.held_text(journal, "DESCRIPTION", HTML_OF_EVENTS), preferences)
    return Note(
        subject=journal.text("SUMMARY") or None,
        message_class=journal.text(_CLASS) or MESSAGE_CLASS,
        last_modified_date=modified(journal),  # MS-ASNOTE_R125: always
        categories=categories_of(journal)[:MAX_CATEGORIES] or None,
        body=replace(body, data=body.data or ""),  # MS-ASNOTE_R123: Data is there, even when nothing of it is
    )
