"""Series: how they recur, which occurrences differ, and when they take place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.render.calendar import (
    FAR_FUTURE,
    Owner,
    apply_calendar,
    delete_occurrence,
    filter_instant,
    occurrences,
)
from eas_server.render.contentlines import parse
from eas_server.render.pim import InvalidItem
from protocol.items.airsyncbase import Body, BodyType, Location
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Calendar,
    ExceptionItem,
    Recurrence,
    RecurrenceType,
)
from protocol.schema import EMPTY
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1
from tests.server.render.calendars import NOW, OWNER, START, at, event, ics, line, shown, stored

T = RecurrenceType
BOB = Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.UNKNOWN, type=AttendeeType.REQUIRED)
CAROL = replace(BOB, email="carol@example.com", name="Carol")
WEEKLY = Recurrence(type=T.WEEKLY, interval=1, day_of_week=16, first_day_of_week=1)
"""On Thursdays, as START is."""
SECOND, THIRD, FOURTH = (START + timedelta(weeks=n) for n in (1, 2, 3))


def rule(recurrence: Recurrence, **values: object) -> str:
    text = line(stored(event(recurrence=recurrence, **values)), "RRULE")
    assert text is not None
    return text


def days(octets: bytes, end: str, start: str = "20260101T0000") -> list[str]:
    return [f"{o.start:%Y%m%d}" for o in occurrences(octets, at(start), at(end), owner=OWNER)]


# ---- patterns


@pytest.mark.requirement("MS-ASCAL_R3892311", "MS-ASCAL_R3892312", "MS-ASCAL_R3893714", "MS-ASCAL_R3893715")
@pytest.mark.requirement("MS-ASCAL_R3893716", "MS-ASCAL_R477", "MS-ASCAL_R5", "MS-ASCAL_R53911", "MS-ASCAL_R5391111")
@pytest.mark.parametrize(
    ("recurrence", "text"),
    [
        (Recurrence(type=T.DAILY, interval=3), "FREQ=DAILY;INTERVAL=3"),
        (Recurrence(type=T.DAILY, interval=0), "FREQ=DAILY"),
        (Recurrence(type=T.DAILY, day_of_week=62), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        (WEEKLY, "FREQ=WEEKLY;BYDAY=TH;WKST=MO"),
        (replace(WEEKLY, interval=2, first_day_of_week=0), "FREQ=WEEKLY;BYDAY=TH;INTERVAL=2;WKST=SU"),
        (Recurrence(type=T.MONTHLY, day_of_month=3), "FREQ=MONTHLY;BYMONTHDAY=3"),
        (Recurrence(type=T.MONTHLY, day_of_month=31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (Recurrence(type=T.MONTHLY, day_of_month=29), "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (Recurrence(type=T.MONTHLY_NTH, week_of_month=2, day_of_week=4), "FREQ=MONTHLY;BYDAY=2TU"),
        (Recurrence(type=T.MONTHLY_NTH, week_of_month=5, day_of_week=4), "FREQ=MONTHLY;BYDAY=-1TU"),
        (
            Recurrence(type=T.MONTHLY_NTH, week_of_month=5, day_of_week=62),
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ),
        (Recurrence(type=T.MONTHLY_NTH, week_of_month=1, day_of_week=65), "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1"),
        (
            Recurrence(type=T.MONTHLY_NTH, week_of_month=2, day_of_week=127),
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=2",
        ),
        (Recurrence(type=T.YEARLY, month_of_year=12, day_of_month=3), "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=3"),
        (Recurrence(type=T.YEARLY, month_of_year=2, day_of_month=29), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (
            Recurrence(type=T.YEARLY_NTH, month_of_year=11, week_of_month=4, day_of_week=16),
            "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        ),
        (Recurrence(type=T.YEARLY_NTH, month_of_year=12, week_of_month=1), "FREQ=YEARLY;BYMONTH=12;BYDAY=1TH"),
        (Recurrence(type=T.DAILY, occurrences=5, until=START), "FREQ=DAILY;COUNT=5"),
        (Recurrence(type=T.DAILY, until=START), "FREQ=DAILY;UNTIL=20261203T130000Z"),
        (
            Recurrence(type=T.YEARLY, month_of_year=5, day_of_month=8, calendar_type=8, is_leap_month=True),
            "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L;BYMONTHDAY=8",
        ),
    ],
)
def test_patterns(recurrence: Recurrence, text: str) -> None:
    assert rule(recurrence) == text


@pytest.mark.requirement("MS-ASCAL_R53913", "MS-ASCAL_R53916", "MS-ASCAL_R53917", "MS-ASCAL_R53918")
@pytest.mark.requirement("MS-ASCAL_R53919", "MS-ASCAL_R38929", "MS-ASCAL_R38935", "MS-ASCAL_R3893713")
@pytest.mark.requirement("MS-ASCAL_R3893717", "MS-ASCAL_R38941", "MS-ASCAL_R38943", "MS-ASCAL_R38948")
@pytest.mark.requirement("MS-ASCAL_R38950", "MS-ASCAL_R448", "MS-ASCAL_R148", "MS-ASCAL_R174")
@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence(),
        Recurrence(interval=1),
        Recurrence(type=T.WEEKLY),
        Recurrence(type=T.MONTHLY),
        Recurrence(type=T.MONTHLY_NTH, day_of_week=1),
        Recurrence(type=T.MONTHLY_NTH, week_of_month=1),
        Recurrence(type=T.YEARLY, day_of_month=1),
        Recurrence(type=T.YEARLY, month_of_year=1),
        Recurrence(type=T.YEARLY_NTH, month_of_year=1, day_of_week=1),
        Recurrence(type=T.YEARLY_NTH, week_of_month=1, day_of_week=1),
        replace(WEEKLY, day_of_month=1),
        replace(WEEKLY, month_of_year=1),
        replace(WEEKLY, week_of_month=1),
        Recurrence(type=T.MONTHLY, day_of_month=1, day_of_week=1),
        Recurrence(type=T.MONTHLY, day_of_month=1, month_of_year=1),
        Recurrence(type=T.YEARLY, month_of_year=1, day_of_month=1, day_of_week=1),
        *(Recurrence(type=T.MONTHLY, day_of_month=1, calendar_type=n) for n in (13, 16, 17, 18, 19, 21, 22, 23)),
    ],
)
def test_patterns_that_are_none(recurrence: Recurrence) -> None:
    with pytest.raises(InvalidItem):
        stored(event(recurrence=recurrence))


@pytest.mark.requirement("MS-ASCAL_R52523", "MS-ASCAL_R52524", "MS-ASCAL_R11028", "MS-ASCAL_R14312")
@pytest.mark.requirement("MS-ASCAL_R143", "MS-ASCAL_R14311", "MS-ASCAL_R14313", "MS-ASCAL_R11029")
def test_what_responses_always_have() -> None:
    octets = stored(
        event(recurrence=replace(WEEKLY, first_day_of_week=None)), owner=replace(OWNER, first_day_of_week=6)
    )
    held = shown(octets).recurrence
    assert held is not None
    assert held.first_day_of_week == 6
    assert shown(ics("DTSTART:20261203T130000Z", "RRULE:FREQ=WEEKLY")).recurrence == replace(
        WEEKLY, first_day_of_week=1
    )
    for kind, values in (
        (T.MONTHLY, {"day_of_month": 1}),
        (T.MONTHLY_NTH, {"week_of_month": 1, "day_of_week": 1}),
        (T.YEARLY, {"day_of_month": 1, "month_of_year": 1}),
        (T.YEARLY_NTH, {"week_of_month": 1, "day_of_week": 1, "month_of_year": 1}),
    ):
        for sent, back in ((None, 0), (1, 1), (15, 15)):
            found = shown(stored(event(recurrence=Recurrence(type=kind, calendar_type=sent, **values)))).recurrence
            assert found is not None
            assert found.calendar_type == back


@pytest.mark.parametrize(
    ("text", "recurrence"),
    [
        ("FREQ=DAILY", Recurrence(type=T.DAILY)),
        ("FREQ=DAILY;BYDAY=MO,FR", Recurrence(type=T.WEEKLY, day_of_week=34, first_day_of_week=1)),
        ("FREQ=MONTHLY", Recurrence(type=T.MONTHLY, day_of_month=3, calendar_type=0)),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", Recurrence(type=T.MONTHLY, day_of_month=31, calendar_type=0)),
        ("FREQ=MONTHLY;BYDAY=-1FR", Recurrence(type=T.MONTHLY_NTH, week_of_month=5, day_of_week=32, calendar_type=0)),
        (
            "FREQ=YEARLY;COUNT=3",
            Recurrence(type=T.YEARLY, day_of_month=3, month_of_year=12, calendar_type=0, occurrences=3),
        ),
        (
            "FREQ=YEARLY;BYMONTH=11;BYDAY=TH;BYSETPOS=4",
            Recurrence(type=T.YEARLY_NTH, month_of_year=11, week_of_month=4, day_of_week=16, calendar_type=0),
        ),
        ("FREQ=DAILY;UNTIL=20270101", Recurrence(type=T.DAILY, until=at("20270101T225959"))),
        ("FREQ=DAILY;UNTIL=20270101T120000", Recurrence(type=T.DAILY, until=at("20270101T1100"))),
    ],
)
def test_patterns_of_others(text: str, recurrence: Recurrence) -> None:
    octets = ics("DTSTART;TZID=Europe/Berlin:20261203T140000", f"RRULE:{text}")
    assert shown(octets).recurrence == replace(recurrence, interval=1)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYDAY=-2FR",
        "FREQ=MONTHLY;BYMONTH=1;BYMONTHDAY=1",
        "FREQ=YEARLY;BYWEEKNO=3",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;UNTIL=x",
        "nonsense",
    ],
)
def test_patterns_that_no_device_can_say_stay(text: str) -> None:
    octets = ics("DTSTART;TZID=Europe/Berlin:20261203T140000", f"RRULE:{text}", "EXDATE:20261204T130000Z")
    held = shown(octets)
    assert (held.recurrence, held.exceptions) == (None, None)
    edited = stored(replace(held, subject="x"), held=octets)
    assert line(edited, "RRULE") == text
    assert line(edited, "EXDATE") == "20261204T130000Z"
    other = stored(replace(held, recurrence=WEEKLY), held=octets)
    assert line(other, "RRULE") == "FREQ=WEEKLY;BYDAY=TH;WKST=MO"


@pytest.mark.requirement("MS-ASCAL_R2180002", "MS-ASCAL_R374001", "MS-ASCAL_R2180001")
def test_recurrence_of_the_new_model() -> None:
    octets = stored(event(recurrence=WEEKLY), V16_0)
    kept = stored(Calendar(subject="x"), V16_0, octets)
    assert shown(kept, V16_0).recurrence == WEEKLY
    until = stored(Calendar(recurrence=Recurrence(until=FOURTH)), V16_0, octets)
    assert shown(until, V16_0).recurrence == replace(WEEKLY, until=FOURTH)
    single = stored(Calendar(recurrence=Recurrence()), V16_0, octets)
    assert shown(single, V16_0).recurrence is None
    assert line(single, "RRULE") is None


def test_what_a_version_cannot_say_of_a_pattern_stays() -> None:
    octets = stored(event(recurrence=replace(WEEKLY, first_day_of_week=4)))
    edited = stored(event(recurrence=replace(WEEKLY, interval=2, first_day_of_week=None)), V12_1, octets)
    assert shown(edited).recurrence == replace(WEEKLY, interval=2, first_day_of_week=4)


def test_up_to_14_1_an_absent_recurrence_is_deleted() -> None:
    octets = stored(event(recurrence=WEEKLY, exceptions=(ExceptionItem(deleted=True, exception_start_time=SECOND),)))
    single = stored(event(), held=octets)
    assert (line(single, "RRULE"), line(single, "EXDATE")) == (None, None)


# ---- exceptions

MOVED = ExceptionItem(
    exception_start_time=SECOND,
    start_time=SECOND + timedelta(hours=3),
    end_time=SECOND + timedelta(hours=4),
    subject="Late lunch",
    body=Body(type=BodyType.PLAIN, data="later"),
    attendees=(BOB, CAROL),
)
SERIES = event(
    recurrence=WEEKLY,
    location_text="Room 1",
    reminder=15,
    categories=("red",),
    body=Body(type=BodyType.PLAIN, data="text"),
    attendees=(BOB,),
    organizer_email="alice@example.com",
    exceptions=(MOVED, ExceptionItem(deleted=True, exception_start_time=THIRD)),
)


def exceptions(octets: bytes, version: object = V14_1) -> tuple[ExceptionItem, ...]:
    held = shown(octets, version).exceptions  # type: ignore[arg-type]
    assert held is not None
    return held


@pytest.mark.requirement("MS-ASCAL_R442", "MS-ASCAL_R298", "MS-ASCAL_R394", "MS-ASCAL_R82", "MS-ASCAL_R135")
@pytest.mark.requirement("MS-ASCAL_R306", "MS-ASCAL_R425", "MS-ASCAL_R210", "MS-ASCAL_R264")
def test_an_occurrence_says_what_it_has_unlike_its_series() -> None:
    octets = stored(SERIES)
    moved, deleted = exceptions(octets)
    assert (moved.subject, moved.start_time, moved.attendees) == (
        "Late lunch",
        SECOND + timedelta(hours=3),
        (BOB, CAROL),
    )
    assert moved.body is not None
    assert moved.body.data == "later"  # type: ignore[union-attr]
    same = ("location_text", "location", "categories", "reminder", "busy_status", "all_day_event", "meeting_status")
    assert [getattr(moved, name) for name in same] == [None] * len(same)
    assert (deleted.deleted, deleted.exception_start_time, deleted.start_time) == (True, THIRD, None)
    # each occurrence stands for itself in iCalendar
    override = parse(octets).components("VEVENT")[1]
    assert (override.text("LOCATION"), override.text("SUMMARY")) == ("Room 1", "Late lunch")
    assert override.first("RRULE") is None


@pytest.mark.requirement("MS-ASCAL_R508", "MS-ASCAL_R539", "MS-ASCAL_R543", "MS-ASCAL_R2242", "MS-ASCAL_R2185")
def test_an_occurrence_that_lacks_what_its_series_has() -> None:
    bare = replace(MOVED, location_text="", reminder=EMPTY, categories=(), attendees=(), body=EMPTY)
    octets = stored(replace(SERIES, exceptions=(bare,)))
    (held,) = exceptions(octets)
    assert (held.location_text, held.reminder, held.categories, held.attendees) == ("", EMPTY, (), ())
    assert held.body is not None
    assert held.body.data == ""  # type: ignore[union-attr]
    (new,) = exceptions(octets, V16_1)
    assert new.location == Location()
    (old,) = exceptions(octets, V14_0)
    assert old.reminder is None


@pytest.mark.requirement("MS-ASCMD_R876", "MS-ASCMD_R877", "MS-ASCAL_R541", "MS-ASCAL_R542", "MS-ASCAL_R54111")
def test_exceptions_that_a_change_does_not_name_stay() -> None:
    octets = stored(SERIES)
    without = stored(replace(SERIES, exceptions=None, subject="x"), held=octets)
    assert len(exceptions(without)) == 2
    another = ExceptionItem(deleted=True, exception_start_time=FOURTH)
    with_one = stored(replace(SERIES, exceptions=(another,)), held=octets)
    assert [e.exception_start_time for e in exceptions(with_one)] == [SECOND, THIRD, FOURTH]


def test_an_occurrence_inherits_what_becomes_of_its_series() -> None:
    octets = stored(SERIES)
    edited = stored(replace(SERIES, exceptions=None, subject="New", location_text="Room 2"), held=octets)
    moved, _ = exceptions(edited)
    assert (moved.subject, moved.location_text) == ("Late lunch", None)
    assert b"LOCATION:Room 2" in edited
    assert b"LOCATION:Room 1" not in edited


def test_an_exception_named_again() -> None:
    octets = stored(SERIES)
    again = ExceptionItem(exception_start_time=SECOND, subject="Earlier", start_time=SECOND)
    moved, _ = exceptions(stored(replace(SERIES, exceptions=(again,)), held=octets))
    assert (moved.subject, moved.start_time, moved.attendees) == ("Earlier", SECOND, None)
    assert moved.body is not None  # MS-ASCMD_R878
    restored = ExceptionItem(exception_start_time=THIRD, subject="Back")
    found = exceptions(stored(replace(SERIES, exceptions=(restored,)), held=octets))
    assert [(e.exception_start_time, e.deleted) for e in found] == [(SECOND, None), (THIRD, None)]
    gone = ExceptionItem(exception_start_time=SECOND, deleted=True)
    found = exceptions(stored(replace(SERIES, exceptions=(gone,)), held=octets))
    assert [(e.exception_start_time, e.deleted) for e in found] == [(SECOND, True), (THIRD, True)]


@pytest.mark.requirement("MS-ASCAL_R2023")
def test_attendees_of_an_occurrence_outlive_an_edit_of_12_1() -> None:
    octets = stored(SERIES)
    again = replace(MOVED, subject="x", attendees=None)
    moved, _ = exceptions(stored(replace(SERIES, exceptions=(again,)), V12_1, octets))
    assert (moved.subject, moved.attendees) == ("x", (BOB, CAROL))


@pytest.mark.requirement("MS-ASCAL_R243", "MS-ASCAL_R246", "MS-ASCAL_R24311")
def test_how_many_exceptions_there_can_be() -> None:
    many = tuple(ExceptionItem(deleted=True, exception_start_time=START + timedelta(weeks=n)) for n in range(300))
    octets = stored(replace(SERIES, exceptions=many[:256]))
    with pytest.raises(InvalidItem):
        stored(replace(SERIES, exceptions=many[:257]))
    more = stored(replace(SERIES, exceptions=many[256:]), held=octets)
    assert len(exceptions(more)) == 256
    assert len(parse(more).components("VEVENT")[0].all("EXDATE")) == 300
    with pytest.raises(InvalidItem):
        stored(replace(SERIES, exceptions=(ExceptionItem(subject="x"),)))


def test_deleted_occurrences_of_a_dav_client() -> None:
    octets = ics(
        "DTSTART;TZID=Europe/Berlin:20261203T140000",
        "RRULE:FREQ=WEEKLY",
        "EXDATE;TZID=Europe/Berlin:20261210T140000,20261217T140000",
        "EXDATE:20261224T130000Z",
    )
    assert [e.exception_start_time for e in exceptions(octets)] == [SECOND, THIRD, FOURTH]
    back = stored(replace(shown(octets), exceptions=(ExceptionItem(exception_start_time=SECOND),)), held=octets)
    assert [e.deleted for e in exceptions(back)] == [None, True, True]


def test_whole_days_that_differ() -> None:
    day = event(
        all_day_event=True,
        start_time=at("20261202T2300"),
        end_time=at("20261203T2300"),
        recurrence=WEEKLY,
        exceptions=(
            ExceptionItem(deleted=True, exception_start_time=at("20261209T2300")),
            ExceptionItem(exception_start_time=at("20261216T2300"), subject="x"),
        ),
    )
    octets = stored(day)
    assert line(octets, "EXDATE") == "20261210"
    assert [e.exception_start_time for e in exceptions(octets)] == [at("20261209T2300"), at("20261216T2300")]
    assert [e.instance_id for e in exceptions(octets, V16_0)] == [at("20261210T0000"), at("20261217T0000")]
    assert exceptions(octets, V16_0)[1].start_time == at("20261217T0000")


# ---- one occurrence in the new model


@pytest.mark.requirement("MS-ASCMD_R6238", "MS-ASCAL_R2113", "MS-ASAIRS_R1175")
def test_one_occurrence_is_changed_by_its_instance_id() -> None:
    octets = stored(replace(SERIES, exceptions=None))
    once = stored(Calendar(subject="Once"), V16_1, octets, instance_id=SECOND)
    assert shown(once, V16_1).subject == "Lunch"
    (held,) = exceptions(once, V16_1)
    assert (held.instance_id, held.subject, held.start_time) == (SECOND, "Once", SECOND)
    twice = stored(Calendar(location=Location(display_name="Roof")), V16_1, once, instance_id=SECOND)
    (held,) = exceptions(twice, V16_1)
    assert (held.subject, held.location) == ("Once", Location(display_name="Roof"))
    assert stored(Calendar(subject="Once"), V16_1, twice, instance_id=SECOND) == twice


@pytest.mark.requirement("MS-ASCAL_R2009")
def test_what_is_no_occurrence_cannot_be_changed() -> None:
    octets = stored(SERIES)
    for change, moment, held in (
        (Calendar(subject="x"), START + timedelta(days=1), octets),
        (Calendar(subject="x"), START - timedelta(weeks=1), octets),
        (Calendar(subject="x"), THIRD, octets),
        (Calendar(all_day_event=True), FOURTH, octets),
        (Calendar(subject="x"), START, stored(event())),
    ):
        with pytest.raises(InvalidItem):
            stored(change, V16_0, held, instance_id=moment)


@pytest.mark.requirement("MS-ASCMD_R6420")
def test_one_occurrence_is_deleted_by_its_instance_id() -> None:
    octets = stored(SERIES)
    for moment in (SECOND, FOURTH):
        octets = delete_occurrence(octets, moment, version=V16_0, now=NOW, owner=OWNER)
    assert [e.instance_id for e in exceptions(octets, V16_0) if e.deleted] == [SECOND, THIRD, FOURTH]
    assert delete_occurrence(octets, SECOND, version=V16_0, now=NOW, owner=OWNER) == octets
    with pytest.raises(InvalidItem):
        delete_occurrence(octets, START + timedelta(days=1), version=V16_0, now=NOW, owner=OWNER)
    whole = Calendar(
        all_day_event=True, start_time=at("20261203T0000"), end_time=at("20261204T0000"), recurrence=WEEKLY
    )
    day = stored(whole, V16_0)
    gone = delete_occurrence(day, at("20261210T0000"), version=V16_0, now=NOW, owner=OWNER)
    assert line(gone, "EXDATE") == "20261210"


@pytest.mark.requirement("MS-ASCAL_R2097", "MS-ASCAL_R2114", "MS-ASCAL_R2180", "MS-ASCAL_R2202")
@pytest.mark.parametrize(
    ("change", "left"),
    [
        (Calendar(start_time=START + timedelta(minutes=5)), 0),
        (Calendar(end_time=START + timedelta(minutes=90)), 0),
        (Calendar(recurrence=replace(WEEKLY, interval=2)), 0),
        (Calendar(subject="x", start_time=START, recurrence=WEEKLY), 2),
        (Calendar(recurrence=replace(WEEKLY, first_day_of_week=None, interval=None)), 2),
    ],
)
def test_a_series_that_moves_loses_its_exceptions(change: Calendar, left: int) -> None:
    edited = stored(change, V16_0, stored(SERIES))
    assert len(shown(edited, V16_0).exceptions or ()) == left


def test_a_series_is_added_with_its_exceptions() -> None:
    sent = replace(SERIES, exceptions=(replace(MOVED, exception_start_time=None, instance_id=SECOND),))
    (held,) = exceptions(stored(sent, V16_0), V16_0)
    assert (held.instance_id, held.subject) == (SECOND, "Late lunch")


@pytest.mark.requirement("MS-ASAIRS_R1176")
def test_an_occurrence_without_its_series() -> None:
    octets = ics("DTSTART:20261210T160000Z", "RECURRENCE-ID:20261210T130000Z", "SUMMARY:Guest")
    held = shown(octets, V16_0)
    assert (held.instance_id, held.subject, held.recurrence) == (SECOND, "Guest", None)


# ---- when


def test_occurrences_of_a_series() -> None:
    octets = stored(SERIES)
    found = occurrences(octets, START, FOURTH + timedelta(hours=1), owner=OWNER)
    assert [(o.start, o.end - o.start, o.busy) for o in found] == [
        (START, timedelta(hours=1), BusyStatus.BUSY),
        (SECOND + timedelta(hours=3), timedelta(hours=1), BusyStatus.BUSY),
        (FOURTH, timedelta(hours=1), BusyStatus.BUSY),
    ]
    assert occurrences(octets, START + timedelta(hours=1), SECOND, owner=OWNER) == []
    assert len(occurrences(octets, START + timedelta(minutes=30), SECOND, owner=OWNER)) == 1


def test_occurrences_keep_to_the_clock() -> None:
    octets = stored(event(recurrence=WEEKLY))
    summer = occurrences(octets, at("20270601T0000"), at("20270605T0000"), owner=OWNER)
    assert [o.start for o in summer] == [at("20270603T1200")]


def test_occurrences_of_days() -> None:
    octets = ics(
        "DTSTART;VALUE=DATE:20261203", "RRULE:FREQ=DAILY;COUNT=3", "RDATE;VALUE=DATE:20261224", "STATUS:CANCELLED"
    )
    assert days(octets, "20270101T0000") == ["20261202", "20261203", "20261204", "20261223"]
    assert {o.busy for o in occurrences(octets, at("20260101T0000"), at("20280101T0000"), owner=OWNER)} == {0}
    utc = occurrences(octets, at("20260101T0000"), at("20261204T0000"), owner=Owner())
    assert [(o.start, o.end) for o in utc] == [(at("20261203T0000"), at("20261204T0000"))]


def test_occurrences_of_months() -> None:
    last = stored(event(recurrence=Recurrence(type=T.MONTHLY, day_of_month=31)))
    assert days(last, "20270501T0000") == ["20261231", "20270131", "20270228", "20270331", "20270430"]


@pytest.mark.requirement("MS-ASCMD_R5878", "MS-ASCMD_R3065")
@pytest.mark.parametrize(
    ("lines", "instant"),
    [
        (("DTSTART:20261203T130000Z", "DTEND:20261203T140000Z"), at("20261203T1400")),
        (("DTSTART:20261203T130000Z", "RRULE:FREQ=DAILY"), FAR_FUTURE),
        (("DTSTART:20261203T130000Z", "RRULE:FREQ=HOURLY"), FAR_FUTURE),
        (("DTSTART:20261203T130000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"), at("20261205T1400")),
        (("DTSTART:20261203T130000Z", "RRULE:FREQ=WEEKLY;UNTIL=20461225T130000Z"), at("20461220T1300")),
        (("DTSTART:19970101T130000Z", "RRULE:FREQ=YEARLY;UNTIL=20261225T130000Z"), at("20260101T1300")),
        (("DTSTART:20261203T130000Z", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261205T130000Z"), at("20261204T1300")),
        (("DTSTART:20261203T130000Z", "RDATE:20271203T130000Z"), at("20271203T1300")),
    ],
)
def test_until_when_an_event_matters(lines: tuple[str, ...], instant: datetime) -> None:
    assert filter_instant(ics(*lines), owner=Owner()) == instant


def test_a_moved_occurrence_can_be_the_last() -> None:
    series = replace(
        SERIES,
        recurrence=replace(WEEKLY, occurrences=2),
        exceptions=(replace(MOVED, start_time=FOURTH, end_time=FOURTH + timedelta(hours=2)),),
    )
    assert filter_instant(stored(series), owner=OWNER) == FOURTH + timedelta(hours=2)


def test_time_is_an_argument() -> None:
    first = apply_calendar(None, event(), version=V14_1, now=NOW, uid="x", owner=OWNER)
    later = apply_calendar(first, event(subject="x"), version=V14_1, now=datetime(2027, 1, 1, tzinfo=UTC), uid="x")
    assert line(later, "LAST-MODIFIED") == "20270101T000000Z"
    assert line(later, "CREATED") == line(first, "CREATED")
