"""`eas-server user`: accounts with their properties in the directory, and passwords."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from eas_server.administration import policies, switches, texts, users
from eas_server.cli.arguments import (
    ADDRESS,
    FILE,
    NO_LIMIT,
    SIZE,
    TEXT,
    USER,
    password_option,
    read_file,
    read_password,
    yes_option,
)
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, count, print_json, print_properties, print_table, size
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import UserId

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

PROPERTIES: Final = {
    "display_name": ("--display-name", "The name as others see it."),
    "first_name": ("--given-name", "Given name."),
    "last_name": ("--surname", "Surname."),
    "alias": ("--alias", "Short name in the address list; at first what stands before the @."),
    "title": ("--title", "Job title."),
    "company": ("--company", "Company."),
    "department": ("--department", "Department."),
    "office": ("--office", "Office, such as a room."),
    "phone": ("--phone", "Telephone at work."),
    "mobile_phone": ("--mobile", "Mobile telephone."),
    "home_phone": ("--home-phone", "Telephone at home."),
}
"""The texts of a DirectoryEntry: its property, the option and its help."""
_LABELS: Final = {
    name: option.removeprefix("--").replace("-", " ").capitalize() for name, (option, _) in PROPERTIES.items()
}

_Command = Callable[..., Any]


def _property_options(command: _Command) -> _Command:
    for name, (option, text) in reversed(PROPERTIES.items()):
        command = click.option(option, name, type=TEXT, help=text)(command)
    return command


@click.group(name="user")
def user_group() -> None:
    """Add, list, change and remove users.

    A user is an account (a name to sign in with, a password, a mailbox) with its entry in the directory, where others
    find the person's name, addresses, telephones and certificates. Changes hold at once, while the server runs too.
    """


@user_group.command(
    epilog="""\b
Examples:
  eas-server user add alice@example.com --display-name "Alice Example"
  pwgen -s 20 1 | tee alice.pw | eas-server user add alice@example.com --password-stdin
  eas-server user add alice --email alice@example.com --address a.example@example.com --quota 2G
"""
)
@click.argument("user", type=USER)
@click.option("--email", type=ADDRESS, help="The primary address; USER where that is an address.")
@click.option("--address", "addresses", type=ADDRESS, multiple=True, help="A further address of the user; repeatable.")
@_property_options
@click.option("--picture", type=FILE, help="A JPEG or PNG file with the person's picture, up to 100 KiB.")
@click.option("--quota", type=SIZE, default="none", show_default=True, help="How much the mailbox may hold: 500M, 2G.")
@click.option("--eas/--no-eas", default=True, show_default=True, help="Whether the user may use ActiveSync.")
@password_option
@click.option("--no-password", is_flag=True, help="Nobody can sign in by a local password: for sign-in by LDAP.")
@config_option
def add(
    config_path: Path,
    user: str,
    email: str | None,
    addresses: tuple[str, ...],
    picture: Path | None,
    quota: int,
    eas: bool,
    password_stdin: bool,
    no_password: bool,
    **properties: str | None,
) -> None:
    """Add USER, the name to sign in with: an address, or a name for one of the server's mail domains.

    The password is asked for twice, or read from standard input with --password-stdin. Where LDAP checks passwords
    (authentication.kind), none is asked for.
    """
    if no_password and password_stdin:
        raise click.UsageError("--no-password and --password-stdin exclude each other")

    async def check(config: "Config", store: "Store") -> tuple[str, bool]:
        if await store.admin.user(user) is not None:
            raise Failed(f"there is a user {user} already: change it with `eas-server user set {user}`")
        return email or users.primary_address(user, config.server.domains), config.authentication.kind == "ldap"

    primary, by_ldap = in_store(config_path, check)
    given = {name: text for name, text in properties.items() if text}
    entry = users.new_entry(primary, addresses, given, _picture(picture))
    wanted = password_stdin or not (no_password or by_ldap)
    password = read_password(f"Password for {user}", from_stdin=password_stdin) if wanted else None

    async def work(config: "Config", store: "Store") -> None:
        del config
        await store.admin.add_user(user, password, entry, quota=None if quota == NO_LIMIT else quota, eas_enabled=eas)

    in_store(config_path, work)
    if by_ldap:
        how = "kept, but not asked for" if wanted else "not needed"
        click.echo(f'note: authentication.kind is "ldap": a local password is {how}', err=True)
    click.echo(f"Added {user} with the address {primary}")


@user_group.command(
    "set",
    epilog="""\b
