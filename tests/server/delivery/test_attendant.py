"""The calendar attendant: what delivered mail does to calendars, and that nothing keeps the mail itself back."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eas_server.delivery.attendant import carried_out
from eas_server.delivery.calendar_items import MAX_OCTETS, CalendarItems
from eas_server.errors import StoreFull
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import ROOT
from eas_server.model.mail import FolderType
from eas_server.render.meetings.attend import Edit
from protocol.items.calendar import AttendeeStatus, BusyStatus, Calendar, MeetingStatus, ResponseType
from tests.server.commands.colleagues import BOB, Colleague, Colleagues, colleagues, meeting
from tests.server.commands.meeting_mail import CALENDAR, deliver, event, shown, write
from tests.server.render.invitations import APPLE, OUTLOOK, answer, google, ics, mail


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


async def events(one: Colleague) -> list[Calendar]:
    return list((await shown(one, CALENDAR, Calendar)).values())


@pytest.mark.parametrize("octets", [OUTLOOK, google(), APPLE, mail(ics())])
async def test_an_invitation_that_comes_again_makes_one_item(all_: Colleagues, octets: bytes) -> None:
    for _ in range(3):
        await deliver(all_, octets)
    found = await event(all_.bob)
    assert (found.meeting_status, found.response_type) == (MeetingStatus.RECEIVED, ResponseType.NOT_RESPONDED)
    assert len(await all_.bob.mail()) == 3


async def test_several_at_once_make_one_item(all_: Colleagues) -> None:
    await asyncio.gather(*(deliver(all_, mail(ics())) for _ in range(5)))
    assert len(await events(all_.bob)) == 1


async def test_everybody_in_a_group_gets_an_item(all_: Colleagues) -> None:
    team = DirectoryEntry(key="", display_name="Team", email="team@example.com")
    await all_.box.store.admin.add_group(team, ["bob@example.com", "carol@example.com"])
    await deliver(all_, mail(ics(attendees=("ATTENDEE:mailto:team@example.com",))), "team@example.com")
    for one in (all_.bob, all_.carol):
        assert (await event(one)).busy_status is BusyStatus.TENTATIVE


async def test_an_update_and_a_cancellation(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    await deliver(all_, mail(ics(sequence=1, summary="Moved", start="DTSTART:20261201T093000Z")))
    assert (await event(all_.bob)).subject == "Moved"
    await deliver(all_, mail(ics("CANCEL", sequence=2)))
    found = await event(all_.bob)
    assert (found.meeting_status, found.subject) == (MeetingStatus.CANCELLED_RECEIVED, "Canceled: Moved")


async def test_a_forged_cancellation_comes_and_does_nothing(all_: Colleagues) -> None:
    await deliver(all_, mail(ics()))
    await deliver(all_, mail(ics("CANCEL", sequence=1), sender="Mallory <mallory@example.com>"))
    assert (await event(all_.bob)).meeting_status is MeetingStatus.RECEIVED
    assert len(await all_.bob.mail()) == 2
    by_secretary = mail(ics("CANCEL", sequence=1), sender="Mallory <mallory@example.com>", Sender="alice@example.com")
    await deliver(all_, by_secretary)
    assert (await event(all_.bob)).meeting_status is MeetingStatus.CANCELLED_RECEIVED


async def test_an_answer_of_somebody_elsewhere(all_: Colleagues) -> None:
    guest = "guest@elsewhere.example"
    await all_.alice.add(meeting(guest))
    uid = (await event(all_.alice)).uid
    assert uid is not None
    told = mail(answer("ACCEPTED", guest, uid=uid), "REPLY", sender=guest, to="alice@example.com")
    await deliver(all_, told, "alice@example.com")
    found = await event(all_.alice)
    assert [a.status for a in found.attendees or ()] == [AttendeeStatus.ACCEPTED]
    assert found.appointment_reply_time is None
    await all_.alice.sync()  # the device gets it as a change


async def test_the_organizers_own_copy_does_nothing(all_: Colleagues) -> None:
    await write(all_.alice, mail(ics(), to="bob@example.com, alice@example.com"))
    assert await events(all_.alice) == []
    assert len(await all_.alice.mail()) == 1
    assert len(await events(all_.bob)) == 1


@pytest.mark.parametrize(
    "octets",
    [
        mail(b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
        mail(ics(start="DTSTART:nonsense")),
        mail(ics(uid="")),
        mail(ics(more=("RRULE:FREQ=SECONDLY;COUNT=99999999999",))),
        mail(ics(more=("RRULE:FREQ=DAILY;UNTIL=99991231T235959Z", "EXDATE:" + ",".join(["20261202T090000Z"] * 5000)))),
        mail(ics(more=tuple(["RECURRENCE-ID:20261202T090000Z"] * 100))),
        mail(ics(start="DTSTART:16010101T000000Z", end="DTEND:99991231T235959Z")),
        mail(ics(organizer="ORGANIZER:" + "x" * 100_000)),
        mail(ics("CANCEL", sequence=10**18)),
        mail(answer("ACCEPTED", "\\;" * 1000)),
        mail(ics(more=("ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "A" * MAX_OCTETS,))),
        mail(b"BEGIN:VCALENDAR\r\n" * 1000 + b"METHOD:REQUEST\r\n"),
        mail(ics().replace(b"SUMMARY", b"\xff\xfe\x00SUMMARY")),
    ],
)
async def test_what_is_broken_or_huge_is_delivered_and_does_no_harm(all_: Colleagues, octets: bytes) -> None:
    await deliver(all_, octets)
    assert len(await all_.bob.mail()) == 1
    await shown(all_.bob, CALENDAR, Calendar)
    await deliver(all_, mail(ics(uid="afterwards@example.com")))
    assert "afterwards@example.com" in [found.uid for found in await events(all_.bob)]


async def test_ten_thousand_attendees(all_: Colleagues) -> None:
    many = tuple(f"ATTENDEE;CN=User {n};RSVP=TRUE:mailto:u{n}@example.com" for n in range(10_000))
    await deliver(all_, mail(ics(attendees=many)))
    found = await event(all_.bob)
    assert len(found.attendees or ()) == 500


async def test_a_mail_that_only_looks_like_one(all_: Colleagues) -> None:
    encoded = base64.encodebytes(ics()).replace(b"\n", b"\r\n")
    octets = (
        b"From: alice@example.com\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + mail(ics()) + b"\r\n--b\r\nContent-Type: application/ics\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded + b"--b--\r\n"
    )
    await deliver(all_, octets)
    assert await events(all_.bob) == []
    (held,) = await all_.bob.mail()
    assert held.item.index.message_class == "IPM.Note"
    assert len(held.item.index.attachments) == 2


async def test_a_full_mailbox_is_logged(
    all_: Colleagues, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: Any) -> None:
        raise StoreFull

    monkeypatch.setattr(CalendarItems, "add", full)
    with caplog.at_level(logging.WARNING):
        await deliver(all_, mail(ics()))
    assert "did not reach the calendar" in caplog.text
    assert len(await all_.bob.mail()) == 1


async def test_an_item_that_is_changed_meanwhile_is_changed_again(
    all_: Colleagues, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await deliver(all_, mail(ics()))
    replace, tries = CalendarItems.replace, []

    async def overtaken(self: CalendarItems, held: Any, octets: bytes) -> bool:
        tries.append(1)
        return await replace(self, held, octets) if len(tries) == 3 else False

    monkeypatch.setattr(CalendarItems, "replace", overtaken)
    await deliver(all_, mail(ics(sequence=1, summary="New")))
    assert (await event(all_.bob)).subject == "New"
    tries[:] = [1, 1, 1]
    with caplog.at_level(logging.WARNING):
        await deliver(all_, mail(ics(sequence=2, summary="Newer")))
    assert "is changed all the time" in caplog.text


async def test_calendars_beside_the_first_one(all_: Colleagues) -> None:
    """An item that the user has moved into another calendar is found there."""
    store, user = all_.box.store, BOB.user
    other = await store.folders.create_folder(user, ROOT, "Travel", FolderType.USER_CALENDAR)
    await deliver(all_, mail(ics()))
    (item,) = await all_.bob.items(CALENDAR)
    await store.mail.move(user, all_.bob.folders[CALENDAR], [item.id], other.id)
    await deliver(all_, mail(ics("CANCEL", sequence=1)))
    assert await events(all_.bob) == []
    items = CalendarItems(user, store.folders, store.mail, store.mail)
    (held,) = await items.of_meeting("meeting-1@example.com")
    assert held.collection == other.id
    assert b"STATUS:CANCELLED" in held.octets
    assert await carried_out(items, [held], [Edit(0, None), Edit(None, b"x" * (MAX_OCTETS + 1))])
    assert await items.of_meeting("meeting-1@example.com") == []
