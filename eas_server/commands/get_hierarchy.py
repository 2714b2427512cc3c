"""GetHierarchy, [MS-ASCMD] 2.2.1.8: the folders with mail, for clients of 12.1."""

from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.model.mail import FolderType
from eas_server.sync.hierarchy import visible
from protocol.commands.get_hierarchy import Folder, Response, Type
from protocol.http import CommandName

_TYPES: Final = {
    FolderType.USER_GENERIC: Type.USER_CREATED,
    FolderType.USER_MAIL: Type.USER_CREATED,  # what FolderSync calls 12 has no value of its own here
    FolderType.INBOX: Type.INBOX,
    FolderType.DRAFTS: Type.DRAFTS,
    FolderType.DELETED_ITEMS: Type.DELETED_ITEMS,
    FolderType.SENT_ITEMS: Type.SENT_ITEMS,
    FolderType.OUTBOX: Type.OUTBOX,
}
"""The folders with mail (MS-ASCMD_R6026), by the values that the documents allow (MS-ASCMD_R7388)."""


async def handle(_: None, ctx: Context) -> Response:
    """The ids are those of FolderSync (MS-ASCMD_R6031). A parent that holds no mail is named, but not listed."""
    folders = visible(await ctx.ports.folders.folders(ctx.account.user), ctx.version)
    return Response(
        folders=tuple(
            Folder(display_name=folder.name, server_id=folder.id, type=_TYPES[folder.type], parent_id=folder.parent)
            for folder in folders
            if folder.type in _TYPES
        )
    )


COMMAND = Command(
    name=CommandName.GET_HIERARCHY,
    read=lambda body, line, version: None,  # MS-ASCMD_R6037: there is no body
    handle=handle,
    refuse=lambda malformed, version: None,
    fail=lambda status, version: None,  # an HTTP status says it (MS-ASCMD_R6033)
)
