"""What a client holds of a collection under a SyncKey, kept compactly: its size follows from gaps, not from items."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from eas_server.model.ids import ItemId, Revision, SyncKey, Token


class RangeSet:
    """An immutable set of ItemIds as sorted, disjoint, inclusive ranges."""

    __slots__ = ("_first", "_last")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        first: list[int] = []
        last: list[int] = []
        for low, high in sorted(ranges):
            if last and low <= last[-1] + 1:
                last[-1] = max(last[-1], high)
            else:
                first.append(low)
                last.append(high)
        self._first = first
        self._last = last

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The ranges, lowest first."""
        return list(zip(self._first, self._last, strict=True))

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, int):
            return False
        at = bisect_right(self._first, item) - 1
        return at >= 0 and item <= self._last[at]

    def __iter__(self) -> Iterator[ItemId]:
        for low, high in zip(self._first, self._last, strict=True):
            yield from (ItemId(n) for n in range(low, high + 1))

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in zip(self._first, self._last, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(tuple(self.ranges))

    def __repr__(self) -> str:
        return f"RangeSet({self.ranges})"

    def plus(self, items: Iterable[int]) -> "RangeSet":
        """This set and `items`."""
        return RangeSet([*self.ranges, *((n, n) for n in items)])

    def minus(self, items: Iterable[int]) -> "RangeSet":
        """This set without `items`."""
        ranges = self.ranges
        for n in sorted(set(items), reverse=True):
            at = bisect_right(ranges, (n, float("inf"))) - 1
            if at < 0 or ranges[at][1] < n:
                continue
            low, high = ranges[at]
            ranges[at : at + 1] = [r for r in ((low, n - 1), (n + 1, high)) if r[0] <= r[1]]
        return RangeSet(ranges)


class Position(NamedTuple):
    """A place in the order of a collection: newest first, the higher ItemId first within a second."""

    received: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a client holds under a SyncKey.

    Of each item in `held` it has the revision that was current at `token`, unless `revisions` names another one.
    All items at or above `low` are in `held`, as far as they were there at `token` and the client was sent them;
    below `low` nothing was sent. `complete`: nothing remains between `low` and the filter's limit.
    """

    token: Token
    held: RangeSet = field(default_factory=RangeSet)
    revisions: Mapping[ItemId, Revision] = field(default_factory=dict)
    low: Position | None = None
    """None: nothing of the backlog was sent yet."""
    complete: bool = False
    """The backlog down to `cutoff` was sent."""
    cutoff: int | None = None
    """The filter's limit when the view was made, in seconds since 1970; None: no filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An Add that was carried out: what a repetition of it is answered with."""

    item: ItemId
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """The state behind one SyncKey of one device and collection.

    `accepted` and `written` grow with requests that present this key: a repeated Add is found by ClientId and
    content, and a revision that the device itself made under this key is no conflict with it.
    """

    key: SyncKey
    view: View
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    written: Mapping[ItemId, Revision] = field(default_factory=dict)
    options: bytes = b""
    """The Options of the last request that gave some, as WBXML of a Collection; b"": none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyState:
    """The state behind one SyncKey of FolderSync: the folders that the device holds, with their revisions."""

    key: SyncKey
    folders: Mapping[str, Revision]
