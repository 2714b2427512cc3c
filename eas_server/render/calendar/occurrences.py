"""When an event takes place: for free/busy, for filters, for MeetingRequests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from eas_server.render.calendar.details import Details, read_details
from eas_server.render.calendar.series import Owner, Series, read_series
from eas_server.render.calendar.to_client import busy_status
from eas_server.render.calendar.zones import city
from protocol.items.calendar import BusyStatus

FAR_FUTURE: Final = datetime(4500, 8, 31, 23, 59, tzinfo=UTC)
"""The end of what has none."""
_LONGEST_SHIFT: Final = timedelta(days=1)
"""Clock times and moments are no farther apart, and a key no farther from its moment."""
_LOOK_BACK: Final = (timedelta(days=70), timedelta(days=800), timedelta(days=9000))
"""How far before the end of a rule its last occurrence is looked for, before all of them are."""
MAX_OCCURRENCES: Final = 10_000
"""Occurrences that one look gives at most."""


class Occurrence(NamedTuple):
    """One time that an event takes place; `end` is exclusive."""

    start: datetime
    end: datetime
    busy: BusyStatus


def occurrences(octets: bytes, start: datetime, end: datetime, *, owner: Owner = Owner()) -> list[Occurrence]:  # noqa: B008 -- frozen
    """The occurrences that touch the time from `start` to `end` (exclusive), by their beginning.

    Whole days and times without a zone are those of the owner's zone. What is cancelled is free. At most
    MAX_OCCURRENCES. Raises InvalidItem for octets without an event.
    """
    series = read_series(octets, owner)
    found = [o for o in _all(series, start, end) if o.start < end and (o.end > start or o.start == o.end == start)]
    return sorted(found)


def _all(series: Series, start: datetime, end: datetime) -> Iterator[Occurrence]:
    for event, _ in series.changed.values():
        yield _occurrence(read_details(event, series.zones))
    held = series.details
    if not series.recurs:
        yield _occurrence(held)
        return
    zone = series.anchor.zone
    try:
        after = zone.local(start - held.span - _LONGEST_SHIFT)
        before = zone.local(end + _LONGEST_SHIFT)
    except OverflowError:
        return
    for key in islice(series.all_keys(after=after), MAX_OCCURRENCES):
        if key > before:
            return
        if key not in series.deleted and key not in series.changed:
            yield _occurrence(series.at(key))


def _occurrence(held: Details) -> Occurrence:
    return Occurrence(held.start, held.end, BusyStatus.FREE if held.cancelled else busy_status(held))


def only_occurrence(octets: bytes) -> Occurrence | None:
    """When an event takes place that does not come back; None where it does, or where its owner's zone decides.

    Raises InvalidItem for octets without an event.
    """
    series = read_series(octets, Owner())
    begin = series.master.first("DTSTART")
    if begin is None or series.recurs or series.changed:
        return None
    named = begin.param("TZID")
    is_fixed = begin.value.strip().endswith("Z") or (named is not None and city(named) is not None)
    return _occurrence(series.details) if is_fixed and not series.anchor.is_day else None


def filter_instant(octets: bytes, *, owner: Owner = Owner()) -> datetime:  # noqa: B008 -- frozen
    """The end of the last occurrence; FAR_FUTURE for a series without end (MS-ASCMD_R5878).

    Raises InvalidItem for octets without an event.
    """
    series = read_series(octets, owner)
    ends = [read_details(event, series.zones).end for event, _ in series.changed.values()]
    if not series.recurs:
        return max([series.details.end, *ends])
    if series.is_endless:
        return FAR_FUTURE
    last = _last_key(series)
    if last is not None:
        ends.append(series.at(last).end)
    return max(ends, default=series.details.end)


def _last_key(series: Series) -> datetime | None:
    """The last occurrence of a rule with an end that is neither deleted nor moved."""
    gone = series.deleted.keys() | series.changed.keys()
    until = series.until
    if until is not None:
        for back in _LOOK_BACK:
            if until - back <= series.anchor.clock:
                break
            keys = [key for key in series.all_keys(after=until - back) if key not in gone]
            if keys:
                return max(keys)
    return max((key for key in series.all_keys() if key not in gone), default=None)
