"""The embedded store as a whole: opens it, keeps its caches right, and sweeps up behind it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from eas_server.backends.sqlite import codec, migrate, search
from eas_server.backends.sqlite.admin import Administration
from eas_server.backends.sqlite.directory import SqliteAccounts, SqliteDirectory
from eas_server.backends.sqlite.folders import SqliteFolders
from eas_server.backends.sqlite.foreign import Foreign
from eas_server.backends.sqlite.harvested import SqliteHarvested
from eas_server.backends.sqlite.lock import locked
from eas_server.backends.sqlite.mail import SqliteMail
from eas_server.backends.sqlite.mailboxes import Mailboxes
from eas_server.backends.sqlite.passwords import HashCost, Passwords, SqliteAuthenticator
from eas_server.backends.sqlite.preferences import SqlitePreferences
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.registry import Registry
from eas_server.backends.sqlite.state import SqliteState
from eas_server.backends.sqlite.submission import SqliteQueue, SqliteSubmission
from eas_server.backends.sqlite.sweep import sweep
from eas_server.backends.sqlite.trust import SqliteTrust
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import StoreFull, StoreUnavailable
from eas_server.interfaces import ChangeNotifier, Clock
from eas_server.model.ids import ROOT, CollectionId, Token, UserId

_LOG = logging.getLogger(__name__)

LOOK_AROUND_SECONDS = 0.04
"""How often other processes' writes are looked for: their mail wakes a device within this time."""
SWEEP_INTERVAL = timedelta(minutes=1)
"""How often what was deleted is swept."""
MAX_UNINDEXED = 500
"""After so many transactions new messages are indexed even while others are written."""
RECOVERY_SECONDS = 1.0
"""How long to leave a store alone that could not be reached."""
READER_THREADS = 3
PASSWORD_THREADS = 2
REMEMBERED = timedelta(minutes=5)
"""How long a right password is remembered."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """See the port."""
        return datetime.now(UTC)


class Store:
    """The ports of the embedded store. Made by `open_store`; belongs to the event loop that it was opened in."""

    def __init__(
        self,
        path: Path,
        notifier: ChangeNotifier | None,
        clock: Clock,
        *,
        hash_cost: HashCost,
        remembered: timedelta,
        readers: int,
    ) -> None:
        self.path = path
        self._notifier = notifier
        self._clock = clock
        self._commits = self._commits_seen = self._commits_indexed = 0
        self._unindexed = True
        self._readers = Readers(path, readers)
        self._writer = Writer(path, self._committed, self._foreign)
        self._passwords = Passwords(hash_cost, PASSWORD_THREADS)
        self._mailboxes = Mailboxes(self._readers)
        self._registry = Registry(self._readers)
        self.folders = SqliteFolders(self._mailboxes, self._writer)
        self.mail = SqliteMail(self._mailboxes, self._readers, self._writer, clock)
        self.state = SqliteState(self._readers, self._writer)
        self.trust = SqliteTrust(self._readers, self._writer, clock)
        self.harvested = SqliteHarvested(self._readers, self._writer)
        self.preferences = SqlitePreferences(self._readers, self._writer)
        self.submission = SqliteSubmission(self._readers, self._writer, clock)
        self.queue = SqliteQueue(self._readers, self._writer, clock)
        self.directory = SqliteDirectory(self._registry)
        self.accounts = SqliteAccounts(self._registry)
        self.authenticator = SqliteAuthenticator(self._registry, self._readers, self._passwords, clock, remembered)
        self.admin = Administration(self._registry, self._readers, self._writer, self._passwords)

    async def watch(self) -> None:
        """Look for other processes' writes, index and sweep, until cancelled: a task of the server's lifespan."""
        swept = self._clock.now() - SWEEP_INTERVAL
        while True:
            try:
                await self.look_around()
                await self._index_when_idle()
                if self._clock.now() - swept >= SWEEP_INTERVAL:
                    swept = self._clock.now()
                    await self.sweep()
            except (StoreUnavailable, StoreFull) as error:  # it may pass, and requests tell their clients themselves
                _LOG.warning("the store is not well: %s", error)
                await asyncio.sleep(RECOVERY_SECONDS)
            await asyncio.sleep(LOOK_AROUND_SECONDS)

    async def _index_when_idle(self) -> None:
        """Take new messages into the word index while nobody writes, or when they have become many."""
        quiet = self._commits == self._commits_seen
        self._commits_seen = self._commits
        if self._unindexed and (quiet or self._commits - self._commits_indexed > MAX_UNINDEXED):
            self._unindexed = await self._writer.run(search.index)
            self._commits_seen = self._commits
            if not self._unindexed:
                self._commits_indexed = self._commits

    async def look_around(self) -> None:
        """Take over what other processes wrote, and wake who waits for it."""
        await self._writer.look_around()

    async def index(self) -> None:
        """Take all new messages into the word index."""
        more = True
        while more:
            more = await self._writer.run(search.index)

    async def sweep(self) -> None:
        """Remove what was deleted, in small transactions."""
        now = codec.micros(self._clock.now())
        more = True
        while more:
            more = await self._writer.run(partial(sweep, now=now))

    async def close(self) -> None:
        """Finish what was asked for, and close."""
        # The writer's connection closes last and alone, so that it can bring the log into the file: of connections that
        # close at the same moment none does.
        await self._readers.close()
        await self._writer.close()
        await self._passwords.close()

    def _committed(self, unit: Unit) -> None:
        self._commits += 1
        self._unindexed = self._unindexed or bool(unit.changed)
        for user, collections in unit.changed.items():
            self._mailboxes.grown(user, collections, Token(unit.stamp))
        for user in unit.reshaped:
            self._mailboxes.reshaped(user)
        if "forgotten" in unit.marked:
            self.state.forgotten()
        if "directory" in unit.marked:
            self._registry.changed()
        if "trust" in unit.marked:
            self.trust.changed()
        for effect in unit.effects:
            effect()
        for user in unit.changed.keys() | unit.reshaped.keys():
            self._publish(user, unit.changed.get(user, set()) | unit.reshaped.get(user, set()))

    def _foreign(self, foreign: Foreign) -> None:
        self._unindexed = self._unindexed or bool(foreign.tokens)
        woken: dict[UserId, set[CollectionId]] = {}
        for (user, collection), token in foreign.tokens.items():
            self._mailboxes.grown(user, (collection,), token)
            woken.setdefault(user, set()).add(collection)
        for user in foreign.hierarchies:
            self._mailboxes.reshaped(user)
            woken.setdefault(user, set()).add(ROOT)
        for user, _ in foreign.devices:
            woken.setdefault(user, set()).add(ROOT)  # a device that waits may be wiped or blocked now
        self.state.foreign(foreign)
        if foreign.directory:
            self._registry.changed()
        if foreign.trust:
            self.trust.changed()
        for user, collections in woken.items():
            self._publish(user, collections)

    def _publish(self, user: UserId, collections: set[CollectionId]) -> None:
        if self._notifier is not None:
            self._notifier.publish(user, collections)


@asynccontextmanager
async def open_store(
    path: Path,
    *,
    notifier: ChangeNotifier | None = None,
    clock: Clock | None = None,
    hash_cost: HashCost | None = None,
    remembered: timedelta = REMEMBERED,
    readers: int = READER_THREADS,
) -> AsyncIterator[Store]:
    """Open the store at `path`, made or brought to the present schema where needed.

    A server runs `Store.watch` beside its requests; short-lived programs need not. Raises IncompatibleStore,
    StoreUnavailable.
    """
    with locked(path, exclusive=False):
        await asyncio.to_thread(migrate.prepare, path)
        store = Store(
            path,
            notifier,
            clock or SystemClock(),
            hash_cost=hash_cost or HashCost(),
            remembered=remembered,
            readers=readers,
        )
        try:
            await store.look_around()
            yield store
        finally:
            await store.close()
