"""Which version has which command and which element of its requests and responses, by every statement of
[MS-ASCMD] and [MS-ASPROV].

Of each command a request and a response that have all they can have are written to each version: an element is there
where the documents say that the version has it, and nowhere where they say that it has not.
"""

import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final

import pytest

from eas_server.commands.registry import load_commands
from protocol.client import COMMANDS
from protocol.codepages import PAGES
from protocol.codepages import tag as find_tag
from protocol.commands import find, get_hierarchy
from protocol.commands.item_operations import AttachmentProperties
from protocol.commands.search import And, GalProperties, GreaterThan, LessThan, MailboxQuery
from protocol.elements import Element, Inline, Opaque
from protocol.http import CommandName
from protocol.items.document_library import DocumentProperties, DocumentQuery
from protocol.schema import Empty, dump, load, tag_of
from protocol.versions import SUPPORTED, V14_0, ProtocolVersion
from tests.protocol.items import DOCUMENTS

DEPTH: Final = 12
MOMENT: Final = "2026-12-03T13:18:00.000Z"
SHAPES: Final[dict[CommandName, tuple[type, ...]]] = {
    **{name: (command.request, command.response) for name, command in COMMANDS.items()},
    CommandName.FIND: (find.Request, find.Response, find.EmailProperties),
    CommandName.GET_HIERARCHY: (get_hierarchy.Response,),
}
PARTS: Final[dict[CommandName, tuple[type, ...]]] = {
    CommandName.SEARCH: (
        MailboxQuery, And, GreaterThan, LessThan, GalProperties, DocumentQuery, DocumentProperties
    ),
    CommandName.ITEM_OPERATIONS: (AttachmentProperties, DocumentProperties),
    CommandName.FIND: (GalProperties,),
}  # fmt: skip
"""What stands where a request or a response has an Element whose form depends on something else."""

_STATEMENT = re.compile(
    r"(MS-[A-Z]+_R\d+)\t(\d[\d.]*)\t(?:Server|Both)\tNormative\t"
    r"\[(?:In )?(?:\w+:)?(\w+) ?(?:\(([^)]*)\))?\] ?Protocol version (\d+\. ?\d) (does not )?supports? this"
    r"(?:.*child (?:element of\] |of )([^\n]*))?"
)
_COMMAND: Final = re.compile(
    r"(MS-ASCMD_R\d+)\t2\.2\.1\.\d+\t(?:Server|Both)\tNormative\t"
    r"\[In (\w+)\] ?Protocol version (\d+\.\d) (does not )?supports? this"
)
_DOCUMENTS: Final = {"MS-ASCMD": "", "MS-ASPROV": "Provision"}
"""The documents, and the command that all of one is about."""
_OWNERS: Final = {"2.2.3.61.1": "ResolveRecipients", "2.2.3.137": "Find"}
"""Elements whose statements do not say that they are of one command alone."""
_DEFECTS: Final = {
    **dict.fromkeys(
        ("MS-ASCMD_R6351100611", "MS-ASCMD_R6351100612", "MS-ASCMD_R6351100613", "MS-ASCMD_R6351100614"),
        "of Find, which came with 16.1",
    ),
    "MS-ASCMD_R6360": "of the conversations of 14.0; its tag is of 14.0 (MS-ASWBXML_R582)",
    "MS-ASCMD_R6559100816": "a copy of the line before: the other properties of Find are of 16.1",
    "MS-ASCMD_R6750": "ItemOperations fetches by LongId at 12.1 (R6742), and it is the only name of a result",
    "MS-ASCMD_R6751": "the same at 14.0",
    "MS-ASCMD_R6934": "of GetHierarchy, which 14.0 does not have",
    "MS-ASCMD_R6935": "the same at 14.1",
}
"""Statements that contradict others."""
_MAIL: Final = frozenset({CommandName.SEND_MAIL, CommandName.SMART_FORWARD, CommandName.SMART_REPLY})
"""Up to 12.1 these have no document but the message itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: that a version has an element, or that it has not, as a child of some elements or at all."""

    id: str
    version: ProtocolVersion
    has: bool
    parents: tuple[str, ...]


def everything(cls: type, depth: int = 0) -> Element:
    """An element with all that its class declares."""
    children: list[Element] = []
    hints = typing.get_type_hints(cls)
    for field in fields(cls):
        declared = field.metadata["element"]
        kinds = [kind for kind in members(hints[field.name]) if kind is not type(None)]
        inner = members(typing.get_args(kinds[0])[0]) if typing.get_origin(kinds[0]) is tuple else kinds
        if declared.item is not None:
            item = _one(declared.item, inner, declared, depth)
            children.append(Element(find_tag(declared.tag), item))
        elif declared.tag is None or (len(inner) > 1 and all(hasattr(kind, "__element_tag__") for kind in inner)):
            for kind in inner:
                children += _one(None, [kind], declared, depth)
        else:
            children += _one(declared.tag, inner, declared, depth)
    return Element(tag_of(cls), children)


