"""What somebody presents as a certificate: DER, PEM, PKCS#7, and any of them in base64, even twice."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from eas_server.pki.certificate import CertificateError, parse_cached
from eas_server.pki.cms import SEQUENCE, CmsError, is_content_info
from eas_server.pki.signed_data import SignedData, read_signed_data

MAX_PRESENTED_BYTES: Final = 512 * 1024
"""Of what is presented, in whatever dress; more is not looked at."""
MAX_PRESENTED_CERTIFICATES: Final = 64
"""In one PKCS#7 or PEM bundle."""

_MAX_LAYERS: Final = 4
"""PEM or base64 around base64 around base64 around DER: nobody was seen to wrap more than twice."""
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----")
_PEM_BEGIN: Final = b"-----BEGIN "
_PEM_CERTIFICATE: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
_PEM_PKCS7: Final = frozenset({b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"})
_WHITE: Final = re.compile(rb"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """`certificate` is the one that is meant, `chain` what came along with it: all DER, none of it checked."""

    certificate: bytes
    chain: tuple[bytes, ...] = ()


def read_presented(blob: bytes) -> Presented:
    """The certificate in `blob`, with its company. Raises CertificateError, and nothing else, where there is none.

    Of a SignedData the signer's certificate is meant; without signers, and in a bundle of PEM blocks, the first that
    is no authority's. DER comes back whether or not it can be read as a certificate.
    """
    if len(blob) > MAX_PRESENTED_BYTES:
        raise CertificateError(f"{len(blob)} bytes are more than {MAX_PRESENTED_BYTES}")
    for _ in range(_MAX_LAYERS):
        if blob[:1] == bytes((SEQUENCE,)):  # before anything is stripped: DER may well end with what looks like a blank
            return _from_der(blob)
        if _PEM_BEGIN in blob:
            return _from_pem(blob)
        blob = _from_base64(blob)
    raise CertificateError("wrapped in too many layers of base64")


def _from_base64(text: bytes) -> bytes:
    packed = _WHITE.sub(b"", text)
    if not packed:
        raise CertificateError("nothing is there")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error as error:
        raise CertificateError(f"neither DER nor PEM nor base64: {error}") from error


def _from_der(der: bytes) -> Presented:
    if not is_content_info(der):
        return Presented(certificate=der)
    try:
        signed = read_signed_data(der)
    except CmsError as error:
        raise CertificateError(str(error)) from error
    return _of_bundle(signed.certificates, _signer(signed))


def _from_pem(text: bytes) -> Presented:
    found: list[bytes] = []
    for label, body in _PEM.findall(text):
        if label in _PEM_CERTIFICATE:
            found.append(_from_base64(body))
        elif label in _PEM_PKCS7:
            return _from_der(_from_base64(body))
    return _of_bundle(tuple(found), None)


def _signer(signed: SignedData) -> bytes | None:
    if not signed.signers:
        return None
    signer = signed.signers[0].signer
    return next((der for der in signed.certificates[:MAX_PRESENTED_CERTIFICATES] if signer.names(der)), None)


def _of_bundle(certificates: tuple[bytes, ...], signer: bytes | None) -> Presented:
    if not certificates:
        raise CertificateError("no certificate is in it")
    if len(certificates) > MAX_PRESENTED_CERTIFICATES:
        raise CertificateError(f"more than {MAX_PRESENTED_CERTIFICATES} certificates are in it")
    meant = signer if signer is not None else _leaf(certificates)
    return Presented(certificate=meant, chain=tuple(der for der in dict.fromkeys(certificates) if der != meant))


def _leaf(certificates: tuple[bytes, ...]) -> bytes:
    """The first that is no authority's; the first of all where there are only authorities, or nothing readable."""
    for der in certificates:
        try:
            if not parse_cached(der).is_ca:
                return der
        except CertificateError:
            continue
    return certificates[0]
