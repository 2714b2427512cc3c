"""The recipient information cache, [MS-ASCMD] 2.2.3.30.6: each one a user writes to has an entry there.

The entries are ordered by `received`, the moment that `render.recipients` ranks them by: the least used are the last.
"""

import asyncio
import contextlib
import secrets
import weakref
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import NoSuchItem, StoreFull
from eas_server.interfaces import Receipt, Submission
from eas_server.model import blob
from eas_server.model.blob import Blob, MemoryBlob
from eas_server.model.ids import CollectionId, ItemId, UserId
from eas_server.model.mail import FolderType, Item, MessageIndex, NewMessage, SearchQuery
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.render import addresses, headers
from eas_server.render.out_of_office import is_answerable, is_automatic, normal
from eas_server.render.recipients import Recipient, entry, used

MAX_ENTRIES: Final = 200
"""Entries of a user; beyond it the least used ones go."""
MAX_NOTED: Final = 10
"""Recipients of one mail that are noted: who writes to more of them hardly picks each by hand."""
_ADDRESSED: Final = ("to", "cc", "bcc")


class NotesRecipients:
    """The step. Mail that no device sent costs nothing."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports
        self._locks: weakref.WeakValueDictionary[UserId, asyncio.Lock] = weakref.WeakValueDictionary()

    async def before(self, submission: Submission) -> Submission:
        """Nothing."""
        return submission

    async def after(self, submission: Submission, receipt: Receipt) -> None:
        """Note the recipients of what a user sent."""
        content = _content(submission)
        if submission.source is None or content is None:
            return
        octets = await blob.read(content, 0, min(content.size, headers.MAX_HEADER_BLOCK))
        fields, _ = headers.header_block(octets, 0, len(octets))
        if is_automatic(fields):
            return
        account = await self._ports.accounts.account(submission.user)
        if account is None:
            return
        own = {normal(address) for address in (*account.addresses, account.address)}
        recipients = [await self._known(each) for each in recipients_of(fields, own)]
        if recipients:
            with contextlib.suppress(StoreFull):  # who has no room for mail needs none for this
                await self._note(submission.user, recipients, submission.now)

    async def _known(self, recipient: Recipient) -> Recipient:
        """With what is known of somebody on this server."""
        account = await self._ports.accounts.by_address(recipient.address)
        if account is None:
            return recipient
        alias = account.address.partition("@")[0]
        return replace(recipient, display_name=account.display_name, alias=alias)

    async def _note(self, user: UserId, recipients: Sequence[Recipient], now: datetime) -> None:
        lock = self._locks.get(user)
        if lock is None:
            lock = self._locks[user] = asyncio.Lock()
        async with lock:  # else two mails at once would both make the entry of a new one
            folders = await self._ports.folders.folders(user)
            folder = next((f.id for f in folders if f.type is FolderType.RECIPIENT_INFORMATION_CACHE), None)
            if folder is None:
                return
            entries = await self._ports.mail.page(user, folder, below=TOP, not_before=NO_LIMIT, limit=2 * MAX_ENTRIES)
            taken = {each.received for each in entries}
            named: set[ItemId] = set()
            for recipient in recipients:
                item = await self._entry(user, folder, normal(recipient.address))
                named.add(await self._write(user, folder, item, recipient, taken, now))
            unnamed = [each.id for each in reversed(entries) if each.id not in named]
            surplus = len(unnamed) + len(named) - MAX_ENTRIES
            if surplus > 0:
                await self._ports.mail.delete(user, folder, unnamed[:surplus])

    async def _entry(self, user: UserId, folder: CollectionId, address: str) -> Item | None:
        """The entry of a normal address."""
        query = SearchQuery(words=_word(address), collections=(folder,), limit=1)
        hits = await self._ports.search.search(user, query)
        items = await self._ports.mail.fetch(user, folder, [hit.id for hit in hits])
        return items[0] if items else None

    async def _write(
        self,
        user: UserId,
        folder: CollectionId,
        item: Item | None,
        recipient: Recipient,
        taken: set[int],
        now: datetime,
    ) -> ItemId:
        """Write the entry of a recipient; gives its id. `taken` are the moments of all entries."""
        moment = int(used(None if item is None else item.received, now).timestamp())
        while moment in taken:  # no two at one moment, so that the first N of them are N
            moment -= 1
        taken.add(moment)
        received = datetime.fromtimestamp(moment, UTC)
        stored = None if item is None else await blob.read(item.content)
        octets = entry(stored, recipient, received, now=now, uid=secrets.token_hex(16))
        address = normal(recipient.address)
        index = MessageIndex(size=len(octets), to=address)
        new = NewMessage(content=MemoryBlob(octets), index=index, text=_word(address), received=received)
        if item is not None:
            with contextlib.suppress(NoSuchItem):
                await self._ports.mail.replace(user, folder, item.id, new, item.revision)
                return item.id
        return (await self._ports.mail.add(user, folder, new)).id


def _word(address: str) -> str:
    """What the entry of an address is found by, and no other entry is."""
    return sha256(address.encode("utf-8", "replace")).hexdigest()[:32]


def _content(submission: Submission) -> Blob | None:
    """The message as its sender has it, with Bcc; else as the others got it."""
    own = [delivery for delivery in submission.deliveries if submission.is_own_copy(delivery)]
    others = [delivery for delivery in submission.deliveries if delivery.sender]  # and no report on it
    for delivery in (*own, *others):
        return delivery.message.content
    return None if submission.forwarding is None else submission.forwarding.content


def recipients_of(fields: headers.Fields, own: Collection[str]) -> list[Recipient]:
    """The recipients in a header, each once, without the user; MAX_NOTED of them."""
    found: dict[str, Recipient] = {}
    for name in _ADDRESSED:
        for value in fields.get(name, ()):
            for one in addresses.parse(value):
                address = normal(one.address)
                if address not in own and address not in found and is_answerable(one.address):
                    named = "" if normal(one.name) == address else one.name
                    found[address] = Recipient(address=one.address, name=named)
                    if len(found) == MAX_NOTED:
                        return list(found.values())
    return list(found.values())
