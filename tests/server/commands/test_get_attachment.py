"""GetAttachment, [MS-ASCMD] 2.2.1.7."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from eas_server.commands.context import Reply
from eas_server.commands.get_attachment import COMMAND, IN_MEMORY, media_type
from eas_server.errors import StoreUnavailable
from eas_server.model.blob import read
from eas_server.model.ids import ROOT, CollectionId, ItemId, UserId
from eas_server.model.mail import Attachment, FolderType
from eas_server.web.failures import Asked, reply_to
from protocol.errors import MalformedRequest
from protocol.http import CommandLine
from protocol.versions import V12_1
from tests.server.commands.mailbox import INBOX, Mailbox, mailbox
from tests.server.commands.support import ALICE

BOB = UserId("bob@example.com")
PICTURE = bytes(range(256)) * 10


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with mailbox(tmp_path, version=V12_1) as found:
        yield found


def attached(content: bytes, kind: str = "image/png") -> bytes:
    """A message with text and one attachment."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "bob@example.com", "alice@example.com", "attached"
    made.set_content("See below.\n")
    made.add_attachment(content, maintype="application", subtype="x-placeholder", filename="file.bin")
    octets = made.as_bytes().replace(b"\n", b"\r\n")
    return octets.replace(b"application/x-placeholder", kind.encode())


async def get(box: Mailbox, name: str) -> Reply:
    read_name = COMMAND.read(b"", CommandLine(command="GetAttachment", attachment_name=name), V12_1)
    answer = await box.bench.run(COMMAND, read_name)
    assert isinstance(answer, Reply)
    assert answer.response is None
    return answer


async def octets_of(answer: Reply) -> bytes:
    octets = bytearray()
    for part in answer.body:
        octets += part if isinstance(part, (bytes, bytearray, memoryview)) else await read(part)
    assert len(octets) == answer.body.size
    return bytes(octets)


@pytest.mark.requirement("MS-ASCMD_R157", "MS-ASCMD_R162", "MS-ASCMD_R164", "MS-ASHTTP_R230", "MS-ASHTTP_R487")
@pytest.mark.parametrize("content", [PICTURE, b"x", b"z" * (IN_MEMORY + 1)], ids=["picture", "tiny", "large"])
async def test_the_octets_are_the_answer(box: Mailbox, content: bytes) -> None:
    number = await box.deliver(attached(content))
    answer = await get(box, f"{INBOX}:{number}:0")
    assert (answer.status, answer.content_type) == (200, "image/png")
    assert await octets_of(answer) == content


async def test_an_empty_attachment(box: Mailbox) -> None:
    answer = await get(box, f"{INBOX}:{await box.deliver(attached(b''))}:0")
    assert (answer.status, answer.body) == (200, None)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text/html", "text/html"),
        ("application/vnd.ms-excel.sheet+x", "application/vnd.ms-excel.sheet+x"),
        ("é/png", "text/plain"),
        ("a/b/c", "text/plain"),
        ("image/" + "x" * 300, "text/plain"),
    ],
)
async def test_a_type_that_can_stand_in_a_header(box: Mailbox, kind: str, told: str) -> None:
    answer = await get(box, f"{INBOX}:{await box.deliver(attached(PICTURE, kind))}:0")
    assert answer.content_type == told
    assert answer.headers == {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    assert await octets_of(answer) == PICTURE


@pytest.mark.parametrize(
    "kind", ["image/png\r\nSet-Cookie: a=b", "é/png", "", "png", "image/png; name=x", "a/" + "b" * 999]
)
def test_what_no_header_could_hold(kind: str) -> None:
    attachment = Attachment(start=0, end=1, encoding="7bit", size=1, name="a", content_type=kind)
    assert media_type(attachment) == "application/octet-stream"


@pytest.mark.requirement("MS-ASCMD_R166")
async def test_a_deleted_attachment(box: Mailbox) -> None:
    number = await box.deliver(attached(PICTURE))
    assert (await get(box, f"{INBOX}:{number}:0")).status == 200
    await box.store.mail.delete(ALICE.user, INBOX, [ItemId(number)])
    answer = await get(box, f"{INBOX}:{number}:0")
    assert (answer.status, answer.body) == (500, None)


@pytest.mark.requirement("MS-ASCMD_R166")
async def test_names_that_name_nothing(box: Mailbox) -> None:
    number = await box.deliver(attached(PICTURE))
    for name in (
        f"{INBOX}:{number}:1",
        f"{INBOX}:{number}:-1",
        f"{INBOX}:{number}:" + "9" * 40,
        f"{INBOX}:{number}",
        f"{INBOX}:{number}:\u0660",
        "999:1:0",
        "file.bin",
        "../../../etc/passwd",
        "\0",
        ":::",
        "x" * 5000,
    ):
        answer = await get(box, name)
        assert (answer.status, answer.body) == (500, None), name


async def test_other_peoples_attachments_are_as_good_as_deleted(box: Mailbox) -> None:
    await box.store.admin.add_user(str(BOB), None)
    his = await box.store.folders.create_folder(BOB, ROOT, "His", FolderType.USER_MAIL)
    hidden = await box.deliver(attached(PICTURE), folder=his.id, user=BOB)
    inbox = await box.deliver(attached(PICTURE), user=BOB)
    for name in (f"{his.id}:{hidden}:0", f"{INBOX}:{inbox}:0"):
        place: CollectionId = his.id if name.startswith(f"{his.id}:") else INBOX
        assert await box.store.mail.fetch(BOB, place, [ItemId(int(name.split(":")[1]))])
        answer = await get(box, name)
        assert (answer.status, answer.body) == (500, None)


@pytest.mark.requirement("MS-ASCMD_R161", "MS-ASHTTP_R165")
def test_a_request_without_a_name() -> None:
    for name in (None, ""):
        with pytest.raises(MalformedRequest) as caught:
            COMMAND.read(b"", CommandLine(command="GetAttachment", attachment_name=name), V12_1)
        for empty in (True, False):
            asked = Asked(command=COMMAND, version=V12_1, policy_key_sent=True, empty=empty)
            reply = reply_to(caught.value, asked, 0)
            assert (reply.status, reply.response) == (400, None)


async def test_a_store_that_is_down(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        async def fetch(self, *_: object) -> None:
            await asyncio.sleep(0)
            raise StoreUnavailable

    down = Mailbox(box.store, replace(box.bench, mail=Down()))
    with pytest.raises(StoreUnavailable):
        await get(down, f"{INBOX}:1:0")
