"""CMS EnvelopedData (RFC 5652, 6) and AuthEnvelopedData (RFC 5083): built for RSA and EC recipients, and opened."""

import secrets
from collections.abc import Callable, Sequence
from enum import Enum

from asn1crypto import algos, cms, core
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eas_server.pki.cms import (
    SEQUENCE,
    SET,
    CmsError,
    Reference,
    from_issuer_and_serial,
    issuer_and_serial,
    load_certificate,
    octets,
    tlv,
)
from eas_server.pki.hostile import declared
from eas_server.pki.keys import PrivateKey

RandomBytes = Callable[[int], bytes]
"""So many random bytes, fit for keys."""

GCM_NONCE_BYTES = 12
GCM_TAG_BYTES = 16
_AES_BLOCK_BYTES = 16
_MIN_GCM_TAG_BYTES = 12  # RFC 5084, 3.2: AES-GCM-ICVlen is 12 to 16

ENVELOPED = "enveloped_data"
AUTH_ENVELOPED = "authenticated_enveloped_data"

_DH_SHA256_KDF = "1.3.132.1.11.1"
_KDF_HASHES: dict[str, hashes.HashAlgorithm] = {  # dhSinglePass-stdDH-*kdf-scheme, RFC 5753, 7.1.4
    "1.3.133.16.840.63.0.2": hashes.SHA1(),  # noqa: S303 - as a KDF still what openssl and old Outlook send
    "1.3.132.1.11.0": hashes.SHA224(),
    _DH_SHA256_KDF: hashes.SHA256(),
    "1.3.132.1.11.2": hashes.SHA384(),
    "1.3.132.1.11.3": hashes.SHA512(),
}
_WRAP_KEY_BYTES = {"2.16.840.1.101.3.4.1.5": 16, "2.16.840.1.101.3.4.1.25": 24, "2.16.840.1.101.3.4.1.45": 32}
_AES128_WRAP, _AES256_WRAP = "2.16.840.1.101.3.4.1.5", "2.16.840.1.101.3.4.1.45"
_OAEP_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class ContentCipher(Enum):
    """How the content is encrypted: asn1crypto's name, and the length of the key in bytes."""

    AES_128_CBC = ("aes128_cbc", 16)
    AES_192_CBC = ("aes192_cbc", 24)
    AES_256_CBC = ("aes256_cbc", 32)
    AES_128_GCM = ("aes128_gcm", 16)
    AES_192_GCM = ("aes192_gcm", 24)
    AES_256_GCM = ("aes256_gcm", 32)

    @property
    def key_bytes(self) -> int:
        return self.value[1]

    @property
    def authenticated(self) -> bool:
        return self.value[0].endswith("gcm")


_CIPHERS = {cipher.value[0]: cipher for cipher in ContentCipher}


def build_enveloped_data(
    content: bytes,
    *,
    recipients: Sequence[bytes],
    cipher: ContentCipher,
    random: RandomBytes = secrets.token_bytes,
) -> bytes:
    """A ContentInfo that every one of `recipients` (DER certificates) can open.

    RSA keys get the key by PKCS#1 v1.5 (what every client reads), EC keys by ephemeral-static ECDH with the SHA-256
    KDF (RFC 5753). EnvelopedData for CBC, AuthEnvelopedData for GCM. Raises CmsError for no recipient, a value that
    is no certificate, or a key of another kind.
    """
    if not recipients:
        raise CmsError("no recipient to encrypt to")
    content_key = random(cipher.key_bytes)
    with declared(CmsError, "EnvelopedData cannot be built"):
        infos = [_recipient(certificate, content_key) for certificate in dict.fromkeys(recipients)]
        if cipher.authenticated:
            return _authenticated(content, content_key, cipher, infos, random(GCM_NONCE_BYTES))
        return _plain_enveloped(content, content_key, cipher, infos, random(_AES_BLOCK_BYTES))


def open_enveloped_data(blob: bytes, *, certificate: bytes, key: PrivateKey) -> bytes:
    """The content of an EnvelopedData or AuthEnvelopedData, opened with the key of one recipient.

    Raises CmsError where the structure, its algorithms or the key do not fit. Why decryption itself failed is not
    told, so that the error is no oracle.
    """
    with declared(CmsError, "the envelope cannot be opened"):
        info = cms.ContentInfo.load(blob, strict=True)
        kind, envelope = info["content_type"].native, info["content"]
        if kind not in {ENVELOPED, AUTH_ENVELOPED}:
            raise CmsError(f"CMS content is {kind}, not an envelope")
        content_key = _content_key(envelope["recipient_infos"], certificate, key)
        field = "auth_encrypted_content_info" if kind == AUTH_ENVELOPED else "encrypted_content_info"
        encrypted = envelope[field]
        cipher = _CIPHERS.get(encrypted["content_encryption_algorithm"]["algorithm"].native)
        if cipher is None:
            raise CmsError(f"cipher {encrypted['content_encryption_algorithm']['algorithm'].native} is not supported")
        if cipher.authenticated != (kind == AUTH_ENVELOPED) or cipher.key_bytes != len(content_key):
            raise CmsError("the content cannot be decrypted")
        if cipher.authenticated:
            return _open_gcm(envelope, encrypted, content_key)
        return _open_cbc(encrypted, content_key)


