"""Meetings from the invitation to the answer in the organizer's calendar, and MeetingResponse by itself."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eas_server.model.mail import FolderType
from protocol.commands.meeting_response import Answer, SendResponse, Status
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.calendar import AttendeeStatus, BusyStatus, Calendar, MeetingStatus, ResponseType
from protocol.items.email import Email
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.colleagues import Colleagues, colleagues, meeting
from tests.server.commands.meeting_mail import (
    ACCEPT,
    BOB,
    CALENDAR,
    DAILY,
    DECLINE,
    DELETED,
    INBOX,
    MAYBE,
    SECOND,
    deliver,
    event,
    invitation,
    respond,
    shown,
    to,
    write,
)
from tests.server.render.invitations import OUTLOOK, ics, mail
from tests.server.render.invitations import answer as reply


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


# ---- from the one calendar to the other and back


@pytest.mark.requirement(
    "MS-ASCMD_R5066", "MS-ASCMD_R5068", "MS-ASCMD_R5828", "MS-ASCMD_R5071", "MS-ASCMD_R5085", "MS-ASCMD_R5089"
)
@pytest.mark.parametrize("version", SUPPORTED)
async def test_round_trip(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    alice, bob = all_.alice, all_.bob
    if version >= V16_0:
        await alice.add(meeting(BOB))
    else:
        await alice.add(meeting(BOB, uid="meeting-1@example.com", meeting_status=MeetingStatus.ORGANIZER))
        await write(alice, mail(ics()))
    name, request = await invitation(bob)
    assert request.message_class == "IPM.Schedule.Meeting.Request"
    assert request.content_class == "urn:content-classes:calendarmessage"
    assert request.meeting_request is not None
    tentative = await event(bob)
    assert (tentative.busy_status, tentative.meeting_status) == (BusyStatus.TENTATIVE, MeetingStatus.RECEIVED)
    if version >= V14_0:
        assert tentative.response_type is ResponseType.NOT_RESPONDED
        assert tentative.appointment_reply_time is None
    send_response = SendResponse(body=Body(type=BodyType.PLAIN, data="With pleasure")) if version >= V16_0 else None
    (result,) = await respond(bob, to(name, ACCEPT, send_response=send_response))
    assert result.status == Status.SUCCESS
    (calendar_id,) = await shown(bob, CALENDAR, Calendar)
    assert (result.request_id, result.calendar_id) == (name, calendar_id)
    accepted = await event(bob)
    assert (accepted.busy_status, accepted.meeting_status) == (BusyStatus.BUSY, MeetingStatus.RECEIVED)
    if version >= V14_0:
        assert accepted.response_type is ResponseType.ACCEPTED
        assert accepted.appointment_reply_time == bob.bench.now
    assert await bob.mail() == []
    assert len(await bob.mail(DELETED)) == 1
    if version < V16_0:
        await write(bob, mail(reply("ACCEPTED"), "REPLY", sender=f"Bob <{BOB}>", to="alice@example.com"))
    noted = await event(alice)
    assert noted.attendees is not None
    assert [(a.email, a.status) for a in noted.attendees] == [(BOB, AttendeeStatus.ACCEPTED)]
    _, told = await invitation(alice)
    assert told.message_class == "IPM.Schedule.Meeting.Resp.Pos"


@pytest.mark.requirement("MS-ASCMD_R6062", "MS-ASCMD_R7113", "MS-ASCMD_R7114", "MS-ASCMD_R7115")
@pytest.mark.parametrize("version", [V16_0, V16_1])
@pytest.mark.parametrize(
    ("send_response", "text"),
    [
        (None, None),
        (SendResponse(), ""),
        (SendResponse(body=Body(type=BodyType.PLAIN, data="With pleasure")), "With pleasure"),
        (SendResponse(body=Body(type=BodyType.HTML, data="<b>With</b> pleasure")), "With pleasure"),
    ],
)
async def test_the_mail_to_the_organizer(
    all_: Colleagues, version: ProtocolVersion, send_response: SendResponse | None, text: str | None
) -> None:
    all_.speak(version)
    await all_.alice.add(meeting(BOB))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, MAYBE, send_response=send_response))
    assert result.status == Status.SUCCESS
    sent = await all_.bob.mail(FolderType.SENT_ITEMS)
    if text is None:
        assert sent == []
        assert await all_.alice.mail() == []
        return
    (mine,) = sent
    assert mine.item.state.read
    (told,) = await all_.alice.mail()
    assert told.method == "REPLY"
    assert told.message["From"] == "Bob <bob@example.com>"
    assert told.item.index.message_class == "IPM.Schedule.Meeting.Resp.Tent"
    part = told.message.get_body(("plain",))
    assert part is not None
    assert part.get_content().strip() == text
    found = await event(all_.alice)
    assert [a.status for a in found.attendees or ()] == [AttendeeStatus.TENTATIVE]


@pytest.mark.requirement("MS-ASCMD_R7116", "MS-ASCMD_R7117", "MS-ASCMD_R7118")
@pytest.mark.parametrize("version", [V12_1, V14_0, V14_1])
async def test_up_to_14_1_the_server_sends_nothing(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, ACCEPT, send_response=SendResponse()))
    assert result.status == Status.SUCCESS
    assert await all_.bob.mail(FolderType.SENT_ITEMS) == []
    assert await all_.alice.mail() == []


# ---- declining


@pytest.mark.requirement("MS-ASCMD_R837", "MS-ASCMD_R5072", "MS-ASCMD_R830")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_declining_removes_the_item(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, DECLINE))
    assert (result.status, result.calendar_id) == (Status.SUCCESS, None)
    assert await shown(all_.bob, CALENDAR, Calendar) == {}
    assert await all_.bob.mail() == []


async def test_declining_at_16_tells_the_organizer(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOB))
    name, _ = await invitation(all_.bob)
    await respond(all_.bob, to(name, DECLINE, send_response=SendResponse()))
    found = await event(all_.alice)
    assert [a.status for a in found.attendees or ()] == [AttendeeStatus.DECLINED]
    (told,) = await all_.alice.mail()
    assert told.item.index.message_class == "IPM.Schedule.Meeting.Resp.Neg"
    assert told.subject.endswith("Stand-up")


# ---- the item


@pytest.mark.requirement("MS-ASCMD_R831", "MS-ASCMD_R5678", "MS-ASCMD_R5790")
@pytest.mark.parametrize("answer", [ACCEPT, MAYBE])
async def test_an_item_that_is_not_there_is_made(all_: Colleagues, answer: int) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (held,) = await all_.bob.items(CALENDAR)
    await all_.box.store.mail.delete(all_.bob.bench.account.user, all_.bob.folders[CALENDAR], [held.id])
    (result,) = await respond(all_.bob, to(name, answer))
    (calendar_id,) = await shown(all_.bob, CALENDAR, Calendar)
    assert (result.status, result.calendar_id) == (Status.SUCCESS, calendar_id)
    found = await event(all_.bob)
    assert found.response_type is (ResponseType.ACCEPTED if answer == ACCEPT else ResponseType.TENTATIVE)


async def test_an_item_that_is_not_there_is_declined_all_the_same(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (held,) = await all_.bob.items(CALENDAR)
    await all_.box.store.mail.delete(all_.bob.bench.account.user, all_.bob.folders[CALENDAR], [held.id])
    (result,) = await respond(all_.bob, to(name, DECLINE, send_response=SendResponse()))
    assert result.status == Status.SUCCESS
    assert len(await all_.alice.mail()) == 1
    assert await shown(all_.bob, CALENDAR, Calendar) == {}


@pytest.mark.requirement("MS-ASCMD_R5707", "MS-ASCMD_R5708", "MS-ASCMD_R5709", "MS-ASCMD_R6061")
@pytest.mark.parametrize("version", [V14_1, V16_0, V16_1])
async def test_the_calendar_item_is_answered(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await deliver(all_, mail(ics()))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    (result,) = await respond(all_.bob, to(name, MAYBE))
    assert (result.status, result.request_id, result.calendar_id) == (Status.SUCCESS, name, name)
    assert (await event(all_.bob)).response_type is ResponseType.TENTATIVE
    (result,) = await respond(all_.bob, to(name, ACCEPT))
    assert (await event(all_.bob)).response_type is ResponseType.ACCEPTED
    (result,) = await respond(all_.bob, to(name, DECLINE))
    assert (result.status, result.calendar_id) == (Status.SUCCESS, None)
    assert await shown(all_.bob, CALENDAR, Calendar) == {}


@pytest.mark.requirement("MS-ASCMD_R7509", "MS-ASCMD_R7510", "MS-ASCMD_R5128")
@pytest.mark.parametrize("version", [V12_1, V14_0])
@pytest.mark.parametrize(
    ("device_type", "expected"), [("", 2), ("SmartPhone", 2), ("WindowsOutlook15", 1), ("iPhone", 1)]
)
async def test_older_versions_answer_messages_alone(
    all_: Colleagues, version: ProtocolVersion, device_type: str, expected: int
) -> None:
    """The quirk ANSWER_IN_CALENDAR."""
    all_.speak(version)
    await all_.bob.bench.change_device(type=device_type)
    await deliver(all_, mail(ics()))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    (result,) = await respond(all_.bob, to(name, ACCEPT))
    assert result.status == expected


@pytest.mark.requirement("MS-ASCMD_R5519", "MS-ASCMD_R5374", "MS-ASCMD_R2470")
async def test_a_long_id_names_the_request(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, Answer(user_response=ACCEPT, long_id=name))
    assert (result.status, result.request_id) == (Status.SUCCESS, None)
    assert result.calendar_id is not None


# ---- occurrences


async def series_of_bob(all_: Colleagues) -> str:
    """A series in Bob's calendar; its ServerId."""
    await deliver(all_, mail(ics(more=DAILY)))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    return name


