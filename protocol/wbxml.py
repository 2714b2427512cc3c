"""WBXML, [MS-ASWBXML] 2.1: bytes to tree and back, both without recursion.

    decode(octets) -> Element        encode(element) -> Segments

What the reader accepts goes beyond what the protocol uses ([MS-ASWBXML] R656): WBXML 1.1 to 1.3, string tables,
entities, and text in several runs are read too. Processing instructions, attributes, literals and extensions have no
meaning in the protocol and are refused. A tag that is on no known page, or not on its page, is skipped with all its
content, so that a newer client is understood as far as it can be (quirk UNKNOWN_PAGE_SKIPPED); only an unknown root is
an error.

Whatever the octets are, the reader either gives a tree or raises `MalformedRequest`, in time and memory that grow with
the size of the input and not with what the input claims about itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from protocol import quirks
from protocol.codepages import CONTENT, FIRST_TOKEN, TAG_OF_BYTE
from protocol.elements import Buffer, Content, Element, Inline, Octets, Opaque, Tag, size_of
from protocol.errors import LimitExceeded, MalformedWbxml, MalformedXml

SWITCH_PAGE, END, ENTITY, STR_I, STR_T, OPAQUE = 0x00, 0x01, 0x02, 0x03, 0x83, 0xC3
"""The global tokens that the reader tells apart, [MS-ASWBXML] 1.6."""

HEADER = b"\x03\x01\x6a\x00"
"""WBXML 1.3, unknown public identifier, UTF-8, no string table: how every document of ours begins."""

_ATTRIBUTES = 0x80
_TOKEN_BITS = 0x3F
_VERSIONS = frozenset((0x01, 0x02, 0x03))
_CHARSETS = frozenset((0x00, 0x03, 0x6A))
"""MIBenum numbers: 0 is unknown, 3 US-ASCII, 106 UTF-8. All are read as UTF-8."""
_MULTI_BYTE_OCTETS = 5
_MULTI_BYTE_MAX = 0xFFFFFFFF
_MULTI_BYTE_MORE = 0x80
_MULTI_BYTE_BITS = 0x7F
_SURROGATES = range(0xD800, 0xE000)
_UNICODE_MAX = 0x10FFFF
_IN_PLACE_FROM = 16_384
"""Octets: buffers from this size on are passed on as they are, smaller ones are merged with their neighbours."""

_Piece: TypeAlias = str | memoryview
_Tags: TypeAlias = tuple[Tag | None, ...]
_NUL = b"\0"
_ANY_NUL = re.compile(_NUL)
_TEXT_TOKENS = frozenset((STR_I, STR_T, ENTITY, OPAQUE))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the reader takes before it raises LimitExceeded. The size of the document is the caller's to limit."""

    max_depth: int = 64
    """Elements open at the same time (an element that holds one run of text only does not count as open)."""
    max_elements: int = 200_000
    """Elements and further runs of text, skipped ones included."""
    max_table_text: int = 1_048_576
    """Octets that references to the string table may add up to."""


_DEFAULT_LIMITS = Limits()


def decode(octets: Buffer, limits: Limits = _DEFAULT_LIMITS) -> Element:
    """Read a WBXML document.

    Text becomes `str` (UTF-8; octets that are not, surrogate escapes), OPAQUE an `Opaque` with a memoryview of
    `octets`, which is not copied: it must not change while the tree is in use. White space beside child elements is
    dropped; other text beside them raises MalformedXml. An element with the content bit and no content equals one
    without. Raises MalformedWbxml, its subclass LimitExceeded, or MalformedXml.
    """
    return _Reader(octets, limits).document()


def _scannable(octets: Buffer) -> bytes | bytearray:
    """The octets in a form that can be searched: what a memoryview is of, or a copy where it is of a part only."""
    if not isinstance(octets, memoryview):
        return octets
    whole = octets.obj
    if isinstance(whole, (bytes, bytearray)) and len(whole) == octets.nbytes and octets.c_contiguous:
        return whole
    return bytes(octets)


