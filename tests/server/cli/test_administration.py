"""`eas-server token`, `quirk`, `policy`, `calendar`, `require-tls` and `device trace`."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.administration import policies, switches, tokens
from eas_server.administration.switches import Switches
from eas_server.errors import ConfigError, ThereAlready
from eas_server.model.device import Device
from eas_server.model.ids import DeviceId, UserId
from eas_server.model.preferences import CalendarRight, CalendarRights, Delegates
from eas_server.model.settings import PolicySettings, Settings
from protocol.quirks import QUIRKS

ALICE, BOB = "alice@example.com", "bob@example.com"
SEEN = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
DEVICE = Device(user=UserId(ALICE), id=DeviceId("phone"), first_seen=SEEN, last_seen=SEEN)


def configure(shell, text):
    with (shell.folder / "eas-server.toml").open("a") as file:
        file.write(text)


# ---- tokens


def test_a_token_is_shown_once_and_kept_as_a_digest(shell):
    token = shell("token", "add", "portal").strip()
    file = shell.folder / "administration.tokens"
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in file.read_text()
    assert len(token) > 40
    assert tokens.Tokens(file).who(token) == "portal"
    assert shell("token", "list").split() == ["portal"]
    assert json.loads(shell("token", "list", "--json")) == ["portal"]
    assert "already" in shell.refused("token", "add", "portal")
    shell("token", "add", "other", "--out", "other.token")
    written = shell.folder / "other.token"
    assert tokens.Tokens(file).who(written.read_text().strip()) == "other"
    assert written.stat().st_mode & 0o777 == 0o600
    shell("token", "remove", "portal", "--yes")
    assert tokens.Tokens(file).who(token) is None
    assert "no token portal" in shell.refused("token", "remove", "portal", "--yes")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "#x", "x" * 100, "a\nb", "ä"])
def test_names_of_tokens(shell, name):
    shell.refused("token", "add", name)
    assert not (shell.folder / "administration.tokens").exists()


@pytest.mark.parametrize("text", ["portal", "portal 12", f"a b {'0' * 64}", f"x {'G' * 64}"])
def test_a_file_of_tokens_that_is_none(tmp_path, text):
    file = tmp_path / "tokens"
    file.write_text(f"# a comment\n\n{text}\n")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="line 3"):
        tokens.read(file)


def test_the_empty_token_is_nobodys(tmp_path):
    tokens.add(tmp_path / "tokens", "one")
    for token in ("", " ", "one"):
        assert tokens.Tokens(tmp_path / "tokens").who(token) is None
    with pytest.raises(ThereAlready):
        tokens.add(tmp_path / "tokens", "one")


# ---- switches


def test_switches_are_kept_beside_the_store(tmp_path):
    path = switches.path_of(tmp_path / "store.db")
    assert switches.read(path) == Switches()
    done = [
        threading.Thread(
            target=switches.change,
            args=(path, lambda before, n=n: policies.with_policy_of_user(before, UserId(f"u{n}"), "board")),
        )
        for n in range(20)
    ]
    for each in done:
        each.start()
    for each in done:
        each.join()
    assert len(switches.read(path).policy_of_user) == 20, "no change is lost"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["switches.json", "switches.json.lock"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"require_tls": "yes"}', '{"quirks": {"X": 1}}', "\xff"])
def test_switches_that_are_none(tmp_path, text):
    path = tmp_path / "switches.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="mend it, or remove it"):
        switches.read(path)
    with pytest.raises(ConfigError):
        switches.change(path, lambda before: before)


def test_which_policy_holds():
    known = {name: PolicySettings(name=name) for name in ("default", "own", "group", "late", "switched")}
    settings = Settings(
        policies=known,
        policy_of_user={"alice": "own"},
        policy_of_group={"a@x": "group", "b@x": "late"},
    )
    members = {"a@x": frozenset({"alice", "bob"}), "b@x": frozenset({"bob", "carol"}), "c@x": frozenset({"carol"})}
    assert policies.assigned(settings, Switches(), members) == {"alice": "own", "bob": "group", "carol": "late"}
    switched = Switches(
        policy_of_user={"alice": "switched", "dave": "gone"}, policy_of_group={"c@x": "own", "a@x": "nowhere"}
    )
    found = policies.assigned(settings, switched, members)
    assert found == {"alice": "switched", "bob": "late", "carol": "own"}, "policies that are no more count as none"


def test_policies(shell):
    configure(shell, f'[policies.board]\nstrict = true\nusers = ["{ALICE}"]\ngroups = ["team@example.com"]\n')
    configure(shell, "[policies.staff]\n")
    shell("group", "add", "team@example.com", "--member", BOB)
    listed = {each["name"]: each for each in json.loads(shell("policy", "list", "--json"))}
    assert (listed["board"]["users"], listed["board"]["groups"]) == ([ALICE], ["team@example.com"])
    assert "default" in shell("policy", "list")
    assert json.loads(shell("user", "show", BOB, "--json"))["policy"] == "board"
    shell("policy", "assign", "staff", "--user", BOB)
    assert json.loads(shell("user", "show", BOB, "--json"))["policy"] == "staff"
    shell("policy", "unassign", "--user", BOB)
    shell("policy", "assign", "staff", "--group", "team@example.com")
    assert json.loads(shell("user", "show", BOB, "--json"))["policy"] == "staff"
    assert json.loads(shell("user", "show", ALICE, "--json"))["policy"] == "board"
    shell("policy", "unassign", "--group", "team@example.com")
    assert json.loads(shell("user", "show", BOB, "--json"))["policy"] == "board"
    assert "the configuration has board, default, staff" in shell.refused("policy", "assign", "x", "--user", BOB)
    shell.refused("policy", "assign", "staff", "--user", "eve")
    shell.refused("policy", "assign", "staff", "--group", "eve@example.com")
    shell.refused("policy", "assign", "staff", status=2)


def test_quirks(shell):
    configure(shell, '[quirks.FIND_AT_14_1]\nexcept_clients = ["Android*"]\nversions = ["14.1"]\n')
    listed = {each["name"]: each for each in json.loads(shell("quirk", "list", "--json"))}
    assert set(listed) == set(QUIRKS)
    assert listed["FIND_AT_14_1"]["for"] == "not of Android*; at 14.1"
    assert listed["EMPTY_PICTURE"]["for"] == "always"
    assert "iOS Contacts" in shell("quirk", "list")
    shell("quirk", "off", "EMPTY_PICTURE")
    shell("quirk", "on", "FIND_AT_14_1")
    listed = {each["name"]: each["for"] for each in json.loads(shell("quirk", "list", "--json"))}
    assert (listed["EMPTY_PICTURE"], listed["FIND_AT_14_1"]) == ("never, switched", "always, switched")
    shell("quirk", "reset", "EMPTY_PICTURE")
    assert switches.read(shell.folder / "switches.json").quirks == {"FIND_AT_14_1": True}
    assert "eas-server quirk list" in shell.refused("quirk", "off", "FIND")


def test_require_tls(shell):
    assert "refused" in shell("require-tls", "on")
    assert switches.read(shell.folder / "switches.json").require_tls is True
    assert "taken" in shell("require-tls", "reset")
    assert switches.read(shell.folder / "switches.json").require_tls is None
    shell.refused("require-tls", "maybe", status=2)


def test_calendars(shell):
    shell("calendar", "rights", ALICE, "--default", "none", "--for", f"{BOB}=read")
    shell("calendar", "delegates", ALICE, BOB, "--only")
    shown = json.loads(shell("calendar", "show", ALICE, "--json"))
    assert shown == {"default": "none", "others": {BOB: "read"}, "delegates": [BOB], "only": True}
    assert "to the delegates alone" in shell("calendar", "show", ALICE)
    shell("calendar", "rights", ALICE, "--for", f"{BOB}=")
    rights = shell.in_store(lambda store: store.preferences.preference(UserId(ALICE), CalendarRights))
    assert rights == CalendarRights(default=CalendarRight.NONE)
    shell("calendar", "delegates", ALICE)
    assert shell.in_store(lambda store: store.preferences.preference(UserId(ALICE), Delegates)) == Delegates()
    shell.refused("calendar", "rights", ALICE, status=2)
    shell.refused("calendar", "rights", ALICE, "--for", f"{BOB}=all", status=2)
    shell.refused("calendar", "rights", ALICE, "--for", BOB, status=2)
    shell.refused("calendar", "rights", ALICE, "--for", "eve=read")
    shell.refused("calendar", "delegates", ALICE, ALICE)
    shell.refused("calendar", "delegates", ALICE, "--only")
    shell.refused("calendar", "show", "eve")


# ---- traces


def test_a_trace_is_switched_and_shown(shell):
    shell.in_store(lambda store: store.state.change_device(DEVICE.user, DEVICE.id, lambda _: DEVICE))
    assert "switch it on" in shell.refused("device", "trace", ALICE, "phone")
    shell("device", "trace", ALICE, "phone", "--on", "--minutes", "15")
    device = shell.in_store(lambda store: store.state.device(DEVICE.user, DEVICE.id))
    left = device.trace_until - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    (shell.folder / "traces").mkdir()
    (shell.folder / "traces" / f"{ALICE}+phone.trace").write_text("=== Sync\n")
    assert shell("device", "trace", ALICE, "phone") == "=== Sync\n"
    shell("device", "trace", ALICE, "phone", "--off")
    assert shell.in_store(lambda store: store.state.device(DEVICE.user, DEVICE.id)).trace_until is None
    shell.refused("device", "trace", ALICE, "nowhere", "--on")
    shell.refused("device", "trace", ALICE, "phone", "--on", "--minutes", "0", status=2)


def test_a_trace_is_followed(shell, monkeypatch):
    shell.in_store(lambda store: store.state.change_device(DEVICE.user, DEVICE.id, lambda _: DEVICE))
    path = shell.folder / "traces" / f"{ALICE}+phone.trace"
    steps = iter(["=== one\n", "=== two\n", None])

    def look(_: float) -> None:
        text = next(steps)
        if text is None:
            raise KeyboardInterrupt
        path.parent.mkdir(exist_ok=True)
        if "two" in text:
            path.rename(path.with_suffix(".old"))
        path.write_text(text)

    monkeypatch.setattr(time, "sleep", look)
    result = shell.try_("device", "trace", ALICE, "phone", "--on", "--follow")
    assert [line for line in result.stdout.splitlines() if line.startswith("===")] == ["=== one", "=== two"]
