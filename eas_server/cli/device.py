"""`eas-server device`: the devices that sync, which of them may, and which are to wipe themselves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eas_server.administration import devices
from eas_server.cli.arguments import USER, yes_option
from eas_server.cli.opening import Failed, administered, config_option, failures, in_store, json_option
from eas_server.cli.printing import Json, count, exactly, moment, print_json, print_properties, print_table
from eas_server.cli.terminal import printable
from eas_server.cli.trace import trace
from eas_server.model.device import Access, Device, Wipe

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config


@click.group(name="device")
def device_group() -> None:
    """See, block, allow, wipe and remove devices.

    A device appears here with its first request. It is named by its user and its DeviceId, as `device list` shows them.
    """


@device_group.command(
    "list",
    epilog="""\b
Examples:
  eas-server device list
  eas-server device list alice@example.com --json
""",
)
@click.argument("user", type=USER, required=False)
@json_option
@config_option
def list_(config_path: Path, user: str | None, as_json: bool) -> None:
    """List the devices of USER, or of all users. `last seen` is exact to the hour."""

    async def work(config: "Config", store: "Store") -> list[Device]:
        del config
        return list(await devices.devices_of(administered(store), user))

    listed = in_store(config_path, work)
    if as_json:
        print_json([_json(device) for device in listed])
        return
    print_table(
        ("USER", "DEVICE", "TYPE", "VERSION", "LAST SEEN", "ACCESS", "POLICY", "SKIPPED"),
        [
            (
                device.user,
                device.id,
                device.type,
                device.version,
                moment(device.last_seen),
                device.access.value,
                devices.policy_state(device),
                str(len(device.skipped)) if device.skipped else "",
            )
            for device in listed
        ],
    )
    click.echo(count(len(listed), "device", "devices"), err=True)


@device_group.command(
    epilog="""\b
Examples:
  eas-server device show alice@example.com ApplDN6GPMSLFMBB
  eas-server device show alice@example.com ApplDN6GPMSLFMBB --recovery-password
"""
)
@click.argument("user", type=USER)
@click.argument("device")
@click.option("--recovery-password", is_flag=True, help="Nothing but the password that the device left for its user.")
@json_option
@config_option
def show(config_path: Path, user: str, device: str, as_json: bool, recovery_password: bool) -> None:
    """Show DEVICE of USER: what it says of itself, its policy, and the items that it was not given.

    An item that cannot be rendered is skipped, so that the folder's other items still come; it is listed here with the
    reason, the last hundred of them.
    """

    async def work(config: "Config", store: "Store") -> Device:
        del config
        return await devices.device_of(administered(store), user, device)

    found = in_store(config_path, work)
    if recovery_password:
        if not found.recovery_password:
            raise Failed(f"{found.id} of {found.user} has left no recovery password")
        click.echo(printable(found.recovery_password))
        return
    if as_json:
        print_json(_json(found))
        return
    print_properties(
        [
            ("User", found.user),
            ("Device", found.id),
            ("Type", found.type),
            ("User agent", found.user_agent),
            ("Protocol version", found.version),
            ("First seen", moment(found.first_seen)),
            ("Last seen", moment(found.last_seen)),
            ("Access", found.access.value),
            ("Policy", devices.policy_state(found)),
            ("Remote wipe", _wipe_state(found)),
            ("Traced until", moment(found.trace_until) if found.trace_until else ""),
            ("Ping", f"{found.ping_heartbeat} s, {len(found.ping_folders)} folders" if found.ping_heartbeat else ""),
            *sorted(found.details.items()),
        ]
    )
    if found.skipped:
        click.echo("Items that could not be rendered, and were skipped:")
        print_table(("ITEM", "REASON"), devices.skipped_items(found))


@device_group.command()
@click.argument("user", type=USER)
@click.argument("device")
@config_option
def block(config_path: Path, user: str, device: str) -> None:
    """Keep DEVICE of USER out, from its next request on. What it has synced stays on it."""
    in_store(config_path, lambda _, store: devices.set_access(administered(store), user, device, Access.BLOCKED))
    click.echo(f"{device} of {user} is blocked")


@device_group.command()
@click.argument("user", type=USER)
@click.argument("device")
@config_option
def allow(config_path: Path, user: str, device: str) -> None:
    """Let DEVICE of USER in again."""
    in_store(config_path, lambda _, store: devices.set_access(administered(store), user, device, Access.ALLOWED))
    click.echo(f"{device} of {user} is allowed")


@device_group.command()
@click.argument("user", type=USER)
@click.argument("device")
@yes_option
@config_option
def remove(config_path: Path, user: str, device: str, yes: bool) -> None:
    """Forget DEVICE of USER with all its state. If it comes again, it is new and syncs everything anew.

    To keep a device out, block it instead. A wipe that it has not confirmed is cancelled.
    """

    async def check(config: "Config", store: "Store") -> Device:
        del config
        return await devices.device_of(administered(store), user, device)

    found = in_store(config_path, check)
    if not yes:
        click.confirm(f"Forget {found.id} of {found.user}?{_lost_wipes([found])}", abort=True)
    in_store(config_path, lambda _, store: store.state.remove_device(found.user, found.id))
    click.echo(f"Forgot {found.id} of {found.user}")


@device_group.command(
    epilog="""\b
Examples:
  eas-server device forget-all alice@example.com --yes
