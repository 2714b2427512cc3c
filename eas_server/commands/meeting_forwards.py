"""SmartForward and SmartReply about meetings: calendar items, and from 16.0 on by Forwardees ([MS-ASCMD] 2.2.1.19).

| request | what goes out |
| --- | --- |
| SmartForward with Mime | the client's message, the event in words below, and the event itself as text/calendar |
| SmartReply with Mime | the client's message, the event in words below |
| SmartForward with Forwardees | an invitation that the server writes, with the client's Body on top |

With text/calendar goes METHOD:REQUEST where others are invited, to which those are added whom it is forwarded to, else
METHOD:PUBLISH. Who organizes the meeting is told to whom it was forwarded.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eas_server.commands.compose import MAX_RECIPIENTS, Message, Order, send
from eas_server.commands.context import Context
from eas_server.commands.invitations import letter_of
from eas_server.commands.quoting import Quoted, add_original
from eas_server.commands.rights import protect
from eas_server.commands.server_mail import ServerMail, send_server_mail
from eas_server.delivery.calendar_items import owner_of
from eas_server.errors import CommandError, NoSuchFolder, NoSuchItem, StoreFull, Unavailable
from eas_server.interfaces import ClientSubmission, Submitted
from eas_server.model import blob
from eas_server.model.ids import parse_server_id
from eas_server.model.mail import Item, ItemClass, StateChange, Verb
from eas_server.render import addresses
from eas_server.render.contentlines import dump
from eas_server.render.item_body import ItemText
from eas_server.render.meetings import compose, itip
from eas_server.render.meetings.compose import Person
from eas_server.render.mime import index_message
from eas_server.render.pim import InvalidItem
from eas_server.submission.header import Header, read_header
from eas_server.submission.routing import route
from protocol.commands.compose_mail import Source
from protocol.datatypes import parse_datetime
from protocol.status import CommonStatus

_SHOWN: Final = (b"to", b"cc")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What is forwarded or answered: an event, or one occurrence of it."""

    event: bytes
    instance: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationForward:
    """A SmartForward with Forwardees or Body (MS-ASCMD_R7176)."""

    client_id: str
    source: Source
    forwardees: tuple[Person, ...]
    text: ItemText
    account_id: str | None = None


# ---- what it is about


async def find_meeting(source: Source, ctx: Context) -> Meeting | None:
    """The calendar item of a source; None where it is none of a calendar. Raises CommandError: 104, 146, 150."""
    place = parse_server_id(source.long_id or source.item_id or "")
    if place is None or (source.folder_id is not None and source.folder_id != place[0]):
        return None
    folders = await ctx.ports.folders.folders(ctx.account.user)
    if not any(folder.id == place[0] and folder.item_class is ItemClass.CALENDAR for folder in folders):
        return None
    item = await _item(source, ctx)
    if item is None:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)  # MS-ASCMD_R4930
    meeting = Meeting(event=await blob.read(item.content))
    return meeting if source.instance_id is None else _occurrence(meeting.event, source.instance_id)


def _occurrence(event: bytes, instance_id: str) -> Meeting:
    try:
        instance = parse_datetime(instance_id.strip())
    except ValueError:
        raise CommandError(CommonStatus.INVALID_DATE_TIME) from None  # MS-ASCMD_R541, R578
    try:
        found = compose.has_occurrence(event, instance)
    except InvalidItem as error:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND, str(error)) from None
    if found is None:
        raise CommandError(CommonStatus.NO_RECURRENCE_IN_CALENDAR)  # MS-ASCMD_R4919
    if not found:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)  # MS-ASCMD_R4930
    return Meeting(event=event, instance=instance)


async def invitation_in(item: Item) -> Meeting | None:
    """The meeting that a message invites to; None where it invites to none."""
    part = item.index.calendar
    if part is None or item.index.message_class != itip.REQUEST_CLASS:
        return None
    start = item.index_offset
    message = itip.read(await blob.read(item.content, start + part.start, start + part.end), part, method="REQUEST")
    return None if message is None else Meeting(event=dump(message.calendar))


async def _item(source: Source, ctx: Context) -> Item | None:
    place = parse_server_id(source.long_id or source.item_id or "")
    if place is None:
        return None
    try:
        found = await ctx.ports.mail.fetch(ctx.account.user, place[0], [place[1]])
    except NoSuchFolder:
        return None
    return found[0] if found else None


# ---- with Mime


async def answer_about(meeting: Meeting, order: Order, ctx: Context, *, forward: bool) -> None:
    """Send the client's message about a calendar item. Raises CommandError."""
    named: list[Person] = []

    async def composed(message: Message) -> Message:
        protection = protect(order.template_id, ctx)
        named.extend(shown_recipients(message.header))
        if order.whole:
            return replace(message, protection=protection)
        octets = memoryview(_with_event(message, meeting, named if forward else (), ctx, forward=forward))
        return Message(octets=octets, header=read_header(octets), protection=protection)

    try:
        sent = await send(order, ctx, composed)
    except InvalidItem as error:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND, str(error)) from None
    if sent and forward and not order.whole:
        await notify_organizer(meeting, named, ctx)


