"""Conversations and the other classes' commands against a real server, in every version."""

import secrets
from typing import Any

import pytest

from eas_server.lab.device import message
from eas_server.model.mail import FolderType
from protocol.client import ITEM_OPERATIONS, SEARCH, SMART_REPLY, SYNC
from protocol.codepages import tag
from protocol.commands import item_operations, search, smart_reply, sync
from protocol.commands.compose_mail import PRESENT, Source
from protocol.datatypes import ConversationIndex
from protocol.elements import Element, Opaque
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.contacts import Contact
from protocol.schema import EMPTY, dump
from protocol.versions import SUPPORTED, V12_1, V14_0
from tests.scenarios.server import ValidatedDevice, World

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
SINCE_14 = pytest.mark.parametrize("version", [each for each in SUPPORTED if each >= V14_0], ids=str)
FILTER = (sync.Options(filter_type=2),)


async def settled(device: ValidatedDevice) -> Any:
    assert await device.provision()
    return await device.folders()


async def reply(device: ValidatedDevice, world: World, server_id: str, *, to: str, sender: str) -> None:
    """A SmartReply, whose thread the server fills in."""
    letter = world.letter(f"Re: plan {secrets.token_hex(4)}", sender=sender, to=to)
    request = smart_reply.Request(
        client_id=secrets.token_hex(8),
        source=Source(folder_id=server_id.split(":", maxsplit=1)[0], item_id=server_id),
        save_in_sent_items=PRESENT,
        mime=Opaque(letter),
    )
    answer = await device.call(SMART_REPLY, request)
    assert answer.ok
    assert answer.response is None


async def conversation(world: World, version: Any) -> tuple[ValidatedDevice, ValidatedDevice, Any, str, Any]:
    """Bob writes, Alice answers, Bob answers her: both devices, Alice's folders, and the last message she has."""
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, theirs = await settled(alice), await settled(bob)
    await bob.send(world.letter("plan", sender="bob", to="alice"))
    ((first, _),) = (await alice.catch_up(ours[FolderType.INBOX])).added.items()
    await reply(alice, world, first, to="bob", sender="alice")
    ((answer, _),) = (await bob.catch_up(theirs[FolderType.INBOX])).added.items()
    await reply(bob, world, answer, to="alice", sender="bob")
    ((last, found),) = (await alice.catch_up(ours[FolderType.INBOX])).added.items()
    return alice, bob, ours, last, found


def id_of(found: Any) -> bytes:
    return bytes(found.conversation_id)


async def searched(device: ValidatedDevice, conversation_id: bytes) -> Any:
    query = search.MailboxQuery(ands=(search.And(conversation_id=conversation_id),))
    element = Element(tag("Search:Query"), dump(query).content)
    answer = await device.call(SEARCH, search.Request(store=search.Store(name="Mailbox", query=element)))
    return answer.take().answer.store


async def move_always(device: ValidatedDevice, conversation_id: bytes, target: str) -> Any:
    options = item_operations.MoveOptions(move_always=EMPTY)
    wanted = item_operations.Move(conversation_id=conversation_id, target=target, options=options)
    return (await device.call(ITEM_OPERATIONS, item_operations.Request(operations=(wanted,)))).take()


@pytest.mark.requirement("MS-ASCON_R82", "MS-ASCON_R304", "MS-ASCON_R194", "MS-ASCON_R195", "MS-ASCON_R196")
@SINCE_14
async def test_a_conversation_from_end_to_end(world: World, version: Any) -> None:
    alice, bob, folders, _, found = await conversation(world, version)
    index = ConversationIndex.parse(bytes(found.conversation_index))
    assert len(index.levels) == 2
    assert index.replied[0] <= index.replied[1]
    store = await searched(alice, id_of(found))
    assert (store.status, store.total) == (1, 3)
    assert {result.collection_id for result in store.results} == {
        folders[FolderType.INBOX],
        folders[FolderType.SENT_ITEMS],
    }
    bin_ = folders[FolderType.DELETED_ITEMS]
    moved = await move_always(alice, id_of(found), bin_)
    assert (moved.status, moved.responses.moved[0].status) == (1, 1)
    assert bytes(moved.responses.moved[0].conversation_id) == id_of(found)
    gone = (await alice.catch_up(folders[FolderType.INBOX])).commands
    assert [type(each) for each in gone] == [sync.Delete, sync.Delete]
    ours = {result.collection_id for result in (await searched(alice, id_of(found))).results}
    assert ours == {bin_, folders[FolderType.SENT_ITEMS]}
    before = set((await alice.catch_up(bin_)).added)
    assert len(before) == 2
    inbox = (await bob.folders())[FolderType.INBOX]
    bob.client.sync_keys.pop(inbox, None)
    ((answer, _),) = (await bob.catch_up(inbox)).added.items()
    await reply(bob, world, answer, to="alice", sender="bob")
    assert not (await alice.catch_up(folders[FolderType.INBOX])).commands
    (late,) = (await alice.catch_up(bin_)).added.values()
    assert id_of(late) == id_of(found)


