"""The trust store of SQLite: what administration changes, and other processes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.backends.sqlite import Store, open_store, trust
from eas_server.errors import AdministrationError
from eas_server.model.trust import Anchor, TrustCollection, fingerprint_of
from tests.server.backends.conftest import CHEAP

ROOT, BETWEEN = b"0\x03root", b"0\x03between"
BOTH = {ROOT: Anchor.ROOT, BETWEEN: Anchor.INTERMEDIATE}


@pytest.fixture
async def other(path: Path, store: Store) -> AsyncIterator[Store]:
    """A second store on the same file: as far as SQLite is concerned, another process."""
    async with open_store(path, hash_cost=CHEAP) as opened:
        yield opened


async def test_what_was_there_is_told(store: Store) -> None:
    assert await store.trust.trust("", {ROOT: Anchor.ROOT}) == {ROOT: None}
    assert await store.trust.trust("", BOTH) == {ROOT: Anchor.ROOT, BETWEEN: None}
    turned = {BETWEEN: Anchor.ROOT}
    assert await store.trust.trust("", turned) == {BETWEEN: Anchor.INTERMEDIATE}
    assert set((await store.trust.collection("")).roots) == {ROOT, BETWEEN}
    assert [each.anchor for each in await store.trust.certificates()] == [Anchor.ROOT] * 2


async def test_collections_end_with_their_last_certificate(store: Store) -> None:
    await store.trust.trust("", {ROOT: Anchor.ROOT})
    await store.trust.trust("Example.com", BOTH)
    assert (await store.trust.collection("example.com")).intermediates == (BETWEEN,)
    digits = [fingerprint_of(der) for der in BOTH]
    assert await store.trust.distrust("example.com", [*digits, *digits, "f00d"]) == 2
    assert await store.trust.distrust("example.com", digits) == 0
    assert await store.trust.collection("example.com") == TrustCollection(name="", roots=(ROOT,))


async def test_a_collection_has_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MAX_IN_COLLECTION", 1)
    with pytest.raises(AdministrationError, match="more than 1: nothing was added"):
        await store.trust.trust("", BOTH)
    assert await store.trust.collections() == []
    assert await store.trust.trust("", {ROOT: Anchor.ROOT}) == {ROOT: None}


async def test_other_processes_are_noticed(store: Store, other: Store) -> None:
    assert (await store.trust.collection("")).roots == ()
    await other.trust.trust("", BOTH)
    await store.look_around()
    await asyncio.sleep(0)
    assert await store.trust.collection("") == TrustCollection(name="", roots=(ROOT,), intermediates=(BETWEEN,))
    await other.trust.distrust("", [fingerprint_of(ROOT)])
    await store.look_around()
    await asyncio.sleep(0)
    assert (await store.trust.collection("")).roots == ()


async def test_a_change_while_it_is_read_is_not_lost(store: Store) -> None:
    asked = [asyncio.create_task(store.trust.collection("")) for _ in range(5)]
    await store.trust.trust("", BOTH)
    await asyncio.gather(*asked)
    assert (await store.trust.collection("")).roots == (ROOT,)
