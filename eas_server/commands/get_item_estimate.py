"""GetItemEstimate, [MS-ASCMD] 2.2.1.9: how many items a Sync would bring."""

from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.commands.lookahead import look_ahead
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.sync_options import choose, limit_of
from eas_server.errors import CommandError, NoSuchFolder, StaleToken
from eas_server.model.ids import INITIAL_KEY, CollectionId, SyncKey
from eas_server.model.mail import Folder, ItemClass
from eas_server.model.view import CollectionState
from protocol.commands.get_item_estimate import (
    Collection,
    CollectionEstimate,
    CollectionResponse,
    Request,
    Response,
    Status,
)
from protocol.commands.sync import Options
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.status import CommonStatus
from protocol.versions import V14_0, ProtocolVersion

MAX_COLLECTIONS: Final = 1000
"""MS-ASCMD_R5646."""


async def handle(request: Request, ctx: Context) -> Response:
    """One Response a collection; an invalid key fails the whole (MS-ASCMD_R4142: its scope is global)."""
    if len(request.collections) > MAX_COLLECTIONS:
        return Response(status=_too_many(ctx.version))
    folders = {folder.id: folder for folder in await ctx.ports.folders.folders(ctx.account.user)}
    return Response(responses=tuple([await _estimate(ctx, collection, folders) for collection in request.collections]))


def _too_many(version: ProtocolVersion) -> int:
    return CommonStatus.INVALID_XML if version >= V14_0 else Status.INVALID_COLLECTION


async def _estimate(ctx: Context, asked: Collection, folders: dict[CollectionId, Folder]) -> CollectionResponse:
    folder = folders.get(CollectionId(asked.collection_id or ""))
    if folder is None:
        return CollectionResponse(status=Status.INVALID_COLLECTION)
    if asked.sync_key in (None, INITIAL_KEY):
        return _answer(Status.NOT_PRIMED, folder)
    state = await ctx.ports.state.collection(ctx.account.user, ctx.device.id, folder.id, SyncKey(asked.sync_key or ""))
    if state is None:
        return _answer(Status.INVALID_SYNC_KEY, folder)
    try:
        count = await _count(ctx, folder, state, _options(asked, folder, state))
    except (NoSuchFolder, CommandError):
        return CollectionResponse(status=Status.INVALID_COLLECTION)
    except StaleToken:
        return _answer(Status.INVALID_SYNC_KEY, folder)
    return _answer(Status.SUCCESS, folder, count)


def _answer(status: Status, folder: Folder, estimate: int = 0) -> CollectionResponse:
    """Estimate is there in each answer that names a collection; 0 where nothing can be said."""
    return CollectionResponse(status=status, collection=CollectionEstimate(collection_id=folder.id, estimate=estimate))


def _options(asked: Collection, folder: Folder, state: CollectionState) -> Options:
    """At 12.1 the filter stands in the collection itself, later in Options."""
    given = asked.options
    if not given and asked.filter_type is not None:
        given = (Options(filter_type=asked.filter_type),)
    return choose(given, folder.item_class, state.options)


async def _count(ctx: Context, folder: Folder, state: CollectionState, options: Options) -> int:
    """What changed is counted exactly; the backlog as the store counts it.

    That is too much by what the client holds of it, which happens only after a filter was narrowed and widened again
    before all SoftDeletes went out: an estimate may be.
    """
    if folder.item_class is not ItemClass.EMAIL:
        return 0
    user, mail, view = ctx.account.user, ctx.ports.mail, state.view
    limit = limit_of(options, folder.item_class, ctx.now)
    plan = await look_ahead(mail, user, folder.id, view, cutoff=limit, wanted=0)
    backlog = await mail.count(user, folder.id, below=view.low, not_before=limit)
    return len(plan.steps) + backlog


def _refuse(error: MalformedRequest, version: ProtocolVersion) -> Response:
    return Response(status=_too_many(version))


def _fail(status: int, version: ProtocolVersion) -> Response:
    return Response(status=status)


COMMAND: Final = Command(
    name=CommandName.GET_ITEM_ESTIMATE,
    read=wbxml_reader(Request),
    handle=handle,
    refuse=_refuse,
    fail=_fail,
)
