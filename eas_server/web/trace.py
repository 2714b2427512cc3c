"""The traffic of one device as readable text, while the administrator wants it: what was asked, answered, and when.

Nothing of what people write, and no password, gets into it: texts and octets are shown of the elements and headers
only that are named here, of all others how long they are.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from eas_server.errors import NoSuchThing
from eas_server.model.device import Device
from eas_server.model.ids import DeviceId, UserId
from eas_server.web.log import RequestRecord
from protocol import wbxml
from protocol.elements import Buffer, Element, Inline, Opaque, size_of
from protocol.errors import MalformedRequest
from protocol.http import CommandLine
from protocol.xmltext import to_xml

log = logging.getLogger(__name__)

FOLDER: Final = "traces"
MAX_OCTETS: Final = 4 * 1024 * 1024
"""Of a trace; then it is put aside, in the place of the one before it, and another begins."""
MAX_TEXT: Final = 120
"""Characters of a text that is shown."""
MAX_ELEMENTS: Final = 5000
"""Elements of a document that are shown: a large answer is none that anybody reads to its end."""
_LONGEST_NAME: Final = 200
_UNDECODED: Final = 512 * 1024
"""Octets of a body beyond which it is not read a second time for the trace."""

_PAGES: Final = frozenset(("Move", "GetItemEstimate", "Ping", "Provision"))
"""Namespaces that hold nothing of people: what they say is shown whole."""
_CONTAINER: Final = "Data"
"""Of Provision: text in it is none that the protocol knows."""
_NAMES: Final = """
    SyncKey ClientId ServerId Status Class CollectionId GetChanges MoreAvailable WindowSize FilterType Truncation
    Conflict DeletesAsMoves SoftDelete MIMESupport MIMETruncation Wait Limit Partial ConversationMode MaxItems
    HeartbeatInterval ParentId Type Count DateReceived Importance MessageClass Read AllDayEvent DtStamp EndTime
    StartTime
    InstanceType BusyStatus ResponseRequested Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear
    Sensitivity InternetCPID ContentClass CompleteTime DisallowNewTimeProposal Deleted ExceptionStartTime MeetingStatus
    AttendeeStatus AttendeeType AppointmentReplyTime ResponseType CalendarType IsLeapMonth FirstDayOfWeek Reminder
    RequestId UserResponse InstanceId ProposedStartTime ProposedEndTime CalendarId Complete DateCompleted DueDate
    UtcDueDate Start Regenerate DeadOccur ReminderSet ReminderTime StartDate UtcStartDate OrdinalDate SubOrdinalDate
    RecipientCount CertificateRetrieval MaxCertificates MaxAmbiguousRecipients CertificateCount MaxSize MaxPictures
    CheckCRL Range Total DeepTraversal LongId RebuildResults ConversationId TruncationSize AllOrNone EstimatedDataSize
    Truncated FileReference Method ContentId IsInline NativeBodyType ContentType OofState Enabled BodyType Model OS
    OSLanguage UserAgent EnableOutboundSMS IsFolder CreationDate LastModifiedDate IsHidden ContentLength Version Schema
    Part DeleteSubFolders DstFldId MoveAlways SaveInSentItems ReplaceMime FolderId ItemId AccountId LastVerbExecuted
    LastVerbExecutionTime ReceivedAsBcc MeetingMessageType IsDraft Send RightsManagementSupport EditAllowed ReplyAllowed
    ReplyAllAllowed ForwardAllowed ModifyRecipientsAllowed ExtractAllowed PrintAllowed ExportAllowed
    ProgrammaticAccessAllowed ContentExpiryDate TemplateID SearchId HasAttachments Store
    """
_SHOWN: Final = frozenset(_NAMES.split())
"""Names of elements whose text is shown: ids, states, sizes, dates."""
_HEADERS: Final = frozenset(
    (
        b"accept-encoding",
        b"accept-language",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"ms-asacceptmultipart",
        b"ms-asprotocolversion",
        b"transfer-encoding",
        b"user-agent",
        b"x-ms-policykey",
    )
)


def redacted(root: Element) -> Element:
    """The document with nothing in it that people wrote; its end is missing where it is long."""
    left = MAX_ELEMENTS
    top = Element(root.tag)
    stack = [(root, top)]
    while stack:
        source, copy = stack.pop()
        children = source.children
        if not children:
            copy.content = _shown(source)
            continue
        kept = children[: max(left, 0)]
        left -= len(kept)
        pairs = [(child, Element(child.tag)) for child in kept]
        copy.content = [made for _, made in pairs] or f"[{len(children)} elements]"
        stack.extend(reversed(pairs))
    return top


def _shown(element: Element) -> str | None:
    content = element.content
    if content is None or isinstance(content, list):
        return None
    if isinstance(content, (Opaque, Inline)):
        return f"[{size_of(content.octets)} octets]"
    if element.tag.name in _SHOWN or (element.tag.namespace in _PAGES and element.tag.name != _CONTAINER):
        return content
    return f"[{len(content)} characters]"


def document(body: Buffer) -> str:
    """The body of a request as text."""
    if not len(body):
        return "(no body)\n"
    if len(body) > _UNDECODED:
        return f"[{len(body)} octets]\n"
    try:
        return _xml(wbxml.decode(body))
    except MalformedRequest as error:
        return f"[{len(body)} octets that are no WBXML: {_plain(str(error))}]\n"


def _xml(root: Element) -> str:
    return to_xml(redacted(root), max_text=MAX_TEXT)


def _plain(text: str) -> str:
    """A text that breaks no line and moves no cursor."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def headers_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The headers of a request, a line each."""
    lines = []
    for name, value in headers:
        shown = value.decode("latin-1") if name.lower() in _HEADERS else f"[{len(value)} octets]"
        lines.append(f"{_plain(name.decode('latin-1'))}: {_plain(shown)}\n")
    return "".join(lines)


