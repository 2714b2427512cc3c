"""What one VEVENT says, in the protocol's terms but of no version: read, compared, and written back.

`with_details` touches the lines of what differs and no others, so that what another program wrote stays.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from eas_server.render.calendar import people
from eas_server.render.calendar.attachments import HeldAttachment, read_attachments, with_attachments
from eas_server.render.calendar.times import DAY, TIME_ZONE, Time, Zones, read_duration, read_time, write_time
from eas_server.render.calendar.zones import Zone
from eas_server.render.contentlines import Component, Property, clean, escape, join_texts
from eas_server.render.item_body import HTML_OF_EVENTS, NO_TEXT, ItemText, held_text, with_text
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact, parse_datetime
from protocol.items.airsyncbase import Location
from protocol.items.calendar import Attendee, BusyStatus, MeetingStatus, ResponseType, Sensitivity

_BUSY: Final = "X-MICROSOFT-CDO-BUSYSTATUS"
_LOCATION: Final = "X-EAS-LOCATION"
_SENSITIVITY: Final = "X-EAS-SENSITIVITY"
_MEETING_STATUS: Final = "X-EAS-MEETING-STATUS"
_RESPONSE_REQUESTED: Final = "X-EAS-RESPONSE-REQUESTED"
_DISALLOW: Final = "X-MICROSOFT-DISALLOW-COUNTER"
_REPLY_TIME: Final = "X-EAS-APPOINTMENT-REPLY-TIME"
_RESPONSE_TYPE: Final = "X-EAS-RESPONSE-TYPE"
_CONF_LINK: Final = "X-EAS-ONLINE-MEETING-CONF-LINK"
_EXTERNAL_LINK: Final = "X-EAS-ONLINE-MEETING-EXTERNAL-LINK"
CLIENT_UID: Final = "X-EAS-CLIENT-UID"
_CANCELLED: Final = 4
"""The bit of MeetingStatus (MS-ASCAL_R31814)."""
_TEXT_PLACES: Final = ("X-APPLE-STRUCTURED-LOCATION", "GEO")
"""Say where a LOCATION is; of no use once it is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a VEVENT says. None: nothing. Moments in UTC; those of a whole day as the midnights of `zone`."""

    is_day: bool
    start: datetime
    end: datetime
    zone: Zone
    blob: str | None = None
    """The TimeZone blob that came with the zone."""
    subject: str | None = None
    text: ItemText = NO_TEXT
    location: Location | None = None
    categories: tuple[str, ...] | None = None
    sensitivity: Sensitivity | None = None
    busy: BusyStatus | None = None
    reminder: int | None = None
    stamp: datetime | None = None
    meeting_status: MeetingStatus | None = None
    """What a device said; None: it follows from the other properties."""
    cancelled: bool = False
    attendees: tuple[Attendee, ...] | None = None
    attachments: tuple[HeldAttachment, ...] = ()
    organizer_name: str | None = None
    organizer_email: str | None = None
    response_requested: bool | None = None
    disallow_new_time_proposal: bool | None = None
    reply_time: datetime | None = None
    response_type: ResponseType | None = None
    conf_link: str | None = None
    external_link: str | None = None

    @property
    def span(self) -> timedelta:
        return self.end - self.start


# ---- reading


class Lines:
    """The lines of an event by name: a reader asks for so many that looking through all of them each time shows."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self._by_name: dict[str, list[Property]] = {}
        for line in component.contents:
            if isinstance(line, Property):
                self._by_name.setdefault(line.name.upper(), []).append(line)

    def all(self, name: str) -> list[Property]:
        return self._by_name.get(name, [])

    def first(self, name: str) -> Property | None:
        found = self._by_name.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        found = self._by_name.get(name)
        return found[0].text if found else None


