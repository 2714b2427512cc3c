"""MeetingRequest of a message ([MS-ASEMAIL] 2.2.2.48), from its calendar part.

All meeting messages have the element, answers and cancellations too: clients find the calendar item by it. It is left
out where the user is the one who invited (MS-ASEMAIL_R543).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from eas_server.render.calendar.details import Details, shown_place
from eas_server.render.calendar.people import address_of
from eas_server.render.calendar.series import Owner, Series, series_of
from eas_server.render.calendar.times import Time, read_time, read_value
from eas_server.render.contentlines import Component, Property
from eas_server.render.meetings.attend import Standing
from eas_server.render.meetings.invited import intended_busy
from eas_server.render.meetings.itip import MeetingMessage, Method
from eas_server.render.objects import moment_of
from eas_server.render.pim import InvalidItem
from protocol.datatypes import Mailbox, format_compact, global_obj_id
from protocol.items import calendar
from protocol.items.calendar import MAX_UID, Sensitivity
from protocol.items.email import (
    MAX_ADDRESSES,
    BusyStatus,
    InstanceType,
    MeetingMessageType,
    MeetingRequest,
    Recurrence,
)
from protocol.versions import V16_0, ProtocolVersion

_MAX_REMINDER: Final = 65_535
"""Seconds: the element is an unsignedShort."""
_ANSWERED: Final = frozenset({"ACCEPTED", "TENTATIVE", "DECLINED"})
_ORIGINAL: Final = ("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND")
"""The times of the meeting, in a proposal of others."""
_LAST_YEAR: Final = 4500


def meeting_request(
    message: MeetingMessage,
    *,
    owner: Owner,
    version: ProtocolVersion,
    now: datetime,
    standing: Standing = Standing(),  # noqa: B008 -- frozen
) -> MeetingRequest | None:
    """The element for a reader of the message; None where the reader is the organizer of what it asks for.

    Whatever is missing or wrong in the calendar part is left out. `now` stands in for a missing DTSTAMP; `standing`
    says what the reader's calendar knows of the meeting.
    """
    event = message.main
    organizer = event.first("ORGANIZER")
    asks = message.method in {Method.REQUEST, Method.CANCEL}
    if asks and organizer is not None and owner.is_me(address_of(organizer)):
        return None
    try:
        series = series_of(message.calendar, owner)
        return _Writing(message, series, series.details, owner, version, now, standing).element()
    except InvalidItem:  # an answer need not say when the meeting is
        return _bare(message, owner, now)


def _bare(message: MeetingMessage, owner: Owner, now: datetime) -> MeetingRequest:
    event = message.main
    return MeetingRequest(
        dt_stamp=moment_of(event.first("DTSTAMP")) or now,
        organizer=_organizer(event),
        time_zone=owner.zone.blob(now.year).dump(),
        global_obj_id=global_obj_id(message.uid, instance=_day(event)),
        meeting_message_type=MeetingMessageType.SILENT_UPDATE,
        uid=message.uid[:MAX_UID],
    )


def _organizer(event: Component) -> str | None:
    line = event.first("ORGANIZER")
    if line is None:
        return None
    return str(Mailbox((line.param("CN") or "").strip(), address_of(line))) or None


def _day(event: Component) -> date | None:
    """The day of the occurrence that is meant."""
    line = event.first("RECURRENCE-ID")
    read = read_value(line.value) if line is not None else None
    return read[0].date() if read is not None else None


@dataclass(frozen=True, slots=True)
class _Writing:
    message: MeetingMessage
    series: Series
    held: Details
    owner: Owner
    version: ProtocolVersion
    now: datetime
    standing: Standing

    def element(self) -> MeetingRequest:
        held, event = self.held, self.message.main
        start, end = self._times()
        recurrence = self.series.recurrence
        proposed = (held.start, held.end) if self.message.method is Method.COUNTER else (None, None)
        return MeetingRequest(
            all_day_event=held.is_day,
            start_time=start,
            dt_stamp=held.stamp or self.now,
            end_time=end,
            instance_type=self._instance_type(),
            location_text=shown_place(held.location)[:MAX_ADDRESSES] if held.location is not None else None,
            location=held.location,
            organizer=_organizer(event),
            recurrence_id=self._recurrence_id(),
            reminder=None if held.reminder is None else min(held.reminder * 60, _MAX_REMINDER),  # MS-ASEMAIL_R687
            response_requested=self._response_requested(),
            recurrences=None if recurrence is None else (_recurrence(recurrence),),
            sensitivity=int(held.sensitivity or Sensitivity.NORMAL),
            busy_status=self._busy(),
            time_zone=held.zone.blob(min(held.start.year, _LAST_YEAR)).dump(),
            global_obj_id=global_obj_id(self.message.uid, instance=_day(event)),
            disallow_new_time_proposal=bool(held.disallow_new_time_proposal),
            meeting_message_type=self._type(),
            uid=self.message.uid[:MAX_UID],
            proposed_start_time=proposed[0],
            proposed_end_time=proposed[1],
        )

    def _times(self) -> tuple[datetime, datetime]:
        """When the meeting is; of a proposal, when it was to be so far."""
        original = tuple(moment_of(self.message.main.first(name)) for name in _ORIGINAL)
        if self.message.method is Method.COUNTER and original[0] is not None:
            return original[0], original[1] or original[0] + self.held.span
        return self.held.start, self.held.end

    def _instance_type(self) -> InstanceType:
        if self.message.is_of_occurrences:
            alone = self.standing.is_orphan and self.version >= V16_0
            return InstanceType.ORPHAN if alone else InstanceType.EXCEPTION
        return InstanceType.MASTER if self.series.recurs else InstanceType.SINGLE

    def _recurrence_id(self) -> datetime | None:
        """MS-ASEMAIL_R935, R936, R1350."""
        if not self.message.is_of_occurrences:
            return None
        time: Time | None = read_time(self.message.main.first("RECURRENCE-ID"), self.series.zones, self.held.zone)
        return self.held.start if time is None else time.moment

    def _mine(self) -> Property | None:
        lines = self.message.main.all("ATTENDEE")
        return next((line for line in lines if self.owner.is_me(address_of(line))), None)

    def _response_requested(self) -> bool:
        mine = self._mine()
        if mine is None:
            return bool(self.held.response_requested)
        return (mine.param("RSVP") or "").upper() == "TRUE"

    def _busy(self) -> BusyStatus:
        busy = intended_busy(self.message.main)
        older = busy is BusyStatus.ELSEWHERE and self.version < V16_0  # MS-ASEMAIL_R1152 to R1154
        return BusyStatus.FREE if older else busy

    def _type(self) -> MeetingMessageType:
        """An update that does not ask again says so: the answer that the organizer knows stands in it."""
        if self.message.method is not Method.REQUEST:
            return MeetingMessageType.SILENT_UPDATE
        if self.standing.is_outdated:
            return MeetingMessageType.OUTDATED
        sequence = (self.message.main.text("SEQUENCE") or "0").strip()
        if not sequence.isascii() or not sequence.isdecimal() or not sequence.strip("0"):
            return MeetingMessageType.INITIAL_REQUEST
        mine = self._mine()
        known = mine is not None and (mine.param("PARTSTAT") or "").upper() in _ANSWERED
        return MeetingMessageType.INFORMATIONAL_UPDATE if known else MeetingMessageType.FULL_UPDATE


def _recurrence(held: calendar.Recurrence) -> Recurrence:
    return Recurrence(
        type=int(held.type or 0),
        interval=held.interval or 1,
        until=None if held.until is None else format_compact(held.until),
        occurrences=held.occurrences,
        week_of_month=held.week_of_month,
        day_of_month=held.day_of_month,
        day_of_week=held.day_of_week,
        month_of_year=held.month_of_year,
        calendar_type=held.calendar_type,
        is_leap_month=bool(held.is_leap_month),  # MS-ASEMAIL_R508
        first_day_of_week=held.first_day_of_week,
    )
