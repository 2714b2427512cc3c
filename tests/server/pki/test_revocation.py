"""CRLs and OCSP answers: who may say what about whom, and until when."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from eas_server.pki.evidence import Evidence
from eas_server.pki.validation import Revocation, validate
from eas_server.pki.verdict import Reason, Verdict
from tests.server.pki import making
from tests.server.pki.making import (
    DAY,
    NOW,
    Entity,
    authority,
    crl,
    issuing_point,
    make,
    ocsp_answer,
    ocsp_refusal,
    person,
    point,
    responder,
    trust,
)

URL = "http://pki.example.com/"
CRL_URL, OCSP_URL = URL + "ca.crl", URL + "ocsp"
ROOT = authority("Root")
BOB = person(ROOT, crl_urls=[CRL_URL], ocsp_urls=[OCSP_URL])
REVOKED = ocsp.OCSPCertStatus.REVOKED
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN
MINUTE = timedelta(minutes=1)


def judge(certificate: Entity = BOB, *, crls: Any = (), answers: Any = (), chain: Any = (), **how: Any) -> Verdict:
    return validate(
        certificate.der,
        chain=[each.der for each in chain],
        trust=trust(ROOT),
        evidence=Evidence(crls=tuple(crls), ocsp_answers=tuple(answers)),
        **({"when": NOW, "revocation": Revocation.REQUIRED} | how),
    )


def known(**evidence: Any) -> int:
    """The Status where an unknown revocation status is not ignored."""
    verdict = judge(**evidence)
    assert verdict.explain()
    return verdict.status


# CRLs


@pytest.mark.requirement("MS-ASCMD_R4509", "MS-ASCMD_R4517")
def test_a_crl_says_yes_or_no() -> None:
    assert known(crls=[crl(ROOT)]) == 1
    assert known(crls=[crl(ROOT, person(ROOT))]) == 1
    assert known(crls=[crl(ROOT, BOB)]) == 13


@pytest.mark.requirement("MS-ASCMD_R4517")
def test_a_crl_that_is_stale_or_of_the_future_says_nothing() -> None:
    assert known(crls=[crl(ROOT, next_update=NOW - timedelta(hours=1))]) == 16
    assert known(crls=[crl(ROOT, this_update=NOW + timedelta(hours=1))]) == 16
    assert known(crls=[crl(ROOT, this_update=NOW + 2 * MINUTE)]) == 1, "clocks differ"


@pytest.mark.requirement("MS-ASCMD_R686", "MS-ASCMD_R4509")
@pytest.mark.parametrize("revocation", Revocation)
def test_a_revocation_does_not_grow_old(revocation: Revocation) -> None:
    old = {"this_update": NOW - 400 * DAY, "next_update": NOW - 300 * DAY}
    long_ago = NOW - 401 * DAY
    assert known(crls=[crl(ROOT, BOB, revoked_at=long_ago, **old)], revocation=revocation) == 13
    answer = ocsp_answer(BOB, ROOT, status=REVOKED, revoked_at=long_ago, **old)
    assert known(answers=[answer], revocation=revocation) == 13
    forged = crl(ROOT, BOB, revoked_at=long_ago, signing_key=making.key("mallory"), **old)
    assert known(crls=[forged], revocation=Revocation.IF_KNOWN) == 1


def test_a_hold_grows_old() -> None:
    old = {"this_update": NOW - 2 * DAY, "next_update": NOW - DAY}
    held = crl(ROOT, BOB, revoked_at=NOW - 3 * DAY, reason=x509.ReasonFlags.certificate_hold, **old)
    assert known(crls=[held]) == 16
    assert known(crls=[held], revocation=Revocation.IF_KNOWN) == 1


@pytest.mark.requirement("MS-ASCMD_R4517")
def test_a_crl_that_somebody_else_signed_says_nothing() -> None:
    assert known(crls=[crl(ROOT, signing_key=making.key("mallory"))]) == 16
    assert known(crls=[crl(ROOT, BOB, signing_key=making.key("mallory"))]) == 16


@pytest.mark.requirement("MS-ASCMD_R4517")
@pytest.mark.parametrize("junk", [b"", b"x", b"\x30\x00", BOB.der, b"\x30\x82\x01"])
def test_what_is_no_crl_says_nothing(junk: bytes) -> None:
    assert known(crls=[junk], answers=[junk]) == 16
    assert known(crls=[junk, crl(ROOT)]) == 1


def test_a_crl_with_an_unknown_critical_extension_says_nothing() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert known(crls=[crl(ROOT, extensions=[(unknown, True)])]) == 16


def test_a_crl_of_another_authority_says_nothing() -> None:
    """Not even of one that the same authority vouches for."""
    other = authority("Other", ROOT)
    assert known(crls=[crl(other)], chain=[other]) == 16
    assert known(crls=[crl(other, BOB, certificate_issuer=ROOT.certificate.subject)], chain=[other]) == 16


def test_a_crl_of_a_sibling_without_key_usage_says_nothing() -> None:
    sibling = make("Sibling", ROOT, uses=None)
    assert known(crls=[crl(sibling)], chain=[sibling]) == 16


def test_an_authority_does_not_vouch_for_itself() -> None:
    issuing = authority("Issuing", ROOT, crl_urls=[CRL_URL])
    bob = person(issuing, crl_urls=[CRL_URL])
    verdict = judge(bob, chain=[issuing], crls=[crl(issuing)])
    assert (verdict.status, verdict.faults[0].depth) == (16, 1)


def test_an_authority_may_sign_crls_with_another_key() -> None:
    signer = authority("Root", ROOT, uses=("crl_sign",), subject_key=making.key("crl signer"))
    lists = [crl(Entity(ROOT.der, signer.key))]
    assert known(crls=lists, chain=[signer]) == 1
    assert known(crls=lists) == 16


def test_an_issuer_that_may_not_sign_crls() -> None:
    issuing = authority("Issuing", ROOT, uses=("key_cert_sign",))
    assert judge(person(issuing), chain=[issuing], crls=[crl(issuing), crl(ROOT)]).status == 16


def test_a_revocation_after_the_instant_is_none() -> None:
    later = crl(ROOT, BOB, revoked_at=NOW + timedelta(hours=1))
    assert known(crls=[later]) == 1
    assert known(crls=[later], when=NOW + timedelta(hours=2)) == 13


def test_a_hold_counts_like_a_revocation() -> None:
    assert known(crls=[crl(ROOT, BOB, reason=x509.ReasonFlags.certificate_hold)]) == 13


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"only_contains_user_certs": True}, 1),
        ({"only_contains_ca_certs": True}, 16),
        ({"only_contains_attribute_certs": True}, 16),
        ({"urls": [CRL_URL]}, 1),
        ({"urls": [URL + "another.crl"]}, 16),
        ({"only_some_reasons": frozenset({x509.ReasonFlags.key_compromise})}, 16),
    ],
)
def test_the_scope_of_a_crl(how: dict[str, Any], status: int) -> None:
    assert known(crls=[crl(ROOT, issuing_point=issuing_point(**how))]) == status


def test_crls_for_some_reasons_make_up_one_for_all() -> None:
    every = frozenset(set(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl})
    some = frozenset({x509.ReasonFlags.key_compromise})
    first = crl(ROOT, issuing_point=issuing_point(only_some_reasons=some))
    rest = crl(ROOT, issuing_point=issuing_point(only_some_reasons=every - some), number=2)
    assert known(crls=[first, rest]) == 1
    assert known(crls=[first]) == 16


def test_an_indirect_crl_needs_the_name_of_its_issuer_in_the_certificate() -> None:
    lister = authority("Lister", ROOT, uses=("crl_sign",))
    point_to = x509.CRLDistributionPoints([point(CRL_URL, issuer=lister.certificate.subject)])
    bob = person(ROOT, extensions=[(point_to, False)])
    indirect = issuing_point(indirect_crl=True, urls=[CRL_URL])
    of_root = ROOT.certificate.subject
    assert judge(bob, chain=[lister], crls=[crl(lister, issuing_point=indirect)]).status == 1
    assert judge(bob, chain=[lister], crls=[crl(lister, bob, issuing_point=indirect)]).status == 1, "Lister's own"
    listed = crl(lister, bob, issuing_point=indirect, certificate_issuer=of_root)
    assert judge(bob, chain=[lister], crls=[listed]).status == 13
    assert judge(bob, chain=[lister], crls=[crl(lister, issuing_point=issuing_point(urls=[CRL_URL]))]).status == 16
    assert judge(BOB, chain=[lister], crls=[crl(lister, issuing_point=indirect)]).status == 16, "not named"


# delta CRLs


def test_a_delta_adds_to_its_base() -> None:
    base = crl(ROOT, freshest=[URL + "delta.crl"], number=5)
    assert known(crls=[base, crl(ROOT, base=5, number=6)]) == 1
    assert known(crls=[base, crl(ROOT, BOB, base=5, number=6)]) == 13
    assert known(crls=[crl(ROOT, BOB, base=5, number=6)]) == 16, "a delta alone"


def test_a_delta_takes_back_a_hold() -> None:
    base = crl(ROOT, BOB, freshest=[URL + "delta.crl"], number=5, reason=x509.ReasonFlags.certificate_hold)
    lifted = crl(ROOT, BOB, base=5, number=6, reason=x509.ReasonFlags.remove_from_crl)
    assert known(crls=[base, lifted]) == 1


def test_a_delta_that_somebody_else_signed() -> None:
    base = crl(ROOT, freshest=[URL + "delta.crl"], number=5)
    assert known(crls=[base, crl(ROOT, base=5, number=6, signing_key=making.key("mallory"))]) == 16


# OCSP


@pytest.mark.requirement("MS-ASCMD_R4509", "MS-ASCMD_R4517")
@pytest.mark.parametrize("by_key", [True, False])
@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])
@pytest.mark.parametrize("nonce", [None, b"0123456789abcdef"])
def test_an_issuer_answers_itself(by_key: bool, algorithm: Any, nonce: Any) -> None:
    how: dict[str, Any] = {"by_key": by_key, "algorithm": algorithm, "nonce": nonce}
    assert known(answers=[ocsp_answer(BOB, ROOT, **how)]) == 1
    assert known(answers=[ocsp_answer(BOB, ROOT, status=REVOKED, **how)]) == 13
    assert known(answers=[ocsp_answer(BOB, ROOT, status=UNKNOWN, **how)]) == 16


@pytest.mark.parametrize("by_key", [True, False])
def test_a_delegated_responder_answers(by_key: bool) -> None:
    delegate = responder(ROOT)
    assert known(answers=[ocsp_answer(BOB, ROOT, responder=delegate, by_key=by_key)]) == 1
    assert known(answers=[ocsp_answer(BOB, ROOT, responder=delegate, status=REVOKED, by_key=by_key)]) == 13


@pytest.mark.parametrize(
    "delegate",
    [
        responder(ROOT, purposes=(making.EMAIL,)),
        responder(ROOT, purposes=("2.5.29.37.0",)),
        responder(ROOT, not_after=NOW - DAY),
        responder(authority("Root")),
        responder(authority("Other")),
        person(ROOT, "Carol"),
    ],
    ids=["other purpose", "any purpose", "expired", "namesake's", "another's", "a person"],
)
def test_who_may_not_answer(delegate: Entity) -> None:
    assert known(answers=[ocsp_answer(BOB, ROOT, responder=delegate)]) == 16
    assert known(answers=[ocsp_answer(BOB, ROOT, responder=delegate, status=REVOKED)]) == 16


def test_a_responder_may_be_revoked_itself() -> None:
    delegate = responder(ROOT, no_check=False, crl_urls=[URL + "responder.crl"])
    answer = ocsp_answer(BOB, ROOT, responder=delegate)
    bob = [answer]
    assert judge(answers=bob, crls=[crl(ROOT)]).status == 1
    only_ocsp = person(ROOT, ocsp_urls=[OCSP_URL])
    answers = [ocsp_answer(only_ocsp, ROOT, responder=delegate)]
    revoked = judge(only_ocsp, answers=answers, crls=[crl(ROOT, delegate)])
    assert not [finding for finding in revoked.evidence if finding.text == "OCSP: not revoked"]
    unchecked = responder(ROOT)
    answers = [ocsp_answer(only_ocsp, ROOT, responder=unchecked)]
    assert judge(only_ocsp, answers=answers).status == 1


def test_an_answer_that_is_stale_says_nothing() -> None:
    assert known(answers=[ocsp_answer(BOB, ROOT, next_update=NOW - timedelta(minutes=10))]) == 16
    assert known(answers=[ocsp_answer(BOB, ROOT, next_update=None)]) == 16, "an hour old"
    fresh = ocsp_answer(BOB, ROOT, this_update=NOW - 10 * MINUTE, next_update=None)
    assert known(answers=[fresh]) == 1
    assert known(answers=[ocsp_answer(BOB, ROOT, this_update=NOW + timedelta(hours=1))]) == 16


def test_an_answer_about_somebody_else_says_nothing() -> None:
    assert known(answers=[ocsp_answer(person(ROOT), ROOT)]) == 16
    assert known(answers=[ocsp_refusal()]) == 16


def test_one_witness_that_says_revoked_is_enough() -> None:
    assert known(crls=[crl(ROOT)], answers=[ocsp_answer(BOB, ROOT, status=REVOKED)]) == 13
    assert known(crls=[crl(ROOT, BOB)], answers=[ocsp_answer(BOB, ROOT)]) == 13


def test_one_witness_that_says_good_is_enough() -> None:
    stale = crl(ROOT, next_update=NOW - timedelta(hours=1))
    assert known(crls=[stale], answers=[ocsp_answer(BOB, ROOT)]) == 1
    assert known(crls=[crl(ROOT)], answers=[ocsp_answer(BOB, ROOT, status=UNKNOWN)]) == 1


def test_a_certificate_without_revocation_by_intent() -> None:
    brief = person(
        ROOT, extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.56"), b"\x05\x00"), False)]
    )
    assert judge(brief).status == 1


# large CRLs


@pytest.fixture(scope="module")
def large() -> bytes:
    """A CRL whose entries have extensions, BOB's among the last."""
    others = [person(ROOT, subject_key=making.key("other")) for _ in range(400)]
    return crl(ROOT, *others, BOB, reason=x509.ReasonFlags.key_compromise)


