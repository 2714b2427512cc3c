"""What administration needs beside the ports of the commands: people and groups that can be changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eas_server.interfaces import Accounts, Clock, Directory, OutgoingQueue, Preferences, StateStore, TrustStore
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.trust import Anchor, Trusted


class Users(Protocol):
    """The accounts of this server, with their entries in its own directory.

    What changes one that is not there raises NoSuchThing; an address that is somebody else's, ThereAlready.
    """

    async def add_user(
        self,
        user: str,
        password: str | None,
        entry: DirectoryEntry | None = None,
        *,
        quota: int | None = None,
        eas_enabled: bool = True,
    ) -> Account:
        """Make an account with its default folders; without a password nobody can sign in by password."""
        ...

    async def user(self, user: str) -> Account | None:
        """An account."""
        ...

    async def users(self) -> Sequence[Account]:
        """All accounts, ordered by display name."""
        ...

    async def usage(self, user: UserId) -> int:
        """How many octets an account's mailbox holds."""
        ...

    async def set_password(self, user: UserId, password: str) -> None:
        """Give an account another password."""
        ...

    async def set_eas_enabled(self, user: UserId, enabled: bool) -> None:
        """Let an account use ActiveSync, or not."""
        ...

    async def set_quota(self, user: UserId, octets: int | None) -> None:
        """Bound an account's mailbox; None: no limit."""
        ...

    async def remove_user(self, user: UserId) -> None:
        """Remove an account with its mail, its devices and its directory entry."""
        ...

    async def update_entry(self, address: str, entry: DirectoryEntry) -> None:
        """Replace the properties and addresses of an entry, but not its certificates."""
        ...

    async def entry(self, address: str) -> DirectoryEntry | None:
        """The entry of an address, with its certificates."""
        ...


class Groups(Protocol):
    """The groups of this server's own directory. What changes one that is not there raises NoSuchThing."""

    async def add_group(self, entry: DirectoryEntry, member_addresses: Iterable[str] = ()) -> None:
        """Make a group; members are addresses of people, of other groups, or of strangers."""
        ...

    async def groups(self) -> Sequence[DirectoryEntry]:
        """All groups, ordered by display name."""
        ...

    async def group_members(self, address: str) -> Sequence[str]:
        """The addresses that stand in a group, nested groups as themselves."""
        ...

    async def add_member(self, group: str, address: str) -> None:
        """Put an address into a group."""
        ...

    async def remove_member(self, group: str, address: str) -> None:
        """Take an address out of a group."""
        ...

    async def remove_entry(self, address: str) -> None:
        """Remove a group, or a person who has no account."""
        ...


class People(Users, Groups, Protocol):
    """Users and groups."""


class TrustKeeper(TrustStore, Protocol):
    """The virtual certificate collections, as the administrator changes them."""

    async def certificates(self) -> Sequence[Trusted]:
        """All certificates of all collections, those of a collection in the order in which they came."""
        ...

    async def trust(self, collection: str, certificates: Mapping[bytes, Anchor]) -> Mapping[bytes, Anchor | None]:
        """Take DER certificates into a collection, all or none: what each of them was in it before, None if nothing.

        Raises AdministrationError where the collection would become too large.
        """
        ...

    async def distrust(self, collection: str, fingerprints: Collection[str]) -> int:
        """Take certificates out of a collection; how many were there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Administered:
    """All that an administrator can change of a store."""

    people: People
    state: StateStore
    accounts: Accounts
    directory: Directory
    preferences: Preferences
    queue: OutgoingQueue
    clock: Clock
