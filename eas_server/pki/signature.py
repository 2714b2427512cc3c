"""Checking one CMS signature with the key of a certificate: RSA PKCS#1 v1.5, RSA-PSS, ECDSA; SHA-256 and longer."""

from asn1crypto import algos
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from eas_server.pki.cms import CmsError, load_certificate
from eas_server.pki.hostile import declared

DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""What still proves something; SHA-1 and MD5 signatures count as unsupported (RFC 8551, 2.1)."""


class UnsupportedSignatureError(CmsError):
    """The algorithm, its parameters or the kind of key are not supported: nothing is known about the signature."""


def digest_of(content: bytes, name: str) -> bytes:
    """The digest by its asn1crypto name. Raises UnsupportedSignatureError."""
    hasher = hashes.Hash(_digest(name))
    hasher.update(content)
    return hasher.finalize()


def is_signed_by(certificate: bytes, *, algorithm: bytes, digest: str, signature: bytes, message: bytes) -> bool:
    """Whether the key of `certificate` (DER) made `signature` over `message`.

    `algorithm` is the DER AlgorithmIdentifier and `digest` the digest algorithm of the SignerInfo, for algorithms that
    do not name one. Raises UnsupportedSignatureError.
    """
    with declared(UnsupportedSignatureError, "the signature cannot be checked"):
        identifier = algos.SignedDigestAlgorithm.load(algorithm)
        key = load_certificate(certificate).public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                scheme, hash_algorithm = _rsa_scheme(identifier, digest)
                key.verify(signature, message, scheme, hash_algorithm)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, message, ec.ECDSA(_digest(_named_digest(identifier, "ecdsa", digest))))
            else:
                raise UnsupportedSignatureError(f"a {type(key).__name__} signs no mail here")
        except InvalidSignature:
            return False
        return True


def _rsa_scheme(
    identifier: algos.SignedDigestAlgorithm, digest: str
) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    if identifier["algorithm"].native != "rsassa_pss":
        return padding.PKCS1v15(), _digest(_named_digest(identifier, "rsassa_pkcs1v15", digest))
    parameters = identifier["parameters"]
    mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
    scheme = padding.PSS(mgf=padding.MGF1(_digest(mask)), salt_length=parameters["salt_length"].native)
    return scheme, _digest(parameters["hash_algorithm"]["algorithm"].native)


def _named_digest(identifier: algos.SignedDigestAlgorithm, family: str, fallback: str) -> str:
    """The digest that the algorithm names (sha256_rsa), or `fallback` where it names none (rsaEncryption)."""
    name = str(identifier["algorithm"].native)
    if name in {family, "rsassa_pkcs1v15"}:
        return fallback
    if identifier.signature_algo != family:
        raise UnsupportedSignatureError(f"algorithm {name} does not fit the key")
    return str(identifier.hash_algo)


def _digest(name: str) -> hashes.HashAlgorithm:
    if name not in DIGESTS:
        raise UnsupportedSignatureError(f"digest {name} is not supported")
    return DIGESTS[name]
