"""Bodies: rows of at most CHUNK octets, shared by all items that hold the same message.

A blob is written before the transaction that refers to it where it is too large to be written within it; what nothing
refers to is swept after a while, which also lets a reader finish with a message that was deleted meanwhile.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import bindparam, case, delete, insert, select, update

from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import blobs, chunks
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import StoreUnavailable
from eas_server.model.blob import Blob, MemoryBlob

CHUNK = 256 * 1024
"""The size of all rows of a blob but the last."""
INLINE = 4 * CHUNK
"""Up to this size a blob is written by the transaction that needs it; a larger one in runs of this size before it, so
that other transactions come between and memory stays small."""
GRACE_MICROS = 10 * 60 * 1_000_000
"""How long a blob without references stays."""
SWEPT_AT_ONCE = 64
"""How many chunk rows one sweeping transaction removes."""

_NEW = Sql(insert(blobs), columns=("size", "refs", "orphaned"))
_WRITE = Sql(insert(chunks), columns=("blob", "position", "octets"))
_SIZE = Sql(update(blobs).where(blobs.c.key == bindparam("blob")).values(size=bindparam("octets")))
_READ = Sql(
    select(chunks.c.octets).where(chunks.c.blob == bindparam("blob"), chunks.c.position == bindparam("position"))
)
_REFER = Sql(
    update(blobs).where(blobs.c.key == bindparam("blob")).values(refs=blobs.c.refs + bindparam("more"), orphaned=None)
)
_RELEASE = Sql(
    update(blobs)
    .where(blobs.c.key == bindparam("blob"))
    .values(
        refs=blobs.c.refs - bindparam("fewer"),
        orphaned=case((blobs.c.refs <= bindparam("fewer"), bindparam("at")), else_=None),
    )
)
_ORPHANS = Sql(select(blobs.c.key).where(blobs.c.orphaned < bindparam("before")).limit(SWEPT_AT_ONCE))
_CHUNKS = Sql(select(chunks.c.key).where(chunks.c.blob == bindparam("blob")).limit(SWEPT_AT_ONCE))
_DROP_CHUNK = Sql(delete(chunks).where(chunks.c.key == bindparam("chunk")))
_DROP_BLOB = Sql(delete(blobs).where(blobs.c.key == bindparam("blob")))


class StoredBlob:
    """A stored message: the trace lines of one item, then the octets that it shares with other items."""

    __slots__ = ("_at_hand", "_prefix", "_readers", "_stored", "key")

    def __init__(
        self, readers: Readers, key: int, stored: int, prefix: bytes = b"", at_hand: bytes | None = None
    ) -> None:
        """`at_hand`: the first chunk, where it was read with the item."""
        self._at_hand = at_hand
        self._readers = readers
        self._stored = stored
        self._prefix = prefix
        self.key = key

    @property
    def size(self) -> int:
        """The number of octets."""
        return len(self._prefix) + self._stored

    def shared(self, readers: Readers) -> int | None:
        """The key of the stored octets where they are all of this blob and stand in the same store."""
        return self.key if readers is self._readers and not self._prefix else None

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        above = len(self._prefix)
        stop = self.size if end is None else min(end, self.size)
        if start < min(above, stop):
            yield self._prefix[start : min(above, stop)]
        at, last = max(start - above, 0), stop - above
        while at < last:
            position, offset = divmod(at, CHUNK)
            if position == 0 and self._at_hand is not None:
                octets = self._at_hand
            else:
                octets = await self._readers.run(partial(read_chunk, self.key, position))
            until = min(CHUNK, last - position * CHUNK)
            if len(octets) < until:
                raise StoreUnavailable(f"blob {self.key} is gone")
            yield octets if (offset, until) == (0, len(octets)) else octets[offset:until]
            at += until - offset


def read_chunk(key: int, position: int, connection: sqlite3.Connection) -> bytes:
    """A chunk; b"" where there is none."""
    row = _READ.one(connection, blob=key, position=position)
    return bytes(row[0]) if row else b""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Octets that are ready for a transaction: in memory, or stored already under `key`."""

    size: int
    octets: memoryview | None
    key: int | None


async def prepare(content: Blob, readers: Readers, writer: Writer, now: int) -> Prepared:
    """Bring `content` where a transaction can take it from. Raises StoreFull."""
    if isinstance(content, StoredBlob) and (key := content.shared(readers)) is not None:
        return Prepared(content.size, None, key)
    if isinstance(content, MemoryBlob) and content.size <= INLINE:
        return Prepared(content.size, content.view, None)
    if content.size <= INLINE:
        octets = b"".join([run async for run in content.chunks()])
        return Prepared(len(octets), memoryview(octets), None)
    return await _stage(content, writer, now)


async def _stage(content: Blob, writer: Writer, now: int) -> Prepared:
    key = await writer.run(lambda unit: _new(unit, 0, now))
    written = 0
    pending = bytearray()
    async for run in content.chunks():
        pending += run
        while len(pending) >= INLINE:
            full, pending = pending[:INLINE], pending[INLINE:]
            await writer.run(partial(_write, key=key, start=written, octets=memoryview(full)))
            written += INLINE
    await writer.run(partial(_write, key=key, start=written, octets=memoryview(pending)))
    return Prepared(written + len(pending), None, key)


def _new(unit: Unit, size: int, now: int) -> int:
    key = _NEW.run(unit.connection, size=size, refs=0, orphaned=now).lastrowid
    if key is None:
        raise StoreUnavailable("the database gave the blob no number")
    return key


def _write(unit: Unit, *, key: int, start: int, octets: memoryview) -> None:
    for at in range(0, len(octets), CHUNK):
        _WRITE.run(unit.connection, blob=key, position=(start + at) // CHUNK, octets=octets[at : at + CHUNK])
    _SIZE.run(unit.connection, blob=key, octets=start + len(octets))


def place(unit: Unit, prepared: Prepared, now: int) -> int:
    """The key of the stored octets. Nothing refers to them yet."""
    if prepared.key is not None:
        return prepared.key
    key = _new(unit, prepared.size, now)
    if prepared.octets is not None:
        _write(unit, key=key, start=0, octets=prepared.octets)
    return key


def refer(unit: Unit, key: int, more: int = 1) -> None:
    """Count references. Raises StoreUnavailable when the blob was swept meanwhile."""
    if _REFER.run(unit.connection, blob=key, more=more).rowcount == 0:
        raise StoreUnavailable(f"blob {key} is gone")


def release(unit: Unit, keys: Iterable[int], now: int) -> None:
    """Give one reference back for each of `keys`."""
    _RELEASE.many(unit.connection, ({"blob": key, "fewer": 1, "at": now} for key in keys))


def sweep(unit: Unit, now: int) -> bool:
    """Remove some of what nothing refers to; whether more may remain."""
    room = SWEPT_AT_ONCE
    for (key,) in _ORPHANS.all(unit.connection, before=now - GRACE_MICROS):
        rows = _CHUNKS.all(unit.connection, blob=key)
        _DROP_CHUNK.many(unit.connection, ({"chunk": chunk} for (chunk,) in rows))
        room -= len(rows)
        if len(rows) < SWEPT_AT_ONCE:
            _DROP_BLOB.run(unit.connection, blob=key)
        if room <= 0:
            return True
    return False
