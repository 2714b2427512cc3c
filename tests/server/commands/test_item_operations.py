"""ItemOperations, [MS-ASCMD] 2.2.1.10."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from eas_server.commands import item_operations, items
from eas_server.commands.context import Reply
from eas_server.commands.item_operations import COMMAND, fail, refuse
from eas_server.errors import StoreUnavailable
from eas_server.model.blob import read
from eas_server.model.ids import ROOT, CollectionId, ItemId, UserId
from eas_server.model.mail import FolderType
from eas_server.model.view import NO_LIMIT, TOP
from protocol import multipart, wbxml
from protocol.codepages import tag
from protocol.commands.item_operations import (
    AttachmentProperties,
    EmptyFolderContents,
    EmptyOptions,
    Fetch,
    Fetched,
    FetchOptions,
    Move,
    MoveOptions,
    Request,
    Response,
)
from protocol.elements import Element, Inline
from protocol.errors import MalformedXml
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.items.email import Email
from protocol.schema import EMPTY, load, tag_of
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_1, ProtocolVersion
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox, message
from tests.server.commands.support import ALICE, check

BOB = UserId("bob@example.com")
PICTURE = bytes(range(256)) * 10
SIGNED = (
    b"From: bob@example.com\r\nTo: alice@example.com\r\nSubject: signed\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xfc\xdfe  \r\n\r\n--b\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nMAA=\r\n--b--\r\n"
)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path) as found:
        yield found


def with_attachments(**contents: bytes) -> bytes:
    """A message with text and attachments."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "bob@example.com", "alice@example.com", "attached"
    made.set_content("See below.\n")
    for name, content in contents.items():
        made.add_attachment(content, maintype="image", subtype="png", filename=f"{name}.png")
    return made.as_bytes().replace(b"\n", b"\r\n")


async def run(box: Mailbox, *operations: Any, version: ProtocolVersion = V16_1) -> Response:
    answer = await replace(box.bench, version=version).run(COMMAND, Request(operations=operations))
    assert isinstance(answer, Response)
    return answer


async def fetch(box: Mailbox, version: ProtocolVersion = V16_1, store: str = "Mailbox", **wanted: Any) -> Fetched:
    answer = await run(box, Fetch(store=store, **wanted), version=version)
    assert answer.status == 1
    assert answer.responses is not None
    (fetched,) = answer.responses.fetched
    return fetched


async def parts(box: Mailbox, *operations: Any) -> tuple[Response, list[bytes]]:
    """A multipart answer, taken apart."""
    ctx = replace(await box.bench.context("ItemOperations"), accept_multipart=True)
    answer = await COMMAND.handle(Request(operations=operations), ctx)
    assert isinstance(answer, Reply)
    assert answer.content_type == "application/vnd.ms-sync.multipart"
    octets = bytearray()
    for segment in answer.body:
        octets += segment if isinstance(segment, (bytes, bytearray, memoryview)) else await read(segment)
    assert len(octets) == answer.body.size
    document, *rest = multipart.parse(octets)
    response = load(Response, wbxml.decode(document))
    check(response, "ItemOperations", V16_1)
    return response, [bytes(part) for part in rest]


def email(fetched: Fetched) -> Email:
    assert fetched.properties is not None
    return load(Email, Element(tag_of(Email), fetched.properties.content))


async def octets_of(content: Any) -> bytes:
    """What an Inline holds, in memory or in the store."""
    assert isinstance(content, Inline)
    held: Any = content.octets
    return bytes(held) if isinstance(held, (bytes, bytearray, memoryview)) else await read(held)


async def data(fetched: Fetched) -> bytes:
    assert fetched.properties is not None
    found = fetched.properties.find(tag("ItemOperations:Data"))
    assert found is not None
    return base64.b64decode(await octets_of(found.content), validate=True)


async def mime(fetched: Fetched) -> bytes:
    body = email(fetched).body
    assert body is not None
    return await octets_of(body.data)


# ---- items


