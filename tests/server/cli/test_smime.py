"""`eas-server smime`."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eas_server.pki import smime
from eas_server.pki.lab import to_pem
from tests.server.pki.making import authority, person, rsa_key

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
VALID = {"not_before": START, "not_after": START + timedelta(days=365)}
ROOT = authority("Root", **VALID)
ISSUING = authority("Issuing", ROOT, **VALID)
BOB = person(ISSUING, **VALID)
OLD = person(ISSUING, "Bob before", not_before=START, not_after=START + timedelta(days=1))
CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe price is 12.\r\n"
HEAD = b"From: Bob <bob@example.com>\r\nTo: alice@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


def put(octets: bytes, name: str = "message.eml") -> str:
    Path(name).write_bytes(octets)
    return name


def signed(who=BOB, content=CONTENT, chain=(ISSUING.der,), opaque=False, now=START + timedelta(days=3)) -> bytes:
    sign = smime.sign_opaque if opaque else smime.sign_detached
    return sign(content, who.der, who.key, chain, now=now)


@pytest.fixture
def trusting(shell):
    Path("root.pem").write_bytes(to_pem(ROOT.der))
    shell("trust", "import", "root.pem")
    return shell


@pytest.mark.parametrize("opaque", [False, True], ids=["clear", "opaque"])
def test_a_good_signature(trusting, opaque):
    told = trusting("smime", "verify", put(HEAD + signed(opaque=opaque)))
    assert "the signature is good" in told
    assert "bob@example.com" in told
    assert "content:   fits" in told


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (HEAD + signed().replace(b"is 12", b"is 99"), "the content is not what was signed"),
        (HEAD.replace(b"bob@", b"carol@") + signed(), "does not name the sender"),
        (HEAD + signed(OLD), "it has expired"),
        (HEAD + signed(authority("Self", **VALID)), "the signer's certificate"),
        (HEAD + CONTENT, "there is no signature that can be seen"),
        (HEAD + smime.encrypt(signed(), [BOB.der]), "there is no signature that can be seen"),
        (b"", "there is no signature that can be seen"),
        (HEAD + b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\nMAAA\r\n", "CMS"),
    ],
)
def test_other_messages(trusting, message, problem):
    result = trusting.try_("smime", "verify", put(message))
    assert result.exit_code == 1
    assert problem in result.stdout.splitlines()[-1]


def test_a_root_that_nobody_trusts(shell):
    result = shell.try_("smime", "verify", put(HEAD + signed()))
    assert result.exit_code == 1
    assert "no root is trusted here" in result.stdout


def test_as_of_another_day(trusting):
    at = f"{START:%Y-%m-%d}"
    name = put(HEAD + signed(OLD))
    assert trusting.try_("smime", "verify", name).exit_code == 1
    day = f"{START + timedelta(days=1):%Y-%m-%d}"
    assert "good" in trusting("smime", "verify", "--at", day, name), at


def test_revocation_that_nobody_tells_of_is_a_fault_when_asked(trusting):
    name = put(HEAD + signed())
    assert trusting.try_("smime", "verify", name).exit_code == 0
    result = trusting.try_("smime", "verify", "--check-crl", "--json", name)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [signer["status"] for signer in told["signers"]] == [16]
    assert told["good"] is False


def test_the_trust_of_a_domain(shell):
    Path("root.pem").write_bytes(to_pem(ROOT.der))
    shell("trust", "import", "--domain", "partner.example", "root.pem")
    name = put(HEAD + signed())
    assert shell.try_("smime", "verify", name).exit_code == 1
    assert "good" in shell("smime", "verify", "--domain", "partner.example", name)


def test_what_an_encrypted_message_tells(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from eas_server.cli import main

    monkeypatch.chdir(tmp_path)
    rsa = person(ISSUING, "Rsa", subject_key=rsa_key(), **VALID)
    name = put(HEAD + smime.encrypt(CONTENT, [BOB.der, rsa.der]))
    told = CliRunner().invoke(main, ["smime", "info", name])
    assert told.exit_code == 0, told.output
    assert "message: encrypted" in told.output
    assert "aes256_cbc" in told.output
    for who in (BOB, rsa):
        assert f"{who.serial:x} of " in told.output
    shown = json.loads(CliRunner().invoke(main, ["smime", "info", "--json", name]).stdout)
    assert shown["envelopes"][0]["recipients"] == 2
    assert "good" not in shown


def test_hostile_names_do_not_reach_the_terminal(trusting):
    evil = person(ISSUING, "Bob\x1b[31m\nsigner: Root", **VALID)
    told = trusting.try_("smime", "verify", put(HEAD + signed(evil))).stdout
    assert "\x1b" not in told
    assert "\nsigner: Root" not in told


def test_what_openssl_signs_and_encrypts(trusting, tmp_path):
    import shutil

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    from eas_server.pki.keys import key_to_pem

    Path("bob.key").write_bytes(key_to_pem(BOB.key))
    Path("bob.pem").write_bytes(to_pem(BOB.der))
    Path("chain.pem").write_bytes(to_pem(ISSUING.der))
    Path("content").write_bytes(CONTENT)
    sign = ["openssl", "cms", "-sign", "-in", "content", "-signer", "bob.pem", "-inkey", "bob.key"]
    for more in ([], ["-nodetach"], ["-keyid"]):
        run = subprocess.run([*sign, "-certfile", "chain.pem", *more], capture_output=True, check=True)
        assert "the signature is good" in trusting("smime", "verify", put(HEAD + run.stdout))
    run = subprocess.run(
        ["openssl", "cms", "-encrypt", "-aes256", "-in", "content", "bob.pem"], capture_output=True, check=True
    )
    assert f"{BOB.serial:x} of " in trusting("smime", "info", put(HEAD + run.stdout))


def test_a_file_that_is_not_there(shell):
    assert "nothing.eml" in shell.try_("smime", "verify", "nothing.eml").stderr