_LINE_FIELDS: Final = ("collection_id", "item_id", "parent_id", "occurrence", "save_in_sent", "accept_multipart")
"""What of the query is shown beside command, device and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A request of a device that is traced."""

    traces: "Traces"
    device: Device
    record: RequestRecord

    async def begin(
        self, headers: Iterable[tuple[bytes, bytes]], line: CommandLine, body: Buffer, now: datetime
    ) -> None:
        """Write down what was asked."""
        record, device = self.record, self.device
        said = [f"{name}={getattr(line, name)}" for name in _LINE_FIELDS if getattr(line, name)]
        head = f"=== {_moment(now)} {record.id} {record.command} at {record.version} from {record.address}"
        whose = f"{device.user} {device.id} {line.device_type}"
        text = f"{head}\n{_plain(whose)}\n{_plain(' '.join(said))}\n" if said else f"{head}\n{_plain(whose)}\n"
        await self.traces.write(device, f"{text}{headers_of(headers)}{document(body)}\n")

    async def end(self, answer: Element | None, milliseconds: float) -> None:
        """Write down what was answered; `answer` is the document, where there is one."""
        record = self.record
        note = f" ({_plain(record.note)})" if record.note else ""
        head = f"--- {_moment(datetime.now(UTC))} {record.id} HTTP {record.status}, {record.sent} octets, "
        text = _xml(answer) if answer is not None else ""
        await self.traces.write(self.device, f"{head}{milliseconds:.1f} ms{note}\n{text}\n")


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Traces:
    """The traces of all devices: files in a folder that belongs to the server's user alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = asyncio.Lock()
        """Of two requests of a device each writes whole."""

    def path(self, user: UserId, device: DeviceId) -> Path:
        """The file of a device."""
        return path_of(self._folder, user, device)

    def of(self, device: Device, record: RequestRecord, now: datetime) -> Traced | None:
        """How a request of the device is written down; None: it is not."""
        if device.trace_until is None or now >= device.trace_until:
            return None
        return Traced(traces=self, device=device, record=record)

    async def write(self, device: Device, text: str) -> None:
        """Add a text to the trace of a device. A trace that cannot be written is no reason to fail a request."""
        path = self.path(device.user, device.id)
        octets = text.encode("utf-8", "backslashreplace")
        try:
            async with self._lock:
                await asyncio.to_thread(_append, path, octets)
        except OSError as error:
            log.warning("the trace of %s of %s cannot be written: %s", device.id, device.user, error)

    async def read(self, user: UserId, device: DeviceId) -> str:
        """The trace of a device. Raises NoSuchThing."""
        try:
            octets = await asyncio.to_thread(self.path(user, device).read_bytes)
        except FileNotFoundError:
            raise NoSuchThing(
                f"there is no trace of {device} of {user}: switch it on, and let the device come"
            ) from None
        return octets.decode("utf-8", "replace")


def path_of(folder: Path, user: str, device: str) -> Path:
    """The file of a device's trace; "+" stands in neither half of its name."""
    name = f"{quote(user, safe='@')}+{quote(device, safe='')}"
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return folder / f"{name}.trace"


def _append(path: Path, octets: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size + len(octets) > MAX_OCTETS:
            path.replace(path.with_suffix(".old"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(octets)
