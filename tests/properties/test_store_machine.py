"""The embedded store and the in-memory one tell the same of any history.

Tokens and revisions are each store's own numbers: compared is what changed since a moment, never the number.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eas_server.backends.memory import MemoryStore
from eas_server.backends.sqlite import HashCost, Store, open_store
from eas_server.errors import FolderExists, NoSuchFolder, NoSuchItem, StaleSyncKey, StoreFull
from eas_server.interfaces import ClientSubmission, Delivery, Submission
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import ROOT, CollectionId, DeviceId, ItemId, SyncKey, Token
from eas_server.model.mail import KEEP, Flag, FolderType, SearchQuery, StateChange
from eas_server.model.view import NO_LIMIT, TOP, CollectionState, Position, View
from tests.contract.samples import ALICE, BOB, CAROL, NOW, AnyStore, message
from tests.contract.world import settle

KNOWN = (FolderExists, NoSuchFolder, NoSuchItem, StaleSyncKey, StoreFull)
PHONE = DeviceId("PHONE")

users = st.sampled_from([ALICE, ALICE, CAROL])
collections = st.sampled_from([CollectionId(n) for n in ("1", "1", "2", "11", "12")])
parents = st.one_of(st.just(ROOT), collections)
items = st.integers(1, 6).map(ItemId)
seconds = st.integers(-3, 3)
texts = st.lists(st.sampled_from(["one", "two", "onerous", "tower", "Ünter"]), min_size=1, max_size=3).map(" ".join)
changes = st.builds(
    StateChange,
    read=st.sampled_from([KEEP, True, False]),
    flag=st.sampled_from([KEEP, None, Flag(subject="x"), Flag(status=1)]),
    categories=st.sampled_from([KEEP, (), ("a",), ("a", "b")]),
)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to both stores."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryStore()
        self.marks: dict[tuple[str, CollectionId], set[tuple[Token, Token]]] = {}
        self.keys: list[tuple[SyncKey, SyncKey]] = []

    @initialize()
    def open(self) -> None:
        path = shutil.copy(self.template, Path(self.folder.name) / "store.db")
        self.context = open_store(Path(path), hash_cost=HashCost(passes=1, kibibytes=8, lanes=1), readers=1)
        self.sqlite: Store = self.runner.run(self.context.__aenter__())
        self.runner.run(settle(self.memory))

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.everything_is_the_same()
            self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()

    def both(self, act: Callable[[AnyStore], Awaitable[Any]]) -> tuple[Any, Any]:
        """What `act` gives with each store: a result, or the kind of a failure."""

        async def tried(store: AnyStore) -> Any:
            try:
                return await act(store)
            except KNOWN as error:
                return type(error)

        return self.runner.run(tried(self.sqlite)), self.runner.run(tried(self.memory))

    def same(self, act: Callable[[AnyStore], Awaitable[Any]]) -> Any:
        mine, oracle = self.both(act)
        assert mine == oracle
        return mine

    @rule(user=users, parent=parents, name=st.sampled_from(["a", "A", "b"]))
    def create_folder(self, user: Any, parent: Any, name: str) -> None:
        async def act(store: AnyStore) -> Any:
            made = await store.folders.create_folder(user, parent, name, FolderType.USER_MAIL)
            return made.id, made.parent, made.name, made.type

        self.same(act)

    @rule(user=users, folder=collections, parent=parents, name=st.sampled_from(["a", "A", "b"]))
    def update_folder(self, user: Any, folder: Any, parent: Any, name: str) -> None:
        async def act(store: AnyStore) -> Any:
            before = await store.folders.hierarchy_token(user)
            await store.folders.update_folder(user, folder, parent, name)
            return await store.folders.hierarchy_token(user) > before

        self.same(act)

    @rule(user=users, folder=st.sampled_from(["11", "12"]).map(CollectionId))
    def delete_folder(self, user: Any, folder: Any) -> None:
        self.same(lambda store: store.folders.delete_folder(user, folder))

    @rule(user=users, collection=collections, at=seconds, text=texts, size=st.sampled_from([0, 50, 400, 900, 300_000]))
    def add(self, user: Any, collection: Any, at: int, text: str, size: int) -> None:
        new = message(text, at=at, content=MemoryBlob(text.encode() + b"." * size), trace=b"T: 1\r\n")

        async def act(store: AnyStore) -> Any:
            entry = await store.mail.add(user, collection, new)
            return entry.id, entry.received

        self.same(act)

    @rule(user=users, collection=collections, item=items, change=changes)
    def change(self, user: Any, collection: Any, item: Any, change: StateChange) -> None:
        async def act(store: AnyStore) -> Any:
            written = await store.mail.change(user, collection, item, change)
            return written.before == written.after

        self.same(act)

    @rule(user=users, collection=collections, wanted=st.lists(items, max_size=4))
    def delete(self, user: Any, collection: Any, wanted: Any) -> None:
        self.same(lambda store: store.mail.delete(user, collection, wanted))

    @rule(user=users, source=collections, into=collections, wanted=st.lists(items, max_size=4))
    def move(self, user: Any, source: Any, into: Any, wanted: Any) -> None:
        self.same(lambda store: store.mail.move(user, source, wanted, into))

    @rule(
        to=st.lists(users, max_size=3),
        name=st.sampled_from([None, "1", "2"]),
        digest=st.sampled_from([b"a", b"b"]),
        text=texts,
    )
    def submit(self, to: Any, name: str | None, digest: bytes, text: str) -> None:
        new = message(text, content=MemoryBlob(b"x" * 300))
        deliveries = tuple(Delivery(user=user, folder=FolderType.INBOX, message=new) for user in to)
        source = ClientSubmission(device=PHONE, client_id=name, digest=digest)
        submission = Submission(user=ALICE, source=source, deliveries=deliveries, forwarding=None, now=NOW)
        self.same(lambda store: store.submission.submit(submission))

    @rule(start=st.booleans(), which=st.integers(0, 30), token=st.integers(1, 5))
    def advance(self, start: bool, which: int, token: int) -> None:
        pair = self.keys[which % len(self.keys)] if self.keys and not start else None

        async def act(store: AnyStore, used: SyncKey | None) -> Any:
            state = await store.state.collection(ALICE, PHONE, CollectionId("1"), used) if used else None
            if used and state is None:
                return StaleSyncKey
            new = CollectionState(key=SyncKey(""), view=View(token=Token(token)))
            return await store.state.advance(ALICE, PHONE, CollectionId("1"), state, new)

        mine = self.runner.run(act(self.sqlite, pair[0] if pair else None))
        oracle = self.runner.run(act(self.memory, pair[1] if pair else None))
        assert (mine is StaleSyncKey) == (oracle is StaleSyncKey)
        if mine is not StaleSyncKey:
            self.keys.append((mine, oracle))

    def mark(self, user: Any, collection: CollectionId) -> None:
        """Remember this moment of a collection: what changed since is compared from then on."""

        async def act(store: AnyStore) -> Any:
            return (await store.mail.tokens(user, [collection])).get(collection)

        mine, oracle = self.both(act)
        assert (mine is None) == (oracle is None)
        if mine is not None:
            self.marks.setdefault((user, collection), set()).add((mine, oracle))

    def changed_since(self, user: Any, collection: CollectionId, mark: tuple[Token, Token]) -> None:
        async def act(store: AnyStore, since: Token) -> Any:
            try:
                found = await store.mail.changes(user, collection, since)
            except NoSuchFolder:
                return NoSuchFolder
            return sorted((entry.id, entry.received, entry.present) for entry in found.entries)

        mine, oracle = self.runner.run(act(self.sqlite, mark[0])), self.runner.run(act(self.memory, mark[1]))
        assert mine == oracle

    @rule(user=users, words=texts, limit=st.integers(1, 5))
    def search(self, user: Any, words: str, limit: int) -> None:
        self.same(lambda store: store.mail.search(user, SearchQuery(words=words, limit=limit)))

    @rule()
    def sweep(self) -> None:
        self.runner.run(self.sqlite.sweep())

    @rule()
    def index(self) -> None:
        self.runner.run(self.sqlite.index())

    @invariant()
    def the_same_is_there(self) -> None:
        if not hasattr(self, "sqlite"):
            return
        for user in (ALICE, BOB, CAROL):
            self.same(lambda store, user=user: _folders(store, user))
        self.same(lambda store: _content(store, ALICE))
        for user in (ALICE, CAROL):
            for collection in ("1", "2", "11"):
                self.mark(user, CollectionId(collection))

    @rule()
    def everything_is_the_same(self) -> None:
        for user in (ALICE, BOB, CAROL):
            self.same(lambda store, user=user: _content(store, user, octets=True))
            for words in ("one", "tow unt", "t"):
                self.same(lambda store, user=user, words=words: store.mail.search(user, SearchQuery(words=words)))
        for (user, collection), marks in self.marks.items():
            for mark in marks:
                self.changed_since(user, collection, mark)
        mine = self.runner.run(_known(self.sqlite, [pair[0] for pair in self.keys]))
        assert mine == self.runner.run(_known(self.memory, [pair[1] for pair in self.keys]))


async def _folders(store: AnyStore, user: Any) -> Any:
    return [(folder.id, folder.parent, folder.name, folder.type) for folder in await store.folders.folders(user)]


async def _known(store: AnyStore, keys: list[SyncKey]) -> list[bool]:
    return [await store.state.collection(ALICE, PHONE, CollectionId("1"), key) is not None for key in keys]


async def _content(store: AnyStore, user: Any, *, octets: bool = False) -> Any:
    found = []
    for folder in await store.folders.folders(user):
        entries = await store.mail.page(user, folder.id, below=TOP, not_before=NO_LIMIT, limit=50)
        below = Position(int(NOW.timestamp()), 5)
        count = await store.mail.count(user, folder.id, below=below, not_before=int(NOW.timestamp()) - 1)
        fetched = await store.mail.fetch(user, folder.id, [entry.id for entry in entries])
        for entry, item in zip(entries, fetched, strict=True):
            assert entry.revision == item.revision
            whole = await read(item.content) if octets else item.content.size
            found.append((folder.id, count, item.id, entry.received, item.received, item.state, item.index, whole))
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"

    async def make() -> None:
        async with open_store(path, hash_cost=HashCost(passes=1, kibibytes=8, lanes=1)) as store:
            await settle(store)

    with asyncio.Runner() as runner:
        runner.run(make())
    return path


def test_both_stores_tell_the_same(template: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    StoreMachine.template = template
    limits = settings(
        max_examples=15,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(StoreMachine, settings=limits)
