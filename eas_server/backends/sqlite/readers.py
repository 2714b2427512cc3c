"""Reading: a few threads with a connection each."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from eas_server.backends.sqlite.migrate import connect
from eas_server.errors import StoreFull, StoreUnavailable

T = TypeVar("T")

CACHE_KIBIBYTES = 2000
"""What each reader keeps of the database itself; a half and the fourfold of it cost twice the time on long bodies.
The file is not mapped into memory: it is no faster, and all of a long body would count as the process's own."""

_Job = tuple["asyncio.Future[Any]", Callable[[sqlite3.Connection], Any]]


class Readers:
    """Runs queries off the event loop, each in a snapshot of its own. Belongs to the loop that it was made in.

    Threads of its own instead of an executor: each closes its connection itself, and a job costs one hop each way.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"store-reader-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work`, which sees one state of the database throughout. Raises StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((future, work))
        return await future

    async def close(self) -> None:
        """Finish what was asked for, and close."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            future, work = job
            if future.cancelled():
                continue
            try:
                if connection is None:
                    connection = self._connect()
                result = _in_snapshot(connection, work)
            except BaseException as error:  # noqa: BLE001  # it belongs to who waits for the result
                answer(self._loop, future, None, translated(error))
            else:
                answer(self._loop, future, result, None)
        if connection is not None:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path)
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        return connection


def _in_snapshot(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        connection.execute("ROLLBACK")


def answer(
    loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]", result: object, error: BaseException | None
) -> None:
    """Give a result to the task that waits in the loop's thread, if it still does."""
    try:
        loop.call_soon_threadsafe(settle, future, result, error)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    """Resolve a future unless its task was cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def translated(error: BaseException) -> BaseException:
    """What a failure means to the callers of a port."""
    if not isinstance(error, sqlite3.Error):
        return error
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full")
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    unavailable = StoreUnavailable(str(error))
    unavailable.__cause__ = error
    return unavailable
