"""Answers that never arrive: what the device does again has the effect of once."""

import asyncio

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol.client import FOLDER_CREATE, FOLDER_SYNC, MOVE_ITEMS, SEND_MAIL, SYNC, compose
from protocol.codepages import tag
from protocol.commands import folder_create, folder_sync, move_items, sync
from protocol.elements import Element
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)


async def lose(device, command, request):
    """Give a command whose answer the device never sees."""
    response = await device.transport.send(device.client.request(command, request))
    assert response.status == 200


def one(device, collection_id, *commands, window=None):
    """A Sync of one collection under the key that the device holds."""
    asked = device.client.collection(collection_id, *commands, options=MIME, window_size=window, get_changes=True)
    return sync.Request(collections=sync.Collections(collections=(asked,)))


@VERSIONS
async def test_a_lost_window_comes_again(world, version):
    alice = world.device("alice", version)
    inbox = (await alice.folders())[FolderType.INBOX]
    for number in range(5):
        await alice.send(world.letter(f"letter {number}", to="alice"), save=False)
    await alice.round(inbox)
    for _ in range(3):
        await lose(alice, SYNC, one(alice, inbox, window=2))
    news = await alice.catch_up(inbox, window=2)
    assert len(news.added) == len(news.commands) == 5


@VERSIONS
async def test_changes_whose_answer_was_lost_are_made_once(world, version):
    first, second = (world.device("alice", version, device_id=f"device{n}") for n in (1, 2))
    inbox = (await first.folders())[FolderType.INBOX]
    await second.folders()
    for number in range(3):
        await first.send(world.letter(f"letter {number}", to="alice"), save=False)
    ids = sorted((await first.catch_up(inbox)).added)
    await second.catch_up(inbox)
    read = sync.Change(
        server_id=ids[0],
        application_data=Element(tag("AirSync:ApplicationData"), [Element(tag("Email:Read"), "1")]),
    )
    commands = (read, sync.Delete(server_id=ids[1]))
    await lose(first, SYNC, one(first, inbox, *commands))
    await lose(first, SYNC, one(first, inbox, *commands))
    again = await first.catch_up(inbox, *commands)
    assert [response.status for response in again.responses if response.status != sync.Status.SUCCESS] in (
        [],
        [sync.Status.NOT_FOUND],
    )
    heard = (await second.catch_up(inbox)).commands
    assert sorted((type(each).__name__, each.server_id) for each in heard) == [("Change", ids[0]), ("Delete", ids[1])]
    assert (await first.catch_up(inbox)).commands == []
    assert (await second.catch_up(inbox)).commands == []


@VERSIONS
async def test_a_message_whose_answer_was_lost_is_sent_once(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version)
    sent = world.letter("only once")
    await lose(alice, SEND_MAIL, compose(sent, "client-id-1"))
    answer = await alice.call(SEND_MAIL, compose(sent, "client-id-1"))
    if version > V12_1:
        assert answer.status == CommonStatus.MESSAGE_PREVIOUSLY_SENT
    inbox = (await bob.folders())[FolderType.INBOX]
    found = (await bob.catch_up(inbox, options=MIME)).added
    assert [octets_of(each).endswith(sent) for each in found.values()] == [True]


async def test_the_same_client_id_with_another_message_is_another_message(world):
    alice, bob = world.device("alice"), world.device("bob")
    await alice.send(world.letter("before the reset"), client_id="1")
    await alice.send(world.letter("after the reset"), client_id="1")
    inbox = (await bob.folders())[FolderType.INBOX]
    assert len((await bob.catch_up(inbox)).added) == 2


@VERSIONS
async def test_a_move_whose_answer_was_lost_leaves_one_message(world, version):
    alice = world.device("alice", version)
    folders = await alice.folders()
    inbox, bin_ = folders[FolderType.INBOX], folders[FolderType.DELETED_ITEMS]
    await alice.send(world.letter("to be moved", to="alice"), save=False)
    (server_id,) = (await alice.catch_up(inbox)).added
    move = move_items.Request(moves=(move_items.Move(source_id=server_id, source_folder=inbox, destinations=(bin_,)),))
    await lose(alice, MOVE_ITEMS, move)
    (outcome,) = (await alice.call(MOVE_ITEMS, move)).take().responses
    assert outcome.status in (move_items.Status.SUCCESS, move_items.Status.INVALID_SOURCE)
    assert len((await alice.catch_up(bin_)).added) == 1
    assert [type(each) for each in (await alice.catch_up(inbox)).commands] == [sync.Delete]


@VERSIONS
async def test_a_lost_hierarchy_comes_again(world, version):
    first, second = (world.device("alice", version, device_id=f"device{n}") for n in (1, 2))
    await first.folders()
    await second.folders()
    create = folder_create.Request(
        sync_key=first.client.hierarchy_key, parent_id="0", display_name="Projects", type=FolderType.USER_MAIL
    )
    await lose(first, FOLDER_CREATE, create)
    await lose(second, FOLDER_SYNC, folder_sync.Request(sync_key=second.client.hierarchy_key))
    for device in (first, second):
        answer = await device.call(FOLDER_SYNC, folder_sync.Request(sync_key=device.client.hierarchy_key))
        response = answer.take()
        assert response.status == folder_sync.Status.SUCCESS
        assert [each.display_name for each in response.changes.adds] == ["Projects"]


async def test_a_device_that_hangs_up_is_not_waited_for(world):
    alice = world.device("alice")
    inbox = (await alice.folders())[FolderType.INBOX]
    await alice.catch_up(inbox)
    hanging = sync.Request(
        collections=sync.Collections(collections=(alice.client.collection(inbox, get_changes=True),)), wait=10
    )
    for _ in range(3):
        task = asyncio.create_task(alice.call(SYNC, hanging))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await alice.send(world.letter("are you there", to="alice"), save=False)
    assert len((await alice.catch_up(inbox)).added) == 1
