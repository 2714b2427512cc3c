"""What the tests of item classes share: an item in a Sync response, and what the documents say of its elements."""

import re
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from protocol.codepages import tag
from protocol.elements import Element
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.schemas import assert_valid

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "spec" / "requirements"
T = TypeVar("T")


def response(item: Element) -> Element:
    """A Sync response that adds the item."""

    def made(name: str, *content: Element | str) -> Element:
        children = [c for c in content if isinstance(c, Element)]
        return Element(tag(f"AirSync:{name}"), children or (content[0] if content else None))

    add = made("Add", made("ServerId", "1:1"), item)
    collection = made(
        "Collection", made("SyncKey", "2"), made("CollectionId", "1"), made("Status", "1"), made("Commands", add)
    )
    return made("Sync", made("Collections", collection))


def assert_valid_everywhere(item: object) -> None:
    """The item holds by the schema in every version that has its first element."""
    for version in SUPPORTED:
        dumped = dump(item, version)
        if dumped.children:
            assert_valid(response(dumped), "Sync")


def again(item: T) -> T:
    """The item, written and read."""
    return load(type(item), dump(item))


@cache
def unsupported(document: str) -> frozenset[tuple[str, ProtocolVersion]]:
    """The elements that the document denies a version."""
    if not DOCUMENTS.exists():
        pytest.skip("the protocol documents are not here")
    found = re.findall(
        r"\[In (\w+)\] Protocol version (\d+\.\d) does not supports? this",
        (DOCUMENTS / f"{document}.tsv").read_text("utf-8"),
    )
    versions = {str(version): version for version in SUPPORTED}
    return frozenset((name, versions[version]) for name, version in found if version in versions)


def assert_versions(item: object, document: str) -> None:
    """Every element is written to exactly the versions that the document does not deny it."""
    for version in SUPPORTED:
        names = {e.tag.name for e in _all(dump(item))}
        denied = {name for name, where in unsupported(document) if where == version}
        shown = {e.tag.name for e in _all(dump(item, version))} - {"ApplicationData"}
        assert not shown & denied
        assert (names - denied - {"ApplicationData"}) - shown <= _below(dump(item), denied)


def _all(root: Element) -> list[Element]:
    return [root, *(e for child in root.children for e in _all(child))]


def _below(root: Element, denied: set[str]) -> set[str]:
    """The names below elements that are denied."""
    return {e.tag.name for child in _all(root) if child.tag.name in denied for e in _all(child)}
