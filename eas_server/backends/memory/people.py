"""Directory, Accounts and Authenticator in memory, with the few things that tests administer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from eas_server import interfaces
from eas_server.backends.memory.world import World
from eas_server.backends.words import entry_terms, fold, query_terms
from eas_server.model.directory import Account, DirectoryEntry, EntryKind, Found
from eas_server.model.ids import UserId


class MemoryPeople:
    """Directory, Accounts and Authenticator: see the ports."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def add_user(
        self,
        user: str,
        password: str | None,
        entry: DirectoryEntry | None = None,
        *,
        quota: int | None = None,
        eas_enabled: bool = True,
    ) -> Account:
        """Make an account."""
        local = user.partition("@")[0]
        profile = entry or DirectoryEntry(key="", display_name=local, email=user, alias=local)
        account = Account(
            user=UserId(user.lower()),
            address=profile.email,
            addresses=frozenset(address.lower() for address in profile.all_addresses),
            display_name=profile.display_name,
            quota=quota,
            eas_enabled=eas_enabled,
        )
        self._world.add_mailbox(account, password or "")
        await self.add_people([profile])
        return account

    async def add_people(self, people: Iterable[DirectoryEntry]) -> None:
        """Add directory entries."""
        for entry in people:
            self._world.entries.append(replace(entry, key=f"{len(self._world.entries) + 1}"))

    async def add_group(self, entry: DirectoryEntry, member_addresses: Iterable[str] = ()) -> None:
        """Make a group."""
        self._world.members[entry.email.lower()] = tuple(sorted(address.lower() for address in member_addresses))
        await self.add_people([replace(entry, kind=EntryKind.GROUP)])

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """See the port."""
        wanted = query_terms(query)
        matching = [entry for entry in self._world.entries if wanted and _begins(entry, wanted)]
        matching.sort(key=lambda entry: (fold(entry.display_name), entry.email, int(entry.key)))
        return Found(entries=tuple(matching[offset : offset + limit]), total=len(matching))

    async def resolve(self, name: str, limit: int) -> Found:
        """See the port."""
        wanted = name.strip().lower()
        exact = [entry for entry in self._world.entries if wanted in _addresses(entry)]
        named = [entry for entry in self._world.entries if entry.alias and fold(entry.alias) == fold(name.strip())]
        if exact or len(named) == 1:
            return Found(entries=tuple(exact or named), total=1)
        return await self.search(name, 0, limit)

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See the port."""
        addresses = await self.group(group.email) or ()
        entries = [self._entry(address) or _outsider(address) for address in addresses]
        return Found(entries=tuple(entries[:limit]), total=len(entries))

    async def account(self, user: UserId) -> Account | None:
        """See the port."""
        found = self._world.mailboxes.get(user)
        return found.account if found is not None else None

    async def by_address(self, address: str) -> Account | None:
        """See the port."""
        accounts = [mailbox.account for mailbox in self._world.mailboxes.values()]
        wanted = address.strip().lower()
        if "@" in wanted:
            found = [account for account in accounts if wanted in account.addresses]
        else:
            found = [account for account in accounts if account.user == wanted]
            found = found or [account for account in accounts if wanted in self._local_names(account)]
        return found[0] if len(found) == 1 else None

    async def group(self, address: str) -> Sequence[str] | None:
        """See the port."""
        wanted = address.strip().lower()
        if wanted not in self._world.members:
            return None
        found: list[str] = []
        self._expand(wanted, found, set())
        return found

    async def authenticate(self, name: str, password: str) -> Account | None:
        """See the port."""
        domain, backslash, user = name.strip().lower().rpartition("\\")
        account = await self.account(UserId(user)) or await self.by_address(user)
        if account is None and backslash:
            everybody = [mailbox.account for mailbox in self._world.mailboxes.values()]
            named = [one for one in everybody if user in self._local_names(one)]
            here = [one for one in named if domain in _domain_names(one)]
            account = here[0] if len(here) == 1 else None
        if account is None or not password or self._world.mailboxes[account.user].password != password:
            return None
        return account

    def _local_names(self, account: Account) -> set[str]:
        entry = self._entry(account.address)
        alias = {entry.alias.lower()} if entry is not None and entry.alias else set()
        return {address.partition("@")[0] for address in account.addresses} | alias

    def _entry(self, address: str) -> DirectoryEntry | None:
        return next((entry for entry in self._world.entries if address.lower() in _addresses(entry)), None)

    def _expand(self, group: str, found: list[str], seen: set[str]) -> None:
        seen.add(group)
        for member in self._world.members[group]:
            entry = self._entry(member)
            primary = entry.email.lower() if entry is not None else member
            if primary in self._world.members:
                if primary not in seen:
                    self._expand(primary, found, seen)
            elif primary not in found:
                found.append(primary)


def _domain_names(account: Account) -> tuple[str, str]:
    domain = account.address.lower().partition("@")[2]
    return domain, domain.split(".")[0]


def _begins(entry: DirectoryEntry, wanted: list[str]) -> bool:
    return all(any(term.startswith(beginning) for term in entry_terms(entry)) for beginning in wanted)


def _addresses(entry: DirectoryEntry) -> set[str]:
    return {address.lower() for address in entry.all_addresses}


def _outsider(address: str) -> DirectoryEntry:
    return DirectoryEntry(key=f"smtp:{address}", display_name=address, email=address)


_directory: type[interfaces.Directory] = MemoryPeople
_accounts: type[interfaces.Accounts] = MemoryPeople
_authenticator: type[interfaces.Authenticator] = MemoryPeople
