"""Bytes from strangers: every reader gives a value or its own error, and nothing else."""

import base64
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.pki.certificate import CertificateError, parse
from eas_server.pki.cms import CmsError, Reference
from eas_server.pki.directory_blobs import BlobError, certificates_in, certificates_of
from eas_server.pki.enveloped_data import ContentCipher, build_enveloped_data, open_enveloped_data
from eas_server.pki.hostile import declared
from eas_server.pki.keys import PrivateKeyError, key_from_pem
from eas_server.pki.lab import from_pkcs12
from eas_server.pki.select import select
from eas_server.pki.signed_data import build_signed_data, read_signed_data
from eas_server.pki.smime import SmimeError, decrypt, encrypt, sign_detached, sign_opaque, verify
from tests.server.pki import FIXTURES, declaration, der, key, user_smime

NOW = declaration().NOW
CONTENT = b"Content-Type: text/plain\r\n\r\nhello\r\n"

READERS: dict[str, Callable[[bytes], object]] = {
    "parse": parse,
    "certificates_in": certificates_in,
    "certificates_of": lambda value: select(
        certificates_of([value], [value]), addresses=frozenset({"bob@example.com"}), now=NOW
    ),
    "read_signed_data": read_signed_data,
    "open_enveloped_data": lambda value: open_enveloped_data(value, certificate=der("alice"), key=key("alice")),
    "open_enveloped_data ec": lambda value: open_enveloped_data(value, certificate=der("dave"), key=key("dave")),
    "verify": lambda value: verify(value, [der("root")], NOW),
    "verify body": lambda value: verify(in_mime(value), [der("root")], NOW),
    "decrypt": lambda value: decrypt(value, key("alice"), der("alice")),
    "key_from_pem": key_from_pem,
    "from_pkcs12": lambda value: from_pkcs12(value, password=b""),
    "Reference.names": lambda value: Reference(key_id=b"x").names(value),
}
DECLARED = (CertificateError, BlobError, CmsError, SmimeError, PrivateKeyError)

SEEDS = (
    der("bob"),
    der("dave"),
    user_smime("erin"),
    (FIXTURES / "dave.pem").read_bytes(),
    build_signed_data(CONTENT, certificate=der("alice"), key=key("alice"), detached=False, signing_time=NOW),
    build_enveloped_data(CONTENT, recipients=[der("alice"), der("dave")], cipher=ContentCipher.AES_128_CBC),
    build_enveloped_data(CONTENT, recipients=[der("dave"), der("alice")], cipher=ContentCipher.AES_256_GCM),
    sign_detached(CONTENT, der("alice"), key("alice")),
    sign_opaque(CONTENT, der("dave"), key("dave")),
    encrypt(CONTENT, [der("alice")]),
    base64.b64encode(der("bob")),
)


def in_mime(blob: bytes) -> bytes:
    return b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(blob)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Something valid with a few octets changed, taken out or put in: it gets past the first checks."""
    value = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(value)))
        cut = draw(st.integers(0, 3))
        value[at : at + cut] = draw(st.binary(max_size=3))
    return bytes(value)


@pytest.mark.parametrize("reader", READERS)
@given(value=st.one_of(st.binary(max_size=200), spoilt()))
@settings(max_examples=60, deadline=None)
def test_nothing_but_the_declared_errors(reader: str, value: bytes) -> None:
    with suppress(*DECLARED):
        READERS[reader](value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "value",
    [
        b"\x30\x80" * 60_000,
        b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80" + b"\x30\x80" * 60_000,
        b"\x30\x84\x7f\xff\xff\xff" + bytes(60_000),
        b"\x05\x00" * 60_000,
        b"\x24\x80" * 60_000,
        b"-----BEGIN CERTIFICATE-----" * 5_000,
        b"A" * 200_000,
        b"Content-Type: multipart/signed; boundary=x\r\n\r\n" + b"--x\r\n" * 30_000,
        b"Content-Type: multipart/signed; boundary=" + b"x" * 100_000,
    ],
    ids=["nested", "nested in CMS", "giant length", "siblings", "nested octets", "PEM", "As", "delimiters", "boundary"],
)
def test_bombs(reader: str, value: bytes) -> None:
    with suppress(*DECLARED):
        READERS[reader](value)


def test_the_fence_lets_its_own_error_through_and_wraps_others() -> None:
    with pytest.raises(CmsError, match=r"^mine$"), declared(CmsError, "outer"):
        raise CmsError("mine")
    with pytest.raises(CmsError, match=r"^outer: ZeroDivisionError"), declared(CmsError, "outer"):
        _ = 1 // 0
