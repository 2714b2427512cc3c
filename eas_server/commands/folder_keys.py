"""The keys of FolderSync, as its four commands share them (docs/decisions/0012-folder-keys.md)."""

import re

from eas_server.commands.context import Context
from eas_server.errors import StaleSyncKey
from eas_server.interfaces import KEPT_SUCCESSORS
from eas_server.model.ids import SyncKey
from eas_server.model.view import HierarchyState
from eas_server.sync.hierarchy import Held, same

MAX_DISPLAY_NAME = 256
"""Characters (MS-ASCMD_R2194)."""
_NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""Characters that XML cannot hold, and other controls: no client could show them, and some would fail on them."""


def is_display_name(text: str) -> bool:
    """Whether a folder can be called so: with something that can be seen, without controls, not too long."""
    visible = any(character.isprintable() and not character.isspace() for character in text[:MAX_DISPLAY_NAME])
    return visible and len(text) <= MAX_DISPLAY_NAME and _NO_NAME.search(text) is None


async def presented(ctx: Context, key: str) -> HierarchyState | None:
    """The state behind the key of a request; None: the server does not hold it (Status 9)."""
    return await ctx.ports.state.hierarchy(ctx.account.user, ctx.device.id, SyncKey(key))


async def answered(ctx: Context, used: HierarchyState, held: Held) -> HierarchyState | None:
    """The state `held` where it was given a key under `used` before: the request is a repetition, its answer was lost.

    Keys are counters (the contract of StateStore), so the successors of `used` are looked up by number.
    """
    if held == used.folders:
        return used
    first = int(used.key) + 1
    found = [await presented(ctx, str(number)) for number in range(first, first + KEPT_SUCCESSORS)]
    return same([state for state in found if state is not None], held)


async def key_for(ctx: Context, used: HierarchyState, held: Held) -> SyncKey | None:
    """The key of `held`, reached from `used`; None where `used` went away meanwhile.

    Without a change it is the presented key; for an answer that was given before, the key of that one.
    """
    known = await answered(ctx, used, held)
    if known is not None:
        return known.key
    try:
        return await ctx.ports.state.advance_hierarchy(ctx.account.user, ctx.device.id, used.key, held)
    except StaleSyncKey:
        return None
