"""`eas-server oof`."""

import json
from datetime import UTC, datetime

import pytest

from eas_server.model.ids import UserId
from eas_server.model.preferences import AutomaticReply, OofState, OutOfOffice
from tests.server.cli.conftest import Shell

ALICE = "alice@example.com"


def kept(shell: Shell) -> OutOfOffice:
    found: OutOfOffice = shell.in_store(lambda store: store.preferences.preference(UserId(ALICE), OutOfOffice))
    return found


def test_somebody_is_sent_away_and_comes_back(shell):
    assert "off" in shell("oof", "show", ALICE)
    shell("oof", "on", ALICE, "--internal", "Back on Monday.\nAlice", "--external", "Away.", "--contacts", "Away!")
    found = kept(shell)
    assert found.state is OofState.GLOBAL
    assert found.since is not None
    assert found.internal == AutomaticReply(enabled=True, text="Back on Monday.\nAlice")
    assert (found.known.text, found.unknown.text) == ("Away!", "Away.")
    shown = json.loads(shell("oof", "show", ALICE, "--json"))
    assert shown["state"] == "on"
    assert shown["known"] == {"enabled": True, "text": "Away!", "html": False}
    assert shown["from"] is None
    shell("oof", "on", ALICE, "--external", "")
    assert not kept(shell).unknown.enabled
    assert kept(shell).internal.enabled
    shell("oof", "off", ALICE)
    assert kept(shell).state is OofState.DISABLED
    assert kept(shell).internal.text


def test_a_time_can_be_given(shell):
    shell("oof", "on", ALICE, "--internal", "x", "--from", "2026-12-24", "--until", "2027-01-02T17:00+01:00")
    found = kept(shell)
    assert (found.start, found.end) == (
        datetime(2026, 12, 24, tzinfo=UTC),
        datetime(2027, 1, 2, 16, 0, tzinfo=UTC),
    )
    assert "2026-12-24 00:00 UTC" in shell("oof", "show", ALICE)
    assert json.loads(shell("oof", "show", ALICE, "--json"))["until"] == "2027-01-02T16:00:00Z"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--from", "2026-12-24"], 1),
        (["--from", "2026-12-24", "--until", "2026-12-23"], 1),
        (["--from", "soon", "--until", "later"], 2),
        (["--internal", "x" * 200_000], 1),
    ],
)
def test_what_cannot_be_is_refused(shell, options, status):
    assert shell.refused("oof", "on", ALICE, *options, status=status)
    assert kept(shell) == OutOfOffice()


def test_a_stranger_has_no_office(shell):
    for command in ("show", "on", "off"):
        shell.refused("oof", command, "nobody@example.com")
