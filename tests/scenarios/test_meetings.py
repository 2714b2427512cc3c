"""A meeting of two people and their devices, against a real server, in every version."""

from datetime import UTC, datetime

import pytest

from eas_server.model.mail import FolderType
from protocol.client import MEETING_RESPONSE
from protocol.commands import meeting_response, sync
from protocol.commands.meeting_response import SendResponse, Status
from protocol.items.calendar import (
    Attendee,
    AttendeeStatus,
    BusyStatus,
    Calendar,
    MeetingStatus,
    ResponseType,
)
from protocol.items.email import MeetingMessageType
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V14_0, V14_1, V16_0
from tests.server.render.invitations import answer, ics, mail

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
UID = "scenario-1@example.com"
START, END = datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)
"""As `ics` has it."""


async def settled(device):
    assert await device.provision()
    folders = await device.folders()
    for folder in (FolderType.INBOX, FolderType.CALENDAR):
        await device.catch_up(folders[folder])
    return folders


def events(news):
    return [
        load(Calendar, command.application_data) for command in news.commands if hasattr(command, "application_data")
    ]


class Organizer:
    """Alice with a meeting: her server sends its mail from 16.0 on, else her device does."""

    def __init__(self, world, device, folders):
        self.world, self.device, self.folders = world, device, folders

    def itip(self, method="REQUEST", **changes):
        line = f"ORGANIZER;CN=Alice:mailto:{self.world.address('alice')}"
        guest = f"ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{self.world.address('bob')}"
        return ics(method, uid=UID, organizer=line, attendees=(guest,), **changes)

    async def meets(self):
        modern = self.device.client.version >= V16_0
        event = Calendar(
            subject="Review",
            start_time=START,
            end_time=END,
            busy_status=BusyStatus.BUSY,
            all_day_event=False,
            attendees=(Attendee(email=self.world.address("bob"), name="Bob"),),
            meeting_status=None if modern else MeetingStatus.ORGANIZER,
            uid=None if modern else UID,
        )
        add = sync.Add(client_id="1", application_data=dump(event, self.device.client.version))
        news = await self.device.catch_up(self.folders[FolderType.CALENDAR], add, options=())
        (made,) = news.responses
        if not modern:
            await self.send(self.itip())
        return made.server_id

    async def send(self, octets):
        sender, to = (f"{name.title()} <{self.world.address(name)}>" for name in ("alice", "bob"))
        await self.device.send(mail(octets, None, sender=sender, to=to))


@VERSIONS
async def test_a_meeting_is_made_answered_and_cancelled(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, theirs = await settled(alice), await settled(bob)
    organizer = Organizer(world, alice, ours)
    item = await organizer.meets()

    ((name, request),) = (await bob.catch_up(theirs[FolderType.INBOX])).added.items()
    assert request.message_class == "IPM.Schedule.Meeting.Request"
    assert request.content_class == "urn:content-classes:calendarmessage"
    assert request.meeting_request.start_time == START
    if version >= V14_1:
        assert request.meeting_request.meeting_message_type is MeetingMessageType.INITIAL_REQUEST
    (tentative,) = events(await bob.catch_up(theirs[FolderType.CALENDAR], options=()))
    assert (tentative.busy_status, tentative.meeting_status) == (BusyStatus.TENTATIVE, MeetingStatus.RECEIVED)

    asked = meeting_response.Answer(
        user_response=1,
        collection_id=theirs[FolderType.INBOX],
        request_id=name,
        send_response=SendResponse() if version >= V16_0 else None,
    )
    response = (await bob.call(MEETING_RESPONSE, meeting_response.Request(answers=(asked,)))).take()
    (result,) = response.results
    assert (result.status, result.request_id) == (Status.SUCCESS, name)
    news = await bob.catch_up(theirs[FolderType.CALENDAR], options=())
    (changed,) = news.commands
    assert changed.server_id == result.calendar_id
    (accepted,) = events(news)
    assert accepted.busy_status is BusyStatus.BUSY
    if version >= V14_0:
        assert accepted.response_type is ResponseType.ACCEPTED
    (gone,) = (await bob.catch_up(theirs[FolderType.INBOX])).commands
    assert isinstance(gone, sync.Delete)

    if version < V16_0:
        bobs = answer(
            "ACCEPTED",
            world.address("bob"),
            uid=UID,
            organizer=f"ORGANIZER:mailto:{world.address('alice')}",
        )
        await bob.send(mail(bobs, "REPLY", sender=world.address("bob"), to=world.address("alice")))
    (noted,) = events(await alice.catch_up(ours[FolderType.CALENDAR], options=()))
    assert [a.status for a in noted.attendees] == [AttendeeStatus.ACCEPTED]
    (told,) = (await alice.catch_up(ours[FolderType.INBOX])).added.values()
    assert told.message_class == "IPM.Schedule.Meeting.Resp.Pos"
    assert told.meeting_request is not None

    if version < V16_0:
        await organizer.send(organizer.itip("CANCEL", sequence=1))
    else:
        await alice.catch_up(ours[FolderType.CALENDAR], sync.Delete(server_id=item), options=())
    (cancelled,) = events(await bob.catch_up(theirs[FolderType.CALENDAR], options=()))
    assert cancelled.meeting_status is MeetingStatus.CANCELLED_RECEIVED
    assert (cancelled.subject, cancelled.busy_status) == ("Canceled: Review", BusyStatus.FREE)
    (message,) = (await bob.catch_up(theirs[FolderType.INBOX])).added.values()
    assert message.message_class == "IPM.Schedule.Meeting.Canceled"
