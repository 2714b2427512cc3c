"""Who there is, who may sign in, and what each settled."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from eas_server.model.directory import Account, DirectoryEntry, Found
from eas_server.model.ids import UserId
from eas_server.model.preferences import Preference


class Directory(Protocol):
    """People and groups. Entries carry their certificates as the directory holds them."""

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """Entries of which a name part, the alias, an address or another indexed property begins with each word of
        `query`, ordered by display name; `limit` of them from `offset` on (GAL search, [MS-ASCMD] 2.2.1.16).
        """
        ...

    async def resolve(self, name: str, limit: int) -> Found:
        """Ambiguous name resolution (MS-ASCMD_R4610): an exact address or alias gives that entry alone; otherwise what
        `search` finds, up to `limit`, with the total.
        """
        ...

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """The people of a group, nested groups expanded once each, at most `limit` with the total."""
        ...


class Authenticator(Protocol):
    """Who may sign in."""

    async def authenticate(self, name: str, password: str) -> Account | None:
        """The account that `name` (`user`, `user@domain`, `DOMAIN\\user`) and `password` open; None for a refusal.

        Takes as long for an unknown name as for a wrong password.
        """
        ...


class Accounts(Protocol):
    """The local accounts."""

    async def account(self, user: UserId) -> Account | None:
        """The account of that id."""
        ...

    async def by_address(self, address: str) -> Account | None:
        """The account that mail for `address` goes to; an address without a domain names a local user."""
        ...

    async def group(self, address: str) -> Sequence[str] | None:
        """The addresses of a local group's members (people, nested groups expanded); None: no such group."""
        ...


P = TypeVar("P", bound=Preference)


class Preferences(Protocol):
    """Small records of a user (`eas_server.model.preferences`). Writes are durable when the method returns."""

    async def preference(self, user: UserId, kind: type[P]) -> P:
        """The user's record of that kind; `kind()` where none was stored."""
        ...

    async def change_preference(self, user: UserId, kind: type[P], change: Callable[[P], P]) -> P:
        """Store what `change` makes of the record as it is stored; gives what is then stored.

        One transaction: nobody else's change is lost. `change` may be called again, and in another thread. What it
        raises is raised. Raises NoSuchFolder for a user who is no more.
        """
        ...

    async def mark_once(self, user: UserId, subject: str, now: datetime, until: datetime) -> bool:
        """Note that something is done for the user, for good or until `until`: False where it was noted before.

        `subject` names what is done, to whom, and in which period.
        """
        ...
