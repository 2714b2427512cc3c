"""What is asked about certificates, and how long answers are kept."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp

from eas_server.model.trust import EvidenceKind
from eas_server.pki.paths import build_paths, fresh_budget, pool_of
from eas_server.pki.profile import MAX_URLS, profile
from eas_server.pki.questions import (
    ISSUERS_KEPT,
    KEEP_UNTIL,
    EvidenceError,
    about_crl,
    about_issuers,
    about_revocation,
    crl_in,
    issuers_in,
    ocsp_request,
)
from tests.server.pki.making import DAY, NOW, authority, crl, issuing_point, ocsp_answer, ocsp_refusal, person, trust

URL = "http://pki.example.com/"
ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT, crl_urls=[URL + "root.crl"], issuer_urls=[URL + "root.cer"])
BOB = person(
    ISSUING, crl_urls=[URL + "1.crl", "ldap://pki"], ocsp_urls=[URL + "ocsp"], issuer_urls=[URL + "issuing.cer"]
)


def path(*chain: bytes):
    (found,) = build_paths(profile(BOB.der), pool_of(trust(ROOT), chain), NOW, fresh_budget()).found
    return found


def test_the_issuer_is_asked_for_where_it_is_missing() -> None:
    (question,) = about_issuers(path())
    assert (question.kind, question.url) == (EvidenceKind.ISSUER, URL + "issuing.cer")
    assert list(about_issuers(path(ISSUING.der))) == []


def test_revocation_is_asked_about_below_the_root() -> None:
    questions = list(about_revocation(path(ISSUING.der)))
    assert [(question.kind, question.url) for question in questions] == [
        (EvidenceKind.OCSP, URL + "ocsp"),
        (EvidenceKind.CRL, URL + "1.crl"),
        (EvidenceKind.CRL, "ldap://pki"),
        (EvidenceKind.CRL, URL + "root.crl"),
    ]


def test_an_ocsp_request_names_the_certificate_and_has_no_nonce() -> None:
    request = ocsp.load_der_ocsp_request(ocsp_request(BOB.der, ISSUING.der))
    made = ocsp.OCSPRequestBuilder().add_certificate(BOB.certificate, ISSUING.certificate, request.hash_algorithm)
    assert made.build().public_bytes(serialization.Encoding.DER) == ocsp_request(BOB.der, ISSUING.der)
    assert (request.serial_number, len(request.extensions)) == (BOB.serial, 0)


def test_thousands_of_addresses_are_cut_off() -> None:
    many = person(ROOT, crl_urls=[f"{URL}{number}.crl" for number in range(500)], ocsp_urls=["http://" + "x" * 5000])
    assert len(profile(many.der).crl_urls) == MAX_URLS
    assert profile(many.der).ocsp_urls == ()


def test_a_crl_points_to_its_delta_and_its_issuer() -> None:
    access = x509.AuthorityInformationAccess(
        [x509.AccessDescription(x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(URL))]
    )
    der = crl(ROOT, freshest=[URL + "delta.crl"], extensions=[(access, False)])
    assert {(question.kind, question.url) for question in about_crl(der)} == {
        (EvidenceKind.CRL, URL + "delta.crl"),
        (EvidenceKind.ISSUER, URL),
    }
    assert list(about_crl(b"junk")) == []
    assert list(about_crl(crl(ROOT, issuing_point=issuing_point(only_contains_user_certs=True)))) == []


def test_issuers_come_in_many_forms() -> None:
    bundle = pkcs7.serialize_certificates([ISSUING.certificate, ROOT.certificate], serialization.Encoding.DER)
    assert set(issuers_in(bundle)) == {ISSUING.der, ROOT.der}
    assert issuers_in(base64.b64encode(ISSUING.der)) == (ISSUING.der,)
    for junk in (b"", b"<html>", b"\x30\x00"):
        with pytest.raises(EvidenceError):
            issuers_in(junk)


def test_crls_come_as_der_or_pem() -> None:
    der = crl(ROOT)
    assert crl_in(der) == der
    assert crl_in(x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM)) == der
    for junk in (b"", b"<html>", b"\x30\x00", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----"):
        with pytest.raises(EvidenceError):
            crl_in(junk)


def test_how_long_answers_are_kept() -> None:
    keep = {kind: KEEP_UNTIL[kind] for kind in EvidenceKind}
    assert keep[EvidenceKind.ISSUER](ISSUING.der, NOW) == NOW + ISSUERS_KEPT
    assert keep[EvidenceKind.CRL](crl(ROOT), NOW) == NOW + DAY
    assert keep[EvidenceKind.CRL](crl(ROOT, next_update=NOW - timedelta(hours=1)), NOW) is None
    assert keep[EvidenceKind.OCSP](ocsp_answer(BOB, ISSUING), NOW) == NOW + DAY
    assert keep[EvidenceKind.OCSP](ocsp_answer(BOB, ISSUING, next_update=None), NOW) is None


@pytest.mark.parametrize("kind", EvidenceKind)
@pytest.mark.parametrize(
    "junk",
    [b"", b"<html>not found</html>", b"\x30\x80\x00", ocsp_refusal(), BOB.der[:50]],
    ids=["nothing", "html", "endless", "refusal", "half"],
)
def test_what_is_no_evidence_is_not_kept(kind: EvidenceKind, junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        KEEP_UNTIL[kind](junk, NOW)
