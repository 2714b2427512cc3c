"""FolderDelete, [MS-ASCMD] 2.2.1.4."""

from enum import IntEnum

from protocol.schema import el, element


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.4, Status (FolderDelete)."""

    SUCCESS = 1
    SPECIAL_FOLDER = 3
    NOT_FOUND = 4
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED_REQUEST = 10
    UNKNOWN_ERROR = 11


@element("FolderHierarchy:FolderDelete")
class Request:
    """The request."""

    sync_key: str = el("FolderHierarchy:SyncKey")
    server_id: str = el("FolderHierarchy:ServerId")


@element("FolderHierarchy:FolderDelete")
class Response:
    """The response. `status`: a Status, or a common one. The key comes with success alone (MS-ASCMD_R5785)."""

    status: int = el("FolderHierarchy:Status")
    sync_key: str | None = el("FolderHierarchy:SyncKey", default=None)
