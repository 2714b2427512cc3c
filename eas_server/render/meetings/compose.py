"""Meeting mail as it goes out: iTIP objects ([RFC 5546]) made of kept events, each in a mail ([RFC 6047]).

    letter = Letter(sender=alice, to=(bob,), now=now, message_id="<1@example.com>")
    octets = compose.request(event, letter)

`event` is always the event as it is kept. What is private stays at home: categories, how busy the user is, what
attendees proposed, and every line that no other program knows. `instance` names one occurrence of a series by its
moment; without it all of the series is meant. All functions raise InvalidItem for octets without an event, and for an
occurrence that the series does not have. The same arguments give the same octets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from eas_server.render.calendar.details import Details, read_details
from eas_server.render.calendar.occurrence_edit import occurrence_of
from eas_server.render.calendar.people import address_of, name_of, same_address
from eas_server.render.calendar.series import Owner, Series, read_series
from eas_server.render.calendar.times import with_zones, write_time
from eas_server.render.contentlines import Component, Property, dump
from eas_server.render.item_body import NO_TEXT, ItemText
from eas_server.render.meetings import words
from eas_server.render.meetings.letter import Contents, Letter, Person, mime, printable
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact
from protocol.items.calendar import AttendeeStatus
from protocol.versions import V16_1

__all__ = [
    "FORWARD_NOTIFICATION",
    "MESSAGE_CLASS",
    "Letter",
    "Person",
    "attendees_of",
    "cancel",
    "counter",
    "forward",
    "forward_notification",
    "has_occurrence",
    "organizer_of",
    "reply",
    "request",
    "summary",
]

PRODUCT: Final = "-//eas-server//EN"
MESSAGE_CLASS: Final = "X-EAS-Message-Class"
"""The header field in which a mail of this server names a MessageClass that its type does not tell."""
FORWARD_NOTIFICATION: Final = "IPM.Notification.Meeting.Forward"
_OF_NOTIFICATIONS: Final = ((MESSAGE_CLASS, FORWARD_NOTIFICATION), ("Auto-Submitted", "auto-generated"))
_NOBODY: Final = Owner()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHARED: Final = _names(
    "UID SEQUENCE CREATED LAST-MODIFIED DTSTART DTEND DURATION RECURRENCE-ID RRULE RDATE EXDATE EXRULE SUMMARY "
    "DESCRIPTION X-ALT-DESC LOCATION X-EAS-LOCATION X-APPLE-STRUCTURED-LOCATION GEO URL CONFERENCE "
    "X-GOOGLE-CONFERENCE CLASS PRIORITY STATUS TRANSP CONTACT RELATED-TO ATTACH X-MICROSOFT-DISALLOW-COUNTER "
    "X-EAS-RECURRENCE"
)
"""What others are told of an event. ORGANIZER, ATTENDEE and DTSTAMP are written anew."""
_NAMES_ITSELF: Final = _names("UID SEQUENCE DTSTART DTEND DURATION RECURRENCE-ID SUMMARY LOCATION CLASS PRIORITY")
"""What an answer says of the event: enough to find it."""
_PARAMS_OF_PEOPLE: Final = _names("CN CUTYPE ROLE PARTSTAT MEMBER DELEGATED-TO DELEGATED-FROM SENT-BY DIR")
_PARTSTAT: Final = {
    AttendeeStatus.ACCEPTED: "ACCEPTED",
    AttendeeStatus.DECLINED: "DECLINED",
    AttendeeStatus.TENTATIVE: "TENTATIVE",
}


# ---- from the organizer


def request(event: bytes, letter: Letter, *, instance: datetime | None = None) -> bytes:
    """An invitation, or the update of one: METHOD:REQUEST with the series and its other occurrences, or with one
    occurrence.
    """
    kept = _Kept.read(event, instance)
    return _mail(letter, kept, "REQUEST", _told(kept, "REQUEST", letter))


def cancel(
    event: bytes, letter: Letter, *, instance: datetime | None = None, attendees: Sequence[Person] | None = None
) -> bytes:
    """A cancellation, of all or of one occurrence: METHOD:CANCEL.

    `attendees`: those for whom alone the meeting is cancelled; None: for all. The SEQUENCE is that of `event`.
    """
    kept = _Kept.read(event, instance)
    return _mail(letter, kept, "CANCEL", [_cancelled(kept, letter, attendees)])


# ---- from an attendee


def reply(
    event: bytes,
    letter: Letter,
    *,
    attendee: Person,
    answer: AttendeeStatus,
    instance: datetime | None = None,
) -> bytes:
    """An answer: METHOD:REPLY with the one attendee. `letter.text` is a comment for the organizer.

    Raises ValueError for an `answer` that is none (UNKNOWN, NOT_RESPONDED).
    """
    kept = _Kept.read(event, instance)
    return _mail(letter, kept, "REPLY", [_answered(kept, letter, attendee, answer)], answer=answer)


def counter(
    event: bytes,
    letter: Letter,
    *,
    attendee: Person,
    start: datetime,
    end: datetime,
    answer: AttendeeStatus = AttendeeStatus.TENTATIVE,
    instance: datetime | None = None,
) -> bytes:
    """A proposal of another time: METHOD:COUNTER with the times `start` and `end` (in UTC), and an answer to the times
    of `event`, which other programs than ours find as `X-MS-OLK-ORIGINALSTART` and `…END`.
    """
    kept = _Kept.read(event, instance)
    zone, is_day = kept.details.zone, kept.details.is_day
    made = _answered(kept, letter, attendee, answer).without_property("DURATION")
    made = made.with_property(write_time("DTSTART", start, zone, is_day=is_day))
    made = made.with_property(write_time("DTEND", end, zone, is_day=is_day))
    made = made.with_added(
        Property("X-MS-OLK-ORIGINALSTART", format_compact(kept.details.start)),
        Property("X-MS-OLK-ORIGINALEND", format_compact(kept.details.end)),
    )
    return _mail(letter, kept, "COUNTER", [made], answer=answer)


def forward_notification(
    event: bytes, letter: Letter, *, forwardees: Sequence[Person], instance: datetime | None = None
) -> bytes:
    """Tells the organizer to whom `letter.sender` forwarded the meeting; for people, so that it has no iTIP object."""
    kept = _Kept.read(event, instance)
    text = letter.text or ItemText(words.forwarded_text(letter.sender, forwardees, kept.events[0], kept.details))
    subject = letter.subject or words.NOTIFICATION + (kept.events[0].text("SUMMARY") or "")
    return mime(letter, Contents(subject=subject, text=text, fields=_OF_NOTIFICATIONS))


def forward(
    event: bytes,
    letter: Letter,
    *,
    instance: datetime | None = None,
    added: Sequence[Person] = (),
    on_top: ItemText = NO_TEXT,
) -> bytes:
    """An event as somebody sends it on, with their own words on top: a REQUEST where others are invited, whom the
    `added` ones join, else a PUBLISH.
    """
    kept = _Kept.read(event, instance)
    method = "REQUEST" if kept.is_meeting else "PUBLISH"
    subject = kept.events[0].text("SUMMARY") or ""
    text = words.on_top(on_top, words.text_of(kept.events[0], kept.details))
    told = replace(letter, text=letter.text or text, subject=letter.subject or words.FORWARDED + subject)
    return _mail(told, kept, method, _told(kept, method, letter, added=added))


# ---- questions


def has_occurrence(event: bytes, instance: datetime) -> bool | None:
    """Whether the event has an occurrence of that name that is not deleted; None: it does not recur at all."""
    series = read_series(event, _NOBODY)
    if not series.recurs:
        return None
    key = series.key_of(instance, V16_1)
    return key not in series.deleted and series.is_occurrence(key)


def organizer_of(event: bytes) -> Person | None:
    """Who organizes the event."""
    return _Kept.read(event, None).organizer


def attendees_of(event: bytes, *, instance: datetime | None = None) -> tuple[Person, ...]:
    """Who is invited."""
    lines = _Kept.read(event, instance).events[0].all("ATTENDEE")
    return tuple(Person(address=address_of(line), name=name_of(line)) for line in lines)


def summary(event: bytes, *, instance: datetime | None = None) -> str:
    """What people want to know of an event: its subject, when, where, and its text."""
    kept = _Kept.read(event, instance)
    return words.details_text(kept.events[0], kept.details)


# ---- the kept event


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The event, or the occurrence, that a mail is about."""

    series: Series
    events: tuple[Component, ...]
    """The VEVENTs of which others are told; the first is what the mail is about."""
    details: Details
    """What the first of them says."""

    @classmethod
    def read(cls, event: bytes, instance: datetime | None) -> "_Kept":
        series = read_series(event, _NOBODY)
        if instance is None or series.is_orphan:
            return cls(series=series, events=(series.master, *series.overrides), details=series.details)
        key = series.key_of(instance, V16_1)
        if not series.recurs or not series.is_occurrence(key):
            raise InvalidItem("no occurrence of the series")
        occurrence = occurrence_of(series, key)
        return cls(series=series, events=(occurrence,), details=read_details(occurrence, series.zones))

    @property
    def organizer(self) -> Person | None:
        line = self.events[0].first("ORGANIZER") or self.series.master.first("ORGANIZER")
        return None if line is None else Person(address=address_of(line), name=name_of(line))

    @property
    def is_meeting(self) -> bool:
        return any(event.first("ATTENDEE") is not None for event in self.events)


