"""What the server has for a client, rendered: as many steps of a plan as window and budget let through."""

import logging
from asyncio import get_running_loop
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import takewhile
from typing import Final, Literal

from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, application_data, body_plan
from eas_server.commands.rights import disclosed
from eas_server.errors import Unavailable
from eas_server.model.device import Device
from eas_server.model.ids import CollectionId, ItemId, Revision, server_id
from eas_server.model.kinds import Kinds, is_text_message
from eas_server.model.mail import Changed, Folder, Item, ItemClass
from eas_server.model.view import View
from eas_server.render.email import only_state_changed, state_properties
from eas_server.sync.window import NEVER, Kind, Plan, Step
from protocol.commands.sync import SMS, Change, Delete, ServerAdd, SoftDelete
from protocol.elements import Element
from protocol.schema import dump
from protocol.versions import V14_0, ProtocolVersion

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
    """Up to `size` of the steps, fewer where octets or time run out; at least one, so that the client gets on.

    What the documents give no words for (a change that the client made itself) is passed over in silence. An item that
    cannot be rendered is left out, recorded with the device, and does not hold up what comes after it.
    """
    commands: list[ServerCommand] = []
    left_out: set[ItemId] = set()
    done = 0
    while len(commands) < size and done < len(plan.steps) and not (done and _spent(budget)):
        batch = plan.steps[done : done + min(FETCHED_AT_ONCE, size - len(commands))]
        items = await _fetch(ctx, folder.id, batch)
        for step in batch:
            if done and _spent(budget):
                break
            done += 1
            command = await _command(ctx, folder, step, items.get(step.id), options, budget)
            if command is Outcome.LEFT_OUT:
                left_out.add(step.id)
            elif command is not Outcome.SILENT:
                commands.append(command)
                budget.items -= 1
    if not _spent(budget):
        silent, hidden = await _silent_ahead(ctx, folder, plan.steps[done:], options.kinds)
        done += silent
        left_out |= hidden
    return Sent(view=plan.after(done, left_out), commands=commands, more=plan.more_after(done))


async def has_words(ctx: Context, folder: Folder, steps: Sequence[Step], kinds: Kinds) -> bool:
    """Whether any of the steps would reach the client as a command."""
    silent, _ = await _silent_ahead(ctx, folder, steps, kinds)
    return silent < len(steps)


async def _silent_ahead(
    ctx: Context, folder: Folder, steps: Sequence[Step], kinds: Kinds
) -> tuple[int, frozenset[ItemId]]:
    """How many steps at the beginning of `steps` have nothing to tell, since MoreAvailable must not follow from them;
    and the new items among them, which are not for this client.
    """
    quiet = (Kind.CHANGE, Kind.ADD) if folder.item_class is ItemClass.EMAIL else (Kind.CHANGE,)
    silent = 0
    hidden: set[ItemId] = set()
    while silent < len(steps) and steps[silent].kind in quiet:
        size = FETCHED_AT_ONCE if silent else 1  # mostly the first one has something to tell
        batch = list(takewhile(lambda step: step.kind in quiet, steps[silent : silent + size]))
        items = await _fetch(ctx, folder.id, batch)
        for step in batch:
            item = items.get(step.id)
            if item is not None and not _is_silent(step, item, ctx.version, kinds):
                return silent, frozenset(hidden)
            silent += 1
            if step.kind is Kind.ADD:
                hidden.add(step.id)
    return silent, frozenset(hidden)


def _is_silent(step: Step, item: Item, version: ProtocolVersion, kinds: Kinds) -> bool:
    if step.kind is Kind.ADD:
        return not kinds.wants(item.index.message_class)
    return _news(step, item, version) is Outcome.SILENT


def _spent(budget: Budget) -> bool:
    return budget.octets <= 0 or get_running_loop().time() >= budget.deadline


