"""A Directory that remembers for a short while what another one said.

Clients ask for the same people again and again while a message is written, each time with all their certificates.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from eas_server import interfaces
from eas_server.interfaces import Directory
from eas_server.model.directory import DirectoryEntry, Found

MAX_REMEMBERED: Final = 2000
"""Answers; those not asked for longest go first."""
MAX_ENTRIES: Final = 50
"""Entries of an answer that is remembered: larger ones are groups, which are expanded anew."""

_Key = tuple[str, str, int]


class RememberingDirectory:
    """See Directory. A change in the directory shows after `seconds` at the latest; searches are never remembered.

    What cannot be answered is not remembered, and neither is that nobody was found: whoever was just added is there.
    """

    def __init__(self, inner: Directory, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._seconds = seconds
        self._clock = clock
        self._found: OrderedDict[_Key, tuple[float, Found]] = OrderedDict()

    async def search(self, query: str, offset: int, limit: int) -> Found:
        """See Directory."""
        return await self._inner.search(query, offset, limit)

    async def resolve(self, name: str, limit: int) -> Found:
        """See Directory."""
        return await self._remembered(("resolve", name, limit), lambda: self._inner.resolve(name, limit))

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        """See Directory."""
        return await self._remembered(("members", group.key, limit), lambda: self._inner.members(group, limit))

    async def _remembered(self, key: _Key, ask: Callable[[], Awaitable[Found]]) -> Found:
        now = self._clock()
        held = self._found.get(key)
        if held is not None and now - held[0] < self._seconds:
            self._found.move_to_end(key)
            return held[1]
        found = await ask()
        self._found.pop(key, None)
        if found.entries and len(found.entries) <= MAX_ENTRIES and self._seconds > 0:
            self._found[key] = (now, found)
            if len(self._found) > MAX_REMEMBERED:
                self._found.popitem(last=False)
        return found


_: type[interfaces.Directory] = RememberingDirectory
