"""The stores that the tests of mail transport run on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.submission.support import FixedClock, store_of


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> AsyncIterator[Any]:
    """Mailboxes of alice, bob (of at most 2,000 octets) and carol, and a group team of alice, bob and somebody else."""
    async with store_of(request.param, tmp_path, clock, {"bob": 2000}) as opened:
        yield opened
