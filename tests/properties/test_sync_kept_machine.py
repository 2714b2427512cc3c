"""Contacts, events, tasks and notes through the real handler: devices of several versions that add, change and delete,
lose answers, repeat requests or change their mind, beside writers that are no devices. All of them agree in the end.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from eas_server.backends.memory import MemoryStore
from eas_server.backends.sqlite import HashCost, open_store
from eas_server.commands import kept_items, sync
from eas_server.model.ids import CollectionId, DeviceId, ItemId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.model.view import NO_LIMIT, TOP
from eas_server.notify import ChangeNotifier
from protocol.commands.sync import (
    Add,
    AddResponse,
    Change,
    ClientCommands,
    Collection,
    CollectionResponse,
    Collections,
    Conflict,
    Delete,
    Options,
    Request,
    Response,
    ServerAdd,
    Status,
)
from protocol.datatypes import TimeZone
from protocol.items.calendar import Calendar
from protocol.items.contacts import Contact
from protocol.items.email import BusyStatus
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump, load
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.support import ALICE, NOW, Bench, check_streamed

T = TypeVar("T")
Value = tuple[str, str]
"""What an item says: a name, and one more word."""
Wish = tuple[str, int, str, str]
"""What a device does: "add", "change" or "delete", to which item, with which words."""

CHEAP: Final = HashCost(passes=1, kibibytes=8, lanes=1)
WORDS: Final = ("tea", "milk", "bread", "salt")
ROUNDS: Final = 60
"""Answers within which a device has everything."""
UNKNOWN: Final = ("", "")
"""Of an item whose change the server refused: it says itself what holds."""


def _event(value: Value, number: int) -> Calendar:
    start = NOW + timedelta(hours=number % 50)
    return Calendar(
        time_zone=TimeZone().dump(),
        all_day_event=False,
        start_time=start,
        end_time=start + timedelta(hours=1),
        busy_status=BusyStatus.BUSY,
        subject=value[0],
        categories=(value[1],),
    )


@dataclass(frozen=True)
class Kind:
    """A class: how a value is said in it, and read from it."""

    item_class: ItemClass
    folder: FolderType
    say: Any
    hear: Any
    versions: tuple[ProtocolVersion, ...] = (V12_1, V14_1, V16_1)


CONTACTS = Kind(
    ItemClass.CONTACTS,
    FolderType.CONTACTS,
    lambda value, _: Contact(last_name=value[0], job_title=value[1]),
    lambda item: (item.last_name, item.job_title),
)
EVENTS = Kind(ItemClass.CALENDAR, FolderType.CALENDAR, _event, lambda item: (item.subject, *item.categories))
TASKS = Kind(
    ItemClass.TASKS,
    FolderType.TASKS,
    lambda value, _: Task(subject=value[0], categories=(value[1],)),
    lambda item: (item.subject, *item.categories),
    (V12_1, V14_0, V16_0),
)
NOTES = Kind(
    ItemClass.NOTES,
    FolderType.NOTES,
    lambda value, _: Note(subject=value[0], message_class="IPM.StickyNote", categories=(value[1],)),
    lambda item: (item.subject, *item.categories),
    (V14_0, V14_1, V16_1),
)


@dataclass
class Ground:
    """Alice's folder of the class."""

    kind: Kind
    store: Any
    bench: Bench
    folder: CollectionId
    writes: int = 0
    """How many changes were made, by anybody."""

    @classmethod
    async def open(cls, stack: AsyncExitStack, kind: Kind, path: Path | None) -> "Ground":
        notifier = ChangeNotifier()
        store: Any = MemoryStore(notifier)
        if path is not None:
            store = await stack.enter_async_context(open_store(path / "s.db", notifier=notifier, hash_cost=CHEAP))
        await store.admin.add_user(str(ALICE.user), None)
        bench = Bench(
            folders=store.folders,
            state=store.state,
            notifier=notifier,
            mail=store.mail,
            search=store.mail,
            accounts=store.accounts,
            directory=store.directory,
            preferences=store.preferences,
        )
        folders = await store.folders.folders(ALICE.user)
        return cls(kind, store, bench, next(f.id for f in folders if f.type is kind.folder))

    def writing(self, version: ProtocolVersion) -> kept_items.Writing:
        self.writes += 1
        return kept_items.Writing(
            version=version, now=NOW, uid=f"other{self.writes}", account=ALICE, device_type="", supported=None
        )

    async def there(self) -> dict[ItemId, Any]:
        """All items of the folder."""
        mail = self.store.mail
        page = await mail.page(ALICE.user, self.folder, below=TOP, not_before=NO_LIMIT, limit=10_000)
        return {item.id: item for item in await mail.fetch(ALICE.user, self.folder, [entry.id for entry in page])}

    async def said(self, version: ProtocolVersion) -> dict[str, Value]:
        """What each item says to devices of a version, by ServerId."""
        how = kept_items.Reading(version=version, now=NOW, account=ALICE, preferences=(), file_reference=str)
        kept = kept_items.KEPT[self.kind.item_class]
        return {
            f"{self.folder}:{number}": self.kind.hear(kept.read(await kept_items.octets_of(item), how))
            for number, item in (await self.there()).items()
        }

    async def add(self, value: Value) -> None:
        """Another writer adds an item."""
        data = dump(self.kind.say(value, self.writes), V14_1)
        octets = kept_items.written(self.kind.item_class, None, data, self.writing(V14_1))
        await self.store.mail.add(ALICE.user, self.folder, kept_items.new_item(self.kind.item_class, octets))

    async def change(self, pick: int, value: Value) -> None:
        """Another writer changes one."""
        there = await self.there()
        if not there:
            return
        item = there[sorted(there)[pick % len(there)]]
        stored = await kept_items.octets_of(item)
        data = dump(self.kind.say(value, self.writes), V14_1)
        octets = kept_items.written(self.kind.item_class, stored, data, self.writing(V14_1))
        new = kept_items.new_item(self.kind.item_class, octets)
        await self.store.mail.replace(ALICE.user, self.folder, item.id, new, item.revision)

    async def delete(self, pick: int) -> None:
        """Another writer deletes one."""
        there = sorted(await self.there())
        if there:
            self.writes += 1
            await self.store.mail.delete(ALICE.user, self.folder, [there[pick % len(there)]])


