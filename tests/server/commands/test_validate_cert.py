"""ValidateCert, [MS-ASCMD] 2.2.1.22."""

import base64
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.memory.revocation import MemoryRevocation
from eas_server.backends.memory.trust import MemoryTrust
from eas_server.commands.validate_cert import COMMAND, fail, refuse
from eas_server.errors import StoreUnavailable
from eas_server.model.settings import CrlCheck, Settings, SmimeSettings
from eas_server.model.trust import TrustCollection
from protocol import wbxml
from protocol.commands.validate_cert import Request, Response, certificate_content
from protocol.elements import Opaque
from protocol.errors import MalformedWbxml, MalformedXml
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.server.commands.support import Bench, check
from tests.server.pki import making
from tests.server.pki.making import authority, crl, person

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "wbxml" / "ValidateCert"
CRL_URL, ROOT_CRL_URL = "http://pki.example.com/issuing.crl", "http://pki.example.com/root.crl"
ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT, crl_urls=[ROOT_CRL_URL])
BOB = person(ISSUING, crl_urls=[CRL_URL])
REVOKED = person(ISSUING, crl_urls=[CRL_URL])
CRLS = {CRL_URL: crl(ISSUING, REVOKED), ROOT_CRL_URL: crl(ROOT)}


def bench(trust: Any = None, revocation: Any = None, **more: Any) -> Bench:
    return Bench(
        trust=trust or MemoryTrust([making.trust(ROOT)]),
        revocation=MemoryRevocation(CRLS) if revocation is None else revocation,
        **more,
    )


async def statuses(
    *certificates: bytes, on: Bench | None = None, chain: Any = (ISSUING.der,), crl: int = 0
) -> list[int]:
    request = Request(
        certificates=tuple(map(certificate_content, certificates)),
        certificate_chain=tuple(map(certificate_content, chain)),
        check_crl=crl,
    )
    response = await (on or bench()).run(COMMAND, request)
    assert isinstance(response, Response)
    assert response.status == 1
    return [result.status for result in response.certificates]


@pytest.mark.requirement("MS-ASCMD_R4474", "MS-ASCMD_R5387", "MS-ASCMD_R686", "MS-ASCMD_R687", "MS-ASCMD_R688")
@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("check_crl", [0, 1])
async def test_a_good_certificate_in_every_version(version: ProtocolVersion, check_crl: int) -> None:
    assert await statuses(BOB.der, on=bench(version=version), crl=check_crl) == [1]


@pytest.mark.requirement("MS-ASCMD_R2924", "MS-ASCMD_R4469")
async def test_results_stand_in_the_order_of_the_request() -> None:
    asked = [BOB.der, b"no certificate", REVOKED.der, BOB.der]
    assert await statuses(*asked, crl=1) == [1, 3, 13, 1]


@pytest.mark.requirement("MS-ASCMD_R5661", "MS-ASCMD_R5662", "MS-ASCMD_R4476")
async def test_a_hundred_certificates_and_one_more() -> None:
    assert await statuses(*[BOB.der] * 100) == [1] * 100
    request = Request(certificates=(certificate_content(BOB.der),) * 101)
    assert await bench().run(COMMAND, request) == Response(status=2)
    request = Request(certificates=(certificate_content(BOB.der),), certificate_chain=("",) * 101)
    assert await bench().run(COMMAND, request) == Response(status=2)


@pytest.mark.requirement("MS-ASCMD_R1118", "MS-ASCMD_R1142", "MS-ASCMD_R4476")
@pytest.mark.parametrize("certificates", [None, ()])
async def test_a_request_without_certificates(certificates: Any) -> None:
    assert await bench().run(COMMAND, Request(certificates=certificates)) == Response(status=2)


async def test_the_form_without_containers() -> None:
    tree = wbxml.decode((FIXTURES / "request_bare.wbxml").read_bytes())
    for element in tree.walk():
        if isinstance(element.content, Opaque):
            element.content = Opaque(BOB.der if element.tag.name == "Certificate" else ISSUING.der)
    response = await bench().run_tree(COMMAND, tree)
    assert [result.status for result in response.certificates] == [1]


async def test_an_empty_body_is_no_request() -> None:
    context = await bench().context(COMMAND.name)
    with pytest.raises(MalformedWbxml):
        COMMAND.read(b"", context.line, context.version)


@pytest.mark.requirement("MS-ASCMD_R893", "MS-ASCMD_R895", "MS-ASCMD_R4512")
async def test_a_silent_revocation_server_matters_where_it_was_asked_for() -> None:
    silent = MemoryRevocation()
    assert await statuses(BOB.der, on=bench(revocation=silent), crl=1) == [14]
    assert await statuses(BOB.der, on=bench(revocation=silent), crl=0) == [1]
    assert {wanted.url for wanted in silent.asked} == {CRL_URL, ROOT_CRL_URL}


