"""FilterType: how far back a collection is synced, [MS-ASCMD] 2.2.3.68.2."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from eas_server.model.view import NO_LIMIT


class FilterType(IntEnum):
    """The values of FilterType that count back from now; 8 (incomplete tasks) belongs to the tasks alone."""

    ALL = 0
    ONE_DAY = 1
    THREE_DAYS = 2
    ONE_WEEK = 3
    TWO_WEEKS = 4
    ONE_MONTH = 5
    THREE_MONTHS = 6
    SIX_MONTHS = 7
    INCOMPLETE_TASKS = 8


_DAYS: Final = {
    FilterType.ONE_DAY: 1,
    FilterType.THREE_DAYS: 3,
    FilterType.ONE_WEEK: 7,
    FilterType.TWO_WEEKS: 14,
    FilterType.ONE_MONTH: 31,
    FilterType.THREE_MONTHS: 92,
    FilterType.SIX_MONTHS: 184,
}
_STEP: Final = 3600
"""The limit moves once an hour: in between an unchanged folder is answered without a look at what has aged."""


INCOMPLETE: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""The instant of tasks that are not done, so that a filter may leave out the others by it; no real one comes near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which items of a collection a client is to hold."""

    cutoff: int
    """The instant before which items are hidden, in seconds since 1970 …"""
    conversations: bool = False
    """… unless their conversation has one that is not hidden ([MS-ASCMD] 2.2.3.36)."""


def cutoff(filter_type: FilterType, now: datetime) -> int:
    """The instant before which items are hidden, in seconds since 1970; never later than the filter says."""
    if filter_type is FilterType.INCOMPLETE_TASKS:
        return int(INCOMPLETE.timestamp())
    days = _DAYS.get(filter_type)
    if days is None:
        return NO_LIMIT
    limit = int((now - timedelta(days=days)).timestamp())
    return limit - limit % _STEP
