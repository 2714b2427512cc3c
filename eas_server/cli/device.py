"""`eas-server device`: the devices that sync, which of them may, and which are to wipe themselves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eas_server.cli.arguments import USER, yes_option
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, count, exactly, moment, print_json, print_properties, print_table
from eas_server.cli.terminal import printable
from eas_server.model.device import WIPING, Access, Device, Wipe
from eas_server.model.ids import DeviceId, ItemId, UserId, server_id

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
        if user is None:
            return list(await store.state.devices())
        return list(await store.state.devices(await _user(store, user)))

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
                _policy(device),
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
        return await _device(store, user, device)

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
            ("Policy", _policy(found)),
            ("Remote wipe", _wipe_state(found)),
            ("Ping", f"{found.ping_heartbeat} s, {len(found.ping_folders)} folders" if found.ping_heartbeat else ""),
            *sorted(found.details.items()),
        ]
    )
    if found.skipped:
        click.echo("Items that could not be rendered, and were skipped:")
        print_table(("ITEM", "REASON"), _skipped(found))


@device_group.command()
@click.argument("user", type=USER)
@click.argument("device")
@config_option
def block(config_path: Path, user: str, device: str) -> None:
    """Keep DEVICE of USER out, from its next request on. What it has synced stays on it."""
    in_store(config_path, _setting(user, device, Access.BLOCKED))
    click.echo(f"{device} of {user} is blocked")


@device_group.command()
@click.argument("user", type=USER)
@click.argument("device")
@config_option
def allow(config_path: Path, user: str, device: str) -> None:
    """Let DEVICE of USER in again."""
    in_store(config_path, _setting(user, device, Access.ALLOWED))
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
        return await _device(store, user, device)

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
        return list(await store.state.devices(await _user(store, user)))

    found = in_store(config_path, check)
    if found and not yes:
        click.confirm(f"Forget {count(len(found), 'device', 'devices')} of {user}?{_lost_wipes(found)}", abort=True)

    async def forget(config: "Config", store: "Store") -> None:
        del config
        for device in found:
            await store.state.remove_device(device.user, device.id)

    in_store(config_path, forget)
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
        return await _chosen(store, user, device, type_)

    found = in_store(config_path, choose)
    if cancel:
        _cancel_wipe(config_path, found, user, account_only=account_only)
    else:
        _ask_for_wipe(config_path, found, user, yes=yes, account_only=account_only)


def _ask_for_wipe(config_path: Path, devices: list[Device], user: str, *, yes: bool, account_only: bool) -> None:
    from eas_server.commands.wipe import wipe_refusal, with_wipe

    for device in devices:
        refusal = wipe_refusal(device, account_only=account_only)
        if refusal:
            raise Failed(f"{device.id} of {user} {refusal}; no device was told anything")
    named = _named(devices, user)
    if not yes:
        what = "what it holds of this account" if account_only else "all that it holds, what is the user's own included"
        click.confirm(f"Have {named} erase {what}?", abort=True)

    def asked(stored: Device | None) -> Device | None:
        # what was judged may be old: the device may have come with another version since
        if stored is None or wipe_refusal(stored, account_only=account_only):
            return None
        return with_wipe(stored, account_only=account_only)

    in_store(config_path, _changing(devices, asked))
    click.echo(f"{named}: the {_kind(account_only)} is asked for")


def _cancel_wipe(config_path: Path, devices: list[Device], user: str, *, account_only: bool) -> None:
    from eas_server.commands.wipe import is_wiping, without_wipe

    wiping = [device for device in devices if is_wiping(device, account_only=account_only)]
    if not wiping:
        raise Failed(f"there is no unconfirmed {_kind(account_only)} to cancel: see `eas-server device show`")

    def cancelled(stored: Device | None) -> Device | None:
        if stored is None or not is_wiping(stored, account_only=account_only):
            return None  # it has confirmed just now
        return without_wipe(stored)

    in_store(config_path, _changing(wiping, cancelled))
    click.echo(f"{_named(wiping, user)}: the {_kind(account_only)} is cancelled")
    if any(device.wipe is not Wipe.PENDING for device in wiping):
        click.echo("note: the device was told already, and may erase itself all the same", err=True)


def _kind(account_only: bool) -> str:
    return "wipe of the account alone" if account_only else "wipe"


def _named(devices: Sequence[Device], user: str) -> str:
    return f"{', '.join(device.id for device in devices)} of {user}"


async def _chosen(store: "Store", user: str, device: str | None, type_: str | None) -> list[Device]:
    """The device of that name, or all of the type. Raises Failed where there is none."""
    if device is not None:
        return [await _device(store, user, device)]
    wanted = (type_ or "").casefold()
    found = [each for each in await store.state.devices(await _user(store, user)) if each.type.casefold() == wanted]
    if not found:
        raise Failed(f"{user} has no device of that type: see `eas-server device list {user}`")
    return found


def _lost_wipes(devices: Sequence[Device]) -> str:
    lost = any(device.wipe in WIPING for device in devices)
    return " A wipe that is not confirmed is cancelled." if lost else ""


def _setting(user: str, device: str, access: Access) -> "Callable[[Config, Store], Awaitable[None]]":
    """Work that sets the access."""

    async def work(config: "Config", store: "Store") -> None:
        del config
        found = await _device(store, user, device)
        await store.state.change_device(
            found.user, found.id, lambda stored: None if stored is None else replace(stored, access=access)
        )

    return work


def _changing(
    devices: Sequence[Device], change: Callable[[Device | None], Device | None]
) -> "Callable[[Config, Store], Awaitable[None]]":
    """Work that changes each of the devices."""

    async def work(config: "Config", store: "Store") -> None:
        del config
        for device in devices:
            await store.state.change_device(device.user, device.id, change)

    return work


async def _user(store: "Store", user: str) -> UserId:
    account = await store.admin.user(user)
    if account is None:
        raise Failed(f"there is no user {user}: see `eas-server user list`")
    return account.user


async def _device(store: "Store", user: str, device: str) -> Device:
    found = await store.state.device(await _user(store, user), DeviceId(device))
    if found is None:
        raise Failed(f"{user} has no such device: see `eas-server device list {user}`")
    return found


def _policy(device: Device) -> str:
    policy = device.policy
    if policy.key:
        return "acknowledged in part" if policy.partial else "acknowledged"
    return "sent" if policy.pending_key else "none"


def _wipe_state(device: Device) -> str:
    if device.wipe is Wipe.NONE:
        return ""
    return f"{device.wipe.value} (of the account alone)" if device.wipe_account_only else device.wipe.value


def _skipped(device: Device) -> list[tuple[str, str]]:
    return [(server_id(where, ItemId(item)), why) for where, item, why in sorted(device.skipped)]


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
        "policy": _policy(device),
        "policy_acknowledged": exactly(acknowledged) if acknowledged else None,
        "wipe": device.wipe.value,
        "wipe_account_only": device.wipe_account_only,
        "details": dict(device.details),
        "skipped": [{"item": item, "reason": reason} for item, reason in _skipped(device)],
    }


COMMAND = device_group
