"""CMS SignedData (RFC 5652, 5): built with a given time, and read into plain values."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, core, parser
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from eas_server.pki.cms import (
    SET,
    CmsError,
    Reference,
    from_issuer_and_serial,
    issuer_and_serial,
    load_content_info,
)
from eas_server.pki.hostile import declared
from eas_server.pki.keys import PrivateKey

MICROSOFT_KEY_PREFERENCE = "1.3.6.1.4.1.311.16.4"
"""szOID_MICROSOFT_Encryption_Key_Preference: Outlook's own form of SMIMEEncryptionKeyPreference."""

CAPABILITIES = ("aes256_gcm", "aes256_cbc", "aes128_gcm", "aes128_cbc")
"""The content encryption that the owner of the key can read, best first (RFC 8551, 2.5.2)."""

_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_KEY_PREFERENCE = "1.2.840.113549.1.9.16.2.11"

UTC_TIME_ENDS = 2050  # RFC 5652, 11.3: GeneralizedTime from this year on


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """One signature. `attributes` is the DER SET OF that was signed, None where the content was signed directly.

    `algorithm` is the DER AlgorithmIdentifier of the signature; `digest` the name of the digest algorithm, as
    hashlib and asn1crypto write it ("sha256"). `encryption_key` is the owner's SMIMEEncryptionKeyPreference.
    """

    signer: Reference
    digest: str
    algorithm: bytes
    signature: bytes
    attributes: bytes | None
    content_type: str | None
    message_digest: bytes | None
    signing_time: datetime | None
    encryption_key: Reference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """`content` is None where it is detached or absent; `certificates` are DER, in the order of the structure."""

    content: bytes | None
    content_type: str
    certificates: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]


def build_signed_data(
    content: bytes,
    *,
    certificate: bytes,
    key: PrivateKey,
    chain: Sequence[bytes] = (),
    detached: bool,
    signing_time: datetime | None = None,
    encryption_certificate: bytes | None = None,
) -> bytes:
    """A ContentInfo with one SHA-256 signature by `key` (RSA PKCS#1 v1.5, or ECDSA), with smimeCapabilities.

    `chain` and `encryption_certificate` go along with `certificate`; the latter is named as the one to encrypt to.
    Raises CmsError where one of them is no certificate.
    """
    bag = dict.fromkeys([certificate, *([encryption_certificate] if encryption_certificate else []), *chain])
    attributes = _attributes(content, signing_time, encryption_certificate)
    with declared(CmsError, "SignedData cannot be built"):
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier({"issuer_and_serial_number": issuer_and_serial(certificate)}),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": _signature_name(key)},
            "signature": _sign(key, attributes.dump()),
        }
        signed = cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {"content_type": "data"} | ({} if detached else {"content": content}),
                "certificates": [asn1_x509.Certificate.load(der) for der in bag],
                "signer_infos": [signer],
            }
        )
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def read_signed_data(blob: bytes) -> SignedData:
    """Read a ContentInfo with SignedData, DER or BER. Nothing is verified. Raises CmsError."""
    signed = load_content_info(blob, "signed_data")
    with declared(CmsError, "SignedData cannot be read"):
        inner = signed["encap_content_info"]
        content = inner["content"]
        choices = signed["certificates"]
        return SignedData(
            content=None if isinstance(content, core.Void) else bytes(content),
            content_type=inner["content_type"].dotted,
            certificates=tuple(choice.chosen.dump() for choice in choices if choice.name == "certificate"),
            signers=tuple(_signer(info) for info in signed["signer_infos"]),
        )


def _attributes(
    content: bytes, signing_time: datetime | None, encryption_certificate: bytes | None
) -> cms.CMSAttributes:
    capabilities = [{"capability_id": name} for name in CAPABILITIES]
    attributes: list[dict[str, Any]] = [
        {"type": "content_type", "values": ["data"]},
        {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
        {"type": "smime_capabilities", "values": [capabilities]},
    ]
    if signing_time is not None:
        moment = signing_time.astimezone(UTC).replace(microsecond=0)
        form = "utc_time" if moment.year < UTC_TIME_ENDS else "generalized_time"
        attributes.append({"type": "signing_time", "values": [cms.Time({form: moment})]})
    if encryption_certificate is not None:
        preference = cms.SMIMEEncryptionKeyPreference(
            {"issuer_and_serial_number": issuer_and_serial(encryption_certificate)}
        )
        attributes.append({"type": "encrypt_key_pref", "values": [preference]})
    return cms.CMSAttributes(attributes)


def _signature_name(key: PrivateKey) -> str:
    return "rsassa_pkcs1v15" if isinstance(key, rsa.RSAPrivateKey) else "sha256_ecdsa"


def _sign(key: PrivateKey, message: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def _signer(info: cms.SignerInfo) -> SignerInfo:
    sid = info["sid"]
    attributes = info["signed_attrs"]
    found = {attribute["type"].dotted: attribute for attribute in attributes}
    has_attributes = len(attributes) > 0
    return SignerInfo(
        signer=Reference(key_id=sid.native)
        if sid.name == "subject_key_identifier"
        else from_issuer_and_serial(sid.chosen),
        digest=info["digest_algorithm"]["algorithm"].native,
        algorithm=info["signature_algorithm"].dump(),
        signature=info["signature"].native,
        attributes=_as_signed(attributes.dump()) if has_attributes else None,
        content_type=getattr(_single(found.get(_CONTENT_TYPE)), "dotted", None),
        message_digest=getattr(_single(found.get(_MESSAGE_DIGEST)), "native", None),
        signing_time=getattr(_single(found.get(_SIGNING_TIME)), "native", None),
        encryption_key=_preference(found),
    )


def _as_signed(dumped: bytes) -> bytes:
    """What is hashed carries the tag of a SET OF, not the [0] that it has in the structure (RFC 5652, 5.4)."""
    return bytes((SET,)) + dumped[1:]


def _single(attribute: cms.CMSAttribute | None) -> core.Asn1Value | None:
    """The one value of an attribute; an attribute that has none or several says nothing (RFC 5652, 11)."""
    if attribute is None or len(attribute["values"]) != 1:
        return None
    return attribute["values"][0]


def _preference(found: dict[str, cms.CMSAttribute]) -> Reference | None:
    """SMIMEEncryptionKeyPreference (RFC 8551, 2.5.3), or Outlook's attribute, which is a bare issuer and serial."""
    standard, microsoft = found.get(_KEY_PREFERENCE), found.get(MICROSOFT_KEY_PREFERENCE)
    if standard is not None:
        _, _, _, _, contents, _ = parser.parse(standard["values"].dump())
        _, _, tag, header, value, _ = parser.parse(contents)
        if tag == 0:
            return from_issuer_and_serial(cms.IssuerAndSerialNumber.load(header + value, implicit=0))
        if tag == 1:
            return Reference(key_id=cms.RecipientKeyIdentifier.load(header + value, implicit=1)[0].native)
        return Reference(key_id=value)
    if microsoft is not None:
        return from_issuer_and_serial(cms.IssuerAndSerialNumber.load(microsoft["values"][0].dump()))
    return None
