"""Whether the certificates of a path were revoked, by the CRLs and OCSP answers at hand.

*Unknown* is kept apart from *revoked*: what to make of it is the question's matter. One witness that says "revoked" is
enough; "good" needs one that is current, signed by who may say so, and covers all reasons.
"""

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    CRLNoMatchesError,
    CRLValidationError,
    CRLValidationIndeterminateError,
    OCSPNoMatchesError,
    OCSPValidationError,
    OCSPValidationIndeterminateError,
    RevokedError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from eas_server.pki.certificate import CertificateError
from eas_server.pki.crls import load_crls
from eas_server.pki.evidence import Evidence, Failure
from eas_server.pki.hostile import declared
from eas_server.pki.paths import MAX_POOL, Path
from eas_server.pki.profile import Profile, profile
from eas_server.pki.remembered import Remembered
from eas_server.pki.rfc5280 import library_path, run
from eas_server.pki.signatures import Budget, CountedSignatures, OutOfBudget
from eas_server.pki.verdict import Fault, Finding, Reason

CLOCK_SKEW: Final = timedelta(minutes=5)
"""By how much the clocks of those who sign evidence may differ from ours."""

ANY_AGE: Final = timedelta(days=3650)
"""How old evidence may be that says "revoked"."""
MAX_SIGNATURES: Final = 32
"""Signatures of CRLs, OCSP answers and those who made them that are checked for one path."""
ONE_MINUTE: Final = timedelta(minutes=1)

_SHA: Final = frozenset({"sha1", "sha256"})
"""The digests by which OCSP answers name certificates ([RFC 6960] 4.1.1); the library knows these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a path: certificates that were revoked, and those of which nobody says so or not."""

    revoked: tuple[Fault, ...]
    unknown: tuple[Fault, ...]
    findings: tuple[Finding, ...]


_REMEMBERED: Final[Remembered[tuple[object, ...], Standing]] = Remembered(1024)


class _WitnessError(ValueError):
    """A piece of evidence, or the library with it, is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What the witnesses of one kind say. None of the three: nobody who counts said anything."""

    good: bool = False
    revoked: str = ""
    hold: bool = False
    """`revoked`, but that may be lifted again."""
    problem: str = ""


def standing_of_path(path: Path, when: datetime, evidence: Evidence, strangers: Sequence[bytes]) -> Standing:
    """Judge each certificate of a trusted path below its root. `strangers` may be issuers of CRLs.

    The instant is taken up to the next whole minute, so that what was worked out may be used again; clocks differ by
    more (CLOCK_SKEW).
    """
    minute = when.replace(second=0, microsecond=0) + (ONE_MINUTE if when.second or when.microsecond else timedelta(0))
    key = (
        tuple(each.certificate.sha256 for each in path.certificates),
        minute,
        *(_digest(each) for each in (evidence.crls, evidence.ocsp_answers, strangers)),
        evidence.missing,
    )
    return _REMEMBERED.get(key) or _REMEMBERED.put(key, _standing(path, minute, evidence, strangers))


def _digest(values: Sequence[bytes]) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        digest.update(hashlib.sha256(value).digest())
    return digest.digest()


def _standing(path: Path, when: datetime, evidence: Evidence, strangers: Sequence[bytes]) -> Standing:
    revoked: list[Fault] = []
    unknown: list[Fault] = []
    findings: list[Finding] = []
    is_silent = not evidence.crls and not evidence.ocsp_answers
    witnesses = None if is_silent else _Witnesses(path, when, evidence, strangers)
    for depth, certificate in enumerate(path.certificates[:-1]):
        if depth == 0 and certificate.no_revocation:
            findings.append(Finding(depth=depth, text="its issuer does not tell about revocation, by intent"))
            continue
        said = (("OCSP", witnesses.ocsp(depth)), ("CRL", witnesses.crl(depth))) if witnesses else ()
        findings += [Finding(depth=depth, text=f"{kind}: {_words(what)}") for kind, what in said if _words(what)]
        accusations = [what.revoked for _, what in said if what.revoked]
        if accusations:
            revoked.append(Fault(reason=Reason.REVOKED, depth=depth, detail=accusations[0]))
        elif not any(what.good for _, what in said):
            unknown.append(_unknown(certificate, depth, evidence, [what.problem for _, what in said if what.problem]))
    return Standing(revoked=tuple(revoked), unknown=tuple(unknown), findings=tuple(findings))


def _words(said: _Said) -> str:
    return said.revoked or ("not revoked" if said.good else said.problem)


def _unknown(certificate: Profile, depth: int, evidence: Evidence, problems: Sequence[str]) -> Fault:
    urls = {*certificate.ocsp_urls, *certificate.crl_urls}
    missing = [each for each in evidence.missing if each.url in urls]
    offline = [each for each in missing if each.failure is Failure.OFFLINE]
    if offline and not problems:
        detail = "; ".join(f"{each.url}: {each.detail or each.failure}" for each in offline)
        return Fault(reason=Reason.OFFLINE, depth=depth, detail=detail)
    told = [*problems, *(f"{each.url}: {each.detail or each.failure}" for each in missing)]
    if not urls:
        told.append("it does not say where to ask")
    return Fault(reason=Reason.UNDETERMINED, depth=depth, detail="; ".join(told))


Listen = Callable[..., Coroutine[Any, Any, None]]


