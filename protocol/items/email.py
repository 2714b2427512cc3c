"""The properties of a message ([MS-ASEMAIL] 2.2.2; namespaces Email, Email2, AirSyncBase, Tasks, RightsManagement).

`Email` is what ApplicationData holds for a message, in both directions. A field that is None is absent: a Change says
nothing of it.
"""

from datetime import datetime
from enum import IntEnum
from typing import Final

from protocol.elements import Element
from protocol.items.airsyncbase import Attachments, Body, BodyPart, Location
from protocol.items.rights import License
from protocol.schema import COMPACT, OPAQUE, Empty, el, element
from protocol.versions import V14_1, V16_0

MAX_ADDRESSES: Final = 32768
"""Characters of To and From (MS-ASEMAIL_R477, R788)."""
MAX_BCC: Final = 1024
"""Characters of Bcc (schema of Email2)."""
MAX_CATEGORIES: Final = 300
"""MS-ASEMAIL_R324."""
MAX_WORD: Final = 255
"""Characters of a Category and the like: the documents name no limit, and the server keeps them beside each message."""
MAX_FLAG_TEXT: Final = 4096
"""Characters of the Subject of a Flag, for the same reason."""
CONTENT_CLASS: Final = "urn:content-classes:message"
"""The only ContentClass of a message (MS-ASEMAIL_R342)."""


