"""Recurrence ([MS-ASCAL] 2.2.2.37) and RRULE into each other.

    rule            RRULE
    daily           FREQ=DAILY (with days: FREQ=WEEKLY, MS-ASCAL_R3892312)
    weekly          FREQ=WEEKLY;BYDAY=…;WKST=…
    monthly         FREQ=MONTHLY;BYMONTHDAY=…, or the last day of a month that is shorter
    monthly, nth    FREQ=MONTHLY;BYDAY=2TU, or of several days BYDAY=MO,…;BYSETPOS=2
    yearly          FREQ=YEARLY;BYMONTH=…, else as the monthly ones

What a RRULE would not give back as it came is kept beside it in X-EAS-RECURRENCE, which counts while the RRULE is the
one that it came with. A RRULE that no Recurrence can say gives None, and stays until a client sets another one.
"""

import calendar
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from eas_server.render.calendar.rules import WEEKDAYS, Rule, parse_rule
from eas_server.render.calendar.times import checked, day_of, read_value
from eas_server.render.calendar.zones import Zone
from eas_server.render.contentlines import Property
from eas_server.render.pim import InvalidItem
from protocol.datatypes import format_compact, parse_datetime
from protocol.items.calendar import MAX_INTERVAL, MAX_OCCURRENCES, Recurrence, RecurrenceType

KEPT: Final = "X-EAS-RECURRENCE"
_OF: Final = "X-EAS-OF"
_RESERVED_CALENDARS: Final = {13, 16, 17, 18, 19, 21, 22, 23}
"""MS-ASCAL_R53913."""
_SCALES: Final = {6: "ISLAMIC-CIVIL", 8: "HEBREW", 14: "CHINESE", 15: "CHINESE", 20: "DANGI"}
"""The calendars whose months are not ours, by their names in RFC 7529; the others only count years in another way."""
_LAST: Final = 5
_WEEKDAYS_MASK, _WEEKEND_MASK = 62, 65
_ALL_DAYS: Final = 127
_LONGEST: Final = 31
_SHORTEST: Final = 28
_TYPES_OF_YEARS: Final = {RecurrenceType.YEARLY, RecurrenceType.YEARLY_NTH}
_TYPES_OF_NTH: Final = {RecurrenceType.MONTHLY_NTH, RecurrenceType.YEARLY_NTH}
_TYPES_OF_DAY: Final = {RecurrenceType.MONTHLY, RecurrenceType.YEARLY}
_TYPES_OF_CALENDARS: Final = _TYPES_OF_NTH | _TYPES_OF_DAY


@dataclass(frozen=True, slots=True)
class Anchor:
    """The beginning of the series that a rule belongs to."""

    clock: datetime
    zone: Zone
    is_day: bool = False


# ---- what clients send


def normal(sent: Recurrence, anchor: Anchor, *, first_day_of_week: int) -> Recurrence:
    """A client's Recurrence with what it may leave out. Raises InvalidItem for what the documents give Status 6.

    `first_day_of_week`: the user's (MS-ASCAL_R52524). `anchor` gives the weekday that type 6 may leave out (R38949).
    """
    kind = sent.type
    if kind is None:
        raise InvalidItem("a recurrence without type")
    if kind is RecurrenceType.YEARLY_NTH and sent.day_of_week is None:
        sent = replace(sent, day_of_week=1 << (anchor.clock.isoweekday() % 7))
    _check(kind, sent)
    weekly = kind is RecurrenceType.WEEKLY
    return replace(
        sent,
        interval=sent.interval or 1,  # MS-ASCAL_R5
        until=None if sent.occurrences is not None or sent.until is None else checked(sent.until),  # MS-ASCAL_R53911
        calendar_type=(sent.calendar_type or 0) if kind in _TYPES_OF_CALENDARS else sent.calendar_type,
        first_day_of_week=first_day_of_week if weekly and sent.first_day_of_week is None else sent.first_day_of_week,
    )


def _check(kind: RecurrenceType, sent: Recurrence) -> None:
    """MS-ASCAL_R53913 and R53916–R53919, and that each type has what it needs (R38929–R38950)."""
    rules = (
        ("DayOfMonth", sent.day_of_month, _TYPES_OF_DAY, _TYPES_OF_DAY),
        ("DayOfWeek", sent.day_of_week, {RecurrenceType.WEEKLY} | _TYPES_OF_NTH, set(RecurrenceType) - _TYPES_OF_DAY),
        ("MonthOfYear", sent.month_of_year, _TYPES_OF_YEARS, _TYPES_OF_YEARS),
        ("WeekOfMonth", sent.week_of_month, _TYPES_OF_NTH, _TYPES_OF_NTH),
    )
    for name, value, needed, allowed in rules:
        if value is None and kind in needed:
            raise InvalidItem(f"a recurrence of type {kind} without {name}")
        if value is not None and kind not in allowed:
            raise InvalidItem(f"a recurrence of type {kind} with {name}")
    if sent.calendar_type in _RESERVED_CALENDARS:
        raise InvalidItem(f"the reserved calendar {sent.calendar_type}")


