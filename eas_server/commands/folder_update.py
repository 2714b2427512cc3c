"""FolderUpdate, [MS-ASCMD] 2.2.1.6: rename or move a folder."""

from collections.abc import Sequence

from eas_server.commands.context import Command, Context
from eas_server.commands.folder_keys import is_display_name, key_for, presented
from eas_server.commands.reading import wbxml_reader
from eas_server.errors import FolderExists, NoSuchFolder
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import Folder
from eas_server.sync.hierarchy import find, is_recipient_cache, is_special, subtree, visible, with_updated
from protocol.commands.folder_update import Request, Response, Status
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.versions import ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response:
    """Give the folder its name and place. The new key knows them; a repetition finds them as they are to be."""
    used = await presented(ctx, request.sync_key)
    if used is None:
        return Response(status=Status.INVALID_SYNC_KEY)  # MS-ASCMD_R4573
    folders = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    refusal = _refusal(request, folders)
    if refusal is not None:
        return Response(status=refusal)
    try:
        folder = await ctx.ports.folders.update_folder(
            ctx.account.user, CollectionId(request.server_id), CollectionId(request.parent_id), request.display_name
        )
    except NoSuchFolder:
        return Response(status=Status.NOT_FOUND)
    except FolderExists:
        return Response(status=Status.EXISTS_OR_SPECIAL)  # MS-ASCMD_R5438
    key = await key_for(ctx, used, with_updated(used.folders, folder))
    if key is None:
        return Response(status=Status.INVALID_SYNC_KEY)
    return Response(status=Status.SUCCESS, sync_key=key)


def _refusal(request: Request, folders: Sequence[Folder]) -> Status | None:
    if not is_display_name(request.display_name):
        return Status.MALFORMED_REQUEST
    folder, parent = find(folders, request.server_id), find(folders, request.parent_id)
    if folder is None:
        return Status.NOT_FOUND
    if is_recipient_cache(folder) or is_recipient_cache(parent):
        # MS-ASCMD_R143; that nothing can be moved under it has no Status of its own (R142)
        return Status.RECIPIENT_INFORMATION
    if is_special(folder):
        return Status.EXISTS_OR_SPECIAL  # MS-ASCMD_R4102
    if parent is None and request.parent_id != ROOT:
        return Status.PARENT_NOT_FOUND
    if request.parent_id in subtree(folders, folder.id):
        return Status.MALFORMED_REQUEST  # a folder below itself: a semantic error (MS-ASCMD_R4123)
    return None


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R4123, R4568."""
    return Response(status=Status.MALFORMED_REQUEST)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.FOLDER_UPDATE, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
