"""GetItemEstimate, [MS-ASCMD] 2.2.1.9."""

from enum import IntEnum

from protocol.commands.sync import MAX_ID, Options
from protocol.schema import el, element
from protocol.versions import V12_1, V14_0


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.6, Status (GetItemEstimate)."""

    SUCCESS = 1
    INVALID_COLLECTION = 2
    NOT_PRIMED = 3
    INVALID_SYNC_KEY = 4


@element("GetItemEstimate:Collection")
class Collection:
    """[MS-ASCMD] 2.2.3.29.1. At 12.1 FilterType and Class stand in the collection itself, later in Options."""

    item_class: str | None = el("GetItemEstimate:Class", default=None, until=V12_1)
    sync_key: str | None = el("AirSync:SyncKey", default=None, max_length=MAX_ID)
    collection_id: str | None = el("GetItemEstimate:CollectionId", default=None, max_length=MAX_ID)
    conversation_mode: bool | None = el("AirSync:ConversationMode", default=None, since=V14_0)
    filter_type: int | None = el("AirSync:FilterType", default=None, minimum=0, maximum=8, until=V12_1)
    options: tuple[Options, ...] = el(default=(), since=V14_0)


@element("GetItemEstimate:GetItemEstimate")
class Request:
    """The request."""

    collections: tuple[Collection, ...] = el("GetItemEstimate:Collections", item="GetItemEstimate:Collection")


@element("GetItemEstimate:Collection")
class CollectionEstimate:
    """How many items a Sync would bring."""

    collection_id: str = el("GetItemEstimate:CollectionId")
    estimate: int = el("GetItemEstimate:Estimate")


@element("GetItemEstimate:Response")
class CollectionResponse:
    """The answer for one collection."""

    status: Status = el("GetItemEstimate:Status")
    collection: CollectionEstimate | None = el(default=None)


@element("GetItemEstimate:GetItemEstimate")
class Response:
    """The response; a Status of its own only where the whole request failed."""

    status: int | None = el("GetItemEstimate:Status", default=None)
    responses: tuple[CollectionResponse, ...] = el(default=())
