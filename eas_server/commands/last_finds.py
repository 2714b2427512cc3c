"""The searches that devices have begun with Find, and go on with range by range ([MS-ASCMD] 2.2.3.143.1).

Kept in memory only. After a restart a range that does not begin with 0 is answered with Status 4, and the device begins
again.
"""

from collections import OrderedDict
from typing import Final

from eas_server.model.ids import DeviceId, UserId

KEPT: Final = 20_000
"""Searches; those that nobody went on with for longest are forgotten first."""

Search = tuple[UserId, DeviceId, bytes]
"""Whose search, and a digest of its SearchId and of what is searched for."""


class LastFinds:
    """Searches that were begun."""

    def __init__(self) -> None:
        self._searches: OrderedDict[Search, None] = OrderedDict()

    def begin(self, search: Search) -> None:
        """Remember a search."""
        self._searches[search] = None
        self._searches.move_to_end(search)
        if len(self._searches) > KEPT:
            self._searches.popitem(last=False)

    def goes_on(self, search: Search) -> bool:
        """Whether the search was begun."""
        if search not in self._searches:
            return False
        self._searches.move_to_end(search)
        return True
