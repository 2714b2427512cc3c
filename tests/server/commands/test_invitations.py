"""What the server sends when a device of 16.0 and later changes a meeting, and that it sends nothing before."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.commands.kept_items import new_item
from eas_server.commands.server_mail import ServerMail, send_server_mail
from eas_server.errors import StoreFull, StoreUnavailable
from eas_server.interfaces import MailSubmission, Receipt, Submission
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.render.contentlines import dump as dump_lines
from eas_server.render.meetings.compose import Letter, Person, reply
from protocol.commands.sync import Add, Change, Conflict, Delete, Options, Status
from protocol.items.airsyncbase import Body, BodyType, Location
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    AttendeeType,
    Calendar,
    MeetingStatus,
    Recurrence,
    RecurrenceType,
)
from protocol.schema import dump
from protocol.versions import SUPPORTED, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.colleagues import Colleague, Colleagues, Mail, colleagues, meeting

BOB, CAROL = "bob@example.com", "carol@example.com"
SENT, INBOX = FolderType.SENT_ITEMS, FolderType.INBOX
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)
SECOND = datetime(2026, 12, 8, 9, 0, tzinfo=UTC)
SECOND_NAME = "20261208T090000Z"
MODERN = [version for version in SUPPORTED if version >= V16_0]


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


def methods(mails: list[Mail]) -> list[str]:
    return [mail.method for mail in mails]


def attendees(mail: Mail) -> list[str]:
    return [line.value for line in mail.event.all("ATTENDEE")]


# ---- inviting


@pytest.mark.requirement("MS-ASCMD_R7478", "MS-ASCMD_R7480", "MS-ASCAL_R2169", "MS-ASCAL_R2175")
@pytest.mark.parametrize("version", MODERN)
async def test_a_new_meeting_is_sent_to_its_attendees(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await all_.alice.add(meeting(BOB, CAROL))
    (held,) = await all_.alice.events()
    for one in (all_.bob, all_.carol):
        (mail,) = await one.mail()
        assert mail.method == "REQUEST"
        assert mail.calendar.text("METHOD") == "REQUEST"
        assert mail.message["From"] == "Alice Example <alice@example.com>"
        assert mail.message["To"] == "Bob <bob@example.com>, Carol <carol@example.com>"
        assert mail.subject == "Stand-up"
        assert mail.message.get_content_type() == "multipart/alternative"
        assert mail.event.text("UID") == held.components("VEVENT")[0].text("UID")
        assert mail.event.text("SEQUENCE") == "0"
        organizer = mail.event.first("ORGANIZER")
        assert organizer is not None
        assert organizer.value == "mailto:alice@example.com"
        assert [line.param("RSVP") for line in mail.event.all("ATTENDEE")] == ["TRUE", "TRUE"]
        assert [line.param("PARTSTAT") for line in mail.event.all("ATTENDEE")] == ["NEEDS-ACTION", "NEEDS-ACTION"]
        assert mail.item.index.message_class == "IPM.Schedule.Meeting.Request"
    (sent,) = await all_.alice.mail(SENT)
    assert sent.item.state.read
    assert sent.method == "REQUEST"
    assert await all_.alice.mail() == []


@pytest.mark.requirement("MS-ASCMD_R7479")
@pytest.mark.parametrize("version", [v for v in SUPPORTED if v < V16_0])
async def test_up_to_14_1_the_device_sends_itself(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    old = meeting(
        BOB,
        uid="A" * 32,
        dt_stamp=datetime(2026, 11, 1, tzinfo=UTC),
        meeting_status=MeetingStatus.ORGANIZER,
        organizer_email="alice@example.com",
    )
    name = await all_.alice.add(old)
    await all_.alice.change(name, replace(old, start_time=datetime(2026, 12, 1, 8, tzinfo=UTC)))
    await all_.alice.delete(name)
    assert await all_.bob.mail() == []
    assert await all_.alice.mail(SENT) == []
    assert await all_.queue() == []


@pytest.mark.requirement("MS-ASCMD_R7477")
async def test_without_attendees_nothing_is_sent(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting())
    await all_.alice.change(name, Calendar(subject="Lunch"))
    await all_.alice.change(name, Calendar(location=Location(display_name="Here")))
    await all_.alice.delete(name)
    assert await all_.alice.mail(SENT) == []
    assert await all_.queue() == []


async def test_the_organizer_is_no_guest(all_: Colleagues) -> None:
    await all_.alice.add(meeting("alice@example.com", "al@example.com"))
    assert await all_.alice.mail() == []
    assert await all_.alice.mail(SENT) == []
    await all_.alice.add(meeting("alice@example.com", BOB), "2")
    assert await all_.alice.mail() == []
    (mail,) = await all_.bob.mail()
    assert mail.message["To"] == "Bob <bob@example.com>"


async def test_what_was_received_is_not_sent_on(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOB, meeting_status=MeetingStatus.RECEIVED))
    assert await all_.bob.mail() == []


async def test_the_same_add_again_sends_nothing_again(all_: Colleagues) -> None:
    await all_.alice.sync()
    key = all_.alice.calendar.key
    add = Add(client_id="1", application_data=dump(meeting(BOB, client_uid="C1")))
    first = await all_.alice.calendar.ask(add, lose=True, sync_key=key)
    second = await all_.alice.calendar.ask(add, lose=True, sync_key=key)
    assert first.responses.responses[0].server_id == second.responses.responses[0].server_id
    assert len(await all_.bob.mail()) == 1
    assert len(await all_.alice.mail(SENT)) == 1


@pytest.mark.requirement("MS-ASCAL_R2061", "MS-ASCAL_R2062")
@pytest.mark.parametrize("version", MODERN)
async def test_the_client_uid_tells_that_an_event_is_there_already(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    event = meeting(BOB, client_uid="C1")
    first = await all_.alice.add(event)
    all_.alice.calendar.key = "0"  # a device that lost all that it knew but its own events
    assert await all_.alice.add(event, "2") == first
    assert methods(await all_.bob.mail()) == ["REQUEST"]
    assert await all_.alice.add(replace(event, subject="Sit-down"), "3") == first
    assert [mail.subject for mail in await all_.bob.mail()] == ["Stand-up", "Sit-down"]
    assert await all_.alice.add(replace(event, client_uid="C2"), "4") != first
    await all_.alice.delete(first)
    assert await all_.alice.add(event, "5") != first


async def test_the_same_change_again_sends_nothing_again(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    key = all_.alice.calendar.key
    for command in (
        Change(server_id=name, application_data=dump(Calendar(subject="Sit-down"))),
        Change(server_id=name, instance_id=SECOND_NAME, application_data=dump(Calendar(subject="Lie-down"))),
        Delete(server_id=name, instance_id="20261215T090000Z"),
    ):
        for _ in range(3):
            await all_.alice.calendar.ask(command, lose=True, sync_key=key)
    assert methods(await all_.bob.mail()) == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]


async def test_whom_it_concerns_stands_in_to_and_cc(all_: Colleagues) -> None:
    guests = (
        Attendee(email=BOB, name="Bob", type=AttendeeType.OPTIONAL),
        Attendee(email="room@elsewhere.example", name="Room", type=AttendeeType.RESOURCE),
    )
    await all_.alice.add(replace(meeting(), attendees=guests))
    (mail,) = await all_.bob.mail()
    assert mail.message["To"] == "Room <room@elsewhere.example>"
    assert mail.message["Cc"] == "Bob <bob@example.com>"
    assert [line.param("ROLE") for line in mail.event.all("ATTENDEE")] == ["OPT-PARTICIPANT", "NON-PARTICIPANT"]
    (queued,) = await all_.queue()
    assert queued.forwarding.recipients == ("room@elsewhere.example",)
    assert queued.forwarding.sender == "alice@example.com"


async def test_a_group_is_invited_and_an_unknown_address_reported(all_: Colleagues) -> None:
    team = DirectoryEntry(key="", display_name="Team", email="team@example.com")
    await all_.box.store.admin.add_group(team, ["alice@example.com", BOB])
    await all_.alice.add(meeting("team@example.com", "nobody@example.com", "ghost"))
    assert methods(await all_.bob.mail()) == ["REQUEST"]
    (report,) = await all_.alice.mail()
    assert report.message.get_content_type() == "multipart/report"
    assert b"nobody@example.com" in report.octets
    assert b"ghost" in report.octets


async def test_private_lines_stay_at_home(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOB, categories=("Boring people",), reminder=30, client_uid="C1"))
    (mail,) = await all_.bob.mail()
    names = {line.name for line in mail.event.properties}
    assert "CATEGORIES" not in names
    assert not [name for name in names if name.startswith("X-EAS")]
    (alarm,) = mail.event.components("VALARM")
    assert alarm.text("TRIGGER") == "-PT30M"


# ---- updates


async def test_another_time_is_told_to_all_and_asks_again(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, CAROL))
    await all_.alice.change(name, Calendar(start_time=datetime(2026, 12, 1, 9, 30, tzinfo=UTC)))
    for one in (all_.bob, all_.carol):
        first, second = await one.mail()
        assert (first.event.text("SEQUENCE"), second.event.text("SEQUENCE")) == ("0", "1")
        assert second.method == "REQUEST"
        assert second.event.text("UID") == first.event.text("UID")
        assert second.event.text("DTSTART") != first.event.text("DTSTART")
    await all_.alice.change(name, Calendar(location=Location(display_name="Upstairs")))
    *_, third = await all_.bob.mail()
    assert (third.event.text("SEQUENCE"), third.event.text("LOCATION")) == ("2", "Upstairs")


async def test_other_words_are_told_without_a_new_number(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    all_.wait(timedelta(minutes=1))
    await all_.alice.change(name, Calendar(subject="Sit-down"))
    first, second = await all_.bob.mail()
    assert (second.event.text("SEQUENCE"), second.event.text("SUMMARY")) == ("0", "Sit-down")
    assert (second.event.text("DTSTAMP") or "") > (first.event.text("DTSTAMP") or "")


async def test_what_is_the_organizers_own_is_told_nobody(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    await all_.alice.change(name, Calendar(reminder=5, categories=("Work",)))
    assert len(await all_.bob.mail()) == 1


async def test_new_guests_are_invited_and_old_ones_left_alone(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    await all_.alice.change(name, Calendar(attendees=meeting(BOB, CAROL).attendees))
    assert methods(await all_.bob.mail()) == ["REQUEST"]
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    assert attendees(mail) == ["mailto:bob@example.com", "mailto:carol@example.com"]


async def test_who_is_taken_off_the_list_gets_a_cancellation(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, CAROL))
    await all_.alice.change(name, Calendar(attendees=meeting(CAROL).attendees))
    assert methods(await all_.carol.mail()) == ["REQUEST"]
    _, mail = await all_.bob.mail()
    assert (mail.method, mail.subject) == ("CANCEL", "Canceled: Stand-up")
    assert attendees(mail) == ["mailto:bob@example.com"]
    assert (mail.event.text("SEQUENCE"), mail.event.text("STATUS")) == ("1", "CANCELLED")
    assert mail.item.index.message_class == "IPM.Schedule.Meeting.Canceled"
    # the last one too, whereby the meeting is an appointment again
    await all_.alice.change(name, Calendar(attendees=()))
    assert methods(await all_.carol.mail()) == ["REQUEST", "CANCEL"]


async def test_an_appointment_becomes_a_meeting(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting())
    await all_.alice.change(name, Calendar(attendees=meeting(BOB).attendees))
    (mail,) = await all_.bob.mail()
    assert (mail.method, attendees(mail)) == ("REQUEST", ["mailto:bob@example.com"])


async def test_an_event_of_14_1_is_updated_by_the_server_at_16_1(all_: Colleagues) -> None:
    all_.speak(V14_1)
    old = meeting(BOB, uid="A" * 32, dt_stamp=datetime(2026, 11, 1, tzinfo=UTC))
    name = await all_.alice.add(old)
    all_.speak(V16_1)
    await all_.alice.change(name, Calendar(start_time=datetime(2026, 12, 1, 8, tzinfo=UTC)))
    (mail,) = await all_.bob.mail()
    assert (mail.method, mail.event.text("UID"), mail.event.text("SEQUENCE")) == ("REQUEST", "A" * 32, "1")


async def test_answers_are_void_when_the_time_changes(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, CAROL))
    for who in (all_.bob, all_.carol):
        await answered(all_, who)
    assert await statuses(all_) == ["ACCEPTED", "ACCEPTED"]
    await all_.alice.sync()
    await all_.alice.change(name, Calendar(subject="Sit-down"))
    assert await statuses(all_) == ["ACCEPTED", "ACCEPTED"]
    assert [line.param("PARTSTAT") for line in (await all_.bob.mail())[-1].event.all("ATTENDEE")] == ["ACCEPTED"] * 2
    await all_.alice.change(name, Calendar(start_time=datetime(2026, 12, 1, 8, tzinfo=UTC)))
    assert await statuses(all_) == ["NEEDS-ACTION", "NEEDS-ACTION"]
    last = (await all_.bob.mail())[-1]
    assert [line.param("PARTSTAT") for line in last.event.all("ATTENDEE")] == ["NEEDS-ACTION"] * 2
    assert [mail.method for mail in await all_.alice.mail(SENT)] == ["REQUEST"] * 3


async def answered(all_: Colleagues, who: Colleague) -> None:
    """Somebody accepts, with a mail of their own program."""
    (mail, *_) = await who.mail()
    account = who.bench.account
    letter = Letter(
        sender=Person(address=account.address),
        to=(Person(address="alice@example.com"),),
        now=who.bench.now,
        message_id="<1@example.com>",
    )
    kept = dump_lines(mail.calendar)
    octets = reply(kept, letter, attendee=letter.sender, answer=AttendeeStatus.ACCEPTED)
    ctx = await who.bench.context("SendMail")
    await send_server_mail(ServerMail(octets=octets, recipients=["alice@example.com"]), ctx)


async def statuses(all_: Colleagues) -> list[str | None]:
    (held,) = await all_.alice.events()
    return [line.param("PARTSTAT") for line in held.components("VEVENT")[0].all("ATTENDEE")]


@pytest.mark.parametrize("version", [v for v in SUPPORTED if v < V16_0])
async def test_numbers_grow_whoever_sends(all_: Colleagues, version: ProtocolVersion) -> None:
    """A device of 16.0 goes on where one of 14.1 stopped, which has sent numbers of its own."""
    all_.speak(version)
    old = meeting(BOB, uid="A" * 32, dt_stamp=datetime(2026, 11, 1, tzinfo=UTC))
    name = await all_.alice.add(old)
    for hour in (8, 7):
        await all_.alice.change(name, replace(old, start_time=datetime(2026, 12, 1, hour, tzinfo=UTC)))
    assert await all_.bob.mail() == []
    all_.speak(V16_1)
    await all_.alice.change(name, Calendar(location=Location(display_name="Here")))
    (mail,) = await all_.bob.mail()
    assert mail.event.text("SEQUENCE") == "3"


# ---- cancelling


@pytest.mark.parametrize("version", MODERN)
async def test_a_deleted_meeting_is_cancelled(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    name = await all_.alice.add(meeting(BOB, CAROL))
    await all_.alice.delete(name)
    for one in (all_.bob, all_.carol):
        invited, cancelled = await one.mail()
        assert cancelled.method == "CANCEL"
        assert cancelled.event.text("UID") == invited.event.text("UID")
        assert cancelled.event.text("SEQUENCE") == "1"
        assert len(attendees(cancelled)) == 2
    assert methods(await all_.alice.mail(SENT)) == ["REQUEST", "CANCEL"]
    assert await all_.alice.events() == []


async def test_what_is_over_is_deleted_in_silence(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    all_.wait(timedelta(days=30))
    await all_.alice.delete(name)
    assert methods(await all_.bob.mail()) == ["REQUEST"]


async def test_a_cancelled_meeting_is_cancelled_once(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    await all_.alice.change(name, Calendar(meeting_status=MeetingStatus.CANCELLED))
    await all_.alice.change(name, Calendar(subject="Off"))
    await all_.alice.delete(name)
    assert methods(await all_.bob.mail()) == ["REQUEST", "CANCEL"]


async def test_an_attendees_changes_tell_nobody(all_: Colleagues) -> None:
    theirs = b"\r\n".join(
        [
            b"BEGIN:VCALENDAR",
            b"VERSION:2.0",
            b"BEGIN:VEVENT",
            b"UID:theirs",
            b"DTSTART:20261201T090000Z",
            b"DTEND:20261201T100000Z",
            b"SUMMARY:Theirs",
            b"ORGANIZER:mailto:bob@example.com",
            b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com",
            b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.com",
            b"END:VEVENT",
            b"END:VCALENDAR",
            b"",
        ]
    )
    await all_.box.store.mail.add(
        all_.alice.bench.account.user,
        all_.alice.folders[FolderType.CALENDAR],
        new_item(ItemClass.CALENDAR, theirs),
    )
    answer = await all_.alice.sync()
    (held,) = answer.commands.commands
    await all_.alice.change(held.server_id, Calendar(subject="Mine", start_time=datetime(2026, 12, 1, 8, tzinfo=UTC)))
    await all_.alice.change(held.server_id, Calendar(attendees=meeting(CAROL, "dan@elsewhere.example").attendees))
    await all_.alice.delete(held.server_id)
    for one in (all_.alice, all_.bob, all_.carol):
        assert await one.mail() == []
    assert await all_.queue() == []


# ---- occurrences


@pytest.mark.requirement("MS-ASCMD_R6238")
@pytest.mark.parametrize("version", MODERN)
async def test_one_occurrence_is_moved(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    moved = Calendar(start_time=datetime(2026, 12, 8, 11, tzinfo=UTC), end_time=datetime(2026, 12, 8, 12, tzinfo=UTC))
    await all_.alice.change(name, moved, SECOND_NAME)
    first, second = await all_.bob.mail()
    assert first.event.first("RRULE") is not None
    assert second.method == "REQUEST"
    assert second.event.first("RRULE") is None
    assert second.event.text("RECURRENCE-ID") == SECOND_NAME
    assert (second.event.text("DTSTART"), second.event.text("SEQUENCE")) == ("20261208T110000Z", "1")
    # and moved once more
    await all_.alice.change(name, replace(moved, end_time=datetime(2026, 12, 8, 13, tzinfo=UTC)), SECOND_NAME)
    *_, third = await all_.bob.mail()
    assert (third.event.text("DTEND"), third.event.text("SEQUENCE")) == ("20261208T130000Z", "2")


@pytest.mark.requirement("MS-ASCMD_R6420")
async def test_one_occurrence_is_cancelled(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    await all_.alice.delete(name, SECOND_NAME)
    _, mail = await all_.bob.mail()
    assert mail.method == "CANCEL"
    assert mail.event.text("RECURRENCE-ID") == SECOND_NAME
    assert (mail.event.text("DTSTART"), mail.event.text("SEQUENCE")) == (SECOND_NAME, "1")
    assert mail.event.first("RRULE") is None
    # the series goes on, and is told with the gap from now on
    await all_.alice.change(name, Calendar(subject="Sit-down"))
    *_, series = await all_.bob.mail()
    assert series.event.text("EXDATE") == SECOND_NAME


async def test_a_moved_occurrence_is_cancelled_where_it_was(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    moved = Calendar(start_time=datetime(2026, 12, 8, 11, tzinfo=UTC), end_time=datetime(2026, 12, 8, 12, tzinfo=UTC))
    await all_.alice.change(name, moved, SECOND_NAME)
    await all_.alice.delete(name, SECOND_NAME)
    *_, mail = await all_.bob.mail()
    assert (mail.method, mail.event.text("DTSTART")) == ("CANCEL", "20261208T110000Z")
    assert mail.event.text("RECURRENCE-ID") == SECOND_NAME
    assert mail.event.text("SEQUENCE") == "2"


async def test_an_occurrence_that_is_cancelled_stays_so(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    cancelled = Calendar(meeting_status=MeetingStatus.CANCELLED)
    await all_.alice.change(name, cancelled, SECOND_NAME)
    await all_.alice.change(name, Calendar(subject="Off"), SECOND_NAME)
    await all_.alice.delete(name, SECOND_NAME)
    assert methods(await all_.bob.mail()) == ["REQUEST", "CANCEL"]
    _, mail = await all_.bob.mail()
    assert (mail.event.text("RECURRENCE-ID"), mail.event.text("SEQUENCE")) == (SECOND_NAME, "1")


async def test_guests_of_one_occurrence(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    await all_.alice.change(name, Calendar(attendees=meeting(BOB, CAROL).attendees), SECOND_NAME)
    assert methods(await all_.bob.mail()) == ["REQUEST"]
    (mail,) = await all_.carol.mail()
    assert (mail.method, mail.event.text("RECURRENCE-ID")) == ("REQUEST", SECOND_NAME)
    await all_.alice.change(name, Calendar(attendees=meeting(CAROL).attendees), SECOND_NAME)
    _, gone = await all_.bob.mail()
    assert (gone.method, gone.event.text("RECURRENCE-ID")) == ("CANCEL", SECOND_NAME)
    assert attendees(gone) == ["mailto:bob@example.com"]
    assert methods(await all_.carol.mail()) == ["REQUEST"]
    # all of it is cancelled for all of them
    await all_.alice.delete(name)
    assert methods(await all_.carol.mail()) == ["REQUEST", "CANCEL"]
    assert methods(await all_.bob.mail()) == ["REQUEST", "CANCEL", "CANCEL"]


async def test_another_rule_is_told_as_the_whole_series(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY))
    await all_.alice.change(name, Calendar(subject="Lie-down"), SECOND_NAME)
    await all_.alice.change(name, Calendar(recurrence=replace(WEEKLY, interval=2)))
    *_, mail = await all_.bob.mail()
    assert (mail.method, mail.event.text("SEQUENCE")) == ("REQUEST", "1")
    assert "INTERVAL=2" in (mail.event.text("RRULE") or "")


async def test_two_devices_change_a_meeting_at_the_same_moment(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    other = all_.alice.another_device()
    await other.sync()
    await other.sync()
    options = Options(conflict=Conflict.CLIENT_WINS)
    changes = (
        Calendar(start_time=datetime(2026, 12, 1, 8, tzinfo=UTC)),
        Calendar(location=Location(display_name="Upstairs")),
    )
    await asyncio.gather(
        *(
            who.sync(Change(server_id=name, application_data=dump(change)), options=options)
            for who, change in zip((all_.alice, other), changes, strict=True)
        )
    )
    (held,) = await all_.alice.events()
    event = held.components("VEVENT")[0]
    assert (event.text("DTSTART"), event.text("LOCATION")) == ("20261201T080000Z", "Upstairs")
    assert event.text("SEQUENCE") == "2"
    told = {mail.event.text("SEQUENCE"): mail.event for mail in await all_.bob.mail()}
    assert set(told) == {"0", "1", "2"}
    assert (told["2"].text("DTSTART"), told["2"].text("LOCATION")) == ("20261201T080000Z", "Upstairs")


# ---- when it fails


class Failing:
    """A submission that is out of order."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def submit(self, submission: Submission) -> Receipt:
        raise self.error


