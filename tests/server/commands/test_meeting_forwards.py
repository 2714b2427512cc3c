"""SmartForward and SmartReply about calendar items, and what the organizer hears of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import smart_forward, smart_reply
from eas_server.errors import CommandError, StoreUnavailable
from eas_server.interfaces import Receipt, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.mail import FolderType, MessageIndex, NewMessage, Verb
from protocol import wbxml
from protocol.commands.compose_mail import PRESENT, Source
from protocol.commands.smart_forward import Forwardee, Forwardees, Request
from protocol.commands.smart_reply import Request as ReplyRequest
from protocol.elements import Element, Opaque
from protocol.http import CommandLine
from protocol.items.airsyncbase import Body, BodyType, Location
from protocol.items.calendar import Calendar, Recurrence, RecurrenceType
from protocol.schema import dump
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.colleagues import Colleague, Colleagues, colleagues, meeting
from tests.server.commands.support import NOW

BOB, CAROL = "bob@example.com", "carol@example.com"
WEEKLY = Recurrence(type=RecurrenceType.WEEKLY, interval=1, day_of_week=4, occurrences=5)
SECOND = "2026-12-08T09:00:00.000Z"
NOTE = FolderType.DELETED_ITEMS
MODERN = [version for version in SUPPORTED if version >= V16_0]
PLAIN = b"To: Carol <carol@example.com>\r\nSubject: FW: Come\r\n\r\nLook at this.\r\n"


@pytest.fixture
async def all_(tmp_path: Path) -> AsyncIterator[Colleagues]:
    async with colleagues(tmp_path) as made:
        yield made


def body(text: str = "Come along", type_: BodyType = BodyType.PLAIN) -> Element:
    return dump(Body(type=type_, data=text), V16_1)


def to(*addresses: str) -> Forwardees:
    return Forwardees(forwardees=tuple(Forwardee(name=a.partition("@")[0].title(), email=a) for a in addresses))


async def ask(who: Colleague, request: Any, command: Any = smart_forward.COMMAND) -> Any:
    """The answer, or the Status of a CommandError."""
    bench = who.calendar.bench
    ctx = await bench.context(command.name)
    try:
        read = command.read(wbxml.encode(dump(request, bench.version)).join(), ctx.line, bench.version)
        return await command.handle(read, ctx)
    except CommandError as error:
        return error.status


async def invited(all_: Colleagues, **changes: Any) -> str:
    """Alice invites Bob; the ServerId of Bob's item."""
    await all_.alice.add(meeting(BOB, **changes))
    answer = await all_.bob.sync()
    (add,) = answer.commands.commands
    return str(add.server_id)


# ---- Forwardees


@pytest.mark.requirement("MS-ASCMD_R537", "MS-ASCMD_R568", "MS-ASCMD_R6629", "MS-ASCMD_R6659", "MS-ASAIRS_R1332")
@pytest.mark.parametrize("version", MODERN)
async def test_an_attendee_forwards_the_meeting(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(version)
    name = await invited(all_)
    request = Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL), body=body())
    assert await ask(all_.bob, request) is None
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    assert mail.subject == "FW: Stand-up"
    assert mail.message["From"] == "Bob <bob@example.com>"
    assert mail.message["To"] == "Carol <carol@example.com>"
    assert mail.event.text("ORGANIZER") == "mailto:alice@example.com"
    assert [line.value for line in mail.event.all("ATTENDEE")] == ["mailto:bob@example.com", "mailto:carol@example.com"]
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines()[:3] == [
        "Come along",
        "",
        "When: Tuesday, 1 December 2026, 09:00 - 10:00 (UTC)",
    ]
    assert [m.method for m in await all_.bob.mail(FolderType.SENT_ITEMS)] == ["REQUEST"]
    (note,) = await all_.alice.mail(NOTE)
    assert note.subject == "Meeting Forward Notification: Stand-up"
    assert note.item.index.message_class == "IPM.Notification.Meeting.Forward"
    assert b"carol@example.com" in note.octets
    assert note.message["From"] == "Bob <bob@example.com>"
    assert await all_.alice.mail() == []


async def test_the_same_forward_again(all_: Colleagues) -> None:
    name = await invited(all_)
    request = Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL))
    assert await ask(all_.bob, request) is None
    assert await ask(all_.bob, request) == CommonStatus.MESSAGE_PREVIOUSLY_SENT
    assert len(await all_.carol.mail()) == 1
    assert len(await all_.alice.mail(NOTE)) == 1


