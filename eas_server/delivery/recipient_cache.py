"""The recipient information cache, [MS-ASCMD] 2.2.3.30.6: each one a user writes to has an entry there.

The entries are ordered by `received`, the moment that `render.recipients` ranks them by: the least used are the last.
"""

import asyncio
import contextlib
import secrets
import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import NoSuchItem, StoreFull
from eas_server.interfaces import Receipt, Submission
from eas_server.model import blob
from eas_server.model.blob import Blob, MemoryBlob
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import FolderType, Item, MessageIndex, NewMessage
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.render import addresses, headers
from eas_server.render.out_of_office import is_answerable, is_automatic, normal
from eas_server.render.recipients import Recipient, entry, used

MAX_ENTRIES: Final = 200
"""Entries of a user; beyond it the least used ones go."""
MAX_NOTED: Final = 10
"""Recipients of one mail that are noted: who writes to more of them hardly picks each by hand."""
_ADDRESSED: Final = ("to", "cc", "bcc")
_APART: Final = timedelta(seconds=1)
"""What the store tells moments apart by."""


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
            items = await self._ports.mail.fetch(user, folder, [each.id for each in entries])
            known = {item.index.to: item for item in items}
            taken = {item.received for item in items}
            added = 0
            for recipient in recipients:
                added += await self._write(user, folder, known, recipient, taken, now)
            surplus = len(items) + added - MAX_ENTRIES
            if surplus > 0:
                named = {normal(recipient.address) for recipient in recipients}
                last = [item.id for item in reversed(items) if item.index.to not in named]
                await self._ports.mail.delete(user, folder, last[:surplus])

    async def _write(
        self,
        user: UserId,
        folder: CollectionId,
        known: Mapping[str, Item],
        recipient: Recipient,
        taken: set[datetime],
        now: datetime,
    ) -> int:
        """Write an entry; gives how many there are more."""
        address = normal(recipient.address)
        item = known.get(address)
        moment = used(None if item is None else item.received, now).replace(microsecond=0)
        while moment in taken:  # no two at one moment, so that the first N of them are N
            moment -= _APART
        taken.add(moment)
        stored = None if item is None else await blob.read(item.content)
        octets = entry(stored, recipient, moment, now=now, uid=secrets.token_hex(16))
        index = MessageIndex(size=len(octets), to=address)
        new = NewMessage(content=MemoryBlob(octets), index=index, text="", received=moment)
        if item is None:
            await self._ports.mail.add(user, folder, new)
            return 1
        try:
            await self._ports.mail.replace(user, folder, item.id, new, item.revision)
        except NoSuchItem:
            return -1
        return 0


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
