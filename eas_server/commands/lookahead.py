"""What lies before a client in a collection: gathers what `sync.window.plan` decides on. For Sync, Ping, estimates."""

from collections.abc import Collection, Sequence
from typing import Final

from eas_server.commands.context import Ports
from eas_server.interfaces import Changes, MailStore
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import Entry
from eas_server.model.view import NO_LIMIT, Position, View
from eas_server.sync.filters import Scope
from eas_server.sync.window import Plan, is_aging, plan

EXPIRED_PAGE: Final = 10_000
"""How many entries that left the filter are looked at in one go: at most what aged since the last request."""


async def look_ahead(
    ports: Ports, user: UserId, collection: CollectionId, view: View, *, scope: Scope, wanted: int
) -> Plan:
    """The steps before the client: all that changed, and of the backlog enough for `wanted` steps of it.

    Raises NoSuchFolder, StaleToken, StoreUnavailable.
    """
    mail, cutoff = ports.mail, scope.cutoff
    changes = await mail.changes(user, collection, view.token)
    backlog, exhausted = await _backlog(mail, user, collection, view, cutoff, wanted)
    expired = await _expired(ports, user, collection, view, scope)
    whole: Sequence[Entry] | None = None
    if scope.conversations:
        needed = exhausted or _may_hide(view, changes, expired, cutoff)
        whole = await ports.search.conversations(user, collection, since=cutoff) if needed else ()
    return plan(view, changes, cutoff=cutoff, backlog=backlog, exhausted=exhausted, expired=expired, whole=whole)


def _may_hide(view: View, changes: Changes, expired: Collection[Entry], cutoff: int) -> bool:
    """Whether anything that the client holds lies before the limit: it goes unless its conversation holds it."""
    return bool(expired) or any(entry.received < cutoff and entry.id in view.held for entry in changes.entries)


async def whole_conversations(ports: Ports, user: UserId, collection: CollectionId, view: View, scope: Scope) -> int:
    """How many items are to come that the filter hides, for the sake of their conversations."""
    if not scope.conversations:
        return 0
    found = await ports.search.conversations(user, collection, since=scope.cutoff)
    return sum(entry.id not in view.held for entry in found)


async def _backlog(
    mail: MailStore, user: UserId, collection: CollectionId, view: View, cutoff: int, wanted: int
) -> tuple[list[Entry], bool]:
    """Pages below `view.low` until `wanted` items that the client does not hold are found."""
    found: list[Entry] = []
    missing, below = wanted, view.low
    while missing > 0:
        if below <= Position(cutoff, -1):
            return found, True
        page = await mail.page(user, collection, below=below, not_before=cutoff, limit=wanted)
        found += page
        if len(page) < wanted:
            return found, True
        below = Position(page[-1].received, page[-1].id)
        missing -= sum(entry.id not in view.held for entry in page)
    return found, False


async def _expired(ports: Ports, user: UserId, collection: CollectionId, view: View, scope: Scope) -> list[Entry]:
    """What the client may hold although the filter hides it by now."""
    cutoff = scope.cutoff
    if not is_aging(view, cutoff, conversations=scope.conversations):
        return []
    found: list[Entry] = []
    if view.older:
        found += await ports.search.entries(user, collection, list(view.older))
    if cutoff <= view.floor or cutoff == NO_LIMIT:
        return found
    below = Position(cutoff, -1)
    while True:
        page = await ports.mail.page(user, collection, below=below, not_before=view.floor, limit=EXPIRED_PAGE)
        found += [entry for entry in page if entry.id in view.held and entry.id not in view.older]
        if len(page) < EXPIRED_PAGE:
            return found
        below = Position(page[-1].received, page[-1].id)
