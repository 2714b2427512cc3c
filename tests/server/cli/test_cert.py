"""`eas-server cert`."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_der_x509_certificate

from eas_server.cli.lab_authority import lab_authority
from eas_server.model.directory import DirectoryEntry
from eas_server.pki.certificate import parse
from eas_server.pki.chain import leads_to_root
from eas_server.pki.keys import key_to_pem
from eas_server.pki.lab import KeyBundle, Purpose, from_pkcs12, issue_person, to_pem, to_pkcs12
from eas_server.pki.signed_data import read_signed_data
from tests.server.cli.conftest import Shell, use_ldap
from tests.server.pki import FIXTURES, der, key

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture
def pfx(shell):
    """bob.p12, with the password "open"."""
    path = shell.folder / "bob.p12"
    bundle = KeyBundle(certificate=der("bob"), key=key("bob"), chain=(der("root"),))
    path.write_bytes(to_pkcs12(bundle, password=b"open", name="Bob"))
    return str(path)


def listed(shell: Shell, *address: str) -> list[dict]:
    return json.loads(shell("cert", "list", *address, "--json"))


def issued(output: str) -> str:
    """The password that was printed."""
    return output.partition("password: ")[2].split()[0]


def test_the_authority_is_made_once_and_its_key_is_nobody_elses(shell):
    output = shell("cert", "issue", BOB, "--out", "first.p12", "--key", "p256")
    root = shell.folder / "lab" / "root.cer"
    assert "lab/root.cer" in output
    assert parse(root.read_bytes()).is_ca
    assert (shell.folder / "keys" / "root.key").stat().st_mode & 0o777 == 0o600
    assert (shell.folder / "keys").stat().st_mode & 0o777 == 0o700
    before = root.read_bytes()
    assert "authority" not in shell("cert", "issue", BOB, "--out", "second.p12", "--key", "p256")
    assert root.read_bytes() == before


def test_an_issued_certificate_is_served_and_its_key_is_in_the_file_only(with_authority):
    shell = with_authority
    shell("user", "set", BOB, "--add-address", "rob@example.com")
    output = shell("cert", "issue", BOB, "--days", "30")
    file = shell.folder / "bob@example.com.p12"
    assert file.stat().st_mode & 0o777 == 0o600
    bundle = from_pkcs12(file.read_bytes(), password=issued(output).encode())
    certificate = parse(bundle.certificate)
    now = datetime.now(UTC)
    assert certificate.emails == (BOB, "rob@example.com")
    assert certificate.valid_at(now)
    assert timedelta(days=29) < certificate.not_after - now <= timedelta(days=30)
    assert leads_to_root(bundle.certificate, intermediates=(), roots=bundle.chain, now=now)
    (shown,) = listed(shell, BOB)
    assert (shown["sha256"], shown["rank"], shown["verdict"]) == (certificate.sha256, 1, "served first")
    assert shown["attributes"] == ["userSMIMECertificate", "userCertificate"]
    der_key = bundle.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kept = b"".join(path.read_bytes() for path in shell.folder.rglob("*") if path.is_file())
    assert der_key[-64:] not in kept
    assert issued(output).encode() not in kept


@pytest.mark.integration("openssl")
def test_other_programs_read_the_file(with_authority):
    for name, options in (("new", []), ("old", ["--legacy"])):
        with_authority(
            *("cert", "issue", BOB, "--out", f"{name}.p12", "--key", "p256", "--password-stdin", *options), given="pw\n"
        )
        shown = subprocess.run(
            ["openssl", "pkcs12", "-in", f"{name}.p12", "-passin", "pass:pw", "-info", "-nokeys", "-legacy"],
            capture_output=True,
            check=True,
            text=True,
        )
        assert ("pbeWithSHA1And3-KeyTripleDES" in shown.stderr) is (name == "old")


def test_purposes(with_authority):
    shell = with_authority
    output = shell("cert", "issue", BOB, "--out", "s.p12", "--key", "p256", "--purpose", "signing")
    assert "Not published" in output
    assert listed(shell, BOB) == []
    shell("cert", "issue", BOB, "--out", "e.p12", "--key", "p256", "--purpose", "encryption")
    (shown,) = listed(shell, BOB)
    assert (shown["usage"], shown["attributes"]) == ("encrypt", ["userCertificate"])
    assert "Not published" in shell("cert", "issue", BOB, "--out", "n.p12", "--key", "p256", "--no-publish")
    assert len(listed(shell, BOB)) == 1


def test_a_file_that_is_there_is_never_written_over(with_authority):
    (with_authority.folder / "bob.p12").write_text("precious")
    assert "is there already" in with_authority.refused("cert", "issue", BOB, "--out", "bob.p12")
    assert (with_authority.folder / "bob.p12").read_text() == "precious"
    assert listed(with_authority) == []


def test_nobody_gets_no_certificate(with_authority):
    assert "user add" in with_authority.refused("cert", "issue", "nobody@example.com")
    assert list(with_authority.folder.glob("*.p12")) == []


def test_half_an_authority_is_not_used_and_not_replaced(with_authority):
    shell = with_authority
    (shell.folder / "lab" / "root.cer").unlink()
    assert "from a backup" in shell.refused("cert", "issue", BOB)
    (shell.folder / "lab" / "root.cer").write_bytes(b"garbage")
    assert "cannot be read" in shell.refused("cert", "issue", BOB)
    shutil.copy(FIXTURES / "bob-expired.der", shell.folder / "lab" / "root.cer")
    assert "no longer valid" in shell.refused("cert", "issue", BOB)


def test_published_with_its_key_a_certificate_is_in_both_attributes(shell):
    for _ in range(2):
        shell("cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", str(FIXTURES / "bob.pem"))
    entry = shell.entry(BOB)
    assert entry.user_certificates == (der("bob"),)
    (value,) = entry.smime_certificates
    (signer,) = read_signed_data(value).signers
    assert signer.encryption_key.names(der("bob"))
    (shown,) = listed(shell, BOB)
    assert shown["attributes"] == ["userSMIMECertificate", "userCertificate"]


def test_a_pkcs12_brings_its_key_along(shell, pfx):
    shell("cert", "publish", BOB, pfx, "--password-stdin", given="open")
    entry = shell.entry(BOB)
    assert entry.user_certificates == (der("bob"),)
    assert set(read_signed_data(entry.smime_certificates[0]).certificates) == {der("bob"), der("root")}
    assert "wrong password" in shell.refused("cert", "publish", BOB, pfx, "--password-stdin", given="shut")


def test_two_certificates_of_one_person(shell):
    erin = DirectoryEntry(key="", display_name="Erin", email="erin@example.com")
    shell.in_store(lambda store: store.admin.add_people([erin]))
    arguments = ["cert", "publish", "erin@example.com", str(FIXTURES / "erin-signing.der")]
    assert "--key" in shell.refused(*arguments, "--encrypt-to", str(FIXTURES / "erin-encryption.der"), status=2)
    shell(
        *(*arguments, "--key", str(FIXTURES / "erin-signing.pem")),
        *("--encrypt-to", str(FIXTURES / "erin-encryption.der")),
    )
    (shown,) = listed(shell, "erin@example.com")
    assert shown["sha256"] == parse(der("erin-encryption")).sha256
    assert shown["attributes"] == ["userSMIMECertificate", "userCertificate"]


def test_an_encrypted_key_is_asked_its_password(shell):
    (shell.folder / "bob.key").write_bytes(key_to_pem(key("bob"), b"open"))
    arguments = ["cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", "bob.key"]
    shell(*arguments, given="open\n")
    assert len(shell.entry(BOB).smime_certificates) == 1
    shell.refused(*arguments, given="wrong\n")


def test_a_key_has_to_be_that_of_the_certificate(shell):
    said = shell.refused("cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", str(FIXTURES / "alice.pem"))
    assert "not that of the certificate" in said
    assert listed(shell) == []


def test_the_list_says_which_is_served_and_why_others_are_not(shell):
    for name in ("bob", "bob-expired", "bob-wrong-address", "bob-wrong-eku", "bob-not-yet"):
        result = shell.try_("cert", "publish", BOB, str(FIXTURES / f"{name}.der"))
        assert result.exit_code == 0
        assert ("note: phones will not be given it" in result.stderr) is (name != "bob")
    shell.in_store(lambda store: store.admin.publish_certificate(BOB, b"no certificate"))
    verdicts = {shown["sha256"]: shown["verdict"] for shown in listed(shell, BOB)}
    assert verdicts[parse(der("bob")).sha256] == "served first"
    assert verdicts[parse(der("bob-expired")).sha256] == "not served: expired"
    assert verdicts[parse(der("bob-not-yet")).sha256] == "not served: not yet valid"
    assert verdicts[parse(der("bob-wrong-address")).sha256] == "not served: does not name the recipient's address"
    assert verdicts[parse(der("bob-wrong-eku")).sha256].startswith("not served: extended key usage")
    assert sum(verdict.startswith("not served: unparsable") for verdict in verdicts.values()) == 1
    rows = shell("cert", "list").splitlines()
    assert len(rows) == 7
    assert "served first" in rows[1]
    assert "not for mail" in shell("cert", "list", BOB)


def test_the_ranks_are_those_of_the_choice(with_authority):
    shell = with_authority
    shell("cert", "publish", BOB, str(FIXTURES / "bob.der"))
    shell("cert", "issue", BOB, "--out", "new.p12", "--key", "p256")
    assert [(shown["rank"], shown["verdict"]) for shown in listed(shell, BOB)] == [
        (1, "served first"),
        (2, "served after the first, which its owner marked as the one to encrypt to"),
    ]
    shell("cert", "unpublish", BOB, listed(shell, BOB)[0]["sha256"])
    shell("cert", "issue", BOB, "--out", "e.p12", "--key", "p256", "--purpose", "encryption")
    assert listed(shell, BOB)[1]["verdict"] == "served after the first, which is newer"


def test_addresses_may_be_let_pass_by_the_configuration(shell):
    shell("cert", "publish", BOB, str(FIXTURES / "bob-wrong-address.der"))
    (shell.folder / "eas-server.toml").write_text("[limits.recipients]\nrequire_address_match = false\n")
    assert [shown["rank"] for shown in listed(shell, BOB)] == [1]


def test_import_finds_the_people_by_their_addresses(shell, pfx):
    both = shell.folder / "both.pem"
    both.write_bytes(to_pem(der("alice")) + to_pem(der("root")) + key_to_pem(key("alice")))
    output = shell("cert", "import", pfx, str(both), "--password-stdin", given="open\n")
    assert shell.entry(ALICE).user_certificates == (der("alice"),)
    assert shell.entry(BOB).user_certificates == (der("bob"),)
    assert shell.entry(BOB).smime_certificates == ()
    assert output.count("private key in it was not kept") == 2
    kept = shell.store.read_bytes()
    assert b"PRIVATE KEY" not in kept


def test_import_says_whose_nobody_here_is_and_imports_the_rest(shell):
    said = shell.refused("cert", "import", str(FIXTURES / "dave.der"), str(FIXTURES / "bob.der"))
    assert "nobody here" in said
    assert "cert publish" in said
    assert shell.entry(BOB).user_certificates == (der("bob"),)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"hello",
        b"\x30",
        b"\x30\x82",
        b"\x30\x03\x02\x01\x03",
        b"\x30\x80\x02\x01\x03",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"\x00" * 2_000_000,
    ],
)
def test_what_is_no_certificate_is_said_to_be_none(shell, octets):
    (shell.folder / "file").write_bytes(octets)
    for arguments in (("import", "file"), ("publish", BOB, "file")):
        shell.refused("cert", *arguments, "--password-stdin", given="x")
    shell.refused("cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", "file", "--password-stdin", given="x")
    assert listed(shell) == []


def test_addresses_in_a_certificate_cannot_speak_to_the_terminal(with_authority):
    shell = with_authority
    lab = lab_authority(shell.folder, datetime.now(UTC))
    evil = issue_person(
        lab.authority,
        name="x",
        addresses=["\x1b[2J@example.com"],
        public_key=key("bob").public_key(),
        purpose=Purpose.BOTH,
        serial=1,
        not_before=datetime.now(UTC),
        not_after=lab.not_after,
    )
    (shell.folder / "evil.der").write_bytes(evil)
    said = shell.refused("cert", "import", "evil.der")
    assert "\\x1b[2J@example.com" in said
    assert "\x1b" not in said


def test_an_authority_is_no_person(shell):
    assert "authorities only" in shell.refused("cert", "publish", BOB, str(FIXTURES / "root.der"))


def test_a_pkcs12_without_a_key_is_refused(shell):
    certificate = load_der_x509_certificate(der("bob"))
    octets = pkcs12.serialize_key_and_certificates(b"Bob", None, certificate, None, serialization.NoEncryption())
    (shell.folder / "no-key.p12").write_bytes(octets)
    shell.refused("cert", "import", "no-key.p12", given="\n")
    assert listed(shell) == []


def test_withdrawn_from_both_attributes(shell):
    shell("cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", str(FIXTURES / "bob.pem"))
    whole = parse(der("bob")).sha256
    colons = ":".join(whole[at : at + 2].upper() for at in range(0, 16, 2))
    shell("cert", "unpublish", BOB, colons)
    entry = shell.entry(BOB)
    assert (entry.user_certificates, entry.smime_certificates) == ((), ())
    assert "no certificate" in shell.refused("cert", "unpublish", BOB, whole)
    shell.refused("cert", "unpublish", BOB, "1f", status=2)
    shell.refused("cert", "unpublish", BOB, "not hexadecimal", status=2)


def test_with_ldap_it_is_said_which_directory_this_is(shell):
    use_ldap(shell, "directory")
    for arguments in (("list",), ("import", str(FIXTURES / "bob.der"))):
        result = shell.try_("cert", *arguments)
        assert result.exit_code == 0
        assert "embedded directory only" in result.stderr
    shell.refused("cert", "publish", BOB, str(FIXTURES / "bob.der"), status=75)  # written in LDAP, which is away


def test_what_would_be_published(shell):
    told = shell("cert", "publish", BOB, str(FIXTURES / "bob.der"), "--key", str(FIXTURES / "bob.pem"), "--dry-run")
    assert told.startswith("Would publish")
    assert "userSMIMECertificate" in told
    assert shell.entry(BOB).user_certificates == ()
    shell("cert", "publish", BOB, str(FIXTURES / "bob.der"))
    assert shell("cert", "unpublish", BOB, parse(der("bob")).sha256, "--dry-run").startswith("Would take")
    assert len(shell.entry(BOB).user_certificates) == 1
