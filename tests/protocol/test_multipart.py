"""The multipart answer of ItemOperations, [MS-ASCMD] 2.2.1.10.1.1."""

import struct

import pytest

from protocol.elements import Octets, size_of
from protocol.errors import MalformedRequest
from protocol.multipart import Multipart, parse


class Elsewhere:
    """Octets that are not in memory."""

    size = 20 * 2**20


class Row(list[bytes]):
    """What the encoder gives: segments that know their size together."""

    @property
    def size(self) -> int:
        return sum(map(len, self))


@pytest.mark.requirement("MS-ASCMD_R5509", "MS-ASCMD_R5512", "MS-ASCMD_R5513", "MS-ASCMD_R5517", "MS-ASCMD_R5518")
def test_the_octets_of_a_body():
    body = b"".join(Multipart([b"wbxml", b"", b"part"]))
    assert body == struct.pack("<7I", 3, 28, 5, 33, 0, 33, 4) + b"wbxmlpart"
    assert [bytes(part) for part in parse(body)] == [b"wbxml", b"", b"part"]


@pytest.mark.requirement("MS-ASCMD_R236")
def test_big_parts_are_passed_on_untouched():
    blob, view = Elsewhere(), memoryview(b"view")
    assert isinstance(blob, Octets)
    body = Multipart([Row([b"a", b"", b"bc"]), blob, view])
    segments = list(body)
    assert segments[3] is blob
    assert segments[4] is view
    assert body.size == sum(map(size_of, segments)) == 4 + 3 * 8 + 3 + blob.size + 4
    assert struct.unpack("<7I", bytes(segments[0])) == (3, 28, 3, 31, blob.size, 31 + blob.size, 4)


def test_the_parts_are_views():
    body = bytearray(b"".join(Multipart([b"abc"])))
    (part,) = parse(body)
    body[-1] = ord("d")
    assert bytes(part) == b"abd"


def test_what_cannot_be_a_body():
    class Huge:
        size = 2**32

    with pytest.raises(ValueError, match="at least"):
        Multipart([])
    with pytest.raises(ValueError, match="octets"):
        Multipart([Huge()])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\1\0\0",
        struct.pack("<I", 0),
        struct.pack("<I", 1),
        struct.pack("<I", 2**32 - 1) + bytes(100),
        struct.pack("<3I", 1, 12, 1),
        struct.pack("<3I", 1, 13, 0),
        struct.pack("<3I", 1, 2**32 - 1, 2**32 - 1),
        struct.pack("<3I", 1, 0, 12),
        struct.pack("<3I", 1, 4, 4) + b"abcd",
        struct.pack("<5I", 2, 20, 4, 20, 4) + b"abcd",
        struct.pack("<I", 10_001) + bytes(8 * 10_001),
    ],
)
def test_malformed(body):
    with pytest.raises(MalformedRequest, match="multipart"):
        parse(body)
