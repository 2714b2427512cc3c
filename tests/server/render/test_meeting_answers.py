"""Answers to invitations: those of others, and the user's own; and how an invitation stands to the calendar."""

from datetime import timedelta
from typing import Any

import pytest

from eas_server.render.meetings import attend
from eas_server.render.meetings.answers import respond
from eas_server.render.meetings.attend import Edit, Standing
from protocol.items.calendar import (
    AttendeeStatus,
    BusyStatus,
    ResponseType,
)
from tests.server.render.invitations import ALICE, BOB, answer, ics, mail, read
from tests.server.render.meetings import (
    DAILY,
    HOUR,
    LATER,
    NOW,
    SECOND,
    START,
    answered,
    brought_in,
    exceptions,
    invited,
    reader,
    series,
    shown,
)

# ---- answers of others


def organized(**changes: Any) -> bytes:
    """Alice's own meeting."""
    changes.setdefault("attendees", ("ATTENDEE;CN=Bob:mailto:bob@example.com", "ATTENDEE:mailto:carol@example.com"))
    return ics(**changes).replace(b"METHOD:REQUEST\r\n", b"")


def told(item: bytes, octets: bytes, *senders: str) -> bytes:
    (after,) = brought_in([item], octets, reader(ALICE, senders or ("bob@example.com",)))
    return after


def statuses(item: bytes) -> dict[str, AttendeeStatus | None]:
    return {attendee.email: attendee.status for attendee in shown(item, ALICE).attendees or ()}


@pytest.mark.requirement("MS-ASCAL_R569", "MS-ASCAL_R570", "MS-ASCAL_R571")
@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("ACCEPTED", AttendeeStatus.ACCEPTED),
        ("TENTATIVE", AttendeeStatus.TENTATIVE),
        ("DECLINED", AttendeeStatus.DECLINED),
    ],
)
def test_an_answer_is_noted(said: str, status: AttendeeStatus) -> None:
    after = told(organized(), answer(said))
    assert statuses(after) == {"bob@example.com": status, "carol@example.com": AttendeeStatus.UNKNOWN}
    assert told(after, answer(said)) == after


def test_the_last_answer_counts_however_late_the_first_comes() -> None:
    after = told(organized(), answer("DECLINED", stamp="20261125T100000Z"))
    assert told(after, answer("ACCEPTED", stamp="20261124T100000Z")) == after
    assert statuses(told(after, answer("ACCEPTED", stamp="20261126T100000Z")))["bob@example.com"] == 3


def test_an_answer_to_what_the_meeting_was_before_is_old() -> None:
    item = organized(sequence=2)
    assert told(item, answer("ACCEPTED", sequence=1)) == item


def test_nobody_answers_for_others() -> None:
    item = organized()
    assert told(item, answer("DECLINED"), "mallory@example.com") == item
    assert told(item, answer("DECLINED"), "carol@example.com") == item


@pytest.mark.parametrize("param", ["SENT-BY", "EMAIL"])
@pytest.mark.parametrize("who", ["bob@example.com", "dave@example.com"])
def test_an_answer_cannot_say_itself_who_may_send_it(param: str, who: str) -> None:
    line = f'ATTENDEE;PARTSTAT=DECLINED;{param}="mailto:mallory@example.com":mailto:{who}'
    item = organized()
    assert told(item, answer("DECLINED", attendees=(line,)), "mallory@example.com") == item


def test_whom_the_organizer_knows_to_send_for_an_attendee_may() -> None:
    item = organized(attendees=('ATTENDEE;SENT-BY="mailto:secretary@example.com":mailto:bob@example.com',))
    assert statuses(told(item, answer("ACCEPTED"), "secretary@example.com")) == {"bob@example.com": 3}


def test_from_another_address_of_ones_own() -> None:
    after = told(organized(), answer("ACCEPTED", "robert@home.example"), "bob@example.com")
    assert statuses(after) == {"bob@example.com": 3, "carol@example.com": 0}


def test_who_was_not_invited_joins() -> None:
    after = told(organized(), answer("ACCEPTED", "dave@example.com"), "dave@example.com")
    assert statuses(after)["dave@example.com"] is AttendeeStatus.ACCEPTED
    appointment = organized(attendees=())
    assert told(appointment, answer("ACCEPTED", "dave@example.com"), "dave@example.com") == appointment


def test_an_answer_to_one_occurrence() -> None:
    item = organized(more=DAILY)
    after = told(item, answer("DECLINED", more=(SECOND,)))
    (only,) = exceptions(after, ALICE)
    assert only.attendees is not None
    assert [a.status for a in only.attendees] == [AttendeeStatus.DECLINED, AttendeeStatus.UNKNOWN]
    assert statuses(after)["bob@example.com"] is AttendeeStatus.UNKNOWN
    all_ = told(after, answer("ACCEPTED", stamp="20261125T100000Z"))
    (still,) = exceptions(all_, ALICE)
    assert still.attendees is not None
    assert still.attendees[0].status is AttendeeStatus.DECLINED
    assert statuses(all_)["bob@example.com"] is AttendeeStatus.ACCEPTED


