"""Byte for byte: what is sent with SendMail by one client is what another one takes, whichever way it takes it."""

import base64
import contextlib
import hashlib
import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from eas_server.lab.device import MIME, TEXT, message, octets_of
from eas_server.model.mail import FolderType
from eas_server.pki.lab import to_pem
from protocol import schema
from protocol.client import ITEM_OPERATIONS
from protocol.codepages import tag
from protocol.commands import item_operations
from protocol.elements import Element
from protocol.items.airsyncbase import Attachment, BodyPreference, BodyType
from protocol.items.email import Email
from protocol.versions import SUPPORTED, V16_1
from tests.scenarios.server import ValidatedDevice

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CORPUS = {path.stem: path for path in sorted((FIXTURES / "mail").glob("*.eml"))}
BIG = "big"
WHOLE = tuple(
    name
    for name in CORPUS
    if not name.startswith("broken-") and name not in ("reply", "report", "report-smime", "receipt", "invitation")
)
"""Messages of Alice to Bob. The others are the work of machines, and travel as attachments below."""
SMIME = ("clear-signed", "opaque-signed", "encrypted", "signed-encrypted", "triple", "opaque-triple")
AS_MIME = item_operations.FetchOptions(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),))


def octets(name: str) -> bytes:
    """A message of the corpus."""
    if name != BIG:
        return CORPUS[name].read_bytes()
    spec = importlib.util.spec_from_file_location("make_mail", FIXTURES / "mail" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.big_message()


@dataclass
class Pair:
    """Alice, who sends, and Bob, who takes."""

    alice: ValidatedDevice
    bob: ValidatedDevice
    inbox: str

    async def passed(self, sent: bytes) -> tuple[str, Email]:
        """Send a message; what Bob's Sync brings of it."""
        with contextlib.suppress(KeyError):
            del self.bob.client.sync_keys[self.inbox]
        await self.bob.catch_up(self.inbox, options=TEXT)
        await self.alice.send(sent, save=False)
        ((server_id, found),) = (await self.bob.catch_up(self.inbox, options=MIME)).added.items()
        return server_id, found

    async def fetch(self, fetch: item_operations.Fetch, *, multiparts: bool = False):
        """ItemOperations; the properties, and the parts of a multipart answer."""
        request = item_operations.Request(operations=(fetch,))
        answer = await self.bob.call(ITEM_OPERATIONS, request, multiparts=multiparts)
        (fetched,) = answer.take().responses.fetched
        assert fetched.status == item_operations.Status.SUCCESS
        return fetched.properties, answer.parts

    async def item(self, server_id: str, *, multiparts: bool = False) -> bytes:
        """The MIME of an item by ItemOperations."""
        fetch = item_operations.Fetch(
            store=item_operations.MAILBOX, collection_id=self.inbox, server_id=server_id, options=AS_MIME
        )
        properties, parts = await self.fetch(fetch, multiparts=multiparts)
        found = message(Element(tag("AirSync:ApplicationData"), properties.content))
        assert found.body.type is BodyType.MIME
        assert not found.body.truncated
        return parts[found.body.part - 1] if multiparts else octets_of(found)

    async def attachment(self, reference: str, *, multiparts: bool = False) -> bytes:
        """The content of an attachment by ItemOperations."""
        fetch = item_operations.Fetch(store=item_operations.MAILBOX, file_reference=reference)
        properties, parts = await self.fetch(fetch, multiparts=multiparts)
        told = schema.load(item_operations.AttachmentProperties, properties)
        return parts[told.part - 1] if multiparts else base64.b64decode(told.data)


@pytest.fixture
async def pair(server, request):
    """Alice and Bob of example.com; each test has devices of its own."""
    world = server.home()
    version = getattr(request, "param", V16_1)
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]
    alice, bob = (world.device(who, version, device_id=f"{who}{name}") for who in ("alice", "bob"))
    inbox = (await bob.folders())[FolderType.INBOX]
    await alice.folders()
    yield Pair(alice, bob, inbox)
    await world.close()


def below_trace(taken: bytes, sent: bytes) -> bytes:
    """What was taken without the header lines that delivery put on top."""
    trace = taken[: len(taken) - len(sent)]
    assert trace == b"" or trace.endswith(b"\r\n")
    names = {line.partition(b":")[0].lower() for line in trace.split(b"\r\n") if line[:1] not in (b" ", b"\t", b"")}
    assert names <= {b"received", b"return-path", b"delivered-to"}
    return taken[len(trace) :]


