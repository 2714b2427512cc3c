"""`eas-server device`."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eas_server.backends.sqlite import open_store
from eas_server.model.device import Access, Device, PolicyState
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
