"""Reading one certificate."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from eas_server.pki import certificate
from eas_server.pki.certificate import CertificateError, KeyAlgorithm, KeyUse, normal_address, parse, parse_cached
from tests.server.pki import der, key


def bare(*, subject: x509.Name, signer: object = None) -> bytes:
    """A self-signed certificate without any extension."""
    private = signer or key("bob")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    )
    digest = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(private, digest).public_bytes(Encoding.DER)


def test_everything_of_an_rsa_certificate() -> None:
    read = parse(der("bob"))
    assert read.der == der("bob")
    assert read.subject == "CN=Bob Example"
    assert read.issuer == "CN=Example Lab Root"
    assert read.serial == 20
    assert read.not_before == datetime(2023, 1, 1, tzinfo=UTC)
    assert read.not_after == datetime(2120, 1, 1, tzinfo=UTC)
    assert (read.key_algorithm, read.key_bits) == (KeyAlgorithm.RSA, 2048)
    assert read.key_usage == {KeyUse.DIGITAL_SIGNATURE, KeyUse.KEY_ENCIPHERMENT}
    assert read.extended_key_usage == {"1.3.6.1.5.5.7.3.4"}
    assert read.emails == ("bob@example.com",)
    assert not read.is_ca
    assert read.subject_key_id is not None
    assert read.authority_key_id == parse(der("root")).subject_key_id


def test_fingerprints_are_those_of_the_library() -> None:
    loaded = x509.load_der_x509_certificate(der("bob"))
    read = parse(der("bob"))
    assert read.sha256 == loaded.fingerprint(hashes.SHA256()).hex()
    assert read.sha1 == loaded.fingerprint(hashes.SHA1()).hex()


def test_an_ec_certificate_and_a_ca() -> None:
    dave, root = parse(der("dave")), parse(der("root"))
    assert (dave.key_algorithm, dave.key_bits) == (KeyAlgorithm.EC, 256)
    assert dave.key_usage == {KeyUse.DIGITAL_SIGNATURE, KeyUse.KEY_AGREEMENT}
    assert root.is_ca


def test_absent_extensions_restrict_nothing() -> None:
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "Bob"),
            x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, "Bob@Example.COM"),
        ]
    )
    read = parse(bare(subject=name))
    assert read.key_usage is None
    assert read.extended_key_usage is None
    assert read.emails == ("Bob@example.com",)
    assert read.may_encrypt()
    assert read.may_sign()
    assert read.may_protect_mail()
    assert read.subject_key_id is None
    assert read.authority_key_id is None


def test_other_keys_are_read_too() -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ed")])
    read = parse(bare(subject=name, signer=ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))))
    assert (read.key_algorithm, read.key_bits) == (KeyAlgorithm.OTHER, None)


def test_validity_includes_both_ends() -> None:
    bob = parse(der("bob-expired"))
    second = timedelta(seconds=1)
    assert bob.valid_at(bob.not_before)
    assert bob.valid_at(bob.not_after)
    assert not bob.valid_at(bob.not_before - second)
    assert not bob.valid_at(bob.not_after + second)


@pytest.mark.parametrize("asked", ["bob@example.com", "BOB@EXAMPLE.com", " bob@example.com. "])
def test_an_address_is_compared_without_regard_to_case(asked: str) -> None:
    assert parse(der("bob")).has_address(frozenset({"alice@example.com", asked}))


@pytest.mark.parametrize("asked", ["bob", "@example.com", "bob@example.org", "alice@example.com", ""])
def test_another_address_is_not_his(asked: str) -> None:
    assert not parse(der("bob")).has_address(frozenset({asked}))


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Bob@Example.COM", "Bob@example.com"),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("bob@" + "ü" * 70, "bob@" + "ü" * 70),
        ("bob", "bob"),
        ('"a@b"@example.com', '"a@b"@example.com'),
    ],
)
def test_normal_address(written: str, normal: str) -> None:
    assert normal_address(written) == normal


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"0",
        b"\x30\x00",
        b"not a certificate",
        der("bob")[:-1],
        der("bob") + b"\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x80" * 30_000,
    ],
    ids=["empty", "text", "empty sequence", "words", "cut", "trailing byte", "giant length", "nested"],
)
def test_broken_bytes_say_why(broken: bytes) -> None:
    with pytest.raises(CertificateError, match="not a readable certificate"):
        parse(broken)


def test_an_unreadable_extension_is_refused() -> None:
    spoilt = der("bob").replace(
        b"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03", b"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x13"
    )
    assert spoilt != der("bob")
    with pytest.raises(CertificateError):
        parse(spoilt)


def test_a_giant_is_not_even_parsed() -> None:
    with pytest.raises(CertificateError, match="more than"):
        parse(bytes(certificate.MAX_CERTIFICATE_BYTES + 1))


def test_the_cached_form_gives_the_same() -> None:
    assert parse_cached(der("bob")) is parse_cached(bytes(bytearray(der("bob"))))
    assert parse_cached(der("bob")) == parse(der("bob"))
