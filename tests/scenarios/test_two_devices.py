"""Two devices on one mailbox: each hears of what the other does, and never of what it did itself."""

import asyncio

import pytest

from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import FOLDER_CREATE, FOLDER_DELETE, FOLDER_SYNC, FOLDER_UPDATE, SYNC
from protocol.codepages import tag
from protocol.commands import folder_create, folder_delete, folder_sync, folder_update, ping, sync
from protocol.elements import Element
from protocol.items.email import Email
from protocol.versions import SUPPORTED, V14_0

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)


@pytest.fixture
async def pair(world, request):
    """Two devices of Alice that hold the same three messages, with the id of the Inbox."""
    version = getattr(request, "param", SUPPORTED[-1])
    first, second = (world.device("alice", version, device_id=f"device{n}") for n in (1, 2))
    for number in range(3):
        await first.send(world.letter(f"letter {number}", to="alice"), save=False)
    inbox = (await first.folders())[FolderType.INBOX]
    await second.folders()
    mine, theirs = await first.catch_up(inbox), await second.catch_up(inbox)
    assert set(mine.added) == set(theirs.added)
    assert len(mine.added) == 3
    return first, second, inbox, sorted(mine.added)


def marked_read(server_id, read=True):
    """A Change of Read."""
    content = [Element(tag("Email:Read"), "1" if read else "0")]
    return sync.Change(server_id=server_id, application_data=Element(tag("AirSync:ApplicationData"), content))


@pytest.mark.parametrize("pair", SUPPORTED, ids=str, indirect=True)
async def test_a_change_reaches_the_other_device_and_does_not_come_back(pair):
    first, second, inbox, ids = pair
    changed = await first.catch_up(inbox, marked_read(ids[0]))
    assert changed.commands == []
    (heard,) = (await second.catch_up(inbox)).commands
    assert isinstance(heard, sync.Change)
    assert heard.server_id == ids[0]
    assert schema.load(Email, heard.application_data).read is True
    assert (await first.catch_up(inbox)).commands == []
    assert (await second.catch_up(inbox)).commands == []


async def test_a_deletion_reaches_the_other_device(pair):
    first, second, inbox, ids = pair
    await first.catch_up(inbox, sync.Delete(server_id=ids[1]))
    (heard,) = (await second.catch_up(inbox)).commands
    assert isinstance(heard, sync.Delete)
    assert heard.server_id == ids[1]


async def test_a_change_of_what_the_other_one_deleted(pair):
    first, second, inbox, ids = pair
    await first.catch_up(inbox, sync.Delete(server_id=ids[1]))
    news = await second.catch_up(inbox, marked_read(ids[1]))
    assert [type(each) for each in news.commands] == [sync.Delete]
    assert [response.status for response in news.responses] == [sync.Status.NOT_FOUND]


@pytest.mark.parametrize("conflict", [None, *sync.Conflict], ids=str)
async def test_both_change_the_same_message_and_end_up_alike(pair, conflict):
    first, second, inbox, ids = pair
    options = (sync.Options(conflict=conflict),)
    held = {first: True, second: False}
    await first.catch_up(inbox, marked_read(ids[0]), options=options)
    news = await second.catch_up(inbox, marked_read(ids[0], read=False), options=options)
    for device, told in ((second, news), (first, await first.catch_up(inbox)), (second, await second.catch_up(inbox))):
        for command in told.commands:
            held[device] = schema.load(Email, command.application_data).read
    assert held[first] == held[second] == (conflict is not sync.Conflict.CLIENT_WINS)


async def test_waiting_devices_hear_of_each_other(pair):
    first, second, inbox, ids = pair
    waiting = asyncio.create_task(second.wait(inbox))
    await asyncio.sleep(0.2)
    await first.catch_up(inbox, marked_read(ids[2]))
    response = await asyncio.wait_for(waiting, 10)
    assert response.status is ping.Status.CHANGES


async def test_a_hanging_sync_hears_of_the_other_device(pair):
    first, second, inbox, ids = pair
    hanging = sync.Request(
        collections=sync.Collections(collections=(second.client.collection(inbox, get_changes=True),)), wait=5
    )
    waiting = asyncio.create_task(second.call(SYNC, hanging))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await first.catch_up(inbox, marked_read(ids[2]))
    (collection,) = (await asyncio.wait_for(waiting, 10)).take().collections.collections
    (heard,) = collection.commands.commands
    assert heard.server_id == ids[2]


@VERSIONS
async def test_folders_made_on_one_device_appear_on_the_other(world, version):
    first, second = (world.device("alice", version, device_id=f"device{n}") for n in (1, 2))
    await first.folders()
    await second.folders()
    made = (
        await first.call(
            FOLDER_CREATE,
            folder_create.Request(
                sync_key=first.client.hierarchy_key,
                parent_id="0",
                display_name="Projects",
                type=FolderType.USER_MAIL,
            ),
        )
    ).take()
    assert made.status == folder_create.Status.SUCCESS
    assert await _changes(first) == ([], [], [])
    assert await _changes(second) == ([(made.server_id, "Projects")], [], [])
    renamed = folder_update.Request(
        sync_key=first.client.hierarchy_key, server_id=made.server_id, parent_id="0", display_name="Old projects"
    )
    assert (await first.call(FOLDER_UPDATE, renamed)).take().status == folder_update.Status.SUCCESS
    assert await _changes(second) == ([], [(made.server_id, "Old projects")], [])
    gone = folder_delete.Request(sync_key=first.client.hierarchy_key, server_id=made.server_id)
    assert (await first.call(FOLDER_DELETE, gone)).take().status == folder_delete.Status.SUCCESS
    assert await _changes(second) == ([], [], [made.server_id])
    assert await _changes(first) == ([], [], [])


async def _changes(device):
    answer = await device.call(FOLDER_SYNC, folder_sync.Request(sync_key=device.client.hierarchy_key))
    response = answer.take()
    assert response.status == folder_sync.Status.SUCCESS
    changes = response.changes
    return (
        [(each.server_id, each.display_name) for each in changes.adds],
        [(each.server_id, each.display_name) for each in changes.updates],
        [each.server_id for each in changes.deletes],
    )


async def test_two_devices_of_two_versions_hold_the_same(world):
    old, new = (world.device("alice", version, device_id=str(version)) for version in (SUPPORTED[0], V14_0))
    inbox = (await old.folders())[FolderType.INBOX]
    await new.folders()
    for number in range(5):
        await new.send(world.letter(f"letter {number}", to="alice"), save=False)
    first = await old.catch_up(inbox, window=2)
    assert first.rounds >= 3
    assert set(first.added) == set((await new.catch_up(inbox)).added)
