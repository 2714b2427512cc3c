"""FolderSync, [MS-ASCMD] 2.2.1.5: the folders of the user, or what changed of them since a key."""

from eas_server.commands.context import Command, Context, Reply
from eas_server.commands.folder_keys import key_for, presented
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.registry import load_commands
from eas_server.model.ids import INITIAL_KEY
from eas_server.model.mail import Folder
from eas_server.sync.hierarchy import Difference, difference, visible
from protocol.commands.folder_sync import Add, Changes, Delete, Request, Response, Status, Update
from protocol.errors import MalformedRequest
from protocol.headers import resync_headers
from protocol.http import CommandName
from protocol.versions import SUPPORTED, ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response | Reply:
    """Answer with what the device does not hold yet."""
    folders = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    if request.sync_key == INITIAL_KEY:
        return await _start(ctx, folders)
    used = await presented(ctx, request.sync_key)
    if used is None:
        return Response(status=Status.INVALID_SYNC_KEY)  # MS-ASCMD_R4581
    found = difference(used.folders, folders)
    # without a change the key stays, and nothing is written
    key = await key_for(ctx, used, found.held) if found.count else used.key
    if key is None:
        return Response(status=Status.INVALID_SYNC_KEY)
    return Response(status=Status.SUCCESS, sync_key=key, changes=_changes(found))


async def _start(ctx: Context, folders: list[Folder]) -> Reply:
    """All folders (MS-ASCMD_R119). The states of collections and the ids stay as they are (R885)."""
    found = difference({}, folders)
    key = await ctx.ports.state.advance_hierarchy(ctx.account.user, ctx.device.id, INITIAL_KEY, found.held)
    response = Response(status=Status.SUCCESS, sync_key=key, changes=_changes(found))
    return Reply(response=response, headers=dict(resync_headers(SUPPORTED, tuple(load_commands()))))  # MS-ASHTTP_R1202


def _changes(found: Difference) -> Changes:
    return Changes(
        count=found.count,
        updates=tuple(
            Update(server_id=f.id, parent_id=f.parent, display_name=f.name, type=f.type) for f in found.updated
        ),
        deletes=tuple(Delete(server_id=id_) for id_ in found.deleted),
        adds=tuple(Add(server_id=f.id, parent_id=f.parent, display_name=f.name, type=f.type) for f in found.added),
    )


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R4086."""
    return Response(status=Status.MALFORMED_REQUEST)


def fail(status: int, _: ProtocolVersion) -> Response:
    """A response of nothing but a Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.FOLDER_SYNC, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
