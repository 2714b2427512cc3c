"""Requests for certificates ([RFC 2986]), for an authority that issues S/MIME certificates ([RFC 8550])."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eas_server.pki.keys import PrivateKey
from eas_server.pki.lab import Purpose, key_usage, person_uses

MAX_COMMON_NAME = 64
"""Characters of a common name ([RFC 5280] A.1, ub-common-name)."""


def build_request(*, name: str, addresses: Sequence[str], key: PrivateKey, purpose: Purpose) -> bytes:
    """A signed request (DER) for a person's certificate.

    It asks for what the certificate is to say: the addresses as subjectAltName, KeyUsage for the purpose, and mail as
    ExtendedKeyUsage. An authority may do otherwise. Raises ValueError for an address that is not in ASCII.
    """
    usage = key_usage(person_uses(key.public_key(), purpose))
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:MAX_COMMON_NAME])]))
    names = x509.SubjectAlternativeName([x509.RFC822Name(address) for address in addresses])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
