"""The openssl program reads what we write, and we read what it writes."""

import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from eas_server.pki.directory_blobs import build_user_smime_certificate
from eas_server.pki.enveloped_data import ContentCipher
from eas_server.pki.lab import KeyBundle, from_pkcs12, to_pem, to_pkcs12
from eas_server.pki.smime import decrypt, encrypt, sign_detached, sign_opaque, verify
from tests.server.pki import FIXTURES, declaration, der, key, user_smime

pytestmark = [
    pytest.mark.integration("openssl"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]

NOW: datetime = declaration().NOW
AT = ["-attime", str(int(NOW.timestamp()))]
CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe \t\r\n.\r\n\r\nend\r\n"
PEOPLE = ["alice", "dave"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("root", "alice", "bob", "dave", "erin-signing", "erin-encryption"):
        (tmp_path / f"{name}.crt").write_bytes(to_pem(der(name)))
        (tmp_path / f"{name}.pem").write_bytes((FIXTURES / f"{name}.pem").read_bytes())
    (tmp_path / "content").write_bytes(CONTENT)
    return tmp_path


def openssl(files: Path, arguments: Sequence[str], **inputs: bytes) -> bytes:
    for name, content in inputs.items():
        (files / name).write_bytes(content)
    done = subprocess.run(["openssl", *arguments], cwd=files, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("who", PEOPLE)
def test_it_verifies_a_detached_signature(files: Path, who: str) -> None:
    entity = sign_detached(CONTENT, der(who), key(who), [der("root")], now=NOW)
    command = ["cms", "-verify", "-in", "entity", "-CAfile", "root.crt", "-purpose", "smimesign", *AT]
    assert openssl(files, command, entity=b"MIME-Version: 1.0\r\n" + entity) == CONTENT


@pytest.mark.parametrize("who", PEOPLE)
def test_it_verifies_an_opaque_signature(files: Path, who: str) -> None:
    entity = sign_opaque(CONTENT, der(who), key(who), [der("root")], now=NOW)
    command = ["cms", "-verify", "-in", "entity", "-CAfile", "root.crt", "-binary", *AT]
    assert openssl(files, command, entity=entity) == CONTENT


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("algorithm", list(ContentCipher))
def test_it_opens_our_envelope(files: Path, who: str, algorithm: ContentCipher) -> None:
    entity = encrypt(CONTENT, [der("alice"), der("dave")], algorithm)
    command = ["cms", "-decrypt", "-in", "entity", "-inkey", f"{who}.pem", "-recip", f"{who}.crt"]
    assert openssl(files, command, entity=entity) == CONTENT


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("form", [[], ["-nodetach"], ["-nodetach", "-stream"], ["-noattr"], ["-keyid"]])
def test_we_verify_its_signature(files: Path, who: str, form: list[str]) -> None:
    command = ["cms", "-sign", "-in", "content", "-md", "sha256", "-signer", f"{who}.crt", "-inkey", f"{who}.pem"]
    entity = openssl(files, [*command, *form])
    found = verify(entity, [der("root")], NOW)
    assert found.good
    assert found.content.replace(b"\r\n", b"\n") == CONTENT.replace(b"\r\n", b"\n")
    assert found.addresses == {f"{who}@example.com"}


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_we_verify_its_pss_signature(files: Path, digest: str) -> None:
    command = ["cms", "-sign", "-in", "content", "-md", digest, "-signer", "alice.crt", "-inkey", "alice.pem"]
    entity = openssl(files, [*command, "-keyopt", "rsa_padding_mode:pss"])
    assert verify(entity, [der("root")], NOW).good


def test_a_sha1_signature_counts_for_nothing(files: Path) -> None:
    command = ["cms", "-sign", "-in", "content", "-md", "sha1", "-signer", "alice.crt", "-inkey", "alice.pem"]
    assert not verify(openssl(files, command), [der("root")], NOW).good


ENVELOPES = [
    ["-aes128", "alice.crt", "dave.crt"],
    ["-aes192", "alice.crt", "dave.crt"],
    ["-aes256", "-stream", "alice.crt", "dave.crt"],
    ["-aes256", "-keyid", "alice.crt", "dave.crt"],
    ["-aes-128-gcm", "alice.crt", "dave.crt"],
    ["-aes-256-gcm", "-stream", "alice.crt", "dave.crt"],
    [
        "-aes256", "-recip", "alice.crt", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256",
        "-recip", "dave.crt", "-keyopt", "ecdh_kdf_md:sha384",
    ],
]  # fmt: skip


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("form", ENVELOPES, ids=" ".join)
def test_we_open_its_envelope(files: Path, who: str, form: list[str]) -> None:
    entity = openssl(files, ["cms", "-encrypt", "-binary", "-in", "content", *form])
    assert decrypt(entity, key(who), der(who)) == CONTENT


def test_we_open_its_oaep_with_default_parameters(files: Path) -> None:
    command = ["cms", "-encrypt", "-binary", "-in", "content", "-aes256", "-recip", "alice.crt"]
    entity = openssl(files, [*command, "-keyopt", "rsa_padding_mode:oaep"])
    assert decrypt(entity, key("alice"), der("alice")) == CONTENT


@pytest.mark.parametrize("name", ["alice", "erin"])
def test_it_reads_and_verifies_a_user_smime_certificate(files: Path, name: str) -> None:
    command = ["cms", "-verify", "-inform", "DER", "-in", "value", "-content", "/dev/null", "-CAfile", "root.crt", *AT]
    assert openssl(files, command, value=user_smime(name)) == b""
    printed = openssl(files, ["cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "value"])
    assert b"id-smime-aa-encrypKeyPref" in printed
    assert b"S/MIME Capabilities" in printed


def test_it_verifies_an_ec_user_smime_certificate(files: Path) -> None:
    value = build_user_smime_certificate(der("dave"), key("dave"), [der("root")], NOW)
    command = ["cms", "-verify", "-inform", "DER", "-in", "value", "-content", "/dev/null", "-CAfile", "root.crt", *AT]
    assert openssl(files, command, value=value) == b""


@pytest.mark.parametrize("legacy", [False, True])
def test_it_reads_our_pkcs12(files: Path, legacy: bool) -> None:
    bundle = KeyBundle(certificate=der("bob"), key=key("bob"), chain=(der("root"),))
    command = ["pkcs12", "-in", "pfx", "-passin", "pass:secret", "-nodes", *(["-legacy"] if legacy else [])]
    printed = openssl(files, command, pfx=to_pkcs12(bundle, password=b"secret", name="Bob", legacy=legacy))
    assert printed.count(b"BEGIN CERTIFICATE") == 2
    assert b"BEGIN PRIVATE KEY" in printed


def test_we_read_its_pkcs12(files: Path) -> None:
    command = ["pkcs12", "-export", "-in", "dave.crt", "-inkey", "dave.pem", "-passout", "pass:secret"]
    assert from_pkcs12(openssl(files, command), password=b"secret").certificate == der("dave")
