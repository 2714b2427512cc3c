"""How much is fetched at once, and for one user in an hour."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId

HOUR: Final = timedelta(hours=1)
MAX_USERS: Final = 10_000
"""Budgets that are kept until those of past hours are thrown away."""


class OverLimit(EvidenceUnavailable):
    """What stands against a fetch is how much this user, or everybody, has asked for: not the thing itself."""


@dataclass(slots=True)
class _Spent:
    since: datetime
    fetches: int = 0
    octets: int = 0


class Budget:
    """What users have had fetched within their hour, which begins with the first fetch."""

    def __init__(self, fetches: int, octets: int) -> None:
        self._fetches = fetches
        self._octets = octets
        self._spent: dict[UserId, _Spent] = {}

    def take(self, user: UserId, now: datetime) -> None:
        """Count a fetch. Raises OverLimit."""
        spent = self._current(user, now)
        if spent.fetches >= self._fetches or spent.octets >= self._octets:
            raise OverLimit(f"as much as may be within an hour was fetched for {user}", refused=True)
        spent.fetches += 1

    def add(self, user: UserId, octets: int, now: datetime) -> None:
        """Count what came."""
        self._current(user, now).octets += octets

    def _current(self, user: UserId, now: datetime) -> _Spent:
        spent = self._spent.get(user)
        if spent is None or not spent.since <= now < spent.since + HOUR:
            if len(self._spent) >= MAX_USERS:
                self._spent = {each: kept for each, kept in self._spent.items() if now < kept.since + HOUR}
            spent = self._spent[user] = _Spent(now)
        return spent


class Places:
    """So many at once for each key."""

    def __init__(self, count: int, over: str) -> None:
        """`over` says what is too much."""
        self._count = count
        self._over = over
        self._taken: dict[Hashable, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def held(self, key: Hashable, until: float) -> AsyncIterator[None]:
        """Wait for a place and hold it; OverLimit when none is free at an instant of the loop's clock."""
        semaphore, users = self._taken.get(key) or (asyncio.Semaphore(self._count), 0)
        self._taken[key] = semaphore, users + 1
        try:
            try:
                async with asyncio.timeout_at(until):
                    await semaphore.acquire()
            except TimeoutError:
                raise OverLimit(self._over) from None
            try:
                yield
            finally:
                semaphore.release()
        finally:
            semaphore, users = self._taken.pop(key)
            if users > 1:
                self._taken[key] = semaphore, users - 1
