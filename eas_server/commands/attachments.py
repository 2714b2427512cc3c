"""Attachments: the names that clients fetch them by, and their octets out of the message, piece by piece."""

import binascii
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from eas_server.model.blob import Blob, Slice
from eas_server.model.ids import MAX_ITEM_DIGITS, CollectionId, ItemId, parse_server_id, server_id
from eas_server.model.mail import Attachment, Item
from eas_server.render.text import TransferDecoder

_ENCODED: Final = frozenset({"base64", "quoted-printable"})
_TRIPLE, _QUAD = 3, 4
"""Base64 writes three octets as four letters."""


class AttachmentPlace(NamedTuple):
    """Where an attachment is: the number counts from 0 in the index of the item."""

    collection: CollectionId
    item: ItemId
    number: int


def file_reference(collection: CollectionId, item: ItemId, number: int) -> str:
    """The FileReference of an attachment ([MS-ASAIRS] 2.2.2.24): opaque to clients, of use to its owner only."""
    return f"{server_id(collection, item)}:{number}"


def parse_file_reference(text: str) -> AttachmentPlace | None:
    """What a FileReference names; None where it cannot be one of ours. Whether it is there, and whose, is not asked."""
    owner, colon, number = text.rpartition(":")
    place = parse_server_id(owner)
    if not colon or place is None or not (number.isascii() and number.isdecimal() and len(number) <= MAX_ITEM_DIGITS):
        return None
    return AttachmentPlace(*place, int(number))


_NUMBERS: Final = 1000
"""More than the attachments that an index has: what a number is above this tells what the attachment is."""


def lasting_number(attachment: Attachment, number: int) -> int:
    """The number of an attachment in a FileReference that holds when others are added to the message or taken out.

    A draft changes while clients hold references into it: they must not come to name another attachment.
    """
    what = repr((attachment.name, attachment.size, attachment.content_type, attachment.content_id))
    return number + _NUMBERS * (1 + zlib.crc32(what.encode("utf-8", "replace")))


def find_attachment(attachments: Sequence[Attachment], number: int) -> int | None:
    """The place of an attachment that a FileReference names by `number`; None: it is not there (any more)."""
    at = number % _NUMBERS if number >= _NUMBERS else number
    places = [at, *(n for n in range(len(attachments)) if n != at)]
    found = (n for n in places if n < len(attachments) and lasting_number(attachments[n], at) == number)
    if number >= _NUMBERS:
        return next(found, None)
    return at if at < len(attachments) else None


def content_of(item: Item, attachment: Attachment) -> Blob:
    """The octets of an attachment, out of their transfer encoding."""
    offset = item.index_offset
    encoded = Slice(item.content, offset + attachment.start, offset + attachment.end)
    if attachment.encoding not in _ENCODED:
        return encoded
    return Decoded(encoded, attachment.encoding, attachment.size)


class Decoded:
    """A Blob without its transfer encoding; `size` is that of the decoded octets, as the index has it."""

    __slots__ = ("_encoded", "_encoding", "_size")

    def __init__(self, encoded: Blob, encoding: str, size: int) -> None:
        self._encoded = encoded
        self._encoding = encoding
        self._size = size

    @property
    def size(self) -> int:
        """The number of octets."""
        return self._size

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob. What lies before `start` is decoded and dropped: a line may be of any length."""
        stop = self._size if end is None else min(end, self._size)
        at = 0
        async for run in self._decoded():
            piece = run[max(0, start - at) : max(0, stop - at)]
            if piece:
                yield piece
            at += len(run)
            if at >= stop:
                return

    async def _decoded(self) -> AsyncIterator[bytes]:
        decoder = TransferDecoder(self._encoding)
        async for chunk in self._encoded.chunks():
            yield decoder.feed(chunk)
        yield decoder.finish()


class Base64:
    """A Blob as base64 letters, on one line."""

    __slots__ = ("_blob",)

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    @property
    def size(self) -> int:
        """The number of letters."""
        return -(-self._blob.size // _TRIPLE) * _QUAD

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See Blob."""
        stop = self.size if end is None else min(end, self.size)
        if start >= stop:
            return
        at = start // _QUAD * _QUAD
        async for letters in self._letters(at // _QUAD * _TRIPLE, -(-stop // _QUAD) * _TRIPLE):
            piece = letters[max(0, start - at) : stop - at]
            if piece:
                yield piece
            at += len(letters)

    async def _letters(self, first: int, last: int) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self._blob.chunks(first, min(last, self._blob.size)):
            run = rest + chunk
            whole = len(run) - len(run) % _TRIPLE
            rest = run[whole:]
            if whole:
                yield binascii.b2a_base64(run[:whole], newline=False)
        if rest:
            yield binascii.b2a_base64(rest, newline=False)
