"""What is asked for with every request, kept in memory: a user's folders and the tokens of their content."""

import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import bindparam, select

from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import accounts, folders
from eas_server.errors import NoSuchFolder
from eas_server.model.ids import CollectionId, Revision, Token, UserId
from eas_server.model.mail import Folder, FolderType, ItemClass

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_MAILBOXES = 20_000
"""How many users' folders are kept in memory, about 3 kB each."""


class _Reading:
    """A value on its way from the database."""

    __slots__ = ("disturbed", "readers")

    def __init__(self) -> None:
        self.readers = 0
        self.disturbed = False


class Cache(Generic[K, V]):
    """Values read from the database and kept until they change. Everything happens in the loop's thread.

    A value that was being read while its key was put or dropped is given to its reader, but not kept: it may be older
    than what the put or the drop told of.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[K, V] = OrderedDict()
        self._reading: dict[K, _Reading] = {}

    def __len__(self) -> int:
        return len(self._held)

    def peek(self, key: K) -> V | None:
        """What is held."""
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """What is held, else what `read` gives."""
        held = self.peek(key)
        if held is not None:
            return held
        reading = self._reading.setdefault(key, _Reading())
        reading.readers += 1
        try:
            value = await read()
        finally:
            reading.readers -= 1
            if not reading.readers and self._reading.get(key) is reading:
                del self._reading[key]
        if not reading.disturbed:
            self._hold(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Replace the value after it was changed in the database."""
        self.disturb(key)
        self._hold(key, value)

    def drop(self, key: K) -> None:
        """Forget the value after it was changed in the database."""
        self.disturb(key)
        self._held.pop(key, None)

    def disturb(self, key: K) -> None:
        """Keep what is being read just now from being held."""
        reading = self._reading.pop(key, None)
        if reading is not None:
            reading.disturbed = True

    def clear(self) -> None:
        """Forget everything."""
        for reading in self._reading.values():
            reading.disturbed = True
        self._reading.clear()
        self._held.clear()

    def _hold(self, key: K, value: V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        while len(self._held) > self._limit:
            self._held.popitem(last=False)


@dataclass(slots=True)
class Mailbox:
    """A user's folders as they are now."""

    account: int | None
    """The account's row; None: there is no such user."""
    folders: tuple[Folder, ...]
    """Parents before children."""
    rows: dict[CollectionId, int]
    tokens: dict[CollectionId, Token]
    hierarchy: Token

    def row(self, collection: CollectionId) -> int:
        """The folder's row. Raises NoSuchFolder."""
        try:
            return self.rows[collection]
        except KeyError:
            raise NoSuchFolder(collection) from None

    def holds_mail(self, collection: CollectionId) -> bool:
        """Whether the items of a folder are messages."""
        return any(folder.id == collection and folder.item_class is ItemClass.EMAIL for folder in self.folders)


_ACCOUNT = Sql(select(accounts.c.key, accounts.c.hierarchy).where(accounts.c.user == bindparam("user")))
_FOLDERS = Sql(
    select(
        folders.c.key,
        folders.c.id,
        folders.c.parent,
        folders.c.name,
        folders.c.type,
        folders.c.revision,
        folders.c.token,
    )
    .where(folders.c.account == bindparam("account"))
    .order_by(folders.c.key)
)


def read_mailbox(connection: sqlite3.Connection, user: UserId) -> Mailbox:
    """The folders as the database has them."""
    found = _ACCOUNT.one(connection, user=user)
    if found is None:
        return Mailbox(None, (), {}, {}, Token(0))
    account, hierarchy = found
    rows = _FOLDERS.all(connection, account=account)
    listed = [
        Folder(
            id=CollectionId(id_),
            parent=CollectionId(parent),
            name=name,
            type=FolderType(type_),
            revision=Revision(revision),
        )
        for _, id_, parent, name, type_, revision, _ in rows
    ]
    return Mailbox(
        account=account,
        folders=tuple(parents_first(listed)),
        rows={CollectionId(row[1]): row[0] for row in rows},
        tokens={CollectionId(row[1]): Token(row[6]) for row in rows},
        hierarchy=Token(hierarchy),
    )


def parents_first(listed: Collection[Folder]) -> list[Folder]:
    """The same folders, in the same order but where a parent has to come earlier."""
    parents = {folder.id: folder.parent for folder in listed}

    def depth(folder: Folder) -> int:
        steps, at = 0, folder.parent
        while at in parents:
            steps, at = steps + 1, parents[at]
        return steps

    return sorted(listed, key=depth)


class Mailboxes:
    """The cache of mailboxes, kept right by own commits and by what other processes are found to have written."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._cache: Cache[UserId, Mailbox] = Cache(MAX_MAILBOXES)

    async def get(self, user: UserId) -> Mailbox:
        """The user's folders."""
        held = self._cache.peek(user)
        if held is not None:
            return held
        return await self._cache.get(user, lambda: self._readers.run(partial(read_mailbox, user=user)))

    def grown(self, user: UserId, collections: Collection[CollectionId], token: Token) -> None:
        """Take over the token of collections whose content changed."""
        self._cache.disturb(user)
        held = self._cache.peek(user)
        if held is None:
            return
        for collection in collections:
            if held.tokens.get(collection, token) < token:
                held.tokens[collection] = token

    def reshaped(self, user: UserId) -> None:
        """Read the user's folders anew."""
        self._cache.drop(user)
