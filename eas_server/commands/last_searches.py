"""The result sets of searches in the mailbox, from which a client that goes on gets the next range.

[MS-ASCMD] 2.2.3.144 calls them search folders: what comes in meanwhile does not move the rest by a place. Kept in
memory only, one a device; a set that is not there is made anew.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from eas_server.model.ids import DeviceId, UserId
from eas_server.model.mail import SearchHit

KEPT: Final = 200
"""Result sets, of some 100 kB at most; those that nobody went on with for longest are forgotten first."""

Searcher = tuple[UserId, DeviceId]


class LastSearches:
    """Result sets by device."""

    def __init__(self) -> None:
        self._sets: OrderedDict[Searcher, tuple[bytes, Sequence[SearchHit]]] = OrderedDict()

    def keep(self, searcher: Searcher, digest: bytes, hits: Sequence[SearchHit]) -> None:
        """Remember what a search found; `digest` is that of what was searched for."""
        self._sets[searcher] = (digest, hits)
        self._sets.move_to_end(searcher)
        if len(self._sets) > KEPT:
            self._sets.popitem(last=False)

    def get(self, searcher: Searcher, digest: bytes) -> Sequence[SearchHit] | None:
        """What the same search found before; None: nobody knows any more, or it was another one."""
        kept = self._sets.get(searcher)
        if kept is None or kept[0] != digest:
            return None
        self._sets.move_to_end(searcher)
        return kept[1]
