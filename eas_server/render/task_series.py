"""A recurring task that is done: what is done, and what comes next ([MS-ASTASK] 2.2.2.11, 2.2.2.21).

A device that keeps its series itself says so by DeadOccur (MS-ASTASK_R157), and nothing is made of its task. Where one
only says that the task is complete, it moves on to its next occurrence, and what is done is a task of its own.
"""

from calendar import monthrange
from dataclasses import replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from eas_server.render.calendar.rules import expand, parse_rule
from eas_server.render.contentlines import Component, dump, escape, parse
from eas_server.render.objects import main_component
from eas_server.render.pim import InvalidItem
from eas_server.render.tasks import COMPONENT, apply_task, task_from
from protocol.items.tasks import Recurrence, RecurrenceType, Task
from protocol.versions import V16_1

_MONTHS: Final = 12
_MAX_SKIPPED: Final = 10_000
"""Occurrences that are looked at: those of a daily task in 27 years."""
_DEAD: Final = 1


class Completed(NamedTuple):
    """The octets of the two tasks."""

    series: bytes
    done: bytes


def completed(before: bytes, after: bytes, *, now: datetime, uid: str) -> Completed | None:
    """The series, moved on, and the occurrence that is done, where a change completed a task that comes back.

    None where it did not, where the device sees to it itself (DeadOccur), where nothing is left of the series, and
    where its rule is none that devices know. `uid`: of the occurrence. Raises MalformedLines.
    """
    task = task_from(after)
    rule = task.recurrence
    if not task.complete or not isinstance(rule, Recurrence) or rule.dead_occur or task_from(before).complete:
        return None
    try:
        ahead = _moved_on(task, rule, main_component(parse(after), COMPONENT))
        if ahead is None:
            return None
        series = apply_task(after, ahead, version=V16_1, now=now, uid=uid)
        dead = replace(task, body=None, recurrence=replace(rule, dead_occur=_DEAD))
        done = apply_task(after, dead, version=V16_1, now=now, uid=uid)
    except (InvalidItem, OverflowError):
        return None
    return Completed(series, _alone(done, uid))


def _alone(octets: bytes, uid: str) -> bytes:
    """The task under an UID of its own, without the changed occurrences of its series."""
    calendar = parse(octets)
    main = main_component(calendar, COMPONENT)
    others = {id(each) for each in calendar.components(COMPONENT) if each is not main}
    calendar = calendar.without(lambda each: id(each) in others)
    return dump(calendar.replaced(main, main.with_text("UID", escape(uid))))


def _moved_on(task: Task, rule: Recurrence, todo: Component) -> Task | None:
    """The task as its next occurrence; None where there is none. Raises OverflowError beyond the end of time."""
    current = _moment(task.start_date) or _moment(task.due_date) or rule.start
    if current is None:
        return None
    found = _after_completion(task, rule, current) if rule.regenerate else _by_rule(rule, todo, current)
    if found is None:
        return None
    coming, left = found
    if rule.until is not None and coming.date() > rule.until.date():
        return None
    ahead = coming - current
    start = coming if rule.start is None else datetime.combine(coming.date(), rule.start.time(), UTC)

    def moved(held: object) -> datetime | None:
        return held + ahead if isinstance(held, datetime) else None

    return replace(
        task,
        start_date=moved(task.start_date),
        utc_start_date=moved(task.utc_start_date),
        due_date=moved(task.due_date),
        utc_due_date=moved(task.utc_due_date),
        reminder_time=moved(task.reminder_time),
        recurrence=replace(rule, start=start, occurrences=left),
        complete=False,
        date_completed=None,
        body=None,
    )


def _after_completion(task: Task, rule: Recurrence, current: datetime) -> tuple[datetime, int | None] | None:
    """So long after the day on which it was done (Regenerate); one occurrence fewer is left."""
    if rule.occurrences == 1:
        return None
    done = (_moment(task.date_completed) or current) + _offset(task)
    day = datetime.combine(done.date(), current.time(), UTC)
    every = rule.interval or 1
    if rule.type is RecurrenceType.DAILY:
        coming = day + timedelta(days=every)
    elif rule.type is RecurrenceType.WEEKLY:
        coming = day + timedelta(weeks=every)
    else:
        months = every if rule.type in {RecurrenceType.MONTHLY, RecurrenceType.MONTHLY_NTH} else every * _MONTHS
        coming = _months_later(day, months)
    return coming, None if rule.occurrences is None else rule.occurrences - 1


def _offset(task: Task) -> timedelta:
    """How far clocks are from UTC where the task is done, as far as its dates tell."""
    for local, utc in ((task.due_date, task.utc_due_date), (task.start_date, task.utc_start_date)):
        if isinstance(local, datetime) and isinstance(utc, datetime):
            return local - utc
    return timedelta()


def _months_later(day: datetime, months: int) -> datetime:
    years, month = divmod(day.month - 1 + months, _MONTHS)
    year = day.year + years
    if year > MAXYEAR:
        raise OverflowError("beyond the end of time")
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def _by_rule(rule: Recurrence, todo: Component, current: datetime) -> tuple[datetime, int | None] | None:
    """The first occurrence after the current day, and how many are left with it."""
    line = todo.first("RRULE")
    read = None if line is None else parse_rule(line.value)
    if read is None or read.scale or rule.start is None:
        return None
    gone = {text.strip()[:8] for held in todo.all("EXDATE") for text in held.value.split(",")}
    first = rule.start.replace(tzinfo=None)
    # without a number of occurrences those before the current one need not be counted
    after = None if rule.occurrences is not None else datetime.combine(current.date(), first.time())
    for passed, clock in enumerate(islice(expand(read, first, after=after), _MAX_SKIPPED)):
        if clock.date() > current.date() and f"{clock:%Y%m%d}" not in gone:
            left = None if rule.occurrences is None else rule.occurrences - passed
            return datetime.combine(clock.date(), current.time(), UTC), left
    return None


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None
