"""The document library in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eas_server import interfaces
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.interfaces import Accounts
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.documents import Document, Listing, OpenDocument, UncName, folded, is_name

BORN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""When everything was made."""

Place = tuple[str, ...]


@dataclass(slots=True)
class MemoryShare:
    """A share: octets by place, None for a folder."""

    hosts: tuple[str, ...]
    name: str
    readers: frozenset[str]
    items: dict[Place, bytes | None] = field(default_factory=dict)
    outward: set[Place] = field(default_factory=set)
    """What leads out of the share."""
    is_there: bool = True


class MemoryLibrary:
    """See DocumentLibrary."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.shares: list[MemoryShare] = []

    def add_share(self, name: str, *hosts: str, readers: tuple[str, ...] = ("*",)) -> MemoryShare:
        """Make a share."""
        share = MemoryShare(hosts, name, frozenset(reader.lower() for reader in readers))
        self.shares.append(share)
        return share

    async def listing(self, reader: Account, name: UncName, first: int, count: int) -> Listing:
        """See the port."""
        share = await self._share(reader, name)
        place = _find(share, name.parts)
        found = [_document(share, name, place)]
        if found[0].is_folder:
            children = [_document(share, name, below) for below in _below(share, place) if below not in share.outward]
            found += sorted(children, key=lambda d: (not d.is_folder, folded(d.display_name), d.display_name))
        return Listing(documents=found[first : first + count], total=len(found))

    async def open(self, reader: Account, name: UncName) -> OpenDocument:
        """See the port."""
        share = await self._share(reader, name)
        place = _find(share, name.parts)
        octets = share.items.get(place)
        if octets is None:
            raise NoSuchDocument(str(name))
        return OpenDocument(document=_document(share, name, place), content=MemoryBlob(octets))

    async def _share(self, reader: Account, name: UncName) -> MemoryShare:
        for share in self.shares:
            if folded(share.name) == folded(name.share) and folded(name.host) in map(folded, share.hosts):
                break
        else:
            raise NoSuchDocument(str(name))
        if not await self._admits(share, reader):
            raise DocumentDenied(str(name))
        if not share.is_there:
            raise LibraryUnavailable(share.name)
        return share

    async def _admits(self, share: MemoryShare, reader: Account) -> bool:
        own = {"*", reader.user, *reader.addresses}
        groups = [await self._accounts.group(name) or () for name in share.readers]
        return bool(own & share.readers) or any(member in own for members in groups for member in members)


def _find(share: MemoryShare, parts: Place) -> Place:
    """The place that the names stand for."""
    place: Place = ()
    for part in parts:
        below = {there[-1]: there for there in _below(share, place)}
        same = [there for name, there in below.items() if folded(name) == folded(part)]
        if part not in below and len(same) != 1:
            raise NoSuchDocument(part)
        place = below.get(part) or same[0]
        if place in share.outward:
            raise DocumentDenied(part)
    return place


def _below(share: MemoryShare, place: Place) -> Iterator[Place]:
    for there in (*share.items, *share.outward):
        if there[:-1] == place and is_name(there[-1]):
            yield there


def _document(share: MemoryShare, asked: UncName, place: Place) -> Document:
    octets = share.items.get(place)
    return Document(
        name=UncName(host=asked.host, share=share.name, parts=place),
        is_folder=octets is None,
        is_hidden=bool(place) and place[-1].startswith("."),
        created=BORN,
        modified=BORN,
        size=len(octets or b""),
    )


_library: type[interfaces.DocumentLibrary] = MemoryLibrary
