"""Other processes write into the same database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.backends.sqlite import Store, open_store
from eas_server.errors import StoreFull, StoreUnavailable
from eas_server.model.device import Device, Wipe
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import ROOT, CollectionId, DeviceId, SyncKey, Token
from eas_server.model.mail import FolderType, SearchQuery
from eas_server.model.view import CollectionState, View
from eas_server.notify import ChangeNotifier
from tests.contract.samples import ALICE, NOW, message
from tests.server.backends.conftest import CHEAP

INBOX = CollectionId("1")
PHONE = DeviceId("PHONE")
LIMIT = 20.0


@pytest.fixture
async def other(path: Path, store: Store) -> AsyncIterator[Store]:
    """A second store on the same file: as far as SQLite is concerned, another process."""
    async with open_store(path, hash_cost=CHEAP) as opened:
        yield opened


async def test_foreign_mail_wakes_who_waits(store: Store, other: Store, notifier: ChangeNotifier) -> None:
    watching = asyncio.create_task(store.watch())
    before = (await store.mail.tokens(ALICE, [INBOX]))[INBOX]
    with notifier.subscribe(ALICE, [INBOX]) as subscription:
        entry = await other.mail.add(ALICE, INBOX, message("news"))
        async with asyncio.timeout(LIMIT):
            assert await subscription.wait() == {INBOX}
    assert (await store.mail.tokens(ALICE, [INBOX]))[INBOX] == entry.revision > before
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_foreign_folders(store: Store, other: Store, notifier: ChangeNotifier) -> None:
    await store.folders.folders(ALICE)
    with notifier.subscribe(ALICE, [ROOT]) as subscription:
        made = await other.folders.create_folder(ALICE, ROOT, "New", FolderType.USER_MAIL)
        await store.look_around()
        async with asyncio.timeout(LIMIT):
            assert await subscription.wait() == {ROOT}
    assert made in await store.folders.folders(ALICE)


async def test_own_writes_find_foreign_ones_first(store: Store, other: Store) -> None:
    """Even without a look around: a transaction sees that the sequence went on."""
    assert await store.mail.tokens(ALICE, [INBOX])
    entry = await other.mail.add(ALICE, INBOX, message("news"))
    await store.folders.create_folder(ALICE, ROOT, "New", FolderType.USER_MAIL)
    assert (await store.mail.tokens(ALICE, [INBOX]))[INBOX] == entry.revision


async def test_foreign_devices_and_states(store: Store, other: Store) -> None:
    device = Device(user=ALICE, id=PHONE, first_seen=NOW, last_seen=NOW, wipe=Wipe.PENDING)
    assert await store.state.device(ALICE, PHONE) is None
    assert await store.state.collection(ALICE, PHONE, INBOX, None) is None
    await other.state.change_device(device.user, device.id, lambda _: device)
    state = CollectionState(key=SyncKey(""), view=View(token=Token(1)))
    key = await other.state.advance(ALICE, PHONE, INBOX, None, state)
    await store.look_around()
    assert await store.state.device(ALICE, PHONE) == device
    assert await store.state.collection(ALICE, PHONE, INBOX, key) is not None
    await other.state.remove_device(ALICE, PHONE)
    await store.look_around()
    assert await store.state.device(ALICE, PHONE) is None
    assert await store.state.collection(ALICE, PHONE, INBOX, key) is None


async def test_foreign_administration(store: Store, other: Store) -> None:
    assert await store.authenticator.authenticate("alice", "wonderland") is not None
    await other.admin.set_password(ALICE, "looking-glass")
    await other.admin.add_user("dave@example.com", "x", DirectoryEntry(key="", display_name="D", email="d@example.com"))
    await store.look_around()
    assert await store.authenticator.authenticate("alice", "wonderland") is None
    assert await store.authenticator.authenticate("alice", "looking-glass") is not None
    assert (await store.directory.search("d@ex", 0, 10)).total == 1
    assert await store.accounts.by_address("d@example.com") is not None


async def test_new_mail_is_indexed_while_nobody_writes(store: Store) -> None:
    entry = await store.mail.add(ALICE, INBOX, message("needle"))
    watching = asyncio.create_task(store.watch())
    async with asyncio.timeout(LIMIT):
        waiting = 1
        while waiting:
            (waiting,) = await store._readers.run(lambda c: c.execute("SELECT count(*) FROM unindexed").fetchone())
    watching.cancel()
    hits = await store.mail.search(ALICE, SearchQuery(words="need"))
    assert [hit.id for hit in hits] == [entry.id]


async def test_watching_outlives_a_store_that_is_not_well(
    store: Store, other: Store, notifier: ChangeNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eas_server.backends.sqlite.store.RECOVERY_SECONDS", 0.0)
    failures = [StoreUnavailable("locked"), StoreFull("full")]
    look_around = store.look_around

    async def failing() -> None:
        if failures:
            raise failures.pop()
        await look_around()

    monkeypatch.setattr(store, "look_around", failing)
    watching = asyncio.create_task(store.watch())
    with notifier.subscribe(ALICE, [INBOX]) as subscription:
        await other.mail.add(ALICE, INBOX, message("news"))
        async with asyncio.timeout(LIMIT):
            await subscription.wait()
    watching.cancel()
    assert failures == []
