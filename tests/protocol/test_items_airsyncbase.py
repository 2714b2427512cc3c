"""The types of what item classes share ([MS-ASAIRS] 2.2.2)."""

from typing import Any

import pytest

from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Location
from protocol.schema import dump, load, tag_of
from tests.server.render.documents import ids_of

NUMBERS = ("Accuracy", "Altitude", "AltitudeAccuracy", "Latitude", "Longitude")
TEXTS = ("Annotation", "City", "Country", "LocationUri", "PostalCode", "State", "Street")
FULL = Location(
    display_name="Office",
    annotation="2nd floor",
    street="Main St",
    city="Berlin",
    state="BE",
    country="DE",
    postal_code="10115",
    latitude="52.5",
    longitude="13.4",
    accuracy="10",
    altitude="-34.5",
    altitude_accuracy="1e1",
    location_uri="geo:52.5,13.4",
)


def cases(names: tuple[str, ...], kind: str) -> list[Any]:
    said = ids_of("MS-ASAIRS", [rf"element is an? {kind} data type"])
    return [pytest.param(name, marks=pytest.mark.requirement(*said[name]), id=name) for name in names]


def with_value(name: str, value: str) -> Element:
    return Element(
        tag_of(Location), [Element(c.tag, value if c.tag.name == name else c.content) for c in dump(FULL).children]
    )


@pytest.mark.parametrize("name", cases(NUMBERS, "double"))
def test_numbers_with_fractions(name: str) -> None:
    for good in ("0", "-1", "+1.5", ".5", "5.", "1.25e-3", ""):
        read = load(Location, with_value(name, good))
        (shown,) = [child.text for child in dump(read).children if child.tag.name == name]
        assert shown == good
    for bad in ("north", "1,5", "1.5.5", "1e", "0x10", "1" * 65, "--1", "NaN()"):
        with pytest.raises(MalformedXml):
            load(Location, with_value(name, bad))


@pytest.mark.parametrize("name", cases(TEXTS, "string"))
def test_texts(name: str) -> None:
    for text in ("Zoë; <b>&", "x" * 2000):
        read = load(Location, with_value(name, text))
        assert [child.text for child in dump(read).children if child.tag.name == name] == [text]


@pytest.mark.requirement("MS-ASAIRS_R1207", "MS-ASAIRS_R1208", "MS-ASAIRS_R1361", "MS-ASAIRS_R1362")
def test_a_location() -> None:
    assert load(Location, dump(FULL)) == FULL
    assert load(Location, Element(tag_of(Location))) == Location()
    assert len(dump(FULL).children) == len(NUMBERS) + len(TEXTS) + 1
    for child in dump(FULL).children:
        alone = load(Location, Element(tag_of(Location), [child]))
        assert [(each.tag, each.text) for each in dump(alone).children] == [(child.tag, child.text)]
        with pytest.raises(MalformedXml):
            load(Location, Element(tag_of(Location), [child, child]))
