"""A task out of its VTODO, and the VTODO after a device's change ([MS-ASTASK] 2.2.2, RFC 5545 3.6.2).

Devices name each date twice, as clocks show it and in UTC; a VTODO has it once. StartDate and DueDate become floating
times, or whole days where they are midnights, with the moment in UTC beside them in X-EAS-UTC where it differs.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.render import item_body
from eas_server.render.calendar.times import checked
from eas_server.render.contentlines import Component, Property, dump, parse
from eas_server.render.item_body import HTML_OF_EVENTS
from eas_server.render.merging import merged
from eas_server.render.objects import (
    calendar_of,
    categories_of,
    main_component,
    modified,
    moment_of,
    stamped,
    with_categories,
)
from eas_server.render.pim import InvalidItem
from eas_server.render.task_dates import DatePair, Reminder, reminder_of, task_dates, with_dates, with_reminder
from eas_server.render.task_recurrence import checked_recurrence, recurrence_of, with_recurrence
from protocol.datatypes import format_compact
from protocol.items.airsyncbase import BodyPreference
from protocol.items.email import Importance
from protocol.items.tasks import MAX_BYTE, MAX_CATEGORIES, Recurrence, Sensitivity, Task
from protocol.versions import ProtocolVersion

COMPONENT: Final = "VTODO"
_IMPORTANCE: Final = "X-EAS-IMPORTANCE"
_ORDINAL: Final = "X-EAS-ORDINAL-DATE"
_SUB_ORDINAL: Final = "X-EAS-SUB-ORDINAL-DATE"
_SENSITIVITY: Final = "X-EAS-SENSITIVITY"
_PRIORITIES: Final = {Importance.LOW: "9", Importance.NORMAL: "5", Importance.HIGH: "1"}
_MIDDLE_PRIORITY: Final = 5
_CLASSES: Final = {
    Sensitivity.NORMAL: "PUBLIC",
    Sensitivity.PERSONAL: "PRIVATE",
    Sensitivity.PRIVATE: "PRIVATE",
    Sensitivity.CONFIDENTIAL: "CONFIDENTIAL",
}


# ---- reading


def task_from(octets: bytes, preferences: Sequence[BodyPreference] = ()) -> Task:
    """The task that a VTODO holds, with its body as the client prefers it. Raises MalformedLines."""
    calendar = parse(octets)
    return _task(calendar, main_component(calendar, COMPONENT), preferences)


def is_complete(octets: bytes) -> bool:
    """Whether a task is done: the filter of incomplete tasks (FilterType 8) leaves it out. Raises MalformedLines."""
    return _is_complete(main_component(parse(octets), COMPONENT))


def last_modified(octets: bytes) -> datetime:
    """When a task was last changed: the instant that orders tasks. Raises MalformedLines."""
    return modified(main_component(parse(octets), COMPONENT))


def search_text(octets: bytes) -> str:
    """The words of a task for full-text search: subject, text, categories. Raises MalformedLines."""
    todo = main_component(parse(octets), COMPONENT)
    return "\n".join((todo.text("SUMMARY") or "", todo.text("DESCRIPTION") or "", *categories_of(todo)))


def _task(calendar: Component, todo: Component, preferences: Sequence[BodyPreference] = ()) -> Task:
    start, due = task_dates(calendar, todo)
    reminder = reminder_of(calendar, todo)
    complete = _is_complete(todo)
    return Task(
        subject=todo.text("SUMMARY") or None,
        importance=_importance(todo),
        utc_start_date=start.utc,
        start_date=start.local,
        utc_due_date=due.utc,
        due_date=due.local,
        categories=categories_of(todo)[:MAX_CATEGORIES] or None,
        recurrence=recurrence_of(todo, start.local or due.local),
        complete=complete,
        date_completed=_completed(todo) if complete else None,
        sensitivity=_sensitivity(todo),
        reminder_time=reminder.time,
        reminder_set=reminder.is_set,
        ordinal_date=moment_of(todo.first(_ORDINAL)),
        sub_ordinal_date=todo.text(_SUB_ORDINAL) or None,
        body=item_body.text_body(item_body.held_text(todo, "DESCRIPTION", HTML_OF_EVENTS), preferences),
    )


def _importance(todo: Component) -> int:
    sent = todo.first(_IMPORTANCE)
    if sent is not None and sent.value.isdecimal() and int(sent.value[:4]) <= MAX_BYTE:
        return int(sent.value)
    priority = (todo.text("PRIORITY") or "").strip()
    if priority not in set("12346789"):
        return Importance.NORMAL
    return Importance.HIGH if int(priority) < _MIDDLE_PRIORITY else Importance.LOW


def _sensitivity(todo: Component) -> Sensitivity:
    held = todo.first("CLASS")
    name = "PUBLIC" if held is None else held.text.strip().upper()
    if name == "PUBLIC":
        return Sensitivity.NORMAL
    if name == "CONFIDENTIAL":
        return Sensitivity.CONFIDENTIAL
    personal = held is not None and held.param(_SENSITIVITY) == str(int(Sensitivity.PERSONAL))
    return Sensitivity.PERSONAL if personal else Sensitivity.PRIVATE


def _is_complete(todo: Component) -> bool:
    status = todo.text("STATUS")
    return todo.first("COMPLETED") is not None if status is None else status.strip().upper() == "COMPLETED"


def _completed(todo: Component) -> datetime:
    """Every task that is done says when (MS-ASTASK_R124)."""
    return moment_of(todo.first("COMPLETED")) or modified(todo)


# ---- writing


def apply_task(
    stored: bytes | None,
    change: Task,
    *,
    version: ProtocolVersion,
    now: datetime,
    uid: str,
    first_day_of_week: int = 0,
) -> bytes:
    """The VTODO after a client's change; `stored` is None for an Add, `uid` counts then only.

    Absent properties are deleted (MS-ASCMD_R879), but for the body, for what the version does not have, and for
    Importance (MS-ASTASK_R369), ReminderSet and its time (R370), and Complete, which every request has to have (R116).
    `first_day_of_week` is the user's, from 0 for Sunday (R396). Where nothing changes, the octets stay the same. Raises
    InvalidItem, and MalformedLines where `stored` is no VTODO.
    """
    if len(change.categories or ()) > MAX_CATEGORIES:
        raise InvalidItem("more categories than a task can have")
    calendar = parse(stored) if stored is not None else calendar_of(COMPONENT, uid, now)
    todo = main_component(calendar, COMPONENT)
    current = _task(calendar, todo)
    wanted = _wanted(current, change, version, now, first_day_of_week=first_day_of_week)
    changed = _with_properties(todo, current, wanted)
    held_start, held_due = task_dates(calendar, todo)
    start = _pair(wanted.start_date, wanted.utc_start_date, held_start)
    due = _pair(wanted.due_date, wanted.utc_due_date, held_due)
    changed = with_dates(calendar, changed, start, due)
    anchor = start.local or due.local
    if recurrence_of(changed, anchor) != wanted.recurrence:
        changed = with_recurrence(changed, _series(wanted), anchor)
    reminder = Reminder(bool(wanted.reminder_set), _moment(wanted.reminder_time))
    changed = with_reminder(calendar, changed, reminder)
    text = item_body.sent_text(change.body)
    if text is not None and text != item_body.held_text(todo, "DESCRIPTION", HTML_OF_EVENTS):
        changed = item_body.with_text(changed, "DESCRIPTION", HTML_OF_EVENTS, text)
    if stored is not None and changed is todo:
        return stored
    return dump(calendar.replaced(todo, stamped(changed, now)))


def _wanted(current: Task, change: Task, version: ProtocolVersion, now: datetime, *, first_day_of_week: int) -> Task:
    """The task as it shall be, in its normal form."""
    kept = {"importance", "reminder_set", "complete"}
    if change.reminder_set is not False:
        kept.add("reminder_time")  # a reminder that stays has its time
    if change.complete is None:
        kept.add("date_completed")
    if isinstance(change.recurrence, Recurrence):
        held = _series(current)
        sent = checked_recurrence(change.recurrence, held, version, first_day_of_week=first_day_of_week)
        change = replace(change, recurrence=sent)
    wanted = merged(current, change, version=version, kept=frozenset(kept))
    complete = bool(wanted.complete)
    completed = _moment(wanted.date_completed) or _moment(current.date_completed) or now
    return replace(
        wanted,
        complete=complete,
        date_completed=checked(completed) if complete else None,
        reminder_time=_checked(wanted.reminder_time),
        ordinal_date=_checked(wanted.ordinal_date),
        sensitivity=wanted.sensitivity or Sensitivity.NORMAL,
    )


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _checked(value: object) -> datetime | None:
    return checked(value) if isinstance(value, datetime) else None


def _series(task: Task) -> Recurrence | None:
    return task.recurrence if isinstance(task.recurrence, Recurrence) else None


def _pair(local: object, utc: object, held: DatePair) -> DatePair:
    """A date of the change; where a client names it once, the other form is the one that was held, or the same."""
    clock, moment = _checked(local), _checked(utc)
    if clock is None:
        return DatePair(moment, moment)
    return DatePair(clock, moment or (held.utc if held.local == clock else clock))


def _with_properties(todo: Component, current: Task, wanted: Task) -> Component:
    if wanted.subject != current.subject:
        todo = todo.with_text("SUMMARY", wanted.subject)
    if wanted.importance != current.importance:
        todo = _with_importance(todo, wanted.importance or 0)
    if wanted.categories != current.categories:
        todo = with_categories(todo, wanted.categories)
    if wanted.sensitivity != current.sensitivity:
        todo = _with_sensitivity(todo, wanted.sensitivity or Sensitivity.NORMAL)
    if (wanted.complete, wanted.date_completed) != (current.complete, current.date_completed):
        todo = _with_completion(todo, _moment(wanted.date_completed))
    if wanted.ordinal_date != current.ordinal_date:
        ordinal = _moment(wanted.ordinal_date)
        todo = todo.with_text(_ORDINAL, None if ordinal is None else format_compact(ordinal))
    if wanted.sub_ordinal_date != current.sub_ordinal_date:
        todo = todo.with_text(_SUB_ORDINAL, wanted.sub_ordinal_date)
    return todo


def _with_importance(todo: Component, importance: int) -> Component:
    known = importance in set(Importance)
    todo = todo.with_text(_IMPORTANCE, None if known else str(importance))
    return todo.with_text("PRIORITY", _PRIORITIES[Importance(importance)]) if known else todo


def _with_sensitivity(todo: Component, sensitivity: Sensitivity) -> Component:
    line = Property("CLASS", _CLASSES[sensitivity])
    if sensitivity is Sensitivity.PERSONAL:
        line = line.with_param(_SENSITIVITY, str(int(sensitivity)))
    return todo.with_property(line)


def _with_completion(todo: Component, completed: datetime | None) -> Component:
    """STATUS, COMPLETED and PERCENT-COMPLETE say the same to everybody."""
    if completed is not None:
        todo = todo.with_text("STATUS", "COMPLETED").with_text("PERCENT-COMPLETE", "100")
        return todo.with_text("COMPLETED", format_compact(completed))
    if todo.text("PERCENT-COMPLETE") == "100":
        todo = todo.without_property("PERCENT-COMPLETE")
    return todo.with_text("STATUS", "NEEDS-ACTION").with_text("COMPLETED", None)
