"""Policies, switches, quirks and the queue of the administration API."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from eas_server.administration import policies, queue, switches, users
from eas_server.administration.switches import Switches
from eas_server.commands.policy import policy_name
from eas_server.errors import NoSuchThing, Unfit
from eas_server.interfaces import Queued
from eas_server.web.administration.operations import NO_CONTENT, Call, Operation
from eas_server.web.administration.shapes import (
    Assignment,
    EffectivePolicy,
    PolicyDetails,
    QueuedMail,
    QuirkDetails,
    QuirkSwitch,
    RequireTls,
    RequireTlsState,
)
from protocol.quirks import QUIRKS, Quirk, Switch

_MAX_ID: Final = 18
"""Digits of the number of a message: more do not fit the numbers that stores count with."""


async def _switch(call: Call, change: Callable[[Switches], Switches]) -> None:
    await asyncio.to_thread(switches.change, call.site.in_force.path, change)
    await call.site.in_force.refresh()


async def _list_policies(call: Call) -> list[PolicyDetails]:
    in_force = call.site.in_force
    settings = in_force.configured
    return [
        PolicyDetails(
            name=each.policy.name,
            strict=each.policy.strict,
            refresh_hours=each.policy.refresh_hours,
            settings=each.policy.settings,
            users=each.users,
            groups=each.groups,
            domains=each.domains,
            is_default=each.policy.name == settings.default_policy,
        )
        for each in policies.all_assigned(settings, in_force.switches)
    ]


async def _show_policy(call: Call) -> EffectivePolicy:
    return _policy_of(call, await users.user_id(call.world.people, call.user))


def _policy_of(call: Call, user: str) -> EffectivePolicy:
    in_force = call.site.in_force
    settings = in_force.live.web.settings
    return EffectivePolicy(
        policy=policy_name(settings, settings.policy_of_user, user),
        switched=in_force.switches.policy_of_user.get(user),
    )


async def _set_policy(call: Call) -> EffectivePolicy:
    body: Assignment = call.body
    user = await users.user_id(call.world.people, call.user)
    if body.policy is not None:
        policies.check_known(call.site.in_force.live.web.settings, body.policy)
    await _switch(call, partial(policies.with_policy_of_user, user=user, policy=body.policy))
    return _policy_of(call, user)


async def _set_group_policy(call: Call) -> list[PolicyDetails]:
    body: Assignment = call.body
    if body.policy is not None:
        policies.check_known(call.site.in_force.live.web.settings, body.policy)
    await _switch(call, partial(policies.with_policy_of_group, group=call.group, policy=body.policy))
    return await _list_policies(call)


def _require_tls(call: Call) -> RequireTlsState:
    in_force = call.site.in_force
    return RequireTlsState(require_tls=in_force.live.web.require_tls, configured=in_force.configured_require_tls)


async def _show_require_tls(call: Call) -> RequireTlsState:
    return _require_tls(call)


async def _set_require_tls(call: Call) -> RequireTlsState:
    body: RequireTls = call.body
    await _switch(call, lambda before: replace(before, require_tls=body.require_tls))
    return _require_tls(call)


def _quirk(call: Call, quirk: Quirk) -> QuirkDetails:
    in_force = call.site.in_force
    switch = in_force.live.web.settings.quirks.get(quirk.name, Switch())
    return QuirkDetails(
        name=quirk.name,
        client=quirk.client,
        note=quirk.note,
        on=switch.on,
        clients=list(switch.clients),
        except_clients=list(switch.except_clients),
        versions=list(switch.versions),
        switched=in_force.switches.quirks.get(quirk.name),
    )


async def _list_quirks(call: Call) -> list[QuirkDetails]:
    return [_quirk(call, quirk) for quirk in QUIRKS.values()]


async def _set_quirk(call: Call) -> QuirkDetails:
    body: QuirkSwitch = call.body
    quirk = QUIRKS.get(call.path["quirk"])
    if quirk is None:
        raise NoSuchThing(f"there is no quirk {call.path['quirk']}: see `eas-server quirk list`")
    await _switch(call, partial(switches.with_quirk, name=quirk.name, on=body.on))
    return _quirk(call, quirk)


def _queued(queued: Queued) -> QueuedMail:
    return QueuedMail(
        id=queued.id,
        user=queued.user,
        sender=queued.forwarding.sender,
        recipients=list(queued.forwarding.recipients),
        octets=queued.forwarding.content.size,
        since=queued.queued,
        attempts=queued.attempts,
    )


async def _list_queue(call: Call) -> list[QueuedMail]:
    return [_queued(each) for each in await queue.waiting(call.world.queue)]


def _id(call: Call) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_ID):
        raise Unfit("id", "must be the number of a message")
    return int(text)


async def _retry(call: Call) -> None:
    await queue.retry(call.world.queue, await queue.chosen(call.world.queue, [_id(call)]), call.world.clock.now())


async def _remove_queued(call: Call) -> None:
    await queue.remove(call.world.queue, await queue.chosen(call.world.queue, [_id(call)]))


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/policies",
        name="listPolicies",
        summary="The policies of the configuration, and whom they are for.",
        handle=_list_policies,
        answer=list[PolicyDetails],
    ),
    Operation(
        method="GET",
        path="/users/{user}/policy",
        name="showPolicyOfUser",
        summary="The policy of a user.",
        handle=_show_policy,
        answer=EffectivePolicy,
    ),
    Operation(
        method="PUT",
        path="/users/{user}/policy",
        name="setPolicyOfUser",
        summary="Assign a policy to a user.",
        handle=_set_policy,
        body=Assignment,
        answer=EffectivePolicy,
    ),
    Operation(
        method="PUT",
        path="/groups/{group}/policy",
        name="setPolicyOfGroup",
        summary="Assign a policy to a group; that of a user goes before it.",
        handle=_set_group_policy,
        body=Assignment,
        answer=list[PolicyDetails],
    ),
    Operation(
        method="GET",
        path="/require-tls",
        name="showRequireTls",
        summary="Whether plain HTTP is refused, from this machine too.",
        handle=_show_require_tls,
        answer=RequireTlsState,
    ),
    Operation(
        method="PUT",
        path="/require-tls",
        name="setRequireTls",
        summary="Refuse plain HTTP, or let it in from where it is safe.",
        handle=_set_require_tls,
        body=RequireTls,
        answer=RequireTlsState,
    ),
    Operation(
        method="GET",
        path="/quirks",
        name="listQuirks",
        summary="The oddities of clients that are let pass.",
        handle=_list_quirks,
        answer=list[QuirkDetails],
    ),
    Operation(
        method="PUT",
        path="/quirks/{quirk}",
        name="setQuirk",
        summary="Switch a quirk on or off for all clients.",
        handle=_set_quirk,
        body=QuirkSwitch,
        answer=QuirkDetails,
    ),
    Operation(
        method="GET",
        path="/queue",
        name="listQueue",
        summary="Mail that waits for the smart host.",
        handle=_list_queue,
        answer=list[QueuedMail],
    ),
    Operation(
        method="POST",
        path="/queue/{id}/retry",
        name="retryQueued",
        summary="Try a message again now.",
        handle=_retry,
        status=NO_CONTENT,
    ),
    Operation(
        method="DELETE",
        path="/queue/{id}",
        name="removeQueued",
        summary="Drop a message; its sender is not told.",
        handle=_remove_queued,
        status=NO_CONTENT,
    ),
)