def _plain_enveloped(
    content: bytes, key: bytes, cipher: ContentCipher, infos: list[cms.RecipientInfo], iv: bytes
) -> bytes:
    padder = PKCS7(_AES_BLOCK_BYTES * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
    any_agreement = any(info.name == "kari" for info in infos)
    envelope = cms.EnvelopedData(
        {
            "version": "v2" if any_agreement else "v0",
            "recipient_infos": infos,
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": cipher.value[0], "parameters": core.OctetString(iv)},
                "encrypted_content": encrypted,
            },
        }
    )
    return bytes(cms.ContentInfo({"content_type": ENVELOPED, "content": envelope}).dump())


def _authenticated(
    content: bytes, key: bytes, cipher: ContentCipher, infos: list[cms.RecipientInfo], nonce: bytes
) -> bytes:
    sealed = AESGCM(key).encrypt(nonce, content, None)
    parameters = tlv(SEQUENCE, octets(nonce), core.Integer(GCM_TAG_BYTES).dump())
    envelope = cms.AuthEnvelopedData(
        {
            "version": "v0",
            "recipient_infos": infos,
            "auth_encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {
                    "algorithm": cipher.value[0],
                    "parameters": core.Any.load(parameters),
                },
                "encrypted_content": sealed[:-GCM_TAG_BYTES],
            },
            "mac": sealed[-GCM_TAG_BYTES:],
        }
    )
    return bytes(cms.ContentInfo({"content_type": AUTH_ENVELOPED, "content": envelope}).dump())


def _recipient(certificate: bytes, content_key: bytes) -> cms.RecipientInfo:
    public_key = load_certificate(certificate).public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        transport = {
            "version": "v0",
            "rid": cms.RecipientIdentifier({"issuer_and_serial_number": issuer_and_serial(certificate)}),
            "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
            "encrypted_key": public_key.encrypt(content_key, padding.PKCS1v15()),
        }
        return cms.RecipientInfo({"ktri": cms.KeyTransRecipientInfo(transport)})
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _agreement(certificate, public_key, content_key)
    raise CmsError(f"cannot encrypt to a {type(public_key).__name__}")


def _agreement(certificate: bytes, public_key: ec.EllipticCurvePublicKey, content_key: bytes) -> cms.RecipientInfo:
    ephemeral = ec.generate_private_key(public_key.curve)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    wrap = _AES128_WRAP if len(content_key) == _WRAP_KEY_BYTES[_AES128_WRAP] else _AES256_WRAP
    wrap_algorithm = cms.KeyEncryptionAlgorithm({"algorithm": wrap}).dump()
    shared = ephemeral.exchange(ec.ECDH(), public_key)
    wrapping_key = _derive(shared, hashes.SHA256(), wrap_algorithm, wrap, None)
    agreement = {
        "version": "v3",
        "originator": cms.OriginatorIdentifierOrKey(
            {"originator_key": {"algorithm": {"algorithm": "ec"}, "public_key": point}}
        ),
        "key_encryption_algorithm": {"algorithm": _DH_SHA256_KDF, "parameters": core.Any.load(wrap_algorithm)},
        "recipient_encrypted_keys": [
            {
                "rid": cms.KeyAgreementRecipientIdentifier(
                    {"issuer_and_serial_number": issuer_and_serial(certificate)}
                ),
                "encrypted_key": aes_key_wrap(wrapping_key, content_key),
            }
        ],
    }
    return cms.RecipientInfo({"kari": cms.KeyAgreeRecipientInfo(agreement)})


def _derive(shared: bytes, digest: hashes.HashAlgorithm, wrap_algorithm: bytes, wrap: str, ukm: bytes | None) -> bytes:
    """The wrapping key, from ECC-CMS-SharedInfo (RFC 5753, 7.2)."""
    size = _WRAP_KEY_BYTES[wrap]
    bits = (size * 8).to_bytes(4, "big")
    party = tlv(0xA0, octets(ukm)) if ukm is not None else b""
    info = tlv(SEQUENCE, wrap_algorithm, party, tlv(0xA2, octets(bits)))
    return X963KDF(algorithm=digest, length=size, sharedinfo=info).derive(shared)


