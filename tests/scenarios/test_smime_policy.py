"""Policies on S/MIME, and the audit trail of it: dialogues through a real server, in every version."""

import asyncio
import base64
import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from eas_server.model.trust import fingerprint_of
from eas_server.pki.keys import key_to_pem
from eas_server.pki.lab import to_pem
from eas_server.pki.smime import encrypt, sign_detached, sign_opaque
from protocol import schema
from protocol.client import PROVISION, RESOLVE_RECIPIENTS, SEND_MAIL, SMART_FORWARD, SMART_REPLY, VALIDATE_CERT, compose
from protocol.commands import resolve_recipients, settings, smart_forward, smart_reply, sync, validate_cert
from protocol.commands.compose_mail import PRESENT, Source
from protocol.commands.resolve_recipients import CertificateRetrieval
from protocol.elements import Inline, Opaque
from protocol.items import calendar
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.email import Email
from protocol.schema import EMPTY
from protocol.versions import SUPPORTED, V14_0, V16_0
from tests.scenarios.server import Server, World, domain_of, fill
from tests.server.pki import der, making

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)
NEW = pytest.mark.parametrize("version", [version for version in SUPPORTED if version >= V16_0], ids=str)
WORLDS = 60
CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe secret is 42.\r\n"


def policies() -> str:
    """Alice has to sign, bob to encrypt, carol has the policy of her domain, to do both."""
    domains = [domain_of(number) for number in range(WORLDS)]
    return f"""
[policies.signers]
users = {json.dumps([f"alice@{domain}" for domain in domains])}
settings = {{ RequireSignedSMIMEMessages = true }}
[policies.sealers]
users = {json.dumps([f"bob@{domain}" for domain in domains])}
settings = {{ RequireEncryptedSMIMEMessages = true, AllowSMIMESoftCerts = false }}
[policies.both]
domains = {json.dumps(domains)}
settings = {{ RequireSignedSMIMEMessages = true, RequireEncryptedSMIMEMessages = true }}
[smime.enforcement]
weak = "warn"
[smime.enforcement.domains]
"noted.example" = "audit"
".noted.example" = "warn"
"free.example" = "ignore"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("strict"), policies())
    running.open(lambda store: fill(store, WORLDS))
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log
    assert (running.folder / "stderr.txt").read_text() == ""


@pytest.fixture
async def world(strict: Server):
    made = strict.world()
    yield made
    await made.close()


async def settled(device):
    assert await device.provision()
    folders = await device.folders()
    for type_ in (FolderType.INBOX, FolderType.SENT_ITEMS):
        await device.catch_up(folders[type_])
    return folders


def head(world: World, sender: str = "alice", to: str = "", subject: str = "Plans") -> bytes:
    return (
        f"From: {world.address(sender)}\r\nTo: {to or world.address('bob')}\r\nSubject: {subject}\r\n"
        f"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{secrets.token_hex(8)}@{world.domain}>\r\n"
        "MIME-Version: 1.0\r\n"
    ).encode()


def signer(world: World, name: str = "alice", **how):
    return making.person(making.authority("Root"), name, emails=(world.address(name),), **how)


async def send(device, mime: bytes) -> bool:
    """SendMail; False where the policy refused it, in the way of the version."""
    answer = await device.call(SEND_MAIL, compose(mime, secrets.token_hex(16)))
    if answer.ok and answer.response is None:
        return True
    if device.client.version < V14_0:
        assert answer.http_status == 500
    else:
        assert answer.status == 120
    return False


async def inbox(device, folders) -> list[Email]:
    """What is new, save reports that there is no smart host."""
    news = await device.catch_up(folders[FolderType.INBOX])
    return [each for each in news.added.values() if not each.message_class.startswith("REPORT")]


async def trail(world: World, count: int, **wanted: object) -> list[dict[str, object]]:
    """The events of this world, as soon as there are so many."""
    path = world.server.folder / "audit" / "audit.jsonl"
    for _ in range(200):
        lines = path.read_text().splitlines() if path.exists() else []
        events = [event for event in map(json.loads, lines) if event.get("user", "").endswith(f"@{world.domain}")]
        found = [event for event in events if all(event.get(name) == value for name, value in wanted.items())]
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(found) == count
    return found


@VERSIONS
@pytest.mark.requirement("MS-ASPROV_R354", "MS-ASPROV_R331")
async def test_devices_are_told_of_the_policies(world, version):
    for name, expected in (("alice", (True, None)), ("bob", (None, True)), ("carol", (True, True))):
        device = world.device(name, version)
        details = settings.DeviceDetails(model="Lab", os="Lab 1.0", friendly_name="device1")
        answer = await device.call(PROVISION, device.client.ask_for_policy(details))
        (policy,) = answer.take().policies
        told = policy.data.document
        assert (told.require_signed_smime_messages, told.require_encrypted_smime_messages) == expected
        assert told.require_signed_smime_algorithm is None
        assert told.require_encryption_smime_algorithm is None


@VERSIONS
@pytest.mark.requirement("MS-ASPROV_R358")
async def test_who_has_to_sign(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, his = await settled(alice), await settled(bob)
    own, stranger = signer(world), signer(world, "carol")
    top = head(world)
    assert not await send(alice, top + CONTENT)
    assert not await send(
        alice, top + b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nsigned!\r\n"
    )
    assert not await send(alice, top + sign_detached(CONTENT, own.der, own.key).replace(b"42", b"43"))
    assert not await send(alice, top + sign_detached(CONTENT, stranger.der, stranger.key))
    assert await inbox(bob, his) == []
    assert (await alice.catch_up(ours[FolderType.SENT_ITEMS])).added == {}
    notices = await inbox(alice, ours)
    assert [each.subject for each in notices] == ["Not sent: Plans"] * 4
    assert all("Postmaster" in each.sender for each in notices)
    sent = [top + sign(CONTENT, own.der, own.key) for sign in (sign_detached, sign_opaque)]
    sent.append(top + encrypt(sign_detached(CONTENT, own.der, own.key), [der("bob")]))
    for mime in sent:
        assert await send(alice, mime)
    arrived = (await bob.catch_up(his[FolderType.INBOX], options=MIME)).added.values()
    assert sorted(octets_of(each)[-500:] for each in arrived) == sorted(mime[-500:] for mime in sent)
    assert await inbox(alice, ours) == []
    events = await trail(world, 7, user=world.address("alice"))
    assert [event["kind"] for event in events] == ["refused"] * 4 + ["sent"] * 3
    assert [event["class"] for event in events] == [
        *("plain", "broken", "broken", "signed"),
        *("signed", "signed", "encrypted"),
    ]
    assert all(event["domains"] == [f"{world.domain}:1"] and event["recipients"] == 1 for event in events)
    assert "somebody else" in events[3]["problem"]
    assert "Plans" not in json.dumps(events)
    lines = [
        line for line in world.server.log.splitlines() if " eas_server.audit audit " in line and world.domain in line
    ]
    assert [("kind=refused" in line, "class=signed" in line) for line in lines][2:5] == [
        (True, False),
        (True, True),
        (False, True),
    ]
    assert not any("Plans" in line or world.address("bob") in line for line in lines)


@VERSIONS
@pytest.mark.requirement("MS-ASPROV_R335")
async def test_who_has_to_encrypt(world, version):
    bob, alice = world.device("bob", version), world.device("alice", version)
    ours, hers = await settled(bob), await settled(alice)
    own = signer(world, "bob")
    top = head(world, "bob", world.address("alice"))
    assert not await send(bob, top + sign_opaque(CONTENT, own.der, own.key))
    (notice,) = (await bob.catch_up(ours[FolderType.INBOX], options=MIME)).added.values()
    words = octets_of(notice).decode()
    assert "NOT sent" in words
    assert "It is not encrypted" in words
    assert "It is not signed" not in words
    assert world.domain in words
    assert await send(bob, top + encrypt(CONTENT, [der("alice")]))
    assert len(await inbox(alice, hers)) == 1


@VERSIONS
async def test_answers_and_forwards(world, version):
    """What the server adds to a plain answer makes it no better; a signed one goes out whole."""
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, his = await settled(alice), await settled(bob)
    assert await send(bob, head(world, "bob", world.address("alice")) + encrypt(CONTENT, [der("alice")]))
    ((name, _),) = (await alice.catch_up(ours[FolderType.INBOX])).added.items()
    own = signer(world)
    source = Source(folder_id=ours[FolderType.INBOX], item_id=name)
    for command, module in ((SMART_REPLY, smart_reply), (SMART_FORWARD, smart_forward)):
        for mime, passes in (
            (head(world) + CONTENT, False),
            (head(world) + sign_detached(CONTENT, own.der, own.key), True),
        ):
            request = module.Request(
                client_id=secrets.token_hex(16), source=source, mime=Opaque(mime), save_in_sent_items=PRESENT
            )
            answer = await alice.call(command, request)
            refused = answer.http_status == 500 if version < V14_0 else answer.status == 120
            assert refused is not passes, answer.describe()
    assert len(await inbox(bob, his)) == 2
    assert {event["command"] for event in await trail(world, 2, kind="refused")} == {"SmartReply", "SmartForward"}


@NEW
async def test_drafts(world, version):
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, his = await settled(alice), await settled(bob)
    drafts = ours[FolderType.DRAFTS]
    await alice.catch_up(drafts)

    def draft(body):
        return schema.dump(Email(to=world.address("bob"), subject="Plans", body=body))

    plain = Body(type=BodyType.PLAIN, data="The secret is 42.")
    added = sync.Add(client_id="d1", application_data=draft(plain))
    (made,) = (await alice.catch_up(drafts, added)).responses
    news = await alice.catch_up(
        drafts, sync.Change(server_id=made.server_id, application_data=schema.dump(Email()), send=EMPTY)
    )
    assert [response.status for response in news.responses] == [120]
    assert sync.Delete(server_id=made.server_id) not in news.commands
    at_once = sync.Add(client_id="d2", application_data=draft(plain), send=EMPTY)
    news = await alice.catch_up(drafts, at_once)
    assert [response.status for response in news.responses] == [120]
    assert len(await inbox(alice, ours)) == 2
    own = signer(world)
    body = Body(type=BodyType.MIME, data=Inline(head(world) + sign_detached(CONTENT, own.der, own.key)))
    signed = sync.Add(client_id="d3", application_data=schema.dump(Email(body=body)), send=EMPTY)
    await alice.catch_up(drafts, signed)
    assert len(await inbox(bob, his)) == 1


@VERSIONS
async def test_domains_have_measures_of_their_own(world, version):
    alice = world.device("alice", version)
    ours = await settled(alice)
    for to, passes, told in (
        ("x@noted.example", True, 0),
        ("x@Sub.Noted.Example", True, 1),
        ("x@free.example", True, 0),
        ("x@elsewhere.example", False, 1),
        ("x@noted.example, y@elsewhere.example", False, 1),
    ):
        assert await send(alice, head(world, to=to) + CONTENT) is passes
        assert len(await inbox(alice, ours)) == told
    events = await trail(world, 5)
    assert [(event["kind"], event.get("measure"), event.get("missing")) for event in events] == [
        ("sent", "audit", ["signed"]),
        ("sent", "warn", ["signed"]),
        ("sent", None, None),
        ("refused", "refuse", ["signed"]),
        ("refused", "refuse", ["signed"]),
    ]
    assert events[4]["domains"] == ["noted.example:1", "elsewhere.example:1"]


@VERSIONS
async def test_weak_algorithms_are_warned_of(world, version):
    alice = world.device("alice", version)
    ours = await settled(alice)
    weak = signer(world, subject_key=making.rsa_key(1024))
    assert await send(alice, head(world) + sign_detached(CONTENT, weak.der, weak.key))
    (notice,) = (await alice.catch_up(ours[FolderType.INBOX], options=MIME)).added.values()
    assert "RSA-1024" in octets_of(notice).decode()
    assert "was sent" in octets_of(notice).decode()
    (event,) = await trail(world, 1)
    assert (event["class"], event["weak"], event["measure"]) == ("signed", ["RSA-1024"], "warn")


@VERSIONS
async def test_a_client_that_does_not_give_up_is_told_once(world, version):
    alice = world.device("alice", version)
    ours = await settled(alice)
    mime = head(world) + CONTENT
    for _ in range(3):
        assert not await send(alice, mime)
    assert len(await inbox(alice, ours)) == 1
    for _ in range(25):
        assert not await send(alice, head(world) + CONTENT)
    assert len(await inbox(alice, ours)) == 19


@VERSIONS
async def test_what_is_asked_about_certificates_is_in_the_trail(world, version):
    his = signer(world, "bob", subject_key=making.rsa_key(2048), uses=("key_encipherment", "digital_signature"))
    alice = world.device("alice", version)
    await settled(alice)
    certificates = (base64.b64encode(his.der).decode(), base64.b64encode(b"no certificate").decode())
    answer = await alice.call(VALIDATE_CERT, validate_cert.Request(certificates=certificates))
    statuses = [int(each.status) for each in answer.take().certificates]
    events = await trail(world, 2)
    assert [(event["kind"], event["status"]) for event in events] == [("invalid", status) for status in statuses]
    assert events[0]["certificate"] == fingerprint_of(his.der)
    assert all(event["reason"] for event in events)

    async def publish(store):
        await store.admin.publish_certificate(world.address("bob"), his.der)

    await asyncio.to_thread(world.server.open, publish)
    people = (world.address("bob"), world.address("team"), "nobody")
    for retrieval in (CertificateRetrieval.FULL, CertificateRetrieval.MINI, CertificateRetrieval.NONE):
        options = resolve_recipients.Options(certificate_retrieval=retrieval)
        for _ in range(100):  # a running server hears of what others publish a little later
            answer = await alice.call(RESOLVE_RECIPIENTS, resolve_recipients.Request(to=people, options=options))
            found = answer.take().responses[0].recipients[0].certificates
            if found is None or found.status == resolve_recipients.CertificatesStatus.SUCCESS:
                break
            await asyncio.sleep(0.05)
    events = await trail(world, 4, kind="served")
    assert [event["owner"] for event in events] == [world.address("bob"), world.address("team")] * 2
    assert all(event["certificates"] == [fingerprint_of(his.der)] for event in events)
    assert {event["device"] for event in events} == {"device1"}


@NEW
async def test_invitations_pass_and_are_in_the_trail(world, version):
    """The server has nobody's key: it cannot sign what it writes for its user."""
    alice, bob = world.device("alice", version), world.device("bob", version)
    ours, his = await settled(alice), await settled(bob)
    await alice.catch_up(ours[FolderType.CALENDAR])
    event = calendar.Calendar(
        subject="Lunch",
        start_time=datetime(2026, 11, 24, 12, tzinfo=UTC),
        end_time=datetime(2026, 11, 24, 13, tzinfo=UTC),
        meeting_status=1,
        attendees=(calendar.Attendee(email=world.address("bob"), name="Bob"),),
    )
    await alice.catch_up(
        ours[FolderType.CALENDAR], sync.Add(client_id="c1", application_data=schema.dump(event)), options=()
    )
    assert [each.subject for each in await inbox(bob, his)] == ["Lunch"]
    (noted,) = await trail(world, 1)
    assert (noted["kind"], noted["class"], noted["composed"], noted["command"]) == ("sent", "plain", True, "Sync")


