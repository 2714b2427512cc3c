"""`eas-server decode`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from eas_server.cli.decode import COMMAND, described
from protocol import multipart

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "wbxml"
PING = FIXTURES / "Ping" / "request.wbxml"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*.wbxml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_fixture_can_be_shown(path):
    shown = CliRunner().invoke(COMMAND, [str(path)])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"<{path.parent.name} xmlns=")
    lines = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    as_lines = CliRunner().invoke(COMMAND, ["--lines", str(path)]).output.splitlines()
    assert as_lines == [line for line in lines if line and not line.startswith("#")]


def test_standard_input():
    shown = CliRunner().invoke(COMMAND, ["-"], input=PING.read_bytes())
    assert "<HeartbeatInterval>" in shown.output


def test_a_multipart_answer_is_shown_with_its_parts():
    body = b"".join(map(bytes, multipart.Multipart([PING.read_bytes(), b"From: alice\r\n", b"x" * 100])))
    shown = described(body)
    assert shown.startswith("<Ping")
    assert "part 1: 13 octets: b'From: alice\\r\\n' -->" in shown
    assert "part 2: 100 octets" in shown
    assert "…" in shown


def test_long_texts_are_cut_unless_they_are_wanted_whole():
    body = b"\x03\x01\x6a\x00\x45\x4b\x03" + b"7" * 5000 + b"\x00\x01\x01"  # AirSync: Sync, SyncKey
    assert len(described(body)) < 3000
    assert len(described(body, max_text=None)) > 5000


@pytest.mark.parametrize("content", [b"", b"\x03\x01", b"hello", b"\x01\x00\x00\x00\x0c\x00\x00\x00\xff\x00\x00\x00"])
def test_what_cannot_be_read_is_said_to_be_so(tmp_path, content):
    path = tmp_path / "capture"
    path.write_bytes(content)
    shown = CliRunner().invoke(COMMAND, [str(path)])
    assert shown.exit_code == 1
    assert shown.output.startswith("Error: ")
    assert "Traceback" not in shown.output
