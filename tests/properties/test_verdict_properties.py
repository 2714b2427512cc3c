"""However many things are wrong with a chain: what is told is what counts most, in the declared order."""

from collections.abc import Sequence
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.pki.evidence import Evidence
from eas_server.pki.validation import Revocation, validate
from eas_server.pki.verdict import PRECEDENCE, Fault, Purpose, Reason, Verdict, rank, worst_first
from tests.server.pki.making import DAY, NOW, SERVER, authority, crl, person, tampered, trust

ROOT = authority("Root")
OTHER_ROOT = authority("Other")

ORDER = (3, 10, 11, 6, 9, 5, 4, 13, 15, 7, 8, 16, 1)
"""Worst first, as docs/decisions/0026-validate-cert.md has it; 6 and 13 and 7 are of the certificate itself."""

UNKNOWN = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)]
EXCLUDED = [(x509.NameConstraints(None, [x509.RFC822Name("example.com")]), True)]

LEAF: dict[str, tuple[int, dict[str, Any]]] = {
    "critical": (10, {"extensions": UNKNOWN}),
    "authority": (11, {"ca": True}),
    "purpose": (6, {"purposes": (SERVER,)}),
    "usage": (6, {"uses": ("key_agreement",)}),
    "expired": (7, {"not_after": NOW - DAY}),
    "not yet valid": (7, {"not_before": NOW + DAY}),
}
"""What may be wrong with the certificate itself: the Status, and how it is made."""
ABOVE: dict[str, tuple[int, dict[str, Any]]] = {
    "critical": (10, {"extensions": UNKNOWN}),
    "no authority": (11, {"ca": False, "uses": ("key_cert_sign",)}),
    "purpose": (9, {"purposes": (SERVER,)}),
    "names": (9, {"extensions": EXCLUDED}),
    "expired": (8, {"not_after": NOW - DAY}),
}
"""The same for its issuer."""
ELSEWHERE = {"tampered": 3, "untrusted": 4, "missing": 5, "revoked": 13, "issuer revoked": 15, "unknown": 16}


def merged(flaws: Sequence[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for flaw in flaws:
        for key, value in flaw.items():
            made[key] = [*made.get("extensions", []), *value] if key == "extensions" else value
    return made


def verdict_about(leaf: set[str], above: set[str], elsewhere: set[str]) -> Verdict:
    issuing = authority("Issuing", ROOT, **merged([ABOVE[flaw][1] for flaw in sorted(above)]))
    bob = person(issuing, **merged([LEAF[flaw][1] for flaw in sorted(leaf)]))
    lists = [crl(issuing, *([bob] if "revoked" in elsewhere else []))]
    lists += [crl(ROOT, *([issuing] if "issuer revoked" in elsewhere else []))]
    return validate(
        tampered(bob) if "tampered" in elsewhere else bob.der,
        chain=() if "missing" in elsewhere else (issuing.der, ROOT.der),
        trust=trust(OTHER_ROOT if "untrusted" in elsewhere else ROOT),
        when=NOW,
        evidence=Evidence() if "unknown" in elsewhere else Evidence(crls=tuple(lists)),
        revocation=Revocation.REQUIRED,
    )


def expected(leaf: set[str], above: set[str], elsewhere: set[str]) -> int:
    found = {LEAF[flaw][0] for flaw in leaf}
    if "missing" in elsewhere:
        # nothing is known of what is above, nor of the signature
        return min({*found, 5}, key=ORDER.index)
    found |= {ABOVE[flaw][0] for flaw in above} | {ELSEWHERE[flaw] for flaw in elsewhere}
    if "unknown" in elsewhere:
        found -= {13, 15}
    return min({*found, 1}, key=ORDER.index)


@settings(max_examples=120)
@given(
    st.sets(st.sampled_from(sorted(LEAF))),
    st.sets(st.sampled_from(sorted(ABOVE))),
    st.sets(st.sampled_from(sorted(ELSEWHERE))),
)
def test_what_counts_most_is_told(leaf: set[str], above: set[str], elsewhere: set[str]) -> None:
    if {"expired", "not yet valid"} <= leaf:
        leaf = leaf - {"expired"}
    verdict = verdict_about(leaf, above, elsewhere)
    assert verdict.status == expected(leaf, above, elsewhere), verdict.explain()


@pytest.mark.parametrize("flaw", sorted(LEAF))
def test_each_flaw_of_the_certificate_alone(flaw: str) -> None:
    assert verdict_about({flaw}, set(), set()).status == LEAF[flaw][0]


@pytest.mark.parametrize("flaw", sorted(ABOVE))
def test_each_flaw_of_the_issuer_alone(flaw: str) -> None:
    assert verdict_about(set(), {flaw}, set()).status == ABOVE[flaw][0]


@pytest.mark.parametrize("flaw", sorted(ELSEWHERE))
def test_each_other_flaw_alone(flaw: str) -> None:
    assert verdict_about(set(), set(), {flaw}).status == ELSEWHERE[flaw]


FAULTS = st.lists(
    st.builds(
        Fault, reason=st.sampled_from(sorted(Reason)), depth=st.integers(0, 4), purpose=st.sampled_from(sorted(Purpose))
    )
)


@given(FAULTS)
def test_the_order_of_faults_does_not_depend_on_how_they_were_found(faults: list[Fault]) -> None:
    there, back = worst_first(faults), worst_first(faults[::-1])
    assert [rank(fault) for fault in there] == [rank(fault) for fault in back]
    assert sorted(there, key=repr) == sorted(faults, key=repr)


def test_every_reason_has_a_status_and_every_status_a_place() -> None:
    for reason in Reason:
        for purpose in Purpose:
            for depth in (0, 1):
                status = Fault(reason=reason, depth=depth, purpose=purpose).status
                assert sum(status in group for group in PRECEDENCE) == 1
    told = {Fault(reason=reason, depth=depth).status for reason in Reason for depth in (0, 1)}
    assert told == {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17}, "2 is global, 12 needs an address"
