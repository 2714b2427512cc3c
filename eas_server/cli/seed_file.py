"""What a seed declares, as it stands in the file (docs/seed.md). Paths are relative to the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from eas_server.config_include import of_config, of_seed, parsed
from eas_server.config_reading import Wrong, read
from eas_server.errors import ConfigError
from eas_server.model.preferences import CalendarRight

FolderKind = Literal["mail", "calendar", "contacts", "tasks", "notes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedProperties:
    """Directory properties; what is not there stays as it is."""

    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    alias: str | None = None
    title: str | None = None
    company: str | None = None
    department: str | None = None
    office: str | None = None
    phone: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    addresses: tuple[str, ...] | None = None
    """All further addresses."""
    picture: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedUser(SeedProperties):
    """`[[users]]`: an account with its directory entry."""

    user: str
    email: str | None = None
    password: str | None = None
    eas: bool | None = None
    quota: str | None = None
    delegates: tuple[str, ...] | None = None
    delegates_only: bool = False
    calendar_rights: Mapping[str, CalendarRight] | None = None
    """By user; `default` is everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPerson(SeedProperties):
    """`[[people]]`: somebody who stands in the directory and has no account here."""

    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedGroup:
    """`[[groups]]`."""

    email: str
    display_name: str | None = None
    alias: str | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFolder:
    """`[[folders]]`: a folder beside those that every mailbox has."""

    user: str
    name: str
    """With the folders above it: `Inbox/Projects`."""
    type: FolderKind = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedMessages:
    """`[[messages]]`: one or more items of a folder, from files, or written down here."""

    user: str
    folder: str = "Inbox"
    files: tuple[str, ...] = ()
    """Files or patterns: `mail/*.eml`."""
    text: str = ""
    """A whole message."""
    sender: str = ""
    to: str = ""
    cc: str = ""
    subject: str = ""
    body: str = ""
    received: datetime | None = None
    read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCertificate:
    """`[[certificates]]`: one for a person, from a file or from the lab's authority."""

    address: str
    file: Path | None = None
    key: Path | None = None
    password: str = ""
    issue: bool = False
    out: Path | None = None
    """Where the PKCS#12 file of an issued one goes."""
    purpose: Literal["both", "sign", "encrypt"] = "both"
    days: int = 730
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTrust:
    """`[[trust]]`: a file of roots and intermediates that are trusted."""

    file: Path
    domain: str = ""
    """The mail domain that it is for; "": all that have none of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The sections of the file that are a seed."""

    users: tuple[SeedUser, ...] = ()
    people: tuple[SeedPerson, ...] = ()
    groups: tuple[SeedGroup, ...] = ()
    folders: tuple[SeedFolder, ...] = ()
    messages: tuple[SeedMessages, ...] = ()
    certificates: tuple[SeedCertificate, ...] = ()
    trust: tuple[SeedTrust, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedFile:
    """A file, and which sections of the configuration it has, too."""

    path: Path
    seed: Seed
    config_sections: tuple[str, ...] = field(default=())


def read_seed(path: Path) -> SeedFile:
    """Read and check the form of a seed. Raises ConfigError, which names file and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    tables = parsed(text, path)
    try:
        seed: Seed = read(of_seed(tables), Seed, path.parent)
    except Wrong as wrong:
        raise ConfigError(f"{path}: {wrong.key}: {wrong.reason}") from None
    return SeedFile(path=path, seed=seed, config_sections=tuple(of_config(tables)))
