"""Preferences in memory."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from eas_server import interfaces
from eas_server.backends.memory.world import World
from eas_server.interfaces import P
from eas_server.model.ids import UserId


class MemoryPreferences:
    """See the port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: dict[tuple[UserId, str], Any] = {}
        self._done: dict[tuple[UserId, str], datetime] = {}

    async def preference(self, user: UserId, kind: type[P]) -> P:
        """See the port."""
        stored: P | None = self._records.get((user, kind.KIND))
        return kind() if stored is None else stored

    async def change_preference(self, user: UserId, kind: type[P], change: Callable[[P], P]) -> P:
        """See the port."""
        self._world.mailbox(user)
        changed = change(await self.preference(user, kind))
        self._records[user, kind.KIND] = changed
        return changed

    async def mark_once(self, user: UserId, subject: str, now: datetime, until: datetime) -> bool:
        """See the port."""
        self._world.mailbox(user)
        if self._done.get((user, subject), now) > now:
            return False
        self._done[user, subject] = until
        return True


_: type[interfaces.Preferences] = MemoryPreferences
