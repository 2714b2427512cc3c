"""Certificates in the forms that directories and people keep them in.

userCertificate holds DER certificates. userSMIMECertificate (RFC 2798, 2.8) holds SignedData with the owner's chain,
or, from Exchange, the blocks of [MS-OXOABK] 2.2.4.36. Everything else that is met in a file or a paste, PEM or base64
or PKCS#7, is taken apart by `certificates_in`.
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from eas_server.pki.certificate import CertificateError, ParsedCertificate, parse_cached
from eas_server.pki.cms import CmsError, Reference, is_content_info
from eas_server.pki.keys import PrivateKey
from eas_server.pki.select import Candidate, Source
from eas_server.pki.signed_data import SignedData, build_signed_data, read_signed_data

MAX_BLOB_BYTES = 256 * 1024
"""One directory value or one pasted text; a chain of four is about 6 kB."""

MAX_CERTIFICATES = 64
"""Taken out of one value; the rest is ignored."""

CACHED_VALUES = 1024
"""Values of userSMIMECertificate remembered with what was found in them: taking one apart costs a millisecond."""

MAX_WRAPPINGS = 3
"""Layers of PEM and base64 taken off: clients send base64 of base64, and base64 of PEM."""

_DER_SEQUENCE = 0x30
_TLV_HEADER = struct.Struct("<HH")  # tag, length with these four bytes: [MS-OXOABK] 2.2.4.36, little-endian assumed
_PEM = re.compile(
    rb"-----BEGIN (?P<label>X509 CERTIFICATE|TRUSTED CERTIFICATE|CERTIFICATE|PKCS7|CMS)-----"
    rb"(?P<body>[A-Za-z0-9+/=\s]*)-----END (?P=label)-----"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+=*\s*")


class BlobError(ValueError):
    """No certificate can be found in the bytes; the text says why."""


def certificates_of(user_certificate: Sequence[bytes], user_smime_certificate: Sequence[bytes]) -> list[Candidate]:
    """The candidates in the values of the two directory attributes, userSMIMECertificate first.

    A value in which no certificate can be found becomes a candidate as it is, so that `select` refuses it as
    UNPARSABLE and the log shows it.
    """
    candidates = [candidate for value in user_smime_certificate for candidate in _remembered(value)]
    candidates += [Candidate(der=value, source=Source.USER_CERTIFICATE) for value in user_certificate]
    return candidates


def certificates_in(blob: bytes) -> list[bytes]:
    """The DER certificates in DER, PEM, base64 (also twice) or PKCS#7 in any of these; the owner's comes first.

    At least one, at most MAX_CERTIFICATES. A single value that looks like a certificate is returned unread, for
    `certificate.parse` tells better what is wrong with it. Raises BlobError.
    """
    if len(blob) > MAX_BLOB_BYTES:
        raise BlobError(f"{len(blob)} bytes are more than {MAX_BLOB_BYTES}")
    found = list(dict.fromkeys(_unwrapped(blob, MAX_WRAPPINGS)))[:MAX_CERTIFICATES]
    if not found:
        raise BlobError("no certificate in it")
    return found


def build_user_smime_certificate(
    certificate: bytes,
    private_key: PrivateKey,
    chain: Sequence[bytes],
    now: datetime,
    *,
    encryption_certificate: bytes | None = None,
) -> bytes:
    """A value for userSMIMECertificate: SignedData without content, with smimeCapabilities and key preference.

    Signed by `private_key` of `certificate`; `encryption_certificate` is the one to encrypt to where that is another.
    RFC 2798 (2.8) recommends a content type of data with the content left out. Raises CmsError.
    """
    return build_signed_data(
        b"",
        certificate=certificate,
        key=private_key,
        chain=chain,
        detached=True,
        signing_time=now,
        encryption_certificate=encryption_certificate or certificate,
    )


@lru_cache(maxsize=CACHED_VALUES)
def _remembered(value: bytes) -> tuple[Candidate, ...]:
    return tuple(_smime_candidates(value))


def _smime_candidates(value: bytes) -> list[Candidate]:
    source = Source.USER_SMIME_CERTIFICATE
    if len(value) > MAX_BLOB_BYTES or not value:
        return [Candidate(der=value[:MAX_BLOB_BYTES], source=source)]
    if value[0] == _DER_SEQUENCE and not is_content_info(value):
        return [Candidate(der=value, source=source)]
    if value[0] != _DER_SEQUENCE:
        blocks = tuple(_tlv_certificates(value))[:MAX_CERTIFICATES]
        chain = blocks if len(blocks) > 1 else ()
        found = [Candidate(der=der, source=source, chain=chain) for der in blocks]
        return found or [Candidate(der=value, source=source)]
    try:
        signed = read_signed_data(value)
    except CmsError:
        return [Candidate(der=value, source=source)]
    marked, others = owners_in(signed)
    chain = signed.certificates[:MAX_CERTIFICATES] if len(signed.certificates) > 1 else ()
    found = [Candidate(der=der, source=source, preferred=True, chain=chain) for der in marked]
    found += [Candidate(der=der, source=source, chain=chain) for der in others]
    return found[:MAX_CERTIFICATES] or [Candidate(der=value, source=source)]


def owners_in(signed: SignedData) -> tuple[list[bytes], list[bytes]]:
    """The certificates of the owner: those marked for encryption, and the others. Issuers' are left out.

    Without a mark (or where the marked one is not there) they are the signer's and those of the same subject
    (RFC 8551, 2.5.3.1); without a signer all that are not a CA's.
    """
    marks = [signer.encryption_key for signer in signed.signers if signer.encryption_key is not None]
    marked = _named_by(marks, signed.certificates)
    if marked:
        return marked, []
    signers = _named_by([signer.signer for signer in signed.signers], signed.certificates)
    parsed = [certificate for der in signed.certificates if (certificate := _parsed(der)) is not None]
    subjects = {certificate.subject for certificate in parsed if certificate.der in signers}
    return [], [
        certificate.der
        for certificate in parsed
        if (certificate.subject in subjects if subjects else not certificate.is_ca)
    ]


def _named_by(references: Sequence[Reference], certificates: Sequence[bytes]) -> list[bytes]:
    if not references:
        return []
    return [der for der in certificates if any(reference.names(der) for reference in references)]


def _parsed(der: bytes) -> ParsedCertificate | None:
    try:
        return parse_cached(der)
    except CertificateError:
        return None


def _tlv_certificates(value: bytes) -> Iterator[bytes]:
    """Every block that is a certificate, whatever its tag.

    The number of KeyExchangeCertificate, the one for encryption, is not published; key usage tells it from the
    certificates of the chain and of the signing key.
    """
    at = 0
    while at + _TLV_HEADER.size <= len(value):
        _, length = _TLV_HEADER.unpack_from(value, at)
        if length < _TLV_HEADER.size:
            return
        block = value[at + _TLV_HEADER.size : at + length]
        if block[:1] == bytes((_DER_SEQUENCE,)) and _parsed(block) is not None:
            yield block
        at += length


def _unwrapped(blob: bytes, layers: int) -> Iterator[bytes]:
    if blob[:1] == bytes((_DER_SEQUENCE,)) and not _is_base64(blob):
        yield from _from_der(blob)
    elif layers > 0 and b"-----BEGIN" in blob:
        for block in _PEM.finditer(blob):
            yield from _unwrapped(_decoded(block["body"]), 0)
    elif layers > 0 and _is_base64(blob):
        yield from _unwrapped(_decoded(blob), layers - 1)


def _is_base64(blob: bytes) -> bool:
    return _BASE64.fullmatch(blob) is not None


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise BlobError(f"not base64: {error}") from error


def _from_der(blob: bytes) -> list[bytes]:
    if not is_content_info(blob):
        return [blob]
    try:
        signed = read_signed_data(blob)
    except CmsError as error:
        raise BlobError(str(error)) from error
    signers = _named_by([signer.signer for signer in signed.signers], signed.certificates)
    return sorted(signed.certificates, key=lambda der: (der not in signers, _is_authority(der)))


def _is_authority(der: bytes) -> bool:
    certificate = _parsed(der)
    return certificate is None or certificate.is_ca
