"""From a seed to what has to be done in the store, so that it holds what the seed says. Nothing is done here yet."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from eas_server.administration import groups, texts, users
from eas_server.administration.ports import Administered
from eas_server.administration.texts import NO_LIMIT
from eas_server.cli.seed_file import Seed, SeedGroup, SeedPerson, SeedProperties, SeedUser
from eas_server.config_reading import Wrong
from eas_server.errors import NoSuchThing
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.preferences import CalendarRights, Delegates
from eas_server.model.settings import PublishedChain
from protocol.commands.resolve_recipients import MAX_PICTURE

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store

T = TypeVar("T")
EVERYBODY: Final = "default"
"""The key of calendar_rights that is no user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do."""

    says: str
    do: Callable[[], Awaitable[object]]
    alone: bool = True
    """It cannot be done at the same time as the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the plan is made on."""

    store: "Store"
    world: Administered
    seed: Seed
    domains: tuple[str, ...]
    base: Path
    """The folder of the file, which its paths are relative to."""
    published_chain: PublishedChain

    @property
    def new_users(self) -> frozenset[str]:
        """The users that the seed declares."""
        return frozenset(each.user.strip().lower() for each in self.seed.users)

    async def knows(self, user: str) -> bool:
        """Whether there will be such a user."""
        return user in self.new_users or await self.world.people.user(user) is not None


def taken(key: str, read: Callable[[str], T], value: str) -> T:
    """What `read` makes of a value. Raises Wrong, which names the key."""
    try:
        return read(value)
    except ValueError as error:
        raise Wrong(key, str(error)) from None


async def plan_people(ground: Ground) -> list[Action]:
    """What is to be done for users, people and groups. Raises Wrong."""
    _check_once("users", "user", [each.user.strip().lower() for each in ground.seed.users])
    _check_once("people", "email", [each.email.strip().lower() for each in ground.seed.people])
    _check_once("groups", "email", [each.email.strip().lower() for each in ground.seed.groups])
    actions: list[Action] = []
    for number, user in enumerate(ground.seed.users):
        actions += await _plan_user(ground, user, f"users[{number}]")
    for number, person in enumerate(ground.seed.people):
        actions += await _plan_person(ground, person, f"people[{number}]")
    for number, group in enumerate(ground.seed.groups):
        actions += await _plan_group(ground, group, f"groups[{number}]")
    for number, user in enumerate(ground.seed.users):
        actions += await _plan_others(ground, user, f"users[{number}]")
    return actions


def _check_once(section: str, name: str, values: list[str]) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise Wrong(f"{section}[{number}].{name}", f'"{value}" is there twice')


async def _plan_user(ground: Ground, user: SeedUser, key: str) -> list[Action]:
    name = taken(f"{key}.user", texts.user_name, user.user)
    change = _change(user, key, user.email)
    quota = None if user.quota is None else taken(f"{key}.quota", texts.octets, user.quota)
    password = None if user.password is None else taken(f"{key}.password", texts.password, user.password)
    account = await ground.world.people.user(name)
    if account is None:
        return [_add_user(ground, user, name, change, quota, password, key)]
    return await _change_user(ground, user, account, change, quota, password)


def _add_user(
    ground: Ground,
    user: SeedUser,
    name: str,
    change: users.Change,
    quota: int | None,
    password: str | None,
    key: str,
) -> Action:
    if change.email is None and "@" not in name and len(ground.domains) != 1:
        raise Wrong(f"{key}.email", f'is missing: {name} needs an address, such as "{name}@example.com"')
    email = change.email or users.primary_address(name, ground.domains)
    entry = users.new_entry(email, change.addresses or (), change.texts, change.picture or b"")
    add = partial(
        ground.world.people.add_user,
        name,
        password,
        entry,
        quota=None if quota == NO_LIMIT else quota,
        eas_enabled=user.eas is not False,
    )
    return Action(says=f"add user {name}", do=add)


async def _change_user(
    ground: Ground, user: SeedUser, account: Account, change: users.Change, quota: int | None, password: str | None
) -> list[Action]:
    people, actions = ground.world.people, []
    _, entry = await users.found(people, account.user)
    if _differs(entry, users.changed_entry(entry, change)):
        actions.append(
            Action(says=f"change user {account.user}", do=partial(users.change_user, people, account.user, change))
        )
    wanted = None if quota == NO_LIMIT else quota
    if quota is not None and wanted != account.quota:
        actions.append(
            Action(says=f"change the quota of {account.user}", do=partial(people.set_quota, account.user, wanted))
        )
    if user.eas is not None and user.eas != account.eas_enabled:
        state = "on" if user.eas else "off"
        does = partial(people.set_eas_enabled, account.user, user.eas)
        actions.append(Action(says=f"switch ActiveSync {state} for {account.user}", do=does))
    if password is not None and not await _has_password(ground, account, password):
        actions.append(
            Action(
                says=f"change the password of {account.user}", do=partial(people.set_password, account.user, password)
            )
        )
    return actions


async def _has_password(ground: Ground, account: Account, password: str) -> bool:
    known = await ground.store.authenticator.authenticate(account.user, password)
    return known is not None and known.user == account.user


def _differs(before: DirectoryEntry, after: DirectoryEntry) -> bool:
    return replace(before, addresses=tuple(sorted(before.addresses))) != replace(
        after, addresses=tuple(sorted(after.addresses))
    )


def _change(declared: SeedProperties, key: str, email: str | None) -> users.Change:
    given: Mapping[str, Any] = {name: getattr(declared, name) for name in users.TEXTS}
    return users.Change(
        email=None if email is None else taken(f"{key}.email", texts.address, email),
        addresses=None if declared.addresses is None else addresses(f"{key}.addresses", declared.addresses),
        texts={name: taken(f"{key}.{name}", texts.line, text) for name, text in given.items() if text is not None},
        picture=None if declared.picture is None else _picture(f"{key}.picture", declared.picture),
    )


def addresses(key: str, given: Iterable[str]) -> list[str]:
    """Addresses of a list. Raises Wrong."""
    return [taken(f"{key}[{number}]", texts.address, each) for number, each in enumerate(given)]


def octets_of(key: str, path: Path, limit: int) -> bytes:
    """The octets of a file. Raises Wrong."""
    try:
        with path.open("rb") as file:
            octets = file.read(limit + 1)
    except OSError as error:
        raise Wrong(key, f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > limit:
        raise Wrong(key, f"{path} has more than {limit} octets")
    return octets


def _picture(key: str, path: Path) -> bytes:
    octets = octets_of(key, path, MAX_PICTURE)
    try:
        return texts.picture(octets, MAX_PICTURE)
    except ValueError as error:
        raise Wrong(key, f"{path} {error}") from None


async def _plan_person(ground: Ground, person: SeedPerson, key: str) -> list[Action]:
    change = _change(person, key, person.email)
    email = change.email or ""
    entry = await ground.world.people.entry(email)
    if entry is None:
        added = users.new_entry(email, change.addresses or (), change.texts, change.picture or b"")
        return [Action(says=f"add {email} to the directory", do=partial(ground.store.admin.add_people, [added]))]
    changed = users.changed_entry(entry, replace(change, email=None))
    if not _differs(entry, changed):
        return []
    return [
        Action(says=f"change {email} in the directory", do=partial(ground.world.people.update_entry, email, changed))
    ]


async def _plan_group(ground: Ground, group: SeedGroup, key: str) -> list[Action]:
    email = taken(f"{key}.email", texts.address, group.email)
    members = [member.lower() for member in addresses(f"{key}.members", group.members)]
    name = taken(f"{key}.display_name", texts.line, group.display_name or "")
    alias = taken(f"{key}.alias", texts.line, group.alias or "")
    people = ground.world.people
    entry = await people.entry(email)
    if entry is None:
        add = partial(groups.add_group, people, groups.new_group(email, name, alias), members)
        return [Action(says=f"add group {email}", do=add)]
    try:
        entry = await groups.group(people, email)
    except NoSuchThing:
        raise Wrong(f"{key}.email", f"{email} belongs to a person") from None
    actions = []
    changed = replace(entry, display_name=name or entry.display_name, alias=alias or entry.alias)
    if changed != entry:
        actions.append(Action(says=f"change group {email}", do=partial(people.update_entry, email, changed)))
    there = set(await people.group_members(email))
    added = (
        Action(says=f"put {member} into {email}", do=partial(people.add_member, email, member))
        for member in sorted(set(members) - there)
    )
    removed = (
        Action(says=f"take {member} out of {email}", do=partial(people.remove_member, email, member))
        for member in sorted(there - set(members))
    )
    return [*actions, *added, *removed]


async def _plan_others(ground: Ground, user: SeedUser, key: str) -> list[Action]:
    """Delegates and calendar rights: they name other users, who have to be there first."""
    name, actions = user.user.strip().lower(), []
    account = await ground.world.people.user(name)
    if user.delegates is not None:
        named = tuple(
            [await known_user(ground, f"{key}.delegates[{n}]", each) for n, each in enumerate(user.delegates)]
        )
        if name in named:
            raise Wrong(f"{key}.delegates", f"{name} cannot be a delegate of itself")
        if user.delegates_only and not named:
            raise Wrong(f"{key}.delegates_only", "needs a delegate: nobody would get the meeting mail")
        wanted = Delegates(users=tuple(map(UserId, dict.fromkeys(named))), only=user.delegates_only)
        before = await ground.world.preferences.preference(UserId(name), Delegates) if account else Delegates()
        if before != wanted:
            set_ = partial(users.set_delegates, ground.world, name, named, only=user.delegates_only)
            actions.append(Action(says=f"set the delegates of {name}", do=set_))
    if user.calendar_rights is not None:
        actions += await _plan_rights(ground, user, name, account, key)
    return actions


async def _plan_rights(ground: Ground, user: SeedUser, name: str, account: Account | None, key: str) -> list[Action]:
    declared = dict(user.calendar_rights or {})
    default = declared.pop(EVERYBODY, CalendarRights().default)
    others = {
        await known_user(ground, f"{key}.calendar_rights.{other}", other): right for other, right in declared.items()
    }
    wanted = CalendarRights(default=default, others=others)
    before = await ground.world.preferences.preference(UserId(name), CalendarRights) if account else CalendarRights()
    if before == wanted:
        return []
    set_ = partial(users.set_calendar_rights, ground.world, name, default, others, replacing=True)
    return [Action(says=f"set the calendar rights of {name}", do=set_)]


async def known_user(ground: Ground, key: str, value: str) -> str:
    """A user of the store or of the seed. Raises Wrong."""
    name = taken(key, texts.user_name, value)
    if not await ground.knows(name):
        raise Wrong(key, f"there is no user {name}, here or in [[users]]")
    return name