async def test_a_change_that_cannot_be_told_is_taken_back(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    working = all_.alice.calendar.bench.submission
    all_.alice.calendar.bench.submission = Failing(StoreUnavailable("away"))
    moved = Calendar(start_time=datetime(2026, 12, 1, 8, tzinfo=UTC))
    add = Add(client_id="2", application_data=dump(meeting(BOB, subject="Other")))
    answer = await all_.alice.sync(Change(server_id=name, application_data=dump(moved)), add)
    assert [r.status for r in answer.responses.responses] == [Status.SERVER_ERROR, Status.SERVER_ERROR]
    answer = await all_.alice.sync(Delete(server_id=name))
    assert [r.status for r in answer.responses.responses] == [Status.SERVER_ERROR]
    (held,) = await all_.alice.events()
    assert held.components("VEVENT")[0].text("DTSTART") == "20261201T090000Z"
    all_.alice.calendar.bench.submission = working
    await all_.alice.change(name, moved)
    await all_.alice.delete(name)
    assert methods(await all_.bob.mail()) == ["REQUEST", "REQUEST", "CANCEL"]


class FailingLater:
    """A submission that takes some messages, and no more."""

    def __init__(self, inner: MailSubmission, takes: int) -> None:
        self.inner, self.takes = inner, takes

    async def submit(self, submission: Submission) -> Receipt:
        if not self.takes:
            raise StoreUnavailable("away")
        self.takes -= 1
        return await self.inner.submit(submission)


async def test_what_is_told_in_part_stays(all_: Colleagues, caplog: pytest.LogCaptureFixture) -> None:
    """The first mail cannot be called back: better that one attendee misses something than that the first was wrong."""
    name = await all_.alice.add(meeting(BOB))
    bench = all_.alice.calendar.bench
    bench.submission = FailingLater(bench.submission, 1)
    await all_.alice.change(name, Calendar(attendees=meeting(CAROL).attendees))
    assert methods(await all_.bob.mail()) == ["REQUEST", "CANCEL"]
    assert await all_.carol.mail() == []
    assert "some attendees were told of a change, others not" in caplog.text


async def test_a_large_event(all_: Colleagues) -> None:
    text = "Agenda\n" * 20_000
    await all_.alice.add(meeting(BOB, body=Body(type=BodyType.PLAIN, data=text)))
    (mail,) = await all_.bob.mail()
    assert mail.event.text("DESCRIPTION") == text


async def test_no_room_for_the_copy_in_sent_items(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    all_.alice.calendar.bench.submission = Failing(StoreFull("full"))
    change = Change(server_id=name, application_data=dump(Calendar(subject="Other")))
    answer = await all_.alice.sync(change, Add(client_id="2", application_data=dump(meeting(BOB))))
    assert [r.status for r in answer.responses.responses] == [Status.NO_SPACE, Status.NO_SPACE]
    assert len(await all_.alice.events()) == 1


async def test_a_full_mailbox_among_the_guests_is_reported(all_: Colleagues) -> None:
    await all_.box.store.admin.set_quota(UserId(BOB), 1)
    await all_.alice.add(meeting(BOB, CAROL))
    assert await all_.bob.mail() == []
    assert methods(await all_.carol.mail()) == ["REQUEST"]
    (report,) = await all_.alice.mail()
    assert b"bob@example.com" in report.octets
    assert b"the mailbox is full" in report.octets


# ---- hostile


async def test_no_text_makes_header_lines(all_: Colleagues) -> None:
    evil = "Lunch\r\nBcc: spy@elsewhere.example\r\n\r\nBody"
    guests = (
        Attendee(email=BOB, name="Bob\r\nX-Evil: 1"),
        Attendee(email="x@elsewhere.example\r\nBcc: spy@elsewhere.example", name="X"),
        Attendee(email="a@elsewhere.example, spy@elsewhere.example", name="Y"),
    )
    await all_.alice.add(replace(meeting(), subject=evil, attendees=guests))
    (mail,) = await all_.bob.mail()
    assert set(mail.message.keys()) <= {
        *("Return-Path", "Delivered-To", "Received", "From", "To", "Subject", "Date", "Message-ID"),
        *("Content-Class", "MIME-Version", "Content-Type"),
    }
    assert mail.message["To"] == "Bob X-Evil: 1 <bob@example.com>" or '"' in str(mail.message["To"])
    assert [line.name for line in mail.event.properties if line.name.upper() in {"BCC", "X-EVIL"}] == []
    assert await all_.queue() == []


async def test_five_hundred_guests(all_: Colleagues) -> None:
    many = [f"guest{n}@elsewhere.example" for n in range(500)]
    await all_.alice.add(meeting(*many))
    (queued,) = await all_.queue()
    assert len(queued.forwarding.recipients) == 500
    (sent,) = await all_.alice.mail(SENT)
    assert max(map(len, sent.octets.split(b"\r\n"))) <= 998
    assert len(sent.event.all("ATTENDEE")) == 500


async def test_too_many_guests_are_refused(all_: Colleagues) -> None:
    add = Add(client_id="1", application_data=dump(meeting(*(f"g{n}@elsewhere.example" for n in range(1001)))))
    answer = await all_.alice.sync(add)
    assert answer.responses.responses[0].status == Status.CONVERSION_ERROR
    assert await all_.alice.events() == []
    assert await all_.queue() == []
