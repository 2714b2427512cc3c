"""Search, [MS-ASCMD] 2.2.1.16."""

from datetime import datetime
from enum import IntEnum
from typing import Final

from protocol.codepages import tag
from protocol.commands.resolve_recipients import MAX_PICTURE, PictureStatus
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference
from protocol.items.document_library import MAX_PASSWORD_SEARCH, MAX_USER_NAME
from protocol.schema import OPAQUE, Empty, el, element, load

MAX_NAME: Final = 256
"""Characters of Name (MS-ASCMD_R3488)."""
MAX_VALUE: Final = 1024
"""MS-ASCMD_R5263."""

_OF_ITEMS: Final = frozenset({"Email", "Email2", "Calendar", "Contacts", "Contacts2", "Notes", "Tasks"})
_COMPARED: Final = tag("Email:DateReceived")
_LEFT_OUT: Final = frozenset({tag("Tasks:OrdinalDate"), tag("Tasks:SubOrdinalDate")})


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.13, Status (Search), as a child of Search."""

    SUCCESS = 1
    SERVER_ERROR = 3


class StoreStatus(IntEnum):
    """The same, as a child of Store."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    SERVER_ERROR = 3
    BAD_LINK = 4
    ACCESS_DENIED = 5
    NOT_FOUND = 6
    CONNECTION_FAILED = 7
    TOO_COMPLEX = 8
    TIMED_OUT = 10
    FOLDER_SYNC_REQUIRED = 11
    END_OF_RANGE = 12
    ACCESS_BLOCKED = 13
    CREDENTIALS_REQUIRED = 14


@element("Search:Picture")
class PictureOptions:
    """[MS-ASCMD] 2.2.3.135.3, request. `max_size` in octets of one photo."""

    max_size: int | None = el("Search:MaxSize", default=None, minimum=0, maximum=MAX_PICTURE)
    max_pictures: int | None = el("Search:MaxPictures", default=None, minimum=0)


@element("Search:Options")
class Options:
    """[MS-ASCMD] 2.2.3.125.5. What the documents leave undefined when it is repeated is taken from the first one."""

    mime_support: int | None = el("AirSync:MIMESupport", default=None, minimum=0, maximum=2, repeats=True)
    body_preferences: tuple[BodyPreference, ...] = el(default=(), unique="type")
    body_part_preferences: tuple[BodyPartPreference, ...] = el(default=(), unique="type")
    range: str | None = el("Search:Range", default=None, repeats=True)
    user_name: str | None = el("Search:UserName", default=None, max_length=MAX_USER_NAME, repeats=True)
    password: str | None = el("Search:Password", default=None, max_length=MAX_PASSWORD_SEARCH, repeats=True)
    deep_traversal: Empty | None = el("Search:DeepTraversal", default=None, repeats=True)
    rebuild_results: Empty | None = el("Search:RebuildResults", default=None, repeats=True)
    rights_management: bool | None = el("RightsManagement:RightsManagementSupport", default=None, repeats=True)
    picture: PictureOptions | None = el(default=None)


@element("Search:Store")
class Store:
    """[MS-ASCMD] 2.2.3.178.3, request. What stands in the Query depends on the store: `words_of`, `mailbox_query`."""

    name: str = el("Search:Name", max_length=MAX_NAME)
    query: Element = el("Search:Query")
    options: Options = el(default=Options())


@element("Search:Search")
class Request:
    """The request; of several stores the first one is searched (MS-ASCMD_R4533)."""

    store: Store = el(repeats=True)


@element("Search:GreaterThan")
class GreaterThan:
    """Received after `value`, [MS-ASCMD] 2.2.3.82."""

    property: Empty = el("Email:DateReceived")
    value: datetime = el("Search:Value")


@element("Search:LessThan")
class LessThan:
    """Received before `value`, [MS-ASCMD] 2.2.3.91."""

    property: Empty = el("Email:DateReceived")
    value: datetime = el("Search:Value")


@element("Search:And")
class And:
    """[MS-ASCMD] 2.2.3.10: all of these hold. `ands` and `ors` are too complex."""

    free_texts: tuple[str, ...] = el("Search:FreeText", default=())
    classes: tuple[str, ...] = el("AirSync:Class", default=())
    collection_ids: tuple[str, ...] = el("AirSync:CollectionId", default=())
    conversation_id: bytes | None = el("Search:ConversationId", default=None, form=OPAQUE)
    greater_than: GreaterThan | None = el(default=None)
    less_than: LessThan | None = el(default=None)
    ands: tuple[Element, ...] = el("Search:And", default=())
    ors: tuple[Element, ...] = el("Search:Or", default=())
    equals: tuple[Element, ...] = el("Search:EqualTo", default=())


