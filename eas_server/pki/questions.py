"""What to ask about certificates, where, and for how long an answer is good."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from eas_server.model.trust import EvidenceKind
from eas_server.pki.certificate import CertificateError, parse_cached
from eas_server.pki.hostile import declared
from eas_server.pki.paths import End, Path
from eas_server.pki.presented import read_presented
from eas_server.pki.profile import MAX_URLS
from eas_server.pki.signatures import Link

ISSUERS_KEPT: Final = timedelta(days=7)
"""A certificate does not change, but what stands under a URL may."""
MAX_ISSUERS: Final = 16
"""Certificates taken out of one answer."""


class EvidenceError(ValueError):
    """The octets are not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something to fetch; `body` is the request to an OCSP responder."""

    kind: EvidenceKind
    url: str
    body: bytes = b""


def about_issuers(path: Path) -> Iterator[Question]:
    """Where the issuer may be had that a path lacks, or has only a namesake of ([RFC 5280] 4.2.2.1)."""
    lacking = [below for below, fits in zip(path.certificates, path.links, strict=False) if fits is not Link.GOOD]
    if path.end is End.NO_ISSUER:
        lacking.append(path.top)
    for certificate in lacking:
        for url in certificate.issuer_urls:
            yield Question(kind=EvidenceKind.ISSUER, url=url)


def about_revocation(path: Path) -> Iterator[Question]:
    """What to ask about every certificate of a complete path below its root: OCSP and CRLs, delta CRLs too."""
    for depth, certificate in enumerate(path.certificates[:-1]):
        if depth == 0 and certificate.no_revocation:
            continue
        if certificate.ocsp_urls:
            body = ocsp_request(certificate.der, path.certificates[depth + 1].der)
            for url in certificate.ocsp_urls:
                yield Question(kind=EvidenceKind.OCSP, url=url, body=body)
        for url in certificate.crl_urls:
            yield Question(kind=EvidenceKind.CRL, url=url)


def about_crl(der: bytes) -> Iterator[Question]:
    """What a CRL itself points to: its delta ([RFC 5280] 5.2.6), and its issuer's certificate (5.2.7)."""
    try:
        with declared(EvidenceError, "not a CRL"):
            extensions = x509.load_der_x509_crl(der).extensions
    except EvidenceError:
        return
    for extension in extensions:
        match extension.value:
            case x509.FreshestCRL() as points:
                names = [name for point in points for name in point.full_name or ()]
                kind = EvidenceKind.CRL
            case x509.AuthorityInformationAccess() as access:
                names = [entry.access_location for entry in access]
                kind = EvidenceKind.ISSUER
            case _:
                continue
        urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
        for url in urls[:MAX_URLS]:
            yield Question(kind=kind, url=url)


def ocsp_request(certificate: bytes, issuer: bytes) -> bytes:
    """The DER request to a responder about a certificate ([RFC 6960] 4.1).

    The certificate is named by SHA-1 digests, which every responder knows and on whose strength nothing hangs. There is
    no nonce: the answer may be one that was made before, whose validity tells how current it is ([RFC 5019] 4).
    Raises CertificateError.
    """
    with declared(CertificateError, "not a readable certificate"):
        asked, by = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
        builder = ocsp.OCSPRequestBuilder().add_certificate(asked, by, hashes.SHA1())  # noqa: S303 - names, proves nothing
        return builder.build().public_bytes(Encoding.DER)


def issuers_in(octets: bytes) -> tuple[bytes, ...]:
    """The certificates (DER) in what a caIssuers URL gave: one certificate, or a PKCS#7. Raises EvidenceError."""
    try:
        found = read_presented(octets)
        parse_cached(found.certificate)
    except CertificateError as error:
        raise EvidenceError(str(error)) from error
    return (found.certificate, *found.chain)[:MAX_ISSUERS]


def crl_in(octets: bytes) -> bytes:
    """The CRL (DER) in what a distribution point gave, DER or PEM. Raises EvidenceError."""
    with declared(EvidenceError, "not a CRL"):
        if octets.lstrip()[:5] == b"-----":
            return x509.load_pem_x509_crl(octets).public_bytes(Encoding.DER)
        x509.load_der_x509_crl(octets)
        return octets


def _issuers_until(octets: bytes, fetched: datetime) -> datetime | None:
    issuers_in(octets)
    return fetched + ISSUERS_KEPT


def _crl_until(octets: bytes, fetched: datetime) -> datetime | None:
    with declared(EvidenceError, "not a CRL"):
        until = x509.load_der_x509_crl(crl_in(octets)).next_update_utc
    return until if until is not None and until > fetched else None


def _ocsp_until(octets: bytes, fetched: datetime) -> datetime | None:
    with declared(EvidenceError, "not an OCSP answer"):
        answer = asn1_ocsp.OCSPResponse.load(octets, strict=True)
        status = answer["response_status"].native
        if status != "successful":
            raise EvidenceError(f"the OCSP responder says {status}")
        updates = [each["next_update"].native for each in answer.response_data["responses"]]
    if not updates or None in updates:
        return None
    until = min(updates).astimezone(UTC)
    return until if until > fetched else None


KEEP_UNTIL: Final[Mapping[EvidenceKind, Callable[[bytes, datetime], datetime | None]]] = {
    EvidenceKind.ISSUER: _issuers_until,
    EvidenceKind.CRL: _crl_until,
    EvidenceKind.OCSP: _ocsp_until,
}
"""Until when an answer may be served again; see `Wanted.keep_until`."""
