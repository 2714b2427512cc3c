"""The MailStore on SQLite."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Select, bindparam, func, select, tuple_

from eas_server import interfaces
from eas_server.backends.sqlite import blobs, codec
from eas_server.backends.sqlite import items as steps
from eas_server.backends.sqlite.mailboxes import Mailboxes
from eas_server.backends.sqlite.query import Row, Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import blobs as blob_table
from eas_server.backends.sqlite.schema import folders, items, tombstones
from eas_server.backends.sqlite.search import SqliteSearch
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import NoSuchFolder, StaleToken
from eas_server.interfaces import Changes, Clock, Written
from eas_server.model.ids import CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import Changed, Entry, Item, NewMessage, StateChange
from eas_server.model.view import Position

T = TypeVar("T")

AT_HAND = 16 * 1024
"""Octets up to which an item that is no message is read together with what is known of it."""

DELETED_AT_ONCE = 500
"""How many items one transaction deletes or moves: others come between the transactions of a large request."""

_TOKEN = Sql(select(folders.c.token, folders.c.floor).where(folders.c.key == bindparam("place")))
_CHANGED = Sql(
    select(items.c.id, items.c.revision, items.c.received)
    .where(items.c.folder == bindparam("place"), items.c.revision > bindparam("since"))
    .order_by(items.c.revision, items.c.id)
)
_GONE = Sql(
    select(tombstones.c.id, tombstones.c.revision, tombstones.c.received)
    .where(
        tombstones.c.folder == bindparam("place"),
        tombstones.c.revision > bindparam("since"),
        tombstones.c.born <= bindparam("since"),
    )
    .order_by(tombstones.c.revision, tombstones.c.id)
)
_below = (
    items.c.folder == bindparam("place"),
    items.c.received >= bindparam("not_before"),
    tuple_(items.c.received, items.c.id) < tuple_(bindparam("received"), bindparam("id")),
)
_PAGE = Sql(
    select(items.c.id, items.c.revision, items.c.received)
    .where(*_below)
    .order_by(items.c.received.desc(), items.c.id.desc())
    .limit(bindparam("most"))
)
_COUNT = Sql(select(func.count()).select_from(items).where(*_below))


def _item_columns() -> Select[*tuple[object, ...]]:
    return select(
        items.c.revision,
        items.c.content_revision,
        items.c.read_revision,
        items.c.flag_revision,
        items.c.categories_revision,
        items.c.verb_revision,
        items.c.received,
        items.c.state,
        items.c.trace,
        items.c.message_index,
        items.c.blob,
        blob_table.c.size,
    ).join(blob_table, blob_table.c.key == items.c.blob)


_ITEM = Sql(_item_columns().where(items.c.folder == bindparam("place"), items.c.id == bindparam("item")))


class SqliteMail(SqliteSearch):
    """See the port. Large deletions and moves are carried out in several transactions."""

    def __init__(self, mailboxes: Mailboxes, readers: Readers, writer: Writer, clock: Clock) -> None:
        super().__init__(mailboxes, readers)
        self._writer = writer
        self._clock = clock

    async def tokens(self, user: UserId, collections: Collection[CollectionId]) -> Mapping[CollectionId, Token]:
        """See the port. Answered from memory."""
        held = (await self._mailboxes.get(user)).tokens
        return {collection: held[collection] for collection in collections if collection in held}

    async def changes(self, user: UserId, collection: CollectionId, since: Token) -> Changes:
        """See the port."""
        mailbox = await self._mailboxes.get(user)
        place = mailbox.row(collection)
        if mailbox.tokens.get(collection) == since:
            return Changes(token=since, entries=())
        return await self._readers.run(partial(_changes, place=place, since=since))

    async def page(
        self,
        user: UserId,
        collection: CollectionId,
        *,
        below: Position,
        not_before: int,
        limit: int,
    ) -> Sequence[Entry]:
        """See the port."""
        row = (await self._mailboxes.get(user)).row(collection)
        values = {"place": row, "received": below.received, "id": below.id, "not_before": not_before, "most": limit}
        rows = await self._readers.run(lambda connection: _PAGE.all(connection, **values))
        return [_entry(row) for row in rows]

    async def count(self, user: UserId, collection: CollectionId, *, below: Position, not_before: int) -> int:
        """See the port."""
        row = (await self._mailboxes.get(user)).row(collection)
        values = {"place": row, "received": below.received, "id": below.id, "not_before": not_before}
        found = await self._readers.run(lambda connection: _COUNT.one(connection, **values))
        return int(found[0]) if found else 0

    async def fetch(self, user: UserId, collection: CollectionId, items: Sequence[ItemId]) -> Sequence[Item]:
        """See the port."""
        mailbox = await self._mailboxes.get(user)
        row = mailbox.row(collection)
        # of a message a client mostly wants what the index has; a contact or an event is read whole
        with_content = not mailbox.holds_mail(collection)

        def read(connection: sqlite3.Connection) -> list[tuple[ItemId, Row, bytes | None]]:
            found = ((item, _ITEM.one(connection, place=row, item=item)) for item in items)
            return [
                (item, columns, _at_hand(connection, columns) if with_content else None)
                for item, columns in found
                if columns is not None
            ]

        return [self._item(*found) for found in await self._readers.run(read)]

    async def add(self, user: UserId, collection: CollectionId, message: NewMessage) -> Entry:
        """See the port."""
        now = codec.micros(self._clock.now())
        (await self._mailboxes.get(user)).row(collection)
        prepared = await blobs.prepare(message.content, self._readers, self._writer, now)

        def work(unit: Unit) -> Entry:
            at = steps.place(unit.connection, user, collection)
            return steps.add(unit, user, at, message, blobs.place(unit, prepared, now))

        return await self._writer.run(work)

    async def replace(
        self, user: UserId, collection: CollectionId, item: ItemId, message: NewMessage, expected: Revision
    ) -> Written | None:
        """See the port."""
        now = codec.micros(self._clock.now())
        (await self._mailboxes.get(user)).row(collection)
        prepared = await blobs.prepare(message.content, self._readers, self._writer, now)

        def work(unit: Unit) -> Written | None:
            at = steps.place(unit.connection, user, collection)
            blob = blobs.place(unit, prepared, now)
            return steps.exchange(unit, user, at, item, message, blob, expected=expected, now=now)

        return await self._writer.run(work)

    async def change(self, user: UserId, collection: CollectionId, item: ItemId, change: StateChange) -> Written:
        """See the port."""
        return await self._writer.run(
            lambda unit: steps.change(unit, user, steps.place(unit.connection, user, collection), item, change)
        )

    async def delete(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> frozenset[ItemId]:
        """See the port."""
        now = codec.micros(self._clock.now())
        gone: set[ItemId] = set()
        for some in _portions(list(dict.fromkeys(items))):

            def work(unit: Unit, some: Sequence[ItemId] = some) -> list[ItemId]:
                return steps.remove(unit, user, steps.place(unit.connection, user, collection), some, now)

            gone.update(await self._writer.run(work))
        return frozenset(gone)

    async def move(
        self, user: UserId, source: CollectionId, items: Sequence[ItemId], target: CollectionId
    ) -> Mapping[ItemId, ItemId]:
        """See the port."""
        moved: dict[ItemId, ItemId] = {}
        for some in _portions(list(dict.fromkeys(items))):

            def work(unit: Unit, some: Sequence[ItemId] = some) -> dict[ItemId, ItemId]:
                here = steps.place(unit.connection, user, source)
                return steps.move(unit, user, here, some, steps.place(unit.connection, user, target))

            moved.update(await self._writer.run(work))
        return moved

    def _item(self, item: ItemId, row: Row, at_hand: bytes | None) -> Item:
        revision, content, read, flag, categories, verb, received, state, trace, index, blob, size = row
        return Item(
            id=item,
            revision=Revision(revision),
            changed=Changed(
                content=Revision(content),
                read=Revision(read),
                flag=Revision(flag),
                categories=Revision(categories),
                verb=Revision(verb),
            ),
            received=codec.instant(received * 1_000_000),
            index=codec.load_index(index),
            state=codec.load_state(state),
            content=blobs.StoredBlob(self._readers, blob, size, trace, at_hand),
            index_offset=len(trace),
        )


def _at_hand(connection: sqlite3.Connection, columns: Row) -> bytes | None:
    blob, size = columns[-2:]
    return blobs.read_chunk(blob, 0, connection) if size <= AT_HAND else None


def _portions(wanted: list[ItemId]) -> list[list[ItemId]]:
    return [wanted[at : at + DELETED_AT_ONCE] for at in range(0, len(wanted), DELETED_AT_ONCE)] or [[]]


def _entry(row: Row, *, present: bool = True) -> Entry:
    id_, revision, received = row
    return Entry(id=ItemId(id_), revision=Revision(revision), received=received, present=present)


def _changes(connection: sqlite3.Connection, *, place: int, since: Token) -> Changes:
    row = _TOKEN.one(connection, place=place)
    if row is None:
        raise NoSuchFolder(str(place))
    token, floor = row
    if not floor <= since <= token:
        raise StaleToken(f"{since} is not within {floor} to {token}")
    there = [_entry(found) for found in _CHANGED.all(connection, place=place, since=since)]
    gone = [_entry(found, present=False) for found in _GONE.all(connection, place=place, since=since)]
    return Changes(token=Token(token), entries=[*gone, *there])


_: type[interfaces.MailStore] = SqliteMail
