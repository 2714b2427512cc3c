"""Puts the declared people and their mail into an empty store."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from eas_server.interfaces import FolderStore, MailStore
from eas_server.lab.keys import LabKeys
from eas_server.lab.mailboxes import Sample, samples
from eas_server.lab.people import PEOPLE, TEAM_ADDRESS, TEAM_NAME
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account, DirectoryEntry, EntryKind
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import FolderType, NewMessage
from eas_server.render.mime import index_message


class Registrar(Protocol):
    """Makes accounts and groups: what the administration of a store does."""

    async def add_user(self, user: str, password: str | None, entry: DirectoryEntry | None = None) -> Account:
        """Make an account with its directory entry and certificates."""
        ...

    async def add_group(self, entry: DirectoryEntry, member_addresses: Iterable[str] = ()) -> None:
        """Make a group."""
        ...

    async def set_password(self, user: UserId, password: str) -> None:
        """Give an account another password."""
        ...


async def seed(
    registrar: Registrar, folders: FolderStore, mail: MailStore, *, keys: LabKeys, password: str, now: datetime
) -> None:
    """Make the accounts, the group and the mailboxes."""
    for person in PEOPLE:
        published = tuple(keys.identities[name].certificate for name in person.certificates)
        await registrar.add_user(person.address, password, replace(person.entry, user_certificates=published))
    team = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name=TEAM_NAME, email=TEAM_ADDRESS, alias="team")
    await registrar.add_group(team, [person.address for person in PEOPLE])
    places = {person.address: await _places(folders, UserId(person.address)) for person in PEOPLE}
    for sample in sorted(samples(keys, now), key=lambda sample: sample.received):
        await mail.add(UserId(sample.owner.address), places[sample.owner.address][sample.folder], _message(sample))


async def set_passwords(registrar: Registrar, password: str) -> None:
    """Give everybody another password."""
    for person in PEOPLE:
        await registrar.set_password(UserId(person.address), password)


async def _places(folders: FolderStore, user: UserId) -> dict[FolderType, CollectionId]:
    return {folder.type: folder.id for folder in await folders.folders(user)}


def _message(sample: Sample) -> NewMessage:
    index, text = index_message(sample.content, received=sample.received)
    return NewMessage(
        content=MemoryBlob(sample.content), index=index, text=text, received=sample.received, state=sample.state
    )