class Importance(IntEnum):
    """[MS-ASEMAIL] 2.2.2.38."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class FlagStatus(IntEnum):
    """[MS-ASEMAIL] 2.2.2.74."""

    CLEARED = 0
    COMPLETE = 1
    ACTIVE = 2


class LastVerb(IntEnum):
    """[MS-ASEMAIL] 2.2.2.44, LastVerbExecuted."""

    UNKNOWN = 0
    REPLY_TO_SENDER = 1
    REPLY_TO_ALL = 2
    FORWARD = 3


class InstanceType(IntEnum):
    """[MS-ASEMAIL] 2.2.2.39."""

    SINGLE = 0
    MASTER = 1
    INSTANCE = 2
    EXCEPTION = 3
    ORPHAN = 4


class BusyStatus(IntEnum):
    """[MS-ASEMAIL] 2.2.2.14."""

    FREE = 0
    TENTATIVE = 1
    BUSY = 2
    OUT_OF_OFFICE = 3
    ELSEWHERE = 4


class MeetingMessageType(IntEnum):
    """[MS-ASEMAIL] 2.2.2.47."""

    SILENT_UPDATE = 0
    INITIAL_REQUEST = 1
    FULL_UPDATE = 2
    INFORMATIONAL_UPDATE = 3
    OUTDATED = 4
    DELEGATORS_COPY = 5
    DELEGATED = 6


@element("Email:Flag")
class Flag:
    """A follow-up flag, [MS-ASEMAIL] 2.2.2.34; without content: the message has none (MS-ASEMAIL_R437)."""

    subject: str | None = el("Tasks:Subject", default=None, max_length=MAX_FLAG_TEXT)
    status: FlagStatus | None = el("Email:Status", default=None)
    flag_type: str | None = el("Email:FlagType", default=None, max_length=MAX_WORD)
    date_completed: datetime | None = el("Tasks:DateCompleted", default=None)
    complete_time: datetime | None = el("Email:CompleteTime", default=None)
    start_date: datetime | None = el("Tasks:StartDate", default=None)
    due_date: datetime | None = el("Tasks:DueDate", default=None)
    utc_start_date: datetime | None = el("Tasks:UtcStartDate", default=None)
    utc_due_date: datetime | None = el("Tasks:UtcDueDate", default=None)
    reminder_set: bool | None = el("Tasks:ReminderSet", default=None)
    reminder_time: datetime | None = el("Tasks:ReminderTime", default=None)
    ordinal_date: datetime | None = el("Tasks:OrdinalDate", default=None)
    sub_ordinal_date: str | None = el("Tasks:SubOrdinalDate", default=None, max_length=MAX_WORD)


@element("Email:Recurrence")
class Recurrence:
    """How a meeting recurs, [MS-ASEMAIL] 2.2.2.60."""

    type: int = el("Email:Type", minimum=0, maximum=6)
    interval: int = el("Email:Interval")
    until: str | None = el("Email:Until", default=None)
    occurrences: int | None = el("Email:Occurrences", default=None)
    week_of_month: int | None = el("Email:WeekOfMonth", default=None)
    day_of_month: int | None = el("Email:DayOfMonth", default=None)
    day_of_week: int | None = el("Email:DayOfWeek", default=None)
    month_of_year: int | None = el("Email:MonthOfYear", default=None)
    calendar_type: int | None = el("Email2:CalendarType", default=None)
    is_leap_month: bool | None = el("Email2:IsLeapMonth", default=None)
    first_day_of_week: int | None = el("Email2:FirstDayOfWeek", default=None)


@element("Email:MeetingRequest")
class MeetingRequest:
    """A meeting request that came as a message, [MS-ASEMAIL] 2.2.2.48.

    GlobalObjId and Email's Location up to 14.1, UID and AirSyncBase's Location from 16.0 on (MS-ASEMAIL_R1253, R13001).
    EndTime goes to all versions: the statements that leave it out of 12.1 and 14.0 (MS-ASEMAIL_R1229, R1230) would
    leave these clients with meetings without an end, and the code pages have it.
    """

    all_day_event: bool | None = el("Email:AllDayEvent", default=None)
    start_time: datetime | None = el("Email:StartTime", default=None)
    dt_stamp: datetime = el("Email:DtStamp")
    end_time: datetime | None = el("Email:EndTime", default=None)
    instance_type: InstanceType | None = el("Email:InstanceType", default=None)
    location_text: str | None = el("Email:Location", default=None, until=V14_1, max_length=MAX_ADDRESSES)
    location: Location | None = el("AirSyncBase:Location", default=None)
    organizer: str | None = el("Email:Organizer", default=None)
    recurrence_id: datetime | None = el("Email:RecurrenceId", default=None)
    reminder: int | None = el("Email:Reminder", default=None, minimum=0)
    response_requested: bool | None = el("Email:ResponseRequested", default=None)
    recurrences: tuple[Recurrence, ...] | None = el("Email:Recurrences", item="Email:Recurrence", default=None)
    sensitivity: int | None = el("Email:Sensitivity", default=None)
    busy_status: BusyStatus | None = el("Email:BusyStatus", default=None)
    time_zone: str = el("Email:TimeZone")
    global_obj_id: str | None = el("Email:GlobalObjId", default=None, until=V14_1)
    disallow_new_time_proposal: bool | None = el("Email:DisallowNewTimeProposal", default=None)
    meeting_message_type: MeetingMessageType | None = el("Email2:MeetingMessageType", default=None)
    uid: str | None = el("Calendar:UID", default=None, since=V16_0)
    proposed_start_time: datetime | None = el("MeetingResponse:ProposedStartTime", default=None, form=COMPACT)
    proposed_end_time: datetime | None = el("MeetingResponse:ProposedEndTime", default=None, form=COMPACT)
    forwardees: Element | None = el("ComposeMail:Forwardees", default=None)


@element("AirSync:ApplicationData")
class Email:
    """A message, [MS-ASEMAIL] 2.2.2."""

    to: str | None = el("Email:To", default=None, max_length=MAX_ADDRESSES)
    cc: str | None = el("Email:Cc", default=None)
    sender: str | None = el("Email:From", default=None, max_length=MAX_ADDRESSES)
    subject: str | None = el("Email:Subject", default=None)
    reply_to: str | None = el("Email:ReplyTo", default=None)
    date_received: datetime | None = el("Email:DateReceived", default=None)
    display_to: str | None = el("Email:DisplayTo", default=None)
    thread_topic: str | None = el("Email:ThreadTopic", default=None)
    importance: Importance | None = el("Email:Importance", default=None)
    read: bool | None = el("Email:Read", default=None)
    attachments: Attachments | None = el(default=None)
    body: Body | None = el(default=None)
    message_class: str | None = el("Email:MessageClass", default=None)
    meeting_request: MeetingRequest | None = el(default=None)
    internet_cpid: str | None = el("Email:InternetCPID", default=None)
    flag: Flag | None = el(default=None)
    content_class: str | None = el("Email:ContentClass", default=None)
    native_body_type: int | None = el("AirSyncBase:NativeBodyType", default=None, minimum=1, maximum=3)
    um_caller_id: str | None = el("Email2:UmCallerID", default=None)
    um_user_notes: str | None = el("Email2:UmUserNotes", default=None)
    conversation_id: bytes | None = el("Email2:ConversationId", default=None, form=OPAQUE)
    conversation_index: bytes | None = el("Email2:ConversationIndex", default=None, form=OPAQUE)
    last_verb_executed: LastVerb | None = el("Email2:LastVerbExecuted", default=None)
    last_verb_execution_time: datetime | None = el("Email2:LastVerbExecutionTime", default=None)
    received_as_bcc: bool | None = el("Email2:ReceivedAsBcc", default=None)
    sending_agent: str | None = el("Email2:Sender", default=None)
    categories: tuple[str, ...] | None = el(
        "Email:Categories", item="Email:Category", default=None, max_length=MAX_WORD
    )
    body_part: BodyPart | None = el(default=None)
    account_id: str | None = el("Email2:AccountId", default=None)
    rights_management_license: License | None = el(default=None)
    bcc: str | None = el("Email2:Bcc", default=None, max_length=MAX_BCC)
    is_draft: bool | None = el("Email2:IsDraft", default=None)
    send: Empty | None = el("Email2:Send", default=None)