def _one(name: str | None, kinds: list[Any], declared: Any, depth: int) -> list[Element]:
    kind = next((each for each in kinds if each is not Empty), Empty)
    if hasattr(kind, "__element_tag__"):
        made = everything(kind, depth + 1) if depth < DEPTH else Element(tag_of(kind))
        return [made if name is None else Element(find_tag(name), made.content)]
    assert name is not None
    return [Element(find_tag(name), _text(kind, declared))]


def _text(kind: Any, declared: Any) -> Any:
    if kind in (Empty, Element):
        return None
    if kind is datetime:
        return MOMENT
    if kind in (bytes, Opaque, Inline):
        return "QUJD"
    if isinstance(kind, type) and issubclass(kind, Enum):
        first = next(iter(kind)).value
        return str(first)
    return str(declared.minimum or 1)


def members(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return list(typing.get_args(hint))
    return [hint]


def pairs(root: Element) -> Iterator[tuple[str, str]]:
    yield "", root.tag.name
    for child in root.children:
        yield root.tag.name, child.tag.name
        yield from pairs(child)


@cache
def written(command: CommandName, version: ProtocolVersion) -> frozenset[tuple[str, str]]:
    """Parents and elements that go to the version; under "" each element. Nothing of a command that it has not."""
    if not command.supported_at(version) or (command in _MAIL and version < V14_0):
        return frozenset()
    found: set[tuple[str, str]] = set()
    for cls in (*SHAPES[command], *PARTS.get(command, ())):
        found |= set(pairs(dump(load(cls, everything(cls)), version)))
    return frozenset(found)


def _parents(text: str | None) -> tuple[str, ...]:
    """The elements that a statement names as parents; "other elements" are any."""
    words = re.findall(r"\w+", re.sub(r"\[[^\]]*\]|\w+:", "", text or ""))
    return tuple(word for word in words if word not in {"element", "elements", "and", "other"}) or ("",)


def statements() -> Iterator[tuple[str, str, list[Said]]]:
    """By element and what stands beside it in brackets. Elements of Autodiscover have no tag."""
    if not DOCUMENTS.exists():
        return
    versions, tags = {str(version): version for version in SUPPORTED}, {tag.name for page in PAGES for tag in page.tags}
    found: dict[tuple[str, str], list[Said]] = {}
    for document, owner in _DOCUMENTS.items():
        for match in _STATEMENT.finditer((DOCUMENTS / f"{document}.tsv").read_text("utf-8")):
            id_, section, name, scope, version, denied, parents = match.groups()
            version = version.replace(" ", "")
            place = owner or _OWNERS.get(section, scope or "")
            if id_ in _DEFECTS or version not in versions or name not in tags:
                continue
            if place != "Autodiscover" and not section.startswith("2.2.1."):
                found.setdefault((name, place), []).append(Said(id_, versions[version], not denied, _parents(parents)))
    for (name, place), said in found.items():
        yield name, place, said


def commands_of(place: str) -> list[CommandName]:
    """The commands that a place names; all of them where it names none."""
    words = re.findall(r"\w+", place)
    named = [name for name in CommandName if name in words and name in SHAPES]
    return named or list(SHAPES)


@cache
def commands_said() -> dict[str, list[tuple[str, ProtocolVersion, bool]]]:
    """By command: the ids, each with its version and whether that has the command."""
    versions, found = {str(version): version for version in SUPPORTED}, {}
    text = (DOCUMENTS / "MS-ASCMD.tsv").read_text("utf-8") if DOCUMENTS.exists() else ""
    for match in _COMMAND.finditer(text):
        id_, name, version, denied = match.groups()
        if name in list(CommandName) and version in versions:
            found.setdefault(name, []).append((id_, versions[version], not denied))
    return found


def _commands() -> Iterable[Any]:
    for name, said in commands_said().items():
        yield pytest.param(name, said, marks=pytest.mark.requirement(*(id_ for id_, _, _ in said)), id=name)


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize(("name", "said"), list(_commands()))
def test_a_command_is_there_in_the_versions_that_have_it(name: str, said: list[tuple[str, ProtocolVersion, bool]]):
    registered = load_commands()
    for id_, version, has in said:
        assert (CommandName(name) in registered and CommandName(name).supported_at(version)) is has, id_


def _cases() -> Iterable[Any]:
    for name, place, said in statements():
        marks = pytest.mark.requirement(*(each.id for each in said))
        yield pytest.param(name, place, said, marks=marks, id=f"{name}-{place}".replace(" ", ""))


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize(("name", "place", "said"), list(_cases()))
def test_an_element_is_written_to_the_versions_that_have_it(name: str, place: str, said: list[Said]) -> None:
    for each in said:
        found = frozenset[tuple[str, str]]().union(*(written(c, each.version) for c in commands_of(place)))
        assert {(parent, name) in found for parent in each.parents} == {each.has}, each