@pytest.mark.requirement("MS-ASCMD_R6364", "MS-ASCMD_R6850")
async def test_12_1_knows_of_no_conversations(world: World) -> None:
    alice = world.device("alice", V12_1)
    folders = await settled(alice)
    await alice.send(world.letter("plan", to="alice"))
    (found,) = (await alice.catch_up(folders[FolderType.INBOX])).added.values()
    assert (found.conversation_id, found.conversation_index) == (None, None)
    assert (await move_always(alice, b"x" * 16, folders[FolderType.DELETED_ITEMS])).status == 2
    assert (await searched(alice, b"x" * 16)).status == 2


@SINCE_14
async def test_a_sync_of_whole_conversations(world: World, version: Any) -> None:
    _, _, folders, last, _ = await conversation(world, version)
    other = world.device("alice", version, device_id="device2")
    await settled(other)
    inbox = folders[FolderType.INBOX]
    await other.round(inbox)
    asked = sync.Collection(
        sync_key=other.client.sync_keys[inbox],
        collection_id=inbox,
        get_changes=True,
        conversation_mode=True,
        options=FILTER,
    )
    answer = await other.call(SYNC, sync.Request(collections=sync.Collections(collections=(asked,))))
    (collection,) = answer.take().collections.collections
    assert collection.status == sync.Status.SUCCESS
    emails = [message(command.application_data) for command in collection.commands.commands]
    assert len(emails) == 2
    assert last in {command.server_id for command in collection.commands.commands}


@VERSIONS
async def test_a_contact_by_search_and_fetch(world: World, version: Any) -> None:
    alice = world.device("alice", version)
    folder = (await settled(alice))[FolderType.CONTACTS]
    await alice.round(folder, options=())
    text = Body(type=BodyType.PLAIN, data="Knows the quagga.")
    made = dump(Contact(first_name="Quinn", last_name="Example", file_as="Quinn", body=text), version)
    news, _ = await alice.round(
        folder,
        sync.Add(client_id="c1", application_data=made),
        options=(),
    )
    ((server_id, status),) = [(each.server_id, each.status) for each in news.responses]
    assert status == sync.Status.SUCCESS
    query = search.MailboxQuery(ands=(search.And(free_texts=("quagga",), classes=("Contacts",)),))
    element = Element(tag("Search:Query"), dump(query).content)
    answer = await alice.call(SEARCH, search.Request(store=search.Store(name="Mailbox", query=element)))
    (result,) = answer.take().answer.store.results
    assert (result.item_class, result.long_id) == ("Contacts", server_id)
    options = item_operations.FetchOptions(body_preferences=(BodyPreference(type=BodyType.PLAIN),))
    fetch = item_operations.Fetch(store="Mailbox", long_id=result.long_id, options=options)
    for multiparts in (False, True):
        fetched = await alice.call(ITEM_OPERATIONS, item_operations.Request(operations=(fetch,)), multiparts=multiparts)
        (item,) = fetched.take().responses.fetched
        assert (item.status, item.item_class) == (1, "Contacts")
        body = item.properties.find(tag("AirSyncBase:Body"))
        part = body.find(tag("ItemOperations:Part"))
        assert (part is not None) == multiparts
        assert (body.find(tag("AirSyncBase:Data")) is not None) != multiparts
        if part is not None:
            assert bytes(fetched.parts[int(part.text) - 1]).decode() == "Knows the quagga."
