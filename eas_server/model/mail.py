"""Folders, items, and what is known of a message without reading it again."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Final

from eas_server.model.blob import Blob
from eas_server.model.ids import CollectionId, ItemId, Revision
from eas_server.model.rights import Protection


class FolderType(IntEnum):
    """[MS-ASCMD] 2.2.3.186.3, Type (FolderSync)."""

    USER_GENERIC = 1
    INBOX = 2
    DRAFTS = 3
    DELETED_ITEMS = 4
    SENT_ITEMS = 5
    OUTBOX = 6
    TASKS = 7
    CALENDAR = 8
    CONTACTS = 9
    NOTES = 10
    JOURNAL = 11
    USER_MAIL = 12
    USER_CALENDAR = 13
    USER_CONTACTS = 14
    USER_TASKS = 15
    USER_JOURNAL = 16
    USER_NOTES = 17
    UNKNOWN = 18
    RECIPIENT_INFORMATION_CACHE = 19


class ItemClass(Enum):
    """The class of a collection's content, [MS-ASCMD] 2.2.3.27.5."""

    EMAIL = "Email"
    CALENDAR = "Calendar"
    CONTACTS = "Contacts"
    TASKS = "Tasks"
    NOTES = "Notes"


_CLASSES: Final = {
    FolderType.TASKS: ItemClass.TASKS,
    FolderType.USER_TASKS: ItemClass.TASKS,
    FolderType.CALENDAR: ItemClass.CALENDAR,
    FolderType.USER_CALENDAR: ItemClass.CALENDAR,
    FolderType.CONTACTS: ItemClass.CONTACTS,
    FolderType.USER_CONTACTS: ItemClass.CONTACTS,
    FolderType.RECIPIENT_INFORMATION_CACHE: ItemClass.CONTACTS,
    FolderType.NOTES: ItemClass.NOTES,
    FolderType.USER_NOTES: ItemClass.NOTES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of the hierarchy. `revision` changes with name, parent and type, never with the content."""

    id: CollectionId
    parent: CollectionId
    name: str
    type: FolderType
    revision: Revision

    @property
    def item_class(self) -> ItemClass:
        """What the folder holds; mail unless the type says otherwise."""
        return _CLASSES.get(self.type, ItemClass.EMAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    """A text/plain or text/html part of a message: where its encoded octets stand, and how to read them."""

    start: int
    end: int
    """Octet offsets into the indexed octets, end exclusive; the transfer-encoded content without its header."""
    encoding: str
    """The content-transfer-encoding in lower case: `7bit`, `8bit`, `binary`, `base64`, `quoted-printable`."""
    charset: str
    """A codec name that Python knows."""
    size: int
    """The size of the decoded text in octets of UTF-8 (EstimatedDataSize)."""
    wrapped: bool = False
    """The octets are an opaque-signed CMS message, and the text is a part of what it carries."""


class AttachmentMethod(IntEnum):
    """[MS-ASAIRS] 2.2.2.27 Method."""

    NORMAL = 1
    EMBEDDED_MESSAGE = 5
    OLE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that clients show as an attachment. Offsets as in TextPart; `size` in decoded octets."""

    start: int
    end: int
    encoding: str
    size: int
    name: str
    content_type: str
    content_id: str = ""
    content_location: str = ""
    inline: bool = False
    method: AttachmentMethod = AttachmentMethod.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIndex:
    """What Sync, Search and the preview need of a message: read once, at delivery, and stored beside it."""

    size: int
    """The size of the indexed octets."""
    subject: str = ""
    sender: str = ""
    """The From header as the wire wants it: `"Alice" <alice@example.com>`."""
    sending_agent: str = ""
    """The Sender header where it differs from From, else ""."""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""
    display_to: str = ""
    """Display names of the To recipients, separated by ";"."""
    date: datetime | None = None
    """The Date header in UTC."""
    message_id: str = ""
    """With its angle brackets, or ""."""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    thread_topic: str = ""
    """The subject without `Re:`, `Fwd:` and their like."""
    importance: int = 1
    """0 low, 1 normal, 2 high ([MS-ASEMAIL] 2.2.2.38)."""
    message_class: str = "IPM.Note"
    """[MS-ASEMAIL] 2.2.2.49; decided by the top-level MIME type alone."""
    content_class: str = "urn:content-classes:message"
    codepage: int = 65001
    """The Windows code page of the original body (InternetCPID)."""
    native_body_type: int | None = None
    """1 text, 2 HTML; None where the content is encrypted and nobody can tell ([MS-ASAIRS] 2.2.2.32)."""
    plain: TextPart | None = None
    html: TextPart | None = None
    calendar: TextPart | None = None
    """The part that makes it a meeting message (`render.meetings.itip`); of no other message."""
    preview: str = ""
    """The beginning of the text, up to PREVIEW_LENGTH characters, as text/plain."""
    text_size: int = 0
    """The size of the whole plain text in octets of UTF-8."""
    attachments: tuple[Attachment, ...] = ()
    conversation_index: bytes = b""
    """[MS-ASEMAIL] 2.2.2.22: the header block and one child block a reply."""
    conversation_id: bytes = b""
    """16 octets that all messages of a conversation share."""
    receipt_requested: bool = False
    received_as_bcc: bool = False
    """The user is named in Bcc alone ([MS-ASEMAIL] 2.2.2.59): known of mail that was sent here."""
    takes_place: tuple[int, int, int] | None = None
    """Of an event that does not come back: its begin and end in seconds since 1970 UTC, and its BusyStatus."""
    has_nul: bool = False
    """Whether there is a NUL octet, which no inline string can carry."""
    protection: Protection | None = None
    """What its sender restricted it to. Nothing that stands in the message itself can say so: only this server does."""
    broken: str = ""
    """Why the message could not be read as MIME, "" where it could. Such a message is shown as plain text."""

    @property
    def smime(self) -> bool:
        """Whether the whole message is signed or encrypted by S/MIME (field of MIMESupport 1)."""
        return self.message_class.upper().startswith("IPM.NOTE.SMIME")


PREVIEW_LENGTH: Final = 1024
"""How many characters of the text are kept in the index; previews and truncated bodies up to this cost no read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A follow-up flag, [MS-ASEMAIL] 2.2.2.34. Instants in UTC; None where the client gave none."""

    status: int = 2
    """0 cleared, 1 complete, 2 active."""
    type: str = ""
    subject: str | None = None
    start: datetime | None = None
    utc_start: datetime | None = None
    due: datetime | None = None
    utc_due: datetime | None = None
    completed: datetime | None = None
    date_completed: datetime | None = None
    reminder_set: bool | None = None
    reminder_time: datetime | None = None
    ordinal_date: datetime | None = None
    sub_ordinal_date: str | None = None


class Verb(IntEnum):
    """[MS-ASEMAIL] 2.2.2.43 LastVerbExecuted."""

    UNKNOWN = 0
    REPLY_TO_SENDER = 1
    REPLY_TO_ALL = 2
    FORWARD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """What users change of a message without changing its content."""

    read: bool = False
    flag: Flag | None = None
    categories: tuple[str, ...] = ()
    verb: Verb | None = None
    verb_time: datetime | None = None


class Keep(Enum):
    """Stands where a change leaves a field as it is."""

    KEEP = 0


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """Which fields of ItemState to set; KEEP leaves one alone."""

    read: bool | Keep = KEEP
    flag: Flag | Keep | None = KEEP
    categories: tuple[str, ...] | Keep = KEEP
    verb: Verb | Keep = KEEP
    verb_time: datetime | Keep = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The Revision at which each part of an item last changed: what a Change has to carry follows from it."""

    content: Revision
    read: Revision
    flag: Revision
    categories: Revision
    verb: Revision
    """LastVerbExecuted and its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a listing or of a change feed."""

    id: ItemId
    revision: Revision
    received: int
    """The instant that orders and filters the collection, in seconds since 1970 UTC."""
    present: bool = True
    """False: the item has left the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item as the store holds it. `content` is the whole item as it goes out, trace headers included."""

    id: ItemId
    revision: Revision
    changed: Changed
    received: datetime
    index: MessageIndex
    state: ItemState
    content: Blob
    index_offset: int = 0
    """Where the indexed octets begin in `content`: the length of the trace headers on top."""
    inside: "Item | None" = None
    """Of a protected item that goes sealed: the item itself, for `commands.rights` to decide who may see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message on its way into a collection."""

    content: Blob
    index: MessageIndex
    text: str
    """The words to search in: subject, addresses, body."""
    received: datetime
    trace: bytes = b""
    """Header lines that delivery puts on top, each ended by CRLF."""
    state: ItemState = field(default_factory=ItemState)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What a mailbox search asks for; all given conditions hold together."""

    words: str = ""
    collections: tuple[CollectionId, ...] | None = None
    """None: all folders with mail."""
    since: datetime | None = None
    before: datetime | None = None
    conversation_id: bytes | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """An item that a search found."""

    collection: CollectionId
    id: ItemId
