"""What is remembered of failures, and how much is fetched."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eas_server.backends.revocation.budget import OverLimit
from eas_server.backends.revocation.lookup import THREADS, SystemLookup
from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import (
    ALICE,
    BOB,
    MovedClock,
    Names,
    all_of,
    failed,
    only_now,
    refused,
    wanted,
)
from tests.server.backends.revocation.hostile import Server

Open = Callable[..., FetchingSource]


class TestFailures:
    async def test_remembered_for_longer_each_time(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        url = server.url("/x.crl")
        for asked, pause in enumerate((30, 60, 120, 240), start=1):
            await failed(source, url, "HTTP status 404$")
            clock.move(seconds=pause - 1)
            await failed(source, url, r"HTTP status 404 \(not asked again until")
            assert server.times("/x.crl") == asked
            clock.move(seconds=1)
        server.answers["/x.crl"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(url, keep_until=only_now)) == b"evidence"
        del server.answers["/x.crl"]
        await failed(source, url)
        clock.move(seconds=30)
        server.answers["/x.crl"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(url)) == b"evidence"

    async def test_no_longer_than_an_hour(self, source: FetchingSource, server: Server, clock: MovedClock) -> None:
        for _ in range(20):
            await failed(source, server.url("/x.crl"), "404$")
            clock.move(hours=1)
        assert server.times("/x.crl") == 20

    async def test_a_host_without_a_connection_is_left_alone_as_a_whole(
        self, source: FetchingSource, server: Server, names: Names, clock: MovedClock
    ) -> None:
        await failed(source, server.url("/a", "gone.example"), "cannot be looked up")
        await failed(source, server.url("/b", "gone.example"), "not asked again until 12:00:30 UTC")
        assert names.asked == ["gone.example"]
        names.addresses["gone.example"] = [["127.0.0.1"]]
        server.answers["/b"] = hostile.body(b"evidence")
        clock.move(seconds=30)
        assert await source.fetch(wanted(server.url("/b", "gone.example"))) == b"evidence"

    async def test_a_bad_answer_says_nothing_about_other_questions(
        self, source: FetchingSource, server: Server
    ) -> None:
        await failed(source, server.url("/x"), kind=EvidenceKind.OCSP, body=b"one")
        server.answers["/x"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url("/x"), EvidenceKind.OCSP, body=b"two")) == b"evidence"
        assert await source.fetch(wanted(server.url("/x"))) == b"evidence"
        await failed(source, server.url("/x"), kind=EvidenceKind.OCSP, body=b"one")

    async def test_a_url_that_does_not_answer_in_time_is_left_alone_with_other_questions(
        self, opened: Open, server: Server
    ) -> None:
        source = opened(timeout=0.7)
        server.answers["/x"] = hostile.hang
        await failed(source, server.url("/x"), "in time$", kind=EvidenceKind.OCSP, body=b"one")
        await failed(source, server.url("/x"), "not asked again", kind=EvidenceKind.OCSP, body=b"two")
        server.answers["/y"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url("/y"))) == b"evidence"

    async def test_the_log_names_host_and_reason_once(
        self, source: FetchingSource, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answers["/x.crl"] = hostile.octets(
            hostile.response(b"secret body", "X-Evil: secret", status="500 secret")
        )
        for _ in range(3):
            await failed(source, server.url("/x.crl"))
        with caplog.at_level(logging.INFO), pytest.raises(EvidenceUnavailable):
            await source.fetch(wanted("http://evil.example/\r\n2026-12-03 all is well" + "x" * 9999))
        first, second = (record.getMessage() for record in caplog.records)
        origin = f"http://127.0.0.1:{server.port}"
        assert first == f'crl "{origin}/x.crl" was not had: {origin}: HTTP status 500'
        assert second.startswith(r'crl "http://evil.example/\r\n2026-12-03 all is wellxxx')
        assert "\n" not in second
        assert len(second) < 500

    async def test_refusals_are_logged_now_and_then(
        self, source: FetchingSource, clock: MovedClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        for _ in range(10):
            await refused(source, "ldap:///CN=CA,DC=example,DC=com", "not ldap")
            assert await source.kept(wanted("ldap:///CN=CA,DC=example,DC=com")) is None
        assert [each.getMessage() for each in caplog.records] == [
            'crl "ldap:///CN=CA,DC=example,DC=com" is not asked: only http and https are asked, not ldap'
        ]
        clock.move(hours=1)
        await refused(source, "ldap:///CN=CA,DC=example,DC=com", "not ldap")
        assert len(caplog.records) == 2


class TestHowMuch:
    async def test_the_same_is_fetched_once_for_all_who_ask_together(self, opened: Open, server: Server) -> None:
        release = asyncio.Event()

        async def held(asked: Any, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            await hostile.body(b"evidence")(asked, writer)

        server.answers["/x.crl"] = held
        source = opened(user_fetches=1)
        asking = [
            asyncio.create_task(source.fetch(wanted(server.url("/x.crl"), user=user))) for user in (ALICE, BOB) * 20
        ]
        await server.until_busy(1)
        asking[0].cancel()
        release.set()
        first, *others = await all_of(asking)
        assert isinstance(first, asyncio.CancelledError)
        assert others == [b"evidence"] * 39
        assert server.times("/x.crl") == 1

    async def test_a_failure_is_everybody_s_who_waited(self, source: FetchingSource, server: Server) -> None:
        outcomes = await all_of(source.fetch(wanted(server.url("/x.crl"))) for _ in range(10))
        assert [str(each).endswith("HTTP status 404") for each in outcomes] == [True] * 10
        assert server.times("/x.crl") == 1

    async def test_a_user_has_so_many_fetches_an_hour(self, opened: Open, server: Server, clock: MovedClock) -> None:
        for number in range(5):
            server.answers[f"/{number}"] = hostile.body(b"evidence")
        source = opened(user_fetches=2)
        await source.fetch(wanted(server.url("/0")))
        await source.fetch(wanted(server.url("/1")))
        await refused(source, server.url("/2"), "as much as may be within an hour")
        assert await source.fetch(wanted(server.url("/0"))) == b"evidence"
        assert await source.fetch(wanted(server.url("/2"), user=BOB)) == b"evidence"
        assert await source.fetch(wanted(server.url("/2"))) == b"evidence"
        clock.move(minutes=59)
        await refused(source, server.url("/3"), "within an hour")
        clock.move(minutes=1)
        assert await source.fetch(wanted(server.url("/3"))) == b"evidence"

    async def test_and_so_many_octets(self, opened: Open, server: Server) -> None:
        for number in range(3):
            server.answers[f"/{number}"] = hostile.body(b"x" * 600)
        source = opened(user_octets=1000)
        await source.fetch(wanted(server.url("/0")))
        await source.fetch(wanted(server.url("/1")))
        await refused(source, server.url("/2"), "within an hour")

    async def test_also_of_answers_that_are_none(self, opened: Open, server: Server) -> None:
        server.answers = {f"/{number}": hostile.octets(hostile.response(b"x" * 600, length=700)) for number in range(3)}
        source = opened(user_octets=1000)
        await failed(source, server.url("/0"))
        await failed(source, server.url("/1"))
        await refused(source, server.url("/2"), "within an hour")

    async def test_lookups_that_hang_take_their_user_s_threads_alone(
        self, opened: Open, server: Server, names: Names
    ) -> None:
        async def lookup(host: str, port: int) -> Any:
            if host.endswith(".hang.example"):
                await asyncio.Event().wait()
            return await names(host, port)

        names.addresses["good.example"] = [["127.0.0.1"]]
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(lookup=lookup, connect_timeout=0.7, parallel_per_user=2)
        urls = [server.url("/", f"{number}.hang.example") for number in range(2)]
        for outcome in await all_of(source.fetch(wanted(url)) for url in urls):
            assert "cannot be looked up: TimeoutError" in str(outcome)
        # nobody waits for the two any more, and yet they hold their places
        await failed(source, server.url("/x.crl", "good.example"), "too many names are looked up for one user$")
        found = await source.fetch(wanted(server.url("/x.crl", "good.example"), user=BOB))
        assert found == b"evidence"

    async def test_a_lookup_that_cannot_begin_says_nothing_about_the_name(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release = threading.Event()
        monkeypatch.setattr("eas_server.backends.revocation.lookup._look_up", lambda host, port: release.wait() and [])
        lookup = SystemLookup()
        hanging = [asyncio.create_task(lookup(f"{number}.example", 80)) for number in range(THREADS)]
        await asyncio.sleep(0)
        with pytest.raises(OverLimit):
            await lookup("good.example", 80)
        release.set()
        await all_of(hanging)
        assert await lookup("good.example", 80) == []
        lookup.close()

    async def test_a_failure_counts_once(self, opened: Open, server: Server) -> None:
        source = opened(user_fetches=2)
        for _ in range(5):
            await failed(source, server.url("/a"))
        server.answers["/b"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url("/b"))) == b"evidence"

    async def test_who_waited_for_a_fetch_beyond_somebody_else_s_limit_tries_himself(
        self, opened: Open, server: Server
    ) -> None:
        server.answers["/hang"] = hostile.hang
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(timeout=0.8, parallel_per_user=1)
        hanging = asyncio.create_task(source.fetch(wanted(server.url("/hang"))))
        await server.until_busy(1)
        own = asyncio.create_task(source.fetch(wanted(server.url("/x.crl"))))
        other = asyncio.create_task(source.fetch(wanted(server.url("/x.crl"), user=BOB)))
        outcomes = await all_of([hanging, own, other])
        assert "in time" in str(outcomes[0])
        assert outcomes[2] == b"evidence"

    async def test_so_many_at_once(self, opened: Open, server: Server) -> None:
        server.answers = {f"/{number}": hostile.hang for number in range(30)}
        source = opened(parallel=9, parallel_per_host=5, parallel_per_user=3)

        def ask(user: UserId, first: int) -> list[asyncio.Task[bytes]]:
            urls = (server.url(f"/{number}") for number in range(first, first + 10))
            return [asyncio.create_task(source.fetch(wanted(url, user=user))) for url in urls]

        asking = ask(ALICE, 0)
        await server.until_busy(3)
        assert server.busy == 3
        asking += ask(BOB, 10)
        await server.until_busy(5)
        assert server.busy == 5
        await source.close()
        await all_of(asking)

    async def test_so_many_at_once_from_all_hosts(self, opened: Open, server: Server, names: Names) -> None:
        source = opened(parallel=4, parallel_per_host=1, parallel_per_user=9)
        for number in range(9):
            names.addresses[f"host-{number}.example"] = [["127.0.0.1"]]
            server.answers[f"/{number}"] = hostile.hang
        urls = [server.url(f"/{number}", f"host-{number}.example") for number in range(9)]
        asking = [asyncio.create_task(source.fetch(wanted(url))) for url in urls]
        await server.until_busy(4)
        assert server.busy == 4
        await source.close()
        await all_of(asking)

    async def test_waiting_in_vain_for_a_place_is_no_failure_of_the_url(self, opened: Open, server: Server) -> None:
        server.answers = {f"/{number}": hostile.hang for number in range(3)}
        source = opened(timeout=0.6, parallel_per_user=1)
        outcomes = await all_of(source.fetch(wanted(server.url(f"/{number}"))) for number in range(3))
        (last, *_) = (n for n, each in enumerate(outcomes) if "too many fetches for one user" in str(each))
        server.answers[f"/{last}"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url(f"/{last}"))) == b"evidence"

    async def test_a_hundred_urls_that_hang_hold_up_nobody_else(
        self, opened: Open, server: Server, names: Names
    ) -> None:
        source = opened()
        server.answers = {f"/{number}": hostile.hang for number in range(100)}
        for number in range(100):
            names.addresses[f"host-{number}.example"] = [["127.0.0.1"]]
        hanging = [
            asyncio.create_task(source.fetch(wanted(server.url(f"/{number}", f"host-{number}.example"))))
            for number in range(100)
        ]
        await server.until_busy(4)
        assert server.busy == 4
        for number in range(50):
            server.answers[f"/good-{number}"] = hostile.body(b"evidence")
        good = [source.fetch(wanted(server.url(f"/good-{number}"), user=BOB)) for number in range(50)]
        assert await all_of(good) == [b"evidence"] * 50
        assert not any(task.done() for task in hanging)
        await source.close()
        assert {str(each) for each in await all_of(hanging)} == {"the server stops"}


async def test_after_the_end(source: FetchingSource, server: Server) -> None:
    await source.close()
    await failed(source, server.url("/x.crl"), "the server stops")