@pytest.mark.requirement(
    "MS-ASCMD_R2295", "MS-ASCMD_R910", "MS-ASCMD_R1652", "MS-ASCMD_R3928", "MS-ASCMD_R4153", "MS-ASCMD_R3879"
)
@pytest.mark.parametrize("version", SUPPORTED)
async def test_an_item_by_its_ids(box: Mailbox, version: ProtocolVersion) -> None:
    number = await box.deliver(message("hello", "Some words.\r\n"))
    name = f"{INBOX}:{number}"
    fetched = await fetch(
        box,
        version,
        collection_id=INBOX,
        server_id=name,
        options=FetchOptions(body_preferences=(BodyPreference(type=BodyType.PLAIN),)),
    )
    assert (fetched.status, fetched.collection_id, fetched.server_id, fetched.long_id) == (1, INBOX, name, None)
    assert fetched.item_class == "Email"
    found = email(fetched)
    assert found.subject == "hello"
    assert found.body is not None
    assert (found.body.type, found.body.data) == (1, "Some words.\r\n")
    assert found.body.part is None


@pytest.mark.requirement("MS-ASCMD_R3235")
async def test_an_item_by_its_long_id(box: Mailbox) -> None:
    name = f"{INBOX}:{await box.deliver(message('found'))}"
    fetched = await fetch(box, long_id=name)
    assert (fetched.status, fetched.long_id, fetched.server_id, fetched.collection_id) == (1, name, None, None)
    assert email(fetched).subject == "found"


@pytest.mark.requirement(
    "MS-ASCMD_R3363", "MS-ASCMD_R3365", "MS-ASCMD_R3366", "MS-ASCMD_R3367", "MS-ASCMD_R3368", "MS-ASCMD_R3356"
)
@pytest.mark.parametrize("support", [1, 2])
async def test_signed_mail_comes_as_it_was_sent(box: Mailbox, support: int) -> None:
    name = f"{INBOX}:{await box.deliver(SIGNED)}"
    options = FetchOptions(mime_support=support, body_preferences=(BodyPreference(type=BodyType.MIME),))
    fetched = await fetch(box, server_id=name, options=options)
    body = email(fetched).body
    assert body is not None
    assert (body.type, body.estimated_data_size, body.truncated) == (4, len(SIGNED), False)
    assert await mime(fetched) == SIGNED


@pytest.mark.requirement("MS-ASCMD_R3355", "MS-ASCMD_R5880", "MS-ASCMD_R5881")
@pytest.mark.parametrize(("octets", "support"), [(SIGNED, None), (SIGNED, 0), (message("plain"), 1)])
async def test_mime_that_was_not_asked_for(box: Mailbox, octets: bytes, support: int | None) -> None:
    name = f"{INBOX}:{await box.deliver(octets)}"
    preferences = (BodyPreference(type=BodyType.MIME), BodyPreference(type=BodyType.PLAIN))
    fetched = await fetch(box, server_id=name, options=FetchOptions(mime_support=support, body_preferences=preferences))
    body = email(fetched).body
    assert body is not None
    assert body.type == 1


@pytest.mark.requirement("MS-ASEMAIL_R63", "MS-ASCMD_R3552", "MS-ASEMAIL_R34")
async def test_only_the_properties_of_the_schema(box: Mailbox) -> None:
    name = f"{INBOX}:{await box.deliver(message('narrow'))}"
    schema = Element(tag("ItemOperations:Schema"), [Element(tag("Email:Subject")), Element(tag("AirSyncBase:Body"))])
    fetched = await fetch(box, server_id=name, options=FetchOptions(schema=schema))
    assert fetched.properties is not None
    assert [child.tag.name for child in fetched.properties.children] == ["Subject", "Body"]


@pytest.mark.requirement("MS-ASCMD_R3569", "MS-ASCMD_R5412")
async def test_body_parts(box: Mailbox) -> None:
    name = f"{INBOX}:{await box.deliver(message('part', 'Words.'))}"

    async def asked(type_: BodyType, version: ProtocolVersion) -> Fetched:
        options = FetchOptions(body_part_preferences=(BodyPartPreference(type=type_),))
        return await fetch(box, version, server_id=name, options=options)

    assert email(await asked(BodyType.HTML, V14_1)).body_part is not None
    assert (await asked(BodyType.MIME, V14_1)).status == 164
    before = await asked(BodyType.MIME, V14_0)
    assert (before.status, email(before).body_part) == (1, None)


# ---- attachments


