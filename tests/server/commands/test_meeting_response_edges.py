"""MeetingResponse where something is wrong: with the request, with what it names, with the server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import meeting_response
from eas_server.errors import CommandError, StoreFull, StoreUnavailable
from eas_server.interfaces import Receipt, Submission
from eas_server.model.ids import ItemId, server_id
from eas_server.model.mail import FolderType
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.meeting_response import Response, Result, SendResponse, Status
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.calendar import Calendar, ResponseType
from protocol.items.email import Email
from protocol.status import CommonStatus
from protocol.versions import V16_1
from tests.server.commands.colleagues import Colleagues, colleagues, meeting
from tests.server.commands.meeting_mail import (
    ACCEPT,
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
)
from tests.server.commands.support import check
from tests.server.render.invitations import ics, mail


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


# ---- what cannot be answered


async def a_note(all_: Colleagues) -> str:
    await deliver(all_, b"From: alice@example.com\r\nSubject: x\r\n\r\nHello\r\n")
    return (await invitation(all_.bob))[0]


async def a_cancellation(all_: Colleagues) -> str:
    await deliver(all_, mail(ics("CANCEL")))
    return (await invitation(all_.bob))[0]


async def of_a_cancelled_meeting(all_: Colleagues) -> str:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    await deliver(all_, mail(ics("CANCEL", sequence=1)))
    return name


async def a_cancelled_meeting(all_: Colleagues) -> str:
    await of_a_cancelled_meeting(all_)
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    return name


async def an_appointment(all_: Colleagues) -> str:
    await all_.bob.add(meeting())
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    return name


async def ones_own_meeting(all_: Colleagues) -> str:
    await all_.bob.add(meeting("carol@example.com"))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    return name


async def ones_own_invitation(all_: Colleagues) -> str:
    await deliver(all_, mail(ics(organizer="ORGANIZER:mailto:bob@example.com")))
    return (await invitation(all_.bob))[0]


async def what_is_gone(all_: Colleagues) -> str:
    return str(server_id(all_.bob.folders[INBOX], ItemId(77)))


async def what_is_no_id(_: Colleagues) -> str:
    return "1:x"


async def in_no_folder(_: Colleagues) -> str:
    return "999:1"


async def a_contact(all_: Colleagues) -> str:
    return str(server_id(all_.bob.folders[FolderType.CONTACTS], ItemId(1)))


@pytest.mark.requirement("MS-ASCMD_R4181", "MS-ASCMD_R4183", "MS-ASCMD_R4184")
@pytest.mark.parametrize(
    "made",
    [
        a_note,
        a_cancellation,
        of_a_cancelled_meeting,
        a_cancelled_meeting,
        an_appointment,
        ones_own_meeting,
        ones_own_invitation,
        what_is_gone,
        what_is_no_id,
        in_no_folder,
        a_contact,
    ],
)
async def test_what_cannot_be_answered(all_: Colleagues, made: Callable[[Colleagues], Awaitable[str]]) -> None:
    name = await made(all_)
    before = await shown(all_.bob, CALENDAR, Calendar)
    for answer in (ACCEPT, DECLINE):
        (result,) = await respond(all_.bob, to(name, answer, send_response=SendResponse()))
        assert (result.status, result.calendar_id) == (Status.INVALID_MEETING_REQUEST, None)
    assert await shown(all_.bob, CALENDAR, Calendar) == before
    assert await all_.alice.mail() == []


@pytest.mark.requirement("MS-ASCMD_R7031", "MS-ASCMD_R7036", "MS-ASCMD_R2460", "MS-ASCMD_R5871", "MS-ASCMD_R4723")
@pytest.mark.parametrize(
    "changes",
    [
        {"user_response": 0},
        {"user_response": 4},
        {"user_response": -(10**30)},
        {"user_response": None},
        {"request_id": None},
        {"collection_id": None},
        {"collection_id": "2"},
        {"collection_id": ""},
        {"collection_id": "1" * 65},
        {"request_id": ""},
        {"request_id": "1" * 65},
        {"long_id": "1:1"},
        {"long_id": "1:1", "request_id": None},
        {"long_id": "", "request_id": None, "collection_id": None},
        {"long_id": "x" * 300, "request_id": None, "collection_id": None},
    ],
)
async def test_malformed_requests(all_: Colleagues, changes: dict[str, Any]) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, replace(to(name, ACCEPT), **changes))
    assert result.status == Status.INVALID_MEETING_REQUEST
    assert len(await all_.bob.mail()) == 1


@pytest.mark.parametrize(
    "body", [Body(type=BodyType.RTF, data="e1xydGZ9"), Body(type=BodyType.MIME, data="Subject: x\r\n\r\n")]
)
async def test_bodies_that_nobody_can_read(all_: Colleagues, body: Body) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    (result,) = await respond(all_.bob, to(name, ACCEPT, send_response=SendResponse(body=body)))
    assert result.status == Status.INVALID_MEETING_REQUEST


@pytest.mark.requirement("MS-ASCMD_R2462", "MS-ASCMD_R2511", "MS-ASCMD_R3840")
async def test_several_requests_are_answered_one_by_one(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    await deliver(all_, mail(ics(uid="second@example.com", start="DTSTART:20261203T090000Z", end="")))
    first, second = sorted(await shown(all_.bob, INBOX, Email))
    results = await respond(all_.bob, to(first, ACCEPT), to("1:99", ACCEPT), to(second, DECLINE), to(first, ACCEPT))
    assert [r.request_id for r in results] == [first, "1:99", second, first]
    assert [r.status for r in results][:3] == [1, 2, 1]
    assert len(await shown(all_.bob, CALENDAR, Calendar)) == 1


@pytest.mark.requirement("MS-ASCMD_R5648", "MS-ASCMD_R5649", "MS-ASCMD_R5650")
async def test_too_many_requests(all_: Colleagues) -> None:
    one = to("1:1", ACCEPT)
    assert len(await respond(all_.bob, *[one] * 100)) == 100
    with pytest.raises(CommandError) as failed:
        await respond(all_.bob, *[one] * 101)
    assert failed.value.status == CommonStatus.INVALID_XML
    response = meeting_response.fail(CommonStatus.INVALID_XML, V16_1)
    check(response, "MeetingResponse", V16_1)


async def test_no_request_at_all(all_: Colleagues) -> None:
    (result,) = await respond(all_.bob)
    assert result.status == Status.INVALID_MEETING_REQUEST


@pytest.mark.requirement("MS-ASCMD_R4182")
async def test_a_document_of_another_shape(all_: Colleagues) -> None:
    ctx = await all_.bob.bench.context("MeetingResponse")
    wrong = Element(
        tag("MeetingResponse:MeetingResponse"),
        [Element(tag("MeetingResponse:Request"), [Element(tag("MeetingResponse:UserResponse"), "yes")])],
    )
    with pytest.raises(MalformedRequest) as malformed:
        meeting_response.COMMAND.read(wbxml.encode(wrong).join(), ctx.line, V16_1)
    response = meeting_response.COMMAND.refuse(malformed.value, V16_1)
    assert response == Response(results=(Result(status=2),))


# ---- faults


class Broken:
    """A submission that does not work now."""

    async def submit(self, _: Submission) -> Receipt:
        raise StoreUnavailable("not now")


class Full:
    """A submission without room."""

    async def submit(self, _: Submission) -> Receipt:
        raise StoreFull


@pytest.mark.requirement("MS-ASCMD_R4188", "MS-ASCMD_R4190")
@pytest.mark.parametrize("submission", [Broken(), Full()])
async def test_what_cannot_be_sent_changes_nothing(all_: Colleagues, submission: Any) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    works, all_.bob.bench.submission = all_.bob.bench.submission, submission
    (result,) = await respond(all_.bob, to(name, ACCEPT, send_response=SendResponse()))
    assert result.status == Status.MAILBOX_ERROR
    assert (await event(all_.bob)).response_type is ResponseType.NOT_RESPONDED
    all_.bob.bench.submission = works
    (result,) = await respond(all_.bob, to(name, ACCEPT, send_response=SendResponse()))
    assert result.status == Status.SUCCESS


@pytest.mark.parametrize("answer", [ACCEPT, DECLINE])
async def test_a_device_that_did_not_hear_of_it_asks_again(all_: Colleagues, answer: int) -> None:
    await deliver(all_, mail(ics()))
    name, _ = await invitation(all_.bob)
    asked = to(name, answer, send_response=SendResponse())
    first = await respond(all_.bob, asked)
    assert await respond(all_.bob, asked) == first
    assert first[0].status == Status.SUCCESS
    assert len(await all_.alice.mail()) == 1
    (other,) = await respond(all_.bob, to(name, MAYBE))  # another answer to what is in Deleted Items
    assert other.status == Status.INVALID_MEETING_REQUEST


async def test_a_declined_calendar_item_is_declined_again(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    first = await respond(all_.bob, to(name, DECLINE))
    assert await respond(all_.bob, to(name, DECLINE)) == first
    assert first[0].status == Status.SUCCESS


async def test_an_occurrence_that_ends_after_all_years(all_: Colleagues) -> None:
    await deliver(all_, mail(ics(end="DTEND:44981201T100000Z", more=("RRULE:FREQ=DAILY",))))
    (name,) = await shown(all_.bob, CALENDAR, Calendar)
    for answer in (ACCEPT, DECLINE):
        (result,) = await respond(all_.bob, to(name, answer, instance_id="8000-12-01T09:00:00.000Z"))
        assert result.status == Status.INVALID_MEETING_REQUEST
