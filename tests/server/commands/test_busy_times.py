"""What is kept of calendars says what the store says, whatever is done to them in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas_server.backends.memory import MemoryStore
from eas_server.commands import busy_times
from eas_server.commands.busy_times import BusyTimes
from eas_server.commands.kept_items import new_item
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import ROOT, CollectionId, ItemId
from eas_server.model.mail import FolderType, ItemClass, MessageIndex
from protocol.items.calendar import BusyStatus
from tests.server.commands.mailbox import mailbox
from tests.server.commands.support import ALICE

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = timedelta(days=7)
UNTIL_THEN = "RRULE:FREQ=DAILY;COUNT=5\r\n"


def event(hour: int, *, minutes: int = 60, rule: str = "", transp: str = "OPAQUE") -> Any:
    """An event so many hours after Monday."""
    start = MONDAY + timedelta(hours=hour)
    lines = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{hour}\r\nDTSTART:{start:%Y%m%dT%H%M%SZ}\r\n"
        f"DTEND:{start + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}\r\nTRANSP:{transp}\r\n{rule}END:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )
    return new_item(ItemClass.CALENDAR, lines.encode())


class Ground:
    """A calendar of alice's."""

    def __init__(self, store: Any) -> None:
        self.mail = store.mail
        self.kept = BusyTimes()
        self.folder = CollectionId("")

    async def begin(self, folders: Any) -> "Ground":
        self.folder = next(f.id for f in await folders.folders(ALICE.user) if f.type is FolderType.CALENDAR)
        return self

    async def hours(self, kept: BusyTimes | None = None, start: datetime = MONDAY, span: timedelta = WEEK) -> list[int]:
        """The hours after Monday at which something begins."""
        found = await (kept or self.kept).of(ALICE, self.folder, start, start + span, self.mail)
        return sorted(int((one.start - MONDAY) / timedelta(hours=1)) for one in found)


async def memory_ground() -> Ground:
    store = MemoryStore()
    await store.admin.add_user(str(ALICE.user), None)
    return await Ground(store).begin(store.folders)


async def test_changes_are_taken_over() -> None:
    ground = await memory_ground()
    one = await ground.mail.add(ALICE.user, ground.folder, event(9))
    await ground.mail.add(ALICE.user, ground.folder, event(30, rule=UNTIL_THEN))
    await ground.mail.add(ALICE.user, ground.folder, event(12, transp="TRANSPARENT"))
    assert await ground.hours() == [9, 30, 54, 78, 102, 126]
    await ground.mail.replace(ALICE.user, ground.folder, one.id, event(10), one.revision)
    await ground.mail.add(ALICE.user, ground.folder, event(11))
    assert await ground.hours() == [10, 11, 30, 54, 78, 102, 126]
    await ground.mail.delete(ALICE.user, ground.folder, [one.id])
    assert await ground.hours() == [11, 30, 54, 78, 102, 126]


async def test_an_event_that_moves_into_the_past_is_gone() -> None:
    ground = await memory_ground()
    one = await ground.mail.add(ALICE.user, ground.folder, event(9))
    assert await ground.hours() == [9]
    await ground.mail.replace(ALICE.user, ground.folder, one.id, event(-24 * 60), one.revision)
    assert await ground.hours() == []


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        ("DTSTART:20261123T090000Z\r\nDTEND:20261123T100000Z", True),
        ("DTSTART;TZID=Europe/Berlin:20261123T100000\r\nDTEND;TZID=Europe/Berlin:20261123T110000", True),
        ("DTSTART:20261123T090000\r\nDTEND:20261123T100000", False),
        ("DTSTART;TZID=Nowhere:20261123T090000\r\nDTEND;TZID=Nowhere:20261123T100000", False),
        ("DTSTART;VALUE=DATE:20261123", False),
        ("DTSTART:20261123T090000Z\r\nRRULE:FREQ=DAILY", False),
    ],
)
def test_what_the_store_knows_of_an_event(lines: str, known: bool) -> None:
    octets = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    begin = int((MONDAY + timedelta(hours=9)).timestamp())
    found = new_item(ItemClass.CALENDAR, octets).index.takes_place
    assert found == ((begin, begin + 3600, BusyStatus.BUSY) if known else None)


