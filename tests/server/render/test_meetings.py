"""Meeting messages: what they are, and what invitations and cancellations do to a calendar."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eas_server.render.body import choose_body, finish
from eas_server.render.calendar import occurrences
from eas_server.render.contentlines import parse
from eas_server.render.meetings.invited import MAX_ATTENDEES
from eas_server.render.mime import index_message
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.calendar import (
    AttendeeStatus,
    BusyStatus,
    MeetingStatus,
    ResponseType,
)
from tests.server.render import corpus
from tests.server.render.invitations import APPLE, BOB, OUTLOOK, answer, google, ics, mail, read
from tests.server.render.meetings import (
    DAILY,
    HOUR,
    NOW,
    SECOND,
    START,
    answered,
    brought_in,
    exceptions,
    invited,
    master,
    reader,
    series,
    shown,
)

# ---- classes


@pytest.mark.requirement("MS-ASEMAIL_R595", "MS-ASEMAIL_R589", "MS-ASEMAIL_R587")
@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        (ics(), "Request"),
        (ics("CANCEL"), "Canceled"),
        (answer("ACCEPTED"), "Resp.Pos"),
        (answer("TENTATIVE"), "Resp.Tent"),
        (answer("DECLINED"), "Resp.Neg"),
        (answer("TENTATIVE", method="COUNTER"), "Resp.Tent"),
        (answer("DECLINED", method="COUNTER"), "Resp.Neg"),
        (answer("NEEDS-ACTION", method="COUNTER"), "Resp.Tent"),
    ],
)
@pytest.mark.parametrize("method", [None, "REQUEST"])
def test_the_class_follows_from_the_calendar(calendar: bytes, expected: str, method: str | None) -> None:
    index, _ = index_message(mail(calendar, method))
    assert index.message_class == f"IPM.Schedule.Meeting.{expected}"
    assert index.content_class == "urn:content-classes:calendarmessage"
    assert index.attachments == ()
    assert index.preview.strip() == "See you there."


def with_disposition(named: str) -> bytes:
    octets = mail(ics(), None)
    return octets.replace(
        b"Content-Type: text/calendar", b"Content-Disposition: attachment\r\nContent-Type: text/calendar"
    ).replace(b"charset=utf-8\r\nContent-Transfer", f"charset=utf-8{named}\r\nContent-Transfer".encode())


def test_an_attached_calendar_counts_if_its_type_names_the_method() -> None:
    assert index_message(with_disposition("; method=REQUEST"))[0].message_class == "IPM.Schedule.Meeting.Request"
    index, _ = index_message(with_disposition(""))
    assert index.message_class == "IPM.Note"
    assert [a.name for a in index.attachments] == ["invite.ics"]


@pytest.mark.parametrize(
    "calendar",
    [
        ics("PUBLISH"),
        ics("REFRESH"),
        ics("X-STRANGE"),
        answer("NEEDS-ACTION"),
        answer("ACCEPTED", attendees=()),
        ics().replace(b"VEVENT", b"VTODO"),
        b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n",
        b"no calendar",
        b"",
        b"\0" * 100,
    ],
)
def test_what_is_no_meeting_message_is_an_ordinary_one_with_its_attachment(calendar: bytes) -> None:
    index, _ = index_message(mail(calendar))
    assert (index.message_class, index.content_class) == ("IPM.Note", "urn:content-classes:message")
    assert len(index.attachments) == 1
    assert index.calendar is None


def test_what_stands_around_the_calendar_is_passed_over() -> None:
    assert read(mail(b"\r\n\r\n" + ics() + b"\r\n--\r\nthe list\r\n")).uid == "meeting-1@example.com"


def test_other_charsets() -> None:
    octets = mail(ics(summary="Größe").decode().encode("latin-1")).replace(b"utf-8; method", b"iso-8859-1; method")
    assert read(octets).main.text("SUMMARY") == "Größe"


@pytest.mark.parametrize("top", [b"text/calendar; charset=utf-8; method=REQUEST", b"text/calendar"])
def test_a_calendar_alone_is_a_meeting_message(top: bytes) -> None:
    octets = b"From: alice@example.com\r\nSubject: x\r\nContent-Type: " + top + b"\r\n\r\n" + ics()
    assert read(octets).uid == "meeting-1@example.com"


@pytest.mark.parametrize("text", ["Bring cake", "", "x" * 5000])
def test_a_calendar_alone_shows_its_text(text: str) -> None:
    head = b"From: alice@example.com\r\nSubject: x\r\nContent-Type: text/calendar\r\n\r\n"
    octets = head + ics(more=(f"DESCRIPTION:{text}",))
    found = corpus.item(octets)
    assert found.index.preview == text[:1024]
    plan = choose_body(found, preferences=())
    assert finish(plan, b"").body() == Body(
        type=BodyType.PLAIN, estimated_data_size=len(text[:1024]), truncated=False, data=text[:1024]
    )


# ---- invitations


@pytest.mark.parametrize("octets", [OUTLOOK, google(), APPLE, ics()])
def test_an_invitation_becomes_a_tentative_item(octets: bytes) -> None:
    item = invited(octets)
    found = shown(item)
    busy = BusyStatus.FREE if octets is APPLE else BusyStatus.TENTATIVE
    assert (found.busy_status, found.meeting_status, found.response_type) == (
        busy,
        MeetingStatus.RECEIVED,
        ResponseType.NOT_RESPONDED,
    )
    assert found.appointment_reply_time is None
    assert found.organizer_name == "Alice Example"
    assert parse(item).first("METHOD") is None
    assert brought_in([item], octets) == [item]  # again, and nothing happens


def test_what_outlook_says_is_kept() -> None:
    found = shown(invited(OUTLOOK))
    assert found.subject == "Weekly numbers"
    assert found.location_text == "Room 7; second floor"
    assert found.reminder == 15
    assert found.recurrence is not None
    assert found.disallow_new_time_proposal
    assert found.start_time == datetime(2026, 11, 30, 17, tzinfo=UTC)
    accepted = shown(answered(invited(OUTLOOK)))
    assert accepted.busy_status is BusyStatus.OUT_OF_OFFICE  # as the organizer intends


def test_without_an_organizer_the_sender_is_the_organizer() -> None:
    found = shown(invited(ics(organizer=None)))
    assert found.organizer_email == "alice@example.com"
    assert found.meeting_status is MeetingStatus.RECEIVED


@pytest.mark.parametrize("uid", ["ABC DEF  ", "x" * 500, "{weird}\\, uid", "ümlaut", "a\0"])
def test_odd_uids(uid: str) -> None:
    calendar = ics(uid=uid)
    item = invited(calendar)
    assert brought_in([item], ics("CANCEL", uid=uid)) != [item]
    assert brought_in([item], ics(uid=uid)) == [item]


def test_an_unknown_zone_does_no_harm() -> None:
    found = shown(invited(ics(start="DTSTART;TZID=Nowhere/Land:20261201T090000", end="DTEND;TZID=Nowhere/Land:99")))
    assert found.start_time == START


@pytest.mark.parametrize("event", [ics(uid=""), ics(organizer="ORGANIZER:mailto:robert@example.com")])
def test_what_cannot_be_found_again_or_is_the_users_own_is_left(event: bytes) -> None:
    assert brought_in([], event) == []


def test_lines_of_this_server_do_not_come_by_mail() -> None:
    forged = ics(more=("X-EAS-RESPONSE-TYPE:3", "X-EAS-MEETING-STATUS:1", "X-EAS-INVITATION-STAMP:20990101T000000Z"))
    found = shown(invited(forged))
    assert (found.response_type, found.meeting_status) == (ResponseType.NOT_RESPONDED, MeetingStatus.RECEIVED)
    assert brought_in([invited(forged)], ics(sequence=1)) != [invited(forged)]


def test_only_some_of_very_many_attendees_are_kept() -> None:
    many = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:u{n}@example.com" for n in range(10_000)]
    item = invited(ics(attendees=(*many, "ATTENDEE;RSVP=TRUE:mailto:bob@example.com")))
    found = shown(item).attendees
    assert found is not None
    assert len(found) == MAX_ATTENDEES
    assert any(attendee.email == "bob@example.com" for attendee in found)
    assert len(item) < 1024 * 1024


# ---- updates


def test_an_update_keeps_what_is_the_users_own() -> None:
    item = answered(invited())
    item = item.replace(
        b"END:VEVENT", b"CATEGORIES:Work\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    )
    (after,) = brought_in([item], ics(sequence=1, summary="Review 2", stamp="20261123T110000Z"))
    found = shown(after)
    assert (found.subject, found.categories, found.reminder) == ("Review 2", ("Work",), 5)
    assert (found.response_type, found.busy_status) == (ResponseType.ACCEPTED, BusyStatus.BUSY)
    assert found.appointment_reply_time == NOW
    assert found.attendees is not None
    assert found.attendees[0].status is AttendeeStatus.ACCEPTED


def test_notes_of_the_user_stay() -> None:
    item = invited(ics(more=("DESCRIPTION:Agenda",)))
    noted = item.replace(b"DESCRIPTION:Agenda", b"DESCRIPTION:My own notes")
    update = ics(sequence=1, more=("DESCRIPTION:Agenda 2",))
    (kept,) = brought_in([noted], update)
    (taken,) = brought_in([item], update)
    assert master(kept).text("DESCRIPTION") == "My own notes"
    assert master(taken).text("DESCRIPTION") == "Agenda 2"


def test_another_time_asks_again() -> None:
    item = answered(invited())
    (after,) = brought_in([item], ics(sequence=1, start="DTSTART:20261201T130000Z", end="DTEND:20261201T140000Z"))
    found = shown(after)
    assert found.start_time == START + 4 * HOUR
    assert (found.response_type, found.busy_status) == (ResponseType.NOT_RESPONDED, BusyStatus.TENTATIVE)
    assert found.appointment_reply_time is None


@pytest.mark.parametrize(
    ("changes", "is_newer"),
    [
        ({"sequence": 3, "stamp": "20261101T000000Z"}, True),
        ({"sequence": 2, "stamp": "20261124T000000Z"}, True),
        ({"sequence": 2, "stamp": "20261123T100000Z"}, False),
        ({"sequence": 2, "stamp": "20261122T000000Z"}, False),
        ({"sequence": 1, "stamp": "20261224T000000Z"}, False),
        ({"sequence": None, "stamp": "20261224T000000Z"}, False),
    ],
)
def test_sequence_and_stamp_decide(changes: dict[str, Any], is_newer: bool) -> None:
    item = invited(ics(sequence=2))
    after = brought_in([item], ics(summary="Other", **changes))
    assert (shown(after[0]).subject == "Other") is is_newer


def test_a_device_that_changed_its_copy_does_not_make_it_newer() -> None:
    item = invited().replace(b"DTSTAMP:20261123T100000Z", b"DTSTAMP:20271123T100000Z")
    (after,) = brought_in([item], ics(summary="Other", stamp="20261123T110000Z"))
    assert shown(after).subject == "Other"


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_who_is_not_the_organizer_changes_nothing(method: str) -> None:
    item = invited()
    forged = ics(method, sequence=9, summary="Forged", organizer="ORGANIZER:mailto:mallory@example.com")
    assert brought_in([item], forged, reader(senders=("mallory@example.com",))) == [item]
    lying = ics(method, sequence=9, summary="Forged")
    assert brought_in([item], lying, reader(senders=("mallory@example.com",))) == [item]


@pytest.mark.parametrize("sender", ["ALICE@Example.com", "secretary@example.com"])
def test_who_sends_for_the_organizer_may(sender: str) -> None:
    organizer = 'ORGANIZER;SENT-BY="mailto:secretary@example.com":mailto:alice@example.com'
    item = invited(ics(organizer=organizer))
    assert brought_in([item], ics("CANCEL", organizer=organizer), reader(senders=("x@example.com", sender))) != [item]


def test_machines_organize_for_people() -> None:
    item = invited(APPLE)
    uid = series(item).master.text("UID") or ""
    after = brought_in([item], ics("CANCEL", uid=uid, organizer=None))
    assert shown(after[0]).meeting_status is MeetingStatus.CANCELLED_RECEIVED


def test_a_meeting_that_was_declined_does_not_come_back_with_an_update() -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com",)
    assert brought_in([], ics(sequence=1, attendees=declined)) == []
    assert brought_in([], ics(sequence=1, attendees=declined, more=(SECOND,))) == []
    assert len(brought_in([], ics(sequence=2))) == 1  # at another time everybody is asked again


# ---- cancellations


def test_a_cancellation_frees_the_time() -> None:
    item = answered(invited())
    (after,) = brought_in([item], ics("CANCEL", sequence=1, more=("STATUS:CANCELLED",)))
    found = shown(after)
    assert found.meeting_status is MeetingStatus.CANCELLED_RECEIVED
    assert (found.subject, found.busy_status, found.reminder) == ("Canceled: Review", BusyStatus.FREE, None)
    assert [o.busy for o in occurrences(after, START, START + HOUR, owner=BOB)] == [BusyStatus.FREE]
    assert brought_in([after], ics("CANCEL", sequence=1)) == [after]
    assert brought_in([after], ics()) == [after]  # the invitation once more


def test_a_cancelled_meeting_can_take_place_after_all() -> None:
    (gone,) = brought_in([answered(invited())], ics("CANCEL", sequence=1, stamp="20261123T110000Z"))
    (back,) = brought_in([gone], ics(sequence=2, stamp="20261123T120000Z"))
    found = shown(back)
    assert (found.meeting_status, found.subject) == (MeetingStatus.RECEIVED, "Review")
    assert (found.response_type, found.busy_status) == (ResponseType.NOT_RESPONDED, BusyStatus.TENTATIVE)


def test_an_old_or_unknown_cancellation_does_nothing() -> None:
    item = invited(ics(sequence=3))
    assert brought_in([item], ics("CANCEL", sequence=2)) == [item]
    assert brought_in([], ics("CANCEL")) == []
    assert brought_in([item], ics("CANCEL", sequence=4, uid="another")) == [item]


def test_a_cancellation_for_others_is_not_for_the_user() -> None:
    item = invited()
    assert brought_in([item], ics("CANCEL", sequence=1, attendees=("ATTENDEE:mailto:carol@example.com",))) == [item]


# ---- single occurrences


def test_an_occurrence_moves() -> None:
    item = answered(invited(ics(more=DAILY)))
    moved = ics(start="DTSTART:20261202T150000Z", end="DTEND:20261202T160000Z", more=(SECOND,), sequence=1)
    (after,) = brought_in([item], moved)
    (only,) = exceptions(after)
    assert only.start_time == START + timedelta(days=1, hours=6)
    assert only.response_type is ResponseType.NOT_RESPONDED
    assert shown(after).response_type is ResponseType.ACCEPTED
    assert brought_in([after], moved) == [after]


def test_an_occurrence_with_another_subject_keeps_the_answer() -> None:
    item = answered(invited(ics(more=DAILY)))
    start, end = "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"
    (after,) = brought_in([item], ics(start=start, end=end, more=(SECOND,), sequence=1, summary="Special"))
    (only,) = exceptions(after)
    assert (only.subject, only.response_type) == ("Special", None)


def test_an_occurrence_is_cancelled() -> None:
    item = answered(invited(ics(more=DAILY)))
    (after,) = brought_in([item], ics("CANCEL", more=(SECOND,), sequence=1))
    (only,) = exceptions(after)
    assert only.meeting_status is MeetingStatus.CANCELLED_RECEIVED
    assert only.busy_status is BusyStatus.FREE
    assert only.subject == "Canceled: Review"
    assert shown(after).meeting_status is MeetingStatus.RECEIVED
    assert brought_in([after], ics("CANCEL", more=(SECOND,), sequence=1)) == [after]


def test_what_was_declined_stays_away_unless_it_moves() -> None:
    item = answered(invited(ics(more=DAILY)))
    declined = item.replace(b"RRULE", b"EXDATE:20261202T090000Z\r\nRRULE")
    start, end = "DTSTART:20261202T090000Z", "DTEND:20261202T100000Z"
    same = ics(start=start, end=end, more=(SECOND,), sequence=1, summary="Special")
    assert brought_in([declined], same) == [declined]
    moved = ics(start="DTSTART:20261202T150000Z", end="DTEND:20261202T160000Z", more=(SECOND,), sequence=1)
    (after,) = brought_in([declined], moved)
    assert [e.deleted for e in exceptions(after)] == [None]
    (updated,) = brought_in([declined], ics(more=DAILY, sequence=1, summary="All"))
    assert [e.deleted for e in exceptions(updated)] == [True]


def test_occurrences_that_the_series_does_not_have_are_left() -> None:
    item = invited(ics(more=DAILY))
    for line in ("RECURRENCE-ID:20300101T000000Z", "RECURRENCE-ID:nonsense"):
        assert brought_in([item], ics(more=(line,), sequence=1)) == [item]
        assert brought_in([item], ics("CANCEL", more=(line,), sequence=1)) == [item]


def test_an_update_of_the_series_keeps_its_occurrences_unless_it_moves() -> None:
    item = answered(invited(ics(more=DAILY)))
    moved = ics(start="DTSTART:20261202T150000Z", end="DTEND:20261202T160000Z", more=(SECOND,), sequence=1)
    (with_exception,) = brought_in([item], moved)
    (same,) = brought_in([with_exception], ics(more=DAILY, sequence=2, summary="All"))
    assert len(exceptions(same)) == 1
    earlier = ics(start="DTSTART:20261201T080000Z", end="DTEND:20261201T090000Z", more=DAILY, sequence=2)
    (other,) = brought_in([with_exception], earlier)
    assert exceptions(other) == ()


def test_a_series_that_comes_with_its_exceptions() -> None:
    exception = """BEGIN:VEVENT
