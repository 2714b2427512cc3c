"""What the server has for a client, rendered: as many steps of a plan as window and budget let through."""

import logging
from asyncio import get_running_loop
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, application_data, body_plan
from eas_server.errors import Unavailable
from eas_server.model.ids import ItemId, Revision, server_id
from eas_server.model.mail import Changed, Folder, Item
from eas_server.model.view import View
from eas_server.render.email import only_state_changed, state_properties
from eas_server.sync.window import Kind, Plan, Step
from protocol.commands.sync import Change, Delete, ServerAdd, SoftDelete
from protocol.schema import dump

ServerCommand = ServerAdd | Change | Delete | SoftDelete

FETCHED_AT_ONCE: Final = 100
"""Items read from the store in one go."""
ITEM_OVERHEAD: Final = 1024
"""About what the properties of a message take beside its body, in octets."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Budget:
    """What one answer may still hold: items, octets, and time (the event loop's clock, in seconds)."""

    items: int
    octets: int
    deadline: float


@dataclass(slots=True, kw_only=True)
class Sent:
    """What goes out, and what the client holds then."""

    view: View
    commands: list[ServerCommand] = field(default_factory=list)
    more: bool = False


async def render_steps(
    ctx: Context, folder: Folder, plan: Plan, size: int, options: ItemOptions, budget: Budget
) -> Sent:
    """The first `size` steps, or fewer where octets or time run out; at least one, so that the client gets on.

    What the documents give no words for (a change that the client made itself) is passed over in silence. An item that
    cannot be rendered is left out, recorded with the device, and does not hold up what comes after it.
    """
    commands: list[ServerCommand] = []
    left_out: set[ItemId] = set()
    done = 0
    wanted = plan.steps[:size]
    for start in range(0, len(wanted), FETCHED_AT_ONCE):
        batch = wanted[start : start + FETCHED_AT_ONCE]
        items = await _fetch(ctx, folder, batch)
        for step in batch:
            if commands and _spent(budget):
                return _conclude(plan.without(left_out), done - len(left_out), commands)
            done += 1
            if step.entry is None:
                commands.append(_farewell(folder, step))
                budget.items -= 1
                continue
            item = items.get(step.id)
            command = await _render(ctx, folder, step, item, options, budget) if item is not None else None
            if item is None or command is UNRENDERABLE:
                left_out.add(step.id)
            elif isinstance(command, (ServerAdd, Change)):
                commands.append(command)
                budget.items -= 1
    return _conclude(plan.without(left_out), done - len(left_out), commands)


def _conclude(plan: Plan, done: int, commands: list[ServerCommand]) -> Sent:
    return Sent(view=plan.after(done), commands=commands, more=plan.more_after(done))


def _spent(budget: Budget) -> bool:
    return budget.octets <= 0 or get_running_loop().time() >= budget.deadline


async def _fetch(ctx: Context, folder: Folder, steps: Sequence[Step]) -> dict[ItemId, Item]:
    ids = [step.id for step in steps if step.entry is not None]
    if not ids:
        return {}
    return {item.id: item for item in await ctx.ports.mail.fetch(ctx.account.user, folder.id, ids)}


def _farewell(folder: Folder, step: Step) -> ServerCommand:
    name = server_id(folder.id, step.id)
    return SoftDelete(server_id=name) if step.kind is Kind.SOFT_DELETE else Delete(server_id=name)


class _Unrenderable:
    """Stands for the command of an item that could not be rendered."""


UNRENDERABLE: Final = _Unrenderable()


async def _render(
    ctx: Context, folder: Folder, step: Step, item: Item, options: ItemOptions, budget: Budget
) -> ServerAdd | Change | _Unrenderable | None:
    name = server_id(folder.id, item.id)
    if step.kind is Kind.CHANGE:
        news = replace(item, changed=_without_own(item.changed, step.own))
        if only_state_changed(news, Revision(step.known)):
            properties = dump(state_properties(news, Revision(step.known)), ctx.version)
            if properties.content is None:
                return None  # MS-ASEMAIL_R81; or the version has no word for what changed
            budget.octets -= ITEM_OVERHEAD
            return Change(server_id=name, application_data=properties)
    try:
        plan = body_plan(item, options)
        content = await application_data(ctx, folder, item, options, plan=plan)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 — one message that nobody can read must not block a folder
        await _record(ctx, folder, item, error)
        return UNRENDERABLE
    budget.octets -= plan.weight + ITEM_OVERHEAD
    if step.kind is Kind.ADD:
        return ServerAdd(server_id=name, application_data=content)
    return Change(server_id=name, application_data=content)


def _without_own(changed: Changed, own: Sequence[Revision]) -> Changed:
    """The item as if the client's own writes had changed nothing."""
    if not own:
        return changed
    never = Revision(0)
    return Changed(
        content=never if changed.content in own else changed.content,
        read=never if changed.read in own else changed.read,
        flag=never if changed.flag in own else changed.flag,
        categories=never if changed.categories in own else changed.categories,
    )


async def _record(ctx: Context, folder: Folder, item: Item, error: Exception) -> None:
    """For `eas-server device show`."""
    _log.exception("request %s: item %s:%s was left out", ctx.request_id, folder.id, item.id)
    line = (folder.id, int(item.id), f"{type(error).__name__}: {error}"[:200])
    device = await ctx.ports.state.device(ctx.account.user, ctx.device.id)
    if device is not None and line not in device.skipped:
        await ctx.ports.state.save_device(replace(device, skipped=(*device.skipped[-99:], line)))
