"""What is read out of one X.509 certificate (RFC 5280), as an immutable value."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eas_server.pki.hostile import declared

MAX_CERTIFICATE_BYTES = 64 * 1024
"""No certificate that a mail client takes comes near it; more is not parsed at all."""

CACHED_CERTIFICATES = 4096
MAX_CACHED_BYTES = 4096
"""Larger certificates are read anew each time: those of people have half as many octets, and strangers send what they
like."""

EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
ANY_PURPOSE = "2.5.29.37.0"


class CertificateError(ValueError):
    """The bytes are not one DER certificate that can be read; the text says why, for the log."""


class KeyAlgorithm(StrEnum):
    RSA = "RSA"
    EC = "EC"
    OTHER = "other"


class KeyUse(StrEnum):
    """The bits of KeyUsage (RFC 5280, 4.2.1.3)."""

    DIGITAL_SIGNATURE = "digitalSignature"
    NON_REPUDIATION = "nonRepudiation"
    KEY_ENCIPHERMENT = "keyEncipherment"
    DATA_ENCIPHERMENT = "dataEncipherment"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"
    CRL_SIGN = "cRLSign"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCertificate:
    """One certificate.

    `sha256` and `sha1` are lower-case hexadecimal digests of `der`. `subject` and `issuer` are RFC 4514 strings for
    people; compare names by bytes elsewhere. `not_before` and `not_after` are aware, UTC, and both inclusive.
    `key_bits` is None for keys other than RSA and EC. `key_usage` and `extended_key_usage` (dotted OIDs) are None
    where the extension is absent: then the key is not restricted. `emails` holds the rfc822Name alternative names
    and the emailAddress attributes of the subject, in that order, with the domain in lower case and the local part
    as written; `has_address` compares without regard to case. Internationalised local parts (SmtpUTF8Mailbox, RFC 8398)
    are not read.
    """

    der: bytes = field(repr=False)
    sha256: str
    sha1: str
    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    key_algorithm: KeyAlgorithm
    key_bits: int | None
    key_usage: frozenset[KeyUse] | None
    extended_key_usage: frozenset[str] | None
    emails: tuple[str, ...]
    is_ca: bool
    subject_key_id: bytes | None
    authority_key_id: bytes | None

    def valid_at(self, moment: datetime) -> bool:
        return self.not_before <= moment <= self.not_after

    def has_address(self, addresses: frozenset[str]) -> bool:
        """Whether it names one of `addresses`.

        RFC 8550 (3) has the local part compared exactly, but no mail system in use tells Bob@ from bob@, and
        directories and certificate authorities write either: so case counts on neither side of the @.
        """
        wanted = {normal_address(address).casefold() for address in addresses}
        return any(email.casefold() in wanted for email in self.emails)

    def may_encrypt(self) -> bool:
        """KeyUsage allows encrypting to this key: keyEncipherment or keyAgreement, or no KeyUsage at all."""
        return self.key_usage is None or bool(self.key_usage & {KeyUse.KEY_ENCIPHERMENT, KeyUse.KEY_AGREEMENT})

    def may_sign(self) -> bool:
        """KeyUsage allows signing mail: digitalSignature or nonRepudiation, or no KeyUsage at all."""
        return self.key_usage is None or bool(self.key_usage & {KeyUse.DIGITAL_SIGNATURE, KeyUse.NON_REPUDIATION})

    def may_protect_mail(self) -> bool:
        """ExtendedKeyUsage allows mail: emailProtection or any, or no ExtendedKeyUsage at all (RFC 8550, 4.4.4)."""
        return self.extended_key_usage is None or bool(self.extended_key_usage & {EMAIL_PROTECTION, ANY_PURPOSE})


def parse(der: bytes) -> ParsedCertificate:
    """Read one DER certificate. Raises CertificateError, and nothing else, for anything that is not one."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"{len(der)} bytes are more than {MAX_CERTIFICATE_BYTES}")
    with declared(CertificateError, "not a readable certificate"):
        certificate = x509.load_der_x509_certificate(der)
        algorithm, bits = _key(certificate)
        extensions = certificate.extensions
        return ParsedCertificate(
            der=der,
            sha256=hashlib.sha256(der).hexdigest(),
            sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial=certificate.serial_number,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            key_algorithm=algorithm,
            key_bits=bits,
            key_usage=_key_usage(extensions),
            extended_key_usage=_extended_key_usage(extensions),
            emails=_emails(certificate.subject, extensions),
            is_ca=_is_ca(extensions),
            subject_key_id=_subject_key_id(extensions),
            authority_key_id=_authority_key_id(extensions),
        )


def parse_cached(der: bytes) -> ParsedCertificate:
    """`parse`, remembering what it made of the last CACHED_CERTIFICATES values of a usual size, but no failures."""
    return _parse_remembered(der) if len(der) <= MAX_CACHED_BYTES else parse(der)


_parse_remembered = lru_cache(maxsize=CACHED_CERTIFICATES)(parse)


def normal_address(address: str) -> str:
    """The address without surrounding space, its domain in lower case and ASCII form, its local part as it is."""
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return domain
    domain = domain.lower().rstrip(".")
    if not domain.isascii():
        with suppress(UnicodeError):  # no such domain exists: comparing it as written is as good as anything
            domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}"


def _key(certificate: x509.Certificate) -> tuple[KeyAlgorithm, int | None]:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return KeyAlgorithm.OTHER, None
    match key:
        case rsa.RSAPublicKey():
            return KeyAlgorithm.RSA, key.key_size
        case ec.EllipticCurvePublicKey():
            return KeyAlgorithm.EC, key.key_size
        case _:
            return KeyAlgorithm.OTHER, None


def _key_usage(extensions: x509.Extensions) -> frozenset[KeyUse] | None:
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    bits = {
        KeyUse.DIGITAL_SIGNATURE: usage.digital_signature,
        KeyUse.NON_REPUDIATION: usage.content_commitment,
        KeyUse.KEY_ENCIPHERMENT: usage.key_encipherment,
        KeyUse.DATA_ENCIPHERMENT: usage.data_encipherment,
        KeyUse.KEY_AGREEMENT: usage.key_agreement,
        KeyUse.KEY_CERT_SIGN: usage.key_cert_sign,
        KeyUse.CRL_SIGN: usage.crl_sign,
    }
    return frozenset(use for use, is_set in bits.items() if is_set)


def _extended_key_usage(extensions: x509.Extensions) -> frozenset[str] | None:
    try:
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return frozenset(oid.dotted_string for oid in usage)


def _emails(subject: x509.Name, extensions: x509.Extensions) -> tuple[str, ...]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.RFC822Name)
    except x509.ExtensionNotFound:
        found = []
    attributes = subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS)
    written = [*found, *(str(attribute.value) for attribute in attributes)]
    return tuple(dict.fromkeys(normal_address(address) for address in written))


def _is_ca(extensions: x509.Extensions) -> bool:
    try:
        return extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _subject_key_id(extensions: x509.Extensions) -> bytes | None:
    try:
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _authority_key_id(extensions: x509.Extensions) -> bytes | None:
    try:
        return extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None
