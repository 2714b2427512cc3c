"""Which results of a search are wanted, and what is said of those that went out ([MS-ASCMD] 2.2.3.143.3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.commands.search import Result, StoreResponse, StoreStatus

_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


class SearchFailed(Exception):
    """The search ends with this Status of the store."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The results that are wanted: from `first` on, at most `count`."""

    first: int
    count: int
    asked: bool
    """Whether the client gave a Range: only then it is told one."""
    exceeds: bool
    """The client asked for more than there ever is (MS-ASCMD_R3736)."""


def span_of(text: str | None, most: int) -> Span:
    """Read a Range; `most` results can be had in all. Raises SearchFailed where it is none."""
    if text is None:
        return Span(first=0, count=most, asked=False, exceeds=False)
    found = _RANGE.fullmatch(text.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise SearchFailed(StoreStatus.INVALID_REQUEST)
    first, last = int(found[1]), int(found[2])
    return Span(first=first, count=max(0, min(last, most - 1) - first + 1), asked=True, exceeds=last >= most)


def answered(span: Span, results: Sequence[Result], total: int) -> StoreResponse:
    """The results that go out, of `total` that were found.

    Status 12 warns where the range goes past what can be had; what can be had goes along.
    """
    beyond = span.exceeds or (span.first > 0 and span.first >= total)
    return StoreResponse(
        status=StoreStatus.END_OF_RANGE if beyond else StoreStatus.SUCCESS,
        results=tuple(results),
        range=f"{span.first}-{span.first + len(results) - 1}" if span.asked and results else None,
        total=total,
    )
