"""The CRLs of the lab's authorities at an instant: full ones, deltas, indirect ones, and one that is out of date.

All but the stale one are of the hour, and are followed by the next ones a day later at the latest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from eas_server.pki.lab_issue import Lab, crl_url, delta_url, issuer_url
from eas_server.pki.lab_plan import CrlPoint, Declared, Revoked

LASTS: Final = timedelta(days=1)
"""From thisUpdate to nextUpdate."""
OVERDUE: Final = timedelta(days=10)
"""How long ago the stale CRL was made."""
REVOKED_BEFORE: Final = timedelta(days=10)
"""How long before the making of the lab its certificates were revoked."""

_HOUR: Final = timedelta(hours=1)
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
_DELTA_LATER: Final = timedelta(minutes=1)
"""By which a delta is newer than its base; what is issued at the same time has to say the same ([RFC 5280] 5.2.3)."""

_REASONS: Final = {reason.value: reason for reason in x509.ReasonFlags}


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A certificate that an authority of the lab has revoked, beyond those that are declared."""

    serial: int
    when: datetime
    reason: str = ""
    """As in [RFC 5280] 5.3.1: "keyCompromise"; "": none is told."""


def crl(lab: Lab, authority: str, point: CrlPoint, now: datetime, further: Sequence[Withdrawn] = ()) -> bytes:
    """The CRL (DER) that a distribution point of an authority gives at `now`. `point`: FULL, DELTA, STALE, INDIRECT.

    `further` are certificates of this authority that were revoked, too.
    """
    issued = hour_of(now) - (OVERDUE if point is CrlPoint.STALE else timedelta(0))
    signer = lab.plan.authorities[authority].crl_signer if point is CrlPoint.INDIRECT else authority
    builder = _begun(lab, signer, issued, _number(issued))
    if lab.plan.authorities[authority].issuer or point is not CrlPoint.FULL:
        # the CRL of a root is for the root's own certificate as well, which names no distribution point: openssl asks
        extension = _distribution_point(lab, authority, crl_url(lab.url, authority, point), point)
        builder = builder.add_extension(extension, critical=True)
    if point is CrlPoint.DELTA:
        fresh = x509.DistributionPoint([_url(delta_url(lab.url, authority))], None, None, None)
        builder = builder.add_extension(x509.FreshestCRL([fresh]), critical=False)
    if point is CrlPoint.INDIRECT:
        where = _url(issuer_url(lab.url, signer))
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    of_whom = authority if point is CrlPoint.INDIRECT else ""
    for withdrawn in (*_in_full(lab, authority, point), *further):
        builder = builder.add_revoked_certificate(_entry(lab, withdrawn, of_whom))
    return _signed(lab, signer, builder)


def delta_crl(lab: Lab, authority: str, now: datetime) -> bytes:
    """What changed since the full CRL of CrlPoint.DELTA (DER)."""
    issued = hour_of(now)
    builder = _begun(lab, authority, min(issued + _DELTA_LATER, now), _number(issued) + 1)
    point = _distribution_point(lab, authority, crl_url(lab.url, authority, CrlPoint.DELTA), CrlPoint.DELTA)
    builder = builder.add_extension(point, critical=True)
    builder = builder.add_extension(x509.DeltaCRLIndicator(_number(issued)), critical=True)
    for name, each in _of(lab, authority, CrlPoint.DELTA):
        if each.revoked in _IN_DELTA:
            withdrawn = Withdrawn(serial=lab.serial(name), when=_when(lab), reason=_IN_DELTA[each.revoked])
            builder = builder.add_revoked_certificate(_entry(lab, withdrawn, ""))
    return _signed(lab, authority, builder)


_IN_DELTA: Final = {Revoked.DELTA_ONLY: "keyCompromise", Revoked.RELEASED: "removeFromCRL"}
_ON_HOLD: Final = "certificateHold"


def hour_of(now: datetime) -> datetime:
    """The full hour before `now`: evidence of one hour is the same, so that it can be kept."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def withdrawn(lab: Lab, authority: str) -> Iterator[Withdrawn]:
    """The certificates that an authority has revoked at last, as declared."""
    for name, each in lab.plan.issued_by(authority):
        if each.revoked not in (Revoked.NO, Revoked.RELEASED):
            reason = _IN_DELTA.get(each.revoked, each.revoked.value)
            yield Withdrawn(serial=lab.serial(name), when=_when(lab), reason=reason)


def _in_full(lab: Lab, authority: str, point: CrlPoint) -> Iterator[Withdrawn]:
    """What stands in a CRL that is no delta."""
    changing = {lab.serial(name) for name, each in lab.plan.issued_by(authority) if each.revoked in _IN_DELTA}
    yield from (each for each in withdrawn(lab, authority) if each.serial not in changing)
    if point is CrlPoint.DELTA:
        for name, each in _of(lab, authority, point):
            if each.revoked is Revoked.RELEASED:
                yield Withdrawn(serial=lab.serial(name), when=_when(lab), reason=_ON_HOLD)


def _of(lab: Lab, authority: str, point: CrlPoint) -> Iterator[tuple[str, Declared]]:
    return ((name, each) for name, each in lab.plan.issued_by(authority) if each.crl is point)


def _when(lab: Lab) -> datetime:
    return lab.made - REVOKED_BEFORE


def _number(issued: datetime) -> int:
    """Grows with time; the one after it is that of the delta."""
    return 2 * int((issued - _BEGINNING) / _HOUR)


def _distribution_point(lab: Lab, authority: str, url: str, point: CrlPoint) -> x509.IssuingDistributionPoint:
    # an authority that issues for people alone says so: its CRLs speak of no other certificates
    people_alone = not any(name in lab.plan.authorities for name, _ in lab.plan.issued_by(authority))
    indirect = point is CrlPoint.INDIRECT
    return x509.IssuingDistributionPoint(
        full_name=[_url(url)],
        relative_name=None,
        only_contains_user_certs=people_alone,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=indirect,
        only_contains_attribute_certs=False,
    )


def _begun(lab: Lab, signer: str, issued: datetime, number: int) -> x509.CertificateRevocationListBuilder:
    certificate = x509.load_der_x509_certificate(lab.certificates[signer])
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(issued)
        .next_update(issued + LASTS)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )


def _entry(lab: Lab, withdrawn: Withdrawn, of_whom: str) -> x509.RevokedCertificate:
    """`of_whom`: the authority whose certificate it is, where the CRL is not its own."""
    builder = x509.RevokedCertificateBuilder().serial_number(withdrawn.serial)
    builder = builder.revocation_date(withdrawn.when.replace(microsecond=0))
    if withdrawn.reason:
        builder = builder.add_extension(x509.CRLReason(_REASONS[withdrawn.reason]), critical=False)
    if of_whom:
        subject = x509.load_der_x509_certificate(lab.certificates[of_whom]).subject
        builder = builder.add_extension(x509.CertificateIssuer([x509.DirectoryName(subject)]), critical=True)
    return builder.build()


def _signed(lab: Lab, signer: str, builder: x509.CertificateRevocationListBuilder) -> bytes:
    key = lab.keys[signer]
    deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic).public_bytes(Encoding.DER)


def _url(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)
