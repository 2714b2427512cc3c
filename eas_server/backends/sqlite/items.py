"""What transactions do to items: the same steps for the mail store and for submissions."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from eas_server.backends.sqlite import blobs, codec, search
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.schema import accounts, folders, items, tombstones
from eas_server.backends.sqlite.writer import Unit
from eas_server.errors import NoSuchFolder, NoSuchItem, StoreFull
from eas_server.interfaces import Written
from eas_server.model.ids import CollectionId, ItemId, Revision, UserId
from eas_server.model.mail import Entry, FolderType, ItemState, NewMessage, StateChange

KEPT_TOMBSTONES = 50_000
"""How many departures a collection remembers; a client that missed more starts anew."""

_OWNED = (
    select(folders.c.key, folders.c.id, folders.c.next_item, accounts.c.key, accounts.c.quota)
    .join(accounts, accounts.c.key == folders.c.account)
    .where(accounts.c.user == bindparam("who"))
)
_FOLDER = Sql(_OWNED.where(folders.c.id == bindparam("collection")))
_DEFAULT = Sql(_OWNED.where(folders.c.type == bindparam("folder_type")).order_by(folders.c.key).limit(1))
_USED = Sql(select(func.coalesce(func.sum(folders.c.octets), 0)).where(folders.c.account == bindparam("owner")))
_GROW = Sql(
    update(folders)
    .where(folders.c.key == bindparam("folder"))
    .values(
        token=bindparam("stamp"),
        next_item=folders.c.next_item + bindparam("added"),
        octets=folders.c.octets + bindparam("more"),
        tombstones=folders.c.tombstones + bindparam("gone"),
    )
)
_COLUMNS = (
    "folder",
    "id",
    "received",
    "revision",
    "content_revision",
    "read_revision",
    "flag_revision",
    "categories_revision",
    "verb_revision",
    "state",
    "blob",
    "size",
    "conversation",
    "trace",
    "message_index",
    "born",
)
_NEW = Sql(insert(items), columns=_COLUMNS)
_at = (items.c.folder == bindparam("place"), items.c.id == bindparam("item"))
_STATE = Sql(select(items.c.key, items.c.state, items.c.revision).where(*_at))
_CHANGE = Sql(
    update(items)
    .where(items.c.key == bindparam("row"))
    .values(
        revision=bindparam("stamp"),
        state=bindparam("octets"),
        **{
            f"{part}_revision": func.coalesce(bindparam(part), items.c[f"{part}_revision"])
            for part in ("read", "flag", "categories", "verb")
        },
    )
)
_LEAVING = Sql(select(items.c.key, items.c.received, items.c.born, items.c.size, items.c.blob).where(*_at))
_REPLACED = Sql(select(items.c.key, items.c.revision, items.c.size, items.c.blob).where(*_at))
_REPLACE = Sql(
    update(items)
    .where(items.c.key == bindparam("row"))
    .values(
        received=bindparam("instant"),
        revision=bindparam("stamp"),
        content_revision=bindparam("stamp"),
        blob=bindparam("other"),
        size=bindparam("octets"),
        conversation=bindparam("thread"),
        trace=bindparam("above"),
        message_index=bindparam("known"),
    )
)
_MOVE = Sql(
    update(items)
    .where(items.c.key == bindparam("row"))
    .values(
        folder=bindparam("target"),
        id=bindparam("number"),
        **{
            column: bindparam("stamp")
            for column in (
                "revision",
                "born",
                "content_revision",
                "read_revision",
                "flag_revision",
                "categories_revision",
                "verb_revision",
            )
        },
    )
)
_DROP = Sql(delete(items).where(items.c.key == bindparam("row")))
_BURY = Sql(insert(tombstones), columns=("folder", "revision", "id", "received", "born"))
_BURIED = Sql(select(folders.c.tombstones).where(folders.c.key == bindparam("folder")))
_OLDEST = Sql(
    select(tombstones.c.revision)
    .where(tombstones.c.folder == bindparam("place"))
    .order_by(tombstones.c.revision)
    .limit(1)
    .offset(bindparam("position"))
)
_EXHUME = Sql(
    delete(tombstones).where(tombstones.c.folder == bindparam("place"), tombstones.c.revision <= bindparam("until"))
)
_FORGET = Sql(
    update(folders)
    .where(folders.c.key == bindparam("place"))
    .values(floor=bindparam("until"), tombstones=folders.c.tombstones - bindparam("fewer"))
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that a transaction works in."""

    row: int
    collection: CollectionId
    next_item: int
    account: int
    quota: int | None


