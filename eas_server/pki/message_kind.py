"""What protection a message has: signed, encrypted, both, none. The structure says so, never a header alone.

A Content-Type only tells where to look. Signed is what holds a SignedData with a signer whose signature is not seen to
be about something else; encrypted is what holds an envelope that somebody can open. Whether signers can be trusted is
`validation.py`'s part.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from asn1crypto import cms, core

from eas_server.pki.ber import check_pieces
from eas_server.pki.certificate import CertificateError, KeyAlgorithm, parse_cached
from eas_server.pki.cms import CmsError
from eas_server.pki.enveloped_data import AUTH_ENVELOPED, ENVELOPED
from eas_server.pki.hostile import declared
from eas_server.pki.mime_entity import Entity, EntityError, canonical, decoded_body, parts, split
from eas_server.pki.signature import DIGESTS, UnsupportedSignatureError, is_signed_by
from eas_server.pki.signed_data import SignedData, SignerInfo, read_signed_data

MAX_LAYERS: Final = 4
"""Signed, encrypted, signed again is the most that is in use (triple wrapping, [RFC 2634] 1.1)."""
MAX_SIGNERS: Final = 8
MAX_CERTIFICATES: Final = 64
MAX_STRUCTURE: Final = 2 * 1024 * 1024
"""Octets of the recipients of an envelope, of the signers and of the certificates of a signature, each."""
RECIPIENTS_SEEN: Final = 500
"""Recipients of an envelope whose keys are looked at."""
MAX_HEADER: Final = 256 * 1024
"""Octets of the header of an entity."""
MAX_DELIMITERS: Final = 1000
MAX_PIECES: Final = 100_000
"""Pieces in which the content of CMS may come: streaming programs write some hundred octets at a time, at least."""
MIN_RSA_BITS: Final = 2048
MIN_EC_BITS: Final = 224

_CMS_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURE_TYPES: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_MARKS: Final = (b"pkcs7", b"multipart/signed", b".p7m")
_HEADER_END: Final = re.compile(rb"\A\r?\n|\n\r?\n")
_PARTS_OF_SIGNED: Final = 2
_MAX_NAME: Final = 200
"""Characters of an issuer's name that are told."""
_BITS: Final = 8

_WEAK_DIGESTS: Final = {"md2": "MD2", "md5": "MD5", "sha1": "SHA-1"}
_WEAK_CIPHERS: Final = {"des": "DES", "tripledes_3key": "3DES", "rc2": "RC2", "rc4": "RC4", "rc5": "RC5"}


