"""Sign-in: what is remembered, what wrong passwords cost, and that a right one never waits."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.errors import DirectoryUnavailable
from eas_server.web.auth import Failures, SignIn, VerifiedPasswords, delay
from eas_server.web.settings import AuthSettings, Live, SlowDown, WebSettings
from tests.server.commands.support import ALICE
from tests.server.web.support import BOB, Accounts, basic

RIGHT, WRONG = basic("alice", "secret"), basic("alice", "wrong")
HERE, THERE = "192.0.2.1", "198.51.100.7"


class Hands:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Bench:
    """A SignIn whose delays are noted instead of waited for."""

    def __init__(self, slow_down: SlowDown | None = None, cache_seconds: float = 60.0) -> None:
        self.hands = Hands()
        self.accounts = Accounts()
        self.stopping = asyncio.Event()
        auth = AuthSettings(cache_seconds=cache_seconds, slow_down=slow_down or SlowDown())
        self.sign_in = SignIn(self.accounts, Live(WebSettings(auth=auth)), self.stopping, self.hands)
        self.waited: list[float] = []

        async def note(seconds: float) -> None:
            if seconds:
                self.waited.append(seconds)

        self.sign_in._hold_back = note  # type: ignore[method-assign]


async def test_a_right_password_is_remembered_for_a_moment() -> None:
    bench = Bench()
    for _ in range(3):
        assert await bench.sign_in.account(RIGHT, HERE) is ALICE
    assert bench.sign_in.known(RIGHT) is ALICE
    assert len(bench.accounts.asked) == 1
    bench.hands.time = 60
    assert bench.sign_in.known(RIGHT) is None
    assert await bench.sign_in.account(RIGHT, HERE) is ALICE
    assert len(bench.accounts.asked) == 2
    bench.sign_in.forget()
    assert bench.sign_in.known(RIGHT) is None


async def test_nothing_is_remembered_where_that_is_switched_off() -> None:
    bench = Bench(cache_seconds=0)
    await bench.sign_in.account(RIGHT, HERE)
    assert bench.sign_in.known(RIGHT) is None


async def test_wrong_passwords_are_not_remembered() -> None:
    bench = Bench()
    for _ in range(3):
        assert await bench.sign_in.account(WRONG, HERE) is None
    assert len(bench.accounts.asked) == 3


async def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eas_server.web.auth.MAX_REMEMBERED", 2)
    kept = VerifiedPasswords(lambda: 0.0)
    for header in ("a", "b"):
        kept.put(kept.digest(header), ALICE, 60)
    assert kept.get(kept.digest("a")) is ALICE
    kept.put(kept.digest("c"), BOB, 60)
    assert [kept.get(kept.digest(header)) for header in ("a", "b", "c")] == [ALICE, None, BOB]


async def test_requests_that_come_together_ask_once() -> None:
    bench = Bench()
    found = await asyncio.gather(*(bench.sign_in.account(RIGHT, HERE) for _ in range(6)))
    assert found == [ALICE] * 6
    assert len(bench.accounts.asked) == 1
    bench.accounts.error = DirectoryUnavailable("away")
    bench.sign_in.forget()
    failed = await asyncio.gather(*(bench.sign_in.account(RIGHT, HERE) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [DirectoryUnavailable] * 3


async def test_a_right_password_never_waits_whatever_happened_before() -> None:
    bench = Bench(SlowDown(account_failures=2, address_failures=3))
    for _ in range(10):
        await bench.sign_in.account(WRONG, HERE)
    bench.waited.clear()
    assert await bench.sign_in.account(RIGHT, HERE) is ALICE
    assert await bench.sign_in.account(basic("bob", "geheim"), HERE) is BOB
    assert not bench.waited


async def test_guesses_go_one_at_a_time_and_others_beside_them() -> None:
    """Many guesses under way do not keep the verifier from somebody else, or from who signed in here before."""
    bench = Bench(SlowDown(account_failures=2, address_failures=2))
    await bench.sign_in.account(RIGHT, THERE)
    for _ in range(3):
        await bench.sign_in.account(WRONG, HERE)
    bench.sign_in.forget()
    bench.accounts.gate = asyncio.Event()
    asked = len(bench.accounts.asked)
    guesses = [asyncio.create_task(bench.sign_in.account(basic("alice", f"guess{n}"), HERE)) for n in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(bench.accounts.asked) == asked + 1
    own = asyncio.create_task(bench.sign_in.account(RIGHT, THERE))
    other = asyncio.create_task(bench.sign_in.account(basic("bob", "hunter2"), THERE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(bench.accounts.asked) == asked + 3
    bench.accounts.gate.set()
    assert await own is ALICE
    assert (await asyncio.gather(*guesses, other))[:20] == [None] * 20


async def test_failures_of_a_name_count_from_every_address() -> None:
    bench = Bench(SlowDown(account_failures=2, address_failures=100))
    for number, header in enumerate(
        [WRONG, basic("ALICE", "x"), basic("alice@example.com", "x"), basic("X\\alice", "x")]
    ):
        await bench.sign_in.account(header, f"192.0.2.{number}")
    assert bench.waited == [1.0, 2.0]


async def test_failures_of_an_address_count_for_every_name() -> None:
    bench = Bench(SlowDown(account_failures=100, address_failures=3))
    for number in range(6):
        await bench.sign_in.account(basic(f"user{number}", "x"), HERE)
    await bench.sign_in.account(basic("another", "x"), THERE)
    assert bench.waited == [1.0, 2.0, 4.0]


async def test_failures_are_forgotten_after_a_while() -> None:
    bench = Bench(SlowDown(account_failures=0, window_seconds=100))
    await bench.sign_in.account(WRONG, HERE)
    bench.hands.time = 100
    await bench.sign_in.account(WRONG, HERE)
    assert bench.waited == [1.0, 1.0]


async def test_what_is_no_sign_in_costs_nothing_and_what_cannot_be_checked_is_no_failure() -> None:
    bench = Bench(SlowDown(account_failures=0, address_failures=0))
    for header in ("", "Bearer x", "Basic ?", "Basic " + "A" * 10_000):
        assert await bench.sign_in.account(header, HERE) is None
    bench.accounts.error = DirectoryUnavailable("away")
    with pytest.raises(DirectoryUnavailable):
        await bench.sign_in.account(RIGHT, HERE)
    assert not bench.waited


async def test_a_stop_of_the_server_ends_the_delay() -> None:
    slow = SlowDown(account_failures=0, first_delay=3600, max_delay=3600)
    stopping = asyncio.Event()
    sign_in = SignIn(Accounts(), Live(WebSettings(auth=AuthSettings(slow_down=slow))), stopping, lambda: 0.0)
    refused = asyncio.create_task(sign_in.account(WRONG, HERE))
    await asyncio.sleep(0.01)
    assert not refused.done()
    stopping.set()
    assert await refused is None


async def test_a_short_delay_is_waited_for() -> None:
    slow = SlowDown(account_failures=0, first_delay=0.01, max_delay=0.01)
    live = Live(WebSettings(auth=AuthSettings(slow_down=slow)))
    assert await SignIn(Accounts(), live, asyncio.Event(), lambda: 0.0).account(WRONG, HERE) is None


async def test_the_thresholds_may_change_at_run_time() -> None:
    bench = Bench(SlowDown(account_failures=100))
    await bench.sign_in.account(WRONG, HERE)
    live = bench.sign_in._live
    live.web = replace(live.web, auth=AuthSettings(slow_down=SlowDown(account_failures=0)))
    await bench.sign_in.account(WRONG, HERE)
    assert bench.waited == [2.0]


@given(too_many=st.integers(-10, 10**6), first=st.floats(0, 10), most=st.floats(0, 100))
def test_a_delay_grows_and_has_an_end(too_many: int, first: float, most: float) -> None:
    settings = SlowDown(first_delay=first, max_delay=most)
    assert 0 <= delay(too_many, settings) <= delay(too_many + 1, settings) <= most


def test_counting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eas_server.web.auth.MAX_COUNTED", 4)
    failures = Failures(lambda: 0.0)
    for number in range(10):
        failures.add(f"user{number}" * 1000, HERE, SlowDown())
    assert len(failures._counts) == 4


def test_realm() -> None:
    assert Bench().sign_in.challenge == 'Basic realm="Exchange ActiveSync", charset="UTF-8"'
