"""The corpus: every message has its golden index, and openssl finds its signatures and ciphertexts good."""

import subprocess

import pytest

from eas_server.render.mime import index_message
from tests.server.render import corpus, golden

SIGNED = [
    "clear-signed",
    "clear-signed-lf",
    "clear-signed-mixed",
    "clear-signed-trailing-space",
    "opaque-signed",
    "opaque-signed-stream",
    "triple",
    "opaque-triple",
]
ENCRYPTED = ["encrypted-cbc", "encrypted-gcm", "signed-encrypted"]


@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_index_is_the_golden_one(name: str) -> None:
    expected = (corpus.MAIL / f"{name}.txt").read_bytes().decode()
    assert golden.describe(corpus.message(name)) == expected


@pytest.mark.parametrize("name", corpus.NAMES)
def test_ranges_name_whole_parts(name: str) -> None:
    """A part ends where a delimiter begins, or with the message."""
    octets = corpus.message(name)
    index, _ = index_message(octets)
    for part in (*index.attachments, index.plain, index.html):
        if part is not None and part.end < len(octets):
            assert octets[part.end :].lstrip(b"\r\n").startswith(b"--")


def test_line_ends_are_as_the_names_say() -> None:
    assert b"\r" not in corpus.message("clear-signed-lf")
    mixed = corpus.message("clear-signed-mixed")
    assert mixed.count(b"\n") > mixed.count(b"\r\n") > 0
    assert b"spaces  \r\nand a tab\t\r\n" in corpus.message("clear-signed-trailing-space")


@pytest.mark.integration("openssl")
class TestOpenssl:
    @staticmethod
    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["openssl", "cms", *arguments], capture_output=True, check=False, cwd=corpus.MAIL)

    @pytest.mark.parametrize("name", SIGNED)
    def test_signatures_verify(self, name: str) -> None:
        ended = self.run("-verify", "-in", f"{name}.eml", "-noverify", "-certfile", "../pki/alice.der")
        assert ended.returncode == 0, ended.stderr

    @pytest.mark.parametrize("name", ENCRYPTED)
    def test_ciphertexts_open(self, name: str) -> None:
        ended = self.run("-decrypt", "-in", f"{name}.eml", "-recip", "../pki/bob.der", "-inkey", "../pki/bob.pem")
        assert ended.returncode == 0, ended.stderr
        assert b"Content-Type:" in ended.stdout

    def test_a_signature_of_something_else_fails(self) -> None:
        ended = self.run("-verify", "-in", "broken-signature.eml", "-noverify")
        assert ended.returncode != 0