class Class(StrEnum):
    """What a message is to whoever sees it pass."""

    PLAIN = "plain"
    SIGNED = "signed"
    """And not encrypted."""
    ENCRYPTED = "encrypted"
    """Whether it is signed inside cannot be seen."""
    SIGNED_AND_ENCRYPTED = "signed+encrypted"
    """A signature around an envelope, as triple wrapping has it."""
    BROKEN = "broken"
    """It says that it is S/MIME, and is not; or the signature is about another content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signer. `certificate` (DER): None where it is not in the message. `fits`: None where it cannot be checked."""

    certificate: bytes | None
    fits: bool | None
    weaknesses: tuple[str, ...] = ()
    digest: str = ""
    """asn1crypto's name of the digest algorithm: `sha256`."""
    signing_time: datetime | None = None
    """When the signer claims to have signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A layer with a signature. `certificates` are all that came along, DER."""

    signatures: tuple[Signature, ...]
    certificates: tuple[bytes, ...]

    @property
    def holds(self) -> bool:
        """There is a signer, and no signature is seen not to fit."""
        return bool(self.signatures) and all(each.fits is not False for each in self.signatures)

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """The algorithms and keys that prove little."""
        return tuple(weakness for each in self.signatures for weakness in each.weaknesses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """An envelope: what is inside is not seen. `cipher` is asn1crypto's name, or an object identifier."""

    cipher: str
    recipients: int
    weaknesses: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    """Who can open it, as the envelope names them: by issuer and serial number, or by key identifier."""


Layer = Signed | Encrypted


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKind:
    """The layers of a message, outermost first. `problem`: why what is labelled S/MIME is not, "" where it is."""

    layers: tuple[Layer, ...] = ()
    problem: str = ""

    @property
    def signature(self) -> Signed | None:
        """The outermost signature that holds."""
        return next((each for each in self.layers if isinstance(each, Signed) and each.holds), None)

    @property
    def encrypted(self) -> bool:
        """Whether there is an envelope."""
        return any(isinstance(each, Encrypted) for each in self.layers)

    @property
    def class_(self) -> Class:
        """The class, for people and for the audit trail."""
        if self.encrypted:
            return Class.ENCRYPTED if self.signature is None else Class.SIGNED_AND_ENCRYPTED
        if self.signature is not None:
            return Class.SIGNED
        return Class.BROKEN if self.layers or self.problem else Class.PLAIN

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """What is weak in any layer, each once: "SHA-1", "3DES", "RSA-1024"."""
        return tuple(dict.fromkeys(weakness for layer in self.layers for weakness in layer.weaknesses))


PLAIN: Final = MessageKind()


def may_be_protected(header: bytes) -> bool:
    """Whether the outer header of a message could be that of S/MIME: False spares a look into it."""
    lower = header.lower()
    return any(mark in lower for mark in _MARKS)


def kind_of(message: bytes) -> MessageKind:
    """The kind of a whole message, or of a MIME entity. Never raises for what stands in it."""
    layers: list[Layer] = []
    rest: bytes | None = message
    try:
        while rest is not None:
            if len(layers) == MAX_LAYERS:
                return MessageKind(layers=tuple(layers), problem=f"more than {MAX_LAYERS} layers")
            found = _layer(rest)
            if found is None:
                break
            layer, rest = found
            layers.append(layer)
    except (CmsError, EntityError, CertificateError) as error:
        return MessageKind(layers=tuple(layers), problem=str(error)[:200])
    return MessageKind(layers=tuple(layers))


def _layer(octets: bytes) -> tuple[Layer, bytes | None] | None:
    """The outermost layer of an entity, and the entity inside where it can be seen. None: there is no layer."""
    entity = _split(octets)
    if entity.content_type == "multipart/signed":
        return _clear_signed(entity)
    if entity.content_type in _CMS_TYPES or _is_nameless_cms(entity):
        return _cms(decoded_body(entity))
    return None


def _is_nameless_cms(entity: Entity) -> bool:
    """[RFC 8551] 3.9: a nameless binary that is called `.p7m`."""
    return entity.content_type == "application/octet-stream" and entity.parameters.get("name", "").lower().endswith(
        ".p7m"
    )


def _clear_signed(entity: Entity) -> tuple[Layer, bytes | None] | None:
    boundary = entity.parameters.get("boundary", "")
    if entity.body.count(b"--" + boundary.encode("utf-8", "surrogateescape")) > MAX_DELIMITERS:
        raise EntityError("too many delimiters")
    found = parts(entity)
    if len(found) != _PARTS_OF_SIGNED:
        raise EntityError(f"multipart/signed has {len(found)} parts")
    signature = _split(found[1])
    if signature.content_type not in _SIGNATURE_TYPES:
        if "pkcs7" in entity.parameters.get("protocol", "").lower():
            raise EntityError("multipart/signed without an S/MIME signature")
        return None  # of another kind, such as OpenPGP
    signed = _bounded(decoded_body(signature))
    layer = _signed(found[0], signed)
    if not layer.holds:
        layer = _signed(canonical(found[0]), signed)  # some mailers sign with CRLF and send without
    return layer, found[0]


def _split(octets: bytes) -> Entity:
    """See `mime_entity.split`, for headers of a bounded size."""
    if len(octets) > MAX_HEADER and _HEADER_END.search(octets, 0, MAX_HEADER) is None:
        raise EntityError(f"the header is longer than {MAX_HEADER} octets")
    return split(octets)


def _cms(blob: bytes) -> tuple[Layer, bytes | None]:
    check_pieces(blob, MAX_PIECES)
    with declared(CmsError, "not CMS"):
        info = cms.ContentInfo.load(blob, strict=True)
        kind = info["content_type"].native
        if kind in {ENVELOPED, AUTH_ENVELOPED}:
            return _encrypted(info["content"], authenticated=kind == AUTH_ENVELOPED), None
    if kind != "signed_data":
        raise CmsError(f"CMS content is {kind}")
    signed = _bounded(blob)
    if signed.content is None:
        raise CmsError("signed-data without content")
    return _signed(signed.content, signed), signed.content


def _encrypted(envelope: core.Sequence, *, authenticated: bool) -> Encrypted:
    infos = envelope["recipient_infos"]
    _check_size(infos, "recipients")
    inner = envelope["auth_encrypted_content_info" if authenticated else "encrypted_content_info"]
    cipher = str(inner["content_encryption_algorithm"]["algorithm"].native)
    content = inner["encrypted_content"]
    if len(infos) == 0:
        raise CmsError("an envelope that nobody can open")
    if isinstance(content, core.Void):
        raise CmsError("an envelope without content")
    weak = [_WEAK_CIPHERS[cipher]] if cipher in _WEAK_CIPHERS else []
    readers: list[str] = []
    for info in islice(infos, RECIPIENTS_SEEN):
        readers += _readers(info)
        if info.name == "ktri":
            weak += _weak_transport(info.chosen)
    return Encrypted(
        cipher=cipher, recipients=len(infos), weaknesses=tuple(dict.fromkeys(weak)), readers=tuple(readers)
    )


def _readers(info: cms.RecipientInfo) -> list[str]:
    """Whom a RecipientInfo is for."""
    match info.name:
        case "ktri":
            return [_reader(info.chosen["rid"])]
        case "kari":
            keys = info.chosen["recipient_encrypted_keys"]
            return [_reader(key["rid"]) for key in islice(keys, RECIPIENTS_SEEN)]
        case _:
            return [f"{info.name}"]


def _reader(rid: core.Choice) -> str:
    if rid.name == "issuer_and_serial_number":
        issuer = str(rid.chosen["issuer"].human_friendly)[:_MAX_NAME]
        return f"{int(rid.chosen['serial_number'].native):x} of {issuer}"
    key = rid.chosen if rid.name == "subject_key_identifier" else rid.chosen["subject_key_identifier"]
    return f"key {bytes(key.native).hex()[:_MAX_NAME]}"


def _weak_transport(info: cms.KeyTransRecipientInfo) -> list[str]:
    """What RSA encrypts is as long as its modulus: the key's size shows without the recipient's certificate."""
    bits = len(info["encrypted_key"].native) * _BITS
    return [f"RSA-{bits}"] if bits < MIN_RSA_BITS else []


def _bounded(blob: bytes) -> SignedData:
    """SignedData whose parts are not so large or so many that to read them would take long."""
    check_pieces(blob, MAX_PIECES)
    with declared(CmsError, "SignedData cannot be read"):
        info = cms.ContentInfo.load(blob, strict=True)
        if info["content_type"].native != "signed_data":
            raise CmsError(f"CMS content is {info['content_type'].native}, not signed_data")
        signed = info["content"]
        for name, most in (("certificates", MAX_CERTIFICATES), ("signer_infos", MAX_SIGNERS)):
            if isinstance(signed[name], core.Void):
                continue
            _check_size(signed[name], name)
            if len(signed[name]) > most:
                raise CmsError(f"more than {most} {name}")
    found = read_signed_data(blob)
    if not found.signers:
        raise CmsError("a signature without a signer")
    return found


def _check_size(value: core.Asn1Value, what: str) -> None:
    if len(value.contents) > MAX_STRUCTURE:
        raise CmsError(f"the {what} take more than {MAX_STRUCTURE} octets")


def _signed(content: bytes, signed: SignedData) -> Signed:
    return Signed(
        signatures=tuple(_signature(content, signed, signer) for signer in signed.signers),
        certificates=signed.certificates,
    )


def _signature(content: bytes, signed: SignedData, signer: SignerInfo) -> Signature:
    named = next((der for der in signed.certificates if signer.signer.names(der)), None)
    weak = [_WEAK_DIGESTS[signer.digest]] if signer.digest in _WEAK_DIGESTS else []
    if named is not None:
        weak += _weak_key(named)
    return Signature(
        certificate=named,
        fits=_fits(content, signed, signer, named),
        weaknesses=tuple(dict.fromkeys(weak)),
        digest=signer.digest,
        signing_time=signer.signing_time,
    )


def _weak_key(certificate: bytes) -> list[str]:
    try:
        parsed = parse_cached(certificate)
    except CertificateError:
        return []
    least = {KeyAlgorithm.RSA: MIN_RSA_BITS, KeyAlgorithm.EC: MIN_EC_BITS}.get(parsed.key_algorithm, 0)
    if parsed.key_bits is None or parsed.key_bits >= least:
        return []
    return [f"{parsed.key_algorithm}-{parsed.key_bits}"]


def _fits(content: bytes, signed: SignedData, signer: SignerInfo, certificate: bytes | None) -> bool | None:
    """Whether the signature is about this content; None where that cannot be told."""
    digest = _digest(content, signer.digest)
    if signer.attributes is not None:
        if digest is not None and signer.message_digest != digest:
            return False
        if signer.content_type != signed.content_type:
            return False
    if certificate is None or signer.digest not in DIGESTS:
        return None
    try:
        return is_signed_by(
            certificate,
            algorithm=signer.algorithm,
            digest=signer.digest,
            signature=signer.signature,
            message=content if signer.attributes is None else signer.attributes,
        )
    except UnsupportedSignatureError:
        return None


def _digest(content: bytes, name: str) -> bytes | None:
    """The digest by asn1crypto's name, weak ones too: they still tell one content from another by accident."""
    try:
        return hashlib.new(name, content, usedforsecurity=False).digest()
    except ValueError:
        return None