# ---- iTIP


def _told(kept: _Kept, method: str, letter: Letter, *, added: Sequence[Person] = ()) -> list[Component]:
    """The events as others are told of them."""
    organizer = kept.organizer or letter.sender
    found = []
    for held in kept.events:
        made = _named(held, _SHARED, letter.now).with_added(*_intended(held), _organizer(organizer))
        if method == "REQUEST":
            asks = read_details(held, kept.series.zones).response_requested is not False
            own = (_invited(line, organizer, asks=asks) for line in held.all("ATTENDEE"))
            made = made.with_added(*own, *_fresh(held, added), *_alarm(held))
        found.append(made)
    return found


def _named(event: Component, names: frozenset[str], now: datetime) -> Component:
    """A VEVENT with some of the lines of another one."""
    lines = tuple(line for line in event.properties if line.name.upper() in names)
    made = Component("VEVENT", lines).with_added(Property("DTSTAMP", format_compact(now)))
    return made if made.first("SEQUENCE") is not None else made.with_added(Property("SEQUENCE", "0"))


def _intended(event: Component) -> list[Property]:
    """How busy the meeting is meant to make people, for Outlook."""
    line = event.first("X-MICROSOFT-CDO-BUSYSTATUS")
    return [] if line is None else [Property("X-MICROSOFT-CDO-INTENDEDSTATUS", line.value)]


