"""Whether a client's change clashes with one that it has not seen, [MS-ASCMD] 2.2.3.34. Pure."""

from collections.abc import Collection

from eas_server.model.ids import Revision
from eas_server.model.mail import KEEP, Changed, ItemState, StateChange


def clashes(change: StateChange, state: ItemState, changed: Changed, *, known: int, own: Collection[Revision]) -> bool:
    """Whether something that `change` sets has been set to something else since the client knew it.

    `known`: the Revision or Token up to which the client knows the item; `own`: Revisions that this device made under
    the key that it presents, which are no conflict with itself. Each property stands for itself: a message marked
    as read here and flagged there is no conflict.
    """
    properties = (
        (change.read, state.read, changed.read),
        (change.flag, state.flag, changed.flag),
        (change.categories, state.categories, changed.categories),
    )
    return any(
        wanted is not KEEP and wanted != present and at > known and at not in own for wanted, present, at in properties
    )
