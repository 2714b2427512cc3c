"""The life of a certificate beyond issue and publish: request, list --expiring, doctor."""

import json
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eas_server.lab.pki import revoked_later
from eas_server.pki.keys import key_from_pem
from eas_server.pki.lab import to_pem
from tests.server.pki.making import authority, person, rsa_key

BOB = "bob@example.com"
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(days=30)
VALID = {"not_before": START, "not_after": NOW + timedelta(days=365)}
ROOT = authority("Root", **VALID)
ISSUING = authority("Issuing", ROOT, **VALID)


def put(name: str, octets: bytes) -> str:
    Path(name).write_bytes(octets)
    return name


# ---- request


@pytest.mark.parametrize(("kind", "cls"), [("rsa2048", rsa.RSAPrivateKey), ("p256", ec.EllipticCurvePrivateKey)])
def test_a_request_names_the_person_and_its_key_is_the_owners_alone(shell, kind, cls):
    told = shell("cert", "request", BOB, "--key", "bob.key", "--out", "bob.csr", "--kind", kind)
    assert "cert publish bob@example.com" in told
    assert stat.S_IMODE(Path("bob.key").stat().st_mode) == 0o600
    assert isinstance(key_from_pem(Path("bob.key").read_bytes()), cls)
    csr = x509.load_pem_x509_csr(Path("bob.csr").read_bytes())
    assert csr.is_signature_valid
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name)[0] == BOB
    assert csr.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature


def test_a_key_that_is_there_is_used_and_left_alone(shell):
    shell("cert", "request", BOB, "--key", "bob.key", "--out", "one.csr")
    before = Path("bob.key").read_bytes()
    shell("cert", "request", BOB, "--key", "bob.key", "--out", "two.csr", "--purpose", "signing")
    assert Path("bob.key").read_bytes() == before
    one, two = (x509.load_pem_x509_csr(Path(name).read_bytes()) for name in ("one.csr", "two.csr"))
    assert one.public_key() == two.public_key()
    usage = two.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment) == (True, False)


def test_requests_that_cannot_be(shell):
    shell("cert", "request", BOB)
    assert "bob@example.com.csr is there already" in shell.refused("cert", "request", BOB)
    put("broken.key", b"no key")
    assert "broken.key" in shell.refused("cert", "request", BOB, "--key", "broken.key", "--out", "x.csr")
    assert not Path("x.csr").exists()
    shell.refused("cert", "request", "nobody@example.com")


def test_openssl_takes_the_request(shell):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    shell("cert", "request", BOB, "--out", "bob.csr", "--key", "bob.key")
    run = subprocess.run(
        ["openssl", "req", "-in", "bob.csr", "-noout", "-verify", "-text"], capture_output=True, text=True, check=True
    )
    assert "verify OK" in run.stderr + run.stdout
    assert f"email:{BOB}" in run.stdout
    assert "E-mail Protection" in run.stdout


# ---- expiring


def test_what_ends_soon(shell):
    shell("cert", "issue", BOB, "--days", "20", "--out", "short.p12")
    shell("cert", "issue", "alice@example.com", "--days", "200", "--out", "long.p12")
    assert {each["address"] for each in json.loads(shell("cert", "list", "--expiring", "30d", "--json"))} == {BOB}
    told = json.loads(shell("cert", "list", "--expiring", "300", "--json"))
    assert {each["address"] for each in told} == {BOB, "alice@example.com"}
    assert "ends within 5 days" in shell.try_("cert", "list", "--expiring", "5d").stderr
    shell.refused("cert", "list", "--expiring", "soon", status=2)


# ---- doctor


def test_somebody_without_certificates(shell):
    result = shell.try_("cert", "doctor", BOB)
    assert result.exit_code == 1
    assert "Phones get no certificate" in result.stdout
    assert "nobody has it" in shell.refused("cert", "doctor", "nobody@example.com")


def test_one_good_certificate(shell):
    put("root.pem", to_pem(ROOT.der) + to_pem(ISSUING.der))
    shell("trust", "import", "root.pem")
    bob = person(ISSUING, subject_key=rsa_key(), **VALID)
    shell("cert", "publish", BOB, put("bob.pem", to_pem(bob.der)))
    told = shell("cert", "doctor", BOB)
    assert "served first" in told
    assert "chain: the certificate is good" in told
    assert "Outlook" not in told
    found = json.loads(shell("cert", "doctor", BOB, "--json"))
    assert found["served"] == found["outlook"] == found["certificates"][0]["sha256"]
    assert found["certificates"][0]["chain"] == 1


def test_why_others_lost_and_where_outlook_differs(shell):
    old = person(ISSUING, "Bob old", not_before=START, not_after=START + timedelta(days=1))
    first = person(ISSUING, "Bob first", not_before=START, not_after=NOW + timedelta(days=90))
    newer = person(ISSUING, "Bob newer", not_before=NOW - timedelta(days=1), not_after=NOW + timedelta(days=300))
    carols = person(ISSUING, "Carol", emails=("carol@example.com",), **VALID)
    for name, who in (("old", old), ("first", first), ("newer", newer), ("carols", carols)):
        shell("cert", "publish", BOB, put(f"{name}.pem", to_pem(who.der)))
    told = shell("cert", "doctor", BOB)
    assert "not served: expired" in told
    assert "does not name the recipient's address" in told
    assert "Outlook" in told, "it takes the first valid value, phones get the newest"
    assert "No authority is trusted here" in told
    found = json.loads(shell("cert", "doctor", BOB, "--json"))
    assert found["served"] != found["outlook"]


def test_a_chain_that_nobody_trusts(shell):
    put("root.pem", to_pem(ROOT.der))
    shell("trust", "import", "root.pem")
    stranger = person(authority("Elsewhere", **VALID), **VALID)
    shell("cert", "publish", BOB, put("bob.pem", to_pem(stranger.der)))
    assert "chain: the certificate is good" not in shell("cert", "doctor", BOB)


# ---- revoke


def test_a_certificate_of_the_lab_is_revoked(shell):
    with Path("eas-server.toml").open("a") as config:
        config.write('[lab]\nurl = "http://127.0.0.1:8080"\n')
    shell("cert", "issue", BOB, "--out", "bob.p12")
    (issued,) = {each["sha256"]: each for each in json.loads(shell("cert", "list", BOB, "--json"))}.values()
    held = shell.entry(BOB).user_certificates[0]
    points = x509.load_der_x509_certificate(held).extensions.get_extension_for_class(x509.CRLDistributionPoints)
    assert points.value[0].full_name[0].value == "http://127.0.0.1:8080/lab/pki/crl/root.crl"
    told = shell("cert", "revoke", BOB, issued["sha256"], "--reason", "keyCompromise")
    assert "took it out of the directory" in told
    assert json.loads(shell("cert", "list", BOB, "--json")) == []
    (found,) = revoked_later(Path())("root")
    assert (f"{found.serial:x}", found.reason) == (issued["serial"], "keyCompromise")
    assert "no certificate" in shell.refused("cert", "revoke", BOB, issued["sha256"])


def test_only_the_issuer_revokes(shell):
    shell("cert", "issue", BOB, "--out", "bob.p12", "--no-publish")
    stranger = person(authority("Elsewhere", **VALID), **VALID)
    shell("cert", "publish", BOB, put("bob.pem", to_pem(stranger.der)))
    (held,) = json.loads(shell("cert", "list", BOB, "--json"))
    assert "only its issuer can revoke it" in shell.refused("cert", "revoke", BOB, held["sha256"])
    assert revoked_later(Path())("root") == ()
