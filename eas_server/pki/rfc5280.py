"""Names, policies and their constraints along a path, by the library's [RFC 5280] 6.1, without I/O.

What else that algorithm checks (signatures, validity, roles, extensions) is told apart in `links.py`; here it only has
to be out of the way, so that what remains is a matter of names or policies.
"""

from collections.abc import Coroutine
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustAnchor, TrustQualifiers
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import ValidationError
from pyhanko_certvalidator.name_trees import process_general_subtrees
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.validate import async_validate_path

from eas_server.pki.hostile import declared
from eas_server.pki.paths import Path
from eas_server.pki.profile import Profile
from eas_server.pki.signatures import Budget, CountedSignatures, OutOfBudget
from eas_server.pki.verdict import Fault, Reason

MAX_NAMES: Final = 2000
"""Names in one path that constraints apply to; a certificate for a mail user has two or three."""
MAX_COMPARISONS: Final = 20_000
"""Names times constraints in one path."""

_FIRST: Final = datetime(MINYEAR, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(MAXYEAR, 12, 30, tzinfo=UTC)

T = TypeVar("T")


class _PathError(ValueError):
    """The library stumbled over a certificate."""


def constraint_fault(path: Path, now: datetime, budget: Budget) -> Fault | None:
    """What is wrong with names and policies of a path that is in order otherwise, or None. Raises OutOfBudget."""
    names = sum(certificate.names for certificate in path.certificates)
    constraints = sum(certificate.constraints for certificate in path.certificates)
    if constraints and (names > MAX_NAMES or names * constraints > MAX_COMPARISONS):
        return Fault(reason=Reason.TOO_COMPLEX, detail=f"{names} names under {constraints} constraints")
    if len(path.certificates) == 1:
        return None
    try:
        with declared(_PathError, "the path cannot be read"):
            return _validate(library_path(path.certificates), now, budget)
    except _PathError as error:
        if isinstance(error.__cause__, OutOfBudget):
            raise OutOfBudget from error
        return Fault(reason=Reason.MALFORMED, detail=str(error))


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for, as those of the library without fetchers."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a validation without fetchers waits for something")


def library_path(certificates: tuple[Profile, ...]) -> ValidationPath:
    """The path as the library takes it; the last certificate is the anchor, trusted or not."""
    *below, top = certificates
    loaded = [asn1_x509.Certificate.load(certificate.der) for certificate in reversed(below)]
    return ValidationPath(_anchor(top), interm=loaded[:-1], leaf=loaded[-1] if loaded else None)


def _anchor(top: Profile) -> TrustAnchor:
    """With the name constraints of the root's own certificate ([RFC 5937]); its path length is judged in `links.py`."""
    root = asn1_x509.Certificate.load(top.der)
    written = root.name_constraints_value
    if written is None:
        return CertTrustAnchor(root, quals=TrustQualifiers())
    permitted, excluded = written["permitted_subtrees"], written["excluded_subtrees"]
    parameters = PKIXValidationParams(
        initial_permitted_subtrees=process_general_subtrees(permitted) if permitted else None,
        initial_excluded_subtrees=process_general_subtrees(excluded) if excluded else None,
    )
    return CertTrustAnchor(root, quals=TrustQualifiers(standard_parameters=parameters))


def _validate(path: ValidationPath, now: datetime, budget: Budget) -> Fault | None:
    context = ValidationContext(
        trust_roots=[path.trust_anchor],
        moment=now,
        revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
        time_tolerance=_any_time(now),
        algorithm_usage_policy=AcceptAllAlgorithms(),
        signature_validator=CountedSignatures(budget),
    )
    try:
        run(async_validate_path(context, path))
    except ValidationError as error:
        return Fault(reason=Reason.CONSTRAINTS, detail=error.failure_msg)
    return None


def _any_time(now: datetime) -> timedelta:
    """A tolerance that takes validity out of the question: it was judged already."""
    return max(timedelta(0), min(now - _FIRST, _LAST - now))
