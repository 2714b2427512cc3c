"""Every element of an event by itself: what the Recurrence of each Type has, and what an occurrence has of its own."""

from dataclasses import replace
from typing import Any

import pytest

from eas_server.render.pim import InvalidItem
from protocol.elements import Element
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
from protocol.schema import EMPTY, dump
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, ProtocolVersion
from tests.server.render.calendars import END, START, at, event, ics, line, shown, stored

NEW = [version for version in SUPPORTED if version >= V16_0]
T = RecurrenceType
RULES = {
    T.DAILY: Recurrence(type=T.DAILY, day_of_week=16),
    T.WEEKLY: Recurrence(type=T.WEEKLY, day_of_week=16),
    T.MONTHLY: Recurrence(type=T.MONTHLY, day_of_month=3),
    T.MONTHLY_NTH: Recurrence(type=T.MONTHLY_NTH, day_of_week=16, week_of_month=1),
    T.YEARLY: Recurrence(type=T.YEARLY, day_of_month=3, month_of_year=12),
    T.YEARLY_NTH: Recurrence(type=T.YEARLY_NTH, day_of_week=16, week_of_month=1, month_of_year=12),
}
OWN = {
    T.DAILY: {"DayOfWeek"},
    T.WEEKLY: {"DayOfWeek", "FirstDayOfWeek"},
    T.MONTHLY: {"DayOfMonth", "CalendarType"},
    T.MONTHLY_NTH: {"DayOfWeek", "WeekOfMonth", "CalendarType"},
    T.YEARLY: {"DayOfMonth", "MonthOfYear", "CalendarType"},
    T.YEARLY_NTH: {"DayOfWeek", "WeekOfMonth", "MonthOfYear", "CalendarType"},
}
LATE = {"CalendarType": V14_0, "IsLeapMonth": V14_0, "FirstDayOfWeek": V14_1}
FIRST = ExceptionItem(exception_start_time=START)
BOB = Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.ACCEPTED, type=AttendeeType.OPTIONAL)
CAROL = Attendee(email="carol@example.com", name="Carol", status=AttendeeStatus.UNKNOWN, type=AttendeeType.RESOURCE)


def told(item: object, version: ProtocolVersion) -> dict[str, Element]:
    """The elements of an item by name, each there once."""
    children = dump(item, version).children
    found = {child.tag.name: child for child in children}
    assert len(found) == len(children)
    return found


@pytest.mark.requirement("MS-ASCAL_R19011", "MS-ASCAL_R19012", "MS-ASCAL_R19111", "MS-ASCAL_R19411", "MS-ASCAL_R19412")
@pytest.mark.requirement("MS-ASCAL_R19511", "MS-ASCAL_R19512", "MS-ASCAL_R19513", "MS-ASCAL_R19514", "MS-ASCAL_R19811")
@pytest.mark.requirement("MS-ASCAL_R20411", "MS-ASCAL_R20412", "MS-ASCAL_R20413", "MS-ASCAL_R20414")
@pytest.mark.requirement("MS-ASCAL_R204112", "MS-ASCAL_R204113", "MS-ASCAL_R204114", "MS-ASCAL_R272")
@pytest.mark.requirement("MS-ASCAL_R28211", "MS-ASCAL_R287", "MS-ASCAL_R32311", "MS-ASCAL_R32312", "MS-ASCAL_R32411")
@pytest.mark.requirement("MS-ASCAL_R32711", "MS-ASCAL_R32712", "MS-ASCAL_R32811", "MS-ASCAL_R32812", "MS-ASCAL_R32813")
@pytest.mark.requirement("MS-ASCAL_R32814", "MS-ASCAL_R34011", "MS-ASCAL_R341", "MS-ASCAL_R467", "MS-ASCAL_R46611")
@pytest.mark.requirement("MS-ASCAL_R45011", "MS-ASCAL_R47311", "MS-ASCAL_R47312", "MS-ASCAL_R47411", "MS-ASCAL_R374")
@pytest.mark.requirement("MS-ASCAL_R478111", "MS-ASCAL_R478112", "MS-ASCAL_R478113", "MS-ASCAL_R478114")
@pytest.mark.requirement("MS-ASCAL_R38916", "MS-ASCAL_R389161", "MS-ASCAL_R389162", "MS-ASCAL_R28011")
@pytest.mark.requirement("MS-ASCAL_R188", "MS-ASCAL_R18811", "MS-ASCAL_R196", "MS-ASCAL_R321", "MS-ASCAL_R471")
@pytest.mark.requirement("MS-ASCAL_R33811", "MS-ASCAL_R37211", "MS-ASCAL_R46411", "MS-ASCAL_R139", "MS-ASCAL_R269")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("type_", RULES)
def test_what_a_recurrence_of_each_type_says(type_: RecurrenceType, version: ProtocolVersion) -> None:
    until = at("20281231T1300")
    for values in ({}, {"occurrences": 4}, {"until": until}, {"interval": 3}):
        sent = replace(RULES[type_], **values)
        held = stored(event(recurrence=sent), version)
        found = shown(held, version).recurrence
        assert found is not None
        ends = {"occurrences": {"Occurrences"}, "until": {"Until"}}
        wanted = {"Type", "Interval"} | OWN[type_] | {name for key in values for name in ends.get(key, set())}
        assert told(found, version).keys() == {name for name in wanted if version >= LATE.get(name, V12_1)}
        kept = ("type", "day_of_week", "day_of_month", "week_of_month", "month_of_year", "occurrences", "until")
        assert [getattr(found, name) for name in kept] == [getattr(sent, name) for name in kept]
        assert found.interval == (sent.interval or 1)


