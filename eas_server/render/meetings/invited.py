"""The attendee's copy of a meeting: what invitations and updates make of the user's calendar item.

The item is the organizer's event with what is the user's own: the answer, the reminder, categories, notes. What the
organizer last said is told from that by two lines: X-EAS-INVITATION-STAMP, the DTSTAMP of it (a device's change writes
another DTSTAMP), and X-EAS-INVITATION-TEXT, the digest of its text.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from eas_server.render.calendar.details import Details, read_details, with_details
from eas_server.render.calendar.occurrence_edit import restored
from eas_server.render.calendar.people import address_of, answered
from eas_server.render.calendar.series import Owner, Series, series_of
from eas_server.render.calendar.times import Zones, read_time
from eas_server.render.contentlines import Component, Property, dump
from eas_server.render.meetings.itip import MeetingMessage
from eas_server.render.objects import moment_of
from protocol.datatypes import format_compact
from protocol.items.calendar import AttendeeStatus, MeetingStatus, ResponseType
from protocol.items.email import BusyStatus

STAMP: Final = "X-EAS-INVITATION-STAMP"
TEXT: Final = "X-EAS-INVITATION-TEXT"
INTENDED: Final = "X-MICROSOFT-CDO-INTENDEDSTATUS"
"""How busy the organizer means the meeting to make people."""
MAX_ATTENDEES: Final = 500
"""Attendees that a copy keeps: phones get them with each change. The user's own line is always among them."""
STATUS_OF: Final = {
    ResponseType.ACCEPTED: AttendeeStatus.ACCEPTED,
    ResponseType.TENTATIVE: AttendeeStatus.TENTATIVE,
    ResponseType.DECLINED: AttendeeStatus.DECLINED,
}
"""How the answers of a user stand among the attendees."""
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_MAX_SEQUENCE: Final = 10
"""Digits."""
_BUSY: Final = {
    "FREE": BusyStatus.FREE,
    "TENTATIVE": BusyStatus.TENTATIVE,
    "BUSY": BusyStatus.BUSY,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": BusyStatus.ELSEWHERE,
}
_NAMES: Final = {status: name for name, status in _BUSY.items()}
_FOREIGN: Final = frozenset({"X-EAS-LOCATION", "X-EAS-RECURRENCE"})
"""Lines of this server that may come by mail; its others are nobody else's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who got a meeting message, from whom, and when."""

    owner: Owner
    senders: tuple[str, ...]
    """The addresses of From and Sender."""
    now: datetime


def intended_busy(event: Component) -> BusyStatus:
    """How busy the organizer means the meeting to make people (MS-ASEMAIL_R262, R270)."""
    said = _BUSY.get((event.text(INTENDED) or "").strip().upper())
    if said is not None:
        return said
    if (event.text("TRANSP") or "").strip().upper() == "TRANSPARENT":
        return BusyStatus.FREE
    # Outlook writes TENTATIVE here into each invitation, since the attendee's copy begins so
    shown = _BUSY.get((event.text("X-MICROSOFT-CDO-BUSYSTATUS") or "").strip().upper())
    return shown if shown in {BusyStatus.OUT_OF_OFFICE, BusyStatus.ELSEWHERE} else BusyStatus.BUSY


def own_line(event: Component, owner: Owner) -> Property | None:
    """The user's line among the attendees."""
    return next((line for line in event.all("ATTENDEE") if owner.is_me(address_of(line))), None)


# ---- who says it, and when


def speakers(line: Property | None) -> frozenset[str]:
    """Whoever may speak for a person, case folded: the person, and whoever sends in the person's name.

    Some calendars name a machine's address, and the person's in EMAIL.
    """
    if line is None:
        return frozenset()
    others = (Property("", line.param(name) or "") for name in ("EMAIL", "SENT-BY"))
    named = (address_of(one).strip().casefold() for one in (line, *others))
    return frozenset(address for address in named if address)


def speaks_for(line: Property | None, senders: Iterable[str]) -> bool:
    """Whether a mail of these senders comes from the person of a line."""
    return not speakers(line).isdisjoint(sender.strip().casefold() for sender in senders)


def sequence_of(event: Component) -> int:
    said = (event.text("SEQUENCE") or "").strip()
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= _MAX_SEQUENCE else 0


def age_of(event: Component) -> tuple[int, datetime]:
    """How new it is what the organizer says ([RFC 5546] 2.1.5): SEQUENCE, then DTSTAMP."""
    return sequence_of(event), moment_of(event.first(STAMP)) or moment_of(event.first("DTSTAMP")) or _NEVER


