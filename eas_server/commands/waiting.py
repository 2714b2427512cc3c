"""Waiting for changes: what Ping and a hanging Sync share.

Subscribe, then list, then wait; a change between listing and waiting is otherwise lost:

    with waiting(ctx, collections) as waiter:
        if not changed_already():
            woken = await waiter.wait(seconds)

No thread, three small tasks a waiter: 10,000 waiters are no burden.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from eas_server.commands.context import Context
from eas_server.interfaces import Subscription
from eas_server.model.device import WIPING, Access
from eas_server.model.ids import CollectionId


class Reason(Enum):
    """Why a wait ended."""

    CHANGED = "changed"
    TIMEOUT = "timeout"
    SUPERSEDED = "superseded"
    """The device sent the same command again: nobody reads the answer to this one any more."""
    STOPPING = "stopping"
    """The server stops; the client is to ask again."""
    GONE = "gone"
    """The client closed the connection."""
    KEPT_OUT = "kept out"
    """The administrator wipes, blocked or forgot the device, or closed the account: the next request hears of it."""


@dataclass(frozen=True, slots=True)
class Woken:
    """How a wait ended. `collections`: what changed, with CHANGED only (ROOT stands for the hierarchy)."""

    reason: Reason
    collections: frozenset[CollectionId] = frozenset()


_Key = tuple[int, str, str, str]
_waiters: Final[dict[_Key, "Waiter"]] = {}
"""Who waits: one a server, user, device and command. The server is named by its `stopping`, which lives as long."""


def _key(ctx: Context) -> _Key:
    return (id(ctx.stopping), ctx.account.user, ctx.device.id, ctx.line.command)


def supersede(ctx: Context) -> None:
    """End the wait of an earlier request of the same device with the same command, if there is one."""
    earlier = _waiters.get(_key(ctx))
    if earlier is not None:
        earlier.end(Woken(Reason.SUPERSEDED))


@contextmanager
def waiting(ctx: Context, collections: Collection[CollectionId]) -> Iterator["Waiter"]:
    """Hear of changes from now on, until the context ends. An earlier waiter of the same command is superseded."""
    supersede(ctx)
    key = _key(ctx)
    with ctx.ports.notifier.subscribe(ctx.account.user, collections) as subscription:
        waiter = _waiters[key] = Waiter(ctx, subscription)
        try:
            yield waiter
        finally:
            if _waiters.get(key) is waiter:
                del _waiters[key]


class Waiter:
    """One request that waits."""

    __slots__ = ("_began", "_ctx", "_ended", "_future", "_subscription")

    def __init__(self, ctx: Context, subscription: Subscription) -> None:
        self._ctx = ctx
        self._subscription = subscription
        self._future: asyncio.Future[Woken] | None = None
        self._ended: Woken | None = None
        self._began = asyncio.get_running_loop().time()

    def end(self, woken: Woken) -> None:
        """End the wait that goes on, and any that is asked for later."""
        self._ended = self._ended or woken
        self._wake(woken)

    async def wait(self, seconds: float) -> Woken:
        """Wait for a change, until `seconds` after the waiter began; may be called again, for what comes after."""
        if self._ended is not None:
            return self._ended
        if self._ctx.stopping.is_set():
            return Woken(Reason.STOPPING)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Woken] = loop.create_future()
        self._future = future
        timer = loop.call_at(self._began + seconds, self._wake, Woken(Reason.TIMEOUT))
        tasks = [
            loop.create_task(self._until_changed()),
            loop.create_task(self._until_gone()),
            loop.create_task(self._until_stopping()),
        ]
        for task in tasks:
            task.add_done_callback(self._pass_on)
        try:
            woken = await future
            return Woken(Reason.KEPT_OUT) if woken.reason is Reason.CHANGED and await _kept_out(self._ctx) else woken
        finally:
            self._future = None
            timer.cancel()
            for task in tasks:
                task.cancel()
            # the connection is ours alone again only when nobody listens at it any more
            await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, woken: Woken) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(woken)

    def _pass_on(self, task: asyncio.Task[None]) -> None:
        """A watcher that fails must not leave the waiter to its time-out."""
        error = None if task.cancelled() else task.exception()
        if error is not None and self._future is not None and not self._future.done():
            self._future.set_exception(error)

    async def _until_changed(self) -> None:
        changed = await self._subscription.wait()
        self._wake(Woken(Reason.CHANGED, changed))

    async def _until_gone(self) -> None:
        await self._ctx.gone()
        self.end(Woken(Reason.GONE))

    async def _until_stopping(self) -> None:
        await self._ctx.stopping.wait()
        self._wake(Woken(Reason.STOPPING))


async def _kept_out(ctx: Context) -> bool:
    """Whether the device that waits would not be let in any more."""
    device = await ctx.ports.state.device(ctx.account.user, ctx.device.id)
    if device is None or device.wipe in WIPING or device.access is Access.BLOCKED:
        return True
    account = await ctx.ports.accounts.account(ctx.account.user)
    return account is not None and not account.eas_enabled
