"""What an event or an occurrence says after a client's change, property by property."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from eas_server.render.calendar import attachments
from eas_server.render.calendar.details import Details, shown_place
from eas_server.render.calendar.people import merged_attendees
from eas_server.render.calendar.series import Owner
from eas_server.render.calendar.times import DAY, checked, day_form, day_of
from eas_server.render.calendar.to_client import busy_status, meeting_status
from eas_server.render.calendar.zones import Zone, zone_of_blob
from eas_server.render.contentlines import clean
from eas_server.render.item_body import NO_TEXT, ItemText, sent_text
from eas_server.render.pim import InvalidItem
from protocol import quirks
from protocol.codepages import tag
from protocol.datatypes import TimeZone
from protocol.elements import Tag
from protocol.items.airsyncbase import Location
from protocol.items.calendar import Attendee, BusyStatus, Calendar, ExceptionItem
from protocol.schema import Empty
from protocol.versions import V16_0, ProtocolVersion

_T = TypeVar("_T")
HALF_HOUR: Final = timedelta(minutes=30)
_MAX_BLOB: Final = 1024
"""Characters of a Timezone; a proper one has 232."""
_RECEIVED, _CANCELLED = 2, 4

GHOSTABLE: Final = frozenset(
    tag(f"Calendar:{name}")
    for name in (
        "Attendees",
        "OrganizerName",
        "OrganizerEmail",
        "MeetingStatus",
        "ResponseRequested",
        "DisallowNewTimeProposal",
    )
)
"""What can be ghosted, and is in requests at all (MS-ASCMD_R4556)."""

FileNumber = Callable[[str], int | None]
"""Gives the number of the file that a FileReference stands for; None for one of another item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a change is read with."""

    version: ProtocolVersion
    now: datetime
    owner: Owner
    supported: frozenset[Tag] | None
    file_number: FileNumber

    @property
    def is_new(self) -> bool:
        """Whether the model of 16.0 and later holds."""
        return self.version >= V16_0

    def has(self, name: str) -> bool:
        """Whether requests of the version have an element of the namespace Calendar."""
        return self.version in tag(f"Calendar:{name}").versions

    def stays(self, name: str) -> bool:
        """Whether an absent element of the namespace Calendar leaves what is held."""
        if self.is_new or not self.has(name):  # MS-ASCMD_R6236
            return True
        found = tag(f"Calendar:{name}")
        return self.supported is not None and found in GHOSTABLE and found not in self.supported  # MS-ASCMD_R5911


def _always(_: str) -> bool:
    return True


# ---- times


def rounded(now: datetime) -> datetime:
    """The current time, rounded up to half an hour: where devices begin a new event."""
    past = (now - now.replace(minute=0, second=0, microsecond=0)) % HALF_HOUR
    return now - past + HALF_HOUR if past else now


def times_of_new(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The times of an event that is added (MS-ASCAL_R52514 to R52518). Raises InvalidItem."""
    begin = rounded(now)
    if start is not None and end is not None:
        return start, end
    if start is not None:
        if start > now:  # MS-ASCAL_R52518
            raise InvalidItem("an event to come without an end")
        return start, begin + HALF_HOUR
    if end is None:
        return begin, begin + HALF_HOUR
    if begin > end:  # MS-ASCAL_R52515, R5251611
        raise InvalidItem("an event without a beginning that is over")
    return begin, end  # MS-ASCAL_R52516 rather than R53915


def zone_of_change(
    sent: str | None, held: Details | None, start: datetime | None, request: Request
) -> tuple[Zone, str | None]:
    """The zone that a client means, and the blob that it said so with."""
    if not sent:  # an event is always somewhere: absent, the zone stays in every version
        return (request.owner.zone, None) if held is None else (held.zone, held.blob)
    blob = "".join(sent.split())
    if len(blob) > _MAX_BLOB:
        raise InvalidItem("a Timezone of that size")
    if held is not None and blob == held.blob:
        return held.zone, blob
    years = {request.now.year, *([start.year] if start is not None else []), *([held.start.year] if held else [])}
    rules = TimeZone.read(blob)
    if not rules.valid and not quirks.tolerates(quirks.INVALID_TIME_ZONE):
        raise InvalidItem("a Timezone that is none")
    zone = zone_of_blob(rules, held.zone.name if held else request.owner.zone.name, years)
    echoed = held is not None and held.blob is None and zone == held.zone and rules.standard_name == zone.name
    return zone, None if echoed else blob


