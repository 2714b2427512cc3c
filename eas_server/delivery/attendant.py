"""The calendar attendant: brings meeting messages that are delivered into the calendar of who gets them.

Invitations become tentative items, updates and cancellations change them, answers are noted in the organizer's item.
What the message itself says decides (`render.meetings.attend`); nothing is done twice, however often it comes.
See docs/decisions/0019-meetings.md.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from eas_server.delivery.calendar_items import MAX_OCTETS, CalendarItems, Held, owner_of
from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import StoreFull
from eas_server.interfaces import Delivery, Receipt, Submission
from eas_server.model import blob
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, MessageIndex
from eas_server.render.meetings import attend, itip
from eas_server.render.meetings.attend import Edit
from eas_server.render.meetings.invited import Reader
from eas_server.render.meetings.itip import MeetingMessage
from eas_server.render.pim import InvalidItem
from protocol.datatypes import parse_mailboxes

OFFLOAD_FROM: Final = 64 * 1024
"""Encoded octets: larger calendar parts are read beside the event loop."""
ATTEMPTS: Final = 5
"""How often a message is brought in again when somebody else changes the item at the same moment."""
_ATTENDED: Final = frozenset({FolderType.INBOX, FolderType.DELETED_ITEMS})
"""Deleted Items: the mail of users whose delegates alone are to see it."""

log = logging.getLogger(__name__)


class Attendant:
    """The step. To mail that is no meeting message it costs a look at its index."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports
        self._locks: WeakValueDictionary[UserId, asyncio.Lock] = WeakValueDictionary()

    async def before(self, submission: Submission) -> Submission:
        """Nothing."""
        return submission

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Attend to each user who got the message."""
        for delivery in submission.deliveries:
            reached = delivery.folder in _ATTENDED and delivery.user not in receipt.missed
            index = delivery.message.index
            # a protected invitation stays what it is: the calendar would show it to everybody who may not read it
            if not reached or index.calendar is None or index.protection is not None:
                continue
            try:
                await self._attend(delivery, submission)
            except (InvalidItem, StoreFull) as error:
                log.warning("a meeting message for %s did not reach the calendar: %s", delivery.user, error)

    async def _attend(self, delivery: Delivery, submission: Submission) -> None:
        account = await self._ports.accounts.account(delivery.user)
        part = delivery.message.index.calendar
        if account is None or part is None:
            return
        index = delivery.message.index
        large = part.end - part.start > OFFLOAD_FROM
        encoded = await blob.read(delivery.message.content, part.start, part.end)
        method = itip.method_of(index.message_class)
        message = (
            await asyncio.to_thread(itip.read, encoded, part, method=method)
            if large
            else itip.read(encoded, part, method=method)
        )
        if message is None or not message.uid:
            return
        reader = Reader(owner=owner_of(account), senders=senders_of(index), now=submission.now)
        lock = self._locks.setdefault(delivery.user, asyncio.Lock())
        async with lock:  # the same invitation twice at once must not make two items
            await self._bring_in(delivery.user, message, reader, large=large)

    async def _bring_in(self, user: UserId, message: MeetingMessage, reader: Reader, *, large: bool) -> None:
        items = CalendarItems(user, self._ports.folders, self._ports.mail, self._ports.search)
        for _ in range(ATTEMPTS):
            held = await items.of_meeting(message.uid)
            octets = [one.octets for one in held]
            edits = (
                await asyncio.to_thread(attend.edits, octets, message, reader)
                if large
                else attend.edits(octets, message, reader)
            )
            if await carried_out(items, held, edits):
                return
        log.warning("a meeting message for %s did not reach the calendar: the item is changed all the time", user)


async def carried_out(items: CalendarItems, held: Sequence[Held], edits: Sequence[Edit]) -> bool:
    """Make the changes; False where one was overtaken, and all of it has to be decided anew. Raises StoreFull."""
    for edit in edits:
        if edit.octets is None:
            if edit.at is not None:
                await items.delete(held[edit.at])
        elif len(edit.octets) > MAX_OCTETS:
            log.warning("an event of %d octets is too large to be kept", len(edit.octets))
        elif edit.at is None:
            await items.add(edit.octets)
        elif not await items.replace(held[edit.at], edit.octets):
            return False
    return True


def senders_of(index: MessageIndex) -> tuple[str, ...]:
    """The addresses that a message says that it is from: From and Sender."""
    named = (*parse_mailboxes(index.sender), *parse_mailboxes(index.sending_agent))
    return tuple(mailbox.address for mailbox in named if mailbox.address)
