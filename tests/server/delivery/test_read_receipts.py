"""Read receipts: to whom, when, how often, and what stands in them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from eas_server.model.blob import read
from eas_server.model.ids import CollectionId, UserId
from eas_server.model.mail import FolderType, Item
from eas_server.model.settings import MailSettings, ReadReceipts
from eas_server.render.headers import header_block
from eas_server.render.mime import index_message
from eas_server.render.read_receipts import asked_by
from protocol.commands.sync import Change, Delete
from protocol.items.email import Email
from protocol.schema import dump
from protocol.versions import SUPPORTED, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, Phone, mailbox, message

BOB = UserId("bob@example.com")
ASKED = {"Disposition_Notification_To": "Bob <bob@example.com>", "Return_Path": "<bob@example.com>"}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        await made.store.admin.add_user(BOB, None)
        made.bench.settings = replace(made.bench.settings, domains=("example.com",))
        yield made


async def inbox_of(box: Mailbox, user: UserId = BOB) -> list[Item]:
    folder = next(f.id for f in await box.store.folders.folders(user) if f.type is FolderType.INBOX)
    entries = (await box.store.mail.changes(user, folder, 0)).entries  # type: ignore[arg-type]
    return list(await box.store.mail.fetch(user, folder, [entry.id for entry in entries]))


async def synced(box: Mailbox, version: ProtocolVersion = V16_1) -> Phone:
    phone = box.phone()
    phone.bench.version = version
    await phone.all()
    return phone


def reading(name: str, *, read: bool = True) -> Change:
    return Change(server_id=name, application_data=dump(Email(read=read)))


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.requirement("MS-ASEMAIL_R607")
async def test_sender_is_told_once(box: Mailbox, version: ProtocolVersion) -> None:
    await box.deliver(message("Läuft", **ASKED))
    phone = await synced(box, version)
    (name,) = phone.items
    await phone.ask(reading(name))
    (receipt,) = await inbox_of(box)
    assert receipt.index.message_class == "REPORT.IPM.NOTE.IPNRN"
    assert (receipt.index.subject, receipt.index.sender) == ("Read: Läuft", '"Alice Example" <alice@example.com>')
    octets = await read(receipt.content)
    assert b"Return-Path: <>" in octets
    assert b"Auto-Submitted: auto-replied" in octets
    assert b"Final-Recipient: rfc822; alice@example.com\r\n" in octets
    assert b"Disposition: manual-action/MDN-sent-automatically; displayed\r\n" in octets
    await phone.ask(reading(name, read=False))
    await phone.ask(reading(name))
    assert len(await inbox_of(box)) == 1


async def test_only_reading_counts(box: Mailbox) -> None:
    await box.deliver(message("one", **ASKED))
    await box.deliver(message("two", **ASKED))
    phone = await synced(box)
    one, two = phone.items
    await phone.ask(Change(server_id=one, application_data=dump(Email(categories=("c",)))))
    await phone.ask(reading(one, read=False))
    await phone.ask(Delete(server_id=two))
    assert await inbox_of(box) == []


async def test_not_again_by_another_copy(box: Mailbox) -> None:
    await box.deliver(message("same", **ASKED))
    await box.deliver(message("same", **ASKED))
    phone = await synced(box)
    await phone.ask(*(reading(name) for name in phone.items))
    assert len(await inbox_of(box)) == 1


@pytest.mark.parametrize(
    ("policy", "sender", "told"),
    [
        (ReadReceipts.NEVER, "bob@example.com", 0),
        (ReadReceipts.INTERNAL, "bob@example.com", 1),
        (ReadReceipts.ALWAYS, "bob@example.com", 1),
        (ReadReceipts.INTERNAL, "eve@example.org", 0),
        (ReadReceipts.ALWAYS, "eve@example.org", 1),
        (ReadReceipts.ALWAYS, "nobody@example.com", 0),
        (ReadReceipts.ALWAYS, "bob", 0),
    ],
)
async def test_settings_decide(box: Mailbox, policy: ReadReceipts, sender: str, told: int) -> None:
    box.bench.settings = replace(box.bench.settings, mail=MailSettings(read_receipts=policy))
    await box.deliver(message("s", Disposition_Notification_To=sender, Return_Path=f"<{sender}>"))
    phone = await synced(box)
    await phone.ask(*(reading(name) for name in phone.items))
    queued = await box.store.queue.due(box.bench.now, 10)
    assert len(queued) + len(await inbox_of(box)) == told
    assert all(one.forwarding.sender == "" for one in queued)


async def test_own_mail_is_not_answered(box: Mailbox) -> None:
    sent = next(
        f.id for f in await box.store.folders.folders(box.bench.account.user) if f.type is FolderType.SENT_ITEMS
    )
    await box.deliver(message("s", **ASKED), folder=CollectionId(sent))
    phone = box.phone(folder=CollectionId(sent))
    await phone.all()
    await phone.ask(*(reading(name) for name in phone.items))
    assert await inbox_of(box) == []


OWN = {"alice@example.com"}


@pytest.mark.parametrize(
    "changes",
    [
        {"Disposition-Notification-To": ""},
        {"Disposition-Notification-To": "Bob <bob@example.com>, eve@example.org"},
        {"Disposition-Notification-To": "eve@example.org"},
        {"Disposition-Notification-To": "no-reply@example.com", "Return-Path": "<no-reply@example.com>"},
        {"Disposition-Notification-To": "alice@example.com", "Return-Path": "<alice@example.com>"},
        {"Return-Path": "<>"},
        {"Return-Path": ""},
        {"List-Id": "<list.example.com>"},
        {"Precedence": "bulk"},
        {"Auto-Submitted": "auto-generated"},
        {"X-Auto-Response-Suppress": "DR, RN"},
        {"Disposition-Notification-Options": "signed-receipt-protocol=required,pkcs7-signature"},
        {"To": "undisclosed-recipients:;"},
    ],
)
def test_who_is_not_told(changes: dict[str, str]) -> None:
    header = {
        "Return-Path": "<bob@example.com>",
        "From": "bob@example.com",
        "To": "alice@example.com",
        "Disposition-Notification-To": "bob@example.com",
    }
    assert asked_by(fields(header), OWN) == "bob@example.com"
    assert asked_by(fields({**header, **changes}), OWN) is None


def fields(header: dict[str, str]) -> dict[str, list[bytes]]:
    octets = "".join(f"{name}: {value}\r\n" for name, value in header.items() if value).encode() + b"\r\n"
    return header_block(octets, 0, len(octets))[0]


async def test_a_receipt_without_room(box: Mailbox) -> None:
    """Whoever reads is not troubled by it."""
    await box.store.admin.set_quota(BOB, 1)
    await box.deliver(message("s", **ASKED))
    phone = await synced(box)
    answer = await phone.ask(*(reading(name) for name in phone.items))
    assert answer.responses is None


@pytest.mark.requirement("MS-ASEMAIL_R608")
@pytest.mark.requirement("MS-ASEMAIL_R593")
@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("multipart/report; report-type=disposition-notification; boundary=b", b"deleted", "REPORT.IPM.NOTE.IPNNRN"),
        ("multipart/report; report-type=disposition-notification; boundary=b", b"displayed", "REPORT.IPM.NOTE.IPNRN"),
        ("application/pkcs7-mime; smime-type=signed-receipt", b"", "IPM.Note.Receipt.SMIME"),
    ],
)
def test_classes_of_receipts_that_come_in(content_type: str, content: bytes, expected: str) -> None:
    octets = (
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n--b\r\n\r\nread\r\n--b\r\n"
        b"Content-Type: message/disposition-notification\r\n\r\n"
        b"Disposition: manual-action/MDN-sent-manually; " + content + b"\r\n--b--\r\n"
    )
    assert index_message(octets)[0].message_class == expected
