"""The way to a file, from the root of a share down, that nothing in the share can lead astray.

Each folder is opened from the one before it, never by a path, and never through a symbolic link: links are read and
walked step by step, and one that leaves the share ends the walk. So it makes no difference what is exchanged for what
meanwhile. Nothing but folders and plain files is ever opened: a FIFO or a device would block, or do something.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final

from eas_server.errors import LibraryUnavailable
from eas_server.model.documents import folded

MAX_LINKS: Final = 40
"""Symbolic links in one walk, as Linux has it."""
MAX_FOLDERS: Final = 200
"""Folders held open by one walk."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class LeadsOut(Exception):
    """A symbolic link points out of the share."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a folder, as far as it is known without looking at the file."""

    name: str
    is_folder: bool
    is_link: bool


class Walk:
    """A walk that has come to a folder or a file. Blocking; raises OSError and LeadsOut. Close it: it holds folders."""

    def __init__(self, root: Path) -> None:
        """Begin at `root`. Raises LibraryUnavailable where that is no folder."""
        self._roots = (os.path.realpath(root), os.path.abspath(root))
        try:
            self._folders = [("", os.open(self._roots[0], _FOLDER))]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise LibraryUnavailable(f"{root} is no folder") from error
        self._file: tuple[str, os.stat_result] | None = None
        self._links = 0

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._back_to(0)

    @property
    def is_folder(self) -> bool:
        """Whether the walk has come to a folder."""
        return self._file is None

    @property
    def place(self) -> tuple[str, ...]:
        """The folders that the walk is in, below the root, by their own names: no links."""
        return tuple(name for name, _ in self._folders[1:])

    def status(self) -> os.stat_result:
        """What the system says of the place reached."""
        return os.fstat(self._here) if self._file is None else self._file[1]

    def go(self, name: str) -> None:
        """One step down, by the exact name; links are followed to their end."""
        pending = [name]
        while pending:
            name = pending.pop()
            if self._file is not None:
                raise NotADirectoryError(name)
            if name in ("", "."):
                continue
            if name == "..":
                self._up()
                continue
            found = os.stat(name, dir_fd=self._here, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                pending += reversed(self._target(name))
            elif stat.S_ISDIR(found.st_mode):
                self._enter(name)
            elif stat.S_ISREG(found.st_mode):
                self._file = (name, found)
            else:
                raise FileNotFoundError(name)

    def spelling(self, name: str, most: int) -> str:
        """The name as it stands in this folder: as it is, or the only one of the first `most` that differs by case."""
        if self._file is not None:
            raise NotADirectoryError(name)
        try:
            os.stat(name, dir_fd=self._here, follow_symlinks=False)
        except FileNotFoundError:
            wanted = folded(name)
            found = [entry.name for entry in self.entries(lambda other: folded(other) == wanted, most)]
            if len(found) != 1:
                raise
            return found[0]
        return name

    def entries(self, keep: Callable[[str], bool], most: int) -> Iterator[Entry]:
        """Of the first `most` lines of this folder those that are folders, plain files, or links to anything."""
        with os.scandir(self._here) as lines:
            for line in islice(lines, most):
                if not keep(line.name):
                    continue
                is_folder, is_link = line.is_dir(follow_symlinks=False), line.is_symlink()
                if is_folder or is_link or line.is_file(follow_symlinks=False):
                    yield Entry(line.name, is_folder, is_link)

    def look(self, name: str) -> os.stat_result:
        """What the system says of something in this folder that is no link."""
        return os.stat(name, dir_fd=self._here, follow_symlinks=False)

    def open(self) -> tuple[int, os.stat_result]:
        """The plain file that the walk has come to, opened. The caller closes it."""
        if self._file is None:
            raise IsADirectoryError
        file = os.open(self._file[0], _FILE, dir_fd=self._here)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):  # exchanged in this very moment
                raise FileNotFoundError(self._file[0])
        except BaseException:
            os.close(file)
            raise
        return file, found

    @property
    def _here(self) -> int:
        return self._folders[-1][1]

    def _enter(self, name: str) -> None:
        if len(self._folders) >= MAX_FOLDERS:
            raise FileNotFoundError(name)
        self._folders.append((name, os.open(name, _FOLDER, dir_fd=self._here)))

    def _up(self) -> None:
        if len(self._folders) == 1:
            raise LeadsOut
        self._back_to(len(self._folders) - 1)

    def _back_to(self, kept: int) -> None:
        while len(self._folders) > kept:
            os.close(self._folders.pop()[1])

    def _target(self, name: str) -> Sequence[str]:
        """The steps that a link asks for; an absolute one that names the share begins at its root."""
        self._links += 1
        if self._links > MAX_LINKS:
            raise FileNotFoundError(name)
        target = os.readlink(name, dir_fd=self._here)
        if not target.startswith("/"):
            return target.split("/")
        for root in self._roots:
            if target == root or target.startswith(f"{root}/"):
                self._back_to(1)
                return target[len(root) :].split("/")
        raise LeadsOut
