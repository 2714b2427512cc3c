"""The contacts of the user who asks, as recipients (Type 2, MS-ASCMD_R4686), and the certificates that they hold."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eas_server.commands.context import Ports
from eas_server.model import blob
from eas_server.model.certificates import Source
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, Item, SearchQuery
from eas_server.pki.directory_blobs import BlobError, certificates_in
from eas_server.pki.select import Candidate
from eas_server.render.contacts.keys import CardPerson, card_person
from eas_server.render.contentlines import MalformedLines

MAX_CONTACTS: Final = 50
"""Contacts with the words of a name in them that are looked at."""
MAX_CARD: Final = 512 * 1024
"""Octets of a contact; a larger one is not read for this."""
MAX_SEARCHES: Final = 100
"""Searches for one request; whoever is looked for after that is not found."""
_FOLDERS: Final = (FolderType.CONTACTS, FolderType.USER_CONTACTS)
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsFound:
    """What a name means among the contacts; `total` counts all."""

    entries: tuple[DirectoryEntry, ...]
    total: int


class OwnContacts:
    """The contacts of one user, as one request looks at them."""

    def __init__(self, ports: Ports, user: UserId) -> None:
        self._ports = ports
        self._user = user
        self._known: dict[str, tuple[CardPerson, ...]] = {}
        self._left = MAX_SEARCHES

    async def resolve(self, name: str) -> ContactsFound:
        """Whom a name means: an address means one person, in however many contacts it stands."""
        people = await self._people(name)
        exact = [person for person in people if _has(person, name)]
        if exact:
            return ContactsFound(entries=(_entry(exact[0], _as_written(exact[0], name)),), total=1)
        wanted = _words(name)
        named = [person for person in people if person.addresses and _begins(person, wanted)]
        by_address = {person.addresses[0].casefold(): _entry(person, person.addresses[0]) for person in named}
        entries = sorted(by_address.values(), key=lambda each: (each.display_name.casefold(), each.email))
        return ContactsFound(entries=tuple(entries), total=len(entries))

    async def candidates(self, addresses: Sequence[str]) -> list[Candidate]:
        """The certificates in the contacts that have one of the addresses."""
        found: dict[bytes, None] = {}
        for address in addresses:
            for person in await self._people(address):
                if _has(person, address):
                    found.update(dict.fromkeys(person.keys))
        return [candidate for key in found for candidate in _candidates(key)]

    async def _people(self, words: str) -> tuple[CardPerson, ...]:
        key = words.casefold()
        if key not in self._known:
            if self._left <= 0:
                return ()
            self._left -= 1
            self._known[key] = await self._search(words)
        return self._known[key]

    async def _search(self, words: str) -> tuple[CardPerson, ...]:
        folders = await self._ports.folders.folders(self._user)
        own = tuple(each.id for each in folders if each.type in _FOLDERS)
        if not own or not _words(words):
            return ()
        hits = await self._ports.search.search(
            self._user, SearchQuery(words=words, collections=own, limit=MAX_CONTACTS)
        )
        cards: list[bytes] = []
        for folder in own:
            wanted = [hit.id for hit in hits if hit.collection == folder]
            items: Sequence[Item] = await self._ports.mail.fetch(self._user, folder, wanted) if wanted else ()
            cards += [await blob.read(item.content) for item in items if item.content.size <= MAX_CARD]
        return await asyncio.to_thread(_read, cards) if cards else ()


def _read(cards: Sequence[bytes]) -> tuple[CardPerson, ...]:
    found: list[CardPerson] = []
    for octets in cards:
        try:
            found.append(card_person(octets))
        except MalformedLines:
            continue
    return tuple(found)


def _has(person: CardPerson, address: str) -> bool:
    return address.casefold() in map(str.casefold, person.addresses)


def _as_written(person: CardPerson, address: str) -> str:
    return next(each for each in person.addresses if each.casefold() == address.casefold())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _begins(person: CardPerson, wanted: Sequence[str]) -> bool:
    """Whether each word begins one of the contact's: the search looks into notes as well."""
    own = _words(person.words)
    return all(any(word.startswith(each) for word in own) for each in wanted)


def _entry(person: CardPerson, address: str) -> DirectoryEntry:
    others = tuple(each for each in person.addresses if each.casefold() != address.casefold())
    return DirectoryEntry(
        key=f"contact:{address.casefold()}",
        display_name=person.name,
        email=address,
        addresses=others,
        picture=person.picture,
    )


def _candidates(key: bytes) -> list[Candidate]:
    """What is in a KEY: the owner's certificate with its chain, or something that is none."""
    try:
        certificates = tuple(certificates_in(key))
    except BlobError:
        certificates = ()
    if not certificates:
        return [Candidate(der=key, source=Source.CONTACTS)]
    return [Candidate(der=der, source=Source.CONTACTS, chain=certificates[1:]) for der in certificates]
