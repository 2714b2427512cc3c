"""The properties of an appointment or a meeting ([MS-ASCAL] 2.2.2; namespaces Calendar, AirSyncBase).

`Calendar` is what ApplicationData holds for a calendar item, in both directions. A field that is None is absent; one
that is EMPTY, "" or () is there without content: a client takes a value away so, and an exception says so that it does
not inherit what the series has (MS-ASCAL_R508, R543). All moments are in UTC; what they mean for whole days depends on
the version (MS-ASCAL_R2005).
"""

from datetime import datetime
from enum import IntEnum
from typing import Final

from protocol.items.airsyncbase import MAX_UNSIGNED, Attachments, Body, Location
from protocol.items.email import BusyStatus
from protocol.schema import COMPACT, Empty, el, element
from protocol.versions import V14_0, V14_1, V16_0

MAX_UID: Final = 300
"""Characters of UID and ClientUid (MS-ASCAL_R463, R2060)."""
MAX_CATEGORIES: Final = 300
"""MS-ASCAL_R187."""
MAX_EXCEPTIONS: Final = 256
"""MS-ASCAL_R243, R24311."""
MAX_INTERVAL: Final = 999
MAX_OCCURRENCES: Final = 999
"""MS-ASCAL_R345."""
MAX_CALENDAR_TYPE: Final = 23
MAX_DAYS_MASK: Final = 127

__all__ = [
    "Attendee",
    "AttendeeStatus",
    "AttendeeType",
    "BusyStatus",
    "Calendar",
    "ExceptionItem",
    "MeetingStatus",
    "Recurrence",
    "RecurrenceType",
    "ResponseType",
    "Sensitivity",
]


class Sensitivity(IntEnum):
    """[MS-ASCAL] 2.2.2.41."""

    NORMAL = 0
    PERSONAL = 1
    PRIVATE = 2
    CONFIDENTIAL = 3


class MeetingStatus(IntEnum):
    """[MS-ASCAL] 2.2.2.28: bits (1 meeting, 2 received, 4 cancelled); 9 to 15 mean the same as 1 to 7."""

    APPOINTMENT = 0
    ORGANIZER = 1
    RECEIVED = 3
    CANCELLED = 5
    CANCELLED_RECEIVED = 7
    ORGANIZER_TOO = 9
    RECEIVED_TOO = 11
    CANCELLED_TOO = 13
    CANCELLED_RECEIVED_TOO = 15


class ResponseType(IntEnum):
    """[MS-ASCAL] 2.2.2.40: what the user answered."""

    NONE = 0
    ORGANIZER = 1
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    NOT_RESPONDED = 5


class AttendeeStatus(IntEnum):
    """[MS-ASCAL] 2.2.2.5."""

    UNKNOWN = 0
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    NOT_RESPONDED = 5


class AttendeeType(IntEnum):
    """[MS-ASCAL] 2.2.2.6."""

    REQUIRED = 1
    OPTIONAL = 2
    RESOURCE = 3


class RecurrenceType(IntEnum):
    """[MS-ASCAL] 2.2.2.45, Type."""

    DAILY = 0
    WEEKLY = 1
    MONTHLY = 2
    MONTHLY_NTH = 3
    YEARLY = 5
    YEARLY_NTH = 6


@element("Calendar:Attendee")
class Attendee:
    """Someone who is invited, [MS-ASCAL] 2.2.2.3.

    The server alone sends the proposed times.
    """

    email: str = el("Calendar:Email")
    name: str = el("Calendar:Name", default="")
    status: AttendeeStatus | None = el("Calendar:AttendeeStatus", default=None)
    type: AttendeeType | None = el("Calendar:AttendeeType", default=None)
    proposed_start_time: datetime | None = el("MeetingResponse:ProposedStartTime", default=None, form=COMPACT)
    proposed_end_time: datetime | None = el("MeetingResponse:ProposedEndTime", default=None, form=COMPACT)


@element("Calendar:Recurrence")
class Recurrence:
    """How an event recurs, [MS-ASCAL] 2.2.2.37; without content: not at all (MS-ASCAL_R2180002).

    `day_of_week` is a sum of 1 (Sunday) to 64 (Saturday); `week_of_month` 5 is the last. Type is required in what the
    server sends, and up to 14.1 in requests (MS-ASCAL_R448, R448001).
    """

    type: RecurrenceType | None = el("Calendar:Type", default=None)
    occurrences: int | None = el("Calendar:Occurrences", default=None, minimum=1, maximum=MAX_OCCURRENCES)
    interval: int | None = el("Calendar:Interval", default=None, minimum=0, maximum=MAX_INTERVAL)
    week_of_month: int | None = el("Calendar:WeekOfMonth", default=None, minimum=1, maximum=5)
    day_of_week: int | None = el("Calendar:DayOfWeek", default=None, minimum=1, maximum=MAX_DAYS_MASK)
    month_of_year: int | None = el("Calendar:MonthOfYear", default=None, minimum=1, maximum=12)
    until: datetime | None = el("Calendar:Until", default=None, form=COMPACT)
    day_of_month: int | None = el("Calendar:DayOfMonth", default=None, minimum=1, maximum=31)
    calendar_type: int | None = el("Calendar:CalendarType", default=None, minimum=0, maximum=MAX_CALENDAR_TYPE)
    is_leap_month: bool | None = el("Calendar:IsLeapMonth", default=None)
    first_day_of_week: int | None = el("Calendar:FirstDayOfWeek", default=None, minimum=0, maximum=6)