@pytest.mark.requirement("MS-ASCAL_R53916", "MS-ASCAL_R53917", "MS-ASCAL_R53918", "MS-ASCAL_R53919", "MS-ASCAL_R38929")
@pytest.mark.requirement("MS-ASCAL_R38935", "MS-ASCAL_R3893713", "MS-ASCAL_R3893717", "MS-ASCAL_R38941")
@pytest.mark.requirement("MS-ASCAL_R38943", "MS-ASCAL_R38948", "MS-ASCAL_R38950")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("type_", RULES)
def test_what_a_recurrence_needs_and_what_it_must_not_have(type_: RecurrenceType, version: ProtocolVersion) -> None:
    names = {
        "day_of_week": "DayOfWeek",
        "day_of_month": "DayOfMonth",
        "week_of_month": "WeekOfMonth",
        "month_of_year": "MonthOfYear",
    }
    free = {(T.DAILY, "day_of_week"), (T.YEARLY_NTH, "day_of_week")}
    for name, element in names.items():
        value = None if element in OWN[type_] else 1
        if (type_, name) in free:
            continue
        with pytest.raises(InvalidItem):
            stored(event(recurrence=replace(RULES[type_], **{name: value})), version)


@pytest.mark.requirement("MS-ASCAL_R152", "MS-ASCAL_R156", "MS-ASCAL_R160", "MS-ASCAL_R164", "MS-ASCAL_R167")
@pytest.mark.requirement("MS-ASCAL_R170", "MS-ASCAL_R53913", "MS-ASCAL_R146", "MS-ASCAL_R2239")
@pytest.mark.parametrize("type_", [T.MONTHLY, T.MONTHLY_NTH, T.YEARLY, T.YEARLY_NTH])
def test_which_calendars_there_are(type_: RecurrenceType) -> None:
    for number in range(24):
        change = event(recurrence=replace(RULES[type_], calendar_type=number))
        if number in {13, 16, 17, 18, 19, 21, 22, 23}:
            with pytest.raises(InvalidItem):
                stored(change)
        else:
            found = shown(stored(change)).recurrence
            assert found is not None
            assert found.calendar_type == number


@pytest.mark.requirement("MS-ASCAL_R288", "MS-ASCAL_R290", "MS-ASCAL_R284", "MS-ASCAL_R28411", "MS-ASCAL_R609")
@pytest.mark.requirement("MS-ASCAL_R293", "MS-ASCAL_R608")
def test_a_leap_month() -> None:
    def dates(leap: bool | None, number: int) -> tuple[str | None, bool | None]:
        rule = replace(RULES[T.YEARLY], calendar_type=number, is_leap_month=leap)
        held = stored(event(recurrence=rule))
        found = shown(held).recurrence
        assert found is not None
        return line(held, "RRULE"), found.is_leap_month

    assert dates(True, 1)[0] == dates(False, 1)[0] == dates(None, 1)[0]
    assert dates(True, 8)[0] != dates(False, 8)[0] == dates(None, 8)[0]
    assert (dates(True, 8)[1], dates(False, 8)[1]) == (True, False)


