"""Sync, Ping and GetItemEstimate at their edges: what is refused as a whole, what must not block, what comes back."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import get_item_estimate, ping, server_changes, sync
from eas_server.commands.items import application_data
from eas_server.commands.waiting import Reason, Woken
from eas_server.errors import CommandError
from eas_server.model.ids import CollectionId
from eas_server.model.mail import StateChange, Verb
from protocol.commands import get_item_estimate as estimate
from protocol.commands import ping as pings
from protocol.commands.sync import (
    Add,
    Change,
    ChangeResponse,
    ClientCommands,
    Collection,
    CollectionResponse,
    Collections,
    Delete,
    Fetch,
    FetchResponse,
    Options,
    Request,
    SoftDelete,
    Status,
)
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email, Flag, FlagStatus
from protocol.schema import EMPTY, dump, load
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, Phone, mailbox, message
from tests.server.commands.support import ALICE

SENT = CollectionId("4")
CACHE = CollectionId("RI")
SHORT = Options(body_preferences=(BodyPreference(type=BodyType.PLAIN, truncation_size=500),))
READ = dump(Email(read=True))


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def primed(box: Mailbox, folder: CollectionId) -> Collection:
    """A folder right after key 0."""
    phone = box.phone(folder=folder)
    await phone.ask()
    return Collection(sync_key=phone.key, collection_id=folder)


async def somebody_sets(box: Mailbox, number: int, **change: Any) -> None:
    """Another device changes a message."""
    await box.store.mail.change(ALICE.user, INBOX, number, StateChange(**change))  # type: ignore[arg-type]


# ---- whole requests


@pytest.mark.requirement("MS-ASCMD_R756")
async def test_nothing_is_added_to_the_recipient_cache_and_the_whole_request_fails(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    add = ClientCommands(commands=(Add(client_id="c", application_data=dump(Email(subject="x"))),))
    cache = replace(await primed(box, CACHE), commands=add)
    (name,) = phone.items
    inbox = Collection(
        sync_key=phone.key,
        collection_id=INBOX,
        commands=ClientCommands(commands=(Change(server_id=name, application_data=READ),)),
    )
    answer = await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=(inbox, cache))))
    assert (answer.status, answer.collections) == (Status.PROTOCOL_ERROR, None)
    (item,) = await box.store.mail.fetch(ALICE.user, INBOX, [1])  # type: ignore[list-item]
    assert item.state.read is False


@pytest.mark.requirement("MS-ASCMD_R674", "MS-ASCMD_R4456")
async def test_a_refused_request_ends_what_was_remembered(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    assert (await phone.ask(request={"wait": 99})).status == Status.INVALID_INTERVAL
    assert await box.bench.run(sync.COMMAND, sync.EMPTY_REQUEST) is None
    assert (await phone.ask(request={"wait": 1, "heartbeat_interval": 60})).status == Status.PROTOCOL_ERROR
    assert (await box.bench.run(sync.COMMAND, sync.EMPTY_REQUEST)).status == Status.INCOMPLETE_REQUEST


@pytest.mark.requirement("MS-ASCMD_R4464", "MS-ASCMD_R3231", "MS-ASCMD_R3223")
async def test_too_many_collections_are_told_how_many_may_be(box: Mailbox) -> None:
    many = tuple(Collection(sync_key="0", collection_id=str(n)) for n in range(301))
    answer = await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=many)))
    assert (answer.status, answer.limit) == (Status.TOO_MANY_COLLECTIONS, 300)


@pytest.mark.requirement("MS-ASCMD_R4417", "MS-ASCMD_R4416")
async def test_a_folder_that_is_gone_leaves_the_others_their_answers(box: Mailbox) -> None:
    await box.deliver(message("one"))
    inbox = await primed(box, INBOX)
    gone = Collection(sync_key="7", collection_id="999")
    answer = await box.bench.run(sync.COMMAND, Request(collections=Collections(collections=(gone, inbox))))
    first, second = answer.collections.collections
    assert (first.status, second.status) == (Status.HIERARCHY_CHANGED, Status.SUCCESS)


@pytest.mark.requirement("MS-ASCMD_R4779", "MS-ASCMD_R4782", "MS-ASCMD_R4783")
async def test_what_the_global_window_shut_out_is_told_where_the_client_did_something(box: Mailbox) -> None:
    for n in range(2):
        await box.deliver(message(f"in {n}"))
        await box.deliver(message(f"sent {n}"), folder=SENT)
    inbox, sent = await primed(box, INBOX), await primed(box, SENT)
    asked = Request(window_size=2, collections=Collections(collections=(inbox, sent)))
    (alone,) = (await box.bench.run(sync.COMMAND, asked)).collections.collections
    assert (alone.collection_id, alone.more_available) == (INBOX, None)
    change = ClientCommands(commands=(Change(server_id="4:2", application_data=READ),))
    asked = Request(window_size=2, collections=Collections(collections=(inbox, replace(sent, commands=change))))
    _, second = (await box.bench.run(sync.COMMAND, asked)).collections.collections
    assert (second.commands, second.more_available) == (None, EMPTY)


# ---- waiting


class Waits:
    """A waiter that is woken for nothing a few times before its time is over."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    @contextmanager
    def __call__(self, _: Any, collections: Any) -> Iterator["Waits"]:
        self.collections = collections
        yield self

    async def wait(self, seconds: float) -> Woken:
        """Note how long was asked for."""
        self.asked.append(seconds)
        woken = len(self.asked) < 3
        return Woken(Reason.CHANGED, frozenset({INBOX})) if woken else Woken(Reason.TIMEOUT)