@dataclass
class Handset:
    """A device: what it holds under the key that it presents."""

    ground: Ground
    bench: Bench
    key: str = "0"
    held: dict[str, Value] = field(default_factory=dict)
    clean: int = -1
    """The number of writes as of which it is known to have everything; -1: it is not known."""
    adds: int = 0
    lost: tuple[Add | Change | Delete, ...] | None = None
    """The commands of the request under the present key whose answer was lost."""
    lost_at: int = -1
    """How many changes had been made then."""

    def made(self, wanted: Sequence[Wish]) -> tuple[Add | Change | Delete, ...]:
        """Commands, at most one for each item."""
        found: dict[str, Add | Change | Delete] = {}
        known = sorted(self.held)
        for what, pick, *words in wanted:
            data = dump(self.ground.kind.say(tuple(words), pick), self.bench.version)
            if what == "add":
                self.adds += 1
                found[f"new{self.adds}"] = Add(client_id=f"{self.bench.device_id}{self.adds}", application_data=data)
            elif known:
                name = known[pick % len(known)]
                found[name] = (
                    Delete(server_id=name) if what == "delete" else Change(server_id=name, application_data=data)
                )
        return tuple(found.values())

    async def ask(
        self,
        commands: tuple[Add | Change | Delete, ...] = (),
        *,
        window: int | None = None,
        conflict: Conflict | None = None,
        lose: bool = False,
    ) -> CollectionResponse | None:
        """One Sync; None for an empty answer."""
        if self.key == "0":
            await self._start()
        before = self.ground.writes
        answer = await self._send(
            Collection(
                sync_key=self.key,
                collection_id=self.ground.folder,
                window_size=window,
                deletes_as_moves=False,
                options=() if conflict is None else (Options(conflict=conflict),),
                commands=ClientCommands(commands=commands) if commands else None,
            )
        )
        self.ground.writes += len(commands)
        if lose:
            self.lost, self.lost_at, self.clean = commands, self.ground.writes, -1
            return answer
        if answer is None:
            assert not commands
            self.clean = self.ground.writes
            return None
        assert answer.status == Status.SUCCESS
        if self.clean == before:
            assert answer.commands is None, "an echo, or news where nothing was written"
        assert answer.sync_key is not None
        self.key, self.lost = answer.sync_key, None
        self._own(commands, answer)
        self._server(answer)
        self.clean = -1 if answer.more_available is not None else self.ground.writes
        return answer

    async def _start(self) -> None:
        answer = await self._send(Collection(sync_key="0", collection_id=self.ground.folder))
        assert answer is not None
        assert answer.sync_key is not None
        self.key, self.held, self.clean, self.lost = answer.sync_key, {}, -1, None

    async def _send(self, asked: Collection) -> CollectionResponse | None:
        response = await sync.handle(
            Request(collections=Collections(collections=(asked,))), await self.bench.context("Sync")
        )
        assert response is None or isinstance(response, Response)
        if response is None:
            return None
        await check_streamed(response, "Sync", self.bench.version)
        assert response.collections is not None
        (answer,) = response.collections.collections
        return answer

    def _own(self, commands: Sequence[Add | Change | Delete], answer: CollectionResponse) -> None:
        """What it did itself holds, as far as the answer does not say otherwise."""
        responses = answer.responses.responses if answer.responses else ()
        added = {each.client_id: each for each in responses if isinstance(each, AddResponse)}
        failed = {each.server_id: each.status for each in responses if not isinstance(each, AddResponse)}
        for command in commands:
            if isinstance(command, Add):
                made = added.pop(command.client_id)
                assert made.status == Status.SUCCESS
                assert made.server_id is not None
                self.held[made.server_id] = self._value(command.application_data)
            elif command.server_id in failed:
                assert failed[command.server_id] in (Status.CONFLICT, Status.NOT_FOUND)
                if failed[command.server_id] == Status.CONFLICT:
                    self.held[command.server_id] = UNKNOWN
            elif isinstance(command, Delete):
                del self.held[command.server_id]
            else:
                self.held[command.server_id] = self._value(command.application_data)
        assert not added, "a response to no Add"

    def _server(self, answer: CollectionResponse) -> None:
        for command in answer.commands.commands if answer.commands else ():
            if isinstance(command, ServerAdd):
                assert command.server_id not in self.held, "an Add of what is held"
                self.held[command.server_id] = self._value(command.application_data)
            else:
                assert command.server_id in self.held, "told of what is not held"
                if isinstance(command, Change):
                    self.held[command.server_id] = self._value(command.application_data)
                else:
                    del self.held[command.server_id]

    def _value(self, data: Any) -> Value:
        element = kept_items.KEPT[self.ground.kind.item_class].element
        found: Value = self.ground.kind.hear(load(element, data))
        return found

    async def settle(self, window: int | None = None) -> None:
        """Ask until nothing is left: then it holds what the store says."""
        for _ in range(ROUNDS):
            if await self.ask(window=window) is None:
                break
        else:
            raise AssertionError("the answers do not end")
        assert self.held == await self.ground.said(self.bench.version)


