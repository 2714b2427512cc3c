"""The document library over folders of this machine.

Every share has a few threads of its own, so that one on a server that does not answer holds up nobody but itself.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from eas_server import interfaces
from eas_server.backends.shares.file import FileBlob, OpenFile
from eas_server.backends.shares.settings import EVERYBODY, ShareSettings
from eas_server.backends.shares.share import OpenedFile, Share
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.interfaces import Accounts
from eas_server.model.directory import Account
from eas_server.model.documents import Listing, OpenDocument, UncName, folded

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS: Final = 2
"""Of one share."""
MAX_WAITING: Final = 512
"""What may wait for the threads of one share."""
MAX_OPEN: Final = 256
"""Files that are held open at once, while answers with them are on their way."""
PATIENCE_SECONDS: Final = 30.0
"""How long the system may take for one step."""


class _Desk:
    """A share with its threads."""

    def __init__(self, settings: ShareSettings) -> None:
        self.share = Share(settings)
        self.readers = frozenset(reader.lower() for reader in settings.readers)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"share-{settings.name}")
        self._waiting = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """See `file.Run`."""
        if self._closed:
            raise LibraryUnavailable("the server stops")
        if self._waiting >= MAX_WAITING:
            raise LibraryUnavailable(f"too many requests wait for the share {self.share.settings.name}")
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise LibraryUnavailable(f"the share {self.share.settings.name} does not answer") from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


class SharesLibrary:
    """See DocumentLibrary."""

    def __init__(self, shares: Sequence[ShareSettings], accounts: Accounts) -> None:
        self._accounts = accounts
        self._desks = [_Desk(settings) for settings in shares]
        self._by_name = {
            (folded(host), folded(desk.share.settings.name)): desk
            for desk in self._desks
            for host in desk.share.settings.hosts
        }
        self._places = threading.BoundedSemaphore(MAX_OPEN)

    async def listing(self, reader: Account, name: UncName, first: int, count: int) -> Listing:
        """See the port."""
        desk = await self._desk(reader, name)
        return await self._asked(desk, partial(desk.share.listing, name, first, count))

    async def open(self, reader: Account, name: UncName) -> OpenDocument:
        """See the port. LibraryUnavailable, too, while MAX_OPEN files are open."""
        desk = await self._desk(reader, name)
        opened, document = await self._asked(desk, partial(self._open, desk.share, name))
        return OpenDocument(document=document.document, content=FileBlob(opened, desk.run))

    def close(self) -> None:
        """Begin nothing any more."""
        for desk in self._desks:
            desk.close()

    async def _desk(self, reader: Account, name: UncName) -> _Desk:
        desk = self._by_name.get((folded(name.host), folded(name.share)))
        if desk is None:
            raise NoSuchDocument(str(name))
        if not await self._admits(desk, reader):
            raise DocumentDenied(str(name))
        return desk

    async def _admits(self, desk: _Desk, reader: Account) -> bool:
        own = {reader.user.lower(), *(address.lower() for address in reader.addresses)}
        if EVERYBODY in desk.readers or own & desk.readers:
            return True
        for name in sorted(desk.readers):
            members = await self._accounts.group(name) or ()
            if any(member.lower() in own for member in members):
                return True
        return False

    async def _asked(self, desk: _Desk, work: Callable[[], T]) -> T:
        try:
            return await desk.run(work)
        except LibraryUnavailable as error:
            log.warning("the share %s cannot be reached: %s", desk.share.settings.name, error)
            raise

    def _open(self, share: Share, name: UncName) -> tuple[OpenFile, OpenedFile]:
        """Open a file, and have it closed again whatever becomes of who waits for it."""
        if not self._places.acquire(blocking=False):
            raise LibraryUnavailable("too many files are open")
        try:
            opened = share.open(name)
        except BaseException:
            self._places.release()
            raise
        return OpenFile(opened.file, opened.status, self._places), opened


_library: type[interfaces.DocumentLibrary] = SharesLibrary
