"""S/MIME messages (RFC 8551) as whole MIME entities: header fields, blank line, body.

The fields that belong to the message (From, To, Subject, MIME-Version …) are the caller's: put them in front. What
goes into a signature or an envelope is kept byte for byte.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from eas_server.pki.certificate import CertificateError, ParsedCertificate, parse_cached
from eas_server.pki.chain import leads_to_root
from eas_server.pki.cms import CmsError
from eas_server.pki.enveloped_data import (
    ContentCipher,
    RandomBytes,
    build_enveloped_data,
    open_enveloped_data,
)
from eas_server.pki.keys import PrivateKey
from eas_server.pki.mime_entity import Entity, EntityError, canonical, decoded_body, parts, split, wrapped_base64
from eas_server.pki.signature import UnsupportedSignatureError, digest_of, is_signed_by
from eas_server.pki.signed_data import SignedData, SignerInfo, build_signed_data, read_signed_data

_SIGNATURE_TYPES = {"application/pkcs7-signature", "application/x-pkcs7-signature"}
_MIME_TYPES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_PARTS_OF_SIGNED = 2
MAX_SIGNERS = 8
MAX_CERTIFICATES = 64
"""In one signature: each costs a check, and strangers choose how many there are."""
_BOUNDARY_DIGITS = 32


class SmimeError(ValueError):
    """The entity is not the S/MIME message that was asked for, or cannot be opened; the text says why."""


class Fault(StrEnum):
    """What is wrong with a signature. UNSUPPORTED: it could not be checked."""

    CERTIFICATE_MISSING = "the signer's certificate is not in the message"
    UNSUPPORTED = "the algorithm is not supported"
    CONTENT_CHANGED = "the content is not what was signed"
    SIGNATURE = "the signature does not fit the certificate's key"
    VALIDITY = "the signer's certificate is expired or not yet valid"
    KEY_USAGE = "the signer's certificate is not for signing mail"
    UNTRUSTED = "the signer's certificate does not lead to a trusted root"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerVerdict:
    """One signer; no faults is a good signature. `signing_time` is what the signer claims."""

    certificate: ParsedCertificate | None
    signing_time: datetime | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`content` is the signed MIME entity, exactly as it stands in the message.

    `canonicalised`: the signature fits the content only after its line ends are made CRLF, because some hop or mailer
    wrote bare line feeds (RFC 8551, 3.1.1).
    """

    content: bytes
    signers: tuple[SignerVerdict, ...]
    canonicalised: bool
    signed: SignedData = field(repr=False)
    """What the signature came as, with the certificates that came along."""

    @property
    def good(self) -> bool:
        """There is a signer, and no signer has a fault."""
        return bool(self.signers) and not any(signer.faults for signer in self.signers)

    @property
    def addresses(self) -> frozenset[str]:
        """The mail addresses that the signers' certificates name; compare with From."""
        return frozenset(
            email for signer in self.signers if signer.certificate is not None for email in signer.certificate.emails
        )


def sign_detached(
    content: bytes, certificate: bytes, key: PrivateKey, chain: Sequence[bytes] = (), *, now: datetime | None = None
) -> bytes:
    """A multipart/signed entity around the MIME entity `content`, which stays as it is.

    `content` must be canonical already, all its line ends CRLF, for verifiers make it so before they compare:
    SmimeError otherwise (see `mime_entity.canonical`). `certificate` and `chain` are DER; `now` becomes the
    signingTime, which is left out where it is None.
    """
    if canonical(content) != content:
        raise SmimeError("content to be signed has bare CR or LF; make it canonical first")
    signature = _signed(content, certificate, key, chain, detached=True, now=now)
    boundary = _boundary(content, signature)
    return b"".join(
        (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n',
            b' micalg=sha-256; boundary="' + boundary + b'"\r\n\r\n',
            b"This is an S/MIME signed message.\r\n",
            b"\r\n--" + boundary + b"\r\n",
            content,
            b"\r\n--" + boundary + b"\r\n",
            _binary_part(b"application/pkcs7-signature", b"", b"smime.p7s", signature),
            b"\r\n--" + boundary + b"--\r\n",
        )
    )


def sign_opaque(
    content: bytes, certificate: bytes, key: PrivateKey, chain: Sequence[bytes] = (), *, now: datetime | None = None
) -> bytes:
    """An application/pkcs7-mime entity of smime-type signed-data, with `content` inside; arguments as sign_detached."""
    signed = _signed(content, certificate, key, chain, detached=False, now=now)
    return _binary_part(b"application/pkcs7-mime", b"signed-data", b"smime.p7m", signed)


def encrypt(
    content: bytes,
    recipients: Sequence[bytes],
    algorithm: ContentCipher = ContentCipher.AES_256_CBC,
    *,
    random: RandomBytes = secrets.token_bytes,
) -> bytes:
    """An application/pkcs7-mime entity that each of `recipients` (DER certificates, RSA or EC) can read.

    smime-type is enveloped-data for the CBC ciphers and authEnveloped-data for GCM. Raises SmimeError.
    """
    try:
        envelope = build_enveloped_data(content, recipients=recipients, cipher=algorithm, random=random)
    except CmsError as error:
        raise SmimeError(str(error)) from error
    kind = b"authEnveloped-data" if algorithm.authenticated else b"enveloped-data"
    return _binary_part(b"application/pkcs7-mime", kind, b"smime.p7m", envelope)


def decrypt(mime_entity: bytes, key: PrivateKey, certificate: bytes) -> bytes:
    """The MIME entity inside an encrypted one, for the recipient with `certificate` (DER). Raises SmimeError."""
    try:
        entity = split(mime_entity)
        if entity.content_type not in _MIME_TYPES:
            raise SmimeError(f"{entity.content_type} is not encrypted S/MIME")
        return open_enveloped_data(decoded_body(entity), certificate=certificate, key=key)
    except (CmsError, EntityError) as error:
        raise SmimeError(str(error)) from error


