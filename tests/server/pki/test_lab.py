"""The lab's certificate authority, and the committed test PKI that it made."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from eas_server.pki.certificate import KeyUse, parse
from eas_server.pki.chain import leads_to_root
from eas_server.pki.keys import KeyKind, PrivateKeyError, generate_key, key_from_pem, key_to_pem
from eas_server.pki.lab import (
    SERIAL_BYTES,
    SERVER_AUTH,
    Authority,
    KeyBundle,
    Purpose,
    create_root,
    from_pkcs12,
    issue_person,
    issue_server,
    serial_from,
    to_pem,
    to_pkcs12,
)
from tests.server.pki import FIXTURES, declaration, der, key

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
LAB = Authority(certificate=der("root"), key=key("root"))
BOB = KeyBundle(certificate=der("bob"), key=key("bob"), chain=(der("root"),))


@pytest.mark.parametrize(
    ("holder", "purpose", "uses"),
    [
        ("bob", Purpose.SIGNING, {KeyUse.DIGITAL_SIGNATURE}),
        ("bob", Purpose.ENCRYPTION, {KeyUse.KEY_ENCIPHERMENT}),
        ("bob", Purpose.BOTH, {KeyUse.DIGITAL_SIGNATURE, KeyUse.KEY_ENCIPHERMENT}),
        ("dave", Purpose.ENCRYPTION, {KeyUse.KEY_AGREEMENT}),
        ("dave", Purpose.BOTH, {KeyUse.DIGITAL_SIGNATURE, KeyUse.KEY_AGREEMENT}),
    ],
)
def test_a_person(holder: str, purpose: Purpose, uses: set[KeyUse]) -> None:
    made = issue_person(
        LAB,
        name="Bob",
        addresses=["bob@example.com", "b@example.com"],
        public_key=key(holder).public_key(),
        purpose=purpose,
        serial=77,
        not_before=START,
        not_after=END,
        crl_url="http://lab.example/root.crl",
    )
    read = parse(made)
    assert (read.serial, read.not_before, read.not_after) == (77, START, END)
    assert read.emails == ("bob@example.com", "b@example.com")
    assert read.key_usage == uses
    assert leads_to_root(made, intermediates=[], roots=[der("root")], now=START)
    points = x509.load_der_x509_certificate(made).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name == [x509.UniformResourceIdentifier("http://lab.example/root.crl")]


@pytest.mark.parametrize("holder", ["bob", "dave"])
def test_a_server(holder: str) -> None:
    made = issue_server(
        LAB,
        hosts=["mail.example.com", "192.0.2.7", "2001:db8::1"],
        public_key=key(holder).public_key(),
        serial=78,
        not_before=START,
        not_after=END,
    )
    names = x509.load_der_x509_certificate(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.example.com"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.0.2.7"), ip_address("2001:db8::1")]
    assert parse(made).extended_key_usage == {SERVER_AUTH}
    assert not parse(made).is_ca


@pytest.mark.parametrize(("kind", "bits"), [(KeyKind.RSA_2048, 2048), (KeyKind.RSA_3072, 3072), (KeyKind.EC_P256, 256)])
def test_a_root_of_each_kind_of_key(kind: KeyKind, bits: int) -> None:
    root = create_root("Lab", key=generate_key(kind), serial=1, not_before=START, not_after=END)
    read = parse(root.certificate)
    assert read.is_ca
    assert read.key_bits == bits
    assert read.key_usage == {KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN}
    assert read.subject == read.issuer == "CN=Lab"


def test_serial_numbers_are_positive_and_not_too_long() -> None:
    assert serial_from(bytes(SERIAL_BYTES)) > 0
    assert serial_from(b"\xff" * 64).bit_length() <= 159
    assert serial_from(b"\x01" * SERIAL_BYTES) != serial_from(b"\x02" * SERIAL_BYTES)
    with pytest.raises(ValueError, match="fewer"):
        serial_from(b"short")


@pytest.mark.parametrize("legacy", [False, True])
def test_pkcs12_there_and_back(legacy: bool) -> None:
    pfx = to_pkcs12(BOB, password=b"secret", name="Bob Example", legacy=legacy)
    read = from_pkcs12(pfx, password=b"secret")
    assert (read.certificate, read.chain) == (BOB.certificate, BOB.chain)
    assert key_to_pem(read.key) == key_to_pem(BOB.key)
    with pytest.raises(PrivateKeyError):
        from_pkcs12(pfx, password=b"wrong")


def test_pkcs12_without_a_certificate_for_its_key() -> None:
    pfx = pkcs12.serialize_key_and_certificates(b"Bob", key("bob"), None, None, BestAvailableEncryption(b"secret"))
    with pytest.raises(PrivateKeyError, match="no certificate"):
        from_pkcs12(pfx, password=b"secret")


def test_keys_there_and_back() -> None:
    locked = key_to_pem(key("dave"), password=b"secret")
    assert b"ENCRYPTED" in locked
    assert key_to_pem(key_from_pem(locked, b"secret")) == key_to_pem(key("dave"))
    for broken, password in ((locked, b"wrong"), (locked, None), (b"garbage", None), (b"", None)):
        with pytest.raises(PrivateKeyError):
            key_from_pem(broken, password)


def test_keys_of_other_kinds_are_refused() -> None:
    pem = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    with pytest.raises(PrivateKeyError, match="neither"):
        key_from_pem(pem + b"-----END PRIVATE KEY-----\n")


def test_the_committed_pki_is_what_its_script_declares() -> None:
    made = declaration().files()
    assert {name: (FIXTURES / name).read_bytes() for name in made} == made
    assert to_pem(made["root.der"]).startswith(b"-----BEGIN CERTIFICATE-----")
