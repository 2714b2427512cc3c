"""Ping, [MS-ASCMD] 2.2.1.13."""

from enum import IntEnum

from protocol.schema import el, element

MAX_ID = 64
"""Characters of a CollectionId (and more than any Class has): the server keeps both with the device."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.11, Status (Ping)."""

    NO_CHANGES = 1
    CHANGES = 2
    MISSING_PARAMETERS = 3
    SYNTAX_ERROR = 4
    HEARTBEAT_OUT_OF_RANGE = 5
    TOO_MANY_FOLDERS = 6
    HIERARCHY_CHANGED = 7
    SERVER_ERROR = 8


@element("Ping:Folder")
class Folder:
    """A folder to watch, [MS-ASCMD] 2.2.3.71.2, request."""

    id: str = el("Ping:Id", max_length=MAX_ID)
    item_class: str = el("Ping:Class", max_length=MAX_ID)


@element("Ping:Ping")
class Request:
    """The request; HeartbeatInterval in seconds. What is left out is as in the Ping before (MS-ASCMD_R3151)."""

    heartbeat_interval: int | None = el("Ping:HeartbeatInterval", default=None)
    folders: tuple[Folder, ...] | None = el("Ping:Folders", item="Ping:Folder", default=None)


@element("Ping:Ping")
class Response:
    """The response. `folders` names the folders with changes; the limits come with Status 5 and 6."""

    status: Status = el("Ping:Status")
    folders: tuple[str, ...] | None = el("Ping:Folders", item="Ping:Folder", default=None)
    max_folders: int | None = el("Ping:MaxFolders", default=None)
    heartbeat_interval: int | None = el("Ping:HeartbeatInterval", default=None)
