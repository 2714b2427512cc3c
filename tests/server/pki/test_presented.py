"""What a Certificate element may hold."""

import base64
import textwrap
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from eas_server.pki.certificate import CertificateError
from eas_server.pki.presented import MAX_PRESENTED_BYTES, MAX_PRESENTED_CERTIFICATES, read_presented
from eas_server.pki.signed_data import build_signed_data
from tests.server.pki.making import Entity, authority, person

ROOT = authority("Root")
ISSUING = authority("Issuing", ROOT)
BOB = person(ISSUING)
PEM = serialization.Encoding.PEM


def pem(*entities: Entity) -> bytes:
    return b"".join(entity.certificate.public_bytes(PEM) for entity in entities)


def degenerate(*entities: Entity, encoding: serialization.Encoding = serialization.Encoding.DER) -> bytes:
    return pkcs7.serialize_certificates([entity.certificate for entity in entities], encoding)


def wrapped(octets: bytes) -> bytes:
    """Base64 in lines, as mailers write it."""
    return "\r\n".join(textwrap.wrap(base64.b64encode(octets).decode(), 64)).encode() + b"\r\n"


DRESSES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda octets: octets,
    "base64": base64.b64encode,
    "base64 in lines": wrapped,
    "base64 without padding": lambda octets: base64.b64encode(octets).rstrip(b"="),
    "base64 twice": lambda octets: base64.b64encode(base64.b64encode(octets)),
    "base64 three times": lambda octets: wrapped(wrapped(base64.b64encode(octets))),
}


@pytest.mark.requirement("MS-ASCMD_R844", "MS-ASCMD_R1117")
@pytest.mark.parametrize("dress", list(DRESSES))
@pytest.mark.parametrize("kind", ["der", "pem", "bundle", "pkcs7", "pkcs7 pem", "signed"])
def test_every_form_in_every_dress(dress: str, kind: str) -> None:
    signed = build_signed_data(b"", certificate=BOB.der, key=BOB.key, chain=[ROOT.der, ISSUING.der], detached=True)
    octets = {
        "der": BOB.der,
        "pem": pem(BOB),
        "bundle": pem(ROOT, BOB, ISSUING),
        "pkcs7": degenerate(ROOT, ISSUING, BOB),
        "pkcs7 pem": degenerate(ROOT, ISSUING, BOB, encoding=PEM),
        "signed": signed,
    }[kind]
    found = read_presented(DRESSES[dress](octets))
    assert found.certificate == BOB.der
    assert set(found.chain) == (set() if kind in {"der", "pem"} else {ROOT.der, ISSUING.der})


def test_of_signed_data_the_signer_is_meant() -> None:
    carol = person(ISSUING, "Carol")
    signed = build_signed_data(b"", certificate=carol.der, key=carol.key, chain=[BOB.der, ISSUING.der], detached=True)
    found = read_presented(signed)
    assert (found.certificate, set(found.chain)) == (carol.der, {BOB.der, ISSUING.der})


def test_where_there_are_authorities_only_the_first_is_meant() -> None:
    assert read_presented(degenerate(ISSUING, ROOT)).certificate in {ISSUING.der, ROOT.der}
    assert read_presented(pem(ISSUING, ROOT)).certificate == ISSUING.der


def test_text_around_pem_does_not_matter() -> None:
    assert read_presented(b"Bag Attributes\n  friendlyName: bob\n" + pem(BOB) + b"\n# end\n").certificate == BOB.der


def test_der_that_ends_with_blanks_is_left_alone() -> None:
    assert read_presented(BOB.der + b" \n").certificate == BOB.der + b" \n"


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b" \r\n",
        b"!",
        b"TUlJQ1lqQ0NBY3VnQXdJQkFnSVVZR3M4alpiWDBWeGpPYnU0bncwhQ==",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n"[:20],
        b"A" * (MAX_PRESENTED_BYTES + 1),
        base64.b64encode(base64.b64encode(base64.b64encode(base64.b64encode(base64.b64encode(b"x"))))),
        "ümlaut".encode(),
        bytes(range(256)),
        pem(BOB) * 1 + b"-----BEGIN CERTIFICATE-----\nM\n-----END CERTIFICATE-----\n",
        pem(BOB) * (MAX_PRESENTED_CERTIFICATES + 1),
    ],
)
def test_what_cannot_be_read_is_refused(blob: bytes) -> None:
    with pytest.raises(CertificateError):
        read_presented(blob)


@given(st.binary(max_size=200) | st.text(alphabet="MI+/=-BEGIN \n").map(str.encode))
def test_any_octets_are_read_or_refused(blob: bytes) -> None:
    try:
        found = read_presented(blob)
    except CertificateError:
        return
    assert isinstance(found.certificate, bytes)


@given(st.data())
def test_a_spoilt_bundle_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(degenerate(ROOT, ISSUING, BOB))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_presented(bytes(whole))
    except CertificateError:
        return
