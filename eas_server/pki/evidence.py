"""What was fetched about certificates, and what was not to be had."""

from dataclasses import dataclass
from enum import StrEnum

from eas_server.model.trust import EvidenceKind


class Failure(StrEnum):
    """Why something is not there."""

    OFFLINE = "no answer"
    REFUSED = "not asked: the address is not allowed, or the budget is spent"
    UNREADABLE = "the answer is not what was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that a certificate points to and that could not be had."""

    kind: EvidenceKind
    url: str
    failure: Failure
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is at hand: DER. Nothing of it is trusted before it is checked."""

    issuers: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_answers: tuple[bytes, ...] = ()
    missing: tuple[Missing, ...] = ()


NO_EVIDENCE = Evidence()
