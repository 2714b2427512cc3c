"""The passwords that one account tries for others, in UserName and Password of Search and ItemOperations.

Wrong ones are counted: after too many of them nobody is asked any more for a while, so that this is no way around what
wrong passwords cost at the door.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.model.ids import UserId

MAX_GUESSES: Final = 5
"""Wrong passwords of one asker within GUESS_WINDOW."""
GUESS_WINDOW: Final = timedelta(minutes=15)
KEPT: Final = 10_000
"""Askers whose wrong passwords are counted at once."""


@dataclass(slots=True)
class _Count:
    wrong: int
    since: datetime


class Guesses:
    """Wrong passwords, by who tried them."""

    def __init__(self) -> None:
        self._counts: OrderedDict[UserId, _Count] = OrderedDict()

    def may_try(self, asker: UserId, now: datetime) -> bool:
        """Whether another password may be tried."""
        count = self._counts.get(asker)
        return count is None or now - count.since >= GUESS_WINDOW or count.wrong < MAX_GUESSES

    def begin(self, asker: UserId, now: datetime) -> None:
        """Count a try as wrong, before its outcome is known: many at once count as many."""
        count = self._counts.get(asker)
        if count is None or now - count.since >= GUESS_WINDOW:
            count = self._counts[asker] = _Count(0, now)
        count.wrong += 1
        self._counts.move_to_end(asker)
        if len(self._counts) > KEPT:
            self._counts.popitem(last=False)

    def take_back(self, asker: UserId) -> None:
        """A try turned out to be no wrong one."""
        count = self._counts.get(asker)
        if count is not None:
            count.wrong = max(0, count.wrong - 1)
