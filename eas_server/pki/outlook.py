"""Which certificate a client picks that reads the directory itself.

Outlook does: the certificate that a userSMIMECertificate marks as the one to encrypt to, else the first one there that
is valid; only then the first valid value of userCertificate (what Microsoft tells of it, see the field notes of
docs/smime.md). "If both attributes contain valid certificates, different clients can return different certificates."
"""

from collections.abc import Sequence
from datetime import datetime

from eas_server.pki.certificate import CertificateError, ParsedCertificate, parse_cached
from eas_server.pki.directory_blobs import certificates_of
from eas_server.pki.select import Candidate


def outlook_choice(
    user_certificates: Sequence[bytes], smime_certificates: Sequence[bytes], now: datetime
) -> ParsedCertificate | None:
    """The certificate that Outlook would encrypt to; None: it finds none."""
    signed = certificates_of((), smime_certificates)
    marked = [candidate for candidate in signed if candidate.preferred]
    for candidate in (*marked, *signed, *certificates_of(user_certificates, ())):
        certificate = _usable(candidate, now)
        if certificate is not None:
            return certificate
    return None


def _usable(candidate: Candidate, now: datetime) -> ParsedCertificate | None:
    try:
        certificate = parse_cached(candidate.der)
    except CertificateError:
        return None
    within = certificate.not_before <= now <= certificate.not_after
    usable = within and certificate.may_encrypt() and certificate.may_protect_mail() and not certificate.is_ca
    return certificate if usable else None
