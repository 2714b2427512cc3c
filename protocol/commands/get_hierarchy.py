"""GetHierarchy, [MS-ASCMD] 2.2.1.8, up to 12.1: the request has no body, the response no element of that name."""

from enum import IntEnum

from protocol.schema import el, element


class Type(IntEnum):
    """[MS-ASCMD] 2.2.3.186.4, Type (GetHierarchy)."""

    USER_CREATED = 1
    INBOX = 2
    DRAFTS = 3
    DELETED_ITEMS = 4
    SENT_ITEMS = 5
    OUTBOX = 6


@element("FolderHierarchy:Folder")
class Folder:
    """A folder with mail, [MS-ASCMD] 2.2.3.71.1. `parent_id` "0" is the root of the mailbox (MS-ASCMD_R6927)."""

    display_name: str = el("FolderHierarchy:DisplayName")
    server_id: str = el("FolderHierarchy:ServerId")
    type: Type = el("FolderHierarchy:Type")
    parent_id: str = el("FolderHierarchy:ParentId")


@element("FolderHierarchy:Folders")
class Response:
    """The response, [MS-ASCMD] 2.2.3.75.1."""

    folders: tuple[Folder, ...] = el(default=())
