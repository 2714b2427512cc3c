"""Devices of the administration API."""

from datetime import timedelta
from typing import Final

from eas_server.administration import devices
from eas_server.errors import NoSuchThing, Unfit
from eas_server.model import device as model
from eas_server.web.administration.operations import NO_CONTENT, Call, Operation, Text
from eas_server.web.administration.shapes import (
    Access,
    DeviceDetails,
    Forgotten,
    RecoveryPassword,
    Skipped,
    Trace,
    Wipe,
    WipeOfType,
)

_OF_USER: Final = "/users/{user}/devices"
_ONE: Final = "/users/{user}/devices/{device}"
_ACCOUNT_ONLY: Final = {"account_only": "`true`: the wipe of the account alone, and not that of the whole device."}


def _details(device: model.Device) -> DeviceDetails:
    return DeviceDetails(
        user=device.user,
        device=device.id,
        type=device.type,
        user_agent=device.user_agent,
        version=device.version,
        first_seen=device.first_seen,
        last_seen=device.last_seen,
        access=device.access.value,
        policy=devices.policy_state(device),
        policy_acknowledged=device.policy.acknowledged,
        wipe=device.wipe.value,
        wipe_account_only=device.wipe_account_only,
        trace_until=device.trace_until,
        details=device.details,
        skipped=[Skipped(item=item, reason=reason) for item, reason in devices.skipped_items(device)],
    )


async def _one(call: Call) -> model.Device:
    return await devices.device_of(call.world, call.user, call.device)


async def _list(call: Call) -> list[DeviceDetails]:
    return [_details(each) for each in await devices.devices_of(call.world, None)]


async def _list_of_user(call: Call) -> list[DeviceDetails]:
    return [_details(each) for each in await devices.devices_of(call.world, call.user)]


async def _show(call: Call) -> DeviceDetails:
    return _details(await _one(call))


async def _set_access(call: Call) -> DeviceDetails:
    body: Access = call.body
    await devices.set_access(call.world, call.user, call.device, model.Access(body.access))
    return await _show(call)


async def _remove(call: Call) -> None:
    await devices.forget(call.world, [await _one(call)])


async def _forget_all(call: Call) -> Forgotten:
    found = await devices.devices_of(call.world, call.user)
    await devices.forget(call.world, found)
    return Forgotten(devices=len(found))


async def _wipe(call: Call) -> DeviceDetails:
    body: Wipe = call.body
    await devices.ask_for_wipe(call.world, [await _one(call)], account_only=body.account_only)
    return await _show(call)


async def _wipe_type(call: Call) -> list[DeviceDetails]:
    body: WipeOfType = call.body
    found = await devices.devices_of_type(call.world, call.user, body.type)
    await devices.ask_for_wipe(call.world, found, account_only=body.account_only)
    return [_details(await devices.device_of(call.world, call.user, each.id)) for each in found]


async def _cancel_wipe(call: Call) -> DeviceDetails:
    account_only = call.query.get("account_only", "false").lower()
    if account_only not in ("true", "false"):
        raise Unfit("account_only", "must be true or false")
    await devices.cancel_wipe(call.world, [await _one(call)], account_only=account_only == "true")
    return await _show(call)


async def _recovery_password(call: Call) -> RecoveryPassword:
    found = await _one(call)
    if not found.recovery_password:
        raise NoSuchThing(f"{found.id} of {found.user} has left no recovery password")
    return RecoveryPassword(recovery_password=found.recovery_password)


async def _set_trace(call: Call) -> DeviceDetails:
    body: Trace = call.body
    found = await _one(call)
    longest = int(devices.MAX_TRACE.total_seconds() // 60)
    if not 1 <= body.minutes <= longest:
        raise Unfit("minutes", f"must be between 1 and {longest}")
    until = call.world.clock.now() + timedelta(minutes=body.minutes) if body.on else None
    await devices.set_trace(call.world, found, until)
    return await _show(call)


async def _read_trace(call: Call) -> Text:
    found = await _one(call)
    return Text(text=await call.site.traces.read(found.user, found.id))


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/devices",
        name="listDevices",
        summary="All devices of all users.",
        handle=_list,
        answer=list[DeviceDetails],
    ),
    Operation(
        method="GET",
        path=_OF_USER,
        name="listDevicesOfUser",
        summary="The devices of a user.",
        handle=_list_of_user,
        answer=list[DeviceDetails],
    ),
    Operation(
        method="DELETE",
        path=_OF_USER,
        name="forgetAllDevices",
        summary="Forget all devices of a user; wipes that they have not confirmed are cancelled.",
        handle=_forget_all,
        answer=Forgotten,
    ),
    Operation(method="GET", path=_ONE, name="showDevice", summary="A device.", handle=_show, answer=DeviceDetails),
    Operation(
        method="DELETE",
        path=_ONE,
        name="removeDevice",
        summary="Forget a device; a wipe that it has not confirmed is cancelled.",
        handle=_remove,
        status=NO_CONTENT,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/access",
        name="setAccess",
        summary="Block a device, or let it in.",
        handle=_set_access,
        body=Access,
        answer=DeviceDetails,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/wipe",
        name="wipeDevice",
        summary="Have a device erase all that it holds, or what it holds of this account.",
        handle=_wipe,
        body=Wipe,
        answer=DeviceDetails,
    ),
    Operation(
        method="DELETE",
        path=f"{_ONE}/wipe",
        name="cancelWipe",
        summary="Take a wipe back that the device has not confirmed.",
        handle=_cancel_wipe,
        answer=DeviceDetails,
        query=_ACCOUNT_ONLY,
    ),
    Operation(
        method="POST",
        path="/users/{user}/wipes",
        name="wipeDevicesOfType",
        summary="Have all devices of a user with a DeviceType erase themselves, or none where one cannot.",
        handle=_wipe_type,
        body=WipeOfType,
        answer=list[DeviceDetails],
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/recovery-password",
        name="showRecoveryPassword",
        summary="The password by which the user gets back into the device, where it left one.",
        handle=_recovery_password,
        answer=RecoveryPassword,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/trace",
        name="setTrace",
        summary="Write the traffic of a device down, for a time.",
        handle=_set_trace,
        body=Trace,
        answer=DeviceDetails,
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/trace",
        name="readTrace",
        summary="What was written down of the traffic of a device.",
        handle=_read_trace,
        answer=Text,
    ),
)
