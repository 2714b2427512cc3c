"""When the events of a calendar take place, kept in memory: to read and to expand them costs more than all else of
a question for free/busy ([MS-ASCMD] 2.2.3.16).

What is kept is made good from what changed in the folder since; nothing is served that the store does not say now.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eas_server.commands.kept_items import octets_of
from eas_server.delivery.calendar_items import owner_of
from eas_server.errors import NoSuchFolder, StaleToken
from eas_server.interfaces import MailStore
from eas_server.model.directory import Account
from eas_server.model.ids import CollectionId, ItemId, Token, UserId
from eas_server.model.mail import Item
from eas_server.model.view import TOP
from eas_server.render import calendar
from eas_server.render.contentlines import MalformedLines
from eas_server.render.pim import InvalidItem
from protocol.items.calendar import BusyStatus

MAX_EVENTS: Final = 5000
"""Events of one calendar that are looked at: those that end last."""
KEPT: Final = 500
"""Calendars; those not asked for longest are forgotten first. A busy one takes some 50 kB."""
BEFORE: Final = timedelta(days=7)
AFTER: Final = timedelta(days=63)
"""What is kept lies between so long before and after the first time asked for: clients turn pages of a few weeks."""
_RUN: Final = 20
"""Events between two looks at other requests."""
_FREE: Final = (BusyStatus.FREE, BusyStatus.ELSEWHERE)

log = logging.getLogger(__name__)

Occurrences = tuple[calendar.Occurrence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What takes place in a calendar from `start` to `end`, as of `token`; free time is left out."""

    token: Token
    start: datetime
    end: datetime
    items: Mapping[ItemId, Occurrences]

    def covers(self, start: datetime, end: datetime) -> bool:
        return self.start <= start and end <= self.end


class BusyTimes:
    """The calendars that were asked for last."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[UserId, CollectionId], _Held] = OrderedDict()

    async def of(
        self, account: Account, folder: CollectionId, start: datetime, end: datetime, mail: MailStore
    ) -> Sequence[calendar.Occurrence]:
        """What takes place in a calendar from `start` to `end` (aware), without what is free."""
        key = (account.user, folder)
        held = self._held.get(key)
        try:
            if held is None or not held.covers(start, end):
                held = await _read(account, folder, start, end, mail)
            else:
                held = await _made_good(held, account, folder, mail)
        except StaleToken:
            held = await _read(account, folder, start, end, mail)
        except NoSuchFolder:
            self._held.pop(key, None)
            return ()
        self._held[key] = held
        self._held.move_to_end(key)
        if len(self._held) > KEPT:
            self._held.popitem(last=False)
        return [one for found in held.items.values() for one in found if one.end >= start and one.start < end]


async def _read(account: Account, folder: CollectionId, start: datetime, end: datetime, mail: MailStore) -> _Held:
    since, until = _around(start, end)
    tokens = await mail.tokens(account.user, [folder])
    if folder not in tokens:
        raise NoSuchFolder(folder)
    # an event stands at the end of its last occurrence: what ended before cannot matter
    entries = await mail.page(account.user, folder, below=TOP, not_before=_seconds(since), limit=MAX_EVENTS)
    items = await mail.fetch(account.user, folder, [entry.id for entry in entries])
    return _Held(
        token=tokens[folder],
        start=since,
        end=until,
        items=await _expanded(items, account, folder, since, until),
    )


def _around(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The time that is kept; as asked for at the ends of time."""
    try:
        return start - BEFORE, max(start + AFTER, end)
    except OverflowError:
        return start, end


async def _made_good(held: _Held, account: Account, folder: CollectionId, mail: MailStore) -> _Held:
    """The same as of now."""
    tokens = await mail.tokens(account.user, [folder])
    if folder not in tokens:
        raise NoSuchFolder(folder)
    if tokens[folder] == held.token:
        return held
    changes = await mail.changes(account.user, folder, held.token)
    touched = [e.id for e in changes.entries if e.present and e.received >= _seconds(held.start)]
    items = dict(held.items)
    for entry in changes.entries:
        items.pop(entry.id, None)
    found = await mail.fetch(account.user, folder, touched)
    items |= await _expanded(found, account, folder, held.start, held.end)
    return _Held(token=changes.token, start=held.start, end=held.end, items=items)


async def _expanded(
    items: Sequence[Item], account: Account, folder: CollectionId, start: datetime, end: datetime
) -> dict[ItemId, Occurrences]:
    owner, expanded = owner_of(account), {}
    for number, item in enumerate(items):
        if number % _RUN == _RUN - 1:
            await asyncio.sleep(0)
        try:
            found = _known(item) or calendar.occurrences(await octets_of(item), start, end, owner=owner)
        except (InvalidItem, MalformedLines) as error:
            log.warning("event %s:%s of %s cannot be read: %s", folder, item.id, account.user, error)
            continue
        busy = tuple(one for one in found if one.busy not in _FREE)
        if busy:
            expanded[item.id] = busy
    return expanded


def _known(item: Item) -> list[calendar.Occurrence]:
    """When an event takes place, where the store knows it: to read it takes a hundred times as long."""
    if item.index.takes_place is None:
        return []
    start, end, busy = item.index.takes_place
    return [calendar.Occurrence(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), BusyStatus(busy))]


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())