@pytest.mark.requirement("MS-ASCMD_R3188", "MS-ASCMD_R3190", "MS-ASCMD_R3193", "MS-ASCMD_R3194", "MS-ASCMD_R6708")
@pytest.mark.parametrize("version", [V14_1, V16_0, V16_1])
async def test_one_occurrence_is_answered(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    name = await series_of_bob(all_)
    send = SendResponse() if version >= V16_0 else None
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=SECOND, send_response=send))
    assert (result.status, result.calendar_id, result.instance_id) == (Status.SUCCESS, name, SECOND)
    found = await event(all_.bob)
    (only,) = found.exceptions or ()
    assert (found.response_type, only.response_type) == (ResponseType.NOT_RESPONDED, ResponseType.ACCEPTED)
    if send is not None:
        (told,) = await all_.alice.mail()
        line = told.event.first("RECURRENCE-ID")
        assert line is not None
        assert line.value == "20261202T090000Z"
    (result,) = await respond(all_.bob, to(name, DECLINE, instance_id=SECOND))
    assert (result.status, result.calendar_id) == (Status.SUCCESS, None)
    (only,) = (await event(all_.bob)).exceptions or ()
    assert only.deleted
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=SECOND))
    assert result.status == Status.INVALID_MEETING_REQUEST


@pytest.mark.requirement("MS-ASCMD_R3191")
async def test_without_instance_all_occurrences_are_answered(all_: Colleagues) -> None:
    name = await series_of_bob(all_)
    await respond(all_.bob, to(name, MAYBE, instance_id=SECOND))
    (result,) = await respond(all_.bob, to(name, ACCEPT))
    assert result.status == Status.SUCCESS
    found = await event(all_.bob)
    (only,) = found.exceptions or ()
    assert (found.response_type, only.response_type) == (ResponseType.ACCEPTED, None)