def _placed(sent: datetime | None, held: datetime, zone: Zone, request: Request, *, bare_day: bool) -> datetime:
    """A client's moment as it is kept. `bare_day`: a whole day without a zone (MS-ASCAL_R2005)."""
    if sent is None:
        return held
    moment = checked(sent)
    if not bare_day:
        return moment
    clock = moment.replace(tzinfo=None) if moment == day_form(moment) else day_of(moment, zone)
    return zone.utc(clock)


def _with_times(held: Details, sent: Calendar | ExceptionItem, request: Request, *, has_zone: bool) -> Details:
    """With the times of a change; `held` has its zone already."""
    is_day = held.is_day if sent.all_day_event is None else sent.all_day_event is True
    bare = is_day and request.is_new and not has_zone
    start = _placed(sent.start_time, held.start, held.zone, request, bare_day=bare)
    end = _placed(sent.end_time, held.end, held.zone, request, bare_day=bare)
    if bare and end == start and (sent.start_time, sent.end_time) != (None, None):
        end = held.zone.utc(held.zone.local(start) + DAY)
    if end < start:
        raise InvalidItem("an event that ends before it begins")
    return replace(held, is_day=is_day, start=start, end=end)


# ---- the other properties


def merged_series(held: Details | None, change: Calendar, request: Request) -> Details:
    """What an event says after an Add (`held` None) or a Change. Raises InvalidItem."""
    zone, blob = zone_of_change(change.time_zone, held, change.start_time, request)
    if held is None:
        start, end = times_of_new(change.start_time, change.end_time, request.now)
        change = replace(change, start_time=start, end_time=end)
        base = Details(is_day=False, start=checked(start), end=checked(end), zone=zone, blob=blob)
    else:
        if change.end_time is not None and change.start_time is None and not request.is_new:  # MS-ASCAL_R53915
            raise InvalidItem("an end without a beginning")
        base = replace(held, zone=zone, blob=blob)
    base = _with_times(base, change, request, has_zone=bool(change.time_zone))
    new = _with_organizer(_merged(base, change, request, request.stays), change, request, is_add=held is None)
    new = _with_status(new, change, request, request.stays)
    new = replace(
        new,
        response_requested=_flag(change.response_requested, new.response_requested, request, "ResponseRequested"),
        disallow_new_time_proposal=_flag(
            change.disallow_new_time_proposal, new.disallow_new_time_proposal, request, "DisallowNewTimeProposal"
        ),
    )
    return _stamped(held, new, change, request)


def merged_exception(held: Details | None, base: Details, item: ExceptionItem, request: Request) -> Details:
    """What an occurrence says after a change.

    `base`: what it has without the change; `held`: what is stored of it, None where nothing is. Raises InvalidItem.
    """
    if item.start_time is not None and item.end_time is None and item.start_time >= base.end:
        item = replace(item, end_time=item.start_time + base.span)
    new = _with_times(base, item, request, has_zone=False)
    new = _with_status(_merged(new, item, request, _always), item, request, _always)
    return _stamped(held, replace(new, stamp=base.stamp), item, request)


def _stamped(held: Details | None, new: Details, sent: Calendar | ExceptionItem, request: Request) -> Details:
    """DtStamp is the client's up to 14.1, else the moment of a change (MS-ASCAL_R2088)."""
    if sent.dt_stamp is not None and not request.is_new:
        return replace(new, stamp=checked(sent.dt_stamp))
    return new if new == held and new.stamp is not None else replace(new, stamp=request.now.replace(microsecond=0))


def _flag(sent: bool | Empty | None, held: bool | None, request: Request, name: str) -> bool | None:
    return _chosen(sent, held, stays=request.stays(name))


def _chosen(sent: _T | Empty | None, held: _T | None, *, stays: bool) -> _T | None:
    """The value that counts; an empty one takes it away."""
    if sent is None:
        return held if stays else None
    return None if isinstance(sent, Empty) or sent in ("", ()) else sent


