"""The elements of calendar items against the schemas and the version statements of the documents."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocol.codepages import tag
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Attachment, Attachments, Body, BodyType, Location, Method
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Calendar,
    ExceptionItem,
    MeetingStatus,
    Recurrence,
    RecurrenceType,
    ResponseType,
    Sensitivity,
)
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.protocol.test_items_email import sync_response
from tests.schemas import assert_valid

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "spec" / "requirements"
MOMENT = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)

ATTENDEE = Attendee(
    email="bob@example.com",
    name="Bob",
    status=AttendeeStatus.TENTATIVE,
    type=AttendeeType.OPTIONAL,
    proposed_start_time=MOMENT,
    proposed_end_time=MOMENT,
)
ATTACHMENTS = Attachments(
    changes=(Attachment(display_name="a", file_reference="1", method=Method.NORMAL, estimated_data_size=1),)
)
BODY = Body(type=BodyType.PLAIN, estimated_data_size=1, truncated=False, data="x")
EXCEPTION = ExceptionItem(
    deleted=False,
    exception_start_time=MOMENT,
    subject="Other",
    start_time=MOMENT,
    end_time=MOMENT,
    body=BODY,
    location_text="Room 2",
    location=Location(display_name="Room 2"),
    attachments=ATTACHMENTS,
    categories=(),
    sensitivity=Sensitivity.PRIVATE,
    busy_status=BusyStatus.FREE,
    all_day_event=False,
    reminder=EMPTY,
    dt_stamp=MOMENT,
    instance_id=MOMENT,
    meeting_status=MeetingStatus.ORGANIZER,
    attendees=(ATTENDEE,),
    appointment_reply_time=MOMENT,
    response_type=ResponseType.ORGANIZER,
    online_meeting_conf_link="",
    online_meeting_external_link="https://example.com/meet",
)
RECURRENCE = Recurrence(
    type=RecurrenceType.YEARLY_NTH,
    occurrences=5,
    interval=1,
    week_of_month=5,
    day_of_week=2,
    month_of_year=12,
    until=MOMENT,
    day_of_month=1,
    calendar_type=0,
    is_leap_month=False,
    first_day_of_week=1,
)
FULL = Calendar(
    time_zone="AAAA",
    all_day_event=False,
    body=BODY,
    busy_status=BusyStatus.BUSY,
    organizer_name="Alice",
    organizer_email="alice@example.com",
    dt_stamp=MOMENT,
    end_time=MOMENT,
    location_text="Room 1",
    location=Location(display_name="Room 1", latitude="52.5"),
    reminder=15,
    sensitivity=Sensitivity.NORMAL,
    subject="Meeting",
    start_time=MOMENT,
    uid="1",
    meeting_status=MeetingStatus.RECEIVED,
    attendees=(ATTENDEE,),
    categories=("red", "blue"),
    recurrence=RECURRENCE,
    exceptions=(EXCEPTION, ExceptionItem(deleted=True, exception_start_time=MOMENT, instance_id=MOMENT)),
    response_requested=True,
    appointment_reply_time=MOMENT,
    response_type=ResponseType.ACCEPTED,
    disallow_new_time_proposal=False,
    native_body_type=1,
    online_meeting_conf_link="sip:alice@example.com;gruu;opaque=app:conf",
    online_meeting_external_link="https://example.com/meet",
    attachments=ATTACHMENTS,
    instance_id=MOMENT,
)


def names(root: Element) -> set[str]:
    return {str(child.tag) for child in root.children}


def below(root: Element, *path: str) -> Element:
    for name in path:
        root = next(child for child in root.children if child.tag.name == name)
    return root


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_an_event_with_everything_is_valid(version: ProtocolVersion) -> None:
    assert_valid(sync_response(dump(FULL, version)), "Sync")


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
def test_empty_values_are_valid(version: ProtocolVersion) -> None:
    empty = Calendar(subject="", location_text="", location=Location(), reminder=EMPTY, categories=(), exceptions=())
    assert_valid(sync_response(dump(replace(empty, attendees=(), recurrence=None), version)), "Sync")


def test_what_was_written_is_read() -> None:
    new = dump(replace(FULL, client_uid="c"), V16_1)
    exceptions = tuple(
        replace(e, location_text=None, exception_start_time=None) for e in FULL.exceptions or () if e is not None
    )
    assert load(Calendar, new) == replace(FULL, client_uid="c", location_text=None, exceptions=exceptions)
    old = load(Calendar, dump(FULL, V14_1))
    assert old.exceptions is not None
    assert (old.location_text, old.location, old.attachments) == ("Room 1", None, None)
    assert old.exceptions[0].exception_start_time == MOMENT
    assert old.exceptions[0].instance_id is None


def test_absent_and_empty_differ() -> None:
    assert load(Calendar, Element(tag("AirSync:ApplicationData"))) == Calendar()
    empty = ("Body", "BusyStatus", "Reminder", "Subject", "Attendees", "Categories", "Recurrence", "Exceptions")
    root = Element(
        tag("AirSync:ApplicationData"),
        [Element(tag(f"{'AirSyncBase' if name == 'Body' else 'Calendar'}:{name}")) for name in empty],
    )
    assert load(Calendar, root) == Calendar(
        body=EMPTY,
        busy_status=EMPTY,
        reminder=EMPTY,
        subject="",
        attendees=(),
        categories=(),
        recurrence=Recurrence(),
        exceptions=(),
    )


@pytest.mark.requirement("MS-ASCAL_R224", "MS-ASCAL_R240", "MS-ASCAL_R268", "MS-ASCAL_R438", "MS-ASCAL_R470")
@pytest.mark.requirement("MS-ASAIRS_R1180", "MS-ASCAL_R91")
def test_all_dates_are_compact() -> None:
    for version in (V14_1, V16_1):
        root = dump(FULL, version)
        dates = [e.text for e in _leaves(root) if e.text.startswith("2026")]
        assert len(dates) > 10
        assert set(dates) == {"20261203T131800Z"}


def _leaves(root: Element) -> list[Element]:
    if not root.children:
        return [root]
    return [leaf for child in root.children for leaf in _leaves(child)]


@pytest.mark.requirement("MS-ASCAL_R138", "MS-ASCAL_R118", "MS-ASCAL_R123", "MS-ASCAL_R309", "MS-ASCAL_R428")
@pytest.mark.requirement("MS-ASCAL_R453", "MS-ASCAL_R201", "MS-ASCAL_R193", "MS-ASCAL_R326", "MS-ASCAL_R476")
@pytest.mark.requirement("MS-ASCAL_R28311", "MS-ASCAL_R345", "MS-ASCAL_R53914", "MS-ASCAL_R463", "MS-ASCAL_R2060")
@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ((), "BusyStatus", "5"),
        ((), "BusyStatus", "-1"),
        ((), "MeetingStatus", "2"),
        ((), "Sensitivity", "4"),
        ((), "UID", "x" * 301),
        ((), "ClientUid", "x" * 301),
        (("Recurrence",), "Type", "4"),
        (("Recurrence",), "DayOfWeek", "128"),
        (("Recurrence",), "DayOfMonth", "32"),
        (("Recurrence",), "MonthOfYear", "13"),
        (("Recurrence",), "WeekOfMonth", "6"),
        (("Recurrence",), "Interval", "1000"),
        (("Recurrence",), "Occurrences", "1000"),
        (("Recurrence",), "FirstDayOfWeek", "7"),
        (("Attendees", "Attendee"), "AttendeeStatus", "1"),
        (("Attendees", "Attendee"), "AttendeeType", "0"),
    ],
)
def test_values_outside_of_the_tables_are_malformed(path: tuple[str, ...], name: str, value: str) -> None:
    root = Element(tag(f"Calendar:{name}"), value)
    if path[-1:] == ("Attendee",):
        root = Element(tag("Calendar:Attendee"), [Element(tag("Calendar:Email"), "a@example.com"), root])
    for above in reversed(path[:1]):
        root = Element(tag(f"Calendar:{above}"), [root])
    with pytest.raises(MalformedXml, match=name):
        load(Calendar, Element(tag("AirSync:ApplicationData"), [root]))


@pytest.mark.requirement("MS-ASCAL_R100", "MS-ASCAL_R53912")
def test_what_is_missing_or_repeated_is_malformed() -> None:
    attendee = Element(tag("Calendar:Attendee"), [Element(tag("Calendar:Name"), "Bob")])
    kinds = [Element(tag("Calendar:CalendarType"), "1")] * 2
    for bad in (Element(tag("Calendar:Attendees"), [attendee]), Element(tag("Calendar:Recurrence"), kinds)):
        with pytest.raises(MalformedXml):
            load(Calendar, Element(tag("AirSync:ApplicationData"), [bad]))


@pytest.mark.requirement("MS-ASCAL_R2023", "MS-ASCAL_R2104", "MS-ASCAL_R2105", "MS-ASCAL_R2106", "MS-ASCAL_R2107")
def test_what_an_exception_has_in_each_version() -> None:
    def held(version: ProtocolVersion) -> set[str]:
        return names(below(dump(FULL, version), "Exceptions", "Exception"))

    answer = {"Calendar:Attendees", "Calendar:AppointmentReplyTime", "Calendar:ResponseType"}
    links = {"Calendar:OnlineMeetingConfLink", "Calendar:OnlineMeetingExternalLink"}
    new = {"AirSyncBase:InstanceId", "AirSyncBase:Location", "AirSyncBase:Attachments"}
    old = {"Calendar:ExceptionStartTime", "Calendar:Location"}
    asked = answer | links | new | old
    assert held(V12_1) & asked == old
    assert held(V14_0) & asked == old | answer
    assert held(V14_1) & asked == old | answer | links
    assert held(V16_0) & asked == held(V16_1) & asked == new | answer | links


def test_versions_are_as_the_documents_have_them() -> None:
    """Every statement `Protocol version X supports/does not support this [Y] element` of the class."""
    sheet = DOCUMENTS / "MS-ASCAL.tsv"
    if not sheet.exists():
        pytest.skip("the protocol documents are not here")
    pattern = re.compile(
        r"\[In (\w+)\] Protocol version (1[24567]\.\d) (supports|does not support) this \[+\w+\] element\."
    )
    seen = 0
    for line in sheet.read_text("utf-8").splitlines():
        found = pattern.search(line)
        if found is None or found[1] in ("Category", "ClientUid"):
            continue
        seen += 1
        root = dump(FULL, ProtocolVersion.parse(found[2]))
        held = {e.tag.name for e in _all(root) if e.tag.namespace == "Calendar"}
        held |= {"NativeBodyType"} & {e.tag.name for e in _all(root)}
        assert (found[1] in held) is (found[3] == "supports"), line
    assert seen > 150


def _all(root: Element) -> list[Element]:
    return [root, *(e for child in root.children for e in _all(child))]