VALUES: dict[str, tuple[Any, Any, Any]] = {
    "subject": ("Lunch", "Dinner", ""),
    "location_text": ("Room 1", "Room 2", ""),
    "categories": (("a",), ("b", "c"), ()),
    "sensitivity": (Sensitivity.PRIVATE, Sensitivity.CONFIDENTIAL, None),
    "busy_status": (BusyStatus.TENTATIVE, BusyStatus.OUT_OF_OFFICE, None),
    "reminder": (15, 5, None),
    "attendees": ((BOB,), (BOB, CAROL), ()),
    "meeting_status": (MeetingStatus.ORGANIZER, MeetingStatus.CANCELLED, None),
    "body": (Body(type=BodyType.PLAIN, data="one"), Body(type=BodyType.PLAIN, data="two"), EMPTY),
}
"""What the series has, what the occurrence has instead, and what takes it away; None: nothing does."""


@pytest.mark.requirement("MS-ASCAL_R10611", "MS-ASCAL_R10711", "MS-ASCAL_R108", "MS-ASCAL_R12611", "MS-ASCAL_R12711")
@pytest.mark.requirement("MS-ASCAL_R13311", "MS-ASCAL_R13411", "MS-ASCAL_R17911", "MS-ASCAL_R18011", "MS-ASCAL_R18312")
@pytest.mark.requirement("MS-ASCAL_R29611", "MS-ASCAL_R29711", "MS-ASCAL_R30511", "MS-ASCAL_R39211", "MS-ASCAL_R39311")
@pytest.mark.requirement("MS-ASCAL_R42311", "MS-ASCAL_R42411", "MS-ASCAL_R44111", "MS-ASCAL_R241", "MS-ASCAL_R24111")
@pytest.mark.requirement("MS-ASCAL_R242", "MS-ASCAL_R26111", "MS-ASCAL_R26711")
@pytest.mark.parametrize("version", [V14_0, V14_1], ids=str)
@pytest.mark.parametrize("name", VALUES)
def test_what_an_occurrence_has_of_its_own(name: str, version: ProtocolVersion) -> None:
    series, own, gone = VALUES[name]
    for value in (series, own, *([] if gone is None else [gone])):
        item = replace(FIRST, **{name: value})
        meeting = {"attendees": (BOB,)} if name == "meeting_status" else {}
        change = event(recurrence=RULES[T.WEEKLY], exceptions=(item,), **meeting, **{name: series})
        held = shown(stored(change, version), version)
        found = held.exceptions[0] if held.exceptions else FIRST
        told(found, version)
        got = getattr(found, name)
        if value is series:
            assert got is None
        elif isinstance(value, Body):
            assert (got.type, got.data) == (value.type, value.data)
        elif name == "body":
            assert not got.data
        else:
            assert got == value


@pytest.mark.requirement("MS-ASCAL_R20611", "MS-ASCAL_R20811", "MS-ASCAL_R2106")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_what_a_deleted_occurrence_says(version: ProtocolVersion) -> None:
    gone = ExceptionItem(exception_start_time=START, deleted=True)
    held = stored(event(recurrence=RULES[T.WEEKLY], exceptions=(gone,)))
    (found,) = shown(held, version).exceptions or ()
    name = "InstanceId" if version >= V16_0 else "ExceptionStartTime"
    assert told(found, version).keys() == {"Deleted", name}
    assert found.deleted is True


