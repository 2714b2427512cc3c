"""What a client is to be told next, and what it holds afterwards. See the package for the theory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from eas_server.interfaces import Changes
from eas_server.model.ids import ItemId, Revision, Token
from eas_server.model.mail import Entry
from eas_server.model.view import NO_LIMIT, Position, RangeSet, View

NEVER: Final = Revision(0)
"""Before all revisions."""


class Kind(Enum):
    """What a step tells the client, [MS-ASCMD] 2.2.3.7, 2.2.3.24, 2.2.3.42, 2.2.3.172."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to tell the client."""

    kind: Kind
    id: ItemId
    entry: Entry | None = None
    """The item as the listing has it; None for Delete and SoftDelete."""
    known: int = 0
    """For a Change: the client has what the item was at this revision or Token …"""
    own: tuple[Revision, ...] = ()
    """… and what it wrote itself in these revisions."""
    backlog: bool = False
    older: bool = False
    """Brings an item that the filter hides, for the sake of its conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps that lie before a client, as far as they were looked up, in the order to send them."""

    view: View
    token: Token
    cutoff: int
    steps: tuple[Step, ...]
    exhausted: bool
    """The backlog that was looked up reaches down to the filter's limit."""
    backlog_end: Position
    """How far down the backlog was looked up."""
    conversations: bool = False
    """Whole conversations are synced."""
    staying: tuple[ItemId, ...] = ()
    """Items that the client holds and that stay for the sake of their conversations."""

    def more_after(self, sent: int) -> bool:
        """Whether something remains once the first `sent` steps are sent (MoreAvailable)."""
        return sent < len(self.steps) or not self.exhausted

    def after(self, done: int, left_out: Collection[ItemId] = ()) -> View:
        """What the client holds once the first `done` steps are sent, but for those of the items `left_out`.

        Those are passed all the same: they are gone by now, or cannot be told, and come again when they change.
        """
        past, rest = self.steps[:done], self.steps[done:]
        view = replace(self._absorb(past, left_out), low=self._low_after(past, rest))
        aged = not any(step.kind is Kind.SOFT_DELETE for step in rest)
        view = replace(view, floor=self.cutoff if aged else min(view.floor, self.cutoff))
        if not self.conversations and aged:
            view = replace(view, older=RangeSet(), conversations=None)
        elif self.conversations:
            complete = self.exhausted and not any(step.backlog or step.older for step in rest)
            view = replace(view, conversations=self.cutoff if complete else None)
        if all(step.backlog or step.older for step in rest):
            view = _settle(view, self.token)
        return view

    def _low_after(self, done: Sequence[Step], rest: Sequence[Step]) -> Position:
        # What is hidden is passed over unseen: should the filter widen, the backlog begins at the limit again, and
        # skips what is held.
        low = max(self.view.low, Position(self.cutoff, -1))
        if not any(step.backlog for step in rest):
            return min(low, self.backlog_end)
        sent = [step for step in done if step.backlog]
        return min(low, _position(sent[-1])) if sent else low

    def _absorb(self, past: Sequence[Step], left_out: Collection[ItemId]) -> View:
        view = self.view
        passed = {step.id for step in past}
        revisions = dict(view.revisions)
        own = {item: written for item, written in view.own.items() if item not in passed}
        done = [step for step in past if step.id not in left_out]
        gone = [step.id for step in done if step.entry is None]
        added = [step.id for step in done if step.kind is Kind.ADD]
        for step in done:
            if step.entry is None:
                revisions.pop(step.id, None)
            else:
                revisions[step.id] = step.entry.revision
        held = view.held
        if added:
            held = held.plus(added)
        if gone:
            held = held.minus(gone)
        return replace(view, held=held, revisions=revisions, own=own, older=self._older_after(done, held))

    def _older_after(self, done: Sequence[Step], held: RangeSet) -> RangeSet:
        if not self.conversations and not self.view.older:
            return self.view.older
        told = {step.id: step.entry is not None and step.entry.received < self.cutoff for step in done}
        older = self.view.older.minus(item for item, is_older in told.items() if not is_older)
        return older.plus(item for item in (*self.staying, *(i for i, o in told.items() if o)) if item in held)


