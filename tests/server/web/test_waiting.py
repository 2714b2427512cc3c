"""Waiting for changes: every reason to wake, and none twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from eas_server.commands import waiting as module
from eas_server.commands.context import Context
from eas_server.commands.waiting import Reason, Woken, supersede, waiting
from eas_server.model.device import Access, Wipe
from eas_server.model.ids import ROOT, CollectionId
from eas_server.notify import ChangeNotifier
from protocol.http import CommandLine
from tests.server.commands.support import ALICE, Bench, never

INBOX, SENT = CollectionId("1"), CollectionId("2")


async def context(gone: Callable[[], Awaitable[None]] = never) -> Context:
    """A Context over a real notifier."""
    bench = Bench(notifier=ChangeNotifier())
    made = await bench.context("Ping")
    line = CommandLine(command="Ping", device_id="device1", device_type="iPhone")
    return replace(made, gone=gone, stopping=asyncio.Event(), line=line)


@pytest.fixture(autouse=True)
def nobody_is_left() -> object:
    yield
    assert not module._waiters


async def test_a_change_wakes() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX, SENT, ROOT]) as waiter:
        asyncio.get_running_loop().call_soon(ctx.ports.notifier.publish, ALICE.user, [SENT])
        assert await waiter.wait(60) == Woken(Reason.CHANGED, frozenset([SENT]))
        asyncio.get_running_loop().call_soon(ctx.ports.notifier.publish, ALICE.user, [ROOT])
        assert await waiter.wait(60) == Woken(Reason.CHANGED, frozenset([ROOT]))


@pytest.mark.parametrize(
    "changed", [{"wipe": Wipe.PENDING}, {"wipe": Wipe.FAILED}, {"access": Access.BLOCKED}], ids=str
)
async def test_who_is_kept_out_is_told_nothing_of_the_change(changed: dict[str, Any]) -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        await ctx.ports.state.change_device(ALICE.user, ctx.device.id, lambda stored: replace(stored, **changed))
        asyncio.get_running_loop().call_soon(ctx.ports.notifier.publish, ALICE.user, [INBOX])
        assert await waiter.wait(60) == Woken(Reason.KEPT_OUT)


async def test_so_is_who_was_forgotten() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        await ctx.ports.state.remove_device(ALICE.user, ctx.device.id)
        asyncio.get_running_loop().call_soon(ctx.ports.notifier.publish, ALICE.user, [INBOX])
        assert await waiter.wait(60) == Woken(Reason.KEPT_OUT)


async def test_a_change_between_listing_and_waiting_is_not_lost() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        ctx.ports.notifier.publish(ALICE.user, [INBOX])
        assert (await waiter.wait(60)).reason is Reason.CHANGED


async def test_other_changes_do_not_wake() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        ctx.ports.notifier.publish(ALICE.user, [SENT])
        assert (await waiter.wait(0.01)).reason is Reason.TIMEOUT


async def test_the_time_counts_from_the_begin() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        await asyncio.sleep(0.02)
        ctx.ports.notifier.publish(ALICE.user, [INBOX])
        assert (await waiter.wait(0.02)).reason in (Reason.CHANGED, Reason.TIMEOUT)
        assert (await waiter.wait(0.02)).reason is Reason.TIMEOUT


async def test_a_newer_request_supersedes() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as older:
        older_waits = asyncio.create_task(older.wait(60))
        await asyncio.sleep(0)
        with waiting(ctx, [INBOX]) as newer:
            assert (await older_waits).reason is Reason.SUPERSEDED
            assert (await older.wait(60)).reason is Reason.SUPERSEDED
            asyncio.get_running_loop().call_soon(supersede, ctx)
            assert (await newer.wait(60)).reason is Reason.SUPERSEDED


async def test_one_that_has_not_begun_to_wait_is_superseded_too() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as older:
        supersede(ctx)
        assert (await older.wait(60)).reason is Reason.SUPERSEDED


@pytest.mark.parametrize("other", ["device", "command", "server", "user"])
async def test_others_do_not_supersede(other: str) -> None:
    ctx = await context()
    stranger = {
        "device": replace(ctx, device=replace(ctx.device, id="device2")),
        "command": replace(ctx, line=replace(ctx.line, command="Sync")),
        "server": replace(ctx, stopping=asyncio.Event()),
        "user": replace(ctx, account=replace(ctx.account, user="bob")),
    }[other]
    with waiting(ctx, [INBOX]) as waiter, waiting(stranger, [INBOX]):
        assert (await waiter.wait(0.01)).reason is Reason.TIMEOUT


async def test_a_stop_wakes_and_stays() -> None:
    ctx = await context()
    with waiting(ctx, [INBOX]) as waiter:
        asyncio.get_running_loop().call_soon(ctx.stopping.set)
        assert (await waiter.wait(60)).reason is Reason.STOPPING
        assert (await waiter.wait(60)).reason is Reason.STOPPING


async def test_a_client_that_goes_away_wakes_and_stays_away() -> None:
    left = asyncio.Event()

    async def gone() -> None:
        await left.wait()

    ctx = await context(gone)
    with waiting(ctx, [INBOX]) as waiter:
        asyncio.get_running_loop().call_soon(left.set)
        assert (await waiter.wait(60)).reason is Reason.GONE
        assert (await waiter.wait(60)).reason is Reason.GONE


async def test_a_watcher_that_fails_does_not_fail_in_silence() -> None:
    async def gone() -> None:
        raise OSError("the connection is odd")

    ctx = await context(gone)
    with waiting(ctx, [INBOX]) as waiter, pytest.raises(OSError, match="odd"):
        await waiter.wait(60)


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    ctx = await context()
    before = len(asyncio.all_tasks())
    with waiting(ctx, [INBOX]) as waiter:
        task = asyncio.create_task(waiter.wait(60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(asyncio.all_tasks()) == before
