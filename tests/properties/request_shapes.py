"""Requests of all shapes: trees that follow the declarations, with values from their edges and beyond, then spoilt."""

import random
import types
import typing
from dataclasses import MISSING, fields
from datetime import datetime
from enum import Enum, IntEnum
from itertools import islice
from typing import Any, Final

from protocol.codepages import tag as find_tag
from protocol.commands.search import MailboxQuery
from protocol.elements import Element, Opaque, Tag
from protocol.items.calendar import Calendar
from protocol.items.contacts import Contact
from protocol.items.document_library import DocumentQuery
from protocol.items.email import Email
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import Empty, tag_of

DATES: Final = (
    "2026-11-23T12:00:00.000Z",
    "20261123T120000Z",
    "2026-11-30T12:00:00.000Z",
    "20261126T090000Z",
    "1601-01-01T00:00:00.000Z",
    "0000-00-00T00:00:00.000Z",
    "99991231T235959Z",
    "2026-02-30T12:00:00.000Z",
    "yesterday",
    "",
)
NUMBERS: Final = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "7",
    "-1",
    "255",
    "256",
    "4294967295",
    "4294967296",
    "9" * 400,
    "1.5",
    "x",
    "",
)
NASTY: Final = (
    "",
    " ",
    "\r\nBcc: x@example.org",
    "ü" * 300,
    "\x01\x0b",
    "a" * 5000,
    "\udcff",
    "0",
    "%s{}",
    "../../x",
    "\\\\h\\s\\f",
)
CLASSES: Final = (Calendar, Contact, Email, Note, Task)
MAIL: Final = (
    b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: hi\r\n\r\nhello\r\n",
    b"To: alice@example.com\r\n\r\n",
    b"",
    b"Subject: nobody\r\n\r\n",
    b"\x00\xff\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\nTo: bob\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nx\r\n",
)
MAX_ELEMENTS: Final = 2000
_DEPTH: Final = 7
_OPAQUE_TAGS: Final = frozenset({"Mime", "ConversationId", "ConversationIndex", "Content"})


class Shapes:
    """Makes trees of one seed. `names`: the ids and keys that the server knows."""

    def __init__(self, seed: int, names: typing.Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._names = tuple(names)

    def request(self, cls: type) -> Element:
        """A request, as declared or spoilt."""
        root = self.tree(cls, 0)
        for _ in range(self._random.choice((0, 0, 0, 1, 1, 2, 4))):
            self.spoil(root)
        return root

    def tree(self, cls: type, depth: int) -> Element:
        """An element as a class declares it."""
        children: list[Element] = []
        hints = typing.get_type_hints(cls)
        for field in fields(cls):
            required = field.default is MISSING
            if depth < _DEPTH and (required or self._random.random() < (0.45 if depth < 3 else 0.25)):
                children += self._field(field.metadata["element"], hints[field.name], depth)
        if self._random.random() < 0.1:
            self._random.shuffle(children)
        return Element(tag_of(cls), children or None)

    def _field(self, declared: Any, hint: Any, depth: int) -> list[Element]:
        kinds = [kind for kind in _members(hint) if kind is not type(None)]
        many = len(kinds) == 1 and typing.get_origin(kinds[0]) is tuple
        inner = _members(typing.get_args(kinds[0])[0]) if many else kinds
        if declared.item is not None:
            items = [self._one(find_tag(declared.item), inner, depth + 1) for _ in range(self._random.randrange(4))]
            return [Element(find_tag(declared.tag), items or None)]
        count = self._random.choice((1, 1, 2, 3)) if many else 1
        named = None if declared.tag is None else find_tag(declared.tag)
        return [self._one(named, inner, depth) for _ in range(count)]

    def _one(self, tag: Tag | None, kinds: list[Any], depth: int) -> Element:
        kind = self._random.choice(kinds)
        if hasattr(kind, "__element_tag__"):
            return self.tree(kind, depth + 1)
        assert tag is not None
        if kind is Element:
            return self._raw(tag, depth)
        return Element(tag, self._text(tag, kind))

    def _raw(self, tag: Tag, depth: int) -> Element:
        """What a handler reads by itself: the properties of an item, a query."""
        if tag.name == "ApplicationData":
            return self.tree(self._random.choice(CLASSES), depth + 1)
        if tag.name == "Query":
            kinds: list[Any] = [str, MailboxQuery, MailboxQuery, DocumentQuery]
            kind = self._random.choice(kinds)
            return Element(tag, self._word()) if kind is str else self.tree(kind, depth + 1)
        return Element(tag, self._word() if self._random.random() < 0.6 else None)

    def _text(self, tag: Tag, kind: Any) -> Any:
        pick = self._random.choice
        if kind is Empty or self._random.random() < 0.04:
            return None
        if tag.name in _OPAQUE_TAGS or kind is bytes:
            return pick((Opaque(pick(MAIL)), Opaque(b"\x01" * 16), "QUJD", self._word()))
        if isinstance(kind, type) and issubclass(kind, IntEnum):
            return pick((*(str(int(each)) for each in kind), *NUMBERS))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return pick((*(str(each.value) for each in kind), self._word()))
        if kind is bool:
            return pick(("0", "1", "1", "true", "2", ""))
        if kind is int:
            return pick(NUMBERS)
        if kind is datetime:
            return pick(DATES)
        return self._word()

    def _word(self) -> str:
        return self._random.choice((*self._names, *self._names, *DATES[:3], *NASTY))

    def spoil(self, root: Element) -> None:
        """Do something to an element somewhere in the tree that the declarations do not foresee."""
        places = [element for element in _all(root) if isinstance(element.content, list) and element.content]
        if not places:
            return
        children = self._random.choice(places).content
        assert isinstance(children, list)
        at = self._random.randrange(len(children))
        match self._random.randrange(7):
            case 0:
                children.insert(at, children[at])
            case 1:
                del children[at]
            case 2:
                children[at] = Element(children[at].tag, self._word())
            case 3:
                children[at] = Element(self._random.choice(list(_all(root))).tag, children[at].content)
            case 4:
                children.insert(at, self._random.choice(children))
            case 5:
                children[at] = Element(children[at].tag, None)
            case _:
                children[at] = Element(children[at].tag, [children[at]])


def _all(root: Element) -> list[Element]:
    return list(islice(root.walk(), MAX_ELEMENTS))


def _members(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return list(typing.get_args(hint))
    return [hint]
