"""GnuTLS agrees on chains: `certtool --verify`, which has no other clock than that of the machine.

Left out is what it does not judge: key usage of the certificate itself, policies, missing or stale CRLs.
"""

import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from eas_server.pki.evidence import Evidence
from eas_server.pki.validation import validate
from tests.server.pki import making
from tests.server.pki.making import EMAIL, SERVER, Entity, crl, trust

pytestmark = pytest.mark.integration("certtool")

NOW = datetime.now(UTC).replace(microsecond=0)
MONTH = timedelta(days=30)
SPAN: dict[str, Any] = {"not_before": NOW - MONTH, "not_after": NOW + MONTH}
PAST: dict[str, Any] = {"not_before": NOW - 2 * MONTH, "not_after": NOW - MONTH}


def authority(name: str, issuer: Entity | None = None, **how: Any) -> Entity:
    return making.authority(name, issuer, **(SPAN | how))


def person(issuer: Entity, **how: Any) -> Entity:
    return making.person(issuer, **(SPAN | how))


ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
UNKNOWN = [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)]


def constrained(domain: str) -> Entity:
    constraints = x509.NameConstraints([x509.RFC822Name(domain)], None)
    return authority("Constrained", ROOT, extensions=[(constraints, True)])


def chains() -> dict[str, tuple[bool, Sequence[Entity]]]:
    """By name: whether it is good, and the chain."""
    upper, old = authority("Upper", ROOT, path_length=0), authority("Old", ROOT, **PAST)
    lower, servers = authority("Lower", upper), authority("Servers", ROOT, purposes=(SERVER,))
    carol = making.make("Carol", ISSUING, ca=False, uses=("digital_signature", "key_cert_sign"), **SPAN)
    fits, other = constrained("example.com"), constrained("example.org")
    return {
        "good": (True, (person(ISSUING), ISSUING)),
        "expired": (False, (person(ISSUING, **PAST), ISSUING)),
        "issuer expired": (False, (person(old), old)),
        "forged": (False, (person(ISSUING, signing_key=making.key("mallory")), ISSUING)),
        "unknown root": (False, (person(authority("Other")),)),
        "no issuer": (False, (person(ISSUING),)),
        "path length": (False, (person(lower), lower, upper)),
        "end entity as issuer": (False, (person(carol), carol, ISSUING)),
        "other purpose": (False, (person(ISSUING, purposes=(SERVER,)), ISSUING)),
        "issuer for another purpose": (False, (person(servers), servers)),
        "unknown critical": (False, (person(ISSUING, extensions=UNKNOWN), ISSUING)),
        "names permitted": (True, (person(fits), fits)),
        "names not permitted": (False, (person(other), other)),
    }


def certtool(folder: Path, chain: Sequence[Entity], crls: Sequence[bytes] = ()) -> bool:
    program = shutil.which("certtool")
    assert program is not None
    pem = serialization.Encoding.PEM
    (folder / "roots.pem").write_bytes(ROOT.certificate.public_bytes(pem))
    (folder / "chain.pem").write_bytes(b"".join(each.certificate.public_bytes(pem) for each in chain))
    command = [program, "--verify", "--load-ca-certificate", "roots.pem", "--infile", "chain.pem"]
    command += ["--verify-purpose", EMAIL]
    if crls:
        (folder / "crls.pem").write_bytes(b"".join(x509.load_der_x509_crl(der).public_bytes(pem) for der in crls))
        command += ["--load-crl", "crls.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=30)
    assert b"Chain verification output" in done.stdout, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("name", list(chains()))
def test_certtool_agrees(tmp_path: Path, name: str) -> None:
    good, chain = chains()[name]
    verdict = validate(chain[0].der, chain=[each.der for each in chain[1:]], trust=trust(ROOT), when=NOW)
    assert (verdict.good, certtool(tmp_path, chain)) == (good, good), verdict.explain()


@pytest.mark.parametrize("revoked", ["nobody", "the certificate", "its issuer"])
def test_certtool_agrees_on_revocation(tmp_path: Path, revoked: str) -> None:
    bob = person(ISSUING)
    span = {"this_update": NOW - timedelta(days=1), "next_update": NOW + MONTH, "revoked_at": NOW - timedelta(days=2)}
    lists = (
        crl(ISSUING, *([bob] if revoked == "the certificate" else []), **span),
        crl(ROOT, *([ISSUING] if revoked == "its issuer" else []), **span),
    )
    verdict = validate(bob.der, chain=[ISSUING.der], trust=trust(ROOT), when=NOW, evidence=Evidence(crls=lists))
    good = revoked == "nobody"
    assert (verdict.good, certtool(tmp_path, (bob, ISSUING), lists)) == (good, good), verdict.explain()