async def test_other_times_than_those_kept() -> None:
    ground = await memory_ground()
    await ground.mail.add(ALICE.user, ground.folder, event(9, rule="RRULE:FREQ=WEEKLY\r\n"))
    for weeks in (0, 40, -1, 3):
        assert len(await ground.hours(start=MONDAY + weeks * WEEK)) == (weeks >= 0)


async def test_nothing_is_read_twice(tmp_path: Path) -> None:
    read: list[str] = []

    class Counting:
        def __init__(self, mail: Any) -> None:
            self._mail = mail

        def __getattr__(self, name: str) -> Any:
            read.append(name)
            return getattr(self._mail, name)

    async with mailbox(tmp_path) as box:
        ground = await Ground(box.store).begin(box.store.folders)
        await ground.mail.add(ALICE.user, ground.folder, event(9))
        ground.mail = Counting(box.store.mail)
        for _ in range(3):
            assert await ground.hours() == [9]
    assert read == ["tokens", "page", "fetch", "tokens", "tokens"]


async def test_octets_that_are_no_event_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    ground = await memory_ground()
    octets = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    broken = replace(event(9), content=MemoryBlob(octets), index=MessageIndex(size=len(octets)))
    await ground.mail.add(ALICE.user, ground.folder, broken)
    await ground.mail.add(ALICE.user, ground.folder, event(10))
    assert await ground.hours() == [10]
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("start", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - WEEK], ids=str)
async def test_the_ends_of_time(start: datetime) -> None:
    ground = await memory_ground()
    await ground.mail.add(ALICE.user, ground.folder, event(9))
    assert await ground.hours(start=start) == []


async def test_a_calendar_that_is_gone() -> None:
    ground = await memory_ground()
    ground.folder = CollectionId("no such")
    assert await ground.hours() == []


async def test_only_so_many_calendars_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_times, "KEPT", 1)
    store = MemoryStore()
    await store.admin.add_user(str(ALICE.user), None)
    ground = await Ground(store).begin(store.folders)
    more = await store.folders.create_folder(ALICE.user, ROOT, "More", FolderType.USER_CALENDAR)
    for folder, hour in ((ground.folder, 9), (more.id, 10), (ground.folder, 9)):
        ground.folder = folder
        if not await ground.hours():
            await ground.mail.add(ALICE.user, folder, event(hour))
        assert await ground.hours() == [hour]
    assert list(ground.kept._held) == [(ALICE.user, ground.folder)]


changes = st.lists(
    st.tuples(st.sampled_from(["add", "replace", "delete", "ask"]), st.integers(-400, 400), st.integers(1, 8)),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(changes=changes)
async def test_what_is_kept_says_what_the_store_says(changes: list[tuple[str, int, int]]) -> None:
    ground = await memory_ground()
    for what, hour, number in changes:
        there = await ground.mail.fetch(ALICE.user, ground.folder, [ItemId(number)])
        rule = UNTIL_THEN if hour % 3 == 0 else ""
        if what == "add":
            await ground.mail.add(ALICE.user, ground.folder, event(hour, rule=rule))
        elif what == "replace" and there:
            new = event(hour, rule=rule)
            await ground.mail.replace(ALICE.user, ground.folder, ItemId(number), new, there[0].revision)
        elif what == "delete":
            await ground.mail.delete(ALICE.user, ground.folder, [ItemId(number)])
        else:
            start = MONDAY + timedelta(hours=hour)
            assert await ground.hours(start=start) == await ground.hours(BusyTimes(), start=start)
