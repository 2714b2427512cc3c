"""What the administrator does with accounts, groups and certificates: the command line and the tests use it."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eas_server.backends.sqlite.folders import create_default_folders
from eas_server.backends.sqlite.passwords import Passwords
from eas_server.backends.sqlite.query import Sql, Value
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.registry import TEXTS, Registry
from eas_server.backends.sqlite.schema import (
    accounts,
    addresses,
    certificates,
    collection_states,
    devices,
    entries,
    folders,
    hierarchy_states,
    members,
    submissions,
)
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import AdministrationError, NoSuchThing, ThereAlready, Unfit
from eas_server.model.directory import Account, DirectoryEntry, EntryKind
from eas_server.model.ids import ROOT, UserId

USER_CERTIFICATE = "user"
SMIME_CERTIFICATE = "smime"
PEOPLE_AT_ONCE = 500
"""How many people one transaction adds."""


_NEW_ENTRY = Sql(insert(entries), columns=("kind", *TEXTS, "picture", "changed"))
_UPDATE_ENTRY = Sql(
    update(entries)
    .where(entries.c.key == bindparam("row"))
    .values(
        {
            **{entries.c[name]: bindparam(f"new_{name}") for name in TEXTS},
            entries.c.picture: bindparam("new_picture"),
            entries.c.changed: bindparam("stamp"),
        }
    )
)
_DROP_ENTRY = Sql(delete(entries).where(entries.c.key == bindparam("row")))
_TOUCH = Sql(update(entries).where(entries.c.key == bindparam("row")).values(changed=bindparam("stamp")))
_BY_ADDRESS = Sql(
    select(addresses.c.entry, entries.c.kind)
    .join(entries, entries.c.key == addresses.c.entry)
    .where(addresses.c.address == bindparam("called"))
)
_NEW_ADDRESS = Sql(insert(addresses), columns=("address", "entry"))
_DROP_ADDRESSES = Sql(delete(addresses).where(addresses.c.entry == bindparam("row")))
_NEW_ACCOUNT = Sql(insert(accounts), columns=("user", "entry", "password", "eas_enabled", "quota"))
_ACCOUNT = Sql(select(accounts.c.key, accounts.c.entry).where(accounts.c.user == bindparam("who")))
_ACCOUNT_OF = Sql(select(accounts.c.user).where(accounts.c.entry == bindparam("row")))
_PASSWORD = Sql(update(accounts).where(accounts.c.key == bindparam("account")).values(password=bindparam("hashed")))
_ENABLED = Sql(update(accounts).where(accounts.c.key == bindparam("account")).values(eas_enabled=bindparam("on")))
_QUOTA = Sql(update(accounts).where(accounts.c.key == bindparam("account")).values(quota=bindparam("limit")))
_DROP_ACCOUNT = Sql(delete(accounts).where(accounts.c.key == bindparam("account")))
_DROP_BY_USER = tuple(
    Sql(delete(table).where(table.c.user == bindparam("who")))
    for table in (devices, collection_states, hierarchy_states, submissions)
)
_USAGE = Sql(
    select(func.coalesce(func.sum(folders.c.octets), 0))
    .join(accounts, accounts.c.key == folders.c.account)
    .where(accounts.c.user == bindparam("who"))
)
_NEW_MEMBER = Sql(upsert(members).on_conflict_do_nothing(), columns=("entry", "address"))
_DROP_MEMBER = Sql(delete(members).where(members.c.entry == bindparam("row"), members.c.address == bindparam("called")))
_NEW_CERTIFICATE = Sql(insert(certificates), columns=("entry", "source", "position", "value"))
_DROP_CERTIFICATE = Sql(
    delete(certificates).where(certificates.c.entry == bindparam("row"), certificates.c.value == bindparam("octets"))
)
_LAST_CERTIFICATE = Sql(
    select(func.coalesce(func.max(certificates.c.position), 0)).where(certificates.c.entry == bindparam("row"))
)
_HAS_CERTIFICATE = Sql(
    select(certificates.c.position).where(
        certificates.c.entry == bindparam("row"),
        certificates.c.source == bindparam("kind"),
        certificates.c.value == bindparam("octets"),
    )
)


class Administration:
    """Changes people, groups and accounts. Raises AdministrationError."""

    def __init__(self, registry: Registry, readers: Readers, writer: Writer, passwords: Passwords) -> None:
        self._registry = registry
        self._readers = readers
        self._writer = writer
        self._passwords = passwords

    async def add_user(
        self,
        user: str,
        password: str | None,
        entry: DirectoryEntry | None = None,
        *,
        quota: int | None = None,
        eas_enabled: bool = True,
    ) -> Account:
        """Make an account with its default folders.

        `entry`: its GAL properties, certificates and addresses (`key` is ignored); None: the address is `user` and the
        display name what stands before its `@`. Without a password nobody can sign in by password.
        """
        name = UserId(user.strip().lower())
        local = user.strip().partition("@")[0]
        profile = entry or DirectoryEntry(key="", display_name=local, email=user.strip(), alias=local)
        hashed = await self._passwords.hash(password) if password is not None else ""

        def work(unit: Unit) -> None:
            if _ACCOUNT.one(unit.connection, who=name) is not None:
                raise ThereAlready(f"there is a user {name} already")
            row = _insert(unit, profile)
            _NEW_ACCOUNT.run(
                unit.connection, user=name, entry=row, password=hashed, eas_enabled=int(eas_enabled), quota=quota
            )
            create_default_folders(unit, name)

        await self._change(work)
        account = await self.user(name)
        if account is None:
            raise NoSuchThing(f"{name} was removed meanwhile")
        return account

    async def user(self, user: str) -> Account | None:
        """An account."""
        found = (await self._registry.people()).by_user(UserId(user.strip().lower()))
        return found.account if found is not None else None

    async def users(self) -> Sequence[Account]:
        """All accounts, ordered by display name."""
        return [one.account for one in (await self._registry.people()).all() if one.account is not None]

    async def usage(self, user: UserId) -> int:
        """How many octets an account's mailbox holds."""
        row = await self._readers.run(lambda connection: _USAGE.one(connection, who=user))
        return int(row[0]) if row else 0

    async def set_password(self, user: UserId, password: str) -> None:
        """Give an account another password."""
        hashed = await self._passwords.hash(password)
        await self._change(partial(_set, user=user, statement=_PASSWORD, hashed=hashed))

    async def set_eas_enabled(self, user: UserId, enabled: bool) -> None:
        """Let an account use ActiveSync, or not."""
        await self._change(partial(_set, user=user, statement=_ENABLED, on=int(enabled)))

    async def set_quota(self, user: UserId, octets: int | None) -> None:
        """Bound an account's mailbox; None: no limit."""
        await self._change(partial(_set, user=user, statement=_QUOTA, limit=octets))

    async def remove_user(self, user: UserId) -> None:
        """Remove an account with its mail, its devices and its directory entry."""

        def work(unit: Unit) -> None:
            account, row = _account(unit.connection, user)
            for statement in _DROP_BY_USER:
                statement.run(unit.connection, who=user)
            _DROP_ACCOUNT.run(unit.connection, account=account)
            _DROP_ENTRY.run(unit.connection, row=row)
            unit.mark("forgotten")
            unit.reshaped.setdefault(user, set()).add(ROOT)

        await self._change(work)

    async def update_entry(self, address: str, entry: DirectoryEntry) -> None:
        """Replace the properties and addresses of an entry, but not its certificates."""

        def work(unit: Unit) -> None:
            row, kind = _entry(unit.connection, address)
            if entry.kind.value != kind:
                raise AdministrationError(f"{address} is a {kind}")
            texts: dict[str, Value] = {f"new_{name}": getattr(entry, name) for name in TEXTS}
            _UPDATE_ENTRY.run(unit.connection, row=row, new_picture=entry.picture, stamp=unit.stamp, **texts)
            _DROP_ADDRESSES.run(unit.connection, row=row)
            _claim(unit, row, entry)

        await self._change(work)

    async def add_people(self, people: Iterable[DirectoryEntry]) -> None:
        """Add people of the directory who have no account here."""
        listed = list(people)
        for at in range(0, len(listed), PEOPLE_AT_ONCE):
            await self._change(partial(_insert_all, people=listed[at : at + PEOPLE_AT_ONCE]))

    async def entry(self, address: str) -> DirectoryEntry | None:
        """The entry of an address, with its certificates."""
        found = (await self._registry.people()).by_address(address)
        return (await self._registry.detailed([found]))[0] if found is not None else None

    async def remove_entry(self, address: str) -> None:
        """Remove a group, or a person who has no account."""

        def work(unit: Unit) -> None:
            row, _ = _entry(unit.connection, address)
            if _ACCOUNT_OF.one(unit.connection, row=row) is not None:
                raise AdministrationError(f"{address} belongs to a user: remove the user")
            _DROP_ENTRY.run(unit.connection, row=row)

        await self._change(work)

    async def add_group(self, entry: DirectoryEntry, member_addresses: Iterable[str] = ()) -> None:
        """Make a group; members are addresses of people, of other groups, or of strangers."""
        listed = [_clean(address) for address in member_addresses]

        def work(unit: Unit) -> None:
            row = _insert(unit, replace(entry, kind=EntryKind.GROUP))
            _NEW_MEMBER.many(unit.connection, ({"entry": row, "address": address} for address in listed))

        await self._change(work)

    async def groups(self) -> Sequence[DirectoryEntry]:
        """All groups, ordered by display name."""
        people = (await self._registry.people()).all()
        return [one.entry for one in people if one.entry.kind is EntryKind.GROUP]

    async def group_members(self, address: str) -> Sequence[str]:
        """The addresses that stand in a group, nested groups as themselves."""
        found = (await self._registry.people()).by_address(address)
        if found is None or found.entry.kind is not EntryKind.GROUP:
            raise NoSuchThing(f"there is no group {address}")
        return found.members

    async def add_member(self, group: str, address: str) -> None:
        """Put an address into a group."""

        def work(unit: Unit) -> None:
            row = _group(unit, group)
            _NEW_MEMBER.run(unit.connection, entry=row, address=_clean(address))

        await self._change(work)

    async def remove_member(self, group: str, address: str) -> None:
        """Take an address out of a group."""

        def work(unit: Unit) -> None:
            _DROP_MEMBER.run(unit.connection, row=_group(unit, group), called=_clean(address))

        await self._change(work)

    async def publish_certificate(self, address: str, value: bytes, source: str = USER_CERTIFICATE) -> None:
        """Add a value of userCertificate (`user`, DER) or userSMIMECertificate (`smime`) to an address's entry."""

        def work(unit: Unit) -> None:
            row, _ = _entry(unit.connection, address)
            _publish(unit, row, source, (value,))
            _TOUCH.run(unit.connection, row=row, stamp=unit.stamp)

        await self._change(work)

    async def unpublish_certificate(self, address: str, value: bytes) -> None:
        """Take a value away from an address's entry, wherever it stands there."""

        def work(unit: Unit) -> None:
            row, _ = _entry(unit.connection, address)
            if _DROP_CERTIFICATE.run(unit.connection, row=row, octets=value).rowcount == 0:
                raise NoSuchThing(f"{address} has no such certificate")
            _TOUCH.run(unit.connection, row=row, stamp=unit.stamp)

        await self._change(work)

    async def _change(self, work: Callable[[Unit], object]) -> None:
        def marked(unit: Unit) -> None:
            work(unit)
            unit.mark("directory")

        await self._writer.run(marked)