@pytest.mark.requirement("MS-ASCMD_R2947", "MS-ASCMD_R2130", "MS-ASCMD_R3716", "MS-ASCMD_R1464", "MS-ASCMD_R234")
@pytest.mark.parametrize("version", SUPPORTED)
async def test_an_attachment_in_line(box: Mailbox, version: ProtocolVersion) -> None:
    name = f"{INBOX}:{await box.deliver(with_attachments(one=b'first', two=PICTURE))}"
    attachments = email(await fetch(box, server_id=name)).attachments
    assert attachments is not None
    references = [a.file_reference for a in attachments.changes]  # type: ignore[union-attr]
    assert len(set(references)) == 2
    fetched = await fetch(box, version, file_reference=references[1])
    assert (fetched.status, fetched.file_reference, fetched.item_class) == (1, references[1], None)
    assert await data(fetched) == PICTURE
    assert fetched.properties is not None
    assert [child.tag.name for child in fetched.properties.children] == ["ContentType", "Data"]
    assert fetched.properties.children[0].text == "image/png"


async def attached(box: Mailbox, content: bytes) -> str:
    """The FileReference of an attachment with that content."""
    name = f"{INBOX}:{await box.deliver(with_attachments(it=content))}"
    attachments = email(await fetch(box, server_id=name)).attachments
    assert attachments is not None
    return attachments.changes[0].file_reference  # type: ignore[union-attr]


@pytest.mark.requirement("MS-ASCMD_R3555", "MS-ASCMD_R3557", "MS-ASCMD_R3709", "MS-ASCMD_R2131", "MS-ASCMD_R2132")
@pytest.mark.parametrize(
    ("asked", "answered"),
    [("0-0", "0-0"), ("0-9", "0-9"), ("7-100", "7-100"), ("2559-2559", "2559-2559"), ("100-999999999", "100-2559")],
)
async def test_a_range_of_an_attachment(box: Mailbox, asked: str, answered: str) -> None:
    reference = await attached(box, PICTURE)
    fetched = await fetch(box, file_reference=reference, options=FetchOptions(range=asked))
    first, last = map(int, answered.split("-"))
    assert await data(fetched) == PICTURE[first : last + 1]
    assert fetched.properties is not None
    properties = load(AttachmentProperties, fetched.properties)
    assert (properties.range, properties.total) == (answered, len(PICTURE))


@pytest.mark.requirement("MS-ASCMD_R4160", "MS-ASCMD_R3711")
@pytest.mark.parametrize("span", ["", "x", "5", "9-3", "-1-5", "2560-2560", "99999-100000", "0-9999999999"])
async def test_an_invalid_range(box: Mailbox, span: str) -> None:
    reference = await attached(box, PICTURE)
    fetched = await fetch(box, file_reference=reference, options=FetchOptions(range=span))
    assert (fetched.status, fetched.properties) == (8, None)


@pytest.mark.requirement("MS-ASCMD_R4162")
async def test_an_empty_attachment(box: Mailbox) -> None:
    assert (await fetch(box, file_reference=await attached(box, b""))).status == 10


@pytest.mark.requirement("MS-ASCMD_R3556")
async def test_items_have_no_ranges(box: Mailbox) -> None:
    name = f"{INBOX}:{await box.deliver(message('whole'))}"
    fetched = await fetch(box, server_id=name, options=FetchOptions(range="0-1"))
    assert fetched.status == 1
    assert fetched.properties is not None
    assert fetched.properties.find(tag("ItemOperations:Range")) is None


async def test_a_large_attachment_is_streamed(box: Mailbox) -> None:
    content = hashlib.sha256(b"seed").digest() * 10_000
    fetched = await fetch(box, file_reference=await attached(box, content))
    assert fetched.properties is not None
    letters = fetched.properties.children[-1].content.octets  # type: ignore[union-attr]
    assert not isinstance(letters, (bytes, bytearray, memoryview))
    assert await data(fetched) == content


# ---- multipart


