"""FolderSync, [MS-ASCMD] 2.2.1.5."""

from enum import IntEnum

from protocol.schema import el, element


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.5, Status (FolderSync)."""

    SUCCESS = 1
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED_REQUEST = 10
    UNKNOWN_ERROR = 11
    UNKNOWN_CODE = 12


@element("FolderHierarchy:FolderSync")
class Request:
    """The request. `sync_key`: the key of what the client holds; "0" asks for all folders (MS-ASCMD_R119)."""

    sync_key: str = el("FolderHierarchy:SyncKey")


@element("FolderHierarchy:Update")
class Update:
    """A folder that was renamed or moved, [MS-ASCMD] 2.2.3.187."""

    server_id: str = el("FolderHierarchy:ServerId")
    parent_id: str = el("FolderHierarchy:ParentId")
    display_name: str = el("FolderHierarchy:DisplayName")
    type: int = el("FolderHierarchy:Type")


@element("FolderHierarchy:Delete")
class Delete:
    """A folder that is gone, [MS-ASCMD] 2.2.3.42.1."""

    server_id: str = el("FolderHierarchy:ServerId")


@element("FolderHierarchy:Add")
class Add:
    """A folder that the client does not hold yet, [MS-ASCMD] 2.2.3.7.1."""

    server_id: str = el("FolderHierarchy:ServerId")
    parent_id: str = el("FolderHierarchy:ParentId")
    display_name: str = el("FolderHierarchy:DisplayName")
    type: int = el("FolderHierarchy:Type")


@element("FolderHierarchy:Changes")
class Changes:
    """What changed, [MS-ASCMD] 2.2.3.25. `count` is the number of all of them (MS-ASCMD_R2118)."""

    count: int = el("FolderHierarchy:Count")
    updates: tuple[Update, ...] = el(default=())
    deletes: tuple[Delete, ...] = el(default=())
    adds: tuple[Add, ...] = el(default=())


@element("FolderHierarchy:FolderSync")
class Response:
    """The response. `status`: a Status, or a common one. Key and changes come with success alone."""

    status: int = el("FolderHierarchy:Status")
    sync_key: str | None = el("FolderHierarchy:SyncKey", default=None)
    changes: Changes | None = el("FolderHierarchy:Changes", default=None)
