"""The typed ItemOperations against documents on the wire."""

from pathlib import Path

import pytest

from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.item_operations import (
    AttachmentProperties,
    Emptied,
    EmptyFolderContents,
    EmptyOptions,
    Fetch,
    Fetched,
    FetchOptions,
    Move,
    Moved,
    MoveOptions,
    Request,
    Response,
    Responses,
    item_properties,
)
from protocol.elements import Element
from protocol.items.email import Email
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "ItemOperations"


def test_the_request_on_the_wire() -> None:
    request = load(Request, wbxml.decode((FIXTURES / "request.wbxml").read_bytes()))
    assert [type(operation) for operation in request.operations] == [Fetch, Fetch]
    assert load(Request, dump(request)) == request


def test_operations_keep_their_order() -> None:
    request = Request(
        operations=(
            Fetch(store="Mailbox", file_reference="", options=FetchOptions(range="0-1", mime_support=2)),
            EmptyFolderContents(collection_id="4", options=EmptyOptions(delete_subfolders=EMPTY)),
            Move(conversation_id=b"\0\1", target="4", options=MoveOptions(move_always=EMPTY)),
            Fetch(store="Mailbox", long_id="1:1"),
        )
    )
    assert load(Request, wbxml.decode(wbxml.encode(dump(request)).join())) == request


def test_the_response_on_the_wire() -> None:
    response = load(Response, wbxml.decode((FIXTURES / "response.wbxml").read_bytes()))
    assert response.responses is not None
    (fetched,) = response.responses.fetched
    assert fetched.properties is not None
    properties = load(AttachmentProperties, fetched.properties)
    assert (properties.range, properties.total, properties.data) == ("0-8", 9, "JVBERi0xLjcK")


@pytest.mark.requirement("MS-ASCMD_R2488", "MS-ASCMD_R1604", "MS-ASCMD_R1652", "MS-ASCMD_R1960")
def test_the_response_holds_by_the_schema() -> None:
    properties = dump(AttachmentProperties(content_type="image/png", range="0-0", total=9, data="AA=="))
    response = Response(
        status=1,
        responses=Responses(
            moved=(Moved(status=156, conversation_id=b"\1"),),
            emptied=(Emptied(status=1, collection_id="4"),),
            fetched=(
                Fetched(status=1, file_reference="1:1:0", properties=properties),
                Fetched(status=6, collection_id="1", server_id="1:1", item_class="Email"),
                Fetched(status=6, link_id="x"),
            ),
        ),
    )
    for version in SUPPORTED:
        assert_valid(response, "ItemOperations", version)
    assert load(Response, wbxml.decode(wbxml.encode(dump(response)).join())) == response


@pytest.mark.requirement("MS-ASEMAIL_R63")
def test_properties_by_schema() -> None:
    application_data = dump(Email(subject="s", to="t", read=True))
    assert [p.tag.name for p in item_properties(application_data, None).children] == ["To", "Subject", "Read"]
    schema = Element(tag("ItemOperations:Schema"), [Element(tag("Email:Read")), Element(tag("Email:Cc"))])
    assert [p.tag.name for p in item_properties(application_data, schema).children] == ["Read"]