async def test_the_organizer_forwards_without_being_told(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    request = Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL))
    assert await ask(all_.alice, request) is None
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    assert await all_.alice.mail(NOTE) == []


@pytest.mark.requirement("MS-ASCMD_R6105")
async def test_an_appointment_is_forwarded_for_information(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting())
    assert await ask(all_.alice, Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL))) is None
    (mail,) = await all_.carol.mail()
    assert (mail.method, mail.event.all("ATTENDEE")) == ("PUBLISH", ())


@pytest.mark.requirement("MS-ASCMD_R538", "MS-ASCMD_R539", "MS-ASCMD_R5834", "MS-ASCMD_R3200")
async def test_an_occurrence_or_the_series_is_forwarded(all_: Colleagues) -> None:
    name = await invited(all_, recurrence=WEEKLY)
    source = Source(item_id=name, instance_id=SECOND)
    assert await ask(all_.bob, Request(client_id="1", source=source, forwardees=to(CAROL))) is None
    assert await ask(all_.bob, Request(client_id="2", source=Source(item_id=name), forwardees=to(CAROL))) is None
    one, series = await all_.carol.mail()
    assert (one.event.text("RECURRENCE-ID"), one.event.first("RRULE")) == ("20261208T090000Z", None)
    assert series.event.first("RRULE") is not None


async def test_an_invitation_in_the_inbox_is_forwarded(all_: Colleagues) -> None:
    await invited(all_)
    (item,) = await all_.bob.items(FolderType.INBOX)
    name = f"{all_.bob.folders[FolderType.INBOX]}:{item.id}"
    assert await ask(all_.bob, Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL))) is None
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    assert len(await all_.alice.mail(NOTE)) == 1
    (item,) = await all_.bob.items(FolderType.INBOX)
    assert item.state.verb is Verb.FORWARD


@pytest.mark.requirement("MS-ASCMD_R541", "MS-ASCMD_R4918", "MS-ASCMD_R4919", "MS-ASCMD_R4930")
@pytest.mark.parametrize(
    ("recurs", "instance", "status"),
    [
        (True, "tomorrow", CommonStatus.INVALID_DATE_TIME),
        (True, "2026-12-09T09:00:00.000Z", CommonStatus.ITEM_NOT_FOUND),
        (True, "2026-12-15T09:00:00.000Z", CommonStatus.ITEM_NOT_FOUND),
        (False, SECOND, CommonStatus.NO_RECURRENCE_IN_CALENDAR),
    ],
)
@pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
async def test_an_instance_that_is_not_there(
    all_: Colleagues, recurs: bool, instance: str, status: CommonStatus, version: ProtocolVersion
) -> None:
    name = await all_.alice.add(meeting(BOB, recurrence=WEEKLY if recurs else None))
    if recurs:
        await all_.alice.delete(name, "20261215T090000Z")
    all_.speak(version)
    source = Source(item_id=name, instance_id=instance)
    assert await ask(all_.alice, Request(client_id="1", source=source, mime=Opaque(PLAIN))) == status
    reply = ReplyRequest(client_id="2", source=source, mime=Opaque(PLAIN))
    assert await ask(all_.alice, reply, smart_reply.COMMAND) == status
    if version >= V16_0:
        assert await ask(all_.alice, Request(client_id="3", source=source, forwardees=to(CAROL))) == status
    assert await all_.carol.mail() == []


@pytest.mark.requirement("MS-ASCMD_R7176", "MS-ASCMD_R7467", "MS-ASCMD_R7468")
@pytest.mark.parametrize(
    "beside", [{"mime": Opaque(PLAIN)}, {"save_in_sent_items": PRESENT}, {"replace_mime": PRESENT}], ids=str
)
@pytest.mark.parametrize("own", [{"forwardees": to(CAROL)}, {"body": body()}], ids=["forwardees", "body"])
async def test_what_may_not_stand_beside(all_: Colleagues, own: dict[str, Any], beside: dict[str, Any]) -> None:
    name = await all_.alice.add(meeting(BOB))
    request = Request(client_id="1", source=Source(item_id=name), **own, **beside)
    assert await ask(all_.alice, request) == CommonStatus.INVALID_MIME_BODY_COMBINATION


