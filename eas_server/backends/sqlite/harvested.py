"""HarvestedCertificates on SQLite."""

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.query import Row, Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import accounts, harvested
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.model.certificates import MAX_HARVESTED_OF_ADDRESS, MAX_HARVESTED_OF_USER, Harvested
from eas_server.model.ids import UserId

_ACCOUNT = Sql(select(accounts.c.key).where(accounts.c.user == bindparam("who")))


def _rows() -> "Select[Row]":
    return select(
        accounts.c.user,
        harvested.c.address,
        harvested.c.certificate,
        harvested.c.chain,
        harvested.c.first_seen,
        harvested.c.last_seen,
        harvested.c.disputed,
    ).join(accounts, accounts.c.key == harvested.c.account)


_OF_ANYBODY = Sql(_rows().where(harvested.c.address == bindparam("whose")))
_OF_USER = Sql(_rows().where(harvested.c.address == bindparam("whose"), accounts.c.user == bindparam("who")))
_DISPUTED = Sql(
    _rows().where(harvested.c.disputed == 1).order_by(harvested.c.address, accounts.c.user, harvested.c.fingerprint)
)
_new = upsert(harvested)
_KEEP = Sql(
    _new.on_conflict_do_update(
        index_elements=["account", "address", "fingerprint"],
        set_={"chain": _new.excluded.chain, "last_seen": _new.excluded.last_seen, "disputed": _new.excluded.disputed},
    ),
    columns=("account", "address", "fingerprint", "certificate", "chain", "first_seen", "last_seen", "disputed"),
)
_FORGET = Sql(delete(harvested).where(harvested.c.fingerprint == bindparam("digits")))
_SURPLUS_OF_ADDRESS = Sql(
    select(harvested.c.address, harvested.c.fingerprint)
    .where(harvested.c.account == bindparam("owner"), harvested.c.address == bindparam("whose"))
    .order_by(harvested.c.last_seen.desc(), harvested.c.fingerprint)
    .limit(-1)
    .offset(MAX_HARVESTED_OF_ADDRESS)
)
_SURPLUS_OF_USER = Sql(
    select(harvested.c.address, harvested.c.fingerprint)
    .where(harvested.c.account == bindparam("owner"))
    .order_by(harvested.c.last_seen.desc(), harvested.c.address, harvested.c.fingerprint)
    .limit(-1)
    .offset(MAX_HARVESTED_OF_USER)
)
_DROP = Sql(
    delete(harvested).where(
        harvested.c.account == bindparam("owner"),
        harvested.c.address == bindparam("whose"),
        harvested.c.fingerprint == bindparam("digits"),
    )
)


class SqliteHarvested:
    """See the port."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def known(self, user: UserId | None, addresses: Collection[str]) -> Sequence[Harvested]:
        """See the port."""
        return await self._readers.run(partial(_known, user=user, addresses=tuple(dict.fromkeys(addresses))))

    async def keep(self, found: Harvested) -> None:
        """See the port."""

        def work(unit: Unit) -> None:
            row = _ACCOUNT.one(unit.connection, who=found.user)
            if row is not None:
                _keep(unit.connection, int(row[0]), found)

        await self._writer.run(work)

    async def forget(self, fingerprint: str) -> int:
        """See the port."""

        def work(unit: Unit) -> int:
            return _FORGET.run(unit.connection, digits=fingerprint).rowcount

        return await self._writer.run(work)

    async def disputed(self) -> Sequence[Harvested]:
        """See the port."""
        return await self._readers.run(lambda connection: list(map(_harvested, _DISPUTED.all(connection))))


def _known(connection: sqlite3.Connection, user: UserId | None, addresses: Sequence[str]) -> Sequence[Harvested]:
    found: list[Harvested] = []
    for address in addresses:
        if user is None:
            rows = _OF_ANYBODY.all(connection, whose=address)
        else:
            rows = _OF_USER.all(connection, whose=address, who=user)
        found += map(_harvested, rows)
    return sorted(found, key=lambda each: each.last_seen, reverse=True)


def _keep(connection: sqlite3.Connection, account: int, found: Harvested) -> None:
    _KEEP.run(
        connection,
        account=account,
        address=found.address,
        fingerprint=found.fingerprint,
        certificate=found.certificate,
        chain=codec.dump_record(found.chain),
        first_seen=codec.micros(found.first_seen),
        last_seen=codec.micros(found.last_seen),
        disputed=int(found.disputed),
    )
    surplus = _SURPLUS_OF_ADDRESS.all(connection, owner=account, whose=found.address)
    surplus += _SURPLUS_OF_USER.all(connection, owner=account)
    for address, fingerprint in surplus:
        _DROP.run(connection, owner=account, whose=address, digits=fingerprint)


def _harvested(row: Row) -> Harvested:
    user, address, certificate, chain, first_seen, last_seen, disputed = row
    return Harvested(
        user=UserId(user),
        address=address,
        certificate=bytes(certificate),
        chain=codec.load_record(chain, tuple[bytes, ...]),
        first_seen=codec.instant(first_seen),
        last_seen=codec.instant(last_seen),
        disputed=bool(disputed),
    )


_: type[interfaces.HarvestedCertificates] = SqliteHarvested
