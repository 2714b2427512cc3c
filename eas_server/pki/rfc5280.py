"""Names, policies and their constraints along a path, by the library's [RFC 5280] 6.1, without I/O.

What else that algorithm checks (signatures, validity, roles, extensions) is told apart in `links.py`; here it only has
to be out of the way, so that what remains is a matter of names or policies.
"""

from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustAnchor, TrustQualifiers
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import ExpiredError, NotYetValidError, ValidationError
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
from eas_server.pki.remembered import Remembered
from eas_server.pki.signatures import Budget, CountedSignatures
from eas_server.pki.verdict import Fault, Reason

MAX_NAMES: Final = 2000
"""Names in one path that constraints apply to; a certificate for a mail user has two or three."""
MAX_COMPARISONS: Final = 20_000
"""Names times constraints in one path."""

_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ANY_TIME: Final = timedelta(days=365 * 1990)
"""A tolerance that takes validity out of the question: it was judged already."""

T = TypeVar("T")


class _PathError(ValueError):
    """The library stumbled over a certificate."""


def constraint_fault(path: Path) -> Fault | None:
    """What is wrong with names and policies of a path that is in order otherwise, or None."""
    names = sum(certificate.names for certificate in path.certificates)
    constraints = sum(certificate.constraints for certificate in path.certificates)
    if constraints and (names > MAX_NAMES or names * constraints > MAX_COMPARISONS):
        return Fault(reason=Reason.TOO_COMPLEX, detail=f"{names} names under {constraints} constraints")
    if len(path.certificates) == 1:
        return None
    # it does not depend on the instant, so that it can be remembered
    key = tuple(certificate.certificate.sha256 for certificate in path.certificates)
    found = _REMEMBERED.get(key) or _REMEMBERED.put(key, (_fault_of(path),))
    return found[0]


_REMEMBERED: Final[Remembered[tuple[str, ...], tuple[Fault | None]]] = Remembered(1024)


def _fault_of(path: Path) -> Fault | None:
    try:
        with declared(_PathError, "the path cannot be read"):
            return _validate(library_path([asn1_x509.Certificate.load(each.der) for each in path.certificates]))
    except _PathError as error:
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


def library_path(certificates: Sequence[asn1_x509.Certificate]) -> ValidationPath:
    """The path as the library takes it, from one that begins with the certificate in question; the last is the anchor,
    trusted or not."""
    *below, top = certificates
    downwards = below[::-1]
    return ValidationPath(_anchor(top), interm=downwards[:-1], leaf=downwards[-1] if downwards else None)


def _anchor(root: asn1_x509.Certificate) -> TrustAnchor:
    """With the name constraints of the root's own certificate ([RFC 5937]); its path length is judged in `links.py`."""
    written = root.name_constraints_value
    if written is None:
        return CertTrustAnchor(root, quals=TrustQualifiers())
    permitted, excluded = written["permitted_subtrees"], written["excluded_subtrees"]
    parameters = PKIXValidationParams(
        initial_permitted_subtrees=process_general_subtrees(permitted) if permitted else None,
        initial_excluded_subtrees=process_general_subtrees(excluded) if excluded else None,
    )
    return CertTrustAnchor(root, quals=TrustQualifiers(standard_parameters=parameters))


def _validate(path: ValidationPath) -> Fault | None:
    context = ValidationContext(
        trust_roots=[path.trust_anchor],
        moment=_SOME_TIME,
        revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
        time_tolerance=_ANY_TIME,
        algorithm_usage_policy=AcceptAllAlgorithms(),
        signature_validator=CountedSignatures(Budget(signatures=path.pkix_len, paths=1)),
    )
    try:
        run(async_validate_path(context, path))
    except (ExpiredError, NotYetValidError):
        return None  # of an age beyond all tolerance: that was judged already
    except ValidationError as error:
        return Fault(reason=Reason.CONSTRAINTS, detail=error.failure_msg)
    return None
