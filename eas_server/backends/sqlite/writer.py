"""Writing: one thread, one connection, and many transactions made durable by one fsync.

A transaction is a function of a `Unit`. Those that wait while the disk is busy are carried out together, each within
a savepoint, so that one that fails leaves the others alone. Where the failure takes the whole batch with it (a full
disk does), each is carried out again by itself: transactions must therefore be repeatable until they are settled.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import bindparam, select, update

from eas_server.backends.sqlite.foreign import Foreign, foreign_changes
from eas_server.backends.sqlite.migrate import connect
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import answer, settle, translated
from eas_server.backends.sqlite.schema import counters
from eas_server.errors import StoreUnavailable
from eas_server.model.ids import CollectionId, UserId

T = TypeVar("T")

MAX_BATCH = 64
"""How many transactions one fsync makes durable at most: the first of them waits for the last."""

_SEQUENCE = Sql(select(counters.c.value).where(counters.c.name == "sequence"))
_DRAWN = Sql(update(counters).where(counters.c.name == "sequence").values(value=bindparam("drawn")))
_MARK = Sql(update(counters).where(counters.c.name == bindparam("counter")).values(value=bindparam("drawn")))


@dataclass(slots=True)
class Unit:
    """One transaction: its connection, its number in the sequence, and what the loop has to know once it is durable."""

    connection: sqlite3.Connection
    stamp: int
    """Greater than any number drawn before; revisions and tokens that the transaction gives are this number."""
    changed: dict[UserId, set[CollectionId]] = field(default_factory=dict)
    """Collections whose token is now `stamp`."""
    reshaped: dict[UserId, set[CollectionId]] = field(default_factory=dict)
    """Users whose folders changed, with those folders."""
    marked: set[str] = field(default_factory=set)
    """Counters of the database that tell of this transaction."""
    effects: list[Callable[[], None]] = field(default_factory=list)
    """What to do in the loop's thread after the commit, before the result is given out."""

    def touch(self, user: UserId, collection: CollectionId) -> None:
        """Note that a collection's token is now `stamp`."""
        self.changed.setdefault(user, set()).add(collection)

    def mark(self, counter: str) -> None:
        """Note in the database that what `counter` stands for changed."""
        self.marked.add(counter)
        _MARK.run(self.connection, counter=counter, drawn=self.stamp)


@dataclass(slots=True, eq=False)
class _Job:
    future: "asyncio.Future[Any]"
    work: Callable[[Unit], Any]
    unit: Unit | None = None
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Outside:
    future: "asyncio.Future[Any]"
    work: Callable[[sqlite3.Connection], Any]


class _BatchLost(Exception):
    """The transaction of the whole batch is gone."""


class Writer:
    """Carries out transactions. Belongs to the loop that it was made in.

    `committed` and `foreign` are called in the loop's thread: with each Unit that became durable, and with what other
    processes wrote, in the order of the commits.
    """

    def __init__(self, path: Path, committed: Callable[[Unit], None], foreign: Callable[[Foreign], None]) -> None:
        self._path = path
        self._committed = committed
        self._foreign = foreign
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | _Outside | None] = SimpleQueue()
        self._closed = False
        self._known = -1
        self._version = -1
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[Unit], T]) -> T:
        """Carry out a transaction; it is durable when this returns.

        Raises what `work` raises, StoreFull, StoreUnavailable.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(future, work))
        return await future

    def post(self, work: Callable[[Unit], object]) -> None:
        """Carry out a transaction that nobody waits for; what becomes of it is not told."""
        if self._closed:
            return
        future: asyncio.Future[object] = self._loop.create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._jobs.put(_Job(future, work))

    async def outside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writer's connection between transactions."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Outside(future, work))
        return await future

    async def look_around(self) -> None:
        """Find out what other processes wrote since the last time, and tell `foreign`."""
        await self.outside(self._look_around)

    async def close(self) -> None:
        """Finish what was asked for, and close."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _look_around(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        connection.execute("BEGIN")
        try:
            self._account(connection)
        finally:
            connection.execute("ROLLBACK")

    def _account(self, connection: sqlite3.Connection) -> int:
        """The sequence as it stands; numbers that we did not draw ourselves are other processes' changes."""
        row = _SEQUENCE.one(connection)
        drawn = int(row[0]) if row else 0
        if self._known not in (-1, drawn):
            self._tell(self._foreign, foreign_changes(connection, self._known))
        self._known = drawn
        return drawn

    def _tell(self, hear: Callable[[T], None], what: T) -> None:
        try:
            self._loop.call_soon_threadsafe(hear, what)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            batch, outside, stop = self._gather()
            try:
                if connection is None:
                    connection = connect(self._path)
            except sqlite3.Error as error:
                self._settle([_failed(job, error) for job in batch])
                if outside is not None:
                    answer(self._loop, outside.future, None, translated(error))
            else:
                self._carry_out(connection, batch)
                if outside is not None:
                    self._step_outside(connection, outside)
            if stop:
                break
        if connection is not None:
            connection.close()

    def _step_outside(self, connection: sqlite3.Connection, job: _Outside) -> None:
        try:
            result = job.work(connection)
        except BaseException as error:  # noqa: BLE001  # it belongs to who waits for the result
            answer(self._loop, job.future, None, translated(error))
        else:
            answer(self._loop, job.future, result, None)

    def _gather(self) -> tuple[list[_Job], _Outside | None, bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while True:
            if job is None:
                return batch, None, True
            if isinstance(job, _Outside):
                return batch, job, False
            if not job.future.cancelled():
                batch.append(job)
            if len(batch) >= MAX_BATCH:
                return batch, None, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, None, False

    def _carry_out(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        if not batch:
            return
        try:
            self._commit(connection, batch)
        except (sqlite3.Error, _BatchLost) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if len(batch) == 1:
                cause = error.__cause__ if isinstance(error, _BatchLost) and error.__cause__ else error
                self._settle([_failed(batch[0], cause)])
                return
            for job in batch:
                self._carry_out(connection, [job])
        else:
            self._settle(batch)

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        drawn = self._account(connection)
        for job in batch:
            drawn += 1
            job.unit, job.result, job.error = Unit(connection, drawn), None, None
            connection.execute("SAVEPOINT unit")
            try:
                job.result = job.work(job.unit)
            except BaseException as error:
                if not connection.in_transaction:
                    raise _BatchLost from error
                connection.execute("ROLLBACK TO unit")
                job.error = translated(error)
            connection.execute("RELEASE unit")
        _DRAWN.run(connection, drawn=drawn)
        connection.execute("COMMIT")
        self._known = drawn

    def _settle(self, batch: list[_Job]) -> None:
        self._tell(self._settled, batch)

    def _settled(self, batch: list[_Job]) -> None:
        for job in batch:
            if job.error is None and job.unit is not None:
                self._committed(job.unit)
            settle(job.future, job.result, job.error)


def _failed(job: _Job, error: BaseException) -> _Job:
    job.result, job.error = None, translated(error)
    return job
