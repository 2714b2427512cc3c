"""What a client holds of a collection under a SyncKey, kept compactly: its size follows from gaps, not from items."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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


NO_LIMIT: Final = -(2**62)
"""The instant before all others, in seconds since 1970: a filter that lets everything through."""
TOP: Final = Position(2**62, 2**62)
"""Above every item."""
BOTTOM: Final = Position(NO_LIMIT, -1)
"""Below every item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a client holds under a SyncKey.

    Of each item in `held` it has the revision that was current at `token`, unless `revisions` names another one; and
    beside that it has what it wrote itself in the revisions of `own`.
    Of the items above `low` that the filter lets through, it holds all that were there at `token`.
    """

    token: Token
    held: RangeSet = field(default_factory=RangeSet)
    revisions: Mapping[ItemId, Revision] = field(default_factory=dict)
    own: Mapping[ItemId, tuple[Revision, ...]] = field(default_factory=dict)
    """Revisions that the client made of items whose earlier changes it has not been sent yet."""
    low: Position = TOP
    """How far down the backlog was sent."""
    floor: int = NO_LIMIT
    """Nothing that is held was received before this instant, in seconds since 1970, but for some of `older`."""
    older: RangeSet = field(default_factory=RangeSet)
    """Items held for the sake of their conversations, whatever their age."""
    conversations: int | None = None
    """Whole conversations were sent: of all that have an item received at or after this instant. None: the filter
    alone decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An Add that was carried out: what a repetition of it is answered with."""

    item: ItemId
    revision: Revision
    """The item as the Add made it: that is what the client has of it."""
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
    written: Mapping[ItemId, tuple[Revision, ...]] = field(default_factory=dict)
    options: bytes = b""
    """The Options of the last request that gave some, as WBXML of a Collection; b"": none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyState:
    """The state behind one SyncKey of FolderSync: the folders that the device holds, with their revisions."""

    key: SyncKey
    folders: Mapping[str, Revision]