class _Reader:
    """One reading of one document; the hot loop is `_read`, all that is rare stands in methods of its own."""

    __slots__ = ("_limits", "_octets", "_stack", "_table", "_table_text", "_view")

    def __init__(self, octets: Buffer, limits: Limits) -> None:
        self._octets = _scannable(octets)
        self._view = memoryview(self._octets)
        self._limits = limits
        self._table = b""
        self._table_text = 0
        self._stack: list[tuple[Element, list[Element], list[_Piece]]] = []

    def document(self) -> Element:
        try:
            root, has_content, position, tags = self._root(self._header())
            if has_content:
                position = self._read(root, position, tags)
        except IndexError:
            raise MalformedWbxml("", f"the document ends too early, after {len(self._view)} octets") from None
        if any(self._view[position:]):
            raise MalformedWbxml("", f"more octets after the end of the root element, at offset {position}")
        return root

    def _header(self) -> int:
        """Read version, public identifier, charset and string table, [WBXML1.2] 5.4; gives the offset behind them."""
        version = self._octets[0]
        if version not in _VERSIONS:
            raise MalformedWbxml("", f"0x{version:02X} is no version of WBXML that is understood")
        public_identifier, position = self._multi_byte(1)
        if public_identifier == 0:
            _, position = self._multi_byte(position)
        charset, position = self._multi_byte(position)
        if charset not in _CHARSETS:
            raise MalformedWbxml("", f"charset {charset} is not UTF-8")
        size, position = self._multi_byte(position)
        self._table = bytes(self._slice(position, size, "string table"))
        return position + size

    def _root(self, position: int) -> tuple[Element, bool, int, _Tags]:
        """The root element, whether content follows, the offset behind its tag, and the tags of its page."""
        page = 0
        while self._octets[position] == SWITCH_PAGE:
            page = self._octets[position + 1]
            position += 2
        byte = self._octets[position]
        tag = TAG_OF_BYTE[page][byte]
        if tag is None:
            raise MalformedWbxml("", f"the root, 0x{byte:02X} on page {page}, is no known tag")
        return Element(tag), byte >= CONTENT, position + 1, TAG_OF_BYTE[page]

    def _read(self, element: Element, position: int, tags: _Tags) -> int:
        """Read the content of the root `element`, whose tag ends before `position`; gives the offset behind it."""
        octets, stack = self._octets, self._stack
        find, new = octets.find, Element.__new__
        max_elements, max_depth, count = self._limits.max_elements, self._limits.max_depth, 1
        children: list[Element] = []
        pieces: list[_Piece] = []
        while True:
            byte = octets[position]
            position += 1
            tag = tags[byte]
            if tag is None:
                if byte == END:
                    element.content = self._content(element, children, pieces) if pieces else children or None
                    if not stack:
                        return position
                    element, children, pieces = stack.pop()
                elif byte == SWITCH_PAGE:
                    tags = TAG_OF_BYTE[octets[position]]
                    position += 1
                else:
                    position, tags, cost = self._other(byte, position, tags, pieces)
                    count += cost
            else:
                count += 1
                child = new(Element)  # Element(tag), spelled out: the call of __init__ costs as much as all the rest
                child.tag = tag
                children.append(child)
                if byte < CONTENT:
                    child.content = None
                elif octets[position] == STR_I and octets[(end := find(_NUL, position + 1)) + 1] == END and end > 0:
                    # The usual leaf in one step. With no NUL, `end` is -1 and octets[0] the version, which can be END.
                    child.content = octets[position + 1 : end].decode("utf-8", "surrogateescape") or None
                    position = end + 2
                else:
                    stack.append((element, children, pieces))
                    element, children, pieces = child, [], []
                    if len(stack) >= max_depth:
                        raise self._too_deep()
            if count > max_elements:
                raise LimitExceeded(self._path(element), f"more than {max_elements} elements")

    def _other(self, byte: int, position: int, tags: _Tags, pieces: list[_Piece]) -> tuple[int, _Tags, int]:
        """Read a run of content into `pieces`, or skip an unknown tag.

        Gives the offset behind it, the tags of the page that then holds, and what it costs in elements.
        """
        if byte in _TEXT_TOKENS:
            piece, position = self._piece(byte, position)
            pieces.append(piece)
            return position, tags, 1
        self._expect_tag(byte, position)
        if not any(tags) and not quirks.tolerates(quirks.UNKNOWN_PAGE_SKIPPED):
            raise MalformedWbxml("", f"tag 0x{byte:02X} at offset {position - 1} is of an unknown page")
        return self._skip(position, tags) if byte >= CONTENT else (position, tags, 1)

    def _skip(self, position: int, tags: _Tags) -> tuple[int, _Tags, int]:
        """Skip the content of an unknown tag; a page that is chosen inside holds on behind it."""
        depth, cost = 1, 1
        while depth:
            byte = self._octets[position]
            position += 1
            if byte == END:
                depth -= 1
            elif byte == SWITCH_PAGE:
                tags = TAG_OF_BYTE[self._octets[position]]
                position += 1
            elif byte in _TEXT_TOKENS:
                _, position = self._piece(byte, position)
                cost += 1
            else:
                self._expect_tag(byte, position)
                cost += 1
                depth += byte >= CONTENT
                if len(self._stack) + depth >= self._limits.max_depth:
                    raise self._too_deep()
        return position, tags, cost

    def _expect_tag(self, byte: int, position: int) -> None:
        """Raise for a token that is neither content nor a tag of any page."""
        if byte & _ATTRIBUTES or byte & _TOKEN_BITS < FIRST_TOKEN:
            raise MalformedWbxml("", f"token 0x{byte:02X} at offset {position - 1} has no meaning in this protocol")

    def _too_deep(self) -> LimitExceeded:
        return LimitExceeded("", f"elements are nested more than {self._limits.max_depth} deep")

    def _path(self, element: Element) -> str:
        return "".join(f"/{open_element.tag.name}" for open_element in (*(entry[0] for entry in self._stack), element))

    def _content(self, element: Element, children: list[Element], pieces: list[_Piece]) -> Content:
        """The content of an element with text in it, be it several runs or text beside child elements."""
        if children:
            if any(_octets_of(piece).strip() for piece in pieces):
                raise MalformedXml(self._path(element), "text beside child elements")
            return children
        if len(pieces) == 1:
            piece = pieces[0]
            return Opaque(piece) if isinstance(piece, memoryview) else piece or None
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(map(str, pieces)) or None
        return Opaque(b"".join(map(_octets_of, pieces)))

    def _piece(self, token: int, position: int) -> tuple[_Piece, int]:
        """Read one run of content, whose token ends before `position`; gives the offset behind it, too."""
        if token == STR_I:
            end = self._octets.find(_NUL, position)
            if end < 0:
                raise MalformedWbxml("", f"the text at offset {position} has no end")
            return self._octets[position:end].decode("utf-8", "surrogateescape"), end + 1
        number, position = self._multi_byte(position)
        if token == OPAQUE:
            return self._slice(position, number, "opaque content"), position + number
        if token == STR_T:
            return self._table_entry(number), position
        if number == 0 or number in _SURROGATES or number > _UNICODE_MAX:
            raise MalformedWbxml("", f"the entity before offset {position} is no character")
        return chr(number), position

    def _table_entry(self, start: int) -> str:
        end = self._table.find(_NUL, start)
        if end < 0:
            raise MalformedWbxml("", f"nothing in the string table at {start}")
        self._table_text += end - start
        if self._table_text > self._limits.max_table_text:
            raise LimitExceeded("", f"more than {self._limits.max_table_text} octets by way of the string table")
        return self._table[start:end].decode("utf-8", "surrogateescape")

    def _slice(self, start: int, size: int, what: str) -> memoryview:
        if size > len(self._view) - start:
            raise MalformedWbxml("", f"{what} of {size} octets at offset {start} reaches beyond the end")
        return self._view[start : start + size]

    def _multi_byte(self, position: int) -> tuple[int, int]:
        """Read an mb_u_int32, [WBXML1.2] 5.1; gives the offset behind it, too."""
        value = 0
        for place in range(position, position + _MULTI_BYTE_OCTETS):
            byte = self._octets[place]
            value = value << 7 | byte & _MULTI_BYTE_BITS
            if byte < _MULTI_BYTE_MORE:
                if value > _MULTI_BYTE_MAX:
                    break
                return value, place + 1
        raise MalformedWbxml("", f"the number at offset {position} is larger than 32 bits")


