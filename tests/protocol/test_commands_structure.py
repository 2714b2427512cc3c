"""What stands where in the responses, by every statement of [MS-ASCMD] on parents, children, types and numbers.

The statements are held against a response that has all it can have, and against how its elements are declared.
"""

import re
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final

import pytest

from protocol.codepages import PAGES
from protocol.elements import Element
from protocol.http import CommandName
from protocol.items.calendar import Calendar
from protocol.items.email import Email
from protocol.schema import dump, load, tag_of
from protocol.versions import SUPPORTED
from tests.protocol.items import DOCUMENTS
from tests.protocol.test_commands_versions import PARTS, SHAPES, everything, members, pairs

ITEMS: Final = {CommandName.SYNC: (Calendar, Email), CommandName.ITEM_OPERATIONS: (Email,)}
"""Items that stand in an ApplicationData."""
TAGS: Final = {tag.name for page in PAGES for tag in page.tags}
_ROW: Final = re.compile(r"(MS-ASCMD_R\d+)\t(2\.2\.3[\d.]*)\t(?:Server|Both)\tNormative\t(.*)")
_ELEMENT: Final = re.compile(r"Element (\w+) in (?:the |a )?(\w+) command (?:[\w ]*)response")
_KINDS: Final = {
    "parents": re.compile(r"parent elements? (?:is|are) (.*)"),
    "children": re.compile(r"child elements? (?:is|are) (.*)"),
    "type": re.compile(r"data type is (\w+)"),
    "number": re.compile(r"number allowed is \W*(\d)(?:\.\.\.|…)([1N])"),
    "none": re.compile(r"has no child element"),
}


_DEFECTS: Final = {
    "MS-ASCMD_R1356": "Class is no child of this Collection in the schema of responses",
    "MS-ASCMD_R1364": "Class is no child of this Collection in the schema of responses",
    "MS-ASCMD_R1395": "the schema of responses has one CollectionId in a Result",
    "MS-ASCMD_R1415": "Collections is meant, and Commands written",
    "MS-ASCMD_R2774": "one Status in each of the two parents",
    "MS-ASPROV_R760": "a Status in RemoteWipe is the client's alone (MS-ASPROV_R322)",
    "MS-ASCMD_R64850808": "Forwardees is optional and never sent, and so nothing is in it",
    "MS-ASCMD_R66250801": "Forwardees is optional and never sent, and so nothing is in it",
    "MS-ASCMD_R68651708": "Forwardees is optional and never sent, and so nothing is in it",
}
"""Statements that contradict the schemas or others, and what this server does without."""


@dataclass
class Place:
    """What the statements say of an element where it has these parents."""

    name: str
    command: CommandName
    parents: tuple[str, ...]
    ids: list[str] = field(default_factory=list)
    children: tuple[str, ...] | None = None
    container: bool | None = None
    many: bool | None = None


def _words(text: str) -> tuple[str, ...]:
    """Names of elements, without sections, namespaces and what else is in brackets."""
    bare = re.sub(r"\[[^\]]*\]|\([^)]*\)|\w+:|section [\d.]+", "", text)
    return tuple(word for word in re.findall(r"\w+", bare) if word in TAGS)


def _told(place: Place, text: str) -> bool:
    """Take one statement in; False where it says nothing that can be checked."""
    for kind, pattern in _KINDS.items():
        found = pattern.search(text)
        if found is None:
            continue
        match kind:
            case "children":
                place.children = (*(place.children or ()), *_words(found[1]))
            case "none":
                place.children = ()
            case "type":
                place.container = found[1].lower() == "container"
            case "number":
                place.many = found[2] == "N"
        return True
    return False


@cache
def places() -> tuple[Place, ...]:
    """A row on parents begins a place, the rows after it belong to it."""
    found: list[Place] = []
    text = (DOCUMENTS / "MS-ASCMD.tsv").read_text("utf-8") if DOCUMENTS.exists() else ""
    for id_, _, statement in _ROW.findall(text):
        about = _ELEMENT.search(statement)
        if id_ in _DEFECTS or about is None or about[1] not in TAGS or about[2] not in list(CommandName):
            continue
        command = CommandName(about[2])
        parents = _KINDS["parents"].search(statement)
        if command not in SHAPES:
            continue
        if parents is not None and _words(parents[1]):
            found.append(Place(about[1], command, _words(parents[1]), [id_]))
        elif found and (found[-1].name, found[-1].command) == (about[1], command) and _told(found[-1], statement):
            found[-1].ids.append(id_)
    return tuple(found)


@dataclass(frozen=True)
class Declared:
    """Whether a child is repeated, or holds others."""

    many: bool
    container: bool