def _position(step: Step) -> Position:
    assert step.entry is not None  # noqa: S101 — steps of the backlog are Adds, which have one
    return Position(step.entry.received, step.entry.id)


def _settle(view: View, token: Token) -> View:
    """All that changed up to `token` was sent: what it names needs no exception any more."""
    return replace(
        view,
        token=token,
        revisions={item: revision for item, revision in view.revisions.items() if revision > token},
    )


def is_complete(view: View, cutoff: int) -> bool:
    """Whether the backlog was sent down to `cutoff`, so that only changes can bring anything new."""
    return view.low <= Position(cutoff, -1)


def is_current(view: View, token: Token, cutoff: int, *, conversations: bool = False) -> bool:
    """Whether a look at the collection's Token tells that there is nothing to send."""
    return (
        view.token == token
        and not view.own
        and is_complete(view, cutoff)
        and cutoff <= view.floor
        and has_conversations(view, cutoff, wanted=conversations)
    )


def has_conversations(view: View, cutoff: int, *, wanted: bool) -> bool:
    """Whether whole conversations were sent where they are wanted, and only there.

    Those that reach over a later limit are among those that reached over an earlier one.
    """
    if not wanted:
        return view.conversations is None and not view.older
    return view.conversations is not None and view.conversations <= cutoff


def is_aging(view: View, cutoff: int, *, conversations: bool = False) -> bool:
    """Whether the client may hold what is to be soft-deleted because of its age, although nothing changed it.

    That a conversation has lost the message that held it within the filter is no reason yet: the rest of it goes
    when the limit moves (MS-ASCON_R223).
    """
    return cutoff > view.floor or not (conversations or has_conversations(view, cutoff, wanted=False))


def plan(
    view: View,
    changes: Changes,
    *,
    cutoff: int,
    backlog: Sequence[Entry],
    exhausted: bool,
    expired: Collection[Entry],
    whole: Sequence[Entry] | None = None,
) -> Plan:
    """Compare what the client holds with what the store tells.

    `changes` since `view.token`; `backlog`: what lies below `view.low`, down to `cutoff` where `exhausted`; `expired`:
    items received from `view.floor` on and before `cutoff`, and those of `view.older`, where `is_aging`. `whole`: None:
    the filter alone decides; else all that lies before `cutoff` of conversations that reach over it. Deletions come
    first, since they free memory on the device, then changes, then new items, newest first, and at last, when the
    others are complete down to the limit, what their conversations bring.
    """
    end = Position(backlog[-1].received, backlog[-1].id) if backlog else view.low
    if exhausted:
        end = Position(cutoff, -1)
    kept = {entry.id for entry in whole or ()}
    deleted, changed, fresh = _judged(view, changes, cutoff, kept, conversations=whole is not None)
    deleted += _gone_unseen(view, changes)
    staying = kept | {step.id for step in deleted}
    soft = [
        Step(kind=Kind.SOFT_DELETE, id=entry.id)
        for entry in expired
        if entry.id in view.held and entry.received < cutoff and entry.id not in staying
    ]
    new = {step.id for step in fresh}
    older = [
        Step(kind=Kind.ADD, id=entry.id, entry=entry, backlog=True)
        for entry in backlog
        if entry.id not in view.held and entry.id not in new and entry.received >= cutoff
    ]
    beyond = [
        Step(kind=Kind.ADD, id=entry.id, entry=entry, older=True)
        for entry in (whole or () if exhausted else ())
        if entry.id not in view.held and entry.id not in new and entry.received < cutoff
    ]
    return Plan(
        view=view,
        token=changes.token,
        cutoff=cutoff,
        steps=(*deleted, *soft, *changed, *fresh, *older, *beyond),
        exhausted=exhausted,
        backlog_end=end,
        conversations=whole is not None,
        staying=tuple(item for item in kept if item in view.held),
    )