"""
)
@click.argument("user", type=USER)
@yes_option
@config_option
def forget_all(config_path: Path, user: str, yes: bool) -> None:
    """Forget all devices of USER with all their state, as `device remove` does for one."""

    async def check(config: "Config", store: "Store") -> list[Device]:
        del config
        return list(await devices.devices_of(administered(store), user))

    found = in_store(config_path, check)
    if found and not yes:
        click.confirm(f"Forget {count(len(found), 'device', 'devices')} of {user}?{_lost_wipes(found)}", abort=True)

    in_store(config_path, lambda _, store: devices.forget(administered(store), found))
    click.echo(f"Forgot {count(len(found), 'device', 'devices')} of {user}")


def _wipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both kinds of wipe are asked for by."""
    for decorate in (
        config_option,
        yes_option,
        click.option("--cancel", is_flag=True, help="Take the wipe back, as long as the device has not confirmed it."),
        click.option("--type", "type_", metavar="TYPE", help="All devices of USER with this DeviceType, and not one."),
        click.argument("device", required=False),
        click.argument("user", type=USER),
    ):
        command = decorate(command)
    return command


@device_group.command(
    epilog="""\b
Examples:
  eas-server device wipe alice@example.com ApplDN6GPMSLFMBB
  eas-server device wipe alice@example.com --type Android --yes
  eas-server device wipe alice@example.com ApplDN6GPMSLFMBB --cancel
"""
)
@_wipe_options
def wipe(config_path: Path, user: str, device: str | None, type_: str | None, cancel: bool, yes: bool) -> None:
    """Have DEVICE of USER erase all that it holds, what is the user's own included.

    The device is told with the first answer that it gets, and gets nothing else until it confirms. The user then
    finds a mail about it in the Inbox.
    """
    _wipe(config_path, user, device, type_, cancel=cancel, yes=yes, account_only=False)


@device_group.command(
    epilog="""\b
Examples:
  eas-server device wipe-account alice@example.com ApplDN6GPMSLFMBB
  eas-server device wipe-account alice@example.com ApplDN6GPMSLFMBB --cancel
"""
)
@_wipe_options
def wipe_account(config_path: Path, user: str, device: str | None, type_: str | None, cancel: bool, yes: bool) -> None:
    """Have DEVICE of USER erase what it holds of this account. It needs a device that speaks 16.1.

    Else it is as with `device wipe`.
    """
    _wipe(config_path, user, device, type_, cancel=cancel, yes=yes, account_only=True)


def _wipe(
    config_path: Path, user: str, device: str | None, type_: str | None, *, cancel: bool, yes: bool, account_only: bool
) -> None:
    if (device is None) == (type_ is None):
        raise click.UsageError("name DEVICE, or --type")

    async def choose(config: "Config", store: "Store") -> list[Device]:
        del config
        world = administered(store)
        if device is not None:
            return [await devices.device_of(world, user, device)]
        return list(await devices.devices_of_type(world, user, type_ or ""))

    found = in_store(config_path, choose)
    if cancel:
        _cancel_wipe(config_path, found, user, account_only=account_only)
    else:
        _ask_for_wipe(config_path, found, user, yes=yes, account_only=account_only)


def _ask_for_wipe(config_path: Path, found: list[Device], user: str, *, yes: bool, account_only: bool) -> None:
    with failures():
        devices.check_wipe(found, account_only=account_only)
    named = _named(found, user)
    if not yes:
        what = "what it holds of this account" if account_only else "all that it holds, what is the user's own included"
        click.confirm(f"Have {named} erase {what}?", abort=True)
    in_store(config_path, lambda _, store: devices.ask_for_wipe(administered(store), found, account_only=account_only))
    click.echo(f"{named}: the {devices.kind_of_wipe(account_only=account_only)} is asked for")


def _cancel_wipe(config_path: Path, found: list[Device], user: str, *, account_only: bool) -> None:
    wiping = in_store(
        config_path, lambda _, store: devices.cancel_wipe(administered(store), found, account_only=account_only)
    )
    click.echo(f"{_named(wiping, user)}: the {devices.kind_of_wipe(account_only=account_only)} is cancelled")
    if devices.was_told(wiping):
        click.echo("note: the device was told already, and may erase itself all the same", err=True)


def _named(found: Sequence[Device], user: str) -> str:
    return f"{', '.join(device.id for device in found)} of {user}"


def _lost_wipes(found: Sequence[Device]) -> str:
    return " A wipe that is not confirmed is cancelled." if devices.loses_wipe(found) else ""


def _wipe_state(device: Device) -> str:
    if device.wipe is Wipe.NONE:
        return ""
    return f"{device.wipe.value} (of the account alone)" if device.wipe_account_only else device.wipe.value


def _json(device: Device) -> dict[str, Json]:
    acknowledged = device.policy.acknowledged
    return {
        "user": device.user,
        "device": device.id,
        "type": device.type,
        "user_agent": device.user_agent,
        "version": device.version,
        "first_seen": exactly(device.first_seen),
        "last_seen": exactly(device.last_seen),
        "access": device.access.value,
        "policy": devices.policy_state(device),
        "policy_acknowledged": exactly(acknowledged) if acknowledged else None,
        "wipe": device.wipe.value,
        "wipe_account_only": device.wipe_account_only,
        "trace_until": exactly(device.trace_until) if device.trace_until else None,
        "details": dict(device.details),
        "skipped": [{"item": item, "reason": reason} for item, reason in devices.skipped_items(device)],
    }


device_group.add_command(trace)

COMMAND = device_group