def read_details(component: Component, zones: Zones) -> Details:
    """What an event says. Raises InvalidItem for one without a beginning."""
    event = Lines(component)
    kept_zone = event.first(TIME_ZONE)
    day_zone = zones.find(kept_zone.param("TZID")) if kept_zone is not None else zones.default
    start = read_time(event.first("DTSTART"), zones, day_zone)
    if start is None:
        raise InvalidItem("an event without a beginning")
    attendees = event.all("ATTENDEE")
    name, address = people.read_organizer(event.first("ORGANIZER") or event.first(people.ORGANIZER_OF_NONE))
    return Details(
        is_day=start.is_day,
        start=start.moment,
        end=_read_end(event, zones, start).moment,
        zone=start.zone,
        blob=kept_zone.value if kept_zone is not None and kept_zone.param("TZID") == start.zone.name else None,
        subject=event.text("SUMMARY"),
        text=held_text(component, "DESCRIPTION", HTML_OF_EVENTS),
        location=_read_location(event),
        categories=tuple(c for line in event.all("CATEGORIES") for c in line.texts) or None,
        sensitivity=_read_sensitivity(event),
        busy=_read_busy(event),
        reminder=_read_reminder(event, start.moment),
        stamp=_read_moment(event, "DTSTAMP"),
        meeting_status=_read_meeting_status(event, cancelled=_is_cancelled(event)),
        cancelled=_is_cancelled(event),
        attendees=tuple(map(people.read_attendee, attendees)) or None,
        attachments=read_attachments(component),
        organizer_name=name,
        organizer_email=address,
        response_requested=_read_requested(event, attendees),
        disallow_new_time_proposal=_read_flag(event, _DISALLOW),
        reply_time=_read_moment(event, _REPLY_TIME),
        response_type=_read_enum(event, _RESPONSE_TYPE, ResponseType),
        conf_link=event.text(_CONF_LINK),
        external_link=_read_link(event),
    )


def _read_end(event: Lines, zones: Zones, start: Time) -> Time:
    end = read_time(event.first("DTEND"), zones, start.zone)
    if end is None or end.is_day is not start.is_day:
        span = read_duration(event.text("DURATION") or "") or (DAY if start.is_day else timedelta())
        try:
            if start.is_day:
                return Time(start.clock + span, start.zone, is_day=True)
            end = Time(start.zone.local(start.moment + span), start.zone, exact=start.moment + span)
        except OverflowError:
            return start
    return end if end.moment >= start.moment else start


def _read_moment(event: Lines, name: str) -> datetime | None:
    text = event.text(name)
    if text is None:
        return None
    try:
        return parse_datetime(text).replace(microsecond=0)
    except ValueError:
        return None


def _read_enum(event: Lines, name: str, kind: type[Any]) -> Any:  # noqa: ANN401 -- the enumeration that was given
    text = event.text(name) or ""
    try:
        return kind(int(text)) if text.isascii() and text.isdecimal() else None
    except ValueError:
        return None


def _read_flag(event: Lines, name: str) -> bool | None:
    text = event.text(name)
    return None if text is None else text.strip().upper() == "TRUE"


def _read_requested(event: Lines, attendees: list[Property]) -> bool | None:
    text = event.text(_RESPONSE_REQUESTED)
    if text is None:
        return True if any((line.param("RSVP") or "").upper() == "TRUE" for line in attendees) else None
    return text == "1"


_PLACE_FIELDS: Final = tuple(f.name for f in fields(Location))


def shown_place(place: Location) -> str:
    """What LOCATION says of a place: its name, or its address."""
    if place.display_name:
        return place.display_name
    parts = (place.annotation, place.street, place.postal_code, place.city, place.state, place.country)
    return ", ".join(part for part in parts if part)


def _read_location(event: Lines) -> Location | None:
    shown = event.text("LOCATION")
    kept = event.text(_LOCATION)
    if kept is not None:
        try:
            held: object = json.loads(kept)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict):
            known: dict[str, Any] = {k: clean(v) for k, v in held.items() if k in _PLACE_FIELDS and isinstance(v, str)}
            place = Location(**known)
            if shown_place(place) == (shown or ""):
                return place
    if not shown:
        return None
    latitude, _, longitude = (event.text("GEO") or "").partition(";")
    if not longitude or not all(_is_fraction(text) for text in (latitude, longitude)):
        return Location(display_name=shown)
    return Location(display_name=shown, latitude=latitude.strip(), longitude=longitude.strip())


def _is_fraction(text: str) -> bool:
    bare = text.strip().lstrip("+-").replace(".", "", 1)
    return bare.isascii() and bare.isdecimal()


_CLASSES: Final = {
    "PRIVATE": Sensitivity.PRIVATE,
    "CONFIDENTIAL": Sensitivity.CONFIDENTIAL,
    "PUBLIC": Sensitivity.NORMAL,
}


def _read_sensitivity(event: Lines) -> Sensitivity | None:
    shown = (event.text("CLASS") or "").strip().upper()
    if not shown:
        return None
    kept = event.text(_SENSITIVITY) == "1"  # a personal event is kept as a private one
    return Sensitivity.PERSONAL if kept and shown == "PRIVATE" else _CLASSES.get(shown, Sensitivity.PRIVATE)


_BUSY_NAMES: Final = {
    "FREE": BusyStatus.FREE,
    "TENTATIVE": BusyStatus.TENTATIVE,
    "BUSY": BusyStatus.BUSY,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": BusyStatus.ELSEWHERE,
}
_NAMES_OF_BUSY: Final = {status: name for name, status in _BUSY_NAMES.items()}


