"""Recurring tasks between devices: what is done, what comes next, and what a device is told of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.errors import StoreFull
from eas_server.model.mail import FolderType
from protocol.commands.sync import Change, ChangeResponse, ServerAdd, Status
from protocol.items.tasks import Recurrence, RecurrenceType, Task
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.test_sync_kept import Handset, add, change, folder

DUE = datetime(2026, 12, 7, tzinfo=UTC)
WEEK = timedelta(weeks=1)
RULE = Recurrence(type=RecurrenceType.WEEKLY, start=DUE, day_of_week=2, interval=1)
SERIES = Task(subject="Bins", complete=False, due_date=DUE, utc_due_date=DUE, recurrence=RULE)
DONE = replace(SERIES, complete=True, date_completed=DUE)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def handset(box: Mailbox, device: str = "device1") -> Handset:
    made = Handset(box.phone(device, await folder(box, FolderType.TASKS)), Task)
    await made.all()
    return made


def shown(phone: Handset) -> list[tuple[datetime | None, bool | None]]:
    return sorted((task.due_date, task.complete) for task in phone.held.values())


@pytest.mark.requirement("MS-ASTASK_R157", "MS-ASTASK_R438")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_a_series_moves_on(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    phone, tablet = await handset(box), await handset(box, "tablet")
    await phone.ask(add("t1", SERIES))
    (name,) = phone.held
    await tablet.ask()
    answer = await phone.ask(change(name, DONE))
    assert answer.responses is None
    assert {type(command) for command in answer.commands.commands} == {Change, ServerAdd}
    expected = [(DUE, True), (DUE + WEEK, False)]
    assert shown(phone) == expected
    assert phone.held[name].due_date == DUE + WEEK
    assert await phone.ask() is None
    await tablet.ask()
    assert shown(tablet) == expected
    await tablet.ask(change(name, replace(tablet.held[name], complete=True, body=None)))
    await phone.ask()
    assert shown(phone) == [*expected[:1], (DUE + WEEK, True), (DUE + 2 * WEEK, False)]


async def test_a_repeated_change_moves_it_on_once(box: Mailbox) -> None:
    phone = await handset(box)
    await phone.ask(add("t1", SERIES))
    (name,) = phone.held
    for _ in range(3):
        await phone.ask(change(name, DONE), lose=True)
    await phone.ask(change(name, DONE))
    expected = [(DUE, True), (DUE + WEEK, False)]
    assert shown(phone) == expected
    assert await phone.ask() is None
    fresh = await handset(box, "fresh")
    assert shown(fresh) == expected
    # under the next key it is something new that the device says
    await phone.ask(change(name, replace(phone.held[name], complete=True, body=None)))
    assert shown(phone) == [(DUE, True), (DUE + WEEK, True), (DUE + 2 * WEEK, False)]


async def test_what_came_of_a_lost_answer_is_told_under_the_old_key(box: Mailbox) -> None:
    phone = await handset(box)
    await phone.ask(add("t1", SERIES))
    (name,) = phone.held
    await phone.ask(change(name, DONE), lose=True)
    await phone.ask()
    assert shown(phone) == [(DUE, True), (DUE + WEEK, False)]


@pytest.mark.requirement("MS-ASTASK_R157")
async def test_a_device_that_says_dead_occur_keeps_its_series_itself(box: Mailbox) -> None:
    phone = await handset(box)
    await phone.ask(add("t1", SERIES))
    (name,) = phone.held
    answer = await phone.ask(change(name, replace(DONE, recurrence=replace(RULE, dead_occur=1))))
    assert (answer.responses, answer.commands) == (None, None)
    fresh = await handset(box, "fresh")
    assert shown(fresh) == [(DUE, True)]
    assert fresh.held[name].recurrence.dead_occur == 1


async def test_what_is_done_when_it_comes_stays_alone(box: Mailbox) -> None:
    phone = await handset(box)
    await phone.ask(add("t1", DONE))
    assert shown(await handset(box, "fresh")) == [(DUE, True)]


async def test_a_full_store_leaves_the_series_as_it_was(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = await handset(box)
    await phone.ask(add("t1", SERIES))
    (name,) = phone.held

    async def full(*_: object) -> None:
        raise StoreFull

    monkeypatch.setattr(box.store.mail, "add", full)
    answer = await phone.ask(change(name, DONE))
    assert answer.responses.responses == (ChangeResponse(server_id=name, status=Status.NO_SPACE),)
    monkeypatch.undo()
    assert shown(await handset(box, "fresh")) == [(DUE, False)]