def test_a_large_crl_is_searched_and_its_signature_checked(large: bytes) -> None:
    assert len(large) > 10_000
    assert known(crls=[large]) == 13
    assert judge(person(ROOT), crls=[large]).status == 1
    forged = bytearray(large)
    forged[-1] ^= 1
    assert known(crls=[bytes(forged)]) == 16


def test_a_large_crl_keeps_its_extensions(large: bytes) -> None:
    verdict = judge(crls=[large])
    assert "a compromised key" in verdict.faults[0].detail
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x04\x82\x40\x00" + bytes(16384))
    assert known(crls=[crl(ROOT, extensions=[(unknown, True)])]) == 16
    assert known(crls=[crl(ROOT, extensions=[(unknown, False)])]) == 1


# what is ignored


@pytest.mark.requirement("MS-ASCMD_R895")
def test_an_unknown_status_may_be_ignored_but_is_told() -> None:
    verdict = judge(revocation=Revocation.IF_KNOWN)
    assert verdict.good
    assert [fault.reason for fault in verdict.ignored] == [Reason.UNDETERMINED]


def test_the_instant_is_taken_to_the_minute() -> None:
    evidence = Evidence(crls=(crl(ROOT),))
    for seconds in (1, 30, 59):
        when = NOW + timedelta(seconds=seconds)
        verdict = validate(BOB.der, trust=trust(ROOT), evidence=evidence, when=when)
        assert verdict.when == when
        assert verdict.good