# ---- invitations


def accepts_request(message: MeetingMessage, owner: Owner) -> bool:
    """Whether an invitation is for the user: not the user's own, and one that can be found again."""
    line = message.main.first("ORGANIZER")
    return bool(message.uid) and not (line is not None and owner.is_me(address_of(line)))


def invite(held: Series | None, message: MeetingMessage, reader: Reader) -> bytes | None:
    """The user's item after an invitation; `held`: the item of the same meeting, None where there is none yet.

    An invitation to single occurrences of a series that is held changes these. None: nothing changes, since it is older
    than what is held, or not from its organizer. Raises InvalidItem for an event without a beginning.
    """
    fresh = series_of(_own_calendar(message), reader.owner)
    if held is None:
        return dump(_as_new(fresh, reader))
    if not speaks_for(held.master.first("ORGANIZER"), reader.senders):
        return None
    if message.is_of_occurrences and not held.is_orphan:
        done = _with_occurrences(held, fresh, reader)
    elif age_of(message.main) <= age_of(held.master):
        return None
    else:
        done = _Update(held, fresh, reader).calendar()
    return None if dump(done) == dump(held.calendar) else dump(done)


def _own_calendar(message: MeetingMessage) -> Component:
    """The events of the meeting and the zones, without lines that only this server writes."""
    events = {id(event): event.without(_is_private) for event in message.events}
    calendar = message.calendar
    contents = [events.get(id(c), c) for c in calendar.contents if id(c) in events or not _is_other(c)]
    return replace(calendar, contents=tuple(contents))


def _is_other(held: Property | Component) -> bool:
    return isinstance(held, Component) and not held.is_named("VTIMEZONE")


def _is_private(line: Property | Component) -> bool:
    name = line.name.upper()
    return isinstance(line, Property) and name.startswith("X-EAS-") and name not in _FOREIGN


def _as_new(fresh: Series, reader: Reader) -> Component:
    calendar = fresh.calendar
    for event in (fresh.master, *fresh.overrides):
        received = _received(event, reader)
        said = read_details(received, fresh.zones)
        calendar = calendar.replaced(event, with_details(received, said, _unanswered(said, received)))
    return calendar


def _received(event: Component, reader: Reader) -> Component:
    """The organizer's event, ready to become the user's: with what later messages are compared with."""
    if event.first("ORGANIZER") is None and reader.senders:
        event = event.with_added(Property("ORGANIZER", f"mailto:{reader.senders[0]}"))
    event = _with_fewer_attendees(event, reader.owner)
    event = event.with_text(INTENDED, _NAMES[intended_busy(event)]).with_text(TEXT, _digest(event))
    stamp = moment_of(event.first("DTSTAMP"))
    return event.with_text(STAMP, None if stamp is None else format_compact(stamp))


def _with_fewer_attendees(event: Component, owner: Owner) -> Component:
    lines = event.all("ATTENDEE")
    if len(lines) <= MAX_ATTENDEES:
        return event
    mine = own_line(event, owner)
    first = [] if mine is None else [mine]
    others = [line for line in lines if line is not mine]
    kept = {id(line) for line in (*first, *others[: MAX_ATTENDEES - len(first)])}
    return event.without(lambda c: isinstance(c, Property) and c.is_named("ATTENDEE") and id(c) not in kept)


