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
from eas_server.errors import StoreUnavailable
from eas_server.model.directory import Account, DirectoryEntry
from eas_server.model.ids import ROOT, CollectionId
from eas_server.model.mail import FolderType, ItemClass
from eas_server.model.preferences import CalendarRight, CalendarRights
from eas_server.render.calendar import Occurrence, free_busy
from protocol.codepages import tag as find
from protocol.commands.resolve_recipients import Availability, AvailabilityOptions, AvailabilityStatus, Options, Request
from protocol.datatypes import TimeZone
from protocol.elements import Element
from protocol.errors import MalformedRequest
from protocol.items.calendar import BusyStatus, Calendar, Recurrence, RecurrenceType
from protocol.schema import dump
from protocol.versions import SUPPORTED, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, mailbox
from tests.server.commands.support import ALICE, NOW

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


async def user(store: Store, name: str) -> Account:
    """An account with its directory entry."""
    return await store.admin.add_user(f"{name}@example.com", None)


async def add(
    store: Store,
    account: Account,
    start: datetime,
    minutes: int,
    *,
    folder: CollectionId | None = None,
    **changes: Any,
) -> None:
    """An event of somebody's."""
    values: dict[str, Any] = {"busy_status": BusyStatus.BUSY, "time_zone": TimeZone().dump(), "subject": "x"}
    values |= {"start_time": start, "end_time": start + timedelta(minutes=minutes), **changes}
    how = Writing(
        version=V16_1, now=NOW, uid=f"{account.user}{start:%H%M}", account=account, device_type="", supported=None
    )
    octets = written(ItemClass.CALENDAR, None, dump(Calendar(**values)), how)
    folders = await store.folders.folders(account.user)
    calendar = next(folder.id for folder in folders if folder.type is FolderType.CALENDAR)
    await store.mail.add(account.user, folder or calendar, new_item(ItemClass.CALENDAR, octets))


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


# ---- who may see it


async def grant(store: Store, owner: Account, **rights: Any) -> None:
    """What others may see of somebody's calendar."""
    await store.preferences.change_preference(owner.user, CalendarRights, lambda _: CalendarRights(**rights))


HALF = NOON + timedelta(minutes=30)


