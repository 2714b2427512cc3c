"""Tasks out of VTODOs and into them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.render.contentlines import MalformedLines, parse
from eas_server.render.pim import InvalidItem
from eas_server.render.tasks import apply_task, is_complete, last_modified, search_text, task_from
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.tasks import CALENDAR_TYPES, Recurrence, RecurrenceType, Sensitivity, Task
from protocol.schema import EMPTY, dump, load
from protocol.versions import V12_1, V14_1

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
DAY = datetime(2026, 12, 10, tzinfo=UTC)
UTC_DAY = DAY - timedelta(hours=1)
FOREIGN = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Mozilla.org//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
END:VTIMEZONE
BEGIN:VTODO
CREATED:20260101T000000Z
LAST-MODIFIED:20260102T000000Z
DTSTAMP:20260102T000000Z
UID:1
SUMMARY:Buy milk
PRIORITY:2
CLASS:PRIVATE
STATUS:IN-PROCESS
PERCENT-COMPLETE:40
CATEGORIES:Home
DTSTART;TZID=Europe/Berlin:20260501T080000
DUE;TZID=Europe/Berlin:20260501T090000
DESCRIPTION:Two\\nbottles
RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=5
X-MOZ-GENERATION:3
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER;RELATED=END:-PT15M
DESCRIPTION:Default
X-LIC-ERROR;x=y:z
END:VALARM
END:VTODO
END:VCALENDAR
""".replace(b"\n", b"\r\n")
BERLIN = datetime(2026, 5, 1, 8, tzinfo=UTC)
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, start=DAY, day_of_week=2, interval=2)


def change(stored: bytes | None, new: Task, **options: object) -> bytes:
    return apply_task(stored, new, **{"version": V14_1, "now": NOW, "uid": "u1", **options})  # type: ignore[arg-type]


def again(new: Task) -> Task:
    return task_from(change(None, new))


def lines(octets: bytes) -> list[bytes]:
    return [line for line in octets.split(b"\r\n") if not line.startswith((b"DTSTAMP", b"LAST-MODIFIED"))]


def test_a_foreign_task_is_read() -> None:
    assert task_from(FOREIGN) == Task(
        subject="Buy milk",
        importance=2,
        start_date=BERLIN,
        utc_start_date=BERLIN - timedelta(hours=2),
        due_date=BERLIN + timedelta(hours=1),
        utc_due_date=BERLIN - timedelta(hours=1),
        categories=("Home",),
        recurrence=Recurrence(
            type=RecurrenceType.MONTHLY_NTH,
            start=BERLIN,
            occurrences=5,
            interval=1,
            day_of_week=4,
            week_of_month=2,
            calendar_type=0,
            regenerate=False,
            dead_occur=0,
        ),
        complete=False,
        sensitivity=Sensitivity.PRIVATE,
        reminder_set=True,
        reminder_time=BERLIN - timedelta(hours=1, minutes=15),
        body=Body(type=BodyType.PLAIN, estimated_data_size=12, truncated=False, data="Two\r\nbottles"),
    )
    assert search_text(FOREIGN).split() == ["Buy", "milk", "Two", "bottles", "Home"]
    assert last_modified(FOREIGN) == datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(MalformedLines):
        task_from(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")


def test_the_same_again_changes_nothing() -> None:
    assert change(FOREIGN, task_from(FOREIGN)) == FOREIGN


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        ({"subject": "Eggs"}, b"Buy milk", b"Eggs"),
        ({"importance": 0}, b"PRIORITY:2", b"PRIORITY:9"),
        ({"sensitivity": Sensitivity.PERSONAL}, b"CLASS:", b"CLASS;X-EAS-SENSITIVITY=1:"),
        ({"categories": None}, b"CATEGORIES:Home\r\n", b""),
        ({"due_date": DAY, "utc_due_date": UTC_DAY}, b"DUE;TZID=Europe/Berlin:20260501T090000", None),
        ({"reminder_time": NOW}, b"TRIGGER;RELATED=END:-PT15M", b"TRIGGER;VALUE=DATE-TIME:20261203T131800Z"),
        ({"body": Body(type=BodyType.PLAIN, data="x")}, b"Two\\nbottles", b"x"),
    ],
)
def test_one_field_changes_and_the_rest_stays(values: dict[str, object], old: bytes, new: bytes | None) -> None:
    sent = replace(task_from(FOREIGN), **values)
    changed = change(FOREIGN, sent)
    if new is None:  # the reminder hangs on the due date, and has to stay where the device has it
        new = b"DUE;X-EAS-UTC=20261209T230000Z:20261210T000000"
        changed = changed.replace(b"TRIGGER;VALUE=DATE-TIME:20260501T064500Z", b"TRIGGER;RELATED=END:-PT15M")
    assert lines(changed) == lines(FOREIGN.replace(old, new))


