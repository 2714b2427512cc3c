"""The fetcher: what is kept, what is fetched, once for all who ask, within the budgets."""

import asyncio
import contextlib
import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from eas_server import interfaces
from eas_server.backends.revocation.addresses import Guard, Target
from eas_server.backends.revocation.asked import Asked, AskedFor
from eas_server.backends.revocation.budget import Budget, OverLimit, Places
from eas_server.backends.revocation.cache import Kept
from eas_server.backends.revocation.exchange import Exchange, Failed, Question, Scope
from eas_server.backends.revocation.failures import Failures, LeftAlone
from eas_server.backends.revocation.kept import KeptEvidence
from eas_server.backends.revocation.lookup import Lookup, SystemLookup
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.errors import EvidenceUnavailable
from eas_server.interfaces import Clock
from eas_server.model.ids import UserId
from eas_server.model.trust import Wanted

log = logging.getLogger(__name__)

FOLDER: Final = "evidence"
"""The cache, beside the store."""
JUDGE_THREADS: Final = 4
"""One for each user at most: what takes long to read holds up who asked for it."""
JUDGE_SECONDS: Final = 10.0
"""How long `keep_until` may take, and how long to wait for it to begin."""
MAX_TARGETS: Final = 1024
"""URLs whose reading is remembered."""
MOST_LOGGED: Final = 300
"""Characters of a URL that a log line holds."""
REFRESH_SECONDS: Final = 60.0
"""Between two looks at what runs out."""
REFRESH_TOGETHER: Final = 4

