"""Short dialogues of devices with the handlers of Sync and Ping, each about one thing; an oracle judges each answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from eas_server.model.ids import ItemId
from eas_server.model.mail import Flag, StateChange, Verb
from protocol.commands.sync import Delete, Options
from protocol.items import email
from protocol.items.email import Email, FlagStatus
from tests.properties.sync_dialogue import Ask, Handset, change_command, handsets
from tests.properties.sync_ground import DELETED, INBOX, SENT, Ground
from tests.server.commands.support import ALICE, NOW

Script = Callable[[Ground, dict[str, Handset]], Awaitable[None]]
SCRIPTS: dict[str, Script] = {}

READ, UNREAD, RED = Email(read=True), Email(read=False), Email(categories=("red",))
FLAGGED = email.Flag(status=FlagStatus.ACTIVE, flag_type="later")
READ_AND_FLAG = Email(read=True, flag=FLAGGED)


def script(play: Script) -> Script:
    """Name a dialogue."""
    SCRIPTS[getattr(play, "__name__", "").replace("_", " ")] = play
    return play


def play(name: str) -> None:
    """Act a dialogue out on a fresh mailbox in memory."""

    async def act() -> None:
        async with AsyncExitStack() as stack:
            ground = await Ground.open(stack, None, window_bytes=8_000_000, validates=False)
            await SCRIPTS[name](ground, handsets(ground))

    asyncio.run(act())


async def mail(ground: Ground, *ages: int) -> None:
    """Messages for the Inbox, numbered from 1 on; ages in hours."""
    for age in ages:
        await ground.deliver(INBOX, timedelta(hours=age))


def write(number: int, what: Email | None, window: int | None = None) -> Ask:
    """A request that changes a message of the Inbox, or (None) deletes it."""
    item = ItemId(number)
    command = Delete(server_id=f"{INBOX}:{item}") if what is None else change_command(INBOX, item, what)
    return Ask(folder=INBOX, commands=(command,), window=window)


@script
async def windows_and_lost_answers(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 5, 4, 3, 2, 1)
    await phone.ask(Ask(folder=INBOX, window=2), lose=True)
    await phone.ask(Ask(folder=INBOX, window=2), lose=True)
    await phone.ask(Ask(folder=INBOX, window=3))
    await mail(ground, 0)
    await ground.change(INBOX, ItemId(5), StateChange(read=True))
    await ground.mail.delete(ALICE.user, INBOX, [ItemId(4)])
    await phone.ask(Ask(folder=INBOX, window=1), lose=True)
    for _ in range(3):
        await phone.ask(Ask(folder=INBOX, window=1))
    await phone.ping()
    await phone.estimate(INBOX)
    await phone.settle(INBOX, 0)
    await phone.ping()


@script
async def what_comes_and_goes_while_a_window_is_cut(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await phone.settle(INBOX)
    await mail(ground, 3, 2, 1)
    await phone.ask(Ask(folder=INBOX, window=1))
    await ground.mail.delete(ALICE.user, INBOX, [ItemId(3)])
    await phone.settle(INBOX, 1)


@script
async def two_devices(ground: Ground, devices: dict[str, Handset]) -> None:
    phone, tablet = devices["phone"], devices["tablet"]
    await mail(ground, 2, 1)
    await phone.settle(INBOX)
    await tablet.settle(INBOX)
    await phone.ask(write(1, READ))
    await tablet.ping()
    await tablet.ask(Ask(folder=INBOX))
    await tablet.ask(write(2, None))
    await phone.settle(INBOX)
    await phone.settle(DELETED)
    await tablet.settle(DELETED)


@script
async def one_window_for_all(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 3, 2, 1)
    for age in (2, 1):
        await ground.deliver(SENT, timedelta(hours=age))
    await phone.ask(Ask(folder=INBOX, window=2), Ask(folder=SENT), window=3)
    await phone.ask(Ask(folder=INBOX), Ask(folder=SENT), window=1)
    await phone.settle(SENT)


@script
async def empty_and_partial_requests(ground: Ground, devices: dict[str, Handset]) -> None:
    phone, tablet = devices["phone"], devices["tablet"]
    await mail(ground, 1)
    await phone.settle(INBOX)
    await tablet.settle(INBOX)
    await phone.settle(SENT)
    await phone.ask(Ask(folder=INBOX), Ask(folder=SENT))
    await ground.deliver(SENT, timedelta())
    assert await phone.ask_empty(lose=True)
    assert await phone.ask_partial(Ask(folder=INBOX))
    await phone.ask(write(1, READ), lose=True)
    await tablet.settle(INBOX)
    await tablet.ask(write(1, UNREAD))
    assert await phone.ask_empty()


@script
async def repeated_writes(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 2, 1)
    await phone.settle(INBOX)
    await phone.ask(write(1, READ), lose=True)
    await phone.ask(write(1, READ), lose=True)
    await phone.ask(write(1, UNREAD), lose=True)
    await phone.ask(write(1, READ_AND_FLAG), lose=True)
    await phone.ask(write(1, READ), lose=True)
    await phone.ask(Ask(folder=INBOX))
    await phone.ask(write(1, Email(flag=email.Flag())))
    await phone.settle(INBOX)
    await phone.ask(write(2, None), lose=True)
    await phone.ask(write(2, None))
    await phone.settle(INBOX)


@script
async def conflicts(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 2, 1)
    await phone.settle(INBOX)
    await ground.change(INBOX, ItemId(1), StateChange(categories=("white",)))
    await phone.ask(write(1, RED))
    await ground.change(INBOX, ItemId(2), StateChange(flag=Flag(type="soon")))
    await phone.ask(write(2, READ_AND_FLAG))
    await ground.change(INBOX, ItemId(2), StateChange(categories=("white",)))
    await phone.ask(write(2, READ))
    await phone.settle(INBOX)


@script
async def filters(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 30, 29, 28, 27, 2)
    await phone.settle(INBOX)
    await mail(ground, 200)
    await phone.ask(Ask(folder=INBOX, window=1, options=Options(filter_type=1)))
    await phone.ask(Ask(folder=INBOX, window=1, options=Options(filter_type=0)))
    await phone.settle(INBOX, 1)
    assert len(phone.folders[INBOX].items) == 6
    await phone.ask(Ask(folder=INBOX, options=Options(filter_type=3)))
    await mail(ground, 200)
    assert not await phone.ask(Ask(folder=INBOX))
    assert not await phone.ask(Ask(folder=INBOX, options=Options(filter_type=2)))
    await mail(ground, 100)
    await phone.settle(INBOX)
    await phone.ask(Ask(folder=INBOX, options=Options(filter_type=0)))
    assert len(phone.folders[INBOX].items) == 8


@script
async def whole_conversations(ground: Ground, devices: dict[str, Handset]) -> None:
    phone, day = devices["phone"], Options(filter_type=1)
    await mail(ground, 60, 50, 40, 30, 2)  # the first and the last are of one conversation
    await phone.start(INBOX)
    await phone.ask(Ask(folder=INBOX, options=day, whole=True, window=1), lose=True)
    await phone.ask(Ask(folder=INBOX, options=day, whole=True, window=1))
    await phone.settle(INBOX, 1)
    assert phone.folders[INBOX].items.keys() == {1, 5}
    await mail(ground, 1)
    await phone.ping()
    await phone.estimate(INBOX)
    await phone.settle(INBOX, 1)
    assert phone.folders[INBOX].items.keys() == {1, 2, 5, 6}
    await ground.change(INBOX, ItemId(1), StateChange(read=True))
    await phone.settle(INBOX)
    await ground.mail.delete(ALICE.user, INBOX, [ItemId(5)])
    await phone.settle(INBOX)
    assert phone.folders[INBOX].items.keys() == {1, 2, 6}
    ground.now += timedelta(hours=2)
    await phone.settle(INBOX, 1)
    assert phone.folders[INBOX].items.keys() == {2, 6}
    await phone.ask(Ask(folder=INBOX, whole=False))
    await phone.settle(INBOX)
    assert phone.folders[INBOX].items.keys() == {6}


@script
async def ages(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 20, 1)
    await phone.start(INBOX)
    await phone.ask(Ask(folder=INBOX, options=Options(filter_type=1)))
    await phone.settle(INBOX)
    ground.now += timedelta(hours=6)
    await phone.ping()
    assert await phone.ask(Ask(folder=INBOX))
    await phone.settle(INBOX)


@script
async def what_a_version_has_no_word_for(ground: Ground, devices: dict[str, Handset]) -> None:
    old, phone = devices["old"], devices["phone"]
    await mail(ground, 2, 1)
    await old.settle(INBOX)
    await phone.settle(INBOX)
    await ground.change(INBOX, ItemId(1), StateChange(categories=("white",)))
    await old.ping()
    await phone.ping()
    await ground.change(INBOX, ItemId(2), StateChange(read=True))
    await old.ask(Ask(folder=INBOX, window=1))
    await ground.change(INBOX, ItemId(2), StateChange(verb=Verb.FORWARD, verb_time=NOW))
    assert not await old.ask(Ask(folder=INBOX))
    await phone.settle(INBOX, 1)


@script
async def requests_that_race(ground: Ground, devices: dict[str, Handset]) -> None:
    phone = devices["phone"]
    await mail(ground, 3, 2, 1)
    await phone.settle(INBOX)
    await phone.race(write(1, READ_AND_FLAG), write(1, READ), take_first=False)
    await phone.race(write(2, READ), write(2, None), take_first=True)
    await phone.settle(INBOX)
    await phone.settle(DELETED)
