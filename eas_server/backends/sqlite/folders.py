"""The FolderStore on SQLite."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from eas_server import interfaces
from eas_server.backends.sqlite.mailboxes import Mailboxes
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.schema import accounts, folders
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import FolderExists, NoSuchFolder
from eas_server.model.ids import ROOT, CollectionId, Revision, Token, UserId
from eas_server.model.mail import Folder, FolderType

DEFAULT_FOLDERS = (
    (FolderType.INBOX, "Inbox"),
    (FolderType.DRAFTS, "Drafts"),
    (FolderType.DELETED_ITEMS, "Deleted Items"),
    (FolderType.SENT_ITEMS, "Sent Items"),
    (FolderType.OUTBOX, "Outbox"),
    (FolderType.TASKS, "Tasks"),
    (FolderType.CALENDAR, "Calendar"),
    (FolderType.CONTACTS, "Contacts"),
    (FolderType.NOTES, "Notes"),
    (FolderType.JOURNAL, "Journal"),
)
RECIPIENT_CACHE = CollectionId("RI")
"""The recipient information cache has an id of its own, so that clients know it under any user."""
_RECIPIENT_CACHE_NAME = "Recipient Information Cache"

_ACCOUNT = Sql(
    select(accounts.c.key, accounts.c.next_folder, accounts.c.hierarchy).where(accounts.c.user == bindparam("who"))
)
_RESHAPE = Sql(
    update(accounts)
    .where(accounts.c.key == bindparam("account"))
    .values(hierarchy=bindparam("stamp"), next_folder=bindparam("next"))
)
_NEW = Sql(insert(folders), columns=("account", "id", "parent", "name", "name_key", "type", "revision", "token"))
_ALL = Sql(select(folders.c.id, folders.c.parent).where(folders.c.account == bindparam("owner")))
_ONE = Sql(
    select(folders.c.parent, folders.c.name, folders.c.type, folders.c.revision).where(
        folders.c.account == bindparam("owner"), folders.c.id == bindparam("folder")
    )
)
_NAMED = Sql(
    select(folders.c.id).where(
        folders.c.account == bindparam("owner"),
        folders.c.parent == bindparam("above"),
        folders.c.name_key == bindparam("called"),
    )
)
_RENAME = Sql(
    update(folders)
    .where(folders.c.account == bindparam("owner"), folders.c.id == bindparam("folder"))
    .values(
        parent=bindparam("above"), name=bindparam("label"), name_key=bindparam("called"), revision=bindparam("stamp")
    )
)
_DISOWN = Sql(
    update(folders)
    .where(folders.c.account == bindparam("owner"), folders.c.id == bindparam("folder"))
    .values(account=None)
)


def name_key(name: str) -> str:
    """What two names below one parent must not have in common: clients show no difference of case."""
    return name.casefold()


class SqliteFolders:
    """See the port. Names that differ in case only are the same name."""

    def __init__(self, mailboxes: Mailboxes, writer: Writer) -> None:
        self._mailboxes = mailboxes
        self._writer = writer

    async def folders(self, user: UserId) -> Sequence[Folder]:
        """See the port."""
        return (await self._mailboxes.get(user)).folders

    async def hierarchy_token(self, user: UserId) -> Token:
        """See the port."""
        return (await self._mailboxes.get(user)).hierarchy

    async def create_folder(self, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
        """See the port."""
        return await self._writer.run(partial(_create, user=user, parent=parent, name=name, type_=type_))

    async def update_folder(self, user: UserId, folder: CollectionId, parent: CollectionId, name: str) -> Folder:
        """See the port. A move below itself raises NoSuchFolder for the parent."""
        return await self._writer.run(partial(_update, user=user, folder=folder, parent=parent, name=name))

    async def delete_folder(self, user: UserId, folder: CollectionId) -> None:
        """See the port. The items are swept later; their octets count no more."""
        await self._writer.run(partial(_delete, user=user, folder=folder))


def create_default_folders(unit: Unit, user: UserId) -> None:
    """Give a new account its folders."""
    account, _ = _account(unit.connection, user)
    for number, (type_, name) in enumerate(DEFAULT_FOLDERS, start=1):
        _insert(unit, account, CollectionId(str(number)), ROOT, name, type_)
    _insert(unit, account, RECIPIENT_CACHE, ROOT, _RECIPIENT_CACHE_NAME, FolderType.RECIPIENT_INFORMATION_CACHE)
    _reshape(unit, user, account, len(DEFAULT_FOLDERS) + 1, ())


def _account(connection: sqlite3.Connection, user: UserId) -> tuple[int, int]:
    row = _ACCOUNT.one(connection, who=user)
    if row is None:
        raise NoSuchFolder(f"no user {user}")
    return row[0], row[1]


def _reshape(unit: Unit, user: UserId, account: int, next_folder: int, changed: Iterable[CollectionId]) -> None:
    _RESHAPE.run(unit.connection, account=account, stamp=unit.stamp, next=next_folder)
    unit.reshaped.setdefault(user, set()).update(changed, {ROOT})


def _insert(unit: Unit, account: int, id_: CollectionId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
    _NEW.run(
        unit.connection,
        account=account,
        id=id_,
        parent=parent,
        name=name,
        name_key=name_key(name),
        type=int(type_),
        revision=unit.stamp,
        token=unit.stamp,
    )
    return Folder(id=id_, parent=parent, name=name, type=type_, revision=Revision(unit.stamp))


def _check_place(unit: Unit, account: int, parent: CollectionId, name: str, but: CollectionId | None) -> None:
    if parent != ROOT and _ONE.one(unit.connection, owner=account, folder=parent) is None:
        raise NoSuchFolder(parent)
    named = _NAMED.one(unit.connection, owner=account, above=parent, called=name_key(name))
    if named is not None and named[0] != but:
        raise FolderExists(name)


def _create(unit: Unit, *, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
    account, number = _account(unit.connection, user)
    _check_place(unit, account, parent, name, None)
    folder = _insert(unit, account, CollectionId(str(number)), parent, name, type_)
    _reshape(unit, user, account, number + 1, ())
    return folder


def _update(unit: Unit, *, user: UserId, folder: CollectionId, parent: CollectionId, name: str) -> Folder:
    account, number = _account(unit.connection, user)
    row = _ONE.one(unit.connection, owner=account, folder=folder)
    if row is None:
        raise NoSuchFolder(folder)
    if parent in _with_descendants(unit.connection, account, folder):
        raise NoSuchFolder(parent)
    _check_place(unit, account, parent, name, folder)
    revision = Revision(row[3])
    if (row[0], row[1]) != (parent, name):
        revision = Revision(unit.stamp)
        _RENAME.run(
            unit.connection,
            owner=account,
            folder=folder,
            above=parent,
            label=name,
            called=name_key(name),
            stamp=unit.stamp,
        )
        _reshape(unit, user, account, number, ())
    return Folder(id=folder, parent=parent, name=name, type=FolderType(row[2]), revision=revision)


def _delete(unit: Unit, *, user: UserId, folder: CollectionId) -> None:
    account, number = _account(unit.connection, user)
    gone = _with_descendants(unit.connection, account, folder)
    if not gone:
        raise NoSuchFolder(folder)
    _DISOWN.many(unit.connection, ({"owner": account, "folder": id_} for id_ in gone))
    _reshape(unit, user, account, number, gone)


def _with_descendants(connection: sqlite3.Connection, account: int, folder: CollectionId) -> set[CollectionId]:
    children: dict[Any, list[Any]] = {}
    known = set()
    for id_, parent in _ALL.all(connection, owner=account):
        known.add(id_)
        children.setdefault(parent, []).append(id_)
    found: set[CollectionId] = set()
    left = [folder] if folder in known else []
    while left:
        at = left.pop()
        found.add(at)
        left.extend(children.get(at, ()))
    return found


_: type[interfaces.FolderStore] = SqliteFolders
