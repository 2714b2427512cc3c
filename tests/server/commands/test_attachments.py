"""FileReferences, and attachments out of their transfer encoding."""

import base64
import quopri
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands.attachments import AttachmentPlace, Base64, Decoded, file_reference, parse_file_reference
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import CollectionId, ItemId
from eas_server.render.text import decoded_size


class Pieces:
    """A Blob that comes in pieces of an odd size."""

    def __init__(self, octets: bytes, piece: int) -> None:
        self._octets = octets
        self._piece = piece

    @property
    def size(self) -> int:
        """See Blob."""
        return len(self._octets)

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self.size if end is None else min(end, self.size)
        for at in range(start, stop, self._piece):
            yield self._octets[at : min(at + self._piece, stop)]


def test_a_reference_comes_back() -> None:
    place = AttachmentPlace(CollectionId("12"), ItemId(345), 6)
    assert parse_file_reference(file_reference(*place)) == place


@pytest.mark.parametrize(
    "text",
    ["", "0", "1:2", "1:2:", "1:2:x", "1:2:-1", "1:x:2", ":2:3", "1:2:3:", "1:2:²", "1:2:" + "9" * 19, "1:" * 999],
)
def test_what_is_no_reference(text: str) -> None:
    assert parse_file_reference(text) is None


@given(st.text())
def test_any_text_is_a_reference_or_not(text: str) -> None:
    parse_file_reference(text)


spans = st.tuples(st.integers(0, 300), st.none() | st.integers(0, 300))


@given(octets=st.binary(max_size=200), piece=st.integers(1, 70), span=spans)
async def test_base64_letters_of_any_span(octets: bytes, piece: int, span: tuple[int, int | None]) -> None:
    blob = Base64(Pieces(octets, piece))
    expected = base64.b64encode(octets)
    assert blob.size == len(expected)
    assert await read(blob) == expected
    assert await read(blob, *span) == expected[slice(*span)]


@given(
    octets=st.binary(max_size=200),
    piece=st.integers(1, 70),
    span=spans,
    encoding=st.sampled_from(["base64", "quoted-printable"]),
)
async def test_decoded_octets_of_any_span(
    octets: bytes, piece: int, span: tuple[int, int | None], encoding: str
) -> None:
    encoded = base64.encodebytes(octets) if encoding == "base64" else quopri.encodestring(octets)
    blob = Decoded(Pieces(encoded, piece), encoding, decoded_size(encoded, 0, len(encoded), encoding))
    whole = await read(blob)
    assert len(whole) == blob.size
    assert whole == octets or encoding != "base64"
    assert await read(blob, *span) == whole[slice(*span)]


@given(
    encoded=st.binary(max_size=200), piece=st.integers(1, 70), encoding=st.sampled_from(["base64", "quoted-printable"])
)
async def test_what_breaks_the_encoding_still_has_the_announced_size(encoded: bytes, piece: int, encoding: str) -> None:
    size = decoded_size(encoded, 0, len(encoded), encoding)
    assert len(await read(Decoded(Pieces(encoded, piece), encoding, size))) == size


async def test_a_large_attachment_comes_in_small_pieces() -> None:
    encoded = base64.encodebytes(bytes(3_000_000))
    blob = Base64(Decoded(MemoryBlob(encoded), "base64", 3_000_000))
    sizes = [len(chunk) async for chunk in blob.chunks()]
    assert sum(sizes) == blob.size == 4_000_000
    assert max(sizes) < 400_000
