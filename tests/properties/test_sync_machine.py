"""The sync engine against a store, several writers, and a client that loses replies: the invariants of `sync`.

Whole conversations ([MS-ASCON] 3.2.5.6) come in as a switch: item n belongs to conversation n mod CONVERSATIONS.
"""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eas_server.interfaces import Changes
from eas_server.model.ids import ItemId, Revision, Token
from eas_server.model.mail import Entry
from eas_server.model.view import NO_LIMIT, TOP, Position, View
from eas_server.sync import window
from eas_server.sync.window import Kind

HOUR = 3600
CONVERSATIONS = 4


@dataclass
class Store:
    """A collection: the simplest thing that keeps the contract of MailStore."""

    token: int = 0
    items: dict[int, Entry] = field(default_factory=dict)
    gone: dict[int, Entry] = field(default_factory=dict)
    last: int = 0

    def add(self, received: int) -> Entry:
        self.token += 1
        self.last += 1
        entry = Entry(id=ItemId(self.last), revision=Revision(self.token), received=received)
        self.items[self.last] = entry
        return entry

    def change(self, item: int, received: int | None = None) -> Revision:
        self.token += 1
        old = self.items[item]
        moved = old.received if received is None else received
        self.items[item] = replace(old, revision=Revision(self.token), received=moved)
        return Revision(self.token)

    def delete(self, item: int) -> None:
        self.token += 1
        self.gone[item] = replace(self.items.pop(item), present=False, revision=Revision(self.token))

    def changes(self, since: int) -> Changes:
        found = [e for e in (*self.items.values(), *self.gone.values()) if e.revision > since]
        return Changes(token=Token(self.token), entries=found)

    def page(self, below: Position, not_before: int, limit: int) -> list[Entry]:
        found = [e for e in self.items.values() if (e.received, e.id) < below and e.received >= not_before]
        return sorted(found, key=lambda e: (e.received, e.id), reverse=True)[:limit]

    def beyond(self, since: int) -> list[Entry]:
        """What the filter hides of conversations that reach over it."""
        alive = {e.id % CONVERSATIONS for e in self.items.values() if e.received >= since}
        return [e for e in self.items.values() if e.received < since and e.id % CONVERSATIONS in alive]


def make_plan(store: Store, view: View, cutoff: int, limit: int, *, whole: bool = False) -> window.Plan:
    """What the Sync handler gathers, over the model store."""
    changes = store.changes(view.token)
    backlog: list[Entry] = []
    exhausted, below = False, view.low
    while not exhausted and sum(e.id not in view.held for e in backlog) < limit:
        page = store.page(below, cutoff, limit)
        exhausted = len(page) < limit
        backlog += page
        if page:
            below = Position(page[-1].received, page[-1].id)
    expired = []
    if window.is_aging(view, cutoff, conversations=whole):
        expired = [e for e in store.items.values() if e.id in view.older or view.floor <= e.received < cutoff]
    return window.plan(
        view,
        changes,
        cutoff=cutoff,
        backlog=backlog,
        exhausted=exhausted,
        expired=expired,
        whole=store.beyond(cutoff) if whole else None,
    )


@dataclass
class Client:
    """What a device has under each key that it was given: item -> revision."""

    view: View
    items: dict[int, int]