def _read_busy(event: Lines) -> BusyStatus | None:
    shown = (event.text("TRANSP") or "").strip().upper()
    kept = _BUSY_NAMES.get((event.text(_BUSY) or "").strip().upper())
    if kept is not None and (not shown or (kept is BusyStatus.FREE) is (shown == "TRANSPARENT")):
        return kept
    if shown == "TRANSPARENT":
        return BusyStatus.FREE
    tentative = (event.text("STATUS") or "").strip().upper() == "TENTATIVE"
    return BusyStatus.TENTATIVE if tentative else BusyStatus.BUSY if shown else None


def _alarm_minutes(alarm: Component, start: datetime) -> int | None:
    """How many minutes before the event an alarm shows itself; None for one that no Reminder can say."""
    trigger = alarm.first("TRIGGER")
    if trigger is None or (alarm.text("ACTION") or "DISPLAY").upper() not in {"DISPLAY", "AUDIO"}:
        return None
    if (trigger.param("RELATED") or "START").upper() != "START":
        return None
    if (trigger.param("VALUE") or "").upper() == "DATE-TIME":
        try:
            before = start - parse_datetime(trigger.value)
        except ValueError:
            return None
    else:
        span = read_duration(trigger.value)
        if span is None:
            return None
        before = -span
    return before // timedelta(minutes=1) if before >= timedelta() else None


def _read_reminder(event: Lines, start: datetime) -> int | None:
    found = (_alarm_minutes(alarm, start) for alarm in event.component.components("VALARM"))
    return next((minutes for minutes in found if minutes is not None), None)


def _is_cancelled(event: Lines | Component) -> bool:
    return (event.text("STATUS") or "").strip().upper() == "CANCELLED"


def _read_meeting_status(event: Lines, *, cancelled: bool) -> MeetingStatus | None:
    """What a device said, as far as it still holds."""
    kept: MeetingStatus | None = _read_enum(event, _MEETING_STATUS, MeetingStatus)
    if kept is MeetingStatus.APPOINTMENT:
        return None if cancelled or event.first("ATTENDEE") is not None else kept
    return None if kept is None else MeetingStatus((kept & ~_CANCELLED) | (_CANCELLED if cancelled else 0))


def _read_link(event: Lines) -> str | None:
    kept = event.text(_EXTERNAL_LINK)
    if kept is not None:
        return kept
    links = (line.value.strip() for name in ("CONFERENCE", "X-GOOGLE-CONFERENCE") for line in event.all(name))
    return next((clean(link) for link in links if link.lower().startswith(("https://", "http://"))), None)


# ---- writing


def with_details(event: Component, held: Details | None, new: Details) -> Component:
    """The event with the lines of what differs from what it `held` (None: of everything)."""
    if held is None or (held.is_day, held.start, held.end, held.zone.name, held.blob) != (
        new.is_day,
        new.start,
        new.end,
        new.zone.name,
        new.blob,
    ):
        event = _with_times(event, new)
    for names, write in _WRITERS.items():
        if held is None or any(getattr(held, name) != getattr(new, name) for name in names):
            event = write(event, new)
    return event


def _with_times(event: Component, new: Details) -> Component:
    event = event.with_property(write_time("DTSTART", new.start, new.zone, is_day=new.is_day))
    event = event.without_property("DURATION").with_property(_end_line(new))
    if new.blob is None:
        return event.without_property(TIME_ZONE)
    return event.with_property(Property(TIME_ZONE, new.blob, (("TZID", (new.zone.name,)),)))


def _end_line(new: Details) -> Property:
    end = write_time("DTEND", new.end, new.zone, is_day=new.is_day)
    start = write_time("DTSTART", new.start, new.zone, is_day=new.is_day)
    if not new.is_day or end.value > start.value:
        return end
    # RFC 5545 has no whole day that ends before it has begun; the parameter says what was sent
    day = datetime.strptime(start.value, "%Y%m%d") + DAY  # noqa: DTZ007 -- local
    exact = ("X-EAS-UTC", (format_compact(new.end),))
    return Property("DTEND", f"{day:%Y%m%d}", (("VALUE", ("DATE",)), exact))


def _write_subject(event: Component, new: Details) -> Component:
    return event.with_text("SUMMARY", new.subject)


def _write_text(event: Component, new: Details) -> Component:
    return with_text(event, "DESCRIPTION", HTML_OF_EVENTS, new.text)