def test_what_is_sent_comes_back() -> None:
    sent = Task(
        subject="S",
        importance=1,
        start_date=DAY,
        utc_start_date=UTC_DAY,
        due_date=DAY + timedelta(days=1),
        utc_due_date=UTC_DAY + timedelta(days=1),
        categories=("a,b", "c"),
        complete=True,
        date_completed=NOW,
        sensitivity=Sensitivity.CONFIDENTIAL,
        reminder_set=True,
        reminder_time=NOW,
        ordinal_date=NOW,
        sub_ordinal_date="5",
    )
    stored = change(None, sent)
    assert replace(task_from(stored), body=None) == sent
    assert b"DUE;VALUE=DATE;X-EAS-UTC=20261210T230000Z:20261211\r\n" in stored
    assert is_complete(stored)
    assert not is_complete(change(stored, replace(sent, complete=False)))


@pytest.mark.requirement("MS-ASTASK_R369", "MS-ASTASK_R370", "MS-ASCMD_R879")
def test_what_a_change_leaves_out() -> None:
    stored = change(
        None, Task(subject="S", importance=2, reminder_set=True, reminder_time=NOW, due_date=DAY, complete=True)
    )
    left = task_from(change(stored, Task(subject="S")))
    assert (left.importance, left.reminder_set, left.reminder_time) == (2, True, NOW)
    assert (left.complete, left.date_completed, left.due_date, left.utc_due_date) == (True, NOW, None, None)
    off = task_from(change(stored, Task(subject="S", reminder_set=False)))
    assert (off.reminder_set, off.reminder_time) == (False, None)
    assert task_from(change(stored, Task(subject="", due_date=EMPTY, date_completed=EMPTY))).subject is None


@pytest.mark.requirement("MS-ASTASK_R187", "MS-ASTASK_R550", "MS-ASTASK_R636")
@pytest.mark.parametrize("importance", [0, 1, 2, 3, 255])
def test_any_importance_comes_back(importance: int) -> None:
    assert again(Task(importance=importance)).importance == importance


@pytest.mark.requirement("MS-ASTASK_R259", "MS-ASTASK_R264")
def test_sensitivity() -> None:
    for sensitivity in Sensitivity:
        assert again(Task(sensitivity=sensitivity)).sensitivity is sensitivity
    assert again(Task()).sensitivity is Sensitivity.NORMAL


@pytest.mark.requirement("MS-ASTASK_R124", "MS-ASTASK_R119")
def test_completion() -> None:
    stored = change(None, Task(complete=True))
    assert task_from(stored).date_completed == NOW
    open_again = change(stored, Task(complete=False))
    assert (task_from(open_again).complete, task_from(open_again).date_completed) == (False, None)
    assert parse(open_again).components("VTODO")[0].text("STATUS") == "NEEDS-ACTION"
    undated = b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nSTATUS:COMPLETED\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    assert task_from(undated).date_completed is not None


def test_reminders_without_an_alarm() -> None:
    for reminder in ((True, None), (False, NOW), (True, NOW)):
        task = again(Task(reminder_set=reminder[0], reminder_time=reminder[1]))
        assert (task.reminder_set, task.reminder_time) == reminder


