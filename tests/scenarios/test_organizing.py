"""Meetings from the organizer's calendar to those of the attendees: what the server sends, and what it does not."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import SMART_FORWARD
from protocol.commands import smart_forward, sync
from protocol.commands.compose_mail import Source
from protocol.items.airsyncbase import Location
from protocol.items.calendar import Attendee, Calendar, MeetingStatus, Recurrence, RecurrenceType
from protocol.versions import SUPPORTED, V16_0

MODERN = pytest.mark.parametrize("version", [v for v in SUPPORTED if v >= V16_0], ids=str)
OLD = pytest.mark.parametrize("version", [v for v in SUPPORTED if v < V16_0], ids=str)
START = datetime(2031, 12, 2, 9, tzinfo=UTC)
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)
SECOND, THIRD = START.replace(day=9), START.replace(day=16)


@dataclass
class Desk:
    """A device, what its calendar holds, and the mail that came."""

    device: object
    folders: dict
    events: dict = field(default_factory=dict)

    async def calendar(self, *commands):
        news = await self.device.catch_up(self.folders[FolderType.CALENDAR], *commands)
        for command in news.commands:
            if isinstance(command, sync.Delete):
                del self.events[command.server_id]
            else:
                self.events[command.server_id] = schema.load(Calendar, command.application_data)
        assert [r.status for r in news.responses if r.status != 1] == []
        return news

    async def add(self, event):
        if self.folders[FolderType.CALENDAR] not in self.device.client.sync_keys:
            await self.calendar()
        add = sync.Add(client_id=secrets.token_hex(4), application_data=schema.dump(event, self.device.client.version))
        (response,) = (await self.calendar(add)).responses
        return response.server_id

    async def change(self, name, event, instance=None):
        data = schema.dump(event, self.device.client.version)
        at = None if instance is None else f"{instance:%Y%m%dT%H%M%SZ}"
        await self.calendar(sync.Change(server_id=name, instance_id=at, application_data=data))

    async def delete(self, name, instance=None):
        at = None if instance is None else f"{instance:%Y%m%dT%H%M%SZ}"
        await self.calendar(sync.Delete(server_id=name, instance_id=at))

    async def mail(self, folder=FolderType.INBOX):
        """What is new in a folder, by ServerId, the oldest first."""
        news = await self.device.catch_up(self.folders[folder], options=MIME)
        return dict(sorted(news.added.items(), key=lambda each: int(each[0].rpartition(":")[2])))

    async def classes(self, folder=FolderType.INBOX):
        return [mail.message_class.rpartition(".")[2] for mail in (await self.mail(folder)).values()]

    @property
    def event(self):
        (found,) = self.events.values()
        return found


async def desk(world, name, version):
    device = world.device(name, version)
    await device.provision()
    return Desk(device, await device.folders())


async def desks(world, version):
    return [await desk(world, name, version) for name in ("alice", "bob", "carol")]


def meeting(world, *names, **changes):
    values = {
        "subject": "Stand-up",
        "start_time": START,
        "end_time": START.replace(hour=10),
        "attendees": tuple(Attendee(email=world.address(name), name=name) for name in names) or None,
    }
    return Calendar(**{**values, **changes})


@pytest.mark.requirement("MS-ASCMD_R7478", "MS-ASCMD_R7480", "MS-ASCMD_R7481", "MS-ASEMAIL_R16", "MS-ASEMAIL_R17")
@MODERN
async def test_a_meeting_from_its_invitation_to_its_end(world, version):
    alice, bob, carol = await desks(world, version)
    name = await alice.add(meeting(world, "bob", "carol"))
    for guest in (bob, carol):
        (invitation,) = (await guest.mail()).values()
        assert invitation.message_class == "IPM.Schedule.Meeting.Request"
        assert invitation.meeting_request is not None
        await guest.calendar()
        assert (guest.event.subject, guest.event.start_time) == ("Stand-up", START)
        assert guest.event.meeting_status == MeetingStatus.RECEIVED
        assert guest.event.organizer_email == world.address("alice")
    moved = START.replace(hour=8)
    await alice.change(name, Calendar(start_time=moved))
    assert await bob.classes() == ["Request"]
    await bob.calendar()
    assert bob.event.start_time == moved
    await alice.change(name, Calendar(attendees=meeting(world, "carol").attendees))
    assert await bob.classes() == ["Canceled"]
    assert await carol.classes() == ["Request"]
    await bob.calendar()
    assert not bob.events or bob.event.meeting_status == MeetingStatus.CANCELLED_RECEIVED
    await carol.calendar()
    assert carol.event.meeting_status == MeetingStatus.RECEIVED
    await alice.delete(name)
    assert await carol.classes() == ["Canceled"]
    assert await bob.classes() == []
    await carol.calendar()
    assert not carol.events or carol.event.meeting_status == MeetingStatus.CANCELLED_RECEIVED
    assert await alice.classes() == []
    assert await alice.classes(FolderType.SENT_ITEMS) == ["Request", "Request", "Canceled", "Canceled"]


@pytest.mark.requirement("MS-ASCMD_R6238", "MS-ASCMD_R6420")
@MODERN
async def test_single_occurrences(world, version):
    alice, bob, _ = await desks(world, version)
    name = await alice.add(meeting(world, "bob", recurrence=WEEKLY))
    await alice.change(name, Calendar(location=Location(display_name="Upstairs")), SECOND)
    await alice.delete(name, THIRD)
    assert await bob.classes() == ["Request", "Request", "Canceled"]
    await bob.calendar()
    told = {e.instance_id: e for e in bob.event.exceptions}
    assert told[SECOND].location.display_name == "Upstairs"
    assert told[THIRD].deleted or told[THIRD].meeting_status == MeetingStatus.CANCELLED_RECEIVED
    assert bob.event.meeting_status == MeetingStatus.RECEIVED


@MODERN
async def test_a_guest_of_one_occurrence(world, version):
    alice, bob, carol = await desks(world, version)
    name = await alice.add(meeting(world, "bob", recurrence=WEEKLY))
    await alice.change(name, Calendar(attendees=meeting(world, "bob", "carol").attendees), SECOND)
    assert await bob.classes() == ["Request"]
    assert await carol.classes() == ["Request"]
    await carol.calendar()
    assert (carol.event.start_time, carol.event.recurrence) == (SECOND, None)
    await alice.change(name, Calendar(subject="Sit-down"))
    assert await carol.classes() == ["Request"]
    await carol.calendar()
    assert (carol.event.subject, carol.event.recurrence) == ("Sit-down", None)
    await alice.delete(name)
    assert await carol.classes() == ["Canceled"]
    assert await bob.classes() == ["Request", "Canceled"]
    await carol.calendar()
    assert not carol.events or carol.event.meeting_status == MeetingStatus.CANCELLED_RECEIVED


@MODERN
async def test_whole_days(world, version):
    alice, bob, _ = await desks(world, version)
    day = START.replace(hour=0)
    all_day = {"start_time": day, "end_time": day.replace(day=3), "all_day_event": True}
    name = await alice.add(meeting(world, "bob", recurrence=WEEKLY, **all_day))
    await bob.calendar()
    assert (bob.event.all_day_event, bob.event.start_time, bob.event.end_time) == (True, day, day.replace(day=3))
    await alice.change(name, Calendar(subject="Other"), SECOND.replace(hour=0))
    await alice.delete(name, THIRD.replace(hour=0))
    assert await bob.classes() == ["Request", "Request", "Canceled"]
    await bob.calendar()
    told = {e.instance_id: e for e in bob.event.exceptions}
    assert told[SECOND.replace(hour=0)].subject == "Other"
    assert THIRD.replace(hour=0) in told


@pytest.mark.requirement("MS-ASCMD_R7479", "MS-ASEMAIL_R15")
@OLD
async def test_up_to_14_1_nothing_is_sent(world, version):
    alice, bob, _ = await desks(world, version)
    event = meeting(
        world,
        "bob",
        uid=secrets.token_hex(16),
        dt_stamp=datetime(2031, 1, 1, tzinfo=UTC),
        meeting_status=MeetingStatus.ORGANIZER,
        organizer_email=world.address("alice"),
        all_day_event=False,
    )
    name = await alice.add(event)
    await alice.change(name, replace(event, subject="Sit-down"))
    await alice.delete(name)
    assert await bob.mail() == {}
    assert await alice.mail(FolderType.SENT_ITEMS) == {}


@MODERN
async def test_an_attendee_who_edits_or_deletes_tells_nobody(world, version):
    alice, bob, carol = await desks(world, version)
    await alice.add(meeting(world, "bob", "carol"))
    await bob.calendar()
    (name,) = bob.events
    await bob.change(name, Calendar(subject="Mine", start_time=START.replace(hour=7)))
    await bob.delete(name)
    assert await alice.mail() == {}
    assert await bob.mail(FolderType.SENT_ITEMS) == {}
    assert await carol.classes() == ["Request"]


@pytest.mark.requirement("MS-ASCMD_R537", "MS-ASCMD_R568", "MS-ASCMD_R7177", "MS-ASCMD_R6620")
@MODERN
async def test_a_guest_brings_another_one(world, version):
    alice, bob, carol = await desks(world, version)
    await alice.add(meeting(world, "bob"))
    await bob.calendar()
    (name,) = bob.events
    request = smart_forward.Request(
        client_id="1",
        source=Source(folder_id=bob.folders[FolderType.CALENDAR], item_id=name),
        forwardees=smart_forward.Forwardees(
            forwardees=(smart_forward.Forwardee(name="Carol", email=world.address("carol")),)
        ),
    )
    answer = await bob.device.call(SMART_FORWARD, request)
    assert answer.ok
    assert answer.response is None
    (invitation,) = (await carol.mail()).values()
    assert invitation.message_class == "IPM.Schedule.Meeting.Request"
    await carol.calendar()
    assert carol.event.organizer_email == world.address("alice")
    assert await alice.mail() == {}
    (note,) = (await alice.mail(FolderType.DELETED_ITEMS)).values()
    assert note.subject == "Meeting Forward Notification: Stand-up"
    assert note.message_class == "IPM.Notification.Meeting.Forward"
    assert world.address("carol").encode() in octets_of(note)
