"""The class SMS in mail folders, from 14.0 on: added by a phone, kept, and shown to who asks for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, ping, search
from eas_server.model.ids import CollectionId
from eas_server.model.mail import FolderType
from protocol.codepages import tag
from protocol.commands import item_operations as operations
from protocol.commands.ping import Folder, Request
from protocol.commands.search import Request as SearchRequest
from protocol.commands.search import Store
from protocol.commands.sync import Add, AddResponse, Change, Delete, Options, SoftDelete, Status
from protocol.elements import Element
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.email import Email, Importance
from protocol.schema import dump, load
from protocol.versions import SUPPORTED, V14_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, Phone, mailbox, message

WITH_SMS = tuple(version for version in SUPPORTED if version >= V14_0)
WITHOUT_SMS = tuple(version for version in SUPPORTED if version < V14_0)
MAIL, SMS = Options(item_class="Email"), Options(item_class="SMS")
SENT_AT = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        yield made


def text(words: str = "Where are you?", **more: Any) -> Email:
    return Email(
        to='"Alice" [MOBILE:+15550101]',
        sender='"Bøb" [MOBILE:+15550100]',
        date_received=SENT_AT,
        importance=Importance.NORMAL,
        read=False,
        body=Body(type=BodyType.PLAIN, data=words),
        **more,
    )


def adding(email: Email, client_id: str = "1") -> Add:
    return Add(item_class="SMS", client_id=client_id, application_data=dump(email))


async def phone_of(
    box: Mailbox,
    version: ProtocolVersion = V16_1,
    device: str = "device1",
    *options: Options,
    folder: CollectionId = INBOX,
) -> Phone:
    phone = box.phone(device, folder)
    phone.bench.version = version
    await phone.all(options=options)
    return phone


async def add(phone: Phone, email: Email, client_id: str = "1") -> str:
    answer = await phone.ask(adding(email, client_id))
    (response,) = answer.responses.responses
    assert isinstance(response, AddResponse)
    assert (response.status, response.item_class, answer.commands) == (Status.SUCCESS, "SMS", None)
    assert response.server_id is not None
    phone.items[response.server_id] = Email()
    return response.server_id


@pytest.mark.parametrize("version", WITH_SMS)
@pytest.mark.requirement("MS-ASCMD_R6298")
@pytest.mark.requirement("MS-ASCMD_R944")
@pytest.mark.requirement("MS-ASCMD_R941")
@pytest.mark.requirement("MS-ASCMD_R927")
@pytest.mark.requirement("MS-ASCMD_R934")
@pytest.mark.requirement("MS-ASCMD_R3600")
async def test_text_message_is_kept_and_shown_to_who_asks(box: Mailbox, version: ProtocolVersion) -> None:
    await box.deliver(message("mail"))
    phone = await phone_of(box, version, "device1", MAIL, SMS)
    name = await add(phone, text())
    assert await phone.ask() is None
    other = await phone_of(box, version, "device2", MAIL, SMS)
    assert {one.message_class for one in other.items.values()} == {"IPM.Note", "IPM.Note.Mobile.SMS"}
    shown = other.items[name]
    assert (shown.sender, shown.to) == ('"Bøb" [MOBILE:+15550100]', '"Alice" [MOBILE:+15550101]')
    assert (shown.date_received, shown.read) == (SENT_AT, False)
    assert shown.body is not None
    assert (shown.body.type, shown.body.data) == (BodyType.PLAIN, "Where are you?")
    mail_alone = await phone_of(box, version, "device3")
    assert [one.subject for one in mail_alone.items.values()] == ["mail"]
    sms_alone = await phone_of(box, version, "device4", SMS)
    assert list(sms_alone.items) == [name]


@pytest.mark.parametrize("folder", [FolderType.SENT_ITEMS, FolderType.OUTBOX])
async def test_in_other_mail_folders(box: Mailbox, folder: FolderType) -> None:
    ids = {f.type: f.id for f in await box.store.folders.folders(box.bench.account.user)}
    phone = await phone_of(box, V14_0, "device1", MAIL, SMS, folder=ids[folder])
    name = await add(phone, text())
    other = await phone_of(box, V14_0, "device2", MAIL, SMS, folder=ids[folder])
    assert list(other.items) == [name]


@pytest.mark.parametrize("version", WITHOUT_SMS)
@pytest.mark.requirement("MS-ASCMD_R6298")
async def test_none_before_14(box: Mailbox, version: ProtocolVersion) -> None:
    await add(await phone_of(box, V16_1, "device1", MAIL, SMS), text())
    phone = await phone_of(box, version, "device2")
    assert phone.items == {}
    answer = await phone.ask(adding(text()))
    (response,) = answer.responses.responses
    assert (response.status, response.server_id) == (Status.CONVERSION_ERROR, None)


async def test_not_among_contacts(box: Mailbox) -> None:
    ids = {f.type: f.id for f in await box.store.folders.folders(box.bench.account.user)}
    phone = await phone_of(box, V16_1, folder=ids[FolderType.CONTACTS])
    answer = await phone.ask(adding(text()))
    (response,) = answer.responses.responses
    assert response.status == Status.CONVERSION_ERROR
    answer = await phone.ask(options=(SMS,))
    assert answer.status == Status.PROTOCOL_ERROR


@pytest.mark.parametrize("version", WITH_SMS)
@pytest.mark.requirement("MS-ASCMD_R3968")
async def test_options_without_sms_drop_it(box: Mailbox, version: ProtocolVersion) -> None:
    await box.deliver(message("mail"))
    phone = await phone_of(box, version, "device1", MAIL, SMS)
    name = await add(phone, text())
    answer = await phone.ask(options=(MAIL,))
    assert answer.commands.commands == (SoftDelete(server_id=name),)
    assert await phone.ask() is None
    assert [one.subject for one in phone.items.values()] == ["mail"]
    answer = await phone.ask(options=(MAIL, SMS))
    assert [command.server_id for command in answer.commands.commands] == [name]
    assert await phone.ask() is None
    answer = await phone.ask(options=(SMS,))
    assert [type(command) for command in answer.commands.commands] == [SoftDelete]
    assert list(phone.items) == [name]


async def test_lost_answer_to_other_options(box: Mailbox) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    name = await add(phone, text())
    first = await phone.ask(options=(MAIL,), lose=True)
    again = await phone.ask(options=(MAIL,))
    assert again.commands == first.commands
    assert name not in phone.items


@pytest.mark.requirement("MS-ASCMD_R940")
async def test_changes_of_text_messages(box: Mailbox) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    name = await add(phone, text())
    other = await phone_of(box, V16_1, "device2", MAIL, SMS)
    answer = await phone.ask(Change(server_id=name, application_data=dump(Email(read=True))))
    assert answer.responses is None
    answer = await other.ask()
    (change,) = answer.commands.commands
    assert (change.item_class, load(Email, change.application_data).read) == ("SMS", True)
    await phone.ask(Delete(server_id=name), deletes_as_moves=False)
    answer = await other.ask()
    assert answer.commands.commands == (Delete(server_id=name),)


@pytest.mark.requirement("MS-ASCMD_R961")
async def test_repeated_add_is_the_same_message(box: Mailbox) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    first = await phone.ask(adding(text()), lose=True)
    again = await phone.ask(adding(text()), lose=True)
    assert again.responses == first.responses
    another = await phone.ask(adding(text("And now?")))
    assert another.responses != first.responses


async def test_more_available_does_not_follow_from_what_is_hidden(box: Mailbox) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    mail_alone = await phone_of(box, V16_1, "device2")
    for number in range(5):
        await phone.ask(adding(text(f"number {number}", subject=None), str(number)))
    await box.deliver(message("mail"), age=-timedelta(days=1))
    answer = await mail_alone.ask(window_size=1)
    assert (answer.more_available, len(answer.commands.commands)) == (None, 1)
    assert await mail_alone.ask() is None


async def test_a_text_message_wakes_nobody_who_does_not_ask(box: Mailbox) -> None:
    mail_alone = await phone_of(box, V16_1, "device2")
    both = await phone_of(box, V16_1, "device1", MAIL, SMS)
    context = await mail_alone.bench.context("Ping")
    folder = next(f for f in await box.store.folders.folders(box.bench.account.user) if f.id == INBOX)
    other = await phone_of(box, V16_1, "device3", MAIL, SMS)
    await add(both, text())
    assert not await ping.has_news(context, folder)
    assert await ping.has_news(await other.bench.context("Ping"), folder)
    assert Request(heartbeat_interval=60, folders=(Folder(id=INBOX, item_class="SMS"),)).folders


@pytest.mark.parametrize(
    "email",
    [
        Email(body=Body(type=BodyType.MIME, data="From: x\r\n\r\nx")),
        Email(body=Body(type=BodyType.RTF, data="x")),
    ],
)
async def test_what_is_no_text_message(box: Mailbox, email: Email) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    answer = await phone.ask(adding(email))
    (response,) = answer.responses.responses
    assert (response.status, response.item_class) == (Status.CONVERSION_ERROR, "SMS")


async def test_odd_values(box: Mailbox) -> None:
    phone = await phone_of(box, V16_1, "device1", MAIL, SMS)
    odd = Email(
        to="x\r\nBcc: eve@example.com", sender="\0" + "9" * 30_000, body=Body(type=BodyType.HTML, data="<b>x</b>")
    )
    name = await add(phone, odd)
    other = await phone_of(
        box, V16_1, "device2", MAIL, Options(item_class="SMS", body_preferences=(BodyPreference(type=BodyType.PLAIN),))
    )
    shown = other.items[name]
    assert (shown.to, shown.bcc) == ("x Bcc: eve@example.com", None)
    assert shown.body is not None
    assert str(shown.body.data).strip() == "x"
    assert shown.date_received == phone.bench.now


# ---- found and fetched


def query(*classes: str) -> SearchRequest:
    asked = [Element(tag("AirSync:Class"), name) for name in classes]
    words = Element(tag("Search:FreeText"), "fox")
    whole = Element(tag("Search:Query"), [Element(tag("Search:And"), [*asked, words])])
    return SearchRequest(store=Store(name="Mailbox", query=whole))


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASCMD_R6092", "MS-ASCMD_R7532", "MS-ASCMD_R7533", "MS-ASCMD_R6288", "MS-ASCMD_R920")
async def test_search_by_class(box: Mailbox, version: ProtocolVersion) -> None:
    mail = f"{INBOX}:{await box.deliver(message('quick fox'))}"
    short = await add(await phone_of(box, V16_1, "device1", MAIL, SMS), text("quick fox"))
    box.bench.version = version

    async def found(*classes: str) -> list[tuple[str | None, str | None]] | int:
        response = await box.bench.run(search.COMMAND, query(*classes))
        store = response.answer.store
        if store.status != 1:
            return int(store.status)
        return sorted((one.item_class, one.long_id) for one in store.results if one.long_id)

    assert await found("Email") == [("Email", mail)]
    if version < V14_0:
        assert await found("SMS") == 2
        assert await found() == [("Email", mail)]
        return
    assert await found("SMS") == [("SMS", short)]
    assert await found("SMS", "Tasks") == [("SMS", short)]
    assert await found("Email", "SMS") == await found() == [("Email", mail), ("SMS", short)]


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASCMD_R6269", "MS-ASCMD_R6274")
async def test_fetched_by_item_operations(box: Mailbox, version: ProtocolVersion) -> None:
    name = await add(await phone_of(box, V16_1, "device1", MAIL, SMS), text("quick fox"))
    box.bench.version = version
    wanted = operations.Fetch(store="Mailbox", collection_id=INBOX, server_id=name)
    answer = await box.bench.run(item_operations.COMMAND, operations.Request(operations=(wanted,)))
    (fetched,) = answer.responses.fetched
    assert (fetched.status, fetched.item_class) == (1, "SMS" if version >= V14_0 else "Email")
