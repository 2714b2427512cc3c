"""Sync, [MS-ASCMD] 2.2.1.21."""

from enum import IntEnum

from protocol.elements import Element
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference
from protocol.schema import Empty, el, element
from protocol.versions import V12_1, V14_0, V14_1, V16_0

SMS = "SMS"
"""The class of text messages, beside that of a mail folder ([MS-ASCMD] 2.2.3.27.6)."""
MAX_ID = 64
"""SyncKey, CollectionId, ServerId and ClientId hold up to 64 characters."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.17, Status (Sync)."""

    SUCCESS = 1
    INVALID_SYNC_KEY = 3
    PROTOCOL_ERROR = 4
    SERVER_ERROR = 5
    CONVERSION_ERROR = 6
    CONFLICT = 7
    NOT_FOUND = 8
    NO_SPACE = 9
    HIERARCHY_CHANGED = 12
    INCOMPLETE_REQUEST = 13
    INVALID_INTERVAL = 14
    TOO_MANY_COLLECTIONS = 15
    RETRY = 16


class Conflict(IntEnum):
    """Whose object stays, [MS-ASCMD] 2.2.3.34."""

    CLIENT_WINS = 0
    SERVER_WINS = 1


@element("AirSync:Options")
class Options:
    """[MS-ASCMD] 2.2.3.125.5. Where several of MIMESupport stand, the first one counts (MS-ASCMD_R3402)."""

    filter_type: int | None = el("AirSync:FilterType", default=None, minimum=0, maximum=8)
    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    body_preferences: tuple[BodyPreference, ...] = el(default=(), unique="type")
    body_part_preference: BodyPartPreference | None = el(default=None, since=V14_1)
    conflict: Conflict | None = el("AirSync:Conflict", default=None)
    mime_support: int | None = el("AirSync:MIMESupport", default=None, minimum=0, maximum=2, repeats=True)
    mime_truncation: int | None = el("AirSync:MIMETruncation", default=None, minimum=0, maximum=8)
    max_items: int | None = el("AirSync:MaxItems", default=None, minimum=1)
    rights_management: bool | None = el("RightsManagement:RightsManagementSupport", default=None, since=V14_1)


@element("AirSync:Add")
class Add:
    """A new object of the client, [MS-ASCMD] 2.2.3.7.2."""

    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    client_id: str = el("AirSync:ClientId", max_length=MAX_ID)
    send: Empty | None = el("Email2:Send", default=None, since=V16_0)
    application_data: Element = el("AirSync:ApplicationData")


@element("AirSync:Change")
class Change:
    """A changed object, [MS-ASCMD] 2.2.3.24, in requests and in the Commands of a response."""

    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    server_id: str = el("AirSync:ServerId", max_length=MAX_ID)
    instance_id: str | None = el("AirSyncBase:InstanceId", default=None, since=V16_0)
    send: Empty | None = el("Email2:Send", default=None, since=V16_0)
    application_data: Element | None = el("AirSync:ApplicationData", default=None)


@element("AirSync:Delete")
class Delete:
    """[MS-ASCMD] 2.2.3.42.2."""

    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    server_id: str = el("AirSync:ServerId", max_length=MAX_ID)
    instance_id: str | None = el("AirSyncBase:InstanceId", default=None, since=V16_0)


@element("AirSync:Fetch")
class Fetch:
    """[MS-ASCMD] 2.2.3.67.2."""

    server_id: str = el("AirSync:ServerId", max_length=MAX_ID)


@element("AirSync:Commands")
class ClientCommands:
    """What a client did, in its order, [MS-ASCMD] 2.2.3.32."""

    commands: tuple[Add | Change | Delete | Fetch, ...] = el(default=())


@element("AirSync:Collection", ordered=True)
class Collection:
    """[MS-ASCMD] 2.2.3.29.2, request. The order is enforced (MS-ASCMD_R976, R4546); that of Class is not said."""

    item_class: str | None = el("AirSync:Class", default=None, until=V12_1)
    sync_key: str = el("AirSync:SyncKey", max_length=MAX_ID)
    collection_id: str = el("AirSync:CollectionId", max_length=MAX_ID)
    supported: Element | None = el("AirSync:Supported", default=None)
    deletes_as_moves: bool | None = el("AirSync:DeletesAsMoves", default=None)
    get_changes: bool | None = el("AirSync:GetChanges", default=None)
    window_size: int | None = el("AirSync:WindowSize", default=None)
    conversation_mode: bool | None = el("AirSync:ConversationMode", default=None, since=V14_0)
    options: tuple[Options, ...] = el(default=())
    commands: ClientCommands | None = el(default=None)


