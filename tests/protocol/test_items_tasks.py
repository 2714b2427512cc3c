"""The elements of tasks against the schemas and the statements of the documents."""

from datetime import UTC, datetime

import pytest

from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.tasks import Recurrence, RecurrenceType, Sensitivity, Task
from protocol.schema import EMPTY, dump, load, tag_of
from tests.protocol.items import again, assert_valid_everywhere, assert_versions

MOMENT = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
FULL = Task(
    subject="Subject",
    importance=2,
    utc_start_date=MOMENT,
    start_date=MOMENT,
    utc_due_date=MOMENT,
    due_date=MOMENT,
    categories=("a", "b"),
    recurrence=Recurrence(
        type=RecurrenceType.YEARLY_NTH,
        start=MOMENT,
        until=MOMENT,
        occurrences=3,
        interval=2,
        day_of_week=127,
        day_of_month=31,
        week_of_month=5,
        month_of_year=12,
        regenerate=True,
        dead_occur=255,
        calendar_type=20,
        is_leap_month=False,
        first_day_of_week=6,
    ),
    complete=True,
    date_completed=MOMENT,
    sensitivity=Sensitivity.CONFIDENTIAL,
    reminder_time=MOMENT,
    reminder_set=True,
    ordinal_date=MOMENT,
    sub_ordinal_date="5",
    body=Body(type=BodyType.HTML, estimated_data_size=4, truncated=True, data="<p>"),
)


@pytest.mark.requirement("MS-ASTASK_R3", "MS-ASTASK_R368", "MS-ASTASK_R225")
def test_a_full_task_holds_by_the_schema() -> None:
    assert_valid_everywhere(FULL)
    assert again(FULL) == FULL


@pytest.mark.requirement("MS-ASTASK_R505", "MS-ASTASK_R546", "MS-ASTASK_R547", "MS-ASTASK_R559", "MS-ASTASK_R501")
def test_versions() -> None:
    assert_versions(FULL, "MS-ASTASK")


@pytest.mark.requirement("MS-ASTASK_R161", "MS-ASTASK_R274", "MS-ASTASK_R305")
def test_dates_are_dashed() -> None:
    assert [e.text for e in dump(FULL).children if e.tag.name == "DueDate"] == ["2026-12-03T13:18:00.000Z"]


@pytest.mark.requirement(
    "MS-ASTASK_R192", "MS-ASTASK_R141", "MS-ASTASK_R525", "MS-ASTASK_R317", "MS-ASTASK_R210", "MS-ASTASK_R170"
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Interval", "1000"),
        ("DayOfWeek", "128"),
        ("DayOfMonth", "32"),
        ("WeekOfMonth", "6"),
        ("MonthOfYear", "13"),
        ("FirstDayOfWeek", "7"),
        ("Occurrences", "256"),
        ("DeadOccur", "256"),
        ("Type", "4"),
        ("IsLeapMonth", "2"),
    ],
)
def test_values_out_of_range(name: str, value: str) -> None:
    assert isinstance(FULL.recurrence, Recurrence)
    children = [Element(e.tag, value if e.tag.name == name else e.content) for e in dump(FULL.recurrence).children]
    with pytest.raises(MalformedXml):
        load(Recurrence, Element(tag_of(Recurrence), children))


@pytest.mark.requirement("MS-ASTASK_R201", "MS-ASTASK_R249")
def test_absent_and_empty_differ() -> None:
    names = {"DueDate", "Recurrence", "Categories", "Subject", "ReminderTime"}
    empty = [Element(e.tag) for e in dump(FULL).children if e.tag.name in names]
    cleared = load(Task, Element(tag_of(Task), empty))
    assert cleared == Task(subject="", due_date=EMPTY, categories=(), recurrence=EMPTY, reminder_time=EMPTY)
    assert load(Task, Element(tag_of(Task))) == Task()
