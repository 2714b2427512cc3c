"""Events without their exceptions: what devices and DAV clients say of them, and what becomes of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from eas_server.render.calendar import Owner, client_uid
from eas_server.render.pim import InvalidItem
from protocol.codepages import tag
from protocol.items.airsyncbase import (
    AddAttachment,
    Attachments,
    Body,
    BodyPreference,
    BodyType,
    DeleteAttachment,
    Location,
    Method,
)
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    BusyStatus,
    Calendar,
    MeetingStatus,
    ResponseType,
    Sensitivity,
)
from protocol.schema import EMPTY
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1
from tests.server.render.calendars import BERLIN, END, NOW, OWNER, START, at, event, ics, line, master, shown, stored

BOB = Attendee(email="bob@example.com", name="Bob", status=AttendeeStatus.ACCEPTED, type=AttendeeType.OPTIONAL)
HALF_PAST = at("20261120T1030")
"""NOW, rounded."""


# ---- times


@pytest.mark.requirement("MS-ASCAL_R52511", "MS-ASCAL_R52514")
def test_an_event_without_times_is_now() -> None:
    held = shown(stored(event(start_time=None, end_time=None)))
    assert (held.start_time, held.end_time) == (HALF_PAST, HALF_PAST + timedelta(minutes=30))


@pytest.mark.requirement("MS-ASCAL_R52516")
def test_an_event_with_an_end_to_come_begins_now() -> None:
    held = shown(stored(event(start_time=None, end_time=at("20261120T1200"))))
    assert (held.start_time, held.end_time) == (HALF_PAST, at("20261120T1200"))


@pytest.mark.requirement("MS-ASCAL_R52517")
def test_an_event_that_has_begun_ends_soon() -> None:
    held = shown(stored(event(start_time=at("20261120T0800"), end_time=None)))
    assert (held.start_time, held.end_time) == (at("20261120T0800"), HALF_PAST + timedelta(minutes=30))


@pytest.mark.requirement("MS-ASCAL_R52515", "MS-ASCAL_R5251611", "MS-ASCAL_R52518")
@pytest.mark.parametrize(
    ("start", "end"),
    [(None, at("20261120T0900")), (None, at("20261120T1010")), (at("20261120T1100"), None), (END, START)],
)
def test_times_that_make_no_event(start: datetime | None, end: datetime | None) -> None:
    with pytest.raises(InvalidItem):
        stored(event(start_time=start, end_time=end))


@pytest.mark.parametrize("year", [1500, 4600, 9999])
def test_years_that_nobody_knows(year: int) -> None:
    with pytest.raises(InvalidItem):
        stored(event(start_time=START.replace(year=year), end_time=END.replace(year=year)))


@pytest.mark.requirement("MS-ASCAL_R53915")
def test_an_end_without_beginning_is_no_change_up_to_14_1() -> None:
    held = stored(event())
    with pytest.raises(InvalidItem):
        stored(event(start_time=None), held=held)
    later = shown(stored(Calendar(end_time=at("20261203T1500")), V16_0, held), V16_0)
    assert (later.start_time, later.end_time) == (START, at("20261203T1500"))


def test_clock_times_are_those_of_the_zone() -> None:
    octets = stored(event())
    start = master(octets).first("DTSTART")
    assert start is not None
    assert (start.value, start.param("TZID")) == ("20261203T140000", "Europe/Berlin")
    assert b"BEGIN:VTIMEZONE" in octets


def test_the_second_of_two_equal_hours_comes_back() -> None:
    twice = at("20261025T0130")
    held = shown(stored(event(start_time=twice, end_time=twice)))
    assert held.start_time == held.end_time == twice


@pytest.mark.requirement("MS-ASCAL_R235")
def test_there_is_always_an_end() -> None:
    for lines, end in (
        (("DTSTART:20261203T130000Z",), START),
        (("DTSTART:20261203T130000Z", "DURATION:PT1H"), END),
        (("DTSTART:20261203T130000Z", "DTEND:20261203T120000Z"), START),
        (("DTSTART;VALUE=DATE:20261203",), at("20261203T2300")),
        (("DTSTART;VALUE=DATE:20261203", "DURATION:P2D"), at("20261204T2300")),
    ):
        assert shown(ics(*lines)).end_time == end


@pytest.mark.parametrize("sent", ["", "????", "AAAA", "x" * 230])
def test_odd_time_zones_survive(sent: str) -> None:
    held = shown(stored(event(time_zone=sent or None)))
    assert (held.start_time, held.end_time) == (START, END)
    assert held.time_zone == (sent or BERLIN)
    with pytest.raises(InvalidItem):
        stored(event(time_zone="A" * 5000))


def test_a_zone_stays_while_nobody_says_otherwise() -> None:
    octets = stored(event())
    assert line(stored(event(time_zone=None, subject="x"), held=octets), "DTSTART") == "20261203T140000"
    moved = stored(event(time_zone="AAAA"), held=octets)
    assert line(moved, "DTSTART") == "20261203T130000Z"


# ---- whole days


@pytest.mark.requirement("MS-ASCAL_R2005", "MS-ASCAL_R2006", "MS-ASCAL_R2007", "MS-ASCAL_R86")
def test_whole_days_have_no_zone_in_the_new_model() -> None:
    day = Calendar(all_day_event=True, start_time=at("20261203T0000"), end_time=at("20261204T0000"))
    octets = stored(day, V16_1)
    assert (line(octets, "DTSTART"), line(octets, "DTEND")) == ("20261203", "20261204")
    new = shown(octets, V16_1)
    assert (new.time_zone, new.start_time, new.end_time) == (None, day.start_time, day.end_time)
    old = shown(octets, V14_1)
    assert (old.time_zone, old.start_time, old.end_time) == (BERLIN, at("20261202T2300"), at("20261203T2300"))
    elsewhere = shown(octets, V14_1, owner=Owner(time_zone="America/New_York"))
    assert elsewhere.start_time == at("20261203T0500")


def test_a_whole_day_of_a_device_with_a_zone() -> None:
    octets = stored(event(all_day_event=True, start_time=at("20261202T2300"), end_time=at("20261203T2300")))
    assert (line(octets, "DTSTART"), line(octets, "DTEND")) == ("20261203", "20261204")
    assert shown(octets, owner=Owner(time_zone="Asia/Tokyo")).start_time == at("20261202T2300")
    assert shown(octets, V16_0).start_time == at("20261203T0000")


def test_a_whole_day_in_utc_with_another_zone() -> None:
    octets = stored(event(all_day_event=True, start_time=at("20261203T0000"), end_time=at("20261204T0000")))
    assert (line(octets, "DTSTART"), line(octets, "DTEND")) == ("20261203", "20261204")
    held = shown(octets)
    assert (held.start_time, held.end_time) == (at("20261203T0000"), at("20261204T0000"))


@pytest.mark.parametrize("minutes", [0, 17])
def test_a_whole_day_that_is_none(minutes: int) -> None:
    end = START + timedelta(minutes=minutes)
    octets = stored(event(all_day_event=True, end_time=end))
    assert line(octets, "DTEND") > (line(octets, "DTSTART") or "")  # type: ignore[operator]
    held = shown(octets)
    assert (held.start_time, held.end_time) == (START, end)
    new = shown(octets, V16_0)
    assert new.start_time is not None
    assert new.end_time == new.start_time + timedelta(days=1)


def test_hours_become_a_day() -> None:
    octets = stored(Calendar(all_day_event=True), V16_0, stored(event()))
    assert shown(octets, V16_0).all_day_event is True
    assert (line(octets, "DTSTART"), line(octets, "DTEND")) == ("20261204", "20261205")  # noon is past: the next day
    back = stored(Calendar(all_day_event=False), V16_0, octets)
    assert line(back, "DTSTART") == "20261203T140000"


# ---- absent and empty

FULL = event(
    body=Body(type=BodyType.PLAIN, data="text"),
    location_text="Room 1",
    reminder=15,
    categories=("red",),
    sensitivity=Sensitivity.PRIVATE,
    busy_status=BusyStatus.OUT_OF_OFFICE,
    attendees=(BOB,),
    organizer_name="Alice",
    organizer_email="alice@example.com",
    meeting_status=MeetingStatus.ORGANIZER,
    response_requested=True,
    disallow_new_time_proposal=True,
)


@pytest.mark.requirement("MS-ASCMD_R879", "MS-ASCMD_R878", "MS-ASCMD_R6237", "MS-ASCMD_R5912", "MS-ASCMD_R5906")
def test_up_to_14_1_what_is_absent_is_deleted_but_the_body() -> None:
    held = shown(stored(event(), held=stored(FULL)))
    assert held.body is not None
    assert held.body.data == "text"  # type: ignore[union-attr]
    assert (held.location_text, held.reminder, held.categories, held.attendees) == (None, None, None, None)
    assert (held.sensitivity, held.busy_status) == (Sensitivity.NORMAL, BusyStatus.BUSY)
    assert (held.organizer_email, held.meeting_status) == (None, MeetingStatus.APPOINTMENT)
    assert held.disallow_new_time_proposal is False


@pytest.mark.requirement("MS-ASCMD_R6236", "MS-ASCAL_R2231", "MS-ASCMD_R7309")
@pytest.mark.parametrize("version", [V16_0, V16_1])
def test_from_16_0_on_what_is_absent_stays(version: object) -> None:
    octets = stored(FULL)
    before, after = shown(octets, V16_1), shown(stored(Calendar(subject="x"), V16_1, octets), V16_1)
    assert after == replace(before, subject="x", dt_stamp=after.dt_stamp)


@pytest.mark.requirement("MS-ASCMD_R5908", "MS-ASCMD_R5909", "MS-ASCMD_R5911", "MS-ASCAL_R548", "MS-ASCAL_R111")
@pytest.mark.requirement("MS-ASCAL_R319", "MS-ASCAL_R365", "MS-ASCAL_R370", "MS-ASCAL_R399", "MS-ASCAL_R217")
def test_what_is_ghosted_stays() -> None:
    octets = stored(FULL)
    none = shown(stored(event(), held=octets, supported=frozenset()))
    assert none.attendees == (BOB,)
    assert (none.organizer_name, none.organizer_email) == ("Alice", "alice@example.com")
    assert none.meeting_status is MeetingStatus.ORGANIZER
    assert (none.response_requested, none.disallow_new_time_proposal) == (True, True)
    some = shown(stored(event(), held=octets, supported=frozenset({tag("Calendar:Attendees")})))
    assert (some.attendees, some.organizer_email) == (None, "alice@example.com")


@pytest.mark.requirement("MS-ASCAL_R301")
def test_a_location_cannot_be_ghosted() -> None:
    assert shown(stored(event(), held=stored(FULL), supported=frozenset())).location_text is None


def test_what_a_version_does_not_have_it_does_not_delete() -> None:
    held = shown(stored(event(), V12_1, stored(FULL)))
    assert (held.response_requested, held.disallow_new_time_proposal) == (True, True)


def test_empty_elements_take_away() -> None:
    empty = Calendar(
        subject="",
        location=Location(),
        reminder=EMPTY,
        categories=(),
        attendees=(),
        body=EMPTY,
        sensitivity=EMPTY,
        busy_status=EMPTY,
    )
    held = shown(stored(empty, V16_0, stored(FULL)), V16_0)
    assert (held.subject, held.location, held.reminder, held.categories, held.attendees) == (None,) * 5
    assert held.body is not None
    assert held.body.data == ""  # type: ignore[union-attr]
    assert (held.sensitivity, held.busy_status) == (Sensitivity.NORMAL, BusyStatus.BUSY)


# ---- identity, stamps, people


@pytest.mark.requirement("MS-ASCAL_R2221", "MS-ASCAL_R2223", "MS-ASCAL_R2088")
def test_the_server_names_and_stamps_events_of_the_new_model() -> None:
    octets = stored(event(client_uid="c1", dt_stamp=START), V16_0)
    held = shown(octets, V16_0)
    assert (held.uid, held.dt_stamp) == ("made", NOW.replace(microsecond=0))
    assert held.client_uid is None
    assert client_uid(octets) == "c1"
    assert client_uid(stored(event())) is None


@pytest.mark.requirement("MS-ASCAL_R2219", "MS-ASCAL_R46311")
def test_the_client_names_its_events_up_to_14_1() -> None:
    assert shown(stored(event(uid="weird\0"))).uid == "weird"
    assert shown(stored(event(uid=None))).uid == "made"
    assert shown(stored(event(uid="other"), held=stored(event()))).uid == "u1"


@pytest.mark.requirement("MS-ASCAL_R2169", "MS-ASCAL_R2169001", "MS-ASCAL_R2175", "MS-ASCAL_R2175001")
def test_the_user_organizes_what_the_user_creates() -> None:
    sent = event(attendees=(BOB,), organizer_email="mallory@example.com", organizer_name="Mallory")
    held = shown(stored(sent, V16_0), V16_0)
    assert (held.organizer_name, held.organizer_email) == ("Alice", "alice@example.com")
    assert held.meeting_status is MeetingStatus.ORGANIZER


@pytest.mark.requirement("MS-ASCAL_R2028")
def test_answers_outlive_edits_of_the_attendees() -> None:
    octets = stored(event(attendees=(BOB,)))
    carol = Attendee(email="carol@example.com", name="Carol")
    unsaid = Attendee(email="BOB@example.com", name="Robert", status=AttendeeStatus.DECLINED)
    held = shown(stored(Calendar(attendees=(carol, unsaid)), V16_0, octets), V16_0)
    assert held.attendees is not None
    assert [(a.name, a.status, a.type) for a in held.attendees] == [
        ("Carol", AttendeeStatus.UNKNOWN, AttendeeType.REQUIRED),
        ("Robert", AttendeeStatus.ACCEPTED, AttendeeType.OPTIONAL),
    ]


def test_attendees_of_a_dav_client() -> None:
    octets = ics(
        "DTSTART:20261203T130000Z",
        "ORGANIZER;CN=Carol:MAILTO:carol@example.com",
        'ATTENDEE;CN="A, B";ROLE=OPT-PARTICIPANT;PARTSTAT=TENTATIVE;RSVP=TRUE;X-KEY=1:mailto:bob@example.com',
        "ATTENDEE;CUTYPE=ROOM:mailto:room@example.com",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@example.com",
    )
    held = shown(octets)
    assert held.attendees == (
        Attendee(email="bob@example.com", name="A, B", status=AttendeeStatus.TENTATIVE, type=AttendeeType.OPTIONAL),
        Attendee(email="room@example.com", status=AttendeeStatus.UNKNOWN, type=AttendeeType.RESOURCE),
        Attendee(email="alice@example.com", status=AttendeeStatus.NOT_RESPONDED, type=AttendeeType.REQUIRED),
    )
    assert (held.organizer_name, held.organizer_email) == ("Carol", "carol@example.com")
    assert (held.meeting_status, held.response_type) == (MeetingStatus.RECEIVED, ResponseType.NOT_RESPONDED)
    assert held.response_requested is True
    edited = stored(Calendar(attendees=held.attendees[:2]), V16_0, octets)
    assert b"X-KEY=1" in edited
    assert b"alice@example.com" not in edited


@pytest.mark.requirement("MS-ASCAL_R310", "MS-ASCAL_R311", "MS-ASCAL_R312", "MS-ASCAL_R313", "MS-ASCAL_R314")
@pytest.mark.requirement("MS-ASCAL_R408", "MS-ASCAL_R410", "MS-ASCAL_R412", "MS-ASCAL_R414", "MS-ASCAL_R416")
@pytest.mark.parametrize(
    ("lines", "status", "response"),
    [
        ((), 0, 0),
        (("ATTENDEE:mailto:bob@example.com", "ORGANIZER:mailto:alice@example.com"), 1, 1),
        (("ATTENDEE:mailto:bob@example.com", "ORGANIZER:mailto:al@example.com"), 1, 1),
        (("ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com", "ORGANIZER:mailto:bob@example.com"), 3, 3),
        (("ATTENDEE;PARTSTAT=TENTATIVE:mailto:alice@example.com", "ORGANIZER:mailto:bob@example.com"), 3, 2),
        (("ATTENDEE;PARTSTAT=DECLINED:mailto:al@example.com", "ORGANIZER:mailto:bob@example.com"), 3, 4),
        (("ATTENDEE:mailto:x@example.com", "ORGANIZER:mailto:bob@example.com", "STATUS:CANCELLED"), 7, 5),
        (("ATTENDEE:mailto:bob@example.com", "ORGANIZER:mailto:alice@example.com", "STATUS:CANCELLED"), 5, 1),
    ],
)
def test_the_status_of_a_meeting_follows(lines: tuple[str, ...], status: int, response: int) -> None:
    owner = replace(OWNER, aliases=frozenset({"al@example.com"}))
    held = shown(ics("DTSTART:20261203T130000Z", *lines), owner=owner)
    assert (held.meeting_status, held.response_type) == (status, response)


def test_a_cancelled_meeting_is_kept_as_such() -> None:
    octets = stored(event(attendees=(BOB,), meeting_status=MeetingStatus.CANCELLED))
    assert line(octets, "STATUS") == "CANCELLED"
    again = stored(event(attendees=(BOB,), meeting_status=MeetingStatus.ORGANIZER_TOO), held=octets)
    assert line(again, "STATUS") is None
    assert shown(again).meeting_status is MeetingStatus.ORGANIZER_TOO


@pytest.mark.requirement("MS-ASCAL_R92", "MS-ASCAL_R404", "MS-ASCAL_R349", "MS-ASCAL_R356")
def test_what_only_servers_say_is_not_taken_from_clients() -> None:
    sent = event(
        appointment_reply_time=START,
        response_type=ResponseType.DECLINED,
        online_meeting_conf_link="sip:x",
        online_meeting_external_link="https://example.com",
    )
    held = shown(stored(sent))
    assert (held.appointment_reply_time, held.response_type) == (None, ResponseType.NONE)
    assert (held.online_meeting_conf_link, held.online_meeting_external_link) == (None, None)


@pytest.mark.requirement("MS-ASCAL_R359", "MS-ASCAL_R11027")
def test_online_meetings_of_others() -> None:
    octets = ics("DTSTART:20261203T130000Z", "CONFERENCE:tel:+49", "CONFERENCE;VALUE=URI:https://example.com/meet")
    assert shown(octets).online_meeting_external_link == "https://example.com/meet"


# ---- the rest


@pytest.mark.requirement("MS-ASCAL_R215", "MS-ASCAL_R214")
def test_whether_times_can_be_proposed_is_always_said() -> None:
    assert shown(stored(event())).disallow_new_time_proposal is False
    assert line(stored(FULL), "X-MICROSOFT-DISALLOW-COUNTER") == "TRUE"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("TRANSP:TRANSPARENT",), BusyStatus.FREE),
        (("TRANSP:OPAQUE",), BusyStatus.BUSY),
        (("STATUS:TENTATIVE",), BusyStatus.TENTATIVE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF",), BusyStatus.OUT_OF_OFFICE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE", "TRANSP:OPAQUE"), BusyStatus.BUSY),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:TRANSPARENT"), BusyStatus.FREE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",), BusyStatus.FREE),
    ],
)
def test_busy(lines: tuple[str, ...], status: BusyStatus) -> None:
    assert shown(ics("DTSTART:20261203T130000Z", *lines)).busy_status is status


def test_whoever_works_elsewhere_does_so_after_an_edit() -> None:
    octets = ics("DTSTART:20261203T130000Z", "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE")
    held = shown(octets)
    edited = stored(replace(held, subject="x"), held=octets)
    assert line(edited, "X-MICROSOFT-CDO-BUSYSTATUS") == "WORKINGELSEWHERE"
    edited = stored(replace(held, busy_status=BusyStatus.BUSY), held=octets)
    assert line(edited, "X-MICROSOFT-CDO-BUSYSTATUS") == "BUSY"


@pytest.mark.parametrize("kind", list(Sensitivity))
def test_sensitivity(kind: Sensitivity) -> None:
    octets = stored(event(sensitivity=kind))
    assert line(octets, "CLASS") == ["PUBLIC", "PRIVATE", "PRIVATE", "CONFIDENTIAL"][kind]
    assert shown(octets).sensitivity is kind


@pytest.mark.parametrize(
    ("trigger", "minutes"),
    [
        ("TRIGGER:-PT15M", 15),
        ("TRIGGER:PT0S", 0),
        ("TRIGGER:-P1DT1H", 1500),
        ("TRIGGER;VALUE=DATE-TIME:20261203T123000Z", 30),
        ("TRIGGER:PT5M", None),
        ("TRIGGER;RELATED=END:-PT5M", None),
        ("TRIGGER:nonsense", None),
    ],
)
def test_reminders(trigger: str, minutes: int | None) -> None:
    octets = ics("DTSTART:20261203T130000Z", "BEGIN:VALARM", "ACTION:DISPLAY", trigger, "END:VALARM")
    assert shown(octets).reminder == minutes
    octets = octets.replace(b"DISPLAY", b"EMAIL")
    assert shown(octets).reminder is None


def test_reminders_that_devices_do_not_know_stay() -> None:
    octets = ics(
        "DTSTART:20261203T130000Z",
        *("BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT1H", "END:VALARM"),
        *("BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-PT5M", "X-TONE:1", "END:VALARM"),
        *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT9M", "END:VALARM"),
    )
    assert shown(octets).reminder == 5
    edited = stored(Calendar(reminder=20), V16_0, octets)
    alarms = [a.text("TRIGGER") for a in master(edited).components("VALARM")]
    assert alarms == ["-PT1H", "-PT20M", "-PT9M"]
    assert b"X-TONE:1" in edited
    bare = stored(Calendar(reminder=EMPTY), V16_0, octets)
    assert [a.text("ACTION") for a in master(bare).components("VALARM")] == ["EMAIL"]


def test_a_place_of_the_new_model() -> None:
    place = Location(display_name="Office", street="Main; 1", city="Köln", latitude="50.9", longitude="6.9")
    octets = stored(event(location=place), V16_0)
    assert (shown(octets, V16_0).location, shown(octets).location_text) == (place, "Office")
    same = stored(event(location_text="Office", subject="x"), held=octets)
    assert shown(same, V16_0).location == place
    other = stored(event(location_text="Home"), held=octets)
    assert shown(other, V16_0).location == Location(display_name="Home")
    assert line(other, "X-EAS-LOCATION") is None
    nameless = Location(street="Main 1", city="Bonn")
    octets = stored(event(location=nameless), V16_0)
    assert (shown(octets, V16_0).location, shown(octets).location_text) == (nameless, "Main 1, Bonn")


def test_a_place_that_a_dav_client_moved() -> None:
    octets = stored(event(location=Location(display_name="Office", city="Bonn")), V16_0)
    moved = octets.replace(b"\r\nLOCATION:Office", b"\r\nLOCATION:Home")
    assert shown(moved, V16_0).location == Location(display_name="Home")
    with_geo = ics("DTSTART:20261203T130000Z", "LOCATION:Office", "GEO:50.9;6.9")
    assert shown(with_geo, V16_0).location == Location(display_name="Office", latitude="50.9", longitude="6.9")


def test_bodies() -> None:
    octets = stored(event(body=Body(type=BodyType.HTML, data="<p>Hello <b>you</b></p>")))
    assert line(octets, "DESCRIPTION") == "Hello you"
    html = shown(octets, preferences=[BodyPreference(type=BodyType.PLAIN), BodyPreference(type=BodyType.HTML)])
    assert html.body == Body(
        type=BodyType.HTML, estimated_data_size=23, truncated=False, data="<p>Hello <b>you</b></p>"
    )
    plain = shown(octets, preferences=[BodyPreference(type=BodyType.PLAIN, truncation_size=5)])
    assert plain.body == Body(type=BodyType.PLAIN, estimated_data_size=9, truncated=True, data="Hello")
    assert (plain.native_body_type, shown(stored(event())).native_body_type) == (2, None)
    same = stored(event(body=Body(type=BodyType.PLAIN, data="Hello you")), held=octets)
    assert b"<b>you</b>" in same
    with pytest.raises(InvalidItem):
        stored(event(body=Body(type=BodyType.RTF, data="x")))


@pytest.mark.requirement("MS-ASCAL_R187", "MS-ASCAL_R11026")
def test_no_more_than_300_categories_are_sent() -> None:
    octets = ics("DTSTART:20261203T130000Z", "CATEGORIES:a\\,b,c", *(f"CATEGORIES:{n}" for n in range(400)))
    held = shown(octets).categories
    assert held is not None
    assert (len(held), held[:3]) == (300, ("a,b", "c", "0"))


def test_files() -> None:
    one = AddAttachment(client_id="1", method=Method.NORMAL, content=b"\x00\xff!", display_name="a.pdf")
    two = replace(one, client_id="2", content=b"2", display_name="b", content_id="cid", is_inline=True)
    octets = stored(event(attachments=Attachments(changes=(one, two))), V16_0)
    held = shown(octets, V16_0, file_reference=lambda number: f"x:{number}").attachments
    assert held is not None
    assert [(a.display_name, a.file_reference, a.estimated_data_size) for a in held.changes] == [  # type: ignore[union-attr]
        ("a.pdf", "x:0", 3),
        ("b", "x:1", 1),
    ]
    gone = Calendar(attachments=Attachments(changes=(DeleteAttachment(file_reference="0"),)))
    left = shown(stored(gone, V16_0, octets), V16_0).attachments
    assert left is not None
    assert [a.display_name for a in left.changes] == ["b"]  # type: ignore[union-attr]
    for bad in ("7", "x"):
        with pytest.raises(InvalidItem):
            stored(Calendar(attachments=Attachments(changes=(DeleteAttachment(file_reference=bad),))), V16_0, octets)


def test_what_devices_cannot_say_survives() -> None:
    lines = ("URL:https://example.com", "X-FOO;X-BAR=1:baz", "PRIORITY:1", "SEQUENCE:4", "COMMENT:c")
    octets = ics("DTSTART;TZID=Europe/Berlin:20261203T140000", "SUMMARY:old", *lines)
    for version, change in ((V16_0, Calendar(subject="new")), (V14_0, replace(shown(octets), subject="new"))):
        edited = stored(change, version, octets).decode()
        assert "SUMMARY:new" in edited
        assert all(f"\r\n{text}\r\n" in edited for text in lines)
        assert "DTSTART;TZID=Europe/Berlin:20261203T140000" in edited


def test_nothing_changes_by_saying_the_same() -> None:
    octets = stored(FULL)
    assert stored(FULL, held=octets, now=NOW + timedelta(days=1)) == octets
    assert stored(Calendar(subject="Lunch"), V16_1, octets, now=NOW + timedelta(days=1)) == octets
    assert stored(Calendar(), V16_1, octets) == octets


@pytest.mark.parametrize("octets", [b"", b"x", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", ics(), ics("DTSTART:x")])
def test_what_is_no_event(octets: bytes) -> None:
    with pytest.raises(InvalidItem):
        shown(octets)
