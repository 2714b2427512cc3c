"""What clients change of messages that are no drafts, and what they may not: flags, categories, Read, ReceivedAsBcc."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import send_mail
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType
from protocol import wbxml
from protocol.codepages import tag
from protocol.commands.send_mail import Request as SendMail
from protocol.commands.sync import Add, Change, Status
from protocol.elements import Element, Opaque
from protocol.items.email import Email, Flag, FlagStatus
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V14_0, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, Phone, mailbox, message
from tests.server.commands.support import ALICE

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FOLLOW_UP = "Flag for follow up"
DATES: dict[str, Any] = {"start_date": NOON, "utc_start_date": NOON, "due_date": NOON + DAY, "utc_due_date": NOON + DAY}
BOB = UserId("bob@example.com")


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        await made.store.admin.add_user(BOB, None)
        await made.deliver(message("flagged"))
        yield made


async def phones(box: Mailbox, version: ProtocolVersion) -> tuple[Phone, Phone, str]:
    """Two devices that hold the message, and its ServerId."""
    made = [box.phone("device1"), box.phone("device2")]
    for phone in made:
        phone.bench.version = version
        await phone.all()
    (name,) = made[0].items
    return made[0], made[1], name


async def change(phone: Phone, name: str, email: Email | Element) -> int:
    """The Status of a Change; none is success."""
    data = email if isinstance(email, Element) else dump(email, phone.bench.version)
    answer = await phone.ask(Change(server_id=name, application_data=data))
    return Status.SUCCESS if answer.responses is None else int(answer.responses.responses[0].status)


async def told(phone: Phone) -> Email:
    answer = await phone.ask()
    (news,) = answer.commands.commands
    return load(Email, news.application_data)


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASEMAIL_R940", "MS-ASEMAIL_R82", "MS-ASEMAIL_R100", "MS-ASEMAIL_R436")
@pytest.mark.requirement("MS-ASEMAIL_R334", "MS-ASEMAIL_R86", "MS-ASEMAIL_R88", "MS-ASEMAIL_R8800", "MS-ASEMAIL_R437")
async def test_life_of_a_flag(box: Mailbox, version: ProtocolVersion) -> None:
    phone, other, name = await phones(box, version)
    flag = Flag(
        subject="Call back",
        status=FlagStatus.ACTIVE,
        flag_type=FOLLOW_UP,
        reminder_set=True,
        reminder_time=NOON,
        ordinal_date=NOON,
        sub_ordinal_date="5",
        **DATES,
    )
    assert await change(phone, name, Email(flag=flag)) == Status.SUCCESS
    assert await phone.ask() is None
    assert await told(other) == Email(flag=flag)
    done = Flag(status=FlagStatus.COMPLETE, complete_time=NOON, date_completed=NOON)
    assert await change(phone, name, Email(flag=done)) == Status.SUCCESS
    completed = (await told(other)).flag
    assert completed is not None
    assert (completed.status, completed.complete_time, completed.date_completed) == (FlagStatus.COMPLETE, NOON, NOON)
    assert (completed.flag_type, completed.subject, completed.due_date) == (FOLLOW_UP, "Call back", NOON + DAY)
    for cleared in (Flag(), Flag(status=FlagStatus.CLEARED)):
        assert await change(phone, name, Email(flag=flag)) == Status.SUCCESS
        await other.ask()
        assert await change(phone, name, Email(flag=cleared)) == Status.SUCCESS
        assert await told(other) == Email(flag=Flag())


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASEMAIL_R90", "MS-ASEMAIL_R92")
async def test_type_of_a_flag(box: Mailbox, version: ProtocolVersion) -> None:
    phone, other, name = await phones(box, version)
    bare = Flag(status=FlagStatus.ACTIVE)
    assert await change(phone, name, Email(flag=bare)) == Status.CONVERSION_ERROR
    typed = Flag(status=FlagStatus.ACTIVE, flag_type=FOLLOW_UP)
    assert await change(phone, name, Email(flag=typed)) == Status.SUCCESS
    assert await change(phone, name, Email(flag=Flag(status=FlagStatus.ACTIVE, **DATES))) == Status.SUCCESS
    assert (await told(other)).flag == Flag(status=FlagStatus.ACTIVE, flag_type=FOLLOW_UP, **DATES)


def active(**more: Any) -> Flag:
    return Flag(status=FlagStatus.ACTIVE, flag_type=FOLLOW_UP, **more)


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize(
    "flag",
    [
        Flag(flag_type=FOLLOW_UP),
        Flag(status=FlagStatus.COMPLETE),
        Flag(status=FlagStatus.COMPLETE, complete_time=NOON),
        Flag(status=FlagStatus.COMPLETE, date_completed=NOON),
        active(date_completed=NOON),
        active(reminder_set=True),
        active(start_date=NOON),
        active(**{**DATES, "utc_due_date": None}),
        active(**{**DATES, "due_date": NOON - DAY}),
        active(**{**DATES, "utc_due_date": NOON - DAY}),
    ],
)
@pytest.mark.requirement("MS-ASEMAIL_R92", "MS-ASEMAIL_R359", "MS-ASEMAIL_R407", "MS-ASEMAIL_R409", "MS-ASEMAIL_R702")
@pytest.mark.requirement("MS-ASEMAIL_R739", "MS-ASEMAIL_R741", "MS-ASEMAIL_R851", "MS-ASEMAIL_R853", "MS-ASEMAIL_R864")
async def test_flags_that_are_refused(box: Mailbox, version: ProtocolVersion, flag: Flag) -> None:
    phone, other, name = await phones(box, version)
    assert await change(phone, name, Email(flag=flag, read=True)) == Status.CONVERSION_ERROR
    assert await other.ask() is None


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("Email:Read", "yes"),
        ("Email:Read", "2"),
    ],
)
@pytest.mark.requirement("MS-ASEMAIL_R643")
async def test_values_that_are_none(box: Mailbox, element: str, value: str) -> None:
    phone, _, name = await phones(box, V16_1)
    data = Element(tag("AirSync:ApplicationData"), [Element(tag(element), value)])
    assert await change(phone, name, data) == Status.CONVERSION_ERROR


@pytest.mark.parametrize("value", ["3", "-1", "x", ""])
@pytest.mark.requirement("MS-ASEMAIL_R753", "MS-ASEMAIL_R757")
async def test_status_of_a_flag_out_of_range(box: Mailbox, value: str) -> None:
    phone, _, name = await phones(box, V16_1)
    flag = Element(tag("Email:Flag"), [Element(tag("Email:Status"), value), Element(tag("Email:FlagType"), "x")])
    data = Element(tag("AirSync:ApplicationData"), [flag])
    assert await change(phone, name, data) == Status.CONVERSION_ERROR


@pytest.mark.parametrize("name_of", ["Status", "FlagType", "CompleteTime"])
@pytest.mark.requirement("MS-ASEMAIL_R760")
async def test_repeated_parts_of_a_flag(box: Mailbox, name_of: str) -> None:
    phone, _, name = await phones(box, V16_1)
    data = dump(Email(flag=Flag(status=FlagStatus.COMPLETE, flag_type="x", complete_time=NOON, date_completed=NOON)))
    (flag,) = data.children
    (repeated,) = [child for child in flag.children if child.tag.name == name_of]
    flag.content = [*flag.children, repeated]
    assert await change(phone, name, data) == Status.CONVERSION_ERROR


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V14_0])
@pytest.mark.requirement("MS-ASEMAIL_R313", "MS-ASEMAIL_R319", "MS-ASEMAIL_R320")
async def test_categories(box: Mailbox, version: ProtocolVersion) -> None:
    phone, other, name = await phones(box, version)
    assert await change(phone, name, Email(categories=("a", "b"))) == Status.SUCCESS
    assert await told(other) == Email(categories=("a", "b"))
    assert await change(phone, name, Email(read=True)) == Status.SUCCESS
    assert await told(other) == Email(read=True)
    assert await change(phone, name, Email(categories=())) == Status.SUCCESS
    assert await told(other) == Email(categories=())


# ---- ReceivedAsBcc


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V14_0])
@pytest.mark.requirement("MS-ASEMAIL_R644", "MS-ASEMAIL_R647", "MS-ASEMAIL_R648", "MS-ASEMAIL_R649")
@pytest.mark.requirement("MS-ASEMAIL_R1343", "MS-ASEMAIL_R1344", "MS-ASEMAIL_R1345", "MS-ASEMAIL_R13450")
async def test_received_as_bcc(box: Mailbox, version: ProtocolVersion) -> None:
    mime = b"To: alice@example.com\r\nBcc: bob@example.com, alice@example.com\r\nSubject: s\r\n\r\nx\r\n"
    request = SendMail(client_id="1", mime=Opaque(mime))
    box.bench.version = V16_1
    await send_mail.COMMAND.handle(
        send_mail.COMMAND.read(_encoded(request), (await box.bench.context("SendMail")).line, V16_1),
        await box.bench.context("SendMail"),
    )
    named = (await phones_of(box, version, box.bench.account.user)).values()
    assert {email.received_as_bcc for email in named} == {None}
    hidden = await phones_of(box, version, BOB)
    assert [email.received_as_bcc for email in hidden.values()] == [True]


async def phones_of(box: Mailbox, version: ProtocolVersion, user: UserId) -> dict[str, Email]:
    account = await box.store.accounts.account(user)
    assert account is not None
    folder = next(f.id for f in await box.store.folders.folders(user) if f.type is FolderType.INBOX)
    phone = box.phone(f"device of {user}"[:32], folder)
    phone.bench.account, phone.bench.version = account, version
    await phone.all()
    for name, email in phone.items.items():
        actual = bool(email.received_as_bcc)
        assert await change(phone, name, Email(received_as_bcc=not actual)) == Status.CONVERSION_ERROR
        assert await change(phone, name, Email(received_as_bcc=actual)) == Status.SUCCESS
    return phone.items


def _encoded(request: SendMail) -> bytes:
    return wbxml.encode(dump(request)).join()


# ---- what no client sets


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V14_0])
@pytest.mark.requirement("MS-ASEMAIL_R347", "MS-ASEMAIL_R722", "MS-ASEMAIL_R723", "MS-ASEMAIL_R817", "MS-ASEMAIL_R835")
async def test_what_only_the_server_says(box: Mailbox, version: ProtocolVersion) -> None:
    mime = b"From: carol@example.com\r\nSender: bob@example.com\r\nSubject: sent for another\r\n\r\nx\r\n"
    await box.deliver(mime)
    phone, other = box.phone("device1"), box.phone("device2")
    for each in (phone, other):
        each.bench.version = version
        await each.all()
    name, held = next((name, email) for name, email in phone.items.items() if email.sending_agent)
    for bad in (
        Email(conversation_id=held.conversation_id),
        Email(conversation_id=b"other"),
        Email(sending_agent="dave@example.com"),
        Email(um_caller_id="+49"),
        Email(um_user_notes="x"),
    ):
        assert await change(phone, name, replace(bad, read=True)) == Status.CONVERSION_ERROR
        assert await other.ask() is None
    assert await change(phone, name, Email(sending_agent=held.sending_agent, read=True)) == Status.SUCCESS


@pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V16_0])
@pytest.mark.requirement("MS-ASEMAIL_R347", "MS-ASEMAIL_R817", "MS-ASEMAIL_R835")
async def test_what_only_the_server_says_of_drafts(box: Mailbox, version: ProtocolVersion) -> None:
    folder = next(f.id for f in await box.store.folders.folders(ALICE.user) if f.type is FolderType.DRAFTS)
    phone = box.phone("device1", folder)
    phone.bench.version = version
    await phone.all()
    for bad in (Email(um_caller_id="+49"), Email(um_user_notes="x")):
        answer = await phone.ask(Add(client_id="1", application_data=dump(replace(bad, subject="s"))))
        assert [response.status for response in answer.responses.responses] == [Status.CONVERSION_ERROR]
    answer = await phone.ask(Add(client_id="1", application_data=dump(Email(subject="s"))))
    (made,) = answer.responses.responses
    for bad in (Email(conversation_id=b"x"), Email(um_caller_id="+49"), Email(um_user_notes="x")):
        for more in ({}, {"subject": "other"}):
            assert await change(phone, made.server_id, replace(bad, **more)) == Status.CONVERSION_ERROR


# ---- what other devices are told


TABLE = {
    (): ("MS-ASEMAIL_R81", "MS-ASEMAIL_R94"),
    ("categories",): ("MS-ASEMAIL_R96", "MS-ASEMAIL_R98"),
    ("flag",): ("MS-ASEMAIL_R100", "MS-ASEMAIL_R102"),
    ("flag", "categories"): ("MS-ASEMAIL_R10600", "MS-ASEMAIL_R10602"),
    ("read",): ("MS-ASEMAIL_R10604", "MS-ASEMAIL_R10606"),
    ("read", "categories"): ("MS-ASEMAIL_R10608", "MS-ASEMAIL_R10610"),
    ("read", "flag"): ("MS-ASEMAIL_R10612", "MS-ASEMAIL_R10614"),
    ("read", "flag", "categories"): ("MS-ASEMAIL_R104", "MS-ASEMAIL_R106"),
}
"""What changed, and the line of the table: with nothing else, and with other properties of the message."""
CHANGES: dict[str, Any] = {"read": False, "flag": active(), "categories": ("c",)}
ROWS = [
    pytest.param(parts, other, marks=pytest.mark.requirement(TABLE[parts][other]))
    for parts in TABLE
    for other in (False, True)
]


@pytest.mark.parametrize(("parts", "other"), ROWS)
@pytest.mark.requirement("MS-ASEMAIL_R80", "MS-ASEMAIL_R77")
async def test_table_of_changes(box: Mailbox, parts: tuple[str, ...], other: bool) -> None:
    folder = next(f.id for f in await box.store.folders.folders(box.bench.account.user) if f.type is FolderType.DRAFTS)
    writer, reader = box.phone("device1", folder), box.phone("device2", folder)
    await writer.all()
    await writer.ask(Add(client_id="1", application_data=dump(Email(subject="one", to="bob@example.com"))))
    await reader.all()
    (name,) = reader.items
    wanted = Email(**{part: CHANGES[part] for part in parts}, subject="two" if other else None)
    if parts or other:
        assert await change(writer, name, wanted) == Status.SUCCESS
        assert await writer.ask() is None  # no echo
    if not parts and not other:
        assert await reader.ask() is None
        return
    news = await told(reader)
    assert {part: getattr(news, part) for part in parts} == {part: CHANGES[part] for part in parts}
    if other:
        assert (news.subject, news.to, news.is_draft) == ("two", "bob@example.com", True)
        assert news.body is not None
    else:
        assert news == wanted


async def test_change_asked_about_again_comes_back(box: Mailbox) -> None:
    """Under the old key the client's own change comes back: the state alone, or the whole draft."""
    folder = next(f.id for f in await box.store.folders.folders(box.bench.account.user) if f.type is FolderType.DRAFTS)
    phone = box.phone("device1", folder)
    await phone.all()
    await phone.ask(Add(client_id="1", application_data=dump(Email(subject="one", to="bob@example.com"))))
    await phone.ask()
    (item,) = (await box.store.mail.changes(box.bench.account.user, folder, 0)).entries  # type: ignore[arg-type]
    name = f"{folder}:{item.id}"
    for wanted, whole in ((Email(read=False), False), (Email(subject="two"), True)):
        data = dump(wanted)
        await phone.ask(Change(server_id=name, application_data=data), lose=True)
        answer = await phone.ask(lose=True)
        (news,) = answer.commands.commands
        found = load(Email, news.application_data)
        assert (found.body is not None) is whole
        phone.items[name] = Email()
        await phone.ask()
