"""ValidateCert against a real server, with an authority that serves CRLs, OCSP answers and issuers over HTTP."""

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import ocsp

from eas_server.backends.sqlite import open_store
from eas_server.model.trust import Anchor
from protocol.client import VALIDATE_CERT
from protocol.commands.validate_cert import Request, certificate_content
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.scenarios.server import CHEAP, Server, World, domain_of, fill
from tests.server.pki import making
from tests.server.pki.making import Entity

NOW = datetime.now(UTC).replace(microsecond=0)
SPAN = {"not_before": NOW - timedelta(days=30), "not_after": NOW + timedelta(days=30)}
LISTS = {
    "this_update": NOW - timedelta(hours=1),
    "next_update": NOW + timedelta(days=7),
    "revoked_at": NOW - timedelta(days=1),
}
WORLDS = 12


class Authority(ThreadingHTTPServer):
    """Serves what is in `answers`, by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, bytes] = {}
        self.url = f"http://localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A CRL, or an issuer."""
        assert isinstance(self.server, Authority)
        found = self.server.answers.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_POST(self) -> None:
        """An OCSP request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    running = Authority()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    more = f'[revocation]\nallow_hosts = ["localhost"]\nallow_ports = [{authority.server_port}]\n'
    running = Server(tmp_path_factory.mktemp("validating"), more)

    async def prepare(store: Any) -> None:
        await fill(store, WORLDS)

    running.open(prepare)
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    made = server.world()
    yield made
    await made.close()


class Pki:
    """A root, an issuing authority that is had by AIA only, and people in every state."""

    def __init__(self, authority: Authority) -> None:
        url = authority.url
        self.root = making.authority("Root", **SPAN)
        where = {"crl_urls": [f"{url}/root.crl"], "issuer_urls": [f"{url}/root.cer"]}
        self.issuing = making.authority("Issuing", self.root, **where, **SPAN)
        self.by_list = {"crl_urls": [f"{url}/issuing.crl"], "issuer_urls": [f"{url}/issuing.cer"]}
        self.good, self.revoked = self.person(**self.by_list), self.person(**self.by_list)
        self.silent = self.person(crl_urls=[f"{url}/lost.crl"])
        self.dumb = self.person()
        asked = {"ocsp_urls": [f"{url}/ocsp"], "issuer_urls": [f"{url}/issuing.cer"]}
        self.answered = self.person(**asked)
        authority.answers |= {
            "/root.crl": making.crl(self.root, **LISTS),
            "/issuing.crl": making.crl(self.issuing, self.revoked, **LISTS),
            "/issuing.cer": self.issuing.der,
            "/ocsp": making.ocsp_answer(
                self.answered,
                self.issuing,
                status=ocsp.OCSPCertStatus.GOOD,
                this_update=NOW - timedelta(minutes=5),
                next_update=NOW + timedelta(hours=1),
            ),
        }

    def person(self, **how: Any) -> Entity:
        return making.person(self.issuing, **SPAN, **how)


@pytest.fixture(scope="module")
def pki(authority: Authority) -> Pki:
    return Pki(authority)


async def trust(world: World, root: bytes) -> None:
    """What `eas-server trust import` does beside a running server."""
    async with open_store(Path(world.server.folder) / "store.db", hash_cost=CHEAP) as store:
        await store.trust.trust(world.domain, {root: Anchor.ROOT})


async def statuses(
    world: World, version: ProtocolVersion, *certificates: bytes, check_crl: int, chain: Any = ()
) -> list[int]:
    device = world.device("alice", version)
    assert await device.provision()
    request = Request(
        certificates=tuple(map(certificate_content, certificates)),
        certificate_chain=tuple(map(certificate_content, chain)) or None,
        check_crl=check_crl,
    )
    answer = await device.call(VALIDATE_CERT, request)
    assert answer.response is not None
    assert answer.response.status == 1
    return [each.status for each in answer.response.certificates]


@pytest.mark.requirement(
    "MS-ASCMD_R6121", "MS-ASCMD_R6122", "MS-ASCMD_R6123", "MS-ASCMD_R6124", "MS-ASCMD_R6124100601", "MS-ASCMD_R892"
)
@pytest.mark.parametrize("version", SUPPORTED, ids=str)
async def test_people_in_every_state(world: World, pki: Pki, version: ProtocolVersion) -> None:
    asked = [each.der for each in (pki.good, pki.revoked, pki.silent, pki.dumb, pki.answered)]
    assert await statuses(world, version, *asked, check_crl=1, chain=[pki.issuing.der]) == [17] * 5
    await trust(world, pki.root.der)
    assert await statuses(world, version, *asked, check_crl=1, chain=[pki.issuing.der]) == [1, 13, 14, 16, 1]
    assert await statuses(world, version, *asked, check_crl=0, chain=[pki.issuing.der]) == [1, 13, 1, 1, 1]


async def test_the_issuer_is_fetched(world: World, pki: Pki) -> None:
    await trust(world, pki.root.der)
    asked = [each.der for each in (pki.good, pki.answered, pki.dumb)]
    assert await statuses(world, SUPPORTED[-1], *asked, check_crl=1) == [1, 1, 5]


async def test_one_domain_does_not_trust_what_another_does(server: Server, world: World, pki: Pki) -> None:
    await trust(world, pki.root.der)
    other = server.world()
    assert domain_of(0) != other.domain
    chain = [pki.issuing.der, pki.root.der]
    assert await statuses(other, SUPPORTED[-1], pki.good.der, check_crl=0, chain=chain) == [17]
    await other.close()


async def test_options_offer_it(world: World) -> None:
    device = world.device()
    answer = await device.options()
    assert answer.offer is not None
    assert "ValidateCert" in answer.offer.commands
