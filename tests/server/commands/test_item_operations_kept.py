"""ItemOperations with contacts, events, tasks and notes: [MS-ASCMD] 2.2.1.10."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands.attachments import parse_file_reference
from eas_server.commands.item_operations import COMMAND
from eas_server.commands.kept_items import Writing, new_item, written
from eas_server.model.blob import read
from eas_server.model.ids import CollectionId, ItemId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.model.view import NO_LIMIT, TOP
from protocol.codepages import tag
from protocol.commands.item_operations import (
    EmptyFolderContents,
    EmptyOptions,
    Fetch,
    Fetched,
    FetchOptions,
    Request,
    Response,
)
from protocol.elements import Element
from protocol.items.airsyncbase import (
    AddAttachment,
    Attachments,
    Body,
    BodyPreference,
    BodyType,
    DeleteAttachment,
    Method,
)
from protocol.items.calendar import Calendar, ExceptionItem, Recurrence, RecurrenceType
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.keeping import ITEMS, folder_of, keep
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.support import ALICE, NOW
from tests.server.commands.test_item_operations import data, parts

TEXT = "Tally-ho.\r\n"
PLAIN = FetchOptions(body_preferences=(BodyPreference(type=BodyType.PLAIN),))
SUBJECTS = {
    "Calendar": "Calendar:Subject",
    "Contacts": "Contacts:FileAs",
    "Tasks": "Tasks:Subject",
    "Notes": "Notes:Subject",
}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


async def run(box: Mailbox, *operations: Any, version: ProtocolVersion = V16_1) -> Response:
    answer = await replace(box.bench, version=version).run(COMMAND, Request(operations=operations))
    assert isinstance(answer, Response)
    assert answer.status == 1
    return answer


async def fetch(box: Mailbox, version: ProtocolVersion = V16_1, **wanted: Any) -> Fetched:
    answer = await run(box, Fetch(store="Mailbox", **wanted), version=version)
    assert answer.responses is not None
    (fetched,) = answer.responses.fetched
    return fetched


def bodies(fetched: Fetched) -> list[Body]:
    assert fetched.properties is not None
    return [load(Body, each) for each in fetched.properties.walk() if each.tag is tag_of(Body)]


@pytest.mark.requirement("MS-ASCMD_R198", "MS-ASCMD_R2295", "MS-ASCMD_R910", "MS-ASCMD_R3235")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_items_of_all_classes(box: Mailbox, version: ProtocolVersion) -> None:
    for name, id_ in (await keep(box, TEXT)).items():
        for wanted in ({"server_id": id_, "collection_id": id_.split(":")[0]}, {"long_id": id_}):
            fetched = await fetch(box, version, options=PLAIN, **wanted)
            if name == "Notes" and version < V14_0:  # there are none, MS-ASCMD_R6298
                assert (fetched.status, fetched.properties) == (6, None)
                continue
            assert (fetched.status, fetched.item_class) == (1, name)
            assert fetched.properties is not None
            assert fetched.properties.find(tag(SUBJECTS[name])) is not None
            assert [body.data for body in bodies(fetched)] == [TEXT]


@pytest.mark.requirement("MS-ASCMD_R236", "MS-ASCMD_R3631", "MS-ASCMD_R3633", "MS-ASAIRS_R176", "MS-ASAIRS_R244")
async def test_bodies_of_all_classes_as_parts(box: Mailbox) -> None:
    made = await keep(box, TEXT)
    fetches = [Fetch(store="Mailbox", server_id=id_, options=PLAIN) for id_ in made.values()]
    response, found = await parts(box, *fetches)
    assert response.responses is not None
    assert found == [TEXT.encode()] * len(ITEMS)
    for number, fetched in enumerate(response.responses.fetched, start=1):
        (body,) = bodies(fetched)
        assert (body.type, body.data, body.part) == (1, None, number)
        assert body.estimated_data_size == len(TEXT)


@pytest.mark.requirement("MS-ASCMD_R3552", "MS-ASEMAIL_R63")
async def test_only_the_properties_of_the_schema(box: Mailbox) -> None:
    for name, id_ in (await keep(box, TEXT)).items():
        schema = Element(tag("ItemOperations:Schema"), [Element(tag(SUBJECTS[name]))])
        fetched = await fetch(box, server_id=id_, options=replace(PLAIN, schema=schema))
        assert fetched.properties is not None
        assert [child.tag for child in fetched.properties.children] == [tag(SUBJECTS[name])]
        _, found = await parts(box, Fetch(store="Mailbox", server_id=id_, options=replace(PLAIN, schema=schema)))
        assert found == []


async def put_event(box: Mailbox, event: Calendar, version: ProtocolVersion) -> str:
    folder = await folder_of(box, FolderType.CALENDAR)
    how = Writing(version=version, now=NOW, uid="uid", account=ALICE, device_type="phone", supported=None)
    octets = written(ItemClass.CALENDAR, None, dump(event, version), how)
    entry = await box.store.mail.add(ALICE.user, folder, new_item(ItemClass.CALENDAR, octets))
    return f"{folder}:{entry.id}"


async def test_the_body_of_an_occurrence_is_a_part_too(box: Mailbox) -> None:
    start = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
    other = datetime.fromisoformat("2026-11-25T10:00:00+00:00")
    name = await put_event(
        box,
        Calendar(
            subject="daily fox",
            start_time=start,
            end_time=start.replace(hour=11),
            body=Body(type=BodyType.PLAIN, data=TEXT),
            recurrence=Recurrence(type=RecurrenceType.DAILY, interval=1, occurrences=5),
            exceptions=(ExceptionItem(exception_start_time=other, body=Body(type=BodyType.PLAIN, data="No fox.")),),
        ),
        V14_1,
    )
    assert [body.data for body in bodies(await fetch(box, server_id=name, options=PLAIN))] == [TEXT, "No fox."]
    response, found = await parts(box, Fetch(store="Mailbox", server_id=name, options=PLAIN))
    assert sorted(found) == sorted([TEXT.encode(), b"No fox."])
    assert response.responses is not None
    shown = {found[(body.part or 0) - 1]: body.data for body in bodies(response.responses.fetched[0])}
    assert shown == {TEXT.encode(): None, b"No fox.": None}


@pytest.mark.requirement("MS-ASCMD_R3713", "MS-ASCMD_R4160", "MS-ASCMD_R4162", "MS-ASCMD_R4166", "MS-ASCMD_R4631")
async def test_files_of_events(box: Mailbox) -> None:
    files = [added(str(n), content) for n, content in enumerate((b"0123456789", b""))]
    name = await put_event(box, Calendar(subject="fox", attachments=Attachments(changes=tuple(files))), V16_1)
    shown = (await fetch(box, V16_0, server_id=name)).properties
    assert shown is not None
    attachments = load(Attachments, next(each for each in shown.children if each.tag is tag_of(Attachments)))
    first, empty = [each.file_reference for each in attachments.changes]  # type: ignore[union-attr]
    assert await data(await fetch(box, file_reference=first)) == b"0123456789"
    ranged = await fetch(box, file_reference=first, options=FetchOptions(range="2-4"))
    assert await data(ranged) == b"234"
    assert ranged.properties is not None
    told = {child.tag.name: child.text for child in ranged.properties.children if child.tag.name in ("Range", "Total")}
    assert told == {"Range": "2-4", "Total": "10"}
    assert await data(await fetch(box, file_reference=first, options=FetchOptions(range="5-99"))) == b"56789"
    for span in ("10-12", "4-2", "x", "-1"):
        assert (await fetch(box, file_reference=first, options=FetchOptions(range=span))).status == 8
    assert (await fetch(box, file_reference=empty)).status == 10
    assert (await fetch(box, file_reference=f"{name}:7")).status == 15
    _, found = await parts(box, Fetch(store="Mailbox", file_reference=first))
    assert found == [b"0123456789"]


def added(name: str, content: bytes) -> AddAttachment:
    return AddAttachment(client_id=name, method=Method.NORMAL, content=content, display_name=f"{name}.txt")


async def files_of(box: Mailbox, name: str) -> dict[str, list[str]]:
    """The FileReferences of an event ("") and of its occurrences (by InstanceId) that have files of their own."""
    shown = (await fetch(box, server_id=name)).properties
    assert shown is not None
    event = load(Calendar, Element(tag_of(Calendar), shown.content))
    found = {"": event.attachments}
    found |= {str(each.instance_id): each.attachments for each in event.exceptions or ()}
    return {
        key: [each.file_reference for each in attachments.changes]  # type: ignore[union-attr]
        for key, attachments in found.items()
        if attachments is not None
    }


@pytest.mark.requirement("MS-ASCAL_R2107")
async def test_files_of_single_occurrences(box: Mailbox) -> None:
    start = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
    second, third = start.replace(day=25), start.replace(day=26)
    name = await put_event(
        box,
        Calendar(
            subject="daily fox",
            start_time=start,
            end_time=start.replace(hour=11),
            recurrence=Recurrence(type=RecurrenceType.DAILY, interval=1, occurrences=5),
            attachments=Attachments(changes=(added("all", b"for all"),)),
        ),
        V16_1,
    )
    folder, number = CollectionId(name.split(":")[0]), ItemId(int(name.split(":")[1]))

    async def change(instance: datetime, **wanted: Any) -> None:
        (item,) = await box.store.mail.fetch(ALICE.user, folder, [number])
        how = Writing(
            version=V16_1,
            now=NOW,
            uid="uid",
            account=ALICE,
            device_type="phone",
            supported=None,
            instance_id=instance,
            file_number=lambda reference: place.number if (place := parse_file_reference(reference)) else None,
        )
        octets = written(ItemClass.CALENDAR, await read(item.content), dump(Calendar(**wanted), V16_1), how)
        new = new_item(ItemClass.CALENDAR, octets)
        assert await box.store.mail.replace(ALICE.user, folder, number, new, item.revision)

    await change(second, attachments=Attachments(changes=(added("one", b"for one"),)))
    await change(third, subject="late fox")
    files = await files_of(box, name)
    assert {key: len(references) for key, references in files.items()} == {"": 1, str(second): 2}
    everywhere, (inherited, own) = files[""], files[str(second)]
    assert await data(await fetch(box, file_reference=everywhere[0])) == b"for all"
    assert await data(await fetch(box, file_reference=inherited)) == b"for all"
    assert await data(await fetch(box, file_reference=own, options=FetchOptions(range="0-2"))) == b"for"
    assert (await fetch(box, file_reference=f"{own}9")).status == 15
    assert (await fetch(box, file_reference=f"{name}:{'9' * 18}")).status == 15
    # the occurrence without files of its own has those of the series, by their names
    await change(third, attachments=Attachments(changes=(DeleteAttachment(file_reference=everywhere[0]),)))
    await change(second, attachments=Attachments(changes=(DeleteAttachment(file_reference=own),)))
    with pytest.raises(ValueError, match="does not have"):
        await change(third, attachments=Attachments(changes=(DeleteAttachment(file_reference=inherited),)))
    assert await files_of(box, name) == {"": everywhere, str(third): []}


async def count(box: Mailbox, folder: CollectionId) -> int:
    return await box.store.mail.count(ALICE.user, folder, below=TOP, not_before=NO_LIMIT)


@pytest.mark.requirement("MS-ASCMD_R199", "MS-ASCMD_R2244", "MS-ASCMD_R194")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_folders_of_all_classes_are_emptied(box: Mailbox, version: ProtocolVersion) -> None:
    made = await keep(box)
    folders = [CollectionId(id_.split(":")[0]) for id_ in made.values()]
    response = await run(box, *[EmptyFolderContents(collection_id=folder) for folder in folders], version=version)
    assert response.responses is not None
    assert [(each.status, each.collection_id) for each in response.responses.emptied] == [(1, f) for f in folders]
    assert [await count(box, folder) for folder in folders] == [0] * len(folders)


KINDS = {
    FolderType.CALENDAR: FolderType.USER_CALENDAR,
    FolderType.CONTACTS: FolderType.USER_CONTACTS,
    FolderType.TASKS: FolderType.USER_TASKS,
    FolderType.NOTES: FolderType.USER_NOTES,
}


@pytest.mark.requirement("MS-ASCMD_R2244", "MS-ASCMD_R4168")
@pytest.mark.parametrize("kind", KINDS)
async def test_subfolders_go_where_that_is_asked_for(box: Mailbox, kind: FolderType) -> None:
    top = await folder_of(box, kind)
    inner = await box.store.folders.create_folder(ALICE.user, top, "Inner", KINDS[kind])
    await box.store.folders.create_folder(ALICE.user, inner.id, "Deeper", KINDS[kind])

    async def names() -> set[str]:
        return {folder.name for folder in await box.store.folders.folders(ALICE.user)}

    await run(box, EmptyFolderContents(collection_id=top))
    assert {"Inner", "Deeper"} <= await names()
    await run(box, EmptyFolderContents(collection_id=top, options=EmptyOptions(delete_subfolders=EMPTY)))
    assert not {"Inner", "Deeper"} & await names()


async def test_12_1_keeps_its_ids(box: Mailbox) -> None:
    """A note has no name at 12.1, wherever a client has it from."""
    made = await keep(box)
    assert (await fetch(box, V12_1, file_reference=f"{made['Notes']}:0")).status == 15
