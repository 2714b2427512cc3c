"""The typed MeetingResponse against a document on the wire."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocol import wbxml
from protocol.commands.meeting_response import Answer, Request, Response, Result, SendResponse, Status
from protocol.items.airsyncbase import Body, BodyType
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V16_0, V16_1, ProtocolVersion
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "MeetingResponse"
INSTANCE = "2026-12-02T09:00:00.000Z"


@pytest.mark.requirement(
    "MS-ASCMD_R272", "MS-ASCMD_R273", "MS-ASCMD_R274", "MS-ASCMD_R275", "MS-ASCMD_R276", "MS-ASCMD_R277",
    "MS-ASCMD_R3312", "MS-ASCMD_R3313",
)  # fmt: skip
def test_the_request_on_the_wire() -> None:
    request = load(Request, wbxml.decode((FIXTURES / "request.wbxml").read_bytes()))
    by_message, by_item = request.answers
    assert by_message == Answer(
        user_response=2,
        collection_id="1",
        request_id="1:7",
        send_response=SendResponse(
            body=Body(type=BodyType.PLAIN, data="Later?"),
        ),
    )
    assert by_item == Answer(user_response=3, long_id="7:3", instance_id=INSTANCE)
    assert load(Request, dump(request)) == request


@pytest.mark.requirement("MS-ASCMD_R6990101708", "MS-ASCMD_R6990101729")
def test_a_proposal_is_in_the_compact_form() -> None:
    start, end = datetime(2026, 12, 1, 14, tzinfo=UTC), datetime(2026, 12, 1, 15, tzinfo=UTC)
    proposal = SendResponse(proposed_start_time=start, proposed_end_time=end)
    assert [child.text for child in dump(proposal).children] == ["20261201T140000Z", "20261201T150000Z"]
    assert load(SendResponse, wbxml.decode(wbxml.encode(dump(proposal)).join())) == proposal


@pytest.mark.requirement("MS-ASCMD_R278", "MS-ASCMD_R279", "MS-ASCMD_R280", "MS-ASCMD_R2509", "MS-ASCMD_R2734")
def test_the_response_comes_back_from_the_wire() -> None:
    response = Response(
        results=(
            Result(request_id="1:7", status=Status.SUCCESS, calendar_id="7:3", instance_id=INSTANCE),
            Result(status=Status.INVALID_MEETING_REQUEST),
        )
    )
    assert load(Response, wbxml.decode(wbxml.encode(dump(response)).join())) == response
    assert_valid(response, "MeetingResponse")
    assert_valid(Response(results=(Result(status=103),)), "MeetingResponse")


@pytest.mark.parametrize("version", SUPPORTED)
def test_what_versions_do_not_have(version: ProtocolVersion) -> None:
    send = SendResponse(proposed_start_time=datetime(2026, 12, 1, 14, tzinfo=UTC))
    answer = Answer(user_response=1, collection_id="1", request_id="1:7", instance_id=INSTANCE, send_response=send)
    names = {child.tag.name for child in dump(Request(answers=(answer,)), version).children[0].children}
    expected = {"UserResponse", "CollectionId", "RequestId"}
    expected |= {"InstanceId"} if version not in {V12_1, V14_0} else set()
    expected |= {"SendResponse"} if version >= V16_0 else set()
    assert names == expected
    shown = dump(send, version).children
    assert len(shown) == (1 if version >= V16_1 else 0)