@pytest.mark.requirement("MS-ASCMD_R3195", "MS-ASCMD_R4186", "MS-ASCMD_R3192")
@pytest.mark.parametrize(
    ("instance", "status"),
    [
        ("20261202T090000Z", CommonStatus.INVALID_DATE_TIME),
        ("2026-12-02", CommonStatus.INVALID_DATE_TIME),
        ("2026-13-32T09:00:00.000Z", CommonStatus.INVALID_DATE_TIME),
        ("nonsense", CommonStatus.INVALID_DATE_TIME),
        ("", Status.INVALID_MEETING_REQUEST),
        ("2026-12-02T10:00:00.000Z", Status.INVALID_MEETING_REQUEST),
        ("2036-12-02T09:00:00.000Z", Status.INVALID_MEETING_REQUEST),
        ("9999-12-31T23:59:59.000Z", Status.INVALID_MEETING_REQUEST),
        ("0001-01-01T00:00:00.000Z", Status.INVALID_MEETING_REQUEST),
    ],
)
async def test_instances_that_are_none(all_: Colleagues, instance: str, status: int) -> None:
    name = await series_of_bob(all_)
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=instance))
    assert (result.status, result.calendar_id) == (status, None)


@pytest.mark.requirement("MS-ASCMD_R3196")
async def test_an_instance_of_what_does_not_recur(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id="2026-12-01T09:00:00.000Z"))
    assert result.status == CommonStatus.NO_RECURRENCE_IN_CALENDAR