Examples:
  eas-server user set alice@example.com --office "Room 101" --phone "+49 30 5550 101"
  eas-server user set alice@example.com --add-address ally@example.com --quota none
  eas-server user set alice@example.com --no-eas
""",
)
@click.argument("user", type=USER)
@click.option("--email", type=ADDRESS, help="Another primary address; the old one stays as a further one.")
@click.option("--add-address", "added", type=ADDRESS, multiple=True, help="A further address; repeatable.")
@click.option("--remove-address", "removed", type=ADDRESS, multiple=True, help="Take an address away; repeatable.")
@_property_options
@click.option("--picture", type=FILE, help="A JPEG or PNG file with the person's picture, up to 100 KiB.")
@click.option("--no-picture", is_flag=True, help="Take the picture away.")
@click.option("--quota", type=SIZE, help='How much the mailbox may hold: 500M, 2G, or "none" for no limit.')
@click.option("--eas/--no-eas", default=None, help="Whether the user may use ActiveSync.")
@config_option
def set_(
    config_path: Path,
    user: str,
    email: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    picture: Path | None,
    no_picture: bool,
    quota: int | None,
    eas: bool | None,
    **properties: str | None,
) -> None:
    """Change USER. What no option names stays; an empty text ("") takes a property away."""
    octets = b"" if no_picture else _picture(picture) if picture else None
    given = {name: value for name, value in properties.items() if value is not None}
    change = users.Change(email=email, added=added, removed=removed, texts=given, picture=octets)
    if not change.of_entry and quota is None and eas is None:
        raise click.UsageError("name at least one option: what is to change? See --help")
    if picture and no_picture:
        raise click.UsageError("--picture and --no-picture exclude each other")

    async def work(config: "Config", store: "Store") -> None:
        del config
        account = await users.change_user(store.admin, user, change)
        if quota is not None:
            await store.admin.set_quota(account.user, None if quota == NO_LIMIT else quota)
        if eas is not None:
            await store.admin.set_eas_enabled(account.user, eas)

    in_store(config_path, work)
    click.echo(f"Changed {user}")


@user_group.command(
    epilog="""\b
Examples:
  eas-server user passwd alice@example.com
  printf %s "$NEW" | eas-server user passwd alice@example.com --password-stdin
"""
)
@click.argument("user", type=USER)
@password_option
@config_option
def passwd(config_path: Path, user: str, password_stdin: bool) -> None:
    """Give USER another password. The old one is refused from the next request on."""

    async def check(config: "Config", store: "Store") -> UserId:
        del config
        return (await users.found(store.admin, user))[0].user

    name = in_store(config_path, check)
    password = read_password(f"New password for {user}", from_stdin=password_stdin)
    in_store(config_path, lambda _, store: store.admin.set_password(name, password))
    click.echo(f"{user} has a new password")


@user_group.command(
    "list",
    epilog="""\b
Examples:
  eas-server user list
  eas-server user list --json
""",
)
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List all users with the size of their mailboxes, ordered by display name."""

    async def work(config: "Config", store: "Store") -> list[tuple[Account, int]]:
        del config
        return [(account, await store.admin.usage(account.user)) for account in await store.admin.users()]

    listed = in_store(config_path, work)
    if as_json:
        print_json([_account_json(account, used) for account, used in listed])
        return
    print_table(
        ("USER", "NAME", "ADDRESS", "MAILBOX", "QUOTA", "ACTIVESYNC"),
        [
            (
                each.user,
                each.display_name,
                each.address,
                size(used),
                size(each.quota),
                "yes" if each.eas_enabled else "no",
            )
            for each, used in listed
        ],
    )
    click.echo(count(len(listed), "user", "users"), err=True)


