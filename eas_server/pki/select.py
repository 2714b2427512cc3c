"""Which of a recipient's certificates to encrypt to, and why not the others.

"Valid S/MIME certificate" (MS-ASCMD_R4303, R849) is not defined in the protocol documents. Here it means: it parses,
is within its validity, belongs to no certificate authority, has an RSA or EC key that is strong enough, is allowed by
KeyUsage and ExtendedKeyUsage to protect mail by encryption, names the recipient's address, is not known to be revoked,
and leads to a trusted root where the rules ask for that. That follows RFC 8550 and what Outlook publishes about its own
choice; docs/decisions/0030-recipient-certificates.md has the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from eas_server.model.certificates import ServedCertificates, Source
from eas_server.pki.certificate import CertificateError, KeyAlgorithm, ParsedCertificate, parse_cached
from eas_server.pki.verdict import Reason as Cause
from eas_server.pki.verdict import Verdict

Judge = Callable[[ParsedCertificate], Verdict | None]
"""What is known of a certificate's path: the verdict for `Purpose.ENCRYPT_TO`; None: it was not looked at."""


def any_path(_: ParsedCertificate) -> Verdict | None:
    """The Judge that leaves the path out of the choice: to see which certificates a verdict is worth while of."""
    return None


class Reason(StrEnum):
    """Why a candidate was refused; the first that applies, in this order."""

    UNPARSABLE = "unparsable"
    CA = "certificate of an authority"
    KEY_ALGORITHM = "key is neither RSA nor EC"
    WEAK_KEY = "key is too weak"
    KEY_USAGE = "key usage does not allow encryption"
    EXTENDED_KEY_USAGE = "extended key usage does not allow mail"
    ADDRESS = "does not name the recipient's address"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNTRUSTED = "does not lead to a trusted root"
    OTHER_SOURCE = "valid, but a source that counts more has one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A value of a directory that should be a DER certificate, and may be anything.

    `preferred`: its owner marked it as the one to encrypt to (SMIMEEncryptionKeyPreference). `chain` came along with
    it: DER certificates that may lead up to a root.
    """

    der: bytes
    source: Source = Source.LOCAL
    preferred: bool = False
    chain: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """`certificate` is None where the reason is UNPARSABLE; `detail` says more where there is more to say."""

    candidate: Candidate
    reason: Reason
    certificate: ParsedCertificate | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`chosen`, best first: its length is CertificateCount (MS-ASCMD_R849). `refused`, in the order given.

    `source` is that of the best one; None where there is none.
    """

    chosen: tuple[ParsedCertificate, ...]
    refused: tuple[Refused, ...]
    source: Source | None = None


_NO_RULES: Final = ServedCertificates()


@dataclass(slots=True)
class _Valid:
    """A certificate that counts, with the best of the candidates that it came as."""

    certificate: ParsedCertificate
    candidate: Candidate
    order: int
    """The place of its source in the order of sources."""

    def rank(self) -> tuple[int, bool, float, str]:
        certificate = self.certificate
        return (self.order, not self.candidate.preferred, -certificate.not_before.timestamp(), certificate.sha256)


def select(
    candidates: Sequence[Candidate],
    *,
    addresses: frozenset[str],
    now: datetime,
    require_address_match: bool = True,
    rules: ServedCertificates = _NO_RULES,
    judge: Judge | None = None,
) -> Selection:
    """Choose among `candidates` for a recipient known by `addresses` (any of them will do), at the aware time `now`.

    Best first: by the order of sources in `rules`, then marked by its owner, then the newest not_before, then the
    lowest SHA-256, so that the order never depends on that of the directory. A certificate that comes twice counts
    once, as the better of the two. Only one Place gives certificates, the first that has a valid one; candidates of
    sources that `rules` do not name come last.
    """
    order = {source: number for number, source in enumerate(dict.fromkeys((*rules.sources, *Source)))}
    names = addresses if require_address_match else None
    valid: dict[bytes, _Valid] = {}
    refused: dict[bytes, Refused] = {}
    for candidate in candidates:
        refusal = _refusal(candidate, names, now, rules, judge)
        if isinstance(refusal, Refused):
            refused.setdefault(candidate.der, refusal)
            continue
        found = _Valid(refusal, candidate, order[candidate.source])
        known = valid.setdefault(candidate.der, found)
        if found.rank() < known.rank():
            valid[candidate.der] = found
    ranked = sorted(valid.values(), key=_Valid.rank)
    if not ranked:
        return Selection(chosen=(), refused=tuple(refused.values()))
    source = ranked[0].candidate.source
    for other in ranked:
        if other.candidate.source.place is not source.place:
            refused[other.candidate.der] = Refused(
                candidate=other.candidate, reason=Reason.OTHER_SOURCE, certificate=other.certificate, detail=source
            )
    return Selection(
        chosen=tuple(each.certificate for each in ranked if each.candidate.source.place is source.place),
        refused=tuple(refused.values()),
        source=source,
    )


def _refusal(
    candidate: Candidate,
    addresses: frozenset[str] | None,
    now: datetime,
    rules: ServedCertificates,
    judge: Judge | None,
) -> ParsedCertificate | Refused:
    """The certificate, or why it does not count."""
    try:
        certificate = parse_cached(candidate.der)
    except CertificateError as error:
        return Refused(candidate=candidate, reason=Reason.UNPARSABLE, certificate=None, detail=str(error))
    reason, detail = _fault(certificate, addresses, now, rules), ""
    if reason is None and judge is not any_path:
        # what strangers sent along counts only as long as its issuer is trusted
        trusted = rules.require_trusted or candidate.source is Source.HARVESTED
        verdict = judge(certificate) if judge is not None else None
        reason, detail = _fault_of_path(verdict, require_trusted=trusted, refuse_revoked=rules.refuse_revoked)
    if reason is None:
        return certificate
    return Refused(candidate=candidate, reason=reason, certificate=certificate, detail=detail)


def _fault(
    certificate: ParsedCertificate, addresses: frozenset[str] | None, now: datetime, rules: ServedCertificates
) -> Reason | None:
    if certificate.is_ca:
        return Reason.CA
    if certificate.key_algorithm is KeyAlgorithm.OTHER:
        return Reason.KEY_ALGORITHM
    if _is_weak(certificate, rules):
        return Reason.WEAK_KEY
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


def _is_weak(certificate: ParsedCertificate, rules: ServedCertificates) -> bool:
    least = rules.min_rsa_bits if certificate.key_algorithm is KeyAlgorithm.RSA else rules.min_ec_bits
    return (certificate.key_bits or 0) < least


def _fault_of_path(
    verdict: Verdict | None, *, require_trusted: bool, refuse_revoked: bool
) -> tuple[Reason | None, str]:
    if verdict is None:
        return (Reason.UNTRUSTED, "its path was not looked at") if require_trusted else (None, "")
    if refuse_revoked and any(fault.reason is Cause.REVOKED for fault in verdict.faults):
        return Reason.REVOKED, str(Cause.REVOKED)
    if require_trusted and not verdict.good:
        return Reason.UNTRUSTED, str(verdict.reason)
    return None, ""


__all__ = ["Candidate", "Judge", "Reason", "Refused", "Selection", "Source", "any_path", "select"]
