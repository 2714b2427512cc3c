"""MeetingResponse, [MS-ASCMD] 2.2.1.11: the user accepts, perhaps accepts, or declines meetings."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.commands.meeting_answers import Failed, MeetingAnswers, Wanted
from eas_server.commands.reading import wbxml_reader
from eas_server.errors import CommandError, NoSuchFolder, StoreFull, StoreUnavailable, Unavailable
from eas_server.model.ids import CollectionId, ServerId, parse_server_id, server_id
from eas_server.model.mail import Folder, ItemClass
from eas_server.model.preferences import AnsweredMeeting, AnsweredMeetings
from eas_server.render.pim import InvalidItem
from protocol import quirks
from protocol.commands.meeting_response import (
    MAX_ID,
    MAX_LONG_ID,
    MAX_REQUESTS,
    Answer,
    Request,
    Response,
    Result,
    SendResponse,
    Status,
    UserResponse,
)
from protocol.datatypes import parse_datetime
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.items.calendar import ResponseType
from protocol.status import CommonStatus
from protocol.versions import V14_1, V16_0, V16_1, ProtocolVersion

_DASHED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_ANSWERS: Final = {
    UserResponse.ACCEPTED: ResponseType.ACCEPTED,
    UserResponse.TENTATIVE: ResponseType.TENTATIVE,
    UserResponse.DECLINED: ResponseType.DECLINED,
}


async def handle(request: Request, ctx: Context) -> Response:
    """Answer one after another; what is wrong with one of them is told in its Result."""
    if len(request.answers) > MAX_REQUESTS:
        raise CommandError(CommonStatus.INVALID_XML, f"more than {MAX_REQUESTS} requests")  # MS-ASCMD_R5650
    if not request.answers:
        return fail(Status.INVALID_MEETING_REQUEST, ctx.version)
    folders = {folder.id: folder for folder in await ctx.ports.folders.folders(ctx.account.user)}
    results = [await _result(answer, ctx, folders) for answer in request.answers]
    return Response(results=tuple(results))


async def _result(answer: Answer, ctx: Context, folders: Mapping[CollectionId, Folder]) -> Result:
    status, calendar_id = await _outcome(answer, ctx, folders)
    instance = answer.instance_id or ""
    return Result(
        request_id=None if answer.request_id is None else answer.request_id[:MAX_ID],
        status=status,
        calendar_id=calendar_id,
        instance_id=instance if ctx.version >= V14_1 and _DASHED.fullmatch(instance) else None,
    )


async def _outcome(answer: Answer, ctx: Context, folders: Mapping[CollectionId, Folder]) -> tuple[int, ServerId | None]:
    """The Status, and the calendar item where the meeting was not declined (MS-ASCMD_R830, R837)."""
    try:
        wanted = _wanted(answer, ctx.version)
        return Status.SUCCESS, await _carried_out(answer, wanted, ctx, folders)
    except Failed as failed:
        return failed.status, None
    except InvalidItem:  # an occurrence that no calendar has room for
        return Status.INVALID_MEETING_REQUEST, None
    except (StoreFull, StoreUnavailable):
        return Status.MAILBOX_ERROR, None
    except Unavailable:
        return Status.SERVER_ERROR, None


def _wanted(answer: Answer, version: ProtocolVersion) -> Wanted:
    """What the client asks for. Raises Failed."""
    ids = (answer.collection_id, answer.request_id)
    if answer.long_id is None:
        is_named = all(name and len(name) <= MAX_ID for name in ids)
    else:
        is_named = ids == (None, None) and 0 < len(answer.long_id) <= MAX_LONG_ID  # MS-ASCMD_R7031, R7036
    if not is_named or answer.user_response not in set(UserResponse):
        raise Failed(Status.INVALID_MEETING_REQUEST)
    return Wanted(
        answer=_ANSWERS[UserResponse(answer.user_response)],
        instance=_instance(answer.instance_id, version),
        send=_mail(answer.send_response, version),
    )


def _instance(text: str | None, version: ProtocolVersion) -> datetime | None:
    """The occurrence that is meant. Raises Failed."""
    if text is None:
        return None
    if version < V14_1 or not text:  # MS-ASCMD_R6712, R4186
        raise Failed(Status.INVALID_MEETING_REQUEST)
    if not _DASHED.fullmatch(text):
        raise Failed(CommonStatus.INVALID_DATE_TIME)  # MS-ASCMD_R3195
    try:
        return parse_datetime(text)
    except ValueError:
        raise Failed(CommonStatus.INVALID_DATE_TIME) from None


def _mail(send: SendResponse | None, version: ProtocolVersion) -> SendResponse | None:
    """The mail to the organizer, as far as the version has it (MS-ASCMD_R7116). Raises Failed."""
    if send is None or version < V16_0:
        return None
    if version < V16_1:
        return SendResponse(body=send.body)
    start, end = send.proposed_start_time, send.proposed_end_time
    if (start is None) is not (end is None):  # MS-ASCMD_R69901704, R69901725
        raise Failed(Status.INVALID_MEETING_REQUEST)
    if start is not None and end is not None and end < start:
        raise Failed(Status.INVALID_MEETING_REQUEST)
    return send


async def _carried_out(
    answer: Answer, wanted: Wanted, ctx: Context, folders: Mapping[CollectionId, Folder]
) -> ServerId | None:
    place = parse_server_id(answer.long_id or answer.request_id or "")
    folder = None if place is None else folders.get(place[0])
    if place is None or folder is None or answer.collection_id not in {None, folder.id}:
        raise Failed(Status.INVALID_MEETING_REQUEST)
    try:
        found = await ctx.ports.mail.fetch(ctx.account.user, folder.id, [place[1]])
    except NoSuchFolder:
        found = ()
    name = "|".join((ctx.device.id, server_id(*place), answer.instance_id or "", wanted.answer.name))
    if not found:
        return await _answered_before(name, ctx)
    answers = MeetingAnswers(ctx, folders.values())
    if folder.item_class is ItemClass.EMAIL:
        made = await answers.to_message(folder, found[0], wanted)
    elif folder.item_class is ItemClass.CALENDAR and _answers_in_calendar(ctx):
        made = await answers.to_event(folder, found[0], wanted)
    else:
        raise Failed(Status.INVALID_MEETING_REQUEST)  # MS-ASCMD_R4183
    done = AnsweredMeeting(name=name, calendar_id=made or "")
    await ctx.ports.preferences.change_preference(
        ctx.account.user, AnsweredMeetings, lambda held: held.with_answer(done)
    )
    return made


async def _answered_before(name: str, ctx: Context) -> ServerId | None:
    """What a device is told that did not hear of it: the request is in Deleted Items by now, a declined item gone."""
    held = await ctx.ports.preferences.preference(ctx.account.user, AnsweredMeetings)
    for answered in held.answers:
        if answered.name == name:
            return ServerId(answered.calendar_id) if answered.calendar_id else None
    raise Failed(Status.INVALID_MEETING_REQUEST)


def _answers_in_calendar(ctx: Context) -> bool:
    """Whether the client may answer by the calendar item: from 14.1 on (MS-ASCMD_R7509, R7510)."""
    if ctx.version >= V14_1:
        return True
    known = ctx.device.type.startswith(quirks.ANSWER_IN_CALENDAR_DEVICES)
    return known and quirks.tolerates(quirks.ANSWER_IN_CALENDAR)


def refuse(_: MalformedRequest, version: ProtocolVersion) -> Response:
    """The item is malformed (MS-ASCMD_R4182)."""
    return fail(Status.INVALID_MEETING_REQUEST, version)


def fail(status: int, _: ProtocolVersion) -> Response:
    """One Result with the Status: the response has no other place for it."""
    return Response(results=(Result(status=status),))


COMMAND = Command(
    name=CommandName.MEETING_RESPONSE, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail
)
