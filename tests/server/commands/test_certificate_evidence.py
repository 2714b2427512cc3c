"""What is fetched to judge a certificate, how often, and what becomes of what cannot be had."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from eas_server.backends.memory.revocation import MemoryRevocation
from eas_server.commands import certificate_evidence
from eas_server.commands.certificate_evidence import MAX_ISSUER_QUESTIONS, EvidenceGatherer
from eas_server.errors import EvidenceUnavailable
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind, Wanted
from eas_server.pki.evidence import Evidence, Failure
from eas_server.pki.validation import Revocation, validate
from eas_server.pki.verdict import Verdict
from tests.server.pki import making
from tests.server.pki.making import NOW, Entity, authority, crl, issuing_point, ocsp_answer, ocsp_refusal, person, point

ALICE = UserId("alice@example.com")
URL = "http://pki.example.com/"
ROOT = authority("Root")
TRUST = making.trust(ROOT)


async def gathered(
    certificate: Entity,
    answers: Mapping[str, bytes | EvidenceUnavailable] | MemoryRevocation,
    *chain: Entity,
    deadline: float = 10.0,
) -> tuple[Evidence, MemoryRevocation]:
    source = answers if isinstance(answers, MemoryRevocation) else MemoryRevocation(answers)
    gatherer = EvidenceGatherer(source, ALICE, NOW, deadline)
    return await gatherer.gather(certificate.der, [each.der for each in chain], TRUST), source


def judged(certificate: Entity, evidence: Evidence, *chain: Entity) -> Verdict:
    return validate(
        certificate.der,
        chain=[each.der for each in chain],
        trust=TRUST,
        when=NOW,
        evidence=evidence,
        revocation=Revocation.REQUIRED,
    )


async def test_issuers_over_several_levels() -> None:
    upper = authority("Upper", ROOT)
    lower = authority("Lower", upper, issuer_urls=[URL + "upper.cer"])
    bob = person(lower, issuer_urls=[URL + "lower.p7c"])
    bundle = pkcs7.serialize_certificates([lower.certificate], serialization.Encoding.DER)
    evidence, source = await gathered(bob, {URL + "lower.p7c": bundle, URL + "upper.cer": upper.der})
    assert set(evidence.issuers) == {lower.der, upper.der}
    assert [wanted.url for wanted in source.asked] == [URL + "lower.p7c", URL + "upper.cer"]
    assert validate(bob.der, trust=TRUST, when=NOW, evidence=evidence).good


async def test_issuers_that_lead_in_circles() -> None:
    one, other = making.key("circle one"), making.key("circle other")
    a = authority(
        "A", Entity(ROOT.der, other), issuer_name=making.name("B"), subject_key=one, identifiers=False,
        issuer_urls=[URL + "b.cer"],
    )  # fmt: skip
    b = authority(
        "B", Entity(ROOT.der, one), issuer_name=making.name("A"), subject_key=other, identifiers=False,
        issuer_urls=[URL + "a.cer"],
    )  # fmt: skip
    bob = person(a, identifiers=False, issuer_urls=[URL + "a.cer"])
    evidence, source = await gathered(bob, {URL + "a.cer": a.der, URL + "b.cer": b.der})
    assert len(source.asked) == 2
    assert validate(bob.der, trust=TRUST, when=NOW, evidence=evidence).status == 5


async def test_issuers_without_end() -> None:
    class Endless(MemoryRevocation):
        """Whoever is asked for gets a new one, who names another."""

        def __init__(self) -> None:
            super().__init__()
            self.above = authority("Lost")
            self.levels = [self.above]

        async def fetch(self, wanted: Wanted) -> bytes:
            self.asked.append(wanted)
            return self.levels[int(wanted.url.rpartition("/")[2])].der

    source = Endless()
    for level in range(1, 40):
        source.levels.append(authority(f"Level {level}", source.levels[-1], issuer_urls=[f"{URL}{level - 1}"]))
    bob = person(source.levels[-1], issuer_urls=[f"{URL}39"])
    evidence, _ = await gathered(bob, source)
    assert len(source.asked) <= MAX_ISSUER_QUESTIONS
    assert validate(bob.der, trust=TRUST, when=NOW, evidence=evidence).status == 5


async def test_an_issuer_that_is_another_certificate() -> None:
    bob = person(authority("Lost", ROOT), issuer_urls=[URL + "a.cer", URL + "b.cer"])
    evidence, _ = await gathered(bob, {URL + "a.cer": bob.der, URL + "b.cer": b"<html>"})
    assert [(each.url, each.failure) for each in evidence.missing] == [(URL + "b.cer", Failure.UNREADABLE)]
    assert validate(bob.der, trust=TRUST, when=NOW, evidence=evidence).status == 5


@pytest.mark.requirement("MS-ASCMD_R4512", "MS-ASCMD_R4517")
@pytest.mark.parametrize(
    ("answer", "failure", "status"),
    [
        (EvidenceUnavailable("no route"), Failure.OFFLINE, 14),
        (EvidenceUnavailable("a private address", refused=True), Failure.REFUSED, 16),
        (b"<html>moved</html>", Failure.UNREADABLE, 16),
        (b"", Failure.UNREADABLE, 16),
    ],
)
async def test_what_cannot_be_had(answer: bytes | EvidenceUnavailable, failure: Failure, status: int) -> None:
    bob = person(ROOT, crl_urls=[URL + "ca.crl"])
    evidence, _ = await gathered(bob, {URL + "ca.crl": answer})
    assert [each.failure for each in evidence.missing] == [failure]
    assert judged(bob, evidence).status == status


async def test_a_responder_that_has_no_answer() -> None:
    bob = person(ROOT, ocsp_urls=[URL])
    evidence, source = await gathered(bob, {URL: ocsp_refusal()})
    assert judged(bob, evidence).status == 16
    assert source.asked[0].kind is EvidenceKind.OCSP
    assert source.asked[0].body


async def test_both_ways_are_asked_and_one_is_enough() -> None:
    bob = person(ROOT, crl_urls=[URL + "ca.crl"], ocsp_urls=[URL + "ocsp"])
    answers: dict[str, bytes | EvidenceUnavailable] = {URL + "ca.crl": crl(ROOT)}
    assert judged(bob, (await gathered(bob, answers))[0]).status == 1
    answers = {URL + "ocsp": ocsp_answer(bob, ROOT)}
    assert judged(bob, (await gathered(bob, answers))[0]).status == 1
    assert judged(bob, (await gathered(bob, {}))[0]).status == 14


async def test_the_second_address_counts_where_the_first_is_silent() -> None:
    bob = person(ROOT, crl_urls=[URL + "1.crl", URL + "2.crl"])
    assert judged(bob, (await gathered(bob, {URL + "2.crl": crl(ROOT)}))[0]).status == 1


async def test_a_delta_is_fetched_from_where_the_crl_says() -> None:
    bob = person(ROOT, crl_urls=[URL + "ca.crl"])
    base = crl(ROOT, freshest=[URL + "delta.crl"], number=5)
    delta = crl(ROOT, bob, base=5, number=6)
    evidence, _ = await gathered(bob, {URL + "ca.crl": base, URL + "delta.crl": delta})
    assert judged(bob, evidence).status == 13
    evidence, _ = await gathered(bob, {URL + "ca.crl": base})
    assert judged(bob, evidence).status == 16


async def test_the_issuer_of_an_indirect_crl_is_fetched_from_where_the_crl_says() -> None:
    lister = authority("Lister", ROOT, uses=("crl_sign",))
    points = x509.CRLDistributionPoints([point(URL + "1.crl", issuer=lister.certificate.subject)])
    bob = person(ROOT, extensions=[(points, False)])
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(URL + "lister.cer")
            )
        ]
    )
    listed = crl(
        lister,
        bob,
        issuing_point=issuing_point(indirect_crl=True, urls=[URL + "1.crl"]),
        certificate_issuer=ROOT.certificate.subject,
        extensions=[(access, False)],
    )
    evidence, _ = await gathered(bob, {URL + "1.crl": listed, URL + "lister.cer": lister.der})
    assert evidence.issuers == (lister.der,)
    assert judged(bob, evidence).status == 13


async def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    class Slow(MemoryRevocation):
        async def fetch(self, wanted: Wanted) -> bytes:
            self.asked.append(wanted)
            if "slow" in wanted.url:
                await asyncio.Event().wait()
            return crl(ROOT)

    bob = person(ROOT, crl_urls=[URL + "slow.crl"])
    evidence, _ = await gathered(bob, Slow(), deadline=0.05)
    assert [each.detail for each in evidence.missing] == ["no answer in time"]
    assert judged(bob, evidence).status == 14
    both = person(ROOT, crl_urls=[URL + "slow.crl", URL + "quick.crl"])
    evidence, _ = await gathered(both, Slow(), deadline=0.2)
    assert judged(both, evidence).status == 1


async def test_there_are_not_more_questions_than_one_request_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_evidence, "MAX_QUESTIONS", 5)
    source = MemoryRevocation()
    gatherer = EvidenceGatherer(source, ALICE, NOW, 10.0)
    for number in range(8):
        bob = person(ROOT, crl_urls=[f"{URL}{number}.crl"])
        evidence = await gatherer.gather(bob.der, (), TRUST)
        assert [each.failure for each in evidence.missing] == [Failure.OFFLINE if number < 5 else Failure.REFUSED]
    assert len(source.asked) == 5


async def test_nothing_is_asked_about_what_leads_nowhere_or_is_no_certificate() -> None:
    stranger = authority("Stranger")
    bob = person(stranger, crl_urls=[URL + "ca.crl"], ocsp_urls=[URL])
    evidence, source = await gathered(bob, {}, stranger)
    assert (evidence, source.asked) == (Evidence(), [])
    evidence, source = await gathered(Entity(b"junk", None), {})
    assert (evidence, source.asked) == (Evidence(), [])


async def test_what_is_asked_says_how_long_it_keeps() -> None:
    bob = person(ROOT, crl_urls=[URL + "ca.crl"])
    _, source = await gathered(bob, {})
    assert source.asked[0].keep_until(crl(ROOT), NOW) == NOW + timedelta(days=1)
    assert source.asked[0].user == ALICE


async def test_a_large_crl_is_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_evidence, "READ_AT_ONCE", 4000)
    others = [person(ROOT, subject_key=making.key("other")) for _ in range(400)]
    bob = person(ROOT, crl_urls=[URL + "ca.crl"])
    large = crl(ROOT, *others, bob, freshest=[URL + "delta.crl"])
    assert len(large) > certificate_evidence.READ_AT_ONCE
    evidence, source = await gathered(bob, {URL + "ca.crl": large, URL + "delta.crl": crl(ROOT, base=1, number=2)})
    assert [wanted.url for wanted in source.asked] == [URL + "ca.crl", URL + "delta.crl"]
    assert judged(bob, evidence).status == 13


async def test_the_issuer_is_fetched_where_only_a_namesake_was_sent() -> None:
    renewed, old = authority("Renewed", ROOT, identifiers=False), authority("Renewed", ROOT, identifiers=False)
    bob = person(renewed, issuer_urls=[URL + "ca.cer"], identifiers=False)
    evidence, _ = await gathered(bob, {URL + "ca.cer": renewed.der}, old)
    assert validate(bob.der, chain=[old.der], trust=TRUST, when=NOW, evidence=evidence).good
    assert validate(bob.der, chain=[old.der], trust=TRUST, when=NOW).status == 3