def verify(mime_entity: bytes, trusted_roots: Sequence[bytes], now: datetime) -> Verification:
    """Check a signed entity, detached or opaque, at the time `now` against `trusted_roots` (DER).

    What is wrong with a signature is told in the Verification; SmimeError is for what is no signed entity at all.
    """
    try:
        entity = split(mime_entity)
        content, signed = _signed_content(entity)
    except (CmsError, EntityError) as error:
        raise SmimeError(str(error)) from error
    if len(signed.signers) > MAX_SIGNERS or len(signed.certificates) > MAX_CERTIFICATES:
        raise SmimeError(f"{len(signed.signers)} signers and {len(signed.certificates)} certificates are too many")
    exact = _judge(content, signed, trusted_roots, now)
    if signed.content is None and any(Fault.CONTENT_CHANGED in signer.faults for signer in exact):
        rewritten = _judge(canonical(content), signed, trusted_roots, now)
        if not any(Fault.CONTENT_CHANGED in signer.faults for signer in rewritten):
            return Verification(content=content, signers=rewritten, canonicalised=True, signed=signed)
    return Verification(content=content, signers=exact, canonicalised=False, signed=signed)


def _signed(
    content: bytes,
    certificate: bytes,
    key: PrivateKey,
    chain: Sequence[bytes],
    *,
    detached: bool,
    now: datetime | None,
) -> bytes:
    try:
        return build_signed_data(
            content, certificate=certificate, key=key, chain=chain, detached=detached, signing_time=now
        )
    except CmsError as error:
        raise SmimeError(str(error)) from error


def _boundary(content: bytes, signature: bytes) -> bytes:
    """A delimiter from a digest of both: nobody can write a content that holds it, and it needs no randomness."""
    digest = hashlib.sha256(content + signature).hexdigest()
    return b"----smime-" + digest[:_BOUNDARY_DIGITS].encode()


def _binary_part(content_type: bytes, smime_type: bytes, name: bytes, der: bytes) -> bytes:
    kind = b" smime-type=" + smime_type + b";" if smime_type else b""
    return b"".join(
        (
            b"Content-Type: " + content_type + b";" + kind + b' name="' + name + b'"\r\n',
            b"Content-Transfer-Encoding: base64\r\n",
            b'Content-Disposition: attachment; filename="' + name + b'"\r\n\r\n',
            wrapped_base64(der),
        )
    )


def _signed_content(entity: Entity) -> tuple[bytes, SignedData]:
    if entity.content_type in _MIME_TYPES:
        signed = read_signed_data(decoded_body(entity))
        if signed.content is None:
            raise SmimeError("signed-data without content")
        return signed.content, signed
    if entity.content_type != "multipart/signed":
        raise SmimeError(f"{entity.content_type} is not signed S/MIME")
    found = parts(entity)
    if len(found) != _PARTS_OF_SIGNED:
        raise SmimeError(f"multipart/signed has {len(found)} parts")
    signature = split(found[1])
    if signature.content_type not in _SIGNATURE_TYPES:
        raise SmimeError(f"{signature.content_type} is not an S/MIME signature")
    return found[0], read_signed_data(decoded_body(signature))


def _judge(content: bytes, signed: SignedData, roots: Sequence[bytes], now: datetime) -> tuple[SignerVerdict, ...]:
    return tuple(_verdict(content, signed, signer, roots, now) for signer in signed.signers)


def _verdict(
    content: bytes, signed: SignedData, signer: SignerInfo, roots: Sequence[bytes], now: datetime
) -> SignerVerdict:
    named = next((der for der in signed.certificates if signer.signer.names(der)), None)
    if named is None:
        return SignerVerdict(certificate=None, signing_time=signer.signing_time, faults=(Fault.CERTIFICATE_MISSING,))
    try:
        certificate = parse_cached(named)
    except CertificateError:
        return SignerVerdict(certificate=None, signing_time=signer.signing_time, faults=(Fault.UNSUPPORTED,))
    faults = [*_signature_faults(content, signed, signer, named), *_certificate_faults(certificate, now)]
    if not leads_to_root(named, intermediates=signed.certificates, roots=roots, now=now):
        faults.append(Fault.UNTRUSTED)
    return SignerVerdict(certificate=certificate, signing_time=signer.signing_time, faults=tuple(faults))


def _signature_faults(content: bytes, signed: SignedData, signer: SignerInfo, certificate: bytes) -> list[Fault]:
    message = content
    try:
        if signer.attributes is not None:
            message = signer.attributes
            if signer.message_digest != digest_of(content, signer.digest):
                return [Fault.CONTENT_CHANGED]
            if signer.content_type != signed.content_type:
                return [Fault.SIGNATURE]
        fits = is_signed_by(
            certificate,
            algorithm=signer.algorithm,
            digest=signer.digest,
            signature=signer.signature,
            message=message,
        )
    except UnsupportedSignatureError:
        return [Fault.UNSUPPORTED]
    if fits:
        return []
    # Without signed attributes the signature is over the content, so that the two cannot be told apart.
    return [Fault.SIGNATURE if signer.attributes is not None else Fault.CONTENT_CHANGED]


def _certificate_faults(certificate: ParsedCertificate, now: datetime) -> list[Fault]:
    faults = []
    if not certificate.valid_at(now):
        faults.append(Fault.VALIDITY)
    if not (certificate.may_sign() and certificate.may_protect_mail()):
        faults.append(Fault.KEY_USAGE)
    return faults
