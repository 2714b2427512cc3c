"""Sync, [MS-ASCMD] 2.2.1.21 and 3.1.5.4: the whole request. One collection of it: `sync_collection`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eas_server.commands.context import Command, Context, Reply
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.server_changes import Budget
from eas_server.commands.sync_collection import sync_collection
from eas_server.commands.waiting import Reason, waiting
from eas_server.model.ids import INITIAL_KEY, ROOT, CollectionId
from eas_server.model.mail import FolderType
from eas_server.sync.hierarchy import is_recipient_cache, visible
from protocol import quirks
from protocol.commands.sync import (
    Add,
    Change,
    Collection,
    CollectionResponse,
    Collections,
    CollectionsResponse,
    Delete,
    Request,
    Response,
    Status,
)
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.schema import Empty
from protocol.versions import V14_0, V16_0, ProtocolVersion

SECONDS_OF_MINUTE: Final = 60
MIN_WAIT: Final = 1
MAX_WAIT: Final = 59
"""Minutes (MS-ASCMD_R3227, R3228)."""
EMPTY_REQUEST: Final = Request()


async def handle(request: Request, ctx: Context) -> Response | Reply | None:
    """Answer with what there is; with Wait or HeartbeatInterval wait for it where there is nothing."""
    try:
        full = _complete(request, ctx)
        seconds = _interval(full, ctx)
        collections = _checked(full, ctx)
        await _check_count(collections, ctx)
        await _check_read_only(collections, ctx)
    except _Refused as refused:
        if request.partial is None and refused.status != Status.INVALID_INTERVAL:
            ctx.ports.last_syncs.drop(ctx.account.user, ctx.device.id)  # MS-ASCMD_R674
        return Response(status=refused.status, limit=refused.limit)
    _remember(full, ctx)
    answers = await _answers(full, collections, seconds, ctx)
    if not answers:
        return None  # MS-ASCMD_R679
    return Response(collections=CollectionsResponse(collections=tuple(answers)))


class _Refused(Exception):
    """The request as a whole fails with this Status."""

    def __init__(self, status: Status, limit: int | None = None) -> None:
        self.status = status
        self.limit = limit


def _complete(request: Request, ctx: Context) -> Request:
    """The request with what an empty or a Partial one leaves to the one before (MS-ASCMD_R673, R3644)."""
    if request is not EMPTY_REQUEST and request.partial is None:
        if request.collections is None:
            raise _Refused(Status.PROTOCOL_ERROR)  # MS-ASCMD_R3643
        return request
    before = ctx.ports.last_syncs.get(ctx.account.user, ctx.device.id)
    if request is not EMPTY_REQUEST and request == Request(partial=Empty.EMPTY):
        raise _Refused(Status.PROTOCOL_ERROR)  # MS-ASCMD_R3642
    if before is None or before.collections is None:
        raise _Refused(Status.INCOMPLETE_REQUEST)
    if request is EMPTY_REQUEST:
        return before
    named = request.collections.collections if request.collections else ()
    merged = {collection.collection_id: collection for collection in (*before.collections.collections, *named)}
    return replace(
        request,
        partial=None,
        collections=Collections(collections=tuple(merged.values())),
        window_size=before.window_size if request.window_size is None else request.window_size,
    )


def _remember(request: Request, ctx: Context) -> None:
    """Keep what an empty or a Partial request will refer to: never the changes of the client themselves."""
    assert request.collections is not None  # noqa: S101 — _complete saw to that
    bare = tuple(replace(collection, commands=None) for collection in request.collections.collections)
    ctx.ports.last_syncs.put(
        ctx.account.user, ctx.device.id, replace(request, collections=Collections(collections=bare))
    )


def _interval(request: Request, ctx: Context) -> int | None:
    """How long to wait, in seconds. Refuses with 4 for both forms at once, with 14 and a Limit out of range."""
    heartbeat = request.heartbeat_interval if ctx.version >= V14_0 else None  # MS-ASCMD_R6691
    if request.wait is not None and heartbeat is not None:
        raise _Refused(Status.PROTOCOL_ERROR)  # MS-ASCMD_R3162
    if request.wait is not None:
        return SECONDS_OF_MINUTE * _within(request.wait, MIN_WAIT, MAX_WAIT)
    if heartbeat is not None:
        return _within(heartbeat, ctx.settings.sync.min_heartbeat, ctx.settings.sync.max_heartbeat)
    return None


def _within(asked: int, least: int, most: int) -> int:
    allowed = min(max(asked, least), most)
    if allowed != asked:
        raise _Refused(Status.INVALID_INTERVAL, allowed)
    return asked


def _checked(request: Request, ctx: Context) -> Sequence[Collection]:
    """The collections, within the limits."""
    limits = ctx.settings.sync
    collections = request.collections.collections if request.collections else ()
    if len(collections) > limits.max_collections:
        raise _Refused(Status.TOO_MANY_COLLECTIONS, limits.max_collections)
    names = {collection.collection_id for collection in collections}
    if not names or len(names) < len(collections):
        raise _Refused(Status.PROTOCOL_ERROR)
    for collection in collections:
        if collection.sync_key == INITIAL_KEY and collection.get_changes:
            raise _Refused(Status.PROTOCOL_ERROR)  # MS-ASCMD_R3128, R5838
    return collections


async def _check_count(collections: Sequence[Collection], ctx: Context) -> None:
    """No more commands than the limit, but for drafts (quirks.DRAFTS_FLOOD)."""
    limit, count = ctx.settings.sync.max_commands, sum(len(c.commands.commands) for c in collections if c.commands)
    if count > limit and ctx.version >= V16_0 and quirks.tolerates(quirks.DRAFTS_FLOOD):
        folders = await ctx.ports.folders.folders(ctx.account.user)
        drafts = {folder.id for folder in folders if folder.type is FolderType.DRAFTS}
        flooded = [each.commands.commands for each in collections if each.commands and each.collection_id in drafts]
        changes = sum(isinstance(command, Change) for commands in flooded for command in commands)
        count -= min(changes, quirks.DRAFTS_FLOOD_LIMIT)
    if count > limit:
        raise _Refused(Status.PROTOCOL_ERROR)  # MS-ASCMD_R5659


async def _check_read_only(collections: Sequence[Collection], ctx: Context) -> None:
    """Nothing can be added to the recipient information cache: the whole request fails (MS-ASCMD_R756).

    So it does for other changes of it, for which the documents have no Status (docs/decisions/0024).
    """
    changing = {
        c.collection_id
        for c in collections
        if c.commands and any(isinstance(a, (Add, Change, Delete)) for a in c.commands.commands)
    }
    if changing:
        folders = await ctx.ports.folders.folders(ctx.account.user)
        if any(folder.id in changing and is_recipient_cache(folder) for folder in folders):
            raise _Refused(Status.PROTOCOL_ERROR)


async def _answers(
    request: Request, collections: Sequence[Collection], seconds: int | None, ctx: Context
) -> list[CollectionResponse]:
    if seconds is None:
        return await _round(request, collections, ctx)
    watched = [CollectionId(collection.collection_id) for collection in collections]
    with waiting(ctx, [*watched, ROOT]) as waiter:
        answers = await _round(request, collections, ctx)
        # The commands of the client are done: what is asked again while waiting is only what changed.
        bare = [replace(collection, commands=None) for collection in collections]
        while not answers:
            woken = await waiter.wait(seconds)
            if woken.reason is not Reason.CHANGED:
                break
            suspects = bare if ROOT in woken.collections else [c for c in bare if c.collection_id in woken.collections]
            answers = await _round(request, suspects, ctx)
        return answers


async def _round(request: Request, collections: Sequence[Collection], ctx: Context) -> list[CollectionResponse]:
    """One look at each collection, in the order received, within the budget of the whole answer (MS-ASCMD_R4777)."""
    known = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    folders = {folder.id: folder for folder in known}
    limits = ctx.settings.sync
    budget = Budget(
        items=window(request.window_size, limits.max_window_size),
        octets=limits.window_bytes,
        deadline=asyncio.get_running_loop().time() + limits.window_seconds,
    )
    answers = []
    for collection in collections:
        answer = await sync_collection(ctx, collection, folders, budget)
        if answer is not None:
            answers.append(answer)
    return answers


def window(asked: int | None, largest: int) -> int:
    """How many items a WindowSize lets through: 0 and too much mean the largest (MS-ASCMD_R4768)."""
    if asked is None or asked <= 0:
        return largest
    return min(asked, largest)


def _refuse(error: MalformedRequest, version: ProtocolVersion) -> Response:
    return Response(status=Status.PROTOCOL_ERROR)


def _fail(status: int, version: ProtocolVersion) -> Response:
    return Response(status=status)


COMMAND: Final = Command(
    name=CommandName.SYNC,
    read=wbxml_reader(Request, empty=lambda: EMPTY_REQUEST),
    handle=handle,
    refuse=_refuse,
    fail=_fail,
)

__all__ = ["COMMAND", "handle", "window"]
