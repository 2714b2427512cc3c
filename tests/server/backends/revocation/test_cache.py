"""What is kept on the disk, and what becomes of it there."""

import asyncio
import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from eas_server.backends.revocation import cache as module
from eas_server.backends.revocation.cache import BLOCK, MAGIC, DiskCache, Kept
from eas_server.backends.revocation.kept import MEMORY, KeptEvidence
from tests.server.backends.revocation.conftest import BEGIN

UNTIL = BEGIN + timedelta(days=1)


def key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def kept(octets: bytes) -> Kept:
    return Kept(octets, BEGIN, UNTIL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def file_of(folder: Path, name: str) -> Path:
    return folder / f"{key(name).hex()}.evidence"


def names_in(folder: Path, *names: str) -> list[str]:
    """Which of these are kept, without using them."""
    return [name for name in names if file_of(folder, name).exists()]


def test_what_is_written_is_read(folder: Path) -> None:
    disk = DiskCache(folder, 1 << 20)
    assert disk.read(key("a")) is None
    for octets in (b"", b"octets", bytes(300_000)):
        disk.write(key("a"), kept(octets))
        assert disk.read(key("a")) == kept(octets)
        assert DiskCache(folder, 1 << 20).read(key("a")) == kept(octets)
    disk.drop(key("a"))
    assert disk.read(key("a")) is None
    disk.drop(key("a"))


def test_it_is_the_server_s_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    DiskCache(folder, 1 << 20).write(key("a"), kept(b"x"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(folder, "a").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [f"{key('a').hex()}.evidence"]


@pytest.mark.parametrize("position", [0, len(MAGIC), len(MAGIC) + 40, len(MAGIC) + 64, len(MAGIC) + 75, -1])
def test_a_changed_octet_is_found(folder: Path, position: int, caplog: pytest.LogCaptureFixture) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b"octets"))
    path = file_of(folder, "a")
    written = bytearray(path.read_bytes())
    written[position] ^= 1
    path.write_bytes(written)
    assert disk.read(key("a")) is None
    assert not path.exists()
    assert "is damaged and is dropped" in caplog.text


def test_a_file_cut_off_anywhere_is_found(folder: Path) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b"octets"))
    written = file_of(folder, "a").read_bytes()
    for length in range(len(written)):
        file_of(folder, "a").write_bytes(written[:length])
        assert disk.read(key("a")) is None


def test_a_file_under_another_name_is_found(folder: Path) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b"octets"))
    file_of(folder, "a").rename(file_of(folder, "b"))
    assert disk.read(key("b")) is None


def test_times_beyond_all_times_are_damage(folder: Path) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b""))
    rest = key("a") + (2**63 - 1).to_bytes(8, "big") * 2
    file_of(folder, "a").write_bytes(MAGIC + hashlib.sha256(rest).digest() + rest)
    assert disk.read(key("a")) is None


def test_links_and_pipes_are_not_followed(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b"octets"))
    elsewhere = file_of(folder, "a").rename(tmp_path / "elsewhere")
    file_of(folder, "a").symlink_to(elsewhere)
    assert disk.read(key("a")) is None
    assert "cannot be read" in caplog.text
    os.mkfifo(file_of(folder, "b"))
    assert disk.read(key("b")) is None
    file_of(folder, "c").mkdir()
    assert disk.read(key("c")) is None
    # what is written takes their place, and leaves what the link led to alone
    before = elsewhere.read_bytes()
    disk.write(key("a"), kept(b"new"))
    assert disk.read(key("a")) == kept(b"new")
    assert elsewhere.read_bytes() == before


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    disk = DiskCache(folder, 4 * BLOCK)
    now = time.time()
    for age, name in enumerate("abcd"):
        disk.write(key(name), kept(b"x"))
        os.utime(file_of(folder, name), (now - 1000 + age, now - 1000 + age))
    assert disk.read(key("a")) == kept(b"x")
    disk.write(key("e"), kept(b"x"))
    assert names_in(folder, *"abcde") == ["a", "d", "e"]


def test_large_pieces_count_as_what_they_are(folder: Path) -> None:
    disk = DiskCache(folder, 10 * BLOCK)
    for name in "ab":
        disk.write(key(name), kept(bytes(6 * BLOCK)))
        os.utime(file_of(folder, name), (1, 1))
    assert names_in(folder, *"ab") == ["b"]
    disk.write(key("c"), kept(bytes(11 * BLOCK)))
    assert names_in(folder, *"abc") == ["b"]


def test_what_others_write_counts_too(folder: Path) -> None:
    one, other = DiskCache(folder, 8 * BLOCK), DiskCache(folder, 8 * BLOCK)
    for number in range(40):
        (one, other)[number % 2].write(key(str(number)), kept(b"x"))
    assert len(list(folder.iterdir())) <= 16
    one.write(key("last"), kept(b"x"))
    one._make_room()
    assert len(list(folder.iterdir())) <= 8


def test_what_a_crash_left_is_removed(folder: Path) -> None:
    disk = DiskCache(folder, 1 << 20)
    folder.mkdir()
    old, young, foreign = folder / ".a.unfinished", folder / ".b.unfinished", folder / "notes.txt"
    for path in (old, young, foreign):
        path.write_text("x")
    os.utime(old, (1, 1))
    os.utime(foreign, (1, 1))
    disk.write(key("a"), kept(b"x"))
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


def test_a_write_that_fails_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskCache(folder, 1 << 20)
    disk.write(key("a"), kept(b"old"))

    def fails(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fails)
        disk.write(key("a"), kept(b"new"))
    assert disk.read(key("a")) == kept(b"old")
    assert len(list(folder.iterdir())) == 1


WRITER = """
import hashlib, sys
from datetime import UTC, datetime
from pathlib import Path
from eas_server.backends.revocation.cache import DiskCache, Kept
disk = DiskCache(Path(sys.argv[1]), 20 * 4096)
moment = datetime(2026, 12, 3, tzinfo=UTC)
for turn in range(300):
    name = str(turn % 30)
    disk.write(hashlib.sha256(name.encode()).digest(), Kept(name.encode() * 2000, moment, moment))
    found = disk.read(hashlib.sha256(name.encode()).digest())
    assert found is None or found.octets == name.encode() * 2000
"""


def test_several_processes_share_it(folder: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stderr=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors.decode()) == (0, "")


async def test_memory_has_its_size(folder: Path) -> None:
    evidence = KeptEvidence(folder, 1 << 30)
    for number in range(4):
        await evidence.keep(key(str(number)), kept(bytes(MEMORY // 3)))
    in_memory = [number for number in range(4) if evidence.recent(key(str(number))) is not None]
    assert in_memory == [2, 3]
    assert await evidence.find(key("0")) == kept(bytes(MEMORY // 3))
    evidence.close()


async def test_a_disk_that_hangs_counts_as_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()
    monkeypatch.setattr("eas_server.backends.revocation.kept.DISK_SECONDS", 0.05)
    monkeypatch.setattr("eas_server.backends.revocation.kept.MAX_WAITING", 3)
    monkeypatch.setattr(module, "_read", lambda path: released.wait())
    evidence = KeptEvidence(folder, 1 << 20)
    assert await asyncio.gather(*(evidence.find(key(name)) for name in "abcde")) == [None] * 5
    assert caplog.text.count("does not answer") == 3
    assert caplog.text.count("too much waits") == 2
    released.set()
    evidence.close()