def _write_location(event: Component, new: Details) -> Component:
    for name in _TEXT_PLACES:
        event = event.without_property(name)
    if new.location is None:
        return event.without_property("LOCATION").without_property(_LOCATION)
    shown = shown_place(new.location)
    event = event.with_text("LOCATION", shown or None)
    said = {name: value for name in _PLACE_FIELDS if (value := getattr(new.location, name)) is not None}
    if said.keys() == {"display_name"} and shown:
        return event.without_property(_LOCATION)
    return event.with_property(Property(_LOCATION, escape(json.dumps(said, ensure_ascii=False))))


def _write_categories(event: Component, new: Details) -> Component:
    if not new.categories:
        return event.without_property("CATEGORIES")
    return event.with_property(Property("CATEGORIES", join_texts(new.categories)))


_CLASS_OF: Final = {
    Sensitivity.NORMAL: "PUBLIC",
    Sensitivity.PERSONAL: "PRIVATE",
    Sensitivity.PRIVATE: "PRIVATE",
    Sensitivity.CONFIDENTIAL: "CONFIDENTIAL",
}


def _write_sensitivity(event: Component, new: Details) -> Component:
    event = event.with_text(_SENSITIVITY, "1" if new.sensitivity is Sensitivity.PERSONAL else None)
    return event.with_text("CLASS", None if new.sensitivity is None else _CLASS_OF[new.sensitivity])


def _write_busy(event: Component, new: Details) -> Component:
    if new.busy is None:
        return event.with_text("TRANSP", None).with_text(_BUSY, None)
    event = event.with_text("TRANSP", "TRANSPARENT" if new.busy is BusyStatus.FREE else "OPAQUE")
    return event.with_text(_BUSY, _NAMES_OF_BUSY[new.busy])


def _write_reminder(event: Component, new: Details) -> Component:
    """The alarm that a Reminder shows is set; without Reminder all such alarms go, or another one would show."""
    shown = [alarm for alarm in event.components("VALARM") if _alarm_minutes(alarm, new.start) is not None]
    if new.reminder is None:
        gone = {id(alarm) for alarm in shown}
        return event.without(lambda c: id(c) in gone)
    trigger = Property("TRIGGER", f"-PT{new.reminder}M")
    if shown:
        return event.replaced(shown[0], shown[0].with_property(trigger))
    lines = (Property("ACTION", "DISPLAY"), Property("DESCRIPTION", escape(new.subject or "-")), trigger)
    return event.with_added(Component("VALARM", lines))


def _write_stamp(event: Component, new: Details) -> Component:
    return event.with_text("DTSTAMP", None if new.stamp is None else format_compact(new.stamp))


def _write_meeting_status(event: Component, new: Details) -> Component:
    status = new.meeting_status
    if new.cancelled:
        event = event.with_text("STATUS", "CANCELLED")
    elif _is_cancelled(event):
        event = event.with_text("STATUS", None)
    return event.with_text(_MEETING_STATUS, None if status is None else str(int(status)))


def _write_people(event: Component, new: Details) -> Component:
    attendees = new.attendees or ()
    event = people.with_attendees(event, attendees)
    return people.with_organizer(event, new.organizer_name, new.organizer_email, is_meeting=bool(attendees))


def _write_attachments(event: Component, new: Details) -> Component:
    return with_attachments(event, new.attachments)


def _write_requests(event: Component, new: Details) -> Component:
    requested = new.response_requested
    event = event.with_text(_RESPONSE_REQUESTED, None if requested is None else str(int(requested)))
    disallow = new.disallow_new_time_proposal
    return event.with_text(_DISALLOW, None if disallow is None else str(disallow).upper())


def _write_answer(event: Component, new: Details) -> Component:
    event = event.with_text(_REPLY_TIME, None if new.reply_time is None else format_compact(new.reply_time))
    return event.with_text(_RESPONSE_TYPE, None if new.response_type is None else str(int(new.response_type)))


def _write_links(event: Component, new: Details) -> Component:
    return event.with_text(_CONF_LINK, new.conf_link).with_text(_EXTERNAL_LINK, new.external_link)


_WRITERS: Final[Mapping[tuple[str, ...], Callable[[Component, Details], Component]]] = {
    ("subject",): _write_subject,
    ("text",): _write_text,
    ("location",): _write_location,
    ("categories",): _write_categories,
    ("sensitivity",): _write_sensitivity,
    ("busy",): _write_busy,
    ("reminder",): _write_reminder,
    ("stamp",): _write_stamp,
    ("attendees", "organizer_name", "organizer_email"): _write_people,
    ("meeting_status", "cancelled"): _write_meeting_status,
    ("attachments",): _write_attachments,
    ("response_requested", "disallow_new_time_proposal"): _write_requests,
    ("reply_time", "response_type"): _write_answer,
    ("conf_link", "external_link"): _write_links,
}
