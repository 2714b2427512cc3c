"""`eas-server group`: mail groups of the embedded directory."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.administration import groups
from eas_server.cli.arguments import ADDRESS, TEXT, yes_option
from eas_server.cli.opening import config_option, in_store, json_option, tell_embedded_only
from eas_server.cli.printing import count, print_json, print_properties, print_table
from eas_server.model.directory import DirectoryEntry

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config


@click.group(name="group")
def group_group() -> None:
    """Add, list, change and remove mail groups.

    Mail to a group goes to all its members. A phone that looks up a group's certificates gets the best one of each
    member. Members are addresses of users, of other groups, or of people elsewhere.
    """


@group_group.command(
    epilog="""\b
Examples:
  eas-server group add team@example.com --name "The Team" --member alice@example.com --member bob@example.com
"""
)
@click.argument("address", type=ADDRESS)
@click.option("--name", type=TEXT, help="The name as others see it; at first what stands before the @.")
@click.option("--alias", type=TEXT, help="Short name in the address list; at first what stands before the @.")
@click.option("--member", "members", type=ADDRESS, multiple=True, help="The address of a member; repeatable.")
@config_option
def add(config_path: Path, address: str, name: str | None, alias: str | None, members: tuple[str, ...]) -> None:
    """Add a group with the mail address ADDRESS."""
    entry = groups.new_group(address, name, alias)

    async def work(config: "Config", store: "Store") -> list[str]:
        tell_embedded_only(config)
        await groups.add_group(store.admin, entry, members)
        return await groups.strangers(store.admin, members)

    unknown = in_store(config_path, work)
    click.echo(f"Added {address} with {count(len(set(members)), 'member', 'members')}")
    _tell_unknown(unknown)


@group_group.command("list")
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List all groups, ordered by name."""

    async def work(config: "Config", store: "Store") -> list[tuple[DirectoryEntry, list[str]]]:
        tell_embedded_only(config)
        return [(group, list(await store.admin.group_members(group.email))) for group in await store.admin.groups()]

    listed = in_store(config_path, work)
    if as_json:
        print_json(
            [{"email": each.email, "display_name": each.display_name, "members": members} for each, members in listed]
        )
        return
    print_table(
        ("ADDRESS", "NAME", "MEMBERS"), [(each.email, each.display_name, str(len(members))) for each, members in listed]
    )
    click.echo(count(len(listed), "group", "groups"), err=True)


@group_group.command()
@click.argument("address", type=ADDRESS)
@json_option
@config_option
def show(config_path: Path, address: str, as_json: bool) -> None:
    """Show the group ADDRESS: its members, and the people that its nested groups come to."""

    async def work(config: "Config", store: "Store") -> tuple[DirectoryEntry, list[str], list[str]]:
        tell_embedded_only(config)
        entry = await groups.group(store.admin, address)
        members = await store.admin.group_members(address)
        return entry, list(members), list(await store.accounts.group(address) or ())

    entry, members, people = in_store(config_path, work)
    if as_json:
        print_json(
            {
                "email": entry.email,
                "display_name": entry.display_name,
                "alias": entry.alias,
                "members": members,
                "people": people,
            }
        )
        return
    print_properties([("Address", entry.email), ("Name", entry.display_name), ("Alias", entry.alias)])
    click.echo("Members:" if members else "Members: none")
    for member in members:
        click.echo(f"  {member}")
    if set(people) != set(members):
        click.echo(f"With nested groups expanded: {count(len(people), 'person', 'people')}")
        for person in people:
            click.echo(f"  {person}")


@group_group.command()
@click.argument("address", type=ADDRESS)
@yes_option
@config_option
def remove(config_path: Path, address: str, yes: bool) -> None:
    """Remove the group ADDRESS. Its members stay what they are."""

    async def check(config: "Config", store: "Store") -> None:
        tell_embedded_only(config)
        await groups.group(store.admin, address)

    in_store(config_path, check)
    if not yes:
        click.confirm(f"Remove the group {address}?", abort=True)
    in_store(config_path, lambda _, store: store.admin.remove_entry(address))
    click.echo(f"Removed {address}")


@group_group.command(
    "add-member",
    epilog="""\b
Examples:
  eas-server group add-member team@example.com carol@example.com dave@example.com
""",
)
@click.argument("address", type=ADDRESS)
@click.argument("members", type=ADDRESS, nargs=-1, required=True, metavar="MEMBER...")
@config_option
def add_member(config_path: Path, address: str, members: tuple[str, ...]) -> None:
    """Put each MEMBER into the group ADDRESS. Who is in it already stays in it."""

    async def work(config: "Config", store: "Store") -> list[str]:
        tell_embedded_only(config)
        await groups.group(store.admin, address)
        for member in members:
            await store.admin.add_member(address, member)
        return await groups.strangers(store.admin, members)

    unknown = in_store(config_path, work)
    click.echo(f"{address} has {', '.join(members)}")
    _tell_unknown(unknown)


@group_group.command("remove-member")
@click.argument("address", type=ADDRESS)
@click.argument("members", type=ADDRESS, nargs=-1, required=True, metavar="MEMBER...")
@config_option
def remove_member(config_path: Path, address: str, members: tuple[str, ...]) -> None:
    """Take each MEMBER out of the group ADDRESS."""

    async def work(config: "Config", store: "Store") -> list[str]:
        tell_embedded_only(config)
        await groups.group(store.admin, address)
        there = set(await store.admin.group_members(address))
        for member in members:
            await store.admin.remove_member(address, member)
        return [member for member in members if member.lower() not in there]

    missing = in_store(config_path, work)
    click.echo(f"{address} no longer has {', '.join(members)}")
    for member in missing:
        click.echo(f"note: {member} was not a member", err=True)


def _tell_unknown(members: list[str]) -> None:
    for member in members:
        click.echo(f"note: nobody here has the address {member}; mail to it leaves by the smart host", err=True)


COMMAND = group_group
