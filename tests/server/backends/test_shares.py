"""Local folders as a document library: what is hostile or changes under its hands. The rest is in the contract."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.shares import ShareSettings, SharesLibrary, file, library, share, walk
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument, StoreUnavailable
from eas_server.model.blob import Slice, read
from eas_server.model.documents import Listing, OpenDocument, UncName
from tests.contract.documents import ALICE, Groups, unc


class Docs:
    """A share over a folder of the test's own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.root = folder / "docs"
        self.root.mkdir(exist_ok=True)
        self.outside = folder / "outside"
        self.outside.mkdir(exist_ok=True)
        (self.outside / "secret.txt").write_bytes(b"secret")
        accounts: Any = Groups()
        settings = {"path": self.root, "readers": ("*",), **settings}
        self.library = SharesLibrary(
            [
                ShareSettings(hosts=("files.example.com",), name="docs", **settings),
                ShareSettings(hosts=("files.example.com",), name="other", **settings),
            ],
            accounts,
        )

    async def listing(self, *names: str, first: int = 0, count: int = 1000) -> Listing:
        return await self.library.listing(ALICE, unc(*names), first, count)

    async def names(self, *names: str) -> list[str]:
        """What is in a folder."""
        return [document.display_name for document in (await self.listing(*names)).documents[1:]]

    async def open(self, *names: str) -> OpenDocument:
        return await self.library.open(ALICE, unc(*names))

    async def octets(self, *names: str) -> bytes:
        return await read((await self.open(*names)).content)


