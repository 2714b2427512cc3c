"""Whether a certificate is good: `validate` is the one place where that is decided, for whoever asks.

Pure: the instant, the trust and the evidence are arguments. The same arguments give the same verdict.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from eas_server.model.trust import TrustCollection
from eas_server.pki.certificate import CertificateError
from eas_server.pki.evidence import NO_EVIDENCE, Evidence
from eas_server.pki.links import faults_of_path
from eas_server.pki.paths import Path, build_paths, fresh_budget, pool_of
from eas_server.pki.profile import Profile, looks_like_certificate, profile
from eas_server.pki.revocation import Standing, standing_of_path
from eas_server.pki.rfc5280 import constraint_fault
from eas_server.pki.verdict import Fault, Finding, Purpose, Reason, Verdict, rank, worst_first
from protocol.commands.validate_cert import CertificateStatus


class Revocation(Enum):
    """How much has to be known about revocation. What is known always counts."""

    REQUIRED = "an unknown status is a fault"
    """CheckCRL 1 (MS-ASCMD_R893)."""
    IF_KNOWN = "an unknown status is ignored"
    """CheckCRL 0 (MS-ASCMD_R895)."""


_BLOCKING = frozenset(
    {
        CertificateStatus.BAD_SIGNATURE,
        CertificateStatus.MALFORMED,
        CertificateStatus.WRONG_ROLE,
    }
)
"""With these, the library would stumble over what is known already."""


def validate(
    certificate: bytes,
    *,
    chain: Sequence[bytes] = (),
    trust: TrustCollection,
    when: datetime,
    evidence: Evidence = NO_EVIDENCE,
    purpose: Purpose = Purpose.SIGN_MAIL,
    revocation: Revocation = Revocation.IF_KNOWN,
) -> Verdict:
    """The verdict about a DER certificate at the aware instant `when`.

    `chain` are certificates that came along: they may be links, never roots. Of several paths the best counts.
    """
    try:
        leaf = profile(certificate)
    except CertificateError as error:
        reason = Reason.MALFORMED if looks_like_certificate(certificate) else Reason.UNREADABLE
        return refusal(Fault(reason=reason, detail=str(error)), when)
    budget = fresh_budget()
    paths = build_paths(leaf, pool_of(trust, (*chain, *evidence.issuers)), when, budget)
    strangers = (*chain, *trust.intermediates, *evidence.issuers)
    verdicts = []
    for path in paths.found:
        verdict = _judge(path, when, trust, purpose, revocation, evidence, strangers)
        verdicts.append(verdict)
        if verdict.good:
            break
    best = max(verdicts, key=_goodness)  # the first of equals, which is the most promising
    if not best.good and paths.exhausted and not paths.complete:
        spent = Fault(reason=Reason.TOO_COMPLEX, depth=len(best.path.certificates) if best.path else 0)
        return _verdict(leaf, best.path, (*best.faults, spent), best.ignored, best.evidence, when)
    return best


def refusal(fault: Fault, when: datetime) -> Verdict:
    """The verdict about what is no certificate that can be judged."""
    return Verdict(status=fault.status, reason=fault.reason, when=when, faults=(fault,))


def _judge(
    path: Path,
    when: datetime,
    trust: TrustCollection,
    purpose: Purpose,
    revocation: Revocation,
    evidence: Evidence,
    strangers: Sequence[bytes],
) -> Verdict:
    faults = list(faults_of_path(path, when, purpose, any_trust=bool(trust.roots)))
    ignored: list[Fault] = []
    findings: tuple[Finding, ...] = ()
    if not any(fault.status in _BLOCKING or fault.reason is Reason.AUTHORITY_USAGE for fault in faults):
        constraint = constraint_fault(path)
        faults += [constraint] if constraint is not None else []
    if path.trusted and not any(fault.status in _BLOCKING for fault in faults):
        standing = standing_of_path(path, when, evidence, strangers)
        findings = standing.findings
        _sort_in(standing, revocation, faults, ignored)
    return _verdict(path.certificates[0], path, faults, ignored, findings, when)


def _sort_in(standing: Standing, revocation: Revocation, faults: list[Fault], ignored: list[Fault]) -> None:
    faults += standing.revoked
    (faults if revocation is Revocation.REQUIRED else ignored).extend(standing.unknown)


def _verdict(
    leaf: Profile,
    path: Path | None,
    faults: Sequence[Fault],
    ignored: Sequence[Fault],
    findings: Sequence[Finding],
    when: datetime,
) -> Verdict:
    ordered = worst_first(faults)
    worst = ordered[0] if ordered else Fault(reason=Reason.GOOD)
    return Verdict(
        status=worst.status,
        reason=worst.reason,
        when=when,
        certificate=leaf,
        path=path,
        faults=ordered,
        ignored=worst_first(ignored),
        evidence=tuple(findings),
    )


def _goodness(verdict: Verdict) -> tuple[bool, int]:
    """The better of two paths is the one whose worst fault counts less."""
    return (verdict.good, rank(verdict.faults[0])[0] if verdict.faults else 0)
