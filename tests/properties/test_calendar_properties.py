"""What a device sends comes back; an edit of one property leaves the others; whatever comes, nothing breaks."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas_server.render.calendar import (
    Owner,
    apply_calendar,
    calendar_from,
    filter_instant,
    occurrences,
)
from eas_server.render.calendar.rules import parse_rule
from eas_server.render.calendar.zones import city
from eas_server.render.contentlines import parse
from eas_server.render.pim import InvalidItem
from protocol.datatypes import SystemTime, TimeZone, encode_base64
from protocol.items.airsyncbase import Body, BodyType, Location
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Calendar,
    ExceptionItem,
    MeetingStatus,
    Recurrence,
    RecurrenceType,
    Sensitivity,
)
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.protocol.test_items_email import sync_response
from tests.schemas import assert_valid

NOW = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)
OWNER = Owner(name="Alice", address="alice@example.com", time_zone="Europe/Berlin", first_day_of_week=1)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = RecurrenceType

texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)
words = texts.map(str.strip).filter(bool)
moments = st.integers(0, 70 * 365 * 86400).map(
    lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
cities = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Africa/Cairo", "UTC", "Pacific/Apia"]
)
odd_blobs = st.one_of(
    st.builds(
        lambda bias, month, day: TimeZone(
            bias=bias,
            standard_date=SystemTime(0, month, 0, day, 3),
            daylight_date=SystemTime(0, 13 - month, 0, 5, 2),
            daylight_bias=-60,
        ).dump(),
        st.integers(-720, 720),
        st.integers(1, 6),
        st.integers(1, 5),
    ),
    st.binary(max_size=180).map(encode_base64).filter(bool),
)
blobs = st.one_of(cities.map(lambda name: city(name).blob(2026).dump()), odd_blobs)
masks = st.integers(1, 127)
nth = st.integers(1, 5)
bounds = st.one_of(
    st.just({}),
    st.builds(lambda n: {"occurrences": n}, st.integers(1, 999)),
    st.builds(lambda m: {"until": m}, moments),
)


@st.composite
def recurrences(draw: st.DrawFn) -> Recurrence:
    kind = draw(st.sampled_from(KINDS))
    values: dict[str, Any] = {"interval": draw(st.integers(1, 999)), **draw(bounds)}
    if kind is KINDS.DAILY:
        values["day_of_week"] = draw(st.none() | masks)
    if kind in (KINDS.WEEKLY, KINDS.MONTHLY_NTH, KINDS.YEARLY_NTH):
        values["day_of_week"] = draw(masks)
    if kind in (KINDS.MONTHLY_NTH, KINDS.YEARLY_NTH):
        values["week_of_month"] = draw(nth)
    if kind in (KINDS.MONTHLY, KINDS.YEARLY):
        values["day_of_month"] = draw(st.integers(1, 31))
    if kind in (KINDS.YEARLY, KINDS.YEARLY_NTH):
        values["month_of_year"] = draw(st.integers(1, 12))
        values["is_leap_month"] = draw(st.sampled_from([None, True, False]))
    if kind not in (KINDS.DAILY, KINDS.WEEKLY):
        values["calendar_type"] = draw(st.sampled_from([0, 1, 2, 6, 8, 12, 14, 15, 20]))
    values["first_day_of_week"] = (
        draw(st.integers(0, 6)) if kind is KINDS.WEEKLY else draw(st.none() | st.integers(0, 6))
    )
    return Recurrence(type=kind, **values)


attendees = st.lists(
    st.builds(
        Attendee,
        email=st.one_of(st.sampled_from(["bob@example.com", "carol@example.com"]), words),
        name=st.one_of(st.just(""), words),
        status=st.sampled_from(AttendeeStatus),
        type=st.sampled_from(AttendeeType),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
bodies = st.one_of(
    st.builds(lambda text: Body(type=BodyType.PLAIN, data=text), words),
    st.builds(
        lambda text: Body(type=BodyType.HTML, data=f"<p>{text}</p>"), st.from_regex(r"[a-z]{1,9}", fullmatch=True)
    ),
)
places = st.builds(
    Location,
    display_name=words,
    street=st.none() | words,
    latitude=st.none() | st.just("52.5"),
    longitude=st.none() | st.just("13.4"),
)
reminders = st.none() | st.integers(0, 100_000)
several_words = st.none() | st.lists(words, min_size=1, max_size=3).map(tuple)


instances = st.builds(
    lambda slot, seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=2 * slot, seconds=seconds),
    st.integers(0, 9000),
    st.integers(0, 12 * 3600),
)
"""On days that nobody can confuse."""


@st.composite
def exceptions(draw: st.DrawFn) -> ExceptionItem:
    moment = draw(instances)
    if draw(st.booleans()):
        return ExceptionItem(deleted=True, exception_start_time=moment)
    start = draw(moments)
    return ExceptionItem(
        exception_start_time=moment,
        start_time=start,
        end_time=start + timedelta(minutes=draw(st.integers(0, 3000))),
        subject=draw(st.none() | words),
        body=draw(st.none() | bodies),
        location_text=draw(st.none() | words),
        categories=draw(several_words),
        sensitivity=draw(st.none() | st.sampled_from(Sensitivity)),
        busy_status=draw(st.none() | st.sampled_from([0, 1, 2, 3]).map(BusyStatus)),
        reminder=draw(reminders),
        dt_stamp=draw(moments),
        attendees=draw(st.none() | attendees),
    )


@st.composite
def events(draw: st.DrawFn) -> Calendar:
    """An event as devices up to 14.1 send it."""
    start = draw(moments)
    people = draw(st.none() | attendees)
    recurrence = draw(st.none() | recurrences())
    unique = draw(
        st.lists(exceptions(), max_size=3, unique_by=lambda e: e.exception_start_time and e.exception_start_time.date())
    )
    return Calendar(
        time_zone=draw(blobs),
        all_day_event=draw(st.booleans()),
        body=draw(bodies),
        busy_status=draw(st.sampled_from([0, 1, 2, 3]).map(BusyStatus)),
        organizer_name=draw(words),
        organizer_email=draw(st.sampled_from(["alice@example.com", "bob@example.com"])),
        dt_stamp=draw(moments),
        start_time=start,
        end_time=start + timedelta(minutes=draw(st.integers(0, 100_000))),
        location_text=draw(st.none() | words),
        reminder=draw(reminders),
        sensitivity=draw(st.sampled_from(Sensitivity)),
        subject=draw(st.none() | words),
        uid=draw(words),
        meeting_status=draw(st.sampled_from(list(MeetingStatus)[1:])) if people else MeetingStatus.APPOINTMENT,
        attendees=people,
        categories=draw(several_words),
        recurrence=recurrence,
        exceptions=tuple(sorted(unique, key=lambda e: e.exception_start_time or NOW)) or None if recurrence else None,
        response_requested=draw(st.booleans()),
        disallow_new_time_proposal=draw(st.booleans()),
    )


def said(event: Calendar) -> dict[str, Any]:
    """What an event says, without what a server adds by itself."""
    values = {f.name: getattr(event, f.name) for f in fields(Calendar)}
    for name in ("response_type", "native_body_type", "location", "appointment_reply_time"):
        values.pop(name)
    body = values["body"]
    values["body"] = (body.type, body.data)
    values["exceptions"] = [exception_said(e) for e in values["exceptions"] or ()]
    return values


def exception_said(item: ExceptionItem) -> dict[str, Any]:
    values = {f.name: getattr(item, f.name) for f in fields(ExceptionItem)}
    for name in ("location", "instance_id", "deleted", "response_type", "meeting_status"):
        values.pop(name)
    body = values["body"]
    values["body"] = None if body is None else (body.type, body.data)
    return values | {"deleted": bool(item.deleted)}


def without_inherited(event: Calendar) -> Calendar:
    """The event with exceptions that do not say what the series says, which nobody can tell apart."""

    def unlike(item: ExceptionItem) -> ExceptionItem:
        names = ("subject", "location_text", "categories", "sensitivity", "busy_status", "reminder", "attendees")
        same = {name: None for name in names if getattr(item, name) == getattr(event, name)}
        if _body(item.body) == _body(event.body):
            same["body"] = None
        return replace(item, **same)

    return replace(event, exceptions=event.exceptions and tuple(map(unlike, event.exceptions)))


def _body(body: Any) -> Any:
    return None if body is None else (body.type, body.data)


def sent_at(event: Calendar, version: ProtocolVersion) -> Calendar:
    """The event as it comes over the wire."""
    return load(Calendar, dump(event, version))


@given(event=events(), version=st.sampled_from([V12_1, V14_0, V14_1]))
@QUICK
def test_what_a_device_sent_comes_back(event: Calendar, version: ProtocolVersion) -> None:
    sent = sent_at(event, version)
    octets = added(sent, version)
    back = sent_at(calendar_from(octets, version=version, now=NOW, owner=OWNER), version)
    assert said(back) == said(expected(sent, back))


def added(event: Calendar, version: ProtocolVersion) -> bytes:
    return apply_calendar(None, event, version=version, now=NOW, uid="x", owner=OWNER)


def expected(sent: Calendar, back: Calendar) -> Calendar:
    """What was sent, with the values that responses must have and requests may leave out."""
    sent = without_inherited(sent)
    if sent.recurrence is None or back.recurrence is None:
        return sent
    weekly = sent.recurrence.type is RecurrenceType.WEEKLY and sent.recurrence.first_day_of_week is None
    return replace(
        sent,
        recurrence=replace(
            sent.recurrence,
            calendar_type=back.recurrence.calendar_type,
            first_day_of_week=back.recurrence.first_day_of_week if weekly else sent.recurrence.first_day_of_week,
        ),
    )


@given(event=events(), version=st.sampled_from([V12_1, V14_0, V14_1]))
@QUICK
def test_the_same_again_changes_nothing(event: Calendar, version: ProtocolVersion) -> None:
    sent = sent_at(event, version)
    octets = added(sent, version)
    again = apply_calendar(octets, sent, version=version, now=NOW + timedelta(days=1), uid="y", owner=OWNER)
    assert again == octets
    back = sent_at(calendar_from(octets, version=version, now=NOW, owner=OWNER), version)
    again = apply_calendar(octets, back, version=version, now=NOW + timedelta(days=1), uid="y", owner=OWNER)
    assert again == octets


@given(event=events(), version=st.sampled_from([V16_0, V16_1]), other=st.data())
@QUICK
def test_an_edit_of_one_property_keeps_the_others(
    event: Calendar, version: ProtocolVersion, other: st.DataObject
) -> None:
    octets = added(sent_at(event, V14_1), V14_1)
    before = calendar_from(octets, version=version, now=NOW, owner=OWNER)
    name, value = other.draw(
        st.sampled_from(
            [
                ("subject", "new"),
                ("location", Location(display_name="new", city="new")),
                ("reminder", 7),
                ("categories", ("new",)),
                ("sensitivity", Sensitivity.CONFIDENTIAL),
                ("busy_status", BusyStatus.TENTATIVE),
                ("body", Body(type=BodyType.PLAIN, data="new")),
                ("subject", ""),
                ("reminder", EMPTY),
            ]
        )
    )
    change = Calendar(**{name: value})
    edited = apply_calendar(octets, change, version=version, now=NOW, uid="y", owner=OWNER)
    after = calendar_from(edited, version=version, now=NOW, owner=OWNER)
    left = {"dt_stamp", "native_body_type", "location_text", "exceptions", name, *(["location"] * (name == "location"))}
    for field in {f.name for f in fields(Calendar)} - left:
        assert getattr(after, field) == getattr(before, field), field
    assert len(after.exceptions or ()) == len(before.exceptions or ())


@given(event=events(), version=st.sampled_from(SUPPORTED))
@QUICK
def test_what_is_sent_is_valid(event: Calendar, version: ProtocolVersion) -> None:
    octets = added(sent_at(event, V14_1), V14_1)
    shown = calendar_from(octets, version=version, now=NOW, owner=OWNER)
    assert_valid(sync_response(dump(shown, version)), "Sync")
    assert len(shown.exceptions or ()) == len({e.exception_start_time for e in event.exceptions or ()})


@given(
    start=moments,
    span=st.integers(0, 5000),
    subject=words,
    people=st.none() | attendees,
    kind=st.none() | recurrences(),
)
@QUICK
def test_an_event_of_the_new_model_comes_back(
    start: datetime, span: int, subject: str, people: tuple[Attendee, ...] | None, kind: Recurrence | None
) -> None:
    sent = Calendar(
        start_time=start,
        end_time=start + timedelta(minutes=span),
        time_zone=city("Asia/Kolkata").blob(2026).dump(),
        subject=subject,
        attendees=people and tuple(replace(person, status=None) for person in people),
        recurrence=kind,
        client_uid="c",
    )
    octets = apply_calendar(None, sent_at(sent, V16_1), version=V16_1, now=NOW, uid="made", owner=OWNER)
    back = calendar_from(octets, version=V16_1, now=NOW, owner=OWNER)
    kept = ("start_time", "end_time", "time_zone", "subject")
    assert [getattr(back, name) for name in kept] == [getattr(sent, name) for name in kept]
    assert back.recurrence == expected(sent, back).recurrence
    assert [(a.email, a.name, a.type) for a in back.attendees or ()] == [
        (a.email, a.name, a.type) for a in people or ()
    ]
    assert (back.uid, back.organizer_email, back.dt_stamp) == ("made", "alice@example.com", NOW)


@given(day=st.dates(date(1990, 1, 1), date(2060, 1, 1)), days=st.integers(1, 9), home=cities)
@QUICK
def test_a_whole_day_is_the_same_day_everywhere(day: date, days: int, home: str) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    sent = Calendar(all_day_event=True, start_time=start, end_time=start + timedelta(days=days))
    owner = replace(OWNER, time_zone=home)
    octets = apply_calendar(None, sent, version=V16_0, now=NOW, uid="x", owner=owner)
    back = calendar_from(octets, version=V16_0, now=NOW, owner=owner)
    assert (back.start_time, back.end_time, back.time_zone) == (sent.start_time, sent.end_time, None)
    old = calendar_from(octets, version=V14_1, now=NOW, owner=owner)
    assert old.time_zone is not None
    again = apply_calendar(octets, old, version=V14_1, now=NOW, uid="x", owner=owner)
    back = calendar_from(again, version=V16_1, now=NOW, owner=owner)
    assert (back.start_time, back.end_time) == (sent.start_time, sent.end_time)


@given(
    lines=st.lists(
        st.sampled_from(
            [
                "DTSTART:20261203T130000Z",
                "DTSTART;TZID=Nowhere:20261203T130000",
                "DTSTART;VALUE=DATE:20261203",
                "DTSTART:nonsense",
                "DTEND;VALUE=DATE:20261201",
                "DTEND:16010101T000000",
                "DURATION:P999999W",
                "RRULE:FREQ=SECONDLY",
                "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
                "RRULE:FREQ=DAILY;INTERVAL=999999999",
                "RRULE:FREQ=DAILY;COUNT=999999999;BYYEARDAY=366",
                "RRULE:FREQ=WEEKLY;UNTIL=16010101",
                "RRULE:RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8",
                "RRULE:FREQ=MONTHLY;BYDAY=-2MO,3FR;BYSETPOS=1,-1",
                "EXDATE:20261203T130000Z,x,20261204",
                "RDATE;VALUE=PERIOD:20261203T130000Z/PT1H",
                "ATTENDEE:",
                "ATTENDEE;PARTSTAT=X:mailto:",
                "ORGANIZER;CN=:x",
                "X-EAS-TIMEZONE;TZID=Europe/Berlin:????",
                "X-EAS-RECURRENCE;X-EAS-OF=0:TYPE=9",
                "X-EAS-LOCATION:{",
                "X-EAS-MEETING-STATUS:4",
                "CLASS:SECRET",
                "GEO:1;x",
                "TRANSP:OPAQUE",
                "STATUS:CANCELLED",
                "CATEGORIES:,,",
                "RECURRENCE-ID:20261203T130000Z",
                "ATTACH;ENCODING=BASE64:***",
                "BEGIN:VALARM\r\nTRIGGER:-P9999D\r\nEND:VALARM",
            ]
        ),
        max_size=12,
    ),
    version=st.sampled_from(SUPPORTED),
)
@QUICK
def test_whatever_is_stored_is_shown_or_refused(lines: list[str], version: ProtocolVersion) -> None:
    octets = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]).encode()
    try:
        shown = calendar_from(octets, version=version, now=NOW, owner=OWNER)
    except InvalidItem:
        return
    assert_valid(sync_response(dump(shown, version)), "Sync")
    assert occurrences(octets, NOW, NOW + timedelta(days=60), owner=OWNER) is not None
    assert filter_instant(octets, owner=OWNER).tzinfo is not None
    change = Calendar(subject="new")
    if version >= V16_0:
        edited = apply_calendar(octets, change, version=version, now=NOW, uid="x", owner=OWNER)
        kept = {(p.name, p.value) for p in parse(octets).components("VEVENT")[0].properties} - {("SUMMARY", "new")}
        assert kept <= {(p.name, p.value) for p in parse(edited).components("VEVENT")[0].properties}


@given(kind=recurrences(), start=moments, day=st.booleans())
@QUICK
def test_the_occurrences_are_those_of_the_rule(kind: Recurrence, start: datetime, day: bool) -> None:
    """Looking at a part of a series shows what looking at all of it shows."""
    octets = apply_calendar(
        None,
        Calendar(start_time=start, end_time=start + timedelta(hours=1), recurrence=kind, all_day_event=day),
        version=V14_1,
        now=NOW,
        uid="x",
        owner=OWNER,
    )
    end = start + timedelta(days=3000)
    found = occurrences(octets, start - timedelta(days=1), end, owner=OWNER)
    assert found == sorted(set(found))
    middle = start + timedelta(days=1234)
    late = occurrences(octets, middle, end, owner=OWNER)
    assert late == [o for o in found if o.end > middle]
    if found and kind.occurrences is not None:
        assert filter_instant(octets, owner=OWNER) >= found[-1].end
        assert len(found) <= kind.occurrences


@given(text=st.text(max_size=60))
@QUICK
def test_rules_are_read_or_not(text: str) -> None:
    for rule in (text, f"FREQ=DAILY;{text}", f"FREQ=YEARLY;BYDAY={text}"):
        parse_rule(rule)