def _content_key(infos: cms.RecipientInfos, certificate: bytes, key: PrivateKey) -> bytes:
    for info in infos:
        if info.name == "ktri" and isinstance(key, rsa.RSAPrivateKey):
            rid = info.chosen["rid"]
            if _names(rid, certificate):
                return _transported(info.chosen, key)
        if info.name == "kari" and isinstance(key, ec.EllipticCurvePrivateKey):
            for entry in info.chosen["recipient_encrypted_keys"]:
                if _names(entry["rid"], certificate):
                    return _agreed(info.chosen, entry["encrypted_key"].native, key)
    raise CmsError("the envelope names no recipient with this certificate and kind of key")


def _names(rid: core.Choice, certificate: bytes) -> bool:
    if rid.name == "issuer_and_serial_number":
        reference = from_issuer_and_serial(rid.chosen)
    elif rid.name == "subject_key_identifier":
        reference = Reference(key_id=rid.native)
    else:  # RecipientKeyIdentifier of a key agreement: the identifier is its first field
        reference = Reference(key_id=rid.chosen[0].native)
    return reference.names(certificate)


def _transported(info: cms.KeyTransRecipientInfo, key: rsa.RSAPrivateKey) -> bytes:
    algorithm = info["key_encryption_algorithm"]
    scheme: padding.AsymmetricPadding
    match algorithm["algorithm"].native:
        case "rsaes_pkcs1v15":
            scheme = padding.PKCS1v15()
        case "rsaes_oaep":
            scheme = _oaep(algorithm["parameters"])
        case other:
            raise CmsError(f"key transport {other} is not supported")
    try:
        return key.decrypt(info["encrypted_key"].native, scheme)
    except ValueError:
        raise CmsError("the content cannot be decrypted") from None


def _oaep(parameters: algos.RSAESOAEPParams) -> padding.OAEP:
    digest = _OAEP_HASHES[parameters["hash_algorithm"]["algorithm"].native]()
    mask = _OAEP_HASHES[parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native]()
    return padding.OAEP(mgf=padding.MGF1(mask), algorithm=digest, label=None)


def _agreed(info: cms.KeyAgreeRecipientInfo, encrypted_key: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    algorithm = info["key_encryption_algorithm"]
    digest = _KDF_HASHES.get(algorithm["algorithm"].dotted)
    if digest is None:
        raise CmsError(f"key agreement {algorithm['algorithm'].dotted} is not supported")
    wrap_algorithm = algorithm["parameters"].dump()
    wrap = cms.KeyEncryptionAlgorithm.load(wrap_algorithm)["algorithm"].dotted
    if wrap not in _WRAP_KEY_BYTES:
        raise CmsError(f"key wrap {wrap} is not supported")
    originator = info["originator"].chosen
    if not isinstance(originator, cms.PublicKeyInfo):
        raise CmsError("key agreement without an ephemeral key is not supported")
    point = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, originator["public_key"].native)
    shared = key.exchange(ec.ECDH(), point)
    wrapping_key = _derive(shared, digest, wrap_algorithm, wrap, info["ukm"].native)
    return aes_key_unwrap(wrapping_key, encrypted_key)


def _open_cbc(encrypted: cms.EncryptedContentInfo, key: bytes) -> bytes:
    iv = encrypted["content_encryption_algorithm"]["parameters"].native
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(_AES_BLOCK_BYTES * 8).unpadder()
    padded = decryptor.update(encrypted["encrypted_content"].native) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise CmsError("the content cannot be decrypted") from None


def _open_gcm(envelope: cms.AuthEnvelopedData, encrypted: cms.EncryptedContentInfo, key: bytes) -> bytes:
    parameters = core.Sequence.load(encrypted["content_encryption_algorithm"]["parameters"].dump())
    nonce = parameters[0].native
    mac = envelope["mac"].native
    if len(mac) < _MIN_GCM_TAG_BYTES:
        raise CmsError("the content cannot be decrypted")
    attributes = envelope["auth_attrs"]
    signed = bytes((SET,)) + attributes.dump()[1:] if len(attributes) else b""
    decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, mac, min_tag_length=_MIN_GCM_TAG_BYTES)).decryptor()
    decryptor.authenticate_additional_data(signed)
    try:
        return decryptor.update(encrypted["encrypted_content"].native) + decryptor.finalize()
    except InvalidTag:
        raise CmsError("the content cannot be decrypted") from None
