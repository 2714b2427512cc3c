"""Ports that record what is sent, for the tests of SendMail and its kin."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from eas_server.commands.context import Command, Context, Ports
from eas_server.errors import CommandError, NoSuchFolder
from eas_server.interfaces import ClientSubmission, Delivery, Receipt, Submission, Submitted
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.device import Device
from eas_server.model.directory import Account, DirectoryEntry, Found
from eas_server.model.ids import CollectionId, DeviceId, ItemId, Revision, UserId
from eas_server.model.mail import Changed, Folder, FolderType, Item, ItemState, StateChange
from eas_server.model.settings import Settings
from eas_server.render.mime import index_message
from protocol import wbxml
from protocol.http import CommandLine
from protocol.schema import dump
from protocol.versions import V14_1, ProtocolVersion

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DOMAIN = "example.com"


def account(name: str, *aliases: str, display_name: str = "") -> Account:
    address = f"{name}@{DOMAIN}"
    return Account(
        user=UserId(address), address=address, addresses=frozenset({address, *aliases}), display_name=display_name
    )


ALICE = account("alice", "alice.archer@example.com", display_name="Alice Archer")
BOB = account("bob", "robert@example.com", display_name="Bob Baker")
CAROL = account("carol")


class RecordingSubmission:
    """Keeps submissions; knows repetitions like the store does."""

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.failure: Exception | None = None
        self.missed: frozenset[UserId] = frozenset()
        self._sources: set[ClientSubmission] = set()

    async def submit(self, submission: Submission) -> Receipt:
        if self.failure is not None:
            raise self.failure
        if submission.source is not None and submission.source in self._sources:
            return Receipt(outcome=Submitted.DUPLICATE)
        if submission.source is not None:
            self._sources.add(submission.source)
        self.submissions.append(submission)
        return Receipt(outcome=Submitted.ACCEPTED, missed=self.missed if len(self.submissions) == 1 else frozenset())

    @property
    def last(self) -> Submission:
        return self.submissions[-1]

    def deliveries(self, user: Account, folder: FolderType = FolderType.INBOX) -> list[Delivery]:
        return [d for d in self.last.deliveries if d.user == user.user and d.folder is folder]


class FixedAccounts:
    def __init__(self, *accounts: Account, groups: Mapping[str, Sequence[str]] | None = None) -> None:
        self.accounts = accounts
        self.groups = {"team@example.com": ["alice@example.com", "bob@example.com", "carol@example.com"]}
        self.groups.update({name: list(members) for name, members in (groups or {}).items()})

    async def account(self, user: UserId) -> Account | None:
        return next((a for a in self.accounts if a.user == user), None)

    async def by_address(self, address: str) -> Account | None:
        full = address.lower() if "@" in address else f"{address.lower()}@{DOMAIN}"
        return next((a for a in self.accounts if full in a.addresses), None)

    async def group(self, address: str) -> Sequence[str] | None:
        return self.groups.get(address.lower() if "@" in address else f"{address.lower()}@{DOMAIN}")


class FixedDirectory:
    def __init__(self, entries: Mapping[str, Sequence[str]] | None = None) -> None:
        self.entries = dict(entries or {})

    async def resolve(self, name: str, limit: int) -> Found:
        found = tuple(DirectoryEntry(key=a, display_name=a, email=a) for a in self.entries.get(name, ()))
        return Found(entries=found[:limit], total=len(found))


INBOX = CollectionId("5")


class OneFolder:
    """A MailStore with an Inbox of items, for Smart*: what the tests need of one."""

    def __init__(self) -> None:
        self.items: dict[ItemId, Item] = {}
        self.changes: list[tuple[ItemId, StateChange]] = []

    def put(self, octets: bytes, trace: bytes = b"") -> str:
        number = ItemId(len(self.items) + 1)
        index, _ = index_message(octets)
        one = Revision(1)
        self.items[number] = Item(
            id=number,
            revision=one,
            changed=Changed(content=one, read=one, flag=one, categories=one, verb=one),
            received=NOW,
            index=index,
            state=ItemState(),
            content=MemoryBlob(trace + octets),
            index_offset=len(trace),
        )
        return f"{INBOX}:{number}"

    async def folders(self, user: UserId) -> Sequence[Folder]:
        one = Revision(1)
        return [Folder(id=INBOX, parent=CollectionId("0"), name="Inbox", type=FolderType.INBOX, revision=one)]

    async def fetch(self, user: UserId, collection: CollectionId, items: Sequence[ItemId]) -> Sequence[Item]:
        if collection != INBOX:
            raise NoSuchFolder(collection)
        return [self.items[i] for i in items if i in self.items]

    async def change(self, user: UserId, collection: CollectionId, item: ItemId, change: StateChange) -> Any:
        self.changes.append((item, change))
        return Revision(2), Revision(3)


@dataclass
class Bench:
    """Everything that a handler is given, and what came of it."""

    submission: RecordingSubmission = field(default_factory=RecordingSubmission)
    accounts: FixedAccounts = field(default_factory=lambda: FixedAccounts(ALICE, BOB, CAROL))
    directory: FixedDirectory = field(default_factory=FixedDirectory)
    mail: OneFolder = field(default_factory=OneFolder)
    folders: Any = None
    """The folders where `mail` is a store's, which does not know them."""
    settings: Settings = field(
        default_factory=lambda: Settings(external_url="https://mail.example.com", domains=(DOMAIN,))
    )

    def context(self, version: ProtocolVersion = V14_1, line: CommandLine | None = None) -> Context:
        ports = Ports(
            folders=cast(Any, self.folders or self.mail),
            mail=cast(Any, self.mail),
            search=cast(Any, None),
            state=cast(Any, None),
            accounts=self.accounts,
            directory=cast(Any, self.directory),
            submission=self.submission,
            preferences=cast(Any, None),
            notifier=cast(Any, None),
        )
        return Context(
            ports=ports,
            settings=self.settings,
            account=ALICE,
            device=Device(user=ALICE.user, id=DeviceId("D1"), first_seen=NOW, last_seen=NOW),
            version=version,
            line=line or CommandLine(command="SendMail"),
            now=NOW,
            request_id="r1",
            gone=asyncio.Event().wait,
            stopping=asyncio.Event(),
        )

    async def ask(self, command: Command, request: object, version: ProtocolVersion = V14_1) -> object:
        """Send a typed request as its octets; gives the answer, or the Status of a CommandError."""
        return await self.post(command, b"".join(map(bytes, wbxml.encode(dump(request, version)))), version)

    async def post(
        self, command: Command, body: bytes, version: ProtocolVersion, line: CommandLine | None = None
    ) -> object:
        ctx = self.context(version, replace(line or CommandLine(command=command.name), command=command.name))
        try:
            return await command.handle(command.read(body, ctx.line, version), ctx)
        except CommandError as error:
            return error.status


async def content(delivery: Delivery) -> bytes:
    """What a delivery's message holds below the lines that are put on top."""
    octets = await read(delivery.message.content)
    assert delivery.message.index.size == len(octets)
    return octets


async def digest(delivery: Delivery) -> str:
    return sha256(await content(delivery)).hexdigest()
