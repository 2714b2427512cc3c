"""The embedded Directory and the local Accounts."""

from collections.abc import Sequence

from eas_server import interfaces
from eas_server.backends.sqlite.registry import Registry
from eas_server.model.directory import Account, DirectoryEntry, EntryKind, Found
from eas_server.model.ids import UserId


class SqliteDirectory:
    """See the port. Words match without regard to case and accents."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """See the port."""
        people, total = (await self._registry.people()).search(query, offset, offset + limit)
        return Found(entries=tuple(await self._registry.detailed(people)), total=total)

    async def resolve(self, name: str, limit: int) -> Found:
        """See the port."""
        exact = (await self._registry.people()).exactly(name)
        if exact is None:
            return await self.search(name, 0, limit)
        return Found(entries=tuple(await self._registry.detailed([exact])), total=1)

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See the port. A member that the directory does not know is an entry with nothing but its address."""
        people = await self._registry.people()
        found = people.by_address(group.email)
        if found is None or found.entry.kind is not EntryKind.GROUP:
            return Found(entries=(), total=0)
        addresses = people.expanded(found)
        listed = {address: people.by_address(address) for address in addresses[:limit]}
        detailed = iter(await self._registry.detailed([one for one in listed.values() if one is not None]))
        entries = [outsider(address) if one is None else next(detailed) for address, one in listed.items()]
        return Found(entries=tuple(entries), total=len(addresses))


def outsider(address: str) -> DirectoryEntry:
    """A member of a group whom the directory does not know."""
    return DirectoryEntry(key=f"smtp:{address}", display_name=address, email=address)


class SqliteAccounts:
    """See the port."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def account(self, user: UserId) -> Account | None:
        """See the port."""
        found = (await self._registry.people()).by_user(user)
        return found.account if found is not None else None

    async def by_address(self, address: str) -> Account | None:
        """See the port."""
        found = (await self._registry.people()).by_address(address)
        return found.account if found is not None else None

    async def group(self, address: str) -> Sequence[str] | None:
        """See the port."""
        people = await self._registry.people()
        found = people.by_address(address)
        if found is None or found.entry.kind is not EntryKind.GROUP:
            return None
        return people.expanded(found)


_directory: type[interfaces.Directory] = SqliteDirectory
_accounts: type[interfaces.Accounts] = SqliteAccounts