@pytest.mark.requirement("MS-ASCMD_R5595", "MS-ASCMD_R5788", "MS-ASCMD_R656")
@pytest.mark.parametrize("asked", [{"heartbeat_interval": 600}, {"wait": 10}])
async def test_a_wait_lasts_its_time_however_often_it_is_woken(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch, asked: dict[str, int]
) -> None:
    phone = box.phone()
    await phone.all()
    waits = Waits()
    monkeypatch.setattr(sync, "waiting", waits)
    assert await phone.ask(request=asked) is None
    assert waits.asked == [600, 600, 600]  # from the beginning of the wait


@pytest.mark.requirement("MS-ASCMD_R5789")
async def test_a_client_that_did_something_does_not_wait(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    answer = await phone.ask(Change(server_id=name, application_data=READ), request={"heartbeat_interval": 600})
    assert answer.status == Status.SUCCESS


# ---- what does not go out


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers of messages that cannot be rendered."""
    numbers: set[int] = set()
    render = application_data

    async def wrong(ctx: Any, folder: Any, item: Any, *more: Any, **how: Any) -> Any:
        if item.id in numbers:
            raise ValueError("nobody can read this")
        return await render(ctx, folder, item, *more, **how)

    monkeypatch.setattr(server_changes, "application_data", wrong)
    return numbers


async def everything(phone: Phone, **asked: Any) -> list[CollectionResponse]:
    """Ask until nothing is left."""
    answers = []
    while (answer := await phone.ask(**asked)) is not None:
        answers.append(answer)
        assert len(answers) < 30
    return answers


async def test_messages_that_nobody_can_read_do_not_block_the_folder(box: Mailbox, broken: set[int]) -> None:
    for n in range(8):
        await box.deliver(message(f"m{n}"), age=timedelta(hours=8 - n))
    broken |= {8, 7, 6, 5, 2}  # the newest ones, and more than two windows of them
    await (phone := box.phone()).ask()
    answers = await everything(phone, window_size=2)
    assert [item.subject for item in phone.items.values()] == ["m3", "m2", "m0"]
    assert answers[-1].more_available is None
    assert {number for _, number, _ in (await box.bench.device()).skipped} == broken
    broken.clear()
    await somebody_sets(box, 8, read=True)
    await everything(phone)
    assert [item.subject for item in phone.items.values()] == ["m3", "m2", "m0", "m7"]


@pytest.mark.requirement("MS-ASCMD_R3452")
async def test_an_answer_may_hold_nothing_but_that_more_remains(box: Mailbox, broken: set[int]) -> None:
    for n in range(5):
        await box.deliver(message(f"m{n}"), age=timedelta(hours=5 - n))
    broken |= {5, 4, 3}
    await (phone := box.phone()).ask()
    answer = await phone.ask(window_size=1)
    assert (answer.commands, answer.more_available) == (None, EMPTY)
    await everything(phone, window_size=1)
    assert len(phone.items) == 2


async def test_a_fetch_of_what_nobody_can_read_fails_alone(box: Mailbox, broken: set[int]) -> None:
    await box.deliver(message("one"))
    await box.deliver(message("two"))
    phone = box.phone()
    await phone.all()
    broken.add(1)
    answer = await phone.ask(Fetch(server_id="1:1"), Fetch(server_id="1:2"))
    assert [response.status for response in answer.responses.responses] == [Status.SERVER_ERROR, Status.SUCCESS]


@pytest.mark.requirement("MS-ASCMD_R2955", "MS-ASCMD_R2956")
async def test_a_fetch_is_complete_whatever_the_options_cut(box: Mailbox) -> None:
    await box.deliver(message("one", "x" * 2000))
    phone = box.phone()
    await phone.all(options=SHORT)
    (name,) = phone.items
    answer = await phone.ask(Fetch(server_id=name), options=SHORT)
    (found,) = answer.responses.responses
    assert isinstance(found, FetchResponse)
    assert found.application_data is not None
    body = load(Email, found.application_data).body
    assert body is not None
    assert isinstance(body.data, str)
    assert len(body.data) == 2000


# ---- what the client did


@pytest.mark.requirement("MS-ASCMD_R2069", "MS-ASCMD_R4443", "MS-ASCMD_R4444")
async def test_after_a_conflict_the_whole_item_comes(box: Mailbox) -> None:
    """The client set more than what clashed, and all of it was discarded."""
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    await somebody_sets(box, 1, categories=("blue",))
    flag = Flag(status=FlagStatus.ACTIVE, flag_type="later")
    wish = Email(read=True, flag=flag, categories=("red",))
    answer = await phone.ask(Change(server_id=name, application_data=dump(wish)))
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.CONFLICT),)
    (change,) = answer.commands.commands
    news = load(Email, change.application_data)
    assert (news.subject, news.read, news.flag, news.categories) == ("one", False, Flag(), ("blue",))


@pytest.mark.requirement("MS-ASCMD_R2076", "MS-ASCMD_R4446", "MS-ASCMD_R5846")
async def test_a_deletion_is_stronger_than_a_change(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    await box.store.mail.delete(ALICE.user, INBOX, [1])  # type: ignore[list-item]
    answer = await phone.ask(Change(server_id=name, application_data=READ))
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.NOT_FOUND),)
    assert answer.commands.commands == (Delete(server_id=name),)


async def test_a_repeated_delete_succeeds(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    (name,) = phone.items
    for lose in (True, True, False):
        answer = await phone.ask(Delete(server_id=name), lose=lose)
        assert (answer.responses, answer.commands) == (None, None)


async def test_what_a_search_found_can_be_changed_and_stays_unknown(box: Mailbox) -> None:
    """The filter hides it, so that no Add follows; and the folder is no longer listed for it."""
    await box.deliver(message("old"), age=timedelta(days=9))
    phone = box.phone()
    await phone.all(options=Options(filter_type=1))
    answer = await phone.ask(Change(server_id="1:1", application_data=READ))
    assert (answer.responses, answer.commands, answer.more_available) == (None, None, None)
    assert await phone.ask() is None
    state = await box.store.state.collection(ALICE.user, phone.bench.device_id, INBOX, None)
    assert state is not None
    assert (dict(state.view.own), dict(state.view.revisions)) == ({}, {})


async def test_what_a_filter_hid_on_its_way_in_comes_when_the_filter_widens(box: Mailbox) -> None:
    phone = box.phone()
    await phone.all()
    await phone.all(options=Options(filter_type=1))
    await box.deliver(message("old"), age=timedelta(days=9))
    assert await phone.ask() is None
    await phone.ask(options=Options(filter_type=0))
    assert [item.subject for item in phone.items.values()] == ["old"]


@pytest.mark.requirement("MS-ASEMAIL_R94", "MS-ASEMAIL_R98", "MS-ASEMAIL_R10606")
async def test_the_state_of_reply_brings_the_full_item(box: Mailbox) -> None:
    await box.deliver(message("one"))
    phone = box.phone()
    await phone.all()
    for more in ({}, {"categories": ("red",)}, {"read": True}):
        verb = Verb.FORWARD if more else Verb.REPLY_TO_SENDER
        await somebody_sets(box, 1, verb=verb, verb_time=box.bench.now + timedelta(minutes=len(str(more))), **more)
        (change,) = (await phone.ask()).commands.commands
        news = load(Email, change.application_data)
        assert (news.subject, news.last_verb_executed) == ("one", int(verb))


@pytest.mark.requirement("MS-ASEMAIL_R81", "MS-ASEMAIL_R1288")
async def test_12_1_hears_nothing_of_the_state_of_reply(box: Mailbox) -> None:
    await box.deliver(message("one"))
    box.bench.version = V12_1
    phone = box.phone()
    await phone.all()
    await somebody_sets(box, 1, verb=Verb.FORWARD, verb_time=box.bench.now)
    assert await phone.ask() is None


# ---- Ping


def pinging(*folders: CollectionId, heartbeat: int | None = 60, item_class: str = "Email") -> pings.Request:
    return pings.Request(
        heartbeat_interval=heartbeat, folders=tuple(pings.Folder(id=f, item_class=item_class) for f in folders)
    )


async def pinged(box: Mailbox, request: pings.Request) -> pings.Response:
    """The answer that comes at once: the server is about to stop, so that nobody waits."""
    box.bench.stopping.set()
    answer = await box.bench.run(ping.COMMAND, request)
    box.bench.stopping.clear()
    assert isinstance(answer, pings.Response)
    return answer


@pytest.mark.requirement("MS-ASCMD_R4247", "MS-ASCMD_R5690")
async def test_a_heartbeat_of_0_is_too_short_even_where_one_is_remembered(box: Mailbox) -> None:
    await pinged(box, pinging(INBOX))
    answer = await pinged(box, pinging(INBOX, heartbeat=0))
    assert answer == pings.Response(status=pings.Status.HEARTBEAT_OUT_OF_RANGE, heartbeat_interval=60)


@pytest.mark.requirement("MS-ASCMD_R5632", "MS-ASCMD_R5831", "MS-ASCMD_R5634", "MS-ASCMD_R5832", "MS-ASCMD_R335")
async def test_a_ping_leaves_out_what_stays(box: Mailbox) -> None:
    await primed(box, INBOX)
    await box.deliver(message("one"))
    changed = pings.Response(status=pings.Status.CHANGES, folders=(INBOX,))
    assert await pinged(box, pinging(INBOX)) == changed
    assert await pinged(box, pings.Request()) == changed
    assert await pinged(box, pings.Request(heartbeat_interval=120)) == changed
    assert (await pinged(box, pinging(SENT, heartbeat=None))).status is pings.Status.NO_CHANGES
    assert (await box.bench.device()).ping_heartbeat == 120


async def test_what_only_ages_or_stays_hidden_is_no_news(box: Mailbox) -> None:
    await box.deliver(message("young"), age=timedelta(hours=20))
    phone = box.phone()
    await phone.all(options=Options(filter_type=1))
    box.bench.now += timedelta(hours=6)
    assert (await pinged(box, pinging(INBOX))).status is pings.Status.NO_CHANGES
    await box.deliver(message("old"), age=timedelta(days=2))
    assert (await pinged(box, pinging(INBOX))).status is pings.Status.NO_CHANGES
    await box.deliver(message("new"))
    assert (await pinged(box, pinging(INBOX))).status is pings.Status.CHANGES
    phone.bench.now = box.bench.now
    await phone.ask()
    assert [item.subject for item in phone.items.values()] == ["new"]


async def test_a_wider_filter_that_was_only_told_is_news(box: Mailbox) -> None:
    """Options go with a request that wants no changes; the folder has some for them."""
    await box.deliver(message("old"), age=timedelta(days=2))
    phone = box.phone()
    await phone.all(options=Options(filter_type=1))
    assert await phone.ask(options=Options(filter_type=0), get_changes=False) is None
    assert (await pinged(box, pinging(INBOX))).status is pings.Status.CHANGES


@pytest.mark.parametrize(
    ("version", "status"), [(V12_1, pings.Status.NO_CHANGES), (V14_0, pings.Status.CHANGES)], ids=str
)
async def test_a_ping_says_what_a_sync_has_words_for(
    box: Mailbox, version: ProtocolVersion, status: pings.Status
) -> None:
    await box.deliver(message("one"))
    box.bench.version = version
    phone = box.phone()
    await phone.all()
    await somebody_sets(box, 1, categories=("red",))
    assert (await pinged(box, pinging(INBOX))).status is status
    assert (await phone.ask() is not None) == (status is pings.Status.CHANGES)


# ---- GetItemEstimate


async def estimated(box: Mailbox, **asked: Any) -> estimate.CollectionResponse:
    request = estimate.Request(collections=(estimate.Collection(**asked),))
    (answer,) = (await box.bench.run(get_item_estimate.COMMAND, request)).responses
    assert isinstance(answer, estimate.CollectionResponse)
    return answer


async def folder_of(box: Mailbox, type_: str) -> CollectionId:
    return next(f.id for f in await box.store.folders.folders(ALICE.user) if f.type.name == type_)


def count(answer: estimate.CollectionResponse) -> int:
    assert answer.status == estimate.Status.SUCCESS
    assert answer.collection is not None
    return answer.collection.estimate


@pytest.mark.requirement("MS-ASCMD_R2970", "MS-ASCMD_R2967", "MS-ASCMD_R3543", "MS-ASCMD_R4591", "MS-ASCMD_R5549")
async def test_an_estimate_goes_by_its_own_options(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in range(4):
        await box.deliver(message(f"m{days}"), age=timedelta(days=days, hours=1))
    phone = box.phone()
    await phone.ask(options=Options(filter_type=1))
    key = phone.key
    assert count(await estimated(box, sync_key=key, collection_id=INBOX)) == 4
    assert count(await estimated(box, sync_key=key, collection_id=INBOX, options=(Options(item_class="Email"),))) == 4
    assert count(await estimated(box, sync_key=key, collection_id=INBOX, options=(Options(filter_type=2),))) == 3
    monkeypatch.setattr(get_item_estimate, "MAX_UNFILTERED", 2)
    assert count(await estimated(box, sync_key=key, collection_id=INBOX)) == 2
    await phone.ask()
    assert len(phone.items) == 1


@pytest.mark.requirement("MS-ASCMD_R3005", "MS-ASCMD_R3006", "MS-ASCMD_R3007", "MS-ASCMD_R3009")
@pytest.mark.parametrize(
    ("type_", "value"), [("INBOX", 6), ("INBOX", 7), ("INBOX", 8), ("CALENDAR", 1), ("CALENDAR", 3)]
)
async def test_a_filter_that_a_class_does_not_have_fails_the_estimate(box: Mailbox, type_: str, value: int) -> None:
    folder = await folder_of(box, type_)
    asked = await primed(box, folder)
    with pytest.raises(CommandError) as caught:
        await estimated(box, sync_key=asked.sync_key, collection_id=folder, options=(Options(filter_type=value),))
    assert caught.value.status == CommonStatus.SERVER_ERROR
    assert get_item_estimate.COMMAND.fail(110, V16_1) == estimate.Response(status=110)


@pytest.mark.requirement("MS-ASCMD_R908", "MS-ASCMD_R3265", "MS-ASCMD_R3269", "MS-ASCMD_R2100", "MS-ASCMD_R2973")
async def test_an_estimate_says_what_cannot_go_together(box: Mailbox) -> None:
    contacts = await folder_of(box, "CONTACTS")
    inbox, people = await primed(box, INBOX), await primed(box, contacts)
    at = {"sync_key": inbox.sync_key, "collection_id": INBOX}
    assert (await estimated(box, **at, options=(Options(item_class="Calendar"),))).status == 4
    assert (await estimated(box, **at, options=(Options(max_items=5),))).status == 2
    at = {"sync_key": people.sync_key, "collection_id": contacts}
    assert count(await estimated(box, **at, options=(Options(filter_type=1),))) == 0
    with pytest.raises(CommandError) as caught:
        await estimated(box, **at, conversation_mode=True)
    assert caught.value.status == CommonStatus.INVALID_XML


@pytest.mark.requirement("MS-ASCMD_R3064", "MS-ASCMD_R5056")
async def test_an_estimate_counts_what_leaves_too(box: Mailbox) -> None:
    await box.deliver(message("young"), age=timedelta(hours=20))
    await box.deliver(message("new"))
    phone = box.phone()
    await phone.all(options=Options(filter_type=1))
    phone.bench.now = box.bench.now = box.bench.now + timedelta(hours=6)
    asked = {"sync_key": phone.key, "collection_id": INBOX, "options": (Options(filter_type=1),)}
    assert count(await estimated(box, **asked)) == 1
    (gone,) = (await phone.ask()).commands.commands
    assert isinstance(gone, SoftDelete)
