"""When people are free, by their own calendars: for ResolveRecipients ([MS-ASCMD] 2.2.3.16)."""

import logging
from collections.abc import Sequence
from datetime import datetime

from eas_server.commands.context import Ports
from eas_server.errors import Unavailable
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import UserId
from eas_server.model.mail import ItemClass
from eas_server.model.preferences import CalendarRight, CalendarRights
from eas_server.render import calendar
from protocol.commands.resolve_recipients import AvailabilityStatus

log = logging.getLogger(__name__)


async def free_busy_of(
    entries: Sequence[DirectoryEntry], viewer: UserId, start: datetime, end: datetime, ports: Ports
) -> str | AvailabilityStatus:
    """MergedFreeBusy of these people together, as far as `viewer` may see it; why there is none, where there is none.

    `start` and `end` are aware. People without a calendar here, and those who do not let it be seen, say nothing, and
    do not stand in the way of the others of their group; alone they give FAILURE (docs/decisions/0024).
    """
    found: list[str] = []
    try:
        for entry in entries:
            account = await ports.accounts.by_address(entry.email) if entry.email else None
            if account is not None and await _may_see(viewer, account.user, ports):
                found.append(calendar.free_busy(await _occurrences(account, start, end, ports), start, end))
    except Unavailable as error:
        log.warning("a calendar cannot be reached: %s", error)
        return AvailabilityStatus.TEMPORARY_FAILURE  # MS-ASCMD_R4295
    return calendar.together(found) if found else AvailabilityStatus.FAILURE


async def _may_see(viewer: UserId, owner: UserId, ports: Ports) -> bool:
    """Whether `viewer` may know when `owner` is busy: everybody may of himself."""
    if viewer == owner:
        return True
    rights = await ports.preferences.preference(owner, CalendarRights)
    return rights.of(viewer) is not CalendarRight.NONE


async def _occurrences(account: Account, start: datetime, end: datetime, ports: Ports) -> list[calendar.Occurrence]:
    occurrences: list[calendar.Occurrence] = []
    for folder in await ports.folders.folders(account.user):
        if folder.item_class is ItemClass.CALENDAR:
            occurrences += await ports.busy_times.of(account, folder.id, start, end, ports.mail)
    return occurrences
