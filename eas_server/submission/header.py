"""The outer header of a message, found and edited byte by byte; the body after it is never looked at.

Line ends may be CRLF, LF or both in one message (quirk: Nine signs a body with CRLF below a header that ends in LF LF).
The header ends at the first empty line; without one, all is header. Every line up to there counts, however odd.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from eas_server.model.blob import Blob, Joined, MemoryBlob

MAX_HEADER: Final = 256 * 1024
"""Octets; a message whose header is longer is refused."""
_FIRST_LOOK: Final = 16 * 1024

_END: Final = re.compile(rb"\n\r?\n")
_FIELD: Final = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)", re.MULTILINE)
_FOLD: Final = re.compile(rb"\r*\n(?=[ \t])")

HIDDEN: Final = frozenset({b"bcc", b"resent-bcc"})
"""The fields that no recipient may see."""


class InvalidMessage(ValueError):
    """The octets do not begin with the header of a message (common Status 107)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A header field: `name` in lower case, `value` unfolded, and where its lines stand, line end included."""

    name: bytes
    value: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """An outer header: its octets up to and without the empty line, and the fields in them."""

    octets: bytes
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Where the empty line begins."""
        return len(self.octets)

    @property
    def eol(self) -> bytes:
        """The line end of the first line, for lines that are added."""
        at = self.octets.find(b"\n")
        return b"\n" if at > 0 and self.octets[at - 1 : at] != b"\r" else b"\r\n"

    def all(self, name: bytes) -> list[Field]:
        """The fields of that (lower case) name, in their order."""
        return [field for field in self.fields if field.name == name]

    def first(self, name: bytes) -> bytes | None:
        """The value of the first field of that name."""
        return next((field.value for field in self.fields if field.name == name), None)

    def has(self, name: bytes) -> bool:
        """Whether there is a field of that name."""
        return any(field.name == name for field in self.fields)

    def without(self, unwanted: Callable[[Field], bool]) -> "Header":
        """This header without the lines of some fields; itself where there are none of them."""
        return self._rebuilt([(field.start, field.end, b"") for field in self.fields if unwanted(field)])

    def only(self, wanted: Callable[[Field], bool]) -> "Header":
        """The lines of some fields alone."""
        lines = (self.octets[field.start : field.end] for field in self.fields if wanted(field))
        return parse_fields(b"".join(lines))

    def visible(self) -> "Header":
        """This header without what recipients must not see."""
        return self.without(lambda field: field.name in HIDDEN)

    def replaced(self, name: bytes, line: bytes) -> "Header":
        """`line` (no line end) in place of the first field of that name; further ones are left out."""
        first, *others = self.all(name)
        edits = [(first.start, first.end, line + self._eol_of(first)), *((o.start, o.end, b"") for o in others)]
        return self._rebuilt(edits)

    def _eol_of(self, field: Field) -> bytes:
        lines = self.octets[field.start : field.end]
        if not lines.endswith(b"\n"):
            return b""
        return b"\r\n" if lines.endswith(b"\r\n") else b"\n"

    def _rebuilt(self, edits: Iterable[tuple[int, int, bytes]]) -> "Header":
        pieces: list[bytes] = []
        at = 0
        for start, end, octets in sorted(edits):
            pieces += (self.octets[at:start], octets)
            at = end
        if not pieces:
            return self
        return parse_fields(b"".join((*pieces, self.octets[at:])))


def read_header(octets: bytes | memoryview) -> Header:
    """The outer header of a message. Raises InvalidMessage."""
    block = bytes(octets[:_FIRST_LOOK])
    found = _END.search(block)
    if found is None and len(octets) > _FIRST_LOOK:
        block = bytes(octets[:MAX_HEADER])
        found = _END.search(block)
    if found is None and len(octets) > MAX_HEADER:
        raise InvalidMessage(f"the header is longer than {MAX_HEADER} octets")
    header = parse_fields(block[: found.start() + 1] if found else block)
    if not header.fields or header.fields[0].start:
        raise InvalidMessage("the message does not begin with a header field")
    if b"\0" in header.octets:
        raise InvalidMessage("a NUL in the header")
    return header


def parse_fields(octets: bytes) -> Header:
    """A header of which the end is known: its octets without the empty line."""
    fields = tuple(
        Field(
            name=match[1].lower(),
            value=_FOLD.sub(b"", match[2]).strip(),
            start=match.start(),
            end=match.end(),
        )
        for match in _FIELD.finditer(octets)
    )
    return Header(octets=octets, fields=fields)


def with_header(header: Header, old: Header, message: memoryview) -> Blob:
    """`message` with `header` where it had `old`; the body is passed on by reference."""
    if header is old:
        return MemoryBlob(message)
    return Joined(MemoryBlob(header.octets), MemoryBlob(message[old.size :]))


def safe(text: str) -> str:
    """`text` without line ends and other controls, so that it stays within the header line that it is put in."""
    printable = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())
