"""The properties and the query of the document library."""

from datetime import UTC, datetime

import pytest

from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.item_operations import FetchOptions
from protocol.commands.search import Options
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.document_library import DocumentProperties, LinkEquals, document_query
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, ProtocolVersion

WHEN = datetime(2026, 11, 23, 18, 0, 0, 123_000, tzinfo=UTC)
VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)


def query(*children: Element) -> Element:
    return Element(tag("Search:Query"), list(children))


def equal(*children: Element) -> Element:
    return Element(tag("Search:EqualTo"), list(children))


LINK, VALUE = Element(tag("DocumentLibrary:LinkId")), Element(tag("Search:Value"), r"\\files\docs")


@pytest.mark.requirement(*(f"MS-ASDOC_R{first + step}" for first in range(600, 648, 6) for step in range(1, 6)))
@pytest.mark.requirement(*(f"MS-ASWBXML_R{number}" for number in range(554, 562)), "MS-ASDTYPE_R15")
@VERSIONS
def test_properties_in_every_version(version: ProtocolVersion) -> None:
    document = DocumentProperties(
        link_id=r"\\files\docs\a & b.txt",
        display_name="a & b.txt",
        is_folder=False,
        creation_date=WHEN,
        last_modified_date=WHEN,
        is_hidden=True,
        content_length=2**40,
        content_type="text/plain",
    )
    octets = wbxml.encode(dump(document, version)).join()
    tree = wbxml.decode(octets)
    assert [(child.tag.token, child.tag.page, child.text) for child in tree.children] == [
        (0x05, 19, r"\\files\docs\a & b.txt"),
        (0x06, 19, "a & b.txt"),
        (0x07, 19, "0"),
        (0x08, 19, "2026-11-23T18:00:00.123Z"),
        (0x09, 19, "2026-11-23T18:00:00.123Z"),
        (0x0A, 19, "1"),
        (0x0B, 19, "1099511627776"),
        (0x0C, 19, "text/plain"),
    ]
    assert load(DocumentProperties, tree) == document


@pytest.mark.requirement("MS-ASDOC_R122", "MS-ASCMD_R2202")
def test_the_query() -> None:
    found = document_query(query(equal(LINK, VALUE)))
    assert found is not None
    assert (found.equals, found.is_too_complex) == ((LinkEquals(link_id="", value=r"\\files\docs"),), False)
    other = document_query(query(equal(VALUE, LINK)))
    assert other == found


@pytest.mark.requirement("MS-ASDOC_R85")
def test_a_query_without_a_link() -> None:
    assert document_query(query()) is None
    assert document_query(query(equal(VALUE))) is None
    assert document_query(Element(tag("Search:Query"), r"\\files\docs")) is None


@pytest.mark.parametrize("name", ["And", "Or", "FreeText", "GreaterThan", "LessThan"])
def test_a_query_that_is_too_complex(name: str) -> None:
    other = Element(tag(f"Search:{name}"), [VALUE])
    for asked in (query(equal(LINK, VALUE), other), query(other, equal(LINK, VALUE))):
        found = document_query(asked)
        assert found is not None
        assert found.is_too_complex


def test_a_condition_without_a_value() -> None:
    with pytest.raises(MalformedXml):
        document_query(query(equal(LINK)))


@VERSIONS
@pytest.mark.requirement("MS-ASCMD_R4719", "MS-ASCMD_R3656", "MS-ASCMD_R5399", "MS-ASCMD_R3653", "MS-ASCMD_R5886")
def test_credentials_in_every_version(version: ProtocolVersion) -> None:
    for cls, longest in ((Options, 100), (FetchOptions, 256)):
        options = cls(user_name="ü" * 100, password="ü" * longest)
        assert load(cls, wbxml.decode(wbxml.encode(dump(options, version)).join())) == options
        for wrong in (cls(user_name="u" * 101), cls(password="p" * (longest + 1))):
            with pytest.raises(MalformedXml):
                load(cls, dump(wrong, version))
