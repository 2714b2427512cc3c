"""A stored event as clients get it ([MS-ASCAL] 2.2.2)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from eas_server.render.calendar import attachments
from eas_server.render.calendar.attachments import FileReference, number_in_series
from eas_server.render.calendar.details import CLIENT_UID, Details, read_details, shown_place
from eas_server.render.calendar.series import Owner, Series, read_series
from eas_server.render.calendar.times import DAY, day_form, read_time
from eas_server.render.item_body import NO_TEXT, text_body
from protocol.items.airsyncbase import Attachments, Body, BodyPreference, BodyType, Location
from protocol.items.calendar import (
    MAX_CATEGORIES,
    MAX_EXCEPTIONS,
    MAX_UID,
    Attendee,
    AttendeeStatus,
    BusyStatus,
    Calendar,
    ExceptionItem,
    MeetingStatus,
    Recurrence,
    ResponseType,
    Sensitivity,
)
from protocol.schema import EMPTY, Empty
from protocol.versions import V14_1, V16_0, V16_1, ProtocolVersion

_RESPONSES: Final = {
    AttendeeStatus.UNKNOWN: ResponseType.NOT_RESPONDED,
    AttendeeStatus.TENTATIVE: ResponseType.TENTATIVE,
    AttendeeStatus.ACCEPTED: ResponseType.ACCEPTED,
    AttendeeStatus.DECLINED: ResponseType.DECLINED,
    AttendeeStatus.NOT_RESPONDED: ResponseType.NOT_RESPONDED,
}
_T = TypeVar("_T")
_E = TypeVar("_E")
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4


def _no_files(number: int) -> str:
    return str(number)


def calendar_from(
    octets: bytes,
    *,
    version: ProtocolVersion,
    now: datetime,
    owner: Owner = Owner(),  # noqa: B008 -- frozen
    preferences: Sequence[BodyPreference] = (),
    file_reference: FileReference = _no_files,
) -> Calendar:
    """All properties of an event: for an Add, a Change, a Fetch or a search result.

    `now` chooses the year whose rules go as the time zone of what recurs. `file_reference` names the files of the
    event. Raises InvalidItem for octets without an event.
    """
    return _Rendering(read_series(octets, owner), version, now, owner, preferences, file_reference).calendar()


def client_uid(octets: bytes) -> str | None:
    """The ClientUid that an event was created with (MS-ASCAL_R2062); None without one."""
    return read_series(octets, Owner()).master.text(CLIENT_UID)


class _Rendering:
    def __init__(
        self,
        series: Series,
        version: ProtocolVersion,
        now: datetime,
        owner: Owner,
        preferences: Sequence[BodyPreference],
        file_reference: FileReference,
    ) -> None:
        self.series = series
        self.version = version
        self.now = now
        self.owner = owner
        self.preferences = preferences
        self.file_reference = file_reference
        self.is_new = version >= V16_0

    def calendar(self) -> Calendar:
        series, held = self.series, self.series.details
        recurrence = series.recurrence
        return Calendar(
            time_zone=self._time_zone(held),
            all_day_event=held.is_day,
            body=self._body(held),
            busy_status=busy_status(held),
            organizer_name=held.organizer_name,
            organizer_email=held.organizer_email,
            dt_stamp=held.stamp or self.now,
            start_time=self._moment(held, held.start),
            end_time=self._end(held),
            location_text=None if held.location is None else shown_place(held.location),
            location=held.location,
            reminder=held.reminder,
            sensitivity=held.sensitivity or Sensitivity.NORMAL,
            subject=held.subject,
            uid=(series.master.text("UID") or "")[:MAX_UID] or None,
            meeting_status=meeting_status(held, self.owner),
            attendees=self._attendees(held.attendees),
            categories=held.categories and held.categories[:MAX_CATEGORIES],
            recurrence=None if recurrence is None else self._recurrence(recurrence),
            exceptions=self._exceptions() if recurrence is not None else None,
            response_requested=held.response_requested,
            appointment_reply_time=held.reply_time,
            response_type=response_type(held, self.owner),
            disallow_new_time_proposal=bool(held.disallow_new_time_proposal),  # MS-ASCAL_R214, R215
            native_body_type=_native(held),
            online_meeting_conf_link=held.conf_link,
            online_meeting_external_link=held.external_link,
            attachments=attachments.shown(held.attachments, self.file_reference),
            instance_id=self._orphan(),
        )

    def _time_zone(self, held: Details) -> str | None:
        if held.is_day and self.is_new:  # MS-ASCAL_R2006
            return None
        if held.blob is not None:
            return held.blob
        year = self.now.year if self.series.recurs else held.start.year
        return held.zone.blob(year).dump()

    def _moment(self, held: Details, moment: datetime) -> datetime:
        return day_form(held.zone.local(moment)) if held.is_day and self.is_new else moment

    def _end(self, held: Details) -> datetime:
        end = self._moment(held, held.end)
        if held.is_day and self.is_new and end <= self._moment(held, held.start):
            return self._moment(held, held.start) + DAY
        return end

    def _body(self, held: Details) -> Body:
        return text_body(held.text, self.preferences)

    def _attendees(self, held: tuple[Attendee, ...] | None) -> tuple[Attendee, ...] | None:
        if not held or self.version >= V16_1:
            return held
        kinds = ((a.email, a.name, a.status, a.type) for a in held)
        return tuple(Attendee(email=email, name=name, status=status, type=kind) for email, name, status, kind in kinds)

    def _recurrence(self, held: Recurrence) -> Recurrence:
        """With the last day of whole days as the version writes it."""
        if held.until is None or not (self.is_new and self.series.anchor.is_day):
            return held
        until = day_form(self.series.key_of(held.until))  # MS-ASCAL_R2005
        return replace(held, until=until)

    def _orphan(self) -> datetime | None:
        if not self.series.is_orphan:
            return None
        time = read_time(self.series.master.first("RECURRENCE-ID"), self.series.zones, self.series.anchor.zone)
        return None if time is None else self.series.moment_of(self.series.key(time), self.version)

    # ---- exceptions

    def _exceptions(self) -> tuple[ExceptionItem, ...] | None:
        series = self.series
        found: dict[datetime, ExceptionItem] = {}
        for key, time in series.deleted.items():
            found[key] = self._named(key, time.exact, ExceptionItem(deleted=True))
        for key, (event, time) in series.changed.items():
            if key not in found:
                found[key] = self._named(key, time.exact, self._exception(read_details(event, series.zones), key))
        # the latest are what clients look at; MS-ASCAL_R24311
        return tuple(found[key] for key in sorted(found)[-MAX_EXCEPTIONS:]) or None

    def _named(self, key: datetime, exact: datetime | None, item: ExceptionItem) -> ExceptionItem:
        moment = self.series.moment_of(key, self.version)
        if exact is not None and not self.is_new:
            moment = exact
        return replace(item, exception_start_time=moment, instance_id=moment)

    def _files(self, held: Details, key: datetime) -> Attachments | None:
        if held.attachments == self.series.details.attachments:
            return None
        shown = attachments.shown(held.attachments, lambda n: self.file_reference(number_in_series(key, n)))
        return shown or Attachments()

    def _exception(self, held: Details, key: datetime) -> ExceptionItem:
        """What an occurrence has unlike its series; an empty element for what it lacks (MS-ASCAL_R539, R543)."""
        series = self.series.details
        meeting = meeting_status(held, self.owner)
        response = response_type(held, self.owner)
        return ExceptionItem(
            subject=_unlike(held.subject, series.subject, ""),
            start_time=self._moment(held, held.start),
            end_time=self._end(held),
            body=None if held.text == series.text else self._body(held),
            location_text=_unlike(_place_text(held), _place_text(series), ""),
            location=_unlike(held.location, series.location, Location()),
            categories=_unlike(held.categories, series.categories, ()),
            sensitivity=_unlike(held.sensitivity, series.sensitivity, Sensitivity.NORMAL),
            busy_status=_unlike(busy_status(held), busy_status(series), None),
            all_day_event=_unlike(held.is_day, series.is_day, None),
            reminder=self._exception_reminder(held),
            dt_stamp=held.stamp,
            meeting_status=_unlike(meeting, meeting_status(series, self.owner), None),
            attendees=_unlike(self._attendees(held.attendees), self._attendees(series.attendees), ()),
            appointment_reply_time=_unlike(held.reply_time, series.reply_time, None),  # MS-ASCAL_R525221
            response_type=_unlike(response, response_type(series, self.owner), None),
            online_meeting_conf_link=_unlike(held.conf_link, series.conf_link, ""),
            online_meeting_external_link=_unlike(held.external_link, series.external_link, ""),
            attachments=self._files(held, key),
        )

    def _exception_reminder(self, held: Details) -> int | Empty | None:
        # up to 14.0 there is no way to say that an occurrence has none (MS-ASCAL_R2185)
        return _unlike(held.reminder, self.series.details.reminder, EMPTY if self.version >= V14_1 else None)


def _unlike(own: _T | None, inherited: _T | None, empty: _E) -> _T | _E | None:
    """None for what is as in the series; `empty` for what the series has and the occurrence does not."""
    if own == inherited:
        return None
    return empty if own is None else own


def _place_text(held: Details) -> str | None:
    return None if held.location is None else shown_place(held.location)


def _native(held: Details) -> int | None:
    if held.text == NO_TEXT:
        return None
    return int(BodyType.PLAIN if held.text.html is None else BodyType.HTML)


# ---- what follows from other properties


def busy_status(held: Details) -> BusyStatus:
    """As the schema has it: it ends at 3, so that who works elsewhere counts as free."""
    if held.busy is BusyStatus.ELSEWHERE:
        return BusyStatus.FREE
    return BusyStatus.BUSY if held.busy is None else held.busy


def meeting_status(held: Details, owner: Owner) -> MeetingStatus:
    """What a device said, else by attendees, organizer and STATUS (MS-ASCAL_R31812 to R3181411)."""
    if held.meeting_status is not None:
        return held.meeting_status
    if not held.attendees and not held.cancelled:
        return MeetingStatus.APPOINTMENT
    received = held.organizer_email is not None and bool(owner.address) and not owner.is_me(held.organizer_email)
    return MeetingStatus(_MEETING | (_RECEIVED if received else 0) | (_CANCELLED if held.cancelled else 0))


def response_type(held: Details, owner: Owner) -> ResponseType:
    """What the user answered: what was kept, else by the user's own line (MS-ASCAL_R407 to R418)."""
    if held.response_type is not None:
        return held.response_type
    status = meeting_status(held, owner)
    if not status & _MEETING:
        return ResponseType.NONE
    if not status & _RECEIVED:
        return ResponseType.ORGANIZER
    mine = next((a for a in held.attendees or () if owner.is_me(a.email)), None)
    return ResponseType.NOT_RESPONDED if mine is None or mine.status is None else _RESPONSES[mine.status]