def test_a_task_by_duration() -> None:
    stored = (
        b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nDTSTART:20261210T080000Z\r\nDURATION:PT1H\r\n"
        b"BEGIN:VALARM\r\nTRIGGER:-PT1H\r\nEND:VALARM\r\nBEGIN:VALARM\r\nACTION:EMAIL\r\nEND:VALARM\r\n"
        b"END:VTODO\r\nEND:VCALENDAR\r\n"
    )
    task = task_from(stored)
    assert (task.due_date, task.reminder_time) == (DAY + timedelta(hours=9), DAY + timedelta(hours=7))
    changed = change(stored, replace(task, due_date=DAY, utc_due_date=None, reminder_set=False))
    assert b"DURATION" not in changed
    assert changed.count(b"VALARM") == 2
    assert (task_from(changed).due_date, task_from(changed).reminder_set) == (DAY, False)


SERIES = [
    Recurrence(type=RecurrenceType.DAILY, start=DAY, interval=3, occurrences=9),
    Recurrence(type=RecurrenceType.DAILY, start=DAY, day_of_week=62, until=DAY + timedelta(days=90)),
    replace(WEEKLY, first_day_of_week=1, until=DAY + timedelta(days=90, hours=3)),
    Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=31),
    Recurrence(type=RecurrenceType.MONTHLY_NTH, start=DAY, day_of_week=127, week_of_month=5, calendar_type=1),
    Recurrence(type=RecurrenceType.YEARLY, start=DAY, day_of_month=29, month_of_year=2, is_leap_month=False),
    Recurrence(
        type=RecurrenceType.YEARLY_NTH, start=NOW, day_of_week=2, week_of_month=1, month_of_year=3, calendar_type=15
    ),
    replace(WEEKLY, regenerate=True),
    replace(WEEKLY, dead_occur=255, start=DAY + timedelta(days=1)),
]


@pytest.mark.requirement("MS-ASTASK_R82", "MS-ASTASK_R8211", "MS-ASTASK_R8212", "MS-ASTASK_R8213", "MS-ASTASK_R167")
@pytest.mark.requirement("MS-ASTASK_R226", "MS-ASTASK_R265", "MS-ASTASK_R4221", "MS-ASTASK_R396")
@pytest.mark.parametrize("sent", SERIES)
@pytest.mark.parametrize("due", [DAY, DAY + timedelta(hours=9), None])
def test_recurrences_come_back(sent: Recurrence, due: datetime | None) -> None:
    stored = change(None, Task(due_date=due, utc_due_date=due, recurrence=sent))
    found = task_from(stored).recurrence
    assert isinstance(found, Recurrence)
    weekly, months = sent.type is RecurrenceType.WEEKLY, sent.type > RecurrenceType.WEEKLY
    expected = replace(
        sent,
        interval=sent.interval or 1,
        regenerate=bool(sent.regenerate),
        dead_occur=sent.dead_occur or 0,
        calendar_type=(sent.calendar_type or 0) if months else None,
        first_day_of_week=(sent.first_day_of_week or 0) if weekly else None,
    )
    assert found == expected
    assert change(stored, replace(task_from(stored), body=None)) == stored
    dormant = bool(sent.regenerate or sent.dead_occur)
    assert (parse(stored).components("VTODO")[0].first("RRULE") is None) is dormant
    gone = change(stored, replace(task_from(stored), recurrence=None))
    assert b"RRULE" not in gone
    assert b"X-EAS" not in gone