# ---- to RRULE


def rule_lines(recurrence: Recurrence, anchor: Anchor) -> tuple[Property, ...]:
    """The RRULE of a normal Recurrence and, if the rule says less than it, what is kept beside it."""
    rule = Property("RRULE", _rule_text(recurrence, anchor))
    if read_recurrence(rule, None, anchor) == recurrence:
        return (rule,)
    kept = ";".join(f"{name}={_kept_value(recurrence, name)}" for name in _KEPT_FIELDS if _has(recurrence, name))
    return rule, Property(
        KEPT,
        kept,
        (
            (
                _OF,
                (_mark(rule)),
            ),
        ),
    )


def _mark(rule: Property) -> tuple[str, ...]:
    return (f"{crc32(rule.value.upper().encode('utf-8', 'surrogateescape')):08x}",)


def _rule_text(recurrence: Recurrence, anchor: Anchor) -> str:
    parts: dict[str, object] = {}
    scale = _SCALES.get(recurrence.calendar_type or 0)
    if scale is not None:
        parts["RSCALE"] = scale
    parts |= _pattern(recurrence)
    if recurrence.interval not in (None, 1):
        parts["INTERVAL"] = recurrence.interval
    if recurrence.occurrences is not None:
        parts["COUNT"] = recurrence.occurrences
    elif recurrence.until is not None:
        day = f"{day_of(recurrence.until, anchor.zone):%Y%m%d}"
        parts["UNTIL"] = day if anchor.is_day else format_compact(recurrence.until)
    if recurrence.first_day_of_week is not None:
        parts["WKST"] = WEEKDAYS[(recurrence.first_day_of_week - 1) % 7]
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _pattern(recurrence: Recurrence) -> dict[str, object]:
    kind, mask = recurrence.type, recurrence.day_of_week
    if kind is RecurrenceType.DAILY and mask is None:
        return {"FREQ": "DAILY"}
    if kind in (RecurrenceType.DAILY, RecurrenceType.WEEKLY):
        return {"FREQ": "WEEKLY", "BYDAY": _by_day(mask or _ALL_DAYS)}
    month = recurrence.month_of_year if kind in _TYPES_OF_YEARS else None
    leap = "L" if recurrence.is_leap_month and _SCALES.get(recurrence.calendar_type or 0) else ""
    parts: dict[str, object] = {"FREQ": "MONTHLY"} if month is None else {"FREQ": "YEARLY", "BYMONTH": f"{month}{leap}"}
    if kind in _TYPES_OF_DAY:
        return parts | _month_day(recurrence.day_of_month or 1, month)
    nth = -1 if recurrence.week_of_month == _LAST else recurrence.week_of_month
    days = _by_day(mask or _ALL_DAYS)
    return parts | ({"BYDAY": f"{nth}{days}"} if "," not in days else {"BYDAY": days, "BYSETPOS": nth})


def _by_day(mask: int) -> str:
    """1 is Sunday; RRULE lists begin with Monday here."""
    return ",".join(name for at, name in enumerate(WEEKDAYS) if mask & (1 << ((at + 1) % 7)))


def _month_day(day: int, month: int | None) -> dict[str, object]:
    """A day that not every such month has stands for the last one there is, as it does on devices."""
    shortest = _SHORTEST if month in (2, None) else calendar.monthrange(2001, month or 1)[1]
    longest = _LONGEST if month is None else calendar.monthrange(2000, month)[1]
    if day <= shortest:
        return {"BYMONTHDAY": day}
    if day >= longest:
        return {"BYMONTHDAY": -1}
    return {"BYMONTHDAY": ",".join(map(str, range(shortest, day + 1))), "BYSETPOS": -1}


# ---- from RRULE


def read_recurrence(rule: Property | None, kept: Property | None, anchor: Anchor) -> Recurrence | None:
    """The Recurrence of a RRULE, in the normal form; None for none, and for one that no Recurrence can say."""
    if rule is None:
        return None
    if kept is not None and (kept.param(_OF),) == _mark(rule):
        found = _read_kept(kept)
        if found is not None:
            return found
    read = parse_rule(rule.value)
    return None if read is None else _said(read, anchor)


def _said(rule: Rule, anchor: Anchor) -> Recurrence | None:
    if rule.interval > MAX_INTERVAL or rule.year_days or rule.weeks or rule.scale:
        return None
    if rule.count is not None and rule.count > MAX_OCCURRENCES:
        return None
    until = None
    if rule.until is not None:
        until = _read_until(rule.until, anchor)
        if until is None:
            return None
    pattern = {"DAILY": _of_days, "WEEKLY": _of_weeks, "MONTHLY": _of_months, "YEARLY": _of_years}[rule.freq]
    found = pattern(rule, anchor)
    if found is None:
        return None
    first_day = (rule.week_start + 1) % 7 if rule.has_week_start or found.type is RecurrenceType.WEEKLY else None
    return replace(
        found,
        interval=rule.interval,
        occurrences=rule.count,
        until=until,
        calendar_type=0 if found.type in _TYPES_OF_CALENDARS else None,
        first_day_of_week=first_day,
    )


