"""The fetcher: the address that is connected to, what is kept, what is remembered, how much is fetched."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.revocation.lookup import Pinned, SystemLookup
from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import ALICE, BOB, MovedClock, Names, all_of, wanted
from tests.server.backends.revocation.hostile import Server

Open = Callable[..., FetchingSource]


def only_now(octets: bytes, fetched: object) -> None:
    """Not to be served again."""


async def refused(source: FetchingSource, url: str, reason: str) -> None:
    with pytest.raises(EvidenceUnavailable, match=reason) as caught:
        await source.fetch(wanted(url))
    assert caught.value.refused


async def failed(source: FetchingSource, url: str, reason: str = "", **more: Any) -> None:
    with pytest.raises(EvidenceUnavailable, match=reason or None) as caught:
        await source.fetch(wanted(url, **more))
    assert not caught.value.refused


class TestAddresses:
    async def test_an_address_inside(self, opened: Open, server: Server) -> None:
        source = opened(allow_networks=())
        await refused(source, server.url("/x.crl"), "127.0.0.1: not public")
        assert server.asked == []

    async def test_a_name_for_an_address_inside(self, opened: Open, server: Server, names: Names) -> None:
        names.addresses["evil.example"] = [["127.0.0.1", "::1"]]
        source = opened(allow_networks=())
        await refused(source, server.url("/x.crl", "evil.example"), "evil.example is at 127.0.0.1: not public")
        # it is remembered: a name that changes its mind is not looked up with each question
        await refused(source, server.url("/x.crl", "evil.example"), "not asked again until")
        assert names.asked == ["evil.example"]
        assert server.asked == []

    async def test_a_name_of_the_system_for_the_loopback(self, opened: Open, server: Server) -> None:
        await refused(opened(allow_networks=(), lookup=None), server.url("/x.crl", "localhost"), "not public")
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(allow_hosts=("localhost",), lookup=None)
        assert await source.fetch(wanted(server.url("/x.crl", "localhost"))) == b"evidence"

    async def test_a_name_that_changes_between_the_check_and_the_connection(
        self, opened: Open, server: Server, names: Names
    ) -> None:
        # the address that was checked is the one that is connected to: there is no second look to deceive
        names.addresses["rebind.example"] = [["127.0.0.1"], ["127.66.6.6"]]
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened(allow_networks=("127.0.0.1/32",))
        assert await source.fetch(wanted(server.url("/x.crl", "rebind.example"))) == b"evidence"
        assert names.asked == ["rebind.example"]

    async def test_a_name_that_changes_between_redirects(self, opened: Open, server: Server, names: Names) -> None:
        names.addresses["rebind.example"] = [["127.0.0.1"], ["127.66.6.6"]]
        server.answers["/a"] = hostile.redirect(server.url("/b", "rebind.example"))
        source = opened(allow_networks=("127.0.0.1/32",))
        await refused(source, server.url("/a", "rebind.example"), "rebind.example is at 127.66.6.6: not public")
        assert len(server.asked) == 1

    async def test_a_library_that_would_connect_elsewhere_is_stopped(self) -> None:
        pinned = Pinned([ip_address("93.184.215.14")])
        family, kind = __import__("socket").AF_INET, __import__("socket").SOCK_STREAM
        with pytest.raises(PermissionError):
            pinned.socket((family, kind, 6, "", ("127.0.0.1", 80)))
        pinned.socket((family, kind, 6, "", ("93.184.215.14", 80))).close()
        assert [each["host"] for each in await pinned.resolve("anything", 80)] == ["93.184.215.14"]

    @pytest.mark.parametrize(
        ("where", "reason"),
        [
            ("http://169.254.169.254/latest/meta-data/", "secrets of their machines"),
            ("http://10.0.0.1/", "not public"),
            ("http://[::1]/", "not public"),
            ("http://0x7f.1/", "usual form"),
            ("//10.0.0.1/", "not public"),
            ("file:///etc/passwd", "not file"),
            ("ldap://dc.example.com/", "not ldap"),
            ("https://user@example.com/", "user name"),
            ("http://example.com:25/", "port 25"),
            ("http://example.com/\\evil", "do not belong"),
        ],
    )
    async def test_redirects_are_checked_like_the_first(
        self, source: FetchingSource, server: Server, where: str, reason: str
    ) -> None:
        server.answers["/x.crl"] = hostile.redirect(where)
        await refused(source, server.url("/x.crl"), reason)

    async def test_the_system_looks_up_names(self) -> None:
        lookup = SystemLookup()
        assert ip_address("127.0.0.1") in await lookup("localhost", 80)
        for name in ("a" * 64 + ".example", "."):
            with pytest.raises(OSError):  # noqa: PT011 — the system's own words
                await lookup(name, 80)
        lookup.close()


class TestKeeping:
    async def test_kept_as_long_as_it_holds(self, source: FetchingSource, server: Server, clock: MovedClock) -> None:
        server.answers["/x.crl"] = hostile.body(b"first")
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"first"
        server.answers["/x.crl"] = hostile.body(b"second")
        clock.move(hours=23, minutes=59)
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"first"
        clock.move(minutes=1)
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"second"
        assert server.times("/x.crl") == 2

    async def test_not_kept_where_it_may_not_be(self, source: FetchingSource, server: Server) -> None:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        for keep_until in (only_now, lambda octets, fetched: fetched, lambda octets, fetched: fetched - timedelta(1)):
            assert await source.fetch(wanted(server.url("/x.crl"), keep_until=keep_until)) == b"evidence"
        assert server.times("/x.crl") == 3

    async def test_kind_url_and_body_make_the_difference(self, source: FetchingSource, server: Server) -> None:
        for path in ("/x", "/X", "/x?y"):
            server.answers[path] = hostile.body(b"evidence")
        for _ in range(2):
            await source.fetch(wanted(server.url("/x")))
            await source.fetch(wanted(server.url("/X")))
            await source.fetch(wanted(server.url("/x?y")))
            await source.fetch(wanted(server.url("/x"), EvidenceKind.ISSUER))
            await source.fetch(wanted(server.url("/x"), EvidenceKind.OCSP, body=b"one"))
            await source.fetch(wanted(server.url("/x"), EvidenceKind.OCSP, body=b"two"))
        assert len(server.asked) == 6

    async def test_kept_over_a_restart_and_for_other_processes(
        self, opened: Open, server: Server, clock: MovedClock
    ) -> None:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        first, second = opened(), opened()
        assert await first.fetch(wanted(server.url("/x.crl"))) == b"evidence"
        await first.close()
        assert await second.fetch(wanted(server.url("/x.crl"), user=BOB)) == b"evidence"
        assert server.times("/x.crl") == 1
        clock.move(days=1)
        assert await second.fetch(wanted(server.url("/x.crl"))) == b"evidence"
        assert server.times("/x.crl") == 2

    async def test_what_is_old_is_asked_for_anew_and_holds_without_an_answer(
        self, opened: Open, server: Server, clock: MovedClock
    ) -> None:
        def for_a_week(octets: bytes, fetched: Any) -> Any:
            return fetched + timedelta(days=7)

        source = opened(max_age=3600.0)
        weekly = wanted(server.url("/x.crl"), keep_until=for_a_week)
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(weekly)
        clock.move(hours=2)
        server.answers["/x.crl"] = hostile.status("503 Later")
        assert await source.fetch(weekly) == b"first"
        assert await source.fetch(weekly) == b"first"
        assert server.times("/x.crl") == 2
        clock.move(hours=2)
        server.answers["/x.crl"] = hostile.body(b"second")
        assert await source.fetch(weekly) == b"second"
        clock.move(days=8)
        server.answers["/x.crl"] = hostile.status("503 Later")
        await failed(source, server.url("/x.crl"))

    async def test_what_may_not_be_asked_any_more_is_not_served_either(self, opened: Open, server: Server) -> None:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        await opened().fetch(wanted(server.url("/x.crl")))
        await refused(opened(enabled=False), server.url("/x.crl"), "enabled is false")
        await refused(opened(allow_networks=()), server.url("/x.crl"), "not public")

    async def test_a_disk_that_fails_costs_nothing_but_the_cache(
        self, opened: Open, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "taken").write_text("not a folder")
        server.answers["/x.crl"] = hostile.body(b"evidence")
        source = opened("taken")
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"evidence"
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"evidence"
        assert server.times("/x.crl") == 1
        assert "cannot be kept" in caplog.text


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
        source = opened(timeout=0.1)
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
        source = opened(timeout=0.3, parallel_per_user=1)
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
        source = opened(timeout=0.2, parallel_per_user=1)
        outcomes = await all_of(source.fetch(wanted(server.url(f"/{number}"))) for number in range(3))
        (last, *_) = (n for n, each in enumerate(outcomes) if "too many fetches for one user" in str(each))
        server.answers[f"/{last}"] = hostile.body(b"evidence")
        assert await source.fetch(wanted(server.url(f"/{last}"))) == b"evidence"

    async def test_a_hundred_urls_that_hang_hold_up_nobody_else(
        self, opened: Open, server: Server, names: Names
    ) -> None:
        source = opened(timeout=3.0)
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


class TestRefreshing:
    async def test_what_was_asked_for_is_fetched_anew_before_it_runs_out(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=1)
        await source.fetch(wanted(server.url("/x.crl")))
        await source.refresh()
        assert server.times("/x.crl") == 1
        clock.move(hours=21)
        server.answers["/x.crl"] = hostile.body(b"second")
        await source.refresh()
        await source.refresh()
        assert server.times("/x.crl") == 2
        clock.move(hours=10)
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"second"
        assert server.times("/x.crl") == 2

    async def test_what_nobody_asked_for_since_is_not(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=23)
        await source.refresh()
        assert server.times("/x.crl") == 1

    async def test_what_holds_for_minutes_is_not(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        def briefly(octets: bytes, fetched: Any) -> Any:
            return fetched + timedelta(minutes=5)

        server.answers["/x.crl"] = hostile.body(b"first")
        for _ in range(5):
            await source.fetch(wanted(server.url("/x.crl"), keep_until=briefly))
            clock.move(minutes=1)
        clock.move(seconds=-30)
        await source.refresh()
        assert server.times("/x.crl") == 1

    async def test_a_refresh_that_fails_changes_nothing(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=23)
        await source.fetch(wanted(server.url("/x.crl")))
        server.answers["/x.crl"] = hostile.reset
        await source.refresh()
        assert await source.fetch(wanted(server.url("/x.crl"))) == b"first"
        assert server.times("/x.crl") == 2

    async def test_it_costs_no_user_anything(self, opened: Open, server: Server, clock: MovedClock) -> None:
        source = opened(user_fetches=1)
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=23)
        await source.fetch(wanted(server.url("/x.crl")))
        await source.refresh()
        assert server.times("/x.crl") == 2
        server.answers["/y.crl"] = hostile.body(b"first")
        assert await source.fetch(wanted(server.url("/y.crl"))) == b"first"

    async def test_what_another_process_refreshed_is_not_fetched_again(
        self, opened: Open, server: Server, clock: MovedClock
    ) -> None:
        one, other = opened(), opened()
        server.answers["/x.crl"] = hostile.body(b"evidence")
        for source in (one, other):
            await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=23)
        for source in (one, other):
            await source.fetch(wanted(server.url("/x.crl")))
        for source in (one, other):
            await source.refresh()
        assert server.times("/x.crl") == 2

    async def test_the_job_runs_until_it_is_cancelled(
        self, source: FetchingSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds = iter(range(3))
        third = asyncio.Event()

        async def refresh() -> None:
            if next(rounds, None) is None:
                third.set()

        monkeypatch.setattr("eas_server.backends.revocation.source.REFRESH_SECONDS", 0.001)
        monkeypatch.setattr(source, "refresh", refresh)
        job = asyncio.create_task(source.run())
        await third.wait()
        job.cancel()
        assert isinstance((await all_of([job]))[0], asyncio.CancelledError)


async def test_after_the_end(source: FetchingSource, server: Server) -> None:
    await source.close()
    await failed(source, server.url("/x.crl"), "the server stops")
