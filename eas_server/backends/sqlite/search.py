"""The word index of messages, an FTS5 table. This is the part of the store that PostgreSQL would do in its own way.

Every word is stored as `<account>·<word>`: a search for the beginning of a word reads the words of one account only,
and cannot find another's. The words come from `backends.words` and consist of letters and digits, so that nothing of
a query is read as FTS5 syntax.

The words of a message are stored with it, but enter the index later and many messages at once, which costs a fifth.
Until then a search reads them where they stand: it is current at once.
"""

import sqlite3
from collections.abc import Collection, Sequence
from functools import lru_cache, partial

from sqlalchemy import bindparam, delete, insert, select

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.mailboxes import Mailbox, Mailboxes
from eas_server.backends.sqlite.query import Row, Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import item_words, items, unindexed
from eas_server.backends.sqlite.writer import Unit
from eas_server.backends.words import words
from eas_server.model.ids import CollectionId, ItemId, Revision, UserId
from eas_server.model.mail import Entry, ItemClass, SearchHit, SearchQuery

INDEXED_AT_ONCE = 32
"""How many messages one transaction takes into the index: some 10 ms for long ones."""

_SEPARATOR = "·"
_STORE = Sql(insert(item_words), columns=("item", "words"))
_WAIT = Sql(insert(unindexed), columns=("item",))
_WAITING = Sql(select(unindexed.c.item).order_by(unindexed.c.item).limit(INDEXED_AT_ONCE))
_WAITS_NO_MORE = Sql(delete(unindexed).where(unindexed.c.item == bindparam("row")))
_DROP = Sql(delete(item_words).where(item_words.c.item == bindparam("row")))
_INDEX = "INSERT INTO message_words (rowid, words) SELECT item, words FROM item_words WHERE item = ?"
_UNINDEX = "DELETE FROM message_words WHERE rowid = ?"

_FOUND = """
(SELECT rowid AS key FROM message_words WHERE message_words MATCH :match
UNION ALL SELECT unindexed.item FROM unindexed CROSS JOIN item_words USING (item) WHERE {}) AS found
CROSS JOIN items ON items.key = found.key
"""
"""The items that have the words. CROSS JOIN keeps SQLite from walking through all words and all of a folder instead."""
_CONTAINS = "instr(' ' || item_words.words, :word_{}) > 0"
_CONVERSATIONS = """
SELECT items.id, items.revision, items.received
FROM (SELECT DISTINCT +conversation AS id FROM items WHERE folder = :place AND received >= :since) AS recent
  CROSS JOIN items ON items.conversation = recent.id
WHERE recent.id != x'' AND +items.folder = :place AND +items.received < :since
ORDER BY items.received DESC, items.id DESC
"""
"""From what is within the limit to its conversations: mostly that is less than what is not. A CROSS JOIN is done in the
order in which it is written, and what stands behind a + by no index.
"""
_ENTRY = Sql(
    select(items.c.id, items.c.revision, items.c.received).where(
        items.c.folder == bindparam("place"), items.c.id == bindparam("item")
    )
)
_FIND = """
SELECT folders.id, items.id FROM {} JOIN folders ON folders.key = items.folder
WHERE folders.account = :account AND {}
ORDER BY items.received DESC, folders.key, items.id DESC
"""


@lru_cache(maxsize=4)
def _words(text: str) -> str:
    """The words of a message; one that goes to several accounts is read once."""
    return " ".join(words(text))


def add(connection: sqlite3.Connection, account: int, row: int | None, text: str) -> None:
    """Make an item searchable."""
    found = _words(text)
    if not found or row is None:
        return
    prefix = f"{account}{_SEPARATOR}"
    _STORE.run(connection, item=row, words=prefix + found.replace(" ", f" {prefix}"))
    _WAIT.run(connection, item=row)


def remove(connection: sqlite3.Connection, row: int) -> None:
    """Take an item out of the index."""
    if _WAITS_NO_MORE.run(connection, row=row).rowcount == 0:
        connection.execute(_UNINDEX, (row,))  # reads the words that it takes out of the index
    _DROP.run(connection, row=row)


