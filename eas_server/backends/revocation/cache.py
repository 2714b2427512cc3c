"""Evidence kept in a folder, which several processes may share. Blocking.

One file for each piece: MAGIC, the SHA-256 of all that follows, the key, when it was fetched and until when it holds
(microseconds since 1970), the octets. A file appears under its name when it is whole; one that is not as it should be
is dropped. The time of change of a file is that of its last use: what was not used for longest goes first.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MAGIC: Final = b"EAS evidence 1\n"
SUFFIX: Final = ".evidence"
BLOCK: Final = 4096
"""What a file takes at least."""
PRIVATE: Final = 0o700
"""The folder is the server's alone: what is fetched tells whose certificates are looked at."""
SHRINK_TO: Final = 0.9
"""The part of the limit that is left when room is made: room is made seldom, then."""
USED_SECONDS: Final = 60.0
"""Uses within this time are not told apart."""
UNFINISHED_SECONDS: Final = 3600.0
"""After which a file that was never finished is left over from a crash."""
LOOK_EVERY: Final = 64
"""Writes after which the folder is counted anew: others write to it, too."""
MAX_FILE: Final = 1 << 28

_DIGEST: Final = hashlib.sha256().digest_size
_TIMES: Final = struct.Struct(">qq")
_HEAD: Final = len(MAGIC) + _DIGEST + _DIGEST + _TIMES.size
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """Evidence with its times."""

    octets: bytes
    fetched: datetime
    until: datetime
    """From then on it holds no more."""


class DiskCache:
    """The folder. Keys are SHA-256 digests. What the disk refuses is told in the log and otherwise not there."""

    def __init__(self, folder: Path, max_size: int) -> None:
        """Keep files of `max_size` octets altogether in `folder`, which is made when something is first kept."""
        self._folder = folder
        self._max_size = max_size
        self._size = 0
        self._until_look = 0

    def read(self, key: bytes) -> Kept | None:
        """What is kept, whether it still holds or not."""
        path = self._path(key)
        try:
            written = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("kept evidence cannot be read: %s", error)
            return None
        kept = _loads(written, key)
        if kept is None:
            log.warning("%s is damaged and is dropped", path)
            self.drop(key)
            return None
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > USED_SECONDS:
                os.utime(path)
        return kept

    def write(self, key: bytes, kept: Kept) -> None:
        """Keep evidence, in place of what was kept under this key."""
        written = _dumps(key, kept)
        if len(written) > self._max_size:
            return
        try:
            self._prepare()
            self._put(self._path(key), written)
            self._size += _taken(len(written))
            self._until_look -= 1
            if self._size > self._max_size or self._until_look <= 0:
                self._make_room()
        except OSError as error:
            log.warning("evidence cannot be kept: %s", error)

    def drop(self, key: bytes) -> None:
        """Keep it no more."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{key.hex()}{SUFFIX}"

    def _prepare(self) -> None:
        try:
            self._folder.mkdir(mode=PRIVATE)
        except FileExistsError:
            if stat.S_IMODE(self._folder.stat().st_mode) != PRIVATE:
                self._folder.chmod(PRIVATE)

    def _put(self, path: Path, written: bytes) -> None:
        unfinished = path.with_name(f".{secrets.token_hex(16)}.unfinished")
        try:
            file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(written)
            # no fsync: after a loss of power the digest finds out what is not whole, and it is fetched again
            unfinished.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise

    def _make_room(self) -> None:
        """Count what is there, and drop what was not used for longest where it is too much."""
        files = sorted(self._files())
        self._size = sum(size for _, size, _ in files)
        self._until_look = LOOK_EVERY
        if self._size <= self._max_size:
            return
        for _, size, path in files:
            if self._size <= self._max_size * SHRINK_TO:
                return
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            self._size -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Last use, size and path of each; what a crash left over is removed."""
        now = time.time()
        with os.scandir(self._folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(SUFFIX):
                        yield status.st_mtime, _taken(status.st_size), Path(entry.path)
                    elif entry.name.endswith(".unfinished") and now - status.st_mtime > UNFINISHED_SECONDS:
                        Path(entry.path).unlink()
                except FileNotFoundError:
                    continue


def _taken(size: int) -> int:
    return max(size, BLOCK)


def _read(path: Path) -> bytes:
    # O_NONBLOCK: should a pipe stand there, nobody waits for it
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(file, "rb") as opened:
        return opened.read(MAX_FILE)


def _dumps(key: bytes, kept: Kept) -> bytes:
    rest = key + _TIMES.pack(_micros(kept.fetched), _micros(kept.until)) + kept.octets
    return MAGIC + hashlib.sha256(rest).digest() + rest


def _loads(written: bytes, key: bytes) -> Kept | None:
    """None: damaged, or the evidence of another key."""
    view = memoryview(written)
    start = len(MAGIC)
    digest, rest = view[start : start + _DIGEST], view[start + _DIGEST :]
    if len(written) < _HEAD or not written.startswith(MAGIC) or hashlib.sha256(rest).digest() != digest:
        return None
    if rest[:_DIGEST] != key:
        return None
    fetched, until = _TIMES.unpack(rest[_DIGEST : _DIGEST + _TIMES.size])
    try:
        return Kept(bytes(view[_HEAD:]), _moment(fetched), _moment(until))
    except OverflowError:
        return None


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
