"""The ports: what the commands need of the world. Contract text stands here; implementations say only what differs.

All ports speak the types of `eas_server.model` only. Every method may raise the `Unavailable` of its port; that is not
repeated below. Each port has an in-memory implementation in `eas_server.backends.memory` and a contract suite in
`tests/contract/` that every implementation inherits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from eas_server.model.blob import Blob
from eas_server.model.device import Device
from eas_server.model.directory import Account, DirectoryEntry, Found
from eas_server.model.documents import Listing, OpenDocument, UncName
from eas_server.model.ids import CollectionId, DeviceId, ItemId, Revision, SyncKey, Token, UserId
from eas_server.model.mail import Entry, Folder, FolderType, Item, NewMessage, SearchHit, SearchQuery, StateChange
from eas_server.model.preferences import Preference
from eas_server.model.view import CollectionState, HierarchyState, Position


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class FolderStore(Protocol):
    """A user's folder hierarchy. Ids are never used again; a rename or a move keeps the id."""

    async def folders(self, user: UserId) -> Sequence[Folder]:
        """All folders, parents before children. The default folders of all classes are there from the start."""
        ...

    async def hierarchy_token(self, user: UserId) -> Token:
        """A counter that grows with each change of the hierarchy."""
        ...

    async def create_folder(self, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
        """Make a folder. Raises FolderExists, or NoSuchFolder for the parent."""
        ...

    async def update_folder(self, user: UserId, folder: CollectionId, parent: CollectionId, name: str) -> Folder:
        """Rename or move a folder. Raises NoSuchFolder (folder or parent) or FolderExists."""
        ...

    async def delete_folder(self, user: UserId, folder: CollectionId) -> None:
        """Remove a folder with its subfolders and all their items. Raises NoSuchFolder."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed in a collection after a Token: each item once, as it is now; `token` names the state read."""

    token: Token
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The Revisions of an item before and after a change."""

    before: Revision
    after: Revision


class MailStore(Protocol):
    """A user's items.

    Every change of a collection's content gives the collection a higher Token, and the changed items that Token as
    Revision. Items are ordered newest first (Position). A write is durable when the method returns.
    Methods that take a collection raise NoSuchFolder where the user has none of that id.
    """

    async def tokens(self, user: UserId, collections: Collection[CollectionId]) -> Mapping[CollectionId, Token]:
        """The present Token of each collection; collections that do not exist are left out."""
        ...

    async def changes(self, user: UserId, collection: CollectionId, since: Token) -> Changes:
        """What changed after `since`. Items that came and went after it may be left out. Raises StaleToken."""
        ...

    async def page(
        self,
        user: UserId,
        collection: CollectionId,
        *,
        below: Position,
        not_before: int,
        limit: int,
    ) -> Sequence[Entry]:
        """Items at positions below `below` (TOP: from the newest), received at or after `not_before`, newest first."""
        ...

    async def count(self, user: UserId, collection: CollectionId, *, below: Position, not_before: int) -> int:
        """How many items `page` would give without a limit."""
        ...

    async def fetch(self, user: UserId, collection: CollectionId, items: Sequence[ItemId]) -> Sequence[Item]:
        """The items in the order asked for; those that are gone are left out."""
        ...

    async def add(self, user: UserId, collection: CollectionId, message: NewMessage) -> Entry:
        """Store a message. Raises StoreFull, and then nothing was stored."""
        ...

    async def replace(
        self, user: UserId, collection: CollectionId, item: ItemId, message: NewMessage, expected: Revision
    ) -> Written | None:
        """Put another content in the place of an item's; its `received` may be another, its state stays.

        None: the item's Revision is not `expected` any more, and nothing was done. Raises NoSuchItem, StoreFull.
        """
        ...

    async def change(self, user: UserId, collection: CollectionId, item: ItemId, change: StateChange) -> Written:
        """Change an item's state; tells the Revisions right before and after, read in the same transaction.

        Without effect where the item has that state already: both are the same then. Raises NoSuchItem.
        """
        ...

    async def delete(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> frozenset[ItemId]:
        """Remove items for good; gives those that were there."""
        ...

    async def move(
        self, user: UserId, source: CollectionId, items: Sequence[ItemId], target: CollectionId
    ) -> Mapping[ItemId, ItemId]:
        """Move items; gives their new ids in `target`. Those that are gone are left out."""
        ...


class SearchesMail(Protocol):
    """An extra ability of a mail store: server-side search, current at once, and the items of a conversation."""

    async def search(self, user: UserId, query: SearchQuery) -> Sequence[SearchHit]:
        """The items that match, newest first, at most `query.limit`."""
        ...

    async def conversations(self, user: UserId, collection: CollectionId, *, since: int) -> Sequence[Entry]:
        """What was received before `since` (seconds since 1970) and belongs to a conversation of which something in the
        same collection was received at `since` or later; newest first. Raises NoSuchFolder.
        """
        ...

    async def entries(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> Sequence[Entry]:
        """The lines of the listing of these items, in any order; those that are gone are left out.

        Raises NoSuchFolder.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A copy of a submitted message for a folder of a local user, with the header lines to put on top."""

    user: UserId
    folder: FolderType
    message: NewMessage
    collection: CollectionId | None = None
    """A folder of the user's own in the place of `folder`, which stands in for it where it is gone."""
    sender: str = ""
    """The envelope's sender, whom an automatic answer goes to; "": nobody is to be answered ([RFC 3834] 2)."""
    recipient: str = ""
    """The address of the envelope that led to this user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """A submitted message for recipients elsewhere."""

    sender: str
    recipients: tuple[str, ...]
    content: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSubmission:
    """What names a submission of a device: its ClientId (None at 12.1) and the SHA-256 of what it sent."""

    device: DeviceId
    client_id: str | None
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message that was accepted for sending, and all that becomes of it."""

    user: UserId
    source: ClientSubmission | None
    """None: not from a device (a delivery report, the command line)."""
    deliveries: tuple[Delivery, ...]
    forwarding: Forwarding | None
    now: datetime

    def is_own_copy(self, delivery: Delivery) -> bool:
        """Whether a delivery is the one for the sender's Sent Items."""
        return delivery.user == self.user and delivery.folder is FolderType.SENT_ITEMS


class Submitted(Enum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a submission, and whom it did not reach although it was ACCEPTED."""

    outcome: Submitted
    missed: frozenset[UserId] = frozenset()
    """Users whose mailbox is full or gone."""


class MailSubmission(Protocol):
    """Takes messages for sending."""

    async def submit(self, submission: Submission) -> Receipt:
        """Carry out all of a submission, durably, or nothing of it.

        DUPLICATE: this device sent the same ClientId with the same octets before (of the last KEPT_CLIENT_IDS of user
        and device within CLIENT_ID_WINDOW; without ClientId the same octets within REPEAT_WINDOW); nothing was done.
        Deliveries to users whose quota is used up, or who are no more, are not made: the receipt names these users, and
        StoreFull is raised where none could be made and nothing was to be forwarded. It is raised, too, where the copy
        for the sender's own Sent Items cannot be made: nobody else would ever show that it is missing.
        Local users that got mail are woken through the ChangeNotifier. Raises StoreFull.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A message in the outgoing queue."""

    id: int
    user: UserId
    forwarding: Forwarding
    queued: datetime
    attempts: int


class OutgoingQueue(Protocol):
    """Messages for other servers; survives a crash."""

    async def due(self, now: datetime, limit: int) -> Sequence[Queued]:
        """Messages whose time for the next attempt has come, oldest first."""
        ...

    async def finish(self, queued: int, recipients: Collection[str]) -> None:
        """These recipients are settled, for good or ill; a message without further recipients leaves the queue."""
        ...

    async def defer(self, queued: int, until: datetime, reason: str) -> None:
        """Try again at `until`."""
        ...


class Directory(Protocol):
    """People and groups. Entries carry their certificates as the directory holds them."""

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """Entries of which a name part, the alias, an address or another indexed property begins with each word of
        `query`, ordered by display name; `limit` of them from `offset` on (GAL search, [MS-ASCMD] 2.2.1.16).
        """
        ...

    async def resolve(self, name: str, limit: int) -> Found:
        """Ambiguous name resolution (MS-ASCMD_R4610): an exact address or alias gives that entry alone; otherwise what
        `search` finds, up to `limit`, with the total.
        """
        ...

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """The people of a group, nested groups expanded once each, at most `limit` with the total."""
        ...


class DocumentLibrary(Protocol):
    """Shares of documents, for reading only.

    Host and share, and the names below them, are found whatever their case (`folded`); a name that is there as it was
    asked for comes first, and one that several others match is not there. What is told of a document names it as it is
    spelled in the share, and the host as it was asked for. Nothing outside of the share is ever reached, whatever its
    contents are; what leads out of it is denied, and not listed. Neither are things that are neither file nor folder,
    and names that `is_name` does not hold for: they do not exist. Whether a reader is admitted is asked before anything
    of the share is looked at.
    All methods raise NoSuchDocument, DocumentDenied, and LibraryUnavailable.
    """

    async def listing(self, reader: Account, name: UncName, first: int, count: int) -> Listing:
        """What `name` stands for, as number 0, and where that is a folder, its contents: folders before files, by name.

        Of these the `count` from number `first` on; what vanishes meanwhile is left out. Of a folder that is too large
        to be listed whole there is a part, and the total counts no more.
        """
        ...

    async def open(self, reader: Account, name: UncName) -> OpenDocument:
        """A file with its octets, which stay as they are: its Blob raises StoreUnavailable when they are changed, and a
        file that is removed can be read to its end. A folder has no octets: NoSuchDocument.
        """
        ...


class Authenticator(Protocol):
    """Who may sign in."""

    async def authenticate(self, name: str, password: str) -> Account | None:
        """The account that `name` (`user`, `user@domain`, `DOMAIN\\user`) and `password` open; None for a refusal.

        Takes as long for an unknown name as for a wrong password.
        """
        ...


class Accounts(Protocol):
    """The local accounts."""

    async def account(self, user: UserId) -> Account | None:
        """The account of that id."""
        ...

    async def by_address(self, address: str) -> Account | None:
        """The account that mail for `address` goes to; an address without a domain names a local user."""
        ...

    async def group(self, address: str) -> Sequence[str] | None:
        """The addresses of a local group's members (people, nested groups expanded); None: no such group."""
        ...


DeviceChange = Callable[[Device | None], Device | None]
"""Makes a partnership of what is stored of it."""


class StateStore(Protocol):
    """Devices and the state behind their keys. Writes are durable when the method returns."""

    async def device(self, user: UserId, device: DeviceId) -> Device | None:
        """The partnership."""
        ...

    async def change_device(self, user: UserId, device: DeviceId, change: DeviceChange) -> Device | None:
        """Store what `change` makes of the partnership as it is stored (None: there is none yet); gives what is then
        stored. One transaction: nobody else's change is lost.

        `change` may be called again, and in another thread; None leaves everything as it is. What it raises is raised.
        """
        ...

    async def devices(self, user: UserId | None = None) -> Sequence[Device]:
        """All partnerships (of a user)."""
        ...

    async def remove_device(self, user: UserId, device: DeviceId) -> None:
        """Forget a partnership with all its keys."""
        ...

    async def collection(
        self, user: UserId, device: DeviceId, collection: CollectionId, key: SyncKey | None
    ) -> CollectionState | None:
        """The state of `key`, or (None) that of the newest key. None: there is none."""
        ...

    async def advance(
        self,
        user: UserId,
        device: DeviceId,
        collection: CollectionId,
        used: CollectionState | None,
        view: CollectionState,
    ) -> SyncKey:
        """Store the successor of `used` and give it its key.

        `used` is the presented state as it is to be kept (its `accepted` and `written` grown; what other requests under
        the same key added meanwhile is kept too); its ancestors are dropped, since using a key proves its receipt.
        Other successors of `used` stay; beyond KEPT_SUCCESSORS keys in all, the oldest ones go.
        None: a start with key 0, which drops nothing before the new key is used: that drops all keys from before the
        start. Keys of a collection never repeat, not even after `forget_collection` or `remove_device`.
        `view.key` is ignored. Raises StaleSyncKey when `used` is no longer there.
        """
        ...

    async def amend(self, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState) -> None:
        """Replace what is stored under `state.key`, which stays the same: new Options, a view that tells the same in
        fewer words. Without effect when the key is no longer there; need not be durable at once.
        """
        ...

    async def forget_collection(self, user: UserId, device: DeviceId, collection: CollectionId) -> None:
        """Drop all keys of a collection."""
        ...

    async def hierarchy(self, user: UserId, device: DeviceId, key: SyncKey) -> HierarchyState | None:
        """The state of a FolderSync key."""
        ...

    async def advance_hierarchy(
        self, user: UserId, device: DeviceId, used: SyncKey, folders: Mapping[str, Revision]
    ) -> SyncKey:
        """Store the successor of `used` and give it its key: a small counter, 1 after INITIAL_KEY (which drops all
        other keys of the hierarchy). Raises StaleSyncKey when `used` is no longer there.
        """
        ...


P = TypeVar("P", bound=Preference)


class Preferences(Protocol):
    """Small records of a user (`eas_server.model.preferences`). Writes are durable when the method returns."""

    async def preference(self, user: UserId, kind: type[P]) -> P:
        """The user's record of that kind; `kind()` where none was stored."""
        ...

    async def change_preference(self, user: UserId, kind: type[P], change: Callable[[P], P]) -> P:
        """Store what `change` makes of the record as it is stored; gives what is then stored.

        One transaction: nobody else's change is lost. `change` may be called again, and in another thread. What it
        raises is raised. Raises NoSuchFolder for a user who is no more.
        """
        ...

    async def mark_once(self, user: UserId, subject: str, now: datetime, until: datetime) -> bool:
        """Note that something is done for the user, for good or until `until`: False where it was noted before.

        `subject` names what is done, to whom, and in which period.
        """
        ...


KEPT_SUCCESSORS = 8
"""How many keys of one device and collection stay usable at once."""
REPEAT_WINDOW = timedelta(minutes=10)
"""How long the same octets of a device without ClientId are taken for a repetition."""
CLIENT_ID_WINDOW = timedelta(days=7)
"""How long a ClientId is remembered (MS-ASCMD_R4850)."""
KEPT_CLIENT_IDS = 100
"""How many submissions of a user and device are remembered."""


class Subscription(Protocol):
    """Somebody waiting for changes."""

    async def wait(self) -> frozenset[CollectionId]:
        """Return when something was published since the subscription began or `wait` last returned: what changed."""
        ...


class ChangeNotifier(Protocol):
    """Hints that something changed, without content: who is woken looks for the truth in the store."""

    def subscribe(self, user: UserId, collections: Collection[CollectionId]) -> AbstractContextManager[Subscription]:
        """Hear of changes in these collections (ROOT stands for the hierarchy) until the context ends."""
        ...

    def publish(self, user: UserId, collections: Collection[CollectionId]) -> None:
        """Wake those who wait for one of these. Call it in the event loop's thread, after the change is durable."""
        ...


__all__ = [
    "Accounts",
    "Authenticator",
    "ChangeNotifier",
    "Changes",
    "ClientSubmission",
    "Clock",
    "Delivery",
    "DeviceChange",
    "Directory",
    "DocumentLibrary",
    "FolderStore",
    "Forwarding",
    "MailStore",
    "MailSubmission",
    "OutgoingQueue",
    "Preferences",
    "Queued",
    "Receipt",
    "SearchesMail",
    "StateStore",
    "Submission",
    "Submitted",
    "Subscription",
    "Written",
]
