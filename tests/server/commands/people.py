"""A Directory in memory with the people of the test PKI, for tests of handlers."""

from dataclasses import replace
from pathlib import Path

from eas_server.model.directory import DirectoryEntry, EntryKind, Found

PKI = Path(__file__).resolve().parents[3] / "fixtures" / "pki"


def der(name: str) -> bytes:
    """A certificate of the test PKI."""
    return (PKI / f"{name}.der").read_bytes()


def person(name: str, *certificates: str, **properties: object) -> DirectoryEntry:
    """`Name Example`, name@example.com, with certificates of the test PKI."""
    entry = DirectoryEntry(
        key=name,
        display_name=f"{name.title()} Example",
        email=f"{name}@example.com",
        alias=name,
        first_name=name.title(),
        last_name="Example",
        user_certificates=tuple(map(der, certificates)),
    )
    return replace(entry, **properties)  # type: ignore[arg-type]


def group(name: str) -> DirectoryEntry:
    """A group without members of its own: `People` knows them."""
    return DirectoryEntry(
        key=name, kind=EntryKind.GROUP, display_name=name.title(), email=f"{name}@example.com", alias=name
    )


class People:
    """Directory: what a name begins with is enough to be found."""

    def __init__(self, *entries: DirectoryEntry, members: dict[str, list[DirectoryEntry]] | None = None) -> None:
        self.entries = entries
        self.group_members = members or {}
        self.asked: list[str] = []

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """See Directory."""
        found = sorted((e for e in self.entries if _matches(e, query)), key=lambda e: e.display_name.casefold())
        return Found(entries=tuple(found[offset : offset + limit]), total=len(found))

    async def resolve(self, name: str, limit: int) -> Found:
        """See Directory."""
        self.asked.append(name)
        wanted = name.casefold()
        exact = [e for e in self.entries if wanted in (e.alias.casefold(), *map(str.casefold, e.all_addresses))]
        if len(exact) == 1:
            return Found(entries=tuple(exact), total=1)
        return await self.search(name, 0, limit)

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See Directory."""
        found = self.group_members.get(group.key, [])
        return Found(entries=tuple(found[:limit]), total=len(found))


def _matches(entry: DirectoryEntry, query: str) -> bool:
    texts = (entry.alias, entry.office, entry.phone, *entry.display_name.split(), *entry.all_addresses)
    return all(any(t.casefold().startswith(word.casefold()) for t in texts) for word in query.split())


ALICE_ENTRY = person("alice", "alice", addresses=("al@example.com",), picture=b"\x89PNG" + b"a" * 100)
BOB_ENTRY = person("bob", "bob-expired", "bob")
CAROL_ENTRY = person("carol")
DAVE_ENTRY = person("dave", "dave")
TEAM = group("team")


def people() -> People:
    """Alice, bob (one of two certificates is valid), carol (none), dave, and the team of the first three."""
    return People(
        ALICE_ENTRY,
        BOB_ENTRY,
        CAROL_ENTRY,
        DAVE_ENTRY,
        TEAM,
        members={"team": [ALICE_ENTRY, BOB_ENTRY, CAROL_ENTRY]},
    )
