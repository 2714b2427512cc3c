"""Reads people, groups and accounts from the database, and keeps `People` as new as the last known change."""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import bindparam, exists, func, or_, select

from eas_server.backends.sqlite.people import People, Person, person
from eas_server.backends.sqlite.query import Row, Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import accounts, addresses, certificates, counters, entries, members
from eas_server.model.directory import Account, DirectoryEntry, EntryKind
from eas_server.model.ids import UserId

MAX_DETAILED = 2_000
"""Of how many people certificates and pictures are kept in memory."""

MAX_CHANGES = 100
"""More changes than these are taken over by reading everybody anew, which a thread does."""

TEXTS = (
    "display_name", "email", "alias", "first_name", "last_name", "title", "company", "department", "office", "phone",
    "home_phone", "mobile_phone",
)  # fmt: skip
"""The columns of `entries` that are properties of a DirectoryEntry."""

_changed = entries.c.changed > bindparam("since")
_has_certificates = exists(select(certificates.c.entry).where(certificates.c.entry == entries.c.key))
_ENTRIES = Sql(
    select(
        entries.c.key,
        entries.c.kind,
        entries.c.changed,
        or_(func.length(entries.c.picture) > 0, _has_certificates),
        *(entries.c[name] for name in TEXTS),
    ).where(_changed)
)
_ADDRESSES = Sql(
    select(addresses.c.entry, addresses.c.address)
    .join(entries, entries.c.key == addresses.c.entry)
    .where(_changed)
    .order_by(addresses.c.address)
)
_MEMBERS = Sql(
    select(members.c.entry, members.c.address)
    .join(entries, entries.c.key == members.c.entry)
    .where(_changed)
    .order_by(members.c.address)
)
_ACCOUNTS = Sql(
    select(accounts.c.entry, accounts.c.user, accounts.c.eas_enabled, accounts.c.quota)
    .join(entries, entries.c.key == accounts.c.entry)
    .where(_changed)
)
_COUNT = Sql(select(func.count()).select_from(entries))
_CHANGES = Sql(select(func.count()).select_from(entries).where(_changed))
_MOMENT = Sql(select(counters.c.value).where(counters.c.name == "directory"))
_PICTURE = Sql(select(entries.c.picture).where(entries.c.key == bindparam("row")))
_CERTIFICATES = Sql(
    select(certificates.c.source, certificates.c.value)
    .where(certificates.c.entry == bindparam("row"))
    .order_by(certificates.c.position)
)

Details = tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]
"""Picture, userCertificate values, userSMIMECertificate values."""


class Registry:
    """The people as they are now."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._people = People()
        self._since = -1
        self._wanted = 1
        self._have = 0
        self._reading = asyncio.Lock()
        self._details: OrderedDict[int, Details] = OrderedDict()

    def changed(self) -> None:
        """Something in the directory was changed: read it before the next answer."""
        self._wanted += 1

    async def people(self) -> People:
        """The index, with all changes that were told of before the call."""
        while self._have < self._wanted:
            async with self._reading:
                if self._have < self._wanted:
                    await self._refresh()
        return self._people

    async def _refresh(self) -> None:
        target = self._wanted
        known = self._people.rows()
        found = await self._readers.run(partial(_read, since=self._since, known=known))
        if isinstance(found[0], People):
            self._people = found[0]
        else:
            self._people.put(found[0])
        self._since = found[1]
        self._have = target
        self._details.clear()

    async def detailed(self, people: Sequence[Person]) -> list[DirectoryEntry]:
        """The entries with their certificates and pictures."""
        generation = self._have
        missing = [one.row for one in people if one.details and one.row not in self._details]
        details = {one.row: self._details[one.row] for one in people if one.row in self._details}
        if missing:
            details |= await self._readers.run(partial(_read_details, rows=missing))
            if generation == self._have == self._wanted:
                self._keep(details)
        return [_with(one.entry, details.get(one.row)) for one in people]

    def _keep(self, details: dict[int, Details]) -> None:
        self._details |= details
        while len(self._details) > MAX_DETAILED:
            self._details.popitem(last=False)


def _with(entry: DirectoryEntry, details: Details | None) -> DirectoryEntry:
    if details is None:
        return entry
    picture, user, smime = details
    return replace(entry, picture=picture, user_certificates=user, smime_certificates=smime)


def _read(connection: sqlite3.Connection, *, since: int, known: set[int]) -> tuple[People | list[Person], int]:
    """All people (as an index), or those that changed after `since` where nobody has left since."""
    moment = _MOMENT.one(connection)
    now = int(moment[0]) if moment else 0
    many = _CHANGES.one(connection, since=since)
    if since >= 0 and many is not None and many[0] <= MAX_CHANGES:
        changed = _read_people(connection, since)
        if _COUNT.one(connection) == (len(known | {one.row for one in changed}),):
            return changed, now
    return People(_read_people(connection, -1)), now


def _read_people(connection: sqlite3.Connection, since: int) -> list[Person]:
    emails = _grouped(_ADDRESSES.all(connection, since=since))
    listed = _grouped(_MEMBERS.all(connection, since=since))
    owners = {row[0]: row for row in _ACCOUNTS.all(connection, since=since)}
    return [
        _person(row, emails.get(row[0], ()), listed.get(row[0], ()), owners.get(row[0]))
        for row in _ENTRIES.all(connection, since=since)
    ]


def _grouped(rows: Iterable[Row]) -> dict[int, tuple[str, ...]]:
    grouped: dict[int, list[str]] = {}
    for entry, address in rows:
        grouped.setdefault(entry, []).append(address)
    return {entry: tuple(found) for entry, found in grouped.items()}


def _person(row: Row, emails: tuple[str, ...], listed: tuple[str, ...], owner: Row | None) -> Person:
    key, kind, changed, details, *texts = row
    properties = dict(zip(TEXTS, texts, strict=True))
    primary = properties["email"].lower()
    entry = DirectoryEntry(
        key=str(key),
        kind=EntryKind(kind),
        addresses=tuple(address for address in emails if address != primary),
        **properties,
    )
    account = None
    if owner is not None:
        _, user, enabled, quota = owner
        account = Account(
            user=UserId(user),
            address=entry.email,
            addresses=frozenset(emails),
            display_name=entry.display_name,
            eas_enabled=bool(enabled),
            quota=quota,
        )
    return person(key, entry, account, listed, details=bool(details), changed=changed)


def _read_details(connection: sqlite3.Connection, *, rows: Iterable[int]) -> dict[int, Details]:
    found: dict[int, Details] = {}
    for row in rows:
        picture = _PICTURE.one(connection, row=row)
        values = _CERTIFICATES.all(connection, row=row)
        found[row] = (
            bytes(picture[0]) if picture else b"",
            tuple(bytes(value) for source, value in values if source == "user"),
            tuple(bytes(value) for source, value in values if source == "smime"),
        )
    return found