@pytest.mark.requirement(
    "MS-ASCMD_R5504", "MS-ASCMD_R5505", "MS-ASCMD_R5506", "MS-ASCMD_R236", "MS-ASCMD_R3631", "MS-ASAIRS_R244"
)
@pytest.mark.requirement("MS-ASAIRS_R176", "MS-ASCMD_R3633")
async def test_a_multipart_answer(box: Mailbox) -> None:
    signed = f"{INBOX}:{await box.deliver(SIGNED)}"
    plain = f"{INBOX}:{await box.deliver(message('plain', 'Wörter.'))}"
    reference = await attached(box, PICTURE)
    large = await attached(box, PICTURE * 100)
    as_mime = FetchOptions(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),))
    response, found = await parts(
        box,
        Fetch(store="Mailbox", server_id=signed, options=as_mime),
        Fetch(store="Mailbox", file_reference="1:2:3"),
        Fetch(store="Mailbox", file_reference=reference),
        Fetch(store="Mailbox", server_id=plain),
        Fetch(store="Mailbox", file_reference=large, options=FetchOptions(range="10-19")),
        Fetch(store="Mailbox", file_reference=large),
    )
    assert found == [SIGNED, PICTURE, "Wörter.".encode(), PICTURE[10:20], PICTURE * 100]
    assert response.responses is not None
    first, broken, second, third, fourth, _ = response.responses.fetched
    assert broken.status == 15
    for number, fetched in ((1, first), (3, third)):
        body = email(fetched).body
        assert body is not None
        assert (body.part, body.data) == (number, None)
    for number, fetched in ((2, second), (4, fourth)):
        assert fetched.properties is not None
        properties = load(AttachmentProperties, fetched.properties)
        assert (properties.part, properties.data) == (number, None)


async def test_a_multipart_answer_without_the_body(box: Mailbox) -> None:
    name = f"{INBOX}:{await box.deliver(message('narrow'))}"
    schema = Element(tag("ItemOperations:Schema"), [Element(tag("Email:Subject"))])
    response, found = await parts(box, Fetch(store="Mailbox", server_id=name, options=FetchOptions(schema=schema)))
    assert found == []
    assert response.status == 1


async def test_a_nul_goes_by_multipart_only(box: Mailbox) -> None:
    octets = message("nul", "a\0b")
    name = f"{INBOX}:{await box.deliver(octets)}"
    wanted = Fetch(
        store="Mailbox",
        server_id=name,
        options=FetchOptions(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),)),
    )
    _, found = await parts(box, wanted)
    assert found == [octets]
    response = await run(box, wanted)
    assert response.responses is not None
    body = email(response.responses.fetched[0]).body
    assert body is not None
    assert (body.data, body.truncated) == (None, True)


# ---- what is not there


@pytest.mark.requirement("MS-ASCMD_R4158", "MS-ASCMD_R4154", "MS-ASCMD_R4166", "MS-ASAIRS_R214", "MS-ASCMD_R194")
async def test_each_fetch_has_its_own_status(box: Mailbox) -> None:
    good = f"{INBOX}:{await box.deliver(message('good'))}"
    reference = await attached(box, PICTURE)
    wanted: list[tuple[dict[str, str], int]] = [
        ({"server_id": good, "collection_id": "2"}, 6),
        ({"server_id": f"{INBOX}:999"}, 6),
        ({"server_id": "999:1"}, 6),
        ({"server_id": "nonsense"}, 6),
        ({"long_id": "nonsense"}, 6),
        ({"long_id": f"{INBOX}:999"}, 6),
        ({"link_id": r"\\server\share"}, 6),
        ({"collection_id": INBOX}, 2),
        ({}, 2),
        ({"file_reference": ""}, 15),
        ({"file_reference": "nonsense"}, 15),
        ({"file_reference": reference.rpartition(":")[0] + ":1"}, 15),
        ({"file_reference": "999:1:0"}, 15),
        ({"server_id": good, "collection_id": INBOX}, 1),
    ]
    response = await run(box, *[Fetch(store="Mailbox", **names) for names, _ in wanted])  # type: ignore[arg-type]
    assert response.status == 1
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [status for _, status in wanted]
    assert [f.properties is not None for f in response.responses.fetched] == [status == 1 for _, status in wanted]


async def test_other_peoples_items_are_not_there(box: Mailbox) -> None:
    await box.store.admin.add_user(str(BOB), None)
    his = await box.store.folders.create_folder(BOB, ROOT, "His", FolderType.USER_MAIL)
    number = await box.deliver(with_attachments(secret=PICTURE), folder=his.id, user=BOB)
    name = f"{his.id}:{number}"
    assert await box.store.mail.fetch(BOB, his.id, [ItemId(number)])
    response = await run(
        box,
        Fetch(store="Mailbox", server_id=name),
        Fetch(store="Mailbox", long_id=name),
        Fetch(store="Mailbox", file_reference=f"{name}:0"),
        EmptyFolderContents(collection_id=his.id),
    )
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [6, 6, 15]
    assert [e.status for e in response.responses.emptied] == [6]
    assert await box.store.mail.fetch(BOB, his.id, [ItemId(number)])