@pytest.mark.requirement("MS-ASCMD_R686", "MS-ASCMD_R4509")
async def test_a_revocation_that_is_known_counts_even_where_it_was_not_asked_for() -> None:
    assert await statuses(REVOKED.der, crl=0) == [13]


@pytest.mark.parametrize(("check", "statuses_told"), [(CrlCheck.AS_ASKED, [1, 14]), (CrlCheck.ALWAYS, [14, 14])])
async def test_the_administrator_may_insist_on_revocation(check: CrlCheck, statuses_told: list[int]) -> None:
    on = bench(revocation=MemoryRevocation(), settings=Settings(smime=SmimeSettings(check_crl_on_validate=check)))
    assert [*await statuses(BOB.der, on=on, crl=0), *await statuses(BOB.der, on=on, crl=1)] == statuses_told


async def test_the_administrator_may_do_without_revocation() -> None:
    source = MemoryRevocation(CRLS)
    settings = Settings(smime=SmimeSettings(check_crl_on_validate=CrlCheck.NEVER))
    assert await statuses(REVOKED.der, on=bench(revocation=source, settings=settings), crl=1) == [1]
    assert source.asked == []


async def test_without_a_source_of_evidence_nothing_is_known() -> None:
    on = Bench(trust=MemoryTrust([making.trust(ROOT)]))
    assert await statuses(BOB.der, on=on, crl=1) == [16]
    assert await statuses(BOB.der, on=on, crl=0) == [1]


async def test_issuers_are_fetched_where_the_chain_lacks_them() -> None:
    urls = ["http://pki.example.com/issuing.cer"]
    lonely = person(ISSUING, issuer_urls=urls)
    source = MemoryRevocation({urls[0]: base64.b64encode(ISSUING.der)})
    assert await statuses(lonely.der, on=bench(revocation=source), chain=()) == [1]
    assert await statuses(lonely.der, on=bench(revocation=MemoryRevocation()), chain=()) == [5]


async def test_each_thing_is_asked_once_in_a_request() -> None:
    source = MemoryRevocation(CRLS)
    others = [person(ISSUING, crl_urls=[CRL_URL]).der for _ in range(5)]
    assert await statuses(*others, on=bench(revocation=source), crl=1) == [1] * 5
    assert sorted(wanted.url for wanted in source.asked) == sorted([CRL_URL, ROOT_CRL_URL])
    assert {wanted.user for wanted in source.asked} == {"alice@example.com"}


@pytest.mark.requirement("MS-ASCMD_R4521", "MS-ASCMD_R4522")
async def test_where_nothing_is_trusted_the_server_says_that_it_cannot_tell() -> None:
    assert await statuses(BOB.der, on=bench(trust=MemoryTrust()), chain=(ISSUING.der, ROOT.der)) == [17]


async def test_collections_belong_to_mail_domains() -> None:
    other = authority("Other")
    domains = [
        TrustCollection(name="example.com", roots=(other.der,)),
        TrustCollection(name="", roots=(ROOT.der,)),
    ]
    assert await statuses(BOB.der, on=bench(trust=MemoryTrust(domains)), chain=(ISSUING.der, ROOT.der)) == [4]
    domains[0] = TrustCollection(name="example.org", roots=(other.der,))
    assert await statuses(BOB.der, on=bench(trust=MemoryTrust(domains)), chain=(ISSUING.der, ROOT.der)) == [1]


class _Down:
    async def collection(self, domain: str) -> TrustCollection:
        raise StoreUnavailable("the disk is away")


@pytest.mark.requirement("MS-ASCMD_R5864", "MS-ASCMD_R4520")
async def test_a_trust_store_that_is_down_is_a_failure_of_the_command() -> None:
    request = Request(certificates=(certificate_content(BOB.der),))
    assert await bench(trust=_Down()).run(COMMAND, request) == Response(status=17)


@pytest.mark.requirement("MS-ASCMD_R4476", "MS-ASCMD_R2774")
@pytest.mark.parametrize("version", SUPPORTED)
def test_what_is_malformed_gets_status_2(version: ProtocolVersion) -> None:
    response = refuse(MalformedXml("/ValidateCert/CheckCRL", "2 is more than 1"), version)
    assert response == Response(status=2)
    check(response, "ValidateCert", version)
    check(fail(111, version), "ValidateCert", version)
