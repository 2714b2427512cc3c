"""`smime.check_crl_on_send` through a real server, with an authority that serves CRLs, refuses to, or never answers."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from eas_server.model.trust import Anchor
from eas_server.pki.smime import encrypt, sign_detached
from protocol.client import SEND_MAIL, compose
from protocol.versions import SUPPORTED, V14_0
from tests.scenarios.server import Server, fill
from tests.server.pki import der, making

NOW = datetime.now(UTC).replace(microsecond=0)
SPAN = {"not_before": NOW - timedelta(days=30), "not_after": NOW + timedelta(days=30)}
CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe secret is 42.\r\n"
WORLDS = 6
SLOW = "/slow.crl"


class Authority(ThreadingHTTPServer):
    """Serves CRLs, and lets who asks for SLOW wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://localhost:{self.server_port}"
        self.asked = threading.Event()
        self.ending = threading.Event()
        self.root = making.authority("Root", **SPAN)
        self.lists: dict[str, bytes] = {}

    def person(self, address: str, name: str) -> Any:
        return making.person(self.root, emails=(address,), crl_urls=[f"{self.url}{name}"], **SPAN)

    def publish(self, name: str, *revoked: Any) -> None:
        self.lists[name] = making.crl(
            self.root,
            *revoked,
            this_update=NOW - timedelta(hours=1),
            next_update=NOW + timedelta(days=7),
            revoked_at=NOW - timedelta(days=1),
        )


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A CRL."""
        assert isinstance(self.server, Authority)
        if self.path == SLOW:
            self.server.asked.set()
            self.server.ending.wait(60)
            return
        found = self.server.lists.get(self.path, b"")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    running = Authority()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.ending.set()
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(scope="module")
def checking(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    more = (
        f'[revocation]\nallow_hosts = ["localhost"]\nallow_ports = [{authority.server_port}]\n'
        "[smime]\ncheck_crl_on_send = true\n[limits.validation]\ndeadline_seconds = 3\n"
        "[policies.default]\nsettings = { RequireSignedSMIMEMessages = true }\n"
    )
    running = Server(tmp_path_factory.mktemp("checking"), more)

    async def prepare(store: Any) -> None:
        await fill(store, WORLDS)
        await store.trust.trust("", {authority.root.der: Anchor.ROOT})

    running.open(prepare)
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_the_certificate_of_a_signature_has_to_be_known_to_be_good(checking, authority, version):
    world = checking.world()
    alice, bob = world.device("alice", version), world.device("bob", version)
    for device in (alice, bob):
        await device.provision()
    own = f"/{version}.crl"
    good, revoked, lost, slow = (
        authority.person(world.address("alice"), name) for name in (own, own, "/lost.crl", SLOW)
    )
    his = authority.person(world.address("bob"), own)
    authority.publish(own, revoked)
    top = f"To: {world.address('carol')}\r\nSubject: s\r\nMIME-Version: 1.0\r\n".encode()

    async def sent(device, mime: bytes) -> bool:
        answer = await device.call(SEND_MAIL, compose(top + mime, secrets.token_hex(16)))
        if not (answer.ok and answer.response is None):
            assert answer.http_status == 500 if version < V14_0 else answer.status == 120
            return False
        return True

    def signed(who: Any) -> bytes:
        return sign_detached(CONTENT, who.der, who.key)

    assert await sent(alice, signed(good))
    assert await sent(alice, encrypt(signed(lost), [der("bob")]))  # what cannot be seen is not asked about
    for who in (revoked, lost):
        assert not await sent(alice, signed(who))
    stranger = making.person(making.authority("Other", **SPAN), emails=(world.address("alice"),), **SPAN)
    assert not await sent(alice, signed(stranger))
    authority.asked.clear()
    waiting = asyncio.create_task(sent(alice, signed(slow)))
    if version is SUPPORTED[0]:  # afterwards it is remembered that nobody answers
        assert await asyncio.to_thread(authority.asked.wait, 30)
        assert await sent(bob, signed(his))  # bob does not wait for alice
        assert not waiting.done()
    assert not await waiting
    lines = [line for line in checking.log.splitlines() if "kind=refused" in line and world.domain in line]
    reasons = ("it was revoked", "does not answer", "is not at hand", "does not answer")
    assert [reason in line for reason, line in zip(reasons, lines, strict=True)] == [True] * 4, lines
    await world.close()
