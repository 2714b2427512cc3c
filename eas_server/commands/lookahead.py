"""What lies before a client in a collection: gathers what `sync.window.plan` decides on. For Sync, Ping, estimates."""

from typing import Final

from eas_server.interfaces import MailStore
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import Entry
from eas_server.model.view import NO_LIMIT, Position, View
from eas_server.sync.window import Plan, plan

EXPIRED_PAGE: Final = 10_000
"""How many entries that left the filter are looked at in one go: at most what aged since the last request."""


async def look_ahead(
    mail: MailStore, user: UserId, collection: CollectionId, view: View, *, cutoff: int, wanted: int
) -> Plan:
    """The steps before the client: all that changed, and of the backlog enough for `wanted` steps of it.

    Raises NoSuchFolder, StaleToken, StoreUnavailable.
    """
    changes = await mail.changes(user, collection, view.token)
    backlog, exhausted = await _backlog(mail, user, collection, view, cutoff, wanted)
    expired = await _expired(mail, user, collection, view, cutoff)
    return plan(view, changes, cutoff=cutoff, backlog=backlog, exhausted=exhausted, expired=expired)


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


async def _expired(mail: MailStore, user: UserId, collection: CollectionId, view: View, cutoff: int) -> list[Entry]:
    """What the client may hold although the filter hides it by now."""
    if cutoff <= view.floor or cutoff == NO_LIMIT:
        return []
    found: list[Entry] = []
    below = Position(cutoff, -1)
    while True:
        page = await mail.page(user, collection, below=below, not_before=view.floor, limit=EXPIRED_PAGE)
        found += [entry for entry in page if entry.id in view.held]
        if len(page) < EXPIRED_PAGE:
            return found
        below = Position(page[-1].received, page[-1].id)