def _clean(address: str) -> str:
    return address.strip().lower()


def _account(connection: sqlite3.Connection, user: UserId) -> tuple[int, int]:
    row = _ACCOUNT.one(connection, who=user)
    if row is None:
        raise NoSuchThing(f"there is no user {user}")
    return row[0], row[1]


def _entry(connection: sqlite3.Connection, address: str) -> tuple[int, str]:
    row = _BY_ADDRESS.one(connection, called=_clean(address))
    if row is None:
        raise NoSuchThing(f"nobody has the address {address}")
    return row[0], row[1]


def _group(unit: Unit, address: str) -> int:
    row, kind = _entry(unit.connection, address)
    if kind != EntryKind.GROUP.value:
        raise NoSuchThing(f"{address} is no group")
    _TOUCH.run(unit.connection, row=row, stamp=unit.stamp)
    return row


def _set(unit: Unit, *, user: UserId, statement: Sql, **values: Value) -> None:
    account, row = _account(unit.connection, user)
    statement.run(unit.connection, account=account, **values)
    _TOUCH.run(unit.connection, row=row, stamp=unit.stamp)


def _insert(unit: Unit, entry: DirectoryEntry) -> int:
    texts: dict[str, Value] = {name: getattr(entry, name) for name in TEXTS}
    row = _NEW_ENTRY.run(
        unit.connection, kind=entry.kind.value, picture=entry.picture, changed=unit.stamp, **texts
    ).lastrowid
    if row is None:
        raise AdministrationError("the database gave the entry no number")
    _claim(unit, row, entry)
    _publish(unit, row, USER_CERTIFICATE, entry.user_certificates)
    _publish(unit, row, SMIME_CERTIFICATE, entry.smime_certificates)
    return row


def _insert_all(unit: Unit, *, people: Iterable[DirectoryEntry]) -> None:
    for entry in people:
        _insert(unit, entry)


def _claim(unit: Unit, row: int, entry: DirectoryEntry) -> None:
    for address in dict.fromkeys(_clean(address) for address in entry.all_addresses):
        if "@" not in address:
            raise Unfit("address", f"{address!r} is no address")
        if _BY_ADDRESS.one(unit.connection, called=address) is not None:
            raise ThereAlready(f"{address} belongs to somebody else")
        _NEW_ADDRESS.run(unit.connection, address=address, entry=row)


def _publish(unit: Unit, row: int, source: str, values: Iterable[bytes]) -> None:
    last = _LAST_CERTIFICATE.one(unit.connection, row=row)
    position = int(last[0]) if last else 0
    for value in values:
        if _HAS_CERTIFICATE.one(unit.connection, row=row, kind=source, octets=value) is None:
            position += 1
            _NEW_CERTIFICATE.run(unit.connection, entry=row, source=source, position=position, value=value)
