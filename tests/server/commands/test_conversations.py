"""Whole conversations by the commands that clients use for them, [MS-ASCON] 3.1.4 and 3.2.5."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, move_items, search
from eas_server.delivery.steps import deliver_through
from eas_server.interfaces import Delivery, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import ROOT, CollectionId, ItemId
from eas_server.model.mail import FolderType, ItemState, NewMessage, SearchQuery
from eas_server.model.preferences import MAX_CONVERSATION_RULES, ConversationRules
from eas_server.render.mime import index_message
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands import move_items as moving
from protocol.commands.search import And, MailboxQuery, Options, Request, Store
from protocol.commands.sync import Change, Delete
from protocol.elements import Element, Opaque
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.items.email import Email, Flag, FlagStatus
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE, NOW

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


def shown(properties: Element | None) -> Email:
    assert properties is not None
    return load(Email, Element(tag_of(Email), properties.content))


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


@pytest.mark.requirement("MS-ASCON_R203", "MS-ASCON_R284", "MS-ASCON_R204", "MS-ASCON_R326", "MS-ASCON_R337")
@pytest.mark.requirement("MS-ASCON_R207", "MS-ASCON_R208", "MS-ASCON_R209", "MS-ASCON_R325", "MS-ASCON_R162")
@SINCE_14
async def test_a_conversation_is_read_and_flagged(box: Mailbox, version: ProtocolVersion) -> None:
    conversation_id, names = await conversation(box)
    phone = Mailbox(box.store, replace(box.bench, version=version)).phone()
    await phone.all()
    (other,) = set(phone.items) - set(names)

    async def change(**wanted: Any) -> list[ItemState]:
        data = dump(Email(**wanted), version)
        answer = await phone.ask(*[Change(server_id=name, application_data=data) for name in names])
        assert (answer.status, answer.responses) == (1, None)
        numbers = [ItemId(int(name.split(":")[1])) for name in [*names, other]]
        *states, alone = [item.state for item in await box.store.mail.fetch(ALICE.user, INBOX, numbers)]
        assert alone == ItemState()
        return states

    assert [state.read for state in await change(read=True)] == [True] * COUNT
    assert [state.read for state in await change(read=False)] == [False] * COUNT
    active = Flag(status=FlagStatus.ACTIVE, flag_type="for Follow Up")
    assert [state.flag is not None and state.flag.status for state in await change(flag=active)] == [2] * COUNT
    done = Flag(status=FlagStatus.COMPLETE, flag_type="for Follow Up", complete_time=NOW, date_completed=NOW)
    assert [state.flag is not None and state.flag.status for state in await change(flag=done)] == [1] * COUNT
    assert [state.flag for state in await change(flag=Flag())] == [None] * COUNT
    assert len(await folders_of(box, conversation_id)) == COUNT


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


def always(conversation_id: bytes, target: str) -> operations.Move:
    options = operations.MoveOptions(move_always=EMPTY)
    return operations.Move(conversation_id=conversation_id, target=target, options=options)


async def move(box: Mailbox, *moves: operations.Move, version: ProtocolVersion = V16_1) -> list[int]:
    bench = replace(box.bench, version=version)
    response = await bench.run(item_operations.COMMAND, operations.Request(operations=moves))
    assert response.status == operations.Status.SUCCESS
    assert [moved.conversation_id for moved in response.responses.moved] == [each.conversation_id for each in moves]
    return [moved.status for moved in response.responses.moved]


async def submit(box: Mailbox, octets: bytes, folder: FolderType = FolderType.INBOX) -> None:
    """Mail that comes in through all that happens when mail is delivered."""
    index, text = index_message(octets, received=box.bench.now)
    new = NewMessage(content=MemoryBlob(octets), index=index, text=text, received=box.bench.now)
    store = box.store
    pipeline = deliver_through(
        store.submission,
        folders=store.folders,
        mail=store.mail,
        search=store.mail,
        accounts=store.accounts,
        preferences=store.preferences,
        host="mail.example.com",
        domains=("example.com",),
    )
    delivery = Delivery(user=ALICE.user, folder=folder, message=new)
    await pipeline.submit(
        Submission(user=ALICE.user, source=None, deliveries=(delivery,), forwarding=None, now=box.bench.now)
    )


def reply(number: int) -> bytes:
    return message(f"Re: plan {number}", References="<plan@example.com>", In_Reply_To="<plan@example.com>")


@pytest.mark.requirement(
    "MS-ASCON_R130",
    "MS-ASCON_R134",
    "MS-ASCON_R143",
    "MS-ASCON_R172",
    "MS-ASCON_R215",
    "MS-ASCON_R216",
    "MS-ASCMD_R3470",
)
@SINCE_14
@pytest.mark.requirement(
    "MS-ASCMD_R201",
    "MS-ASCMD_R2080",
    "MS-ASCMD_R3465",
    "MS-ASCON_R68",
    "MS-ASCON_R69",
    "MS-ASCON_R126",
    "MS-ASCON_R139",
    "MS-ASCON_R118",
    "MS-ASCON_R142",
)
async def test_a_conversation_is_moved_always(box: Mailbox, version: ProtocolVersion) -> None:
    conversation_id, _ = await conversation(box)
    target = await box.store.folders.create_folder(ALICE.user, ROOT, "Plans", FolderType.USER_MAIL)
    other = await box.store.folders.create_folder(ALICE.user, target.id, "Old", FolderType.USER_MAIL)
    sent = await folder(box, FolderType.SENT_ITEMS)
    await box.deliver(reply(7), folder=other.id)
    await box.deliver(reply(8), folder=sent)
    assert await move(box, always(conversation_id, target.id), version=version) == [1]
    assert sorted(await folders_of(box, conversation_id)) == sorted([*[target.id] * (COUNT + 1), sent])
    await submit(box, reply(9))
    await submit(box, reply(10), FolderType.SENT_ITEMS)
    await submit(box, message("another"))
    assert sorted(await folders_of(box, conversation_id)) == sorted([*[target.id] * (COUNT + 2), sent, sent])


@pytest.mark.requirement("MS-ASCON_R166", "MS-ASCON_R168", "MS-ASCON_R213", "MS-ASCON_R214")
async def test_a_conversation_is_ignored(box: Mailbox) -> None:
    conversation_id, names = await conversation(box)
    trash = await folder(box, FolderType.DELETED_ITEMS)
    phone = box.phone()
    await phone.all()
    assert await move(box, always(conversation_id, trash)) == [1]
    await submit(box, reply(9))
    assert await folders_of(box, conversation_id) == [trash] * (COUNT + 1)
    await phone.all()
    assert not set(names) & set(phone.items)
    assert len(phone.items) == 1


async def test_a_conversation_goes_its_usual_way_again(box: Mailbox) -> None:
    conversation_id, _ = await conversation(box)
    trash = await folder(box, FolderType.DELETED_ITEMS)
    assert await move(box, always(conversation_id, trash), always(conversation_id, INBOX)) == [1, 1]
    await submit(box, reply(9))
    assert await folders_of(box, conversation_id) == [INBOX] * (COUNT + 1)
    assert await box.store.preferences.preference(ALICE.user, ConversationRules) == ConversationRules()


async def test_the_folder_of_a_conversation_is_gone(box: Mailbox) -> None:
    conversation_id, _ = await conversation(box)
    target = await box.store.folders.create_folder(ALICE.user, ROOT, "Plans", FolderType.USER_MAIL)
    assert await move(box, always(conversation_id, target.id)) == [1]
    await box.store.folders.delete_folder(ALICE.user, target.id)
    await submit(box, reply(9))
    assert await folders_of(box, conversation_id) == [INBOX]


@pytest.mark.requirement(
    "MS-ASCON_R169",
    "MS-ASCON_R327",
    "MS-ASCON_R146",
    "MS-ASCON_R317",
    "MS-ASCON_R262",
    "MS-ASCON_R338",
    "MS-ASCON_R175",
)
@pytest.mark.requirement("MS-ASCMD_R4173", "MS-ASCMD_R4148")
async def test_each_move_has_its_own_status(box: Mailbox) -> None:
    conversation_id, _ = await conversation(box)
    targets = [FolderType.CONTACTS, FolderType.DRAFTS, FolderType.OUTBOX, FolderType.CALENDAR]
    refused = [always(conversation_id, await folder(box, kind)) for kind in targets]
    cache = await folder(box, FolderType.RECIPIENT_INFORMATION_CACHE)
    unknown = always(b"x" * 16, INBOX), always(b"", INBOX), always(conversation_id, "nowhere")
    moves = [*refused, always(conversation_id, cache), *unknown, always(conversation_id, "4")]
    assert await move(box, *moves) == [156] * len(targets) + [105, 6, 6, 6, 1]


@pytest.mark.requirement("MS-ASCMD_R3474", "MS-ASCMD_R3475", "MS-ASCMD_R4171", "MS-ASCMD_R6850")
async def test_a_move_is_for_good_and_since_14(box: Mailbox) -> None:
    conversation_id, _ = await conversation(box)
    trash = await folder(box, FolderType.DELETED_ITEMS)
    once = operations.Move(conversation_id=conversation_id, target=trash)
    for version, wanted, status in ((V14_0, once, 155), (V12_1, always(conversation_id, trash), 2)):
        bench = replace(box.bench, version=version)
        response = await bench.run(item_operations.COMMAND, operations.Request(operations=(wanted,)))
        assert (response.status, response.responses) == (status, None)
    assert await folders_of(box, conversation_id) == [INBOX] * COUNT


def test_the_oldest_rules_are_dropped() -> None:
    rules = ConversationRules()
    for number in range(MAX_CONVERSATION_RULES + 2):
        rules = rules.with_rule(number.to_bytes(16, "big"), INBOX)
    assert len(rules.rules) == MAX_CONVERSATION_RULES
    assert rules.folder_of((1).to_bytes(16, "big")) is None
    assert rules.folder_of((2).to_bytes(16, "big")) == INBOX
    assert rules.with_rule((2).to_bytes(16, "big"), None).folder_of((2).to_bytes(16, "big")) is None


PART = (BodyPartPreference(type=BodyType.HTML, truncation_size=500),)
BODY = (BodyPreference(type=BodyType.PLAIN),)


@pytest.mark.requirement("MS-ASCON_R235", "MS-ASCON_R236", "MS-ASCON_R339", "MS-ASCON_R340", "MS-ASCON_R243")
@pytest.mark.requirement("MS-ASCON_R39", "MS-ASCON_R40", "MS-ASCON_R221", "MS-ASCON_R239")
@pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
@pytest.mark.parametrize(("bodies", "body_parts"), [((), ()), (BODY, ()), ((), PART), (BODY, PART)])
async def test_parts_in_search_and_fetch(
    box: Mailbox, version: ProtocolVersion, bodies: tuple[BodyPreference, ...], body_parts: tuple[Any, ...]
) -> None:
    conversation_id, names = await conversation(box)
    query = MailboxQuery(ands=(And(conversation_id=conversation_id),))
    wanted = Options(body_preferences=bodies, body_part_preferences=body_parts)
    store = Store(name="Mailbox", query=Element(tag("Search:Query"), dump(query, version).content), options=wanted)
    bench = replace(box.bench, version=version)
    results = (await bench.run(search.COMMAND, Request(store=store))).answer.store.results
    asked = operations.FetchOptions(body_preferences=bodies, body_part_preferences=body_parts)
    fetches = tuple(operations.Fetch(store="Mailbox", server_id=name, options=asked) for name in names)
    response = await bench.run(item_operations.COMMAND, operations.Request(operations=fetches))
    emails = [shown(each.properties) for each in (*results, *response.responses.fetched)]
    assert len(emails) == 2 * COUNT
    has_part = bool(body_parts) and version >= V14_1
    for email in emails:
        assert (email.body_part is not None) == has_part
        assert (email.body is not None) == (bool(bodies) or not has_part)
        if email.body_part is not None:
            assert "Hello." in str(email.body_part.data)


ID = Element(tag("ItemOperations:ConversationId"), Opaque(b"x" * 16))
TARGET = Element(tag("ItemOperations:DstFldId"), "4")
ALWAYS = Element(tag("ItemOperations:Options"), [Element(tag("ItemOperations:MoveAlways"))])


def request_of(*inner: Element) -> Element:
    return Element(tag("ItemOperations:ItemOperations"), [Element(tag("ItemOperations:Move"), list(inner))])


@pytest.mark.requirement("MS-ASCON_R144", "MS-ASCMD_R2212", "MS-ASCMD_R7238")
@pytest.mark.parametrize(
    "inner",
    [
        (TARGET, ALWAYS),
        (ID, ALWAYS),
        (ID, ID, TARGET, ALWAYS),
        (ID, TARGET, TARGET, ALWAYS),
        (ID, Element(tag("ItemOperations:DstFldId"), "x" * 65), ALWAYS),
        (ID, TARGET, ALWAYS, ALWAYS),
        (ID, Element(tag("ItemOperations:DstFldId"), [TARGET]), ALWAYS),
        (),
    ],
    ids=["no id", "no target", "two ids", "two targets", "a long target", "two options", "a nest", "nothing"],
)
async def test_what_is_no_move(box: Mailbox, inner: tuple[Element, ...]) -> None:
    with pytest.raises(MalformedXml) as failed:
        await box.bench.run_tree(item_operations.COMMAND, request_of(*inner))
    answer = item_operations.COMMAND.refuse(failed.value, V16_1)
    assert isinstance(answer, operations.Response)
    assert answer.status == operations.Status.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "wrong", ["", "text", Opaque(b""), Opaque(b"x" * 100_000)], ids=["empty", "text", "none", "long"]
)
async def test_ids_that_no_conversation_has(box: Mailbox, wrong: Any) -> None:
    await conversation(box)
    named = Element(tag("ItemOperations:ConversationId"), wrong)
    response = await box.bench.run_tree(item_operations.COMMAND, request_of(named, TARGET, ALWAYS))
    assert [moved.status for moved in response.responses.moved] == [6]
    assert await box.store.preferences.preference(ALICE.user, ConversationRules) == ConversationRules()
