"""What SmartReply and SmartForward share: the message that they are about, and what becomes of it."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from eas_server.commands.compose import Message, Order, named_recipients, send
from eas_server.commands.context import Context
from eas_server.commands.meeting_forwards import (
    answer_about,
    find_meeting,
    invitation_in,
    notify_organizer,
    shown_recipients,
)
from eas_server.commands.quoting import Quoted, add_original
from eas_server.commands.rights import protect, rights_in
from eas_server.commands.rights_answers import (
    Added,
    People,
    added,
    added_without_template,
    may_forward,
    may_reply,
)
from eas_server.errors import CommandError, NoSuchFolder, NoSuchItem, Unavailable
from eas_server.model.blob import read
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, parse_server_id
from eas_server.model.mail import Item, MessageIndex, StateChange, Verb
from eas_server.model.rights import Protection, normal_id
from eas_server.render import addresses
from eas_server.render.conversation import next_in_thread
from eas_server.render.meetings.letter import Person
from eas_server.render.meetings.substitute import is_substitute
from eas_server.submission.header import Header, read_header
from protocol.commands.compose_mail import Source
from protocol.datatypes import parse_datetime
from protocol.status import CommonStatus

log = logging.getLogger(__name__)

MAX_ANSWERS: Final = 30
"""Message ids in the References of an answer: the first of the thread and the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The message that is answered or forwarded."""

    collection: CollectionId
    item: Item


async def answer(order: Order, ctx: Context, *, forward: bool) -> None:
    """Send the message of a SmartReply or SmartForward, and note at the original that it was answered."""
    source = order.source or Source()
    meeting = await find_meeting(source, ctx)
    if meeting is not None:
        await answer_about(meeting, order, ctx, forward=forward)
        return
    original = await find_original(source, ctx)
    verb: list[Verb] = []
    named: list[Person] = []

    async def compose(message: Message) -> Message:
        named.extend(shown_recipients(message.header))
        verb.append(Verb.FORWARD if forward else reply_verb(message.header, original.item.index, ctx.account))
        return await _composed(message, original.item, order, ctx, forward=forward)

    if await send(order, ctx, compose):
        await _note(original, verb[0], ctx)
        invitation = await invitation_in(original.item) if forward and not order.whole else None
        if invitation is not None:
            await notify_organizer(invitation, named, ctx)


async def find_original(source: Source, ctx: Context) -> Original:
    """The source message. Raises CommandError: Status 104, 150."""
    if source.instance_id is not None:
        _check_instance(source.instance_id)
    place = parse_server_id(source.long_id or source.item_id or "")
    if place is None or (source.folder_id is not None and source.folder_id != place[0]):
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)
    collection, number = place
    try:
        found = await ctx.ports.mail.fetch(ctx.account.user, collection, [number])
    except NoSuchFolder:
        found = ()
    if not found:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)  # MS-ASCMD_R4930
    return Original(collection=collection, item=found[0])


def _check_instance(instance_id: str) -> None:
    """An InstanceId names an occurrence of a calendar item, and a message has none."""
    try:
        parse_datetime(instance_id.strip())
    except ValueError:
        raise CommandError(CommonStatus.INVALID_DATE_TIME) from None  # MS-ASCMD_R541, R578
    raise CommandError(CommonStatus.ITEM_NOT_FOUND)  # MS-ASCMD_R4930


def reply_verb(header: Header, original: MessageIndex, account: Account) -> Verb:
    """REPLYTOALL where the answer goes to somebody whom the original went to, beside its sender and the user."""
    alone = {a.lower() for a in account.addresses} | _addresses(original.sender) | _addresses(original.reply_to)
    others = (_addresses(original.to) | _addresses(original.cc)) - alone
    asked = {address.lower() for address in named_recipients(header)}
    return Verb.REPLY_TO_ALL if asked & others else Verb.REPLY_TO_SENDER


def _addresses(shown: str) -> set[str]:
    return {address.address.lower() for address in addresses.parse(shown.encode())}


async def _composed(message: Message, original: Item, order: Order, ctx: Context, *, forward: bool) -> Message:
    people = await _people(message.header, original.index, ctx) if original.index.protection else NOBODY
    terms = answer_terms(people, original, order, ctx, forward=forward)
    thread = _thread(original.index)
    place = next_in_thread(original.index, ctx.now, random=order.mime.nbytes)
    if terms.added is Added.NOTHING:
        return replace(message, answers=thread, thread_index=place, protection=terms.protection)
    try:
        octets = await _with_original(message, terms, forward=forward)
    except Unavailable as error:
        if terms.original.index.protection is None:
            raise
        raise CommandError(CommonStatus.IRM_TRANSIENT_ERROR, str(error), retry=True) from error  # MS-ASRM_R197
    header = read_header(octets)
    return Message(octets=octets, header=header, answers=thread, thread_index=place, protection=terms.protection)


async def _with_original(message: Message, terms: "Terms", *, forward: bool) -> memoryview:
    item = terms.original
    quoted = Quoted(octets=await read(item.content, item.index_offset), index=item.index)
    composed = add_original(
        message.octets,
        message.header,
        quoted,
        forward=forward or terms.added is Added.SEALED or is_substitute(quoted.octets),
        embed=terms.added is Added.ATTACHED,
    )
    return memoryview(composed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What becomes of the original, and what the message that goes out is restricted to."""

    original: Item
    """Sealed, or as it is inside."""
    added: Added
    protection: Protection | None