@pytest.mark.requirement("MS-ASCMD_R4298", "MS-ASCMD_R4290", "MS-ASCMD_R5411", "MS-ASCMD_R3339")
@pytest.mark.parametrize("version", [v for v in SUPPORTED if v >= V14_0], ids=str)
async def test_a_calendar_that_is_not_to_be_seen_gives_163(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    bob = await user(box.store, "bob")
    await add(box.store, bob, NOON, 30)
    await grant(box.store, bob, default=CalendarRight.NONE)
    assert await asked(box, "bob@example.com", NOON, HALF) == Availability(status=AvailabilityStatus.FAILURE)
    await grant(box.store, bob, default=CalendarRight.NONE, others={ALICE.user: CalendarRight.FREE_BUSY})
    assert (await asked(box, "bob@example.com", NOON, HALF)).merged_free_busy == "2"
    await grant(box.store, bob, default=CalendarRight.READ, others={ALICE.user: CalendarRight.NONE})
    assert (await asked(box, "bob@example.com", NOON, HALF)).status == 163


async def test_everybody_sees_the_own_calendar(box: Mailbox) -> None:
    await add(box.store, box.bench.account, NOON, 30)
    await grant(box.store, box.bench.account, default=CalendarRight.NONE)
    assert (await asked(box, "alice@example.com", NOON, HALF)).merged_free_busy == "2"


async def test_in_a_group_who_does_not_let_it_be_seen_says_nothing(box: Mailbox) -> None:
    bob, carol = await user(box.store, "bob"), await user(box.store, "carol")
    await add(box.store, bob, NOON, 30, busy_status=BusyStatus.OUT_OF_OFFICE)
    await add(box.store, carol, NOON, 30, busy_status=BusyStatus.TENTATIVE)
    members = ["bob@example.com", "carol@example.com"]
    team = DirectoryEntry(key="", display_name="Team", email="team@example.com")
    await box.store.admin.add_group(team, members)
    await grant(box.store, bob, default=CalendarRight.NONE)
    assert (await asked(box, "team@example.com", NOON, HALF)).merged_free_busy == "1"
    await grant(box.store, carol, default=CalendarRight.NONE)
    assert (await asked(box, "team@example.com", NOON, HALF)).status == 163


async def test_calendars_that_a_user_made_count(box: Mailbox) -> None:
    bob = await user(box.store, "bob")
    made = await box.store.folders.create_folder(bob.user, ROOT, "Family", FolderType.USER_CALENDAR)
    await add(box.store, bob, NOON, 30, folder=made.id)
    assert (await asked(box, "bob@example.com", NOON, HALF)).merged_free_busy == "2"


@pytest.mark.requirement("MS-ASCMD_R4295")
async def test_a_store_that_cannot_be_reached_is_temporary(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await user(box.store, "bob")

    async def down(_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(box.store.folders, "folders", down)
    assert await asked(box, "bob@example.com", NOON, HALF) == Availability(status=AvailabilityStatus.TEMPORARY_FAILURE)


# ---- the versions


def wanted(version: ProtocolVersion, *names: str, end: str | None = "2026-12-01T12:30:00.000Z") -> Element:
    """A request as it comes: with Availability and Picture."""
    times = [("StartTime", "2026-12-01T12:00:00.000Z"), *([("EndTime", end)] if end is not None else [])]
    options = [
        Element(find("ResolveRecipients:Availability"), [Element(find(f"ResolveRecipients:{n}"), t) for n, t in times]),
        Element(
            find("ResolveRecipients:Picture"),
            [Element(find("ResolveRecipients:MaxSize"), "100"), Element(find("ResolveRecipients:MaxPictures"), "1")],
        ),
    ]
    to = [Element(find("ResolveRecipients:To"), name) for name in names]
    return Element(
        find("ResolveRecipients:ResolveRecipients"), [*to, Element(find("ResolveRecipients:Options"), options)]
    )


@pytest.mark.requirement("MS-ASCMD_R6193", "MS-ASCMD_R6194", "MS-ASCMD_R6195", "MS-ASCMD_R6196", "MS-ASCMD_R6794")
@pytest.mark.requirement("MS-ASCMD_R6795", "MS-ASCMD_R6796", "MS-ASCMD_R6797", "MS-ASCMD_R6967", "MS-ASCMD_R6968")
@pytest.mark.requirement("MS-ASCMD_R6969", "MS-ASCMD_R6970", "MS-ASCMD_R6970101701", "MS-ASCMD_R6196100701")
@pytest.mark.requirement("MS-ASCMD_R6797101601", "MS-ASCMD_R6085", "MS-ASCMD_R819", "MS-ASCMD_R4291", "MS-ASCMD_R7262")
@pytest.mark.requirement("MS-ASCMD_R7264", "MS-ASCMD_R7265", "MS-ASCMD_R7267", "MS-ASCMD_R7268", "MS-ASCMD_R6518")
@pytest.mark.requirement("MS-ASCMD_R6519", "MS-ASCMD_R6520", "MS-ASCMD_R6521", "MS-ASCMD_R6521100801", "MS-ASCMD_R7206")
@pytest.mark.requirement("MS-ASCMD_R7207", "MS-ASCMD_R7208", "MS-ASCMD_R7209", "MS-ASCMD_R7209101801", "MS-ASCMD_R4624")
@pytest.mark.requirement("MS-ASCMD_R6774", "MS-ASCMD_R6775", "MS-ASCMD_R6776", "MS-ASCMD_R6777", "MS-ASCMD_R6782")
@pytest.mark.requirement("MS-ASCMD_R6783", "MS-ASCMD_R6784", "MS-ASCMD_R6785", "MS-ASCMD_R6785101601", "MS-ASCMD_R6082")
@pytest.mark.requirement("MS-ASCMD_R6083", "MS-ASCMD_R6084", "MS-ASCMD_R6084100601", "MS-ASCMD_R7511")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_each_version_gets_what_it_has(box: Mailbox, version: ProtocolVersion) -> None:
    box.bench.version = version
    bob = await user(box.store, "bob")
    await add(box.store, bob, NOON, 30)
    answer = await box.bench.run_tree(COMMAND, wanted(version, "bob@example.com"))
    assert answer.status == 1
    (recipient,) = answer.responses[0].recipients
    assert (recipient.availability is not None) == (version >= V14_0)
    assert (recipient.picture is not None) == (version >= V14_1)
    if recipient.availability is not None:
        assert recipient.availability.merged_free_busy == "2"


@pytest.mark.requirement("MS-ASCMD_R4623", "MS-ASCMD_R4617", "MS-ASCMD_R4618")
async def test_nobody_in_particular_is_not_free(box: Mailbox) -> None:
    for name in ("bob", "bobby"):
        entry = DirectoryEntry(key="", display_name=f"Bob {name}", email=f"{name}@example.com")
        await box.store.admin.add_user(entry.email, None, entry)
    answer = await box.bench.run_tree(COMMAND, wanted(V16_1, "bob b"))
    (response,) = answer.responses
    assert response.recipient_count == 2
    assert [recipient.availability for recipient in response.recipients] == [None, None]


@pytest.mark.requirement("MS-ASCMD_R3317", "MS-ASCMD_R3319", "MS-ASCMD_R3320")
async def test_the_longest_span_has_its_digits(box: Mailbox) -> None:
    await user(box.store, "bob")
    found = await asked(box, "bob@example.com", NOON, NOON + timedelta(days=42))
    assert found.merged_free_busy == "0" * 42 * 48


@pytest.mark.requirement("MS-ASCMD_R2264")
@pytest.mark.parametrize("end", ["", "soon", "2026-13-01T00:00:00.000Z", "9" * 100_000, "2026-12-01T11:00:00.000Z"])
async def test_an_end_that_is_none(box: Mailbox, end: str) -> None:
    try:
        answer = await box.bench.run_tree(COMMAND, wanted(V16_1, "bob@example.com", end=end))
    except MalformedRequest as error:
        answer = COMMAND.refuse(error, V16_1)
    assert (answer.status, answer.responses) == (5, ())
