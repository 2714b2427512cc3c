"""The user's answers to meetings, carried out: the mail to the organizer, the calendar, the request in the Inbox."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.invitations import letter_of
from eas_server.commands.meetings import meeting_message
from eas_server.commands.server_mail import ServerMail, send_server_mail
from eas_server.delivery.attendant import senders_of
from eas_server.delivery.calendar_items import CalendarItems, Held, owner_of
from eas_server.errors import NoSuchFolder
from eas_server.interfaces import ClientSubmission
from eas_server.model import blob
from eas_server.model.ids import ServerId, server_id
from eas_server.model.mail import Folder, FolderType, Item
from eas_server.render.calendar import delete_occurrence
from eas_server.render.calendar.occurrence_edit import occurrence_of
from eas_server.render.calendar.people import address_of, name_of
from eas_server.render.calendar.series import Owner, Series, read_series
from eas_server.render.calendar.times import Zones
from eas_server.render.calendar.to_client import meeting_status
from eas_server.render.item_body import sent_text
from eas_server.render.meetings import compose
from eas_server.render.meetings.answers import respond
from eas_server.render.meetings.attend import Copies
from eas_server.render.meetings.compose import Person
from eas_server.render.meetings.invited import STATUS_OF, Reader, accepts_request, invite, key_of, own_line
from eas_server.render.meetings.itip import MeetingMessage, Method
from eas_server.render.pim import InvalidItem
from protocol.commands.meeting_response import SendResponse, Status
from protocol.items.calendar import Attendee, ResponseType
from protocol.status import CommonStatus
from protocol.versions import V16_1

ATTEMPTS: Final = 5
"""How often an answer is noted again when somebody else changes the item at the same moment."""
_RECEIVED, _CANCELLED = 2, 4
"""Bits of MeetingStatus."""


class Failed(Exception):
    """An answer that cannot be carried out."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the client asks for."""

    answer: ResponseType
    """Accepted, tentative or declined."""
    instance: datetime | None
    send: SendResponse | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What is answered: an event as it is, or would be, in the calendar."""

    held: Held | None
    """None: the calendar does not have it yet."""
    octets: bytes
    series: Series
    key: datetime | None
    """Of the occurrence that alone is meant."""


class MeetingAnswers:
    """Carries out answers of one user. All methods raise Failed, StoreFull, Unavailable."""

    def __init__(self, ctx: Context, folders: Iterable[Folder]) -> None:
        self._ctx = ctx
        self._folders = tuple(folders)
        self._owner = owner_of(ctx.account)
        self._items = CalendarItems(ctx.account.user, ctx.ports.folders, ctx.ports.mail, ctx.ports.search)

    async def to_message(self, folder: Folder, item: Item, wanted: Wanted) -> ServerId | None:
        """Answer the meeting request that is a message; it goes to Deleted Items then. Gives the calendar item."""
        message = await meeting_message(item)
        if message is None or message.method is not Method.REQUEST or wanted.instance is not None:  # MS-ASCMD_R4185
            raise Failed(Status.INVALID_MEETING_REQUEST)
        if not accepts_request(message, self._owner):  # MS-ASCMD_R4184
            raise Failed(Status.INVALID_MEETING_REQUEST)
        reader = Reader(owner=self._owner, senders=senders_of(item.index), now=self._ctx.now)
        name = f"{folder.id}:{item.id}"
        for attempt in range(ATTEMPTS):
            target = await self._target(message, reader)
            if not attempt:
                await self._tell(target, wanted, name)
            done, made = await self._note(target, wanted)
            if done:
                await self._put_away(folder, item)
                return made
        raise Failed(Status.MAILBOX_ERROR)

    async def to_event(self, folder: Folder, item: Item, wanted: Wanted) -> ServerId | None:
        """Answer the meeting that is a calendar item, or one occurrence of it."""
        name = f"{folder.id}:{item.id}:{item.revision}"
        for attempt in range(ATTEMPTS):
            octets = await blob.read(item.content)
            series = self._read(octets)
            if not _can_be_answered(series, self._owner):
                raise Failed(Status.INVALID_MEETING_REQUEST)
            target = _Target(
                held=Held(folder.id, item, octets), octets=octets, series=series, key=self._key(series, wanted)
            )
            if not attempt:
                await self._tell(target, wanted, name)
            done, made = await self._note(target, wanted)
            if done:
                return made
            found = await self._ctx.ports.mail.fetch(self._ctx.account.user, folder.id, [item.id])
            if not found:
                raise Failed(Status.INVALID_MEETING_REQUEST)
            item = found[0]
        raise Failed(Status.MAILBOX_ERROR)

    # ---- what is meant

    def _read(self, octets: bytes) -> Series:
        try:
            series = read_series(octets, self._owner)
            series.details  # noqa: B018 -- read here, where it may fail
        except InvalidItem:
            raise Failed(Status.INVALID_MEETING_REQUEST) from None
        return series

    def _key(self, series: Series, wanted: Wanted) -> datetime | None:
        if wanted.instance is None or series.is_orphan:
            return None
        if not series.recurs:
            raise Failed(CommonStatus.NO_RECURRENCE_IN_CALENDAR)  # MS-ASCMD_R3196
        key = series.key_of(wanted.instance, self._ctx.version)
        if key in series.deleted or not series.is_occurrence(key):  # MS-ASCMD_R4186
            raise Failed(Status.INVALID_MEETING_REQUEST)
        return key

    async def _target(self, message: MeetingMessage, reader: Reader) -> _Target:
        """The user's copy of the meeting; as it would be, where there is none."""
        found = await self._items.of_meeting(message.uid)
        copies = Copies([held.octets for held in found], message.uid, self._owner)
        zones = Zones(message.calendar, self._owner.zone)
        if copies.whole is not None:
            series = copies.whole.series
            key = key_of(message.main, zones, series) if message.is_of_occurrences else None
            if series.details.cancelled or key in series.deleted or (key is not None and not series.is_occurrence(key)):
                raise Failed(Status.INVALID_MEETING_REQUEST)
            held = found[copies.whole.at]
            return _Target(held=held, octets=held.octets, series=series, key=key)
        orphan = copies.orphan_of(message.main, zones) if message.is_of_occurrences else None
        if orphan is not None:
            held = found[orphan.at]
            return _Target(held=held, octets=held.octets, series=orphan.series, key=None)
        try:
            octets = invite(None, message.only(message.main) if message.is_of_occurrences else message, reader)
        except InvalidItem:
            octets = None
        if octets is None:
            raise Failed(Status.INVALID_MEETING_REQUEST)
        return _Target(held=None, octets=octets, series=self._read(octets), key=None)

    # ---- what is done

    async def _tell(self, target: _Target, wanted: Wanted, name: str) -> None:
        """Send the answer to the organizer, if the client wants that (MS-ASCMD_R7113 to R7115)."""
        send = wanted.send
        series, key = target.series, target.key
        event = series.master if key is None else occurrence_of(series, key)
        organizer = event.first("ORGANIZER") or series.master.first("ORGANIZER")
        if send is None or organizer is None:
            return
        proposed = (send.proposed_start_time, send.proposed_end_time)
        if proposed[0] is not None and series.details.disallow_new_time_proposal:
            raise Failed(Status.INVALID_MEETING_REQUEST)
        mine = own_line(event, self._owner)
        me = Person(
            address=address_of(mine) if mine is not None else self._owner.address,
            name=self._ctx.account.display_name,
        )
        to = Attendee(email=address_of(organizer), name=name_of(organizer))
        seed = repr((name, wanted.answer, wanted.instance, proposed)).encode()
        try:
            letter = replace(letter_of(self._ctx, to=[to], seed=seed), sender=me, text=sent_text(send.body))
            octets = _answer_mail(target, letter, me, wanted)
        except InvalidItem:
            raise Failed(Status.INVALID_MEETING_REQUEST) from None
        once = ClientSubmission(device=self._ctx.device.id, client_id=None, digest=hashlib.sha256(seed).digest())
        mail = ServerMail(octets=octets, recipients=[to.email], is_answered=False, once=once)
        await send_server_mail(mail, self._ctx)

    async def _note(self, target: _Target, wanted: Wanted) -> tuple[bool, ServerId | None]:
        """Bring the answer into the calendar; False where somebody else was faster."""
        held = target.held
        if wanted.answer is ResponseType.DECLINED:
            return await self._decline(target), None
        octets = respond(target.series, wanted.answer, self._owner, self._ctx.now, key=target.key)
        if held is None:
            made = await self._items.add(octets)
            return True, None if made is None else server_id(*made)
        done = await self._items.replace(held, octets)
        return done, server_id(held.collection, held.item.id)

    async def _decline(self, target: _Target) -> bool:
        """What is declined is deleted (MS-ASCMD_R5072)."""
        if target.held is None:
            return True
        if target.key is None:
            await self._items.delete(target.held)
            return True
        moment = target.series.moment_of(target.key, V16_1)
        octets = delete_occurrence(target.octets, moment, version=V16_1, now=self._ctx.now, owner=self._owner)
        return await self._items.replace(target.held, octets)

    async def _put_away(self, folder: Folder, item: Item) -> None:
        """An answered request is not in the way any more."""
        deleted = next((f for f in self._folders if f.type is FolderType.DELETED_ITEMS), None)
        if deleted is None or deleted.id == folder.id:
            return
        try:
            await self._ctx.ports.mail.move(self._ctx.account.user, folder.id, [item.id], deleted.id)
        except NoSuchFolder:
            return


def _can_be_answered(series: Series, owner: Owner) -> bool:
    """Somebody else's meeting that takes place (MS-ASCMD_R4184)."""
    status = meeting_status(series.details, owner)
    return bool(status & _RECEIVED) and not status & _CANCELLED


def _answer_mail(target: _Target, letter: compose.Letter, me: Person, wanted: Wanted) -> bytes:
    send = wanted.send
    instance = None if target.key is None else target.series.moment_of(target.key, V16_1)
    answer = STATUS_OF[wanted.answer]
    if send is not None and send.proposed_start_time is not None and send.proposed_end_time is not None:
        return compose.counter(
            target.octets,
            letter,
            attendee=me,
            start=send.proposed_start_time,
            end=send.proposed_end_time,
            answer=answer,
            instance=instance,
        )
    return compose.reply(target.octets, letter, attendee=me, answer=answer, instance=instance)
