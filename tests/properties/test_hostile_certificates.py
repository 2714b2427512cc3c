"""Whatever stands in for a certificate, a chain or evidence: there is a verdict, and nothing else happens."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.pki.certificate import CertificateError
from eas_server.pki.evidence import Evidence
from eas_server.pki.presented import read_presented
from eas_server.pki.questions import KEEP_UNTIL, EvidenceError, about_crl, about_revocation, crl_in, issuers_in
from eas_server.pki.validation import Revocation, validate
from eas_server.pki.verdict import Purpose
from tests.server.pki.making import NOW, authority, crl, issuing_point, ocsp_answer, person, responder, trust

URL = "http://pki.example.com/"
ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT, crl_urls=[URL + "root.crl"], issuer_urls=[URL], path_length=1)
BOB = person(ISSUING, crl_urls=[URL + "ca.crl"], ocsp_urls=[URL + "ocsp"], issuer_urls=[URL])
CRL = crl(ISSUING, person(ISSUING), freshest=[URL], issuing_point=issuing_point(only_contains_user_certs=True))
ANSWER = ocsp_answer(BOB, ISSUING, responder=responder(ISSUING), nonce=b"12345678")
TRUST = trust(ROOT)


@st.composite
def spoilt(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some octets changed, inserted or cut."""
    octets = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(octets) - 1))
        match draw(st.integers(0, 3)):
            case 0 | 1:
                octets[place] = draw(st.integers(0, 255))
            case 2:
                octets[place:place] = draw(st.binary(min_size=1, max_size=3))
            case _:
                del octets[place : place + draw(st.integers(1, 5))]
        if not octets:
            break
    return bytes(octets)


@settings(max_examples=400)
@given(spoilt(BOB.der), st.sampled_from(Purpose))
def test_a_spoilt_certificate(der: bytes, purpose: Purpose) -> None:
    verdict = validate(der, chain=[ISSUING.der], trust=TRUST, when=NOW, purpose=purpose)
    assert verdict.explain()
    assert not verdict.good or der == BOB.der


@settings(max_examples=200)
@given(spoilt(ISSUING.der))
def test_a_spoilt_issuer(der: bytes) -> None:
    verdict = validate(BOB.der, chain=[der], trust=TRUST, when=NOW)
    assert verdict.explain()
    assert not verdict.good or der == ISSUING.der


@settings(max_examples=200)
@given(spoilt(ROOT.der))
def test_a_spoilt_root(der: bytes) -> None:
    """Of a root no signature is checked; what the administrator imported may still be broken."""
    verdict = validate(BOB.der, chain=[ISSUING.der], trust=TRUST.__class__(name="", roots=(der,)), when=NOW)
    assert verdict.explain()


@settings(max_examples=300)
@given(spoilt(CRL), spoilt(ANSWER))
def test_spoilt_evidence(one: bytes, other: bytes) -> None:
    evidence = Evidence(crls=(one,), ocsp_answers=(other,))
    verdict = validate(
        BOB.der,
        chain=[ISSUING.der],
        trust=TRUST,
        when=NOW,
        evidence=evidence,
        revocation=Revocation.REQUIRED,
    )
    assert verdict.status == 16, "the one about ISSUING is missing"


@settings(max_examples=300)
@given(st.one_of(spoilt(CRL), spoilt(ANSWER), spoilt(BOB.der), st.binary(max_size=100)))
def test_spoilt_answers_are_declared(octets: bytes) -> None:
    for keep_until in KEEP_UNTIL.values():
        try:
            keep_until(octets, NOW)
        except ValueError:
            continue
    for read in (crl_in, issuers_in):
        try:
            read(octets)
        except EvidenceError:
            continue
    list(about_crl(octets))


@settings(max_examples=200)
@given(spoilt(base64.b64encode(BOB.der)))
def test_a_spoilt_element(octets: bytes) -> None:
    try:
        presented = read_presented(octets)
    except CertificateError:
        return
    verdict = validate(presented.certificate, chain=presented.chain, trust=TRUST, when=NOW)
    assert verdict.explain()
    if verdict.path is not None:
        for path in [verdict.path]:
            list(about_revocation(path))
