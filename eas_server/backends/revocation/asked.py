"""What was asked for lately, and what of it runs out soon."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.model.trust import Wanted

MAX_ASKED: Final = 4096
"""Pieces of evidence; what was not asked for for longest is forgotten."""
SHORTEST: Final = timedelta(minutes=10)
"""What holds for less is not fetched ahead: a stranger's evidence would keep us busy."""
AHEAD: Final = 10
"""The last tenth of its time is when evidence is fetched ahead."""


@dataclass(slots=True)
class Asked:
    """Evidence that somebody asked for."""

    wanted: Wanted
    at: datetime
    """When it was asked for last."""
    fetched: datetime | None = None
    fresh_until: datetime | None = None


class AskedFor:
    """All of it."""

    def __init__(self) -> None:
        self._asked: OrderedDict[bytes, Asked] = OrderedDict()

    def ask(self, key: bytes, wanted: Wanted, now: datetime) -> None:
        """Somebody asks for it."""
        asked = self._asked.get(key)
        if asked is None:
            self._asked[key] = Asked(wanted, now)
            if len(self._asked) > MAX_ASKED:
                self._asked.popitem(last=False)
            return
        asked.wanted, asked.at = wanted, now
        self._asked.move_to_end(key)

    def fetched(self, key: bytes, fetched: datetime, fresh_until: datetime) -> None:
        """It was fetched, here or by another process."""
        asked = self._asked.get(key)
        if asked is not None:
            asked.fetched, asked.fresh_until = fetched, fresh_until

    def due(self, now: datetime, least: timedelta) -> Iterator[tuple[bytes, Asked]]:
        """What is to be fetched ahead: asked for since it was fetched, and in its last tenth, or within `least`."""
        for key, asked in list(self._asked.items()):
            if asked.fetched is None or asked.fresh_until is None or asked.at <= asked.fetched:
                continue
            lifetime = asked.fresh_until - asked.fetched
            begins = asked.fresh_until - max(lifetime / AHEAD, least)
            if lifetime >= SHORTEST and begins <= now < asked.fresh_until:
                yield key, asked
