"""How a task recurs: Recurrence ([MS-ASTASK] 2.2.2.20) and RRULE into each other.

The rule itself is the calendar's matter. What only tasks have (Start, Regenerate, DeadOccur) stands in X-EAS-SERIES. A
task that regenerates when it is done, and one that is a finished occurrence of a series (DeadOccur), have their rule in
X-EAS-RRULE: another client would repeat them by RRULE.
"""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from eas_server.render.calendar.recurrence import KEPT, Anchor, read_recurrence, rule_lines
from eas_server.render.calendar.times import checked
from eas_server.render.calendar.zones import UTC_ZONE
from eas_server.render.contentlines import Component, Property
from eas_server.render.objects import modified
from eas_server.render.pim import InvalidItem
from protocol.codepages import tag
from protocol.datatypes import format_compact, parse_datetime
from protocol.items import calendar
from protocol.items.tasks import CALENDAR_TYPES, MAX_BYTE, Recurrence, RecurrenceType
from protocol.versions import ProtocolVersion

_SERIES: Final = "X-EAS-SERIES"
_DORMANT: Final = "X-EAS-RRULE"
_RULES: Final = ("RRULE", _DORMANT, KEPT, _SERIES)
_OWN: Final = frozenset({"start", "regenerate", "dead_occur"})
_SHARED: Final = tuple(f.name for f in fields(Recurrence) if f.name not in _OWN)
_LATE: Final = {
    "calendar_type": tag("Tasks:CalendarType"),
    "is_leap_month": tag("Tasks:IsLeapMonth"),
    "first_day_of_week": tag("Tasks:FirstDayOfWeek"),
}
"""What older versions do not have."""
_BY_DAY: Final = frozenset({RecurrenceType.MONTHLY, RecurrenceType.YEARLY})
_NTH: Final = frozenset({RecurrenceType.MONTHLY_NTH, RecurrenceType.YEARLY_NTH})
_YEARLY: Final = frozenset({RecurrenceType.YEARLY, RecurrenceType.YEARLY_NTH})
_ALL: Final = frozenset(RecurrenceType)


# ---- what clients send


def checked_recurrence(
    sent: Recurrence, held: Recurrence | None, version: ProtocolVersion, *, first_day_of_week: int
) -> Recurrence:
    """A client's Recurrence with what it may leave out; what its version does not have is as in `held`.

    Raises InvalidItem for what the documents give Status 6.
    """
    start = sent.start
    if start is None:
        raise InvalidItem("a recurrence without Start")  # MS-ASTASK_R37011
    _check(sent)
    if held is not None and held.type is sent.type:
        late = {name: getattr(held, name) for name, found in _LATE.items() if version not in found.versions}
        sent = replace(sent, **late)
    kind = sent.type
    return replace(
        sent,
        start=checked(start),
        until=None if sent.occurrences is not None or sent.until is None else checked(sent.until),  # MS-ASTASK_R37013
        interval=sent.interval or 1,
        regenerate=bool(sent.regenerate),
        dead_occur=sent.dead_occur or 0,
        calendar_type=(sent.calendar_type or 0) if kind in _BY_DAY | _NTH else None,
        first_day_of_week=first_day_of_week
        if kind is RecurrenceType.WEEKLY and sent.first_day_of_week is None
        else sent.first_day_of_week,
    )


def _check(sent: Recurrence) -> None:
    """MS-ASTASK_R81, R84, R132, R320, R532, R533 and what each type needs (R129, R208, R315, R411)."""
    kind = sent.type
    rules = (
        ("DayOfMonth", sent.day_of_month, _BY_DAY, _BY_DAY),
        ("DayOfWeek", sent.day_of_week, _NTH | {RecurrenceType.WEEKLY}, _ALL - _BY_DAY),
        ("WeekOfMonth", sent.week_of_month, _NTH, _NTH),
        ("MonthOfYear", sent.month_of_year, _YEARLY, _ALL),
        ("CalendarType", sent.calendar_type, frozenset[RecurrenceType](), _BY_DAY | _NTH),
    )
    for name, value, needed, allowed in rules:
        if (value is None and kind in needed) or (value is not None and kind not in allowed):
            raise InvalidItem(f"a recurrence of type {int(kind)} {'without' if value is None else 'with'} {name}")
    if sent.calendar_type is not None and sent.calendar_type not in CALENDAR_TYPES:
        raise InvalidItem(f"the reserved calendar {sent.calendar_type}")
    if sent.occurrences == 0:
        raise InvalidItem("a recurrence without occurrences")


# ---- to and from RRULE


def with_recurrence(todo: Component, recurrence: Recurrence | None, anchor: datetime | None) -> Component:
    """The task with this recurrence; `anchor`: the local start or due date."""
    if recurrence is None:
        names = {*_RULES, "EXDATE", "RDATE"}
        return todo.without(lambda c: isinstance(c, Property) and c.name.upper() in names)
    start = recurrence.start or anchor or modified(todo)
    event = calendar.Recurrence(**{**_shared(recurrence), "type": calendar.RecurrenceType(int(recurrence.type))})
    rule, *kept = rule_lines(event, _anchor(start))
    if recurrence.regenerate or recurrence.dead_occur:
        rule = Property(_DORMANT, rule.value)
    series = {
        "START": format_compact(start) if start != anchor else "",
        "REGENERATE": "1" if recurrence.regenerate else "",
        "DEAD-OCCUR": str(recurrence.dead_occur) if recurrence.dead_occur else "",
    }
    lines = [rule, *kept]
    if any(series.values()):
        lines.append(Property(_SERIES, ";".join(f"{name}={value}" for name, value in series.items() if value)))
    todo = todo.without(lambda c: isinstance(c, Property) and c.name.upper() in _RULES)
    return todo.with_added(*lines)


def recurrence_of(todo: Component, anchor: datetime | None) -> Recurrence | None:
    """The recurrence of a task; None for none, and for a rule that devices cannot be told."""
    rule = todo.first("RRULE") or todo.first(_DORMANT)
    if rule is None:
        return None
    series = _series(todo)
    start = _start(series.get("START")) or anchor or modified(todo)
    event = read_recurrence(rule, todo.first(KEPT), _anchor(start))
    if event is None or event.type is None or (event.occurrences or 0) > MAX_BYTE:
        return None
    dead = series.get("DEAD-OCCUR", "0")
    found = {**_shared(event), "type": RecurrenceType(int(event.type))}
    return Recurrence(
        **found,
        start=start,
        regenerate=series.get("REGENERATE") == "1",
        dead_occur=int(dead) if dead.isdecimal() and len(dead) < len("1000") and int(dead) <= MAX_BYTE else 0,
    )


def _shared(recurrence: Recurrence | calendar.Recurrence) -> dict[str, Any]:
    return {name: getattr(recurrence, name) for name in _SHARED}


def _anchor(start: datetime) -> Anchor:
    clock = start.replace(tzinfo=None)
    return Anchor(clock, UTC_ZONE, is_day=not (clock.hour or clock.minute or clock.second))


def _series(todo: Component) -> dict[str, str]:
    held = todo.first(_SERIES)
    if held is None:
        return {}
    parts = (part.partition("=") for part in held.value.split(";"))
    return {name.upper(): value for name, _, value in parts}


def _start(text: str | None) -> datetime | None:
    try:
        return None if not text else parse_datetime(text)
    except ValueError:
        return None