@pytest.mark.requirement("MS-ASTASK_R37013")
def test_occurrences_win_over_until() -> None:
    found = again(Task(recurrence=replace(WEEKLY, occurrences=3, until=DAY))).recurrence
    assert isinstance(found, Recurrence)
    assert (found.occurrences, found.until) == (3, None)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(replace(WEEKLY, start=None), marks=pytest.mark.requirement("MS-ASTASK_R37011")),
        pytest.param(replace(WEEKLY, day_of_month=1), marks=pytest.mark.requirement("MS-ASTASK_R132")),
        pytest.param(replace(WEEKLY, week_of_month=1), marks=pytest.mark.requirement("MS-ASTASK_R320")),
        pytest.param(replace(WEEKLY, calendar_type=0), marks=pytest.mark.requirement("MS-ASTASK_R81")),
        pytest.param(
            Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=1, day_of_week=1),
            marks=pytest.mark.requirement("MS-ASTASK_R532"),
        ),
        pytest.param(
            Recurrence(type=RecurrenceType.YEARLY, start=DAY, day_of_month=1, month_of_year=1, day_of_week=1),
            marks=pytest.mark.requirement("MS-ASTASK_R533"),
        ),
        pytest.param(
            Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=1, calendar_type=16),
            marks=pytest.mark.requirement("MS-ASTASK_R382", "MS-ASTASK_R84"),
        ),
        Recurrence(type=RecurrenceType.WEEKLY, start=DAY),
        Recurrence(type=RecurrenceType.MONTHLY, start=DAY),
        Recurrence(type=RecurrenceType.YEARLY_NTH, start=DAY, day_of_week=1, week_of_month=1),
        replace(WEEKLY, occurrences=0),
        replace(WEEKLY, start=datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_recurrences_that_cannot_be(sent: Recurrence) -> None:
    with pytest.raises(InvalidItem):
        change(None, Task(recurrence=sent))


@pytest.mark.requirement("MS-ASTASK_R289", "MS-ASTASK_R171", "MS-ASTASK_R252", "MS-ASTASK_R292")
@pytest.mark.parametrize(
    ("name", "value"), [("Type", None), ("Type", "4"), ("FirstDayOfWeek", "7"), ("ReminderSet", "2")]
)
def test_values_that_the_schema_refuses(name: str, value: str | None) -> None:
    """The second stage of ApplicationData fails: the item gets Status 6."""
    sent = dump(Task(recurrence=replace(WEEKLY, first_day_of_week=1), reminder_set=True))
    for parent in (sent, *sent.children):
        if isinstance(parent.content, list):
            kept = [c for c in parent.content if c.tag.name != name or value is not None]
            parent.content = [Element(c.tag, value) if c.tag.name == name else c for c in kept]
    with pytest.raises(MalformedXml):
        load(Task, sent)


def test_what_an_older_version_does_not_know_is_kept() -> None:
    monthly = Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=1, calendar_type=6)
    stored = change(None, Task(recurrence=monthly))
    changed = change(stored, Task(recurrence=replace(monthly, calendar_type=None, interval=2)), version=V12_1)
    found = task_from(changed).recurrence
    assert isinstance(found, Recurrence)
    assert (found.interval, found.calendar_type) == (2, 6)


@pytest.mark.requirement("MS-ASTASK_R84")
def test_every_calendar_comes_back() -> None:
    for number in CALENDAR_TYPES:
        monthly = Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=1, calendar_type=number)
        found = again(Task(recurrence=monthly)).recurrence
        assert isinstance(found, Recurrence)
        assert found.calendar_type == number


def test_a_rule_that_devices_cannot_be_told_stays() -> None:
    odd = FOREIGN.replace(b"FREQ=MONTHLY;BYDAY=2TU;COUNT=5", b"FREQ=HOURLY;BYSECOND=1")
    task = task_from(odd)
    assert task.recurrence is None
    assert b"FREQ=HOURLY;BYSECOND=1" in change(odd, replace(task, subject="x"))
    many = FOREIGN.replace(b"COUNT=5", b"COUNT=256")
    assert task_from(many).recurrence is None


@pytest.mark.requirement("MS-ASTASK_R402")
def test_too_many_categories() -> None:
    with pytest.raises(InvalidItem):
        change(None, Task(categories=("a",) * 301))


@pytest.mark.requirement("MS-ASTASK_R436")
def test_empty_categories_remove_them() -> None:
    assert task_from(change(change(None, Task(categories=("a",))), Task(categories=()))).categories is None
