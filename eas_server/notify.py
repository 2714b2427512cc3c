"""The in-process ChangeNotifier: a table of who waits, and nothing that runs by itself."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from eas_server import interfaces
from eas_server.model.ids import CollectionId, UserId


class Subscription:
    """One waiting request. `wait` is for one task at a time."""

    __slots__ = ("_collections", "_pending", "_waiter")

    def __init__(self, collections: frozenset[CollectionId]) -> None:
        self._collections = collections
        self._pending: frozenset[CollectionId] = frozenset()
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self) -> frozenset[CollectionId]:
        """See the port."""
        while not self._pending:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        changed, self._pending = self._pending, frozenset()
        return changed

    def hear(self, collections: Collection[CollectionId]) -> None:
        """Take note of a publication."""
        changed = self._collections.intersection(collections)
        if not changed:
            return
        self._pending |= changed
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ChangeNotifier:
    """See the port. A publication costs as much as its user has subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: dict[UserId, set[Subscription]] = {}

    @contextmanager
    def subscribe(self, user: UserId, collections: Collection[CollectionId]) -> Iterator[Subscription]:
        """See the port."""
        subscription = Subscription(frozenset(collections))
        self._subscriptions.setdefault(user, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._subscriptions[user]
            others.discard(subscription)
            if not others:
                del self._subscriptions[user]

    def publish(self, user: UserId, collections: Collection[CollectionId]) -> None:
        """See the port."""
        for subscription in self._subscriptions.get(user, ()):
            subscription.hear(collections)


_: type[interfaces.ChangeNotifier] = ChangeNotifier
