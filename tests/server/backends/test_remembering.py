"""What a directory said is remembered for a while, and no longer."""

from dataclasses import dataclass, field

import pytest

from eas_server.backends import remembering
from eas_server.backends.remembering import RememberingDirectory
from eas_server.errors import DirectoryUnavailable
from eas_server.model.directory import DirectoryEntry, Found

BOB = DirectoryEntry(key="bob", display_name="Bob", email="bob@example.com")
CAROL = DirectoryEntry(key="carol", display_name="Carol", email="carol@example.com")


@dataclass
class Inner:
    found: Found = field(default_factory=lambda: Found(entries=(BOB,), total=1))
    asked: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False

    async def answer(self, what: str, name: str) -> Found:
        self.asked.append((what, name))
        if self.down:
            raise DirectoryUnavailable("away")
        return self.found

    async def search(self, query: str, offset: int, limit: int) -> Found:
        return await self.answer("search", query)

    async def resolve(self, name: str, limit: int) -> Found:
        return await self.answer("resolve", name)

    async def members(self, group: DirectoryEntry, limit: int) -> Found:
        return await self.answer("members", group.key)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def directory(inner: Inner, time: Time) -> RememberingDirectory:
    return RememberingDirectory(inner, 30, clock=time)


async def test_the_same_question_is_asked_once(directory: RememberingDirectory, inner: Inner) -> None:
    for _ in range(3):
        assert (await directory.resolve("bob", 10)).entries == (BOB,)
        assert (await directory.members(BOB, 10)).entries == (BOB,)
    assert inner.asked == [("resolve", "bob"), ("members", "bob")]
    await directory.resolve("bob", 11)
    await directory.resolve("Bob", 10)
    assert len(inner.asked) == 4


async def test_a_change_shows_after_the_time(directory: RememberingDirectory, inner: Inner, time: Time) -> None:
    await directory.resolve("x", 10)
    inner.found = Found(entries=(CAROL,), total=1)
    time.now = 29.9
    assert (await directory.resolve("x", 10)).entries == (BOB,)
    time.now = 30
    assert (await directory.resolve("x", 10)).entries == (CAROL,)


async def test_searches_and_failures_and_nobody_are_not_remembered(
    directory: RememberingDirectory, inner: Inner
) -> None:
    for _ in range(2):
        await directory.search("b", 0, 10)
    inner.found = Found(entries=(), total=0)
    for _ in range(2):
        assert (await directory.resolve("new", 10)).entries == ()
    inner.down = True
    for _ in range(2):
        with pytest.raises(DirectoryUnavailable):
            await directory.resolve("down", 10)
    assert len(inner.asked) == 6


async def test_what_is_remembered_is_bounded(
    directory: RememberingDirectory, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "MAX_REMEMBERED", 2)
    for name in ("a", "b", "a", "c", "a", "b"):
        await directory.resolve(name, 10)
    assert [name for _, name in inner.asked] == ["a", "b", "c", "b"]
    inner.found = Found(entries=(BOB,) * 51, total=51)
    for _ in range(2):
        await directory.resolve("large", 100)
    assert len(inner.asked) == 6


async def test_none_of_it(inner: Inner) -> None:
    directory = RememberingDirectory(inner, 0)
    for _ in range(2):
        await directory.resolve("bob", 10)
    assert len(inner.asked) == 2
