"""Classic mistakes of sync servers, made on purpose: a dialogue, or the machine over the handlers, notices each."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from eas_server.backends.memory.mail import MemoryMail
from eas_server.backends.memory.state import MemoryState
from eas_server.commands import client_changes, lookahead, ping, server_changes, sync, sync_collection
from eas_server.interfaces import Changes
from eas_server.model.ids import CollectionId, DeviceId, ItemId, SyncKey, UserId
from eas_server.model.mail import Entry
from eas_server.model.view import BOTTOM, NO_LIMIT, CollectionState, View
from eas_server.sync import window
from eas_server.sync.conflict import clashes
from eas_server.sync.filters import Scope
from eas_server.sync.window import Kind, Plan, Step
from protocol.commands.sync import Delete
from tests.properties.sync_scripts import SCRIPTS, play
from tests.properties.test_sync_handler_machine import SyncHandlerMachine

Patch = pytest.MonkeyPatch
BUGS: dict[str, Callable[[Patch], None]] = {}


def bug(make: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Name a mistake."""
    BUGS[make.__name__.replace("_", " ")] = make
    return make


class Blind(SyncHandlerMachine):
    """Without the look at the schemas, which these mistakes do not touch."""

    validates = False


EXAMPLES = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    verbosity=Verbosity.quiet,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


# ---- the view


@bug
def the_next_view_is_the_listing(patch: Patch) -> None:
    """What did not fit into the window is lost."""
    after = Plan.after

    def wrong(self: Plan, done: int, left_out: Any = ()) -> View:
        return after(self, len(self.steps), left_out)

    patch.setattr(Plan, "after", wrong)


@bug
def the_token_runs_ahead_of_a_cut_window(patch: Patch) -> None:
    after = Plan.after
    patch.setattr(Plan, "after", lambda self, *args: replace(after(self, *args), token=self.token))


@bug
def the_token_never_moves(patch: Patch) -> None:
    """An unchanged folder is looked through each time."""
    after = Plan.after
    patch.setattr(Plan, "after", lambda self, *args: replace(after(self, *args), token=self.view.token))


@bug
def what_was_deleted_is_forgotten(patch: Patch) -> None:
    changes = MemoryMail.changes

    async def wrong(self: MemoryMail, user: UserId, collection: CollectionId, since: Any) -> Changes:
        found = await changes(self, user, collection, since)
        return replace(found, entries=[entry for entry in found.entries if entry.present])

    patch.setattr(MemoryMail, "changes", wrong)


@bug
def what_comes_and_goes_is_not_looked_for(patch: Patch) -> None:
    patch.setattr(window, "_gone_unseen", lambda *_: [])


@bug
def changes_are_missed(patch: Patch) -> None:
    judge = window._judge

    def wrong(view: View, entry: Entry, cutoff: int, *, stays: bool) -> Step | None:
        step = judge(view, entry, cutoff, stays=stays)
        return None if step is not None and step.kind is Kind.CHANGE else step

    patch.setattr(window, "_judge", wrong)


@bug
def new_items_are_added_though_they_are_held(patch: Patch) -> None:
    """The backlog does not look at what the client has."""
    make = window.plan

    def wrong(view: View, changes: Changes, **how: Any) -> Plan:
        found = make(view, changes, **how)
        again = [Step(kind=Kind.ADD, id=e.id, entry=e, backlog=True) for e in how["backlog"] if e.id in view.held]
        return replace(found, steps=(*found.steps, *again))

    patch.setattr(lookahead, "plan", wrong)


@bug
def the_backlog_ends_with_the_window(patch: Patch) -> None:
    backlog = lookahead._backlog

    async def wrong(*args: Any) -> tuple[list[Entry], bool]:
        entries, exhausted = await backlog(*args)
        return (entries, True) if exhausted else (entries[:-1], True)

    patch.setattr(lookahead, "_backlog", wrong)


# ---- conversations


@bug
def conversations_come_without_their_past(patch: Patch) -> None:
    async def wrong(*_: Any, **__: Any) -> list[Entry]:
        return []

    patch.setattr(MemoryMail, "conversations", wrong)


@bug
def conversations_are_kept_for_ever(patch: Patch) -> None:
    async def wrong(*_: Any) -> list[Entry]:
        return []

    patch.setattr(MemoryMail, "entries", wrong)


@bug
def who_is_held_by_a_conversation_is_not_noted(patch: Patch) -> None:
    patch.setattr(Plan, "_older_after", lambda self, done, held: self.view.older)


@bug
def the_mode_is_not_remembered(patch: Patch) -> None:
    patch.setattr(sync_collection, "conversations_of", lambda asked, _: bool(asked.conversation_mode))


@bug
def a_conversation_that_comes_back_is_not_looked_for(patch: Patch) -> None:
    patch.setattr(window, "is_complete", lambda *_: True)