def _octets_of(piece: _Piece) -> bytes:
    return piece.encode("utf-8", "surrogateescape") if isinstance(piece, str) else bytes(piece)


Part: TypeAlias = Buffer | Octets


class Segments:
    """An encoded document in parts: runs of small octets, and large or remote ones that are passed on untouched."""

    __slots__ = ("parts", "size")

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        self.size: int = sum(map(size_of, parts))
        """Octets altogether: the Content-Length."""

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def join(self) -> bytes:
        """The whole document. Raises TypeError where a part is not in memory."""
        return b"".join(map(_in_memory, self.parts))


def _in_memory(part: Part) -> Buffer:
    if not isinstance(part, (bytes, bytearray, memoryview)):
        raise TypeError("a part of the document is not in memory")
    return part


_START = tuple(bytes((token | CONTENT,)) for token in range(CONTENT))
_EMPTY = tuple(bytes((token,)) for token in range(CONTENT))
_START_TEXT = tuple(bytes((token | CONTENT, STR_I)) for token in range(CONTENT))
_SWITCH = tuple(bytes((SWITCH_PAGE, page)) for page in range(256))
_END = bytes((END,))
_END_TEXT = bytes((0x00, END))


def encode(root: Element) -> Segments:
    """Write a WBXML document: version 1.3, UTF-8, no string table.

    Text goes as STR_I (NUL, which it cannot hold, is left out), `Opaque` as OPAQUE, `Inline` as the octets of a STR_I;
    None, "", an empty list and an empty `Inline` go as an empty element. Octets that are not in memory are passed on
    by reference, and so are buffers of 16 KiB and more. Raises ValueError for an `Inline` buffer that holds a NUL: the
    reader would take what follows for tokens.
    """
    writer = _Writer()
    writer.write(root)
    return writer.segments()