UID:meeting-1@example.com
DTSTAMP:20261123T100000Z
RECURRENCE-ID:20261203T090000Z
DTSTART:20261203T110000Z
DTEND:20261203T120000Z
SUMMARY:Late
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.com
END:VEVENT
BEGIN:VEVENT
UID:another@example.com
DTSTART:20261203T110000Z
SUMMARY:Not this one
END:VEVENT
"""
    item = invited(ics(more=DAILY, others=exception))
    (only,) = exceptions(item)
    assert (only.subject, only.start_time) == ("Late", START + timedelta(days=2, hours=2))
    assert b"Not this one" not in item
    accepted = answered(item)
    (update,) = brought_in([accepted], ics(more=DAILY, others=exception, sequence=1, summary="Early"))
    assert shown(update).response_type is ResponseType.ACCEPTED


def test_single_occurrences_of_a_series_that_is_not_there() -> None:
    start, end = "DTSTART:20261202T150000Z", "DTEND:20261202T160000Z"
    one = invited(ics(start=start, end=end, more=(SECOND,)))
    two = brought_in([one], ics(more=("RECURRENCE-ID:20261203T090000Z",)))
    assert len(two) == 2
    assert shown(one).instance_id == START + timedelta(days=1)
    changed = brought_in(two, ics(start=start, end=end, more=(SECOND,), sequence=1, summary="New"))
    assert [shown(item).subject for item in changed] == ["New", "Review"]
    cancelled = brought_in(changed, ics("CANCEL", more=("RECURRENCE-ID:20261203T090000Z",), sequence=1))
    assert [shown(item).subject for item in cancelled] == ["New", "Canceled: Review"]
    (whole,) = brought_in(changed, ics(more=DAILY, sequence=1))
    assert len(exceptions(whole)) == 2
    all_gone = brought_in(changed, ics("CANCEL", sequence=2))
    assert {shown(item).meeting_status for item in all_gone} == {MeetingStatus.CANCELLED_RECEIVED}