@settings(max_examples=60, stateful_step_count=30)
class SyncMachine(RuleBasedStateMachine):
    """`keys` are all states that the server has handed out; the client may present any it has not outgrown."""

    @initialize(count=st.integers(0, 12), hours=st.lists(st.integers(0, 20), min_size=12, max_size=12))
    def begin(self, count: int, hours: list[int]) -> None:
        self.store = Store()
        for n in range(count):
            self.store.add(hours[n] * HOUR)
        self.cutoff = NO_LIMIT
        self.whole = False
        self.client = Client(window.start(Token(self.store.token)), {})

    @rule(hour=st.integers(0, 20))
    def someone_adds(self, hour: int) -> None:
        self.store.add(hour * HOUR)

    @rule(pick=st.integers(0, 10**6))
    def someone_changes(self, pick: int) -> None:
        if self.store.items:
            self.store.change(sorted(self.store.items)[pick % len(self.store.items)])

    @rule(pick=st.integers(0, 10**6), hour=st.integers(0, 20))
    def someone_moves_in_time(self, pick: int, hour: int) -> None:
        """An event is put off, a task gets another date."""
        if self.store.items:
            self.store.change(sorted(self.store.items)[pick % len(self.store.items)], hour * HOUR)

    @rule(pick=st.integers(0, 10**6))
    def someone_deletes(self, pick: int) -> None:
        if self.store.items:
            self.store.delete(sorted(self.store.items)[pick % len(self.store.items)])

    @rule(hour=st.one_of(st.just(NO_LIMIT // HOUR), st.integers(0, 20)))
    def filter_moves(self, hour: int) -> None:
        self.cutoff = hour * HOUR

    @rule()
    def whole_conversations(self) -> None:
        self.whole = not self.whole

    @rule(size=st.integers(1, 5), lost=st.booleans())
    def sync(self, size: int, lost: bool) -> None:
        answered = self.ask(size)
        if not lost:
            self.client = answered

    @rule(pick=st.integers(0, 10**6), size=st.integers(0, 5), lost=st.booleans())
    def client_changes(self, pick: int, size: int, lost: bool) -> None:
        present = sorted(set(self.client.items) & set(self.store.items))
        if not present:
            return
        item = ItemId(present[pick % len(present)])
        before = self.store.items[item].revision
        after = self.store.change(item)
        view = window.absorb_write(self.client.view, item, before=before, after=after)
        answered = self.ask(size, view=view, wrote=(item, before, after))
        if not lost:
            self.client = answered

    @rule(pick=st.integers(0, 10**6))
    def client_deletes(self, pick: int) -> None:
        present = sorted(set(self.client.items) & set(self.store.items))
        if present:
            item = ItemId(present[pick % len(present)])
            self.store.delete(item)
            self.client.items.pop(item)
            self.client.view = window.absorb_delete(self.client.view, [item])

    @rule(hour=st.integers(0, 20))
    def client_adds(self, hour: int) -> None:
        entry = self.store.add(hour * HOUR)
        self.client.items[entry.id] = entry.revision
        self.client.view = window.absorb_add(self.client.view, entry)

    def plan(self, view: View, limit: int) -> window.Plan:
        return make_plan(self.store, view, self.cutoff, limit, whole=self.whole and self.cutoff != NO_LIMIT)

    def ask(self, size: int, view: View | None = None, wrote: tuple[ItemId, int, int] | None = None) -> Client:
        view = view or self.client.view
        items = dict(self.client.items)
        plan = self.plan(view, size + 1)
        for step in plan.steps[:size]:
            if step.kind is Kind.ADD:
                assert step.id not in items
                assert step.entry is not None
                items[step.id] = step.entry.revision
            elif step.kind is Kind.CHANGE:
                assert step.id in items
                assert step.entry is not None
                if wrote and step.id == wrote[0]:
                    # No echo: only what the client had not been sent before its own write may come back.
                    assert items[step.id] != wrote[1]
                    assert wrote[2] in step.own
                items[step.id] = step.entry.revision
            else:
                assert step.id in items
                del items[step.id]
        if (
            wrote
            and wrote[0] in items
            and wrote[0] not in {s.id for s in plan.steps if s.kind is Kind.CHANGE}
            and not view.own.get(wrote[0])
        ):
            items[wrote[0]] = wrote[2]
        after = plan.after(min(size, len(plan.steps)))
        rest = self.plan(after, 1000)
        assert plan.more_after(min(size, len(plan.steps))) == bool(rest.steps)
        if rest.steps:
            whole = self.whole and self.cutoff != NO_LIMIT
            assert not window.is_current(after, Token(self.store.token), self.cutoff, conversations=whole)
        return Client(after, items)

    @invariant()
    def the_view_is_what_the_client_holds(self) -> None:
        if hasattr(self, "client"):
            assert set(self.client.view.held) == set(self.client.items)

    @invariant()
    def asking_on_converges(self) -> None:
        if not hasattr(self, "client"):
            return
        client, cutoff = self.client, self.cutoff
        self.settle()
        whole = self.whole and self.cutoff != NO_LIMIT
        listed = [*self.store.page(TOP, self.cutoff, 1000), *(self.store.beyond(self.cutoff) if whole else ())]
        expected = {e.id: e.revision for e in listed}
        # what a conversation has lost its hold of stays until the limit moves, MS-ASCON_R223
        late = {i: r for i, r in self.client.items.items() if i not in expected}
        assert self.client.items == expected | late
        assert not late or whole
        assert all(i in self.client.view.older and self.store.items[i].revision == r for i, r in late.items())
        settled = self.plan(self.client.view, 4).after(0)
        assert window.is_current(settled, Token(self.store.token), self.cutoff, conversations=whole)
        if whole:
            self.cutoff += 1
            self.settle()
            listed = [*self.store.page(TOP, self.cutoff, 1000), *self.store.beyond(self.cutoff)]
            assert self.client.items == {e.id: e.revision for e in listed}
        self.client, self.cutoff = client, cutoff

    def settle(self) -> None:
        for _ in range(200):
            if not self.plan(self.client.view, 4).steps:
                break
            self.client = self.ask(3)


TestSync = pytest.mark.requirement("MS-ASCMD_R3967")(SyncMachine.TestCase)
