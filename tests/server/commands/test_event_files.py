"""Files that a client of 16.0 and later adds to an event: what it is told of them, and that they are there once."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations
from protocol.commands import item_operations as operations
from protocol.commands.sync import Change, ChangeResponse, Status
from protocol.items.airsyncbase import AddAttachment, Attachment, Attachments, DeleteAttachment, Method
from protocol.items.calendar import Calendar
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V14_1, V16_0, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.test_sync_kept import WEEKLY, add, calendars, change, event, modern

NEW = [version for version in SUPPORTED if version >= V16_0]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


def files(*names: str) -> Attachments:
    return Attachments(
        changes=tuple(
            AddAttachment(client_id=f"id-{name}", method=Method.NORMAL, content=name.encode(), display_name=name)
            for name in names
        )
    )


def shown(data: Any) -> list[Attachment]:
    found = load(Calendar, data).attachments
    return [] if found is None else [one for one in found.changes if isinstance(one, Attachment)]


async def octets(box: Mailbox, reference: str | None) -> bytes:
    request = operations.Request(operations=(operations.Fetch(store="Mailbox", file_reference=reference),))
    (fetched,) = (await box.bench.run(item_operations.COMMAND, request)).responses.fetched
    assert fetched.status == operations.Status.SUCCESS
    return base64.b64decode(bytes(load(operations.AttachmentProperties, fetched.properties).data.octets))


@pytest.mark.requirement("MS-ASAIRS_R1082", "MS-ASAIRS_R1367", "MS-ASAIRS_R1368", "MS-ASAIRS_R1079")
@pytest.mark.requirement("MS-ASCMD_R6234")
@pytest.mark.parametrize("version", NEW, ids=str)
async def test_the_answer_to_an_add_names_the_files(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await calendars(box, "device1", "tablet")
    for lose in (True, False):
        (made,) = (await phone.ask(add("e1", modern(attachments=files("a", "b"))), lose=lose)).responses.responses
        told = shown(made.application_data)
        assert [(one.client_id, one.display_name) for one in told] == [("id-a", None), ("id-b", None)]
    await tablet.ask()
    (seen,) = tablet.held.values()
    assert [one.file_reference for one in seen.attachments.changes] == [one.file_reference for one in told]
    assert await phone.ask() is None
    (plain,) = (await phone.ask(add("e2", modern(client_uid="C2")))).responses.responses
    assert plain.application_data is None


@pytest.mark.requirement("MS-ASAIRS_R1082", "MS-ASAIRS_R1367", "MS-ASCMD_R6234")
@pytest.mark.parametrize("version", NEW, ids=str)
async def test_the_answer_to_a_change_names_the_files(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await calendars(box, "device1", "tablet")
    await phone.ask(add("e1", modern(attachments=files("a"))))
    (name,) = phone.held
    wanted = change(name, Calendar(attachments=files("b", "c")))
    for lose in (True, False):
        answer = await phone.ask(wanted, lose=lose)
        assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.SUCCESS),)
        (told,) = answer.commands.commands
        assert [one.client_id for one in shown(told.application_data)] == [None, "id-b", "id-c"]
    assert await phone.ask() is None
    await tablet.ask()
    assert [one.display_name for one in shown(dump(tablet.held[name]))] == ["a", "b", "c"]


@pytest.mark.requirement("MS-ASAIRS_R1082", "MS-ASAIRS_R1367", "MS-ASAIRS_R1178")
@pytest.mark.parametrize("version", NEW, ids=str)
async def test_files_of_one_occurrence(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    (phone,) = await calendars(box, "device1")
    sent = modern(recurrence=WEEKLY, attachments=files("a"))
    await phone.ask(add("e1", sent))
    (name,) = phone.held
    moment = f"{sent.start_time:%Y%m%dT%H%M%SZ}"
    asked = replace(change(name, Calendar(attachments=files("b"))), instance_id=moment)
    answer = await phone.ask(asked)
    (response,) = answer.responses.responses
    assert (response.server_id, response.instance_id, response.status) == (name, moment, Status.SUCCESS)
    (told,) = answer.commands.commands
    assert [one.client_id for one in shown(told.application_data)] == [None]
    (exception,) = load(Calendar, told.application_data).exceptions
    assert [one.client_id for one in exception.attachments.changes] == [None, "id-b"]
    assert await octets(box, exception.attachments.changes[1].file_reference) == b"b"


async def test_files_that_come_and_go_in_one_change(box: Mailbox) -> None:
    (phone,) = await calendars(box, "device1")
    (made,) = (await phone.ask(add("e1", modern(attachments=files("a", "b"))))).responses.responses
    gone = DeleteAttachment(file_reference=shown(made.application_data)[0].file_reference)
    both = Attachments(changes=(*files("c").changes, gone))
    (told,) = (await phone.ask(change(made.server_id, Calendar(attachments=both)))).commands.commands
    found = shown(told.application_data)
    assert [(one.display_name, one.client_id) for one in found] == [("b", None), ("c", "id-c")]
    assert [await octets(box, one.file_reference) for one in found] == [b"b", b"c"]


async def test_references_hold_when_files_go(box: Mailbox) -> None:
    phone, tablet = await calendars(box, "device1", "tablet")
    (made,) = (await phone.ask(add("e1", modern(attachments=files("a", "b", "c"))))).responses.responses
    held = {one.client_id: one.file_reference for one in shown(made.application_data)}
    for name in ("id-a", "id-b"):  # the client is not told of what it deletes, and goes on with what it knows
        gone = Attachments(changes=(DeleteAttachment(file_reference=held[name]),))
        assert (await phone.ask(change(made.server_id, Calendar(attachments=gone)))).responses is None
    again = await phone.ask(change(made.server_id, Calendar(attachments=gone)))
    assert [one.status for one in again.responses.responses] == [Status.CONVERSION_ERROR]
    assert await octets(box, held["id-c"]) == b"c"
    answer = await phone.ask(change(made.server_id, Calendar(attachments=files("d"))))
    found = {one.display_name: one.file_reference for one in shown(answer.commands.commands[-1].application_data)}
    assert found["c"] == held["id-c"]
    assert found["d"] not in held.values()
    assert [await octets(box, found[name]) for name in ("c", "d")] == [b"c", b"d"]
    await tablet.ask()
    seen = shown(dump(tablet.held[made.server_id]))
    assert {one.display_name: one.file_reference for one in seen} == found


async def test_up_to_14_1_there_are_none(box: Mailbox) -> None:
    box.bench.version = V14_1
    (phone,) = await calendars(box, "device1")
    (made,) = (await phone.ask(add("e1", event()))).responses.responses
    assert (made.status, made.application_data) == (Status.SUCCESS, None)
    answer = await phone.ask(change(made.server_id, event(subject="Other")))
    assert (answer.responses, answer.commands) == (None, None)


async def test_a_change_that_fails_tells_of_no_files(box: Mailbox) -> None:
    (phone,) = await calendars(box, "device1")
    await phone.ask(add("e1", modern()))
    (name,) = phone.held
    bad = Attachments(changes=(*files("a").changes, DeleteAttachment(file_reference="1:1:0")))
    answer = await phone.ask(change(name, Calendar(attachments=bad)))
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.CONVERSION_ERROR),)
    assert not any(isinstance(one, Change) for one in (answer.commands.commands if answer.commands else ()))
