"""ResolveRecipients tells when people are free, [MS-ASCMD] 2.2.3.16 and 2.2.3.111."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.sqlite.store import Store
from eas_server.commands.kept_items import Writing, new_item, written
from eas_server.commands.resolve_recipients import COMMAND
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.mail import FolderType, ItemClass
from eas_server.render.calendar import Occurrence, free_busy
from protocol.commands.resolve_recipients import Availability, AvailabilityOptions, Options, Request
from protocol.datatypes import TimeZone
from protocol.items.calendar import BusyStatus, Calendar, Recurrence, RecurrenceType
from protocol.schema import dump
from protocol.versions import V16_1
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.support import NOW

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def user(store: Store, name: str) -> Account:
    """An account with its directory entry."""
    return await store.admin.add_user(f"{name}@example.com", None)


async def add(store: Store, account: Account, start: datetime, minutes: int, **changes: Any) -> None:
    """An event of somebody's."""
    values: dict[str, Any] = {"busy_status": BusyStatus.BUSY, "time_zone": TimeZone().dump(), "subject": "x"}
    values |= {"start_time": start, "end_time": start + timedelta(minutes=minutes), **changes}
    how = Writing(
        version=V16_1, now=NOW, uid=f"{account.user}{start:%H%M}", account=account, device_type="", supported=None
    )
    octets = written(ItemClass.CALENDAR, None, dump(Calendar(**values)), how)
    folders = await store.folders.folders(account.user)
    calendar = next(folder.id for folder in folders if folder.type is FolderType.CALENDAR)
    await store.mail.add(account.user, calendar, new_item(ItemClass.CALENDAR, octets))


async def asked(box: Mailbox, to: str, start: datetime, end: datetime | None) -> Availability:
    """The Availability of one recipient."""
    options = Options(availability=AvailabilityOptions(start=start, end=end))
    answer = await box.bench.run(COMMAND, Request(to=(to,), options=options))
    (response,) = answer.responses
    (recipient,) = response.recipients
    assert recipient.availability is not None
    found: Availability = recipient.availability
    return found


@pytest.mark.requirement(
    "MS-ASCMD_R3321", "MS-ASCMD_R3322", "MS-ASCMD_R3323", "MS-ASCMD_R3324", "MS-ASCMD_R3326", "MS-ASCMD_R3339"
)
async def test_each_half_hour_has_its_digit(box: Mailbox) -> None:
    bob = await user(box.store, "bob")
    await add(box.store, bob, NOON, 30, busy_status=BusyStatus.OUT_OF_OFFICE)
    await add(box.store, bob, NOON + timedelta(minutes=30), 60)
    await add(box.store, bob, NOON + timedelta(hours=2), 30, busy_status=BusyStatus.TENTATIVE)
    found = await asked(box, "bob@example.com", NOON, NOON + timedelta(minutes=150))
    assert (found.status, found.merged_free_busy) == (1, "32201")


@pytest.mark.requirement("MS-ASCMD_R3334", "MS-ASCMD_R3335", "MS-ASCMD_R3336", "MS-ASCMD_R3332")
@pytest.mark.parametrize(
    ("start", "digits"),
    [(timedelta(), "30"), (timedelta(minutes=4, seconds=59), "30"), (timedelta(minutes=5), "00")],
)
def test_the_examples_of_the_documents(start: timedelta, digits: str) -> None:
    short = Occurrence(NOON, NOON + timedelta(minutes=5), BusyStatus.OUT_OF_OFFICE)
    assert free_busy([short], NOON + start, NOON + timedelta(hours=1)) == digits


@pytest.mark.requirement("MS-ASCMD_R3331", "MS-ASCMD_R3329", "MS-ASCMD_R3330")
@pytest.mark.parametrize(
    ("start", "end", "count"),
    [(0, 1800, 1), (-1, 1800, 2), (0, 1801, 2)],
)
def test_a_begun_half_hour_counts(start: int, end: int, count: int) -> None:
    assert len(free_busy([], NOON + timedelta(seconds=start), NOON + timedelta(seconds=end))) == count


@pytest.mark.requirement("MS-ASCMD_R3327", "MS-ASCMD_R3328")
def test_the_higher_digit_counts() -> None:
    busy = Occurrence(NOON + timedelta(minutes=25), NOON + timedelta(minutes=30), BusyStatus.BUSY)
    tentative = replace_occurrence(busy, BusyStatus.TENTATIVE)
    assert free_busy([busy, tentative], NOON, NOON + timedelta(minutes=30)) == "2"


def replace_occurrence(one: Occurrence, busy: BusyStatus) -> Occurrence:
    """The same time with another state."""
    return one._replace(busy=busy)


async def test_a_series_counts_each_time(box: Mailbox) -> None:
    bob = await user(box.store, "bob")
    weekly = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4)
    await add(box.store, bob, NOON - timedelta(days=70), 30, recurrence=weekly)
    found = await asked(box, "bob@example.com", NOON, None)
    assert found.merged_free_busy == "2" + "0" * (7 * 48 - 1)


@pytest.mark.requirement("MS-ASCMD_R4625")
async def test_a_group_is_one_string(box: Mailbox) -> None:
    bob, carol = await user(box.store, "bob"), await user(box.store, "carol")
    await add(box.store, bob, NOON, 30)
    await add(box.store, carol, NOON + timedelta(minutes=30), 30, busy_status=BusyStatus.TENTATIVE)
    members = ["bob@example.com", "carol@example.com", "nobody@elsewhere.test"]
    team = DirectoryEntry(key="", display_name="Team", email="team@example.com")
    await box.store.admin.add_group(team, members)
    found = await asked(box, "team@example.com", NOON, NOON + timedelta(minutes=90))
    assert (found.status, found.merged_free_busy) == (1, "210")


async def test_another_users_calendar_tells_nothing_but_that(box: Mailbox) -> None:
    bob = await user(box.store, "bob")
    await add(box.store, bob, NOON, 30, subject="a secret")
    options = Options(availability=AvailabilityOptions(start=NOON, end=NOON + timedelta(minutes=30)))
    answer = await replace(box.bench).run(COMMAND, Request(to=("bob@example.com",), options=options))
    assert "secret" not in repr(answer)
