"""Large messages, a full disk, and what is swept up."""

import asyncio
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eas_server.backends.sqlite import Store, items, open_store
from eas_server.errors import StaleToken, StoreFull, StoreUnavailable
from eas_server.interfaces import Delivery, Forwarding, Submission
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import ROOT, CollectionId, ItemId
from eas_server.model.mail import FolderType, SearchQuery
from eas_server.model.view import NO_LIMIT, TOP
from tests.contract.samples import ALICE, BOB, NOW, message

INBOX = CollectionId("1")
LARGE = 3_000_000

MEMORY = """
import asyncio, resource, sys
from pathlib import Path
from eas_server.backends.sqlite import open_store
from eas_server.model.ids import CollectionId
from tests.contract.samples import ALICE, message

SIZE = 60_000_000

class Made:
    size = SIZE
    async def chunks(self, start=0, end=None):
        for at in range(0, SIZE, 65536):
            yield b"x" * min(65536, SIZE - at)

def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        await store.mail.add(ALICE, CollectionId("1"), message("warm"))
        before = resident()
        entry = await store.mail.add(ALICE, CollectionId("1"), message("large", content=Made()))
        (item,) = await store.mail.fetch(ALICE, CollectionId("1"), [entry.id])
        total = 0
        async for chunk in item.content.chunks():
            total += len(chunk)
        assert total == SIZE
        print(resident() - before)

asyncio.run(main())
"""


class Changing:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def test_a_large_message_is_never_in_memory(path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, cwd=root, check=True
    )
    assert int(done.stdout) < 20_000_000


async def test_a_full_disk_stores_nothing(store: Store, path: Path) -> None:
    await store.mail.add(ALICE, INBOX, message("before"))

    def limit(connection: sqlite3.Connection) -> None:
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {count + 30}")

    await store._writer.outside(limit)
    before = await store.mail.tokens(ALICE, [INBOX])
    for size in (900_000, LARGE):
        large = message("large", content=MemoryBlob(b"x" * size))
        with pytest.raises(StoreFull):
            await store.mail.add(ALICE, INBOX, large)
        delivery = Delivery(user=ALICE, folder=FolderType.INBOX, message=large)
        forwarding = Forwarding(sender="alice@example.com", recipients=("x@example.org",), content=large.content)
        submission = Submission(user=ALICE, source=None, deliveries=(delivery,), forwarding=forwarding, now=NOW)
        with pytest.raises(StoreFull):
            await store.submission.submit(submission)
    assert await store.mail.tokens(ALICE, [INBOX]) == before
    assert await store.mail.count(ALICE, INBOX, below=TOP, not_before=NO_LIMIT) == 1
    assert rows(path, "outgoing") == 0
    await store.mail.add(ALICE, INBOX, message("small"))


async def test_what_nothing_refers_to_is_swept_after_a_while(path: Path) -> None:
    clock = Changing()
    async with open_store(path, clock=clock) as store:
        body = MemoryBlob(b"x" * LARGE)
        for user in (ALICE, BOB):
            await store.mail.add(user, INBOX, message("each their own", content=body))
        (item,) = await store.mail.fetch(ALICE, INBOX, [ItemId(1)])
        shared = await store.mail.add(ALICE, CollectionId("2"), message("shared", content=item.content))
        assert rows(path, "blobs") == 2
        await store.mail.delete(ALICE, INBOX, [ItemId(1)])
        await store.mail.delete(BOB, INBOX, [ItemId(1)])
        await store.sweep()
        assert rows(path, "blobs") == 2
        clock.at += timedelta(hours=1)
        await store.sweep()
        assert rows(path, "blobs") == 1
        assert len(await read(item.content)) == LARGE
        await store.mail.delete(ALICE, CollectionId("2"), [shared.id])
        clock.at += timedelta(hours=1)
        await store.sweep()
        assert (rows(path, "blobs"), rows(path, "chunks")) == (0, 0)
        with pytest.raises(StoreUnavailable):
            await read(item.content)
        with pytest.raises(StoreUnavailable):
            await store.mail.add(ALICE, INBOX, message("gone", content=item.content))


async def test_deleted_folders_and_users_are_swept(path: Path) -> None:
    clock = Changing()
    async with open_store(path, clock=clock) as store:
        made = await store.folders.create_folder(ALICE, ROOT, "Many", FolderType.USER_MAIL)
        for number in range(30):
            await store.mail.add(ALICE, made.id, message(f"needle {number}"))
        await store.index()
        for number in range(30):
            await store.mail.add(BOB, INBOX, message(f"needle {number}"))
        await store.mail.delete(ALICE, made.id, [ItemId(1)])
        await store.folders.delete_folder(ALICE, made.id)
        await store.admin.remove_user(BOB)
        assert list(await store.mail.search(BOB, SearchQuery(words="needle"))) == []
        clock.at += timedelta(hours=1)
        await store.sweep()
        clock.at += timedelta(hours=1)
        await store.sweep()
        tables = ("items", "item_words", "unindexed", "tombstones", "blobs", "chunks")
        assert [rows(path, table) for table in tables] == [0] * len(tables)


async def test_a_message_that_nobody_took_over_is_swept(path: Path) -> None:
    class Broken:
        size = LARGE

        async def chunks(self, start: int = 0, end: int | None = None):
            yield b"x" * 2_000_000
            raise ConnectionError

    clock = Changing()
    async with open_store(path, clock=clock) as store:
        with pytest.raises(ConnectionError):
            await store.mail.add(ALICE, INBOX, message("broken", content=Broken()))  # type: ignore[arg-type]
        assert rows(path, "blobs") == 1
        clock.at += timedelta(hours=1)
        await store.sweep()
        assert (rows(path, "blobs"), rows(path, "chunks")) == (0, 0)


async def test_old_departures_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "KEPT_TOMBSTONES", 10)
    start = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
    for number in range(1, 14):
        await store.mail.add(ALICE, INBOX, message())
        if number == 8:
            middle = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
        await store.mail.delete(ALICE, INBOX, [ItemId(number)])
    with pytest.raises(StaleToken):
        await store.mail.changes(ALICE, INBOX, start)
    changes = await store.mail.changes(ALICE, INBOX, middle)
    assert [(entry.id, entry.present) for entry in changes.entries] == [(8, False)]


async def test_many_readers_and_writers_at_once(store: Store) -> None:
    async def write(number: int) -> None:
        for at in range(10):
            await store.mail.add(ALICE, INBOX, message(f"{number}", at=at, content=MemoryBlob(b"x" * 300_000)))

    async def look() -> None:
        for _ in range(20):
            since = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
            entries = await store.mail.page(ALICE, INBOX, below=TOP, not_before=NO_LIMIT, limit=5)
            for item in await store.mail.fetch(ALICE, INBOX, [entry.id for entry in entries]):
                assert len(await read(item.content)) == 300_000
            assert (await store.mail.changes(ALICE, INBOX, since)).token >= since

    await asyncio.gather(*(write(n) for n in range(4)), *(look() for _ in range(4)))
    assert await store.mail.count(ALICE, INBOX, below=TOP, not_before=NO_LIMIT) == 40
