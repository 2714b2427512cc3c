"""What is wrong with a certificate, which Status says so, and what is said of several faults.

The order in which faults count is not in the protocol documents; docs/decisions/0026-validate-cert.md has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from eas_server.pki.paths import Path
from eas_server.pki.profile import Profile
from protocol.commands.validate_cert import CertificateStatus


class Reason(StrEnum):
    """A cause, in words for people."""

    GOOD = "the certificate is good"
    UNREADABLE = "it is not a certificate"
    SIGNATURE = "the signature does not fit the issuer's key"
    ALGORITHM = "the signature proves nothing, or is of a kind that cannot be checked"
    MALFORMED = "it has the outline of a certificate, but cannot be read"
    CRITICAL = "it has critical extensions that are not known"
    KEY = "its key is not one to work with"
    END_ENTITY_AS_AUTHORITY = "it issued a certificate, but is not an authority's"
    PATH_LENGTH = "there are more authorities below it than it allows"
    AUTHORITY_AS_END_ENTITY = "it is an authority's, not a person's"
    AUTHORITY_USAGE = "it issued a certificate, which its key usage does not allow"
    AUTHORITY_PURPOSE = "it issued a certificate for mail, which its extended key usage does not allow"
    CONSTRAINTS = "names or policies are not those that its issuers allow"
    USAGE = "its key usage does not allow it"
    PURPOSE = "its extended key usage does not allow mail"
    NO_ISSUER = "its issuer's certificate is not at hand"
    LOOP = "the certificates issued each other"
    TOO_LONG = "there are too many certificates up to a root"
    TOO_COMPLEX = "it would cost too much to check"
    UNTRUSTED_ROOT = "it leads to a root that is not trusted here"
    NO_TRUST = "no root is trusted here: the administrator has to import some"
    REVOKED = "it was revoked"
    EXPIRED = "it has expired"
    NOT_YET_VALID = "it is not yet valid"
    OFFLINE = "who knows whether it was revoked does not answer"
    UNDETERMINED = "nobody says whether it was revoked"


class Purpose(StrEnum):
    """What a certificate is wanted for."""

    SIGN_MAIL = "signing mail"
    ENCRYPT_TO = "encrypting mail to its owner"
    AUTHORITY = "issuing certificates"


_S = CertificateStatus

_LEAF: Final[Mapping[Reason, CertificateStatus]] = {
    Reason.GOOD: _S.VALID,
    Reason.UNREADABLE: _S.BAD_SIGNATURE,
    Reason.SIGNATURE: _S.BAD_SIGNATURE,
    Reason.ALGORITHM: _S.BAD_SIGNATURE,
    Reason.MALFORMED: _S.MALFORMED,
    Reason.CRITICAL: _S.MALFORMED,
    Reason.KEY: _S.MALFORMED,
    Reason.END_ENTITY_AS_AUTHORITY: _S.WRONG_ROLE,
    Reason.PATH_LENGTH: _S.WRONG_ROLE,
    Reason.AUTHORITY_AS_END_ENTITY: _S.WRONG_ROLE,
    Reason.AUTHORITY_USAGE: _S.WRONG_USE,
    Reason.AUTHORITY_PURPOSE: _S.WRONG_USE,
    Reason.CONSTRAINTS: _S.WRONG_USE,
    Reason.USAGE: _S.WRONG_USE,
    Reason.PURPOSE: _S.WRONG_USE,
    Reason.NO_ISSUER: _S.BAD_CHAIN,
    Reason.LOOP: _S.BAD_CHAIN,
    Reason.TOO_LONG: _S.BAD_CHAIN,
    Reason.TOO_COMPLEX: _S.BAD_CHAIN,
    Reason.UNTRUSTED_ROOT: _S.UNTRUSTED,
    Reason.NO_TRUST: _S.SERVER_ERROR,
    Reason.REVOKED: _S.REVOKED,
    Reason.EXPIRED: _S.EXPIRED,
    Reason.NOT_YET_VALID: _S.EXPIRED,
    Reason.OFFLINE: _S.REVOCATION_OFFLINE,
    Reason.UNDETERMINED: _S.REVOCATION_UNKNOWN,
}
_ABOVE: Final[Mapping[Reason, CertificateStatus]] = {
    Reason.REVOKED: _S.CHAIN_REVOKED,
    Reason.EXPIRED: _S.CHAIN_EXPIRED,
    Reason.NOT_YET_VALID: _S.CHAIN_EXPIRED,
}
"""Of an authority's certificate, where it differs."""
_SIGNING: Final = frozenset({Reason.USAGE, Reason.PURPOSE})

