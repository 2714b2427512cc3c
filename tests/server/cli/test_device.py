"""`eas-server device`."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eas_server.backends.sqlite import open_store
from eas_server.model.device import Access, Device, PolicyState, Wipe
from eas_server.model.ids import CollectionId, DeviceId, UserId
from tests.server.cli.conftest import CHEAP, Shell

ALICE = "alice@example.com"
PHONE = "ApplDN6GPMSLFMBB"
SEEN = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
DEVICE = Device(
    user=UserId(ALICE),
    id=DeviceId(PHONE),
    type="iPhone",
    user_agent="Apple-iPhone\x1b[2J",
    first_seen=SEEN,
    last_seen=SEEN,
    version="16.1",
    details={"FriendlyName": "Alice's phone", "Model": "iPhone15,2"},
    policy=PolicyState(key=1234, acknowledged=SEEN),
    skipped=((CollectionId("5"), 17, "ValueError: broken \x07 header"),),
)


@pytest.fixture
def shell(shell: Shell) -> Shell:
    shell.in_store(lambda store: store.state.change_device(DEVICE.user, DEVICE.id, lambda _: DEVICE))
    return shell


def access(shell: Shell) -> Access:
    return shell.in_store(lambda store: store.state.device(DEVICE.user, DEVICE.id)).access


def test_devices_are_listed(shell):
    head, row = shell("device", "list").splitlines()
    assert head.split()[:4] == ["USER", "DEVICE", "TYPE", "VERSION"]
    assert row.split() == [ALICE, PHONE, "iPhone", "16.1", "2026-11-20", "08:15", "UTC", "allowed", "acknowledged", "1"]
    assert json.loads(shell("device", "list", "bob@example.com", "--json")) == []
    shell.refused("device", "list", "nobody")


def test_a_recovery_password_is_shown_on_request_only(shell):
    shell.refused("device", "show", ALICE, PHONE, "--recovery-password")
    kept = replace(DEVICE, recovery_password="s3cr3t")
    shell.in_store(lambda store: store.state.change_device(DEVICE.user, DEVICE.id, lambda _: kept))
    assert shell("device", "show", ALICE, PHONE, "--recovery-password") == "s3cr3t\n"
    for asked in (["list"], ["list", "--json"], ["show", ALICE, PHONE], ["show", ALICE, PHONE, "--json"]):
        assert "s3cr3t" not in shell("device", *asked)


def test_a_device_is_shown_with_what_it_was_not_given(shell):
    shown = shell("device", "show", ALICE, PHONE)
    assert "5:17" in shown
    assert "ValueError: broken \\x07 header" in shown
    assert "Alice's phone" in shown
    assert "\x1b" not in shown
    known = json.loads(shell("device", "show", ALICE, PHONE, "--json"))
    assert known["skipped"] == [{"item": "5:17", "reason": "ValueError: broken \x07 header"}]
    assert (known["last_seen"], known["policy"]) == ("2026-11-20T08:15:00Z", "acknowledged")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (PolicyState(), "none"),
        (PolicyState(pending_key=7), "sent"),
        (PolicyState(key=7, partial=True), "acknowledged in part"),
    ],
)
def test_how_far_a_device_is_with_its_policy(shell, policy, said):
    shell.in_store(
        lambda store: store.state.change_device(DEVICE.user, DEVICE.id, lambda _: replace(DEVICE, policy=policy))
    )
    assert json.loads(shell("device", "show", ALICE, PHONE, "--json"))["policy"] == said


def test_block_and_allow(shell):
    for _ in range(2):
        shell("device", "block", ALICE, PHONE)
        assert access(shell) is Access.BLOCKED
    assert "blocked" in shell("device", "list")
    for _ in range(2):
        shell("device", "allow", ALICE, PHONE)
        assert access(shell) is Access.ALLOWED
    assert json.loads(shell("device", "show", ALICE, PHONE, "--json"))["details"] == DEVICE.details


async def test_a_block_outlasts_requests_of_the_device(shell):
    async with open_store(shell.store, hash_cost=CHEAP) as running:
        assert await running.state.device(DEVICE.user, DEVICE.id) is not None  # remembered as it was
        await asyncio.to_thread(shell, "device", "block", ALICE, PHONE)
        changed = await running.state.change_device(
            DEVICE.user, DEVICE.id, lambda found: None if found is None else replace(found, version="16.1")
        )
        assert changed is not None
        assert (changed.access, changed.version) == (Access.BLOCKED, "16.1")


def test_a_device_is_forgotten_after_a_question(shell):
    assert shell.try_("device", "remove", ALICE, PHONE, given="n\n").exit_code == 1
    shell("device", "remove", ALICE, PHONE, given="y\n")
    for command in ("show", "block", "allow", "remove"):
        assert "device list" in shell.refused("device", command, ALICE, PHONE)


@pytest.mark.parametrize("name", ["", "nothing", "x" * 5000, "a\0b", "'; DROP TABLE devices; --"])
def test_devices_that_are_not_there(shell, name):
    shell.refused("device", "show", ALICE, name)
    assert access(shell) is Access.ALLOWED


def wipe(shell: Shell) -> tuple[Wipe, bool]:
    device = shell.in_store(lambda store: store.state.device(DEVICE.user, DEVICE.id))
    return device.wipe, device.wipe_account_only


def put(shell: Shell, **changes: object) -> None:
    changed = replace(DEVICE, **changes)
    shell.in_store(lambda store: store.state.change_device(changed.user, changed.id, lambda _: changed))


@pytest.mark.parametrize(("command", "account_only"), [("wipe", False), ("wipe-account", True)])
def test_a_wipe_is_asked_for_after_a_question_and_cancelled(shell, command, account_only):
    assert shell.try_("device", command, ALICE, PHONE, given="n\n").exit_code == 1
    assert wipe(shell) == (Wipe.NONE, False)
    shell("device", command, ALICE, PHONE, given="y\n")
    assert wipe(shell) == (Wipe.PENDING, account_only)
    known = json.loads(shell("device", "show", ALICE, PHONE, "--json"))
    assert (known["wipe"], known["wipe_account_only"]) == ("pending", account_only)
    assert ("of the account alone" in shell("device", "show", ALICE, PHONE)) == account_only
    assert "cancelled" in shell("device", command, ALICE, PHONE, "--cancel")
    assert wipe(shell) == (Wipe.NONE, False)
    assert "no unconfirmed" in shell.refused("device", command, ALICE, PHONE, "--cancel")


def test_a_wipe_that_was_told_is_cancelled_with_a_note(shell):
    for state in (Wipe.SENT, Wipe.FAILED):
        put(shell, wipe=state)
        shell.refused("device", "wipe-account", ALICE, PHONE, "--cancel")
        assert "told already" in shell.try_("device", "wipe", ALICE, PHONE, "--cancel").stderr
        assert wipe(shell) == (Wipe.NONE, False)
    put(shell, wipe=Wipe.DONE)
    shell.refused("device", "wipe", ALICE, PHONE, "--cancel")
    assert wipe(shell) == (Wipe.DONE, False)
    shell("device", "wipe", ALICE, PHONE, "--yes")
    assert wipe(shell) == (Wipe.PENDING, False)


@pytest.mark.requirement("MS-ASPROV_R6906")
@pytest.mark.parametrize("version", ["12.1", "14.1", "16.0", ""])
def test_a_wipe_of_the_account_alone_needs_16_1(shell, version):
    put(shell, version=version)
    assert "needs 16.1" in shell.refused("device", "wipe-account", ALICE, PHONE, "--yes")
    assert wipe(shell) == (Wipe.NONE, False)
    shell("device", "wipe", ALICE, PHONE, "--yes")


def test_a_wipe_of_the_account_alone_does_not_stand_in_for_a_whole_one(shell):
    shell("device", "wipe-account", ALICE, PHONE, "--yes")
    shell("device", "wipe", ALICE, PHONE, "--yes")
    assert "cancel that first" in shell.refused("device", "wipe-account", ALICE, PHONE, "--yes")
    assert wipe(shell) == (Wipe.PENDING, False)


def test_all_devices_of_a_type_are_wiped_or_none(shell):
    others = [replace(DEVICE, id=DeviceId(name)) for name in ("second", "third", "tablet")]
    others[1] = replace(others[1], version="14.1")
    others[2] = replace(others[2], type="iPad")
    for other in others:
        shell.in_store(lambda store, made=other: store.state.change_device(made.user, made.id, lambda _: made))

    def wiped() -> set[str]:
        return {each["device"] for each in json.loads(shell("device", "list", "--json")) if each["wipe"] == "pending"}

    assert "third" in shell.refused("device", "wipe-account", ALICE, "--type", "iphone", "--yes")
    assert wiped() == set()
    shell("device", "wipe", ALICE, "--type", "iphone", "--yes")
    assert wiped() == {PHONE, "second", "third"}
    shell("device", "wipe", ALICE, "second", "--cancel")
    assert "second" not in shell("device", "wipe", ALICE, "--type", "iPhone", "--cancel")
    assert wiped() == set()
    shell.refused("device", "wipe", ALICE, "--type", "Nokia", "--yes")
    shell.refused("device", "wipe", "bob@example.com", "--type", "iPhone", "--yes")
    shell.refused("device", "wipe", ALICE, status=2)
    shell.refused("device", "wipe", ALICE, PHONE, "--type", "iPhone", status=2)


def test_a_device_that_is_forgotten_is_not_wiped_when_it_comes_again(shell):
    shell("device", "wipe", ALICE, PHONE, "--yes")
    asked = shell.try_("device", "remove", ALICE, PHONE, given="y\n")
    assert "is cancelled" in asked.output
    put(shell)
    assert wipe(shell) == (Wipe.NONE, False)


def test_all_devices_of_a_user_are_forgotten_after_a_question(shell):
    second = replace(DEVICE, id=DeviceId("second"), wipe=Wipe.SENT)
    kept = replace(DEVICE, user=UserId("bob@example.com"))
    for made in (second, kept):
        shell.in_store(lambda store, made=made: store.state.change_device(made.user, made.id, lambda _: made))
    assert shell.try_("device", "forget-all", ALICE, given="n\n").exit_code == 1
    assert len(json.loads(shell("device", "list", "--json"))) == 3
    asked = shell.try_("device", "forget-all", ALICE, given="y\n")
    assert "2 devices" in asked.output
    assert "is cancelled" in asked.output
    assert [each["user"] for each in json.loads(shell("device", "list", "--json"))] == ["bob@example.com"]
    assert "Forgot 0 devices" in shell("device", "forget-all", ALICE)
    shell.refused("device", "forget-all", "nobody", "--yes")
