"""Meeting mail that delegates get for another."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.commands import smart_forward, smart_reply
from eas_server.commands.server_mail import ServerMail, send_server_mail
from eas_server.model.mail import FolderType
from eas_server.model.preferences import Delegates
from protocol.commands.compose_mail import Source
from protocol.commands.smart_forward import Request
from protocol.commands.smart_reply import Request as ReplyRequest
from protocol.commands.sync import Options
from protocol.elements import Opaque
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.calendar import Calendar, Sensitivity
from protocol.schema import dump
from protocol.versions import SUPPORTED, V14_1, ProtocolVersion
from tests.server.commands.colleagues import BOB, CAROL, Colleague, Colleagues, Mail, colleagues, meeting
from tests.server.commands.mailbox import Phone, message
from tests.server.delivery.house import House, house

BOSS = "bob@example.com"


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    """Carol stands in for Bob."""
    async with colleagues(tmp_path) as made:
        await delegate(made)
        yield made


async def delegate(all_: Colleagues, *, only: bool = False) -> None:
    kept = Delegates(users=(CAROL.user, BOB.user), only=only)
    await all_.box.store.preferences.change_preference(BOB.user, Delegates, lambda _: kept)


async def only_mail(who: Colleague, folder: FolderType = FolderType.INBOX) -> Mail:
    (mail,) = await who.mail(folder)
    return mail


@pytest.mark.requirement(
    *("MS-ASCMD_R5600", "MS-ASCMD_R5604", "MS-ASCMD_R5605", "MS-ASCMD_R5606", "MS-ASCMD_R5607", "MS-ASCMD_R5608"),
    *("MS-ASCMD_R5609", "MS-ASCMD_R5610", "MS-ASCMD_R5611", "MS-ASCMD_R5613", "MS-ASCMD_R5614", "MS-ASCMD_R5615"),
    *("MS-ASCMD_R5617", "MS-ASCMD_R5618", "MS-ASCMD_R5619", "MS-ASCMD_R5620", "MS-ASCMD_R5622", "MS-ASCMD_R5623"),
)
async def test_the_delegate_gets_a_substitute(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOSS))
    original, copy = await only_mail(all_.bob), await only_mail(all_.carol)
    held, index = original.item.index, copy.item.index
    assert index.to == "carol@example.com" or "<carol@example.com>" in index.to
    assert index.cc == ""
    assert index.sender == held.sender
    assert index.subject == "Meeting request for bob: Stand-up"
    assert copy.item.received == original.item.received
    assert (index.message_class, index.content_class) == ("IPM.Note", "urn:content-classes:message")
    for name in (
        *("display_to", "thread_topic", "importance", "codepage", "native_body_type"),
        *("conversation_id", "conversation_index", "date"),
    ):
        assert getattr(index, name) == getattr(held, name), name
    text = copy.message.get_body(("plain",))
    assert text is not None
    assert "Tuesday, 1 December 2026, 09:00 - 10:00 (UTC)" in text.get_content()
    assert "delegate of bob" in index.preview
    assert index.size + copy.item.index_offset == len(copy.octets)


@pytest.mark.requirement("MS-ASCMD_R5604", "MS-ASCMD_R5605", "MS-ASCMD_R5609", "MS-ASCMD_R5613", "MS-ASCMD_R5614")
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_a_device_of_the_delegate_gets_a_message(all_: Colleagues, version: ProtocolVersion) -> None:
    await all_.alice.add(meeting(BOSS))
    bench = all_.carol.bench
    bench.version = version
    phone = Phone(bench, all_.carol.folders[FolderType.INBOX])
    await phone.all(options=Options(body_preferences=(BodyPreference(type=BodyType.PLAIN),)))
    (seen,) = phone.items.values()
    assert seen.to is not None
    assert "carol@example.com" in seen.to
    assert not seen.cc
    assert seen.display_to == "Bob"
    assert seen.message_class == "IPM.Note"
    assert seen.meeting_request is None
    assert seen.attachments is None
    assert isinstance(seen.body, Body)
    assert "1 December 2026" in str(seen.body.data)


@pytest.mark.requirement("MS-ASCMD_R5704", "MS-ASCMD_R5833")
async def test_the_user_gets_the_meeting_as_ever(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOSS))
    assert (await only_mail(all_.bob)).method == "REQUEST"
    assert len(await all_.bob.events()) == 1
    assert await all_.carol.events() == []


async def test_delegates_alone(all_: Colleagues) -> None:
    await delegate(all_, only=True)
    await all_.alice.add(meeting(BOSS))
    assert await all_.bob.mail() == []
    assert (await only_mail(all_.bob, FolderType.DELETED_ITEMS)).method == "REQUEST"
    assert len(await all_.bob.events()) == 1
    assert (await only_mail(all_.carol)).subject == "Meeting request for bob: Stand-up"


async def test_cancellations_and_answers_too(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOSS))
    await all_.alice.delete(name)
    assert [mail.subject for mail in await all_.carol.mail()] == [
        "Meeting request for bob: Stand-up",
        "Meeting of bob was canceled: Canceled: Stand-up",
    ]


async def test_other_mail_is_the_users_own(all_: Colleagues) -> None:
    await all_.box.deliver(message("Private"))
    await all_.alice.add(meeting("carol@example.com"))
    assert [mail.subject for mail in await all_.carol.mail()] == ["Stand-up"]
    assert await all_.bob.mail() == []


async def test_private_meetings_are_nobodys_business(all_: Colleagues) -> None:
    await delegate(all_, only=True)
    await all_.alice.add(meeting(BOSS, sensitivity=Sensitivity.PRIVATE))
    assert await all_.carol.mail() == []
    assert (await only_mail(all_.bob)).method == "REQUEST"


async def test_answers_to_private_meetings_neither(all_: Colleagues) -> None:
    for sensitivity in (Sensitivity.PRIVATE, Sensitivity.NORMAL):
        await all_.bob.add(
            meeting("alice@example.com", sensitivity=sensitivity, subject=sensitivity.name), sensitivity.name
        )
    for mail in await all_.alice.mail():
        answer = b"\r\n".join(
            [
                *(b"From: alice@example.com", b"To: bob@example.com", b"Subject: Accepted"),
                *(
                    b"Content-Type: text/calendar; method=REPLY",
                    b"",
                    b"BEGIN:VCALENDAR",
                    b"METHOD:REPLY",
                    b"BEGIN:VEVENT",
                ),
                *(b"UID:" + (mail.event.text("UID") or "").encode(), b"DTSTART:20261201T090000Z"),
                *(b"SUMMARY:" + mail.subject.encode(), b"ORGANIZER:mailto:bob@example.com"),
                *(b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com", b"END:VEVENT", b"END:VCALENDAR", b""),
            ]
        )
        ctx = await all_.alice.bench.context("SendMail")
        await send_server_mail(ServerMail(octets=answer, recipients=[BOSS]), ctx)
    (passed_on,) = await all_.carol.mail()
    assert b"NORMAL" in passed_on.octets
    assert len(await all_.bob.mail()) == 2


async def test_whoever_is_invited_too_gets_both(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOSS, "carol@example.com"))
    assert sorted(mail.item.index.message_class for mail in await all_.carol.mail()) == [
        "IPM.Note",
        "IPM.Schedule.Meeting.Request",
    ]
    assert len(await all_.carol.events()) == 1


async def test_who_invites_the_boss_needs_no_copy(all_: Colleagues) -> None:
    name = await all_.carol.add(meeting(BOSS))
    await all_.carol.change(name, Calendar(subject="Other"))
    assert await all_.carol.mail() == []
    assert len(await all_.bob.mail()) == 2


async def test_what_no_delegate_gets_is_the_users_own(all_: Colleagues) -> None:
    await delegate(all_, only=True)
    await all_.carol.add(meeting(BOSS))
    assert (await only_mail(all_.bob)).method == "REQUEST"


@pytest.mark.requirement("MS-ASCMD_R5625", "MS-ASCMD_R5627", "MS-ASCMD_R5628")
async def test_the_original_goes_along(all_: Colleagues) -> None:
    await all_.alice.add(meeting(BOSS))
    copy = await only_mail(all_.carol)
    assert copy.item.index.attachments == ()
    all_.speak(V14_1)
    name = f"{all_.carol.folders[FolderType.INBOX]}:{copy.item.id}"
    mime = Opaque(b"To: alice@example.com\r\nSubject: Well\r\n\r\nYes.\r\n")
    bench = all_.carol.calendar.bench
    await bench.run_tree(
        smart_reply.COMMAND, dump(ReplyRequest(client_id="1", source=Source(item_id=name), mime=mime), V14_1)
    )
    await bench.run_tree(
        smart_forward.COMMAND, dump(Request(client_id="2", source=Source(item_id=name), mime=mime), V14_1)
    )
    reply, forward = await all_.alice.mail()
    for mail in (reply, forward):
        inner = next(part for part in mail.message.walk() if part.get_content_type() == "message/rfc822")
        assert b"METHOD:REQUEST" in inner.as_bytes()
        assert mail.item.index.message_class == "IPM.Note"


# ---- mail from elsewhere


def invitation(*guests: str) -> bytes:
    lines = [f"ATTENDEE:mailto:{guest}" for guest in guests]
    calendar = "\r\n".join(
        [
            *(
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "METHOD:REQUEST",
                "BEGIN:VEVENT",
                "UID:far",
                "DTSTAMP:20261101T000000Z",
            ),
            *("DTSTART:20261201T090000Z", "DTEND:20261201T100000Z", "SUMMARY:Far"),
            *("ORGANIZER:mailto:dan@elsewhere.example", *lines, "END:VEVENT", "END:VCALENDAR", ""),
        ]
    )
    return (
        "From: Dan <dan@elsewhere.example>\r\nTo: " + ", ".join(guests) + "\r\nSubject: Far\r\n"
        "Message-ID: <far@elsewhere.example>\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
        + calendar
    ).encode()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        kept = Delegates(users=(CAROL.user,))
        await made.store.preferences.change_preference(BOB.user, Delegates, lambda _: kept)
        yield made


async def test_mail_from_elsewhere_is_passed_on(home: House) -> None:
    await home.comes(invitation(BOSS), "dan@elsewhere.example", BOSS)
    assert await home.subjects("bob") == ["Far"]
    assert await home.subjects("carol") == ["Meeting request for bob: Far"]


async def test_mail_to_a_group_is_passed_on(home: House) -> None:
    await home.comes(invitation("team@example.com"), "dan@elsewhere.example", "team@example.com")
    assert await home.subjects("carol") == ["Far", "Meeting request for bob: Far"]
    assert await home.subjects("alice") == ["Far"]


async def test_what_the_user_has_no_room_for_is_not_passed_on(home: House) -> None:
    """The other server tries again, and nothing may come twice or get lost by that."""
    await home.store.admin.set_quota(BOB.user, 1)
    with pytest.raises(AssertionError):
        await home.comes(invitation(BOSS), "dan@elsewhere.example", BOSS)
    assert await home.subjects("carol") == []


async def test_a_delegate_without_room_holds_up_nobody(home: House) -> None:
    await home.store.admin.set_quota(CAROL.user, 1)
    await home.comes(invitation(BOSS), "dan@elsewhere.example", BOSS)
    assert await home.subjects("bob") == ["Far"]
