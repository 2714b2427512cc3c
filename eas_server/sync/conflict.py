"""What a client's change meets: one that it has not seen, [MS-ASCMD] 2.2.3.34, or its own from before. Pure."""

from collections.abc import Collection

from eas_server.model.ids import Revision
from eas_server.model.mail import KEEP, Changed, ItemState, StateChange


def clashes(change: StateChange, state: ItemState, changed: Changed, *, known: int, own: Collection[Revision]) -> bool:
    """Whether something that `change` sets has been set to something else since the client knew it.

    `known`: the Revision or Token up to which the client knows the item; `own`: Revisions that this device made under
    the key that it presents, which are no conflict with itself. Each property stands for itself: a message marked
    as read here and flagged there is no conflict.
    """
    return any(
        wanted is not KEEP and wanted != present and at > known and at not in own
        for wanted, present, at in _properties(change, state, changed)
    )


def repeated(
    change: StateChange, state: ItemState, changed: Changed, *, own: Collection[Revision]
) -> tuple[Revision, ...]:
    """The Revisions of `own` that `change` asks for once more, each with all that it set and that still stands.

    Of one that set more than this, the rest has to come back to the client; then the whole of it does.
    """
    properties = _properties(change, state, changed)
    asked = {at for wanted, present, at in properties if wanted is not KEEP and wanted == present}
    left = {at for wanted, _, at in properties if wanted is KEEP} | {changed.content, changed.verb}
    return tuple(sorted(asked.intersection(own) - left))


def _properties(change: StateChange, state: ItemState, changed: Changed) -> tuple[tuple[object, object, Revision], ...]:
    return (
        (change.read, state.read, changed.read),
        (change.flag, state.flag, changed.flag),
        (change.categories, state.categories, changed.categories),
    )
