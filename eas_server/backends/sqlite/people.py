"""Everybody of the directory, in memory: searches come with each key that somebody types.

Certificates and pictures stay in the database until somebody is shown. Pure: what changed is handed in.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eas_server.backends.words import entry_terms, fold, query_terms
from eas_server.model.directory import Account, DirectoryEntry, EntryKind
from eas_server.model.ids import UserId

_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Person:
    """A directory entry without its certificates, with the account or the members that it has."""

    row: int
    entry: DirectoryEntry
    account: Account | None
    members: tuple[str, ...]
    order: tuple[str, str, int]
    """By display name, as the GAL is ordered."""
    terms: frozenset[str]
    details: bool
    """Whether the database holds certificates or a picture."""
    changed: int
    """The number of the entry's last change."""


def person(
    row: int,
    entry: DirectoryEntry,
    account: Account | None,
    members: tuple[str, ...],
    *,
    details: bool,
    changed: int,
) -> Person:
    """A Person with what is derived."""
    order = (fold(entry.display_name), entry.email, row)
    return Person(row, entry, account, members, order, frozenset(entry_terms(entry)), details, changed)


class People:
    """The index of all people and groups."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        self._people: dict[int, Person] = {}
        self._terms: list[str] = []
        """All terms, sorted; one that several have stands there for each of them."""
        self._owners: list[int] = []
        """The rows that have them, in the same order: a list of its own, so that a slice of it is ready to be used."""
        self._addresses: dict[str, Person] = {}
        self._aliases: dict[str, set[int]] = {}
        self._names: dict[str, set[int]] = {}
        """What local users may be called without a domain."""
        self._users: dict[UserId, Person] = {}
        self._ranks: dict[int, int] = {}
        """The place of each row by display name; empty until a search needs it."""
        self._ranked: list[Person] = []
        for one in people:
            self._enter(one)
        pairs = sorted((term, one.row) for one in self._people.values() for term in one.terms)
        self._terms = [term for term, _ in pairs]
        self._owners = [row for _, row in pairs]

    def rows(self) -> set[int]:
        """The rows of all entries."""
        return set(self._people)

    def all(self) -> list[Person]:
        """Everybody, ordered by display name."""
        return sorted(self._people.values(), key=_order)

    def put(self, people: Iterable[Person]) -> None:
        """Take over new and changed entries, a few: each costs as much as a walk through the list of terms."""
        self._ranks = {}
        for one in people:
            before = self._people.get(one.row)
            if before is not None:
                self._leave(before)
            self._enter(one)
            for term in one.terms:
                at = bisect_left(self._terms, term)
                self._terms.insert(at, term)
                self._owners.insert(at, one.row)

    def _enter(self, one: Person) -> None:
        self._people[one.row] = one
        for address in one.entry.all_addresses:
            self._addresses[address.lower()] = one
        if one.entry.alias:
            self._aliases.setdefault(fold(one.entry.alias), set()).add(one.row)
        if one.account is not None:
            self._users[one.account.user] = one
            for name in _local_names(one):
                self._names.setdefault(name, set()).add(one.row)

    def _leave(self, one: Person) -> None:
        del self._people[one.row]
        for address in one.entry.all_addresses:
            self._addresses.pop(address.lower(), None)
        if one.entry.alias:
            self._aliases[fold(one.entry.alias)].discard(one.row)
        if one.account is not None:
            self._users.pop(one.account.user, None)
            for name in _local_names(one):
                self._names[name].discard(one.row)
        for term in one.terms:
            at = self._owners.index(one.row, bisect_left(self._terms, term))
            del self._terms[at]
            del self._owners[at]

    def by_user(self, user: UserId) -> Person | None:
        """The person of an account."""
        return self._users.get(user)

    def by_address(self, address: str) -> Person | None:
        """The entry of an address; one without a domain names a local user."""
        address = address.strip().lower()
        if "@" in address:
            return self._addresses.get(address)
        named = self.named(address)
        return named[0] if len(named) == 1 else None

    def named(self, name: str) -> list[Person]:
        """The local users that a name without a domain may stand for."""
        exact = self._users.get(UserId(name))
        if exact is not None:
            return [exact]
        return [self._people[row] for row in sorted(self._names.get(name, ()))]

    def exactly(self, name: str) -> Person | None:
        """The entry of that very address, or of that alias if nobody else has it."""
        folded = fold(name.strip())
        found = self._addresses.get(name.strip().lower())
        if found is not None:
            return found
        rows = self._aliases.get(folded, set())
        return self._people[next(iter(rows))] if len(rows) == 1 else None

    def search(self, query: str, first: int, last: int) -> tuple[list[Person], int]:
        """Who has, for each word, a term that begins with it, and how many they are.

        Of them those from `first` to `last` (exclusive) by display name are given.
        """
        found = sorted(map(self._beginning, query_terms(query)), key=len)
        if not found:
            return [], 0
        rows = set(found[0]).intersection(*found[1:])
        if not self._ranks:
            self._ranked = self.all()
            self._ranks = {one.row: rank for rank, one in enumerate(self._ranked)}
        best = sorted(map(self._ranks.__getitem__, rows))[first:last]
        return [self._ranked[rank] for rank in best], len(rows)

    def _beginning(self, term: str) -> list[int]:
        """The owners of the terms that begin so; some stand there more than once."""
        return self._owners[bisect_left(self._terms, term) : bisect_left(self._terms, term + _AFTER_ALL)]

    def expanded(self, group: Person) -> list[str]:
        """The addresses of a group's people, nested groups expanded once each, in the order of the members."""
        found: dict[str, None] = {}
        seen = {group.row}
        left: list[Iterator[str]] = [iter(group.members)]
        while left:
            address = next(left[-1], None)
            if address is None:
                left.pop()
                continue
            one = self._addresses.get(address)
            if one is None or one.entry.kind is EntryKind.PERSON:
                found.setdefault(address if one is None else one.entry.email.lower())
            elif one.row not in seen:
                seen.add(one.row)
                left.append(iter(one.members))
        return list(found)


def _local_names(one: Person) -> set[str]:
    """What a local user may be called without a domain."""
    names = {address.partition("@")[0].lower() for address in one.entry.all_addresses}
    return names | ({one.entry.alias.lower()} if one.entry.alias else set())


def _order(one: Person) -> tuple[str, str, int]:
    return one.order
