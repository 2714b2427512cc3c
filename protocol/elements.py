"""The neutral tree between bytes and types: Tag and Element.

One tree serves both directions. An element holds child elements, or text, or octets, or nothing; mixed content does
not occur in the protocol ([MS-ASWBXML] 2.1.2). Which of the three carries a value on the wire is the element's own
matter ([MS-ASDTYPE] 2.7.1): text goes as an inline string, `Opaque` as OPAQUE, `Inline` as the raw octets of an inline
string (a MIME body: its octets are never decoded).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from protocol.versions import ProtocolVersion


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """A tag of a code page, [MS-ASWBXML] 2.1.2.1. `codepages` holds the only one of each: identity is equality."""

    page: int
    """The code page, 0 to 25."""
    token: int
    """The token without the content bit, 0x05 to 0x3F."""
    namespace: str
    """The XML namespace of the code page: `AirSync`."""
    name: str
    """The tag name: `SyncKey`."""
    versions: frozenset[ProtocolVersion]
    """The protocol versions that have the tag."""

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"


@runtime_checkable
class Octets(Protocol):
    """Octets of known size that need not be in memory: the encoder passes them on untouched, by reference."""

    @property
    def size(self) -> int:
        """How many octets there are."""
        ...


Buffer: TypeAlias = bytes | bytearray | memoryview


class Opaque:
    """Content that goes as OPAQUE (token 0xC3)."""

    __slots__ = ("octets",)

    def __init__(self, octets: Buffer | Octets) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return f"Opaque({size_of(self.octets)} octets)"


class Inline:
    """Content that goes as STR_I, given as raw octets; they must hold no NUL."""

    __slots__ = ("octets",)

    def __init__(self, octets: Buffer | Octets) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return f"Inline({size_of(self.octets)} octets)"


Content: TypeAlias = "list[Element] | str | Opaque | Inline | None"


def size_of(octets: Buffer | Octets) -> int:
    """The number of octets."""
    if isinstance(octets, memoryview):
        return octets.nbytes
    return len(octets) if isinstance(octets, (bytes, bytearray)) else octets.size


class Element:
    """An element of the tree.

    `content` is a list of child elements, a text, an Opaque, an Inline, or None for an empty element. The decoder
    gives text as `str` (octets that are not UTF-8 survive as surrogate escapes) and OPAQUE as `Opaque`.
    """

    __slots__ = ("content", "tag")

    def __init__(self, tag: Tag, content: Content = None) -> None:
        self.tag = tag
        self.content = content

    @property
    def children(self) -> "list[Element]":
        """The child elements; empty where there are none."""
        return self.content if isinstance(self.content, list) else []

    @property
    def text(self) -> str:
        """The text; Opaque content read as UTF-8 (bad octets as surrogate escapes); "" for an empty element."""
        content = self.content
        if isinstance(content, str):
            return content
        if isinstance(content, (Opaque, Inline)):
            return self.octets.decode("utf-8", "surrogateescape")
        return ""

    @property
    def octets(self) -> bytes:
        """The content as octets; a text in UTF-8 (surrogate escapes give back the octets they stand for).

        Raises TypeError for octets that are not in memory.
        """
        content = self.content
        if isinstance(content, (Opaque, Inline)):
            if isinstance(content.octets, (bytes, bytearray, memoryview)):
                return bytes(content.octets)
            raise TypeError("these octets are not in memory")
        return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else b""

    def find(self, tag: Tag) -> "Element | None":
        """The first child with `tag`."""
        for child in self.children:
            if child.tag == tag:
                return child
        return None

    def walk(self) -> "Iterator[Element]":
        """This element and all below it, in document order, without recursion."""
        stack = [self]
        while stack:
            element = stack.pop()
            yield element
            stack.extend(reversed(element.children))

    def __eq__(self, other: object) -> bool:
        """Equal in tags, order and octets; whether octets were inline or opaque does not matter."""
        if not isinstance(other, Element):
            return NotImplemented
        ours, theirs = [self], [other]
        while ours:
            a, b = ours.pop(), theirs.pop()
            if a.tag is not b.tag or len(a.children) != len(b.children):
                return False
            if not a.children and a.octets != b.octets:
                return False
            ours.extend(a.children)
            theirs.extend(b.children)
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.tag} {self.content!r}>" if self.content is not None else f"<{self.tag}/>"
