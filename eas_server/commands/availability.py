"""When people are free, by their own calendars: for ResolveRecipients ([MS-ASCMD] 2.2.3.16)."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from eas_server.commands.context import Ports
from eas_server.commands.kept_items import octets_of, owner_of
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.mail import ItemClass
from eas_server.model.view import TOP
from eas_server.render import calendar
from eas_server.render.contentlines import MalformedLines
from eas_server.render.pim import InvalidItem

MAX_EVENTS: Final = 5000
"""Events of one person that are looked at: those that end last."""

log = logging.getLogger(__name__)


async def free_busy_of(entries: Sequence[DirectoryEntry], start: datetime, end: datetime, ports: Ports) -> str | None:
    """MergedFreeBusy of these people together; None where nobody's calendar is here. `start` and `end` are aware.

    People without a mailbox here say nothing, and do not stand in the way of the others of their group.
    """
    found: list[str] = []
    for entry in entries:
        account = await ports.accounts.by_address(entry.email) if entry.email else None
        if account is not None:
            found.append(calendar.free_busy(await _occurrences(account, start, end, ports), start, end))
    return calendar.together(found) if found else None


async def _occurrences(account: Account, start: datetime, end: datetime, ports: Ports) -> list[calendar.Occurrence]:
    occurrences: list[calendar.Occurrence] = []
    for folder in await ports.folders.folders(account.user):
        if folder.item_class is not ItemClass.CALENDAR:
            continue
        # an event stands at the end of its last occurrence: what ended before cannot matter
        entries = await ports.mail.page(
            account.user, folder.id, below=TOP, not_before=int(start.astimezone(UTC).timestamp()), limit=MAX_EVENTS
        )
        for item in await ports.mail.fetch(account.user, folder.id, [entry.id for entry in entries]):
            try:
                occurrences += calendar.occurrences(await octets_of(item), start, end, owner=owner_of(account))
            except (InvalidItem, MalformedLines) as error:
                log.warning("event %s:%s of %s cannot be read: %s", folder.id, item.id, account.user, error)
    return occurrences
