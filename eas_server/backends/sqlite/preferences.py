"""Preferences on SQLite."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import accounts, done, preferences
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import NoSuchFolder
from eas_server.interfaces import P
from eas_server.model.ids import UserId

_ACCOUNT = Sql(select(accounts.c.key).where(accounts.c.user == bindparam("who")))
_RECORD = Sql(
    select(preferences.c.value)
    .join(accounts, accounts.c.key == preferences.c.account)
    .where(accounts.c.user == bindparam("who"), preferences.c.kind == bindparam("named"))
)
_record_insert = upsert(preferences)
_SAVE = Sql(
    _record_insert.on_conflict_do_update(
        index_elements=["account", "kind"], set_={"value": _record_insert.excluded.value}
    ),
    columns=("account", "kind", "value"),
)
_UNTIL = Sql(select(done.c.until).where(done.c.account == bindparam("owner"), done.c.subject == bindparam("what")))
_PAST = Sql(delete(done).where(done.c.account == bindparam("owner"), done.c.until <= bindparam("now")))
_MARK = Sql(upsert(done), columns=("account", "subject", "until"))


class SqlitePreferences:
    """See the port."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def preference(self, user: UserId, kind: type[P]) -> P:
        """See the port."""
        return await self._readers.run(partial(_read, user=user, kind=kind))

    async def change_preference(self, user: UserId, kind: type[P], change: Callable[[P], P]) -> P:
        """See the port."""

        def work(unit: Unit) -> P:
            account = _account(unit.connection, user)
            stored = _read(unit.connection, user=user, kind=kind)
            changed = change(stored)
            if changed != stored:
                _SAVE.run(unit.connection, account=account, kind=kind.KIND, value=codec.dump_record(changed))
            return changed

        return await self._writer.run(work)

    async def mark_once(self, user: UserId, subject: str, now: datetime, until: datetime) -> bool:
        """See the port."""

        def work(unit: Unit) -> bool:
            account = _account(unit.connection, user)
            _PAST.run(unit.connection, owner=account, now=codec.micros(now))
            if _UNTIL.one(unit.connection, owner=account, what=subject) is not None:
                return False
            _MARK.run(unit.connection, account=account, subject=subject, until=codec.micros(until))
            return True

        return await self._writer.run(work)


def _account(connection: sqlite3.Connection, user: UserId) -> int:
    row = _ACCOUNT.one(connection, who=user)
    if row is None:
        raise NoSuchFolder(f"there is no user {user}")
    return int(row[0])


def _read(connection: sqlite3.Connection, *, user: UserId, kind: type[P]) -> P:
    row = _RECORD.one(connection, who=user, named=kind.KIND)
    return kind() if row is None else codec.load_record(row[0], kind)


_: type[interfaces.Preferences] = SqlitePreferences