def until_clock(text: str, anchor: Anchor) -> datetime | None:
    """The last clock time that an UNTIL lets through."""
    read = read_value(text)
    if read is None:
        return None
    clock, is_day, is_utc = read
    if is_day:
        return clock if anchor.is_day else clock.replace(hour=23, minute=59, second=59)
    return anchor.zone.local(parse_datetime(text)) if is_utc else clock


def _read_until(text: str, anchor: Anchor) -> datetime | None:
    clock = until_clock(text, anchor)
    if clock is None:
        return None
    if read_value(text) == (clock, False, True) or text.endswith("Z"):
        return parse_datetime(text)
    return anchor.zone.utc(clock.replace(hour=0, minute=0, second=0) if anchor.is_day else clock)


def _of_days(rule: Rule, anchor: Anchor) -> Recurrence | None:
    if rule.months or rule.month_days or rule.positions:
        return None
    if not rule.days:
        return Recurrence(type=RecurrenceType.DAILY)
    return _of_weeks(rule, anchor) if rule.interval == 1 else None


def _of_weeks(rule: Rule, anchor: Anchor) -> Recurrence | None:
    if rule.months or rule.month_days or rule.positions or any(nth for nth, _ in rule.days):
        return None
    days = [day for _, day in rule.days] or [anchor.clock.weekday()]
    return Recurrence(type=RecurrenceType.WEEKLY, day_of_week=_mask(days))


def _mask(days: list[int]) -> int:
    return sum({1 << ((day + 1) % 7) for day in days})


def _of_months(rule: Rule, anchor: Anchor) -> Recurrence | None:
    if rule.months:
        return None
    return _day_or_nth(rule, anchor, None, RecurrenceType.MONTHLY, RecurrenceType.MONTHLY_NTH)


def _of_years(rule: Rule, anchor: Anchor) -> Recurrence | None:
    if len(rule.months) > 1 or (not rule.months and (rule.days or rule.positions)):
        return None
    month = rule.months[0] if rule.months else anchor.clock.month
    if month > 12:  # noqa: PLR2004 -- months
        return None
    return _day_or_nth(rule, anchor, month, RecurrenceType.YEARLY, RecurrenceType.YEARLY_NTH)


def _day_or_nth(
    rule: Rule, anchor: Anchor, month: int | None, by_day: RecurrenceType, by_nth: RecurrenceType
) -> Recurrence | None:
    if rule.days:
        nth = _nth(rule)
        if nth is None or rule.month_days:
            return None
        days = _mask([day for _, day in rule.days])
        return Recurrence(type=by_nth, week_of_month=nth, day_of_week=days, month_of_year=month)
    day = _day_of_month(rule, anchor, month)
    return None if day is None else Recurrence(type=by_day, day_of_month=day, month_of_year=month)


def _nth(rule: Rule) -> int | None:
    """The week of the month: the number of the only day, or the position among several."""
    numbers = {nth for nth, _ in rule.days}
    if numbers == {0} and len(rule.positions) == 1:
        nth = rule.positions[0]
    elif len(rule.days) == 1 and not rule.positions:
        nth = rule.days[0][0]
    else:
        return None
    return _LAST if nth == -1 else nth if 1 <= nth <= _LAST else None


def _day_of_month(rule: Rule, anchor: Anchor, month: int | None) -> int | None:
    days = rule.month_days or (anchor.clock.day,)
    if rule.positions == (-1,) and days == tuple(range(days[0], days[-1] + 1)) and days[0] in (_SHORTEST, 30):
        return days[-1]
    if rule.positions or len(days) != 1:
        return None
    if days[0] == -1:
        return _LONGEST if month is None else calendar.monthrange(2000, month)[1]
    return days[0] if days[0] > 0 else None


# ---- what is kept beside the rule


_KEPT_FIELDS: Final = tuple(f.name for f in fields(Recurrence))


def _has(recurrence: Recurrence, name: str) -> bool:
    return getattr(recurrence, name) is not None


def _kept_value(recurrence: Recurrence, name: str) -> str:
    value: datetime | int = getattr(recurrence, name)
    return format_compact(value) if isinstance(value, datetime) else str(int(value))


def _read_kept(kept: Property) -> Recurrence | None:
    values: dict[str, Any] = {}
    for part in kept.value.split(";"):
        name, _, text = part.partition("=")
        name = name.lower()
        try:
            if name == "until":
                values[name] = parse_datetime(text)
            elif name == "is_leap_month":
                values[name] = text == "1"
            elif name in _KEPT_FIELDS:
                values[name] = RecurrenceType(int(text)) if name == "type" else int(text)
        except ValueError:
            return None
    return Recurrence(**values) if "type" in values else None
