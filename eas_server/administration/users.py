"""Users: what a new one's entry is, what a change makes of it, and whom others let act for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from eas_server.administration import texts
from eas_server.administration.ports import Administered, Users
from eas_server.errors import NoSuchThing, Unfit
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.preferences import CalendarRight, CalendarRights, Delegates

TEXTS: Final = (
    "display_name",
    "first_name",
    "last_name",
    "alias",
    "title",
    "company",
    "department",
    "office",
    "phone",
    "mobile_phone",
    "home_phone",
)
"""The properties of a DirectoryEntry that are a line of text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become another of a user. None, and texts that are not there: stays as it is."""

    email: str | None = None
    """Another primary address; the old one stays as a further one."""
    addresses: Sequence[str] | None = None
    """All further addresses."""
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of TEXTS; an empty text takes the property away."""
    picture: bytes | None = None
    """b"": none."""

    @property
    def of_entry(self) -> bool:
        """Whether it is one of the directory entry at all."""
        lists = self.addresses is not None or self.added or self.removed
        return bool(self.email or lists or self.texts or self.picture is not None)


async def found(users: Users, user: str) -> tuple[Account, DirectoryEntry]:
    """A user with the directory entry. Raises NoSuchThing."""
    account = await users.user(user)
    entry = await users.entry(account.address) if account is not None else None
    if account is None or entry is None:
        raise NoSuchThing(f"there is no user {user}: see `eas-server user list`")
    return account, entry


def primary_address(user: str, domains: Sequence[str]) -> str:
    """The address of a user to whom none was given. Raises Unfit."""
    if "@" in user:
        try:
            return texts.address(user)
        except ValueError as error:
            raise Unfit("", f"{user} {error}: give another one with --email") from None
    if len(domains) == 1:
        return f"{user}@{domains[0]}"
    raise Unfit("", f"{user} needs an address: give --email {user}@example.com")


def new_entry(email: str, addresses: Iterable[str], texts: Mapping[str, str], picture: bytes = b"") -> DirectoryEntry:
    """The entry of a new user: the display name is the person's, else what stands before the address's @."""
    given: dict[str, Any] = {name: value for name, value in texts.items() if value}
    local = email.partition("@")[0]
    full = " ".join(filter(None, (given.get("first_name"), given.get("last_name"))))
    given = {"display_name": full or local, "alias": local, **given}
    return DirectoryEntry(key="", email=email, addresses=_others(email, addresses), picture=picture, **given)


def changed_entry(entry: DirectoryEntry, change: Change) -> DirectoryEntry:
    """The entry with what the change says. Raises AdministrationError."""
    given: dict[str, Any] = dict(change.texts)
    named = replace(entry, **given)
    if change.picture is not None:
        named = replace(named, picture=change.picture)
    return _with_addresses(named, change)


async def change_user(users: Users, user: str, change: Change) -> Account:
    """Carry out a change. Raises AdministrationError."""
    account, entry = await found(users, user)
    if change.of_entry:
        await users.update_entry(account.address, changed_entry(entry, change))
    return account


def _with_addresses(entry: DirectoryEntry, change: Change) -> DirectoryEntry:
    primary = change.email or entry.email
    gone = {address.lower() for address in change.removed}
    known = {address.lower() for address in entry.all_addresses}
    for address in change.removed:
        if address.lower() not in known:
            raise NoSuchThing(f"{address} is not an address of {entry.email}")
    if primary.lower() in gone:
        raise Unfit("", f"{primary} is the primary address: give another one with --email first")
    before = entry.all_addresses if change.addresses is None else change.addresses
    kept = [address for address in (*before, *change.added) if address.lower() not in gone]
    return replace(entry, email=primary, addresses=_others(primary, kept))


def _others(email: str, addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.lower() for each in addresses if each.lower() != email.lower()))


async def user_id(users: Users, name: str) -> UserId:
    """The id of a user of that name. Raises NoSuchThing."""
    account = await users.user(name)
    if account is None:
        raise NoSuchThing(f"there is no user {name}: see `eas-server user list`")
    return account.user


async def set_delegates(world: Administered, user: str, delegates: Sequence[str], *, only: bool) -> Delegates:
    """Have these users get the user's meeting mail, `only` them or beside the user. Raises AdministrationError."""
    owner = await user_id(world.people, user)
    named = [await user_id(world.people, each) for each in delegates]
    if owner in named:
        raise Unfit("", f"{user} cannot be a delegate of itself")
    if only and not named:
        raise Unfit("", "without a delegate nobody would get the meeting mail: name one")
    record = Delegates(users=tuple(dict.fromkeys(named)), only=only)
    return await world.preferences.change_preference(owner, Delegates, lambda _: record)


async def set_calendar_rights(
    world: Administered,
    user: str,
    default: CalendarRight | None,
    others: Mapping[str, CalendarRight | None],
    *,
    replacing: bool = False,
) -> CalendarRights:
    """Set what everybody (None: as before) and what single users may see; None takes a user's own right away.

    `replacing`: nobody else keeps a right of the own. Raises AdministrationError.
    """
    owner = await user_id(world.people, user)
    named: dict[str, CalendarRight | None] = {}
    for other, right in others.items():
        named[await user_id(world.people, other)] = right
    if owner in named:
        raise Unfit("", f"{user} sees all of the own calendar: name others")

    def changed(stored: CalendarRights) -> CalendarRights:
        rights: dict[str, CalendarRight | None] = {} if replacing else dict(stored.others)
        rights.update(named)
        kept = {who: right for who, right in rights.items() if right is not None}
        return CalendarRights(default=default or stored.default, others=kept)

    return await world.preferences.change_preference(owner, CalendarRights, changed)
