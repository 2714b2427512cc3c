"""The lines of the log: whole, one a record, whatever a client put into them."""

import json
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from eas_server.web.app import App
from eas_server.web.log import JsonFormatter, RequestRecord, TextFormatter, set_up_logging
from eas_server.web.settings import Live, WebSettings


def record(**fields: object) -> logging.LogRecord:
    made = logging.LogRecord("eas_server.request", logging.INFO, __file__, 1, "request", None, None)
    made.fields = fields
    return made


@given(value=st.text(max_size=500))
def test_no_value_breaks_a_line(value: str) -> None:
    line = TextFormatter().format(record(id="1", device=value, status=200))
    assert len(line.splitlines()) == 1
    assert line.endswith(" status=200")
    assert " id=1 device=" in line
    whole = json.loads(JsonFormatter().format(record(device=value)))
    assert whole["device"] == value
    assert (whole["level"], whole["message"]) == ("INFO", "request")


def test_times_have_their_offset() -> None:
    assert TextFormatter().format(record())[:10] == time.strftime("%Y-%m-%d", time.localtime())


def test_a_traceback_stays_within_its_line_of_json() -> None:
    try:
        raise ValueError("a bug")
    except ValueError as error:
        made = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, (ValueError, error, None))
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert "ValueError: a bug" in json.loads(line)["traceback"]


def test_it_can_be_set_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level, flags = root.level, (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    try:
        set_up_logging("info", json_lines=False, file=None)
        set_up_logging("info", json_lines=True, file=tmp_path / "log")
        assert len(root.handlers) == 1
        RequestRecord(id="7", started=time.perf_counter(), method="OPTIONS", status=200, note="why").write()
        told = json.loads((tmp_path / "log").read_text())
        assert (told["id"], told["command"], told["status"], told["note"]) == ("7", "OPTIONS", 200, "why")
        with pytest.raises(OSError, match="missing"):
            set_up_logging("info", json_lines=True, file=tmp_path / "missing" / "log")
    finally:
        for handler in root.handlers:
            handler.close()
        root.setLevel(level)
        logging.logThreads, logging.logProcesses, logging.logMultiprocessing = flags


@pytest.mark.parametrize(("peer", "scheme", "status"), [("198.51.100.7", "http", 403), ("198.51.100.7", "https", 204)])
async def test_plain_http_from_elsewhere_is_refused(peer: str, scheme: str, status: int) -> None:
    """Also where a listener of ours stands open by mistake."""
    sent: list[Message] = []

    async def inner(scope: object, receive: object, send: object) -> None:
        sent.append({"status": 204})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "client": (peer, 1), "scheme": scheme, "path": "/x", "headers": []}
    await App(inner, inner, Live(WebSettings()))(scope, receive, send)
    assert sent[0]["status"] == status
