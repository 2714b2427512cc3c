"""One collection of a Sync request: gather, carry out what the client did, plan the window, render it, answer."""

import asyncio
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from eas_server.commands.client_changes import Carried, ClientChanges, Terms, deleted_items_of
from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, are_parts_offered
from eas_server.commands.kept_items import has_class
from eas_server.commands.lookahead import look_ahead
from eas_server.commands.recipient_cache import within_max_items
from eas_server.commands.server_changes import Budget, Sent, render_steps
from eas_server.commands.sync_options import (
    choose,
    conversations_of,
    kinds_in,
    kinds_of,
    limit_of,
    pack,
    scope_of,
    supported_by,
    supported_in,
)
from eas_server.commands.text_messages import switched
from eas_server.errors import CommandError, NoSuchFolder, StaleSyncKey, StaleToken
from eas_server.model.ids import INITIAL_KEY, CollectionId, SyncKey
from eas_server.model.mail import Folder, ItemClass
from eas_server.model.view import CollectionState, View
from eas_server.sync.filters import Scope
from eas_server.sync.window import is_current, start
from protocol.commands.sync import (
    Collection,
    CollectionResponse,
    Conflict,
    Options,
    Responses,
    ServerCommands,
    Status,
)
from protocol.schema import EMPTY
from protocol.status import CommonStatus
from protocol.versions import V14_0, V14_1

_Key = tuple[int, str, str, str]
_locks: Final[weakref.WeakValueDictionary[_Key, asyncio.Lock]] = weakref.WeakValueDictionary()
"""Requests of one device for one collection go one after another: a repeated Add must find what the first made."""


def _lock(ctx: Context, collection: CollectionId) -> asyncio.Lock:
    key = (id(ctx.stopping), ctx.account.user, ctx.device.id, collection)
    lock = _locks.get(key)
    if lock is None:
        lock = _locks[key] = asyncio.Lock()
    return lock


async def sync_collection(
    ctx: Context, asked: Collection, folders: Mapping[CollectionId, Folder], budget: Budget
) -> CollectionResponse | None:
    """The answer for one collection; None where nothing is to be said."""
    folder = folders.get(CollectionId(asked.collection_id))
    if folder is None:
        return _failed(asked, Status.HIERARCHY_CHANGED)
    try:
        async with _lock(ctx, folder.id):
            if asked.sync_key == INITIAL_KEY:
                return await _begin(ctx, asked, folder)
            return await _go_on(ctx, asked, folder, folders, budget)
    except CommandError as error:
        return _failed(asked, error.status)
    except (StaleSyncKey, StaleToken):
        return _failed(asked, Status.INVALID_SYNC_KEY)
    except NoSuchFolder:
        return _failed(asked, Status.HIERARCHY_CHANGED)


def _failed(asked: Collection, status: int) -> CollectionResponse:
    """A Status alone; after an invalid key the client has to start with key 0 (MS-ASCMD_R4427)."""
    key = INITIAL_KEY if status == Status.INVALID_SYNC_KEY else asked.sync_key
    return CollectionResponse(sync_key=key or INITIAL_KEY, collection_id=asked.collection_id, status=status)


async def _begin(ctx: Context, asked: Collection, folder: Folder) -> CollectionResponse:
    """Key 0: a new start, with a key and nothing else (MS-ASCMD_R4598, R5555)."""
    _check_class(asked, folder)
    if asked.commands is not None and asked.commands.commands:
        raise CommandError(Status.PROTOCOL_ERROR, "commands with key 0")
    options = choose(asked.options, folder.item_class, b"")
    kinds = kinds_of(asked.options, folder.item_class, b"", ctx.version)
    user = ctx.account.user
    tokens = await ctx.ports.mail.tokens(user, [folder.id])
    if folder.id not in tokens:
        raise NoSuchFolder(folder.id)
    state = CollectionState(
        key=INITIAL_KEY,
        view=start(tokens[folder.id], limit_of(options, folder.item_class, ctx.now)),
        options=pack(options, supported_by(asked), conversations=conversations_of(asked, b""), kinds=kinds)
        if asked.options or asked.supported is not None or asked.conversation_mode
        else b"",
    )
    key = await ctx.ports.state.advance(user, ctx.device.id, folder.id, None, state)
    return CollectionResponse(sync_key=key, collection_id=folder.id, status=Status.SUCCESS)


def _check_class(asked: Collection, folder: Folder) -> None:
    if asked.item_class is not None and asked.item_class != folder.item_class.value:
        raise CommandError(Status.PROTOCOL_ERROR, f"the folder holds {folder.item_class.value}")
    if folder.item_class is ItemClass.NOTES and supported_by(asked) is not None:
        raise CommandError(Status.PROTOCOL_ERROR, "Supported with notes")  # MS-ASNOTE_R114
    if asked.conversation_mode is not None and folder.item_class is not ItemClass.EMAIL:
        raise CommandError(Status.PROTOCOL_ERROR, "ConversationMode without e-mail")  # MS-ASCMD_R2117


