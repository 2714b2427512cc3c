"""The gate: one table of who gets through, and with which Status who does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.model.device import Access, PolicyState, Wipe
from eas_server.model.settings import PolicySettings
from eas_server.web.gate import Request, decide
from protocol.status import CommonStatus, http_status_before_14

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = 1307199584
HELD = PolicyState(key=KEY, pending_key=7, digest="now", acknowledged=NOW - timedelta(hours=5))
STRICT = PolicySettings(strict=True)
LOOSE = PolicySettings()
ASKING = PolicySettings(settings={"DevicePasswordEnabled": True})

ALLOWED = Request(
    eas_enabled=True,
    access=Access.ALLOWED,
    wipe=Wipe.NONE,
    state=HELD,
    policy=STRICT,
    digest="now",
    gated=True,
    policy_key=KEY,
)
NEW = replace(ALLOWED, state=PolicyState())


@pytest.mark.requirement(
    "MS-ASPROV_R458",
    "MS-ASPROV_R685",
    "MS-ASPROV_R487",
    "MS-ASPROV_R693",
    "MS-ASCMD_R4904",
    "MS-ASCMD_R4906",
    "MS-ASCMD_R4909",
    "MS-ASCMD_R4912",
)
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (ALLOWED, None),
        # no key sent
        (replace(ALLOWED, policy_key=None), 141),
        (replace(NEW, policy_key=None), 141),
        (replace(NEW, policy_key=None, policy=LOOSE), None),
        (replace(ALLOWED, policy_key=None, policy=LOOSE), None),
        # key 0
        (replace(NEW, policy_key=0), 142),
        (replace(ALLOWED, policy_key=0), 142),
        (replace(NEW, policy_key=0, policy=LOOSE), None),
        (replace(NEW, policy_key=0, policy=ASKING), 142),
        (replace(NEW, policy_key=0, policy=ASKING, asked=True), None),
        (replace(NEW, policy_key=0, asked=True), 142),
        (replace(ALLOWED, policy_key=0, policy=LOOSE), 142),
        # another key
        (replace(ALLOWED, policy_key=KEY + 1), 144),
        (replace(ALLOWED, policy_key=7), 144),
        (replace(ALLOWED, policy_key=-1), 144),
        (replace(ALLOWED, policy_key=KEY + 1, policy=LOOSE), 144),
        (replace(NEW, policy_key=KEY, policy=LOOSE), 144),
        # the policy changed, or is due
        (replace(ALLOWED, digest="new"), 143),
        (replace(ALLOWED, digest="new", policy=LOOSE), 143),
        (replace(ALLOWED, state=replace(HELD, partial=True)), 143),
        (replace(ALLOWED, state=replace(HELD, partial=True), policy=LOOSE), None),
        (replace(ALLOWED, policy=replace(STRICT, refresh_hours=5)), 143),
        (replace(ALLOWED, policy=replace(STRICT, refresh_hours=6)), None),
        (replace(ALLOWED, policy=replace(STRICT, refresh_hours=6), state=replace(HELD, acknowledged=None)), 143),
        # wipe, block, account
        (replace(ALLOWED, wipe=Wipe.PENDING), 140),
        (replace(ALLOWED, wipe=Wipe.SENT, policy_key=None, access=Access.BLOCKED), 140),
        (replace(ALLOWED, wipe=Wipe.DONE), None),
        (replace(ALLOWED, wipe=Wipe.FAILED), 140),
        (replace(ALLOWED, access=Access.BLOCKED), 129),
        (replace(ALLOWED, eas_enabled=False, wipe=Wipe.PENDING), 126),
    ],
)
def test_the_table(request_: Request, status: int | None) -> None:
    assert decide(request_, NOW) == status


@pytest.mark.requirement("MS-ASPROV_R757", "MS-ASPROV_R61103")
@given(
    key=st.sampled_from([None, 0, 7, KEY, KEY + 1]),
    policy=st.sampled_from([STRICT, LOOSE, ASKING, PolicySettings(strict=True, refresh_hours=1)]),
    state=st.sampled_from([PolicyState(), HELD]),
    wipe=st.sampled_from(list(Wipe)),
)
def test_ping_and_provision_pass_whatever_the_key(
    key: int | None, policy: PolicySettings, state: PolicyState, wipe: Wipe
) -> None:
    request_ = replace(ALLOWED, gated=False, policy_key=key, policy=policy, state=state, wipe=wipe)
    assert decide(request_, NOW) is None


@pytest.mark.parametrize("wipe", [Wipe.NONE, Wipe.DONE])
def test_the_block_of_an_administrator_holds_for_every_command(wipe: Wipe) -> None:
    request_ = replace(ALLOWED, gated=False, access=Access.BLOCKED, wipe=wipe)
    assert decide(request_, NOW) is CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER


@pytest.mark.requirement(
    "MS-ASCMD_R7561", "MS-ASCMD_R7562", "MS-ASCMD_R7563", "MS-ASCMD_R7564", "MS-ASCMD_R7565", "MS-ASCMD_R7566"
)
@pytest.mark.parametrize("status", [140, 141, 142, 143, 144])
def test_before_14_0_all_of_it_is_449(status: int) -> None:
    assert http_status_before_14(CommonStatus(status)) == 449
    without_key = http_status_before_14(CommonStatus(status), policy_key_sent=False)
    assert without_key == (403 if status == 140 else 449)
