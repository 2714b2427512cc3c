"""Delegates get the meeting mail of those whom they stand in for ([MS-ASCMD] 3.1.5.6, MS-ASCMD_R5600).

They get it as a substitute (`render/meetings/substitute.py`), which does not come into their own calendars. The user
gets it too, unless the delegates alone are to get it: then it goes to Deleted Items, and the meeting into the calendar
all the same. Private meetings, and messages with restricted rights, are not passed on.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Final

from eas_server.delivery.ports import DeliveryPorts
from eas_server.interfaces import Delivery, Receipt, Submission
from eas_server.model import blob
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, NewMessage
from eas_server.model.preferences import Delegates
from eas_server.render.meetings import itip
from eas_server.render.meetings.itip import MeetingMessage
from eas_server.render.meetings.letter import Person
from eas_server.render.meetings.substitute import Parties, is_private, substitute
from eas_server.render.mime import index_message

MAX_DELEGATES: Final = 50
"""Delegates of one user who get a message."""
_OFFLOAD_FROM: Final = 64 * 1024

log = logging.getLogger(__name__)


class DelegatesMail:
    """The step. To mail that is no meeting message it costs a look at its index."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports

    async def before(self, submission: Submission) -> Submission:
        """With the deliveries to the delegates."""
        if all(delivery.message.index.calendar is None for delivery in submission.deliveries):
            return submission
        made: list[Delivery] = []
        for delivery in submission.deliveries:
            made += await self._with_delegates(delivery, submission.user)
        return replace(submission, deliveries=tuple(made))

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Nothing."""

    async def _with_delegates(self, delivery: Delivery, sender: UserId) -> list[Delivery]:
        if delivery.folder is not FolderType.INBOX or delivery.message.index.calendar is None:
            return [delivery]
        kept = await self._ports.preferences.preference(delivery.user, Delegates)
        named = [user for user in kept.users[:MAX_DELEGATES] if user not in (delivery.user, sender)]
        principal = await self._ports.accounts.account(delivery.user) if named else None
        found = [one for user in named if (one := await self._ports.accounts.account(user)) is not None]
        if principal is None or not found:
            return [delivery]
        message = await _meeting(delivery.message)
        if message is None or is_private(message):
            return [delivery]
        copies = [_copy(delivery, message, principal, delegate) for delegate in found]
        return [replace(delivery, folder=FolderType.DELETED_ITEMS) if kept.only else delivery, *copies]


def _copy(delivery: Delivery, message: MeetingMessage, principal: Account, delegate: Account) -> Delivery:
    parties = Parties(principal=_person(principal), delegate=_person(delegate))
    made = substitute(delivery.message, message, parties, index_message)
    return Delivery(user=delegate.user, folder=FolderType.INBOX, message=made)


def _person(account: Account) -> Person:
    return Person(address=account.address, name=account.display_name)


async def _meeting(message: NewMessage) -> MeetingMessage | None:
    part = message.index.calendar
    if part is None or message.index.protection is not None:
        return None
    encoded = await blob.read(message.content, part.start, part.end)
    method = itip.method_of(message.index.message_class)
    if part.end - part.start > _OFFLOAD_FROM:
        return await asyncio.to_thread(itip.read, encoded, part, method=method)
    return itip.read(encoded, part, method=method)