@user_group.command()
@click.argument("user", type=USER)
@json_option
@config_option
def show(config_path: Path, user: str, as_json: bool) -> None:
    """Show USER: properties, addresses, mailbox, certificates and devices."""

    async def work(config: "Config", store: "Store") -> tuple[Account, DirectoryEntry, int, list[str], str]:
        account, entry = await users.found(store.admin, user)
        devices = [str(device.id) for device in await store.state.devices(account.user)]
        switched = switches.read(switches.path_of(config.store.path))
        if config.directory.kind == "ldap" and policies.groups_with_policies(config.settings, switched):
            click.echo("note: policies of groups are not considered here: LDAP knows who is in them", err=True)
        policy = await policies.policy_of(account.user, config.settings, switched, store.directory, store.accounts)
        return account, entry, await store.admin.usage(account.user), devices, policy

    account, entry, used, devices, policy = in_store(config_path, work)
    certificates = len(entry.user_certificates) + len(entry.smime_certificates)
    if as_json:
        print_json(
            {
                **_account_json(account, used),
                **{name: str(getattr(entry, name)) for name in PROPERTIES},
                "picture_octets": len(entry.picture),
                "certificate_values": certificates,
                "devices": devices,
                "policy": policy,
            }
        )
        return
    print_properties(
        [
            ("User", account.user),
            ("Address", entry.email),
            ("Further addresses", ", ".join(entry.addresses)),
            *((_LABELS[name], getattr(entry, name)) for name in PROPERTIES),
            ("Picture", size(len(entry.picture)) if entry.picture else ""),
            ("Mailbox", f"{size(used)} of {size(account.quota)}" if account.quota is not None else size(used)),
            ("ActiveSync", "yes" if account.eas_enabled else "no"),
            ("Policy", policy),
            ("Certificates", f"{count(certificates, 'value', 'values')} (eas-server cert list {entry.email})"),
            ("Devices", ", ".join(devices)),
        ]
    )


@user_group.command(
    epilog="""\b
Examples:
  eas-server user remove alice@example.com
  eas-server user remove alice@example.com --yes
"""
)
@click.argument("user", type=USER)
@yes_option
@config_option
def remove(config_path: Path, user: str, yes: bool) -> None:
    """Remove USER with the mailbox, the devices' state and the directory entry. There is no way back but a backup."""

    async def check(config: "Config", store: "Store") -> tuple[UserId, int]:
        del config
        account, _ = await users.found(store.admin, user)
        return account.user, await store.admin.usage(account.user)

    name, used = in_store(config_path, check)
    if not yes:
        click.confirm(f"Remove {name} with {size(used)} of mail?", abort=True)

    async def work(config: "Config", store: "Store") -> None:
        await store.admin.remove_user(name)
        policies.forget_user(switches.path_of(config.store.path), name)

    in_store(config_path, work)
    click.echo(f"Removed {name}")


def _picture(path: Path | None) -> bytes:
    from protocol.commands.resolve_recipients import MAX_PICTURE

    if path is None:
        return b""
    try:
        return texts.picture(read_file(path, MAX_PICTURE), MAX_PICTURE)
    except ValueError as error:
        raise Failed(f"{path} {error}") from None


def _account_json(account: Account, used: int) -> dict[str, Json]:
    return {
        "user": account.user,
        "display_name": account.display_name,
        "email": account.address,
        "addresses": sorted(account.addresses - {account.address.lower()}),
        "mailbox_octets": used,
        "quota_octets": account.quota,
        "eas_enabled": account.eas_enabled,
    }


COMMAND = user_group
