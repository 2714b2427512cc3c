"""Recurrence rules (RFC 5545 3.3.10): read, and expanded within bounds.

Written here rather than taken from a library: free/busy and filters look at a few days of rules that began years ago,
so an expansion has to begin where they look, and no rule that a stranger sends may cost more than MAX_STEPS.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

MAX_STEPS: Final = 20_000
"""Periods (days, weeks, months, years) that one expansion looks at."""
MAX_EMPTY: Final = {"DAILY": 1_500, "WEEKLY": 300, "MONTHLY": 500, "YEARLY": 60}
"""Periods without an occurrence after which a rule counts as over; the longest wait is for a weekday in a leap year."""
LAST_YEAR: Final = 4500
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEK: Final = 7
_MONTHS: Final = 12
_MAX_LIST: Final = 100
_NUMBER: Final = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_BY_DAY: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_KNOWN: Final = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYDAY",
    "BYMONTH",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYSETPOS",
    "RSCALE",
    "SKIP",
}
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule. Weekdays count from 0, Monday; days are (nth, weekday), nth 0 for every one."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: str | None = None
    days: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0
    has_week_start: bool = False
    leap_month: bool = False
    scale: str = ""
    """RSCALE (RFC 7529) in upper case; "" for the Gregorian calendar."""


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule | None:
    """Read a RRULE; None for one that is malformed, or that knows hours."""
    parts = dict(part.strip().partition("=")[::2] for part in text.upper().split(";") if part.strip())
    if not parts.keys() <= _KNOWN or parts.get("FREQ") not in FREQUENCIES:
        return None
    months = parts.get("BYMONTH", "")
    try:
        rule = Rule(
            freq=parts["FREQ"],
            interval=_one(parts.get("INTERVAL"), 1) or 1,
            count=_one(parts.get("COUNT"), 1),
            until=parts.get("UNTIL"),
            days=_days(parts.get("BYDAY")),
            months=_numbers(months.replace("L", ""), 1, 13),
            month_days=_numbers(parts.get("BYMONTHDAY"), -31, 31),
            year_days=_numbers(parts.get("BYYEARDAY"), -366, 366),
            weeks=_numbers(parts.get("BYWEEKNO"), -53, 53),
            positions=_numbers(parts.get("BYSETPOS"), -366, 366),
            week_start=WEEKDAYS.index(parts.get("WKST", "MO")),
            has_week_start="WKST" in parts,
            leap_month="L" in months,
            scale="" if parts.get("RSCALE") == "GREGORIAN" else parts.get("RSCALE", ""),
        )
    except ValueError:
        return None
    if rule.count is not None and rule.until is not None:
        return None
    return rule


def _one(text: str | None, least: int) -> int | None:
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None or int(text) < least:
        raise ValueError(text)
    return int(text)


def _numbers(text: str | None, least: int, most: int) -> tuple[int, ...]:
    if not text:
        return ()
    numbers = []
    for part in text.split(","):
        if _NUMBER.fullmatch(part) is None or not least <= int(part) <= most or int(part) == 0:
            raise ValueError(part)
        numbers.append(int(part))
    if len(numbers) > _MAX_LIST:
        raise ValueError("too many")
    return tuple(numbers)


def _days(text: str | None) -> tuple[tuple[int, int], ...]:
    if not text:
        return ()
    days = []
    for part in text.split(","):
        found = _BY_DAY.fullmatch(part)
        if found is None:
            raise ValueError(part)
        days.append((int(found[1] or 0), WEEKDAYS.index(found[2])))
    if len(days) > _MAX_LIST:
        raise ValueError("too many")
    return tuple(days)


# ---- expansion


def expand(
    rule: Rule, start: datetime, *, after: datetime | None = None, until: datetime | None = None
) -> Iterator[datetime]:
    """The clock times at which a rule that begins at `start` falls, in order; not those before `after`.

    `until`: the last time that counts. Ends in any case after MAX_STEPS periods, and MAX_EMPTY without an occurrence.
    """
    after = start if after is None else max(after, start)
    first = 0 if rule.count is not None else max(0, _period_of(rule, start, after) - 1)
    counted = empty = 0
    for step in range(first, first + MAX_STEPS):
        found = [day for day in _candidates(rule, start, step) if day >= start]
        if found and found[0].year >= LAST_YEAR:
            return
        empty = 0 if found else empty + 1
        if empty > MAX_EMPTY[rule.freq]:
            return
        for clock in found:
            counted += 1
            if (until is not None and clock > until) or (rule.count is not None and counted > rule.count):
                return
            if clock >= after:
                yield clock


def _period_of(rule: Rule, start: datetime, clock: datetime) -> int:
    """The number of the period that a time falls in, counted in intervals from the one of the start."""
    if rule.freq == "DAILY":
        passed = (clock.date() - start.date()).days
    elif rule.freq == "WEEKLY":
        passed = (_week_of(clock, rule).date() - _week_of(start, rule).date()).days // _WEEK
    elif rule.freq == "MONTHLY":
        passed = (clock.year - start.year) * _MONTHS + clock.month - start.month
    else:
        passed = clock.year - start.year
    return passed // rule.interval


def _week_of(clock: datetime, rule: Rule) -> datetime:
    back = (clock.weekday() - rule.week_start) % _WEEK
    return clock - back * _DAY


def _candidates(rule: Rule, start: datetime, step: int) -> list[datetime]:
    try:
        found = sorted(set(_PERIODS[rule.freq](rule, start, step * rule.interval)))
    except (OverflowError, ValueError):  # beyond the end of time
        return []
    if not rule.positions or not found:
        return found
    size = len(found)
    wanted = {position - 1 if position > 0 else size + position for position in rule.positions}
    return [clock for at, clock in enumerate(found) if at in wanted]


def _daily(rule: Rule, start: datetime, ahead: int) -> list[datetime]:
    clock = start + ahead * _DAY
    return [clock] if _passes(rule, clock) else []


def _passes(rule: Rule, clock: datetime) -> bool:
    """Whether a day is one of those that the rule lets through."""
    if rule.months and clock.month not in rule.months:
        return False
    if rule.days and clock.weekday() not in {day for _, day in rule.days}:
        return False
    if rule.month_days:
        length = calendar.monthrange(clock.year, clock.month)[1]
        if clock.day not in {_from_end(day, length) for day in rule.month_days}:
            return False
    if rule.year_days:
        length = 366 if calendar.isleap(clock.year) else 365
        return clock.timetuple().tm_yday in {_from_end(day, length) for day in rule.year_days}
    return True


def _from_end(number: int, length: int) -> int:
    return number if number > 0 else length + 1 + number


def _weekly(rule: Rule, start: datetime, ahead: int) -> list[datetime]:
    first = _week_of(start, rule) + ahead * _WEEK * _DAY
    days = {day for _, day in rule.days} or {start.weekday()}
    clocks = (first + number * _DAY for number in range(_WEEK))
    return [c for c in clocks if c.weekday() in days and (not rule.months or c.month in rule.months)]


def _monthly(rule: Rule, start: datetime, ahead: int) -> list[datetime]:
    months = start.year * _MONTHS + start.month - 1 + ahead
    year, month = divmod(months, _MONTHS)
    if rule.months and month + 1 not in rule.months:
        return []
    return _in_month(rule, start, year, month + 1)


def _in_month(rule: Rule, start: datetime, year: int, month: int) -> list[datetime]:
    length = calendar.monthrange(year, month)[1]
    if not rule.month_days and not rule.days:
        return [start.replace(year=year, month=month)] if start.day <= length else []
    days = set(range(1, length + 1))
    if rule.month_days:
        days &= {_from_end(day, length) for day in rule.month_days}
    if rule.days:
        first = start.replace(year=year, month=month, day=1)
        days &= {1 + ahead for nth, day in rule.days for ahead in _nth_days(first, length, nth, day)}
    return [start.replace(year=year, month=month, day=day) for day in days]


def _nth_days(first: datetime, length: int, nth: int, weekday: int) -> list[int]:
    """How many days after `first` the nth such weekday of `length` days is; all of them for 0."""
    all_ = list(range((weekday - first.weekday()) % _WEEK, length, _WEEK))
    if not nth:
        return all_
    at = nth - 1 if nth > 0 else len(all_) + nth
    return [all_[at]] if 0 <= at < len(all_) else []


def _yearly(rule: Rule, start: datetime, ahead: int) -> list[datetime]:
    year = start.year + ahead
    first = start.replace(year=year, month=1, day=1)
    if rule.year_days or rule.weeks:
        return [clock for clock in _days_of_year(rule, start, first) if not rule.months or clock.month in rule.months]
    if rule.months or rule.month_days:
        months = rule.months or range(1, _MONTHS + 1)
        return [clock for month in months if month <= _MONTHS for clock in _in_month(rule, start, year, month)]
    if rule.days:
        length = 366 if calendar.isleap(year) else 365
        return [first + day * _DAY for nth, weekday in rule.days for day in _nth_days(first, length, nth, weekday)]
    return _in_month(rule, start, year, start.month)


def _days_of_year(rule: Rule, start: datetime, first: datetime) -> list[datetime]:
    length = 366 if calendar.isleap(first.year) else 365
    days = {_from_end(day, length) for day in rule.year_days} if rule.year_days else set(range(1, length + 1))
    if rule.days:
        weekdays = {day for _, day in rule.days}
        days = {day for day in days if (first + (day - 1) * _DAY).weekday() in weekdays}
    clocks = [first + (day - 1) * _DAY for day in days if 1 <= day <= length]
    if not rule.weeks:
        return clocks
    if not rule.days and not rule.year_days:
        clocks = [clock for clock in clocks if clock.weekday() == start.weekday()]
    return [clock for clock in clocks if _in_weeks(rule, clock)]


def _in_weeks(rule: Rule, clock: datetime) -> bool:
    """Whether a day is in one of the weeks of its year; the first has at least four of its days."""
    fourth = _week_of(clock, rule) + 3 * _DAY
    number = (fourth.timetuple().tm_yday - 1) // _WEEK + 1
    last = _week_of(clock.replace(month=12, day=28), rule) + 3 * _DAY
    weeks = (last.timetuple().tm_yday - 1) // _WEEK + 1
    return fourth.year == clock.year and number in {_from_end(week, weeks) for week in rule.weeks}


_PERIODS: Final[dict[str, Callable[[Rule, datetime, int], list[datetime]]]] = {
    "DAILY": _daily,
    "WEEKLY": _weekly,
    "MONTHLY": _monthly,
    "YEARLY": _yearly,
}