def _merged(held: Details, sent: Calendar | ExceptionItem, request: Request, stays: Callable[[str], bool]) -> Details:
    categories = None if sent.categories is None else tuple(c for c in map(clean, sent.categories) if c)
    return replace(
        held,
        subject=_chosen(None if sent.subject is None else clean(sent.subject), held.subject, stays=stays("Subject")),
        text=_text(sent, held),
        location=_location(sent, held, request, stays=stays("Location")),
        categories=_chosen(categories, held.categories, stays=stays("Categories")),
        sensitivity=_chosen(sent.sensitivity, held.sensitivity, stays=stays("Sensitivity")),
        busy=_busy(sent.busy_status, held, stays=stays("BusyStatus")),
        reminder=_chosen(sent.reminder, held.reminder, stays=stays("Reminder")),
        attendees=_attendees(sent, held, request, stays=stays("Attendees")),
        attachments=attachments.changed(held.attachments, sent.attachments, request.file_number),
    )


def _with_status(
    new: Details, sent: Calendar | ExceptionItem, request: Request, stays: Callable[[str], bool]
) -> Details:
    """With the client's MeetingStatus, unless it follows from the rest: then it goes on to do so."""
    if sent.meeting_status is meeting_status(new, request.owner):
        return new
    status = _chosen(sent.meeting_status, new.meeting_status, stays=stays("MeetingStatus"))
    cancelled = new.cancelled if sent.meeting_status is None else bool(status and status & _CANCELLED)
    return replace(new, meeting_status=status, cancelled=cancelled)


def _text(sent: Calendar | ExceptionItem, held: Details) -> ItemText:
    """A body that is absent stays in every version (MS-ASCMD_R878)."""
    if isinstance(sent.body, Empty):
        return NO_TEXT
    new = sent_text(sent.body)
    if new is None or (new.html is None and new.plain == held.text.plain):
        return held.text
    return new


def _location(sent: Calendar | ExceptionItem, held: Details, request: Request, *, stays: bool) -> Location | None:
    if request.is_new:
        if sent.location is None:
            return held.location
        return _clean_place(sent.location) if sent.location != Location() else None  # MS-ASAIRS_R1001013
    if sent.location_text is None:
        return held.location if stays else None
    shown = clean(sent.location_text)
    if held.location is not None and shown == shown_place(held.location):
        return held.location
    return Location(display_name=shown) if shown else None


def _clean_place(place: Location) -> Location:
    values: dict[str, Any] = {f.name: getattr(place, f.name) for f in fields(Location)}
    return Location(**{name: clean(value) for name, value in values.items() if value is not None})


def _busy(sent: BusyStatus | Empty | None, held: Details, *, stays: bool) -> BusyStatus | None:
    if sent is not None and sent is busy_status(held) and held.busy is not None:
        return held.busy  # whoever works elsewhere is shown as free, and does not become it by that
    return _chosen(sent, held.busy, stays=stays)


def _attendees(
    sent: Calendar | ExceptionItem, held: Details, request: Request, *, stays: bool
) -> tuple[Attendee, ...] | None:
    if sent.attendees is None or (isinstance(sent, ExceptionItem) and not _has_exception_attendees(request)):
        return held.attendees if stays else None
    attendees = sent.attendees
    if request.is_new:  # MS-ASCAL_R2028
        attendees = tuple(replace(attendee, status=None) for attendee in attendees)
    return merged_attendees(attendees, held.attendees or ()) or None


def _has_exception_attendees(request: Request) -> bool:
    return request.has("ResponseRequested")  # both since 14.0 (MS-ASCAL_R2023)


def _with_organizer(new: Details, change: Calendar, request: Request, *, is_add: bool) -> Details:
    """The client's organizer up to 14.1, else the user, of what the user creates (MS-ASCAL_R2169, R2175)."""
    owner = request.owner
    if not request.is_new:
        name = _chosen(_clean(change.organizer_name), new.organizer_name, stays=request.stays("OrganizerName"))
        email = _chosen(_clean(change.organizer_email), new.organizer_email, stays=request.stays("OrganizerEmail"))
        received = isinstance(change.meeting_status, int) and change.meeting_status & _RECEIVED
        if email is None and is_add and new.attendees and owner.address and not received:
            return replace(new, organizer_name=name or owner.name or None, organizer_email=owner.address)
        return replace(new, organizer_name=name, organizer_email=email)
    if not owner.address or (not is_add and new.organizer_email is not None):
        return new
    return replace(new, organizer_name=owner.name or None, organizer_email=owner.address)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text).strip()
