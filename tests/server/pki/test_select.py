"""Which certificate of a recipient is offered, and why the others are not."""

from datetime import UTC, datetime
from itertools import permutations
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from eas_server.model.certificates import ServedCertificates
from eas_server.pki.certificate import EMAIL_PROTECTION, ParsedCertificate
from eas_server.pki.lab import Authority, Purpose, issue_person
from eas_server.pki.select import Candidate, Reason, Selection, Source, any_path, select
from eas_server.pki.verdict import Fault, Verdict
from eas_server.pki.verdict import Purpose as Wanted
from eas_server.pki.verdict import Reason as Cause
from tests.server.pki import declaration, der, key, making

NOW: datetime = declaration().NOW
BOB = frozenset({"bob@example.com"})
LAB = Authority(certificate=der("root"), key=key("root"))


def choose(*names: str, addresses: frozenset[str] = BOB, now: datetime = NOW) -> Selection:
    return select([Candidate(der=der(name)) for name in names], addresses=addresses, now=now)


@pytest.mark.requirement("MS-ASCMD_R849")
def test_only_valid_certificates_count() -> None:
    found = choose("bob-expired", "bob", "bob-not-yet", "bob-wrong-eku", "bob-wrong-address", "root")
    assert [certificate.der for certificate in found.chosen] == [der("bob")]
    assert [refused.reason for refused in found.refused] == [
        Reason.EXPIRED,
        Reason.NOT_YET_VALID,
        Reason.EXTENDED_KEY_USAGE,
        Reason.ADDRESS,
        Reason.CA,
    ]


@pytest.mark.requirement("MS-ASCMD_R4303")
@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [
        ("bob-expired", "bob@example.com", Reason.EXPIRED),
        ("bob-not-yet", "bob@example.com", Reason.NOT_YET_VALID),
        ("bob-wrong-eku", "bob@example.com", Reason.EXTENDED_KEY_USAGE),
        ("bob-wrong-address", "bob@example.com", Reason.ADDRESS),
        ("bob", "alice@example.com", Reason.ADDRESS),
        ("erin-signing", "erin@example.com", Reason.KEY_USAGE),
        ("root", "bob@example.com", Reason.CA),
    ],
)
def test_no_valid_certificate(name: str, address: str, reason: Reason) -> None:
    found = choose(name, addresses=frozenset({address}))
    assert found.chosen == ()
    assert [refused.reason for refused in found.refused] == [reason]
    assert found.refused[0].certificate is not None


@pytest.mark.parametrize(("name", "address"), [("dave", "dave@example.com"), ("erin-encryption", "erin@example.com")])
def test_ec_and_encryption_only_certificates_are_good(name: str, address: str) -> None:
    assert len(choose(name, addresses=frozenset({address})).chosen) == 1


@pytest.mark.parametrize("purposes", [(), ("2.5.29.37.0",), ("1.3.6.1.5.5.7.3.2", EMAIL_PROTECTION)])
def test_purposes_that_allow_mail(purposes: tuple[str, ...]) -> None:
    made = issued(serial=100, extended_key_usage=purposes)
    assert len(select([Candidate(der=made)], addresses=BOB, now=NOW).chosen) == 1


def test_a_key_that_no_client_encrypts_to() -> None:
    ed25519_key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    found = select([Candidate(der=issued(serial=300, public_key=ed25519_key))], addresses=BOB, now=NOW)
    assert [refused.reason for refused in found.refused] == [Reason.KEY_ALGORITHM]


def test_garbage_is_refused_with_its_source_and_the_reason() -> None:
    candidate = Candidate(der=b"garbage", source=Source.USER_CERTIFICATE)
    found = select([candidate], addresses=BOB, now=NOW)
    assert found.chosen == ()
    (refused,) = found.refused
    assert (refused.candidate, refused.reason, refused.certificate) == (candidate, Reason.UNPARSABLE, None)
    assert "not a readable certificate" in refused.detail