PRECEDENCE: Final = (
    frozenset({_S.BAD_SIGNATURE}),
    frozenset({_S.MALFORMED}),
    frozenset({_S.WRONG_ROLE}),
    frozenset({_S.WRONG_USE, _S.NOT_FOR_SIGNING}),
    frozenset({_S.BAD_CHAIN}),
    frozenset({_S.UNTRUSTED, _S.SERVER_ERROR}),
    frozenset({_S.REVOKED, _S.CHAIN_REVOKED}),
    frozenset({_S.EXPIRED, _S.CHAIN_EXPIRED}),
    frozenset({_S.REVOCATION_OFFLINE, _S.REVOCATION_UNKNOWN}),
    frozenset({_S.VALID}),
)
"""Which Status is told where several apply: the first of these; within one, what is nearest to the certificate."""


LONGEST_LINE: Final = 500
"""Characters of a line of an explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong. `depth`: 0 is the certificate in question, 1 its issuer, and so on."""

    reason: Reason
    depth: int = 0
    detail: str = ""
    purpose: Purpose = Purpose.SIGN_MAIL

    @property
    def status(self) -> CertificateStatus:
        """The Status that says so."""
        if self.depth == 0 and self.purpose is Purpose.SIGN_MAIL and self.reason in _SIGNING:
            return _S.NOT_FOR_SIGNING
        if self.depth > 0 and self.reason in _ABOVE:
            return _ABOVE[self.reason]
        return _LEAF[self.reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a piece of evidence said about a certificate of the path."""

    depth: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer about one certificate at one instant, with the reasons.

    `status` and `reason` are those of the fault that counts most; `faults` has all of them, worst first. `path` is the
    one that was judged best, None where there is none. `ignored` are faults that the question did not ask for.
    """

    status: CertificateStatus
    reason: Reason
    when: datetime
    certificate: Profile | None = None
    path: Path | None = None
    faults: tuple[Fault, ...] = ()
    ignored: tuple[Fault, ...] = ()
    evidence: tuple[Finding, ...] = ()

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return self.status is CertificateStatus.VALID

    def explain(self) -> tuple[str, ...]:
        """Lines for people: the path with what is wrong and what evidence says, certificate by certificate."""
        lines = [f"{self.status.value} {self.status.name}: {self.reason}"]
        certificates = self.path.certificates if self.path is not None else ()
        for depth, certificate in enumerate(certificates):
            parsed = certificate.certificate
            lines.append(f"{depth}: {certificate}, valid {parsed.not_before:%Y-%m-%d} to {parsed.not_after:%Y-%m-%d}")
            lines += [f"   ! {_told(fault)}" for fault in self.faults if fault.depth == depth]
            lines += [f"   ~ {_told(fault)} (not asked for)" for fault in self.ignored if fault.depth == depth]
            lines += [f"   - {finding.text}" for finding in self.evidence if finding.depth == depth]
        lines += [f"! {_told(fault)}" for fault in self.faults if fault.depth >= len(certificates)]
        if self.path is not None:
            lines.append(f"ends at {self.path.end.value}")
        return tuple(map(_printable, lines))


def rank(fault: Fault) -> tuple[int, int]:
    """Sorts the fault that counts most first."""
    status = fault.status
    return next(place for place, group in enumerate(PRECEDENCE) if status in group), fault.depth


def worst_first(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults in the order in which they count; those of one rank stay as they are."""
    return tuple(sorted(faults, key=rank))


def _printable(line: str) -> str:
    """Names in certificates are strangers' words: nothing in them may look like another line, or colour a terminal."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(line.split("\n")))
    return shown if len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 1] + "…"


def _told(fault: Fault) -> str:
    return f"{fault.reason}: {fault.detail}" if fault.detail else str(fault.reason)