def test_a_proposal_is_noted_and_goes_with_the_next_answer() -> None:
    start, end = "DTSTART:20261201T140000Z", "DTEND:20261201T150000Z"
    after = told(organized(), answer("TENTATIVE", method="COUNTER", start=start, end=end))
    (bob, _) = shown(after, ALICE).attendees or ()
    assert (bob.status, bob.proposed_start_time, bob.proposed_end_time) == (2, START + 5 * HOUR, START + 6 * HOUR)
    assert shown(after, ALICE).start_time == START
    (bob, _) = shown(told(after, answer("ACCEPTED", stamp="20261125T000000Z")), ALICE).attendees or ()
    assert (bob.status, bob.proposed_start_time) == (3, None)


def test_answers_do_not_change_what_others_organize() -> None:
    item = invited()
    assert brought_in([item], answer("ACCEPTED"), reader(senders=("bob@example.com",))) == [item]
    assert brought_in([], answer("ACCEPTED"), reader(ALICE)) == []


def test_an_answer_need_not_say_when() -> None:
    after = told(organized(), answer("ACCEPTED", start="", end=""))
    assert statuses(after)["bob@example.com"] is AttendeeStatus.ACCEPTED


def test_an_item_that_cannot_be_read_is_not_touched() -> None:
    broken = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:meeting-1@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    assert brought_in([b"junk", broken], ics())[:2] == [b"junk", broken]
    assert attend.edits([broken], read(mail(ics("CANCEL"))), reader()) == []


# ---- the user's own answers


@pytest.mark.parametrize(
    ("how", "busy", "status"),
    [
        (ResponseType.ACCEPTED, BusyStatus.BUSY, AttendeeStatus.ACCEPTED),
        (ResponseType.TENTATIVE, BusyStatus.TENTATIVE, AttendeeStatus.TENTATIVE),
    ],
)
def test_an_own_answer(how: ResponseType, busy: BusyStatus, status: AttendeeStatus) -> None:
    found = shown(answered(invited(), how))
    assert (found.busy_status, found.response_type, found.appointment_reply_time) == (busy, how, NOW)
    assert [a.status for a in found.attendees or ()] == [status]


def test_who_is_not_on_the_list_is_after_the_answer() -> None:
    found = shown(answered(invited(ics(attendees=("ATTENDEE:mailto:team@example.com",)))))
    assert [(a.email, a.status) for a in found.attendees or ()] == [("team@example.com", 0), ("bob@example.com", 3)]


def test_an_own_answer_to_one_occurrence() -> None:
    item = answered(invited(ics(more=DAILY)), ResponseType.TENTATIVE)
    held = series(item)
    key = held.anchor.clock + timedelta(days=1)
    after = respond(held, ResponseType.ACCEPTED, BOB, LATER, key=key)
    (only,) = exceptions(after)
    assert (only.busy_status, only.response_type, only.appointment_reply_time) == (
        BusyStatus.BUSY,
        ResponseType.ACCEPTED,
        LATER,
    )
    assert shown(after).response_type is ResponseType.TENTATIVE


def test_edits_name_their_items() -> None:
    assert attend.edits([], read(mail(ics())), reader()) == [Edit(None, invited())]


# ---- how an invitation stands to the calendar


def test_an_invitation_is_outdated_when_the_calendar_knows_better() -> None:
    start, end = "DTSTART:20261202T150000Z", "DTEND:20261202T160000Z"
    first, second = read(mail(ics(more=DAILY))), read(mail(ics(more=DAILY, sequence=1)))
    occurrence = read(mail(ics(start=start, end=end, more=(SECOND,), sequence=1)))
    held = brought_in([], ics(more=DAILY))
    for message in (first, second, occurrence):
        assert attend.standing(held, message, BOB) == Standing()
    held = brought_in(held, ics(start=start, end=end, more=(SECOND,), sequence=2))
    assert attend.standing(held, occurrence, BOB) == Standing(is_outdated=True)
    held = brought_in(held, ics(more=DAILY, sequence=3))
    assert attend.standing(held, first, BOB) == attend.standing(held, second, BOB) == Standing(is_outdated=True)
    assert attend.standing([], first, BOB) == Standing()


def test_an_occurrence_alone_is_an_orphan() -> None:
    event = ics(more=(SECOND,))
    message = read(mail(event))
    assert attend.standing([], message, BOB) == Standing(is_orphan=True)
    held = brought_in([], event)
    assert attend.standing(held, message, BOB) == Standing(is_orphan=True)
    newer = brought_in(held, ics(more=(SECOND,), sequence=1))
    assert attend.standing(newer, message, BOB) == Standing(is_outdated=True, is_orphan=True)
    assert attend.standing([b"junk"], message, BOB) == Standing(is_orphan=True)