def _check_parts(ctx: Context, options: Options) -> None:
    part = options.body_part_preference
    if part is not None and ctx.version >= V14_1 and not are_parts_offered((part,)):
        raise CommandError(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # MS-ASCMD_R5412


async def _go_on(
    ctx: Context, asked: Collection, folder: Folder, folders: Mapping[CollectionId, Folder], budget: Budget
) -> CollectionResponse | None:
    _check_class(asked, folder)
    state = await ctx.ports.state.collection(ctx.account.user, ctx.device.id, folder.id, SyncKey(asked.sync_key))
    if state is None:
        raise StaleSyncKey(asked.sync_key)
    options = choose(asked.options, folder.item_class, state.options)
    _check_parts(ctx, options)
    supported = supported_in(state.options)  # the first request says it; a later Supported is ignored (MS-ASCMD_R4552)
    conversations = ctx.version >= V14_0 and conversations_of(asked, state.options)
    changed = asked.options or asked.conversation_mode is not None
    kinds = kinds_of(asked.options, folder.item_class, state.options, ctx.version)
    remembered = pack(options, supported, conversations=conversations, kinds=kinds) if changed else state.options
    terms = Terms(
        conflict=Conflict.SERVER_WINS if options.conflict is None else options.conflict,
        deletes_as_moves=asked.deletes_as_moves is not False,
        options=replace(ItemOptions.of(options), kinds=kinds),
        deleted_items=deleted_items_of(folders, folder),
        supported=supported,
    )
    commands = asked.commands.commands if asked.commands else ()
    carried = await ClientChanges(ctx, folder, state, terms).carry_out(commands)
    carried.view, dropped = await switched(ctx, folder, carried.view, kinds_in(state.options), kinds)
    carried.commands += dropped
    scope = scope_of(options, folder.item_class, ctx.now, conversations=conversations)
    scope = await within_max_items(ctx, folder, options, scope)
    sent = await _window(ctx, asked, folder, carried.view, terms.options, scope, budget)
    if not commands and not carried.commands and not sent.commands and not sent.more:
        amended = replace(state, view=sent.view, options=remembered)
        if amended != state:
            await ctx.ports.state.amend(ctx.account.user, ctx.device.id, folder.id, amended)
        return None
    return await _answer(ctx, folder, state, remembered, carried, sent)


async def _answer(
    ctx: Context, folder: Folder, state: CollectionState, options: bytes, carried: Carried, sent: Sent
) -> CollectionResponse:
    """Store the successor, then name its key."""
    key = await ctx.ports.state.advance(
        ctx.account.user,
        ctx.device.id,
        folder.id,
        replace(state, written=carried.written, accepted=carried.accepted),
        CollectionState(key=INITIAL_KEY, view=sent.view, options=options),
    )
    commands = (*carried.commands, *sent.commands)
    return CollectionResponse(
        sync_key=key,
        collection_id=folder.id,
        status=Status.SUCCESS,
        more_available=EMPTY if sent.more else None,
        responses=Responses(responses=tuple(carried.responses)) if carried.responses else None,
        commands=ServerCommands(commands=commands) if commands else None,
    )


async def _window(
    ctx: Context,
    asked: Collection,
    folder: Folder,
    view: View,
    options: ItemOptions,
    scope: Scope,
    budget: Budget,
) -> Sent:
    """What the server has for the client, within the window and the budget.

    Where other collections have used up the budget, this one waits for the next request (MS-ASCMD_R4782); whether it
    has to is only looked up where it is answered all the same, because the client did something.
    """
    size = min(_window_size(ctx, asked), budget.items)
    idle = asked.commands is None or not asked.commands.commands
    if asked.get_changes is False or (size <= 0 and idle) or not has_class(ctx.version, folder.item_class):
        return Sent(view=view)
    user = ctx.account.user
    tokens = await ctx.ports.mail.tokens(user, [folder.id])
    if folder.id not in tokens:
        raise NoSuchFolder(folder.id)
    if is_current(view, tokens[folder.id], scope.cutoff, conversations=scope.conversations):
        return Sent(view=view)
    plan = await look_ahead(ctx.ports, user, folder.id, view, scope=scope, wanted=max(size, 0) + 1)
    return await render_steps(ctx, folder, plan, size, options, budget)


def _window_size(ctx: Context, asked: Collection) -> int:
    """100 where the client asks for none; 0 and too much mean the largest (MS-ASCMD_R4767, R4768)."""
    limits = ctx.settings.sync
    if asked.window_size is None:
        return limits.default_window_size
    return limits.max_window_size if asked.window_size <= 0 else min(asked.window_size, limits.max_window_size)
