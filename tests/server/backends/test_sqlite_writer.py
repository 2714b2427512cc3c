"""Group commit: many transactions, one fsync, and each fails for itself."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.backends.sqlite.foreign import Foreign
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import NoSuchItem, StoreFull, StoreUnavailable
from eas_server.model.ids import CollectionId, UserId

PUT = "INSERT INTO counters (name, value) VALUES (?, ?)"


class Heard:
    """What a writer tells."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.foreign: list[Foreign] = []


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def writer(path: Path, heard: Heard) -> AsyncIterator[Writer]:
    made = Writer(path, heard.units.append, heard.foreign.append)
    yield made
    await made.close()


def names(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = {name for (name,) in connection.execute("SELECT name FROM counters WHERE name LIKE 'test-%'")}
    connection.close()
    return found


class Gate:
    """Holds the writer's thread, so that what is asked for meanwhile makes one batch."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._open = threading.Event()

    async def __aenter__(self) -> None:
        entered = threading.Event()

        def wait(_: sqlite3.Connection) -> None:
            entered.set()
            self._open.wait(30)

        self._held = asyncio.create_task(self._writer.outside(wait))
        await asyncio.to_thread(entered.wait, 30)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self._open.set()
        await self._held


def put(name: str) -> object:
    def work(unit: Unit) -> int:
        unit.connection.execute(PUT, (f"test-{name}", unit.stamp))
        unit.touch(UserId(name), CollectionId("1"))
        return unit.stamp

    return work


async def test_what_returns_is_committed(writer: Writer, path: Path, heard: Heard) -> None:
    stamp = await writer.run(put("a"))
    assert names(path) == {"test-a"}
    assert [(unit.stamp, unit.changed) for unit in heard.units] == [(stamp, {"a": {"1"}})]


async def test_one_that_fails_leaves_the_others_alone(writer: Writer, path: Path, heard: Heard) -> None:
    def fail(unit: Unit) -> None:
        unit.connection.execute(PUT, ("test-failed", 1))
        raise NoSuchItem("9")

    async with Gate(writer):
        tasks = [asyncio.create_task(writer.run(work)) for work in (put("a"), fail, put("b"), put("a"), put("c"))]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [int, NoSuchItem, int, sqlite3.IntegrityError, int]
    assert names(path) == {"test-a", "test-b", "test-c"}
    assert [list(unit.changed) for unit in heard.units] == [["a"], ["b"], ["c"]]
    assert results[0] < results[2] < results[4]


async def test_a_failure_that_ends_the_transaction_spares_the_others(writer: Writer, path: Path) -> None:
    def fail(unit: Unit) -> None:
        unit.connection.execute("ROLLBACK")  # what a full disk does to a transaction
        raise sqlite3.OperationalError("disk I/O error")

    async with Gate(writer):
        tasks = [asyncio.create_task(writer.run(work)) for work in (put("a"), fail, put("b"))]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [int, StoreUnavailable, int]
    assert names(path) == {"test-a", "test-b"}


async def test_a_full_disk(writer: Writer, path: Path) -> None:
    def limit(connection: sqlite3.Connection) -> None:
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {count + 5}")

    def fill(unit: Unit) -> None:
        unit.connection.execute("CREATE TABLE large (x BLOB)")
        unit.connection.execute("INSERT INTO large VALUES (zeroblob(1000000))")

    await writer.outside(limit)
    async with Gate(writer):
        tasks = [asyncio.create_task(writer.run(work)) for work in (put("a"), fill, put("b"))]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [int, StoreFull, int]
    assert names(path) == {"test-a", "test-b"}


async def test_a_database_that_others_hold_is_unavailable(writer: Writer, path: Path) -> None:
    await writer.outside(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await writer.run(put("a"))
    other.execute("ROLLBACK")
    other.close()
    await writer.run(put("b"))
    assert names(path) == {"test-b"}


async def test_who_went_away_is_not_served(writer: Writer, path: Path) -> None:
    async with Gate(writer):
        tasks = [asyncio.create_task(writer.run(work)) for work in (put("a"), put("b"))]
        await asyncio.sleep(0)
        tasks[0].cancel()
    assert isinstance((await asyncio.gather(*tasks, return_exceptions=True))[0], asyncio.CancelledError)
    assert names(path) == {"test-b"}


async def test_closing_finishes_what_was_asked_for(path: Path) -> None:
    writer = Writer(path, lambda _: None, lambda _: None)
    async with Gate(writer):
        tasks = [asyncio.create_task(writer.run(put(f"{n}"))) for n in range(100)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
    await closing
    assert len(set(await asyncio.gather(*tasks))) == 100
    with pytest.raises(StoreUnavailable):
        await writer.run(put("late"))
    with pytest.raises(StoreUnavailable):
        await writer.look_around()


async def test_parallel_writers(writer: Writer, path: Path) -> None:
    async def some(name: str) -> list[int]:
        return [await writer.run(put(f"{name}{n}")) for n in range(25)]

    stamps = await asyncio.gather(*(some(name) for name in "abcdefgh"))
    assert all(found == sorted(found) for found in stamps)
    assert len({stamp for found in stamps for stamp in found}) == 200
    assert len(names(path)) == 200


async def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "nowhere" / "store.db", lambda _: None, lambda _: None)
    with pytest.raises(StoreUnavailable):
        await writer.run(put("a"))
    with pytest.raises(StoreUnavailable):
        await writer.look_around()
    await writer.close()
