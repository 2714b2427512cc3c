"""One share: what its folder holds, in terms of documents. Blocking."""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from eas_server.backends.shares.settings import ShareSettings
from eas_server.backends.shares.walk import Entry, LeadsOut, Walk
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.model.documents import Document, Listing, UncName, folded, is_name

MAX_ENTRIES: Final = 20_000
"""Lines of one folder that are read."""
MAX_LINKS_LISTED: Final = 1000
"""Symbolic links of one folder that are followed to see whether they belong into a listing."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROS: Final = int((datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000
_NOT_THERE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG))


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file, the number that the system gave it, and what was said of it when it was opened."""

    document: Document
    file: int
    status: os.stat_result


class Share:
    """A share. Methods raise NoSuchDocument, DocumentDenied and LibraryUnavailable."""

    def __init__(self, settings: ShareSettings) -> None:
        self.settings = settings
        self._hidden = tuple(map(folded, settings.hidden))

    def listing(self, name: UncName, first: int, count: int) -> Listing:
        """See DocumentLibrary."""
        with _told(), Walk(self.settings.path) as walk:
            own = self._go(walk, name)
            head = self._document(own, walk.status(), is_folder=walk.is_folder)
            if not walk.is_folder:
                return Listing(documents=[head][first : first + count], total=1)
            entries = sorted(self._entries(walk), key=lambda e: (not e.is_folder, folded(e.name), e.name))
            wanted = entries[max(0, first - 1) : max(0, first + count - 1)]
            documents = [head] if first == 0 and count > 0 else []
            documents += self._documents(walk, own, wanted)
        return Listing(documents=documents, total=len(entries) + 1)

    def open(self, name: UncName) -> OpenedFile:
        """Open a file; the caller closes it."""
        with _told(), Walk(self.settings.path) as walk:
            own = self._go(walk, name)
            file, status = walk.open()
        return OpenedFile(self._document(own, status, is_folder=False), file, status)

    def _go(self, walk: Walk, name: UncName) -> UncName:
        """Walk to `name`; gives it as it is spelled here."""
        parts: list[str] = []
        for asked in name.parts:
            part = walk.spelling(asked, MAX_ENTRIES)
            if not self._is_shown(part):
                raise FileNotFoundError(part)
            walk.go(part)
            parts.append(part)
        return UncName(host=name.host, share=self.settings.name, parts=tuple(parts))

    def _entries(self, walk: Walk) -> Iterator[Entry]:
        links = 0
        for entry in walk.entries(self._is_shown, MAX_ENTRIES):
            if not entry.is_link:
                yield entry
                continue
            links += 1
            target = self._beyond(walk, entry.name) if links <= MAX_LINKS_LISTED else None
            if target is not None:
                yield Entry(entry.name, target[1], is_link=True)

    def _documents(self, walk: Walk, folder: UncName, entries: list[Entry]) -> Iterator[Document]:
        for entry in entries:
            name = UncName(host=folder.host, share=folder.share, parts=(*folder.parts, entry.name))
            if entry.is_link:
                target = self._beyond(walk, entry.name)
                if target is not None:
                    yield self._document(name, target[0], is_folder=target[1])
                continue
            with contextlib.suppress(FileNotFoundError, PermissionError):
                yield self._document(name, walk.look(entry.name), is_folder=entry.is_folder)

    def _beyond(self, walk: Walk, link: str) -> tuple[os.stat_result, bool] | None:
        """What a link in this folder leads to, and whether that is a folder; None where it is nothing to be listed."""
        try:
            with Walk(self.settings.path) as other:
                for step in (*walk.place, link):
                    other.go(step)
                return other.status(), other.is_folder
        except (OSError, LeadsOut):
            return None

    def _is_shown(self, name: str) -> bool:
        return is_name(name) and (self.settings.show_hidden or not self._is_hidden(name))

    def _is_hidden(self, name: str) -> bool:
        return any(fnmatchcase(folded(name), pattern) for pattern in self._hidden)

    def _document(self, name: UncName, status: os.stat_result, *, is_folder: bool) -> Document:
        return Document(
            name=name,
            is_folder=is_folder,
            is_hidden=bool(name.parts) and self._is_hidden(name.parts[-1]),
            # no portable system call tells when a file was made: the earliest moment that is known of it
            created=_moment(min(status.st_mtime_ns, status.st_ctime_ns)),
            modified=_moment(status.st_mtime_ns),
            size=0 if is_folder else status.st_size,
        )


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=max(0, min(nanoseconds // 1000, _LAST_MICROS)))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the failures of the system mean to who asked."""
    try:
        yield
    except (LeadsOut, PermissionError) as error:
        raise DocumentDenied(str(error)) from error
    except OSError as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)) or error.errno in _NOT_THERE:
            raise NoSuchDocument(str(error)) from error
        raise LibraryUnavailable(str(error)) from error
