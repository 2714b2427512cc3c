"""What an administrator brings as roots and intermediates: files in many forms, and which certificate is what."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from eas_server.model.trust import Anchor
from eas_server.pki.certificate import CertificateError, KeyUse, ParsedCertificate, parse
from eas_server.pki.cms import CmsError
from eas_server.pki.hostile import declared
from eas_server.pki.profile import Profile, profile
from eas_server.pki.signatures import Budget, Link, link
from eas_server.pki.signed_data import read_signed_data
from eas_server.pki.sst import MAX_SST_BYTES, SstError, is_sst, read_sst, write_sst

MAX_TRUST_FILE: Final = MAX_SST_BYTES
"""Octets of one file: some eight thousand certificates."""
MAX_CERTIFICATES: Final = 5000
"""In one file."""
MAX_STREAMED: Final = 128 * 1024
"""Of a PKCS#7 with indefinite lengths, which take long to follow."""
WEAK_RSA_BITS: Final = 2048

_MAX_SIGNATURES: Final = 1
_MAX_LAYERS: Final = 2
"""PEM or base64 around DER."""
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_OID: Final = 0x06
_CONTEXT_0: Final = 0xA0
_CONTEXT_1: Final = 0xA1
_SHORT: Final = 0x80
_MAX_LENGTH_OCTETS: Final = 4
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
_PFX_VERSION: Final = b"\x03"
_HEADED: Final = 3
"""Members of SignedData that always stand before the certificates: version, digest algorithms, content."""
_UTF16: Final = b"\xff\xfe"
_PEM_BEGIN: Final = b"-----BEGIN "
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9# ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END \1-----")
_PEM_CERTIFICATE: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
_PEM_PKCS7: Final = frozenset({b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"})
_PEM_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_WHITE: Final = b" \t\r\n\v\f"
_PEM_WIDTH: Final = 64


class TrustFileError(ValueError):
    """The file is none that certificates of authorities come in; the text says why."""


class PrivateKeyThere(TrustFileError):
    """A private key is in the file, or it is of a kind that is made for private keys."""


class TrustForm(StrEnum):
    """What a file of certificates is."""

    PEM = "PEM"
    DER = "DER"
    PKCS7 = "PKCS#7"
    SST = "SST"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile:
    """`certificates` are as they stand, none of them looked at; `notes` say what was passed over."""

    form: TrustForm
    certificates: tuple[bytes, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What becomes of one certificate: `anchor` None, it is refused for `reason`. `warnings` do not keep it out."""

    der: bytes
    certificate: ParsedCertificate | None
    anchor: Anchor | None
    reason: str = ""
    warnings: tuple[str, ...] = ()


def read_trust_file(octets: bytes) -> TrustFile:
    """The certificates in a PEM bundle, a DER or base64 file, a PKCS#7 (PEM, DER) or a serialized store.

    Raises PrivateKeyThere, TrustFileError, and nothing else.
    """
    if len(octets) > MAX_TRUST_FILE:
        raise TrustFileError(f"{len(octets)} octets are more than {MAX_TRUST_FILE}")
    if is_sst(octets):
        return _from_sst(octets)
    return _unwrapped(_plain_text(octets), _MAX_LAYERS)


def judge(der: bytes, now: datetime, wanted: Anchor | None = None) -> Judged:
    """Whether a certificate is a root's or an intermediate's: a CA that signed itself is a root, another CA is not.

    `wanted` goes before that, as the administrator may trust an authority that is below another one, or one whose
    signature on itself cannot be checked.
    """
    try:
        found = profile(der)
    except CertificateError as error:
        return Judged(der=der, certificate=_parsed(der), anchor=None, reason=str(error))
    certificate = found.certificate
    own = _own_signature(found)
    reason = _unfit(found) or _no_authority(found, own, wanted) or _doubtful(found, own, wanted)
    if reason:
        return Judged(der=der, certificate=certificate, anchor=None, reason=reason)
    anchor = wanted or (Anchor.ROOT if own is Link.GOOD else Anchor.INTERMEDIATE)
    return Judged(der=der, certificate=certificate, anchor=anchor, warnings=_warnings(found, now))


def to_pem_bundle(certificates: Iterator[bytes]) -> bytes:
    """Certificates as PEM, each below its subject."""
    return b"".join(_pem_block(der) for der in certificates)


def to_pkcs7(certificates: Iterator[bytes]) -> bytes:
    """A PKCS#7 of certificates alone (`.p7b`), DER ([RFC 5652] 5.1)."""
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data"},
            "certificates": [asn1_x509.Certificate.load(der) for der in certificates],
            "signer_infos": [],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def to_sst(certificates: Iterator[bytes]) -> bytes:
    """A serialized store, as Exchange's administrators have it."""
    return write_sst(certificates)


def _pem_block(der: bytes) -> bytes:
    packed = base64.b64encode(der)
    lines = [packed[at : at + _PEM_WIDTH] for at in range(0, len(packed), _PEM_WIDTH)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


def _plain_text(octets: bytes) -> bytes:
    """What PowerShell's `>` wrote in UTF-16, as plain octets."""
    if not octets.startswith(_UTF16):
        return octets
    try:
        return octets.decode("utf-16").encode("ascii", errors="replace")
    except UnicodeDecodeError:
        raise TrustFileError("it begins as a text in UTF-16, and is none") from None


def _unwrapped(octets: bytes, layers: int) -> TrustFile:
    if octets[:1] == bytes((_SEQUENCE,)) and not octets.isascii():
        return _from_der(octets)
    if layers and _PEM_BEGIN in octets:
        return _from_pem(octets)
    if layers and octets.strip():
        return _unwrapped(_from_base64(octets), layers - 1)
    raise TrustFileError("it is empty" if not octets.strip() else "it is no file of certificates")


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.translate(None, _WHITE), validate=True)
    except binascii.Error:
        raise TrustFileError("it is none of PEM, DER, base64, PKCS#7 and SST") from None


def _from_sst(octets: bytes) -> TrustFile:
    try:
        store = read_sst(octets)
    except SstError as error:
        raise TrustFileError(f"it is a serialized store that cannot be read: {error}") from None
    notes = _passed_over({"CRL": store.crls, "certificate trust list": store.ctls})
    if not store.whole:
        notes += ("the mark at its end is missing: it may have been cut",)
    return TrustFile(form=TrustForm.SST, certificates=_bounded(store.certificates), notes=notes)


def _from_pem(text: bytes) -> TrustFile:
    if _PEM_KEY.search(text):
        raise PrivateKeyThere("a private key is in it")
    found: list[bytes] = []
    others: dict[str, int] = {}
    notes: list[str] = []
    form = TrustForm.PEM
    for label, body in _PEM.findall(text):
        if label in _PEM_CERTIFICATE:
            der = _from_base64(body)
            _, end = _bounds(der, 0)
            found.append(der[:end])  # what openssl appends to a TRUSTED CERTIFICATE is not of the certificate
        elif label in _PEM_PKCS7:
            inner = _from_der(_from_base64(body))
            form = TrustForm.PKCS7
            found.extend(inner.certificates)
            notes.extend(inner.notes)
        else:
            name = label.decode("ascii")
            others[name] = others.get(name, 0) + 1
        _bounded(found)
    if not found:
        raise TrustFileError("no certificate is in it")
    return TrustFile(form=form, certificates=tuple(found), notes=(*notes, *_passed_over(others)))


def _from_der(octets: bytes) -> TrustFile:
    streamed = octets[1:2] == bytes((_SHORT,))
    begin, end = (2, len(octets)) if streamed else _bounds(octets, 0)
    first = octets[begin : begin + 1]
    if first == bytes((_INTEGER,)):
        version, _ = _bounds(octets, begin)
        kind = "it is a PKCS#12 file, made for keys" if octets[version : version + 1] == _PFX_VERSION else "it is a key"
        raise PrivateKeyThere(kind)
    if first == bytes((_OID,)):
        return _from_pkcs7(octets)
    if first == bytes((_SEQUENCE,)):
        inner, _ = _bounds(octets, begin)
        if octets[inner : inner + 1] == bytes((_OID,)):
            raise PrivateKeyThere("it is an encrypted private key")
    if octets[end:].strip(b"\r\n\0 "):
        raise TrustFileError(f"{len(octets) - end} octets stand behind the certificate")
    return TrustFile(form=TrustForm.DER, certificates=(octets[:end],))


def _from_pkcs7(octets: bytes) -> TrustFile:
    """The certificates of a SignedData. With lengths, they are counted before anything takes them apart."""
    try:
        certificates, crls = _members(octets)
    except _IndefiniteLength:
        certificates, crls = _streamed(octets), 0
    if not certificates:
        raise TrustFileError("no certificate is in the PKCS#7")
    return TrustFile(form=TrustForm.PKCS7, certificates=_bounded(certificates), notes=_passed_over({"CRL": crls}))


def _streamed(octets: bytes) -> tuple[bytes, ...]:
    """The certificates of a SignedData in BER."""
    if len(octets) > MAX_STREAMED:
        raise TrustFileError(
            f"it is a PKCS#7 with indefinite lengths of more than {MAX_STREAMED} octets: write it anew as DER"
        )
    try:
        return read_signed_data(octets).certificates
    except CmsError as error:
        raise TrustFileError(str(error)) from None


class _IndefiniteLength(TrustFileError):
    """A value without a length of its own (BER)."""


def _members(octets: bytes) -> tuple[tuple[bytes, ...], int]:
    """The certificates of a ContentInfo, and how many CRLs are with them. Raises TrustFileError."""
    begin, _ = _bounds(octets, 0)
    if not octets.startswith(_SIGNED_DATA, begin):
        raise TrustFileError("it is CMS, but no SignedData, which certificates are exported as")
    content, _ = _bounds(octets, begin + len(_SIGNED_DATA))
    start, end = _bounds(octets, content)
    certificates: list[bytes] = []
    crls = 0
    for number, (at, _) in enumerate(_children(octets, start, end)):
        if number < _HEADED or octets[at] not in (_CONTEXT_0, _CONTEXT_1):
            continue
        inner, last = _bounds(octets, at)
        for one, after in _children(octets, inner, last):
            if octets[at] == _CONTEXT_1:
                crls += 1
            elif octets[one] == _SEQUENCE:  # the other choices are no X.509 certificates
                certificates.append(octets[one:after])
            _bounded(certificates)
            if crls > MAX_CERTIFICATES:
                raise TrustFileError(f"it holds more than {MAX_CERTIFICATES} CRLs")
    return tuple(certificates), crls


def _children(octets: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each value between two offsets begins and ends."""
    at = begin
    while at < end:
        _, after = _bounds(octets, at)
        if after > end:
            raise TrustFileError("a value is longer than what it stands in")
        yield at, after
        at = after


def _bounds(octets: bytes, at: int) -> tuple[int, int]:
    """Where the contents of the value at an offset begin and end. Raises TrustFileError."""
    if at + 2 > len(octets):
        raise TrustFileError("it ends within a value")
    length, begin = octets[at + 1], at + 2
    if length == _SHORT:
        raise _IndefiniteLength("a value has no length")
    if length > _SHORT:
        count = length - _SHORT
        if count > _MAX_LENGTH_OCTETS:
            raise TrustFileError("a length is absurd")
        length, begin = int.from_bytes(octets[begin : begin + count], "big"), begin + count
    if length > len(octets) - begin:
        raise TrustFileError("it ends within a value: it was cut, or it is no DER")
    return begin, begin + length


def _bounded(certificates: "tuple[bytes, ...] | list[bytes]") -> tuple[bytes, ...]:
    if len(certificates) > MAX_CERTIFICATES:
        raise TrustFileError(f"it holds more than {MAX_CERTIFICATES} certificates")
    return tuple(certificates)


def _passed_over(counted: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"passed over: {count} × {name}" for name, count in counted.items() if count)


def _parsed(der: bytes) -> ParsedCertificate | None:
    try:
        return parse(der)
    except CertificateError:
        return None


def _own_signature(found: Profile) -> Link | None:
    """Whether a self-issued certificate is signed with its own key; None for others."""
    if not found.self_issued:
        return None
    known = link(found, found, Budget(signatures=_MAX_SIGNATURES, paths=0))
    if known is not Link.UNSUPPORTED or found.key_fault:
        return known
    # Old roots sign themselves over SHA-1. That would prove nothing of anybody else; of itself it tells a root.
    try:
        with declared(_UncheckedError, "cannot be checked"):
            try:
                _verify_own(x509.load_der_x509_certificate(found.der))
            except InvalidSignature:
                return Link.BAD
    except _UncheckedError:
        return Link.UNSUPPORTED
    return Link.GOOD


def _verify_own(certificate: x509.Certificate) -> None:
    key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    if digest is None:
        raise _UncheckedError("it has no digest")
    match key:
        case rsa.RSAPublicKey():
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, ec.ECDSA(digest))
        case _:
            raise _UncheckedError("its key is of another kind")


class _UncheckedError(ValueError):
    """Whatever keeps a signature from being checked."""


def _unfit(found: Profile) -> str:
    """Why nothing could ever be validated with it."""
    usage = found.certificate.key_usage
    if found.key_fault:
        return f"it has {found.key_fault}, by which no signature is checked"
    if found.basic_constraints and usage is not None and KeyUse.KEY_CERT_SIGN not in usage:
        return "its key usage does not allow to sign certificates"
    return ""


def _no_authority(found: Profile, own: Link | None, wanted: Anchor | None) -> str:
    if found.basic_constraints:
        return ""
    if own is not Link.GOOD or found.basic_constraints is False:
        return "it is no authority's certificate, but somebody's own (no CA flag)"
    if wanted is Anchor.ROOT:
        return ""
    return "it signed itself and does not say that it is an authority's; --as root takes it, if you know that it is"


def _doubtful(found: Profile, own: Link | None, wanted: Anchor | None) -> str:
    if wanted is None and own is Link.UNSUPPORTED:
        return "it is self-issued, and its signature cannot be checked; say what it is with --as"
    if wanted is None and own is Link.BAD and not _rolled_over(found):
        return "it is self-issued, and its signature is not by its own key; say what it is with --as"
    return ""


def _rolled_over(found: Profile) -> bool:
    """A new key signed by the old one of the same name ([RFC 4210] 4.4): the key identifiers differ."""
    own, issuer = found.certificate.subject_key_id, found.certificate.authority_key_id
    return issuer is not None and own is not None and issuer != own


def _warnings(authority: Profile, now: datetime) -> tuple[str, ...]:
    certificate = authority.certificate
    found: list[str] = []
    if now > certificate.not_after:
        found.append(f"expired on {certificate.not_after:%Y-%m-%d}")
    if now < certificate.not_before:
        found.append(f"not valid before {certificate.not_before:%Y-%m-%d}")
    if certificate.key_algorithm == "RSA" and (certificate.key_bits or 0) < WEAK_RSA_BITS:
        found.append(f"an RSA key of {certificate.key_bits} bits is weak")
    if not certificate.may_protect_mail():
        found.append("its extended key usage has no e-mail protection")
    if certificate.serial <= 0:
        found.append("its serial number is not positive: later versions may refuse it")
    if authority.unknown_critical:
        found.append(f"critical extensions that are not known here: {', '.join(authority.unknown_critical)}")
    return tuple(found)