def _alarm(event: Component) -> list[Component]:
    """The organizer's reminder, as Outlook sends it along: who has no reminders of their own gets this one."""
    alarm = next((a for a in event.components("VALARM") if (a.text("ACTION") or "").upper() == "DISPLAY"), None)
    trigger = None if alarm is None else alarm.first("TRIGGER")
    if trigger is None:
        return []
    lines = (Property("ACTION", "DISPLAY"), Property("DESCRIPTION", "Reminder"), trigger)
    return [Component("VALARM", lines)]


def _organizer(person: Person) -> Property:
    return _line_of("ORGANIZER", person)


def _line_of(name: str, person: Person) -> Property:
    shown = printable(person.name)
    return Property(name, f"mailto:{printable(person.address)}", (("CN", (shown,)),) if shown else ())


def _invited(line: Property, organizer: Person, *, asks: bool) -> Property:
    """An attendee as all attendees are told: without what was proposed, and what else is between two."""
    params = tuple(param for param in line.params if param[0].upper() in _PARAMS_OF_PEOPLE)
    made = Property("ATTENDEE", line.value, params)
    if made.param("ROLE") is None:
        made = made.with_param("ROLE", "REQ-PARTICIPANT")
    if same_address(address_of(line), organizer.address):
        return made
    if made.param("PARTSTAT") is None:
        made = made.with_param("PARTSTAT", "NEEDS-ACTION")
    return made.with_param("RSVP", "TRUE" if asks else "FALSE")


