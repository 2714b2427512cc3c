"""Words, and the cache of what was read."""

import asyncio

from eas_server.backends.sqlite.mailboxes import Cache
from eas_server.backends.words import MAX_WORD, entry_terms, fold, query_terms, words
from eas_server.model.directory import DirectoryEntry


def test_fold() -> None:
    assert fold("Søren Łukasz Straße Ærø ﬁ É") == "soren lukasz strasse aero fi e"


def test_words() -> None:
    assert words("One-two_three, ONE! naïve 東京 a1") == {"one", "two", "three", "naive", "東", "京", "a1"}
    assert words("x" * 200) == {"x" * MAX_WORD}
    assert words("é" + "x" * 200) == {"e" + "x" * (MAX_WORD - 1)}
    assert words("") == words("!?") == set()


def test_terms() -> None:
    assert query_terms(' "Doe, John" <j@x> ') == ["doe", "john", "j@x"]
    entry = DirectoryEntry(key="", display_name="Anne-Marie", email="am@example.com", alias="am1", phone="+49 30")
    assert entry_terms(entry) == {"anne-marie", "anne", "marie", "am@example.com", "am", "am1", "+49", "49", "30"}


async def test_a_value_that_is_old_already_is_not_kept() -> None:
    cache: Cache[str, int] = Cache(2)
    gate = asyncio.Event()

    async def slow() -> int:
        await gate.wait()
        return 1

    async def quick() -> int:
        return 2

    readers = [asyncio.create_task(cache.get("a", slow)) for _ in range(2)]
    await asyncio.sleep(0)
    cache.drop("a")
    gate.set()
    assert await asyncio.gather(*readers) == [1, 1]
    assert cache.peek("a") is None
    assert await cache.get("a", quick) == 2
    assert await cache.get("a", slow) == 2
    cache.put("b", 3)
    cache.peek("a")
    cache.put("c", 4)
    assert [cache.peek(key) for key in "abc"] == [2, None, 4]
    assert len(cache) == 2


async def test_clearing_disturbs_what_is_read() -> None:
    cache: Cache[str, int] = Cache(2)
    gate = asyncio.Event()

    async def slow() -> int:
        await gate.wait()
        return 1

    reading = asyncio.create_task(cache.get("a", slow))
    await asyncio.sleep(0)
    cache.clear()
    gate.set()
    await reading
    assert cache.peek("a") is None
