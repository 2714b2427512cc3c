"""A small certificate authority for labs, demonstrations and tests.

Serial numbers, times and keys are arguments, so the same arguments give the same certificate (RSA; ECDSA signatures
are randomised). It is not meant for a company's real certificates.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from eas_server.pki.certificate import EMAIL_PROTECTION, KeyUse
from eas_server.pki.hostile import declared
from eas_server.pki.keys import PrivateKey, PrivateKeyError, PublicKey, usable_key

SERIAL_BYTES = 16
"""Of randomness in a serial number: unguessable, and far below the 20 octets that RFC 5280 (4.1.2.2) allows."""

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"

_LEGACY_ROUNDS = 2048
_MAX_COMMON_NAME = 64  # ub-common-name, RFC 5280 appendix A.1


class Purpose(StrEnum):
    SIGNING = "signing"
    ENCRYPTION = "encryption"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority: its certificate (DER) and its key."""

    certificate: bytes
    key: PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBundle:
    """What a PKCS#12 file holds; certificates are DER, the chain without the certificate itself."""

    certificate: bytes
    key: PrivateKey
    chain: tuple[bytes, ...]


def serial_from(random: bytes) -> int:
    """A positive serial number from at least SERIAL_BYTES of randomness."""
    if len(random) < SERIAL_BYTES:
        raise ValueError(f"{len(random)} random bytes are fewer than {SERIAL_BYTES}")
    return int.from_bytes(b"\x01" + random[:SERIAL_BYTES], "big")


def create_root(
    name: str,
    *,
    key: PrivateKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    path_length: int | None = 0,
) -> Authority:
    """A self-signed root; `path_length` authorities may follow below it, None: any number."""
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), serial, not_before, not_after)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(key_usage({KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN}), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    return Authority(certificate=certificate.public_bytes(serialization.Encoding.DER), key=key)


def issue_person(
    authority: Authority,
    *,
    name: str,
    addresses: Sequence[str],
    public_key: PublicKey,
    purpose: Purpose,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    extended_key_usage: Sequence[str] = (EMAIL_PROTECTION,),
    crl_url: str | None = None,
) -> bytes:
    """An S/MIME certificate (DER) for the mail `addresses` of a person, RFC 8550.

    `extended_key_usage` holds dotted OIDs; empty leaves the extension out. Internationalised local parts are not
    supported (they need SmtpUTF8Mailbox): ValueError.
    """
    builder = _issued(authority, _name(name), public_key, serial, not_before, not_after)
    usage = key_usage(person_uses(public_key, purpose))
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.RFC822Name(address) for address in addresses]), critical=False
    )
    return _finish(builder, authority, extended_key_usage, crl_url)


def issue_server(
    authority: Authority,
    *,
    hosts: Sequence[str],
    public_key: PublicKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """A TLS server certificate (DER) for host names and IP addresses, the first of which is the common name.

    Phones refuse one that is valid for more than 825 days (iOS, iPadOS and macOS, for roots added by the user).
    """
    names = [_host(host) for host in hosts]
    builder = _issued(authority, _name(hosts[0][:_MAX_COMMON_NAME]), public_key, serial, not_before, not_after)
    uses = {KeyUse.DIGITAL_SIGNATURE}
    if isinstance(public_key, rsa.RSAPublicKey):
        uses.add(KeyUse.KEY_ENCIPHERMENT)
    builder = builder.add_extension(key_usage(uses), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _finish(builder, authority, (SERVER_AUTH,), None)


def to_pkcs12(bundle: KeyBundle, *, password: bytes, name: str, legacy: bool = False) -> bytes:
    """A PKCS#12 file. `legacy`: 3DES and SHA-1, all that iOS and macOS before 2024 can import; otherwise AES-256."""
    protection: serialization.KeySerializationEncryption = serialization.BestAvailableEncryption(password)
    if legacy:
        protection = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(_LEGACY_ROUNDS)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())  # noqa: S303 - asked for by name, for devices that know nothing else
            .build(password)
        )
    return pkcs12.serialize_key_and_certificates(
        name.encode(),
        bundle.key,
        x509.load_der_x509_certificate(bundle.certificate),
        [x509.load_der_x509_certificate(certificate) for certificate in bundle.chain],
        protection,
    )


def from_pkcs12(pfx: bytes, *, password: bytes) -> KeyBundle:
    """Read a PKCS#12 file that holds a key with its certificate. Raises PrivateKeyError."""
    with declared(PrivateKeyError, "not a readable PKCS#12 file, or a wrong password"):
        key, certificate, chain = pkcs12.load_key_and_certificates(pfx, password)
        if certificate is None:
            raise PrivateKeyError("the PKCS#12 file holds no certificate for its key")
        der = serialization.Encoding.DER
        return KeyBundle(
            certificate=certificate.public_bytes(der),
            key=usable_key(key),
            chain=tuple(other.public_bytes(der) for other in chain),
        )


def to_pem(der: bytes) -> bytes:
    """The certificate as PEM. `der` must be a certificate: ValueError."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _issued(
    authority: Authority,
    subject: x509.Name,
    public_key: PublicKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    issuer = x509.load_der_x509_certificate(authority.certificate)
    builder = _builder(subject, issuer.subject, public_key, serial, not_before, not_after)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )


def _finish(
    builder: x509.CertificateBuilder, authority: Authority, purposes: Sequence[str], crl_url: str | None
) -> bytes:
    if purposes:
        oids = [x509.ObjectIdentifier(purpose) for purpose in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    if crl_url is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def person_uses(public_key: PublicKey, purpose: Purpose) -> set[KeyUse]:
    """What the key of a person may be used for: encryption by key encipherment (RSA) or key agreement (EC)."""
    uses: set[KeyUse] = set()
    if purpose is not Purpose.ENCRYPTION:
        uses.add(KeyUse.DIGITAL_SIGNATURE)
    if purpose is not Purpose.SIGNING:
        rsa_key = isinstance(public_key, rsa.RSAPublicKey)
        uses.add(KeyUse.KEY_ENCIPHERMENT if rsa_key else KeyUse.KEY_AGREEMENT)
    return uses


def key_usage(uses: set[KeyUse]) -> x509.KeyUsage:
    """The extension."""
    return x509.KeyUsage(
        digital_signature=KeyUse.DIGITAL_SIGNATURE in uses,
        content_commitment=KeyUse.NON_REPUDIATION in uses,
        key_encipherment=KeyUse.KEY_ENCIPHERMENT in uses,
        data_encipherment=KeyUse.DATA_ENCIPHERMENT in uses,
        key_agreement=KeyUse.KEY_AGREEMENT in uses,
        key_cert_sign=KeyUse.KEY_CERT_SIGN in uses,
        crl_sign=KeyUse.CRL_SIGN in uses,
        encipher_only=False,
        decipher_only=False,
    )
