"""openssl and certtool read what `trust export` writes, and what they write is imported."""

import shutil
import subprocess
from pathlib import Path

import pytest

from eas_server.pki.lab import to_pem
from eas_server.pki.trust_files import TrustForm, read_trust_file, to_pem_bundle, to_pkcs7
from tests.server.pki.making import authority, crl, person

ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
BOB = person(ISSUING)
BOTH = (ROOT.der, ISSUING.der)

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
certtool = pytest.mark.skipif(shutil.which("certtool") is None, reason="certtool (GnuTLS) is not installed")


def run(folder: Path, *command: str) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, entity in (("root", ROOT), ("issuing", ISSUING), ("bob", BOB)):
        (tmp_path / f"{name}.pem").write_bytes(to_pem(entity.der))
    (tmp_path / "both.pem").write_bytes(to_pem_bundle(iter(BOTH)))
    (tmp_path / "both.p7b").write_bytes(to_pkcs7(iter(BOTH)))
    (tmp_path / "root.crl").write_bytes(crl(ROOT))
    return tmp_path


@pytest.mark.integration("openssl")
@openssl
def test_openssl_reads_our_pkcs7(folder: Path) -> None:
    told = run(folder, "openssl", "pkcs7", "-inform", "DER", "-in", "both.p7b", "-print_certs")
    assert set(read_trust_file(told).certificates) == set(BOTH)


@pytest.mark.integration("openssl")
@openssl
@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_a_pkcs7_of_openssl_with_a_crl(folder: Path, form: str) -> None:
    run(folder, "openssl", "crl", "-inform", "DER", "-in", "root.crl", "-out", "crl.pem")
    arguments = ["-certfile", "both.pem", "-in", "crl.pem", "-outform", form, "-out", "made.p7b"]
    run(folder, "openssl", "crl2pkcs7", *arguments)
    found = read_trust_file((folder / "made.p7b").read_bytes())
    assert (found.form, set(found.certificates)) == (TrustForm.PKCS7, set(BOTH))
    assert found.notes == ("passed over: 1 × CRL",)


@pytest.mark.integration("openssl")
@openssl
def test_a_trusted_certificate_of_openssl(folder: Path) -> None:
    run(
        folder, "openssl", "x509", "-in", "root.pem", "-addtrust", "emailProtection", "-trustout", "-out", "trusted.pem"
    )
    assert b"TRUSTED" in (folder / "trusted.pem").read_bytes()
    assert read_trust_file((folder / "trusted.pem").read_bytes()).certificates == (ROOT.der,)


@pytest.mark.integration("openssl")
@openssl
def test_openssl_verifies_with_our_bundle(folder: Path) -> None:
    at = str(int(ROOT.certificate.not_valid_after_utc.timestamp()) - 3600)
    run(folder, "openssl", "verify", "-attime", at, "-CAfile", "both.pem", "-purpose", "smimesign", "bob.pem")


@pytest.mark.integration("certtool")
@certtool
def test_certtool_reads_our_pkcs7(folder: Path) -> None:
    told = run(folder, "certtool", "--p7-info", "--inder", "--infile", "both.p7b")
    assert told.count(b"BEGIN CERTIFICATE") == len(BOTH)


@pytest.mark.integration("certtool")
@certtool
def test_a_pkcs7_of_certtool(folder: Path) -> None:
    run(folder, "certtool", "--p7-generate", "--load-certificate", "both.pem", "--outder", "--outfile", "made.p7b")
    assert set(read_trust_file((folder / "made.p7b").read_bytes()).certificates) == set(BOTH)
