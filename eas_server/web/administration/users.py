"""Users of the administration API."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from eas_server.administration import policies, texts, users
from eas_server.commands.policy import policy_name
from eas_server.errors import ThereAlready, Unfit
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.preferences import CalendarRight, CalendarRights, Delegates
from eas_server.web.administration.operations import CREATED, NO_CONTENT, Call, Operation, taken
from eas_server.web.administration.shapes import (
    CalendarRightsRecord,
    DelegatesRecord,
    NewPassword,
    NewUser,
    UserDetails,
    UserProperties,
    UserSummary,
)
from protocol.commands.resolve_recipients import MAX_PICTURE

_ONE: Final = "/users/{user}"


async def _list(call: Call) -> list[UserSummary]:
    people = call.world.people
    return [UserSummary(**_summary(each, await people.usage(each.user))) for each in await people.users()]


def _summary(account: Account, used: int) -> dict[str, Any]:
    return {
        "user": account.user,
        "display_name": account.display_name,
        "email": account.address,
        "addresses": sorted(account.addresses - {account.address.lower()}),
        "mailbox_octets": used,
        "quota_octets": account.quota,
        "eas_enabled": account.eas_enabled,
    }


async def _show(call: Call) -> UserDetails:
    return await _details(call, *await users.found(call.world.people, call.user))


async def _details(call: Call, account: Account, entry: DirectoryEntry) -> UserDetails:
    settings = call.site.in_force.live.web.settings
    used = await call.world.people.usage(account.user)
    rest = {name: getattr(entry, name) for name in users.TEXTS if name != "display_name"}
    return UserDetails(
        **_summary(account, used),
        **rest,
        picture_octets=len(entry.picture),
        certificate_values=len(entry.user_certificates) + len(entry.smime_certificates),
        devices=[device.id for device in await call.world.state.devices(account.user)],
        policy=policy_name(settings, settings.policy_of_user, account.user),
    )


async def _add(call: Call) -> UserDetails:
    body: NewUser = call.body
    name = taken("user", texts.user_name, body.user)
    if await call.world.people.user(name) is not None:
        raise ThereAlready(f"there is a user {name} already: PATCH changes it")
    change = _change(body)
    settings = call.site.in_force.live.web.settings
    if change.email is None and "@" not in name and len(settings.domains) != 1:
        raise Unfit("email", f"{name} needs an address")
    email = change.email or taken("user", texts.address, users.primary_address(name, settings.domains))
    entry = users.new_entry(email, change.addresses or (), change.texts, change.picture or b"")
    password = None if body.password is None else taken("password", texts.password, body.password)
    await call.world.people.add_user(
        name, password, entry, quota=_quota(body), eas_enabled=body.eas_enabled is not False
    )
    return await _details(call, *await users.found(call.world.people, name))


async def _set(call: Call) -> UserDetails:
    body: UserProperties = call.body
    people, name = call.world.people, call.user
    change = _change(body)
    quota = _quota(body)
    account = await users.change_user(people, name, change)
    if body.quota_octets is not UNSET:
        await people.set_quota(account.user, quota)
    if body.eas_enabled is not UNSET:
        await people.set_eas_enabled(account.user, body.eas_enabled)
    return await _details(call, *await users.found(people, name))


def _quota(body: UserProperties) -> int | None:
    if body.quota_octets is UNSET or body.quota_octets is None:
        return None
    if not 0 <= body.quota_octets < 2**63:
        raise Unfit("quota_octets", "must be a number of octets, or null for no limit")
    return body.quota_octets


def _change(body: UserProperties) -> users.Change:
    given = {name: getattr(body, name) for name in users.TEXTS}
    return users.Change(
        email=None if body.email is UNSET else taken("email", texts.address, body.email),
        addresses=None if body.addresses is UNSET else _addresses("addresses", body.addresses),
        texts={name: taken(name, texts.line, text) for name, text in given.items() if text is not UNSET},
        picture=None if body.picture is UNSET else _picture(body.picture or b""),
    )


def _addresses(field: str, given: Sequence[str]) -> list[str]:
    return [taken(f"{field}[{number}]", texts.address, each) for number, each in enumerate(given)]


def _picture(octets: bytes) -> bytes:
    if not octets:
        return b""
    try:
        return texts.picture(octets, MAX_PICTURE)
    except ValueError as error:
        raise Unfit("picture", str(error)) from None


async def _remove(call: Call) -> None:
    user = await users.user_id(call.world.people, call.user)
    await call.world.people.remove_user(user)
    await asyncio.to_thread(policies.forget_user, call.site.in_force.path, user)
    await call.site.in_force.refresh()


async def _set_password(call: Call) -> None:
    body: NewPassword = call.body
    password = taken("password", texts.password, body.password)
    await call.world.people.set_password(await users.user_id(call.world.people, call.user), password)


async def _delegates(call: Call) -> DelegatesRecord:
    owner = await users.user_id(call.world.people, call.user)
    return _delegates_shape(await call.world.preferences.preference(owner, Delegates))


async def _set_delegates(call: Call) -> DelegatesRecord:
    body: DelegatesRecord = call.body
    named = [taken(f"users[{number}]", texts.user_name, each) for number, each in enumerate(body.users)]
    return _delegates_shape(await users.set_delegates(call.world, call.user, named, only=body.only))


def _delegates_shape(record: Delegates) -> DelegatesRecord:
    return DelegatesRecord(users=list(record.users), only=record.only)


async def _rights(call: Call) -> CalendarRightsRecord:
    owner = await users.user_id(call.world.people, call.user)
    return _rights_shape(await call.world.preferences.preference(owner, CalendarRights))


async def _set_rights(call: Call) -> CalendarRightsRecord:
    body: CalendarRightsRecord = call.body
    others = {taken("others", texts.user_name, name): CalendarRight(right) for name, right in body.others.items()}
    default = CalendarRight(body.default)
    return _rights_shape(await users.set_calendar_rights(call.world, call.user, default, others, replacing=True))


def _rights_shape(record: CalendarRights) -> CalendarRightsRecord:
    return CalendarRightsRecord(
        default=record.default.value, others={name: right.value for name, right in record.others.items()}
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/users",
        name="listUsers",
        summary="All users, ordered by display name.",
        handle=_list,
        answer=list[UserSummary],
    ),
    Operation(
        method="POST",
        path="/users",
        name="addUser",
        summary="Add a user.",
        handle=_add,
        body=NewUser,
        answer=UserDetails,
        status=CREATED,
    ),
    Operation(
        method="GET", path=_ONE, name="showUser", summary="Everything about a user.", handle=_show, answer=UserDetails
    ),
    Operation(
        method="PATCH",
        path=_ONE,
        name="setUser",
        summary="Change what the body names.",
        handle=_set,
        body=UserProperties,
        answer=UserDetails,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        name="removeUser",
        summary="Remove a user with mail, devices and directory entry.",
        handle=_remove,
        status=NO_CONTENT,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/password",
        name="setPassword",
        summary="Another password; the old one ends at once.",
        handle=_set_password,
        body=NewPassword,
        status=NO_CONTENT,
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/delegates",
        name="showDelegates",
        summary="Who gets the user's meeting mail.",
        handle=_delegates,
        answer=DelegatesRecord,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/delegates",
        name="setDelegates",
        summary="Have others get the user's meeting mail.",
        handle=_set_delegates,
        body=DelegatesRecord,
        answer=DelegatesRecord,
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/calendar-rights",
        name="showCalendarRights",
        summary="Who sees what of the user's calendar.",
        handle=_rights,
        answer=CalendarRightsRecord,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/calendar-rights",
        name="setCalendarRights",
        summary="Set all rights to the user's calendar.",
        handle=_set_rights,
        body=CalendarRightsRecord,
        answer=CalendarRightsRecord,
    ),
)
