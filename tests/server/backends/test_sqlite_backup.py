"""Backup while the store serves; restore while it does not."""

import asyncio
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from eas_server.backends.sqlite import IncompatibleStore, Store, backup, open_store, restore
from eas_server.errors import StaleSyncKey, StoreFull, StoreUnavailable
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import INITIAL_KEY, CollectionId, DeviceId, ItemId, SyncKey, Token
from eas_server.model.view import NO_LIMIT, TOP, CollectionState, View
from tests.contract.samples import ALICE, message

INBOX = CollectionId("1")
PHONE = DeviceId("PHONE")


async def test_backup_while_writing(store: Store, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    running = True

    async def write() -> None:
        while running:
            await store.mail.add(ALICE, INBOX, message("x", content=MemoryBlob(b"x" * 100_000)))

    for _ in range(20):
        await store.mail.add(ALICE, INBOX, message("before", content=MemoryBlob(b"x" * 500_000)))
    writers = [asyncio.create_task(write()) for _ in range(3)]
    await asyncio.to_thread(backup, path, copy)
    running = False
    await asyncio.gather(*writers)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    async with open_store(copy) as opened:
        entries = await opened.mail.page(ALICE, INBOX, below=TOP, not_before=NO_LIMIT, limit=10_000)
        assert len(entries) >= 20
        for item in await opened.mail.fetch(ALICE, INBOX, [entry.id for entry in entries]):
            assert len(await read(item.content)) == item.content.size


async def test_a_backup_does_not_overwrite(store: Store, path: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(FileExistsError):
        backup(path, tmp_path / "copy.db")
    with pytest.raises(FileNotFoundError):
        backup(tmp_path / "nothing.db", tmp_path / "other.db")
    assert not {name for name in os.listdir(tmp_path) if "other" in name}


async def test_restore(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with open_store(path) as store:
        kept = await store.mail.add(ALICE, INBOX, message("kept"))
        state = CollectionState(key=SyncKey(""), view=View(token=Token(1)))
        first = await store.state.advance(ALICE, PHONE, INBOX, None, state)
        await store.state.advance_hierarchy(ALICE, PHONE, INITIAL_KEY, {})
        await asyncio.to_thread(backup, path, copy)
        lost = await store.mail.add(ALICE, INBOX, message("lost"))
        used = await store.state.collection(ALICE, PHONE, INBOX, first)
        later = await store.state.advance(ALICE, PHONE, INBOX, used, state)
        with pytest.raises(StoreUnavailable, match="in use"):
            restore(copy, path)
    restore(copy, path)
    assert not {name for name in os.listdir(tmp_path) if "part" in name}
    async with open_store(path) as store:
        items = await store.mail.fetch(ALICE, INBOX, [kept.id, lost.id])
        assert [item.index.subject for item in items] == ["kept"]
        assert await store.state.collection(ALICE, PHONE, INBOX, first) is not None
        assert await store.state.hierarchy(ALICE, PHONE, SyncKey("1")) is None
        with pytest.raises(StaleSyncKey):
            await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("1"), {})
        again = await store.mail.add(ALICE, INBOX, message("again"))
        assert again.revision > lost.revision
        new = await store.state.advance(ALICE, PHONE, INBOX, None, state)
        assert int(new) > int(later)


async def test_restore_to_a_new_place(path: Path, tmp_path: Path) -> None:
    async with open_store(path) as store:
        await store.mail.add(ALICE, INBOX, message("kept"))
        backup(path, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "elsewhere.db")
    async with open_store(tmp_path / "elsewhere.db") as store:
        assert len(await store.mail.fetch(ALICE, INBOX, [ItemId(1)])) == 1


def damage(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + os.urandom(50_000))


async def test_restore_in_the_place_of_a_damaged_store(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.db"))
    damage(path)
    restore(copy, path)
    async with open_store(path) as store:
        assert len(await store.folders.folders(ALICE)) == 11


def test_damaged_backups_are_refused(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    copy = Path(shutil.copy(path, tmp_path / "copy.db"))
    octets = bytearray(copy.read_bytes())
    octets[40_000:80_000] = os.urandom(40_000)
    copy.write_bytes(octets)
    with pytest.raises(IncompatibleStore):
        restore(copy, path)
    copy.write_text("something else")
    with pytest.raises(IncompatibleStore):
        restore(copy, path)
    copy.write_bytes(b"")
    with pytest.raises(IncompatibleStore):
        restore(copy, path)
    with pytest.raises(FileNotFoundError):
        restore(tmp_path / "nothing.db", path)
    assert path.read_bytes() == before


def test_newer_backups_are_refused(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.db"))
    connection = sqlite3.connect(copy)
    connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.commit()
    connection.close()
    with pytest.raises(IncompatibleStore, match="0999"):
        restore(copy, path)


def test_a_full_disk_leaves_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, __: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setitem(backup.__globals__, "_copy", full)
    with pytest.raises(StoreFull):
        backup(path, tmp_path / "copy.db")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store.db"]
