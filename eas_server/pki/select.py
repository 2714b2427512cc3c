"""Which of a recipient's certificates to encrypt to, and why not the others.

"Valid S/MIME certificate" (MS-ASCMD_R4303, R849) is not defined in the protocol documents. Here it means: it parses,
is within its validity, belongs to no certificate authority, has an RSA or EC key, is allowed by KeyUsage and
ExtendedKeyUsage to protect mail by encryption, and names the recipient's address. That follows RFC 8550 and what
Outlook publishes about its own choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from eas_server.pki.certificate import CertificateError, KeyAlgorithm, ParsedCertificate, parse_cached


class Source(StrEnum):
    """Where a candidate was found."""

    USER_CERTIFICATE = "userCertificate"
    USER_SMIME_CERTIFICATE = "userSMIMECertificate"
    LOCAL = "local"


class Reason(StrEnum):
    """Why a candidate was refused; the first that applies, in this order."""

    UNPARSABLE = "unparsable"
    CA = "certificate of an authority"
    KEY_ALGORITHM = "key is neither RSA nor EC"
    KEY_USAGE = "key usage does not allow encryption"
    EXTENDED_KEY_USAGE = "extended key usage does not allow mail"
    ADDRESS = "does not name the recipient's address"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A value of a directory that should be a DER certificate, and may be anything.

    `preferred`: its owner marked it as the one to encrypt to (SMIMEEncryptionKeyPreference).
    """

    der: bytes
    source: Source = Source.LOCAL
    preferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """`certificate` is None, and `detail` says more, where the reason is UNPARSABLE."""

    candidate: Candidate
    reason: Reason
    certificate: ParsedCertificate | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`chosen`, best first: its length is CertificateCount (MS-ASCMD_R849). `refused`, in the order given."""

    chosen: tuple[ParsedCertificate, ...]
    refused: tuple[Refused, ...]


def select(
    candidates: Sequence[Candidate],
    *,
    addresses: frozenset[str],
    now: datetime,
    require_address_match: bool = True,
) -> Selection:
    """Choose among `candidates` for a recipient known by `addresses` (any of them will do), at the aware time `now`.

    Best first: marked by its owner, then the newest not_before, then the lowest SHA-256 so that the order never
    depends on that of the directory. A certificate that comes twice counts once, as marked if either was.
    """
    chosen: dict[bytes, tuple[ParsedCertificate, bool]] = {}
    refused: dict[bytes, Refused] = {}
    for candidate in candidates:
        try:
            certificate = parse_cached(candidate.der)
        except CertificateError as error:
            refused.setdefault(
                candidate.der,
                Refused(candidate=candidate, reason=Reason.UNPARSABLE, certificate=None, detail=str(error)),
            )
            continue
        reason = _refusal(certificate, addresses if require_address_match else None, now)
        if reason is None:
            _, marked = chosen.get(candidate.der, (certificate, False))
            chosen[candidate.der] = (certificate, marked or candidate.preferred)
        else:
            refused.setdefault(candidate.der, Refused(candidate=candidate, reason=reason, certificate=certificate))
    ranked = sorted(chosen.values(), key=_rank)
    return Selection(chosen=tuple(certificate for certificate, _ in ranked), refused=tuple(refused.values()))


def _refusal(certificate: ParsedCertificate, addresses: frozenset[str] | None, now: datetime) -> Reason | None:
    if certificate.is_ca:
        return Reason.CA
    if certificate.key_algorithm is KeyAlgorithm.OTHER:
        return Reason.KEY_ALGORITHM
    if not certificate.may_encrypt():
        return Reason.KEY_USAGE
    if not certificate.may_protect_mail():
        return Reason.EXTENDED_KEY_USAGE
    if addresses is not None and not certificate.has_address(addresses):
        return Reason.ADDRESS
    if now < certificate.not_before:
        return Reason.NOT_YET_VALID
    if now > certificate.not_after:
        return Reason.EXPIRED
    return None


def _rank(entry: tuple[ParsedCertificate, bool]) -> tuple[bool, float, str]:
    certificate, marked = entry
    return (not marked, -certificate.not_before.timestamp(), certificate.sha256)
