"""Who lives in the demonstration, declared: people, their certificates, the group."""

from dataclasses import dataclass
from typing import Final

from eas_server.model.directory import DirectoryEntry

DOMAIN: Final = "example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account with its directory entry."""

    entry: DirectoryEntry
    certificates: tuple[str, ...]
    """Their names in the lab's plan (lab.toml) and of their files: `bob-expired`."""

    @property
    def name(self) -> str:
        """What stands before the `@`."""
        return self.entry.alias

    @property
    def address(self) -> str:
        """The mail address, which is also the name to sign in with."""
        return self.entry.email


def _person(first: str, title: str, department: str, number: int, *certificates: str) -> Person:
    alias = first.lower()
    entry = DirectoryEntry(
        key="",
        display_name=f"{first} Example",
        email=f"{alias}@{DOMAIN}",
        addresses=(f"{alias}.example@{DOMAIN}",),
        alias=alias,
        first_name=first,
        last_name="Example",
        title=title,
        company="Example Ltd",
        department=department,
        office=f"Room {number}",
        phone=f"+49 30 5550 {number}",
        mobile_phone=f"+49 170 5550 {number}",
    )
    return Person(entry=entry, certificates=certificates)


ALICE: Final = _person("Alice", "Head of Research", "Research", 101, "alice")
BOB: Final = _person("Bob", "Engineer", "Construction", 102, "bob-expired", "bob")
CAROL: Final = _person("Carol", "Treasurer", "Finance", 103)
PEOPLE: Final = (ALICE, BOB, CAROL)
"""Bob has two certificates, one of them expired; Carol has none."""

TEAM_NAME: Final = "The Team"
TEAM_ADDRESS: Final = f"team@{DOMAIN}"
"""A group of all of them."""
