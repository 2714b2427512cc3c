"""The typed MoveItems against a document on the wire."""

from pathlib import Path

from protocol import wbxml
from protocol.commands.move_items import Move, Moved, Request, Response, Status
from protocol.schema import dump, load
from tests.schemas import assert_valid

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "wbxml" / "MoveItems"


def test_the_request_on_the_wire() -> None:
    request = load(Request, wbxml.decode((FIXTURES / "request.wbxml").read_bytes()))
    assert request.moves
    assert all(isinstance(move, Move) and len(move.destinations) == 1 for move in request.moves)
    assert load(Request, dump(request)) == request


def test_the_response_comes_back_from_the_wire() -> None:
    response = Response(
        responses=(
            Moved(source_id="1:1", status=Status.SUCCESS, target_id="4:1"),
            Moved(source_id="1:2", status=Status.INVALID_SOURCE),
        )
    )
    assert load(Response, wbxml.decode(wbxml.encode(dump(response)).join())) == response
    assert_valid(response, "MoveItems")
    assert_valid(Response(status=103), "MoveItems")
