"""Folders and items."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eas_server.model.ids import CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import Entry, Folder, FolderType, Item, NewMessage, SearchHit, SearchQuery, StateChange
from eas_server.model.view import Position


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
