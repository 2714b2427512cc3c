"""The audit trail in files: lines of JSON, in a folder beside the store.

`audit.jsonl` grows up to a size, and is then put aside as `audit.jsonl.1`, which becomes `.2`, and so on. One thread
writes; what waits for it is bounded. Mail goes on while nothing can be written: what is lost is counted and told.
"""

import asyncio
import fcntl
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from eas_server import interfaces
from eas_server.audit import Wanted, event_of, line_of
from eas_server.model.audit import AuditEvent, AuditKind

FOLDER: Final = "audit"
"""Beside the store."""
FILE: Final = "audit.jsonl"
_LOCK: Final = "lock"
_PRIVATE: Final = 0o600
_BATCH: Final = 500
"""Events that are written in one go."""
_RETRY_SECONDS: Final = 1.0
"""How long nothing is tried after a failure: what comes meanwhile waits."""
_CLOSE_SECONDS: Final = 5.0
_MAX_LINE: Final = 4 * 1024 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`[audit]`: where the trail is kept, and how much of it."""

    enabled: bool = True
    log: bool = True
    """Each event is a line of the log, too."""
    max_file: int = 16 * 1024 * 1024
    """Octets of a file; a larger one is put aside."""
    files: int = 20
    """Files that are kept beside the one that is written; older ones are removed."""
    max_waiting: int = 10_000
    """Events that wait to be written; more are lost, and counted."""


class AuditFile:
    """See the port. Begins a thread; `close` ends it."""

    def __init__(self, folder: Path, settings: AuditSettings) -> None:
        self._trail = _Trail(folder, settings)
        self._waiting: queue.Queue[AuditEvent | Callable[[], None]] = queue.Queue(max(1, settings.max_waiting))
        self._lost = _Counter()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, event: AuditEvent) -> None:
        """See the port."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lost.add(1)

    async def settled(self) -> None:
        """See the port."""
        done, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        while True:
            try:
                self._waiting.put_nowait(tell)
                break
            except queue.Full:
                await asyncio.sleep(0.01)
        await done.wait()

    def close(self) -> None:
        """Write what waits, and end; gives up after some seconds."""
        self._closing.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(lambda: None)
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            log.error("the audit trail could not be ended in time: %d events are lost", self._waiting.qsize())

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            events, told = self._batch()
            if events and not self._write(events):
                self._closing.wait(_RETRY_SECONDS)
            for tell in told:
                tell()

    def _batch(self) -> tuple[list[AuditEvent], list[Callable[[], None]]]:
        """What waits, up to a marker of somebody who waits for it."""
        events: list[AuditEvent] = []
        told: list[Callable[[], None]] = []
        found = self._waiting.get()
        while True:
            if isinstance(found, AuditEvent):
                events.append(found)
            else:
                told.append(found)
            if told or len(events) >= _BATCH:
                return events, told
            try:
                found = self._waiting.get_nowait()
            except queue.Empty:
                return events, told

    def _write(self, events: Sequence[AuditEvent]) -> bool:
        lost = self._lost.take()
        told = [_lost(lost, events[0].when)] if lost else []
        try:
            self._trail.append(b"".join(map(line_of, (*told, *events))))
        except Exception as error:  # noqa: BLE001 — whatever it was, the next events may be kept again
            self._lost.add(lost + len(events))
            self._trail.complain(error)
            return False
        return True


class _Counter:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, number: int) -> None:
        with self._lock:
            self._count += number

    def take(self) -> int:
        with self._lock:
            count, self._count = self._count, 0
            return count


def _lost(number: int, when: datetime) -> AuditEvent:
    return AuditEvent(when=when, kind=AuditKind.LOST, details={"events": number})


class _Trail:
    """The files. Several processes may append to them."""

    def __init__(self, folder: Path, settings: AuditSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._complained = False

    def append(self, lines: bytes) -> None:
        """Append whole lines, durably, or nothing. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with _locked(self._folder):
            path = self._folder / FILE
            self._rotate(path, len(lines))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
            try:
                _append(descriptor, lines)
            finally:
                os.close(descriptor)
        self._complained = False

    def _rotate(self, path: Path, more: int) -> None:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return
        if not size or size + more <= self._settings.max_file:
            return
        for number in range(self._settings.files, 0, -1):
            older = _numbered(path, number - 1)
            if older.exists():
                os.replace(older, _numbered(path, number))
        if not self._settings.files:
            path.unlink()
        for number in _numbers(path):
            if number > self._settings.files:
                _numbered(path, number).unlink()

    def complain(self, error: Exception) -> None:
        """Say so in the log, once until it goes on."""
        if not self._complained:
            self._complained = True
            log.error("the audit trail cannot be written, mail goes on without it: %s", error)


def _append(descriptor: int, lines: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines  # a crash tore a line: it must not spoil the next one
    try:
        view = memoryview(lines)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)  # no half lines, and no lines that are told to be lost
        raise


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _numbers(path: Path) -> list[int]:
    found = (each.name.removeprefix(f"{path.name}.") for each in path.parent.glob(f"{path.name}.*"))
    return sorted(int(number) for number in found if number.isascii() and number.isdigit())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_trail(folder: Path, wanted: Wanted, torn: Callable[[], None]) -> Iterator[AuditEvent]:
    """The events that are kept, oldest file first; `torn` is called for each line that is none. Raises OSError."""
    path = folder / FILE
    for number in (*reversed(_numbers(path)), 0):
        try:
            file = _numbered(path, number).open("rb")
        except FileNotFoundError:
            continue
        with file:
            yield from _events(_lines(file), wanted, torn)


def follow_trail(folder: Path, wanted: Wanted, pause: Callable[[], None]) -> Iterator[AuditEvent]:
    """The events that come from now on, for ever; `pause` is called where there are none. Raises OSError."""
    path = folder / FILE
    file = _opened(path)
    if file is not None:
        file.seek(0, os.SEEK_END)
    held = b""
    try:
        while True:
            begins_anew = _is_another(path, file)
            if file is not None:  # what was put aside may have lines that were not seen yet
                held += file.read()
            end = held.rfind(b"\n") + 1
            whole, held = held[:end], held[end:]
            yield from _events(iter(whole.splitlines(keepends=True)), wanted, _nothing)
            if begins_anew:
                if file is not None:
                    file.close()
                file, held = _opened(path), b""
            elif not whole:
                pause()
    finally:
        if file is not None:
            file.close()


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None


def _is_another(path: Path, file: BinaryIO | None) -> bool:
    """Whether another file than the one that is read has the name now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return file is None or not os.path.samestat(found, os.fstat(file.fileno()))


def _nothing() -> None:
    pass


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE):
        yield line


def _events(lines: Iterator[bytes], wanted: Wanted, torn: Callable[[], None]) -> Iterator[AuditEvent]:
    for line in lines:
        try:
            event = event_of(line)
        except (ValueError, RecursionError):
            if line.strip():
                torn()
            continue
        if wanted.has(event):
            yield event


_: type[interfaces.Audit] = AuditFile
