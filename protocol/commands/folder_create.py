"""FolderCreate, [MS-ASCMD] 2.2.1.3."""

from enum import IntEnum

from protocol.schema import el, element


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.3, Status (FolderCreate)."""

    SUCCESS = 1
    ALREADY_EXISTS = 2
    SPECIAL_PARENT = 3
    PARENT_NOT_FOUND = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED_REQUEST = 10
    UNKNOWN_ERROR = 11
    UNKNOWN_CODE = 12


@element("FolderHierarchy:FolderCreate")
class Request:
    """The request. `parent_id` "0" is the root (MS-ASCMD_R80)."""

    sync_key: str = el("FolderHierarchy:SyncKey")
    parent_id: str = el("FolderHierarchy:ParentId")
    display_name: str = el("FolderHierarchy:DisplayName")
    type: int = el("FolderHierarchy:Type")


@element("FolderHierarchy:FolderCreate")
class Response:
    """The response. `status`: a Status, or a common one. Key and id come with success alone (MS-ASCMD_R3904, R4570)."""

    status: int = el("FolderHierarchy:Status")
    sync_key: str | None = el("FolderHierarchy:SyncKey", default=None)
    server_id: str | None = el("FolderHierarchy:ServerId", default=None)
