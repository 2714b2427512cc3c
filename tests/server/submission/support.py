"""Stores with alice, bob and carol, in memory and on SQLite, a fixed clock and a scripted way out."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eas_server.backends.memory import MemoryStore
from eas_server.backends.sqlite import open_store
from eas_server.interfaces import Forwarding
from eas_server.model.blob import read
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, Item
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.submission.smart_host import Attempt

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DOMAIN = "example.com"
MESSAGE = (
    b"From: dora@elsewhere.test\r\nTo: bob@example.com\r\nSubject: hi\r\nDate: Wed, 04 Mar 2026 05:00:00 +0000\r\n"
    b"Message-ID: <1@elsewhere.test>\r\n\r\nHello\r\n"
)


class FixedClock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant

    def advance(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class Scripted:
    """A Transport whose attempts are given by a function of the recipients."""

    def __init__(self, outcome: Callable[[Forwarding], Attempt] | None = None) -> None:
        self.outcome = outcome or (lambda forwarding: Attempt(sent=forwarding.recipients))
        self.sent: list[tuple[Forwarding, bytes]] = []

    async def send(self, forwarding: Forwarding) -> Attempt:
        self.sent.append((forwarding, await read(forwarding.content)))
        return self.outcome(forwarding)


async def fill(store: Any, quotas: Mapping[str, int]) -> None:
    for name in ("alice", "bob", "carol"):
        await store.admin.add_user(f"{name}@{DOMAIN}", None, quota=quotas.get(name))
    members = [f"alice@{DOMAIN}", f"bob@{DOMAIN}", "dora@elsewhere.test"]
    await store.admin.add_group(DirectoryEntry(key="", display_name="Team", email=f"team@{DOMAIN}"), members)


@asynccontextmanager
async def store_of(kind: str, path: Path, clock: FixedClock, quotas: Mapping[str, int]) -> AsyncIterator[Any]:
    if kind == "memory":
        store = MemoryStore()
        await fill(store, quotas)
        yield store
        return
    async with open_store(path / "store.db", clock=clock) as opened:
        await fill(opened, quotas)
        yield opened


async def inbox(store: Any, name: str, folder: FolderType = FolderType.INBOX) -> list[Item]:
    """What is in a folder, oldest first."""
    user = UserId(f"{name}@{DOMAIN}")
    found = next(f for f in await store.folders.folders(user) if f.type is folder)
    entries = await store.mail.page(user, found.id, below=TOP, not_before=NO_LIMIT, limit=100)
    items = await store.mail.fetch(user, found.id, [entry.id for entry in entries])
    return list(reversed(items))


async def octets(item: Item) -> tuple[bytes, bytes]:
    """The trace header lines of an item, and what is below them."""
    whole = await read(item.content)
    return whole[: item.index_offset], whole[item.index_offset :]
