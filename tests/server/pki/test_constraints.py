"""Names and policies along a path, [RFC 5280] 6.1, and what they may cost."""

from typing import Any

import pytest
from cryptography import x509

from eas_server.pki.validation import validate
from eas_server.pki.verdict import Reason, Verdict
from tests.server.pki.making import NOW, Entity, authority, name, person, trust

ROOT = authority("Root")
TRUST = trust(ROOT)


def judge(certificate: Entity, chain: Any = (), trust: Any = TRUST) -> Verdict:
    return validate(certificate.der, chain=[each.der for each in chain], trust=trust, when=NOW)


def said(verdict: Verdict) -> tuple[int, Reason]:
    return verdict.status, verdict.reason


def constrained(**how: Any) -> Entity:
    constraints = {"permitted_subtrees": None, "excluded_subtrees": None} | how
    return authority("Constrained", ROOT, extensions=[(x509.NameConstraints(**constraints), True)])


@pytest.mark.requirement("MS-ASCMD_R4497")
@pytest.mark.parametrize(
    ("how", "good"),
    [
        ({"permitted_subtrees": [x509.RFC822Name("example.com")]}, True),
        ({"permitted_subtrees": [x509.RFC822Name("bob@example.com")]}, True),
        ({"permitted_subtrees": [x509.RFC822Name("example.org")]}, False),
        ({"excluded_subtrees": [x509.RFC822Name("example.com")]}, False),
        ({"excluded_subtrees": [x509.RFC822Name("example.org")]}, True),
        ({"permitted_subtrees": [x509.DNSName("example.org")]}, True),
        ({"permitted_subtrees": [x509.DirectoryName(name("Alice"))]}, False),
    ],
)
def test_names_are_constrained(how: dict[str, Any], good: bool) -> None:
    issuing = constrained(**how)
    verdict = judge(person(issuing), chain=[issuing])
    assert said(verdict) == ((1, Reason.GOOD) if good else (9, Reason.CONSTRAINTS))


@pytest.mark.requirement("MS-ASCMD_R4497")
def test_names_are_constrained_by_the_root() -> None:
    constraints = x509.NameConstraints(permitted_subtrees=[x509.RFC822Name("example.org")], excluded_subtrees=None)
    root = authority("Constrained Root", extensions=[(constraints, True)])
    assert said(judge(person(root), chain=(), trust=trust(root))) == (9, Reason.CONSTRAINTS)


def policies(*oids: str) -> tuple[x509.ExtensionType, bool]:
    found = [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]
    return x509.CertificatePolicies(found), False


@pytest.mark.requirement("MS-ASCMD_R4497")
@pytest.mark.parametrize(("oid", "good"), [("1.2.3.4", True), ("1.2.3.5", False), (None, False)])
def test_a_policy_is_required(oid: str | None, good: bool) -> None:
    required = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    issuing = authority("Policies", ROOT, extensions=[policies("1.2.3.4"), (required, True)])
    bob = person(issuing, extensions=[policies(oid)] if oid else [])
    assert said(judge(bob, chain=[issuing])) == ((1, Reason.GOOD) if good else (9, Reason.CONSTRAINTS))


def test_a_policy_is_mapped() -> None:
    mapping = _extension("2.5.29.33", "300e300c06032a030406052a03040506")
    required = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    issuing = authority("Policies", ROOT, extensions=[policies("1.2.3.4"), (required, True), (mapping, False)])
    assert judge(person(issuing, extensions=[policies("1.2.3.4.5.6")]), chain=[issuing]).good
    assert judge(person(issuing, extensions=[policies("1.2.3.4")]), chain=[issuing]).status == 9


def _extension(oid: str, value: str) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value))


def test_thousands_of_names_without_constraints_are_no_matter() -> None:
    bob = person(ROOT, emails=[f"bob{number}@example.com" for number in range(1800)])
    assert judge(bob).good


def test_thousands_of_names_under_thousands_of_constraints_are_too_much() -> None:
    permitted = [x509.RFC822Name(f"d{number}.example.com") for number in range(1500)]
    constraints = x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)
    issuing = authority("Constrained", ROOT, extensions=[(constraints, True)])
    bob = person(issuing, emails=[f"bob@d{number}.example.com" for number in range(1500)])
    assert said(judge(bob, chain=[issuing])) == (5, Reason.TOO_COMPLEX)


def test_many_names_under_few_constraints_are_compared() -> None:
    permitted = [x509.RFC822Name("example.com")]
    constraints = x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)
    issuing = authority("Constrained", ROOT, extensions=[(constraints, True)])
    emails = [f"bob{number}@example.com" for number in range(500)]
    assert judge(person(issuing, emails=emails), chain=[issuing]).good
    assert judge(person(issuing, emails=[*emails, "bob@example.org"]), chain=[issuing]).status == 9


def test_a_swarm_of_policies_is_bounded() -> None:
    many = policies(*[f"1.2.3.{number}" for number in range(1200)])
    chain = [ROOT]
    for level in range(4):
        chain.append(authority(f"Policies {level}", chain[-1], extensions=[many]))
    assert said(judge(person(chain[-1], extensions=[many]), chain=chain[1:])) == (9, Reason.CONSTRAINTS)
