"""`openssl verify` and we agree on chains: on good and bad, and on the cause.

Indirect CRLs are left out: openssl wants a second CRL about their issuer, and then takes that one alone. The codes are
those of x509_vfy.h; openssl tells several where it can go on.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

from eas_server.pki.evidence import Evidence
from eas_server.pki.validation import Revocation, validate
from tests.server.pki import making
from tests.server.pki.making import (
    DAY,
    NOW,
    SERVER,
    YEAR,
    Entity,
    authority,
    crl,
    issuing_point,
    make,
    name,
    person,
    rsa_key,
    tampered,
    trust,
)

pytestmark = pytest.mark.integration("openssl")

ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
LEAF, ABOVE = "leaf", "above"

MEANING: dict[int, dict[str, int]] = {
    code: {LEAF: leaf, ABOVE: above}
    for code, leaf, above in (
        (2, 5, 5),  # unable to get issuer certificate
        (3, 16, 16),  # unable to get CRL
        (4, 3, 3),
        (6, 3, 3),
        (7, 3, 3),  # certificate signature failure
        (8, 16, 16),  # CRL signature failure
        (9, 7, 8),  # not yet valid
        (10, 7, 8),  # expired
        (11, 16, 16),  # CRL not yet valid
        (12, 16, 16),  # CRL has expired
        (18, 4, 4),  # self-signed leaf
        (19, 4, 4),  # self-signed root that is not trusted
        (20, 5, 5),  # unable to get local issuer certificate
        (21, 5, 5),
        (22, 5, 5),  # chain too long
        (23, 13, 15),  # revoked
        (24, 11, 11),  # no CA
        (25, 11, 11),  # path length
        (26, 6, 9),  # unsuitable purpose
        (32, 9, 9),  # key usage without keyCertSign
        (33, 16, 16),  # CRL issuer
        (34, 10, 10),  # unhandled critical extension
        (35, 16, 16),  # key usage without cRLSign
        (36, 16, 16),  # unhandled critical CRL extension
        (41, 10, 10),
        (42, 9, 9),  # invalid policy extension
        (43, 9, 9),  # no explicit policy
        (44, 16, 16),  # different CRL scope
        (47, 9, 9),  # permitted subtree violation
        (48, 9, 9),  # excluded subtree violation
        (53, 9, 9),
        (79, 11, 11),  # invalid CA certificate
    )
}
"""What each code means as a Status, of the certificate itself and of those above it (docs/smime.md)."""


@dataclass(frozen=True)
class Case:
    """A chain. `crls` not None: revocation is checked all the way."""

    leaf: bytes
    chain: Sequence[bytes] = ()
    roots: Sequence[Entity] = (ROOT,)
    crls: Sequence[bytes] | None = None
    options: Sequence[str] = field(default_factory=tuple)
    good: bool = False


def case(leaf: Entity | bytes, *chain: Entity | bytes, **how: Any) -> Case:
    ders = [each if isinstance(each, bytes) else each.der for each in (leaf, *chain)]
    return Case(ders[0], ders[1:], **how)


CASES: dict[str, Callable[[], Case]] = {}


def told(make_case: Callable[[], Case]) -> Callable[[], Case]:
    CASES[make_case.__name__] = cache(make_case)
    return make_case


@told
def good() -> Case:
    return case(person(ISSUING), ISSUING, good=True)


@told
def good_rsa_pss() -> Case:
    issuing = authority("PSS", ROOT, subject_key=rsa_key())
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return case(person(issuing, rsa_padding=scheme), issuing, good=True)


@told
def good_ed25519() -> Case:
    issuing = authority("Ed25519", ROOT, subject_key=ed25519.Ed25519PrivateKey.generate())
    return case(person(issuing), issuing, good=True)


@told
def good_p521() -> Case:
    issuing = authority("P-521", ROOT, subject_key=ec.generate_private_key(ec.SECP521R1()))
    return case(person(issuing), issuing, good=True)


@told
def good_with_a_name_in_other_letters() -> Case:
    return case(person(ISSUING, issuer_name=name("ISSUING")), ISSUING, good=True)


@told
def good_by_cross_certificate() -> Case:
    new = authority("New Root")
    return case(person(ISSUING), ISSUING, authority("Root", new, subject_key=ROOT.key), roots=[new], good=True)


@told
def good_self_issued_below_path_length() -> Case:
    upper = authority("Upper", ROOT, path_length=0)
    again = authority("Upper", upper)
    return case(person(again), again, upper, good=True)


@told
def expired() -> Case:
    return case(person(ISSUING, not_after=NOW - DAY), ISSUING)


@told
def not_yet_valid() -> Case:
    return case(person(ISSUING, not_before=NOW + DAY), ISSUING)


@told
def issuer_expired() -> Case:
    issuing = authority("Old", ROOT, not_after=NOW - DAY)
    return case(person(issuing), issuing)


@told
def issuer_not_yet_valid() -> Case:
    issuing = authority("Young", ROOT, not_before=NOW + DAY)
    return case(person(issuing), issuing)


@told
def root_expired() -> Case:
    root = authority("Old Root", not_before=NOW - 2 * YEAR, not_after=NOW - DAY)
    return case(person(root), roots=[root])


@told
def bad_signature() -> Case:
    return case(tampered(person(ISSUING)), ISSUING)


@told
def bad_signature_above() -> Case:
    return case(person(ISSUING), tampered(ISSUING))


@told
def forged() -> Case:
    return case(person(ISSUING, signing_key=making.key("mallory")), ISSUING)


@told
def self_signed() -> Case:
    return case(person(None))  # type: ignore[arg-type]


@told
def unknown_root() -> Case:
    other = authority("Other")
    return case(person(other), other)


@told
def no_issuer() -> Case:
    return case(person(ISSUING))


@told
def no_issuer_above() -> Case:
    other = authority("Other", authority("Lost"))
    return case(person(other), other)


@told
def wrong_key_identifier() -> Case:
    return case(person(ISSUING, authority_key_id=b"another"), ISSUING)


@told
def other_purpose() -> Case:
    return case(person(ISSUING, purposes=(SERVER,)), ISSUING)


@told
def key_usage_without_signing() -> Case:
    return case(person(ISSUING, uses=("key_agreement",)), ISSUING)


@told
def issuer_for_other_purpose() -> Case:
    issuing = authority("Server CA", ROOT, purposes=(SERVER,))
    return case(person(issuing), issuing)


@told
def issuer_without_key_cert_sign() -> Case:
    issuing = authority("Signs CRLs", ROOT, uses=("crl_sign", "digital_signature"))
    return case(person(issuing), issuing)


@told
def end_entity_as_issuer() -> Case:
    carol = make("Carol", ISSUING, ca=False, uses=("digital_signature", "key_cert_sign"))
    return case(person(carol), carol, ISSUING)


@told
def issuer_without_constraints() -> Case:
    carol = make("Carol", ISSUING, ca=None, uses=None)
    return case(person(carol), carol, ISSUING)


@told
def path_length() -> Case:
    upper = authority("Upper", ROOT, path_length=0)
    lower = authority("Lower", upper)
    return case(person(lower), lower, upper)


@told
def path_length_of_the_root() -> Case:
    root = authority("Short Root", path_length=0)
    issuing = authority("Issuing 2", root)
    return case(person(issuing), issuing, roots=[root])


def _unknown() -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)]


@told
def unknown_critical() -> Case:
    return case(person(ISSUING, extensions=_unknown()), ISSUING)


@told
def unknown_critical_above() -> Case:
    issuing = authority("Strange", ROOT, extensions=_unknown())
    return case(person(issuing), issuing)


def _constrained(*, permitted: Any = None, excluded: Any = None, to: str = "bob@example.com", good: bool) -> Case:
    constraints = x509.NameConstraints(permitted, excluded)
    issuing = authority("Constrained", ROOT, extensions=[(constraints, True)])
    return case(person(issuing, emails=[to]), issuing, good=good)


@told
def names_permitted() -> Case:
    return _constrained(permitted=[x509.RFC822Name("example.com")], good=True)


@told
def names_permitted_below() -> Case:
    return _constrained(permitted=[x509.RFC822Name(".example.com")], to="bob@mail.example.com", good=True)


@told
def names_not_permitted() -> Case:
    return _constrained(permitted=[x509.RFC822Name("example.org")], good=False)


@told
def names_excluded() -> Case:
    return _constrained(excluded=[x509.RFC822Name("example.com")], good=False)


@told
def names_of_the_root() -> Case:
    constraints = x509.NameConstraints([x509.RFC822Name("example.org")], None)
    root = authority("Constrained Root", extensions=[(constraints, True)])
    return case(person(root), roots=[root])


def _policy(*oids: str) -> tuple[x509.ExtensionType, bool]:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(o), None) for o in oids]), False


def _with_policy(oid: str, *, good: bool) -> Case:
    required = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    issuing = authority("Policies", ROOT, extensions=[_policy("1.2.3.4"), (required, True)])
    leaf = person(issuing, extensions=[_policy(oid)])
    # openssl, where a policy is required and the user names none, finds none
    return case(leaf, issuing, options=("-policy", "1.2.3.4", "-policy_check"), good=good)


@told
def policy_fits() -> Case:
    return _with_policy("1.2.3.4", good=True)


@told
def policy_does_not_fit() -> Case:
    return _with_policy("1.2.3.5", good=False)


@told
def not_revoked() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING), crl(ROOT)], good=True)


@told
def revoked() -> Case:
    bob = person(ISSUING)
    return case(bob, ISSUING, crls=[crl(ISSUING, bob), crl(ROOT)])


@told
def revoked_above() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING), crl(ROOT, ISSUING)])


@told
def revoked_long_list() -> Case:
    bob = person(ISSUING)
    others = [person(ISSUING, subject_key=making.key("other")) for _ in range(300)]
    return case(bob, ISSUING, crls=[crl(ISSUING, *others, bob), crl(ROOT)])


@told
def no_crl() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ROOT)])


@told
def stale_crl() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING, next_update=NOW - timedelta_hour()), crl(ROOT)])


@told
def crl_of_the_future() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING, this_update=NOW + timedelta_hour()), crl(ROOT)])


@told
def forged_crl() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING, signing_key=making.key("mallory")), crl(ROOT)])


@told
def crl_by_who_may_not() -> Case:
    issuing = authority("Signs certificates", ROOT, uses=("key_cert_sign",))
    return case(person(issuing), issuing, crls=[crl(issuing), crl(ROOT)])


@told
def crl_for_authorities_only() -> Case:
    partial = crl(ISSUING, issuing_point=issuing_point(only_contains_ca_certs=True))
    return case(person(ISSUING), ISSUING, crls=[partial, crl(ROOT)])


@told
def crl_of_another_point() -> Case:
    bob = person(ISSUING, crl_urls=["http://pki.example.com/1.crl"])
    other = crl(ISSUING, issuing_point=issuing_point(urls=["http://pki.example.com/2.crl"]))
    return case(bob, ISSUING, crls=[other, crl(ROOT)])


@told
def crl_of_its_point() -> Case:
    bob = person(ISSUING, crl_urls=["http://pki.example.com/1.crl"])
    its = crl(ISSUING, issuing_point=issuing_point(urls=["http://pki.example.com/1.crl"]))
    return case(bob, ISSUING, crls=[its, crl(ROOT)], good=True)


@told
def crl_with_unknown_critical() -> Case:
    return case(person(ISSUING), ISSUING, crls=[crl(ISSUING, extensions=_unknown()), crl(ROOT)])


@told
def delta_revokes() -> Case:
    bob = person(ISSUING)
    base = crl(ISSUING, freshest=["http://pki.example.com/delta.crl"], number=5)
    delta = crl(ISSUING, bob, base=5, number=6)
    return case(bob, ISSUING, crls=[base, delta, crl(ROOT)], options=("-use_deltas",))


def timedelta_hour() -> Any:
    return DAY / 24


def _pem(der: bytes, label: str) -> bytes:
    if label == "CERTIFICATE":
        return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    return x509.load_der_x509_crl(der).public_bytes(serialization.Encoding.PEM)


def openssl(folder: Path, asked: Case) -> set[tuple[int, int]]:
    """The errors that openssl tells, with their depths; none: good."""
    program = shutil.which("openssl")
    assert program is not None
    (folder / "leaf.pem").write_bytes(_pem(asked.leaf, "CERTIFICATE"))
    (folder / "roots.pem").write_bytes(b"".join(_pem(root.der, "CERTIFICATE") for root in asked.roots))
    command = [program, "verify", "-CAfile", "roots.pem", "-no-CApath", "-no-CAstore", "-purpose", "smimesign"]
    command += ["-attime", str(int(NOW.timestamp())), *asked.options]
    if asked.chain:
        (folder / "chain.pem").write_bytes(b"".join(_pem(der, "CERTIFICATE") for der in asked.chain))
        command += ["-untrusted", "chain.pem"]
    if asked.crls is not None:
        (folder / "crls.pem").write_bytes(b"".join(_pem(der, "CRL") for der in asked.crls))
        command += ["-CRLfile", "crls.pem", "-crl_check_all"]
    done = subprocess.run([*command, "leaf.pem"], cwd=folder, capture_output=True, check=False, timeout=30)
    output = (done.stdout + done.stderr).decode()
    found = {(int(code), int(depth)) for code, depth in re.findall(r"error (\d+) at (\d+) depth lookup", output)}
    assert bool(found) == (done.returncode != 0), output
    return found


@pytest.mark.requirement("MS-ASCMD_R686", "MS-ASCMD_R687", "MS-ASCMD_R688")
@pytest.mark.parametrize("asked", list(CASES))
def test_openssl_agrees(tmp_path: Path, asked: str) -> None:
    chain = CASES[asked]()
    verdict = validate(
        chain.leaf,
        chain=chain.chain,
        trust=trust(*chain.roots),
        when=NOW,
        evidence=Evidence(crls=tuple(chain.crls or ())),
        revocation=Revocation.IF_KNOWN if chain.crls is None else Revocation.REQUIRED,
    )
    errors = openssl(tmp_path, chain)
    assert (verdict.good, not errors) == (chain.good, chain.good), (errors, verdict.explain())
    if errors:
        causes = {MEANING[code][ABOVE if depth else LEAF] for code, depth in errors}
        assert verdict.status in causes, (errors, verdict.explain())
