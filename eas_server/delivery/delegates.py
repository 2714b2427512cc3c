"""Delegates get the meeting mail of those whom they stand in for ([MS-ASCMD] 3.1.5.6, MS-ASCMD_R5600).

They get it as a substitute (`render/meetings/substitute.py`), which does not come into their own calendars. The user
gets it too, unless the delegates alone are to get it: then it goes to Deleted Items, and the meeting into the calendar
all the same. Private meetings, and messages with restricted rights, are not passed on.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Final

from eas_server.delivery.calendar_items import CalendarItems
from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import StoreFull
from eas_server.interfaces import Delivery, Receipt, Submission
from eas_server.model import blob
from eas_server.model.directory import Account
from eas_server.model.mail import FolderType, NewMessage
from eas_server.model.preferences import Delegates
from eas_server.render.contentlines import parse
from eas_server.render.meetings import itip
from eas_server.render.meetings.itip import MeetingMessage, Method
from eas_server.render.meetings.letter import Person
from eas_server.render.meetings.substitute import Parties, is_private, substitute
from eas_server.render.mime import index_message
from eas_server.render.out_of_office import normal

MAX_DELEGATES: Final = 50
"""Delegates of one user who get a message."""
_DELIVERED: Final = frozenset({FolderType.INBOX, FolderType.DELETED_ITEMS})
_OFFLOAD_FROM: Final = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passed:
    """A meeting message that is passed on."""

    message: MeetingMessage
    principal: Account
    delegates: tuple[Account, ...]
    only: bool


class DelegatesMail:
    """The step. To mail that is no meeting message it costs a look at its index."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports

    async def before(self, submission: Submission) -> Submission:
        """With what the delegates alone are to see out of the way."""
        if not any(map(_is_meeting_mail, submission.deliveries)):
            return submission
        made = [await self._filed(delivery) for delivery in submission.deliveries]
        return replace(submission, deliveries=tuple(made))

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Send the substitutes: only now is it known who has got the message, and that it will not come again."""
        for delivery in submission.deliveries:
            if not _is_meeting_mail(delivery) or delivery.user in receipt.missed:
                continue
            passed = await self._passed(delivery)
            if passed is None:
                continue
            copies = tuple(_copy(delivery, passed, delegate) for delegate in passed.delegates)
            made = Submission(user=delivery.user, source=None, deliveries=copies, forwarding=None, now=submission.now)
            try:
                await self._ports.submission.submit(made)
            except StoreFull:
                log.warning("no delegate of %s had room for a meeting message", delivery.user)

    async def _filed(self, delivery: Delivery) -> Delivery:
        passed = await self._passed(delivery) if _is_meeting_mail(delivery) else None
        if passed is None or not (passed.only and passed.delegates):
            return delivery
        return replace(delivery, folder=FolderType.DELETED_ITEMS)

    async def _passed(self, delivery: Delivery) -> _Passed | None:
        kept = await self._ports.preferences.preference(delivery.user, Delegates)
        named = [user for user in kept.users[:MAX_DELEGATES] if user != delivery.user]
        principal = await self._ports.accounts.account(delivery.user) if named else None
        found = [one for user in named if (one := await self._ports.accounts.account(user)) is not None]
        message = await _meeting(delivery.message) if principal is not None and found else None
        if principal is None or message is None or await self._is_private(delivery, message):
            return None
        others = tuple(one for one in found if not _is_from(delivery, one))
        return _Passed(message=message, principal=principal, delegates=others, only=kept.only)

    async def _is_private(self, delivery: Delivery, message: MeetingMessage) -> bool:
        """What answers say of a meeting is little: whether it is private, the calendar knows."""
        if is_private(message.calendar):
            return True
        if message.method is Method.REQUEST or not message.uid:
            return False
        items = CalendarItems(delivery.user, self._ports.folders, self._ports.mail, self._ports.search)
        return any(is_private(parse(held.octets)) for held in await items.of_meeting(message.uid))


def _is_meeting_mail(delivery: Delivery) -> bool:
    """Whether a delivery is of a meeting message; of one that is filed already, too."""
    return delivery.folder in _DELIVERED and delivery.message.index.calendar is not None


def _is_from(delivery: Delivery, account: Account) -> bool:
    """Whether somebody sent it, who needs no copy then."""
    own = {normal(address) for address in (*account.addresses, account.address)}
    return normal(delivery.sender) in own


def _copy(delivery: Delivery, passed: _Passed, delegate: Account) -> Delivery:
    parties = Parties(principal=_person(passed.principal), delegate=_person(delegate))
    made = substitute(delivery.message, passed.message, parties, index_message)
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