@pytest.fixture
def files_held() -> Iterator[None]:
    """Nothing is left open."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= len(before)


@pytest.fixture
async def docs(tmp_path: Path, files_held: None) -> AsyncIterator[Docs]:
    made = Docs(tmp_path)
    (made.root / "Readme.txt").write_bytes(b"Hello\r\n")
    (made.root / "sub" / "deep").mkdir(parents=True)
    (made.root / "sub" / "deep" / "file").write_bytes(b"deep")
    yield made
    made.library.close()
    for desk in made.library._desks:
        desk._threads.shutdown()  # a thread lets go of what it made a moment after it is there


# ---- symbolic links


@pytest.mark.parametrize(
    ("target", "octets"),
    [
        ("Readme.txt", b"Hello\r\n"),
        ("./sub/../Readme.txt", b"Hello\r\n"),
        ("sub//deep/file", b"deep"),
        ("{root}/Readme.txt", b"Hello\r\n"),
        ("{root}/sub/../Readme.txt", b"Hello\r\n"),
        ("{root}//sub/./deep/file", b"deep"),
    ],
)
async def test_links_that_stay_in_the_share(docs: Docs, target: str, octets: bytes) -> None:
    (docs.root / "link").symlink_to(target.format(root=docs.root))
    assert await docs.octets("LINK") == octets
    assert await docs.names() == ["sub", "link", "Readme.txt"]
    (found,) = (await docs.listing("link")).documents
    assert (found.display_name, found.size, found.is_folder) == ("link", len(octets), False)


async def test_a_link_to_a_folder(docs: Docs) -> None:
    (docs.root / "sub" / "up").symlink_to("../sub/deep")
    assert await docs.names("sub") == ["deep", "up"]
    assert await docs.octets("sub", "up", "file") == b"deep"
    assert str((await docs.open("sub", "UP", "FILE")).document.name) == r"\\files.example.com\docs\sub\up\file"
    (docs.root / "sub" / "deep" / "home").symlink_to(docs.root)
    assert await docs.octets("sub", "up", "home", "sub", "deep", "home", "Readme.txt") == b"Hello\r\n"


async def test_a_share_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "way").symlink_to(tmp_path)
    docs = Docs(tmp_path, path=tmp_path / "way" / "docs")
    (docs.root / "file").write_bytes(b"1")
    (docs.root / "by name").symlink_to(tmp_path / "way" / "docs" / "file")
    (docs.root / "truly").symlink_to(docs.root / "file")
    assert [await docs.octets(name) for name in ("by name", "truly", "file")] == [b"1", b"1", b"1"]
    docs.library.close()


@pytest.mark.parametrize(
    "target",
    [
        "..",
        "../outside/secret.txt",
        "../outside",
        "{outside}",
        "{outside}/secret.txt",
        "/etc/passwd",
        "/",
        "//etc/passwd",
        "../docs/Readme.txt",
        "sub/../../docs/Readme.txt",
        "{root}/../outside/secret.txt",
        "{root}x/secret.txt",
        "{root}/sub/deep/../../../outside/secret.txt",
    ],
)
async def test_links_that_leave_the_share(docs: Docs, target: str) -> None:
    beside = docs.root.parent / "docsx"
    beside.mkdir()
    (beside / "secret.txt").write_bytes(b"secret")
    (docs.root / "sub" / "link").symlink_to("../second")
    (docs.root / "second").symlink_to(target.format(root=docs.root, outside=docs.outside))
    for names in (("second",), ("sub", "link"), ("second", "secret.txt"), ("SECOND", "x")):
        with pytest.raises(DocumentDenied):
            await docs.listing(*names)
        with pytest.raises(DocumentDenied):
            await docs.open(*names)
    assert await docs.names() == ["sub", "Readme.txt"]
    assert await docs.names("sub") == ["deep"]


async def test_links_that_lead_nowhere(docs: Docs) -> None:
    (docs.root / "a").symlink_to("b")
    (docs.root / "b").symlink_to("a")
    (docs.root / "self").symlink_to("self")
    (docs.root / "dangling").symlink_to("nothing")
    (docs.root / "through").symlink_to("Readme.txt/below")
    (docs.root / "bomb").symlink_to("bomb/" * 100)
    for name in ("a", "self", "dangling", "through", "bomb"):
        with pytest.raises(NoSuchDocument):
            await docs.open(name)
    assert await docs.names() == ["sub", "Readme.txt"]


async def test_chains_of_links_are_short(docs: Docs) -> None:
    (docs.root / "0").symlink_to("Readme.txt")
    for number in range(walk.MAX_LINKS):
        (docs.root / f"{number + 1}").symlink_to(f"{number}")
    assert await docs.octets(f"{walk.MAX_LINKS - 1}") == b"Hello\r\n"
    with pytest.raises(NoSuchDocument):
        await docs.octets(f"{walk.MAX_LINKS}")


async def test_few_links_are_followed_for_a_listing(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "MAX_LINKS_LISTED", 3)
    for number in range(10):
        (docs.root / f"link {number}").symlink_to("Readme.txt")
    found = await docs.listing()
    assert (len(found.documents), found.total) == (6, 6)
    assert await docs.octets("link 9") == b"Hello\r\n"


# ---- what is exchanged between two looks


def exchanging(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Have something done right after the walk has looked at `name`."""
    real = os.stat

    def look(path: Any, **options: Any) -> os.stat_result:
        found = real(path, **options)
        if path == name and not done:
            done.append(True)
            act()
        return found

    done: list[bool] = []
    monkeypatch.setattr(os, "stat", look)


