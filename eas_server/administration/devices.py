"""Devices: which of them may sync, and which are to wipe themselves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from eas_server.administration.ports import Administered
from eas_server.administration.users import user_id
from eas_server.commands.wipe import is_wiping, wipe_refusal, with_wipe, without_wipe
from eas_server.errors import AdministrationError, NoSuchThing
from eas_server.model.device import WIPING, Access, Device, Wipe
from eas_server.model.ids import DeviceId, ItemId, server_id

MAX_TRACE: Final = timedelta(days=7)
"""How long a trace may be on at most."""


async def devices_of(world: Administered, user: str | None) -> Sequence[Device]:
    """The devices of a user, or all. Raises NoSuchThing."""
    if user is None:
        return await world.state.devices()
    return await world.state.devices(await user_id(world.people, user))


async def device_of(world: Administered, user: str, device: str) -> Device:
    """A device. Raises NoSuchThing."""
    found = await world.state.device(await user_id(world.people, user), DeviceId(device))
    if found is None:
        raise NoSuchThing(f"{user} has no such device: see `eas-server device list {user}`")
    return found


async def devices_of_type(world: Administered, user: str, type_: str) -> Sequence[Device]:
    """The devices of a user with that DeviceType; at least one. Raises NoSuchThing."""
    wanted = type_.casefold()
    found = [each for each in await devices_of(world, user) if each.type.casefold() == wanted]
    if not found:
        raise NoSuchThing(f"{user} has no device of that type: see `eas-server device list {user}`")
    return found


async def set_access(world: Administered, user: str, device: str, access: Access) -> None:
    """Let a device in, or keep it out. Raises NoSuchThing."""
    await _change(world, [await device_of(world, user, device)], lambda stored: replace(stored, access=access))


async def set_trace(world: Administered, device: Device, until: datetime | None) -> None:
    """Write down the traffic of a device until then; None: no longer."""
    await _change(world, [device], lambda stored: replace(stored, trace_until=until))


def check_wipe(devices: Iterable[Device], *, account_only: bool) -> None:
    """Raise AdministrationError where one of the devices cannot be told to wipe itself so."""
    for device in devices:
        refusal = wipe_refusal(device, account_only=account_only)
        if refusal:
            raise AdministrationError(f"{device.id} of {device.user} {refusal}; no device was told anything")


async def ask_for_wipe(world: Administered, devices: Sequence[Device], *, account_only: bool) -> None:
    """Have all the devices wipe themselves, or none. Raises AdministrationError."""
    check_wipe(devices, account_only=account_only)

    def asked(stored: Device) -> Device | None:
        # what was judged may be old: the device may have come with another version since
        if wipe_refusal(stored, account_only=account_only):
            return None
        return with_wipe(stored, account_only=account_only)

    await _change(world, devices, asked)


async def cancel_wipe(world: Administered, devices: Iterable[Device], *, account_only: bool) -> list[Device]:
    """Take a wipe back; gives the devices that it was asked of, as they were. Raises AdministrationError."""
    wiping = [device for device in devices if is_wiping(device, account_only=account_only)]
    if not wiping:
        raise AdministrationError(
            f"there is no unconfirmed {kind_of_wipe(account_only=account_only)} to cancel: see `eas-server device show`"
        )

    def cancelled(stored: Device) -> Device | None:
        if not is_wiping(stored, account_only=account_only):
            return None  # it has confirmed just now
        return without_wipe(stored)

    await _change(world, wiping, cancelled)
    return wiping


async def forget(world: Administered, devices: Iterable[Device]) -> None:
    """Forget devices with all their state; wipes that they have not confirmed are cancelled."""
    for device in devices:
        await world.state.remove_device(device.user, device.id)


def kind_of_wipe(*, account_only: bool) -> str:
    """What a wipe is called."""
    return "wipe of the account alone" if account_only else "wipe"


def policy_state(device: Device) -> str:
    """How far a device is with its policy, in a word or two."""
    policy = device.policy
    if policy.key:
        return "acknowledged in part" if policy.partial else "acknowledged"
    return "sent" if policy.pending_key else "none"


def skipped_items(device: Device) -> list[tuple[str, str]]:
    """The items that could not be rendered for a device: `folder:item` and the reason."""
    return [(server_id(where, ItemId(item)), why) for where, item, why in sorted(device.skipped)]


def loses_wipe(devices: Iterable[Device]) -> bool:
    """Whether forgetting the devices cancels a wipe."""
    return any(device.wipe in WIPING for device in devices)


def was_told(devices: Iterable[Device]) -> bool:
    """Whether one of the devices was told of its wipe already, and may erase itself all the same."""
    return any(device.wipe is not Wipe.PENDING for device in devices)


async def _change(world: Administered, devices: Iterable[Device], change: Callable[[Device], Device | None]) -> None:
    def changed(stored: Device | None) -> Device | None:
        return None if stored is None else change(stored)

    for device in devices:
        await world.state.change_device(device.user, device.id, changed)
