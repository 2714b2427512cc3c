"""`eas-server policy`: which policy holds for whom."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.administration import groups, policies, switches, users
from eas_server.administration.switches import Switches
from eas_server.cli.arguments import ADDRESS, USER
from eas_server.cli.opening import config_option, failures, in_store, json_option, read_config
from eas_server.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config


@click.group(name="policy")
def policy_group() -> None:
    """See policies, and assign them to users and groups while the server runs.

    Policies themselves stand in the configuration ([policies.NAME], docs/policies.md), where users and groups can be
    named, too: what is assigned here goes before that, until `unassign`. A user's own policy goes before a group's, and
    that before the one of a mail domain, which the configuration alone can name.
    """


@policy_group.command("list")
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List the policies of the configuration, and whom they are for."""
    with failures():
        config = read_config(config_path)
        switched = switches.read(switches.path_of(config.store.path))
    default = config.settings.default_policy
    found = policies.all_assigned(config.settings, switched)
    if as_json:
        print_json(
            [
                {
                    "name": each.policy.name,
                    "strict": each.policy.strict,
                    "default": each.policy.name == default,
                    "users": list(each.users),
                    "groups": list(each.groups),
                    "domains": list(each.domains),
                    "settings": sorted(each.policy.settings),
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.policy.name,
            "yes" if each.policy.strict else "no",
            "yes" if each.policy.name == default else "no",
            ", ".join(each.users),
            ", ".join(each.groups),
            ", ".join(each.domains),
        )
        for each in found
    ]
    print_table(("POLICY", "STRICT", "DEFAULT", "USERS", "GROUPS", "DOMAINS"), rows)


@policy_group.command(
    epilog="""\b
Examples:
  eas-server policy assign board --user alice@example.com
  eas-server policy assign board --group directors@example.com
"""
)
@click.argument("policy")
@click.option("--user", type=USER, help="The user that gets it.")
@click.option("--group", type=ADDRESS, help="The group whose members get it, save those with a policy of their own.")
@config_option
def assign(config_path: Path, policy: str, user: str | None, group: str | None) -> None:
    """Assign POLICY to a user or a group. Devices are told with their next command."""
    whom = _assign(config_path, policy, user, group)
    click.echo(f"{whom} has the policy {policy}")


@policy_group.command(
    epilog="""\b
Examples:
  eas-server policy unassign --user alice@example.com
"""
)
@click.option("--user", type=USER, help="The user.")
@click.option("--group", type=ADDRESS, help="The group.")
@config_option
def unassign(config_path: Path, user: str | None, group: str | None) -> None:
    """Take back what `assign` did: the configuration holds again."""
    click.echo(f"{_assign(config_path, None, user, group)} has the policy that the configuration names")


def _assign(config_path: Path, policy: str | None, user: str | None, group: str | None) -> str:
    if (user is None) == (group is None):
        raise click.UsageError("name --user, or --group")

    async def work(config: "Config", store: "Store") -> str:
        if policy is not None:
            policies.check_known(config.settings, policy)
        change: Callable[[Switches], Switches]
        if user is not None:
            owner = await users.user_id(store.admin, user)
            change = partial(policies.with_policy_of_user, user=owner, policy=policy)
        else:
            whom = group or ""
            if policy is not None and config.directory.kind == "embedded":
                await groups.group(store.admin, whom)
            change = partial(policies.with_policy_of_group, group=whom, policy=policy)
        switches.change(switches.path_of(config.store.path), change)
        return user or group or ""

    return in_store(config_path, work)


COMMAND = policy_group