def test_the_address_need_not_match_where_the_policy_says_so() -> None:
    candidates = [Candidate(der=der("bob-wrong-address"))]
    found = select(candidates, addresses=BOB, now=NOW, require_address_match=False)
    assert len(found.chosen) == 1


def test_any_address_of_the_recipient_will_do() -> None:
    found = choose("bob", "bob-wrong-address", addresses=frozenset({"Bob@Example.com", "robert@example.org"}))
    assert len(found.chosen) == 2


def issued(**changes: object) -> bytes:
    usual = {
        "name": "Bob Example",
        "addresses": ["bob@example.com"],
        "public_key": key("bob").public_key(),
        "purpose": Purpose.BOTH,
        "not_before": datetime(2021, 1, 1, tzinfo=UTC),
        "not_after": datetime(2120, 1, 1, tzinfo=UTC),
    }
    return issue_person(LAB, **(usual | changes))


OLD, NEW = (issued(serial=year, not_before=datetime(year, 1, 1, tzinfo=UTC)) for year in (2021, 2024))
TWINS = tuple(issued(serial=serial) for serial in (201, 202, 203))


def test_the_newest_comes_first() -> None:
    for order in permutations([OLD, der("bob"), NEW]):
        found = select([Candidate(der=value) for value in order], addresses=BOB, now=NOW)
        assert [certificate.der for certificate in found.chosen] == [NEW, der("bob"), OLD]


def test_the_one_that_its_owner_marked_comes_before_newer_ones() -> None:
    candidates = [Candidate(der=NEW), Candidate(der=OLD), Candidate(der=OLD, preferred=True)]
    for order in permutations(candidates):
        found = select(order, addresses=BOB, now=NOW)
        assert [certificate.der for certificate in found.chosen] == [OLD, NEW]


# ---- sources


SMIME, PLAIN = Source.USER_SMIME_CERTIFICATE, Source.USER_CERTIFICATE


def from_sources(*given: tuple[bytes, Source], **how: Any) -> Selection:
    candidates = [Candidate(der=value, source=source) for value, source in given]
    return select(candidates, addresses=BOB, now=NOW, **how)


def test_the_first_attribute_of_the_directory_comes_first() -> None:
    for order, first in (((SMIME, PLAIN), OLD), ((PLAIN, SMIME), NEW)):
        found = from_sources((OLD, SMIME), (NEW, PLAIN), rules=ServedCertificates(sources=order))
        assert [each.der for each in found.chosen] == [first, NEW if first == OLD else OLD]
        assert found.source is order[0]


def test_a_mark_counts_within_its_source() -> None:
    candidates = [Candidate(der=OLD, source=SMIME, preferred=True), Candidate(der=NEW, source=SMIME)]
    assert [each.der for each in select(candidates, addresses=BOB, now=NOW).chosen] == [OLD, NEW]


def test_one_place_gives_all() -> None:
    found = from_sources((OLD, PLAIN), (NEW, Source.CONTACTS), (der("bob"), SMIME), (der("bob"), Source.CONTACTS))
    assert [each.der for each in found.chosen] == [der("bob"), OLD]
    (refused,) = found.refused
    assert (refused.reason, refused.detail) == (Reason.OTHER_SOURCE, "userSMIMECertificate")
    assert from_sources((NEW, Source.CONTACTS), (der("bob-expired"), SMIME)).source is Source.CONTACTS
    assert from_sources((b"", SMIME)).source is None


# ---- keys and paths


