"""Certificates and keys from files, in whatever form they come."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eas_server.cli.arguments import read_file
from eas_server.cli.opening import Failed
from eas_server.pki.certificate import CertificateError, ParsedCertificate, parse
from eas_server.pki.directory_blobs import BlobError, certificates_in
from eas_server.pki.keys import PrivateKey, PrivateKeyError, key_from_pem
from eas_server.pki.lab import from_pkcs12

AskPassword = Callable[[str], bytes]
"""Asks for the password of what its argument names."""

_PEM_KEY = b"PRIVATE KEY-----"
_PFX_VERSION = b"\x02\x01\x03"
"""What a PKCS#12 begins with inside its SEQUENCE: INTEGER 3 (RFC 7292, 4); certificates and PKCS#7 do not."""
_SEQUENCE = b"\x30"
_LONG_FORM = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFile:
    """What a file holds: the owner's certificate, its issuers', and its key where the file has it."""

    certificate: ParsedCertificate
    chain: tuple[bytes, ...]
    key: PrivateKey | None
    others: tuple[ParsedCertificate, ...] = ()
    """Further certificates that are no authority's."""

    @property
    def people(self) -> tuple[ParsedCertificate, ...]:
        """All certificates that are no authority's."""
        return (self.certificate, *self.others)


def read_certificates(path: Path, ask: AskPassword) -> FromFile:
    """Read PEM, DER, base64, PKCS#7 or PKCS#12. Raises Failed, OSError."""
    octets = read_file(path)
    if is_pkcs12(octets):
        try:
            bundle = from_pkcs12(octets, password=ask(str(path)))
        except PrivateKeyError as error:
            raise Failed(f"{path}: {error}") from None
        return FromFile(certificate=_parsed(path, bundle.certificate), chain=bundle.chain, key=bundle.key)
    try:
        found = [_parsed(path, der) for der in certificates_in(octets)]
    except BlobError as error:
        raise Failed(f"{path}: {error}: PEM, DER, PKCS#7 and PKCS#12 can be read") from None
    people = [certificate for certificate in found if not certificate.is_ca]
    if not people:
        raise Failed(f"{path} holds certificates of authorities only, none of a person")
    return FromFile(
        certificate=people[0],
        others=tuple(people[1:]),
        chain=tuple(certificate.der for certificate in found if certificate.is_ca),
        key=None,
    )


def read_key(path: Path, ask: AskPassword) -> PrivateKey:
    """Read a private key, PEM (encrypted or not) or out of a PKCS#12. Raises Failed, OSError."""
    octets = read_file(path)
    try:
        if is_pkcs12(octets):
            return from_pkcs12(octets, password=ask(str(path))).key
        encrypted = b"ENCRYPTED" in octets
        return key_from_pem(octets, ask(str(path)) if encrypted else None)
    except PrivateKeyError as error:
        raise Failed(f"{path}: {error}") from None


def has_pem_key(path: Path) -> bool:
    """Whether a PEM file holds a private key beside what is read from it."""
    return _PEM_KEY in read_file(path)


def is_pkcs12(octets: bytes) -> bool:
    """Whether octets begin as a PKCS#12 does, DER or BER."""
    tag, length, content = octets[:1], octets[1:2], octets[2:]
    if tag != _SEQUENCE or not length:
        return False
    return content[max(0, length[0] - _LONG_FORM) :].startswith(_PFX_VERSION)


def _parsed(path: Path, der: bytes) -> ParsedCertificate:
    try:
        return parse(der)
    except CertificateError as error:
        raise Failed(f"{path}: {error}") from None
