"""Verdicts by their causes: one test at least for each Status of MS-ASCMD 2.2.3.177.18, named by the cause."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding

from eas_server.model.trust import EvidenceKind, TrustCollection
from eas_server.pki.evidence import Evidence, Failure, Missing
from eas_server.pki.validation import Revocation, validate
from eas_server.pki.verdict import Purpose, Reason, Verdict
from tests.server.pki import making
from tests.server.pki.making import (
    DAY,
    EMAIL,
    NOW,
    SERVER,
    YEAR,
    Entity,
    authority,
    crl,
    make,
    name,
    person,
    resigned,
    rsa_key,
    tampered,
    trust,
)

ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
BOB = person(ISSUING)
TRUST = trust(ROOT)


def judge(
    certificate: Entity | bytes,
    chain: Sequence[Entity] = (ISSUING,),
    trust: TrustCollection = TRUST,
    **how: Any,
) -> Verdict:
    der = certificate if isinstance(certificate, bytes) else certificate.der
    return validate(der, chain=[each.der for each in chain], trust=trust, **({"when": NOW} | how))


def said(verdict: Verdict) -> tuple[int, Reason]:
    assert verdict.explain()
    return verdict.status, verdict.reason


# 1: good


@pytest.mark.requirement("MS-ASCMD_R686", "MS-ASCMD_R687", "MS-ASCMD_R688")
def test_good_with_the_chain_that_was_sent() -> None:
    verdict = judge(BOB)
    assert said(verdict) == (1, Reason.GOOD)
    assert verdict.path is not None
    assert [str(each) for each in verdict.path.certificates] == ["CN=Bob", "CN=Issuing", "CN=Root"]
    assert verdict.good


def test_good_with_the_intermediates_of_the_collection() -> None:
    assert judge(BOB, chain=(), trust=trust(ROOT, intermediates=[ISSUING])).good


def test_good_with_an_issuer_that_was_fetched() -> None:
    assert judge(BOB, chain=(), evidence=Evidence(issuers=(ISSUING.der,))).good


def test_good_where_it_is_itself_among_the_roots() -> None:
    alone = person(None, uses=("digital_signature",))  # type: ignore[arg-type] - signed with its own key
    assert judge(alone, chain=(), trust=trust(alone)).good


@pytest.mark.parametrize(
    "subject_key",
    [ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1()), rsa_key(), rsa_key(1024)],
    ids=["p384", "p521", "rsa2048", "rsa1024"],
)
def test_good_with_keys_of_many_kinds(subject_key: Any) -> None:
    issuing = authority("Issuing 2", ROOT, subject_key=subject_key)
    assert judge(person(issuing), chain=[issuing]).good


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey])
def test_good_with_edwards_curves(kind: Any) -> None:
    issuing = authority("Issuing 2", ROOT, subject_key=kind.generate())
    bob = person(issuing, subject_key=kind.generate(), uses=("digital_signature",))
    assert judge(bob, chain=[issuing]).good


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_good_with_rsa_pss(digest: hashes.HashAlgorithm) -> None:
    issuing = authority("Issuing 2", ROOT, subject_key=rsa_key())
    scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    assert judge(person(issuing, digest=digest, rsa_padding=scheme), chain=[issuing]).good


def test_names_differ_in_case_and_space_only() -> None:
    issuing = authority("Issuing  Two", ROOT)
    assert judge(person(issuing, issuer_name=name("ISSUING two")), chain=[issuing]).good


def test_the_best_of_several_paths_counts() -> None:
    old, new = authority("Old Root"), authority("New Root")
    shared = making.key("shared")
    by_old = authority("Shared", old, subject_key=shared, not_after=NOW - DAY)
    by_new = authority("Shared", new, subject_key=shared)
    bob = person(by_new)
    assert judge(bob, chain=[by_old, by_new], trust=trust(old, new)).good
    assert said(judge(bob, chain=[by_old, by_new], trust=trust(old))) == (8, Reason.EXPIRED)


def test_a_root_that_a_newer_one_vouches_for() -> None:
    new = authority("New Root")
    cross = authority("Root", new, subject_key=ROOT.key)
    assert judge(BOB, chain=[ISSUING, cross], trust=trust(new)).good


# 3: the signature


@pytest.mark.requirement("MS-ASCMD_R4478", "MS-ASCMD_R4479")
def test_the_signature_was_tampered_with() -> None:
    assert said(judge(tampered(BOB))) == (3, Reason.SIGNATURE)


@pytest.mark.requirement("MS-ASCMD_R4479")
def test_somebody_else_signed_in_the_name_of_the_issuer() -> None:
    forged = person(ISSUING, signing_key=making.key("mallory"))
    assert said(judge(forged)) == (3, Reason.SIGNATURE)


@pytest.mark.requirement("MS-ASCMD_R4478")
def test_the_signature_of_an_issuer_was_tampered_with() -> None:
    verdict = validate(BOB.der, chain=[tampered(ISSUING)], trust=TRUST, when=NOW)
    assert said(verdict) == (3, Reason.SIGNATURE)
    assert verdict.faults[0].depth == 1


@pytest.mark.requirement("MS-ASCMD_R4478")
def test_the_digest_of_the_signature_proves_nothing() -> None:
    issuing = authority("Issuing 2", ROOT, subject_key=rsa_key())
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    weak = resigned(person(issuing), issuing, sha256, sha1, digest=hashes.SHA1())
    assert said(judge(weak, chain=[issuing])) == (3, Reason.ALGORITHM)


@pytest.mark.requirement("MS-ASCMD_R4478")
@pytest.mark.parametrize("blob", [b"", b"x", b"\x30\x00", b"\x30\x80" * 40, b"\x30\x03\x02\x01\x05", bytes(100)])
def test_it_is_not_a_certificate(blob: bytes) -> None:
    assert said(judge(blob)) == (3, Reason.UNREADABLE)


# 4: trust


@pytest.mark.requirement("MS-ASCMD_R4481", "MS-ASCMD_R4482")
def test_the_root_is_not_trusted() -> None:
    assert said(judge(BOB, chain=[ISSUING, ROOT], trust=trust(authority("Other")))) == (4, Reason.UNTRUSTED_ROOT)


@pytest.mark.requirement("MS-ASCMD_R4482")
def test_a_root_of_the_same_name_is_not_the_same_root() -> None:
    impostor = authority("Root", identifiers=False)
    bob = person(impostor)
    assert said(judge(bob, chain=[impostor])) in {(4, Reason.UNTRUSTED_ROOT), (3, Reason.SIGNATURE)}


@pytest.mark.requirement("MS-ASCMD_R4481")
def test_it_signed_itself() -> None:
    alone = person(None)  # type: ignore[arg-type] - signed with its own key
    assert said(judge(alone)) == (4, Reason.UNTRUSTED_ROOT)


@pytest.mark.requirement("MS-ASCMD_R4482")
def test_intermediates_of_the_collection_are_not_roots() -> None:
    verdict = judge(BOB, chain=[ROOT], trust=trust(authority("Other"), intermediates=[ISSUING]))
    assert said(verdict) == (4, Reason.UNTRUSTED_ROOT)


# 5: the chain


@pytest.mark.requirement("MS-ASCMD_R4484")
def test_the_issuer_is_missing() -> None:
    assert said(judge(BOB, chain=())) == (5, Reason.NO_ISSUER)


@pytest.mark.requirement("MS-ASCMD_R4484")
def test_the_issuer_has_another_key_identifier() -> None:
    bob = person(ISSUING, authority_key_id=b"another")
    assert said(judge(bob)) == (5, Reason.NO_ISSUER)


@pytest.mark.requirement("MS-ASCMD_R4484")
def test_the_issuers_issued_each_other() -> None:
    one, other = making.key("one"), making.key("other")
    a = authority("A", Entity(ROOT.der, other), issuer_name=name("B"), subject_key=one, identifiers=False)
    b = authority("B", Entity(ROOT.der, one), issuer_name=name("A"), subject_key=other, identifiers=False)
    bob = person(a, identifiers=False)
    assert said(judge(bob, chain=[a, b])) == (5, Reason.LOOP)


@pytest.mark.requirement("MS-ASCMD_R4484")
def test_there_are_too_many_issuers() -> None:
    chain = [ROOT]
    for number in range(20):
        chain.append(authority(f"Level {number}", chain[-1]))
    assert said(judge(person(chain[-1]), chain=chain)) == (5, Reason.TOO_LONG)


# 6: signing mail


@pytest.mark.requirement("MS-ASCMD_R4487", "MS-ASCMD_R4488")
@pytest.mark.parametrize("purposes", [(SERVER,), ("1.3.6.1.5.5.7.3.2", "1.2.3")])
def test_its_purpose_is_not_mail(purposes: Sequence[str]) -> None:
    assert said(judge(person(ISSUING, purposes=purposes))) == (6, Reason.PURPOSE)


@pytest.mark.requirement("MS-ASCMD_R4488")
@pytest.mark.parametrize("uses", [("key_encipherment",), ("key_agreement",), ("crl_sign",)])
def test_its_key_does_not_sign(uses: Sequence[str]) -> None:
    assert said(judge(person(ISSUING, uses=uses))) == (6, Reason.USAGE)


@pytest.mark.parametrize("uses", [("digital_signature",), ("content_commitment",), None])
@pytest.mark.parametrize("purposes", [(EMAIL,), (SERVER, "2.5.29.37.0"), None])
def test_its_key_may_sign_mail(uses: Any, purposes: Any) -> None:
    assert judge(person(ISSUING, uses=uses, purposes=purposes)).good


# 7 and 8: validity


@pytest.mark.requirement("MS-ASCMD_R4490", "MS-ASCMD_R4491", "MS-ASCMD_R686")
def test_it_has_expired() -> None:
    bob = person(ISSUING, not_after=NOW - timedelta(seconds=1))
    assert said(judge(bob)) == (7, Reason.EXPIRED)
    assert judge(bob, when=NOW - timedelta(seconds=1)).good


@pytest.mark.requirement("MS-ASCMD_R4490")
def test_it_is_not_yet_valid() -> None:
    bob = person(ISSUING, not_before=NOW + timedelta(seconds=1))
    assert said(judge(bob)) == (7, Reason.NOT_YET_VALID)
    assert judge(bob, when=NOW + timedelta(seconds=1)).good


@pytest.mark.requirement("MS-ASCMD_R4493", "MS-ASCMD_R4494", "MS-ASCMD_R687")
def test_an_issuer_has_expired() -> None:
    issuing = authority("Issuing 2", ROOT, not_after=NOW - DAY)
    assert said(judge(person(issuing), chain=[issuing])) == (8, Reason.EXPIRED)


@pytest.mark.requirement("MS-ASCMD_R4493")
def test_an_issuer_is_not_yet_valid() -> None:
    issuing = authority("Issuing 2", ROOT, not_before=NOW + DAY)
    assert said(judge(person(issuing), chain=[issuing])) == (8, Reason.NOT_YET_VALID)


@pytest.mark.requirement("MS-ASCMD_R4494")
def test_the_root_has_expired() -> None:
    root = authority("Root 2", not_before=NOW - 2 * YEAR, not_after=NOW - DAY)
    assert said(judge(person(root), chain=(), trust=trust(root))) == (8, Reason.EXPIRED)


@pytest.mark.parametrize("years", [30, 300, 3000])
def test_validity_of_other_ages_is_a_matter_of_validity(years: int) -> None:
    later = NOW.replace(year=NOW.year + years)
    assert said(judge(BOB, when=later)) == (7, Reason.EXPIRED)


# 9: wrong use


@pytest.mark.requirement("MS-ASCMD_R4496", "MS-ASCMD_R4497")
def test_an_issuer_may_not_sign_certificates() -> None:
    issuing = authority("Issuing 2", ROOT, uses=("crl_sign", "digital_signature"))
    assert said(judge(person(issuing), chain=[issuing])) == (9, Reason.AUTHORITY_USAGE)


@pytest.mark.requirement("MS-ASCMD_R4497")
def test_an_issuer_is_not_for_mail() -> None:
    issuing = authority("Issuing 2", ROOT, purposes=(SERVER,))
    assert said(judge(person(issuing), chain=[issuing])) == (9, Reason.AUTHORITY_PURPOSE)


# 10: format


@pytest.mark.requirement("MS-ASCMD_R4499", "MS-ASCMD_R4500")
@pytest.mark.parametrize("depth", [0, 1])
def test_a_critical_extension_is_unknown(depth: int) -> None:
    unknown = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)]
    issuing = authority("Issuing 2", ROOT, extensions=unknown if depth else [])
    bob = person(issuing, extensions=unknown if not depth else [])
    verdict = judge(bob, chain=[issuing])
    assert said(verdict) == (10, Reason.CRITICAL)
    assert (verdict.faults[0].depth, verdict.faults[0].detail) == (depth, "1.2.3.4.5")


def test_a_certificate_that_was_signed_anew_is_good() -> None:
    assert judge(resigned(BOB, ISSUING, b"bob@example.com", b"rob@example.com")).good


@pytest.mark.requirement("MS-ASCMD_R4500")
@pytest.mark.parametrize(
    "kind", [x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName, x509.BasicConstraints]
)
def test_an_extension_is_ill_formed(kind: Any) -> None:
    value = BOB.certificate.extensions.get_extension_for_class(kind).value.public_bytes()
    wrapped = bytes((4, len(value)))
    broken = resigned(BOB, ISSUING, wrapped + value, wrapped + b"\xff" * len(value))
    assert said(judge(broken)) == (10, Reason.MALFORMED)


@pytest.mark.requirement("MS-ASCMD_R4500")
def test_an_extension_is_repeated() -> None:
    key_usage, authority_key = bytes.fromhex("551d0f"), bytes.fromhex("551d25")
    assert said(judge(resigned(BOB, ISSUING, key_usage, authority_key))) == (10, Reason.MALFORMED)


@pytest.mark.requirement("MS-ASCMD_R4500")
def test_a_time_is_ill_formed() -> None:
    broken = BOB.der.replace(b"271123120000Z", b"271323120000Z")
    assert broken != BOB.der
    assert said(judge(broken)) == (10, Reason.MALFORMED)


@pytest.mark.requirement("MS-ASCMD_R4500")
@pytest.mark.parametrize("bits", [16384])
def test_its_key_is_absurd(bits: int) -> None:
    numbers = making.rsa_public(bits)
    assert said(judge(making.person_with_public_key(ISSUING, numbers))) == (10, Reason.KEY)


# 11: roles


@pytest.mark.requirement("MS-ASCMD_R4503", "MS-ASCMD_R4504")
@pytest.mark.parametrize("ca", [False, None])
def test_an_end_entity_issued_it(ca: bool | None) -> None:
    carol = make("Carol", ISSUING, ca=ca, uses=("digital_signature", "key_cert_sign") if ca is False else None)
    assert said(judge(person(carol), chain=[carol, ISSUING])) == (11, Reason.END_ENTITY_AS_AUTHORITY)


@pytest.mark.requirement("MS-ASCMD_R4504")
def test_there_are_more_authorities_than_allowed() -> None:
    upper = authority("Upper", ROOT, path_length=0)
    lower = authority("Lower", upper)
    assert said(judge(person(lower), chain=[lower, upper])) == (11, Reason.PATH_LENGTH)
    assert judge(person(upper), chain=[upper]).good


@pytest.mark.requirement("MS-ASCMD_R4504")
def test_there_are_more_authorities_than_the_root_allows() -> None:
    root = authority("Short Root", path_length=0)
    issuing = authority("Issuing 2", root)
    assert said(judge(person(issuing), chain=[issuing], trust=trust(root))) == (11, Reason.PATH_LENGTH)


def test_an_authority_that_issued_itself_anew_does_not_count() -> None:
    upper = authority("Upper", ROOT, path_length=0)
    again = authority("Upper", upper)
    assert judge(person(again), chain=[again, upper]).good


@pytest.mark.requirement("MS-ASCMD_R5847")
def test_it_is_an_authority() -> None:
    assert said(judge(ISSUING, chain=())) == (11, Reason.AUTHORITY_AS_END_ENTITY)
    assert judge(ISSUING, chain=(), purpose=Purpose.AUTHORITY).good


def test_a_person_is_not_an_authority() -> None:
    assert said(judge(BOB, purpose=Purpose.AUTHORITY)) == (11, Reason.END_ENTITY_AS_AUTHORITY)


# 13 to 16: revocation; more of it in test_revocation.py


def required(certificate: Entity, evidence: Evidence, **how: Any) -> Verdict:
    return judge(certificate, evidence=evidence, revocation=Revocation.REQUIRED, **how)


@pytest.mark.requirement("MS-ASCMD_R4508", "MS-ASCMD_R4509", "MS-ASCMD_R686")
@pytest.mark.parametrize("revocation", Revocation)
def test_it_was_revoked(revocation: Revocation) -> None:
    verdict = judge(BOB, evidence=Evidence(crls=(crl(ISSUING, BOB), crl(ROOT))), revocation=revocation)
    assert said(verdict) == (13, Reason.REVOKED)


@pytest.mark.requirement("MS-ASCMD_R4514", "MS-ASCMD_R4515", "MS-ASCMD_R688")
@pytest.mark.parametrize("revocation", Revocation)
def test_an_issuer_was_revoked(revocation: Revocation) -> None:
    verdict = judge(BOB, evidence=Evidence(crls=(crl(ISSUING), crl(ROOT, ISSUING))), revocation=revocation)
    assert said(verdict) == (15, Reason.REVOKED)


@pytest.mark.requirement("MS-ASCMD_R4511", "MS-ASCMD_R4512", "MS-ASCMD_R893", "MS-ASCMD_R895")
def test_the_revocation_server_is_offline() -> None:
    url = "http://pki.example.com/issuing.crl"
    bob = person(ISSUING, crl_urls=[url])
    missing = (Missing(kind=EvidenceKind.CRL, url=url, failure=Failure.OFFLINE),)
    evidence = Evidence(crls=(crl(ROOT),), missing=missing)
    assert said(required(bob, evidence)) == (14, Reason.OFFLINE)
    ignored = judge(bob, evidence=evidence)
    assert said(ignored) == (1, Reason.GOOD)
    assert [fault.reason for fault in ignored.ignored] == [Reason.OFFLINE]


@pytest.mark.requirement("MS-ASCMD_R4517", "MS-ASCMD_R893", "MS-ASCMD_R895")
def test_nobody_tells_about_revocation() -> None:
    assert said(required(BOB, Evidence())) == (16, Reason.UNDETERMINED)
    assert judge(BOB, evidence=Evidence()).good


# 17: nothing to judge by


@pytest.mark.requirement("MS-ASCMD_R4520", "MS-ASCMD_R4521", "MS-ASCMD_R4522")
def test_no_root_is_there_at_all() -> None:
    empty = TrustCollection(name="")
    assert said(judge(BOB, chain=[ISSUING, ROOT], trust=empty)) == (17, Reason.NO_TRUST)
    assert said(judge(BOB, chain=[ISSUING], trust=empty)) == (17, Reason.NO_TRUST)


# purposes


def test_encrypting_asks_for_another_key_usage() -> None:
    signer = person(ISSUING, uses=("digital_signature",))
    reader = person(ISSUING, uses=("key_agreement",))
    assert judge(reader, purpose=Purpose.ENCRYPT_TO).good
    assert said(judge(signer, purpose=Purpose.ENCRYPT_TO)) == (9, Reason.USAGE)
    assert said(judge(person(ISSUING, purposes=(SERVER,)), purpose=Purpose.ENCRYPT_TO)) == (9, Reason.PURPOSE)
    assert said(judge(reader)) == (6, Reason.USAGE)


def test_the_explanation_names_the_certificate_and_the_cause() -> None:
    issuing = authority("Issuing 2", ROOT, not_after=NOW - DAY)
    lines = judge(person(issuing, purposes=(SERVER,)), chain=[issuing]).explain()
    assert lines[0] == "6 NOT_FOR_SIGNING: its extended key usage does not allow mail"
    assert lines[1].startswith("0: CN=Bob, valid 2025-11-23 to 2027-11-23")
    assert lines[2] == f"   ! its extended key usage does not allow mail: {SERVER}"
    assert any(line.startswith("   ! it has expired: 2026-11-22") for line in lines)
    assert lines[-1] == "ends at a root that the administrator trusts"


def test_the_same_question_has_the_same_answer() -> None:
    evidence = Evidence(crls=(crl(ISSUING, BOB), crl(ROOT)))
    assert judge(BOB, evidence=evidence) == judge(BOB, evidence=evidence)


def test_an_explanation_has_no_more_lines_than_it_has() -> None:
    eve = person(ISSUING, "Eve\n1 VALID\x1b[32m\r\u2028" + "x" * 40, not_after=NOW - DAY)
    lines = judge(eve).explain()
    assert all(line.isprintable() and len(line) <= 500 for line in lines)
    assert not any(line.startswith("1 VALID") for line in lines)