@element("Calendar:Exception")
class ExceptionItem:
    """An occurrence that differs from its series, or is deleted, [MS-ASCAL] 2.2.2.21.

    The occurrence is named by `exception_start_time` up to 14.1 and by `instance_id` from 16.0 on (MS-ASCAL_R2106,
    R2107). What is absent is as in the series. Attendees and the answer are there from 14.0 on (R2104), the online
    links from 14.1 on (R2105).
    """

    deleted: bool | None = el("Calendar:Deleted", default=None)
    exception_start_time: datetime | None = el("Calendar:ExceptionStartTime", default=None, form=COMPACT)
    subject: str | None = el("Calendar:Subject", default=None)
    start_time: datetime | None = el("Calendar:StartTime", default=None, form=COMPACT)
    end_time: datetime | None = el("Calendar:EndTime", default=None, form=COMPACT)
    body: Body | Empty | None = el("AirSyncBase:Body", default=None)
    location_text: str | None = el("Calendar:Location", default=None)
    location: Location | None = el("AirSyncBase:Location", default=None)
    attachments: Attachments | None = el("AirSyncBase:Attachments", default=None, since=V16_0)
    categories: tuple[str, ...] | None = el("Calendar:Categories", item="Calendar:Category", default=None)
    sensitivity: Sensitivity | Empty | None = el("Calendar:Sensitivity", default=None)
    busy_status: BusyStatus | Empty | None = el("Calendar:BusyStatus", default=None)
    all_day_event: bool | Empty | None = el("Calendar:AllDayEvent", default=None)
    reminder: int | Empty | None = el("Calendar:Reminder", default=None, minimum=0, maximum=MAX_UNSIGNED)
    dt_stamp: datetime | None = el("Calendar:DtStamp", default=None, form=COMPACT)
    instance_id: datetime | None = el("AirSyncBase:InstanceId", default=None, form=COMPACT)
    meeting_status: MeetingStatus | Empty | None = el("Calendar:MeetingStatus", default=None)
    attendees: tuple[Attendee, ...] | None = el(
        "Calendar:Attendees", item="Calendar:Attendee", default=None, since=V14_0
    )
    appointment_reply_time: datetime | Empty | None = el("Calendar:AppointmentReplyTime", default=None, form=COMPACT)
    response_type: ResponseType | Empty | None = el("Calendar:ResponseType", default=None)
    online_meeting_conf_link: str | None = el("Calendar:OnlineMeetingConfLink", default=None, since=V14_1)
    online_meeting_external_link: str | None = el("Calendar:OnlineMeetingExternalLink", default=None, since=V14_1)


@element("AirSync:ApplicationData")
class Calendar:
    """A calendar item, [MS-ASCAL] 2.2.2.

    `client_uid` is only in requests; UID, DtStamp and the organizer are not in requests from 16.0 on, AttendeeStatus
    neither (MS-ASCAL_R2028, R2088, R2168, R2174, R2221).
    """

    time_zone: str | None = el("Calendar:Timezone", default=None)
    all_day_event: bool | Empty | None = el("Calendar:AllDayEvent", default=None)
    body: Body | Empty | None = el("AirSyncBase:Body", default=None)
    busy_status: BusyStatus | Empty | None = el("Calendar:BusyStatus", default=None)
    organizer_name: str | None = el("Calendar:OrganizerName", default=None)
    organizer_email: str | None = el("Calendar:OrganizerEmail", default=None)
    dt_stamp: datetime | None = el("Calendar:DtStamp", default=None, form=COMPACT)
    end_time: datetime | None = el("Calendar:EndTime", default=None, form=COMPACT)
    location_text: str | None = el("Calendar:Location", default=None)
    location: Location | None = el("AirSyncBase:Location", default=None)
    reminder: int | Empty | None = el("Calendar:Reminder", default=None, minimum=0, maximum=MAX_UNSIGNED)
    sensitivity: Sensitivity | Empty | None = el("Calendar:Sensitivity", default=None)
    subject: str | None = el("Calendar:Subject", default=None)
    start_time: datetime | None = el("Calendar:StartTime", default=None, form=COMPACT)
    uid: str | None = el("Calendar:UID", default=None, max_length=MAX_UID)
    client_uid: str | None = el("Calendar:ClientUid", default=None, max_length=MAX_UID)
    meeting_status: MeetingStatus | Empty | None = el("Calendar:MeetingStatus", default=None)
    attendees: tuple[Attendee, ...] | None = el("Calendar:Attendees", item="Calendar:Attendee", default=None)
    categories: tuple[str, ...] | None = el("Calendar:Categories", item="Calendar:Category", default=None)
    recurrence: Recurrence | None = el("Calendar:Recurrence", default=None)
    exceptions: tuple[ExceptionItem, ...] | None = el("Calendar:Exceptions", item="Calendar:Exception", default=None)
    response_requested: bool | Empty | None = el("Calendar:ResponseRequested", default=None)
    appointment_reply_time: datetime | Empty | None = el("Calendar:AppointmentReplyTime", default=None, form=COMPACT)
    response_type: ResponseType | Empty | None = el("Calendar:ResponseType", default=None)
    disallow_new_time_proposal: bool | Empty | None = el("Calendar:DisallowNewTimeProposal", default=None)
    native_body_type: int | None = el("AirSyncBase:NativeBodyType", default=None, minimum=1, maximum=3)
    online_meeting_conf_link: str | None = el("Calendar:OnlineMeetingConfLink", default=None)
    online_meeting_external_link: str | None = el("Calendar:OnlineMeetingExternalLink", default=None)
    attachments: Attachments | None = el("AirSyncBase:Attachments", default=None, since=V16_0)
    instance_id: datetime | None = el("AirSyncBase:InstanceId", default=None, form=COMPACT)