def _with_event(
    message: Message, meeting: Meeting, forwardees: Sequence[Person], ctx: Context, *, forward: bool
) -> bytes | memoryview:
    """The client's message with the meeting, as if that were a message that is answered or forwarded."""
    letter = replace(
        letter_of(ctx, to=(), seed=meeting.event),
        sender=compose.organizer_of(meeting.event) or Person(address=ctx.account.address),
        to=compose.attendees_of(meeting.event, instance=meeting.instance),
    )
    octets = compose.forward(meeting.event, letter, instance=meeting.instance, added=forwardees)
    index = replace(index_message(octets)[0], date=None)  # an event was not sent at any time
    return add_original(message.octets, message.header, Quoted(octets=octets, index=index), forward=forward)


def shown_recipients(header: Header) -> list[Person]:
    """Those whom all recipients may see."""
    found = (one for field in header.fields if field.name in _SHOWN for one in addresses.parse(field.value))
    return [Person(address=one.address, name=one.name) for one in found if one.address]


# ---- with Forwardees


async def forward_invitation(order: InvitationForward, ctx: Context) -> None:
    """Send an invitation on. Raises CommandError."""
    if order.account_id is not None:
        raise CommandError(CommonStatus.INVALID_ACCOUNT_ID)  # MS-ASCMD_R722
    meeting = await find_meeting(order.source, ctx)
    invitation = None
    if meeting is None and order.source.instance_id is None:
        invitation = await _item(order.source, ctx)
        meeting = None if invitation is None else await invitation_in(invitation)
    if meeting is None:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND)  # MS-ASCMD_R7177: no calendar item
    if not order.forwardees:
        raise CommandError(CommonStatus.MESSAGE_HAS_NO_RECIPIENT)
    if len(order.forwardees) > MAX_RECIPIENTS:
        raise CommandError(CommonStatus.SEND_QUOTA_EXCEEDED, f"more than {MAX_RECIPIENTS} recipients")
    recipients = [person.address for person in order.forwardees]
    routes = await route(recipients, ctx.ports.accounts, ctx.settings.domains)
    if routes.unresolved:
        raise CommandError(CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED, f"{routes.unresolved[0]!r}")
    await _send_on(meeting, order, recipients, ctx)
    if invitation is not None:
        await _mark(order.source, ctx)
    await notify_organizer(meeting, order.forwardees, ctx)


async def _mark(source: Source, ctx: Context) -> None:
    """LastVerbExecuted of an invitation. It has gone out, so that this may fail without harm."""
    place = parse_server_id(source.long_id or source.item_id or "")
    if place is None:
        return
    change = StateChange(verb=Verb.FORWARD, verb_time=ctx.now)
    try:
        await ctx.ports.mail.change(ctx.account.user, place[0], place[1], change)
    except (NoSuchFolder, NoSuchItem, Unavailable) as error:
        log.warning("request %s: an invitation could not be marked as forwarded: %r", ctx.request_id, error)


async def _send_on(meeting: Meeting, order: InvitationForward, recipients: Sequence[str], ctx: Context) -> None:
    source = order.source
    words = (source.folder_id, source.item_id, source.long_id, source.instance_id, order.forwardees, order.text)
    digest = hashlib.sha256(repr(words).encode("utf-8", "surrogateescape")).digest()
    letter = replace(letter_of(ctx, to=(), seed=digest), to=order.forwardees)
    try:
        octets = compose.forward(
            meeting.event, letter, instance=meeting.instance, added=order.forwardees, on_top=order.text
        )
        mail = ServerMail(
            octets=octets,
            recipients=recipients,
            to_user=True,
            once=ClientSubmission(device=ctx.device.id, client_id=order.client_id, digest=digest),
        )
        receipt = await send_server_mail(mail, ctx)
    except InvalidItem as error:
        raise CommandError(CommonStatus.ITEM_NOT_FOUND, str(error)) from None
    except Unavailable as error:
        raise CommandError(CommonStatus.MAIL_SUBMISSION_FAILED, str(error), retry=True) from error
    if receipt.outcome is not Submitted.ACCEPTED:
        raise CommandError(CommonStatus.MESSAGE_PREVIOUSLY_SENT)


# ---- the organizer


async def notify_organizer(meeting: Meeting, forwardees: Sequence[Person], ctx: Context) -> None:
    """Tell the organizer, if that is somebody else. The meeting has gone out, so that this may fail without harm."""
    try:
        organizer = compose.organizer_of(meeting.event)
        invited = compose.attendees_of(meeting.event, instance=meeting.instance)
        if organizer is None or not invited or owner_of(ctx.account).is_me(organizer.address):
            return
        letter = replace(letter_of(ctx, to=(), seed=b"notification" + meeting.event), to=(organizer,))
        octets = compose.forward_notification(meeting.event, letter, forwardees=forwardees, instance=meeting.instance)
        mail = ServerMail(octets=octets, recipients=[organizer.address], save=False, is_answered=False)
        await send_server_mail(mail, ctx)
    except (InvalidItem, StoreFull, Unavailable) as error:
        log.warning("request %s: the organizer could not be told of a forwarded meeting: %r", ctx.request_id, error)
