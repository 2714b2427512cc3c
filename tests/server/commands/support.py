"""A Context for tests of handlers: `bench = Bench()`, then `await bench.run(COMMAND, request)`.

The ports are those of `eas_server.backends.memory`, with a mailbox for the account; give others as keywords:
`Bench(mail=..., directory=...)`. The submission, which most handlers must not touch, fails unless it is given.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from eas_server.backends.memory.mail import MemoryFolders, MemoryMail
from eas_server.backends.memory.people import MemoryPeople
from eas_server.backends.memory.preferences import MemoryPreferences
from eas_server.backends.memory.state import MemoryState
from eas_server.backends.memory.world import World
from eas_server.commands.busy_times import BusyTimes
from eas_server.commands.context import Command, Context, Ports, Reply
from eas_server.commands.guesses import Guesses
from eas_server.commands.last_finds import LastFinds
from eas_server.commands.last_searches import LastSearches
from eas_server.commands.last_syncs import LastSyncs
from eas_server.interfaces import Subscription
from eas_server.model.blob import read
from eas_server.model.device import Device
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, DeviceId, UserId
from eas_server.model.settings import Settings
from protocol import wbxml
from protocol.elements import Element
from protocol.http import CommandLine
from protocol.schema import dump, load
from protocol.versions import V16_1, ProtocolVersion
from tests.schemas import assert_valid

ALICE = Account(
    user=UserId("alice@example.com"),
    address="alice@example.com",
    addresses=frozenset({"alice@example.com", "al@example.com"}),
    display_name="Alice Example",
)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEVICE = DeviceId("device1")


class Absent:
    """A port that a test did not give."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the port {self._name} is not there, and {name} was asked of it")


class Published:
    """ChangeNotifier that notes what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[UserId, frozenset[CollectionId]]] = []

    @contextmanager
    def subscribe(self, user: UserId, collections: Collection[CollectionId]) -> Iterator[Subscription]:
        """Nobody waits in these tests."""
        raise AssertionError("not to be waited on")
        yield

    def publish(self, user: UserId, collections: Collection[CollectionId]) -> None:
        """See ChangeNotifier."""
        self.published.append((user, frozenset(collections)))


async def never() -> None:
    """The client stays."""
    await asyncio.Event().wait()


@dataclass
class Bench:
    """Ports, an account, a device and a version; `run` gives a command to them."""

    folders: Any = None
    state: Any = field(default_factory=MemoryState)
    notifier: Any = field(default_factory=Published)
    mail: Any = None
    search: Any = None
    accounts: Any = None
    directory: Any = None
    submission: Any = field(default_factory=lambda: Absent("submission"))
    preferences: Any = None
    documents: Any = None
    authenticator: Any = None
    trust: Any = None
    audit: Any = None
    revocation: Any = None
    harvested: Any = None
    settings: Settings = field(default_factory=Settings)
    account: Account = ALICE
    device_id: DeviceId = DEVICE
    version: ProtocolVersion = V16_1
    secure: bool = False
    now: datetime = NOW
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    last_syncs: LastSyncs = field(default_factory=LastSyncs)
    last_finds: LastFinds = field(default_factory=LastFinds)
    last_searches: LastSearches = field(default_factory=LastSearches)
    busy_times: BusyTimes = field(default_factory=BusyTimes)
    guesses: Guesses = field(default_factory=Guesses)

    def __post_init__(self) -> None:
        """Fill in the ports that were not given."""
        world = World(self.notifier)
        world.add_mailbox(self.account, "")
        mail, people = MemoryMail(world), MemoryPeople(world)
        self.folders = self.folders or MemoryFolders(world)
        self.mail = self.mail or mail
        self.search = self.search or mail
        self.accounts = self.accounts or people
        self.directory = self.directory or people
        self.preferences = self.preferences or MemoryPreferences(world)

    @property
    def ports(self) -> Ports:
        """The ports as handlers take them."""
        return Ports(
            folders=self.folders,
            mail=self.mail,
            search=self.search,
            state=self.state,
            accounts=self.accounts,
            directory=self.directory,
            submission=self.submission,
            preferences=self.preferences,
            notifier=self.notifier,
            documents=self.documents,
            authenticator=self.authenticator,
            trust=self.trust,
            audit=self.audit,
            revocation=self.revocation,
            harvested=self.harvested,
            guesses=self.guesses,
            last_syncs=self.last_syncs,
            last_finds=self.last_finds,
            last_searches=self.last_searches,
            busy_times=self.busy_times,
        )

    async def device(self) -> Device:
        """The partnership as it is stored; made on first use."""
        made = Device(user=self.account.user, id=self.device_id, first_seen=self.now, last_seen=self.now)
        found: Device = await self.state.change_device(
            self.account.user, self.device_id, lambda stored: made if stored is None else None
        )
        return found

    async def change_device(self, **changes: Any) -> Device:
        """Set fields of the partnership."""
        await self.device()
        changed: Device = await self.state.change_device(
            self.account.user, self.device_id, lambda stored: replace(stored, **changes)
        )
        return changed

    async def context(self, command: str, **parameters: Any) -> Context:
        """The Context of a request; `parameters` are those of the query."""
        device = await self.device()
        return Context(
            ports=self.ports,
            settings=self.settings,
            account=self.account,
            device=device,
            version=self.version,
            line=CommandLine(command=command, device_id=self.device_id, **parameters),
            now=self.now,
            request_id="test",
            secure=self.secure,
            gone=never,
            stopping=self.stopping,
        )

    async def run(self, command: Command, request: Any, **parameters: Any) -> Any:
        """The typed response to a typed request; it holds by the schema and comes back from the wire as it went."""
        answer = await command.handle(request, await self.context(command.name, **parameters))
        response = answer.response if isinstance(answer, Reply) else answer
        if response is not None:
            await check_streamed(response, command.name, self.version)
        return answer

    async def run_tree(self, command: Command, request: Element, **parameters: Any) -> Any:
        """The same from a tree, through WBXML and the command's own reader."""
        context = await self.context(command.name, **parameters)
        read = command.read(wbxml.encode(request).join(), context.line, self.version)
        return await self.run(command, read, **parameters)


def check(response: object, command: str, version: ProtocolVersion) -> None:
    """Fail unless `response` holds by the schema, and survives WBXML."""
    _check_octets(response, wbxml.encode(dump(response, version)).join(), command)


async def check_streamed(response: object, command: str, version: ProtocolVersion) -> None:
    """The same for a response whose octets are partly in the store."""
    octets = bytearray()
    for part in wbxml.encode(dump(response, version)):
        octets += part if isinstance(part, (bytes, bytearray, memoryview)) else await read(part)  # type: ignore[arg-type]
    _check_octets(response, bytes(octets), command)


def _check_octets(response: object, octets: bytes, command: str) -> None:
    tree = wbxml.decode(octets)
    assert_valid(tree, command)
    load(type(response), tree)