def place(connection: sqlite3.Connection, user: UserId, collection: CollectionId) -> Place:
    """The folder of that id. Raises NoSuchFolder."""
    row = _FOLDER.one(connection, who=user, collection=collection)
    if row is None:
        raise NoSuchFolder(collection)
    return Place(*row)


def default_place(connection: sqlite3.Connection, user: UserId, type_: FolderType) -> Place:
    """The user's first folder of a type. Raises NoSuchFolder."""
    row = _DEFAULT.one(connection, who=user, folder_type=int(type_))
    if row is None:
        raise NoSuchFolder(f"{user} has no folder of type {type_.name}")
    return Place(*row)


def room_for(connection: sqlite3.Connection, at: Place, size: int) -> bool:
    """Whether the account's quota has room for `size` octets more."""
    if at.quota is None:
        return True
    row = _USED.one(connection, owner=at.account)
    return row is not None and row[0] + size <= at.quota


def add(unit: Unit, user: UserId, at: Place, message: NewMessage, blob: int) -> Entry:
    """Put a message, whose octets are stored, into a folder. Raises StoreFull."""
    size = len(message.trace) + message.content.size
    if not room_for(unit.connection, at, size):
        raise StoreFull(f"the quota of {user} is used up")
    received = codec.seconds(message.received)
    blobs.refer(unit, blob)
    cursor = _NEW.run(
        unit.connection,
        folder=at.row,
        id=at.next_item,
        received=received,
        revision=unit.stamp,
        content_revision=unit.stamp,
        read_revision=unit.stamp,
        flag_revision=unit.stamp,
        categories_revision=unit.stamp,
        verb_revision=unit.stamp,
        state=codec.dump(message.state),
        blob=blob,
        size=size,
        conversation=message.index.conversation_id,
        trace=message.trace,
        message_index=codec.dump(message.index),
        born=unit.stamp,
    )
    search.add(unit.connection, at.account, cursor.lastrowid, message.text)
    _GROW.run(unit.connection, folder=at.row, stamp=unit.stamp, added=1, more=size, gone=0)
    unit.touch(user, at.collection)
    return Entry(id=ItemId(at.next_item), revision=Revision(unit.stamp), received=received)


def exchange(
    unit: Unit, user: UserId, at: Place, item: ItemId, message: NewMessage, blob: int, *, expected: Revision, now: int
) -> Written | None:
    """Put another content, whose octets are stored, in the place of an item's. Raises NoSuchItem, StoreFull."""
    row = _REPLACED.one(unit.connection, place=at.row, item=item)
    if row is None:
        raise NoSuchItem(f"{at.collection}:{item}")
    key, revision, before, old = row
    if revision != expected:
        return None
    size = len(message.trace) + message.content.size
    if not room_for(unit.connection, at, size - before):
        raise StoreFull(f"the quota of {user} is used up")
    blobs.refer(unit, blob)
    _REPLACE.run(
        unit.connection,
        row=key,
        instant=codec.seconds(message.received),
        stamp=unit.stamp,
        other=blob,
        octets=size,
        thread=message.index.conversation_id,
        above=message.trace,
        known=codec.dump(message.index),
    )
    blobs.release(unit, [old], now)
    search.remove(unit.connection, key)
    search.add(unit.connection, at.account, key, message.text)
    _GROW.run(unit.connection, folder=at.row, stamp=unit.stamp, added=0, more=size - before, gone=0)
    unit.touch(user, at.collection)
    return Written(before=Revision(revision), after=Revision(unit.stamp))


