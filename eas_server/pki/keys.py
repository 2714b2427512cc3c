"""Private keys: made, written and read. The kinds are those that S/MIME clients take today."""

from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eas_server.pki.hostile import declared

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_RSA_EXPONENT = 65537


class PrivateKeyError(ValueError):
    """The bytes are not a private key that can be used here, or the password is wrong."""


class KeyKind(StrEnum):
    RSA_2048 = "rsa2048"
    RSA_3072 = "rsa3072"
    EC_P256 = "p256"


def generate_key(kind: KeyKind) -> PrivateKey:
    """A new key, from the randomness of the operating system: the one thing here that no argument decides."""
    match kind:
        case KeyKind.RSA_2048:
            return rsa.generate_private_key(public_exponent=_RSA_EXPONENT, key_size=2048)
        case KeyKind.RSA_3072:
            return rsa.generate_private_key(public_exponent=_RSA_EXPONENT, key_size=3072)
        case KeyKind.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    """PKCS#8 PEM, encrypted where there is a password."""
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def key_from_pem(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """Read a PEM private key. Raises PrivateKeyError."""
    with declared(PrivateKeyError, "not a readable private key"):
        key = serialization.load_pem_private_key(pem, password)
    return usable_key(key)


def usable_key(key: object) -> PrivateKey:
    """The key, if it is of a kind that this package signs and decrypts with. Raises PrivateKeyError."""
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    raise PrivateKeyError(f"{type(key).__name__} is neither an RSA nor an EC private key")
