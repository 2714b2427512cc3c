"""FolderUpdate, [MS-ASCMD] 2.2.1.6."""

from enum import IntEnum

from protocol.schema import el, element


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.6, Status (FolderUpdate)."""

    SUCCESS = 1
    EXISTS_OR_SPECIAL = 2
    """A folder of that name is there, or the folder is a default one (MS-ASCMD_R4101)."""
    RECIPIENT_INFORMATION = 3
    NOT_FOUND = 4
    PARENT_NOT_FOUND = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED_REQUEST = 10
    UNKNOWN_ERROR = 11


@element("FolderHierarchy:FolderUpdate")
class Request:
    """The request. `parent_id` "0" is the root (MS-ASCMD_R3630)."""

    sync_key: str = el("FolderHierarchy:SyncKey")
    server_id: str = el("FolderHierarchy:ServerId")
    parent_id: str = el("FolderHierarchy:ParentId")
    display_name: str = el("FolderHierarchy:DisplayName")


@element("FolderHierarchy:FolderUpdate")
class Response:
    """The response. `status`: a Status, or a common one. The key comes with success alone (MS-ASCMD_R5786)."""

    status: int = el("FolderHierarchy:Status")
    sync_key: str | None = el("FolderHierarchy:SyncKey", default=None)
