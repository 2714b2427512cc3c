"""ValidateCert over the fetcher, the network in between: [MS-ASCMD] 2.2.1.22, 2.2.3.177.18."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.x509 import ocsp

from eas_server.backends.memory.trust import MemoryTrust
from eas_server.backends.revocation.source import FetchingSource
from eas_server.commands.validate_cert import COMMAND
from eas_server.model.directory import Account
from protocol.commands.validate_cert import Request
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import BOB, MovedClock, Names
from tests.server.backends.revocation.hostile import Answer, Server
from tests.server.commands.support import NOW, Bench
from tests.server.pki import making
from tests.server.pki.making import Entity, authority, crl, ocsp_answer, person

Open = Callable[..., FetchingSource]
ROOT = authority("Root")
OTHER = Account(user=BOB, address=BOB, addresses=frozenset({BOB}), display_name="Bob Example")


@pytest.fixture
def clock() -> MovedClock:
    made = MovedClock()
    made.moment = NOW
    return made


def encoded(entity: Entity) -> str:
    return base64.b64encode(entity.der).decode("ascii")


async def status(
    source: Any, certificate: Entity, *chain: Entity, check_crl: int = 1, account: Account | None = None
) -> int:
    """What is said of a certificate."""
    more: dict[str, Any] = {} if account is None else {"account": account}
    bench = Bench(trust=MemoryTrust([making.trust(ROOT)]), revocation=source, **more)
    request = Request(
        certificates=(encoded(certificate),), certificate_chain=tuple(map(encoded, chain)), check_crl=check_crl
    )
    response = await bench.run(COMMAND, request)
    assert response.status == 1
    (result,) = response.certificates
    return int(result.status)


@pytest.mark.requirement("MS-ASCMD_R4474", "MS-ASCMD_R4509", "MS-ASCMD_R893")
async def test_good_and_revoked(opened: Open, server: Server) -> None:
    good, revoked = (person(ROOT, name, crl_urls=[server.url("/root.crl")]) for name in ("Good", "Revoked"))
    server.answers["/root.crl"] = hostile.body(crl(ROOT, revoked))
    source = opened()
    assert [await status(source, each) for each in (good, revoked)] == [1, 13]
    assert server.times("/root.crl") == 1


@pytest.mark.requirement("MS-ASCMD_R4474", "MS-ASCMD_R4509")
async def test_a_responder(opened: Open, server: Server) -> None:
    good, revoked = (person(ROOT, name, ocsp_urls=[server.url("/ocsp")]) for name in ("Good", "Revoked"))
    answers = {
        each.certificate.serial_number: ocsp_answer(each, ROOT, status=what)
        for each, what in ((good, ocsp.OCSPCertStatus.GOOD), (revoked, ocsp.OCSPCertStatus.REVOKED))
    }

    async def respond(asked: hostile.Asked, writer: asyncio.StreamWriter) -> None:
        await hostile.body(answers[ocsp.load_der_ocsp_request(asked.body).serial_number])(asked, writer)

    server.answers["/ocsp"] = respond
    source = opened()
    assert [await status(source, each) for each in (good, revoked, good, revoked)] == [1, 13, 1, 13]
    assert server.times("/ocsp") == 2


async def test_an_issuer_that_was_not_sent(opened: Open, server: Server) -> None:
    issuing = authority("Issuing", ROOT, crl_urls=[server.url("/root.crl")])
    bob = person(issuing, crl_urls=[server.url("/issuing.crl")], issuer_urls=[server.url("/issuing.cer")])
    server.answers = {
        "/root.crl": hostile.body(crl(ROOT)),
        "/issuing.crl": hostile.body(crl(issuing)),
        "/issuing.cer": hostile.body(issuing.der),
    }
    assert await status(opened(), bob) == 1


UNAVAILABLE: dict[str, tuple[Answer, int]] = {
    "no such file": (hostile.status("404 Not Found"), 14),
    "an error": (hostile.status("500 Oh"), 14),
    "no answer": (hostile.hang, 14),
    "half an answer": (hostile.reset, 14),
    "a page to sign in at": (hostile.body(b"<html>Please sign in</html>"), 16),
    "another one's": (hostile.body(crl(authority("Other"))), 16),
    "inside": (hostile.redirect("http://10.0.0.1/root.crl"), 16),
}


@pytest.mark.requirement("MS-ASCMD_R893", "MS-ASCMD_R895", "MS-ASCMD_R4512", "MS-ASCMD_R4517")
@pytest.mark.parametrize("cause", UNAVAILABLE)
async def test_what_cannot_be_had(opened: Open, server: Server, cause: str) -> None:
    answer, said = UNAVAILABLE[cause]
    server.answers["/root.crl"] = answer
    source = opened(timeout=0.5 if answer is hostile.hang else 30)
    bob = person(ROOT, crl_urls=[server.url("/root.crl")])
    # and the same while it is remembered
    assert [await status(source, bob) for _ in range(2)] == [said, said]
    assert await status(source, bob, check_crl=0) == 1


async def test_what_may_not_be_asked(opened: Open, server: Server) -> None:
    urls = ("ldap:///CN=Root,DC=example,DC=com?certificateRevocationList", "http://169.254.169.254/root.crl")
    for url in urls:
        assert await status(opened(), person(ROOT, crl_urls=[url])) == 16
    server.answers["/root.crl"] = hostile.body(crl(ROOT))
    assert await status(opened(), person(ROOT, crl_urls=[urls[0], server.url("/root.crl")])) == 1


async def test_a_dead_server_holds_up_its_own_users_alone(opened: Open, server: Server, names: Names) -> None:
    server.answers = {f"/{number}": hostile.hang for number in range(100)}
    for number in range(100):
        names.addresses[f"host-{number}.example"] = [["127.0.0.1"]]
    source = opened(timeout=30.0)
    asking = [
        asyncio.create_task(
            status(source, person(ROOT, f"P{number}", crl_urls=[server.url(f"/{number}", f"host-{number}.example")]))
        )
        for number in range(100)
    ]
    await server.until_busy(4)
    server.answers["/root.crl"] = hostile.body(crl(ROOT))
    good = person(ROOT, crl_urls=[server.url("/root.crl")])
    assert [await status(source, good, account=OTHER) for _ in range(20)] == [1] * 20
    assert not any(task.done() for task in asking)
    await source.close()
    assert set(await asyncio.gather(*asking)) == {14}
