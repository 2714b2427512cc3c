"""The properties of a task ([MS-ASTASK] 2.2.2; namespaces Tasks, AirSyncBase).

`Task` is what ApplicationData holds for a task, in both directions. A field that is None is absent; an empty element is
"", () or EMPTY and clears the property.
"""

from datetime import datetime
from enum import IntEnum
from typing import Final

from protocol.items.airsyncbase import Body
from protocol.schema import Empty, el, element

MAX_CATEGORIES: Final = 300
"""MS-ASTASK_R402."""
MAX_BYTE: Final = 255
"""The largest unsignedByte (MS-ASDTYPE_R123)."""
MAX_INTERVAL: Final = 999
"""MS-ASTASK_R192."""
CALENDAR_TYPES: Final = frozenset({*range(13), 14, 15, 20})
"""The values of CalendarType that may be used (MS-ASTASK_R84)."""


class Sensitivity(IntEnum):
    """[MS-ASTASK] 2.2.2.24."""

    NORMAL = 0
    PERSONAL = 1
    PRIVATE = 2
    CONFIDENTIAL = 3


class RecurrenceType(IntEnum):
    """[MS-ASTASK] 2.2.2.29; 4 does not exist (MS-ASTASK_R292)."""

    DAILY = 0
    WEEKLY = 1
    MONTHLY = 2
    MONTHLY_NTH = 3
    YEARLY = 5
    YEARLY_NTH = 6


class DayOfWeek(IntEnum):
    """The bits of DayOfWeek, [MS-ASTASK] 2.2.2.10; ANY_DAY (the last day of the month) is all of them."""

    SUNDAY = 1
    MONDAY = 2
    TUESDAY = 4
    WEDNESDAY = 8
    THURSDAY = 16
    FRIDAY = 32
    SATURDAY = 64
    ANY_DAY = 127


@element("Tasks:Recurrence")
class Recurrence:
    """How a task recurs, [MS-ASTASK] 2.2.2.20.

    `start` is local time written as if it were UTC, like StartDate. A request without it is answered with Status 6
    (MS-ASTASK_R37011); that is for whoever applies the change to see.
    """

    type: RecurrenceType = el("Tasks:Type")
    start: datetime | None = el("Tasks:Start", default=None)
    until: datetime | None = el("Tasks:Until", default=None)
    occurrences: int | None = el("Tasks:Occurrences", default=None, minimum=0, maximum=MAX_BYTE)
    interval: int | None = el("Tasks:Interval", default=None, minimum=0, maximum=MAX_INTERVAL)
    day_of_week: int | None = el("Tasks:DayOfWeek", default=None, minimum=1, maximum=DayOfWeek.ANY_DAY)
    day_of_month: int | None = el("Tasks:DayOfMonth", default=None, minimum=1, maximum=31)
    week_of_month: int | None = el("Tasks:WeekOfMonth", default=None, minimum=1, maximum=5)
    month_of_year: int | None = el("Tasks:MonthOfYear", default=None, minimum=1, maximum=12)
    regenerate: bool | None = el("Tasks:Regenerate", default=None)
    dead_occur: int | None = el("Tasks:DeadOccur", default=None, minimum=0, maximum=MAX_BYTE)
    calendar_type: int | None = el("Tasks:CalendarType", default=None, minimum=0, maximum=23)
    is_leap_month: bool | None = el("Tasks:IsLeapMonth", default=None)
    first_day_of_week: int | None = el("Tasks:FirstDayOfWeek", default=None, minimum=0, maximum=6)


@element("AirSync:ApplicationData")
class Task:
    """A task, [MS-ASTASK] 2.2.2. StartDate and DueDate are local times written as if they were UTC.

    Any Importance of a byte is taken and given back (MS-ASTASK_R187, R550).
    """

    subject: str | None = el("Tasks:Subject", default=None)
    importance: int | None = el("Tasks:Importance", default=None, minimum=0, maximum=MAX_BYTE)
    utc_start_date: datetime | Empty | None = el("Tasks:UtcStartDate", default=None)
    start_date: datetime | Empty | None = el("Tasks:StartDate", default=None)
    utc_due_date: datetime | Empty | None = el("Tasks:UtcDueDate", default=None)
    due_date: datetime | Empty | None = el("Tasks:DueDate", default=None)
    categories: tuple[str, ...] | None = el("Tasks:Categories", item="Tasks:Category", default=None)
    recurrence: Recurrence | Empty | None = el("Tasks:Recurrence", default=None)
    complete: bool | None = el("Tasks:Complete", default=None)
    date_completed: datetime | Empty | None = el("Tasks:DateCompleted", default=None)
    sensitivity: Sensitivity | None = el("Tasks:Sensitivity", default=None)
    reminder_time: datetime | Empty | None = el("Tasks:ReminderTime", default=None)
    reminder_set: bool | None = el("Tasks:ReminderSet", default=None)
    ordinal_date: datetime | Empty | None = el("Tasks:OrdinalDate", default=None)
    sub_ordinal_date: str | None = el("Tasks:SubOrdinalDate", default=None)
    body: Body | None = el(default=None)
