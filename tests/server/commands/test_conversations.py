"""Whole conversations by the commands that clients use for them, [MS-ASCON] 3.1.4 and 3.2.5."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, move_items, search
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import FolderType, SearchQuery
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands import move_items as moving
from protocol.commands.search import And, MailboxQuery, Request, Store
from protocol.commands.sync import Delete
from protocol.elements import Element
from protocol.schema import dump
from protocol.versions import V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE

SINCE_14 = pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
COUNT = 3


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


async def answer(box: Mailbox, number: int) -> str:
    """Deliver a message that answers the first one of the conversation; gives its ServerId."""
    octets = message(f"Re: plan {number}", References="<plan@example.com>", In_Reply_To="<plan@example.com>")
    return f"{INBOX}:{await box.deliver(octets, age=timedelta(hours=COUNT - number))}"


async def conversation(box: Mailbox) -> tuple[bytes, list[str]]:
    """A conversation of COUNT messages in the inbox, beside a message that is not of it."""
    first = await box.deliver(message("plan"), age=timedelta(hours=COUNT))
    names = [f"{INBOX}:{first}", *[await answer(box, number) for number in range(1, COUNT)]]
    await box.deliver(message("other"))
    (item,) = await box.store.mail.fetch(ALICE.user, INBOX, [first])  # type: ignore[list-item]
    return item.index.conversation_id, names


async def folders_of(box: Mailbox, conversation_id: bytes) -> list[CollectionId]:
    hits = await box.store.mail.search(ALICE.user, SearchQuery(conversation_id=conversation_id))
    return [hit.collection for hit in hits]


async def folder(box: Mailbox, kind: FolderType) -> CollectionId:
    return next(each.id for each in await box.store.folders.folders(ALICE.user) if each.type is kind)


@pytest.mark.requirement("MS-ASCON_R157", "MS-ASCON_R158", "MS-ASCON_R199", "MS-ASCON_R200", "MS-ASCON_R201")
@SINCE_14
async def test_a_conversation_is_deleted(box: Mailbox, version: ProtocolVersion) -> None:
    conversation_id, names = await conversation(box)
    phone = Mailbox(box.store, replace(box.bench, version=version)).phone()
    await phone.all()
    await phone.ask(*[Delete(server_id=name) for name in names])
    assert await folders_of(box, conversation_id) == [await folder(box, FolderType.DELETED_ITEMS)] * COUNT
    later = await answer(box, COUNT)
    await phone.ask()
    assert later in phone.items


@pytest.mark.requirement("MS-ASCON_R170", "MS-ASCON_R217", "MS-ASCON_R218")
@SINCE_14
async def test_a_conversation_is_moved_from_the_folder(box: Mailbox, version: ProtocolVersion) -> None:
    conversation_id, names = await conversation(box)
    target = await box.store.folders.create_folder(ALICE.user, ROOT, "Plans", FolderType.USER_MAIL)
    wanted = [moving.Move(source_id=name, source_folder=INBOX, destinations=(target.id,)) for name in names]
    bench = replace(box.bench, version=version)
    response = await bench.run(move_items.COMMAND, moving.Request(moves=tuple(wanted)))
    assert [moved.status for moved in response.responses] == [moving.Status.SUCCESS] * COUNT
    assert await folders_of(box, conversation_id) == [target.id] * COUNT


async def found(box: Mailbox, version: ProtocolVersion, conversation_id: bytes) -> list[Any]:
    query = MailboxQuery(ands=(And(conversation_id=conversation_id),))
    wanted = Request(store=Store(name="Mailbox", query=Element(tag("Search:Query"), dump(query, version).content)))
    response = await replace(box.bench, version=version).run(search.COMMAND, wanted)
    return list(response.answer.store.results)


@SINCE_14
async def test_a_conversation_is_found_and_fetched(box: Mailbox, version: ProtocolVersion) -> None:
    conversation_id, names = await conversation(box)
    results = await found(box, version, conversation_id)
    assert [result.long_id for result in results] == names[::-1]
    fetches = [operations.Fetch(store="Mailbox", long_id=result.long_id) for result in results]
    bench = replace(box.bench, version=version)
    response = await bench.run(item_operations.COMMAND, operations.Request(operations=tuple(fetches)))
    assert [fetched.status for fetched in response.responses.fetched] == [1] * COUNT
    for fetched in response.responses.fetched:
        told = fetched.properties.find(tag("Email2:ConversationId"))
        assert bytes(told.content.octets) == conversation_id
