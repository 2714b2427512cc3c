"""The MeetingRequest of messages, in whatever command they come to a device; and meetings between two devices."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.commands import item_operations, search
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands import search as searching
from protocol.commands.meeting_response import SendResponse, Status
from protocol.elements import Element
from protocol.items.calendar import (
    AttendeeStatus,
    Calendar,
    MeetingStatus,
    Recurrence,
    RecurrenceType,
    ResponseType,
)
from protocol.items.email import Email, MeetingMessageType
from protocol.schema import EMPTY, load
from protocol.versions import SUPPORTED, V16_0, V16_1, ProtocolVersion
from tests.server.commands.colleagues import Colleagues, colleagues, meeting
from tests.server.commands.meeting_mail import (
    ACCEPT,
    BOB,
    CALENDAR,
    DECLINE,
    INBOX,
    MAYBE,
    deliver,
    event,
    invitation,
    respond,
    shown,
    to,
    write,
)
from tests.server.render.invitations import APPLE, OUTLOOK, answer, google, ics, mail


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


def email(properties: Element) -> Email:
    return load(Email, Element(tag("AirSync:ApplicationData"), properties.content))


@pytest.mark.requirement("MS-ASEMAIL_R541", "MS-ASEMAIL_R545", "MS-ASCMD_R5067")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("octets", [OUTLOOK, google(), APPLE, mail(ics(organizer=None)), mail(ics("CANCEL"))])
async def test_sync_fetch_and_search(all_: Colleagues, version: ProtocolVersion, octets: bytes) -> None:
    all_.speak(version)
    await deliver(all_, octets)
    name, synced = await invitation(all_.bob)
    assert synced.meeting_request is not None
    fetch = operations.Fetch(store="Mailbox", collection_id=name.partition(":")[0], server_id=name)
    fetched = await all_.bob.bench.run(item_operations.COMMAND, operations.Request(operations=(fetch,)))
    (one,) = fetched.responses.fetched
    assert email(one.properties).meeting_request == synced.meeting_request
    sought = Element(tag("Search:And"), [Element(tag("Search:FreeText"), "alice")])
    store = searching.Store(
        name="Mailbox",
        query=Element(tag("Search:Query"), [sought]),
        options=searching.Options(deep_traversal=EMPTY),
    )
    response = await all_.bob.bench.run(search.COMMAND, searching.Request(store=store))
    (result,) = [one for one in response.answer.store.results if one.long_id == name]
    assert email(result.properties).meeting_request == synced.meeting_request


@pytest.mark.requirement("MS-ASEMAIL_R544")
async def test_other_messages_have_none(all_: Colleagues) -> None:
    await deliver(all_, b"From: alice@example.com\r\nSubject: x\r\n\r\nHello\r\n")
    await deliver(all_, mail(ics("PUBLISH")))
    assert {m.meeting_request for m in (await shown(all_.bob, INBOX, Email)).values()} == {None}


async def test_in_sent_items(all_: Colleagues) -> None:
    await write(all_.alice, mail(ics()))
    await write(all_.bob, mail(answer("ACCEPTED"), "REPLY", sender="bob@example.com", to="alice@example.com"))
    (invited,) = (await shown(all_.alice, FolderType.SENT_ITEMS, Email)).values()
    assert (invited.message_class, invited.meeting_request) == ("IPM.Schedule.Meeting.Request", None)
    (answered,) = (await shown(all_.bob, FolderType.SENT_ITEMS, Email)).values()
    assert answered.message_class == "IPM.Schedule.Meeting.Resp.Pos"
    assert answered.meeting_request is not None


# ---- both sides of the server, occurrence by occurrence

WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)
SECOND_NAME = "20261208T090000Z"


@pytest.mark.parametrize("version", [V16_0, V16_1])
async def test_an_occurrence_is_moved_answered_and_cancelled(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    alice, bob = all_.alice, all_.bob
    name = await alice.add(meeting(BOB, recurrence=WEEKLY))
    await alice.sync()
    (invited,) = (await shown(bob, INBOX, Email)).keys()
    await respond(bob, to(invited, ACCEPT, send_response=SendResponse()))
    moved = Calendar(start_time=datetime(2026, 12, 8, 14, tzinfo=UTC), end_time=datetime(2026, 12, 8, 15, tzinfo=UTC))
    all_.wait(timedelta(minutes=1))
    await alice.sync()
    await alice.change(name, moved, instance_id=SECOND_NAME)
    found = await event(bob)
    (only,) = found.exceptions or ()
    assert only.start_time == datetime(2026, 12, 8, 14, tzinfo=UTC)
    assert (found.response_type, only.response_type) == (ResponseType.ACCEPTED, ResponseType.NOT_RESPONDED)
    (update,) = [key for key, m in (await shown(bob, INBOX, Email)).items() if m.meeting_request.recurrence_id]
    all_.wait(timedelta(minutes=1))
    (result,) = await respond(bob, to(update, MAYBE, send_response=SendResponse()))
    assert result.status == Status.SUCCESS
    mine = await event(alice)
    (only,) = mine.exceptions or ()
    assert [a.status for a in mine.attendees or ()] == [AttendeeStatus.ACCEPTED]
    assert [a.status for a in only.attendees or ()] == [AttendeeStatus.TENTATIVE]
    all_.wait(timedelta(minutes=1))
    await alice.sync()
    await alice.delete(name, instance_id=SECOND_NAME)
    (only,) = (await event(bob)).exceptions or ()
    assert only.meeting_status is MeetingStatus.CANCELLED_RECEIVED
    all_.wait(timedelta(minutes=1))
    await alice.delete(name)
    assert (await event(bob)).meeting_status is MeetingStatus.CANCELLED_RECEIVED


@pytest.mark.parametrize("version", [V16_0, V16_1])
async def test_another_time_asks_everybody_again(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    alice, bob = all_.alice, all_.bob
    name = await alice.add(meeting(BOB))
    (invited,) = (await shown(bob, INBOX, Email)).keys()
    await respond(bob, to(invited, ACCEPT, send_response=SendResponse()))
    await alice.sync()
    all_.wait(timedelta(minutes=1))
    later = Calendar(start_time=datetime(2026, 12, 1, 12, tzinfo=UTC), end_time=datetime(2026, 12, 1, 13, tzinfo=UTC))
    await alice.change(name, later)
    found = await event(bob)
    assert (found.start_time, found.response_type) == (
        datetime(2026, 12, 1, 12, tzinfo=UTC),
        ResponseType.NOT_RESPONDED,
    )
    ((again, message),) = (await shown(bob, INBOX, Email)).items()
    assert message.meeting_request.meeting_message_type is MeetingMessageType.FULL_UPDATE
    all_.wait(timedelta(minutes=1))
    await respond(bob, to(again, DECLINE, send_response=SendResponse()))
    assert [a.status for a in (await event(alice)).attendees or ()] == [AttendeeStatus.DECLINED]
    await alice.sync()
    all_.wait(timedelta(minutes=1))
    await alice.change(name, Calendar(subject="Another word"))
    assert await shown(bob, CALENDAR, Calendar) == {}
    all_.wait(timedelta(minutes=1))
    await alice.change(name, Calendar(end_time=datetime(2026, 12, 1, 14, tzinfo=UTC)))
    assert (await event(bob)).response_type is ResponseType.NOT_RESPONDED
