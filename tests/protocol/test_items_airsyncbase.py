"""The types of what item classes share ([MS-ASAIRS] 2.2.2)."""

from typing import Any

import pytest

from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments, DeleteAttachment, Location, Method
from protocol.items.email import Email
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


ATTACHMENT = Attachment(
    display_name="a;b <c>",
    file_reference="1:2:0",
    method=Method.NORMAL,
    estimated_data_size=3,
    content_id="i@x",
    content_location="l/m",
    is_inline=False,
)


@pytest.mark.requirement("MS-ASAIRS_R87", "MS-ASAIRS_R1323", "MS-ASAIRS_R1327", "MS-ASAIRS_R102", "MS-ASAIRS_R163")
@pytest.mark.requirement("MS-ASAIRS_R164", "MS-ASAIRS_R168", "MS-ASAIRS_R169", "MS-ASAIRS_R170", "MS-ASAIRS_R191")
@pytest.mark.requirement("MS-ASAIRS_R192", "MS-ASAIRS_R193", "MS-ASAIRS_R199", "MS-ASAIRS_R200", "MS-ASAIRS_R210")
@pytest.mark.requirement("MS-ASAIRS_R217", "MS-ASAIRS_R218", "MS-ASAIRS_R219", "MS-ASAIRS_R221", "MS-ASAIRS_R222")
@pytest.mark.requirement("MS-ASAIRS_R223", "MS-ASAIRS_R1081", "MS-ASAIRS_R1079")
def test_what_is_told_of_an_attachment() -> None:
    everything = Attachments(
        changes=(
            ATTACHMENT,
            AddAttachment(client_id="c;1", method=Method.NORMAL, content=b"x", display_name="n"),
            DeleteAttachment(file_reference="1:2:0"),
        )
    )
    assert [child.tag.name for child in dump(everything).children] == ["Attachment", "Add", "Delete"]
    assert load(Attachments, dump(everything)) == everything
    told = dump(ATTACHMENT).children
    assert {child.tag.name: child.text for child in told} == {
        "DisplayName": "a;b <c>",
        "FileReference": "1:2:0",
        "Method": "1",
        "EstimatedDataSize": "3",
        "ContentId": "i@x",
        "ContentLocation": "l/m",
        "IsInline": "0",
    }
    for child in told:
        assert not child.children
        with pytest.raises(MalformedXml):
            load(Attachment, Element(tag_of(Attachment), [*told, child]))
        inner = [Element(c.tag, [Element(tag_of(Location), "x")]) if c is child else c for c in told]
        with pytest.raises(MalformedXml):
            load(Attachment, Element(tag_of(Attachment), inner))
    add = dump(everything).children[1]
    without = [child for child in add.children if child.tag.name != "ClientId"]
    with pytest.raises(MalformedXml):
        load(AddAttachment, Element(tag_of(AddAttachment), without))


@pytest.mark.requirement("MS-ASAIRS_R232", "MS-ASAIRS_R235", "MS-ASAIRS_R236", "MS-ASAIRS_R233")
def test_the_native_type_of_a_body() -> None:
    for number in (1, 2, 3):
        (child,) = dump(Email(native_body_type=number)).children
        assert child.text == str(number)
        assert not child.children
        with pytest.raises(MalformedXml):
            load(Email, Element(tag_of(Email), [child, child]))
    for bad in ("0", "4", "x", "256"):
        with pytest.raises(MalformedXml):
            load(Email, Element(tag_of(Email), [Element(child.tag, bad)]))
