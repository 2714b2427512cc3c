"""Ping, [MS-ASCMD] 2.2.1.13 and 3.1.5.8: wait until something changes in the folders that a client names."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.commands.lookahead import look_ahead
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.recipient_cache import within_max_items
from eas_server.commands.server_changes import has_words
from eas_server.commands.sync_options import choose, conversations_in, kinds_in, scope_of
from eas_server.commands.waiting import Reason, waiting
from eas_server.errors import NoSuchFolder, StaleToken
from eas_server.model.device import Device
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import Folder
from eas_server.sync.hierarchy import visible
from eas_server.sync.window import Kind, is_current
from protocol import quirks
from protocol.commands.ping import Request, Response, Status
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.versions import ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response:
    """Answer when a folder has news for this device, or when the heartbeat is over.

    A folder that the device never synced has none: iOS pings such, and would loop.
    """
    heartbeat = ctx.device.ping_heartbeat if request.heartbeat_interval is None else request.heartbeat_interval
    folders = _folders(request, ctx)
    if heartbeat is None or not folders:
        return Response(status=Status.MISSING_PARAMETERS)
    if len({folder for folder, _ in folders}) < len(folders):
        return Response(status=Status.SYNTAX_ERROR)  # MS-ASCMD_R6699
    limits = ctx.settings.sync
    allowed = min(max(heartbeat, limits.min_heartbeat), limits.max_heartbeat)
    if allowed != heartbeat:
        return Response(status=Status.HEARTBEAT_OUT_OF_RANGE, heartbeat_interval=allowed)
    if len(folders) > limits.max_ping_folders:
        return Response(status=Status.TOO_MANY_FOLDERS, max_folders=limits.max_ping_folders)
    await _remember(ctx, heartbeat, folders)
    return await _watch(ctx, [folder for folder, _ in folders], heartbeat)


def _folders(request: Request, ctx: Context) -> tuple[tuple[CollectionId, str], ...]:
    if request.folders is None:
        return ctx.device.ping_folders
    return tuple((CollectionId(folder.id), folder.item_class) for folder in request.folders)


async def _remember(ctx: Context, heartbeat: int, folders: tuple[tuple[CollectionId, str], ...]) -> None:
    """The next Ping may leave out what did not change (MS-ASCMD_R3152, R322)."""
    if (ctx.device.ping_heartbeat, ctx.device.ping_folders) != (heartbeat, folders):

        def asked(stored: Device | None) -> Device | None:
            return None if stored is None else replace(stored, ping_heartbeat=heartbeat, ping_folders=folders)

        await ctx.ports.state.change_device(ctx.account.user, ctx.device.id, asked)


async def _watch(ctx: Context, watched: list[CollectionId], seconds: float) -> Response:
    """Subscribe, then look, then wait: no change falls between."""
    with waiting(ctx, [*watched, ROOT]) as waiter:
        suspects: Collection[CollectionId] = watched
        while True:
            known = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
            there = {folder.id: folder for folder in known}
            if any(name not in there for name in watched):
                return Response(status=Status.HIERARCHY_CHANGED)
            changed = [name for name in watched if name in suspects and await has_news(ctx, there[name])]
            if changed:
                return Response(status=Status.CHANGES, folders=tuple(changed))
            woken = await waiter.wait(seconds)
            if woken.reason is Reason.KEPT_OUT:
                # Ping has no word for it; the FolderSync that follows is told (docs/decisions/0013)
                return Response(status=Status.HIERARCHY_CHANGED)
            if woken.reason is not Reason.CHANGED:
                return Response(status=Status.NO_CHANGES)
            suspects = woken.collections


async def has_news(ctx: Context, folder: Folder) -> bool:
    """Whether a Sync with the newest key would bring something; what merely ages out of the filter is no news."""
    user, mail = ctx.account.user, ctx.ports.mail
    state = await ctx.ports.state.collection(user, ctx.device.id, folder.id, None)
    if state is None:
        return not quirks.tolerates(quirks.PING_BEFORE_SYNC)
    options, whole = choose((), folder.item_class, state.options), conversations_in(state.options)
    scope = scope_of(options, folder.item_class, ctx.now, conversations=whole)
    tokens = await mail.tokens(user, [folder.id])
    scope = await within_max_items(ctx, folder, options, scope) if folder.id in tokens else scope
    limit = min(scope.cutoff, state.view.floor)
    if folder.id in tokens and is_current(state.view, tokens[folder.id], limit, conversations=scope.conversations):
        return False
    try:
        plan = await look_ahead(ctx.ports, user, folder.id, state.view, scope=scope, wanted=1)
        steps = [step for step in plan.steps if step.kind is not Kind.SOFT_DELETE]
        return await has_words(ctx, folder, steps, kinds_in(state.options))
    except (StaleToken, NoSuchFolder):
        return True


def _refuse(error: MalformedRequest, version: ProtocolVersion) -> Response:
    return Response(status=Status.SYNTAX_ERROR)  # MS-ASCMD_R4244


def _fail(status: int, version: ProtocolVersion) -> Response | None:
    return Response(status=Status(status)) if status in set(Status) else None


COMMAND: Final = Command(
    name=CommandName.PING,
    read=wbxml_reader(Request, empty=Request),
    handle=handle,
    refuse=_refuse,
    fail=_fail,
    gated=False,
)
