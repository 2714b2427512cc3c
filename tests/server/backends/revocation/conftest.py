"""A source over the loopback, a clock that can be moved, and a server that does what it should not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, Wanted
from tests.server.backends.revocation.hostile import Server, serving

ALICE, BOB = UserId("alice@example.com"), UserId("bob@example.com")
BEGIN = datetime(2026, 12, 3, 12, tzinfo=UTC)


class MovedClock:
    """It stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = BEGIN

    def now(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Names:
    """What names stand for, in turn; the last answer stays."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Any]:
        self.asked.append(host)
        turns = self.addresses.get(host)
        if not turns:
            raise OSError(None, "Name or service not known")
        return [ip_address(text) for text in (turns.pop(0) if len(turns) > 1 else turns[0])]


def for_a_day(octets: bytes, fetched: datetime) -> datetime:
    """Every answer holds for a day."""
    return fetched + timedelta(days=1)


def wanted(
    url: str,
    kind: EvidenceKind = EvidenceKind.CRL,
    *,
    user: UserId = ALICE,
    body: bytes = b"",
    keep_until: Callable[[bytes, datetime], datetime | None] = for_a_day,
) -> Wanted:
    """Evidence that alice wants."""
    return Wanted(kind=kind, url=url, user=user, body=body, keep_until=keep_until)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


Open = Callable[..., FetchingSource]


@pytest.fixture
async def opened(tmp_path: Path, clock: MovedClock, names: Names, server: Server) -> AsyncIterator[Open]:
    """Makes sources that may ask the loopback at the port of the server; settings may be given."""
    async with AsyncExitStack() as stack:

        def make(folder: str = "evidence", lookup: Any = names, **settings: Any) -> FetchingSource:
            # patient: what is not to hang must not fail on a busy machine
            usual = RevocationSettings(
                allow_networks=("127.0.0.0/8",), allow_ports=(server.port,), timeout=30, connect_timeout=30
            )
            source = FetchingSource(replace(usual, **settings), tmp_path / folder, clock, lookup=lookup)
            stack.push_async_callback(source.close)
            return source

        yield make


@pytest.fixture
def source(opened: Open) -> FetchingSource:
    return opened()


async def all_of(pieces: Iterable[Awaitable[Any]]) -> list[Any]:
    """What they give, or raise."""
    return await asyncio.gather(*pieces, return_exceptions=True)


def only_now(octets: bytes, fetched: object) -> None:
    """Not to be served again."""


async def refused(source: FetchingSource, url: str, reason: str) -> None:
    with pytest.raises(EvidenceUnavailable, match=reason) as caught:
        await source.fetch(wanted(url))
    assert caught.value.refused


async def failed(source: FetchingSource, url: str, reason: str = "", **more: Any) -> None:
    with pytest.raises(EvidenceUnavailable, match=reason or None) as caught:
        await source.fetch(wanted(url, **more))
    assert not caught.value.refused
