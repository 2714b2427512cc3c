"""The parts of a message by offset ([RFC 2046]), found in one pass over the octets and without a copy of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from eas_server.render import headers
from eas_server.render.headers import Fields, Octets

MAX_DEPTH: Final = 32
"""Multiparts within multiparts that are looked into."""
MAX_PARTS: Final = 1000
MAX_DELIMITERS: Final = 20_000
"""Lines that begin like a delimiter and are compared with the boundaries."""

_DELIMITER: Final = re.compile(rb"\n--([^\r\n]{1,100})")

TEXT_PLAIN: Final = "text/plain"
EMBEDDED: Final = "message/rfc822"
CR: Final = 0x0D
LF: Final = 0x0A
_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,120}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,120}\Z")
_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})


@dataclass(slots=True)
class Part:
    """A part: `start` to `end` is its body, `header` where its header begins. Offsets into the message."""

    header: int
    start: int
    end: int
    fields: Fields
    type: str
    params: dict[str, str]
    children: "list[Part]" = field(default_factory=list)

    @property
    def multipart(self) -> bool:
        """Whether it is made of parts; one without usable boundary is not."""
        return bool(self.children)

    @property
    def encoding(self) -> str:
        """The content-transfer-encoding, `7bit` where it is missing or unknown."""
        value = headers.first(self.fields, "content-transfer-encoding")
        if not value:
            return "7bit"
        name = headers.parameters(value)[0]
        return name if name in _ENCODINGS else "7bit"

    def walk(self) -> "Iterator[Part]":
        """This part and all below it, in document order."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


@dataclass(slots=True)
class Structure:
    """A message's parts; `broken` says why it cannot be read as MIME, "" where it can."""

    root: Part
    broken: str = ""


class _Delimiter(NamedTuple):
    """A line that begins like a delimiter: `edge` is where the part before it ends, `after` where the next begins."""

    edge: int
    line: bytes
    after: int


@dataclass(slots=True)
class _Open:
    """A multipart whose closing delimiter has not come yet."""

    part: Part
    boundary: bytes


def _part(octets: Octets, at: int, end: int, default: str) -> Part:
    fields, start = headers.header_block(octets, at, end)
    value = headers.first(fields, "content-type")
    type_, params = headers.parameters(value) if value else (default, {})
    return Part(at, start, end, fields, type_ if _TYPE.match(type_) else default, params)


def _boundary(part: Part) -> bytes:
    if not part.type.startswith("multipart/"):
        return b""
    return part.params.get("boundary", "").rstrip().encode("utf-8", "replace")


def scan(octets: Octets) -> Structure:
    """Find the parts. Never fails: what cannot be understood stays a leaf."""
    root = _part(octets, 0, len(octets), TEXT_PLAIN)
    boundary = _boundary(root)
    if boundary:
        _Scanner(octets, root, boundary).run()
    if not root.fields:
        return Structure(root, "no header")
    if root.type.startswith("multipart/") and not root.children:
        return Structure(root, "a multipart without parts")
    return Structure(root)


class _Scanner:
    """Matches delimiter lines with the multiparts that are open, innermost first.

    A delimiter of an outer multipart ends the inner ones that were never closed; what is still open at the end of
    the message ends there.
    """

    def __init__(self, octets: Octets, root: Part, boundary: bytes) -> None:
        self.octets = octets
        self.open = [_Open(root, boundary)]
        self.left = MAX_PARTS
        self.delimiters = self._delimiters(root.start)

    def run(self) -> None:
        """Fill in the children of the root."""
        for number, delimiter in enumerate(self.delimiters):
            level = self._level(delimiter.line)
            if level is None:
                continue
            del self.open[level + 1 :]
            if delimiter.line != self.open[level].boundary:
                del self.open[level]
            elif self.left:
                self._begin(level, delimiter.after, number)
            if not self.open or not self.left:
                break

    def _delimiters(self, start: int) -> list[_Delimiter]:
        """All candidates from `start` on."""
        found: list[_Delimiter] = []
        # The search begins one octet early: a delimiter right after the header has its line end there.
        for match in _DELIMITER.finditer(self.octets, max(start - 1, 0)):
            after = match.end()
            found.append(_Delimiter(self._edge(match.start()), match[1].rstrip(b" \t"), self._next_line(after)))
            if len(found) == MAX_DELIMITERS:
                break
        return found

    def _edge(self, line_end: int) -> int:
        """The line end before a delimiter belongs to the delimiter."""
        return line_end - 1 if line_end > 0 and self.octets[line_end - 1] == CR else line_end

    def _next_line(self, at: int) -> int:
        if at < len(self.octets) and self.octets[at] == CR:
            at += 1
        return at + 1 if at < len(self.octets) and self.octets[at] == LF else at

    def _level(self, line: bytes) -> int | None:
        """The innermost open multipart that `line` is a delimiter of."""
        for level in range(len(self.open) - 1, -1, -1):
            boundary = self.open[level].boundary
            if line.startswith(boundary) and line[len(boundary) :] in {b"", b"--"}:
                return level
        return None

    def _begin(self, level: int, at: int, number: int) -> None:
        parent = self.open[level]
        default = EMBEDDED if parent.part.type == "multipart/digest" else TEXT_PLAIN
        part = _part(self.octets, at, max(at, self._next_edge(number + 1)), default)
        parent.part.children.append(part)
        self.left -= 1
        boundary = _boundary(part)
        if boundary and len(self.open) < MAX_DEPTH:
            self.open.append(_Open(part, boundary))

    def _next_edge(self, number: int) -> int:
        """Where the next delimiter of any open multipart ends what comes before it."""
        for n in range(number, len(self.delimiters)):
            if self._level(self.delimiters[n].line) is not None:
                return self.delimiters[n].edge
        return len(self.octets)
