"""Automatic replies of users who are out of office, [MS-ASCMD] 2.2.3.122: once per sender and period.

See docs/decisions/0024-automatic-replies.md for what is answered and what a period is.
"""

import logging
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import StoreFull
from eas_server.interfaces import Delivery, Forwarding, Receipt, Submission
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, NewMessage, SearchQuery
from eas_server.model.preferences import AutomaticReply, OofState, OutOfOffice
from eas_server.model.settings import Answered
from eas_server.render import addresses, headers
from eas_server.render.contentlines import MalformedLines, parse
from eas_server.render.meetings.letter import Person
from eas_server.render.mime import index_message
from eas_server.render.out_of_office import Envelope, automatic_reply, is_answerable, is_personal, normal
from eas_server.submission import trace
from eas_server.submission.routing import route

LONGEST_PERIOD: Final = timedelta(days=366)
"""How long it is remembered whom somebody answered who never switches it off."""
MAX_CONTACTS: Final = 20
"""Contacts with the words of an address in them that are looked at."""
_CONTACTS: Final = (FolderType.CONTACTS, FolderType.USER_CONTACTS)
NO_REPLY: Final = AutomaticReply()

log = logging.getLogger(__name__)


class AutomaticReplies:
    """The step. To a user who is not away it costs one look at a small record."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports

    async def before(self, submission: Submission) -> Submission:
        """Nothing."""
        return submission

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Answer for each user who got the message."""
        for delivery in submission.deliveries:
            reached = delivery.folder is FolderType.INBOX and delivery.user not in receipt.missed
            if reached and is_answerable(delivery.sender):
                await self._consider(delivery, submission.now)

    async def _consider(self, delivery: Delivery, now: datetime) -> None:
        kept = await self._ports.preferences.preference(delivery.user, OutOfOffice)
        if not kept.is_away(now):
            return
        account = await self._ports.accounts.account(delivery.user)
        if account is None or await self._is_ignored(delivery) or not await self._is_personal(delivery, account):
            return
        replies = await self._replies(kept, delivery.sender)
        if not any(map(_says_something, replies)):
            return
        # before it is sent: a crash in between loses one reply, the other way round it would be sent twice
        if not await self._is_first(delivery, kept, now):
            return
        reply = replies[0]
        if len(set(replies)) > 1 and not await self._is_contact(account.user, delivery.sender):
            reply = replies[1]
        if _says_something(reply):
            await self._send(reply, account, delivery, now)

    async def _is_ignored(self, delivery: Delivery) -> bool:
        """Whether the message belongs to a conversation that the user throws away."""
        if delivery.collection is None:
            return False
        folders = await self._ports.folders.folders(delivery.user)
        return any(each.id == delivery.collection and each.type is FolderType.DELETED_ITEMS for each in folders)

    async def _is_personal(self, delivery: Delivery, account: Account) -> bool:
        content = delivery.message.content
        octets = await blob.read(content, 0, min(content.size, headers.MAX_HEADER_BLOCK))
        fields, _ = headers.header_block(octets, 0, len(octets))
        own = {normal(address) for address in (*account.addresses, account.address)}
        if normal(delivery.sender) in own or not is_personal(fields, own):
            return False
        # nor is a list of this server answered
        return await self._ports.accounts.group(normal(delivery.sender)) is None

    async def _replies(self, kept: OutOfOffice, sender: str) -> tuple[AutomaticReply, ...]:
        """The reply to somebody inside, or the replies to somebody outside who is known, and who is not."""
        domain = normal(sender).rpartition("@")[2]
        inside = domain in {normal("@" + each)[1:] for each in self._ports.domains}
        if inside or await self._ports.accounts.by_address(sender) is not None:
            return (kept.internal,)
        answered = self._ports.answered()
        known = NO_REPLY if answered is Answered.INTERNAL else kept.known
        return known, kept.unknown if answered is Answered.EVERYBODY else NO_REPLY

    async def _is_first(self, delivery: Delivery, kept: OutOfOffice, now: datetime) -> bool:
        scheduled = kept.end if kept.state is OofState.TIME_BASED else None
        period = "" if kept.since is None else kept.since.isoformat()
        return await self._ports.preferences.mark_once(
            delivery.user, f"oof {period} {normal(delivery.sender)}", now, scheduled or now + LONGEST_PERIOD
        )

    async def _is_contact(self, user: UserId, address: str) -> bool:
        """Whether the user has a contact of that address."""
        folders = [each.id for each in await self._ports.folders.folders(user) if each.type in _CONTACTS]
        query = SearchQuery(words=address, collections=tuple(folders), limit=MAX_CONTACTS)
        for hit in await self._ports.search.search(user, query):
            for item in await self._ports.mail.fetch(user, hit.collection, [hit.id]):
                if normal(address) in _addresses(await blob.read(item.content)):
                    return True
        return False

    async def _send(self, reply: AutomaticReply, account: Account, delivery: Delivery, now: datetime) -> None:
        """With the null sender, so that nothing ever answers it ([RFC 3834] 3.3)."""
        routes = await route([delivery.sender], self._ports.accounts, self._ports.domains)
        octets = automatic_reply(reply, delivery.message.index, self._envelope(account, delivery, now))
        index, text = index_message(octets, received=now)
        content = MemoryBlob(octets)
        received = trace.received(by=self._ports.host, protocol="local", id_=_name(delivery, now), now=now)
        made = tuple(
            Delivery(
                user=user,
                folder=FolderType.INBOX,
                message=NewMessage(
                    content=content,
                    index=index,
                    text=text,
                    received=now,
                    trace=trace.delivered("", address) + received,
                ),
                recipient=address,
            )
            for user, address in routes.local.items()
        )
        forwarding = Forwarding(sender="", recipients=routes.remote, content=content) if routes.remote else None
        if not made and forwarding is None:
            return
        answer = Submission(user=account.user, source=None, deliveries=made, forwarding=forwarding, now=now)
        try:
            await self._ports.submission.submit(answer)
        except StoreFull:
            log.info("no room for the automatic reply of %s", account.user)

    def _envelope(self, account: Account, delivery: Delivery, now: datetime) -> Envelope:
        own = {normal(address) for address in account.addresses}
        address = delivery.recipient if normal(delivery.recipient) in own else account.address
        return Envelope(
            sender=Person(address=address, name=account.display_name),
            to=normal_case(delivery.sender),
            now=now,
            message_id=f"<{now:%Y%m%d%H%M%S}.{_name(delivery, now)}@{self._ports.host}>",
        )


def normal_case(address: str) -> str:
    """An address with its local part as it came: elsewhere the case of it may count."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{normal('@' + domain)[1:]}"


def _says_something(reply: AutomaticReply) -> bool:
    return reply.enabled and bool(reply.text.strip())


def _name(delivery: Delivery, now: datetime) -> str:
    """Names the reply to a message: the same for the same arguments."""
    told = (delivery.user, delivery.sender, delivery.message.index.message_id, now.isoformat())
    return sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:32]


def _addresses(octets: bytes) -> set[str]:
    """The addresses of a contact."""
    try:
        lines = parse(octets).all("EMAIL")
    except MalformedLines:
        return set()
    return {normal(one.address) for line in lines for one in addresses.parse(line.text.encode())}
