"""The settings in force: configuration, switches and groups together."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from eas_server.administration import switches
from eas_server.administration.switches import Switches
from eas_server.errors import DirectoryUnavailable
from eas_server.model.directory import Account, DirectoryEntry, EntryKind, Found
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings
from eas_server.web import in_force as module
from eas_server.web.in_force import InForce
from eas_server.web.settings import Live, WebSettings
from protocol.quirks import Switch

ATTEMPTS = 10_000
SETTINGS = Settings(
    policies={name: PolicySettings(name=name) for name in ("default", "board")},
    policy_of_group={"board@example.com": "board"},
)


@dataclass
class People:
    """A directory of groups, and their members' accounts."""

    groups: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"board@example.com": ("alice@example.com",)})
    away: bool = False
    asked: int = 0
    twice: bool = False

    async def resolve(self, name: str, limit: int) -> Found:
        self.asked += 1
        if self.away:
            raise DirectoryUnavailable("away")
        entry = DirectoryEntry(key=name, kind=EntryKind.GROUP, display_name=name, email=name)
        entries = (entry, replace(entry, key="2"))[: 2 if self.twice else 1] if name in self.groups else ()
        return Found(entries=entries, total=len(entries))

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        people = tuple(DirectoryEntry(key=each, display_name=each, email=each) for each in self.groups[group.email])
        return Found(entries=people, total=len(people))

    async def by_address(self, address: str) -> Account | None:
        if not address.endswith("@example.com"):
            return None
        return Account(user=UserId(address), address=address, addresses=frozenset({address}))


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def in_force(tmp_path: Path, people: People) -> InForce:
    return InForce(Live(WebSettings(settings=SETTINGS)), tmp_path / "switches.json", people, people)  # type: ignore[arg-type]


def assigned(in_force: InForce) -> Mapping[str, str]:
    return in_force.live.web.settings.policy_of_user


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(ATTEMPTS):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not look around")


async def test_a_request_asks_no_directory(in_force, people):
    await in_force.refresh()
    assert (assigned(in_force), people.asked) == ({"alice@example.com": "board"}, 1)
    people.groups["board@example.com"] = ("bob@example.com", "stranger@elsewhere.example")
    assert assigned(in_force) == {"alice@example.com": "board"}
    await in_force.refresh()
    assert assigned(in_force) == {"bob@example.com": "board"}


async def test_members_stay_while_the_directory_is_away(in_force, people, caplog):
    await in_force.refresh()
    people.away = True
    await in_force.refresh()
    assert assigned(in_force) == {"alice@example.com": "board"}
    assert "who was in them stays" in caplog.text


@pytest.mark.parametrize("how", ["gone", "twice"])
async def test_a_group_that_is_not_there_is_told_once(in_force, people, caplog, how):
    if how == "gone":
        people.groups.clear()
    people.twice = how == "twice"
    for _ in range(3):
        await in_force.refresh()
    assert caplog.text.count("has no group board@example.com") == 1
    assert assigned(in_force) == {}


async def test_what_is_switched_goes_before_the_configuration(in_force):
    switches.change(
        in_force.path,
        lambda _: Switches(require_tls=True, policy_of_user={"alice@example.com": "default"}, quirks={"X": False}),
    )
    await in_force.refresh()
    assert in_force.live.web.require_tls is True
    assert assigned(in_force) == {"alice@example.com": "default"}
    assert in_force.live.web.settings.quirks == {"X": Switch(on=False)}
    other = WebSettings(settings=replace(SETTINGS, external_url="https://other.example.com"))
    in_force.rebase(other)
    assert in_force.live.web.settings.external_url == "https://other.example.com"
    assert in_force.live.web.require_tls is True, "a reload of the configuration leaves it"
    in_force.path.unlink()
    await in_force.refresh()
    assert (in_force.live.web.require_tls, assigned(in_force)) == (False, {"alice@example.com": "board"})


async def test_broken_switches_leave_what_was(in_force, caplog):
    switches.change(in_force.path, lambda _: Switches(require_tls=True))
    await in_force.refresh()
    in_force.path.write_text("{")
    await in_force.refresh()
    assert in_force.live.web.require_tls is True
    assert "mend it" in caplog.text


async def test_it_looks_around(in_force, people, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    await in_force.refresh()
    job = asyncio.create_task(in_force.run())
    switches.change(in_force.path, lambda _: Switches(require_tls=True))
    await until(lambda: in_force.live.web.require_tls)
    asked = people.asked
    monkeypatch.setattr(module, "GROUPS_SECONDS", 0.0)
    await until(lambda: people.asked > asked)
    job.cancel()
