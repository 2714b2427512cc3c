"""The lab PKI over HTTP."""

import base64
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from eas_server.pki.lab_crl import Withdrawn
from eas_server.pki.lab_ocsp import MAX_REQUEST
from eas_server.web.lab_pki import PATH, LabPki
from tests.server.pki.test_lab_pki import LAB, NOW, request
from tests.server.web.support import Answer, Site, site


class Fixed:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW


def further(authority: str) -> tuple[Withdrawn, ...]:
    return (Withdrawn(serial=4711, when=NOW, reason="superseded"),) if authority == "root" else ()


@pytest.fixture
async def lab() -> AsyncIterator[Site]:
    async with site(routes=LabPki(LAB, Fixed(), further).routes) as made:
        yield made


async def get(lab: Site, path: str) -> Answer:
    return await lab.ask("GET", f"{PATH}/{path}", Authorization="")


async def test_every_url_of_every_certificate_is_answered(lab):
    for name, _ in LAB.plan.entries():
        for extension in x509.load_der_x509_certificate(LAB.certificates[name]).extensions:
            match extension.value:
                case x509.CRLDistributionPoints() | x509.FreshestCRL() as points:
                    (url,) = [uri.value for point in points for uri in point.full_name]
                    answer = await get(lab, url.removeprefix(f"{LAB.url}/"))
                    if "/down/" in url:
                        assert answer.status == 503
                        continue
                    assert (answer.status, answer["content-type"]) == (200, "application/pkix-crl")
                    crl = x509.load_der_x509_crl(answer.body)
                    scopes = [each.value for each in crl.extensions if each.oid == x509.IssuingDistributionPoint.oid]
                    assert all([uri.value for uri in scope.full_name] == [url] for scope in scopes) or "-changes" in url
                case x509.AuthorityInformationAccess() as access:
                    for entry in access:
                        await asked(lab, name, entry)


async def asked(lab: Site, name: str, entry: x509.AccessDescription) -> None:
    path = entry.access_location.value.removeprefix(f"{LAB.url}/")
    if entry.access_method == x509.AuthorityInformationAccessOID.CA_ISSUERS:
        answer = await get(lab, path)
        assert answer["content-type"] == "application/pkix-cert"
        issuer = x509.load_der_x509_certificate(answer.body)
        assert issuer.subject == x509.load_der_x509_certificate(LAB.certificates[name]).issuer
        return
    answer = await lab.ask("POST", f"{PATH}/{path}", request(name), Content_Type="application/ocsp-request")
    if "down/" in path:
        assert answer.status == 503
        return
    assert answer["content-type"] == "application/ocsp-response"
    assert ocsp.load_der_ocsp_response(answer.body).serial_number == LAB.serial(name)


@pytest.mark.parametrize("quoted", [lambda text: quote(text, safe=""), lambda text: quote(text, safe="/+=")])
@pytest.mark.parametrize("name", ["alice", "revoked", "good-ec"])
async def test_ocsp_by_get(lab, name, quoted):
    """Base64 has upper and lower case, and slashes."""
    asked = request(name)
    answer = await get(lab, f"ocsp/{LAB.plan.people[name].issuer}/{quoted(base64.b64encode(asked).decode())}")
    assert answer.status == 200
    assert ocsp.load_der_ocsp_response(answer.body).serial_number == LAB.serial(name)
    assert "max-age" in answer["cache-control"]


async def test_an_answer_with_a_nonce_is_not_kept(lab):
    text = quote(base64.b64encode(request("alice", nonce=b"once")).decode(), safe="")
    assert (await get(lab, f"ocsp/rsa/{text}"))["cache-control"] == "no-store"


@pytest.mark.parametrize("text", ["%", "%00", "AAAA", "a" * 3000, "..", "%2e%2e/%2e%2e", "="])
async def test_ocsp_by_get_of_what_is_no_request(lab, text):
    answer = await get(lab, f"ocsp/rsa/{text}")
    assert ocsp.load_der_ocsp_response(answer.body).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


async def test_a_request_that_is_too_long_is_not_read(lab):
    answer = await lab.ask("POST", f"{PATH}/ocsp/rsa", b"\x30" * (MAX_REQUEST + 1))
    assert (answer.status, answer["connection"]) == (413, "close")


@pytest.mark.parametrize(
    "path",
    ["", "ca/nobody.cer", "ca/alice.cer", "people/root.cer", "crl/nobody.crl", "crl/rsa-down.crl",
     "crl/ec-indirect.crl", "keys/root.key", "ocsp/nobody/AAAA", "crl/../ca/root.cer"],
)  # fmt: skip
async def test_what_is_not_there(lab, path):
    assert (await get(lab, path)).status == 404


async def test_what_was_revoked_later_is_in_the_crl(lab):
    crl = x509.load_der_x509_crl((await get(lab, "crl/root.crl")).body)
    assert crl.get_revoked_certificate_by_serial_number(4711) is not None


async def test_paths_in_upper_case_are_the_same(lab):
    assert (await lab.ask("GET", "/LAB/PKI/CA/Root.CER")).body == LAB.certificates["root"]


async def test_what_is_asked_for_is_told(lab, caplog):
    with caplog.at_level("INFO", logger="eas_server.web.lab_pki"):
        await get(lab, "crl/rsa-delta.crl")
        await lab.ask("POST", f"{PATH}/ocsp/rsa", request("revoked"))
    told = [record.message for record in caplog.records if record.name == "eas_server.web.lab_pki"]
    assert [message.partition(" asks for ")[2] for message in told] == [
        "the CRL rsa-delta",
        "the OCSP responder of rsa about revoked",
    ]


async def test_it_is_not_there_unless_it_is_wanted():
    async with site() as plain:
        assert (await get(plain, "ca/root.cer")).status == 404
