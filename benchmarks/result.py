"""What a workload tells, and what all of them count with."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.http import Connection
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


async def hammer(
    connections: Sequence[Connection], seconds: float, one: Callable[[Connection, int], Awaitable[None]]
) -> tuple[int, float, list[float]]:
    """Let each connection repeat `one` for some seconds: how many in all, in how long, and how long each took."""
    times: list[float] = []
    begun = time.perf_counter()
    end = begun + seconds

    async def repeat(connection: Connection) -> None:
        count = 0
        while (now := time.perf_counter()) < end:
            await one(connection, count)
            times.append(time.perf_counter() - now)
            count += 1

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(repeat(connection))
    return len(times), time.perf_counter() - begun, times