def change(unit: Unit, user: UserId, at: Place, item: ItemId, wanted: StateChange) -> Written:
    """Change an item's state. Raises NoSuchItem."""
    row = _STATE.one(unit.connection, place=at.row, item=item)
    if row is None:
        raise NoSuchItem(f"{at.collection}:{item}")
    key, octets, revision = row
    before = codec.load_state(octets)
    after = codec.changed_state(before, wanted)
    if after == before:
        return Written(before=Revision(revision), after=Revision(revision))
    parts = {part: unit.stamp if differs else None for part, differs in _differences(before, after).items()}
    _CHANGE.run(unit.connection, row=key, stamp=unit.stamp, octets=codec.dump(after), **parts)
    _GROW.run(unit.connection, folder=at.row, stamp=unit.stamp, added=0, more=0, gone=0)
    unit.touch(user, at.collection)
    return Written(before=Revision(revision), after=Revision(unit.stamp))


def _differences(before: ItemState, after: ItemState) -> Mapping[str, bool]:
    return {
        "read": before.read != after.read,
        "flag": before.flag != after.flag,
        "categories": before.categories != after.categories,
        "verb": (before.verb, before.verb_time) != (after.verb, after.verb_time),
    }


def remove(unit: Unit, user: UserId, at: Place, wanted: Iterable[ItemId], now: int) -> list[ItemId]:
    """Delete items; gives those that were there."""
    gone: list[ItemId] = []
    octets = 0
    released: list[int] = []
    for item in wanted:
        row = _LEAVING.one(unit.connection, place=at.row, item=item)
        if row is None:
            continue
        key, received, born, size, blob = row
        search.remove(unit.connection, key)
        _DROP.run(unit.connection, row=key)
        _bury(unit, at, item, received, born)
        released.append(blob)
        octets += size
        gone.append(item)
    if gone:
        blobs.release(unit, released, now)
        _left(unit, user, at, len(gone), octets)
    return gone


def move(unit: Unit, user: UserId, source: Place, wanted: Sequence[ItemId], target: Place) -> dict[ItemId, ItemId]:
    """Move items; gives their new ids."""
    moved: dict[ItemId, ItemId] = {}
    octets = 0
    for item in wanted:
        row = _LEAVING.one(unit.connection, place=source.row, item=item)
        if row is None:
            continue
        key, received, born, size, _ = row
        number = ItemId(target.next_item + len(moved))
        _bury(unit, source, item, received, born)
        _MOVE.run(unit.connection, row=key, target=target.row, number=number, stamp=unit.stamp)
        moved[item] = number
        octets += size
    if moved:
        _left(unit, user, source, len(moved), octets)
        _GROW.run(unit.connection, folder=target.row, stamp=unit.stamp, added=len(moved), more=octets, gone=0)
        unit.touch(user, target.collection)
    return moved


def _bury(unit: Unit, at: Place, item: ItemId, received: int, born: int) -> None:
    _BURY.run(unit.connection, folder=at.row, revision=unit.stamp, id=item, received=received, born=born)


def _left(unit: Unit, user: UserId, at: Place, count: int, octets: int) -> None:
    _GROW.run(unit.connection, folder=at.row, stamp=unit.stamp, added=0, more=-octets, gone=count)
    unit.touch(user, at.collection)
    row = _BURIED.one(unit.connection, folder=at.row)
    if row is None or row[0] <= KEPT_TOMBSTONES:
        return
    oldest = _OLDEST.one(unit.connection, place=at.row, position=row[0] - KEPT_TOMBSTONES // 2)
    if oldest is not None:
        fewer = _EXHUME.run(unit.connection, place=at.row, until=oldest[0]).rowcount
        _FORGET.run(unit.connection, place=at.row, until=oldest[0], fewer=fewer)
