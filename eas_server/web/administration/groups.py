"""Groups of the administration API."""

from collections.abc import Sequence
from typing import Final

from eas_server.administration import groups, texts
from eas_server.model.directory import DirectoryEntry
from eas_server.web.administration.operations import CREATED, NO_CONTENT, Call, Operation, taken
from eas_server.web.administration.shapes import GroupDetails, Members, NewGroup

_ONE: Final = "/groups/{group}"


async def _details(call: Call, entry: DirectoryEntry) -> GroupDetails:
    return GroupDetails(
        email=entry.email,
        display_name=entry.display_name,
        alias=entry.alias,
        members=list(await call.world.people.group_members(entry.email)),
        people=list(await call.world.accounts.group(entry.email) or ()),
    )


async def _list(call: Call) -> list[GroupDetails]:
    return [await _details(call, each) for each in await call.world.people.groups()]


async def _show(call: Call) -> GroupDetails:
    return await _details(call, await groups.group(call.world.people, call.group))


async def _add(call: Call) -> GroupDetails:
    body: NewGroup = call.body
    name = taken("display_name", texts.line, body.display_name or "")
    alias = taken("alias", texts.line, body.alias or "")
    entry = groups.new_group(taken("email", texts.address, body.email), name, alias)
    await groups.add_group(call.world.people, entry, _members(body.members))
    await call.site.in_force.refresh()
    return await _details(call, await groups.group(call.world.people, entry.email))


async def _set_members(call: Call) -> GroupDetails:
    body: Members = call.body
    people, entry = call.world.people, await groups.group(call.world.people, call.group)
    wanted = {member.lower() for member in _members(body.members)}
    there = set(await people.group_members(entry.email))
    for member in sorted(there - wanted):
        await people.remove_member(entry.email, member)
    for member in sorted(wanted - there):
        await people.add_member(entry.email, member)
    await call.site.in_force.refresh()
    return await _details(call, entry)


def _members(given: Sequence[str]) -> list[str]:
    return [taken(f"members[{number}]", texts.address, each) for number, each in enumerate(given)]


async def _remove(call: Call) -> None:
    entry = await groups.group(call.world.people, call.group)
    await call.world.people.remove_entry(entry.email)
    await call.site.in_force.refresh()


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/groups",
        name="listGroups",
        summary="All groups of this server's own directory.",
        handle=_list,
        answer=list[GroupDetails],
    ),
    Operation(
        method="POST",
        path="/groups",
        name="addGroup",
        summary="Add a group.",
        handle=_add,
        body=NewGroup,
        answer=GroupDetails,
        status=CREATED,
    ),
    Operation(
        method="GET",
        path=_ONE,
        name="showGroup",
        summary="A group with its members.",
        handle=_show,
        answer=GroupDetails,
    ),
    Operation(
        method="PUT",
        path=f"{_ONE}/members",
        name="setMembers",
        summary="Set all members of a group.",
        handle=_set_members,
        body=Members,
        answer=GroupDetails,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        name="removeGroup",
        summary="Remove a group; its members stay what they are.",
        handle=_remove,
        status=NO_CONTENT,
    ),
)