def answer_terms(people: People, original: Item, order: Order, ctx: Context, *, forward: bool) -> Terms:
    """What the documents say of an answer to `original` ([MS-ASRM] 3.2.5.1). Raises CommandError: 168, 171, 172."""
    held, whole = original.index.protection, order.whole
    if held is None:
        how = Added.NOTHING if whole else Added.QUOTED
        return Terms(original=original, added=how, protection=protect(order.template_id, ctx))
    if order.template_id is None:
        return Terms(original=original, added=added_without_template(whole=whole), protection=None)
    same = normal_id(order.template_id) == held.template.key  # MS-ASRM_R359: whether it is still there is not asked
    chosen = held if same else protect(order.template_id, ctx)
    rights = rights_in(original, ctx)
    enforced = held.template if rights is None else rights
    permitted = may_forward(enforced) if forward else may_reply(enforced, people)
    if not permitted:
        raise CommandError(CommonStatus.IRM_OPERATION_NOT_PERMITTED)  # MS-ASRM_R360, R376, R386
    how = added(rights, same=same, whole=whole)
    shown = original if how is Added.SEALED else original.inside or original
    return Terms(original=shown, added=how, protection=chosen)


NOBODY: Final = People(named=frozenset(), own=frozenset(), sender=frozenset(), recipients=frozenset())


async def _people(header: Header, index: MessageIndex, ctx: Context) -> People:
    """Those of the message and of the original, each local user by the primary address."""
    known: dict[str, str] = {}

    async def primary(named: Collection[str]) -> frozenset[str]:
        for address in named:
            if address not in known:
                account = await ctx.ports.accounts.by_address(address)
                known[address] = (account.address if account is not None else address).lower()
        return frozenset(known[address] for address in named)

    return People(
        named=await primary(named_recipients(header)),
        own=frozenset({ctx.account.address.lower(), *(address.lower() for address in ctx.account.addresses)}),
        sender=await primary(_addresses(index.sender) | _addresses(index.reply_to)),
        recipients=await primary(_addresses(index.to) | _addresses(index.cc)),
    )


def _thread(index: MessageIndex) -> tuple[str, ...]:
    """The message ids of the thread that an answer to a message belongs to."""
    before = index.references or ((index.in_reply_to,) if index.in_reply_to else ())
    thread = (*before, index.message_id) if index.message_id else before
    if len(thread) > MAX_ANSWERS:
        thread = (thread[0], *thread[1 - MAX_ANSWERS :])
    return thread


async def _note(original: Original, verb: Verb, ctx: Context) -> None:
    """LastVerbExecuted of the original. The message has gone out, so that this may fail without harm."""
    change = StateChange(verb=verb, verb_time=ctx.now)
    try:
        await ctx.ports.mail.change(ctx.account.user, original.collection, original.item.id, change)
    except (NoSuchFolder, NoSuchItem, Unavailable) as error:
        log.warning("request %s: the original could not be marked as answered: %r", ctx.request_id, error)
