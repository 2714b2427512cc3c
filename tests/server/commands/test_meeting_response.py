"""Meetings from the invitation to the answer in the organizer's calendar, and MeetingResponse by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import meeting_response, send_mail
from eas_server.commands.compose import Order, send
from eas_server.model.mail import FolderType
from eas_server.render.mime import index_message
from eas_server.submission.incoming import Envelope, Incoming, IncomingPorts, Outcome
from protocol.commands.meeting_response import Answer, Request, Response, Result, SendResponse, Status
from protocol.commands.sync import Options, ServerAdd
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.calendar import (
    AttendeeStatus,
    BusyStatus,
    Calendar,
    MeetingStatus,
    ResponseType,
)
from protocol.items.email import Email
from protocol.schema import load
from protocol.versions import SUPPORTED, V14_0, V16_0, ProtocolVersion
from tests.server.commands.colleagues import Colleague, Colleagues, colleagues, meeting
from tests.server.commands.mailbox import FixedClock
from tests.server.render.invitations import answer as reply
from tests.server.render.invitations import ics, mail

ACCEPT, MAYBE, DECLINE = 1, 2, 3
BOB = "bob@example.com"
INBOX, DELETED, CALENDAR = FolderType.INBOX, FolderType.DELETED_ITEMS, FolderType.CALENDAR
DAILY = ("RRULE:FREQ=DAILY;COUNT=5",)
SECOND = "2026-12-02T09:00:00.000Z"


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


async def deliver(all_: Colleagues, octets: bytes, *to: str) -> None:
    """A mail that comes from outside."""
    store = all_.box.store
    ports = IncomingPorts(
        accounts=store.accounts,
        submission=all_.alice.bench.submission,
        clock=FixedClock(all_.alice.bench.now),
        index=index_message,
    )
    incoming = Incoming(ports, host="mail.example.com", domains=("example.com",))
    envelope = Envelope(
        sender="alice@example.com", recipients=to or (BOB,), content=memoryview(octets), protocol="LMTP"
    )
    assert set(await incoming.deliver(envelope)) == {Outcome.DELIVERED}


async def write(one: Colleague, octets: bytes) -> None:
    """A mail that a device sends."""
    order = Order(command="SendMail", client_id=None, mime=memoryview(octets), save=True)
    await send(order, await one.bench.context(send_mail.COMMAND.name))


async def shown(one: Colleague, folder: FolderType, kind: type[Any]) -> dict[str, Any]:
    """What a new device gets of a folder, by ServerId."""
    phone = one.box.phone("new", one.folders[folder])
    phone.bench = one.bench
    found = {}
    phone.key = "0"
    while (got := await phone.ask(lose=True, options=Options())) is not None:
        phone.key = got.sync_key
        for command in got.commands.commands if got.commands else ():
            assert isinstance(command, ServerAdd)
            found[command.server_id] = load(kind, command.application_data)
    return found


async def event(one: Colleague) -> Calendar:
    """The only event of somebody's calendar."""
    (found,) = (await shown(one, CALENDAR, Calendar)).values()
    assert isinstance(found, Calendar)
    return found


async def invitation(one: Colleague) -> tuple[str, Email]:
    """The only message in somebody's Inbox."""
    ((name, found),) = (await shown(one, INBOX, Email)).items()
    return name, found


async def respond(one: Colleague, *answers: Answer) -> tuple[Result, ...]:
    response: Response = await one.bench.run(meeting_response.COMMAND, Request(answers=answers))
    return response.results


def to(name: str, answer: int, **more: Any) -> Answer:
    """An answer to an item."""
    return Answer(user_response=answer, collection_id=name.partition(":")[0], request_id=name, **more)


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
