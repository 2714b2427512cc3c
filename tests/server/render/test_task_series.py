"""What comes after a recurring task that is done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.render.contentlines import parse
from eas_server.render.task_series import Completed, completed
from eas_server.render.tasks import apply_task, task_from
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.tasks import Recurrence, RecurrenceType, Task
from protocol.versions import V16_1

DUE = datetime(2026, 12, 10, tzinfo=UTC)  # a Thursday
DONE = datetime(2026, 12, 14, 23, 30, tzinfo=UTC)
DAY = timedelta(days=1)
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, start=DUE, day_of_week=16 | 2, interval=1)
MONTHLY = Recurrence(type=RecurrenceType.MONTHLY, start=DUE, day_of_month=31)


def change(stored: bytes | None, new: Task) -> bytes:
    return apply_task(stored, new, version=V16_1, now=DONE, uid="series")


def task(recurrence: Recurrence, **values: object) -> Task:
    given = {"due_date": DUE, "utc_due_date": DUE - timedelta(hours=1), **values}
    return Task(subject="Rent", recurrence=recurrence, complete=False, **given)  # type: ignore[arg-type]


def finish(sent: Task) -> Completed | None:
    stored = change(None, sent)
    return completed(stored, change(stored, replace(sent, complete=True, date_completed=DONE)), now=DONE, uid="done")


def next_due(sent: Task) -> datetime | None:
    found = finish(sent)
    due = None if found is None else task_from(found.series).due_date
    assert not isinstance(due, bytes)
    return due  # type: ignore[return-value]


def test_it_moves_on_and_what_is_done_stands_beside_it() -> None:
    body = Body(type=BodyType.PLAIN, data="to the bank")
    sent = task(
        WEEKLY, reminder_set=True, reminder_time=DUE - DAY, start_date=DUE, utc_start_date=DUE, body=body, importance=2
    )
    found = finish(sent)
    assert found is not None
    ahead = timedelta(days=4)
    series, done = task_from(found.series), task_from(found.done)
    assert (series.complete, series.date_completed, series.subject, series.importance) == (False, None, "Rent", 2)
    assert (series.start_date, series.utc_start_date) == (DUE + ahead, DUE + ahead)
    assert (series.due_date, series.utc_due_date) == (DUE + ahead, DUE + ahead - timedelta(hours=1))
    assert (series.reminder_set, series.reminder_time) == (True, DUE - DAY + ahead)
    assert isinstance(series.recurrence, Recurrence)
    assert (series.recurrence.start, series.recurrence.day_of_week) == (DUE + ahead, 18)
    assert (done.complete, done.date_completed, done.due_date, done.subject) == (True, DONE, DUE, "Rent")
    assert isinstance(done.recurrence, Recurrence)
    assert done.recurrence.dead_occur == 1
    for each in (series, done):
        assert each.body is not None
        assert each.body.data == "to the bank"
    assert [parse(octets).components("VTODO")[0].text("UID") for octets in found] == ["series", "done"]
    assert b"\r\nRRULE" in found.series
    assert b"\r\nRRULE" not in found.done


@pytest.mark.parametrize(
    ("recurrence", "days"),
    [
        (Recurrence(type=RecurrenceType.DAILY, start=DUE, interval=3), 3),
        (Recurrence(type=RecurrenceType.DAILY, start=DUE, day_of_week=62), 1),
        (replace(WEEKLY, interval=2), 11),
        (MONTHLY, 21),
        (Recurrence(type=RecurrenceType.MONTHLY_NTH, start=DUE, day_of_week=127, week_of_month=5), 21),
        (Recurrence(type=RecurrenceType.YEARLY, start=DUE, day_of_month=10, month_of_year=12), 365),
        (
            Recurrence(type=RecurrenceType.YEARLY_NTH, start=DUE, day_of_week=16, week_of_month=2, month_of_year=12),
            364,
        ),
    ],
)
def test_the_next_occurrence_by_the_rule(recurrence: Recurrence, days: int) -> None:
    assert next_due(task(recurrence)) == DUE + days * DAY


@pytest.mark.parametrize(
    ("type_", "interval", "expected"),
    [
        # done on the 15th, as the clocks of the device show it
        (RecurrenceType.DAILY, 3, datetime(2026, 12, 18, tzinfo=UTC)),
        (RecurrenceType.WEEKLY, 2, datetime(2026, 12, 29, tzinfo=UTC)),
        (RecurrenceType.MONTHLY, 2, datetime(2027, 2, 15, tzinfo=UTC)),
        (RecurrenceType.YEARLY, 1, datetime(2027, 12, 15, tzinfo=UTC)),
    ],
)
def test_a_task_that_regenerates_counts_from_the_day_it_was_done(
    type_: RecurrenceType, interval: int, expected: datetime
) -> None:
    parts: dict[RecurrenceType, dict[str, int]] = {
        RecurrenceType.WEEKLY: {"day_of_week": 16},
        RecurrenceType.MONTHLY: {"day_of_month": 10},
        RecurrenceType.YEARLY: {"day_of_month": 10, "month_of_year": 12},
    }
    rule = Recurrence(type=type_, start=DUE, interval=interval, regenerate=True, **parts.get(type_, {}))
    sent = task(rule)
    found = finish(sent)
    assert found is not None
    series = task_from(found.series)
    assert (series.due_date, series.utc_due_date) == (expected, expected - timedelta(hours=1))
    assert isinstance(series.recurrence, Recurrence)
    assert series.recurrence == replace(
        series.recurrence, regenerate=True, dead_occur=0, type=type_, interval=interval, start=expected
    )


def test_the_end_of_a_month_is_as_near_as_there_is_one() -> None:
    rule = replace(MONTHLY, regenerate=True, interval=1)
    sent = task(rule)
    stored = change(None, sent)
    done = replace(sent, complete=True, date_completed=datetime(2027, 1, 31, 12, tzinfo=UTC))
    found = completed(stored, change(stored, done), now=DONE, uid="done")
    assert found is not None
    assert task_from(found.series).due_date == datetime(2027, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize("regenerate", [True, False])
def test_a_number_of_occurrences_is_used_up(regenerate: bool) -> None:
    sent = task(replace(WEEKLY, occurrences=3, regenerate=regenerate))
    left = []
    while (found := finish(sent)) is not None:
        series = task_from(found.series)
        assert isinstance(series.recurrence, Recurrence)
        left.append(series.recurrence.occurrences)
        sent = replace(series, body=None)
    assert left == [2, 1]


@pytest.mark.parametrize("regenerate", [True, False])
def test_the_last_one_stays_done(regenerate: bool) -> None:
    rule = replace(WEEKLY, until=DUE + 3 * DAY, regenerate=regenerate)
    assert finish(task(rule)) is None
    assert finish(task(replace(rule, until=DUE + 30 * DAY))) is not None


@pytest.mark.requirement("MS-ASTASK_R157", "MS-ASTASK_R158")
def test_a_device_that_keeps_its_series_itself() -> None:
    for dead in (1, 255):
        assert finish(task(replace(WEEKLY, dead_occur=dead))) is None
    assert finish(task(replace(WEEKLY, dead_occur=0))) is not None
    assert finish(task(replace(WEEKLY, dead_occur=None))) is not None


def test_what_is_no_completion() -> None:
    sent = task(WEEKLY)
    stored = change(None, sent)
    assert completed(stored, change(stored, replace(sent, subject="x")), now=DONE, uid="done") is None
    done = change(stored, replace(sent, complete=True))
    assert completed(done, change(done, replace(sent, complete=True, subject="x")), now=DONE, uid="done") is None
    assert finish(Task(subject="once", complete=False)) is None


def test_rules_of_other_products() -> None:
    sent = task(WEEKLY)
    stored = change(None, sent).replace(b"SUMMARY", b"EXDATE:20261214\r\nX-OTHER;a=b:c\r\nSUMMARY")
    found = completed(stored, change(stored, replace(sent, complete=True)), now=DONE, uid="done")
    assert found is not None
    assert task_from(found.series).due_date == DUE + 7 * DAY
    assert b"X-OTHER;a=b:c" in found.series
    assert b"X-OTHER;a=b:c" in found.done
    hourly = stored.replace(b"FREQ=WEEKLY", b"FREQ=HOURLY")
    assert completed(hourly, change(hourly, replace(sent, complete=True, recurrence=None)), now=DONE, uid="d") is None
    override = (
        b"BEGIN:VTODO\r\nUID:series\r\nRECURRENCE-ID:20261214T000000\r\nSUMMARY:other\r\nEND:VTODO\r\nEND:VCALENDAR"
    )
    several = stored.replace(b"END:VCALENDAR", override)
    found = completed(several, change(several, replace(sent, complete=True)), now=DONE, uid="done")
    assert found is not None
    assert (found.series.count(b"BEGIN:VTODO"), found.done.count(b"BEGIN:VTODO")) == (2, 1)


def test_at_the_end_of_time() -> None:
    late = datetime(4499, 12, 31, tzinfo=UTC)
    for rule in (replace(WEEKLY, start=late), replace(MONTHLY, start=late, regenerate=True, interval=999)):
        sent = Task(complete=False, due_date=late, recurrence=rule)
        stored = change(None, sent)
        done = change(stored, replace(sent, complete=True, date_completed=late))
        assert completed(stored, done, now=DONE, uid="d") is None


def test_a_task_without_dates_counts_from_the_start_of_its_rule() -> None:
    found = finish(task(WEEKLY, due_date=None, utc_due_date=None))
    assert found is not None
    series = task_from(found.series)
    assert isinstance(series.recurrence, Recurrence)
    assert (series.due_date, series.recurrence.start) == (None, DUE + 4 * DAY)
