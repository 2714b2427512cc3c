"""ItemOperations, [MS-ASCMD] 2.2.1.10."""

from collections.abc import Callable, Collection
from datetime import datetime
from enum import IntEnum

from protocol.codepages import tag
from protocol.elements import Buffer, Element, Inline, Octets, Opaque, Tag
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference
from protocol.items.document_library import MAX_PASSWORD_FETCH, MAX_USER_NAME
from protocol.schema import OPAQUE, Empty, el, element

MAX_ID = 64
"""Characters of CollectionId, ServerId and DstFldId."""
MAX_LONG_ID = 256
"""MS-ASCMD_R3236."""
MAX_OPERATIONS = 100
"""Operations in one request (MS-ASCMD_R7489)."""
MULTIPART = "application/vnd.ms-sync.multipart"
"""The Content-Type of a multipart answer (MS-ASCMD_R5505)."""
MAILBOX = "Mailbox"
"""The Store of items and attachments (MS-ASCMD_R4529)."""

_BODY = tag("AirSyncBase:Body")
_DATA = tag("AirSyncBase:Data")


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.8, Status (ItemOperations)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3
    BAD_LINK = 4
    LIBRARY_ACCESS_DENIED = 5
    NOT_FOUND = 6
    LIBRARY_CONNECTION_FAILED = 7
    INVALID_RANGE = 8
    UNKNOWN_STORE = 9
    EMPTY_FILE = 10
    TOO_LARGE = 11
    DOWNLOAD_FAILED = 12
    CONVERSION_FAILED = 14
    INVALID_ATTACHMENT = 15
    ACCESS_DENIED = 16
    PARTIAL_SUCCESS = 17
    CREDENTIALS_REQUIRED = 18
    INVALID_COMBINATION = 105
    """A common one that [MS-ASCON] 2.2.2.10 names for a Move."""
    MOVE_ALWAYS_MISSING = 155
    NOT_SUPPORTED = 156


@element("ItemOperations:Options")
class FetchOptions:
    """[MS-ASCMD] 2.2.3.125.3, of a Fetch. Of several MIMESupport the first one counts (MS-ASCMD_R3402)."""

    schema: Element | None = el("ItemOperations:Schema", default=None)
    range: str | None = el("ItemOperations:Range", default=None)
    user_name: str | None = el("ItemOperations:UserName", default=None, max_length=MAX_USER_NAME)
    password: str | None = el("ItemOperations:Password", default=None, max_length=MAX_PASSWORD_FETCH)
    mime_support: int | None = el("AirSync:MIMESupport", default=None, minimum=0, maximum=2, repeats=True)
    body_preferences: tuple[BodyPreference, ...] = el(default=(), unique="type")
    body_part_preferences: tuple[BodyPartPreference, ...] = el(default=(), unique="type")
    rights_management: bool | None = el("RightsManagement:RightsManagementSupport", default=None)


@element("ItemOperations:Fetch")
class Fetch:
    """[MS-ASCMD] 2.2.3.67.1, request: one of a FileReference, a LongId, a ServerId, and a LinkId."""

    store: str = el("ItemOperations:Store", max_length=256)
    server_id: str | None = el("AirSync:ServerId", default=None, max_length=MAX_ID)
    collection_id: str | None = el("AirSync:CollectionId", default=None, max_length=MAX_ID)
    link_id: str | None = el("DocumentLibrary:LinkId", default=None)
    long_id: str | None = el("Search:LongId", default=None, max_length=MAX_LONG_ID)
    file_reference: str | None = el("AirSyncBase:FileReference", default=None)
    options: FetchOptions = el(default=FetchOptions())
    remove_protection: Empty | None = el("RightsManagement:RemoveRightsManagementProtection", default=None)


@element("ItemOperations:Options")
class EmptyOptions:
    """The same, of an EmptyFolderContents."""

    delete_subfolders: Empty | None = el("ItemOperations:DeleteSubFolders", default=None)


@element("ItemOperations:EmptyFolderContents")
class EmptyFolderContents:
    """[MS-ASCMD] 2.2.3.58, request."""

    collection_id: str = el("AirSync:CollectionId", max_length=MAX_ID)
    options: EmptyOptions = el(default=EmptyOptions())


@element("ItemOperations:Options")
class MoveOptions:
    """The same, of a Move."""

    move_always: Empty | None = el("ItemOperations:MoveAlways", default=None)


