"""The handlers of Sync, Ping and GetItemEstimate against devices that lose answers, repeat, race and change their mind.

Each answer is judged as it comes (`sync_dialogue`); at the end every device holds what its filter shows.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from eas_server.model.ids import CollectionId, ItemId
from eas_server.model.mail import Flag, StateChange, Verb
from protocol.commands.sync import Change, Conflict, Delete, Options
from protocol.items import email
from protocol.items.email import Email, FlagStatus
from protocol.versions import V14_0
from tests.properties.sync_dialogue import Ask, Handset, change_command, handsets
from tests.properties.sync_ground import DEVICES, FOLDERS, Ground
from tests.server.commands.support import ALICE

T = TypeVar("T")
DAY = datetime(2026, 11, 1, tzinfo=UTC)

devices = st.sampled_from(sorted(DEVICES))
folders = st.sampled_from(FOLDERS)
picks = st.integers(0, 10**6)
windows = st.sampled_from([None, 1, 2, 3, 5, 0])
hours = st.sampled_from([0, 1, 5, 23, 25, 60, 71, 73, 200])
options = st.builds(
    Options,
    filter_type=st.sampled_from([None, 0, 1, 2, 3]),
    conflict=st.sampled_from([None, Conflict.CLIENT_WINS, Conflict.SERVER_WINS]),
)
_FLAG = email.Flag(status=FlagStatus.ACTIVE, flag_type="later")
WISHES = {
    "read": Email(read=True),
    "unread": Email(read=False),
    "flag": Email(flag=_FLAG),
    "unflag": Email(flag=email.Flag()),
    "red": Email(categories=("red",)),
    "plain": Email(categories=()),
    "read and flag": Email(read=True, flag=_FLAG),
    "unread and red": Email(read=False, categories=("red",)),
}
"""What a device may do to an item; "delete" beside these."""
Wish = tuple[int, str]
state_changes = st.one_of(
    st.builds(StateChange, read=st.booleans()),
    st.builds(StateChange, flag=st.sampled_from([None, Flag(type="soon")])),
    st.builds(StateChange, categories=st.sampled_from([(), ("white",), ("red",)])),
    st.builds(StateChange, verb=st.sampled_from(list(Verb)), verb_time=st.just(DAY)),
    st.builds(StateChange, read=st.booleans(), categories=st.sampled_from([(), ("black",)])),
)
commands = st.lists(st.tuples(picks, st.sampled_from(["delete", *WISHES])), min_size=1, max_size=3)
"""What to do to items, which are picked by number."""


class SyncHandlerMachine(RuleBasedStateMachine):
    """Three devices of three versions on one mailbox in memory."""

    validates = True
    durable = False

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.ground: Ground
        self.devices: dict[str, Handset]
        self.last: dict[str, tuple[Ask, str]] = {}

    def awaited(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(ages=st.lists(st.tuples(folders, hours), max_size=10), octets=st.sampled_from([2500, 8_000_000]))
    def begin(self, ages: Sequence[tuple[CollectionId, int]], octets: int) -> None:
        folder = None
        if self.durable:
            folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.ground = self.awaited(Ground.open(self.stack, folder, window_bytes=octets, validates=self.validates))
        self.devices = handsets(self.ground)
        for name, age in ages:
            self.awaited(self.ground.deliver(name, timedelta(hours=age)))

    def teardown(self) -> None:
        try:
            if hasattr(self, "ground"):
                for device in self.devices.values():
                    for folder in FOLDERS:
                        self.awaited(device.settle(folder, 2))
        finally:
            self.awaited(self.stack.aclose())
            self.runner.close()

    # ---- other writers

    @rule(folder=folders, age=hours)
    def mail_comes(self, folder: CollectionId, age: int) -> None:
        self.awaited(self.ground.deliver(folder, timedelta(hours=age)))

    def pick(self, folder: CollectionId, pick: int) -> ItemId | None:
        there = sorted(self.awaited(self.ground.snapshot())[folder])
        return there[pick % len(there)] if there else None

    @rule(folder=folders, pick=picks, change=state_changes)
    def somebody_changes(self, folder: CollectionId, pick: int, change: StateChange) -> None:
        item = self.pick(folder, pick)
        if item is not None:
            self.awaited(self.ground.change(folder, item, change))

    @rule(folder=folders, pick=picks)
    def somebody_deletes(self, folder: CollectionId, pick: int) -> None:
        item = self.pick(folder, pick)
        if item is not None:
            self.awaited(self.ground.mail.delete(ALICE.user, folder, [item]))

    @rule(source=folders, goal=folders, pick=picks)
    def somebody_moves(self, source: CollectionId, goal: CollectionId, pick: int) -> None:
        item = self.pick(source, pick)
        if item is not None and source != goal:
            self.awaited(self.ground.mail.move(ALICE.user, source, [item], goal))

    @rule(passed=st.integers(1, 30))
    def time_passes(self, passed: int) -> None:
        self.ground.now += timedelta(hours=passed)

    # ---- devices

    def made(self, device: Handset, folder: CollectionId, wanted: Sequence[Wish]) -> tuple[Change | Delete, ...]:
        """Commands on items that the device holds, one each."""
        known = sorted(device.folders[folder].items)
        found: dict[ItemId, Change | Delete] = {}
        for pick, wish in wanted if known else ():
            item = known[pick % len(known)]
            if wish == "delete":
                found[item] = Delete(server_id=f"{folder}:{item}")
            elif WISHES[wish].categories is None or "categories" in device.parts:
                found[item] = change_command(folder, item, WISHES[wish])
        return tuple(found.values())

    @rule(
        name=st.sampled_from(sorted(name for name, version in DEVICES.items() if version >= V14_0)),
        folder=folders,
        window=windows,
        lose=st.booleans(),
        whole=st.booleans(),
        given=st.none() | options,
    )
    def device_asks_for_conversations(
        self, name: str, folder: CollectionId, window: int | None, lose: bool, whole: bool, given: Options | None
    ) -> None:
        self.ask(name, Ask(folder=folder, window=window, options=given, whole=whole), lose=lose)

    @rule(name=devices, folder=folders, window=windows, lose=st.booleans(), given=st.none() | options)
    def device_asks(
        self, name: str, folder: CollectionId, window: int | None, lose: bool, given: Options | None
    ) -> None:
        self.ask(name, Ask(folder=folder, window=window, options=given), lose=lose)

    @rule(
        name=devices,
        folder=folders,
        wanted=commands,
        lose=st.booleans(),
        window=windows,
        get_changes=st.sampled_from([None, True, False]),
        moves=st.sampled_from([None, True, False]),
        given=st.none() | options,
    )
    def device_writes(
        self,
        name: str,
        folder: CollectionId,
        wanted: Sequence[Wish],
        lose: bool,
        window: int | None,
        get_changes: bool | None,
        moves: bool | None,
        given: Options | None,
    ) -> None:
        ask = Ask(
            folder=folder,
            commands=self.made(self.devices[name], folder, wanted),
            window=window,
            get_changes=get_changes,
            deletes_as_moves=moves,
            options=given,
        )
        self.ask(name, ask, lose=lose)

    def ask(self, name: str, ask: Ask, *, lose: bool) -> None:
        device = self.devices[name]
        key = device.folders[ask.folder].key
        if lose and key != "0":
            self.last[name] = ask, key
        self.awaited(device.ask(ask, lose=lose))

    @rule(name=devices, lose=st.booleans())
    def device_repeats(self, name: str, lose: bool) -> None:
        """The very request whose answer was lost."""
        ask, key = self.last.get(name, (None, ""))
        device = self.devices[name]
        if ask is not None and device.folders[ask.folder].key == key:
            self.awaited(device.ask(ask, lose=lose))

    @rule(
        name=devices,
        wanted=st.lists(st.tuples(folders, windows), min_size=2, max_size=3),
        window=windows,
        lose=st.booleans(),
    )
    def device_asks_for_several(
        self, name: str, wanted: Sequence[tuple[CollectionId, int | None]], window: int | None, lose: bool
    ) -> None:
        asks = {folder: Ask(folder=folder, window=size) for folder, size in wanted}
        self.awaited(self.devices[name].ask(*asks.values(), window=window, lose=lose))

    @rule(name=devices, lose=st.booleans())
    def device_sends_nothing(self, name: str, lose: bool) -> None:
        self.awaited(self.devices[name].ask_empty(lose=lose))

    @rule(name=devices, folder=folders, window=windows, lose=st.booleans(), wanted=commands)
    def device_asks_partially(
        self, name: str, folder: CollectionId, window: int | None, lose: bool, wanted: Sequence[Wish]
    ) -> None:
        device = self.devices[name]
        made = self.made(device, folder, wanted[1:])
        # A deletion that moves would come too late for folders that were answered before.
        ask = Ask(folder=folder, window=window, commands=made, deletes_as_moves=False)
        self.awaited(device.ask_partial(ask, lose=lose))

    @rule(
        name=devices,
        folder=folders,
        one=commands,
        other=commands,
        sizes=st.tuples(windows, windows),
        first=st.booleans(),
    )
    def device_races(
        self,
        name: str,
        folder: CollectionId,
        one: Sequence[Wish],
        other: Sequence[Wish],
        sizes: tuple[int | None, int | None],
        first: bool,
    ) -> None:
        device = self.devices[name]
        if self.durable:  # between two answers nobody can tell who wrote what
            one = other = ()
        asks = [
            Ask(folder=folder, window=size, commands=self.made(device, folder, wanted[1:]))
            for size, wanted in zip(sizes, (one, other), strict=True)
        ]
        self.awaited(device.race(asks[0], asks[1], take_first=first))

    @rule(name=devices, folder=folders, lose=st.booleans())
    def device_starts_anew(self, name: str, folder: CollectionId, lose: bool) -> None:
        self.awaited(self.devices[name].start(folder, lose=lose))

    @rule(name=devices)
    def device_pings(self, name: str) -> None:
        self.awaited(self.devices[name].ping())

    @rule(name=devices, folder=folders)
    def device_estimates(self, name: str, folder: CollectionId) -> None:
        self.awaited(self.devices[name].estimate(folder))

    @rule(name=devices, folder=folders, window=windows)
    def device_catches_up(self, name: str, folder: CollectionId, window: int | None) -> None:
        self.awaited(self.devices[name].settle(folder, window))


class DurableMachine(SyncHandlerMachine):
    """The same on SQLite."""

    durable = True


_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

SyncHandlerMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=_SLOW
)
DurableMachine.TestCase.settings = settings(
    max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=_SLOW
)
TestSyncHandlers = pytest.mark.requirement(
    "MS-ASCMD_R3063", "MS-ASCMD_R3064", "MS-ASCMD_R4765", "MS-ASCMD_R3456", "MS-ASCMD_R667", "MS-ASCMD_R5636"
)(SyncHandlerMachine.TestCase)
TestSyncHandlersOnSqlite = DurableMachine.TestCase