@pytest.mark.parametrize("kind", ["folder", "file"])
async def test_a_link_put_in_place_is_not_followed(docs: Docs, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    name = "sub" if kind == "folder" else "Readme.txt"

    def exchange() -> None:
        (docs.root / name).rename(docs.root / "old")
        (docs.root / name).symlink_to(docs.outside if kind == "folder" else docs.outside / "secret.txt")

    monkeypatch.setattr(walk.Walk, "spelling", lambda _, name, __: name)
    exchanging(monkeypatch, name, exchange)
    with pytest.raises(NoSuchDocument):
        await docs.open(*((name, "secret.txt") if kind == "folder" else (name,)))


async def test_a_pipe_put_in_place_does_not_block(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchange() -> None:
        (docs.root / "Readme.txt").unlink()
        os.mkfifo(docs.root / "Readme.txt")

    monkeypatch.setattr(walk.Walk, "spelling", lambda _, name, __: name)
    exchanging(monkeypatch, "Readme.txt", exchange)
    with pytest.raises(NoSuchDocument):
        await docs.open("Readme.txt")


async def test_what_vanishes_while_it_is_listed(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    (docs.root / "gone").write_bytes(b"")
    (docs.root / "link").symlink_to("gone")
    real = share.Share._documents

    def later(self: Any, *arguments: Any) -> Any:
        (docs.root / "gone").unlink(missing_ok=True)
        return real(self, *arguments)

    monkeypatch.setattr(share.Share, "_documents", later)
    found = await docs.listing()
    assert [each.display_name for each in found.documents] == ["docs", "sub", "Readme.txt"]
    assert found.total == 5


# ---- things that are no files


async def test_pipes_sockets_and_devices_are_not_there(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(docs.root / "pipe")
    (docs.root / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(docs.root):  # names of sockets are short
        listener.bind("socket")
    names = ["pipe", "link", "socket"]
    if os.geteuid() == 0:
        os.mknod(docs.root / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        names.append("device")
    opened: list[Any] = []
    real = os.open

    def note(path: Any, *arguments: Any, **options: Any) -> int:
        opened.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", note)
    for name in names:
        with pytest.raises(NoSuchDocument):
            await docs.open(name)
        with pytest.raises(NoSuchDocument):
            await docs.listing(name)
    assert await docs.names() == ["sub", "Readme.txt"]
    assert set(opened) == {str(docs.root)}


async def test_names_that_no_text_can_hold(docs: Docs) -> None:
    for name in (b"\xff\xfe", b"caf\xe9", b"bell\x07", b"tab\t", b"\xef\xbf\xbe", b"\x7f", b"back\\slash", b"nul.txt"):
        (Path(os.fsdecode(bytes(docs.root))) / os.fsdecode(name)).write_bytes(b"x")
    assert await docs.names() == ["sub", "Readme.txt"]
    assert (await docs.listing()).total == 3


# ---- sizes


async def test_a_huge_folder_costs_what_is_asked_for(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10_000):
        os.close(os.open(docs.root / "sub" / f"file {number:05}", os.O_CREAT | os.O_WRONLY))
    looked: list[str] = []
    real = walk.Walk.look

    def note(self: walk.Walk, name: str) -> os.stat_result:
        looked.append(name)
        return real(self, name)

    monkeypatch.setattr(walk.Walk, "look", note)
    found = await docs.listing("sub", first=100, count=20)
    assert found.total == 10_002
    assert [each.display_name for each in found.documents] == [f"file {number:05}" for number in range(98, 118)]
    assert len(looked) == 20
    assert (await docs.open("SUB", "FILE 09999")).document.display_name == "file 09999"


async def test_a_folder_that_is_too_large(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "MAX_ENTRIES", 10)
    for number in range(30):
        (docs.root / "sub" / f"file {number}").write_bytes(b"")
    found = await docs.listing("sub")
    assert (len(found.documents), found.total) == (11, 11)
    assert (await docs.open("sub", "file 29")).content.size == 0


async def test_folders_below_folders(docs: Docs) -> None:
    names = ["d"] * 64
    docs.root.joinpath(*names).mkdir(parents=True)
    docs.root.joinpath(*names, "file").write_bytes(b"x")
    assert await docs.names(*names) == ["file"]
    assert await docs.octets(*names, "file") == b"x"
    (docs.root / "down").symlink_to("/".join(["d/../d"] * 10 + ["d"] * 60))
    with pytest.raises(NoSuchDocument):
        await docs.listing("down")


async def test_links_do_not_hold_many_folders(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_FOLDERS", 5)
    docs.root.joinpath(*["d"] * 10).mkdir(parents=True)
    assert await docs.names("d", "d", "d") == ["d"]
    with pytest.raises(NoSuchDocument):
        await docs.listing("d", "d", "d", "d", "d")


# ---- hidden items, dates


@pytest.mark.parametrize("shown", [True, False])
async def test_hidden_items(tmp_path: Path, shown: bool) -> None:
    docs = Docs(tmp_path, hidden=(".*", "~$*", "THUMBS.db"), show_hidden=shown)
    (docs.root / ".git").mkdir()
    (docs.root / ".git" / "config").write_bytes(b"x")
    for name in ("~$plan.docx", "Thumbs.db", "plan.docx"):
        (docs.root / name).write_bytes(b"x")
    (docs.root / "way in").symlink_to(".git")
    found = {each.display_name: each.is_hidden for each in (await docs.listing()).documents}
    hidden = {".git": True, "~$plan.docx": True, "Thumbs.db": True}
    assert found == {"docs": False, "way in": False, "plan.docx": False, **(hidden if shown else {})}
    for names in ((".git",), (".git", "config"), ("~$plan.docx",), ("thumbs.DB",)):
        if shown:
            assert (await docs.listing(*names)).total in (1, 2)
        else:
            with pytest.raises(NoSuchDocument):
                await docs.listing(*names)
    docs.library.close()


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (951_782_400.5, datetime(2000, 2, 29, 0, 0, 0, 500_000, tzinfo=UTC)),
        (4_102_444_800, datetime(2100, 1, 1, tzinfo=UTC)),
    ],
)
async def test_dates(docs: Docs, seconds: float, moment: datetime) -> None:
    os.utime(docs.root / "Readme.txt", (seconds, seconds))
    (found,) = (await docs.listing("Readme.txt")).documents
    assert found.modified == moment
    assert found.created <= datetime.now(UTC)


@pytest.mark.parametrize("nanoseconds", [-(2**70), 2**70])
def test_dates_out_of_this_world(nanoseconds: int) -> None:
    assert share._moment(nanoseconds).year in (1970, 9999)


# ---- failures of the system


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.EACCES, DocumentDenied),
        (errno.EPERM, DocumentDenied),
        (errno.EIO, LibraryUnavailable),
        (errno.ESTALE, LibraryUnavailable),
        (errno.EMFILE, LibraryUnavailable),
        (errno.ETIMEDOUT, LibraryUnavailable),
        (errno.ENOENT, NoSuchDocument),
        (errno.ENOTDIR, NoSuchDocument),
        (errno.ELOOP, NoSuchDocument),
        (errno.ENAMETOOLONG, NoSuchDocument),
    ],
)
@pytest.mark.parametrize("call", ["open", "stat", "scandir"])
async def test_failures(
    docs: Docs, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[Exception], call: str
) -> None:
    real = getattr(os, call)

    def fail(path: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(path, int) or not str(path).startswith("/"):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(failure):
        await docs.listing("sub")


async def test_the_folder_of_a_share_comes_and_goes(docs: Docs, caplog: pytest.LogCaptureFixture) -> None:
    docs.root.rename(docs.root.parent / "away")
    with pytest.raises(LibraryUnavailable):
        await docs.listing()
    assert "docs is no folder" in caplog.text
    docs.root.write_bytes(b"a file")
    with pytest.raises(LibraryUnavailable):
        await docs.open("Readme.txt")
    docs.root.unlink()
    (docs.root.parent / "away").rename(docs.root)
    assert await docs.octets("Readme.txt") == b"Hello\r\n"


# ---- files that change


async def test_a_file_that_is_removed_is_read_to_its_end(docs: Docs) -> None:
    octets = os.urandom(3 * file.CHUNK + 5)
    (docs.root / "big").write_bytes(octets)
    opened = await docs.open("big")
    chunks = opened.content.chunks()
    first = await anext(chunks)
    (docs.root / "big").unlink()
    (docs.root / "big").write_bytes(b"another")
    assert first + b"".join([chunk async for chunk in chunks]) == octets
    assert await read(opened.content, 10, 20) == octets[10:20]
    assert await read(Slice(opened.content, file.CHUNK - 1, file.CHUNK + 1)) == octets[file.CHUNK - 1 : file.CHUNK + 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.truncate(path, 10),
        lambda path: os.truncate(path, 0),
        lambda path: path.write_bytes(b"x" * 10_000),
        lambda path: os.utime(path, (1, 1)),
        lambda path: os.truncate(path, 20_000),
    ],
)
async def test_a_file_that_is_changed_is_not_read_on(docs: Docs, change: Callable[[Path], None]) -> None:
    (docs.root / "file").write_bytes(b"y" * 10_000)
    os.utime(docs.root / "file", (1_000_000_000, 1_000_000_000))
    opened = await docs.open("file")
    assert await read(opened.content, 0, 10) == b"y" * 10
    change(docs.root / "file")
    with pytest.raises(StoreUnavailable):
        await read(opened.content)


async def test_a_file_that_cannot_be_read(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = await docs.open("Readme.txt")

    def fail(*_: Any) -> bytes:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(StoreUnavailable):
        await read(opened.content)


async def test_short_reads_are_completed(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda number, count, at: real(number, min(count, 3), at))
    assert await docs.octets("Readme.txt") == b"Hello\r\n"


# ---- how much at once


async def test_few_files_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_OPEN", 2)
    monkeypatch.setattr(library, "THREADS", 1)  # it lets go of one result before it makes the next
    docs = Docs(tmp_path)
    (docs.root / "file").write_bytes(b"x")
    first, second = await docs.open("file"), await docs.open("file")
    with pytest.raises(LibraryUnavailable):
        await docs.open("file")
    del first
    for _ in range(5):  # one that fails gives its place back
        with pytest.raises(NoSuchDocument):
            await docs.open("nothing")
    third = await docs.open("file")
    assert await read(second.content) == await read(third.content) == b"x"
    docs.library.close()


async def test_a_share_that_hangs_holds_up_nobody_else(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    real = share.Share.listing

    def hang(self: share.Share, name: UncName, *rest: Any) -> Listing:
        if name.share == "docs":
            go_on.wait()
        return real(self, name, *rest)

    monkeypatch.setattr(share.Share, "listing", hang)
    monkeypatch.setattr(library, "PATIENCE_SECONDS", 0.05)
    try:
        asked = [asyncio.ensure_future(docs.listing()) for _ in range(10)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, LibraryUnavailable) for answer in answers)
        monkeypatch.setattr(library, "PATIENCE_SECONDS", 30.0)
        assert (await docs.library.listing(ALICE, unc(share="other"), 0, 10)).total == 3
        monkeypatch.setattr(library, "MAX_WAITING", 3)
        asked = [asyncio.ensure_future(docs.listing()) for _ in range(10)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    finally:
        go_on.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(answer, LibraryUnavailable) for answer in answers] == [False] * 3 + [True] * 7


async def test_a_file_opened_for_nobody_is_closed(docs: Docs, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = share.Share.open

    def hang(self: share.Share, name: UncName) -> Any:
        begun.set()
        go_on.wait()
        return real(self, name)

    monkeypatch.setattr(share.Share, "open", hang)
    asking = asyncio.ensure_future(docs.open("Readme.txt"))
    await asyncio.to_thread(begun.wait)
    asking.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    docs.library._desks[0]._threads.shutdown()
    await asyncio.sleep(0)  # the loop is told of the end of the work
    gc.collect()
    assert docs.library._places._value == library.MAX_OPEN


async def test_a_closed_library(docs: Docs) -> None:
    opened = await docs.open("Readme.txt")
    docs.library.close()
    with pytest.raises(LibraryUnavailable):
        await docs.listing()
    with pytest.raises(StoreUnavailable):
        await read(opened.content)
    del opened  # what was logged holds on to this frame


# ---- settings


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"hosts": ()}, "hosts"),
        ({"hosts": ("files.example.com", "a b")}, "hosts"),
        ({"hosts": ("\\\\files",)}, "hosts"),
        ({"hosts": ("files:port",)}, "hosts"),
        ({"name": ""}, "name"),
        ({"name": "a\\b"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "nul"}, "name"),
        ({"readers": ("",)}, "readers"),
        ({"readers": (" alice",)}, "readers"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], key: str) -> None:
    good: dict[str, Any] = {"hosts": ("files",), "name": "docs", "path": Path("/srv"), "readers": ()}
    ShareSettings(**good)
    with pytest.raises(ValueError, match=f"^{key}: "):
        ShareSettings(**{**good, **changes})
