"""Meeting messages: the text/calendar part with a METHOD that makes a message one ([RFC 6047] 2.4).

The part is looked for once, when the message is indexed; where it stands is kept in the index. What cannot be read as
a calendar with an event is an ordinary message with an attachment.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from eas_server.model.mail import TextPart
from eas_server.render import charsets, headers
from eas_server.render.contentlines import Component, MalformedLines, Property, clean, parse
from eas_server.render.headers import Octets
from eas_server.render.meetings.compose import FORWARD_NOTIFICATION, MESSAGE_CLASS
from eas_server.render.structure import Part
from eas_server.render.text import transfer_decode

CALENDAR: Final = "text/calendar"
CONTENT_CLASS: Final = "urn:content-classes:calendarmessage"
MAX_OCTETS: Final = 2 * 1024 * 1024
"""Encoded octets of a part that is read: about 10,000 attendees."""
_MAX_PARTS: Final = 4
"""Calendar parts of one message that are looked into."""
_UTF8: Final = frozenset({"utf-8", "utf8", "ascii", "us-ascii", ""})

REQUEST_CLASS: Final = "IPM.Schedule.Meeting.Request"
CANCELED_CLASS: Final = "IPM.Schedule.Meeting.Canceled"
ACCEPTED_CLASS: Final = "IPM.Schedule.Meeting.Resp.Pos"
TENTATIVE_CLASS: Final = "IPM.Schedule.Meeting.Resp.Tent"
DECLINED_CLASS: Final = "IPM.Schedule.Meeting.Resp.Neg"


class Method(Enum):
    """The methods of [RFC 5546] 1.4 that are understood here."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"
    REPLY = "REPLY"
    COUNTER = "COUNTER"


_ANSWERS: Final = {"ACCEPTED": ACCEPTED_CLASS, "TENTATIVE": TENTATIVE_CLASS, "DECLINED": DECLINED_CLASS}


@dataclass(frozen=True, slots=True)
class MeetingMessage:
    """What a meeting message says."""

    method: Method
    calendar: Component
    """The VCALENDAR with at least one VEVENT."""

    @property
    def events(self) -> tuple[Component, ...]:
        """The events of one UID: those of the first event's."""
        found = self.calendar.components("VEVENT")
        uid = uid_of(found[0])
        return tuple(event for event in found if uid_of(event) == uid)

    @property
    def uid(self) -> str:
        """What the calendar items of the meeting are known by; "" for none."""
        return uid_of(self.calendar.components("VEVENT")[0])

    @property
    def main(self) -> Component:
        """The event that it is about: the series, or the first of the occurrences."""
        events = self.events
        return next((event for event in events if event.first("RECURRENCE-ID") is None), events[0])

    @property
    def occurrences(self) -> tuple[Component, ...]:
        """The events that are single occurrences of a series."""
        return tuple(event for event in self.events if event.first("RECURRENCE-ID") is not None)

    def only(self, event: Component) -> "MeetingMessage":
        """The same of one of its events alone."""
        others = {id(other) for other in self.calendar.components("VEVENT") if other is not event}
        return MeetingMessage(self.method, self.calendar.without(lambda c: id(c) in others))

    @property
    def is_of_occurrences(self) -> bool:
        """Whether nothing is said of the series itself."""
        return self.main.first("RECURRENCE-ID") is not None

    @property
    def message_class(self) -> str | None:
        """[MS-ASEMAIL] 2.2.2.49; None for an answer that says nothing: the message is an ordinary one."""
        match self.method:
            case Method.REQUEST:
                return REQUEST_CLASS
            case Method.CANCEL:
                return CANCELED_CLASS
            case Method.COUNTER:
                return _ANSWERS.get(self._answer, TENTATIVE_CLASS)
            case Method.REPLY:
                return _ANSWERS.get(self._answer)

    @property
    def _answer(self) -> str:
        line = self.main.first("ATTENDEE")
        return ((line and line.param("PARTSTAT")) or "").upper()


def uid_of(event: Component) -> str:
    """The UID of an event as it is compared: some have blanks or a NUL at the end (field note on iOS)."""
    line = event.first("UID")
    return "" if line is None else clean(line.text).strip()


def method_of(message_class: str) -> str:
    """The method of the messages of a class, for calendars that do not name it themselves."""
    return {REQUEST_CLASS: "REQUEST", CANCELED_CLASS: "CANCEL"}.get(message_class, "REPLY")


def named_class(root: Part) -> str | None:
    """The class that a mail of this server gives itself by name, since nothing else in it tells (no calendar part)."""
    value = headers.text(headers.first(root.fields, MESSAGE_CLASS.lower()))
    return FORWARD_NOTIFICATION if value.strip().lower() == FORWARD_NOTIFICATION.lower() else None


# ---- finding


def find(octets: Octets, root: Part) -> tuple[Part, MeetingMessage] | None:
    """The part that makes a message a meeting message, and what it says; None for all other messages."""
    parts = (part for part in root.walk() if part.type == CALENDAR)
    for part, _ in zip(parts, range(_MAX_PARTS), strict=False):
        if not _is_meant(part) or part.end - part.start > MAX_OCTETS:
            continue
        message = read(bytes(octets[part.start : part.end]), text_part(part), method=part.params.get("method", ""))
        if message is not None and message.message_class is not None:
            return part, message
    return None


def _is_meant(part: Part) -> bool:
    """A calendar file that somebody attached is no invitation, unless its type names the method."""
    disposition = headers.parameters(headers.first(part.fields, "content-disposition"))[0]
    return disposition != "attachment" or "method" in part.params


def text_part(part: Part) -> TextPart:
    """How to read a calendar part."""
    charset = part.params.get("charset", "").strip().lower()
    codec = "utf-8" if charset in _UTF8 else charsets.codec(charset)
    return TextPart(start=part.start, end=part.end, encoding=part.encoding, charset=codec, size=0)


# ---- reading


def read(encoded: bytes, part: TextPart, *, method: str = "") -> MeetingMessage | None:
    """The message in the encoded octets of a calendar part; None where there is none that is understood.

    `method`: the one that the part's type names; the calendar's own counts first.
    """
    octets = transfer_decode(encoded, part.encoding)
    if part.charset not in _UTF8:
        octets = charsets.decode(octets, part.charset).encode("utf-8", "surrogateescape")
    calendar = _calendar(octets)
    if calendar is None:
        return None
    try:
        known = Method((calendar.text("METHOD") or method).strip().upper())
    except ValueError:
        return None
    return MeetingMessage(known, calendar.without(_is_method)) if calendar.components("VEVENT") else None


def _is_method(held: Property | Component) -> bool:
    return isinstance(held, Property) and held.is_named("METHOD")


_BEGIN: Final = b"BEGIN:VCALENDAR"
_END: Final = b"END:VCALENDAR"


def _calendar(octets: bytes) -> Component | None:
    """The calendar; what mailing lists and scanners put around it is passed over."""
    for tried in (octets, _cut(octets)):
        try:
            found = parse(tried)
        except MalformedLines:
            continue
        return found if found.is_named("VCALENDAR") else None
    return None


def _cut(octets: bytes) -> bytes:
    upper = octets.upper()
    start, end = upper.find(_BEGIN), upper.find(_END)
    return octets[start : end + len(_END)] if 0 <= start < end else b""
