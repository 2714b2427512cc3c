"""A file of a share as a Blob."""

import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from eas_server.errors import LibraryUnavailable, StoreUnavailable

T = TypeVar("T")

CHUNK: Final = 256 * 1024
"""Octets read at once."""


class Run(Protocol):
    """Runs blocking work where it blocks nobody. Raises LibraryUnavailable."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns."""
        ...


class OpenFile:
    """A file that is held open: it can be read to its end when its name is gone. It is closed with its last user."""

    def __init__(self, file: int, status: os.stat_result, places: threading.BoundedSemaphore) -> None:
        """Takes over `file`, and one of the `places` for open files, which it gives back."""
        self._file = file
        self._as_it_was = _state(status)
        self.size = status.st_size
        """The number of octets."""
        weakref.finalize(self, _close, file, places)

    def read(self, start: int, count: int) -> bytes:
        """So many octets from `start` on. Raises StoreUnavailable when the file has been changed."""
        pieces = []
        try:
            while count:
                piece = os.pread(self._file, count, start)
                if not piece:
                    raise StoreUnavailable("the file has become shorter")
                pieces.append(piece)
                start += len(piece)
                count -= len(piece)
            if _state(os.fstat(self._file)) != self._as_it_was:
                raise StoreUnavailable("the file was changed while it was read")
        except OSError as error:
            raise StoreUnavailable(f"the file cannot be read: {error}") from error
        return b"".join(pieces) if len(pieces) != 1 else pieces[0]


class FileBlob:
    """The octets of a file as they were when it was opened."""

    __slots__ = ("_file", "_run")

    def __init__(self, file: OpenFile, run: Run) -> None:
        self._file = file
        self._run = run

    @property
    def size(self) -> int:
        """The number of octets."""
        return self._file.size

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self.size if end is None else min(end, self.size)
        for at in range(start, stop, CHUNK):
            try:
                octets = await self._run(partial(self._file.read, at, min(CHUNK, stop - at)))
            except LibraryUnavailable as error:
                raise StoreUnavailable(str(error)) from error
            yield octets


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _close(file: int, places: threading.BoundedSemaphore) -> None:
    os.close(file)
    places.release()