@pytest.mark.requirement("MS-ASCMD_R4185")
async def test_an_instance_of_a_message(all_: Colleagues) -> None:
    await deliver(all_, mail(ics(more=DAILY)))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=SECOND))
    assert result.status == Status.INVALID_MEETING_REQUEST


@pytest.mark.requirement("MS-ASCMD_R6712", "MS-ASCMD_R6714", "MS-ASCMD_R6715")
@pytest.mark.parametrize("version", [V12_1, V14_0])
async def test_versions_without_instances(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await all_.bob.bench.change_device(type="iPhone")
    name = await series_of_bob(all_)
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=SECOND))
    assert (result.status, result.instance_id) == (Status.INVALID_MEETING_REQUEST, None)


async def test_a_request_about_one_occurrence(all_: Colleagues) -> None:
    name = await series_of_bob(all_)
    await respond(all_.bob, to(name, ACCEPT))
    moved = ics(
        start="DTSTART:20261202T150000Z",
        end="DTEND:20261202T160000Z",
        more=("RECURRENCE-ID:20261202T090000Z",),
        sequence=1,
    )
    await deliver(all_, mail(moved))
    (request,) = [key for key, m in (await shown(all_.bob, INBOX, Email)).items() if m.meeting_request.recurrence_id]
    (result,) = await respond(all_.bob, to(request, MAYBE, send_response=SendResponse()))
    assert (result.status, result.calendar_id) == (Status.SUCCESS, name)
    found = await event(all_.bob)
    (only,) = found.exceptions or ()
    assert (found.response_type, only.response_type) == (ResponseType.ACCEPTED, ResponseType.TENTATIVE)
    (told,) = await all_.alice.mail()
    assert told.event.first("RECURRENCE-ID") is not None
    assert told.item.index.message_class == "IPM.Schedule.Meeting.Resp.Tent"


# ---- proposals


AT_TWO, AT_THREE = datetime(2026, 12, 1, 14, tzinfo=UTC), datetime(2026, 12, 1, 15, tzinfo=UTC)


@pytest.mark.requirement(
    "MS-ASCMD_R6990101702", "MS-ASCMD_R6990101723", "MS-ASCMD_R6990101703", "MS-ASCAL_R103001", "MS-ASCAL_R103002"
)
@pytest.mark.parametrize("answer", [MAYBE, DECLINE])
async def test_another_time_is_proposed(all_: Colleagues, answer: int) -> None:
    await all_.alice.add(meeting(BOB))
    name, _ = await invitation(all_.bob)
    proposal = SendResponse(proposed_start_time=AT_TWO, proposed_end_time=AT_THREE)
    (result,) = await respond(all_.bob, to(name, answer, send_response=proposal))
    assert result.status == Status.SUCCESS
    (told,) = await all_.alice.mail()
    assert told.method == "COUNTER"
    found = await event(all_.alice)
    (bob,) = found.attendees or ()
    assert (bob.proposed_start_time, bob.proposed_end_time) == (AT_TWO, AT_THREE)
    assert bob.status is (AttendeeStatus.TENTATIVE if answer == MAYBE else AttendeeStatus.DECLINED)
    assert found.start_time == datetime(2026, 12, 1, 9, tzinfo=UTC)
    _, message = await invitation(all_.alice)
    request = message.meeting_request
    assert request is not None
    assert (request.proposed_start_time, request.proposed_end_time) == (AT_TWO, AT_THREE)
    assert request.start_time == datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.requirement("MS-ASCMD_R69901704", "MS-ASCMD_R69901725")