def index(unit: Unit) -> bool:
    """Take some of the messages that wait into the index; whether more may wait."""
    waiting = _WAITING.all(unit.connection)
    unit.connection.executemany(_INDEX, waiting)
    _WAITS_NO_MORE.many(unit.connection, ({"row": row} for (row,) in waiting))
    return len(waiting) == INDEXED_AT_ONCE


class SqliteSearch:
    """See the port. `since` is inclusive, `before` exclusive."""

    def __init__(self, mailboxes: Mailboxes, readers: Readers) -> None:
        self._mailboxes = mailboxes
        self._readers = readers

    async def search(self, user: UserId, query: SearchQuery) -> Sequence[SearchHit]:
        """See the port."""
        mailbox = await self._mailboxes.get(user)
        if mailbox.account is None:
            return []
        source, values = _source(mailbox.account, query)
        conditions = _conditions(query, values)
        if query.words and "match" not in values:  # nothing but punctuation: no message has such a word
            return []
        return await self._readers.run(
            partial(
                _find,
                text=_FIND.format(source, " AND ".join(conditions)),
                values=values,
                wanted=_collections(mailbox, query),
                limit=query.limit,
            )
        )

    async def conversations(self, user: UserId, collection: CollectionId, *, since: int) -> Sequence[Entry]:
        """See the port."""
        row = (await self._mailboxes.get(user)).row(collection)
        found = await self._readers.run(
            lambda connection: connection.execute(_CONVERSATIONS, {"place": row, "since": since}).fetchall()
        )
        return [_entry(each) for each in found]

    async def entries(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> Sequence[Entry]:
        """See the port."""
        row = (await self._mailboxes.get(user)).row(collection)

        def read(connection: sqlite3.Connection) -> list[Row]:
            found = (_ENTRY.one(connection, place=row, item=item) for item in items)
            return [columns for columns in found if columns is not None]

        return [_entry(each) for each in await self._readers.run(read)]


def _entry(row: Row) -> Entry:
    id_, revision, received = row
    return Entry(id=ItemId(id_), revision=Revision(revision), received=received)


def _source(account: int, query: SearchQuery) -> tuple[str, dict[str, object]]:
    """The items to look through: those that have all the words, or all."""
    values: dict[str, object] = {"account": account}
    beginnings = [f"{account}{_SEPARATOR}{word}" for word in sorted(words(query.words))]
    if not beginnings:
        return "items", values
    values["match"] = " AND ".join(f'"{beginning}"*' for beginning in beginnings)
    values |= {f"word_{n}": f" {beginning}" for n, beginning in enumerate(beginnings)}
    return _FOUND.format(" AND ".join(_CONTAINS.format(n) for n in range(len(beginnings)))), values


def _conditions(query: SearchQuery, values: dict[str, object]) -> list[str]:
    conditions = ["TRUE"]
    if query.since is not None:
        conditions.append("items.received >= :since")
        values["since"] = codec.seconds(query.since)
    if query.before is not None:
        conditions.append("items.received < :before")
        values["before"] = codec.seconds(query.before)
    if query.conversation_id is not None:
        conditions.append("items.conversation = :conversation")
        values["conversation"] = query.conversation_id
    return conditions


def _find(
    connection: sqlite3.Connection,
    *,
    text: str,
    values: dict[str, object],
    wanted: frozenset[CollectionId],
    limit: int,
) -> list[SearchHit]:
    hits = (
        SearchHit(collection=CollectionId(collection), id=ItemId(item))
        for collection, item in connection.execute(text, values)
        if collection in wanted
    )
    return [hit for hit, _ in zip(hits, range(limit), strict=False)]


def _collections(mailbox: Mailbox, query: SearchQuery) -> frozenset[CollectionId]:
    if query.collections is not None:
        return frozenset(query.collections)
    return frozenset(folder.id for folder in mailbox.folders if folder.item_class is ItemClass.EMAIL)


_: type[interfaces.SearchesMail] = SqliteSearch
