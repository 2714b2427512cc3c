"""Drafts in Sync, from 16.0 on: added, changed, sent and deleted by clients."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations
from eas_server.commands.attachments import content_of
from eas_server.errors import StoreUnavailable
from eas_server.model.blob import read
from eas_server.model.ids import CollectionId, parse_server_id
from eas_server.model.mail import FolderType, Item
from protocol import quirks, wbxml
from protocol.commands import item_operations as operations
from protocol.commands.sync import (
    Add,
    AddResponse,
    Change,
    ChangeResponse,
    Conflict,
    Delete,
    Options,
    Request,
    Status,
)
from protocol.elements import Element, Inline, Opaque
from protocol.items.airsyncbase import (
    AddAttachment,
    Attachment,
    Attachments,
    Body,
    BodyPreference,
    BodyType,
    DeleteAttachment,
    Method,
)
from protocol.items.email import Email, Flag, FlagStatus, Importance
from protocol.schema import EMPTY, dump, load
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V14_1, V16_0, V16_1, ProtocolVersion
from tests.server.commands.mailbox import Mailbox, Phone, mailbox, message
from tests.server.commands.support import ALICE

WITH_DRAFTS = (V16_0, V16_1)
WITHOUT_DRAFTS = tuple(version for version in SUPPORTED if version not in WITH_DRAFTS)
TEXT = Body(type=BodyType.PLAIN, data="Dear Bob,\r\nsee you.\r\n")


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as made:
        await made.store.admin.add_user("bob@example.com", None)
        await made.store.admin.add_user("carol@example.com", None)
        yield made


async def folder_of(box: Mailbox, type_: FolderType, user: Any = ALICE.user) -> CollectionId:
    return next(f.id for f in await box.store.folders.folders(user) if f.type is type_)


async def items_in(box: Mailbox, type_: FolderType, user: Any = ALICE.user) -> list[Item]:
    folder = await folder_of(box, type_, user)
    entries = (await box.store.mail.changes(user, folder, 0)).entries  # type: ignore[arg-type]
    return list(await box.store.mail.fetch(user, folder, [e.id for e in entries if e.present]))


async def octets_in(box: Mailbox, type_: FolderType, user: Any = ALICE.user) -> list[bytes]:
    return [await read(item.content) for item in await items_in(box, type_, user)]


async def drafting(box: Mailbox, version: ProtocolVersion = V16_1, device: str = "device1") -> Phone:
    """A phone that syncs the Drafts folder."""
    phone = box.phone(device, await folder_of(box, FolderType.DRAFTS))
    phone.bench.version = version
    await phone.all()
    return phone


def adding(email: Email | Element, client_id: str = "c1", *, send: bool = False) -> Add:
    data = email if isinstance(email, Element) else dump(email)
    return Add(client_id=client_id, send=EMPTY if send else None, application_data=data)


def changing(name: str, email: Email | Element | None, *, send: bool = False) -> Change:
    data = dump(email) if isinstance(email, Email) else email
    return Change(server_id=name, send=EMPTY if send else None, application_data=data)


def file(name: str, content: bytes = b"octets", client_id: str = "f1", **more: Any) -> AddAttachment:
    return AddAttachment(client_id=client_id, method=Method.NORMAL, content=content, display_name=name, **more)


def files(*changes: AddAttachment | DeleteAttachment) -> Attachments:
    return Attachments(changes=changes)


def added(answer: Any) -> AddResponse:
    (response,) = answer.responses.responses
    assert isinstance(response, AddResponse)
    return response


async def add(phone: Phone, email: Email | Element, client_id: str = "c1") -> str:
    """Add a draft; gives its ServerId, after a look that nothing comes back."""
    answer = await phone.ask(adding(email, client_id))
    response = added(answer)
    assert (response.status, answer.commands) == (Status.SUCCESS, None)
    assert response.server_id is not None
    phone.items[response.server_id] = Email()
    assert await phone.ask() is None
    return response.server_id


async def stored(box: Mailbox, name: str) -> Item:
    place = parse_server_id(name)
    assert place is not None
    (item,) = await box.store.mail.fetch(ALICE.user, place[0], [place[1]])
    return item


async def octets(box: Mailbox, name: str) -> bytes:
    return await read((await stored(box, name)).content)


async def seen(box: Mailbox, version: ProtocolVersion = V16_1, **options: Any) -> dict[str, Email]:
    """What another device of alice's gets of the Drafts folder."""
    other = box.phone("another", await folder_of(box, FolderType.DRAFTS))
    other.bench.version = version
    await other.all(options=Options(**options) if options else ())
    return other.items


