"""Sync of what is kept as vCard and iCalendar: contacts and notes, both ways."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations
from eas_server.model.ids import CollectionId
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands.sync import (
    Add,
    AddResponse,
    Change,
    ChangeResponse,
    Conflict,
    Delete,
    Fetch,
    Options,
    ServerAdd,
    Status,
)
from protocol.datatypes import TimeZone
from protocol.elements import Element
from protocol.items.airsyncbase import AddAttachment, Attachments, Body, BodyType, Method
from protocol.items.calendar import Calendar, MeetingStatus, Recurrence, RecurrenceType, Sensitivity
from protocol.items.contacts import Contact
from protocol.items.email import BusyStatus
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, Phone, mailbox
from tests.server.commands.support import ALICE


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


@dataclass
class Handset:
    """A device that syncs one folder of contacts or notes."""

    phone: Phone
    kind: type[Any]
    held: dict[str, Any] = field(default_factory=dict)

    async def ask(self, *commands: Any, lose: bool = False, **asked: Any) -> Any:
        answer = await self.phone.ask(*commands, lose=True, **asked)
        if answer is None or lose:
            return answer
        self.phone.key = answer.sync_key
        for response in answer.responses.responses if answer.responses else ():
            if isinstance(response, AddResponse) and response.server_id:
                self.held[response.server_id] = None
        for command in answer.commands.commands if answer.commands else ():
            if isinstance(command, ServerAdd):
                assert command.server_id not in self.held
                self.held[command.server_id] = load(self.kind, command.application_data)
            elif isinstance(command, Change):
                assert command.server_id in self.held
                assert command.application_data is not None
                self.held[command.server_id] = load(self.kind, command.application_data)
            else:
                del self.held[command.server_id]
        return answer

    async def all(self, **asked: Any) -> None:
        while await self.ask(**asked) is not None:
            pass


async def folder(box: Mailbox, type_: FolderType) -> CollectionId:
    """The default folder of a type."""
    return next(f.id for f in await box.store.folders.folders(ALICE.user) if f.type is type_)


async def contacts(box: Mailbox, device: str = "device1") -> Handset:
    """A device that has synced its contacts."""
    made = Handset(box.phone(device, await folder(box, FolderType.CONTACTS)), Contact)
    await made.all()
    return made


def add(client_id: str, item: object) -> Add:
    """A new item of the client."""
    return Add(client_id=client_id, application_data=dump(item))


def change(server_id: str, item: object) -> Change:
    """A changed one."""
    return Change(server_id=server_id, application_data=dump(item))


@pytest.mark.requirement("MS-ASCMD_R748", "MS-ASCMD_R749")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_a_contact_comes_to_the_other_device(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await contacts(box), await contacts(box, "tablet")
    answer = await phone.ask(add("c1", Contact(first_name="Zoë", last_name="Ölund", email1_address="z@example.org")))
    (made,) = answer.responses.responses
    assert (made.client_id, made.status) == ("c1", Status.SUCCESS)
    assert answer.commands is None
    assert await phone.ask() is None
    await tablet.ask()
    (seen,) = tablet.held.values()
    assert (seen.first_name, seen.last_name, seen.email1_address) == ("Zoë", "Ölund", "z@example.org")


@pytest.mark.requirement("MS-ASCMD_R961")
async def test_a_repeated_add_makes_one_item_and_another_content_another(box: Mailbox) -> None:
    phone = await contacts(box)
    first = await phone.ask(add("c1", Contact(last_name="One")), lose=True)
    again = await phone.ask(add("c1", Contact(last_name="One")), lose=True)
    other = await phone.ask(add("c1", Contact(last_name="Two")), lose=True)
    names = [answer.responses.responses[0].server_id for answer in (first, again, other)]
    assert names[0] == names[1] != names[2]
    await phone.ask(add("c1", Contact(last_name="One")))
    later = await phone.ask(add("c1", Contact(last_name="One")))
    assert later.responses.responses[0].server_id not in names
    assert sorted(c.last_name for c in (await everybody(box))) == ["One", "One", "Two"]


async def everybody(box: Mailbox) -> list[Contact]:
    """The contacts as a device that starts anew gets them."""
    fresh = await contacts(box, "fresh")
    await fresh.all()
    return list(fresh.held.values())


@pytest.mark.requirement("MS-ASCMD_R879")
async def test_what_a_change_leaves_out_is_deleted(box: Mailbox) -> None:
    box.bench.version = V14_1
    phone = await contacts(box)
    await phone.ask(add("c1", Contact(first_name="A", last_name="B", job_title="C")))
    (name,) = phone.held
    answer = await phone.ask(change(name, Contact(first_name="A", last_name="X")))
    assert answer.responses is None
    assert answer.commands is None
    (seen,) = await everybody(box)
    assert (seen.first_name, seen.last_name, seen.job_title) == ("A", "X", None)


@pytest.mark.requirement("MS-ASCMD_R660")
async def test_what_is_not_supported_stays(box: Mailbox) -> None:
    box.bench.version = V14_1
    supported = Element(
        tag("AirSync:Supported"), [Element(tag("Contacts:FirstName")), Element(tag("Contacts:LastName"))]
    )
    phone = Handset(box.phone("device1", await folder(box, FolderType.CONTACTS)), Contact)
    await phone.ask(supported=supported)
    await phone.ask(add("c1", Contact(first_name="A", last_name="B", job_title="C")))
    (name,) = phone.held
    await phone.ask(change(name, Contact(last_name="X")))
    (seen,) = await everybody(box)
    assert (seen.first_name, seen.last_name, seen.job_title) == (None, "X", "C")


@pytest.mark.requirement("MS-ASCMD_R2066", "MS-ASCMD_R2069", "MS-ASCMD_R4443")
async def test_the_server_wins_and_sends_the_whole_item(box: Mailbox) -> None:
    phone, tablet = await contacts(box), await contacts(box, "tablet")
    await phone.ask(add("c1", Contact(last_name="B")))
    (name,) = phone.held
    await tablet.ask()
    await tablet.ask(change(name, Contact(last_name="Tablet")))
    answer = await phone.ask(change(name, Contact(last_name="Phone")))
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.CONFLICT),)
    assert phone.held[name].last_name == "Tablet"
    assert await tablet.ask() is None


@pytest.mark.requirement("MS-ASCMD_R2064")
async def test_the_client_wins_where_it_says_so(box: Mailbox) -> None:
    phone, tablet = await contacts(box), await contacts(box, "tablet")
    await phone.ask(add("c1", Contact(last_name="B")), options=Options(conflict=Conflict.CLIENT_WINS))
    (name,) = phone.held
    await tablet.ask()
    await tablet.ask(change(name, Contact(last_name="Tablet")))
    answer = await phone.ask(change(name, Contact(last_name="Phone")))
    assert answer.responses is None
    await tablet.ask()
    assert tablet.held[name].last_name == "Phone"


async def test_a_lost_answer_to_a_change_is_no_conflict_with_oneself(box: Mailbox) -> None:
    phone = await contacts(box)
    await phone.ask(add("c1", Contact(last_name="B")))
    (name,) = phone.held
    await phone.ask(change(name, Contact(last_name="C")), lose=True)
    old = await phone.ask(lose=True)
    (told,) = old.commands.commands
    assert load(Contact, told.application_data).last_name == "C"
    answer = await phone.ask(change(name, Contact(last_name="C")))
    assert answer.responses is None
    assert answer.commands is None
    assert await phone.ask() is None


async def test_a_contact_is_deleted_for_good(box: Mailbox) -> None:
    phone, tablet = await contacts(box), await contacts(box, "tablet")
    await phone.ask(add("c1", Contact(last_name="B")))
    (name,) = phone.held
    await tablet.ask()
    answer = await phone.ask(Delete(server_id=name))
    assert answer.responses is None
    await tablet.ask()
    assert tablet.held == {}
    bin_ = box.phone(folder=await folder(box, FolderType.DELETED_ITEMS))
    await bin_.all()
    assert bin_.items == {}


@pytest.mark.requirement("MS-ASCMD_R4439", "MS-ASCMD_R4440")
async def test_an_item_that_cannot_be_kept_is_refused(box: Mailbox) -> None:
    phone = await contacts(box)
    broken = Element(tag("AirSync:ApplicationData"), [Element(tag("Contacts:Birthday"), "no date")])
    answer = await phone.ask(Add(client_id="c1", application_data=broken))
    assert answer.responses.responses == (AddResponse(client_id="c1", status=Status.CONVERSION_ERROR),)
    assert await everybody(box) == []


async def test_fetch_gives_a_contact(box: Mailbox) -> None:
    phone = await contacts(box)
    await phone.ask(add("c1", Contact(last_name="B")))
    (name,) = phone.held
    (fetched,) = (await phone.ask(Fetch(server_id=name))).responses.responses
    assert load(Contact, fetched.application_data).last_name == "B"


@pytest.mark.requirement("MS-ASCMD_R6298")
async def test_12_1_has_no_notes(box: Mailbox) -> None:
    where = await folder(box, FolderType.NOTES)
    phone = Handset(box.phone("device1", where), Note)
    await phone.all()
    await phone.ask(add("n1", Note(subject="Milk")))
    box.bench.version = V12_1
    old = Handset(box.phone("old", where), Note)
    await old.all()
    assert old.held == {}
    data = Element(tag("AirSync:ApplicationData"))
    answer = await old.ask(Add(client_id="n2", application_data=data))
    assert answer.responses.responses == (AddResponse(client_id="n2", status=Status.CONVERSION_ERROR),)


@pytest.mark.parametrize("version", [v for v in SUPPORTED if v >= V14_0])
async def test_a_note_goes_both_ways(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    where = await folder(box, FolderType.NOTES)
    phone, tablet = (Handset(box.phone(device, where), Note) for device in ("device1", "tablet"))
    await phone.all()
    await tablet.all()
    note = Note(subject="Milk", body=Body(type=BodyType.PLAIN, data="two litres"), categories=("home",))
    await phone.ask(add("n1", note))
    await tablet.ask()
    ((name, seen),) = tablet.held.items()
    assert (seen.subject, seen.body.data, seen.categories) == ("Milk", "two litres", ("home",))
    await tablet.ask(change(name, Note(subject="Bread", categories=("home",))))
    await phone.ask()
    assert (phone.held[name].subject, phone.held[name].body.data) == ("Bread", "two litres")


async def test_new_items_wake_a_waiting_device(box: Mailbox) -> None:
    from eas_server.commands import ping
    from protocol.commands import ping as pings

    box.bench.version = V16_1
    phone, tablet = await contacts(box), await contacts(box, "tablet")
    where = tablet.phone.folder
    watch = pings.Request(heartbeat_interval=60, folders=(pings.Folder(id=where, item_class="Contacts"),))
    await phone.ask(add("c1", Contact(last_name="B")))
    answer = await tablet.phone.bench.run(ping.COMMAND, watch)
    assert answer == pings.Response(status=pings.Status.CHANGES, folders=(where,))


@pytest.mark.requirement("MS-ASCMD_R3061")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_a_task_goes_both_ways_and_leaves_the_filter_when_it_is_done(
    box: Mailbox, version: ProtocolVersion
) -> None:
    box.bench.version = version
    where = await folder(box, FolderType.TASKS)
    phone, tablet = (Handset(box.phone(device, where), Task) for device in ("device1", "tablet"))
    await phone.all()
    await tablet.all(options=Options(filter_type=8))
    due = datetime(2026, 12, 1, tzinfo=UTC)
    task = Task(subject="Tax", complete=False, due_date=due, utc_due_date=due, start_date=due, utc_start_date=due)
    await phone.ask(add("t1", task))
    await tablet.ask()
    ((name, seen),) = tablet.held.items()
    assert (seen.subject, seen.utc_due_date) == ("Tax", due)
    await phone.ask(change(name, replace(task, complete=True, date_completed=due)))
    await tablet.ask()
    assert tablet.held == {}
    fresh = Handset(box.phone("fresh", where), Task)
    await fresh.all()
    (done,) = fresh.held.values()
    assert done.complete is True


async def test_the_empty_picture_of_an_iphone_keeps_the_photo(box: Mailbox) -> None:
    """The quirk EMPTY_PICTURE."""
    box.bench.version = V14_1
    phone = await contacts(box)
    await phone.ask(add("c1", Contact(last_name="B", picture=b"\xff\xd8\xff")))
    (name,) = phone.held
    await phone.phone.bench.change_device(type="iPhone")
    await phone.ask(change(name, Contact(last_name="C", picture=b"")))
    (seen,) = await everybody(box)
    assert (seen.last_name, seen.picture) == ("C", b"\xff\xd8\xff")
    await phone.phone.bench.change_device(type="Android")
    await phone.ask(change(name, Contact(last_name="D", picture=b"")))
    (seen,) = [c for c in await everybody(box) if c is not None]
    assert (seen.last_name, seen.picture) == ("D", None)


# ---- the calendar


def event(**changes: Any) -> Calendar:
    """An hour, with all that up to 14.1 has to be sent."""
    values: dict[str, Any] = {
        "subject": "Stand-up",
        "start_time": datetime(2026, 12, 1, 9, 0, tzinfo=UTC),
        "end_time": datetime(2026, 12, 1, 10, 0, tzinfo=UTC),
        "dt_stamp": datetime(2026, 11, 1, tzinfo=UTC),
        "uid": "040000008200E00074C5B7101A82E008",
        "time_zone": TimeZone().dump(),
        "busy_status": BusyStatus.BUSY,
        "sensitivity": Sensitivity.NORMAL,
        "all_day_event": False,
        "meeting_status": MeetingStatus.APPOINTMENT,
    }
    return Calendar(**{**values, **changes})


def modern(**changes: Any) -> Calendar:
    """The same from 16.0 on."""
    return event(**{"uid": None, "dt_stamp": None, "client_uid": "C1", **changes})


WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)


async def calendars(box: Mailbox, *devices: str, **asked: Any) -> list[Handset]:
    """Devices that have synced the calendar."""
    where = await folder(box, FolderType.CALENDAR)
    made = [Handset(box.phone(device, where), Calendar) for device in devices]
    for one in made:
        await one.all(**asked)
    return made


@pytest.mark.parametrize("version", SUPPORTED)
async def test_an_event_goes_both_ways(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await calendars(box, "device1", "tablet")
    sent = event(recurrence=WEEKLY) if version < V16_0 else modern(recurrence=WEEKLY)
    answer = await phone.ask(add("e1", sent))
    assert answer.responses.responses[0].status == Status.SUCCESS
    await tablet.ask()
    ((name, seen),) = tablet.held.items()
    assert (seen.subject, seen.start_time, seen.end_time) == ("Stand-up", sent.start_time, sent.end_time)
    assert seen.recurrence is not None
    assert (seen.recurrence.type, seen.recurrence.occurrences) == (RecurrenceType.WEEKLY, 5)
    await tablet.ask(change(name, replace(sent, subject="Sit-down", uid=seen.uid if version < V16_0 else None)))
    await phone.ask()
    assert phone.held[name].subject == "Sit-down"


@pytest.mark.requirement("MS-ASCMD_R6238", "MS-ASCMD_R6420")
async def test_an_occurrence_is_changed_and_deleted_by_its_instance(box: Mailbox) -> None:
    phone, tablet = await calendars(box, "device1", "tablet")
    await phone.ask(add("e1", modern(recurrence=WEEKLY)))
    (name,) = phone.held
    second, third = "20261208T090000Z", "20261215T090000Z"
    moved = Calendar(
        subject="Later",
        start_time=datetime(2026, 12, 8, 11, 0, tzinfo=UTC),
        end_time=datetime(2026, 12, 8, 12, 0, tzinfo=UTC),
    )
    answer = await phone.ask(Change(server_id=name, instance_id=second, application_data=dump(moved)))
    assert answer.responses is None
    answer = await phone.ask(Delete(server_id=name, instance_id=third))
    assert answer.responses is None
    await tablet.ask()
    exceptions = tablet.held[name].exceptions
    assert exceptions is not None
    told = {(e.instance_id or e.exception_start_time): (e.subject, e.deleted) for e in exceptions}
    assert told == {
        datetime(2026, 12, 8, 9, 0, tzinfo=UTC): ("Later", None),
        datetime(2026, 12, 15, 9, 0, tzinfo=UTC): (None, True),
    }
    answer = await phone.ask(Delete(server_id=name, instance_id="20300101T000000Z"))
    (failed,) = answer.responses.responses
    assert (failed.instance_id, failed.status) == ("20300101T000000Z", Status.CONVERSION_ERROR)


@pytest.mark.requirement("MS-ASCMD_R3065", "MS-ASCMD_R5878", "MS-ASCMD_R3066")
async def test_the_filter_keeps_what_is_still_to_come(box: Mailbox) -> None:
    box.bench.version = V14_1
    phone, tablet = await calendars(box, "device1", "tablet", options=Options(filter_type=4))
    past = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
    old = event(subject="Old", uid="A" * 32, start_time=past, end_time=past)
    endless = event(
        subject="Endless", uid="B" * 32, start_time=past, end_time=past, recurrence=replace(WEEKLY, occurrences=None)
    )
    await phone.ask(add("1", old), add("2", endless), add("3", event()), options=Options(filter_type=0))
    await tablet.ask()
    assert sorted(e.subject for e in tablet.held.values()) == ["Endless", "Stand-up"]


async def test_the_file_of_an_event_is_fetched(box: Mailbox) -> None:
    phone, tablet = await calendars(box, "device1", "tablet")
    files = Attachments(
        changes=(
            AddAttachment(
                client_id="f1", method=Method.NORMAL, content=b"\x00octets", display_name="a.bin", content_type="x/y"
            ),
        )
    )
    await phone.ask(add("e1", modern(attachments=files)))
    await tablet.ask()
    (seen,) = tablet.held.values()
    (shown,) = seen.attachments.changes
    assert (shown.display_name, shown.estimated_data_size) == ("a.bin", 7)
    for reference, status in ((shown.file_reference, 1), (shown.file_reference + "9", 15)):
        request = operations.Request(operations=(operations.Fetch(store="Mailbox", file_reference=reference),))
        answer = await box.bench.run(item_operations.COMMAND, request)
        (fetched,) = answer.responses.fetched
        assert fetched.status == status


@pytest.mark.requirement("MS-ASCMD_R6236")
async def test_who_wins_a_conflict_learns_what_else_was_changed(box: Mailbox) -> None:
    phone, tablet = await calendars(box, "device1", "tablet")
    await phone.ask(add("e1", modern()))
    await tablet.ask()
    (name,) = tablet.held
    await phone.ask(change(name, Calendar(subject="Other")))
    private = change(name, Calendar(sensitivity=Sensitivity.PRIVATE))
    answer = await tablet.ask(private, options=Options(conflict=Conflict.CLIENT_WINS))
    assert answer.responses is None
    assert (tablet.held[name].subject, tablet.held[name].sensitivity) == ("Other", Sensitivity.PRIVATE)