_NOBODY: Final = UserId("")
"""For whom evidence is fetched ahead."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """Evidence to be had, and what it is known by to the cache and to the failures."""

    wanted: Wanted
    target: Target
    key: bytes
    ahead_of: datetime | None = None
    """Nobody waits for it: it is there from this instant, and is wanted newer."""

    @property
    def request(self) -> str:
        return self.key.hex()

    @property
    def url(self) -> str:
        return f"{self.wanted.kind} {self.target.url}"

    @property
    def user(self) -> UserId:
        return self.wanted.user if self.ahead_of is None else _NOBODY


class FetchingSource:
    """See RevocationSource. `keep_until` is called in another thread: reading a large CRL holds up nobody.

    Use it in one event loop, and `close` it there.
    """

    def __init__(
        self, settings: RevocationSettings, folder: Path, clock: Clock, *, lookup: Lookup | None = None
    ) -> None:
        """Keep evidence in `folder`. `lookup`: how names become addresses; None: as the system does it.

        Raises ConfigError where `ca_file` cannot be read.
        """
        self._clock = clock
        self._patience = settings.timeout
        self._max_age = timedelta(seconds=settings.max_age)
        self._guard = Guard(settings)
        self._target = lru_cache(MAX_TARGETS)(self._guard.target)
        retries = timedelta(seconds=settings.first_retry), timedelta(seconds=settings.last_retry)
        self._failures = Failures(*retries)
        self._told = Failures(*retries)
        self._names = SystemLookup()
        self._exchange = Exchange(settings, self._guard, lookup or self._names, self._check_host)
        self._budget = Budget(settings.user_fetches, settings.user_octets)
        self._of_user = Places(settings.parallel_per_user, "too many fetches for one user at once")
        self._of_all = Places(settings.parallel, "too many fetches at once")
        self._judging = Places(1, "too many answers to be read for one user at once")
        self._kept = KeptEvidence(folder, settings.cache_size)
        self._asked = AskedFor()
        self._flights: dict[bytes, asyncio.Task[bytes]] = {}
        self._judges = ThreadPoolExecutor(JUDGE_THREADS, thread_name_prefix="evidence-judge")
        self._closed = False

    async def fetch(self, wanted: Wanted) -> bytes:
        """See the port."""
        try:
            errand = self._errand(wanted)
        except EvidenceUnavailable as refused:
            self._tell(wanted, refused)
            raise
        while True:
            now = self._clock.now()
            self._asked.ask(errand.key, wanted, now)
            kept = self._kept.recent(errand.key)
            if kept is not None and now < self._fresh_until(kept):
                return kept.octets
            flight = self._flights.get(errand.key)
            is_own = flight is None
            try:
                return await self._landing(flight or self._begin(errand))
            except OverLimit as over:
                # somebody else's limit is not ours: we try it ourselves
                if is_own:
                    log.info("%s was not fetched for %s: %s", _shown(wanted), json.dumps(wanted.user), over)
                    raise

    async def kept(self, wanted: Wanted) -> bytes | None:
        """See the port."""
        try:
            errand = self._errand(wanted)
        except EvidenceUnavailable:
            return None
        now = self._clock.now()
        self._asked.ask(errand.key, wanted, now)
        kept = self._kept.recent(errand.key)
        if kept is None or now >= kept.until:
            kept = await self._kept.glance(errand.key)
            if kept is not None:
                self._asked.fetched(errand.key, kept.fetched, self._fresh_until(kept))
        return kept.octets if kept is not None and now < kept.until else None

    async def run(self) -> None:
        """Fetch ahead what runs out, for as long as the server runs."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Fetch anew what was asked for since it was fetched and runs out soon."""
        due = list(self._asked.due(self._clock.now(), timedelta(seconds=2 * REFRESH_SECONDS)))
        for start in range(0, len(due), REFRESH_TOGETHER):
            some = due[start : start + REFRESH_TOGETHER]
            outcomes = await asyncio.gather(
                *(self._refreshed(key, asked) for key, asked in some), return_exceptions=True
            )
            for (_, asked), outcome in zip(some, outcomes, strict=True):
                # what cannot be had now is tried again when somebody asks
                if outcome is not None and not isinstance(outcome, EvidenceUnavailable):
                    log.error("%s was not fetched ahead", _shown(asked.wanted), exc_info=outcome)

    async def close(self) -> None:
        """End what is on its way, and begin nothing any more."""
        self._closed = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._exchange.close()
        self._kept.close()
        self._names.close()
        self._judges.shutdown(wait=False, cancel_futures=True)

    def _errand(self, wanted: Wanted) -> _Errand:
        if self._closed:
            raise EvidenceUnavailable("the server stops")
        target = self._target(wanted.url)
        return _Errand(wanted, target, _key(wanted, target))

    def _tell(self, wanted: Wanted, refused: EvidenceUnavailable) -> None:
        """Log a refusal, but not each time: whole companies have certificates with the same LDAP URL in them."""
        shown, now = _shown(wanted), self._clock.now()
        with contextlib.suppress(LeftAlone):
            self._told.check(shown, now)
            self._told.add(shown, refused, now)
            log.info("%s is not asked: %s", shown, refused)

    def _fresh_until(self, kept: Kept) -> datetime:
        return min(kept.until, kept.fetched + self._max_age)

    def _begin(self, errand: _Errand) -> asyncio.Task[bytes]:
        flight = self._flights[errand.key] = asyncio.create_task(self._had(errand))
        flight.add_done_callback(partial(self._landed, errand.key))
        return flight

    def _landed(self, key: bytes, flight: asyncio.Task[bytes]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # all who waited may have left: then nobody else looks at the outcome
            flight.exception()

    async def _landing(self, flight: asyncio.Task[bytes]) -> bytes:
        """Wait for what may be others' flight, too: who leaves does not end it."""
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled() and self._closed:
                raise EvidenceUnavailable("the server stops") from None
            raise

    async def _refreshed(self, key: bytes, asked: Asked) -> None:
        if key not in self._flights and asked.fetched is not None:
            target = self._target(asked.wanted.url)
            await self._landing(self._begin(_Errand(asked.wanted, target, key, ahead_of=asked.fetched)))

    async def _had(self, errand: _Errand) -> bytes:
        """From the disk or from the network."""
        kept = await self._kept.find(errand.key)
        now = self._clock.now()
        if kept is not None:
            self._asked.fetched(errand.key, kept.fetched, self._fresh_until(kept))
            is_new = errand.ahead_of is None or kept.fetched > errand.ahead_of
            if is_new and now < self._fresh_until(kept):
                return kept.octets
        try:
            return await self._fetched(errand)
        except EvidenceUnavailable:
            # what holds still is better than nothing
            if kept is not None and self._clock.now() < kept.until:
                return kept.octets
            raise

    async def _fetched(self, errand: _Errand) -> bytes:
        """From the network; what fails is remembered."""
        now = self._clock.now()
        for name in (errand.request, errand.url, errand.target.origin):
            self._failures.check(name, now)
        if errand.ahead_of is None:
            self._budget.take(errand.user, now)
        try:
            kept, until = await self._judged(errand, await self._asked_for(errand))
        except (OverLimit, LeftAlone):
            raise
        except EvidenceUnavailable as refused:
            self._failures.add(errand.request, refused, self._clock.now())
            log.warning("%s is not asked: %s", _shown(errand.wanted), refused)
            raise
        except Failed as failed:
            error = EvidenceUnavailable(f"{failed.origin}: {failed.reason}", unreadable=failed.unreadable)
            self._remember(errand, failed, error)
            log.warning("%s was not had: %s", _shown(errand.wanted), error)
            raise error from None
        for name in (errand.request, errand.url, errand.target.origin):
            self._failures.forget(name)
        if until is not None and kept.fetched < until:
            self._asked.fetched(errand.key, kept.fetched, self._fresh_until(kept))
            await self._kept.keep(errand.key, kept)
        return kept.octets

    async def _asked_for(self, errand: _Errand) -> bytes:
        patience = asyncio.get_running_loop().time() + self._patience
        question = Question(errand.wanted.kind, errand.wanted.body, errand.user, partial(self._spend, errand))
        async with self._of_user.held(errand.user, patience), self._of_all.held(None, patience):
            return await self._exchange.ask(errand.target, question, patience)

    def _spend(self, errand: _Errand, octets: int) -> None:
        if errand.ahead_of is None:
            self._budget.add(errand.user, octets, self._clock.now())

    async def _judged(self, errand: _Errand, octets: bytes) -> tuple[Kept, datetime | None]:
        """Whether it is evidence at all, and until when it holds. Raises Failed."""
        now = self._clock.now()
        work = partial(errand.wanted.keep_until, octets, now)
        loop = asyncio.get_running_loop()
        try:
            async with self._judging.held(errand.user, loop.time() + JUDGE_SECONDS), asyncio.timeout(JUDGE_SECONDS):
                until = await loop.run_in_executor(self._judges, work)
        except (ValueError, TimeoutError) as error:
            reason = f"the answer is no {errand.wanted.kind}: {type(error).__name__}"
            raise Failed(reason, Scope.REQUEST, errand.target.origin, unreadable=True) from None
        return Kept(octets, now, until or now), until

    def _remember(self, errand: _Errand, failed: Failed, error: EvidenceUnavailable) -> None:
        names = {Scope.REQUEST: errand.request, Scope.URL: errand.url, Scope.HOST: failed.origin}
        self._failures.add(names[failed.scope], error, self._clock.now())
        if failed.scope is not Scope.HOST:
            self._failures.forget(failed.origin)

    def _check_host(self, origin: str) -> None:
        self._failures.check(origin, self._clock.now())


def _key(wanted: Wanted, target: Target) -> bytes:
    """What evidence is kept by; the lengths keep the parts apart."""
    parts = (wanted.kind.encode(), target.url.encode(), wanted.body)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def _shown(wanted: Wanted) -> str:
    """For the log: a URL of a stranger begins no line of its own."""
    return f"{wanted.kind} {json.dumps(wanted.url[:MOST_LOGGED])}"


_source: type[interfaces.RevocationSource] = FetchingSource
