"""Policies by group, with the groups of a real OpenLDAP and the accounts of this server."""

from pathlib import Path

import pytest

from eas_server.administration import policies
from eas_server.backends.memory.people import MemoryPeople
from eas_server.backends.memory.world import World
from eas_server.model.settings import PolicySettings, Settings
from eas_server.web.in_force import InForce
from eas_server.web.settings import Live, WebSettings
from tests.integration.slapd import Slapd, private_slapd, shared_slapd
from tests.integration.test_ldap_directory import directory_of

slapd, own_slapd = shared_slapd, private_slapd
pytestmark = pytest.mark.integration("slapd")


@pytest.fixture
async def accounts() -> MemoryPeople:
    people = MemoryPeople(World())
    for name in ("alice", "bob", "erin"):
        await people.add_user(f"{name}@example.com", "secret")
    return people


GROUPS = {
    "team@example.com": {"alice", "bob"},
    "team": {"alice", "bob"},
    "all@example.com": {"alice", "bob", "erin"},
    "nobody@example.com": None,
    "alice@example.com": None,
}


@pytest.mark.parametrize(("group", "expected"), GROUPS.items(), ids=list(GROUPS))
async def test_users_of_a_group(slapd: Slapd, accounts: MemoryPeople, group: str, expected: set[str] | None) -> None:
    """People who have no account here are left out, nested groups are expanded, and a person is no group."""
    async with directory_of(slapd) as directory:
        found = await policies.users_of(group, directory, accounts)
    assert found == (None if expected is None else {f"{name}@example.com" for name in expected})


async def test_members_stay_while_ldap_is_away(own_slapd: Slapd, accounts: MemoryPeople, tmp_path: Path) -> None:
    settings = Settings(
        policies={"default": PolicySettings(), "board": PolicySettings(name="board")},
        policy_of_group={"team@example.com": "board"},
    )
    async with directory_of(own_slapd, retry_after=0.01) as directory:
        in_force = InForce(Live(WebSettings(settings=settings)), tmp_path / "switches.json", directory, accounts)
        await in_force.refresh()
        before = in_force.live.web.settings.policy_of_user
        assert before == {"alice@example.com": "board", "bob@example.com": "board"}
        own_slapd.stop()
        await in_force.refresh()
        assert in_force.live.web.settings.policy_of_user == before
