"""Certificates of recipients: where they are looked for, which of them count, what is taken from signed mail."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from itertools import pairwise
from typing import Final

from eas_server.model.ids import UserId
from eas_server.model.trust import fingerprint_of


class Place(Enum):
    """What a source belongs to: the recipient's certificates all come from one place."""

    DIRECTORY = "directory"
    CONTACTS = "contacts"
    MAIL = "mail"
    ELSEWHERE = "elsewhere"


class Source(StrEnum):
    """Where a certificate was found."""

    USER_SMIME_CERTIFICATE = "userSMIMECertificate"
    USER_CERTIFICATE = "userCertificate"
    CONTACTS = "contacts"
    """A KEY in a contact of the user who asks."""
    HARVESTED = "harvested"
    """Signed mail that the user who asks, or anybody here, got."""
    LOCAL = "local"
    """Given by hand: a file, a test."""

    @property
    def place(self) -> Place:
        """What it belongs to."""
        return _PLACES.get(self, Place.ELSEWHERE)


_PLACES: Final = {
    Source.USER_SMIME_CERTIFICATE: Place.DIRECTORY,
    Source.USER_CERTIFICATE: Place.DIRECTORY,
    Source.CONTACTS: Place.CONTACTS,
    Source.HARVESTED: Place.MAIL,
}
ALL_SOURCES: Final = tuple(_PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCertificates:
    """`[recipients]`: which certificates of a recipient count. Raises ValueError, with the name of the key."""

    sources: tuple[Source, ...] = ALL_SOURCES
    """In their order; those that are not named are not looked at. With `contacts`, the contacts of the user who asks
    are recipients where the directory has nobody."""
    require_trusted: bool = False
    """A certificate has to lead to a root that is trusted for the domain of the user who asks."""
    refuse_revoked: bool = True
    """A certificate that leads to a trusted root does not count where it is known to be revoked."""
    min_rsa_bits: int = 2048
    min_ec_bits: int = 224
    """Shorter keys are too weak to encrypt to; 0: none is."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.sources or len(set(self.sources)) < len(self.sources) or Source.LOCAL in self.sources:
            known = ", ".join(f'"{source}"' for source in ALL_SOURCES)
            raise ValueError(f"sources: must name at least one of {known}, each once")
        places = [source.place for source in self.sources]
        if any(here is not before and here in places[:n] for n, (before, here) in enumerate(pairwise(places), 1)):
            raise ValueError("sources: the two attributes of the directory must stand together")
        if Source.HARVESTED in self.sources:
            behind = self.sources[self.sources.index(Source.HARVESTED) :]
            if any(source.place is Place.DIRECTORY for source in behind):
                raise ValueError('sources: "harvested" must come behind the sources of the directory')
        for name in ("min_rsa_bits", "min_ec_bits"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: must not be negative")


class HarvestScope(Enum):
    """For whom certificates are taken from the signed mail that users get."""

    OFF = "off"
    USER = "user"
    """For the user who got it."""
    EVERYBODY = "everybody"
    """For all users of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestSettings:
    """`[harvest]`: certificates out of signed mail."""

    scope: HarvestScope = HarvestScope.OFF
    max_message: int = 10 * 1024 * 1024
    """Octets; larger messages are left alone."""


MAX_HARVESTED_OF_ADDRESS: Final = 8
"""Of one address in one user's mail: several devices, and the last few renewals."""
MAX_HARVESTED_OF_USER: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvested:
    """A certificate (DER) out of signed mail that a user got. Instants are aware."""

    user: UserId
    address: str
    """Whose it is, in lower case: the certificate names it, and the mail was from it."""
    certificate: bytes
    chain: tuple[bytes, ...] = ()
    """What came along and may lead up to a root."""
    first_seen: datetime
    last_seen: datetime
    disputed: bool = False
    """Another authority's certificate for another key was there first and is still valid: this one is not served."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate in lower-case hexadecimal."""
        return fingerprint_of(self.certificate)
