"""FolderCreate, [MS-ASCMD] 2.2.1.3."""

from collections.abc import Sequence

from eas_server.commands.context import Command, Context
from eas_server.commands.folder_keys import answered, is_display_name, key_for, presented
from eas_server.commands.reading import wbxml_reader
from eas_server.errors import FolderExists, NoSuchFolder
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import Folder, FolderType
from eas_server.model.view import HierarchyState
from eas_server.sync.hierarchy import CREATABLE, find, is_recipient_cache, visible, with_created
from protocol.commands.folder_create import Request, Response, Status
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.versions import ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response:
    """Make the folder. The new key knows of it, so that no FolderSync tells it again."""
    used = await presented(ctx, request.sync_key)
    if used is None:
        return Response(status=Status.INVALID_SYNC_KEY)  # MS-ASCMD_R4573
    folders = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    refusal = _refusal(request, folders)
    if refusal is not None:
        return Response(status=refusal)
    try:
        folder = await ctx.ports.folders.create_folder(
            ctx.account.user, CollectionId(request.parent_id), request.display_name, FolderType(request.type)
        )
    except NoSuchFolder:
        return Response(status=Status.PARENT_NOT_FOUND)
    except FolderExists:
        return await _repeated(request, ctx, used)
    key = await key_for(ctx, used, with_created(used.folders, folder))
    if key is None:
        return Response(status=Status.INVALID_SYNC_KEY)
    return Response(status=Status.SUCCESS, sync_key=key, server_id=folder.id)


def _refusal(request: Request, folders: Sequence[Folder]) -> Status | None:
    if not is_display_name(request.display_name) or request.type not in CREATABLE:
        return Status.MALFORMED_REQUEST  # MS-ASCMD_R4035
    parent = find(folders, request.parent_id)
    if parent is None and request.parent_id != ROOT:
        return Status.PARENT_NOT_FOUND
    return Status.SPECIAL_PARENT if is_recipient_cache(parent) else None  # MS-ASCMD_R4016


async def _repeated(request: Request, ctx: Context, used: HierarchyState) -> Response:
    """Status 2, unless the device made that folder under the same key before and did not hear of it."""
    for folder in await ctx.ports.folders.folders(ctx.account.user):
        asked = (folder.parent, folder.name, folder.type) == (request.parent_id, request.display_name, request.type)
        if asked and folder.id not in used.folders:
            before = await answered(ctx, used, with_created(used.folders, folder))
            if before is not None:
                return Response(status=Status.SUCCESS, sync_key=before.key, server_id=folder.id)
    return Response(status=Status.ALREADY_EXISTS)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R4035."""
    return Response(status=Status.MALFORMED_REQUEST)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.FOLDER_CREATE, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
