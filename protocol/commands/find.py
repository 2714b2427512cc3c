"""Find, [MS-ASCMD] 2.2.1.2.

The elements are those of 16.1; they are written at 14.1 too, where Find is let pass (`quirks.FIND_AT_14_1`), and
Status from 14.0 on, for whoever asks a version that has no Find is told so in the words that it asked in.
"""

from datetime import datetime
from enum import IntEnum

from protocol.codepages import tag
from protocol.commands.resolve_recipients import MAX_PICTURE
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.email import Importance
from protocol.schema import Empty, el, element
from protocol.versions import V14_0, V14_1

MAX_TEXT = 1024
"""Characters of a query; Search has the same limit (MS-ASCMD_R5263)."""
STORE = "Mailbox"
"""MS-ASCMD_R45251807."""
MAX_PREVIEW = 255
"""Characters of Preview (MS-ASCMD_R6978101702)."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.2, Status (Find)."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    FOLDER_SYNC_REQUIRED = 3
    """As a child of Find alone."""
    START_WITH_RANGE_ZERO = 4
    """As a child of Response alone."""


@element("Find:Picture")
class PictureOptions:
    """[MS-ASCMD] 2.2.3.135.1, request. `max_size` in octets of one photo."""

    max_size: int | None = el("Find:MaxSize", default=None, minimum=0, maximum=MAX_PICTURE)
    max_pictures: int | None = el("Find:MaxPictures", default=None, minimum=0)


@element("Find:Options")
class Options:
    """[MS-ASCMD] 2.2.3.125.1."""

    range: str | None = el("Find:Range", default=None)
    deep_traversal: Empty | None = el("Find:DeepTraversal", default=None)
    picture: PictureOptions | None = el(default=None)


@element("Find:Query")
class MailboxQuery:
    """[MS-ASCMD] 2.2.3.142.1, of a mailbox. `free_text` is KQL: `protocol.kql`."""

    free_text: str = el("Find:FreeText", max_length=MAX_TEXT)
    classes: tuple[str, ...] = el("AirSync:Class", default=())
    collection_ids: tuple[str, ...] = el("AirSync:CollectionId", default=())


@element("Find:MailBoxSearchCriterion")
class MailboxCriterion:
    """[MS-ASCMD] 2.2.3.99."""

    query: MailboxQuery = el()
    options: Options = el(default=Options())


@element("Find:GalSearchCriterion")
class GalCriterion:
    """[MS-ASCMD] 2.2.3.82. The Query is text: `words_of`."""

    query: Element = el("Find:Query")
    options: Options = el(default=Options())


@element("Find:ExecuteSearch")
class ExecuteSearch:
    """[MS-ASCMD] 2.2.3.66: one of the two."""

    mailbox: MailboxCriterion | None = el(default=None)
    gal: GalCriterion | None = el(default=None)


@element("Find:Find")
class Request:
    """The request. `search_id` names the search whose ranges are asked for one after another (MS-ASCMD_R70981808)."""

    search_id: str = el("Find:SearchId")
    execute: ExecuteSearch = el()


def words_of(query: Element) -> str:
    """The Query of the GAL: text (MS-ASCMD_R6990101756). Raises MalformedXml."""
    if query.children:
        raise MalformedXml("/Find/ExecuteSearch/GalSearchCriterion/Query", "elements where text belongs")
    if len(query.text) > MAX_TEXT:
        raise MalformedXml("/Find/ExecuteSearch/GalSearchCriterion/Query", "is too long")
    return query.text.strip()


@element("Find:Properties")
class EmailProperties:
    """[MS-ASCMD] 2.2.3.139.1, of a message."""

    subject: str | None = el("Email:Subject", default=None)
    date_received: datetime | None = el("Email:DateReceived", default=None)
    display_to: str | None = el("Email:DisplayTo", default=None)
    display_cc: str | None = el("Find:DisplayCc", default=None, since=V14_1)
    display_bcc: str | None = el("Find:DisplayBcc", default=None, since=V14_1)
    importance: Importance | None = el("Email:Importance", default=None)
    read: bool | None = el("Email:Read", default=None)
    is_draft: bool | None = el("Email2:IsDraft", default=None)
    preview: str | None = el("Find:Preview", default=None, since=V14_1)
    has_attachments: bool | None = el("Find:HasAttachments", default=None, since=V14_1)
    sender: str | None = el("Email:From", default=None)


def gal_properties(found: Element) -> Element:
    """Properties of an entry of the directory, from those that Search has of it."""
    return Element(tag("Find:Properties"), found.content)


@element("Find:Result")
class Result:
    """[MS-ASCMD] 2.2.3.155.1. An entry of the directory has neither ids nor class."""

    item_class: str | None = el("AirSync:Class", default=None)
    server_id: str | None = el("AirSync:ServerId", default=None)
    collection_id: str | None = el("AirSync:CollectionId", default=None)
    properties: Element = el("Find:Properties", since=V14_1)


@element("Find:Response")
class Answer:
    """[MS-ASCMD] 2.2.3.153.2."""

    store: str = el("ItemOperations:Store", default=STORE)
    status: Status = el("Find:Status", since=V14_1)
    results: tuple[Result, ...] = el(default=(), since=V14_1)
    range: str | None = el("Find:Range", default=None, since=V14_1)
    total: int | None = el("Find:Total", default=None, since=V14_1)


@element("Find:Find")
class Response:
    """The response. `status` may be a common one."""

    status: int = el("Find:Status", since=V14_0)
    answer: Answer | None = el(default=None, since=V14_1)
