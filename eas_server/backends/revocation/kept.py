"""What is kept: the latest in memory, all of it on the disk, which may be slow without holding up anybody."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from eas_server.backends.revocation.cache import DiskCache, Kept

log = logging.getLogger(__name__)

T = TypeVar("T")

MEMORY: Final = 32 * 1024 * 1024
"""Octets that are kept in memory."""
OVERHEAD: Final = 1024
"""What a piece takes beside its octets."""
THREADS: Final = 2
DISK_SECONDS: Final = 5.0
"""How long the disk may take; after that the cache counts as empty."""
ABSENT_SECONDS: Final = 30.0
"""How long a glance believes that something is not on the disk: another process may have put it there."""
MAX_ABSENT: Final = 10_000
MAX_WAITING: Final = 256
"""What may wait for the disk."""


class KeptEvidence:
    """Evidence by key."""

    def __init__(self, folder: Path, max_size: int) -> None:
        """See DiskCache."""
        self._disk = DiskCache(folder, max_size)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="evidence-disk")
        self._waiting = 0
        self._memory: OrderedDict[bytes, Kept] = OrderedDict()
        self._size = 0
        self._absent: OrderedDict[bytes, float] = OrderedDict()

    def recent(self, key: bytes) -> Kept | None:
        """What is kept in memory."""
        kept = self._memory.get(key)
        if kept is not None:
            self._memory.move_to_end(key)
        return kept

    async def find(self, key: bytes) -> Kept | None:
        """What is kept on the disk, where other processes may have put something newer."""
        kept = await self._run(partial(self._disk.read, key), None)
        if kept is None:
            return self.recent(key)
        self._remember(key, kept)
        return kept

    async def glance(self, key: bytes) -> Kept | None:
        """The same for who asks often: what was not there a moment ago is not looked for."""
        now = asyncio.get_running_loop().time()
        if now < self._absent.get(key, now):
            return None
        kept = await self.find(key)
        if kept is None:
            self._absent[key] = now + ABSENT_SECONDS
            if len(self._absent) > MAX_ABSENT:
                self._absent.popitem(last=False)
        return kept

    async def keep(self, key: bytes, kept: Kept) -> None:
        """Keep it."""
        self._remember(key, kept)
        await self._run(partial(self._disk.write, key, kept), None)

    def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _remember(self, key: bytes, kept: Kept) -> None:
        self._absent.pop(key, None)
        old = self._memory.pop(key, None)
        self._size -= 0 if old is None else _size(old)
        self._memory[key] = kept
        self._size += _size(kept)
        while self._size > MEMORY:
            _, oldest = self._memory.popitem(last=False)
            self._size -= _size(oldest)

    async def _run(self, work: Callable[[], T], otherwise: T) -> T:
        if self._waiting >= MAX_WAITING:
            log.warning("too much waits for the disk that keeps evidence")
            return otherwise
        self._waiting += 1
        try:
            async with asyncio.timeout(DISK_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            log.warning("the disk that keeps evidence does not answer")
            return otherwise
        finally:
            self._waiting -= 1


def _size(kept: Kept) -> int:
    return len(kept.octets) + OVERHEAD
