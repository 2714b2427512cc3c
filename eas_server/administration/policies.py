"""Which policy holds for whom: what is assigned to a user goes before a group's, that before a domain's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eas_server.administration.switches import Switches, change, read
from eas_server.commands.policy import policy_name
from eas_server.errors import NoSuchThing
from eas_server.interfaces import Accounts, Directory
from eas_server.model.directory import EntryKind
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings
from protocol.quirks import Switch

MAX_MEMBERS = 100_000
"""Members of a group that are looked at."""

Members = Mapping[str, frozenset[UserId]]
"""The users of each group, by the group as the configuration names it."""


def groups_with_policies(settings: Settings, switches: Switches) -> dict[str, str]:
    """Policies by group, in the order that they count in: those switched while the server runs come first."""
    return {
        **switches.policy_of_group,
        **{k: v for k, v in settings.policy_of_group.items() if k not in switches.policy_of_group},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A policy, and whom it is assigned to by name."""

    policy: PolicySettings
    users: Sequence[str]
    groups: Sequence[str]
    domains: Sequence[str] = ()


def all_assigned(configured: Settings, switches: Switches) -> list[Assigned]:
    """All policies of the configuration by name; `configured` are the settings without the users of groups."""
    own = {**configured.policy_of_user, **switches.policy_of_user}
    groups = groups_with_policies(configured, switches)
    return [
        Assigned(
            policy=policy,
            users=sorted(user for user, given in own.items() if given == name),
            groups=[group for group, given in groups.items() if given == name],
            domains=sorted(domain for domain, given in configured.policy_of_domain.items() if given == name),
        )
        for name, policy in sorted(configured.policies.items())
    ]


def assigned(settings: Settings, switches: Switches, members: Members) -> dict[str, str]:
    """Policies by user id, groups included."""
    known = settings.policies
    found: dict[str, str] = {}
    for group, policy in groups_with_policies(settings, switches).items():
        if policy in known:
            for user in members.get(group, ()):
                found.setdefault(user, policy)
    switched = {user: policy for user, policy in switches.policy_of_user.items() if policy in known}
    return {**found, **settings.policy_of_user, **switched}


def in_force(settings: Settings, switches: Switches, members: Members) -> Settings:
    """The settings with what is switched, and with the policies of groups as those of their users."""
    switched = {name: Switch(on=on) for name, on in switches.quirks.items()}
    return replace(
        settings, policy_of_user=assigned(settings, switches, members), quirks={**settings.quirks, **switched}
    )


async def users_of(group: str, directory: Directory, accounts: Accounts) -> frozenset[UserId] | None:
    """The users of this server in a group of the directory, nested groups included; None: there is no one such group.

    Raises Unavailable.
    """
    found = await directory.resolve(group, 2)
    groups = [entry for entry in found.entries if entry.kind is EntryKind.GROUP]
    if len(groups) != 1:
        return None
    people = await directory.members(groups[0], MAX_MEMBERS)
    users = set()
    for person in people.entries:
        account = await accounts.by_address(person.email) if person.email else None
        if account is not None:
            users.add(account.user)
    return frozenset(users)


async def all_members(groups: Iterable[str], directory: Directory, accounts: Accounts) -> dict[str, frozenset[UserId]]:
    """The users of each group; groups that are not there are left out. Raises Unavailable."""
    found = {group: await users_of(group, directory, accounts) for group in groups}
    return {group: members for group, members in found.items() if members is not None}


async def policy_of(
    user: UserId, settings: Settings, switches: Switches, directory: Directory, accounts: Accounts
) -> str:
    """The policy that holds for a user. Raises Unavailable."""
    members = await all_members(groups_with_policies(settings, switches), directory, accounts)
    return policy_name(settings, assigned(settings, switches, members), user)


def check_known(settings: Settings, policy: str) -> None:
    """Raise NoSuchThing for a policy that the configuration does not have."""
    if policy not in settings.policies:
        known = ", ".join(sorted(settings.policies))
        raise NoSuchThing(f"there is no policy {policy}: the configuration has {known}")


def with_policy_of_user(switches: Switches, user: UserId, policy: str | None) -> Switches:
    """The switches with another policy of a user; None: as the configuration has it."""
    return replace(switches, policy_of_user=_with(switches.policy_of_user, user, policy))


def with_policy_of_group(switches: Switches, group: str, policy: str | None) -> Switches:
    """The same for a group."""
    return replace(switches, policy_of_group=_with(switches.policy_of_group, group.lower(), policy))


def forget_user(path: Path, user: UserId) -> None:
    """Take away what was assigned to a user who is no more: another one of that name has none of it.

    Raises ConfigError, OSError.
    """
    if user in read(path).policy_of_user:
        change(path, lambda before: with_policy_of_user(before, user, None))


def _with(known: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    changed = {each: policy for each, policy in known.items() if each != name}
    if value is not None:
        changed[name] = value
    return changed
