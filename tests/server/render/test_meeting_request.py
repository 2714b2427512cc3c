"""The MeetingRequest of messages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eas_server.render.calendar import Owner
from eas_server.render.meetings.meeting_request import meeting_request
from eas_server.render.mime import index_message
from protocol.datatypes import TimeZone, uid_of_global_obj_id
from protocol.items.email import BusyStatus, Email, InstanceType, MeetingMessageType, MeetingRequest
from protocol.schema import dump
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.render.invitations import ALICE, APPLE, BOB, OUTLOOK, OUTLOOK_UID, answer, google, ics, mail, read

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAILY = ("RRULE:FREQ=DAILY;COUNT=5",)


def requested(octets: bytes, owner: Owner = BOB, version: ProtocolVersion = V16_1) -> MeetingRequest:
    found = meeting_request(
        read(octets if octets[:5] == b"From:" else mail(octets)), owner=owner, version=version, now=NOW
    )
    assert found is not None
    return found


def names(octets: bytes, version: ProtocolVersion) -> list[str]:
    element = dump(Email(meeting_request=requested(octets, version=version)), version)
    return [str(child.tag) for child in element.children[0].children]


@pytest.mark.requirement("MS-ASEMAIL_R546", "MS-ASEMAIL_R897", "MS-ASEMAIL_R908", "MS-ASEMAIL_R911")
def test_what_outlook_sends() -> None:
    found = requested(OUTLOOK)
    assert found.all_day_event is False
    assert (found.start_time, found.end_time) == (
        datetime(2026, 11, 30, 17, tzinfo=UTC),
        datetime(2026, 11, 30, 18, tzinfo=UTC),
    )
    assert found.dt_stamp == datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
    assert found.instance_type is InstanceType.MASTER
    assert found.organizer == '"Alice Example" <alice@example.com>'
    assert found.recurrence_id is None
    assert found.reminder == 15 * 60
    assert found.response_requested is True
    assert found.sensitivity == 0
    assert found.busy_status is BusyStatus.OUT_OF_OFFICE
    assert TimeZone.parse(found.time_zone).bias == 480
    assert found.disallow_new_time_proposal is True
    assert found.meeting_message_type is MeetingMessageType.INITIAL_REQUEST
    assert found.uid == OUTLOOK_UID
    assert found.recurrences is not None
    (recurrence,) = found.recurrences
    assert (recurrence.type, recurrence.interval, recurrence.day_of_week) == (1, 1, 2)
    assert recurrence.until == "20270301T170000Z"


@pytest.mark.requirement(
    "MS-ASEMAIL_R1252", "MS-ASEMAIL_R1253", "MS-ASEMAIL_R12540", "MS-ASEMAIL_R1299", "MS-ASEMAIL_R13000",
    "MS-ASEMAIL_R1300", "MS-ASEMAIL_R1301", "MS-ASEMAIL_R1302", "MS-ASEMAIL_R1207", "MS-ASEMAIL_R1208",
    "MS-ASEMAIL_R1310", "MS-ASEMAIL_R1311", "MS-ASEMAIL_R13110", "MS-ASEMAIL_R13111",
)  # fmt: skip
@pytest.mark.parametrize("version", SUPPORTED)
def test_what_each_version_has(version: ProtocolVersion) -> None:
    found = names(OUTLOOK, version)
    always = ["AllDayEvent", "StartTime", "DtStamp", "EndTime", "InstanceType"]
    place = ["AirSyncBase:Location" if version >= V16_0 else "Email:Location"]
    more = ["Organizer", "Reminder", "ResponseRequested", "Recurrences", "Sensitivity", "BusyStatus", "TimeZone"]
    tail = [] if version >= V16_0 else ["Email:GlobalObjId"]
    tail += ["Email:DisallowNewTimeProposal"] if version >= V14_0 else []
    tail += ["Email2:MeetingMessageType"] if version >= V14_1 else []
    tail += ["Calendar:UID"] if version >= V16_0 else []
    assert found == [*(f"Email:{name}" for name in always), *place, *(f"Email:{name}" for name in more), *tail]


@pytest.mark.requirement("MS-ASEMAIL_R478", "MS-ASEMAIL_R28", "MS-ASEMAIL_R29", "MS-ASEMAIL_R30")
@pytest.mark.parametrize("octets", [OUTLOOK, google(), APPLE, mail(ics())])
def test_the_global_id_leads_to_the_uid_of_the_calendar_item(octets: bytes) -> None:
    found = requested(octets, version=V14_1)
    assert found.global_obj_id is not None
    assert uid_of_global_obj_id(found.global_obj_id) == read(octets).uid


@pytest.mark.requirement("MS-ASEMAIL_R235", "MS-ASEMAIL_R236")
def test_a_whole_day() -> None:
    found = requested(APPLE)
    assert found.all_day_event is True
    assert (found.start_time, found.end_time) == (datetime(2026, 12, 5, tzinfo=UTC), datetime(2026, 12, 6, tzinfo=UTC))
    assert found.busy_status is BusyStatus.FREE


@pytest.mark.requirement("MS-ASEMAIL_R935", "MS-ASEMAIL_R936", "MS-ASEMAIL_R1350", "MS-ASEMAIL_R495")
def test_an_occurrence() -> None:
    octets = ics(
        start="DTSTART:20261202T150000Z", end="DTEND:20261202T160000Z", more=("RECURRENCE-ID:20261202T090000Z",)
    )
    found = requested(octets, version=V14_1)
    assert found.instance_type is InstanceType.EXCEPTION
    assert found.recurrence_id == datetime(2026, 12, 2, 9, tzinfo=UTC)
    assert found.start_time == datetime(2026, 12, 2, 15, tzinfo=UTC)
    assert found.global_obj_id is not None
    assert uid_of_global_obj_id(found.global_obj_id) == "meeting-1@example.com"
    assert requested(ics(more=DAILY)).recurrence_id is None


@pytest.mark.requirement("MS-ASEMAIL_R533", "MS-ASEMAIL_R534", "MS-ASEMAIL_R535", "MS-ASEMAIL_R536", "MS-ASEMAIL_R532")
@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (ics(), MeetingMessageType.INITIAL_REQUEST),
        (ics(sequence=None), MeetingMessageType.INITIAL_REQUEST),
        (ics(sequence=2), MeetingMessageType.FULL_UPDATE),
        (
            ics(sequence=2, attendees=("ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.com",)),
            MeetingMessageType.INFORMATIONAL_UPDATE,
        ),
        (ics("CANCEL"), MeetingMessageType.SILENT_UPDATE),
        (answer("ACCEPTED"), MeetingMessageType.SILENT_UPDATE),
    ],
)
def test_the_kind_of_message(octets: bytes, kind: MeetingMessageType) -> None:
    assert requested(octets).meeting_message_type is kind


@pytest.mark.requirement("MS-ASEMAIL_R715", "MS-ASEMAIL_R716")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ATTENDEE;RSVP=TRUE:mailto:bob@example.com", True),
        ("ATTENDEE;RSVP=FALSE:mailto:bob@example.com", False),
        ("ATTENDEE:mailto:bob@example.com", False),
        ("ATTENDEE;RSVP=TRUE:mailto:team@example.com", True),
    ],
)
def test_whether_an_answer_is_asked_for(line: str, expected: bool) -> None:
    assert requested(ics(attendees=(line,))).response_requested is expected


@pytest.mark.requirement("MS-ASEMAIL_R266", "MS-ASEMAIL_R267", "MS-ASEMAIL_R268", "MS-ASEMAIL_R269", "MS-ASEMAIL_R1145")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), BusyStatus.BUSY),
        (("TRANSP:TRANSPARENT",), BusyStatus.FREE),
        (("X-MICROSOFT-CDO-INTENDEDSTATUS:TENTATIVE",), BusyStatus.TENTATIVE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), BusyStatus.BUSY),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF",), BusyStatus.OUT_OF_OFFICE),
        (("X-MICROSOFT-CDO-INTENDEDSTATUS:WORKINGELSEWHERE",), BusyStatus.ELSEWHERE),
        (("X-MICROSOFT-CDO-INTENDEDSTATUS:nonsense",), BusyStatus.BUSY),
    ],
)
def test_how_busy_the_meeting_makes(lines: tuple[str, ...], expected: BusyStatus) -> None:
    assert requested(ics(more=lines)).busy_status is expected


@pytest.mark.requirement("MS-ASEMAIL_R1152", "MS-ASEMAIL_R1153", "MS-ASEMAIL_R1154")
@pytest.mark.parametrize("version", [V12_1, V14_0, V14_1])
def test_older_versions_do_not_work_elsewhere(version: ProtocolVersion) -> None:
    octets = ics(more=("X-MICROSOFT-CDO-INTENDEDSTATUS:WORKINGELSEWHERE",))
    assert requested(octets, version=version).busy_status is BusyStatus.FREE


@pytest.mark.requirement("MS-ASEMAIL_R543")
def test_the_organizer_is_not_asked() -> None:
    assert meeting_request(read(mail(ics())), owner=ALICE, version=V16_1, now=NOW) is None
    assert meeting_request(read(mail(answer("ACCEPTED"))), owner=ALICE, version=V16_1, now=NOW) is not None


@pytest.mark.requirement("MS-ASCMD_R6990101744", "MS-ASCMD_R6990101742", "MS-ASCMD_R6990101721", "MS-ASCMD_R6990101722")
@pytest.mark.parametrize("version", SUPPORTED)
def test_a_proposal(version: ProtocolVersion) -> None:
    original = ("X-MS-OLK-ORIGINALSTART:20261201T090000Z", "X-MS-OLK-ORIGINALEND:20261201T100000Z")
    times: dict[str, Any] = {"start": "DTSTART:20261201T140000Z", "end": "DTEND:20261201T150000Z"}
    octets = answer("TENTATIVE", method="COUNTER", more=original, **times)
    found = requested(octets, ALICE)
    assert (found.start_time, found.proposed_start_time) == (START, datetime(2026, 12, 1, 14, tzinfo=UTC))
    assert found.proposed_end_time == datetime(2026, 12, 1, 15, tzinfo=UTC)
    shown = {name for name in names(octets, version) if "Proposed" in name}
    assert len(shown) == (2 if version >= V16_1 else 0)
    bare = requested(answer("TENTATIVE", method="COUNTER", **times), ALICE)
    assert bare.start_time == bare.proposed_start_time


@pytest.mark.parametrize("version", SUPPORTED)
def test_what_is_missing_is_left_out(version: ProtocolVersion) -> None:
    octets = ics(organizer=None, attendees=(), stamp=None, end="", sequence=None)
    found = requested(octets, version=version)
    assert (found.organizer, found.dt_stamp, found.end_time) == (None, NOW, START)
    bare = requested(answer("ACCEPTED", start="", end=""), version=version)
    assert (bare.start_time, bare.end_time, bare.dt_stamp) == (None, None, datetime(2026, 11, 24, 10, tzinfo=UTC))
    assert bare.global_obj_id is not None
    dump(Email(meeting_request=bare), version)


def test_values_out_of_range() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P60D", "END:VALARM")
    found = requested(ics(uid="u" * 2000, more=alarm, sequence=10**9, summary="x" * 100_000))
    assert found.reminder == 65535
    assert found.uid == "u" * 300
    assert requested(ics(start="DTSTART:99991231T235959Z", end="")).start_time is None


@pytest.mark.requirement("MS-ASEMAIL_R609", "MS-ASEMAIL_R610", "MS-ASEMAIL_R611", "MS-ASEMAIL_R612")
@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (ics(), "IPM.SCHEDULE.MEETING.REQUEST"),
        (ics("CANCEL"), "IPM.SCHEDULE.MEETING.CANCELED"),
        (answer("ACCEPTED"), "IPM.SCHEDULE.MEETING.RESP.POS"),
        (answer("TENTATIVE"), "IPM.SCHEDULE.MEETING.RESP.TENT"),
        (answer("DECLINED"), "IPM.NOTE"),
        (ics("PUBLISH"), "IPM.NOTE"),
    ],
)
@pytest.mark.parametrize(("action", "suffix"), [("failed", "NDR"), ("delivered", "DR")])
def test_reports_on_meeting_messages(returned: bytes, expected: str, action: str, suffix: str) -> None:
    report = (
        b"From: postmaster@example.com\r\nSubject: x\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n"
        b"--r\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n"
        b"--r\r\nContent-Type: message/delivery-status\r\n\r\nAction: " + action.encode() + b"\r\n"
        b"--r\r\nContent-Type: message/rfc822\r\n\r\n" + mail(returned, None) + b"\r\n--r--\r\n"
    )
    shown = expected if suffix == "NDR" else "IPM.NOTE"
    assert index_message(report)[0].message_class == f"REPORT.{shown}.{suffix}"


BY_TYPE = {
    0: ("FREQ=DAILY;INTERVAL=2", set[str]()),
    1: ("FREQ=WEEKLY;BYDAY=TU", {"DayOfWeek", "FirstDayOfWeek"}),
    2: ("FREQ=MONTHLY;BYMONTHDAY=1", {"DayOfMonth", "CalendarType"}),
    3: ("FREQ=MONTHLY;BYDAY=1TU", {"DayOfWeek", "WeekOfMonth", "CalendarType"}),
    5: ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1", {"DayOfMonth", "MonthOfYear", "CalendarType"}),
    6: ("FREQ=YEARLY;BYMONTH=12;BYDAY=1TU", {"DayOfWeek", "WeekOfMonth", "MonthOfYear", "CalendarType"}),
}
"""By Type: a rule, and what its Recurrence has besides what all have."""
LATE = {"CalendarType": V14_0, "IsLeapMonth": V14_0, "FirstDayOfWeek": V14_1}


@pytest.mark.requirement("MS-ASEMAIL_R291", "MS-ASEMAIL_R508", "MS-ASEMAIL_R369", "MS-ASEMAIL_R370", "MS-ASEMAIL_R375")
@pytest.mark.requirement("MS-ASEMAIL_R376", "MS-ASEMAIL_R873", "MS-ASEMAIL_R880", "MS-ASEMAIL_R912", "MS-ASEMAIL_R684")
@pytest.mark.requirement("MS-ASEMAIL_R652", "MS-ASEMAIL_R420", "MS-ASEMAIL_R499", "MS-ASEMAIL_R789", "MS-ASEMAIL_R792")
@pytest.mark.requirement("MS-ASEMAIL_R681", "MS-ASEMAIL_R682", "MS-ASEMAIL_R653", "MS-ASEMAIL_R377", "MS-ASEMAIL_R424")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
@pytest.mark.parametrize("type_", BY_TYPE)
def test_what_a_recurrence_of_each_type_says(type_: int, version: ProtocolVersion) -> None:
    rule, own = BY_TYPE[type_]
    for end, more in (("", set()), (";COUNT=3", {"Occurrences"}), (";UNTIL=20270301T170000Z", {"Until"})):
        found = requested(ics(more=(f"RRULE:{rule}{end}",)), version=version)
        element = dump(Email(meeting_request=found), version).children[0]
        (recurrences,) = [child for child in element.children if child.tag.name == "Recurrences"]
        (recurrence,) = recurrences.children
        told = {child.tag.name: child.content for child in recurrence.children}
        assert len(told) == len(recurrence.children)
        wanted = {"Type", "Interval", "IsLeapMonth"} | own | more
        assert set(told) == {name for name in wanted if version >= LATE.get(name, V12_1)}
        assert (told["Type"], told["Interval"]) == (str(type_), "2" if type_ == 0 else "1")
        assert told.get("IsLeapMonth", "0") == told.get("CalendarType", "0") == "0"
        assert told.get("DayOfWeek", "4") == "4"
        assert told.get("FirstDayOfWeek", "1") in "0123456"
