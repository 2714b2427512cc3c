"""MoveItems, [MS-ASCMD] 2.2.1.12."""

from enum import IntEnum

from protocol.schema import el, element

MAX_ID = 64
"""Characters of each id (MS-ASCMD_R2216, R3975, R3978)."""
MAX_MOVES = 1000
"""Move elements in one request (MS-ASCMD_R5652)."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.10, Status (MoveItems)."""

    INVALID_SOURCE = 1
    INVALID_DESTINATION = 2
    SUCCESS = 3
    SAME_FOLDER = 4
    SEVERAL_DESTINATIONS = 5
    LOCKED = 7


@element("Move:Move")
class Move:
    """[MS-ASCMD] 2.2.3.117.2; more than one destination has a Status of its own (MS-ASCMD_R4222)."""

    source_id: str = el("Move:SrcMsgId", max_length=MAX_ID)
    source_folder: str = el("Move:SrcFldId", max_length=MAX_ID)
    destinations: tuple[str, ...] = el("Move:DstFldId", default=(), max_length=MAX_ID)


@element("Move:MoveItems")
class Request:
    """The request; at least one Move (MS-ASCMD_R1966)."""

    moves: tuple[Move, ...] = el(default=())


@element("Move:Response")
class Moved:
    """What became of one Move, [MS-ASCMD] 2.2.3.153.5."""

    source_id: str = el("Move:SrcMsgId")
    status: Status = el("Move:Status")
    target_id: str | None = el("Move:DstMsgId", default=None)


@element("Move:MoveItems")
class Response:
    """The response; a Status of its own only where the whole request failed (MS-ASCMD_R7249)."""

    status: int | None = el("Move:Status", default=None)
    responses: tuple[Moved, ...] = el(default=())
