"""Answers to invitations: the user's own in the user's item, and those of others in the item of the organizer."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from eas_server.render.calendar.details import read_details, with_details
from eas_server.render.calendar.occurrence_edit import occurrence_of
from eas_server.render.calendar.people import address_of, answered, name_of, same_address
from eas_server.render.calendar.series import Owner, Series, series_of
from eas_server.render.calendar.times import Zones
from eas_server.render.contentlines import Component, Property, dump
from eas_server.render.meetings.invited import (
    MAX_ATTENDEES,
    STATUS_OF,
    Reader,
    intended_busy,
    key_of,
    own_line,
    sequence_of,
    speaks_for,
)
from eas_server.render.meetings.itip import MeetingMessage, Method
from eas_server.render.objects import moment_of
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact
from protocol.items.calendar import AttendeeStatus, ResponseType
from protocol.items.email import BusyStatus

_ANSWERED: Final = "X-EAS-ANSWERED"
"""DTSTAMP of the answer that counts, on the line of the attendee: an older one that comes later does not."""
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_STATUS: Final = {
    "ACCEPTED": AttendeeStatus.ACCEPTED,
    "TENTATIVE": AttendeeStatus.TENTATIVE,
    "DECLINED": AttendeeStatus.DECLINED,
}


# ---- the user's own


def respond(held: Series, answer: ResponseType, owner: Owner, now: datetime, *, key: datetime | None = None) -> bytes:
    """The user's item after the user's answer to all of the meeting, or to the occurrence with a key.

    Raises InvalidItem for an occurrence that the series does not have.
    """
    if key is None:
        done = held.calendar
        for event in (held.master, *held.overrides):
            done = done.replaced(event, _responded(event, held.zones, answer, owner, now))
        return dump(done)
    if key in held.deleted or not held.is_occurrence(key):
        raise InvalidItem("no occurrence of the series")
    event = occurrence_of(held, key)
    new = _responded(event, held.zones, answer, owner, now)
    return dump(held.calendar.replaced(event, new) if key in held.changed else held.calendar.with_added(new))


def _responded(event: Component, zones: Zones, answer: ResponseType, owner: Owner, now: datetime) -> Component:
    mine = own_line(event, owner)
    if mine is None:
        line = Property("ATTENDEE", f"mailto:{owner.address}", (("CN", (owner.name,)),) if owner.name else ())
        event = event.with_added(answered(line, STATUS_OF[answer]))
    else:
        event = event.replaced(mine, answered(mine, STATUS_OF[answer]))
    held = read_details(event, zones)
    if held.cancelled:
        return event
    moment = now.replace(microsecond=0)
    new = replace(held, busy=_busy(event, answer), response_type=answer, reply_time=moment)
    return with_details(event, held, new)


def _busy(event: Component, answer: ResponseType) -> BusyStatus:
    intended = intended_busy(event)
    if answer is ResponseType.ACCEPTED or intended is BusyStatus.FREE:
        return intended
    return BusyStatus.TENTATIVE if answer is ResponseType.TENTATIVE else BusyStatus.FREE


# ---- those of others


def take_answer(held: Series, message: MeetingMessage, reader: Reader) -> bytes | None:
    """The organizer's item after an answer or a proposal. None: nothing changes.

    The answer counts for the attendee that it names if the mail is from that attendee, else for its sender where the
    sender is an attendee and the one that is named is not: people answer from another address of theirs. Who is no
    attendee at all becomes one.
    """
    if held.master.first("ATTENDEE") is None:
        return None
    series = held
    for said in message.events:
        answer = _Answer.read(said, message, series)
        if answer is not None:
            series = series_of(answer.taken(series, reader.senders), reader.owner)
    return None if dump(series.calendar) == dump(held.calendar) else dump(series.calendar)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What an attendee says of one event."""

    line: Property
    status: AttendeeStatus
    sequence: int
    stamp: datetime
    key: datetime | None
    """Of the occurrence that it is about; None: the whole meeting."""
    proposed: tuple[datetime, datetime] | None

    @classmethod
    def read(cls, said: Component, message: MeetingMessage, series: Series) -> "_Answer | None":
        """None for what is no answer, or is about an occurrence that is not there."""
        zones = Zones(message.calendar, series.zones.default)
        line = said.first("ATTENDEE")
        status = None if line is None else _STATUS.get((line.param("PARTSTAT") or "").upper())
        if status is None and message.method is Method.COUNTER:
            status = AttendeeStatus.TENTATIVE
        key = None if series.is_orphan else key_of(said, zones, series)
        is_missing = key is not None and (key in series.deleted or not series.is_occurrence(key))
        if line is None or status is None or is_missing:
            return None
        proposed = None
        if message.method is Method.COUNTER:
            try:
                details = read_details(said, zones)
            except InvalidItem:
                return None
            proposed = (details.start, details.end)
        return cls(
            line=line,
            status=status,
            sequence=sequence_of(said),
            stamp=moment_of(said.first("DTSTAMP")) or _NEVER,
            key=key,
            proposed=proposed,
        )

    def taken(self, series: Series, senders: tuple[str, ...]) -> Component:
        """The calendar object with the answer."""
        calendar = series.calendar
        if self.key is not None:
            event = occurrence_of(series, self.key)
            new = self._in(event, senders)
            if new is event:
                return calendar
            return calendar.replaced(event, new) if self.key in series.changed else calendar.with_added(new)
        before = self._held(series.master, senders)
        calendar = calendar.replaced(series.master, self._in(series.master, senders))
        for event in series.overrides:  # who answered an occurrence by itself keeps that answer
            if before is not None and self._held(event, senders) == before:
                calendar = calendar.replaced(event, self._in(event, senders))
        return calendar

    def _held(self, event: Component, senders: tuple[str, ...]) -> Property | None:
        """The line of the attendee whose answer it is."""
        named = address_of(self.line)
        lines = event.all("ATTENDEE")
        found = next((line for line in lines if same_address(address_of(line), named)), None)
        if found is not None:
            return found if speaks_for(found, senders) else None  # the mail itself may claim any SENT-BY
        return next((line for line in lines if speaks_for(line, senders)), None)

    def _in(self, event: Component, senders: tuple[str, ...]) -> Component:
        if self.sequence < sequence_of(event):  # of the meeting as it was
            return event
        held = self._held(event, senders)
        if held is None:
            return self._joining(event, senders)
        last = held.param(_ANSWERED)
        if last is not None and last > format_compact(self.stamp):
            return event
        return event.replaced(held, self._written(held))

    def _joining(self, event: Component, senders: tuple[str, ...]) -> Component:
        """With an attendee whom nobody invited."""
        named = address_of(self.line)
        known = any(same_address(address_of(line), named) for line in event.all("ATTENDEE"))
        is_own = any(same_address(sender, named) for sender in senders)
        if known or not is_own or len(event.all("ATTENDEE")) >= MAX_ATTENDEES:
            return event
        name = name_of(self.line)
        params = (*((("CN", (name,)),) if name else ()), ("ROLE", ("REQ-PARTICIPANT",)))
        return event.with_added(self._written(Property("ATTENDEE", f"mailto:{address_of(self.line)}", params)))

    def _written(self, line: Property) -> Property:
        start, end = self.proposed or (None, None)
        return answered(line, self.status, start, end).with_param(_ANSWERED, format_compact(self.stamp))
