"""`eas-server cert publish` and `unpublish` against a real OpenLDAP."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from eas_server.cli import main
from eas_server.pki.certificate import parse
from eas_server.pki.keys import key_to_pem
from eas_server.pki.lab import to_pem
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, start_slapd
from tests.server.pki.making import authority, person, rsa_key

pytestmark = pytest.mark.integration("slapd")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
SPAN = {"not_before": START, "not_after": START + timedelta(days=365)}
BOB = "bob@example.com"
LDIF = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {SERVICE_DN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: eas
userPassword: {SERVICE_PASSWORD}

dn: uid=bob,{BASE}
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Bob
mail: {BOB}
"""


@pytest.fixture
def directory(tmp_path: Path):
    server = start_slapd(tmp_path / "home", LDIF)
    conf = server.home / "slapd.conf"
    server.stop()
    conf.write_text(conf.read_text().replace("by users read", f'by dn="{SERVICE_DN}" write by users read'))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def run(directory: Slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("password").write_text(SERVICE_PASSWORD)
    Path("eas-server.toml").write_text(
        f'[server]\ndomains = ["example.com"]\n[directory]\nkind = "ldap"\n[ldap]\nuris = ["{directory.tls_uri}"]\n'
        f'base_dn = "{BASE}"\nbind_dn = "{SERVICE_DN}"\nbind_password_file = "password"\n'
        f'ca_file = "{directory.ca_file}"\n'
    )

    def call(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == status, result.output
        return result.output

    return call


def read(directory: Slapd, attribute: str) -> int:
    """How many values bob has, as ldapsearch tells."""
    search = shutil.which("ldapsearch")
    if search is None:
        pytest.skip("ldapsearch is not installed")
    found = subprocess.run(
        [
            search,
            "-x",
            "-LLL",
            "-H",
            directory.uri,
            "-D",
            SERVICE_DN,
            "-w",
            SERVICE_PASSWORD,
            "-b",
            BASE,
            "uid=bob",
            attribute,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sum(line.lower().startswith(attribute.lower()) for line in found.splitlines())


def test_both_attributes_are_written_and_taken_away(directory, run):
    root = authority("Root", **SPAN)
    bob = person(root, subject_key=rsa_key(), **SPAN)
    Path("bob.pem").write_bytes(to_pem(bob.der))
    Path("bob.key").write_bytes(key_to_pem(rsa_key()))
    shown = run("cert", "publish", BOB, "bob.pem", "--key", "bob.key", "--dry-run")
    assert "changetype: modify" in shown
    assert read(directory, "userCertificate") == 0
    told = run("cert", "publish", BOB, "bob.pem", "--key", "bob.key")
    assert told.count("1 added") == 2
    assert (read(directory, "userCertificate"), read(directory, "userSMIMECertificate")) == (1, 1)
    run("cert", "publish", BOB, "bob.pem", "--key", "bob.key")
    assert (read(directory, "userCertificate"), read(directory, "userSMIMECertificate")) == (1, 1)
    assert "in LDAP" in run("cert", "doctor", BOB)
    fingerprint = parse(bob.der).sha256
    assert "changetype: modify" in run("cert", "unpublish", BOB, fingerprint, "--dry-run")
    assert read(directory, "userCertificate") == 1
    run("cert", "unpublish", BOB, fingerprint)
    assert (read(directory, "userCertificate"), read(directory, "userSMIMECertificate")) == (0, 0)
    assert "no certificate" in run("cert", "unpublish", BOB, fingerprint, status=1)


def test_somebody_who_is_not_there(run):
    Path("bob.pem").write_bytes(to_pem(person(authority("Root", **SPAN), **SPAN).der))
    assert "nobody in the directory" in run("cert", "publish", "ghost@example.com", "bob.pem", status=1)
