"""Chains that are made to cost: each is refused, or judged, after a declared amount of work."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509

from eas_server.pki import revocation, signatures
from eas_server.pki.evidence import Evidence
from eas_server.pki.paths import MAX_PATH, MAX_PATHS, MAX_POOL_BYTES, MAX_SIGNATURES, build_paths, fresh_budget, pool_of
from eas_server.pki.profile import profile
from eas_server.pki.validation import validate
from eas_server.pki.verdict import Reason, Verdict
from tests.server.pki import making
from tests.server.pki.making import NOW, Entity, authority, crl, name, ocsp_answer, person, trust

ROOT = authority("Root")


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The signatures that were really checked; nothing is remembered."""
    found: list[bytes] = []

    def check(signature: bytes, data: bytes, key: bytes, algorithm: bytes) -> signatures.Link:
        found.append(signature)
        return signatures._check_once(signature, data, key, algorithm)

    monkeypatch.setattr(signatures, "_check", check)
    yield found
    assert len(found) <= MAX_SIGNATURES + MAX_PATHS * MAX_PATH + revocation.MAX_SIGNATURES


def judge(certificate: Entity, chain: Any = (), evidence: Evidence | None = None) -> Verdict:
    return validate(
        certificate.der,
        chain=[each if isinstance(each, bytes) else each.der for each in chain],
        trust=trust(ROOT),
        when=NOW,
        evidence=evidence or Evidence(),
    )


def test_a_crowd_of_namesakes(checked: list[bytes]) -> None:
    crowd = [authority("Issuing", identifiers=False) for _ in range(300)]
    bob = person(crowd[0], signing_key=making.key("nobody"), identifiers=False)
    verdict = judge(bob, crowd)
    assert (verdict.status, verdict.reason) == (5, Reason.TOO_COMPLEX)


def test_the_administrators_own_comes_before_a_crowd(checked: list[bytes]) -> None:
    issuing = authority("Issuing", ROOT, identifiers=False)
    crowd = [authority("Issuing", ROOT, identifiers=False).der for _ in range(90)]
    bob = person(issuing, identifiers=False)
    found = validate(bob.der, chain=crowd, trust=trust(ROOT, intermediates=[issuing]), when=NOW)
    assert found.good


def test_paths_that_multiply_with_each_level(checked: list[bytes]) -> None:
    lost = authority("Lost Root")
    levels: list[Entity] = []
    above = lost
    for level in range(8):
        same = making.key(f"multiplied {level}")
        many = [authority(f"Level {level}", above, subject_key=same) for _ in range(6)]
        levels += many
        above = many[0]
    verdict = judge(person(above), levels)
    assert verdict.status == 5
    assert any(fault.reason is Reason.TOO_COMPLEX for fault in verdict.faults)


def test_a_mesh_in_which_everybody_vouches_for_everybody(checked: list[bytes]) -> None:
    keys = [making.key(f"mesh {number}") for number in range(8)]
    mesh = [
        authority(
            f"Mesh {number}",
            Entity(ROOT.der, signer),
            subject_key=key,
            issuer_name=name(f"Mesh {by}"),
            identifiers=False,
        )
        for number, key in enumerate(keys)
        for by, signer in enumerate(keys)
        if by != number
    ]
    bob = person(mesh[0], identifiers=False)
    assert judge(bob, mesh).status == 5


def test_a_deep_chain(checked: list[bytes]) -> None:
    chain = [ROOT]
    for level in range(200):
        chain.append(authority(f"Deep {level}", chain[-1]))
    verdict = judge(person(chain[-1]), chain)
    assert verdict.reason is Reason.TOO_LONG
    assert len(checked) <= 2 * MAX_PATH


@pytest.mark.parametrize(("bits", "exponent"), [(16384, 65537), (2048, (1 << 2000) + 1), (512, 3)])
def test_no_signature_is_checked_with_an_absurd_key(checked: list[bytes], bits: int, exponent: int) -> None:
    absurd = making.person_with_public_key(
        ROOT, making.rsa_public(bits, exponent), ca=True, uses=("key_cert_sign",), subject="Absurd", emails=()
    )
    bob = person(Entity(absurd.der, making.rsa_key()), signing_key=making.rsa_key())
    before = len(checked)
    verdict = judge(bob, [absurd])
    assert (verdict.status, verdict.reason) == (3, Reason.ALGORITHM)
    assert len(checked) - before <= 3


def test_a_pool_of_megabytes_is_cut_off() -> None:
    large = [
        authority(
            "Large",
            ROOT,
            extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(60_000)), False)],
        )
        for _ in range(20)
    ]
    pool = pool_of(trust(ROOT), [each.der for each in large])
    held = sum(len(each.der) for found in pool.by_subject.values() for each in found)
    assert held <= MAX_POOL_BYTES + len(ROOT.der)


def test_the_budget_of_paths_holds() -> None:
    budget = fresh_budget()
    same = making.key("same")
    many = [authority("Many", ROOT, subject_key=same) for _ in range(40)]
    bob = person(many[0])
    paths = build_paths(profile(bob.der), pool_of(trust(ROOT), [each.der for each in many]), NOW, budget)
    assert len(paths.found) == MAX_PATHS
    assert paths.exhausted


def test_evidence_by_the_hundred(checked: list[bytes]) -> None:
    bob = person(ROOT, ocsp_urls=["http://pki.example.com/"])
    lists = tuple(crl(ROOT, number=number, signing_key=making.key("mallory")) for number in range(150))
    whole = [ocsp_answer(bob, ROOT, nonce=bytes((number,))) for number in range(150)]
    answers = tuple(answer[:-1] + bytes((answer[-1] ^ 1,)) for answer in whole)
    verdict = judge(bob, evidence=Evidence(crls=lists, ocsp_answers=answers))
    assert verdict.good
    assert [fault.reason for fault in verdict.ignored] == [Reason.UNDETERMINED]


@pytest.mark.parametrize("size", [70_000, 500_000])
def test_a_huge_certificate_is_not_parsed(size: int) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(size))
    assert judge(person(ROOT, extensions=[(extension, False)])).status in {3, 10}