@pytest.mark.requirement("MS-ASCAL_R52522", "MS-ASCAL_R525221", "MS-ASCAL_R52522111", "MS-ASCAL_R567", "MS-ASCAL_R566")
@pytest.mark.requirement("MS-ASCAL_R88011", "MS-ASCAL_R89011", "MS-ASCAL_R40511", "MS-ASCAL_R405")
@pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V14_0], ids=str)
def test_when_an_occurrence_was_answered(version: ProtocolVersion) -> None:
    reply = "X-EAS-APPOINTMENT-REPLY-TIME:20261101T100000Z"
    people = ("ORGANIZER:mailto:bob@example.com", "ATTENDEE;PARTSTAT={}:mailto:alice@example.com")
    rule = ("DTSTART:20261203T130000Z", "DTEND:20261203T140000Z", "RRULE:FREQ=DAILY;COUNT=5")
    for answered in (True, False):
        series = ics(*rule, people[0], people[1].format("ACCEPTED"), *([reply] if answered else []))
        own = "BEGIN:VEVENT\r\nUID:dav\r\nRECURRENCE-ID:20261204T130000Z\r\nDTSTART:20261204T150000Z\r\n"
        own += f"DTEND:20261204T160000Z\r\n{people[0]}\r\n{people[1].format('NEEDS-ACTION')}\r\nEND:VEVENT\r\n"
        held = shown(series.replace(b"END:VCALENDAR", own.encode() + b"END:VCALENDAR"), version)
        assert ("AppointmentReplyTime" in told(held, version)) is answered
        (found,) = held.exceptions or ()
        elements = told(found, version)
        assert "AppointmentReplyTime" not in elements
        assert elements["ResponseType"].content == "5"


@pytest.mark.requirement("MS-ASCAL_R85", "MS-ASCAL_R7911", "MS-ASCAL_R17711", "MS-ASCAL_R18311", "MS-ASCAL_R33211")
@pytest.mark.requirement("MS-ASCAL_R22811", "MS-ASCAL_R116", "MS-ASCAL_R121", "MS-ASCAL_R101", "MS-ASCAL_R99")
@pytest.mark.requirement("MS-ASCAL_R568", "MS-ASCAL_R574", "MS-ASCAL_R575", "MS-ASCAL_R10411", "MS-ASCAL_R98011")
@pytest.mark.requirement("MS-ASCAL_R12411", "MS-ASCAL_R29411", "MS-ASCAL_R39011", "MS-ASCAL_R42111", "MS-ASCAL_R43911")
@pytest.mark.requirement("MS-ASCAL_R13811", "MS-ASCAL_R13812", "MS-ASCAL_R13813", "MS-ASCAL_R13814", "MS-ASCAL_R13111")
@pytest.mark.requirement("MS-ASCAL_R610", "MS-ASCAL_R611", "MS-ASCAL_R612", "MS-ASCAL_R613", "MS-ASCAL_R42911")
@pytest.mark.requirement("MS-ASCAL_R23311", "MS-ASCAL_R21911", "MS-ASCAL_R46011", "MS-ASCAL_R225", "MS-ASCAL_R329")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_what_an_event_says(version: ProtocolVersion) -> None:
    for busy in (BusyStatus.FREE, BusyStatus.TENTATIVE, BusyStatus.BUSY, BusyStatus.OUT_OF_OFFICE):
        for sensitivity in Sensitivity:
            sent = event(
                body=Body(type=BodyType.PLAIN, data="text"),
                location_text="Room 1",
                attendees=(BOB, CAROL),
                categories=("a", "b"),
                reminder=15,
                busy_status=busy,
                sensitivity=sensitivity,
            )
            found = shown(stored(sent), version)
            elements = told(found, version)
            assert (found.subject, found.start_time, found.end_time) == ("Lunch", START, END)
            assert (found.busy_status, found.sensitivity, found.reminder) == (busy, sensitivity, 15)
            assert (found.uid, found.dt_stamp, found.categories) == (sent.uid, sent.dt_stamp, ("a", "b"))
            assert (elements["AllDayEvent"].content, found.body and found.body.data) == ("0", "text")
            assert (found.location_text, found.location) == ("Room 1", Location(display_name="Room 1"))
            assert found.attendees == (BOB, CAROL)
            for attendee in found.attendees:
                assert told(attendee, version).keys() == {"Email", "Name", "AttendeeStatus", "AttendeeType"}


@pytest.mark.requirement("MS-ASAIRS_R1400", "MS-ASAIRS_R1401")
@pytest.mark.parametrize("version", NEW, ids=str)
def test_types_of_bodies(version: ProtocolVersion) -> None:
    for kind in BodyType:
        change = Calendar(subject="s", start_time=START, end_time=END, body=Body(type=kind, data="text"))
        if kind in {BodyType.PLAIN, BodyType.HTML}:
            body = shown(stored(change, version), version).body
            assert isinstance(body, Body)
            assert body.type is kind
        else:
            with pytest.raises(InvalidItem):
                stored(change, version)