class _Writer:
    """One document in the making; small octets gather in `_run` until a part of its own comes."""

    __slots__ = ("_parts", "_run")

    def __init__(self) -> None:
        self._run: list[bytes] = [HEADER]
        self._parts: list[Part] = []

    def segments(self) -> Segments:
        self._flush()
        return Segments(tuple(self._parts))

    def write(self, root: Element) -> None:
        run, page = self._run, 0
        stack: list[Iterator[Element]] = []
        siblings = iter((root,))
        while True:
            for element in siblings:
                tag, content = element.tag, element.content
                if tag.page != page:
                    page = tag.page
                    run.append(_SWITCH[page])
                if not content:
                    run.append(_EMPTY[tag.token])
                elif isinstance(content, str):
                    run += (_START_TEXT[tag.token], _text(content), _END_TEXT)
                elif isinstance(content, list):
                    run.append(_START[tag.token])
                    stack.append(siblings)
                    siblings = iter(content)
                    break
                else:
                    self._write_octets(tag.token, content)
            else:
                if not stack:
                    return
                run.append(_END)
                siblings = stack.pop()

    def _write_octets(self, token: int, content: Opaque | Inline) -> None:
        """Write an element of octets."""
        octets = content.octets
        size = size_of(octets)
        inline = isinstance(content, Inline)
        if inline and size == 0:
            self._run.append(_EMPTY[token])
            return
        self._run.append(_START_TEXT[token] if inline else _START[token] + bytes((OPAQUE,)) + _multi_byte(size))
        if isinstance(octets, (bytes, bytearray, memoryview)):
            if inline and _ANY_NUL.search(octets):
                raise ValueError("inline octets cannot hold a NUL")
            if size < _IN_PLACE_FROM:
                self._run.append(bytes(octets))
            else:
                self._part(octets)
        else:
            self._part(octets)
        self._run.append(_END_TEXT if inline else _END)

    def _part(self, octets: Part) -> None:
        self._flush()
        self._parts.append(octets)

    def _flush(self) -> None:
        self._parts.append(b"".join(self._run))
        self._run.clear()


def _text(text: str) -> bytes:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A surrogate that stands for no octet: half a character that a careless cut left behind.
        return re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text).encode("utf-8", "surrogateescape")


def _multi_byte(number: int) -> bytes:
    """An mb_u_int32, [WBXML1.2] 5.1."""
    octets = [number & _MULTI_BYTE_BITS]
    while number := number >> 7:
        octets.append(number & _MULTI_BYTE_BITS | _MULTI_BYTE_MORE)
    return bytes(reversed(octets))
