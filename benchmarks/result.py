"""What a workload tells, and what all of them count with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol import wbxml
from protocol.schema import dump


@dataclass(slots=True)
class Result:
    """One line of the table."""

    work: str
    target: str
    measured: str
    notes: list[str] = field(default_factory=list)


def octets(request: Any) -> bytes:
    """A request on the wire."""
    return wbxml.encode(dump(request)).join()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed, in the unit of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