@element("ItemOperations:Move")
class Move:
    """[MS-ASCMD] 2.2.3.117.1, request: a whole conversation to another folder."""

    conversation_id: bytes = el("ItemOperations:ConversationId", form=OPAQUE)
    target: str = el("ItemOperations:DstFldId", max_length=MAX_ID)
    options: MoveOptions | None = el(default=None)


Operation = EmptyFolderContents | Fetch | Move


@element("ItemOperations:ItemOperations")
class Request:
    """The request; the operations are carried out in their order (MS-ASCMD_R193)."""

    operations: tuple[EmptyFolderContents | Fetch | Move, ...] = el(default=())


@element("ItemOperations:Properties")
class AttachmentProperties:
    """[MS-ASCMD] 2.2.3.138.2, of an attachment. `data` in base64, or `part` of a multipart answer."""

    content_type: str | None = el("AirSyncBase:ContentType", default=None)
    range: str | None = el("ItemOperations:Range", default=None)
    total: int | None = el("ItemOperations:Total", default=None)
    data: str | Inline | None = el("ItemOperations:Data", default=None)
    part: int | None = el("ItemOperations:Part", default=None)
    version: datetime | None = el("ItemOperations:Version", default=None)


LICENSE = tag("RightsManagement:RightsManagementLicense")


def item_properties(application_data: Element, schema: Element | None) -> Element:
    """Properties of an item from its ApplicationData; only those that `schema` names (MS-ASEMAIL_R63).

    The license goes in any case: what it is about is not to be had without it.
    """
    wanted: Collection[Tag] = [child.tag for child in schema.children] if schema is not None else ()
    properties = application_data.children
    shown = [p for p in properties if not wanted or p.tag in wanted or p.tag == LICENSE]
    return Element(tag("ItemOperations:Properties"), shown or None)


def in_parts(properties: Element, add: Callable[[Buffer | Octets], int]) -> Element:
    """The properties with the data of each Body, those of exceptions too, as a part (MS-ASAIRS_R176, R244).

    `add` gives a part its number. Text goes in UTF-8, MIME as it is.
    """
    if not any(inner.tag is _BODY for inner in properties.walk()):
        return properties
    children = [_body_in_parts(each, add) if each.tag is _BODY else in_parts(each, add) for each in properties.children]
    return Element(properties.tag, children)


def _body_in_parts(body: Element, add: Callable[[Buffer | Octets], int]) -> Element:
    data = body.find(_DATA)
    if data is None:
        return body
    content = data.content
    octets = content.octets if isinstance(content, (Opaque, Inline)) else data.text.encode("utf-8", "replace")
    others = [child for child in body.children if child.tag is not _DATA]
    return Element(body.tag, [*others, Element(tag("ItemOperations:Part"), str(add(octets)))])


@element("ItemOperations:Move")
class Moved:
    """What became of a Move."""

    status: int = el("ItemOperations:Status")
    conversation_id: bytes = el("ItemOperations:ConversationId", form=OPAQUE)


@element("ItemOperations:EmptyFolderContents")
class Emptied:
    """What became of an EmptyFolderContents."""

    status: int = el("ItemOperations:Status")
    collection_id: str = el("AirSync:CollectionId")


@element("ItemOperations:Fetch")
class Fetched:
    """What became of a Fetch: it names the item as the request did."""

    status: int = el("ItemOperations:Status")
    collection_id: str | None = el("AirSync:CollectionId", default=None)
    server_id: str | None = el("AirSync:ServerId", default=None)
    long_id: str | None = el("Search:LongId", default=None)
    item_class: str | None = el("AirSync:Class", default=None)
    link_id: str | None = el("DocumentLibrary:LinkId", default=None)
    file_reference: str | None = el("AirSyncBase:FileReference", default=None)
    properties: Element | None = el("ItemOperations:Properties", default=None)


@element("ItemOperations:Response")
class Responses:
    """[MS-ASCMD] 2.2.3.153.4: by kind, as the schema has it, and of a kind in the order of the request."""

    moved: tuple[Moved, ...] = el(default=())
    emptied: tuple[Emptied, ...] = el(default=())
    fetched: tuple[Fetched, ...] = el(default=())


@element("ItemOperations:ItemOperations")
class Response:
    """The response. `status` may be a common one."""

    status: int = el("ItemOperations:Status")
    responses: Responses | None = el(default=None)
