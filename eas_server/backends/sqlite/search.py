"""The word index of messages, an FTS5 table. This is the part of the store that PostgreSQL would do in its own way.

Every word is stored as `<account>·<word>`: a search for the beginning of a word reads the words of one account only,
and cannot find another's. The words come from `backends.words` and consist of letters and digits, so that nothing of
a query is read as FTS5 syntax.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache, partial

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.mailboxes import Mailbox, Mailboxes
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.words import words
from eas_server.model.ids import CollectionId, ItemId, UserId
from eas_server.model.mail import ItemClass, SearchHit, SearchQuery

_SEPARATOR = "·"
_ADD = "INSERT INTO message_words (rowid, words) VALUES (?, ?)"
_REMOVE = "DELETE FROM message_words WHERE rowid = ?"

_FROM_WORDS = "FROM message_words JOIN items ON items.key = message_words.rowid"
_FIND = """
SELECT folders.id, items.id {source} JOIN folders ON folders.key = items.folder
WHERE {conditions}
ORDER BY items.received DESC, folders.key, items.id DESC
"""


@lru_cache(maxsize=4)
def _words(text: str) -> tuple[str, ...]:
    """The words of a message; one that goes to several accounts is read once."""
    return tuple(sorted(words(text)))


def add(connection: sqlite3.Connection, account: int, row: int | None, text: str) -> None:
    """Make an item searchable."""
    prefix = f"{account}{_SEPARATOR}"
    connection.execute(_ADD, (row, " ".join([prefix + word for word in _words(text)])))


def remove(connection: sqlite3.Connection, row: int) -> None:
    """Take an item out of the index."""
    connection.execute(_REMOVE, (row,))


def match_expression(account: int, query: str) -> str | None:
    """The FTS5 query for items that have, for each word of `query`, a word that begins with it. None: no words."""
    found = sorted(words(query))
    return " AND ".join(f'"{account}{_SEPARATOR}{word}"*' for word in found) or None


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
        return await self._readers.run(partial(_find, mailbox=mailbox, query=query))


def _find(connection: sqlite3.Connection, *, mailbox: Mailbox, query: SearchQuery) -> list[SearchHit]:
    conditions = ["folders.account = :account"]
    values: dict[str, object] = {"account": mailbox.account}
    source = "FROM items"
    if query.words:
        source = _FROM_WORDS
        conditions.append("message_words MATCH :match")
        values["match"] = match_expression(mailbox.account or 0, query.words)
        if values["match"] is None:
            return []
    if query.since is not None:
        conditions.append("items.received >= :since")
        values["since"] = codec.seconds(query.since)
    if query.before is not None:
        conditions.append("items.received < :before")
        values["before"] = codec.seconds(query.before)
    if query.conversation_id is not None:
        conditions.append("items.conversation = :conversation")
        values["conversation"] = query.conversation_id
    wanted = _collections(mailbox, query)
    text = _FIND.format(source=source, conditions=" AND ".join(conditions))
    hits = (
        SearchHit(collection=CollectionId(collection), id=ItemId(item))
        for collection, item in connection.execute(text, values)
        if collection in wanted
    )
    return [hit for hit, _ in zip(hits, range(query.limit), strict=False)]


def _collections(mailbox: Mailbox, query: SearchQuery) -> frozenset[CollectionId]:
    if query.collections is not None:
        return frozenset(query.collections)
    return frozenset(folder.id for folder in mailbox.folders if folder.item_class is ItemClass.EMAIL)


_: type[interfaces.SearchesMail] = SqliteSearch