@cache
def responses(command: CommandName) -> frozenset[tuple[str, str]]:
    """Parents and children in the whole response, in any version."""
    whole = [load(cls, everything(cls)) for cls in classes(command)]
    return frozenset(pair for each in whole for version in SUPPORTED for pair in pairs(dump(each, version)))


def classes(command: CommandName) -> tuple[type, ...]:
    """What is declared of the response."""
    shapes = SHAPES[command]
    return (*(shapes[1:] if len(shapes) > 1 else shapes), *PARTS.get(command, ()), *ITEMS.get(command, ()))


@cache
def declared(command: CommandName) -> dict[tuple[str, str], frozenset[Declared]]:
    """By parent and child, how the child is declared: several elements have one name."""
    found: dict[tuple[str, str], set[Declared]] = {}
    done: set[tuple[str, type]] = set()
    waiting = [(tag_of(cls).name, cls) for cls in classes(command)]
    while waiting:
        at = waiting.pop()
        if at in done:
            continue
        done.add(at)
        for parent, child, made, nested in _children(*at):
            found.setdefault((parent, child), set()).add(made)
            waiting += [(child, kind) for kind in nested]
    return {key: frozenset(value) for key, value in found.items()}


def _children(parent: str, cls: type) -> Iterator[tuple[str, str, Declared, list[type]]]:
    hints = typing.get_type_hints(cls)
    for each in fields(cls):
        form = each.metadata["element"]
        kinds = [kind for kind in members(hints[each.name]) if kind is not type(None)]
        many = typing.get_origin(kinds[0]) is tuple
        inner = members(typing.get_args(kinds[0])[0]) if many else kinds
        nested = [kind for kind in inner if hasattr(kind, "__element_tag__")]
        own = "" if form.tag is None else form.tag.partition(":")[2]
        holds = bool(nested) or Element in inner
        if form.item is not None:
            item = form.item.partition(":")[2]
            yield parent, own, Declared(many=False, container=True), []
            yield own, item, Declared(many=True, container=holds), nested
        elif not own or len(nested) > 1:
            for kind in nested:
                yield parent, tag_of(kind).name, Declared(many=many, container=True), [kind]
                if many:  # a mixture does not say how many of each
                    yield parent, tag_of(kind).name, Declared(many=False, container=True), [kind]
        else:
            yield parent, own, Declared(many=many, container=holds), nested


def _cases() -> Iterable[Any]:
    for number, place in enumerate(places()):
        marks = pytest.mark.requirement(*place.ids)
        yield pytest.param(place, marks=marks, id=f"{place.command}-{place.name}-{number}")


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize("place", list(_cases()))
def test_an_element_stands_where_the_documents_say(place: Place) -> None:
    found = responses(place.command)
    assert [parent for parent in place.parents if (parent, place.name) not in found] == [], "is no child of these"
    if place.children is not None:
        assert [child for child in place.children if (place.name, child) not in found] == [], "has no such children"
    ways = frozenset[Declared]().union(*(declared(place.command)[parent, place.name] for parent in place.parents))
    if place.container is not None:
        assert place.container in {way.container for way in ways}
    if place.many is not None:
        assert place.many in {way.many for way in ways}


_CHILDLESS: Final = re.compile(r"\[In (\w+)\] The \1 element cannot have child elements")
_CHILD: Final = re.compile(
    r"The (\w+) element is (?:an? )?(?:optional |required )*child element (?:of type \w+ ?)?(?:\([^)]*\))? ?of the "
    r"(\w+) element"
)


def _policies() -> Iterator[Any]:
    """The same of [MS-ASPROV], worded otherwise: an element with its parent, or without children."""
    text = (DOCUMENTS / "MS-ASPROV.tsv").read_text("utf-8") if DOCUMENTS.exists() else ""
    for id_, statement in re.findall(r"(MS-ASPROV_R\d+)\t[\d.]+\t(?:Server|Both)\tNormative\t(.*)", text):
        childless, child = _CHILDLESS.search(statement), _CHILD.search(statement)
        mark = pytest.mark.requirement(id_)
        if childless is not None and childless[1] in TAGS:
            yield pytest.param("", childless[1], marks=mark, id=f"{childless[1]}-{id_}")
        elif child is not None and child[1] in TAGS and id_ not in _DEFECTS:
            yield pytest.param(child[2], child[1], marks=mark, id=f"{child[1]}-{id_}")


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize(("parent", "name"), list(_policies()))
def test_an_element_of_a_policy_stands_where_the_documents_say(parent: str, name: str) -> None:
    found = responses(CommandName.PROVISION)
    if parent:
        assert (parent, name) in found
    else:
        assert ("", name) in found
        assert [child for above, child in found if above == name] == []
