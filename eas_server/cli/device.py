"""`eas-server device`: the devices that sync, and which of them may."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.cli.arguments import USER, yes_option
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, count, exactly, moment, print_json, print_properties, print_table
from eas_server.model.device import Access, Device, Wipe
from eas_server.model.ids import DeviceId, ItemId, UserId, server_id

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config


@click.group(name="device")
def device_group() -> None:
    """See, block, allow and remove devices.

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
"""
)
@click.argument("user", type=USER)
@click.argument("device")
@json_option
@config_option
def show(config_path: Path, user: str, device: str, as_json: bool) -> None:
    """Show DEVICE of USER: what it says of itself, its policy, and the items that it was not given.

    An item that cannot be rendered is skipped, so that the folder's other items still come; it is listed here with the
    reason, the last hundred of them.
    """

    async def work(config: "Config", store: "Store") -> Device:
        del config
        return await _device(store, user, device)

    found = in_store(config_path, work)
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
            ("Remote wipe", "" if found.wipe is Wipe.NONE else found.wipe.value),
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

    To keep a device out, block it instead.
    """

    async def check(config: "Config", store: "Store") -> Device:
        del config
        return await _device(store, user, device)

    found = in_store(config_path, check)
    if not yes:
        click.confirm(f"Forget {found.id} of {found.user}?", abort=True)
    in_store(config_path, lambda _, store: store.state.remove_device(found.user, found.id))
    click.echo(f"Forgot {found.id} of {found.user}")


def _setting(user: str, device: str, access: Access) -> "Callable[[Config, Store], Awaitable[None]]":
    """Work that sets the access."""

    async def work(config: "Config", store: "Store") -> None:
        del config
        found = await _device(store, user, device)
        await store.state.change_device(
            found.user, found.id, lambda stored: None if stored is None else replace(stored, access=access)
        )

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
        "details": dict(device.details),
        "skipped": [{"item": item, "reason": reason} for item, reason in _skipped(device)],
    }


COMMAND = device_group