async def _fetch(ctx: Context, collection: CollectionId, steps: Sequence[Step]) -> dict[ItemId, Item]:
    ids = [step.id for step in steps if step.entry is not None]
    if not ids:
        return {}
    return {item.id: item for item in await ctx.ports.mail.fetch(ctx.account.user, collection, ids)}


class Outcome(Enum):
    """What becomes of a step that is no command."""

    SILENT = "silent"
    """There are no words for it."""
    LEFT_OUT = "left out"
    """The item is gone by now, is not for this client, or cannot be rendered."""


async def _command(
    ctx: Context, folder: Folder, step: Step, item: Item | None, options: ItemOptions, budget: Budget
) -> ServerCommand | Outcome:
    name = server_id(folder.id, step.id)
    if step.kind is Kind.SOFT_DELETE:
        return SoftDelete(server_id=name)
    if step.kind is Kind.DELETE:
        return Delete(server_id=name)
    if item is None or (step.kind is Kind.ADD and not options.kinds.wants(item.index.message_class)):
        return Outcome.LEFT_OUT
    news = _news(step, item, ctx.version) if step.kind is Kind.CHANGE else None
    if news is Outcome.SILENT:
        return Outcome.SILENT
    budget.octets -= ITEM_OVERHEAD
    if step.older:
        options = replace(options, previews=True)
    if news is None:
        news = await rendered_item(ctx, folder, item, options, budget)
    if news is None:
        return Outcome.LEFT_OUT
    if step.kind is Kind.ADD:
        return ServerAdd(server_id=name, application_data=news)
    item_class = SMS if is_text_message(item.index.message_class) else None  # MS-ASCMD_R940
    return Change(item_class=item_class, server_id=name, application_data=news)


def _news(step: Step, item: Item, version: ProtocolVersion) -> Element | Literal[Outcome.SILENT] | None:
    """What a Change tells: some properties, nothing, or (None) the full item.

    The table of MS-ASEMAIL_R80: Read, Flag and Categories alone where nothing else of the message changed. The state
    of reply is such another property, in the versions that have it.
    """
    news, known = replace(item, changed=_without_own(item.changed, step.own)), Revision(step.known)
    if not only_state_changed(news, known) or (news.changed.verb > known and version >= V14_0):
        return None
    properties = dump(state_properties(news, known), version)
    return Outcome.SILENT if properties.content is None else properties  # MS-ASEMAIL_R81


async def rendered_item(
    ctx: Context, folder: Folder, item: Item, options: ItemOptions, budget: Budget | None = None
) -> Element | None:
    """ApplicationData of an item; None where it cannot be rendered, which is recorded with the device."""
    try:
        item = disclosed(item, ctx, asked=options.rights_management)
        plan = body_plan(item, options) if folder.item_class is ItemClass.EMAIL else None
        if budget is not None:
            budget.octets -= item.content.size if plan is None else plan.weight
        return await application_data(ctx, folder, item, options, plan=plan)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 — one message that nobody can read must not block a folder
        await _record(ctx, folder, item, error)
        return None


def _without_own(changed: Changed, own: Sequence[Revision]) -> Changed:
    """The item as if the client's own writes had changed nothing."""
    if not own:
        return changed
    return Changed(
        content=NEVER if changed.content in own else changed.content,
        read=NEVER if changed.read in own else changed.read,
        flag=NEVER if changed.flag in own else changed.flag,
        categories=NEVER if changed.categories in own else changed.categories,
        verb=changed.verb,
    )


async def _record(ctx: Context, folder: Folder, item: Item, error: Exception) -> None:
    """For `eas-server device show`."""
    _log.exception("request %s: item %s:%s was left out", ctx.request_id, folder.id, item.id)
    line = (folder.id, int(item.id), f"{type(error).__name__}: {error}"[:200])

    def noted(stored: Device | None) -> Device | None:
        if stored is None or line in stored.skipped:
            return None
        return replace(stored, skipped=(*stored.skipped[-99:], line))

    await ctx.ports.state.change_device(ctx.account.user, ctx.device.id, noted)
