"""Every element of a task by itself: its type, what it holds, and where in a Recurrence it stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eas_server.render.pim import InvalidItem
from eas_server.render.tasks import apply_task, task_from
from protocol import wbxml
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.tasks import CALENDAR_TYPES, Recurrence, RecurrenceType, Task
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.versions import SUPPORTED, V16_1, ProtocolVersion
from tests.protocol.test_items_tasks import FULL
from tests.server.render.documents import ids_of

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
DAY = datetime(2026, 12, 10, tzinfo=UTC)
UTC_DAY = DAY - timedelta(hours=1)
RULES = {
    RecurrenceType.DAILY: Recurrence(type=RecurrenceType.DAILY, start=DAY),
    RecurrenceType.WEEKLY: Recurrence(type=RecurrenceType.WEEKLY, start=DAY, day_of_week=2),
    RecurrenceType.MONTHLY: Recurrence(type=RecurrenceType.MONTHLY, start=DAY, day_of_month=3),
    RecurrenceType.MONTHLY_NTH: Recurrence(type=RecurrenceType.MONTHLY_NTH, start=DAY, day_of_week=4, week_of_month=5),
    RecurrenceType.YEARLY: Recurrence(type=RecurrenceType.YEARLY, start=DAY, day_of_month=3, month_of_year=2),
    RecurrenceType.YEARLY_NTH: Recurrence(
        type=RecurrenceType.YEARLY_NTH, start=DAY, day_of_week=4, week_of_month=1, month_of_year=2
    ),
}
NEEDED = {
    RecurrenceType.DAILY: set[str](),
    RecurrenceType.WEEKLY: {"DayOfWeek", "FirstDayOfWeek"},
    RecurrenceType.MONTHLY: {"DayOfMonth", "CalendarType"},
    RecurrenceType.MONTHLY_NTH: {"DayOfWeek", "WeekOfMonth", "CalendarType"},
    RecurrenceType.YEARLY: {"DayOfMonth", "MonthOfYear", "CalendarType"},
    RecurrenceType.YEARLY_NTH: {"DayOfWeek", "WeekOfMonth", "MonthOfYear", "CalendarType"},
}
ALWAYS = {"Type", "Start", "Interval", "Regenerate", "DeadOccur"}
BYTES = ("256", "-1", "1.5", "x", "0x1", "")
TIMES = ("soon", "2026-13-01T00:00:00.000Z", "20261301T000000Z", "1", "2026-02-30T00:00:00.000Z")


def change(stored: bytes | None, new: Task, version: ProtocolVersion = V16_1) -> bytes:
    sent = load(Task, wbxml.decode(wbxml.encode(dump(new, version)).join()))
    return apply_task(stored, sent, version=version, now=NOW, uid="u1")


def names(found: Recurrence, version: ProtocolVersion = V16_1) -> list[str]:
    return [child.tag.name for child in dump(found, version).children]


@pytest.mark.requirement("MS-ASTASK_R404", "MS-ASTASK_R406", "MS-ASTASK_R130", "MS-ASTASK_R409", "MS-ASTASK_R410")
@pytest.mark.requirement("MS-ASTASK_R135", "MS-ASTASK_R530", "MS-ASTASK_R531", "MS-ASTASK_R139", "MS-ASTASK_R155")
@pytest.mark.requirement("MS-ASTASK_R166", "MS-ASTASK_R190", "MS-ASTASK_R197", "MS-ASTASK_R417", "MS-ASTASK_R418")
@pytest.mark.requirement("MS-ASTASK_R209", "MS-ASTASK_R214", "MS-ASTASK_R223", "MS-ASTASK_R238", "MS-ASTASK_R242")
@pytest.mark.requirement("MS-ASTASK_R267", "MS-ASTASK_R268", "MS-ASTASK_R287", "MS-ASTASK_R288", "MS-ASTASK_R430")
@pytest.mark.requirement("MS-ASTASK_R431", "MS-ASTASK_R316", "MS-ASTASK_R319", "MS-ASTASK_R433", "MS-ASTASK_R397")
@pytest.mark.requirement("MS-ASTASK_R82", "MS-ASTASK_R8211", "MS-ASTASK_R8212", "MS-ASTASK_R8213", "MS-ASTASK_R285")
@pytest.mark.requirement("MS-ASTASK_R221", "MS-ASTASK_R77", "MS-ASTASK_R162", "MS-ASTASK_R158")
@pytest.mark.parametrize("type_", RULES)
def test_what_a_recurrence_of_each_type_says(type_: RecurrenceType) -> None:
    for rule in (RULES[type_], replace(RULES[type_], occurrences=4), replace(RULES[type_], until=DAY)):
        found = task_from(change(None, Task(complete=False, due_date=DAY, recurrence=rule))).recurrence
        assert isinstance(found, Recurrence)
        told = names(found)
        assert len(told) == len(set(told))
        ends = {"Occurrences"} if rule.occurrences else {"Until"} if rule.until else set()
        assert set(told) == ALWAYS | NEEDED[type_] | ends
        assert (found.regenerate, found.dead_occur, found.start) == (False, 0, DAY)


@pytest.mark.parametrize("type_", RULES)
def test_what_a_recurrence_needs_and_what_it_must_not_have(type_: RecurrenceType) -> None:
    extra: dict[str, Any] = {"day_of_week": 1, "day_of_month": 1, "week_of_month": 1, "calendar_type": 0}
    needed = {name.casefold() for name in NEEDED[type_]}
    for name, value in extra.items():
        plain = name.replace("_", "")
        with_it = replace(RULES[type_], **{name: value})
        if plain not in needed and not (type_ is RecurrenceType.DAILY and name == "day_of_week"):
            with pytest.raises(InvalidItem):
                change(None, Task(recurrence=with_it))
        elif name != "calendar_type" and plain in needed:
            with pytest.raises(InvalidItem):
                change(None, Task(recurrence=replace(RULES[type_], **{name: None})))


@pytest.mark.requirement("MS-ASTASK_R384", "MS-ASTASK_R386", "MS-ASTASK_R388", "MS-ASTASK_R390", "MS-ASTASK_R382")
def test_calendars_that_must_not_be_used() -> None:
    for number in {*range(24)} - CALENDAR_TYPES:
        with pytest.raises(InvalidItem):
            change(None, Task(recurrence=replace(RULES[RecurrenceType.MONTHLY], calendar_type=number)))
    with pytest.raises(MalformedXml):
        change(None, Task(recurrence=replace(RULES[RecurrenceType.MONTHLY], calendar_type=24)))


def typed(kind: str) -> Iterator[Any]:
    """The elements that the documents give a type, with the ids."""
    for name, ids in ids_of("MS-ASTASK", [rf"is an? (?:{kind})"]).items():
        yield pytest.param(name, marks=pytest.mark.requirement(*ids), id=name)


def with_value(name: str, value: str | list[Element]) -> Element:
    """A task with another value in one of its elements."""

    def changed(root: Element) -> Element:
        children = [Element(c.tag, value) if c.tag.name == name else changed(c) for c in root.children]
        return Element(root.tag, children or root.content)

    made = changed(dump(FULL))
    assert made != dump(FULL), name
    return made


@pytest.mark.parametrize("name", list(typed("unsignedbyte|unsignedShort")))
def test_what_is_no_number(name: str) -> None:
    flags = {"Complete", "ReminderSet", "Regenerate", "IsLeapMonth"}
    bad = [text for text in BYTES if not (text == "" and name in flags)]
    for text in ["1000" if name == "Interval" and t == "256" else t for t in bad]:
        with pytest.raises(MalformedXml):
            load(Task, with_value(name, text))
    with pytest.raises(MalformedXml):
        load(Task, with_value(name, [Element(tag_of(Task), "1")]))


@pytest.mark.parametrize("name", list(typed("dateTime")))
def test_what_is_no_moment(name: str) -> None:
    for text in TIMES:
        with pytest.raises(MalformedXml):
            load(Task, with_value(name, text))
    load(Task, with_value(name, "20261203T131800Z"))  # the other form is understood
    load(Task, with_value(name, "2026-12-03T13:18:00Z"))


TOP: dict[str, tuple[Any, Any]] = {
    "subject": ('first; \\n, "x"', ""),
    "importance": (0, None),
    "categories": (("a", "b,c"), ()),
    "sub_ordinal_date": ("555;\\", ""),
    "ordinal_date": (NOW, EMPTY),
    "recurrence": (RULES[RecurrenceType.WEEKLY], EMPTY),
    "reminder_time": (NOW, EMPTY),
    "start_date": (DAY, EMPTY),
    "due_date": (DAY, EMPTY),
}
BASE = Task(
    subject="S",
    complete=False,
    importance=2,
    start_date=DAY - timedelta(days=1),
    utc_start_date=UTC_DAY - timedelta(days=1),
    due_date=DAY + timedelta(days=1),
    utc_due_date=UTC_DAY + timedelta(days=1),
    categories=("z",),
    reminder_set=True,
    reminder_time=DAY,
    ordinal_date=DAY,
    sub_ordinal_date="5",
)


@pytest.mark.requirement("MS-ASTASK_R283", "MS-ASTASK_R106", "MS-ASTASK_R114", "MS-ASTASK_R277", "MS-ASTASK_R282")
@pytest.mark.requirement("MS-ASTASK_R108", "MS-ASTASK_R111", "MS-ASTASK_R436", "MS-ASTASK_R183", "MS-ASTASK_R122")
@pytest.mark.parametrize("field", TOP)
@pytest.mark.parametrize("version", SUPPORTED)
def test_an_element_changes_itself_alone(field: str, version: ProtocolVersion) -> None:
    value, empty = TOP[field]
    stored = change(None, BASE, version)
    before = task_from(stored)
    others = {"recurrence"} | ({f"utc_{field}"} if field in {"start_date", "due_date"} else set())
    after = task_from(change(stored, replace(BASE, **{field: value}), version))
    assert replace(after, **{each: getattr(before, each) for each in {field, *others}}) == before
    if field == "recurrence":
        assert isinstance(after.recurrence, Recurrence)
        assert (after.recurrence.type, after.recurrence.day_of_week) == (RecurrenceType.WEEKLY, 2)
    else:
        assert getattr(after, field) == value
    if empty is not None:
        sent = replace(
            BASE, **{field: empty, **({f"utc_{field}": EMPTY} if field in {"start_date", "due_date"} else {})}
        )
        assert getattr(task_from(change(stored, sent, version)), field) is None


@pytest.mark.requirement("MS-ASTASK_R395", "MS-ASTASK_R402")
def test_300_categories() -> None:
    many = tuple(f"c{number}" for number in range(300))
    stored = change(None, Task(categories=many))
    assert task_from(stored).categories == many
    assert dump(task_from(stored)).find(dump(Task(categories=("a",))).children[0].tag) is not None
    with pytest.raises(InvalidItem):
        change(stored, Task(categories=(*many, "x")))


def test_elements_stand_once() -> None:
    for child in dump(FULL).children:
        with pytest.raises(MalformedXml):
            load(Task, Element(tag_of(Task), [child, child]))
    assert isinstance(FULL.recurrence, Recurrence)
    for child in dump(FULL.recurrence).children:
        with pytest.raises(MalformedXml):
            load(Recurrence, Element(tag_of(Recurrence), [*dump(FULL.recurrence).children, child]))
