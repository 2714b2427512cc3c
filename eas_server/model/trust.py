"""What is trusted, and what speaks of revocation."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from eas_server.model.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustCollection:
    """The virtual certificate collection of a mail domain: DER certificates."""

    name: str
    """The mail domain that it is for; "" for all that have none of their own."""
    roots: tuple[bytes, ...] = ()
    intermediates: tuple[bytes, ...] = ()


class Anchor(StrEnum):
    """What a certificate of an authority is to those who trust it."""

    ROOT = "root"
    """Paths may end at it."""
    INTERMEDIATE = "intermediate"
    """Paths may lead over it, up to a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """One certificate (DER) of a collection."""

    collection: str
    anchor: Anchor
    certificate: bytes
    added: datetime

    @property
    def fingerprint(self) -> str:
        """What it is known by."""
        return fingerprint_of(self.certificate)


def fingerprint_of(certificate: bytes) -> str:
    """SHA-256 of a DER certificate in lower-case hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()


class EvidenceKind(StrEnum):
    """What can be fetched."""

    ISSUER = "issuer"
    """Certificates of an issuer (caIssuers of AuthorityInfoAccess, [RFC 5280] 4.2.2.1)."""
    CRL = "crl"
    OCSP = "ocsp"
    """An OCSP answer to `body` ([RFC 6960])."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Evidence that a certificate names by URL: whoever made the certificate chose the URL."""

    kind: EvidenceKind
    url: str
    user: UserId
    """For whom: what is fetched counts against the user's budget."""
    body: bytes = b""
    keep_until: Callable[[bytes, datetime], datetime | None]
    """Until when octets fetched at an instant may be served again: their nextUpdate; None: not at all.

    Raises ValueError for octets that are no evidence, which are then not kept and not given out.
    """
