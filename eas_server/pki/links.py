"""What each certificate of a path says about itself and its place: role, usage, validity, extensions, keys."""

from collections.abc import Iterator
from datetime import datetime

from eas_server.pki.certificate import KeyUse
from eas_server.pki.paths import End, Path
from eas_server.pki.profile import Profile
from eas_server.pki.signatures import Link
from eas_server.pki.verdict import Fault, Purpose, Reason

_ENDS = {
    End.SELF_SIGNED: Reason.UNTRUSTED_ROOT,
    End.NO_ISSUER: Reason.NO_ISSUER,
    End.LOOP: Reason.LOOP,
    End.TOO_LONG: Reason.TOO_LONG,
    End.GIVEN_UP: Reason.TOO_COMPLEX,
}
_LINKS = {Link.BAD: Reason.SIGNATURE, Link.UNSUPPORTED: Reason.ALGORITHM}


def faults_of_path(path: Path, now: datetime, purpose: Purpose, *, any_trust: bool) -> Iterator[Fault]:
    """All that is wrong with the certificates of `path` at `now`, without names, policies and revocation.

    `any_trust`: there is a trusted root at all.
    """
    for depth, fits in enumerate(path.links):
        if fits is not Link.GOOD:
            fault = path.certificates[depth + 1].key_fault
            yield Fault(reason=_LINKS[fits], depth=depth, detail=f"the issuer has {fault}" if fault else "")
    authorities_below = 0
    for depth, certificate in enumerate(path.certificates):
        yield from _extensions(certificate, depth)
        yield from _validity(certificate, depth, now)
        if depth > 0:
            yield from _authority(certificate, depth, authorities_below, root=certificate is path.top and path.trusted)
            authorities_below += not certificate.self_issued
        else:
            yield from _leaf(certificate, purpose)
            authorities_below += purpose is Purpose.AUTHORITY and not certificate.self_issued
    if not path.trusted:
        is_short = path.end in {End.SELF_SIGNED, End.NO_ISSUER}  # the root itself is seldom sent
        reason = _ENDS[path.end] if any_trust or not is_short else Reason.NO_TRUST
        yield Fault(reason=reason, depth=len(path.certificates) - 1)


def _extensions(certificate: Profile, depth: int) -> Iterator[Fault]:
    if certificate.unknown_critical:
        yield Fault(reason=Reason.CRITICAL, depth=depth, detail=", ".join(certificate.unknown_critical))
    if certificate.key_fault and depth == 0:
        yield Fault(reason=Reason.KEY, depth=depth, detail=certificate.key_fault)


def _validity(certificate: Profile, depth: int, now: datetime) -> Iterator[Fault]:
    parsed = certificate.certificate
    if now > parsed.not_after:
        yield Fault(reason=Reason.EXPIRED, depth=depth, detail=f"{parsed.not_after:%Y-%m-%d %H:%M:%SZ}")
    if now < parsed.not_before:
        yield Fault(reason=Reason.NOT_YET_VALID, depth=depth, detail=f"{parsed.not_before:%Y-%m-%d %H:%M:%SZ}")


def _leaf(certificate: Profile, purpose: Purpose) -> Iterator[Fault]:
    parsed = certificate.certificate
    if purpose is Purpose.AUTHORITY:
        yield from _authority(certificate, 0, 0, root=certificate.self_issued)
        return
    if certificate.basic_constraints:
        yield Fault(reason=Reason.AUTHORITY_AS_END_ENTITY, purpose=purpose)
    may = parsed.may_sign() if purpose is Purpose.SIGN_MAIL else parsed.may_encrypt()
    if not may:
        yield Fault(reason=Reason.USAGE, purpose=purpose, detail=", ".join(sorted(parsed.key_usage or ())))
    if not parsed.may_protect_mail():
        uses = ", ".join(sorted(parsed.extended_key_usage or ()))
        yield Fault(reason=Reason.PURPOSE, purpose=purpose, detail=uses)


def _authority(certificate: Profile, depth: int, below: int, *, root: bool) -> Iterator[Fault]:
    parsed = certificate.certificate
    # what the administrator imported as a root may be of a time before there were extensions
    if not certificate.basic_constraints and not (root and certificate.basic_constraints is None):
        yield Fault(reason=Reason.END_ENTITY_AS_AUTHORITY, depth=depth)
    if certificate.path_length is not None and below > certificate.path_length:
        detail = f"{below} instead of {certificate.path_length}"
        yield Fault(reason=Reason.PATH_LENGTH, depth=depth, detail=detail)
    if parsed.key_usage is not None and KeyUse.KEY_CERT_SIGN not in parsed.key_usage:
        yield Fault(reason=Reason.AUTHORITY_USAGE, depth=depth)
    if not parsed.may_protect_mail():
        uses = ", ".join(sorted(parsed.extended_key_usage or ()))
        yield Fault(reason=Reason.AUTHORITY_PURPOSE, depth=depth, detail=uses)