@element("AirSync:Collections")
class Collections:
    """[MS-ASCMD] 2.2.3.31.2."""

    collections: tuple[Collection, ...] = el(default=())


@element("AirSync:Sync")
class Request:
    """The request. Wait in minutes, HeartbeatInterval in seconds; one of them at the most (MS-ASCMD_R4747)."""

    collections: Collections | None = el(default=None)
    wait: int | None = el("AirSync:Wait", default=None)
    heartbeat_interval: int | None = el("AirSync:HeartbeatInterval", default=None, since=V14_0)
    window_size: int | None = el("AirSync:WindowSize", default=None)
    partial: Empty | None = el("AirSync:Partial", default=None)


@element("AirSync:Add")
class ServerAdd:
    """A new object of the server, in Commands."""

    server_id: str = el("AirSync:ServerId")
    application_data: Element = el("AirSync:ApplicationData")


@element("AirSync:SoftDelete")
class SoftDelete:
    """An object that the filter hides from now on, [MS-ASCMD] 2.2.3.172."""

    server_id: str = el("AirSync:ServerId")


@element("AirSync:Commands")
class ServerCommands:
    """What the server has for the client."""

    commands: tuple[ServerAdd | Change | Delete | SoftDelete, ...] = el(default=())


@element("AirSync:Add")
class AddResponse:
    """What became of an Add."""

    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    client_id: str = el("AirSync:ClientId")
    server_id: str | None = el("AirSync:ServerId", default=None)
    status: int = el("AirSync:Status")
    application_data: Element | None = el("AirSync:ApplicationData", default=None)


@element("AirSync:Change")
class ChangeResponse:
    """What became of a Change that failed (MS-ASCMD_R6234)."""

    item_class: str | None = el("AirSync:Class", default=None, since=V14_0)
    server_id: str = el("AirSync:ServerId")
    instance_id: str | None = el("AirSyncBase:InstanceId", default=None, since=V16_0)
    status: int = el("AirSync:Status")


@element("AirSync:Delete")
class DeleteResponse:
    """What became of a Delete that failed (MS-ASCMD_R6413)."""

    server_id: str = el("AirSync:ServerId")
    instance_id: str | None = el("AirSyncBase:InstanceId", default=None, since=V16_0)
    status: int = el("AirSync:Status")


@element("AirSync:Fetch")
class FetchResponse:
    """A fetched object."""

    server_id: str = el("AirSync:ServerId")
    status: int = el("AirSync:Status")
    application_data: Element | None = el("AirSync:ApplicationData", default=None)


CommandResponse = AddResponse | ChangeResponse | DeleteResponse | FetchResponse


@element("AirSync:Responses")
class Responses:
    """[MS-ASCMD] 2.2.3.155."""

    responses: tuple[AddResponse | ChangeResponse | DeleteResponse | FetchResponse, ...] = el(default=())


@element("AirSync:Collection")
class CollectionResponse:
    """[MS-ASCMD] 2.2.3.29.2, response."""

    sync_key: str | None = el("AirSync:SyncKey", default=None)
    collection_id: str = el("AirSync:CollectionId")
    status: int = el("AirSync:Status")
    more_available: Empty | None = el("AirSync:MoreAvailable", default=None)
    responses: Responses | None = el(default=None)
    commands: ServerCommands | None = el(default=None)


@element("AirSync:Collections")
class CollectionsResponse:
    """[MS-ASCMD] 2.2.3.31.2."""

    collections: tuple[CollectionResponse, ...] = el(default=())


@element("AirSync:Sync")
class Response:
    """The response: a Status with a Limit where the whole request failed, else the collections with news."""

    status: int | None = el("AirSync:Status", default=None)
    limit: int | None = el("AirSync:Limit", default=None)
    collections: CollectionsResponse | None = el(default=None)