def _digest(event: Component) -> str:
    return hashlib.sha256((event.text("DESCRIPTION") or "").encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _unanswered(said: Details, event: Component) -> Details:
    """What the item says before the user has answered."""
    intended = intended_busy(event)
    return replace(
        said,
        busy=intended if intended is BusyStatus.FREE else BusyStatus.TENTATIVE,
        meeting_status=MeetingStatus.CANCELLED_RECEIVED if said.cancelled else MeetingStatus.RECEIVED,
        response_type=ResponseType.NOT_RESPONDED,
        reply_time=None,
    )


# ---- updates


@dataclass(frozen=True, slots=True)
class _Own:
    """What is the user's in an event that is held."""

    details: Details
    """The event as it is."""
    has_notes: bool
    """Whether its text is the user's."""

    @classmethod
    def of(cls, event: Component, details: Details) -> "_Own":
        return cls(details, event.text(TEXT) not in {None, _digest(event)})

    def merged(self, event: Component, zones: Zones, reader: Reader, *, asked_again: bool) -> Component:
        """The organizer's event with it."""
        before = self.details
        arrived = _received(event, reader)
        said = read_details(arrived, zones)
        new = replace(
            _unanswered(said, arrived),
            reminder=before.reminder,
            categories=before.categories,
            text=before.text if self.has_notes else said.text,
            sensitivity=said.sensitivity if before.sensitivity is None else before.sensitivity,
        )
        answer = None if asked_again or before.cancelled or before.response_type is None else before.response_type
        if answer in STATUS_OF:
            new = replace(new, busy=before.busy, response_type=answer, reply_time=before.reply_time)
            mine = own_line(arrived, reader.owner)
            if mine is not None:
                arrived = arrived.replaced(mine, answered(mine, STATUS_OF[answer]))
                status = read_details(arrived, zones).attendees
                said, new = replace(said, attendees=status), replace(new, attendees=status)
        return with_details(arrived, said, new)


class _Update:
    """The organizer's series with what is the user's own in the one that is held."""

    def __init__(self, held: Series, fresh: Series, reader: Reader) -> None:
        self._held, self._fresh, self._reader = held, fresh, reader
        self._moved = _when(held) != _when(fresh)

    def calendar(self) -> Component:
        held, fresh = self._held, self._fresh
        own = _Own.of(held.master, held.details)
        master = own.merged(fresh.master, fresh.zones, self._reader, asked_again=self._moved)
        if not self._moved:  # what the user declined stays away
            known = {line.value for line in fresh.master.all("EXDATE")}
            master = master.with_added(*(line for line in held.master.all("EXDATE") if line.value not in known))
        calendar = fresh.calendar.replaced(fresh.master, master)
        for key, (event, _) in fresh.changed.items():
            calendar = calendar.replaced(event, self._occurrence(key, event))
        if not self._moved:
            kept = (event for key, (event, _) in held.changed.items() if key not in fresh.changed)
            calendar = calendar.with_added(*kept)
        return with_zones_of(calendar, held.calendar)

    def _occurrence(self, key: datetime, event: Component) -> Component:
        held = self._held
        was = None if self._moved else held.changed.get(key)
        before = held.at(key) if was is None else read_details(was[0], held.zones)
        again = self._moved or _span(before) != _span(read_details(event, self._fresh.zones))
        own = _Own.of(held.master if was is None else was[0], before)
        return own.merged(event, self._fresh.zones, self._reader, asked_again=again)


def _when(series: Series) -> tuple[object, ...]:
    rules = tuple(line.value.upper() for name in ("RRULE", "RDATE") for line in series.master.all(name))
    return (*_span(series.details), *rules)


def _span(details: Details) -> tuple[bool, datetime, datetime]:
    return details.is_day, details.start, details.end


def _with_occurrences(held: Series, fresh: Series, reader: Reader) -> Component:
    """The series with occurrences as the organizer has them now."""
    calendar = with_zones_of(held.calendar, fresh.calendar)
    for event in (fresh.master, *fresh.overrides):
        key = key_of(event, fresh.zones, held)
        was = None if key is None else held.changed.get(key)
        if key is None or not held.is_occurrence(key):
            continue
        if sequence_of(event) < sequence_of(held.master) or (was is not None and age_of(event) <= age_of(was[0])):
            continue
        before = held.at(key) if was is None else read_details(was[0], held.zones)
        again = _span(before) != _span(read_details(event, fresh.zones))
        if key in held.deleted and not again:
            continue
        own = _Own.of(held.master if was is None else was[0], before)
        new = own.merged(event, fresh.zones, reader, asked_again=again)
        calendar = calendar.with_added(new) if was is None else calendar.replaced(was[0], new)
        if key in held.deleted:
            return calendar.replaced(held.master, restored(held, key))
    return calendar


def key_of(event: Component, zones: Zones, series: Series) -> datetime | None:
    """The key in `series` of the occurrence that an event of a message names; None where it names none."""
    time = read_time(event.first("RECURRENCE-ID"), zones, series.anchor.zone)
    return None if time is None else series.key(time)


def with_zones_of(calendar: Component, other: Component) -> Component:
    """The calendar with the VTIMEZONEs of another one that it does not have itself, in front of its events."""
    held = {zone.text("TZID") for zone in calendar.components("VTIMEZONE")}
    missing = [zone for zone in other.components("VTIMEZONE") if zone.text("TZID") not in held]
    first = next((at for at, c in enumerate(calendar.contents) if isinstance(c, Component)), len(calendar.contents))
    return replace(calendar, contents=(*calendar.contents[:first], *missing, *calendar.contents[first:]))