# ---- Add


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASEMAIL_R1488")
@pytest.mark.requirement("MS-ASEMAIL_R14880")
@pytest.mark.requirement("MS-ASEMAIL_R1489")
@pytest.mark.requirement("MS-ASEMAIL_R1494")
async def test_draft_of_properties(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    name = await add(
        phone,
        Email(
            to='"Bob Baker" <bob@example.com>; Çarol <carol@example.com>',
            cc="dave@example.org",
            bcc="erin@example.org",
            reply_to="alice@example.com",
            subject="Grüße",
            importance=Importance.HIGH,
            body=TEXT,
        ),
    )
    draft = (await seen(box, version))[name]
    assert draft.to == '"Bob Baker" <bob@example.com>, "Çarol" <carol@example.com>'
    assert (draft.cc, draft.bcc, draft.reply_to) == ("dave@example.org", "erin@example.org", "alice@example.com")
    assert (draft.subject, draft.importance, draft.read) == ("Grüße", Importance.HIGH, True)
    assert draft.is_draft is True
    assert draft.body is not None
    assert draft.body.data == "Dear Bob,\r\nsee you.\r\n"
    assert draft.sender == '"Alice Example" <alice@example.com>'


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASEMAIL_R1184")
@pytest.mark.requirement("MS-ASEMAIL_R11850")
@pytest.mark.requirement("MS-ASEMAIL_R1190")
@pytest.mark.requirement("MS-ASEMAIL_R11910")
@pytest.mark.requirement("MS-ASAIRS_R1336")
@pytest.mark.requirement("MS-ASAIRS_R1326")
@pytest.mark.requirement("MS-ASCMD_R748")
async def test_answer_to_an_add_names_conversation_and_files(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    attached = files(file("a.txt", b"first", "f1"), file("b.bin", b"second!", "f2"))
    response = added(await phone.ask(adding(Email(subject="Plan", body=TEXT, attachments=attached))))
    assert response.status == Status.SUCCESS
    assert response.application_data is not None
    assert response.server_id is not None
    told = load(Email, response.application_data)
    index = (await stored(box, response.server_id)).index
    assert (told.conversation_id, told.conversation_index) == (index.conversation_id, index.conversation_index)
    references = {one.client_id: one.file_reference for one in described(response.application_data)}
    assert await fetched(phone, references["f1"]) == b"first"
    assert await fetched(phone, references["f2"]) == b"second!"


def described(data: Element | None) -> list[Attachment]:
    """What is told of the attachments of a draft."""
    assert data is not None
    attachments = load(Email, data).attachments
    return [one for one in attachments.changes if isinstance(one, Attachment)] if attachments else []


async def fetched(phone: Phone, reference: str) -> bytes | int:
    """The octets of an attachment by ItemOperations, or the Status of one that is not there."""
    wanted = operations.Fetch(store="Mailbox", file_reference=reference)
    answer = await phone.bench.run(item_operations.COMMAND, operations.Request(operations=(wanted,)))
    (found,) = answer.responses.fetched
    if found.status != operations.Status.SUCCESS:
        return int(found.status)
    data = load(operations.AttachmentProperties, found.properties).data
    assert isinstance(data, Inline)
    letters = data.octets if isinstance(data.octets, bytes) else await read(data.octets)  # type: ignore[arg-type]
    return base64.b64decode(letters)


async def test_html_and_an_image_in_it(box: Mailbox) -> None:
    phone = await drafting(box)
    image = file("logo.png", b"\x89PNG", is_inline=True, content_id="logo@1", content_type="image/png")
    body = Body(type=BodyType.HTML, data='<p>Look: <img src="cid:logo@1"></p>')
    name = await add(phone, Email(subject="x", body=body, attachments=files(image, file("r.pdf", client_id="f2"))))
    draft = (await seen(box, body_preferences=(BodyPreference(type=BodyType.HTML),)))[name]
    assert draft.body is not None
    assert draft.body.data == '<p>Look: <img src="cid:logo@1"></p>'
    shown = {one.display_name: one for one in described(dump(draft))}
    assert (shown["logo.png"].is_inline, shown["logo.png"].content_id) == (True, "logo@1")
    assert shown["r.pdf"].is_inline is None
    plain = (await seen(box, body_preferences=(BodyPreference(type=BodyType.PLAIN),)))[name]
    assert plain.body is not None
    assert "Look:" in str(plain.body.data)


MIME = (
    b"From: alice@example.com\nTo: bob@example.com\nSubject: =?utf-8?q?kept?=\nX-Odd:  two  spaces\n"
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\n\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nsigned \xe4\r\n"
    b"--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nMII=\r\n--b--\n"
)


def mime(octets: bytes = MIME) -> Body:
    return Body(type=BodyType.MIME, data=Opaque(octets))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASEMAIL_R14890")
async def test_draft_of_mime_is_kept_octet_by_octet(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    name = await add(phone, Email(body=mime(), subject="not this one", read=False))
    assert await octets(box, name) == MIME
    item = await stored(box, name)
    assert (item.index.subject, item.index.message_class) == ("kept", "IPM.Note.SMIME.MultipartSigned")
    assert item.state.read is False


async def test_mime_as_an_inline_string(box: Mailbox) -> None:
    phone = await drafting(box)
    text = MIME.decode("utf-8", "surrogateescape")
    name = await add(phone, Email(body=Body(type=BodyType.MIME, data=text)))
    assert await octets(box, name) == MIME


async def test_mime_with_importance_and_a_file(box: Mailbox) -> None:
    plain = b"To: bob@example.com\r\nSubject: s\r\n\r\ntext\r\n"
    phone = await drafting(box)
    name = await add(phone, Email(body=mime(plain), importance=Importance.LOW, attachments=files(file("a.txt"))))
    item = await stored(box, name)
    assert (item.index.importance, [a.name for a in item.index.attachments]) == (0, ["a.txt"])
    assert b"text" in await octets(box, name)


@pytest.mark.parametrize(
    "email",
    [
        Email(body=mime(b"no header here")),
        Email(body=mime(b"")),
        Email(body=Body(type=BodyType.RTF, data="e1xydGY=")),
        Email(body=mime(), attachments=files(file("to a signed one"))),
        Email(to=", ".join(f"p{n}@example.com" for n in range(2001))),
        Email(subject="x", flag=Flag(status=FlagStatus.COMPLETE)),
        Email(attachments=files(AddAttachment(client_id="f", method=Method.OLE, content=b"x", display_name="x"))),
    ],
)
async def test_what_makes_no_draft(box: Mailbox, email: Email) -> None:
    phone = await drafting(box)
    response = added(await phone.ask(adding(email)))
    assert (response.status, response.server_id) == (Status.CONVERSION_ERROR, None)
    assert await items_in(box, FolderType.DRAFTS) == []


@pytest.mark.requirement("MS-ASCMD_R755")
@pytest.mark.parametrize("version", WITHOUT_DRAFTS)
async def test_no_drafts_before_16(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    response = added(await phone.ask(adding(Email(subject="x", body=TEXT))))
    assert (response.status, response.server_id) == (Status.CONVERSION_ERROR, None)
    assert await items_in(box, FolderType.DRAFTS) == []


@pytest.mark.requirement("MS-ASCMD_R755")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("send", [False, True])
async def test_mail_is_not_added_elsewhere(box: Mailbox, version: ProtocolVersion, send: bool) -> None:
    phone = box.phone()
    phone.bench.version = version
    await phone.all()
    response = added(await phone.ask(adding(Email(to="bob@example.com", body=TEXT), send=send)))
    assert response.status == Status.CONVERSION_ERROR
    assert await items_in(box, FolderType.INBOX) == []
    assert await items_in(box, FolderType.INBOX, "bob@example.com") == []


@pytest.mark.requirement("MS-ASCMD_R961")
async def test_repeated_add_is_the_same_draft(box: Mailbox) -> None:
    phone = await drafting(box)
    email = Email(subject="once", body=TEXT, attachments=files(file("a.txt")))
    first = added(await phone.ask(adding(email), lose=True))
    again = added(await phone.ask(adding(email), lose=True))
    assert (again.server_id, again.application_data is not None) == (first.server_id, True)
    other = added(await phone.ask(adding(replace(email, subject="twice"))))
    assert other.server_id != first.server_id
    later = added(await phone.ask(adding(email)))
    assert later.server_id not in {first.server_id, other.server_id}


# ---- hostile


@pytest.mark.parametrize(
    "injected", ["x\r\nBcc: eve@example.com", "x\nBcc: eve@example.com\n\nbody", "x\u2028Bcc: y@z"]
)
async def test_no_line_of_a_value_becomes_a_header(box: Mailbox, injected: str) -> None:
    phone = await drafting(box)
    evil = file(
        injected, b"x", content_type=f"text/plain\r\n{injected}", content_id=injected, content_location=injected
    )
    name = await add(phone, Email(to=injected, reply_to=injected, subject=injected, attachments=files(evil), body=TEXT))
    item = await stored(box, name)
    assert item.index.bcc == ""
    assert len(item.index.attachments) == 1
    assert b"\nBcc" not in await octets(box, name)


@pytest.mark.parametrize(
    ("method", "content_type", "content"),
    [
        (Method.NORMAL, "multipart/mixed; boundary=x", b"--x\r\n\r\nhidden\r\n--x--"),
        (Method.NORMAL, "message/rfc822", b"Subject: s\r\n\r\ntext"),
        (Method.NORMAL, "text/plain", b"text"),
        (Method.NORMAL, "no type at all", b"\0\1"),
        (Method.EMBEDDED_MESSAGE, None, b"Subject: long\r\n\r\n" + b"x" * 2000),
        (Method.EMBEDDED_MESSAGE, None, b"Subject: nul\r\n\r\n\0"),
        (Method.NORMAL, None, b""),
    ],
)
async def test_any_file_is_one_file(box: Mailbox, method: Method, content_type: str | None, content: bytes) -> None:
    phone = await drafting(box)
    one = AddAttachment(
        client_id="f", method=method, content=content, display_name="a/b\\c.eml", content_type=content_type
    )
    name = await add(phone, Email(attachments=files(one)))
    item = await stored(box, name)
    (attachment,) = item.index.attachments
    assert (attachment.name, attachment.size) == ("c.eml", len(content))


@pytest.mark.requirement("MS-ASAIRS_R1395")
async def test_embedded_message(box: Mailbox) -> None:
    phone = await drafting(box)
    inner = message("Inner")
    one = AddAttachment(client_id="f", method=Method.EMBEDDED_MESSAGE, content=inner, display_name="Inner")
    response = added(await phone.ask(adding(Email(subject="x", attachments=files(one)))))
    (named,) = described(response.application_data)
    assert (named.client_id, await fetched(phone, named.file_reference)) == ("f", inner)
    item = await stored(box, str(response.server_id))
    assert int(item.index.attachments[0].method) == Method.EMBEDDED_MESSAGE


async def test_large_file(box: Mailbox) -> None:
    phone = await drafting(box)
    content = bytes(range(256)) * 4 * 1024 * 10
    name = await add(phone, Email(subject="10 MB", body=TEXT, attachments=files(file("big.bin", content))))
    item = await stored(box, name)
    assert await read(content_of(item, item.index.attachments[0])) == content


@pytest.mark.parametrize(
    "name", ["Ünïcödé " * 40 + ".txt", 'quo"ted\\back.txt', "a;b=c'd.txt", "%41.txt", "\u202egpj.exe", "...", "x" * 300]
)
async def test_names_of_files_come_back(box: Mailbox, name: str) -> None:
    phone = await drafting(box)
    response = added(await phone.ask(adding(Email(attachments=files(file(name))))))
    assert len(described(response.application_data)) == 1  # it was found again by its name


@pytest.mark.requirement("MS-ASCMD_R4440")
async def test_content_that_is_no_base64(box: Mailbox) -> None:
    phone = await drafting(box)
    data = dump(Email(subject="x", attachments=files(file("a.txt"))))
    (attachments,) = [child for child in data.children if child.tag.name == "Attachments"]
    (content,) = [child for child in attachments.children[0].children if child.tag.name == "Content"]
    content.content = "!!!"
    response = added(await phone.ask(adding(data)))
    assert response.status == Status.CONVERSION_ERROR


# ---- Change


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASEMAIL_R1490")
@pytest.mark.requirement("MS-ASCMD_R878")
async def test_change_of_properties(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    name = await add(phone, Email(to="bob@example.com", subject="one", body=TEXT, attachments=files(file("a.txt"))))
    before = await octets(box, name)
    answer = await phone.ask(changing(name, Email(subject="two")))
    assert (answer.responses, answer.commands) == (None, None)  # MS-ASCMD_R6234, and no echo
    assert await octets(box, name) == before.replace(b"Subject: one", b"Subject: two")
    await phone.ask(changing(name, Email(body=Body(type=BodyType.PLAIN, data="new text"))))
    draft = (await seen(box, version))[name]
    assert (draft.to, draft.subject) == ("bob@example.com", "two")
    assert draft.body is not None
    assert draft.body.data == "new text"
    assert draft.attachments is not None


async def test_recipients_are_changed_together(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(to="bob@example.com", cc="carol@example.com", bcc="dave@example.com", subject="s"))
    await phone.ask(changing(name, Email(subject="t", importance=Importance.HIGH)))
    index = (await stored(box, name)).index
    assert (index.to, index.cc, index.bcc) == ("bob@example.com", "carol@example.com", "dave@example.com")
    await phone.ask(changing(name, Email(to="bob@example.com", bcc="")))
    index = (await stored(box, name)).index
    assert (index.to, index.cc, index.bcc) == ("bob@example.com", "", "")
    await phone.ask(changing(name, Email(to="", subject="", importance=Importance.NORMAL)))
    index = (await stored(box, name)).index
    assert (index.to, index.subject, index.importance) == ("", "", 1)


async def test_change_that_says_nothing_new(box: Mailbox) -> None:
    phone = await drafting(box)
    email = Email(to='"Bob, B" <bob@example.com>', subject="ß" * 100, body=TEXT, importance=Importance.HIGH)
    name = await add(phone, email)
    before = (await stored(box, name)).revision
    answer = await phone.ask(changing(name, email))
    assert (answer.responses, answer.commands) == (None, None)
    assert (await stored(box, name)).revision == before


async def test_text_that_the_client_was_sent_is_no_change(box: Mailbox) -> None:
    """A client that shows plain text alone gives back the plain text of HTML: the HTML stays."""
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", body=Body(type=BodyType.HTML, data="<p><b>Bold</b></p>")))
    before = await octets(box, name)
    shown = (await seen(box, body_preferences=(BodyPreference(type=BodyType.PLAIN),)))[name].body
    assert shown is not None
    await phone.ask(changing(name, Email(subject="s", body=Body(type=BodyType.PLAIN, data=shown.data))))
    assert await octets(box, name) == before


@pytest.mark.requirement("MS-ASEMAIL_R14900")
async def test_change_to_other_mime(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", body=TEXT, attachments=files(file("a.txt"))))
    await phone.ask(changing(name, Email(body=mime())))
    assert await octets(box, name) == MIME
    await phone.ask(changing(name, Email(subject="changed")))
    assert await octets(box, name) == MIME.replace(b"=?utf-8?q?kept?=\n", b"changed\r\n")
    await phone.ask(changing(name, Email(body=TEXT)))
    index = (await stored(box, name)).index
    assert (index.message_class, index.subject, index.attachments) == ("IPM.Note", "changed", ())


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASCMD_R6234")
@pytest.mark.requirement("MS-ASCMD_R759")
@pytest.mark.requirement("MS-ASAIRS_R1368")
@pytest.mark.requirement("MS-ASAIRS_R1001000")
@pytest.mark.requirement("MS-ASAIRS_R1325")
async def test_files_are_added_and_deleted(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    name = await add(phone, Email(subject="s", body=TEXT, attachments=files(file("a.txt", b"a"))))
    answer = await phone.ask(changing(name, Email(attachments=files(file("b.txt", b"b", "f2")))))
    (response,) = answer.responses.responses
    assert isinstance(response, ChangeResponse)
    assert (response.server_id, response.status) == (name, Status.SUCCESS)
    (told,) = answer.commands.commands
    references = {one.display_name: one for one in described(told.application_data)}
    assert (references["a.txt"].client_id, references["b.txt"].client_id) == (None, "f2")
    assert await phone.ask() is None
    answer = await phone.ask(
        changing(name, Email(attachments=files(DeleteAttachment(file_reference=references["a.txt"].file_reference))))
    )
    assert (answer.responses, answer.commands) == (None, None)
    assert [a.name for a in (await stored(box, name)).index.attachments] == ["b.txt"]
    # the reference that the client holds names the same file as before, and that of the deleted one nothing
    assert await fetched(phone, references["b.txt"].file_reference) == b"b"
    assert await fetched(phone, references["a.txt"].file_reference) == operations.Status.INVALID_ATTACHMENT


async def test_repeated_change_adds_its_file_once(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", body=TEXT))
    change = changing(name, Email(attachments=files(file("a.txt"), file("b.txt", client_id="f2"))))
    first = await phone.ask(change, lose=True)
    again = await phone.ask(change)
    assert again.responses == first.responses
    assert [a.name for a in (await stored(box, name)).index.attachments] == ["a.txt", "b.txt"]
    (told,) = again.commands.commands
    assert [one.client_id for one in described(told.application_data)] == ["f1", "f2"]
    assert await phone.ask() is None


async def test_deleting_a_file_again_leaves_the_others(box: Mailbox) -> None:
    phone = await drafting(box)
    response = added(
        await phone.ask(
            adding(Email(attachments=files(file("a", b"1"), file("b", b"22", "f2"), file("c", b"333", "f3"))))
        )
    )
    name = str(response.server_id)
    references = [one.file_reference for one in described(response.application_data)]
    gone = changing(name, Email(attachments=files(DeleteAttachment(file_reference=references[0]))))
    await phone.ask(gone, lose=True)
    await phone.ask(gone)
    await phone.ask(changing(name, Email(subject="later", attachments=gone_files(references[0], references[1]))))
    assert [a.name for a in (await stored(box, name)).index.attachments] == ["c"]


def gone_files(*references: str) -> Attachments:
    return files(*(DeleteAttachment(file_reference=reference) for reference in references))


@pytest.mark.parametrize("reference", ["", "x", "1:1:0", "9:99:0", ":" * 50])
async def test_reference_to_no_file_of_the_draft(box: Mailbox, reference: str) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", attachments=files(file("a.txt"))))
    answer = await phone.ask(changing(name, Email(subject="t", attachments=gone_files(reference))))
    (response,) = answer.responses.responses
    assert response.status == Status.CONVERSION_ERROR
    assert (await stored(box, name)).index.subject == "s"


@pytest.mark.requirement("MS-ASCMD_R4447")
async def test_change_of_a_draft_that_is_gone(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s"))
    await phone.ask(Delete(server_id=name))
    answer = await phone.ask(changing(name, Email(subject="t")), changing(name, Email(), send=True))
    assert [response.status for response in answer.responses.responses] == [Status.NOT_FOUND] * 2


@pytest.mark.parametrize(("conflict", "subject"), [(Conflict.SERVER_WINS, "theirs"), (Conflict.CLIENT_WINS, "mine")])
async def test_conflict(box: Mailbox, conflict: Conflict, subject: str) -> None:
    phone, other = await drafting(box), await drafting(box, device="device2")
    name = await add(phone, Email(subject="s", body=TEXT))
    await other.all()
    await other.ask(changing(name, Email(subject="theirs")))
    answer = await phone.ask(changing(name, Email(subject="mine")), options=Options(conflict=conflict))
    assert (await stored(box, name)).index.subject == subject
    if conflict is Conflict.SERVER_WINS:
        assert answer.responses.responses[0].status == Status.CONFLICT
        assert phone.items[name].subject == "theirs"


@pytest.mark.requirement("MS-ASEMAIL_R94")
@pytest.mark.requirement("MS-ASEMAIL_R106")
async def test_other_devices_get_the_whole_draft(box: Mailbox) -> None:
    phone, other = await drafting(box), await drafting(box, device="device2")
    name = await add(phone, Email(subject="s", body=TEXT))
    await other.all()
    await phone.ask(changing(name, Email(subject="t", read=False, categories=("c",))))
    answer = await other.ask()
    (change,) = answer.commands.commands
    news = load(Email, change.application_data)
    assert (news.subject, news.read, news.categories, news.is_draft) == ("t", False, ("c",), True)
    assert news.body is not None


async def test_state_alone(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", body=TEXT))
    before = await octets(box, name)
    await phone.ask(changing(name, Email(read=False, categories=("c",))))
    item = await stored(box, name)
    assert (item.state.read, item.state.categories, await octets(box, name)) == (False, ("c",), before)


@pytest.mark.parametrize("version", WITHOUT_DRAFTS)
@pytest.mark.requirement("MS-ASCMD_R875")
async def test_before_16_only_the_state_of_a_draft_changes(box: Mailbox, version: ProtocolVersion) -> None:
    name = await add(await drafting(box), Email(subject="s", body=TEXT))
    phone = await drafting(box, version, device="device2")
    assert phone.items[name].is_draft is None
    answer = await phone.ask(changing(name, Email(subject="t", read=False)))
    assert answer.responses is None
    item = await stored(box, name)
    assert (item.index.subject, item.state.read) == ("s", False)


# ---- Send


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASEMAIL_R1389")
@pytest.mark.requirement("MS-ASEMAIL_R1393")
@pytest.mark.requirement("MS-ASCMD_R957")
async def test_add_that_sends(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    email = Email(
        to="bob@example.com",
        bcc="carol@example.com",
        subject="Now",
        body=TEXT,
        attachments=files(file("a.txt", b"content")),
    )
    answer = await phone.ask(adding(email, send=True), lose=True)
    response = added(answer)
    assert response.status == Status.SUCCESS
    (gone,) = answer.commands.commands
    assert gone == Delete(server_id=str(response.server_id))
    phone.key = answer.sync_key
    assert await phone.ask() is None
    assert await items_in(box, FolderType.DRAFTS) == []
    for user in ("bob@example.com", "carol@example.com"):
        (item,) = await items_in(box, FolderType.INBOX, user)
        assert (item.index.subject, item.index.bcc) == ("Now", "")
        assert [a.name for a in item.index.attachments] == ["a.txt"]
    (sent,) = await items_in(box, FolderType.SENT_ITEMS)
    assert (sent.index.bcc, sent.state.read, sent.index.date) == ("carol@example.com", True, phone.bench.now)


async def test_repeated_add_sends_once(box: Mailbox) -> None:
    phone = await drafting(box)
    sending = adding(Email(to="bob@example.com", subject="once", body=TEXT), send=True)
    first = await phone.ask(sending, lose=True)
    again = await phone.ask(sending, lose=True)
    assert (added(again), again.commands) == (added(first), first.commands)
    assert len(await items_in(box, FolderType.INBOX, "bob@example.com")) == 1
    phone.key = again.sync_key
    await phone.ask(sending, lose=True)  # the same ClientId and content, but under another key: another message
    assert len(await items_in(box, FolderType.INBOX, "bob@example.com")) == 2


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASCMD_R5259")
async def test_change_that_sends(box: Mailbox, version: ProtocolVersion) -> None:
    phone = await drafting(box, version)
    name = await add(phone, Email(to="bob@example.com", subject="draft", body=TEXT))
    phone.bench.now += timedelta(days=1)
    sending = changing(name, Email(subject="final"), send=True)
    answer = await phone.ask(sending, lose=True)
    assert answer.responses is None
    assert answer.commands.commands == (Delete(server_id=name),)
    again = await phone.ask(sending)
    assert (again.responses, again.commands) == (None, answer.commands)
    assert await phone.ask() is None
    assert await items_in(box, FolderType.DRAFTS) == []
    (item,) = await items_in(box, FolderType.INBOX, "bob@example.com")
    assert (item.index.subject, item.index.date) == ("final", phone.bench.now)
    assert len(await items_in(box, FolderType.SENT_ITEMS)) == 1


async def test_stored_mime_is_sent_as_it_is_but_for_its_date(box: Mailbox) -> None:
    phone = await drafting(box)
    octets_ = MIME.replace(b"To:", b"Date: Mon, 01 Jan 2024 00:00:00 +0000\nTo:")
    name = await add(phone, Email(body=mime(octets_)))
    answer = await phone.ask(changing(name, None, send=True))
    assert answer.responses is None
    (received,) = await octets_in(box, FolderType.INBOX, "bob@example.com")
    assert received.endswith(MIME)
    assert b"2024" not in received


@pytest.mark.parametrize("version", WITH_DRAFTS)
@pytest.mark.requirement("MS-ASCMD_R7472")
@pytest.mark.parametrize(
    "recipients", [{}, {"to": ""}, {"to": "bob"}, {"to": "bob@example.com", "cc": "Carol"}, {"bcc": "a b@c@d"}]
)
async def test_no_recipients_or_bad_ones(box: Mailbox, version: ProtocolVersion, recipients: dict[str, Any]) -> None:
    phone = await drafting(box, version)
    response = added(await phone.ask(adding(Email(subject="s", body=TEXT, **recipients), send=True)))
    assert (response.status, response.server_id) == (CommonStatus.INVALID_RECIPIENTS, None)
    assert await items_in(box, FolderType.DRAFTS) == []
    name = await add(phone, Email(subject="s", body=TEXT, **recipients), "c2")
    before = await octets(box, name)
    answer = await phone.ask(changing(name, Email(subject="t"), send=True))
    (failed,) = answer.responses.responses
    assert (failed.server_id, failed.status) == (name, CommonStatus.INVALID_RECIPIENTS)
    assert (await octets(box, name), answer.commands) == (before, None)
    assert await items_in(box, FolderType.SENT_ITEMS) == []
    assert await items_in(box, FolderType.INBOX, "bob@example.com") == []


@pytest.mark.parametrize("version", SUPPORTED)
async def test_what_is_no_draft_is_not_sent(box: Mailbox, version: ProtocolVersion) -> None:
    await box.deliver(message("received"))
    phone = box.phone()
    phone.bench.version = version
    await phone.all()
    (name,) = phone.items
    answer = await phone.ask(changing(name, Email(read=True), send=True))
    (response,) = answer.responses.responses
    assert response.status == Status.CONVERSION_ERROR
    assert phone.items[name].read is False


async def test_delete(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s", body=TEXT))
    answer = await phone.ask(Delete(server_id=name))
    assert answer.responses is None
    assert await items_in(box, FolderType.DRAFTS) == []
    assert len(await items_in(box, FolderType.DELETED_ITEMS)) == 1


async def test_draft_with_all_at_once_in_one_request(box: Mailbox) -> None:
    """Several commands of one request, with answers in their order."""
    phone = await drafting(box)
    name = await add(phone, Email(subject="old", to="bob@example.com"))
    answer = await phone.ask(
        adding(Email(subject="new"), "n1"),
        changing(name, Email(subject="older", attachments=files(file("a.txt")))),
        adding(Email(subject="none"), "n2", send=True),
        changing(name, None, send=True),
        lose=True,
    )
    kinds = [(type(r).__name__, r.status) for r in answer.responses.responses]
    assert kinds == [("AddResponse", 1), ("ChangeResponse", 1), ("AddResponse", 183)]
    assert answer.commands.commands == (Delete(server_id=name),)
    (item,) = await items_in(box, FolderType.INBOX, "bob@example.com")
    assert (item.index.subject, len(item.index.attachments)) == ("older", 1)


# ---- many at once


FLOOD = Path(__file__).parents[3] / "fixtures" / "wbxml" / "Sync" / "request_drafts_flood.wbxml"


@pytest.mark.requirement("MS-ASCMD_R5659")
@pytest.mark.parametrize("version", [V14_1, V16_1])
async def test_flood_of_drafts(box: Mailbox, version: ProtocolVersion) -> None:
    """quirks.DRAFTS_FLOOD: more Changes in the Drafts folder than one request may have, from 16.0 on."""
    phone = await drafting(box, version)
    request = load(Request, wbxml.decode(FLOOD.read_bytes()))
    assert request.collections is not None
    assert request.collections.collections[0].commands is not None
    commands = request.collections.collections[0].commands.commands
    assert len(commands) > phone.bench.settings.sync.max_commands
    answer = await phone.ask(*commands)
    if version < V16_0:
        assert answer.status == Status.PROTOCOL_ERROR
    else:
        assert {response.status for response in answer.responses.responses} == {Status.NOT_FOUND}


async def test_flood_switched_off(box: Mailbox) -> None:
    phone = await drafting(box)
    quirks.refuse(frozenset({quirks.DRAFTS_FLOOD.name}))
    try:
        answer = await phone.ask(*[changing("2:1", Email(subject="s"))] * 201)
    finally:
        quirks.refuse(quirks.NONE_REFUSED)
    assert answer.status == Status.PROTOCOL_ERROR


@pytest.mark.requirement("MS-ASCMD_R5657")
async def test_flood_of_other_commands(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(subject="s"))
    for command in (Delete(server_id=name), adding(Email(subject="s"))):
        answer = await phone.ask(*[command] * 201)
        assert answer.status == Status.PROTOCOL_ERROR
    answer = await phone.ask(*[changing(name, Email(subject="s"))] * 2201)
    assert answer.status == Status.PROTOCOL_ERROR
    inbox = box.phone()
    await inbox.all()
    answer = await inbox.ask(*[changing("1:1", Email(read=True))] * 201)
    assert answer.status == Status.PROTOCOL_ERROR


# ---- what goes wrong


class Down:
    """A MailSubmission that cannot be reached."""

    async def submit(self, submission: Any) -> Any:
        raise StoreUnavailable("down")


async def test_server_that_cannot_send_keeps_the_draft(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(to="bob@example.com", subject="s", body=TEXT))
    phone.bench.submission = Down()
    answer = await phone.ask(changing(name, Email(subject="t"), send=True))
    assert [r.status for r in answer.responses.responses] == [CommonStatus.MAIL_SUBMISSION_FAILED]
    response = added(await phone.ask(adding(Email(to="bob@example.com", subject="u"), "c9", send=True)))
    assert (response.status, response.server_id) == (CommonStatus.MAIL_SUBMISSION_FAILED, None)
    assert [item.index.subject for item in await items_in(box, FolderType.DRAFTS)] == ["s"]


@pytest.mark.requirement("MS-ASCMD_R4450")
async def test_full_mailbox(box: Mailbox) -> None:
    phone = await drafting(box)
    name = await add(phone, Email(to="bob@example.com", subject="s", body=TEXT))
    await box.store.admin.set_quota(ALICE.user, 2000)
    large = files(file("a.bin", bytes(5000)))
    answer = await phone.ask(
        adding(Email(subject="t", attachments=large), "c2"),
        changing(name, Email(attachments=large)),
        adding(Email(to="bob@example.com", attachments=large), "c3", send=True),
    )
    assert [r.status for r in answer.responses.responses] == [Status.NO_SPACE] * 3
    assert [item.index.attachments for item in await items_in(box, FolderType.DRAFTS)] == [()]
    assert await items_in(box, FolderType.INBOX, "bob@example.com") == []


async def test_two_devices_at_the_same_moment(box: Mailbox) -> None:
    """Neither's attachment is lost."""
    phones = [await drafting(box), await drafting(box, device="device2")]
    name = await add(phones[0], Email(subject="s", body=TEXT))
    await phones[1].all()
    options = Options(conflict=Conflict.CLIENT_WINS)
    await asyncio.gather(
        *(
            phone.ask(changing(name, Email(attachments=files(file(f"{n}.txt", client_id=f"f{n}")))), options=options)
            for n, phone in enumerate(phones)
        )
    )
    assert sorted(a.name for a in (await stored(box, name)).index.attachments) == ["0.txt", "1.txt"]
