"""A mailbox for devices that sync it, in memory or on SQLite, with a clock and with writers beside the devices."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from eas_server.backends.memory import MemoryStore
from eas_server.backends.sqlite.passwords import HashCost
from eas_server.backends.sqlite.store import open_store
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import CollectionId, ItemId, Revision
from eas_server.model.mail import Item, NewMessage, StateChange
from eas_server.model.settings import Settings, SyncSettings
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.notify import ChangeNotifier
from eas_server.render.email import flag_element
from eas_server.render.mime import index_message
from eas_server.sync.filters import FilterType, cutoff
from protocol.commands.sync import Options
from protocol.versions import V12_1, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.commands.support import ALICE, NOW, Bench

INBOX, DELETED, SENT = (CollectionId(name) for name in "134")
FOLDERS = (INBOX, DELETED, SENT)
DEVICES = {"phone": V16_1, "tablet": V14_1, "old": V12_1}
PARTS = ("read", "flag", "categories", "verb")
CONVERSATIONS = 4
"""Message n belongs to conversation n mod 4."""
CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)

Snapshot = Mapping[CollectionId, Mapping[ItemId, Item]]


def parts_of(version: ProtocolVersion) -> tuple[str, ...]:
    """What a version has words for."""
    return PARTS if version >= V14_0 else PARTS[:2]


def value(item: Item, part: str) -> Any:
    """A part of an item as it stands on the wire."""
    if part == "flag":
        return flag_element(item.state.flag)
    return getattr(item.state, part)


class Watched:
    """A mail store that counts what is asked of it, and lets others run in between."""

    def __init__(self, mail: Any) -> None:
        self.mail = mail
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **keywords: Any) -> Any:
            self.calls.append(name)
            await asyncio.sleep(0)
            return await getattr(self.mail, name)(*args, **keywords)

        return call


class Ground:
    """A mailbox and a clock."""

    def __init__(self, store: Any, notifier: ChangeNotifier, *, window_bytes: int, validates: bool) -> None:
        self.mail = store.mail
        self.watched = Watched(store.mail)
        self.now = NOW
        self.settings = Settings(sync=SyncSettings(window_bytes=window_bytes))
        self.validates = validates
        self.stopped = asyncio.Event()
        self.stopped.set()
        self.delivered = 0
        self.bench = Bench(
            folders=store.folders,
            state=store.state,
            notifier=notifier,
            mail=self.watched,
            search=store.mail,
            accounts=store.accounts,
            directory=store.directory,
        )

    @classmethod
    async def open(cls, stack: AsyncExitStack, folder: Path | None, *, window_bytes: int, validates: bool) -> "Ground":
        """Over the store in memory, or over SQLite in `folder`."""
        notifier = ChangeNotifier()
        store: Any = MemoryStore(notifier)
        if folder is not None:
            store = await stack.enter_async_context(
                open_store(folder / "store.sqlite", notifier=notifier, hash_cost=CHEAP)
            )
        await store.admin.add_user(str(ALICE.user), None)
        return cls(store, notifier, window_bytes=window_bytes, validates=validates)

    def limit(self, options: Options) -> int:
        """The filter's limit."""
        return NO_LIMIT if options.filter_type is None else cutoff(FilterType(options.filter_type), self.now)

    def shown(self, there: Mapping[ItemId, Item], options: Options, *, whole: bool) -> set[ItemId]:
        """The items that the filter lets through, and (`whole`) the others of their conversations."""
        limit = self.limit(options)
        through = {number for number, item in there.items() if item.received.timestamp() >= limit}
        if not whole:
            return through
        alive = {there[number].index.conversation_id for number in through}
        return {number for number, item in there.items() if item.index.conversation_id in alive}

    async def snapshot(self) -> Snapshot:
        """All that is in the store."""
        found: dict[CollectionId, dict[ItemId, Item]] = {}
        for folder in FOLDERS:
            page = await self.mail.page(ALICE.user, folder, below=TOP, not_before=NO_LIMIT, limit=10_000)
            items = await self.mail.fetch(ALICE.user, folder, [entry.id for entry in page])
            found[folder] = {item.id: item for item in items}
        return found

    async def deliver(self, folder: CollectionId, age: timedelta) -> None:
        """A message comes in."""
        self.delivered += 1
        thread = f"References: <{self.delivered % CONVERSATIONS}@example.com>"
        octets = f"From: bob@example.com\r\n{thread}\r\nSubject: message {self.delivered}\r\n\r\nHello.\r\n".encode()
        received = self.now - age
        index, text = index_message(octets, received=received)
        new = NewMessage(content=MemoryBlob(octets), index=index, text=text, received=received)
        await self.mail.add(ALICE.user, folder, new)

    async def change(self, folder: CollectionId, item: ItemId, change: StateChange) -> Revision:
        """Somebody else changes a message."""
        written = await self.mail.change(ALICE.user, folder, item, change)
        return Revision(written.after)
