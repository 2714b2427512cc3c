"""The multipart answer of ItemOperations, [MS-ASCMD] 2.2.1.10.1.1 (MultiPartResponse).

The octets are a count of parts, then offset and length of each, then the parts; all numbers are little-endian and four
octets wide. The first part is the WBXML document, whose Part elements are indices into the others.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from protocol.elements import Buffer, Octets, size_of
from protocol.errors import MalformedRequest

Segment: TypeAlias = Buffer | Octets
"""Octets in memory, or of known size elsewhere."""

Part: TypeAlias = Segment | Iterable[Segment]
"""One part: a segment, or several in a row (what the WBXML encoder gives)."""

PARTS_LIMIT = 10_000
"""The most parts that `parse` reads."""

_NUMBER = struct.Struct("<I")
_PART = struct.Struct("<II")
_SIZE_LIMIT = 2**32 - 1


class Multipart:
    """A multipart body: its size is known and its parts are not copied.

    Raises ValueError for no part at all, and for more octets than the numbers of the format can say.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise ValueError("a multipart body has at least the part of the document")
        rows = [_segments(part) for part in parts]
        sizes = [sum(map(size_of, row)) for row in rows]
        offset = _NUMBER.size + _PART.size * len(rows)
        self.size = offset + sum(sizes)
        """The number of octets of the whole body: its Content-Length."""
        if self.size > _SIZE_LIMIT:
            raise ValueError(f"a multipart body of {self.size} octets")
        header = bytearray(_NUMBER.pack(len(rows)))
        for size in sizes:
            header += _PART.pack(offset, size)
            offset += size
        self._segments = [bytes(header), *(segment for row in rows for segment in row if size_of(segment))]

    def __iter__(self) -> Iterator[Segment]:
        """The segments of the body in order, none of them empty."""
        return iter(self._segments)


def _segments(part: Part) -> list[Segment]:
    if isinstance(part, (bytes, bytearray, memoryview)):
        return [part]
    # what iterates is a row of segments, even where it knows its size as well
    return list(part) if isinstance(part, Iterable) else [part]


def parse(body: Buffer) -> list[memoryview]:
    """The parts of a multipart body, as views of it. Raises MalformedRequest.

    Counts, offsets and lengths are held against the body; the lengths together may not exceed it.
    """
    view = memoryview(body).cast("B")
    if len(view) < _NUMBER.size:
        raise _malformed("ends within the count of parts")
    (count,) = _NUMBER.unpack_from(view)
    first = _NUMBER.size + _PART.size * count
    if count == 0 or count > PARTS_LIMIT or first > len(view):
        raise _malformed(f"{count} parts in {len(view)} octets")
    total = 0
    parts = []
    for offset, length in _PART.iter_unpack(view[_NUMBER.size : first]):
        total += length
        if offset < first or offset + length > len(view) or total > len(view) - first:
            raise _malformed(f"a part of {length} octets at {offset} in {len(view)} octets")
        parts.append(view[offset : offset + length])
    return parts


def _malformed(reason: str) -> MalformedRequest:
    return MalformedRequest("", f"multipart: {reason}")
