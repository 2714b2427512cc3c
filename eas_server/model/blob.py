"""Octets of known size that need not be in memory."""

from collections.abc import AsyncIterator
from typing import Protocol


class Blob(Protocol):
    """Immutable octets of known size. Whoever holds a Blob may read it any number of times, also at once.

    It satisfies `protocol.elements.Octets`, so that the WBXML encoder passes it on by reference.
    Raises StoreUnavailable from `chunks` when the octets cannot be reached; never yields fewer octets than asked.
    """

    @property
    def size(self) -> int:
        """The number of octets."""
        ...

    def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The octets from `start` (inclusive) to `end` (exclusive, None: the end), in runs of moderate size."""
        ...


class MemoryBlob:
    """Octets in memory; `chunks` yields slices of at most CHUNK octets."""

    CHUNK = 256 * 1024

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        self._octets = memoryview(octets).cast("B") if not isinstance(octets, memoryview) else octets

    @property
    def size(self) -> int:
        """The number of octets."""
        return self._octets.nbytes

    @property
    def view(self) -> memoryview:
        """The octets themselves, without a copy."""
        return self._octets

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self.size if end is None else min(end, self.size)
        for at in range(start, stop, self.CHUNK):
            yield bytes(self._octets[at : min(at + self.CHUNK, stop)])


class Slice:
    """A part of another Blob."""

    __slots__ = ("_blob", "_end", "_start")

    def __init__(self, blob: Blob, start: int, end: int) -> None:
        self._blob = blob
        self._start = max(0, min(start, blob.size))
        self._end = max(self._start, min(end, blob.size))

    @property
    def size(self) -> int:
        """The number of octets."""
        return self._end - self._start

    def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self._end if end is None else min(self._start + end, self._end)
        return self._blob.chunks(min(self._start + start, stop), stop)


class Joined:
    """Several Blobs one after another."""

    __slots__ = ("_parts", "_size")

    def __init__(self, *parts: Blob) -> None:
        self._parts = parts
        self._size = sum(part.size for part in parts)

    @property
    def size(self) -> int:
        """The number of octets."""
        return self._size

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self._size if end is None else min(end, self._size)
        at = 0
        for part in self._parts:
            first, last = max(start - at, 0), min(stop - at, part.size)
            if first < last:
                async for chunk in part.chunks(first, last):
                    yield chunk
            at += part.size


async def read(blob: Blob, start: int = 0, end: int | None = None) -> bytes:
    """The octets of `blob` in one piece: for parts whose size the caller has bounded."""
    return b"".join([chunk async for chunk in blob.chunks(start, end)])
