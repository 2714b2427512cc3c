"""The elements of contacts against the schemas and the statements of the documents."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.contacts import Contact
from protocol.schema import EMPTY, dump, load, tag_of
from tests.protocol.items import again, assert_valid_everywhere, assert_versions

MOMENT = datetime(1980, 3, 4, 11, 59, tzinfo=UTC)
_OTHERS = {
    "anniversary": MOMENT,
    "birthday": MOMENT,
    "weighted_rank": 7,
    "picture": b"\xff\xd8",
    "categories": ("a", "b"),
    "children": ("c", "d"),
    "body": Body(type=BodyType.PLAIN, estimated_data_size=4, truncated=False, data="text"),
}
FULL = Contact(**{f.name: _OTHERS.get(f.name, f"The {f.name}") for f in fields(Contact)})  # type: ignore[arg-type]


@pytest.mark.requirement("MS-ASCNTC_R4", "MS-ASCNTC_R493")
def test_a_full_contact_holds_by_the_schema() -> None:
    assert_valid_everywhere(FULL)
    assert again(FULL) == FULL


@pytest.mark.requirement("MS-ASCNTC_R2005", "MS-ASCNTC_R2245", "MS-ASCNTC_R2001", "MS-ASCNTC_R2004")
def test_versions() -> None:
    assert_versions(FULL, "MS-ASCNTC")


@pytest.mark.requirement("MS-ASCNTC_R124", "MS-ASCNTC_R374")
def test_forms_on_the_wire() -> None:
    texts = {e.tag.name: e.text for e in dump(FULL).children}
    assert texts["Birthday"] == "1980-03-04T11:59:00.000Z"
    assert texts["Picture"] == "/9g="


def test_absent_and_empty_differ() -> None:
    root = tag_of(Contact)
    empty = [Element(e.tag) for e in dump(FULL).children if e.tag.name not in {"WeightedRank", "Body"}]
    cleared = load(Contact, Element(root, empty))
    assert (cleared.first_name, cleared.birthday, cleared.picture) == ("", EMPTY, b"")
    assert (cleared.categories, cleared.children) == ((), ())
    assert load(Contact, Element(root)) == Contact()
    assert_valid_everywhere(Contact(first_name="", categories=(), children=()))


def test_values_that_are_none() -> None:
    for name, value in (("Birthday", "soon"), ("Picture", "?"), ("WeightedRank", "x")):
        bad = [Element(e.tag, value) for e in dump(FULL).children if e.tag.name == name]
        with pytest.raises(MalformedXml):
            load(Contact, Element(tag_of(Contact), bad))
