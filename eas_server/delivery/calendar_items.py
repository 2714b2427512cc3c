"""The calendar items of a meeting, found by its UID and changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eas_server.errors import NoSuchFolder, NoSuchItem
from eas_server.interfaces import FolderStore, MailStore, SearchesMail
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, ItemId, UserId
from eas_server.model.mail import FolderType, Item, ItemClass, MessageIndex, NewMessage, SearchQuery
from eas_server.render import calendar

MAX_OCTETS: Final = 1024 * 1024
"""The largest item that is kept."""
_MAX_COPIES: Final = 200
"""Items of one UID that are looked at: single occurrences of one series."""


@dataclass(frozen=True, slots=True)
class Held:
    """An item as it was found."""

    collection: CollectionId
    item: Item
    octets: bytes


def owner_of(account: Account) -> calendar.Owner:
    """Whose calendar it is."""
    return calendar.Owner(name=account.display_name, address=account.address, aliases=account.addresses)


class CalendarItems:
    """The events of one user."""

    def __init__(self, user: UserId, folders: FolderStore, mail: MailStore, search: SearchesMail) -> None:
        self._user = user
        self._folders = folders
        self._mail = mail
        self._search = search

    async def of_meeting(self, uid: str) -> Sequence[Held]:
        """The items of all calendars that may have the UID; the default calendar first."""
        folders = [f for f in await self._folders.folders(self._user) if f.item_class is ItemClass.CALENDAR]
        folders.sort(key=lambda folder: folder.type is not FolderType.CALENDAR)
        wanted = tuple(folder.id for folder in folders)
        query = SearchQuery(words=calendar.uid_word(uid), collections=wanted, limit=_MAX_COPIES)
        found: dict[CollectionId, list[ItemId]] = {folder: [] for folder in wanted}
        for hit in await self._search.search(self._user, query):
            found[hit.collection].append(hit.id)
        held: list[Held] = []
        for folder, ids in found.items():
            held += [Held(folder, item, await blob.read(item.content)) for item in await self._fetch(folder, ids)]
        return held

    async def _fetch(self, folder: CollectionId, ids: Sequence[ItemId]) -> Sequence[Item]:
        try:
            return await self._mail.fetch(self._user, folder, ids) if ids else ()
        except NoSuchFolder:
            return ()

    async def add(self, octets: bytes) -> tuple[CollectionId, ItemId] | None:
        """A new item of the default calendar; None where the user has none. Raises StoreFull."""
        for folder in await self._folders.folders(self._user):
            if folder.type is FolderType.CALENDAR:
                entry = await self._mail.add(self._user, folder.id, _message(octets))
                return folder.id, entry.id
        return None

    async def replace(self, held: Held, octets: bytes) -> bool:
        """Another content; False where somebody else has changed the item since. Raises StoreFull."""
        try:
            made = await self._mail.replace(
                self._user, held.collection, held.item.id, _message(octets), held.item.revision
            )
        except (NoSuchItem, NoSuchFolder):
            return False
        return made is not None

    async def delete(self, held: Held) -> None:
        """For good."""
        try:
            await self._mail.delete(self._user, held.collection, [held.item.id])
        except NoSuchFolder:
            return


def _message(octets: bytes) -> NewMessage:
    return NewMessage(
        content=MemoryBlob(octets),
        index=MessageIndex(size=len(octets)),
        text=calendar.search_text(octets),
        received=calendar.filter_instant(octets),
    )
