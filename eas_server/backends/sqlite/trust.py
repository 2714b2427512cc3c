"""TrustStore on SQLite, and what administration changes in it."""

import asyncio
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import trusted
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import AdministrationError
from eas_server.interfaces import Clock
from eas_server.model.trust import Anchor, TrustCollection, Trusted, fingerprint_of

MAX_IN_COLLECTION = 2000
"""Windows trusts some five hundred roots. What is remembered of certificates holds twice as many as this."""

_ALL = Sql(
    select(trusted.c.collection, trusted.c.anchor, trusted.c.certificate, trusted.c.added).order_by(
        trusted.c.collection, trusted.c.added, trusted.c.fingerprint
    )
)
_KNOWN = Sql(
    select(trusted.c.anchor).where(
        trusted.c.collection == bindparam("named"), trusted.c.fingerprint == bindparam("digits")
    )
)
_COUNT = Sql(select(func.count()).select_from(trusted).where(trusted.c.collection == bindparam("named")))
_NEW = Sql(insert(trusted), columns=("collection", "fingerprint", "anchor", "certificate", "added"))
_TURN = Sql(
    update(trusted)
    .where(trusted.c.collection == bindparam("named"), trusted.c.fingerprint == bindparam("digits"))
    .values(anchor=bindparam("as_what"))
)
_DROP = Sql(
    delete(trusted).where(trusted.c.collection == bindparam("named"), trusted.c.fingerprint == bindparam("digits"))
)


class SqliteTrust:
    """See the port. All collections are kept in memory, as new as the last known change."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock
        self._wanted = 1
        self._there = 0
        self._collections: Mapping[str, TrustCollection] = {}
        self._reading = asyncio.Lock()

    def changed(self) -> None:
        """Something was changed: what is kept in memory is old."""
        self._wanted += 1

    async def collection(self, domain: str) -> TrustCollection:
        """See the port."""
        by_name = await self._by_name()
        return by_name.get(domain.lower()) or by_name.get("") or TrustCollection(name="")

    async def collections(self) -> Sequence[TrustCollection]:
        """See the port."""
        return list((await self._by_name()).values())

    async def certificates(self) -> Sequence[Trusted]:
        """All certificates of all collections, those of a collection in the order in which they came."""
        return await self._readers.run(_read)

    async def trust(self, collection: str, certificates: Mapping[bytes, Anchor]) -> Mapping[bytes, Anchor | None]:
        """Take DER certificates into a collection, all or none.

        What each of them was in it before: None, it was not there. Raises AdministrationError where the collection
        would hold more than MAX_IN_COLLECTION.
        """
        named = collection.lower()
        added = codec.micros(self._clock.now())

        def work(unit: Unit) -> Mapping[bytes, Anchor | None]:
            before: dict[bytes, Anchor | None] = {}
            for der, anchor in certificates.items():
                before[der] = _take(unit.connection, named, der, anchor, added)
            (count,) = _COUNT.one(unit.connection, named=named) or (0,)
            if count > MAX_IN_COLLECTION:
                raise AdministrationError(
                    f"the collection would hold {count} certificates, more than {MAX_IN_COLLECTION}: nothing was added"
                )
            if any(was is not certificates[der] for der, was in before.items()):
                unit.mark("trust")
            return before

        return await self._writer.run(work)

    async def distrust(self, collection: str, fingerprints: Collection[str]) -> int:
        """Take certificates out of a collection; how many were there."""

        def work(unit: Unit) -> int:
            gone = sum(
                _DROP.run(unit.connection, named=collection.lower(), digits=digits).rowcount
                for digits in dict.fromkeys(fingerprints)
            )
            if gone:
                unit.mark("trust")
            return gone

        return await self._writer.run(work)

    async def _by_name(self) -> Mapping[str, TrustCollection]:
        while self._there < self._wanted:
            async with self._reading:
                wanted = self._wanted
                if self._there < wanted:
                    self._collections = _collected(await self._readers.run(_read))
                    self._there = wanted
        return self._collections


def _take(connection: sqlite3.Connection, named: str, der: bytes, anchor: Anchor, added: int) -> Anchor | None:
    digits = fingerprint_of(der)
    row = _KNOWN.one(connection, named=named, digits=digits)
    if row is None:
        _NEW.run(connection, collection=named, fingerprint=digits, anchor=anchor.value, certificate=der, added=added)
        return None
    was = Anchor(row[0])
    if was is not anchor:
        _TURN.run(connection, named=named, digits=digits, as_what=anchor.value)
    return was


def _read(connection: sqlite3.Connection) -> Sequence[Trusted]:
    return [
        Trusted(
            collection=collection, anchor=Anchor(anchor), certificate=bytes(certificate), added=codec.instant(added)
        )
        for collection, anchor, certificate, added in _ALL.all(connection)
    ]


def _collected(found: Sequence[Trusted]) -> Mapping[str, TrustCollection]:
    by_name: dict[str, list[Trusted]] = {}
    for each in found:
        by_name.setdefault(each.collection, []).append(each)
    return {
        name: TrustCollection(
            name=name,
            roots=tuple(each.certificate for each in held if each.anchor is Anchor.ROOT),
            intermediates=tuple(each.certificate for each in held if each.anchor is Anchor.INTERMEDIATE),
        )
        for name, held in by_name.items()
    }


_: type[interfaces.TrustStore] = SqliteTrust
