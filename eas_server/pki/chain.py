"""Whether a certificate leads to one of the given roots at a given time: signatures, names, validity, CA flags.

No revocation, no policies, no name constraints: enough to tell who signed a message in the lab.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from eas_server.pki.certificate import CertificateError, KeyUse, ParsedCertificate, parse_cached

MAX_CHAIN = 8
"""Certificates in one path, both ends included; real ones have three or four."""

MAX_AUTHORITIES = 256
"""Authorities looked at, the roots first."""

MAX_ISSUERS_TRIED = 64
"""Signatures checked for one answer, so that a bag of look-alike authorities costs a bounded time."""


def leads_to_root(certificate: bytes, *, intermediates: Sequence[bytes], roots: Sequence[bytes], now: datetime) -> bool:
    """Whether a path of CAs valid at `now` leads from `certificate` (DER) to one of `roots` (DER).

    Only what stands above `certificate` is judged; whether it is itself within its validity is the caller's question.
    A certificate that is itself among `roots` is trusted as it is.
    """
    try:
        parse_cached(certificate)
    except CertificateError:
        return False
    trusted = frozenset(roots)
    if certificate in trusted:
        return True
    authorities = _authorities([*roots, *intermediates], now)
    seen = {certificate}
    waiting = [(certificate, 1)]
    tried = 0
    while waiting:
        subject, depth = waiting.pop()
        for authority in authorities:
            if authority in seen or depth >= MAX_CHAIN or tried >= MAX_ISSUERS_TRIED:
                continue
            if not _names_match(subject, authority):
                continue
            tried += 1
            if not _issued(subject, authority):
                continue
            if authority in trusted:
                return True
            seen.add(authority)
            waiting.append((authority, depth + 1))
    return False


def _authorities(certificates: Sequence[bytes], now: datetime) -> list[bytes]:
    found: list[bytes] = []
    for der in dict.fromkeys(certificates):
        if len(found) == MAX_AUTHORITIES:
            break
        try:
            certificate = parse_cached(der)
        except CertificateError:
            continue
        if _may_issue(certificate) and certificate.valid_at(now):
            found.append(der)
    return found


def _may_issue(certificate: ParsedCertificate) -> bool:
    usage = certificate.key_usage
    return certificate.is_ca and (usage is None or KeyUse.KEY_CERT_SIGN in usage)


def _names_match(subject: bytes, authority: bytes) -> bool:
    return _load(subject).issuer == _load(authority).subject


def _issued(subject: bytes, authority: bytes) -> bool:
    try:
        _load(subject).verify_directly_issued_by(_load(authority))
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _load(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)