def same(taken: bytes, sent: bytes) -> bool:
    """Whether the SHA-256 of what was taken equals that of what was sent."""
    return hashlib.sha256(taken).digest() == hashlib.sha256(sent).digest()


@pytest.mark.requirement("MS-ASAIRS_R172", "MS-ASAIRS_R176", "MS-ASCMD_R3345")
@pytest.mark.parametrize("name", [*WHOLE, BIG])
async def test_a_message_arrives_as_it_was_sent(pair, name):
    sent = octets(name)
    server_id, found = await pair.passed(sent)
    assert found.body.type is BodyType.MIME
    assert same(below_trace(octets_of(found), sent), sent)
    assert same(below_trace(await pair.item(server_id), sent), sent)
    assert same(below_trace(await pair.item(server_id, multiparts=True), sent), sent)


@pytest.mark.parametrize("pair", SUPPORTED, ids=str, indirect=True)
@pytest.mark.parametrize("name", ["clear-signed-mixed", "encrypted-gcm", "triple"])
async def test_every_version_carries_the_same_octets(pair, name):
    sent = octets(name)
    server_id, found = await pair.passed(sent)
    assert same(below_trace(octets_of(found), sent), sent)
    assert same(below_trace(await pair.item(server_id, multiparts=True), sent), sent)


def wrapped(inner: bytes, name: str) -> bytes:
    """A message with another one as its attachment."""
    return (
        b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Attached: " + name.encode() + b"\r\n"
        b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <attached." + name.encode() + b"@example.com>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="wrap-1"\r\n\r\n'
        b"--wrap-1\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n"
        b"--wrap-1\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
        + inner
        + b"\r\n--wrap-1--\r\n"
    )


@pytest.mark.requirement("MS-ASCMD_R1464")
@pytest.mark.parametrize("name", [*CORPUS, BIG])
async def test_an_attached_message_arrives_as_it_was_sent(pair, name):
    inner = octets(name)
    sent = wrapped(inner, name)
    _, found = await pair.passed(sent)
    if b"\0" not in sent:
        assert same(below_trace(octets_of(found), sent), sent)
    (attached,) = [each for each in found.attachments.changes if isinstance(each, Attachment)]
    assert same(await pair.attachment(attached.file_reference), inner)
    assert same(await pair.attachment(attached.file_reference, multiparts=True), inner)


async def test_a_signature_is_an_attachment_too(pair):
    sent = octets("clear-signed")
    _, found = await pair.passed(sent)
    references = [each.file_reference for each in found.attachments.changes if each.display_name == "smime.p7s"]
    assert len(references) == 1
    signature = await pair.attachment(references[0])
    assert base64.b64encode(signature)[:60] in sent.replace(b"\r\n", b"")


@pytest.fixture
def certificates(tmp_path) -> Path:
    """Certificates and keys as files in PEM."""
    for name in ("root", "alice", "bob"):
        (tmp_path / f"{name}.crt").write_bytes(to_pem((FIXTURES / "pki" / f"{name}.der").read_bytes()))
    (tmp_path / "bob.pem").write_bytes((FIXTURES / "pki" / "bob.pem").read_bytes())
    return tmp_path


def openssl(folder: Path, content: bytes, *arguments: str) -> bytes:
    """Run `openssl cms` over a message."""
    (folder / "message").write_bytes(content)
    command = ["openssl", "cms", "-in", "message", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.integration("openssl")
@pytest.mark.parametrize("name", [name for name in WHOLE if name.startswith(SMIME)])
async def test_openssl_verifies_and_decrypts_what_arrives(pair, certificates, name):
    """As often as there are layers: signed, encrypted, signed."""
    sent = octets(name)
    _, found = await pair.passed(sent)
    taken, layers = octets_of(found), 0
    while kind := _layer(taken):
        if kind == "encrypted":
            taken = openssl(certificates, taken, "-decrypt", "-inkey", "bob.pem", "-recip", "bob.crt")
        else:
            opaque = ("-binary",) if kind == "opaque" else ()
            taken = openssl(certificates, taken, "-verify", "-CAfile", "root.crt", "-no_check_time", *opaque)
        layers += 1
    assert layers == {"triple": 3, "opaque-triple": 3, "signed-encrypted": 2}.get(name, 1)
    assert b"Content-Type: text/" in taken or b"multipart/" in taken


def _layer(entity: bytes) -> str:
    head = entity.replace(b"\r\n", b"\n").partition(b"\n\n")[0].lower()
    if b"enveloped" in head:
        return "encrypted"
    if b"signed-data" in head:
        return "opaque"
    return "signed" if b"multipart/signed" in head else ""
