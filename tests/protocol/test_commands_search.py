"""The typed Search against documents on the wire."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.resolve_recipients import PictureStatus
from protocol.commands.search import (
    And,
    Answer,
    GalProperties,
    GreaterThan,
    MailboxQuery,
    Options,
    Picture,
    PictureOptions,
    Request,
    Response,
    Result,
    Store,
    StoreResponse,
    mailbox_query,
    words_of,
)
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "Search"


def test_the_request_on_the_wire() -> None:
    request = load(Request, wbxml.decode((FIXTURES / "request.wbxml").read_bytes()))
    assert (request.store.name, words_of(request.store.query)) == ("GAL", "bob")
    assert request.store.options.range == "0-24"


def test_a_request_with_everything() -> None:
    query = MailboxQuery(
        ands=(
            And(
                free_texts=("a", "b"),
                classes=("Email",),
                collection_ids=("1", "2"),
                conversation_id=b"\0\1",
                greater_than=GreaterThan(property=EMPTY, value=datetime(2026, 12, 3, tzinfo=UTC)),
            ),
        )
    )
    options = Options(
        mime_support=2,
        body_preferences=(BodyPreference(type=BodyType.MIME),),
        range="0-9",
        deep_traversal=EMPTY,
        rebuild_results=EMPTY,
        picture=PictureOptions(max_size=0, max_pictures=1),
    )
    request = Request(store=Store(name="Mailbox", query=dump(query), options=options))
    back = load(Request, wbxml.decode(wbxml.encode(dump(request)).join()))
    assert back == request
    assert mailbox_query(back.store.query) == query
    assert not query.is_too_complex


def test_the_response_on_the_wire() -> None:
    response = load(Response, wbxml.decode((FIXTURES / "response.wbxml").read_bytes()))
    assert response.answer is not None
    (result,) = response.answer.store.results
    assert result.properties is not None
    assert load(GalProperties, result.properties).display_name == "Bob"
    for version in SUPPORTED:
        assert_valid(response, "Search", version)


@pytest.mark.requirement("MS-ASCMD_R2546", "MS-ASCMD_R2784", "MS-ASCMD_R2513")
def test_the_response_holds_by_the_schema() -> None:
    store = StoreResponse(
        status=12,
        results=(Result(), Result(item_class="Email", long_id="1:1", collection_id="1", properties=None)),
        range="0-1",
        total=2,
    )
    assert_valid(Response(status=1, answer=Answer(store=store)), "Search")
    assert_valid(Response(status=110), "Search")


@pytest.mark.requirement("MS-ASCMD_R7273")
@pytest.mark.parametrize(("version", "has"), [(V12_1, False), (V14_0, False), (V14_1, True)])
def test_pictures_by_version(version: object, has: bool) -> None:
    properties = GalProperties(display_name="Bob", picture=Picture(status=PictureStatus.NO_PICTURE))
    names = [child.tag.name for child in dump(properties, version).children]  # type: ignore[arg-type]
    assert ("Picture" in names) is has


def test_a_query_of_words_has_no_elements() -> None:
    assert words_of(Element(tag("Search:Query"), " bob ")) == "bob"
    assert words_of(Element(tag("Search:Query"))) == ""
    with pytest.raises(MalformedXml):
        words_of(Element(tag("Search:Query"), [Element(tag("Search:And"))]))