# ---- filters


@bug
def what_ages_is_not_taken_back(patch: Patch) -> None:
    async def wrong(*_: Any) -> list[Entry]:
        return []

    patch.setattr(lookahead, "_expired", wrong)


@bug
def what_ages_is_deleted(patch: Patch) -> None:
    """Delete instead of SoftDelete."""
    patch.setattr(server_changes, "SoftDelete", Delete)


@bug
def what_a_filter_hid_never_comes(patch: Patch) -> None:
    low_after = Plan._low_after
    patch.setattr(Plan, "_low_after", lambda self, *args: BOTTOM if self.exhausted else low_after(self, *args))


@bug
def options_are_forgotten_with_an_empty_answer(patch: Patch) -> None:
    amend = MemoryState.amend

    async def wrong(
        self: MemoryState, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState
    ) -> None:
        old = await self.collection(user, device, collection, state.key)
        await amend(self, user, device, collection, replace(state, options=old.options if old else b""))

    patch.setattr(MemoryState, "amend", wrong)


# ---- keys


@bug
def the_previous_key_is_dropped_at_once(patch: Patch) -> None:
    advance = MemoryState.advance

    async def wrong(self: MemoryState, *args: Any) -> SyncKey:
        key = await advance(self, *args)
        user, device, collection = args[:3]
        kept = self._collections[(user, device), collection]
        for old in [old for old in kept if old != key]:
            del kept[old]
        return key

    patch.setattr(MemoryState, "advance", wrong)


@bug
def a_lost_answer_counts_as_received(patch: Patch) -> None:
    """The newest state is worked with, whatever key is presented."""
    collection = MemoryState.collection

    async def wrong(self: MemoryState, user: UserId, device: DeviceId, folder: CollectionId, key: Any) -> Any:
        found = await collection(self, user, device, folder, None)
        return None if found is None or key is None else replace(found, key=found.key)

    patch.setattr(MemoryState, "collection", wrong)


@bug
def devices_share_their_state(patch: Patch) -> None:
    collection = MemoryState.collection

    async def wrong(self: MemoryState, user: UserId, device: DeviceId, folder: CollectionId, key: Any) -> Any:
        for (_, other), there in list(self._collections):
            if there == folder and key is not None and other != device:
                found = await collection(self, user, other, folder, None)
                own = await collection(self, user, device, folder, key)
                return own and found and replace(found, key=own.key)
        return await collection(self, user, device, folder, key)

    patch.setattr(MemoryState, "collection", wrong)


# ---- MoreAvailable and the window


@bug
def more_is_never_available(patch: Patch) -> None:
    patch.setattr(Plan, "more_after", lambda self, done: False)


@bug
def more_is_always_available(patch: Patch) -> None:
    patch.setattr(Plan, "more_after", lambda self, done: bool(done) or not self.exhausted)


@bug
def more_is_available_when_the_window_is_just_full(patch: Patch) -> None:
    patch.setattr(Plan, "more_after", lambda self, done: done <= len(self.steps) and done > 0 and done % 2 == 1)


@bug
def more_counts_what_has_no_words(patch: Patch) -> None:
    async def wrong(*_: Any) -> tuple[int, frozenset[Any]]:
        return 0, frozenset()

    patch.setattr(server_changes, "_silent_ahead", wrong)


@bug
def the_global_window_is_ignored(patch: Patch) -> None:
    patch.setattr(sync, "window", lambda asked, largest: largest)


@bug
def window_0_sends_nothing(patch: Patch) -> None:
    patch.setattr(
        sync_collection, "_window_size", lambda ctx, asked: 100 if asked.window_size is None else asked.window_size
    )


# ---- what the client did


@bug
def its_own_write_comes_back(patch: Patch) -> None:
    patch.setattr(client_changes, "absorb_write", lambda view, item, **_: view)


@bug
def its_write_hides_what_others_wrote(patch: Patch) -> None:
    def wrong(view: View, item: ItemId, *, before: Any, after: Any, repeated: Any = ()) -> View:
        return replace(view, revisions={**view.revisions, item: after})

    patch.setattr(client_changes, "absorb_write", wrong)


@bug
def a_repeated_write_hides_the_rest_of_the_first(patch: Patch) -> None:
    patch.setattr(
        client_changes,
        "repeated",
        lambda change, state, changed, *, own: tuple({changed.read, changed.flag, changed.categories} & set(own)),
    )


@bug
def its_deletion_comes_back(patch: Patch) -> None:
    patch.setattr(client_changes, "absorb_delete", lambda view, items: view)


@bug
def a_discarded_change_leaves_the_client_alone_with_it(patch: Patch) -> None:
    patch.setattr(client_changes, "absorb_conflict", lambda view, item: view)


@bug
def conflicts_are_not_seen(patch: Patch) -> None:
    patch.setattr(client_changes, "clashes", lambda *_, **__: False)


