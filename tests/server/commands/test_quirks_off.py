"""Quirks of handlers, switched off: what the documents say holds then."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.commands import ping
from eas_server.model.mail import FolderType
from protocol import quirks
from protocol.codepages import tag
from protocol.commands import ping as pings
from protocol.commands.sync import Status
from protocol.elements import Element
from protocol.items.calendar import Calendar
from protocol.items.contacts import Contact
from protocol.versions import V14_1
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox
from tests.server.commands.test_sync_kept import Handset, add, change, contacts, event, everybody, folder

PING = pings.Request(heartbeat_interval=60, folders=(pings.Folder(id=INBOX, item_class="Email"),))


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        made.bench.version = V14_1
        yield made


async def test_a_folder_that_was_never_synced_is_pinged(box: Mailbox) -> None:
    quirks.refuse(frozenset({"PING_BEFORE_SYNC"}))
    answer = await box.bench.run(ping.COMMAND, PING)
    assert (answer.status, answer.folders) == (pings.Status.CHANGES, (INBOX,))


@pytest.mark.parametrize("refused", [frozenset(), frozenset({"EMPTY_SUPPORTED"})], ids=["on", "off"])
async def test_an_empty_supported(box: Mailbox, refused: frozenset[str]) -> None:
    quirks.refuse(refused)
    phone = Handset(box.phone("device1", await folder(box, FolderType.CONTACTS)), Contact)
    await phone.ask(supported=Element(tag("AirSync:Supported")))
    await phone.ask(add("c1", Contact(last_name="B", job_title="C")))
    (name,) = phone.held
    await phone.ask(change(name, Contact(last_name="X")))
    (seen,) = await everybody(box)
    assert seen.job_title == ("C" if refused else None), "nothing is the client's own, so that nothing is ghosted"


async def test_an_empty_picture_deletes_the_photo(box: Mailbox) -> None:
    quirks.refuse(frozenset({"EMPTY_PICTURE"}))
    phone = await contacts(box)
    await phone.ask(add("c1", Contact(last_name="B", picture=b"\xff\xd8\xff")))
    (name,) = phone.held
    await phone.phone.bench.change_device(type="iPhone")
    await phone.ask(change(name, Contact(last_name="C", picture=b"")))
    (seen,) = await everybody(box)
    assert seen.picture is None


@pytest.mark.parametrize(
    ("refused", "status"),
    [(frozenset(), Status.SUCCESS), (frozenset({"INVALID_TIME_ZONE"}), Status.CONVERSION_ERROR)],
    ids=["on", "off"],
)
async def test_an_invalid_time_zone(box: Mailbox, refused: frozenset[str], status: Status) -> None:
    phone = Handset(box.phone("device1", await folder(box, FolderType.CALENDAR)), Calendar)
    await phone.all()
    quirks.refuse(refused)
    answer = await phone.ask(add("c1", event(time_zone="AAAA")))
    assert [each.status for each in answer.responses.responses] == [status]
