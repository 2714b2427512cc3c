"""What the in-memory adapters share: accounts with their folders and items, and one sequence for all changes."""

from dataclasses import dataclass, field

from eas_server.errors import NoSuchFolder
from eas_server.interfaces import ChangeNotifier
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import ROOT, CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import Entry, Folder, FolderType, Item

DEFAULT_FOLDERS = {
    FolderType.INBOX: "Inbox",
    FolderType.DRAFTS: "Drafts",
    FolderType.DELETED_ITEMS: "Deleted Items",
    FolderType.SENT_ITEMS: "Sent Items",
    FolderType.OUTBOX: "Outbox",
    FolderType.TASKS: "Tasks",
    FolderType.CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.NOTES: "Notes",
    FolderType.JOURNAL: "Journal",
}
RECIPIENT_CACHE = CollectionId("RI")
NO_CHANGE = Token(0)


@dataclass(slots=True)
class Box:
    """A folder with its items."""

    folder: Folder
    token: Token
    next_item: int = 1
    items: dict[ItemId, Item] = field(default_factory=dict)
    words: dict[ItemId, set[str]] = field(default_factory=dict)
    born: dict[ItemId, Revision] = field(default_factory=dict)
    """The Revision that each item came with."""
    gone: dict[ItemId, tuple[Entry, Revision]] = field(default_factory=dict)
    """Items that have left, with the Revision that they came with."""


@dataclass(slots=True)
class Mailbox:
    """An account with its folders, in the order of their creation."""

    account: Account
    password: str
    boxes: dict[CollectionId, Box] = field(default_factory=dict)
    next_folder: int = 1
    hierarchy: Token = NO_CHANGE

    def box(self, collection: CollectionId) -> Box:
        """The folder of that id. Raises NoSuchFolder."""
        if collection not in self.boxes:
            raise NoSuchFolder(collection)
        return self.boxes[collection]

    def used(self) -> int:
        """How many octets the mailbox holds."""
        return sum(item.content.size for box in self.boxes.values() for item in box.items.values())

    def room_for(self, size: int) -> bool:
        """Whether the quota has room for `size` octets more."""
        return self.account.quota is None or self.used() + size <= self.account.quota


class World:
    """Everything."""

    def __init__(self, notifier: ChangeNotifier | None = None) -> None:
        self.mailboxes: dict[UserId, Mailbox] = {}
        self.entries: list[DirectoryEntry] = []
        self.members: dict[str, tuple[str, ...]] = {}
        """Of each group, by its address in lower case."""
        self._notifier = notifier
        self._sequence = 0

    def next(self) -> int:
        """A number greater than all before it."""
        self._sequence += 1
        return self._sequence

    def mailbox(self, user: UserId) -> Mailbox:
        """The user's mailbox. Raises NoSuchFolder, since a stranger has no folder."""
        if user not in self.mailboxes:
            raise NoSuchFolder(f"no user {user}")
        return self.mailboxes[user]

    def publish(self, user: UserId, *collections: CollectionId) -> None:
        """Wake who waits."""
        if self._notifier is not None:
            self._notifier.publish(user, collections)

    def add_mailbox(self, account: Account, password: str) -> None:
        """Make an account with its default folders."""
        mailbox = self.mailboxes[account.user] = Mailbox(account, password)
        for type_, name in DEFAULT_FOLDERS.items():
            self.add_folder(mailbox, ROOT, name, type_)
        type_ = FolderType.RECIPIENT_INFORMATION_CACHE
        self.add_folder(mailbox, ROOT, "Recipient Information Cache", type_, RECIPIENT_CACHE)

    def add_folder(
        self, mailbox: Mailbox, parent: CollectionId, name: str, type_: FolderType, id_: CollectionId | None = None
    ) -> Folder:
        """Make a folder."""
        stamp = self.next()
        if id_ is None:
            id_ = CollectionId(str(mailbox.next_folder))
            mailbox.next_folder += 1
        folder = Folder(id=id_, parent=parent, name=name, type=type_, revision=Revision(stamp))
        mailbox.boxes[id_] = Box(folder, Token(stamp))
        mailbox.hierarchy = Token(stamp)
        return folder
