"""What SignedData and EnvelopedData share (RFC 5652): naming certificates, plain object identifiers, the error."""

from dataclasses import dataclass
from functools import lru_cache

from asn1crypto import cms, core, parser
from asn1crypto import x509 as asn1_x509
from cryptography import x509

from eas_server.pki.certificate import CACHED_CERTIFICATES
from eas_server.pki.hostile import declared

SEQUENCE = 0x30
SET = 0x31

_OCTET_STRING = 0x04
_SEQUENCE_TAG = 16
_SHORT_LENGTH = 0x80


class CmsError(ValueError):
    """The bytes are not the CMS structure that was asked for, or it cannot be worked with; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How CMS names a certificate: by issuer (DER Name) and serial number, or by subject key identifier."""

    issuer: bytes | None = None
    serial: int | None = None
    key_id: bytes | None = None

    def names(self, certificate: bytes) -> bool:
        """Whether it names this DER certificate; False for bytes that are no certificate."""
        try:
            named = reference_to(certificate)
        except CmsError:
            return False
        if self.key_id is not None:
            return self.key_id == named.key_id
        return (self.issuer, self.serial) == (named.issuer, named.serial)


@lru_cache(maxsize=CACHED_CERTIFICATES)
def reference_to(certificate: bytes) -> Reference:
    """All the ways to name this certificate. Raises CmsError where it is none."""
    with declared(CmsError, "not a certificate"):
        parsed = asn1_x509.Certificate.load(certificate, strict=True)
        fields = parsed["tbs_certificate"]
        return Reference(
            issuer=fields["issuer"].dump(), serial=fields["serial_number"].native, key_id=parsed.key_identifier
        )


def issuer_and_serial(certificate: bytes) -> cms.IssuerAndSerialNumber:
    """The asn1crypto value that names this certificate. Raises CmsError where it is none."""
    with declared(CmsError, "not a certificate"):
        fields = asn1_x509.Certificate.load(certificate, strict=True)["tbs_certificate"]
        return cms.IssuerAndSerialNumber({"issuer": fields["issuer"], "serial_number": fields["serial_number"]})


def from_issuer_and_serial(value: cms.IssuerAndSerialNumber) -> Reference:
    """The Reference in an asn1crypto IssuerAndSerialNumber."""
    return Reference(issuer=value["issuer"].dump(), serial=value["serial_number"].native)


def load_certificate(der: bytes) -> x509.Certificate:
    """The library's certificate object. Raises CmsError."""
    with declared(CmsError, "not a certificate"):
        return x509.load_der_x509_certificate(der)


def load_content_info(blob: bytes, content_type: str) -> core.Asn1Value:
    """The content of a ContentInfo that must be of the asn1crypto type name `content_type`. Raises CmsError.

    asn1crypto parses lazily: reading fields of the result can still fail, so that belongs inside `declared` as well.
    """
    with declared(CmsError, f"not CMS {content_type}"):
        info = cms.ContentInfo.load(blob, strict=True)
        if info["content_type"].native != content_type:
            raise CmsError(f"CMS content is {info['content_type'].native}, not {content_type}")
        return info["content"]


def is_content_info(blob: bytes) -> bool:
    """Whether it begins like a ContentInfo: a SEQUENCE whose first member is an OBJECT IDENTIFIER."""
    try:
        _, _, tag, _, contents, _ = parser.parse(blob)
        return bool(tag == _SEQUENCE_TAG and contents[:1] == b"\x06")
    except ValueError:
        return False


def tlv(tag: int, *contents: bytes) -> bytes:
    """One DER value with a single-byte tag."""
    body = b"".join(contents)
    if len(body) < _SHORT_LENGTH:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT_LENGTH | len(size))) + size + body


def octets(value: bytes) -> bytes:
    """A DER OCTET STRING."""
    return tlv(_OCTET_STRING, value)
