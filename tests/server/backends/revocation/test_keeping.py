"""What is kept, for how long, and what is fetched before it runs out."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.revocation.cache import DiskCache
from eas_server.backends.revocation.source import FetchingSource
from eas_server.model.trust import EvidenceKind
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import (
    BOB,
    MovedClock,
    all_of,
    failed,
    only_now,
    refused,
    wanted,
)
from tests.server.backends.revocation.hostile import Server

Open = Callable[..., FetchingSource]


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


class TestAtHand:
    async def test_nobody_is_asked(self, source: FetchingSource, server: Server, clock: MovedClock) -> None:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        assert await source.kept(wanted(server.url("/x.crl"))) is None
        assert server.asked == []
        await source.fetch(wanted(server.url("/x.crl")))
        assert await source.kept(wanted(server.url("/x.crl"))) == b"evidence"
        clock.move(days=1)
        assert await source.kept(wanted(server.url("/x.crl"))) is None
        assert len(server.asked) == 1

    async def test_what_may_not_be_asked_is_not_at_hand(self, opened: Open, server: Server) -> None:
        server.answers["/x.crl"] = hostile.body(b"evidence")
        await opened().fetch(wanted(server.url("/x.crl")))
        assert await opened(enabled=False).kept(wanted(server.url("/x.crl"))) is None

    async def test_what_another_process_keeps_is_at_hand(self, opened: Open, server: Server, clock: MovedClock) -> None:
        one, other = opened(), opened()
        server.answers["/x.crl"] = hostile.body(b"first")
        await one.fetch(wanted(server.url("/x.crl")))
        assert await other.kept(wanted(server.url("/x.crl"))) == b"first"
        clock.move(days=1)
        server.answers["/x.crl"] = hostile.body(b"second")
        await one.fetch(wanted(server.url("/x.crl")))
        assert await other.kept(wanted(server.url("/x.crl"))) == b"second"

    async def test_what_is_not_there_is_not_looked_for_each_time(
        self, source: FetchingSource, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked = 0
        read = DiskCache.read

        def counted(self: DiskCache, key: bytes) -> Any:
            nonlocal looked
            looked += 1
            return read(self, key)

        monkeypatch.setattr(DiskCache, "read", counted)
        for _ in range(10):
            assert await source.kept(wanted(server.url("/x.crl"))) is None
        assert looked == 1
        server.answers["/x.crl"] = hostile.body(b"evidence")
        await source.fetch(wanted(server.url("/x.crl")))
        assert await source.kept(wanted(server.url("/x.crl"))) == b"evidence"

    async def test_what_is_looked_at_is_fetched_ahead(
        self, source: FetchingSource, server: Server, clock: MovedClock
    ) -> None:
        server.answers["/x.crl"] = hostile.body(b"first")
        await source.fetch(wanted(server.url("/x.crl")))
        clock.move(hours=23)
        await source.kept(wanted(server.url("/x.crl")))
        await source.refresh()
        assert server.times("/x.crl") == 2


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

    async def test_what_goes_wrong_with_one_does_not_end_the_others(
        self, source: FetchingSource, server: Server, clock: MovedClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = False

        def keep_until(octets: bytes, fetched: Any) -> Any:
            if broken:
                raise OSError("a bug")
            return fetched + timedelta(days=1)

        for path in ("/a.crl", "/b.crl"):
            server.answers[path] = hostile.body(b"first")
        for hours in (0, 23):
            clock.move(hours=hours)
            await source.fetch(wanted(server.url("/a.crl"), keep_until=keep_until))
            await source.fetch(wanted(server.url("/b.crl")))
        broken = True
        await source.refresh()
        assert (server.times("/a.crl"), server.times("/b.crl")) == (2, 2)
        assert '/a.crl" was not fetched ahead' in caplog.text

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
