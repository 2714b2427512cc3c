"""What failed lately, and for how long it is left alone."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.errors import EvidenceUnavailable

MAX_REMEMBERED: Final = 10_000
"""Failures; the oldest go first."""


class LeftAlone(EvidenceUnavailable):
    """It failed a moment ago, and is not asked."""


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    refused: bool
    unreadable: bool
    delay: timedelta
    until: datetime


class Failures:
    """Failures by what failed: a request, a URL, a host."""

    def __init__(self, first: timedelta, last: timedelta) -> None:
        """Remember each for `first`, and for twice as long each time it follows upon another, up to `last`."""
        self._first = first
        self._last = last
        self._failures: OrderedDict[str, _Failure] = OrderedDict()

    def check(self, key: str, now: datetime) -> None:
        """Raise LeftAlone while a failure is remembered."""
        failure = self._failures.get(key)
        if failure is not None and now < failure.until:
            raise LeftAlone(
                f"{failure.reason} (not asked again until {failure.until:%H:%M:%S} UTC)",
                refused=failure.refused,
                unreadable=failure.unreadable,
            )

    def add(self, key: str, error: EvidenceUnavailable, now: datetime) -> None:
        """Remember a failure."""
        before = self._failures.pop(key, None)
        # what failed again only long after its time had worked in between, for all that is known
        grows = before is not None and now < before.until + self._last
        delay = min(before.delay * 2, self._last) if before is not None and grows else self._first
        self._failures[key] = _Failure(str(error), error.refused, error.unreadable, delay, now + delay)
        while len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """It worked."""
        self._failures.pop(key, None)