def _judged(
    view: View, changes: Changes, cutoff: int, kept: Collection[ItemId], *, conversations: bool
) -> tuple[list[Step], list[Step], list[Step]]:
    """What goes (for whatever reason), what changes and what is new, of all that changed in the store."""
    unmoved = conversations and not is_aging(view, cutoff, conversations=True)
    deleted: list[Step] = []
    changed: list[Step] = []
    fresh: list[Step] = []
    for entry in changes.entries:
        step = _judge(view, entry, cutoff, stays=entry.id in kept or (unmoved and entry.id in view.older))
        if step is not None:
            (fresh if step.kind is Kind.ADD else changed if step.kind is Kind.CHANGE else deleted).append(step)
    return deleted, sorted(changed, key=_newest_first), sorted(fresh, key=_newest_first)


def _newest_first(step: Step) -> tuple[int, int]:
    received, number = _position(step)
    return -received, -number


def _gone_unseen(view: View, changes: Changes) -> list[Step]:
    """Items that came after `view.token` and went again: a store need not name them. The client may hold some, which
    were sent with a window that was cut.
    """
    recent = {item for item, revision in view.revisions.items() if revision > view.token and item in view.held}
    recent.difference_update(entry.id for entry in changes.entries)
    return [Step(kind=Kind.DELETE, id=item) for item in sorted(recent)]


def _judge(view: View, entry: Entry, cutoff: int, *, stays: bool) -> Step | None:
    """What a change in the store means for this client. `stays`: its conversation holds it, whatever its age."""
    held = entry.id in view.held
    if not entry.present:
        return Step(kind=Kind.DELETE, id=entry.id) if held else None
    if entry.received < cutoff and not (stays and held):
        # the filter hides it: it has aged, or was moved back in time
        return Step(kind=Kind.SOFT_DELETE, id=entry.id) if held else None
    if not held:
        # Below `low` it is part of the backlog, which has yet to come.
        above = Position(entry.received, entry.id) >= view.low
        return Step(kind=Kind.ADD, id=entry.id, entry=entry) if above else None
    known = view.revisions.get(entry.id)
    own = view.own.get(entry.id, ())
    if known == entry.revision:
        return None
    return Step(
        kind=Kind.CHANGE,
        id=entry.id,
        entry=entry,
        known=view.token if known is None else known,
        own=own,
    )


def absorb_write(
    view: View, item: ItemId, *, before: Revision, after: Revision, repeated: Sequence[Revision] = ()
) -> View:
    """The client changed an item, from revision `before` to `after`: no echo of that. One that it does not hold (a
    search gave it the id) stays unknown to it.

    Where the client had not been sent `before` yet, its changes are still to come, without what it wrote itself:
    `after`, unless that is `before`, and the revisions that it `repeated`.
    """
    if item not in view.held:
        return view
    known = view.revisions.get(item)
    current = before <= view.token if known is None else known == before
    if current and item not in view.own:
        return replace(view, revisions={**view.revisions, item: after})
    made = (*repeated, after) if after != before else tuple(repeated)
    return replace(view, own={**view.own, item: (*view.own.get(item, ()), *made)}) if made else view


def absorb_conflict(view: View, item: ItemId) -> View:
    """The client changed an item in vain: what it has of it is worth nothing, and the whole item has to come."""
    if item not in view.held:
        return view
    own = {other: revisions for other, revisions in view.own.items() if other != item}
    return replace(view, revisions={**view.revisions, item: NEVER}, own=own)


def absorb_add(view: View, entry: Entry) -> View:
    """The client made an item: it holds it."""
    return replace(
        view,
        held=view.held.plus([entry.id]),
        revisions={**view.revisions, entry.id: entry.revision},
        floor=min(view.floor, entry.received),
    )


def absorb_delete(view: View, items: Collection[ItemId]) -> View:
    """The client deleted items, or was told that they are gone."""
    revisions: Mapping[ItemId, Revision] = {i: r for i, r in view.revisions.items() if i not in items}
    own = {i: r for i, r in view.own.items() if i not in items}
    return replace(view, held=view.held.minus(items), revisions=revisions, own=own, older=view.older.minus(items))


def start(token: Token, cutoff: int = NO_LIMIT) -> View:
    """The view of a client that holds nothing: the answer to key 0."""
    return View(token=token, floor=cutoff)
