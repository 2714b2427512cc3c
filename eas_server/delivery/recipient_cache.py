"""The recipient information cache, [MS-ASCMD] 2.2.3.30.6: each one a user writes to has an entry there.

The entries are ordered by `received`, the moment that `render.recipients` ranks them by: the least used are the last.
"""

import asyncio
import contextlib
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from eas_server.delivery.ports import DeliveryPorts
from eas_server.errors import NoSuchItem, StoreFull
from eas_server.interfaces import Receipt, Submission
from eas_server.model import blob
from eas_server.model.blob import Blob, MemoryBlob
from eas_server.model.ids import CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import FolderType, Item, MessageIndex, NewMessage
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.render import addresses, headers
from eas_server.render.out_of_office import is_answerable, is_automatic, normal
from eas_server.render.recipients import Recipient, entry, used

MAX_ENTRIES: Final = 200
"""Entries of a user; beyond it the least used ones go."""
SAME_USE: Final = timedelta(minutes=10)
"""Mails to somebody within it count as one."""
KEPT_USERS: Final = 1000
"""Users whose entries are held in memory, up to 40 kB each."""
MAX_NOTED: Final = 10
"""Recipients of one mail that are noted: who writes to more of them hardly picks each by hand."""
_ADDRESSED: Final = ("to", "cc", "bcc")


@dataclass(slots=True)
class _Entries:
    """The entries of a user as of a Token: to read them costs more than to write one."""

    token: Token
    items: dict[str, tuple[ItemId, int]]
    """By normal address: the item, and the second that it stands at."""
    noted: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """When an entry was last noted, and under which name."""

    def is_noted(self, recipient: Recipient, now: datetime) -> bool:
        """Whether a use counts with the one before it, and tells no other name."""
        address = normal(recipient.address)
        if address not in self.items or address not in self.noted:
            return False
        noted, name = self.noted[address]
        return timedelta() <= now - noted < SAME_USE and recipient.name in ("", name)


class NotesRecipients:
    """The step. Mail that no device sent costs nothing."""

    def __init__(self, ports: DeliveryPorts) -> None:
        self._ports = ports
        self._locks: weakref.WeakValueDictionary[UserId, asyncio.Lock] = weakref.WeakValueDictionary()
        self._entries: OrderedDict[UserId, _Entries] = OrderedDict()

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
            entries = await self._known_entries(user, folder)
            for recipient in recipients:
                if not entries.is_noted(recipient, now):
                    await self._write(user, folder, entries, recipient, now)
            await self._thin_out(user, folder, entries, {normal(each.address) for each in recipients})

    async def _known_entries(self, user: UserId, folder: CollectionId) -> _Entries:
        """The entries as they are now."""
        tokens = await self._ports.mail.tokens(user, [folder])
        held = self._entries.get(user)
        if held is None or held.token != tokens.get(folder):
            page = await self._ports.mail.page(user, folder, below=TOP, not_before=NO_LIMIT, limit=2 * MAX_ENTRIES)
            items = await self._ports.mail.fetch(user, folder, [each.id for each in page])
            known = {item.index.to: (item.id, int(item.received.timestamp())) for item in reversed(items)}
            noted = {} if held is None else held.noted
            held = self._entries[user] = _Entries(tokens.get(folder, Token(0)), known, noted)
        self._entries.move_to_end(user)
        if len(self._entries) > KEPT_USERS:
            self._entries.popitem(last=False)
        return held

    async def _write(
        self, user: UserId, folder: CollectionId, entries: _Entries, recipient: Recipient, now: datetime
    ) -> None:
        """Write the entry of a recipient."""
        address = normal(recipient.address)
        known = entries.items.get(address)
        items = await self._ports.mail.fetch(user, folder, [known[0]]) if known is not None else ()
        item = items[0] if items else None
        moment = int(used(None if item is None else item.received, now).timestamp())
        taken = {second for _, second in entries.items.values()}
        while moment in taken:  # no two at one moment, so that the first N of them are N
            moment -= 1
        received = datetime.fromtimestamp(moment, UTC)
        stored = None if item is None else await blob.read(item.content)
        octets = entry(stored, recipient, received, now=now, uid=secrets.token_hex(16))
        index = MessageIndex(size=len(octets), to=address)
        new = NewMessage(content=MemoryBlob(octets), index=index, text="", received=received)
        number, revision = await self._store(user, folder, item, new)
        entries.token = Token(revision)
        entries.items[address] = (number, moment)
        entries.noted[address] = (now, recipient.name)

    async def _store(
        self, user: UserId, folder: CollectionId, item: Item | None, new: NewMessage
    ) -> tuple[ItemId, Revision]:
        if item is not None:
            with contextlib.suppress(NoSuchItem):
                made = await self._ports.mail.replace(user, folder, item.id, new, item.revision)
                return item.id, item.revision if made is None else made.after
        added = await self._ports.mail.add(user, folder, new)
        return added.id, added.revision

    async def _thin_out(self, user: UserId, folder: CollectionId, entries: _Entries, kept: Collection[str]) -> None:
        """Delete the least used entries beyond MAX_ENTRIES, never those of this mail."""
        surplus = len(entries.items) - MAX_ENTRIES
        if surplus <= 0:
            return
        ordered = sorted(entries.items, key=lambda address: entries.items[address][1])
        gone = [address for address in ordered if address not in kept][:surplus]
        await self._ports.mail.delete(user, folder, [entries.items[address][0] for address in gone])
        del self._entries[user]


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