class _Witnesses:
    """The evidence about one path, in the forms of the library."""

    def __init__(self, path: Path, when: datetime, evidence: Evidence, strangers: Sequence[bytes]) -> None:
        self._certificates = path.certificates
        self._loaded = [asn1_x509.Certificate.load(each.der) for each in path.certificates]
        self._when = when
        self._crls = load_crls(evidence.crls, [each.certificate.serial for each in path.certificates])
        self._answers = _load_ocsps(evidence.ocsp_answers)
        known = {each.der for each in path.certificates}
        self._others = [*self._loaded, *_load_certificates([der for der in strangers if der not in known])]
        budget = Budget(signatures=MAX_SIGNATURES, paths=1)
        self._signatures = CountedSignatures(budget, self._crls.originals)

    def ocsp(self, depth: int) -> _Said:
        """What OCSP answers say of the certificate at `depth`."""
        if not self._answers:
            return _Said()
        return self._heard(verify_ocsp_response, depth)

    def crl(self, depth: int) -> _Said:
        """What CRLs say of it."""
        if not any(each.may_speak_of(self._certificates[depth]) for each in self._crls.loaded):
            return _Said(problem="; ".join(self._crls.broken))
        return self._heard(verify_crl, depth)

    def _heard(self, listen: Listen, depth: int) -> _Said:
        """What is said now; or what was said once, where that was "revoked": it does not become good by growing old."""
        said = self._said(listen, depth, self._when)
        last_told = self._last_told(depth) if said.problem else None
        if last_told is not None:
            once = self._said(listen, depth, last_told)
            if once.revoked and not once.hold:
                return once
        return said

    def _last_told(self, depth: int) -> datetime | None:
        """When the newest evidence was made: what it says is judged as of then."""
        certificate = self._certificates[depth]
        told: list[datetime] = []
        with suppress(_WitnessError), declared(_WitnessError, "a time cannot be read"):
            told += [
                each.crl["tbs_cert_list"]["this_update"].native
                for each in self._crls.loaded
                if each.may_speak_of(certificate)
            ]
            told += [one["this_update"].native for each in self._answers for one in each.response_data["responses"]]
        return max((each for each in told if self._when - ANY_AGE <= each <= self._when), default=None)

    def _said(self, listen: Listen, depth: int, when: datetime) -> _Said:
        path = library_path(self._loaded[depth:])
        try:
            with declared(_WitnessError, "the evidence cannot be read"):
                run(listen(path.leaf, path, self._context(depth, path, when)))
        except _WitnessError as error:
            return _after(error)
        return _Said(good=True)

    def _context(self, depth: int, path: ValidationPath, when: datetime) -> ValidationContext:
        """Made anew for each certificate, with no other CRLs than may speak of it: the library remembers who signed
        one, and believes the same one about others then."""
        certificate = self._certificates[depth]
        rule = RevocationCheckingRule.CHECK_IF_DECLARED
        context = ValidationContext(
            trust_roots=[path.trust_anchor],
            other_certs=self._others,
            moment=when,
            crls=[each.crl for each in self._crls.loaded if each.may_speak_of(certificate)],
            ocsps=self._answers,
            revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy(rule, rule)),
            time_tolerance=CLOCK_SKEW,
            algorithm_usage_policy=AcceptAllAlgorithms(),
            signature_validator=self._signatures,
        )
        for above in range(depth + 1, len(self._certificates)):
            known = library_path(self._loaded[above:])
            # judged already, as far as evidence needs it
            context.record_validation(known.last, known)  # type: ignore[no-untyped-call]
        return context


def _after(error: _WitnessError) -> _Said:
    match error.__cause__:
        case OutOfBudget():
            return _Said(problem="there is more evidence than is looked at")
        case RevokedError() as revoked:
            return _Said(revoked=str(revoked.failure_msg), hold=revoked.reason.native == "certificate_hold")
        case CRLNoMatchesError() | OCSPNoMatchesError():
            return _Said()
        case CRLValidationIndeterminateError() | OCSPValidationIndeterminateError() as unsure:
            return _Said(problem="; ".join(dict.fromkeys(str(failure[0]) for failure in unsure.failures)) or unsure.msg)
        case CRLValidationError() | OCSPValidationError() as wrong:
            return _Said(problem=str(wrong))
        case _:
            return _Said(problem=str(error))


def _load_certificates(ders: Sequence[bytes]) -> list[asn1_x509.Certificate]:
    loaded = []
    for der in list(dict.fromkeys(ders))[:MAX_POOL]:
        try:
            profile(der)
        except CertificateError:
            continue
        loaded.append(asn1_x509.Certificate.load(der))
    return loaded


def _load_ocsps(ders: Sequence[bytes]) -> list[asn1_ocsp.OCSPResponse]:
    loaded = []
    for der in dict.fromkeys(ders):
        try:
            with declared(_WitnessError, "not an OCSP answer"):
                answer = asn1_ocsp.OCSPResponse.load(der, strict=True)
                if answer["response_status"].native != "successful":
                    continue
                responses = answer.response_data["responses"]
                digests = {each["cert_id"]["hash_algorithm"]["algorithm"].native for each in responses}
                if digests <= _SHA and all(each["this_update"].native for each in responses):
                    loaded.append(answer)
        except _WitnessError:
            continue
    return loaded