@element("Search:Query")
class MailboxQuery:
    """[MS-ASCMD] 2.2.3.142.2, of a mailbox. What belongs into the And is too complex outside of it."""

    ands: tuple[And, ...] = el(default=())
    ors: tuple[Element, ...] = el("Search:Or", default=())
    free_texts: tuple[Element, ...] = el("Search:FreeText", default=())
    classes: tuple[Element, ...] = el("AirSync:Class", default=())
    collection_ids: tuple[Element, ...] = el("AirSync:CollectionId", default=())
    conversation_ids: tuple[Element, ...] = el("Search:ConversationId", default=())
    greater_than: tuple[Element, ...] = el("Search:GreaterThan", default=())
    less_than: tuple[Element, ...] = el("Search:LessThan", default=())
    equals: tuple[Element, ...] = el("Search:EqualTo", default=())

    @property
    def is_too_complex(self) -> bool:
        """MS-ASCMD_R772, R923, R2032, R2086, R3105, R3143, R3220."""
        misplaced = (
            *self.ors,
            *self.free_texts,
            *self.classes,
            *self.collection_ids,
            *self.conversation_ids,
            *self.greater_than,
            *self.less_than,
        )
        return bool(misplaced) or len(self.ands) > 1 or any(inner.ands or inner.ors for inner in self.ands)


def words_of(query: Element) -> str:
    """The Query of the GAL: text. Raises MalformedXml."""
    if query.children:
        raise MalformedXml("/Search/Store/Query", "elements where text belongs")
    return query.text.strip()


def mailbox_query(query: Element) -> MailboxQuery:
    """The Query of a mailbox. Raises MalformedXml, also for properties of items (MS-ASEMAIL_R68, MS-ASTASK_R364)."""
    for inner in query.walk():
        if inner.tag.namespace in _OF_ITEMS and inner.tag is not _COMPARED:
            raise MalformedXml("/Search/Store/Query", f"{inner.tag} cannot be searched by")
    return load(MailboxQuery, query)


@element("GAL:Picture")
class Picture:
    """[MS-ASCMD] 2.2.3.135.3, response."""

    status: PictureStatus = el("GAL:Status")
    data: bytes | None = el("GAL:Data", default=None, form=OPAQUE)


@element("Search:Properties")
class GalProperties:
    """What the directory has of an entry, [MS-ASCMD] 2.2.3.138.3; None where it has nothing."""

    display_name: str | None = el("GAL:DisplayName", default=None)
    phone: str | None = el("GAL:Phone", default=None)
    office: str | None = el("GAL:Office", default=None)
    title: str | None = el("GAL:Title", default=None)
    company: str | None = el("GAL:Company", default=None)
    alias: str | None = el("GAL:Alias", default=None)
    first_name: str | None = el("GAL:FirstName", default=None)
    last_name: str | None = el("GAL:LastName", default=None)
    home_phone: str | None = el("GAL:HomePhone", default=None)
    mobile_phone: str | None = el("GAL:MobilePhone", default=None)
    email_address: str | None = el("GAL:EmailAddress", default=None)
    picture: Picture | None = el(default=None)


def item_properties(application_data: Element) -> Element:
    """Properties of an item from its ApplicationData; the schema leaves out two of tasks."""
    shown = [child for child in application_data.children if child.tag not in _LEFT_OUT]
    return Element(tag("Search:Properties"), shown or None)


@element("Search:Result")
class Result:
    """[MS-ASCMD] 2.2.3.155.2; without anything: nothing was found in the mailbox (MS-ASCMD_R3850)."""

    item_class: str | None = el("AirSync:Class", default=None)
    long_id: str | None = el("Search:LongId", default=None)
    collection_id: str | None = el("AirSync:CollectionId", default=None)
    properties: Element | None = el("Search:Properties", default=None)


@element("Search:Store")
class StoreResponse:
    """[MS-ASCMD] 2.2.3.178.3, response. `status` may be a common one."""

    status: int = el("Search:Status")
    results: tuple[Result, ...] = el(default=())
    range: str | None = el("Search:Range", default=None)
    total: int | None = el("Search:Total", default=None)


@element("Search:Response")
class Answer:
    """[MS-ASCMD] 2.2.3.153.7."""

    store: StoreResponse = el()


@element("Search:Search")
class Response:
    """The response. `status` tells that the request as such was answered (MS-ASCMD_R4318); it may be a common one."""

    status: int = el("Search:Status")
    answer: Answer | None = el(default=None)
