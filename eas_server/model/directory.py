"""People and groups."""

from dataclasses import dataclass
from enum import Enum

from eas_server.model.ids import UserId


class EntryKind(Enum):
    """What a directory entry is."""

    PERSON = "person"
    GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """A person or a group of the directory, with the properties of the GAL ([MS-ASCMD] 2.2.3.79 and its siblings).

    Empty strings stand for properties that the directory does not have.
    """

    key: str
    """What the directory knows the entry by (a row, a DN): stable, opaque, unique."""
    kind: EntryKind = EntryKind.PERSON
    display_name: str
    email: str
    """The primary SMTP address."""
    addresses: tuple[str, ...] = ()
    """The other SMTP addresses."""
    alias: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    department: str = ""
    office: str = ""
    phone: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    picture: bytes = b""
    user_certificates: tuple[bytes, ...] = ()
    """The values of userCertificate, as they stand there."""
    smime_certificates: tuple[bytes, ...] = ()
    """The values of userSMIMECertificate, as they stand there."""

    @property
    def all_addresses(self) -> tuple[str, ...]:
        """The primary address and the others."""
        return (self.email, *self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search or a name resolution found: up to the limit of `entries`, and how many there are in all."""

    entries: tuple[DirectoryEntry, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in. `address` is the primary SMTP address, `addresses` holds it and the aliases."""

    user: UserId
    address: str
    addresses: frozenset[str]
    display_name: str = ""
    eas_enabled: bool = True
    quota: int | None = None
    """How many octets the mailbox may hold; None: no limit."""