@pytest.mark.requirement("MS-ASCMD_R7470", "MS-ASCMD_R6625")
@pytest.mark.parametrize(
    "own",
    [
        {"forwardees": Forwardees()},
        {"forwardees": to("")},
        {"forwardees": to("x@example.com\r\nBcc: y@example.com")},
        {"forwardees": to("a@example.com, b@example.com")},
        {"forwardees": to(CAROL), "body": body("x", BodyType.MIME)},
        {"forwardees": to(CAROL), "body": Element(body().tag, [])},
    ],
    ids=["none", "empty", "two lines", "two addresses", "a body of MIME", "an empty body"],
)
async def test_parameters_that_cannot_be_read(all_: Colleagues, own: dict[str, Any]) -> None:
    name = await all_.alice.add(meeting(BOB))
    request = Request(client_id="1", source=Source(item_id=name), **own)
    assert await ask(all_.alice, request) == CommonStatus.INVALID_SMART_FORWARD_PARAMETERS


@pytest.mark.parametrize(
    ("own", "status"),
    [
        ({"body": body()}, CommonStatus.MESSAGE_HAS_NO_RECIPIENT),
        ({"forwardees": to("ghost")}, CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED),
        ({"forwardees": to(*(f"g{n}@elsewhere.example" for n in range(1001)))}, CommonStatus.SEND_QUOTA_EXCEEDED),
        ({"forwardees": to(CAROL), "account_id": "x"}, CommonStatus.INVALID_ACCOUNT_ID),
    ],
    ids=["nobody", "unknown", "too many", "account"],
)
async def test_forwardees_whom_nothing_can_go_to(all_: Colleagues, own: dict[str, Any], status: CommonStatus) -> None:
    name = await all_.alice.add(meeting(BOB))
    assert await ask(all_.alice, Request(client_id="1", source=Source(item_id=name), **own)) == status
    assert await all_.queue() == []


@pytest.mark.requirement("MS-ASCMD_R7177")
async def test_a_message_is_not_forwarded_so(all_: Colleagues) -> None:
    number = await all_.box.deliver(PLAIN)
    source = Source(item_id=f"1:{number}")
    assert await ask(all_.alice, Request(client_id="1", source=source, forwardees=to(CAROL))) == 150
    assert await ask(all_.alice, Request(client_id="1", source=Source(item_id="7:99"), forwardees=to(CAROL))) == 150


async def test_words_in_html_stand_above_the_event(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB, location=Location(display_name="<Upstairs>")))
    own = body("<p>Come <b>along</b></p>", BodyType.HTML)
    request = Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL), body=own)
    assert await ask(all_.alice, request) is None
    (mail,) = await all_.carol.mail()
    text = mail.message.get_body(("html",))
    assert text is not None
    assert text.get_content().startswith("<p>Come <b>along</b></p>")
    assert "Where: &lt;Upstairs&gt;" in text.get_content()


class Failing:
    """A submission that is out of order."""

    async def submit(self, submission: Submission) -> Receipt:
        raise StoreUnavailable("away")


async def test_a_forward_that_cannot_be_sent(all_: Colleagues) -> None:
    name = await all_.alice.add(meeting(BOB))
    all_.alice.calendar.bench.submission = Failing()
    request = Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL))
    assert await ask(all_.alice, request) == CommonStatus.MAIL_SUBMISSION_FAILED


@pytest.mark.parametrize("own", [{"forwardees": to(CAROL)}, {"mime": Opaque(PLAIN)}], ids=["forwardees", "mime"])
async def test_an_item_that_is_no_event(all_: Colleagues, own: dict[str, Any]) -> None:
    octets = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    made = NewMessage(content=MemoryBlob(octets), index=MessageIndex(size=len(octets)), text="", received=NOW)
    alice = all_.alice
    place = alice.folders[FolderType.CALENDAR]
    entry = await all_.box.store.mail.add(alice.bench.account.user, place, made)
    for source in (Source(item_id=f"{place}:{entry.id}"), Source(item_id=f"{place}:{entry.id}", instance_id=SECOND)):
        assert await ask(alice, Request(client_id="1", source=source, **own)) == CommonStatus.ITEM_NOT_FOUND


# ---- Mime


