"""Contacts, notes and tasks in every command that brings them: Sync, Search, ItemOperations; all their elements."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations
from eas_server.commands import search as searching
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands.item_operations import Fetch, FetchOptions, Request
from protocol.commands.sync import Change, ServerAdd
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.contacts import Contact
from protocol.items.notes import Note
from protocol.items.tasks import Task
from protocol.schema import dump, load, tag_of
from protocol.versions import SUPPORTED, V14_0, V16_1, ProtocolVersion
from tests.protocol.test_items_tasks import FULL as FULL_TASK
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.test_search import both, search, words
from tests.server.commands.test_sync_kept import Handset, add, change, folder
from tests.server.render.test_contacts_elements import FULL as FULL_CONTACT
from tests.server.render.test_tasks_elements import RULES, RecurrenceType

BODY = Body(type=BodyType.PLAIN, data="the fox")
YEARLY = replace(RULES[RecurrenceType.YEARLY_NTH], is_leap_month=False, first_day_of_week=1, occurrences=9)
FULL: dict[str, tuple[FolderType, Any]] = {
    "Contacts": (FolderType.CONTACTS, replace(FULL_CONTACT, body=BODY)),
    "Notes": (
        FolderType.NOTES,
        Note(subject="S", message_class="IPM.StickyNote.x", categories=("a", "b"), body=BODY),
    ),
    "Tasks": (FolderType.TASKS, replace(FULL_TASK, recurrence=YEARLY, body=BODY)),
}
ADDED = {"Notes": {"LastModifiedDate"}}
CASES = [(name, version) for name in FULL for version in SUPPORTED if name != "Notes" or version >= V14_0]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def handset(box: Mailbox, name: str, device: str) -> Handset:
    type_, item = FULL[name]
    made = Handset(box.phone(device, await folder(box, type_)), type(item))
    await made.all()
    return made


def names(root: Element) -> set[str]:
    return {child.tag.name for child in root.children}


def expected(name: str, version: ProtocolVersion) -> set[str]:
    return names(dump(FULL[name][1], version)) | ADDED.get(name, set())


@pytest.mark.requirement("MS-ASTASK_R349", "MS-ASTASK_R366", "MS-ASTASK_R368", "MS-ASTASK_R438", "MS-ASTASK_R301")
@pytest.mark.requirement("MS-ASTASK_R353", "MS-ASTASK_R356", "MS-ASTASK_R359", "MS-ASTASK_R358", "MS-ASTASK_R351")
@pytest.mark.requirement("MS-ASTASK_R361", "MS-ASTASK_R363", "MS-ASNOTE_R96", "MS-ASNOTE_R98", "MS-ASNOTE_R100")
@pytest.mark.requirement("MS-ASNOTE_R101", "MS-ASNOTE_R103", "MS-ASNOTE_R104", "MS-ASNOTE_R106", "MS-ASNOTE_R108")
@pytest.mark.requirement("MS-ASNOTE_R110", "MS-ASNOTE_R126", "MS-ASNOTE_R210", "MS-ASCNTC_R473", "MS-ASCNTC_R475")
@pytest.mark.requirement("MS-ASCNTC_R477", "MS-ASCNTC_R483", "MS-ASCNTC_R485", "MS-ASCNTC_R486", "MS-ASCNTC_R488")
@pytest.mark.requirement("MS-ASCNTC_R490", "MS-ASCNTC_R492", "MS-ASCNTC_R493", "MS-ASCNTC_R494", "MS-ASCNTC_R436")
@pytest.mark.requirement("MS-ASCNTC_R470", "MS-ASCNTC_R471", "MS-ASCNTC_R507", "MS-ASCNTC_R509", "MS-ASCNTC_R517")
@pytest.mark.requirement("MS-ASAIRS_R353", "MS-ASAIRS_R354", "MS-ASAIRS_R412", "MS-ASAIRS_R413", "MS-ASAIRS_R386")
@pytest.mark.requirement("MS-ASNOTE_R44", "MS-ASNOTE_R47", "MS-ASNOTE_R58", "MS-ASNOTE_R51", "MS-ASAIRS_R105")
@pytest.mark.parametrize(("name", "version"), CASES)
async def test_all_elements_come_by_every_command(box: Mailbox, name: str, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await handset(box, name, "device1"), await handset(box, name, "tablet")
    full = FULL[name][1]
    await phone.ask(add("1", full))
    answer = await tablet.ask()
    (told,) = answer.commands.commands
    assert isinstance(told, ServerAdd)
    assert names(told.application_data) == expected(name, version)
    if name == "Notes":
        sent = replace(full, subject="T")
    elif name == "Contacts":
        sent = replace(full, spouse="T")
    else:
        sent = replace(full, subject="T")
    await phone.ask(change(told.server_id, sent))
    (changed,) = (await tablet.ask()).commands.commands
    assert isinstance(changed, Change)
    assert names(changed.application_data) == expected(name, version)
    fetched = await fetch(box, told.server_id, FetchOptions(body_preferences=(BodyPreference(type=BodyType.PLAIN),)))
    assert names(fetched) == expected(name, version)
    one = tag({"Contacts": "Contacts:Spouse", "Notes": "Notes:Subject", "Tasks": "Tasks:Subject"}[name])
    schema = Element(tag("ItemOperations:Schema"), [Element(one)])
    (only,) = (await fetch(box, told.server_id, FetchOptions(schema=schema))).children
    assert (only.tag, only.text) == (one, "T")
    plain = (BodyPreference(type=BodyType.PLAIN),)
    found = await search(box, both(words("fox")), version=version, body_preferences=plain)
    assert found.status == 1
    (result,) = found.results
    assert result.item_class == name
    assert result.properties is not None
    # the schema of Search leaves these two out
    assert names(result.properties) == expected(name, version) - {"OrdinalDate", "SubOrdinalDate"}


async def fetch(box: Mailbox, server_id: str, options: FetchOptions) -> Element:
    request = Request(operations=(Fetch(store="Mailbox", server_id=server_id, options=options),))
    (fetched,) = (await box.bench.run(item_operations.COMMAND, request)).responses.fetched
    assert fetched.status == 1
    assert isinstance(fetched.properties, Element)
    return fetched.properties


@pytest.mark.requirement("MS-ASNOTE_R128", "MS-ASNOTE_R208")
async def test_every_note_that_matches_is_given(box: Mailbox) -> None:
    phone = await handset(box, "Notes", "device1")
    assert (await search(box, both(words("fox")))).total == 0
    await phone.ask(*(add(str(n), Note(subject=f"fox {n}")) for n in range(5)), add("other", Note(subject="hen")))
    assert len((await search(box, both(words("fox")))).results) == 5


@pytest.mark.requirement("MS-ASNOTE_R84", "MS-ASNOTE_R209", "MS-ASNOTE_R51")
async def test_a_note_says_when_it_was_really_changed(box: Mailbox) -> None:
    phone, tablet = await handset(box, "Notes", "device1"), await handset(box, "Notes", "tablet")
    for when in (datetime(1999, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)):
        await phone.ask(add(f"{when}", Note(subject="x", last_modified_date=when)))
    await tablet.ask()
    assert {note.last_modified_date for note in tablet.held.values()} == {box.bench.now}


@pytest.mark.requirement("MS-ASTASK_R364")
async def test_elements_of_tasks_in_a_search(box: Mailbox) -> None:
    """As of any class: no way to search by them."""
    for name in ("Tasks:Subject", "Tasks:DueDate", "Notes:Subject", "Contacts:FirstName", "Contacts2:NickName"):
        with pytest.raises(MalformedXml) as caught:
            await search(box, both(words("fox"), Element(tag(name), "1")))
        told = searching.COMMAND.refuse(caught.value, V16_1)
        assert (told.status, told.answer.store.status) == (1, 2)  # type: ignore[union-attr] -- of Search


@pytest.mark.requirement("MS-ASTASK_R116")
async def test_a_task_says_whether_it_is_done(box: Mailbox) -> None:
    phone, tablet = await handset(box, "Tasks", "device1"), await handset(box, "Tasks", "tablet")
    await phone.ask(add("1", Task(subject="x")))
    await tablet.ask()
    assert [task.complete for task in tablet.held.values()] == [False]


@pytest.mark.requirement("MS-ASCNTC_R455")
async def test_what_one_device_knows_outlives_the_change_of_another_that_does_not(box: Mailbox) -> None:
    """The other one speaks 12.1 and names few properties as its own."""
    phone = await handset(box, "Contacts", "device1")
    full = FULL["Contacts"][1]
    await phone.ask(add("1", full))
    (server_id,) = phone.held
    old = Handset(box.phone("old", phone.phone.folder), Contact)
    old.phone.bench.version = SUPPORTED[0]
    supported = Element(tag("AirSync:Supported"), [Element(tag("Contacts:FirstName"))])
    await old.ask(supported=supported)
    await old.all()
    await old.ask(change(server_id, Contact(first_name="New")))
    await phone.ask()
    seen = replace(phone.held[server_id], body=None)
    assert seen == replace(full, first_name="New", body=None)
    assert phone.held[server_id].body.data == "the fox"
    assert phone.phone.bench.version == V16_1


@pytest.mark.requirement("MS-ASAIRS_R53", "MS-ASAIRS_R375", "MS-ASAIRS_R55", "MS-ASAIRS_R380", "MS-ASAIRS_R73")
@pytest.mark.requirement("MS-ASAIRS_R422", "MS-ASAIRS_R54", "MS-ASAIRS_R377", "MS-ASAIRS_R379", "MS-ASAIRS_R382")
@pytest.mark.requirement("MS-ASAIRS_R421", "MS-ASAIRS_R424", "MS-ASAIRS_R180", "MS-ASAIRS_R300")
@pytest.mark.parametrize("name", [name for name in FULL if name != "Notes"])
async def test_what_is_cut_and_what_is_withheld_in_search_and_fetch(box: Mailbox, name: str) -> None:
    phone = await handset(box, name, "device1")
    await phone.ask(add("1", FULL[name][1]))
    (server_id,) = phone.held
    text = "the fox"
    for size, all_or_none, data in (
        (3, True, None),
        (3, False, "the"),
        (3, None, "the"),
        (0, None, ""),
        (7, True, text),
        (7, False, text),
        (8, None, text),
        (None, True, text),
        (None, False, text),
        (None, None, text),
    ):
        wanted = (BodyPreference(type=BodyType.PLAIN, truncation_size=size, all_or_none=all_or_none),)
        fetched = await fetch(box, server_id, FetchOptions(body_preferences=wanted))
        found = await search(box, both(words("fox")), body_preferences=wanted)
        for properties in (fetched, found.results[0].properties):
            assert properties is not None
            body = load(Body, next(child for child in properties.children if child.tag == tag_of(Body)))
            assert (body.data, body.truncated, body.estimated_data_size) == (data, data != text, len(text))
