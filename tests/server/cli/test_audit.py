"""`eas-server audit`."""

import json

import pytest

from eas_server.audit import line_of
from eas_server.cli import audit
from eas_server.model.audit import AuditEvent, AuditKind
from tests.contract.auditing import event

HOSTILE = "evil\x1b[2J\n2026-11-23T12:00:00.000Z  sent  bob@example.com"


@pytest.fixture
def trail(shell):
    folder = shell.folder / "audit"
    folder.mkdir()
    events = [
        event(0, **{"class": "signed", "domains": ("example.com:2", "partner.example:1")}),
        event(60, AuditKind.REFUSED, problem=HOSTILE, composed=True),
        event(120, AuditKind.SERVED, owner="bob@example.com", certificates=("ab" * 32,)),
        AuditEvent(when=event(180).when, kind=AuditKind.LOST, details={"events": 7}),
    ]
    (folder / "audit.jsonl").write_bytes(b"".join(map(line_of, events)))
    return shell


def kinds(text: str) -> list[str]:
    return [json.loads(line)["kind"] for line in text.splitlines()]


def test_an_event_is_a_line(trail):
    first, second, third, last = trail("audit").splitlines()
    assert first.startswith("2026-")
    assert "sent      alice@example.com" in first
    assert "class=signed" in first
    assert "domains=example.com:2,partner.example:1" in first
    assert "composed=yes" in second
    assert "certificates=abab" in third
    assert last.endswith("lost      -  events=7")


def test_strangers_texts_are_harmless(trail):
    text = trail("audit")
    assert "\x1b" not in text
    assert len(text.splitlines()) == 4


def test_what_is_asked_for(trail):
    assert kinds(trail("audit", "--json")) == ["sent", "refused", "served", "lost"]
    assert kinds(trail("audit", "--json", "--kind", "sent", "--kind", "served")) == ["sent", "served"]
    assert kinds(trail("audit", "--json", "--user", "bob@example.com")) == ["lost"]
    assert kinds(trail("audit", "--json", "--user", "Alice@Example.com", "--kind", "sent")) == ["sent"]
    moment = event(60).when
    assert kinds(trail("audit", "--json", "--since", moment.isoformat())) == ["refused", "served", "lost"]
    assert kinds(trail("audit", "--json", "--until", f"{moment:%Y-%m-%dT%H:%M:%S}")) == ["sent"]
    assert kinds(trail("audit", "--json", "--since", "2100-01-01")) == []
    assert trail("audit", "--since", "90m", "--until", "9999w").splitlines() == []


@pytest.mark.parametrize("wrong", ["yesterday", "5y", "99999999999h", "-1d", "2026-13-01", ""])
def test_a_wrong_time(trail, wrong):
    assert "neither a time" in trail.refused("audit", "--since", wrong, status=2)


def test_follow_takes_no_times(trail):
    assert "--follow" in trail.refused("audit", "--follow", "--since", "1h", status=2)


def test_follow(trail, monkeypatch):
    def pause(_: float) -> None:
        path = trail.folder / "audit" / "audit.jsonl"
        if path.read_bytes().count(b"\n") > 4:
            raise KeyboardInterrupt
        with path.open("ab") as file:
            file.write(line_of(event(300)))

    monkeypatch.setattr(audit.time, "sleep", pause)
    result = trail.try_("audit", "--follow", "--json")
    assert kinds(result.stdout) == ["sent"]
    assert json.loads(result.stdout)["number"] == 300


def test_what_cannot_be_read_is_told(trail):
    with (trail.folder / "audit" / "audit.jsonl").open("ab") as file:
        file.write(b"nonsense\n{}\n")
    result = trail.try_("audit", "--json")
    assert len(kinds(result.stdout)) == 4
    assert "2 lines could not be read" in result.stderr


def test_no_trail(shell):
    assert shell("audit") == ""
    with (shell.folder / "eas-server.toml").open("a") as file:
        file.write("\n[audit]\nenabled = false\n")
    assert "audit.enabled" in shell.refused("audit")
