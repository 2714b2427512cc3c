"""Time, and waiting for what happens."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from eas_server.model.ids import CollectionId, UserId


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class Subscription(Protocol):
    """Somebody waiting for changes."""

    async def wait(self) -> frozenset[CollectionId]:
        """Return when something was published since the subscription began or `wait` last returned: what changed."""
        ...


class ChangeNotifier(Protocol):
    """Hints that something changed, without content: who is woken looks for the truth in the store."""

    def subscribe(self, user: UserId, collections: Collection[CollectionId]) -> AbstractContextManager[Subscription]:
        """Hear of changes in these collections (ROOT stands for the hierarchy) until the context ends."""
        ...

    def publish(self, user: UserId, collections: Collection[CollectionId]) -> None:
        """Wake those who wait for one of these. Call it in the event loop's thread, after the change is durable."""
        ...