@pytest.mark.requirement("MS-ASCMD_R537", "MS-ASCMD_R545")
@pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
async def test_the_clients_message_takes_the_meeting_along(all_: Colleagues, version: ProtocolVersion) -> None:
    all_.speak(V16_1)
    name = await invited(all_)
    all_.speak(version)
    request = Request(client_id="1", source=Source(item_id=name), mime=Opaque(PLAIN), save_in_sent_items=PRESENT)
    assert await ask(all_.bob, request) is None
    (mail,) = await all_.carol.mail()
    assert mail.subject == "FW: Come"
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert text.get_content().startswith("Look at this.")
    assert "When: Tuesday, 1 December 2026, 09:00 - 10:00 (UTC)" in text.get_content()
    assert mail.method == "REQUEST"
    assert mail.item.index.message_class == "IPM.Schedule.Meeting.Request"
    assert [line.value for line in mail.event.all("ATTENDEE")] == ["mailto:bob@example.com", "mailto:carol@example.com"]
    assert len(await all_.alice.mail(NOTE)) == 1


async def test_the_query_line_names_the_calendar_item_at_12_1(all_: Colleagues) -> None:
    name = await invited(all_)
    all_.speak(V12_1)
    ctx = await all_.bob.calendar.bench.context("SmartForward")
    line = CommandLine(command="SmartForward", collection_id=name.partition(":")[0], item_id=name)
    order = smart_forward.COMMAND.read(PLAIN, line, V12_1)
    assert await smart_forward.COMMAND.handle(order, ctx) is None
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    assert len(await all_.alice.mail(NOTE)) == 1


@pytest.mark.requirement("MS-ASCMD_R574", "MS-ASCMD_R575", "MS-ASCMD_R576")
@pytest.mark.parametrize("version", [V14_0, V14_1, V16_0, V16_1])
async def test_a_reply_quotes_the_meeting(all_: Colleagues, version: ProtocolVersion) -> None:
    name = await invited(all_, recurrence=WEEKLY)
    all_.speak(version)
    words = PLAIN.replace(b"Carol <carol@", b"<alice@")
    for client_id, source in (
        ("1", Source(item_id=name)),
        ("2", Source(item_id=name, instance_id=SECOND)),
    ):
        request = ReplyRequest(client_id=client_id, source=source, mime=Opaque(words))
        assert await ask(all_.bob, request, smart_reply.COMMAND) is None
    series, one = await all_.alice.mail()
    for mail, said in ((series, "1 December 2026"), (one, "8 December 2026")):
        text = mail.message.get_body(("plain",))
        assert text is not None
        assert text.get_content().startswith("Look at this.")
        assert said in text.get_content()
        assert "From: Alice Example <alice@example.com>" in text.get_content().replace('"', "")
        assert mail.calendar_part is None
    assert await all_.alice.mail(NOTE) == []


@pytest.mark.requirement("MS-ASCMD_R3775")
async def test_replace_mime_adds_no_meeting(all_: Colleagues) -> None:
    name = await invited(all_)
    request = Request(client_id="1", source=Source(item_id=name), mime=Opaque(PLAIN), replace_mime=PRESENT)
    assert await ask(all_.bob, request) is None
    (mail,) = await all_.carol.mail()
    assert mail.calendar_part is None
    assert mail.octets.endswith(PLAIN)
    assert await all_.alice.mail(NOTE) == []


@pytest.mark.requirement("MS-ASCMD_R7486")
async def test_an_invitation_forwarded_as_a_message_is_told_too(all_: Colleagues) -> None:
    await invited(all_)
    all_.speak(V14_1)
    (item,) = await all_.bob.items(FolderType.INBOX)
    name = f"{all_.bob.folders[FolderType.INBOX]}:{item.id}"
    assert await ask(all_.bob, Request(client_id="1", source=Source(item_id=name), mime=Opaque(PLAIN))) is None
    (mail,) = await all_.carol.mail()
    assert mail.method == "REQUEST"
    (note,) = await all_.alice.mail(NOTE)
    assert b"carol@example.com" in note.octets


async def test_a_change_keeps_what_others_answered(all_: Colleagues) -> None:
    """A forward changes nothing in the calendar."""
    name = await invited(all_)
    before = await all_.bob.events()
    await ask(all_.bob, Request(client_id="1", source=Source(item_id=name), forwardees=to(CAROL)))
    assert await all_.bob.events() == before
    await all_.bob.change(name, Calendar(reminder=5))
    assert len(await all_.alice.mail()) == 0
