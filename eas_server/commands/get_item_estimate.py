"""GetItemEstimate, [MS-ASCMD] 2.2.1.9: how many items a Sync would bring."""

from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.commands.kept_items import has_class
from eas_server.commands.lookahead import look_ahead, whole_conversations
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.recipient_cache import within_max_items
from eas_server.commands.sync_options import choose, has_filter, scope_of
from eas_server.errors import CommandError, NoSuchFolder, StaleToken
from eas_server.model.ids import INITIAL_KEY, CollectionId, SyncKey
from eas_server.model.mail import Folder, ItemClass
from eas_server.model.view import CollectionState
from eas_server.sync.filters import Scope
from eas_server.sync.hierarchy import is_recipient_cache, visible
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


MAX_UNFILTERED: Final = 512
"""The most that is counted where a request has no Options (MS-ASCMD_R3543)."""


async def handle(request: Request, ctx: Context) -> Response:
    """One Response a collection. What the documents call an error of the request as a whole is raised."""
    if len(request.collections) > MAX_COLLECTIONS:
        return Response(status=_too_many(ctx.version))
    known = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    folders = {folder.id: folder for folder in known}
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
    status, options = _options(asked, folder)
    if options is None:
        return _answer(status, folder)
    try:
        whole = bool(asked.conversation_mode) and ctx.version >= V14_0
        scope = scope_of(options, folder.item_class, ctx.now, conversations=whole)
        scope = await within_max_items(ctx, folder, options, scope)
        count = await _count(ctx, folder, state, scope) if has_class(ctx.version, folder.item_class) else 0
    except NoSuchFolder:
        return CollectionResponse(status=Status.INVALID_COLLECTION)
    except StaleToken:
        return _answer(Status.INVALID_SYNC_KEY, folder)
    return _answer(Status.SUCCESS, folder, count if options.filter_type is not None else min(count, MAX_UNFILTERED))


def _answer(status: Status, folder: Folder, estimate: int = 0) -> CollectionResponse:
    """Estimate is there in each answer that names a collection; 0 where nothing can be said."""
    return CollectionResponse(status=status, collection=CollectionEstimate(collection_id=folder.id, estimate=estimate))


def _options(asked: Collection, folder: Folder) -> tuple[Status, Options | None]:
    """The Options of this request: those of Sync do not matter, and none means no filter (MS-ASCMD_R2970, R3543).

    At 12.1 the filter stands in the collection itself. Raises CommandError with a common Status.
    """
    given = asked.options
    if not given and asked.filter_type is not None:
        given = (Options(filter_type=asked.filter_type),)
    if asked.conversation_mode is not None and folder.item_class is not ItemClass.EMAIL:
        raise CommandError(CommonStatus.INVALID_XML, "ConversationMode without e-mail")  # MS-ASCMD_R2100
    if any(options.max_items is not None for options in given) and not is_recipient_cache(folder):
        return Status.INVALID_COLLECTION, None  # MS-ASCMD_R3265
    for options in given:
        if options.item_class in (None, folder.item_class.value) and not has_filter(folder.item_class, options):
            raise CommandError(CommonStatus.SERVER_ERROR, "no such filter")  # MS-ASCMD_R3005
    try:
        return Status.SUCCESS, choose(given, folder.item_class, b"")
    except CommandError:
        return Status.INVALID_SYNC_KEY, None  # MS-ASCMD_R908: 4, whatever that value is called


async def _count(ctx: Context, folder: Folder, state: CollectionState, scope: Scope) -> int:
    """What changed is counted exactly; the backlog as the store counts it.

    That is too much by what the client holds of it, which happens only after a filter was narrowed and widened again
    before all SoftDeletes went out: an estimate may be.
    """
    user, mail, view = ctx.account.user, ctx.ports.mail, state.view
    plan = await look_ahead(ctx.ports, user, folder.id, view, scope=scope, wanted=0)
    backlog = await mail.count(user, folder.id, below=view.low, not_before=scope.cutoff)
    return len(plan.steps) + backlog + await whole_conversations(ctx.ports, user, folder.id, view, scope)


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
