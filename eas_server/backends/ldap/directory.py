"""People and groups of an LDAP directory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from eas_server.backends.ldap import filters
from eas_server.backends.ldap.connection import LdapConnection, Scope
from eas_server.backends.ldap.dn import DnKey, dn_key, member_dn
from eas_server.backends.ldap.entries import (
    RawEntry,
    directory_entry,
    full_attributes,
    is_group,
    light_attributes,
    order,
    primary_address,
)
from eas_server.backends.ldap.pool import LdapPool
from eas_server.interfaces import Directory
from eas_server.model.directory import DirectoryEntry, Found

BATCH: Final = 50
"""How many entries one filter names."""
ONE_BY_ONE: Final = "none"
"""The value of `dn_attribute` for servers that have none."""
_MEMBER_UID: Final = "memberuid"
_NOTHING: Final = Found(entries=(), total=0)


class LdapDirectory:
    """A Directory behind LDAP. The key of an entry is its DN; entries without an SMTP address are not shown.

    Whether accents count in a query is the server's decision (OpenLDAP: yes, Active Directory: no).
    A query of white space finds nothing. Matches beyond `max_matches` are counted by the server's estimate only, and
    the order is then that of the part that was read.
    """

    def __init__(self, pool: LdapPool) -> None:
        self._pool = pool
        self._settings = pool.settings
        self._layout = pool.settings.effective_layout()

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """See Directory."""
        wanted = filters.words(query)
        if not wanted:
            return _NOTHING
        return await self._pool.run(lambda connection: self._search(connection, wanted, offset, limit))

    async def resolve(self, name: str, limit: int) -> Found:
        """See Directory. The primary address counts more than the others, and these more than the alias."""
        wanted = filters.words(name)
        if not wanted:
            return _NOTHING

        def job(connection: LdapConnection) -> Found:
            exact = self._exact(connection, name.strip(), limit)
            return exact if exact is not None else self._search(connection, wanted, 0, limit)

        return await self._pool.run(job)

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See Directory. Members that the directory does not hold, or without an SMTP address, do not count.

        Beyond `max_members` nobody is read, and the total is at least one more than who was.
        """
        return await self._pool.run(lambda connection: self._members(connection, group.key, limit))

    def _search(self, connection: LdapConnection, wanted: Sequence[str], offset: int, limit: int) -> Found:
        found = connection.search(
            filters.both(
                filters.addressable(self._layout),
                filters.begins(self._layout, wanted, inner_words=self._settings.inner_words),
            ),
            light_attributes(self._layout),
            limit=self._settings.max_matches,
        )
        return self._page(connection, found.entries, offset, limit, found.total)

    def _exact(self, connection: LdapConnection, name: str, limit: int) -> Found | None:
        """The entry that `name` is an address or the alias of. An address of several is ambiguous, an alias none."""
        found = connection.search(
            filters.both(filters.addressable(self._layout), filters.exact(self._layout.attributes, name)),
            full_attributes(self._layout),
            limit=self._settings.page_size,
        )
        entries = [directory_entry(raw, self._layout) for raw in self._sorted(found.entries)]
        key = name.casefold()
        primary = [each for each in entries if each.email.casefold() == key]
        addressed = primary or [each for each in entries if key in map(str.casefold, each.addresses)]
        named = addressed or [each for each in entries if each.alias.casefold() == key]
        if len(named) == 1:
            return Found(entries=tuple(named), total=1)
        return Found(entries=tuple(addressed[:limit]), total=len(addressed)) if addressed else None

    def _page(
        self, connection: LdapConnection, matches: Iterable[RawEntry], offset: int, limit: int, total: int
    ) -> Found:
        """Order by display name, and read in full only what is asked for."""
        dns = [raw.dn for raw in self._sorted(matches)[offset : offset + limit]]
        by_dn = {
            raw.dn: directory_entry(raw, self._layout)
            for raw in self._read(connection, dns, filters.kinds(self._layout), full_attributes(self._layout))
        }
        return Found(entries=tuple(by_dn[dn] for dn in dns if dn in by_dn), total=total)

    def _members(self, connection: LdapConnection, group: str, limit: int) -> Found:
        attributes = (*light_attributes(self._layout), *self._layout.member_attributes)
        people: dict[str, RawEntry] = {}
        seen = {dn_key(group)}
        unread = 0
        groups = self._read(connection, [group], self._layout.group_filter, attributes)
        while groups and len(people) < self._settings.max_members:
            dns = self._unseen((member_dn(value) for value in self._values(groups, by_uid=False)), seen)
            uids = list(dict.fromkeys(self._values(groups, by_uid=True)))
            most = self._settings.max_members
            unread += len(dns[most:]) + len(uids[most:])
            found = self._read(connection, dns[:most], filters.kinds(self._layout), attributes)
            found += self._by_uid(connection, uids[:most], attributes)
            groups = [raw for raw in found if is_group(raw, self._layout)]
            people.update((raw.dn, raw) for raw in found if not is_group(raw, self._layout))
        addressable = [raw for raw in people.values() if primary_address(raw, self._layout.attributes)]
        # who was not read counts: a part of the members must not pass for all of them
        return self._page(connection, addressable, 0, limit, len(addressable) + unread + len(groups))

    def _values(self, groups: Iterable[RawEntry], *, by_uid: bool) -> list[str]:
        names = [each for each in self._layout.member_attributes if (each.lower() == _MEMBER_UID) is by_uid]
        return [value for group in groups for value in group.texts(names)]

    def _unseen(self, dns: Iterable[str], seen: set[DnKey]) -> list[str]:
        """Those that were not met before: this ends cycles."""
        fresh: list[str] = []
        for dn in dns:
            key = dn_key(dn)
            if key not in seen:
                seen.add(key)
                fresh.append(dn)
        return fresh

    def _by_uid(self, connection: LdapConnection, uids: Sequence[str], attributes: Sequence[str]) -> list[RawEntry]:
        found: list[RawEntry] = []
        for batch in _batches(uids):
            condition = filters.both(self._layout.person_filter, filters.equals(("uid",), batch))
            found += connection.search(condition, attributes).entries
        return found

    def _read(
        self, connection: LdapConnection, dns: Sequence[str], condition: str, attributes: Sequence[str]
    ) -> list[RawEntry]:
        """The entries of these DNs that fulfil the condition; many at once where the server lets us."""
        found: list[RawEntry] = []
        missing = list(dns)
        if self._layout.dn_attribute != ONE_BY_ONE and len(dns) > 1:
            for batch in _batches(dns):
                named = filters.both(condition, filters.equals((self._layout.dn_attribute,), batch))
                found += connection.search(named, attributes).entries
            got = {dn_key(raw.dn) for raw in found}
            missing = [dn for dn in dns if dn_key(dn) not in got]
        for dn in missing:
            found += connection.search(condition, attributes, base=dn, scope=Scope.ENTRY).entries
        return found

    def _sorted(self, entries: Iterable[RawEntry]) -> list[RawEntry]:
        return sorted(entries, key=lambda raw: order(raw, self._layout.attributes))


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


_: type[Directory] = LdapDirectory
