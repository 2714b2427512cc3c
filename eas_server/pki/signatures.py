"""Signatures of certificates, CRLs and OCSP answers: checked once, with keys of sane size, at a counted cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from asn1crypto import algos, keys
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator.errors import AlgorithmNotSupported
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
    SignatureValidator,
)

from eas_server.pki.hostile import declared
from eas_server.pki.profile import MAX_RSA_BITS, MAX_RSA_EXPONENT_BITS, MIN_RSA_BITS, Profile

WEAK_DIGESTS: Final = frozenset({"md2", "md5", "sha1"})
"""Signatures over these prove nothing: somebody else may have made the certificate ([RFC 8551] 2.1)."""

REMEMBERED: Final = 2048
MAX_REMEMBERED_BYTES: Final = 4096
"""Longer data (large CRLs) is checked anew each time, so that what is remembered stays small."""

_RSA: Final = frozenset({"rsa", "rsassa_pss"})


class Link(Enum):
    """What is known of a signature."""

    GOOD = "good"
    BAD = "the signature does not fit the issuer's key"
    UNSUPPORTED = "the signature is of a kind that proves nothing or that cannot be checked"


class OutOfBudget(Exception):
    """More signatures were to be checked than one answer is worth."""


@dataclass(slots=True)
class Budget:
    """What one answer may still cost; counts down."""

    signatures: int
    paths: int

    def spend_signature(self) -> None:
        """Count one check. Raises OutOfBudget."""
        if self.signatures <= 0:
            raise OutOfBudget
        self.signatures -= 1


def link(subject: Profile, issuer: Profile, budget: Budget) -> Link:
    """Whether the key of `issuer` made the signature of `subject`. Names do not matter here. Raises OutOfBudget."""
    if issuer.key_fault or not subject.algorithm:
        return Link.UNSUPPORTED if issuer.key_fault else Link.BAD
    budget.spend_signature()
    return _checked(subject.signature, subject.signed, issuer.public_key, subject.algorithm)


class CountedSignatures(SignatureValidator):
    """The checks of the library, with weak digests and absurd keys refused, counted against a budget."""

    def __init__(self, budget: Budget, originals: Mapping[bytes, bytes] | None = None) -> None:
        """`originals`: what was really signed, by what the library was given in its place (`crls.py`)."""
        self._budget = budget
        self._originals = originals or {}

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """See SignatureValidator. Raises InvalidSignature, OutOfBudget."""
        self._budget.spend_signature()
        signed_data = self._originals.get(signed_data, signed_data)
        key, algorithm = public_key_info.dump(), signature_algorithm.dump()
        found = _checked(signature, signed_data, key, algorithm)
        if found is Link.BAD:
            raise InvalidSignature(found.value)
        if found is Link.UNSUPPORTED:
            raise AlgorithmNotSupported(found.value)


class _UnsupportedError(ValueError):
    """Whatever else went wrong."""


def _check_once(signature: bytes, data: bytes, key: bytes, algorithm: bytes) -> Link:
    try:
        with declared(_UnsupportedError, "cannot be checked"):
            info = keys.PublicKeyInfo.load(key)
            how = algos.SignedDigestAlgorithm.load(algorithm)
            if _is_weak(how) or not _is_sane(info):
                return Link.UNSUPPORTED
            try:
                DefaultSignatureValidator().validate_signature(signature, data, info, how)
            except AlgorithmNotSupported:
                return Link.UNSUPPORTED
            except InvalidSignature:
                return Link.BAD
    except _UnsupportedError:
        return Link.UNSUPPORTED
    return Link.GOOD


_check = lru_cache(maxsize=REMEMBERED)(_check_once)


def _checked(signature: bytes, data: bytes, key: bytes, algorithm: bytes) -> Link:
    size = len(signature) + len(data) + len(key) + len(algorithm)
    return (_check if size <= MAX_REMEMBERED_BYTES else _check_once)(signature, data, key, algorithm)


def _is_weak(how: algos.SignedDigestAlgorithm) -> bool:
    if how["algorithm"].native in {"ed25519", "ed448"}:
        return False
    return str(how.hash_algo) in WEAK_DIGESTS


def _is_sane(info: keys.PublicKeyInfo) -> bool:
    if info.algorithm not in _RSA:
        return True
    exponent: int = info["public_key"].parsed["public_exponent"].native
    bits: int = info.bit_size
    return MIN_RSA_BITS <= bits <= MAX_RSA_BITS and exponent.bit_length() <= MAX_RSA_EXPONENT_BITS