@pytest.mark.requirement("MS-ASCMD_R196")
async def test_the_recipient_cache_is_out_of_bounds(box: Mailbox) -> None:
    folders = await box.store.folders.folders(ALICE.user)
    cache = next(f.id for f in folders if f.type is FolderType.RECIPIENT_INFORMATION_CACHE)
    response = await run(box, Fetch(store="Mailbox", server_id=f"{cache}:1"), EmptyFolderContents(collection_id=cache))
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [16]
    assert [e.status for e in response.responses.emptied] == [16]


@pytest.mark.requirement("MS-ASCMD_R4165")
async def test_an_item_that_cannot_be_rendered(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = [f"{INBOX}:{await box.deliver(message(subject))}" for subject in ("bad", "good")]
    real = items.application_data

    async def failing(ctx: Any, folder: Any, item: Any, *rest: Any, **options: Any) -> Element:
        if item.index.subject == "bad":
            raise ZeroDivisionError
        return await real(ctx, folder, item, *rest, **options)

    monkeypatch.setattr(item_operations, "application_data", failing)
    response = await run(box, Fetch(store="Mailbox", server_id=bad), Fetch(store="Mailbox", server_id=good))
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [14, 1]


async def test_a_store_that_is_down_is_no_bad_item(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: Any, **__: Any) -> Email:
        raise StoreUnavailable

    monkeypatch.setattr(item_operations, "application_data", failing)
    with pytest.raises(StoreUnavailable):
        await fetch(box, server_id=f"{INBOX}:{await box.deliver(message('m'))}")


@pytest.mark.requirement("MS-ASCMD_R4163")
async def test_too_much_text_at_once(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_operations, "TEXT_BUDGET", 3000)
    names = [f"{INBOX}:{await box.deliver(message(str(n), 'x' * 2000))}" for n in range(2)]
    response = await run(box, *[Fetch(store="Mailbox", server_id=name) for name in names])
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [1, 11]
    assert (await fetch(box, server_id=names[1])).status == 1


# ---- the request as a whole


@pytest.mark.requirement("MS-ASCMD_R7489", "MS-ASCMD_R7490")
@pytest.mark.parametrize(("count", "status"), [(0, 2), (1, 1), (100, 1), (101, 11)])
async def test_how_many_operations(box: Mailbox, count: int, status: int) -> None:
    response = await run(box, *[Fetch(store="Mailbox", server_id="1:1")] * count)
    assert response.status == status
    assert (response.responses is not None) is (status == 1)


@pytest.mark.requirement("MS-ASCMD_R4161", "MS-ASCMD_R4529")
@pytest.mark.parametrize("store", ["Document Library", "DocumentLibrary", "GAL", ""])
async def test_other_stores(box: Mailbox, store: str) -> None:
    name = f"{INBOX}:{await box.deliver(message('m'))}"
    wanted = Fetch(store=store, link_id=r"\\server\share\file", options=FetchOptions(range="0-1"))
    response = await run(box, EmptyFolderContents(collection_id=INBOX), wanted)
    assert response == Response(status=9)
    assert (await fetch(box, store="mailbox", server_id=name)).status == 1


@pytest.mark.requirement("MS-ASCMD_R3475", "MS-ASCMD_R4170", "MS-ASCMD_R4172")
@pytest.mark.parametrize(
    ("version", "options", "status"),
    [
        (V14_1, None, 155),
        (V14_1, MoveOptions(), 155),
        (V14_0, None, 155),
        (V12_1, MoveOptions(move_always=EMPTY), 2),
    ],
)
async def test_conversations_are_not_moved(
    box: Mailbox, version: ProtocolVersion, options: MoveOptions | None, status: int
) -> None:
    moving = Move(conversation_id=bytes(16), target="4", options=options)
    response = await run(box, EmptyFolderContents(collection_id=INBOX), moving, version=version)
    assert response == Response(status=status)


@pytest.mark.requirement("MS-ASCMD_R7238")
@pytest.mark.parametrize(
    "bad",
    [
        Element(tag("ItemOperations:Fetch"), [Element(tag("AirSync:ServerId"), "1:1")]),
        Element(tag("ItemOperations:EmptyFolderContents")),
        Element(
            tag("ItemOperations:Fetch"),
            [
                Element(tag("ItemOperations:Store"), "Mailbox"),
                Element(tag("ItemOperations:Options"), [Element(tag("AirSync:MIMESupport"), "3")]),
            ],
        ),
        Element(
            tag("ItemOperations:Fetch"),
            [Element(tag("ItemOperations:Store"), "Mailbox"), Element(tag("Search:LongId"), "x" * 257)],
        ),
    ],
    ids=["no store", "no folder", "MIMESupport", "LongId"],
)
async def test_what_is_no_request(box: Mailbox, bad: Element) -> None:
    with pytest.raises(MalformedXml) as caught:
        await box.bench.run_tree(COMMAND, Element(tag("ItemOperations:ItemOperations"), [bad]))
    for version in SUPPORTED:
        answer = refuse(caught.value, version)
        check(answer, "ItemOperations", version)
        assert answer == fail(2, version) == Response(status=2)


# ---- folders


async def count(box: Mailbox, folder: CollectionId) -> int:
    return await box.store.mail.count(ALICE.user, folder, below=TOP, not_before=NO_LIMIT)


@pytest.mark.requirement("MS-ASCMD_R2242", "MS-ASCMD_R2244", "MS-ASCMD_R2167", "MS-ASCMD_R1604")
async def test_a_folder_is_emptied_and_its_subfolders_stay(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_operations, "DELETED_AT_ONCE", 2)
    inner = await box.store.folders.create_folder(ALICE.user, INBOX, "Inner", FolderType.USER_MAIL)
    for number in range(5):
        await box.deliver(message(f"m{number}"))
    await box.deliver(message("inner"), folder=inner.id)
    response = await run(box, EmptyFolderContents(collection_id=INBOX))
    assert response.responses is not None
    assert [(e.status, e.collection_id) for e in response.responses.emptied] == [(1, INBOX)]
    assert (await count(box, INBOX), await count(box, inner.id)) == (0, 1)


@pytest.mark.requirement("MS-ASCMD_R2243", "MS-ASCMD_R5535", "MS-ASCMD_R193", "MS-ASCMD_R2952")
async def test_a_folder_is_emptied_with_its_subfolders(box: Mailbox) -> None:
    inner = await box.store.folders.create_folder(ALICE.user, INBOX, "Inner", FolderType.USER_MAIL)
    deeper = await box.store.folders.create_folder(ALICE.user, inner.id, "Deeper", FolderType.USER_MAIL)
    name = f"{deeper.id}:{await box.deliver(message('deep'), folder=deeper.id)}"
    response = await run(
        box,
        Fetch(store="Mailbox", server_id=name),
        EmptyFolderContents(collection_id=INBOX, options=EmptyOptions(delete_subfolders=EMPTY)),
        Fetch(store="Mailbox", server_id=name),
        EmptyFolderContents(collection_id=inner.id),
    )
    assert response.responses is not None
    assert [f.status for f in response.responses.fetched] == [1, 6]
    assert [e.status for e in response.responses.emptied] == [1, 6]
    left = {f.id for f in await box.store.folders.folders(ALICE.user)}
    assert INBOX in left
    assert not left & {inner.id, deeper.id}


@pytest.mark.requirement("MS-ASCMD_R4168")
async def test_special_folders_stay(box: Mailbox) -> None:
    folders = await box.store.folders.folders(ALICE.user)
    sent = next(f.id for f in folders if f.type is FolderType.SENT_ITEMS)
    own = await box.store.folders.create_folder(ALICE.user, INBOX, "Own", FolderType.USER_MAIL)
    await box.store.folders.update_folder(ALICE.user, sent, INBOX, "Sent")
    emptying = EmptyFolderContents(collection_id=INBOX, options=EmptyOptions(delete_subfolders=EMPTY))
    response = await run(box, emptying)
    assert response.responses is not None
    assert [e.status for e in response.responses.emptied] == [17]
    left = {f.id for f in await box.store.folders.folders(ALICE.user)}
    assert sent in left
    assert own.id not in left