@pytest.mark.integration("openssl")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@VERSIONS
async def test_messages_that_openssl_made(world, version, tmp_path):
    alice = world.device("alice", version)
    ours = await settled(alice)
    own = signer(world, subject_key=making.rsa_key(2048))
    (tmp_path / "own.crt").write_bytes(to_pem(own.der))
    (tmp_path / "own.pem").write_bytes(key_to_pem(own.key))
    (tmp_path / "content").write_bytes(CONTENT)

    def made(*arguments: str) -> bytes:
        command = ["openssl", "cms", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").removeprefix(b"MIME-Version: 1.0\r\n")

    sign = ("-sign", "-in", "content", "-signer", "own.crt", "-inkey", "own.pem")
    seal = ("-encrypt", "-recip", "own.crt", "-in", "content")
    cases = (
        (sign, "signed", None),
        ((*sign, "-nodetach"), "signed", None),
        ((*sign, "-nodetach", "-stream"), "signed", None),
        ((*sign, "-noattr"), "signed", None),
        ((*sign, "-md", "sha1"), "signed", ["SHA-1"]),
        ((*sign, "-md", "md5"), "signed", ["MD5"]),
        ((*seal, "-aes256"), "encrypted", None),
        ((*seal, "-aes128", "-stream"), "encrypted", None),
        ((*seal, "-aes-256-gcm"), "encrypted", None),
        ((*seal, "-des3"), "encrypted", ["3DES"]),
    )
    for number, (arguments, class_, weak) in enumerate(cases):
        assert await send(alice, head(world) + made(*arguments)), arguments
        event = (await trail(world, number + 1))[-1]
        assert (event["class"], event.get("weak")) == (class_, weak), arguments
    assert len(await inbox(alice, ours)) == 3
