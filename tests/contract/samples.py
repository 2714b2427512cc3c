"""What the contract suites put into the stores."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from eas_server import interfaces
from eas_server.model.blob import Blob, MemoryBlob
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import FolderType, ItemState, MessageIndex, NewMessage

ALICE = UserId("alice@example.com")
BOB = UserId("bob@example.com")
CAROL = UserId("carol@example.com")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Administers(Protocol):
    """The part of the administration that the suites need."""

    async def add_user(
        self, user: str, password: str | None, entry: DirectoryEntry | None = None, *, quota: int | None = None
    ) -> Account: ...

    async def add_people(self, people: Any) -> None: ...

    async def add_group(self, entry: DirectoryEntry, member_addresses: Any = ()) -> None: ...


class AnyStore(Protocol):
    """A store under test."""

    @property
    def folders(self) -> interfaces.FolderStore: ...
    @property
    def mail(self) -> Any: ...
    @property
    def state(self) -> interfaces.StateStore: ...
    @property
    def preferences(self) -> interfaces.Preferences: ...
    @property
    def harvested(self) -> interfaces.HarvestedCertificates: ...
    @property
    def queue(self) -> interfaces.OutgoingQueue: ...
    @property
    def submission(self) -> interfaces.MailSubmission: ...
    @property
    def directory(self) -> interfaces.Directory: ...
    @property
    def accounts(self) -> interfaces.Accounts: ...
    @property
    def authenticator(self) -> interfaces.Authenticator: ...
    @property
    def admin(self) -> Administers: ...


def message(
    text: str = "hello",
    *,
    at: datetime | int = NOW,
    content: Blob | None = None,
    trace: bytes = b"",
    state: ItemState | None = None,
    conversation: bytes = b"",
) -> NewMessage:
    """A message; an integer `at` counts seconds from NOW."""
    octets = content if content is not None else MemoryBlob(f"Subject: {text}\r\n\r\n{text}\r\n".encode())
    return NewMessage(
        content=octets,
        index=MessageIndex(size=octets.size, subject=text, conversation_id=conversation),
        text=text,
        received=at if isinstance(at, datetime) else NOW + timedelta(seconds=at),
        trace=trace,
        state=state or ItemState(),
    )


async def folder_of(store: AnyStore, user: UserId, type_: FolderType) -> CollectionId:
    """The user's folder of a type."""
    return next(folder.id for folder in await store.folders.folders(user) if folder.type == type_)
