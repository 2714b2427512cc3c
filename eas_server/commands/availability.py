"""When people are free, by their own calendars: for ResolveRecipients ([MS-ASCMD] 2.2.3.16)."""

from collections.abc import Sequence
from datetime import datetime

from eas_server.commands.context import Ports
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.mail import ItemClass
from eas_server.render import calendar


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
        if folder.item_class is ItemClass.CALENDAR:
            occurrences += await ports.busy_times.of(account, folder.id, start, end, ports.mail)
    return occurrences
