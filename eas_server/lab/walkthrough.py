"""The main job, acted out against a running server as clients would do it, step by step."""

import asyncio
import hashlib
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from eas_server.lab.device import MIME, Device, octets_of
from eas_server.lab.folder import Demo
from eas_server.lab.keys import Identity
from eas_server.lab.people import ALICE, BOB, CAROL, TEAM_ADDRESS, Person
from eas_server.lab.transport import Transport
from eas_server.model.mail import FolderType
from eas_server.pki.certificate import parse
from eas_server.pki.smime import SmimeError, decrypt, encrypt, sign_detached, verify
from protocol.client import RESOLVE_RECIPIENTS, VALIDATE_CERT, Client, Unexpected
from protocol.commands import ping, resolve_recipients, validate_cert
from protocol.errors import MalformedRequest
from protocol.http import PATH
from protocol.items.email import Email
from protocol.versions import V16_1

WAKE_SECONDS: Final = 10.0
"""How long Bob's Ping may take to hear of the message before that counts as failed."""
SETTLE_SECONDS: Final = 0.3
"""Time for the Ping to reach the server before the message is sent."""
TEXT: Final = (
    "Dear Bob,\n\nthis was signed by me and encrypted for you alone, with the certificate that the server found.\n"
)
SHOWN: Final = 5
JUDGED: Final = ("expired", "revoked", "revoked-issuer", "untrusted", "unreachable-crl")
"""People of the lab whose certificates are asked about beside Bob's."""

Say = Callable[[str], None]


class StepFailed(Exception):
    """A step did not come out as it should; the message says how."""


@dataclass(slots=True)
class _Scene:
    """What the steps hand to each other."""

    demo: Demo
    alice: Device
    bob: Device
    folders: dict[str, dict[FolderType, str]]
    certificate: bytes = b""
    """Bob's, as the server gave it."""
    sent: bytes = b""
    message_id: str = ""
    waiting: "asyncio.Task[tuple[ping.Response, float]] | None" = None
    sent_at: float = 0.0
    taken: bytes = b""


Step = Callable[[_Scene], Awaitable[str]]


def client_context(demo: Demo) -> ssl.SSLContext | None:
    """How a client of the demonstration trusts its server; None without TLS."""
    if not demo.place.tls:
        return None
    return ssl.create_default_context(cadata=demo.keys.root.certificate)


async def walk_through(demo: Demo, say: Say) -> None:
    """Act out all steps. Raises StepFailed at the first that does not hold."""
    transports = [Transport(demo.place.loopback, demo.place.port, client_context(demo)) for _ in range(2)]
    scene = _Scene(
        demo=demo,
        alice=_device(demo, ALICE, transports[0]),
        bob=_device(demo, BOB, transports[1]),
        folders={},
    )
    try:
        for number, (title, step) in enumerate(STEPS, 1):
            await _act(scene, f"{number:2}/{len(STEPS)}  {title}", step, say)
    finally:
        if scene.waiting is not None:
            scene.waiting.cancel()
        for transport in transports:
            await transport.close()


def _device(demo: Demo, person: Person, transport: Transport) -> Device:
    client = Client(
        user=person.address,
        password=demo.password,
        device_id=f"LAB{person.name.upper()}",
        device_type="Lab",
        version=V16_1,
        user_agent="eas-server-demo/1",
    )
    return Device(client, transport)


