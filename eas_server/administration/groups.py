"""Mail groups of this server's own directory."""

from collections.abc import Iterable

from eas_server.administration.ports import People
from eas_server.errors import NoSuchThing, ThereAlready
from eas_server.model.directory import DirectoryEntry, EntryKind


def new_group(address: str, name: str | None, alias: str | None) -> DirectoryEntry:
    """The entry of a new group; its name is what stands before the address's @ where none is given."""
    local = address.partition("@")[0]
    return DirectoryEntry(key="", kind=EntryKind.GROUP, display_name=name or local, email=address, alias=alias or local)


async def add_group(people: People, entry: DirectoryEntry, members: Iterable[str]) -> None:
    """Make a group. Raises ThereAlready."""
    if await people.entry(entry.email) is not None:
        raise ThereAlready(
            f"{entry.email} belongs to somebody already: see `eas-server group list` and `eas-server user list`"
        )
    await people.add_group(entry, members)


async def group(people: People, address: str) -> DirectoryEntry:
    """The group of an address. Raises NoSuchThing."""
    entry = await people.entry(address)
    if entry is None or entry.kind is not EntryKind.GROUP:
        raise NoSuchThing(f"there is no group {address}: see `eas-server group list`")
    return entry


async def strangers(people: People, members: Iterable[str]) -> list[str]:
    """Those of the addresses that nobody here has: mail to them leaves by the smart host."""
    return [member for member in members if await people.entry(member) is None]