@bug
def a_device_conflicts_with_itself(patch: Patch) -> None:

    def wrong(change: Any, state: Any, changed: Any, *, known: int, own: Any) -> bool:
        return clashes(change, state, changed, known=known, own=())

    patch.setattr(client_changes, "clashes", wrong)


@bug
def what_was_written_under_a_key_is_forgotten(patch: Patch) -> None:
    advance = MemoryState.advance

    async def wrong(self: MemoryState, user: Any, device: Any, folder: Any, used: Any, view: Any) -> SyncKey:
        return await advance(self, user, device, folder, replace(used, written={}) if used else None, view)

    patch.setattr(MemoryState, "advance", wrong)


@bug
def a_replayed_delete_fails(patch: Patch) -> None:
    """What the client holds and deletes again is told to be unknown."""
    delete = client_changes.ClientChanges._delete

    async def wrong(self: Any, command: Any) -> None:
        presented = self._presented
        self._presented = replace(presented, held=type(presented.held)())
        await delete(self, command)
        self._presented = presented

    patch.setattr(client_changes.ClientChanges, "_delete", wrong)


# ---- what a Change tells


@bug
def a_full_item_for_each_change(patch: Patch) -> None:
    patch.setattr(server_changes, "_news", lambda *_: None)


@bug
def the_state_of_reply_is_not_told(patch: Patch) -> None:
    news = server_changes._news

    def wrong(step: Step, item: Any, version: Any) -> Any:
        return news(step, replace(item, changed=replace(item.changed, verb=window.NEVER)), version)

    patch.setattr(server_changes, "_news", wrong)


@bug
def a_change_of_nothing_is_sent(patch: Patch) -> None:
    news = server_changes._news

    def wrong(step: Step, item: Any, version: Any) -> Any:
        found = news(step, item, version)
        return None if found is server_changes.Outcome.SILENT else found

    patch.setattr(server_changes, "_news", wrong)


# ---- whole requests


@bug
def an_empty_request_is_answered_empty(patch: Patch) -> None:
    handle = sync.handle

    async def wrong(request: Any, ctx: Any) -> Any:
        return None if request is sync.EMPTY_REQUEST else await handle(request, ctx)

    patch.setattr(sync, "handle", wrong)


@bug
def a_partial_request_forgets_the_rest(patch: Patch) -> None:
    handle = sync.handle

    async def wrong(request: Any, ctx: Any) -> Any:
        return await handle(replace(request, partial=None) if request.partial else request, ctx)

    patch.setattr(sync, "handle", wrong)


@bug
def the_commands_are_remembered_too(patch: Patch) -> None:
    def wrong(request: Any, ctx: Any) -> None:
        ctx.ports.last_syncs.put(ctx.account.user, ctx.device.id, request)

    patch.setattr(sync, "_remember", wrong)


# ---- Ping and cost


@bug
def ping_tells_what_ages(patch: Patch) -> None:
    async def wrong(*_: Any) -> bool:
        return True

    patch.setattr(ping, "has_words", wrong)


@bug
def ping_looks_at_the_token_alone(patch: Patch) -> None:
    async def wrong(ctx: Any, folder: Any) -> bool:
        state = await ctx.ports.state.collection(ctx.account.user, ctx.device.id, folder.id, None)
        tokens = await ctx.ports.mail.tokens(ctx.account.user, [folder.id])
        return state is not None and state.view.token != tokens[folder.id]

    patch.setattr(ping, "has_news", wrong)


@bug
def ping_forgets_the_backlog(patch: Patch) -> None:

    async def wrong(ports: Any, user: Any, folder: Any, view: View, *, scope: Scope, wanted: int) -> Plan:
        everything = Scope(cutoff=NO_LIMIT)
        return await lookahead.look_ahead(
            ports, user, folder, replace(view, low=BOTTOM), scope=everything, wanted=wanted
        )

    patch.setattr(ping, "look_ahead", wrong)


@bug
def an_unchanged_folder_is_listed(patch: Patch) -> None:
    patch.setattr(sync_collection, "is_current", lambda *_, **__: False)


def noticed_by_the_machine() -> bool:
    """Whether the machine fails."""
    try:
        run_state_machine_as_test(Blind, settings=EXAMPLES)
    except AssertionError:
        return True
    return False


def noticed_by_a_script() -> bool:
    """Whether a dialogue fails."""
    for name in SCRIPTS:
        try:
            play(name)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_dialogue_goes_well(name: str) -> None:
    play(name)


@pytest.mark.parametrize("name", sorted(BUGS))
def test_a_mistake_is_noticed(name: str, monkeypatch: Patch) -> None:
    BUGS[name](monkeypatch)
    assert noticed_by_a_script() or noticed_by_the_machine(), f"not noticed: {name}"
