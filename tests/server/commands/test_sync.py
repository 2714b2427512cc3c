"""Sync of e-mail, [MS-ASCMD] 2.2.1.21: windows, keys, the client's own changes, and what is answered when."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from eas_server.commands import get_item_estimate, ping, sync
from eas_server.model.ids import CollectionId
from eas_server.model.mail import StateChange
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands import get_item_estimate as estimate
from protocol.commands import ping as pings
from protocol.commands.sync import (
    Add,
    AddResponse,
    Change,
    ChangeResponse,
    Collection,
    Collections,
    Conflict,
    Delete,
    DeleteResponse,
    Fetch,
    FetchResponse,
    Options,
    Request,
    ServerAdd,
    SoftDelete,
    Status,
)
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email, Flag, FlagStatus
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V12_1, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, Phone, mailbox, message
from tests.server.commands.support import ALICE

DELETED = CollectionId("3")
PLAIN = Options(body_preferences=(BodyPreference(type=BodyType.PLAIN, truncation_size=500),))


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


def read(server_id: str, value: bool = True) -> Change:
    """The client marks a message."""
    return Change(server_id=server_id, application_data=dump(Email(read=value)))


def flagged(server_id: str) -> Change:
    """The client flags a message."""
    flag = Flag(status=FlagStatus.ACTIVE, flag_type="Flag for follow up")
    return Change(server_id=server_id, application_data=dump(Email(flag=flag)))


async def set_state(box: Mailbox, number: int, **change: object) -> None:
    """Another device changes a message."""
    await box.store.mail.change(ALICE.user, INBOX, number, StateChange(**change))  # type: ignore[arg-type]


# ---- keys and windows


@pytest.mark.requirement("MS-ASCMD_R4598", "MS-ASCMD_R4599", "MS-ASCMD_R5555")
async def test_key_0_is_answered_with_a_key_alone(box: Mailbox) -> None:
    await box.deliver(message("one"))
    answer = await box.phone().ask()
    assert answer.status == Status.SUCCESS
    assert answer.sync_key not in ("", "0")
    assert answer.commands is None


@pytest.mark.requirement("MS-ASCMD_R3128", "MS-ASCMD_R5838")
async def test_key_0_with_get_changes_is_a_protocol_error(box: Mailbox) -> None:
    answer = await box.phone().ask(get_changes=True)
    assert answer.status == Status.PROTOCOL_ERROR


@pytest.mark.requirement("MS-ASCMD_R667", "MS-ASCMD_R679")
async def test_an_empty_folder_is_answered_empty_right_after_key_0(box: Mailbox) -> None:
    phone = box.phone()
    await phone.ask()
    key = phone.key
    assert await phone.ask() is None
    assert phone.key == key


@pytest.mark.parametrize("version", SUPPORTED)
async def test_all_messages_arrive_newest_first(box: Mailbox, version: ProtocolVersion) -> None:
    for age in (3, 1, 2):
        await box.deliver(message(f"age {age}"), age=timedelta(hours=age))
    box.bench.version = version
    phone = box.phone()
    await phone.all(options=PLAIN)
    assert [item.subject for item in phone.items.values()] == ["age 1", "age 2", "age 3"]
    (first, *_) = phone.items.values()
    assert first.body is not None
    assert first.body.data == "Hello.\r\n"
    assert first.message_class == "IPM.Note"
    assert first.read is False


@pytest.mark.requirement("MS-ASCMD_R4765", "MS-ASCMD_R4771", "MS-ASCMD_R3967")
async def test_more_available_stands_exactly_where_more_remains(box: Mailbox) -> None:
    for n in range(7):
        await box.deliver(message(f"m{n}"), age=timedelta(minutes=n))
    phone = box.phone()
    await phone.ask()
    seen = []
    while (answer := await phone.ask(window_size=3)) is not None:
        seen.append((len(answer.commands.commands), answer.more_available is EMPTY))
    assert seen == [(3, True), (3, True), (1, False)]
    assert len(phone.items) == 7


@pytest.mark.requirement("MS-ASCMD_R4768")
async def test_window_0_means_the_largest(box: Mailbox) -> None:
    for n in range(120):
        await box.deliver(message(f"m{n}"), age=timedelta(minutes=n))
    phone = box.phone()
    await phone.ask()
    answer = await phone.ask(window_size=0)
    assert len(answer.commands.commands) == 120
    assert answer.more_available is None


@pytest.mark.requirement("MS-ASCMD_R4773", "MS-ASCMD_R4776", "MS-ASCMD_R4778", "MS-ASCMD_R4782")
async def test_the_global_window_bounds_all_collections_together(box: Mailbox) -> None:
    sent = CollectionId("4")
    for n in range(4):
        await box.deliver(message(f"in {n}"), age=timedelta(minutes=n))
        await box.deliver(message(f"sent {n}"), age=timedelta(minutes=n), folder=sent)
    keys = {}
    for folder in (INBOX, sent):
        phone = box.phone(folder=folder)
        await phone.ask()
        keys[folder] = phone.key
    request = Request(
        window_size=5,
        collections=Collections(
            collections=tuple(
                Collection(sync_key=keys[folder], collection_id=folder, window_size=3) for folder in (INBOX, sent)
            )
        ),
    )
    answer = await box.bench.run(sync.COMMAND, request)
    counts = [len(c.commands.commands) for c in answer.collections.collections]
    assert counts == [3, 2]
    assert all(c.more_available is EMPTY for c in answer.collections.collections)


async def test_a_byte_budget_stands_beside_the_window(tmp_path: Path) -> None:
    from eas_server.model.settings import Settings, SyncSettings

    settings = Settings(sync=SyncSettings(window_bytes=10_000))
    async with mailbox(tmp_path, settings=settings) as box:
        for n in range(6):
            await box.deliver(message(f"m{n}", "x" * 6000), age=timedelta(minutes=n))
        phone = box.phone()
        options = Options(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),))
        await phone.ask(options=options)
        answer = await phone.ask()
        assert len(answer.commands.commands) == 2
        assert answer.more_available is EMPTY
        await phone.all()
        assert len(phone.items) == 6


async def test_so_does_a_budget_of_time(tmp_path: Path) -> None:
    from eas_server.model.settings import Settings, SyncSettings

    async with mailbox(tmp_path, settings=Settings(sync=SyncSettings(window_seconds=0))) as box:
        for n in range(4):
            await box.deliver(message(f"m{n}"), age=timedelta(minutes=n))
        phone = box.phone()
        await phone.ask()
        answer = await phone.ask()
        assert len(answer.commands.commands) == 1
        assert answer.more_available is EMPTY
        await phone.all()
        assert [found.subject for found in phone.items.values()] == ["m0", "m1", "m2", "m3"]


@pytest.mark.requirement("MS-ASCMD_R4424", "MS-ASCMD_R4425")
@pytest.mark.parametrize("key", ["17", "nonsense", "", "-1", "9" * 64])
async def test_unknown_keys_are_refused(box: Mailbox, key: str) -> None:
    phone = box.phone()
    await phone.ask()
    answer = await phone.ask(sync_key=key, lose=True)
    assert answer.status == Status.INVALID_SYNC_KEY
    assert answer.sync_key == "0"


async def test_keys_belong_to_device_and_folder(box: Mailbox) -> None:
    phone = box.phone()
    await phone.ask()
    assert (await box.phone("other").ask(sync_key=phone.key)).status == Status.INVALID_SYNC_KEY
    assert (await box.phone(folder=DELETED).ask(sync_key=phone.key)).status == Status.INVALID_SYNC_KEY


@pytest.mark.requirement("MS-ASCMD_R4452", "MS-ASCMD_R4453")
async def test_a_folder_that_is_not_there_asks_for_a_folder_sync(box: Mailbox) -> None:
    answer = await box.phone(folder=CollectionId("999")).ask()
    assert answer.status == Status.HIERARCHY_CHANGED


# ---- replays, lost answers, other writers


async def test_a_lost_answer_changes_nothing(box: Mailbox) -> None:
    for n in range(5):
        await box.deliver(message(f"m{n}"), age=timedelta(minutes=n))
    phone = box.phone()
    await phone.ask()
    lost = await phone.ask(window_size=2, lose=True)
    again = await phone.ask(window_size=2)
    ids = [[c.server_id for c in answer.commands.commands] for answer in (lost, again)]
    assert ids[0] == ids[1]
    await phone.all(window_size=2)
    assert len(phone.items) == 5


async def test_the_old_key_stays_good_until_its_successor_is_used(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.ask()
    old = phone.key
    for _ in range(5):
        assert (await phone.ask(sync_key=old, lose=True)).status == Status.SUCCESS
    await phone.ask()
    await box.deliver(message("two"))
    await phone.ask()
    answer = await phone.ask(sync_key=old, lose=True)
    assert answer.status == Status.INVALID_SYNC_KEY


async def test_two_devices_see_each_others_changes(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone, tablet = box.phone(), box.phone("tablet")
    await phone.all()
    await tablet.all()
    (name,) = phone.items
    await phone.ask(read(name))
    await tablet.ask()
    assert tablet.items[name].read is True
    await tablet.ask(Delete(server_id=name))
    await phone.ask()
    assert phone.items == {}


async def test_parallel_requests_of_one_device_both_answer(box: Mailbox) -> None:
    for n in range(4):
        await box.deliver(message(f"m{n}"), age=timedelta(minutes=n))
    phone = box.phone()
    await phone.ask()
    first, second = await asyncio.gather(phone.ask(window_size=2, lose=True), phone.ask(window_size=2, lose=True))
    assert {first.status, second.status} == {Status.SUCCESS}
    assert first.sync_key != second.sync_key


# ---- what the client did


@pytest.mark.requirement("MS-ASCMD_R6234")
async def test_a_change_is_not_echoed_and_gets_no_response(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    answer = await phone.ask(read(name))
    assert answer.status == Status.SUCCESS
    assert answer.responses is None
    assert answer.commands is None
    assert await phone.ask() is None


@pytest.mark.requirement("MS-ASEMAIL_R10604")
async def test_asked_again_under_the_old_key_the_change_comes_back(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    await phone.ask(read(name), lose=True)
    answer = await phone.ask(lose=True)
    (change,) = answer.commands.commands
    assert load(Email, change.application_data) == Email(read=True)
    repeated = await phone.ask(read(name))
    assert repeated.commands is None
    assert repeated.responses is None
    assert await phone.ask() is None


@pytest.mark.requirement("MS-ASEMAIL_R100", "MS-ASEMAIL_R10604", "MS-ASEMAIL_R96", "MS-ASEMAIL_R104")
async def test_only_what_changed_of_read_flag_and_categories_is_sent(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    await set_state(box, number, read=True)
    (change,) = (await phone.ask()).commands.commands
    assert load(Email, change.application_data) == Email(read=True)
    await set_state(box, number, categories=("red",))
    (change,) = (await phone.ask()).commands.commands
    assert load(Email, change.application_data) == Email(categories=("red",))
    tablet = box.phone("tablet")
    await tablet.all()
    await tablet.ask(flagged(f"{INBOX}:{number}"), read(f"{INBOX}:{number}", False))
    (change,) = (await phone.ask()).commands.commands
    news = load(Email, change.application_data)
    assert news.read is False
    assert news.flag is not None
    assert news.categories is None
    assert news.subject is None


@pytest.mark.requirement("MS-ASEMAIL_R81")
async def test_12_1_is_not_told_of_categories(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    box.bench.version = V12_1
    phone = box.phone()
    await phone.all()
    await set_state(box, number, categories=("red",))
    assert await phone.ask() is None


@pytest.mark.requirement("MS-ASCMD_R2066", "MS-ASCMD_R2069")
async def test_the_server_wins_a_conflict_by_default(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    await set_state(box, number, categories=("blue",))
    (name,) = phone.items
    clash = Change(server_id=name, application_data=dump(Email(categories=("red",))))
    answer = await phone.ask(clash)
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.CONFLICT),)
    assert phone.items[name].categories == ("blue",)


@pytest.mark.requirement("MS-ASCMD_R2064", "MS-ASCMD_R2067")
async def test_the_client_wins_where_it_says_so(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all(options=Options(conflict=Conflict.CLIENT_WINS))
    await set_state(box, number, categories=("blue",))
    (name,) = phone.items
    answer = await phone.ask(Change(server_id=name, application_data=dump(Email(categories=("red",)))))
    assert answer.responses is None
    (item,) = await box.store.mail.fetch(ALICE.user, INBOX, [number])  # type: ignore[list-item]
    assert item.state.categories == ("red",)


async def test_two_writes_under_one_old_key_are_no_conflict_with_oneself(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    await phone.ask(read(name, True), lose=True)
    await phone.ask(flagged(name), lose=True)
    answer = await phone.ask(read(name, False))
    assert answer.responses is None
    (item,) = await box.store.mail.fetch(ALICE.user, INBOX, [number])  # type: ignore[list-item]
    assert item.state.read is False
    assert item.state.flag is not None


async def test_a_write_beside_an_unseen_change_keeps_both(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    await set_state(box, number, categories=("blue",))
    (name,) = phone.items
    answer = await phone.ask(read(name))
    assert answer.responses is None
    (change,) = answer.commands.commands
    assert load(Email, change.application_data) == Email(categories=("blue",))


@pytest.mark.requirement("MS-ASCMD_R5874", "MS-ASCMD_R5875", "MS-ASCMD_R2160")
async def test_deleted_messages_go_to_deleted_items(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone, bin_ = box.phone(), box.phone(folder=DELETED)
    await phone.all()
    await bin_.all()
    answer = await phone.ask(Delete(server_id=next(iter(phone.items))))
    assert answer.responses is None
    assert answer.commands is None
    await bin_.ask()
    assert [item.subject for item in bin_.items.values()] == ["one"]


@pytest.mark.requirement("MS-ASCMD_R2158", "MS-ASCMD_R2159")
async def test_deletes_as_moves_0_deletes_for_good(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone, bin_ = box.phone(), box.phone(folder=DELETED)
    await phone.all()
    await phone.ask(Delete(server_id=next(iter(phone.items))), deletes_as_moves=False)
    await bin_.all()
    assert bin_.items == {}


@pytest.mark.requirement("MS-ASCMD_R6413", "MS-ASCMD_R4446")
async def test_what_never_was_there_cannot_be_deleted_or_changed(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    names = (f"{INBOX}:77", "4:1", "x", f"{INBOX}:99999999999999999999999")
    answer = await phone.ask(*(Delete(server_id=name) for name in names), *(read(name) for name in names))
    assert answer.responses.responses == (
        *(DeleteResponse(server_id=name, status=Status.NOT_FOUND) for name in names),
        *(ChangeResponse(server_id=name, status=Status.NOT_FOUND) for name in names),
    )


async def test_deleting_what_somebody_else_deleted_succeeds(box: Mailbox) -> None:
    number = await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    await box.store.mail.delete(ALICE.user, INBOX, [number])  # type: ignore[list-item]
    answer = await phone.ask(Delete(server_id=next(iter(phone.items))))
    assert answer.responses is None
    assert answer.commands is None


@pytest.mark.requirement("MS-ASCMD_R755")
async def test_messages_cannot_be_added(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    answer = await phone.ask(Add(client_id="c1", application_data=dump(Email(subject="x"))))
    assert answer.responses.responses == (AddResponse(client_id="c1", status=Status.CONVERSION_ERROR),)


@pytest.mark.requirement("MS-ASCMD_R2955", "MS-ASCMD_R2956")
async def test_fetch_gives_the_item(box: Mailbox) -> None:
    await box.deliver(message("one", "x" * 2000))
    phone = box.phone()
    await phone.all(options=PLAIN)
    (name,) = phone.items
    whole = Options(body_preferences=(BodyPreference(type=BodyType.PLAIN),))
    answer = await phone.ask(Fetch(server_id=name), Fetch(server_id="1:99"), options=whole)
    found, missing = answer.responses.responses
    assert isinstance(found, FetchResponse)
    assert found.application_data is not None
    body = load(Email, found.application_data).body
    assert body is not None
    assert isinstance(body.data, str)
    assert len(body.data) == 2000
    assert missing == FetchResponse(server_id="1:99", status=Status.NOT_FOUND)


@pytest.mark.requirement("MS-ASCMD_R3125", "MS-ASCMD_R3126", "MS-ASCMD_R3127", "MS-ASCMD_R5556")
async def test_get_changes_0_keeps_the_news_back(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    await box.deliver(message("one"))
    assert await phone.ask(get_changes=False) is None
    await phone.ask(get_changes=True)
    assert len(phone.items) == 1


# ---- filters and options


@pytest.mark.requirement("MS-ASCMD_R3063", "MS-ASCMD_R3064", "MS-ASCMD_R5551")
async def test_the_filter_hides_old_messages_and_soft_deletes_what_ages(box: Mailbox) -> None:
    await box.deliver(message("young"), age=timedelta(hours=2))
    await box.deliver(message("middling"), age=timedelta(days=2, hours=12))
    await box.deliver(message("old"), age=timedelta(days=9))
    phone = box.phone()
    await phone.all(options=Options(filter_type=2))
    assert [item.subject for item in phone.items.values()] == ["young", "middling"]
    phone.bench.now += timedelta(days=1)
    answer = await phone.ask()
    assert [type(c) for c in answer.commands.commands] == [SoftDelete]
    assert [item.subject for item in phone.items.values()] == ["young"]
    await phone.ask(options=Options(filter_type=0))
    assert sorted(item.subject or "" for item in phone.items.values()) == ["middling", "old", "young"]


@pytest.mark.requirement("MS-ASCMD_R3080", "MS-ASCMD_R3041", "MS-ASCMD_R3042")
@pytest.mark.parametrize("value", [6, 7, 8])
async def test_email_has_no_such_filter(box: Mailbox, value: int) -> None:
    answer = await box.phone().ask(options=Options(filter_type=value))
    assert answer.status == Status.PROTOCOL_ERROR


async def test_options_are_remembered_also_with_an_empty_answer(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    assert await phone.ask(options=PLAIN) is None
    await box.deliver(message("one", "x" * 2000))
    await phone.ask()
    (item,) = phone.items.values()
    assert item.body is not None
    assert item.body.truncated is True


@pytest.mark.requirement("MS-ASCMD_R930")
async def test_two_options_for_one_class_are_a_protocol_error(box: Mailbox) -> None:
    answer = await box.phone().ask(options=(Options(item_class="Email"), Options()))
    assert answer.status == Status.PROTOCOL_ERROR


@pytest.mark.requirement("MS-ASCMD_R932", "MS-ASCMD_R933")
async def test_options_for_sms_go_beside_those_for_email(box: Mailbox) -> None:
    answer = await box.phone().ask(options=(Options(item_class="Email"), Options(item_class="SMS")))
    assert answer.status == Status.SUCCESS


# ---- whole requests


@pytest.mark.requirement("MS-ASCMD_R3162", "MS-ASCMD_R4748")
async def test_wait_and_heartbeat_exclude_each_other(box: Mailbox) -> None:
    answer = await box.phone().ask(request={"wait": 1, "heartbeat_interval": 60})
    assert (answer.status, answer.limit) == (Status.PROTOCOL_ERROR, None)


@pytest.mark.requirement("MS-ASCMD_R3227", "MS-ASCMD_R3228", "MS-ASCMD_R3229", "MS-ASCMD_R3230", "MS-ASCMD_R4746")
@pytest.mark.parametrize(
    ("asked", "limit"),
    [({"wait": 0}, 1), ({"wait": 60}, 59), ({"heartbeat_interval": 59}, 60), ({"heartbeat_interval": 3541}, 3540)],
)
async def test_intervals_out_of_range_are_told_their_limit(box: Mailbox, asked: dict[str, int], limit: int) -> None:
    answer = await box.phone().ask(request=asked)
    assert (answer.status, answer.limit) == (Status.INVALID_INTERVAL, limit)


@pytest.mark.requirement("MS-ASCMD_R5657", "MS-ASCMD_R5658", "MS-ASCMD_R5659")
async def test_more_than_200_commands_are_refused(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    answer = await phone.ask(*(Delete(server_id=f"1:{n}") for n in range(201)))
    assert answer.status == Status.PROTOCOL_ERROR


@pytest.mark.requirement("MS-ASCMD_R673", "MS-ASCMD_R4456")
async def test_an_empty_request_repeats_the_one_before(box: Mailbox) -> None:
    phone = box.phone()
    assert (await box.bench.run(sync.COMMAND, sync.EMPTY_REQUEST)).status == Status.INCOMPLETE_REQUEST
    await phone.all(options=PLAIN)
    assert await box.bench.run(sync.COMMAND, sync.EMPTY_REQUEST) is None
    await box.deliver(message("one"))
    answer = await box.bench.run(sync.COMMAND, sync.EMPTY_REQUEST)
    (collection,) = answer.collections.collections
    assert isinstance(collection.commands.commands[0], ServerAdd)


@pytest.mark.requirement("MS-ASCMD_R3635", "MS-ASCMD_R3642", "MS-ASCMD_R3644", "MS-ASCMD_R3645")
async def test_a_partial_request_leaves_the_rest_as_it_was(box: Mailbox) -> None:
    phone, bin_ = box.phone(), box.phone(folder=DELETED)
    await bin_.ask()
    await phone.ask()
    both = tuple(Collection(sync_key=p.key, collection_id=p.folder) for p in (phone, bin_))
    assert await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=both))) is None
    await box.deliver(message("one"))
    alone = await box.bench.run(sync.COMMAND, Request(partial=EMPTY))
    assert alone.status == Status.PROTOCOL_ERROR
    answer = await box.bench.run(sync.COMMAND, Request(partial=EMPTY, window_size=10))
    (collection,) = answer.collections.collections
    assert collection.collection_id == INBOX


@pytest.mark.requirement("MS-ASCMD_R3643")
async def test_a_request_without_collections_is_a_protocol_error(box: Mailbox) -> None:
    for request in (Request(), Request(collections=Collections())):
        answer = await box.bench.run(sync.COMMAND, request)
        assert answer.status == Status.PROTOCOL_ERROR


async def test_a_request_of_the_wrong_shape_is_a_protocol_error() -> None:
    root = Element(tag("AirSync:Sync"), [Element(tag("AirSync:Collections"), [Element(tag("AirSync:Collection"))])])
    with pytest.raises(MalformedXml) as caught:
        sync.COMMAND.read(wbxml.encode(root).join(), None, V16_1)  # type: ignore[arg-type]
    assert sync.COMMAND.refuse(caught.value, V16_1) == sync.Response(status=Status.PROTOCOL_ERROR)


async def test_at_12_1_the_class_of_the_folder_is_checked(box: Mailbox) -> None:
    box.bench.version = V12_1
    assert (await box.phone().ask(item_class="Email")).status == Status.SUCCESS
    assert (await box.phone().ask(item_class="Calendar")).status == Status.PROTOCOL_ERROR


# ---- waiting


async def waits(phone: Phone, box: Mailbox) -> asyncio.Task[object]:
    """A hanging Sync that is known to hang."""
    task = asyncio.create_task(phone.ask(request={"heartbeat_interval": 600}))
    for _ in range(200):
        await asyncio.sleep(0.005)
    assert not task.done()
    return task


@pytest.mark.requirement("MS-ASCMD_R3154", "MS-ASCMD_R4739")
async def test_a_hanging_sync_is_woken_by_mail(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    task = await waits(phone, box)
    await box.deliver(message("one"))
    await asyncio.wait_for(task, 10)
    assert len(phone.items) == 1


async def test_a_newer_request_ends_the_older_one(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    task = await waits(phone, box)
    second = await waits(phone, box)
    assert await asyncio.wait_for(task, 10) is None
    second.cancel()


# ---- Ping


PING = pings.Request(heartbeat_interval=60, folders=(pings.Folder(id=INBOX, item_class="Email"),))


@pytest.mark.requirement("MS-ASCMD_R4235", "MS-ASCMD_R4236")
async def test_ping_names_the_folders_with_news(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    task = asyncio.create_task(box.bench.run(ping.COMMAND, PING))
    await asyncio.sleep(0.05)
    assert not task.done()
    await box.deliver(message("one"))
    answer = await asyncio.wait_for(task, 10)
    assert answer == pings.Response(status=pings.Status.CHANGES, folders=(INBOX,))
    again = await box.bench.run(ping.COMMAND, pings.Request())
    assert again == answer


async def test_the_clients_own_write_does_not_end_its_ping(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    await phone.ask(read(next(iter(phone.items))), get_changes=False)
    task = asyncio.create_task(box.bench.run(ping.COMMAND, PING))
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()


async def test_a_folder_that_was_never_synced_has_no_news(box: Mailbox) -> None:
    await box.deliver(message("one"))
    task = asyncio.create_task(box.bench.run(ping.COMMAND, PING))
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()


@pytest.mark.requirement("MS-ASCMD_R6699")
async def test_a_ping_that_names_a_folder_twice(box: Mailbox) -> None:
    folders = (*PING.folders, pings.Folder(id=INBOX, item_class="SMS"))
    answer = await box.bench.run(ping.COMMAND, pings.Request(heartbeat_interval=60, folders=folders))
    assert answer == pings.Response(status=pings.Status.SYNTAX_ERROR)


@pytest.mark.requirement("MS-ASCMD_R4239", "MS-ASCMD_R4241")
async def test_a_ping_that_leaves_out_what_was_never_said_is_incomplete(box: Mailbox) -> None:
    for request in (pings.Request(), pings.Request(heartbeat_interval=60), pings.Request(folders=PING.folders)):
        answer = await box.bench.run(ping.COMMAND, request)
        assert answer.status == pings.Status.MISSING_PARAMETERS


@pytest.mark.requirement("MS-ASCMD_R4246", "MS-ASCMD_R4247", "MS-ASCMD_R4248", "MS-ASCMD_R5690")
@pytest.mark.parametrize(("asked", "told"), [(5, 60), (4000, 3540)])
async def test_heartbeats_out_of_range_are_told_the_limit(box: Mailbox, asked: int, told: int) -> None:
    answer = await box.bench.run(ping.COMMAND, pings.Request(heartbeat_interval=asked, folders=PING.folders))
    assert answer == pings.Response(status=pings.Status.HEARTBEAT_OUT_OF_RANGE, heartbeat_interval=told)


@pytest.mark.requirement("MS-ASCMD_R4252", "MS-ASCMD_R4253", "MS-ASCMD_R3259")
async def test_too_many_folders_are_told_how_many_may_be(box: Mailbox) -> None:
    folders = tuple(pings.Folder(id=str(n), item_class="Email") for n in range(301))
    answer = await box.bench.run(ping.COMMAND, pings.Request(heartbeat_interval=60, folders=folders))
    assert answer == pings.Response(status=pings.Status.TOO_MANY_FOLDERS, max_folders=300)


@pytest.mark.requirement("MS-ASCMD_R4256", "MS-ASCMD_R4257")
async def test_a_folder_that_went_away_asks_for_a_folder_sync(box: Mailbox) -> None:
    folders = (pings.Folder(id="999", item_class="Email"),)
    answer = await box.bench.run(ping.COMMAND, pings.Request(heartbeat_interval=60, folders=folders))
    assert answer.status == pings.Status.HIERARCHY_CHANGED


# ---- GetItemEstimate


async def estimated(box: Mailbox, **asked: object) -> estimate.CollectionResponse:
    """The answer for one collection."""
    request = estimate.Request(collections=(estimate.Collection(**asked),))  # type: ignore[arg-type]
    answer = await box.bench.run(get_item_estimate.COMMAND, request)
    (collection,) = answer.responses
    return collection


@pytest.mark.requirement("MS-ASCMD_R171", "MS-ASCMD_R4133")
async def test_the_estimate_counts_what_a_sync_would_bring(box: Mailbox) -> None:
    for n in range(5):
        await box.deliver(message(f"m{n}"), age=timedelta(days=n))
    phone = box.phone()
    await phone.ask()
    found = await estimated(box, sync_key=phone.key, collection_id=INBOX)
    assert found.collection == estimate.CollectionEstimate(collection_id=INBOX, estimate=5)
    narrow = await estimated(box, sync_key=phone.key, collection_id=INBOX, options=(Options(filter_type=1),))
    assert narrow.collection is not None
    assert narrow.collection.estimate == 2
    await phone.all()
    await box.deliver(message("new"))
    found = await estimated(box, sync_key=phone.key, collection_id=INBOX)
    assert found.collection is not None
    assert found.collection.estimate == 1


@pytest.mark.requirement("MS-ASCMD_R4135", "MS-ASCMD_R4139", "MS-ASCMD_R4142")
async def test_the_estimate_says_what_is_wrong(box: Mailbox) -> None:
    assert (await estimated(box, sync_key="1", collection_id="99")).status == estimate.Status.INVALID_COLLECTION
    assert (await estimated(box, sync_key="0", collection_id=INBOX)).status == estimate.Status.NOT_PRIMED
    assert (await estimated(box, sync_key="77", collection_id=INBOX)).status == estimate.Status.INVALID_SYNC_KEY