@pytest.mark.parametrize(
    "proposal",
    [
        SendResponse(proposed_start_time=AT_TWO),
        SendResponse(proposed_end_time=AT_TWO),
        SendResponse(proposed_start_time=AT_THREE, proposed_end_time=AT_TWO),
    ],
)
async def test_half_a_proposal(all_: Colleagues, proposal: SendResponse) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, MAYBE, send_response=proposal))
    assert result.status == Status.INVALID_MEETING_REQUEST
    assert await all_.alice.mail() == []
    assert len(await all_.bob.mail()) == 1


@pytest.mark.requirement("MS-ASCMD_R6990101721")
async def test_at_16_0_nothing_is_proposed(all_: Colleagues) -> None:
    all_.speak(V16_0)
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    await respond(all_.bob, to(name, MAYBE, send_response=SendResponse(proposed_start_time=AT_TWO)))
    (told,) = await all_.alice.mail()
    assert told.method == "REPLY"


async def test_who_wants_no_proposals_gets_none(all_: Colleagues) -> None:
    await deliver(all_, mail(ics(more=("X-MICROSOFT-DISALLOW-COUNTER:TRUE",))))
    name, _ = await invitation(all_.bob)
    proposal = SendResponse(proposed_start_time=AT_TWO, proposed_end_time=AT_THREE)
    (result,) = await respond(all_.bob, to(name, MAYBE, send_response=proposal))
    assert result.status == Status.INVALID_MEETING_REQUEST
    assert await all_.alice.mail() == []


# ---- what the message says of itself


@pytest.mark.requirement("MS-ASEMAIL_R537", "MS-ASEMAIL_R1070", "MS-ASEMAIL_R1258", "MS-ASEMAIL_R1355")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_invitations_that_are_out_of_date_or_alone(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    await deliver(all_, mail(ics()))
    await deliver(all_, mail(ics(sequence=1, start="DTSTART:20261201T093000Z")))
    await deliver(all_, mail(ics(uid="series@example.com", more=("RECURRENCE-ID:20261201T080000Z",))))
    found = [m.meeting_request for _, m in sorted((await shown(all_.bob, INBOX, Email)).items())]
    kinds = [request.meeting_message_type for request in found]
    assert kinds == ([4, 2, 1] if version >= V14_1 else [None] * 3)
    assert [request.instance_type for request in found] == [0, 0, 4 if version >= V16_0 else 3]


@pytest.mark.requirement("MS-ASCMD_R3190")
@pytest.mark.parametrize("version", [V14_1, V16_0, V16_1])
@pytest.mark.parametrize(
    ("octets", "instance"),
    [
        (OUTLOOK, "2026-12-07T17:00:00.000Z"),
        (
            mail(ics(start="DTSTART;VALUE=DATE:20261201", end="DTEND;VALUE=DATE:20261202", more=DAILY)),
            "2026-12-02T00:00:00.000Z",
        ),
    ],
)
async def test_occurrences_in_a_zone_and_of_whole_days(
    all_: Colleagues, version: ProtocolVersion, octets: bytes, instance: str
) -> None:
    all_.speak(version)
    await deliver(all_, octets)
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    send = SendResponse() if version >= V16_0 else None
    (result,) = await respond(all_.bob, to(name, ACCEPT, instance_id=instance, send_response=send))
    assert result.status == Status.SUCCESS
    found = await event(all_.bob)
    (only,) = found.exceptions or ()
    moment = only.instance_id if version >= V16_0 else only.exception_start_time
    assert moment == datetime.fromisoformat(instance)
    assert only.response_type is ResponseType.ACCEPTED
    (result,) = await respond(all_.bob, to(name, DECLINE, instance_id=instance, send_response=send))
    assert result.status == Status.SUCCESS
    (only,) = (await event(all_.bob)).exceptions or ()
    assert only.deleted