@pytest.mark.parametrize(
    ("key_", "least", "reason"),
    [
        (making.rsa_key(1024), {}, Reason.WEAK_KEY),
        (making.rsa_key(1024), {"min_rsa_bits": 0}, None),
        (making.rsa_key(2048), {"min_rsa_bits": 3072}, Reason.WEAK_KEY),
        (ec.generate_private_key(ec.SECP256R1()), {}, None),
        (ec.generate_private_key(ec.SECP256R1()), {"min_ec_bits": 384}, Reason.WEAK_KEY),
        (ec.generate_private_key(ec.SECP192R1()), {}, Reason.WEAK_KEY),
    ],
)
def test_weak_keys(key_: Any, least: dict[str, int], reason: Reason | None) -> None:
    made = issued(serial=400, public_key=key_.public_key())
    found = select([Candidate(der=made)], addresses=BOB, now=NOW, rules=ServedCertificates(**least))
    assert [refused.reason for refused in found.refused] == ([] if reason is None else [reason])


def verdict(*reasons: Cause, depth: int = 0) -> Verdict:
    faults = tuple(Fault(reason=reason, depth=depth, purpose=Wanted.ENCRYPT_TO) for reason in reasons)
    reason = reasons[0] if reasons else Cause.GOOD
    return Verdict(status=Fault(reason=reason, depth=depth).status, reason=reason, when=NOW, faults=faults)


@pytest.mark.parametrize(
    ("found", "rules", "reason"),
    [
        (verdict(), {"require_trusted": True}, None),
        (verdict(Cause.UNTRUSTED_ROOT), {}, None),
        (verdict(Cause.UNTRUSTED_ROOT), {"require_trusted": True}, Reason.UNTRUSTED),
        (None, {"require_trusted": True}, Reason.UNTRUSTED),
        (None, {}, None),
        (verdict(Cause.REVOKED), {}, Reason.REVOKED),
        (verdict(Cause.EXPIRED, Cause.REVOKED, depth=1), {"require_trusted": True}, Reason.REVOKED),
        (verdict(Cause.REVOKED), {"refuse_revoked": False}, None),
        (verdict(Cause.REVOKED), {"refuse_revoked": False, "require_trusted": True}, Reason.UNTRUSTED),
    ],
)
def test_what_a_verdict_does(found: Verdict | None, rules: dict[str, bool], reason: Reason | None) -> None:
    chosen = from_sources((NEW, PLAIN), rules=ServedCertificates(**rules), judge=lambda _: found)
    assert [refused.reason for refused in chosen.refused] == ([] if reason is None else [reason])


def test_without_a_judge_nothing_is_trusted() -> None:
    rules = ServedCertificates(require_trusted=True)
    assert from_sources((NEW, PLAIN), rules=rules).refused[0].reason is Reason.UNTRUSTED
    assert len(from_sources((NEW, PLAIN), rules=rules, judge=any_path).chosen) == 1


def test_what_was_harvested_has_to_be_trusted_in_any_case() -> None:
    for found, count in ((verdict(), 1), (verdict(Cause.UNTRUSTED_ROOT), 0), (None, 0)):
        assert len(from_sources((NEW, Source.HARVESTED), judge=lambda _, found=found: found).chosen) == count


def test_a_verdict_is_asked_for_only_of_what_is_good_otherwise() -> None:
    asked: list[bytes] = []

    def judge(certificate: ParsedCertificate) -> None:
        asked.append(certificate.der)

    from_sources((der("bob-expired"), PLAIN), (NEW, PLAIN), (b"garbage", SMIME), judge=judge)
    assert asked == [NEW]


POOL = (OLD, NEW, *TWINS, der("bob"), der("bob-expired"), der("bob-wrong-eku"), der("root"), b"garbage", b"")


@given(st.lists(st.sampled_from(POOL), max_size=14), st.randoms(use_true_random=False))
def test_the_choice_depends_on_neither_order_nor_repetition(values: list[bytes], random: Random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    first = select([Candidate(der=value) for value in values], addresses=BOB, now=NOW)
    second = select([Candidate(der=value) for value in shuffled], addresses=BOB, now=NOW)
    assert first.chosen == second.chosen
    assert {refused.candidate for refused in first.refused} == {refused.candidate for refused in second.refused}
    assert len(first.chosen) + len(first.refused) == len(set(values))
