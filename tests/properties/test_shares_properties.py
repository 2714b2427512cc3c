"""Whatever links a share holds: nothing outside of it is ever reached, and what is listed can be had."""

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas_server.backends.shares import ShareSettings
from eas_server.backends.shares.share import Share
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.model.documents import UncName

SECRET = b"secret"
names = st.sampled_from(["a", "b", "c"])
steps = st.sampled_from(["a", "b", "c", "..", ".", "", "outside", "docs"])
targets = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "{root}/", "{base}/", "/"]),
    st.lists(steps, max_size=5),
)
items = st.lists(
    st.tuples(
        st.lists(names, min_size=1, max_size=3),
        st.one_of(st.just("folder"), st.just("file"), st.just("pipe"), targets.map(lambda text: f"-> {text}")),
    ),
    max_size=12,
)


def build(base: Path, made: list[tuple[list[str], str]]) -> Path:
    """Folders with files and links; outside lies what nobody may have."""
    shutil.rmtree(base, ignore_errors=True)
    root = base / "docs"
    root.mkdir(parents=True)
    (base / "outside").mkdir()
    for name in ("a", "b", "c", "outside/a", "outside/b"):
        (base / name).write_bytes(SECRET)
    for place, kind in made:
        path = root.joinpath(*place)
        if os.path.lexists(path) or not path.parent.is_dir() or not inside(path.parent, root):
            continue
        if kind == "folder":
            path.mkdir()
        elif kind == "file":
            path.write_bytes("/".join(place).encode())
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(kind[3:].format(root=root, base=base) or ".")
    return root


def inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def unc(parts: tuple[str, ...]) -> UncName:
    return UncName(host="files", share="docs", parts=parts)


def share_of(root: Path) -> Share:
    return Share(ShareSettings(hosts=("files",), name="docs", path=root, readers=("*",)))


def octets(share: Share, parts: tuple[str, ...]) -> bytes:
    opened = share.open(unc(parts))
    try:
        return os.read(opened.file, 1000)
    finally:
        os.close(opened.file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items, st.lists(st.lists(names, max_size=5), max_size=8))
def test_nothing_outside_is_reached(tmp_path: Path, made: list[tuple[list[str], str]], asked: list[list[str]]) -> None:
    root = build(tmp_path / "base", made)
    share = share_of(root)
    for parts in map(tuple, asked):
        try:
            found = share.listing(unc(parts), 0, 100)
        except (NoSuchDocument, DocumentDenied):
            continue
        path = root.joinpath(*parts)
        assert inside(path, root)
        assert found.documents[0].is_folder == path.is_dir()
        if not found.documents[0].is_folder:
            assert octets(share, parts) == path.read_bytes() != SECRET
    for document in walked(share, ()):
        path = root.joinpath(*document)
        assert inside(path, root)
        assert path.is_file() or path.is_dir()


def walked(share: Share, parts: tuple[str, ...], depth: int = 3) -> list[tuple[str, ...]]:
    """Everything that is listed, and it can be had."""
    found: list[tuple[str, ...]] = []
    for document in share.listing(unc(parts), 1, 100).documents:
        below = document.name.parts
        found.append(below)
        if document.is_folder and depth:
            found += walked(share, below, depth - 1)
        elif not document.is_folder:
            assert octets(share, below) != SECRET
    return found


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_outside_is_reached_while_things_are_exchanged(tmp_path: Path, kind: str) -> None:
    """What is asked for is a link out of the share half of the time."""
    root = build(tmp_path / "base", [(["x"], "folder"), (["x", "a"], "file")])
    outward = root / "outward"
    outward.symlink_to(root.parent / ("outside" if kind == "folder" else "a"))
    inward = root / "x" if kind == "folder" else root / "x" / "a"
    parked, done = root / "parked", threading.Event()

    def exchange() -> None:
        while not done.is_set():
            inward.rename(parked)
            outward.rename(inward)
            inward.rename(outward)
            parked.rename(inward)

    share, seen = share_of(root), []
    exchanging = threading.Thread(target=exchange)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that the threads come between each other's calls
    exchanging.start()
    try:
        for _ in range(4000):
            try:
                seen.append(octets(share, ("x", "a")))
            except (NoSuchDocument, DocumentDenied, LibraryUnavailable):
                seen.append(b"")
    finally:
        done.set()
        exchanging.join()
        sys.setswitchinterval(interval)
    assert set(seen) <= {b"x/a", b""}
