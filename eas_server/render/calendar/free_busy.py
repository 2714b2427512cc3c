"""MergedFreeBusy: occurrences as a string of digits, one for each half hour ([MS-ASCMD] 2.2.3.111)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from eas_server.render.calendar.occurrences import Occurrence
from protocol.items.calendar import BusyStatus

SLOT: Final = timedelta(minutes=30)
"""MS-ASCMD_R3319; slots count from the start of the time asked for (R3330)."""
_DIGITS: Final = {BusyStatus.TENTATIVE: 1, BusyStatus.BUSY: 2, BusyStatus.OUT_OF_OFFICE: 3}
"""MS-ASCMD_R3321 to R3324. Who works elsewhere is free: 4 would say that nothing is known (R3325)."""


def free_busy(occurrences: Iterable[Occurrence], start: datetime, end: datetime) -> str:
    """The digits from `start` to `end`; the last one may stand for less than half an hour (R3330).

    Of what a slot has, the highest digit counts (R3327), also of several people's occurrences together (R4625).
    """
    digits = [0] * -((start - end) // SLOT)
    for one in occurrences:
        digit = _DIGITS.get(one.busy, 0)
        if not digit or one.end <= start or one.start >= end:
            continue
        first = max(0, (one.start - start) // SLOT)
        last = min(len(digits), -((start - one.end) // SLOT))
        for slot in range(first, last):
            digits[slot] = max(digits[slot], digit)
    return "".join(map(str, digits))


def together(found: Iterable[str]) -> str:
    """Several people's digits as one (MS-ASCMD_R4625): the highest of each slot."""
    return "".join(max(slot) for slot in zip(*found, strict=True))
