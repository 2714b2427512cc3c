"""The dates and the reminder of a VTODO, as devices name them ([MS-ASTASK] 2.2.2.12, 2.2.2.23, 2.2.2.26)."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from eas_server.render.calendar.times import Time, Zones, read_duration, read_time
from eas_server.render.calendar.zones import UTC_ZONE
from eas_server.render.contentlines import Component, Property, escape
from protocol.datatypes import format_compact

_UTC: Final = "X-EAS-UTC"
_SET: Final = "X-EAS-REMINDER-SET"
_TIME: Final = "X-EAS-REMINDER-TIME"
_SHOWN: Final = frozenset({"DISPLAY", "AUDIO", ""})
"""The actions of alarms that a device gives; those that send mail or start programs are not its own."""


@dataclass(frozen=True, slots=True)
class DatePair:
    """StartDate or DueDate: what clocks show, written as if it were UTC, and the moment."""

    local: datetime | None = None
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reminder:
    """ReminderSet and ReminderTime."""

    is_set: bool = False
    time: datetime | None = None


NO_DATE: Final = DatePair()


# ---- dates


def task_dates(calendar: Component, todo: Component) -> tuple[DatePair, DatePair]:
    """Start and due date; the latter also of a DTSTART with a DURATION."""
    zones = Zones(calendar, UTC_ZONE)
    start = _pair(read_time(todo.first("DTSTART"), zones, UTC_ZONE))
    due = _pair(read_time(todo.first("DUE"), zones, UTC_ZONE))
    lasting = todo.text("DURATION")
    if due is NO_DATE and lasting is not None and start.local is not None and start.utc is not None:
        span = read_duration(lasting)
        if span is not None:
            due = DatePair(start.local + span, start.utc + span)
    return start, due


def _pair(found: Time | None) -> DatePair:
    return NO_DATE if found is None else DatePair(found.clock.replace(tzinfo=UTC), found.moment)


def with_dates(calendar: Component, todo: Component, start: DatePair, due: DatePair) -> Component:
    """The task with these dates. Both are whole days, or neither is (RFC 5545 3.8.2.3)."""
    held = task_dates(calendar, todo)
    if held == (start, due):
        return todo
    as_days = all(pair.local.time() == time() for pair in (start, due) if pair.local is not None)
    for name, new, old in (("DTSTART", start, held[0]), ("DUE", due, held[1])):
        line = todo.first(name)
        if new.local is None:
            todo = todo.without_property(name)
        elif new != old or (line is not None and _is_day(line) != as_days):
            todo = todo.with_property(_line(name, new.local, new.utc, as_day=as_days))
    return todo.without_property("DURATION") if due != held[1] else todo


def _is_day(line: Property) -> bool:
    return "T" not in line.value.upper()


def _line(name: str, local: datetime, utc: datetime | None, *, as_day: bool) -> Property:
    clock = format_compact(local)
    line = Property(name, clock[:8], (("VALUE", ("DATE",)),)) if as_day else Property(name, clock.rstrip("Z"))
    return line if utc is None or utc == local else line.with_param(_UTC, format_compact(utc))


# ---- reminder


def reminder_of(calendar: Component, todo: Component) -> Reminder:
    """The first alarm that is given on a device."""
    for alarm in _alarms(todo):
        moment = _alarm_time(calendar, todo, alarm)
        if moment is not None:
            return Reminder(is_set=True, time=moment)
    time_line = todo.first(_TIME)
    kept = None if time_line is None else read_time(time_line, Zones(calendar, UTC_ZONE), UTC_ZONE)
    return Reminder(is_set=todo.first(_SET) is not None, time=None if kept is None else kept.moment)


def _alarms(todo: Component) -> list[Component]:
    return [alarm for alarm in todo.components("VALARM") if (alarm.text("ACTION") or "").strip().upper() in _SHOWN]


def _alarm_time(calendar: Component, todo: Component, alarm: Component) -> datetime | None:
    trigger = alarm.first("TRIGGER")
    if trigger is None:
        return None
    zones = Zones(calendar, UTC_ZONE)
    absolute = read_time(trigger, zones, UTC_ZONE)
    if absolute is not None:
        return absolute.moment
    span = read_duration(trigger.value)
    start, due = task_dates(calendar, todo)
    first, second = (due, start) if (trigger.param("RELATED") or "").upper() == "END" else (start, due)
    base = first.utc or second.utc
    try:
        return None if span is None or base is None else base + span
    except OverflowError:
        return None


def with_reminder(calendar: Component, todo: Component, reminder: Reminder) -> Component:
    """The task with this reminder: the time of the first alarm is set, or all alarms of devices go."""
    if reminder_of(calendar, todo) == reminder:
        return todo
    todo = todo.without(lambda c: isinstance(c, Property) and (c.is_named(_SET) or c.is_named(_TIME)))
    alarms = _alarms(todo)
    if reminder.is_set and reminder.time is not None:
        trigger = Property("TRIGGER", format_compact(reminder.time), (("VALUE", ("DATE-TIME",)),))
        if not alarms:
            shown = Property("DESCRIPTION", escape(todo.text("SUMMARY") or "Reminder"))
            return todo.with_added(Component("VALARM", (Property("ACTION", "DISPLAY"), trigger, shown)))
        held = next((a for a in alarms if _alarm_time(calendar, todo, a) is not None), alarms[0])
        return todo.replaced(held, held.with_property(trigger).without_property("ACKNOWLEDGED"))
    gone = {id(alarm) for alarm in alarms}
    todo = todo.without(lambda c: id(c) in gone)
    if reminder.is_set:
        todo = todo.with_added(Property(_SET, "1"))
    if reminder.time is not None:
        todo = todo.with_added(Property(_TIME, format_compact(reminder.time)))
    return todo