async def _act(scene: _Scene, title: str, step: Step, say: Say) -> None:
    began = time.perf_counter()
    try:
        told = await step(scene)
    except (StepFailed, Unexpected, MalformedRequest, SmimeError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise StepFailed(f"{title}: {reason}") from error
    say(f"{title}  ({(time.perf_counter() - began) * 1000:.0f} ms)")
    for line in told.splitlines():
        say(f"         {line}")


def _hold(condition: bool, otherwise: str) -> None:
    if not condition:
        raise StepFailed(otherwise)


async def _discover(scene: _Scene) -> str:
    url = (await scene.alice.discover(ALICE.address)).take()
    _hold(urlsplit(url).path == PATH, f"Autodiscover names {url}")
    offer = (await scene.alice.options()).offer
    if offer is None or scene.alice.client.version not in offer.versions:
        raise StepFailed("OPTIONS does not offer the protocol version of the device")
    versions = ", ".join(str(version) for version in offer.versions)
    return f"{ALICE.address} is at {url}\nversions {versions}; {len(offer.commands)} commands"


async def _provision(scene: _Scene) -> str:
    keys = [await device.provision() for device in (scene.alice, scene.bob)]
    _hold(all(keys), "a policy key is 0")
    return f"policy keys {keys[0]} (Alice) and {keys[1]} (Bob)"


async def _folder_sync(scene: _Scene) -> str:
    for name, device in (("alice", scene.alice), ("bob", scene.bob)):
        scene.folders[name] = dict(await device.folders())
        missing = {FolderType.INBOX, FolderType.SENT_ITEMS, FolderType.DRAFTS} - scene.folders[name].keys()
        _hold(not missing, f"{name} has no {missing}")
    kinds = ", ".join(kind.name.replace("_", " ").capitalize() for kind in scene.folders["alice"])
    return f"{len(scene.folders['alice'])} folders: {kinds}"


async def _first_sync(scene: _Scene) -> str:
    news = await scene.alice.catch_up(scene.folders["alice"][FolderType.INBOX])
    found = list(news.added.values())
    _hold(bool(found), "the Inbox is empty")
    unread = sum(1 for each in found if not each.read)
    lines = [f"Alice's Inbox: {len(found)} messages, {unread} unread, in {news.rounds} rounds; the newest:"]
    return "\n".join([*lines, *(_line_of(each) for each in found[:SHOWN])])


def _line_of(found: Email) -> str:
    when = f"{found.date_received:%d %b %H:%M}" if found.date_received else "?"
    return f"  {when}  {found.message_class or '':<28} {found.subject or ''}"


async def _wait_for_news(scene: _Scene) -> str:
    inbox = scene.folders["bob"][FolderType.INBOX]
    news = await scene.bob.catch_up(inbox, options=MIME)

    async def wait() -> tuple[ping.Response, float]:
        response = await scene.bob.wait(inbox)
        return response, time.perf_counter()

    scene.waiting = asyncio.create_task(wait())
    await asyncio.sleep(SETTLE_SECONDS)
    _hold(not scene.waiting.done(), "Bob's Ping came back at once")
    return f"Bob has synced {len(news.added)} messages and waits (Ping)"


async def _resolve(scene: _Scene) -> str:
    asked = (BOB.name, CAROL.address, TEAM_ADDRESS)
    request = resolve_recipients.Request(
        to=asked,
        options=resolve_recipients.Options(
            certificate_retrieval=resolve_recipients.CertificateRetrieval.FULL, max_ambiguous_recipients=5
        ),
    )
    response = (await scene.alice.call(RESOLVE_RECIPIENTS, request)).take()
    _hold(response.status == resolve_recipients.Status.SUCCESS, f"Status {response.status}")
    _hold(len(response.responses) == len(asked), f"{len(response.responses)} answers to {len(asked)} names")
    found = {
        recipient.email_address: recipient.certificates
        for answer in response.responses[:2]
        for recipient in answer.recipients
    }
    bob, carol = found.get(BOB.address), found.get(CAROL.address)
    if bob is None or carol is None:
        raise StepFailed(f"only {', '.join(found) or 'nobody'} found")
    right = scene.demo.keys.of(BOB)
    valid = right is not None and bob.certificates == (right.certificate,)
    _hold(valid, f"Bob's certificates: {bob.certificate_count}, and not the valid one alone")
    _hold(carol.status == resolve_recipients.CertificatesStatus.NONE_VALID, f"Carol's certificates: {carol.status}")
    scene.certificate = bob.certificates[0]
    team = next((r.certificates for r in response.responses[2].recipients if r.certificates is not None), None)
    if team is None:
        raise StepFailed("nothing is told of the group")
    return "\n".join(
        (
            f"bob: {_described(scene.certificate)}; the expired one was left out",
            "carol: no certificate (Status 7)",
            f"team: {team.recipient_count} members, {team.certificate_count} of their certificates are valid",
        )
    )


async def _validate(scene: _Scene) -> str:
    lab = scene.demo.keys.lab
    wanted = {BOB.name: scene.certificate, **{name: lab.certificates[name] for name in JUDGED}}
    request = validate_cert.Request(
        certificates=tuple(map(validate_cert.certificate_content, wanted.values())), check_crl=1
    )
    response = (await scene.alice.call(VALIDATE_CERT, request)).take()
    _hold(response.status == validate_cert.Status.SUCCESS, f"Status {response.status}")
    statuses = [each.status for each in response.certificates]
    expected = [lab.plan.people[name].status[1] for name in wanted]
    _hold(statuses == expected, f"{', '.join(wanted)}: {statuses}, and not {expected}")
    named = [f"{name}: {status.value} {status.name}" for name, status in zip(wanted, statuses, strict=True)]
    return "\n".join(("asked with CheckCRL 1, answered after a look at CRLs and OCSP:", *named))


def _described(certificate: bytes) -> str:
    parsed = parse(certificate)
    return f"certificate for {parsed.emails[0]}, valid until {parsed.not_after:%d %b %Y}"


async def _send(scene: _Scene) -> str:
    mine = _identity(scene, ALICE)
    now = datetime.now(UTC)
    content = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT.replace("\n", "\r\n").encode()
    signed = sign_detached(content, mine.certificate, mine.key, mine.chain, now=now)
    scene.message_id = f"<{secrets.token_hex(8)}.walk@{ALICE.address.partition('@')[2]}>"
    head = (
        f"From: {ALICE.entry.display_name} <{ALICE.address}>\r\nTo: {BOB.entry.display_name} <{BOB.address}>\r\n"
        f"Subject: For Bob alone\r\nDate: {format_datetime(now)}\r\nMessage-ID: {scene.message_id}\r\n"
        "MIME-Version: 1.0\r\n"
    )
    scene.sent = head.encode("ascii") + encrypt(signed, [scene.certificate, mine.certificate])
    scene.sent_at = time.perf_counter()
    await scene.alice.send(scene.sent)
    return f"{len(scene.sent)} octets, SHA-256 {_digest(scene.sent)}"


async def _wake(scene: _Scene) -> str:
    if scene.waiting is None:
        raise StepFailed("nobody waits")
    async with asyncio.timeout(WAKE_SECONDS):
        response, woken_at = await scene.waiting
    _hold(response.status is ping.Status.CHANGES, f"Status {response.status}")
    inbox = scene.folders["bob"][FolderType.INBOX]
    _hold(response.folders == (inbox,), f"news in {response.folders}, not in the Inbox ({inbox})")
    return f"{(woken_at - scene.sent_at) * 1000:.0f} ms after Alice began to send"


async def _take(scene: _Scene) -> str:
    news = await scene.bob.catch_up(scene.folders["bob"][FolderType.INBOX], options=MIME)
    messages = [octets_of(each) for each in news.added.values()]
    found = [each for each in messages if scene.message_id.encode("ascii") in each]
    _hold(len(found) == 1, f"{len(messages)} new messages, {len(found)} of them the one that was sent")
    _hold(found[0].endswith(scene.sent), "the octets are not those that Alice sent")
    scene.taken = found[0]
    trace = len(found[0]) - len(scene.sent)
    return f"{len(found[0])} octets: {trace} of trace headers, then exactly what Alice sent ({_digest(scene.sent)})"


async def _open(scene: _Scene) -> str:
    theirs = _identity(scene, BOB)
    inner = decrypt(scene.taken, theirs.key, theirs.certificate)
    verification = verify(inner, [scene.demo.keys.root.certificate], datetime.now(UTC))
    faults = ", ".join(fault for signer in verification.signers for fault in signer.faults)
    _hold(verification.good, f"the signature is not good: {faults or 'nobody signed'}")
    _hold(ALICE.address in verification.addresses, f"signed by {', '.join(verification.addresses)}")
    text = verification.content.partition(b"\r\n\r\n")[2].decode()
    _hold(text.replace("\r\n", "\n") == TEXT, "the text is not Alice's")
    return f"decrypted with Bob's key; the signature is good: {ALICE.address}\n" + "\n".join(
        f"| {line}" for line in text.splitlines()
    )


def _identity(scene: _Scene, person: Person) -> Identity:
    found = scene.demo.keys.of(person)
    if found is None:
        raise StepFailed(f"{person.name} has no key")
    return found


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:16] + "…"


STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("discover: where is Alice's server, and what does it speak?", _discover),
    ("provision: both devices take the policy", _provision),
    ("FolderSync: which folders are there?", _folder_sync),
    ("first Sync: what is in Alice's Inbox?", _first_sync),
    ("Bob syncs his Inbox, and waits for news", _wait_for_news),
    ("ResolveRecipients: Alice asks for certificates", _resolve),
    ("ValidateCert: are Bob's and some others' certificates good?", _validate),
    ("SendMail: Alice signs, encrypts with Bob's certificate, and sends", _send),
    ("Bob's waiting Ping wakes", _wake),
    ("Bob syncs the message as MIME", _take),
    ("Bob decrypts and verifies it", _open),
)
"""Each step tells what came of it, or raises."""
