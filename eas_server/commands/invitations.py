"""Invitations, updates and cancellations that the server sends from 16.0 on, when an organizer's device changes a
meeting in its calendar ([MS-ASCMD] 3.1.5.5, MS-ASCMD_R7478). Up to 14.1 the device sends them itself (R7479).

What is to be told is decided by `render/meetings/outgoing.py`; here it is sent, once, and together with the change: a
change whose mail cannot be sent is taken back.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.server_mail import ServerMail, send_server_mail
from eas_server.delivery.calendar_items import owner_of
from eas_server.errors import StoreFull, Unavailable
from eas_server.interfaces import ClientSubmission
from eas_server.model.mail import Folder, ItemClass
from eas_server.render.meetings import compose, outgoing
from eas_server.render.meetings.compose import Letter, Person
from eas_server.render.meetings.outgoing import Notice
from eas_server.render.pim import InvalidItem
from eas_server.submission import trace
from protocol.commands.sync import Status
from protocol.items.calendar import Attendee, AttendeeType
from protocol.versions import V16_0

MAX_ATTENDEES: Final = 1000
"""People who are told of one change; a meeting of more is refused with Status 6."""
OFFLOAD_FROM: Final = 64 * 1024
"""Octets: mail about larger events is written beside the event loop."""

log = logging.getLogger(__name__)


class Invitations:
    """What is to be sent of the changes of one folder."""

    def __init__(self, ctx: Context, folder: Folder) -> None:
        self._ctx = ctx
        self._owner = owner_of(ctx.account)
        self._is_calendar = folder.item_class is ItemClass.CALENDAR
        self.is_due = ctx.version >= V16_0 and self._is_calendar
        """Whether the server sends anything for the changes of this request."""
        self._notices: tuple[Notice, ...] = ()

    def revised(self, stored: bytes | None, octets: bytes) -> bytes:
        """The event as it is to be kept after a change; what attendees are to be told is remembered.

        Called once more where the change is made again on top of somebody else's. Raises InvalidItem.
        """
        self._notices = ()
        if not self._is_calendar:
            return octets
        try:
            outcome = outgoing.changed(stored, octets, self._owner, sends=self.is_due)
        except InvalidItem:
            if self.is_due:
                raise
            return octets
        if any(len(notice.to) > MAX_ATTENDEES for notice in outcome.notices):
            raise InvalidItem(f"more than {MAX_ATTENDEES} attendees")
        self._notices = outcome.notices
        return octets if outcome.event is None else outcome.event

    async def send(self) -> Status:
        """Send what was remembered; a Status other than SUCCESS: nothing was sent, and the change must not stay."""
        notices, self._notices = self._notices, ()
        return await self._send(notices, known_by=None)

    async def deleted(self, stored: bytes) -> Status:
        """Cancel a meeting that is about to be deleted; a Status other than SUCCESS: it must stay.

        A second try of the same deletion sends nothing twice.
        """
        if not self.is_due:
            return Status.SUCCESS
        try:
            outcome = outgoing.deleted(stored, self._owner, self._ctx.now)
        except InvalidItem:
            return Status.SUCCESS  # what is no event invites nobody
        name = hashlib.sha256(b"cancel\0" + stored)
        return await self._send(outcome.notices, known_by=name.digest())

    async def _send(self, notices: Sequence[Notice], *, known_by: bytes | None) -> Status:
        for number, notice in enumerate(notices):
            once = None
            if known_by is not None:
                name = f"meeting-{known_by.hex()[:24]}-{number}"
                once = ClientSubmission(device=self._ctx.device.id, client_id=name, digest=known_by)
            status = await self._send_one(notice, once)
            if status is not Status.SUCCESS:
                if number:  # the first ones are out, and cannot be called back
                    log.error("request %s: some attendees were told of a change, others not", self._ctx.request_id)
                    return Status.SUCCESS
                return status
        return Status.SUCCESS

    async def _send_one(self, notice: Notice, once: ClientSubmission | None) -> Status:
        large = len(notice.event) > OFFLOAD_FROM
        octets = await asyncio.to_thread(written, notice, self._ctx) if large else written(notice, self._ctx)
        mail = ServerMail(octets=octets, recipients=[a.email.strip() for a in notice.to], once=once)
        try:
            await send_server_mail(mail, self._ctx)
        except StoreFull:
            return Status.NO_SPACE
        except Unavailable as error:
            log.warning("request %s: an invitation could not be sent: %r", self._ctx.request_id, error)
            return Status.SERVER_ERROR
        return Status.SUCCESS


def written(notice: Notice, ctx: Context) -> bytes:
    """The mail of a notice."""
    letter = letter_of(
        ctx,
        to=[a for a in notice.to if a.type is not AttendeeType.OPTIONAL],
        cc=[a for a in notice.to if a.type is AttendeeType.OPTIONAL],
        seed=notice.event
        + repr((notice.method, notice.instance, [a.email for a in notice.to])).encode("utf-8", "surrogateescape"),
    )
    if notice.method == "REQUEST":
        return compose.request(notice.event, letter, instance=notice.instance)
    named = [_person(a) for a in notice.to]
    return compose.cancel(notice.event, letter, instance=notice.instance, attendees=named)


def letter_of(ctx: Context, *, to: Sequence[Attendee], cc: Sequence[Attendee] = (), seed: bytes) -> Letter:
    """A letter from the user's primary address. `seed`: what its Message-ID is made of, with user and time."""
    account = ctx.account
    host = trace.server_name(ctx.settings.external_url, account.address)
    digest = hashlib.sha256(f"{account.user}\0{ctx.now.isoformat()}\0{ctx.request_id}\0".encode() + seed).hexdigest()
    return Letter(
        sender=Person(address=account.address, name=account.display_name),
        to=tuple(map(_person, to)),
        cc=tuple(map(_person, cc)),
        now=ctx.now,
        message_id=f"<{ctx.now:%Y%m%d%H%M%S}.{digest[:32]}@{host}>",
    )


def _person(attendee: Attendee) -> Person:
    return Person(address=attendee.email, name=attendee.name)
