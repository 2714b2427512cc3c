"""The lab PKI as `openssl` sees it: paths, CRLs and OCSP answers."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.lab.pki import declared_plan, open_lab
from eas_server.pki.lab import to_pem
from eas_server.pki.lab_crl import crl, delta_crl
from eas_server.pki.lab_issue import Lab
from eas_server.pki.lab_ocsp import answer
from eas_server.pki.lab_plan import CrlPoint

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
NOW = datetime.now(UTC).replace(microsecond=0)
PLAN = declared_plan()

# what openssl has other words for, or does not look at, is left out: see the comments
VERDICTS = {
    "alice": "OK",
    "good-rsa": "OK",
    "good-ec": "OK",
    "crl-alone": "OK",
    "bob-expired": "certificate has expired",
    "expired": "certificate has expired",
    "not-yet-valid": "certificate is not yet valid",
    "expired-issuer": "certificate has expired",
    "revoked": "certificate revoked",
    "revoked-crl": "certificate revoked",
    "revoked-issuer": "certificate revoked",
    "stale-crl": "CRL has expired",
    "wrong-eku": "unsuitable certificate purpose",
    "unknown-critical": "unhandled critical extension",
    "untrusted": "self-signed certificate in certificate chain",
    "name-constraints": "permitted subtree violation",
    "web-issuer": "unsuitable certificate purpose",
    "too-deep": "path length constraint exceeded",
    "tampered": "certificate signature failure",
    "weak-sha1": "CA signature digest algorithm too weak",
    "revoked-delta": "certificate revoked",
    "released": "OK",
    "delta-good": "OK",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return open_lab(tmp_path_factory.mktemp("lab"), "http://127.0.0.1:8080/lab/pki", NOW)


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(
        [OPENSSL, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout + done.stderr


def pem_crl(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("name", VERDICTS)
def test_paths_and_crls(lab: Lab, tmp_path: Path, name: str) -> None:
    person = PLAN.people[name]
    (tmp_path / "roots").write_bytes(b"".join(map(to_pem, lab.roots)))
    (tmp_path / "chain").write_bytes(b"".join(map(to_pem, lab.chain(name))))
    (tmp_path / "person").write_bytes(to_pem(lab.certificates[name]))
    crls = [crl(lab, person.issuer, person.crl, NOW)]
    issuer = PLAN.authorities[person.issuer]
    crls += [crl(lab, issuer.issuer, CrlPoint.FULL, NOW)] if issuer.issuer else []
    crls += [delta_crl(lab, person.issuer, NOW)] if person.crl is CrlPoint.DELTA else []
    (tmp_path / "crls").write_bytes(b"".join(map(pem_crl, crls)))
    told = openssl(
        "verify", "-crl_check_all", "-extended_crl", "-use_deltas", "-purpose", "smimesign", "-auth_level", "1",
        "-CAfile", tmp_path / "roots", "-untrusted", tmp_path / "chain", "-CRLfile", tmp_path / "crls",
        tmp_path / "person",
    )  # fmt: skip
    assert VERDICTS[name] in told


@pytest.mark.parametrize(
    ("name", "status"),
    [("good-ec", "good"), ("revoked", "revoked"), ("revoked-ocsp", "revoked"), ("unknown-ocsp", "unknown")],
)
@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_ocsp_answers(lab: Lab, tmp_path: Path, name: str, status: str, digest: str, nonce: str) -> None:
    authority = PLAN.people[name].issuer
    for file, der in (("person", lab.certificates[name]), ("issuer", lab.certificates[authority])):
        (tmp_path / file).write_bytes(to_pem(der))
    (tmp_path / "roots").write_bytes(b"".join(map(to_pem, lab.roots)))
    asked = ("-issuer", tmp_path / "issuer", digest, "-cert", tmp_path / "person")
    openssl("ocsp", *asked, nonce, "-reqout", tmp_path / "request")
    request = (tmp_path / "request").read_bytes()
    (tmp_path / "answer").write_bytes(answer(lab, authority, request, NOW))
    # -no_nonce: no second one
    told = openssl(
        "ocsp", *asked, "-no_nonce", "-reqin", tmp_path / "request", "-respin", tmp_path / "answer",
        "-CAfile", tmp_path / "roots", "-verify_other", tmp_path / "issuer",
    )  # fmt: skip
    assert "Response verify OK" in told
    assert f"{tmp_path / 'person'}: {status}" in told
    assert "no nonce in response" not in told
    text = openssl("ocsp", "-respin", tmp_path / "answer", "-resp_text", "-noverify")
    assert ("OCSP Nonce" in text) == (nonce == "-nonce")


def test_an_indirect_crl(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "crl").write_bytes(crl(lab, "rsa", CrlPoint.INDIRECT, NOW))
    (tmp_path / "signer").write_bytes(to_pem(lab.certificates["crl"]))
    text = openssl("crl", "-inform", "DER", "-in", tmp_path / "crl", "-text", "-noout", "-CAfile", tmp_path / "signer")
    assert "verify OK" in text
    assert "Indirect CRL" in text
    assert "X509v3 Certificate Issuer: critical" in text
    assert f"{lab.serial('revoked-indirect'):X}" in text


def test_pkcs12_files_are_read(lab: Lab, tmp_path: Path) -> None:
    from eas_server.lab.pki import files_of, write_people

    (tmp_path / "keys").mkdir()
    (tmp_path / "lab").mkdir()
    write_people(tmp_path, lab, "secret")
    for name in ("alice", "good-ec", "weak-rsa1024"):
        file = files_of(tmp_path, name).pkcs12
        told = openssl("pkcs12", "-in", file, "-passin", "pass:secret", "-nodes", "-legacy")
        assert "PRIVATE KEY" in told
        assert told.count("BEGIN CERTIFICATE") == 3


def test_the_time_of_crls(lab: Lab, tmp_path: Path) -> None:
    for later in (timedelta(0), timedelta(days=400)):
        (tmp_path / "crl").write_bytes(crl(lab, "ec", CrlPoint.FULL, NOW + later))
        text = openssl("crl", "-inform", "DER", "-in", tmp_path / "crl", "-noout", "-lastupdate")
        told = datetime.strptime(text.strip().partition("=")[2], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
        assert timedelta(0) <= NOW + later - told < timedelta(hours=1)
