"""FolderDelete, [MS-ASCMD] 2.2.1.4."""

from eas_server.commands.context import Command, Context
from eas_server.commands.folder_keys import answered, key_for, presented
from eas_server.commands.reading import wbxml_reader
from eas_server.errors import NoSuchFolder
from eas_server.model.ids import CollectionId
from eas_server.model.view import HierarchyState
from eas_server.sync.hierarchy import find, is_special, subtree, visible, with_deleted
from protocol.commands.folder_delete import Request, Response, Status
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.versions import ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response:
    """Remove the folder with all below it. The new key knows that they are gone."""
    used = await presented(ctx, request.sync_key)
    if used is None:
        return Response(status=Status.INVALID_SYNC_KEY)  # MS-ASCMD_R4573
    folders = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    folder = find(folders, request.server_id)
    if folder is None:
        return await _repeated(request, ctx, used)
    if is_special(folder):
        return Response(status=Status.SPECIAL_FOLDER)  # MS-ASCMD_R4047, R101
    gone = subtree(folders, folder.id)
    try:
        await ctx.ports.folders.delete_folder(ctx.account.user, folder.id)
    except NoSuchFolder:
        return Response(status=Status.NOT_FOUND)
    for id_ in gone:
        await ctx.ports.state.forget_collection(ctx.account.user, ctx.device.id, id_)
    key = await key_for(ctx, used, with_deleted(used.folders, gone))
    if key is None:
        return Response(status=Status.INVALID_SYNC_KEY)
    return Response(status=Status.SUCCESS, sync_key=key)


async def _repeated(request: Request, ctx: Context, used: HierarchyState) -> Response:
    """Status 4, unless the device deleted that folder under the same key before and did not hear of it."""
    if request.server_id in used.folders:
        before = await answered(ctx, used, with_deleted(used.folders, (CollectionId(request.server_id),)))
        if before is not None:
            return Response(status=Status.SUCCESS, sync_key=before.key)
    return Response(status=Status.NOT_FOUND)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R4063."""
    return Response(status=Status.MALFORMED_REQUEST)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.FOLDER_DELETE, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
