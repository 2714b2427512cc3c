"""ConversationMode in Sync and GetItemEstimate: [MS-ASCMD] 2.2.3.36, [MS-ASCON] 3.1.4.9 and 3.2.5.6."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import get_item_estimate, ping, sync
from eas_server.errors import CommandError
from eas_server.model.ids import ItemId
from eas_server.sync.filters import FilterType
from protocol.codepages import tag
from protocol.commands import get_item_estimate as estimates
from protocol.commands import ping as pings
from protocol.commands.sync import Collection, Collections, Options, Request, Status
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.versions import V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, Phone, mailbox, message
from tests.server.commands.support import ALICE

SINCE_14 = pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
THREE_DAYS = Options(filter_type=FilterType.THREE_DAYS)
CONTACTS = "8"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


async def put(box: Mailbox, subject: str, days: float, of: str = "") -> str:
    """A message, an answer in the conversation `of` where that is given; gives its ServerId."""
    headers = {"References": f"<{of}@example.com>", "In_Reply_To": f"<{of}@example.com>"} if of else {}
    return f"{INBOX}:{await box.deliver(message(subject, **headers), age=timedelta(days=days))}"


async def two_conversations(box: Mailbox) -> tuple[list[str], list[str]]:
    """One that reaches into the last three days, and one that does not."""
    going = [
        await put(box, "plan", 40),
        await put(box, "Re: plan", 10, "plan"),
        await put(box, "Re: plan ok", 1, "plan"),
    ]
    over = [await put(box, "old", 30), await put(box, "Re: old", 5, "old")]
    return going, over


def phone(box: Mailbox, version: ProtocolVersion = V16_1, device: str = "device1") -> Phone:
    return Mailbox(box.store, replace(box.bench, version=version)).phone(device)


def later(device: Phone, days: float) -> Phone:
    """The same device some days on."""
    device.bench = replace(device.bench, now=device.bench.now + timedelta(days=days))
    return device


@pytest.mark.requirement(
    "MS-ASCMD_R2107", "MS-ASCMD_R2109", "MS-ASCMD_R2110", "MS-ASCON_R232", "MS-ASCON_R330", "MS-ASCON_R180"
)
@SINCE_14
async def test_a_conversation_comes_as_a_whole(box: Mailbox, version: ProtocolVersion) -> None:
    going, _ = await two_conversations(box)
    device, other = phone(box, version), phone(box, version, "device2")
    await device.all(conversation_mode=True, options=THREE_DAYS)
    assert sorted(device.items) == sorted(going)
    await other.all(conversation_mode=False, options=THREE_DAYS)
    assert list(other.items) == going[2:]
    await device.all(conversation_mode=False, options=THREE_DAYS)
    assert list(device.items) == going[2:]
    await other.all(conversation_mode=True)
    assert sorted(other.items) == sorted(going)


@pytest.mark.requirement("MS-ASCMD_R6372", "MS-ASCMD_R6368")
async def test_12_1_has_no_conversations(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box, V12_1)
    await device.ask()
    assert await estimate(device, options=(THREE_DAYS,), conversation_mode=True) == 1
    await device.all(conversation_mode=True, options=THREE_DAYS)
    assert list(device.items) == going[2:]


async def test_the_newest_comes_first_and_windows_are_kept(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    seen: list[str] = []
    await device.ask()
    for _ in going:
        answer = await device.ask(conversation_mode=True, options=THREE_DAYS, window_size=1)
        seen += [command.server_id for command in answer.commands.commands]
        assert (answer.more_available is not None) == (len(seen) < len(going))
    assert seen == going[::-1]
    assert await device.ask(conversation_mode=True, options=THREE_DAYS) is None


async def test_it_is_remembered_with_the_options(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    await device.ask(conversation_mode=True, options=THREE_DAYS)
    await device.all()
    assert sorted(device.items) == sorted(going)
    await device.all(options=THREE_DAYS)
    assert list(device.items) == going[2:]


async def test_an_answer_brings_back_its_conversation(box: Mailbox) -> None:
    _, over = await two_conversations(box)
    device = phone(box)
    await device.all(conversation_mode=True, options=THREE_DAYS)
    assert not set(over) & set(device.items)
    new = await put(box, "Re: old news", 0, "old")
    folder = pings.Folder(id=INBOX, item_class="Email")
    answer = await device.bench.run(ping.COMMAND, pings.Request(heartbeat_interval=60, folders=(folder,)))
    assert answer.status == pings.Status.CHANGES
    await device.all()
    assert {new, *over} <= set(device.items)


@pytest.mark.requirement("MS-ASCON_R233", "MS-ASCON_R228")
async def test_a_conversation_ages_as_a_whole(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    await device.all(conversation_mode=True, options=THREE_DAYS)
    await later(device, 1).all()
    assert sorted(device.items) == sorted(going)
    await later(device, 1.5).all()
    assert device.items == {}
    assert await device.ask() is None


@pytest.mark.requirement("MS-ASCON_R223")
async def test_what_loses_its_hold_goes_when_the_limit_moves(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    await device.all(conversation_mode=True, options=THREE_DAYS)
    await box.store.mail.delete(ALICE.user, INBOX, [ItemId(int(going[2].split(":")[1]))])
    await device.all()
    assert sorted(device.items) == sorted(going[:2])
    await later(device, 0.1).all()
    assert device.items == {}


@pytest.mark.requirement("MS-ASCMD_R2108", "MS-ASCON_R242")
async def test_what_the_filter_hides_comes_with_its_preview(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    wanted = replace(
        THREE_DAYS,
        body_preferences=(BodyPreference(type=BodyType.HTML, truncation_size=1000, preview=20),),
        body_part_preference=BodyPartPreference(type=BodyType.HTML, truncation_size=1000),
    )
    await device.all(conversation_mode=True, options=wanted)
    for name, email in device.items.items():
        assert email.body is not None
        assert (email.body.data is not None) == (name == going[2])
        assert email.body.preview == "Hello."
        assert email.body_part is not None
        assert email.body_part.data


@pytest.mark.requirement(
    "MS-ASCON_R234",
    "MS-ASCON_R237",
    "MS-ASCON_R245",
    "MS-ASCON_R246",
    "MS-ASCON_R247",
    "MS-ASCON_R248",
    "MS-ASCON_R240",
)
@pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("part", [False, True])
async def test_a_body_and_a_part_as_asked_for(box: Mailbox, version: ProtocolVersion, body: bool, part: bool) -> None:
    await box.deliver(message("long", "word " * 100))
    wanted = Options(
        body_preferences=(BodyPreference(type=BodyType.PLAIN),) if body else (),
        body_part_preference=BodyPartPreference(type=BodyType.HTML, truncation_size=90) if part else None,
    )
    device = phone(box, version)
    await device.all(options=wanted)
    (email,) = device.items.values()
    has_part = part and version >= V14_1
    assert (email.body is not None) == (body or not has_part)
    assert (email.body_part is not None) == has_part
    if email.body_part is not None:
        assert (email.body_part.status, email.body_part.truncated) == (1, True)
        assert email.body_part.estimated_data_size > 500
        assert 0 < len(str(email.body_part.data)) <= 90


@pytest.mark.requirement("MS-ASCON_R241", "MS-ASAIRS_R272", "MS-ASAIRS_R63")
@pytest.mark.parametrize("type_", [BodyType.PLAIN, BodyType.RTF, BodyType.MIME])
async def test_parts_are_html(box: Mailbox, type_: BodyType) -> None:
    await box.deliver(message("long", "word " * 100))
    device = phone(box)
    await device.ask()
    answer = await device.ask(options=Options(body_part_preference=BodyPartPreference(type=type_)), lose=True)
    assert (answer.status, answer.sync_key) == (164, device.key)
    all_of_it = BodyPartPreference(type=BodyType.HTML, truncation_size=90, all_or_none=True)
    await device.all(options=Options(body_part_preference=all_of_it))
    (email,) = device.items.values()
    assert email.body_part is not None
    assert (email.body_part.status, email.body_part.data) == (176, None)


@pytest.mark.requirement("MS-ASCMD_R2117")
async def test_other_classes_have_no_conversations(box: Mailbox) -> None:
    asked = Collection(sync_key="0", collection_id=CONTACTS, conversation_mode=True)
    response = await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=(asked,))))
    assert response.collections.collections[0].status == Status.PROTOCOL_ERROR


async def estimate(device: Phone, **asked: Any) -> int:
    options = estimates.Collection.__dataclass_fields__["options"].default
    wanted = estimates.Collection(
        sync_key=device.key, collection_id=INBOX, options=asked.pop("options", options), **asked
    )
    response = await device.bench.run(get_item_estimate.COMMAND, estimates.Request(collections=(wanted,)))
    (answer,) = response.responses
    assert answer.status == estimates.Status.SUCCESS
    return int(answer.collection.estimate)


@pytest.mark.requirement("MS-ASCMD_R2096", "MS-ASCMD_R2097", "MS-ASCMD_R2098", "MS-ASCON_R211", "MS-ASCON_R332")
@SINCE_14
@pytest.mark.requirement("MS-ASCON_R261", "MS-ASCON_R343")
async def test_an_estimate_counts_whole_conversations(box: Mailbox, version: ProtocolVersion) -> None:
    going, _ = await two_conversations(box)
    device = phone(box, version)
    await device.ask()
    assert await estimate(device, options=(THREE_DAYS,)) == 1
    assert await estimate(device, options=(THREE_DAYS,), conversation_mode=False) == 1
    assert await estimate(device, options=(THREE_DAYS,), conversation_mode=True) == len(going)
    await device.all(conversation_mode=True, options=THREE_DAYS)
    assert await estimate(device, options=(THREE_DAYS,), conversation_mode=True) == 0
    await put(box, "Re: old news", 0, "old")
    assert await estimate(device, options=(THREE_DAYS,), conversation_mode=True) == 3


@pytest.mark.requirement("MS-ASCMD_R2100")
async def test_an_estimate_of_another_class(box: Mailbox) -> None:
    device = replace(phone(box), folder=CONTACTS)  # type: ignore[arg-type]
    await device.ask()
    wanted = estimates.Collection(sync_key=device.key, collection_id=CONTACTS, conversation_mode=True)
    with pytest.raises(CommandError) as failed:
        await box.bench.run(get_item_estimate.COMMAND, estimates.Request(collections=(wanted,)))
    assert failed.value.status == 103


@pytest.mark.requirement("MS-ASCON_R116")
async def test_a_mode_without_a_value_is_on(box: Mailbox) -> None:
    going, _ = await two_conversations(box)
    device = phone(box)
    await device.ask()
    inner = [
        Element(tag("AirSync:SyncKey"), device.key),
        Element(tag("AirSync:CollectionId"), INBOX),
        Element(tag("AirSync:ConversationMode")),
        Element(tag("AirSync:Options"), [Element(tag("AirSync:FilterType"), "2")]),
    ]
    collections = Element(tag("AirSync:Collections"), [Element(tag("AirSync:Collection"), inner)])
    response = await box.bench.run_tree(sync.COMMAND, Element(tag("AirSync:Sync"), [collections]))
    (answer,) = response.collections.collections
    assert {command.server_id for command in answer.commands.commands} == set(going)


async def test_a_mode_that_there_is_not(box: Mailbox) -> None:
    wrong = Element(tag("AirSync:ConversationMode"), "2")
    inner = [Element(tag("AirSync:SyncKey"), "0"), Element(tag("AirSync:CollectionId"), INBOX), wrong]
    collections = Element(tag("AirSync:Collections"), [Element(tag("AirSync:Collection"), inner)])
    with pytest.raises(MalformedXml):
        await box.bench.run_tree(sync.COMMAND, Element(tag("AirSync:Sync"), [collections]))