values = st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS))
picks = st.integers(0, 10**6)
names = st.sampled_from(range(3))
windows = st.sampled_from([None, 1, 2, 0])
conflicts = st.sampled_from([None, Conflict.CLIENT_WINS, Conflict.SERVER_WINS])
wishes = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "change", "change", "delete"]),
        picks,
        st.sampled_from(WORDS),
        st.sampled_from(WORDS),
    ),
    min_size=1,
    max_size=3,
)


class KeptMachine(RuleBasedStateMachine):
    """Three devices and another writer."""

    kind: ClassVar[Kind]
    durable: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.ground: Ground
        self.devices: list[Handset]

    def awaited(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(first=st.lists(values, max_size=4))
    def begin(self, first: Sequence[Value]) -> None:
        path = Path(self.stack.enter_context(tempfile.TemporaryDirectory())) if self.durable else None
        self.ground = self.awaited(Ground.open(self.stack, self.kind, path))
        self.devices = [
            Handset(self.ground, replace(self.ground.bench, device_id=DeviceId(f"d{n}"), version=version))
            for n, version in enumerate(self.kind.versions)
        ]
        for value in first:
            self.awaited(self.ground.add(value))

    def teardown(self) -> None:
        try:
            if hasattr(self, "ground"):
                for device in self.devices:
                    self.awaited(device.settle(2))
                assert len({frozenset(device.held.items()) for device in self.devices}) == 1
        finally:
            self.awaited(self.stack.aclose())
            self.runner.close()

    @rule(value=values)
    def somebody_adds(self, value: Value) -> None:
        self.awaited(self.ground.add(value))

    @rule(pick=picks, value=values)
    def somebody_changes(self, pick: int, value: Value) -> None:
        self.awaited(self.ground.change(pick, value))

    @rule(pick=picks)
    def somebody_deletes(self, pick: int) -> None:
        self.awaited(self.ground.delete(pick))

    @rule(name=names, window=windows, lose=st.booleans())
    def device_asks(self, name: int, window: int | None, lose: bool) -> None:
        self.awaited(self.devices[name].ask(window=window, lose=lose))

    @rule(name=names, wanted=wishes, window=windows, conflict=conflicts, lose=st.booleans())
    def device_writes(
        self, name: int, wanted: Sequence[Wish], window: int | None, conflict: Conflict | None, lose: bool
    ) -> None:
        device = self.devices[name]
        if device.key == "0":
            self.awaited(device.ask())
        self.awaited(device.ask(device.made(wanted), window=window, conflict=conflict, lose=lose))

    @rule(name=names, lose=st.booleans())
    def device_repeats(self, name: int, lose: bool) -> None:
        """The very request whose answer was lost; it makes nothing twice."""
        device = self.devices[name]
        if not device.lost:
            return
        nothing_since, there = device.lost_at == self.ground.writes, self.awaited(self.ground.there())
        self.awaited(device.ask(device.lost, lose=lose))
        if nothing_since:
            assert self.awaited(self.ground.there()) == there, "a repetition has done something"

    @rule(name=names)
    def device_starts_anew(self, name: int) -> None:
        self.devices[name].key, self.devices[name].lost = "0", None

    @rule(name=names, window=windows)
    def device_catches_up(self, name: int, window: int | None) -> None:
        self.awaited(self.devices[name].settle(window))


class ContactsMachine(KeptMachine):
    kind = CONTACTS


class EventsMachine(KeptMachine):
    kind = EVENTS


class TasksMachine(KeptMachine):
    kind = TASKS


class NotesMachine(KeptMachine):
    kind = NOTES


class DurableMachine(KeptMachine):
    """On SQLite."""

    kind = CONTACTS
    durable = True


_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
for _machine in (ContactsMachine, EventsMachine, TasksMachine, NotesMachine):
    _machine.TestCase.settings = settings(
        max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=_SLOW
    )
DurableMachine.TestCase.settings = settings(
    max_examples=4, stateful_step_count=20, deadline=None, suppress_health_check=_SLOW
)

_checks = pytest.mark.requirement("MS-ASCMD_R3063", "MS-ASCMD_R3064", "MS-ASCMD_R961", "MS-ASCMD_R667")
TestContacts = _checks(ContactsMachine.TestCase)
TestEvents = _checks(EventsMachine.TestCase)
TestTasks = _checks(TasksMachine.TestCase)
TestNotes = _checks(NotesMachine.TestCase)
TestContactsOnSqlite = DurableMachine.TestCase