def _fresh(event: Component, added: Iterable[Person]) -> list[Property]:
    """Lines of attendees whom the event does not have."""
    held = {address_of(line).casefold() for line in event.all("ATTENDEE")}
    lines = []
    for person in added:
        if person.address.casefold() not in held:
            held.add(person.address.casefold())
            line = _line_of("ATTENDEE", person).with_param("ROLE", "REQ-PARTICIPANT")
            lines.append(line.with_param("PARTSTAT", "NEEDS-ACTION").with_param("RSVP", "TRUE"))
    return lines


def _cancelled(kept: _Kept, letter: Letter, attendees: Sequence[Person] | None) -> Component:
    held = kept.events[0]  # a series goes with its occurrences
    made = _named(held, _SHARED, letter.now).with_text("STATUS", "CANCELLED")
    made = made.with_added(_organizer(kept.organizer or letter.sender))
    if attendees is not None:
        return made.with_added(*(_line_of("ATTENDEE", person) for person in attendees))
    lines = (Person(address=address_of(line), name=name_of(line)) for line in held.all("ATTENDEE"))
    return made.with_added(*(_line_of("ATTENDEE", person) for person in lines))


def _answered(kept: _Kept, letter: Letter, attendee: Person, answer: AttendeeStatus) -> Component:
    """The event as an attendee speaks of it: enough to find it, the answer, and the comment."""
    if answer not in _PARTSTAT:
        raise ValueError(f"{answer.name} is no answer")
    held = kept.events[0]
    made = _named(held, _NAMES_ITSELF, letter.now)
    organizer = kept.organizer
    if organizer is not None:
        made = made.with_added(_organizer(organizer))
    made = made.with_added(_line_of("ATTENDEE", attendee).with_param("PARTSTAT", _PARTSTAT[answer]))
    comment = letter.text.plain.strip() if letter.text is not None else ""
    return made.with_text("COMMENT", comment) if comment else made


def _itip(method: str, kept: _Kept, events: Sequence[Component], now: datetime) -> bytes:
    """The object with the time zones that it names."""
    used = {name for event in events for line in event.properties for name in line.all_of("TZID")}
    zones = tuple(z for z in kept.series.calendar.components("VTIMEZONE") if z.text("TZID") in used)
    lines = (Property("PRODID", PRODUCT), Property("VERSION", "2.0"), Property("METHOD", method))
    calendar = Component("VCALENDAR", (*lines, *zones, *events))
    missing = [zone for zone in (kept.details.zone, kept.series.details.zone) if zone.name in used]
    return dump(with_zones(calendar, missing, now.year))


def _mail(
    letter: Letter, kept: _Kept, method: str, events: Sequence[Component], answer: AttendeeStatus | None = None
) -> bytes:
    subject = letter.subject
    if subject is None:
        subject = words.subject_of(method, kept.events[0].text("SUMMARY") or "", answer)
    text = letter.text
    if text is None:
        text = ItemText() if answer is not None else words.text_of(kept.events[0], kept.details)
    contents = Contents(
        subject=subject,
        text=text,
        calendar=_itip(method, kept, events, letter.now),
        method=method,
        fields=(("Content-Class", "urn:content-classes:calendarmessage"),),
    )
    return mime(letter, contents)
