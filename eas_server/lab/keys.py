"""The keys of the demonstration: made once, kept under `keys/` (for the owner only), certificates under `lab/`."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eas_server.lab import pki
from eas_server.lab.people import PEOPLE, Person
from eas_server.lab.pki import CERTIFICATES, KEYS, files_of, write_people, write_private
from eas_server.pki.keys import KeyKind, PrivateKey, generate_key, key_to_pem
from eas_server.pki.lab import SERIAL_BYTES, Authority, from_pkcs12, issue_server, serial_from, to_pem
from eas_server.pki.lab_issue import Lab
from eas_server.web.lab_pki import PATH

SERVER_CERTIFICATE: Final = f"{CERTIFICATES}/server.pem"
SERVER_KEY: Final = f"{KEYS}/server.key"
PASSWORD_FILE: Final = f"{KEYS}/password"
PKCS12_PASSWORD_FILE: Final = f"{KEYS}/pkcs12-password"
SERVER_DAYS: Final = 397
"""What browsers and phones take without complaint."""
RENEW_DAYS: Final = 30
"""A server certificate that ends within this time is made anew at the next start."""
KIND: Final = KeyKind.RSA_2048
"""What every phone can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate (DER) with its key, and the authorities above it, the root last."""

    certificate: bytes
    key: PrivateKey
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabKeys:
    """All keys of a demonstration; `identities` by the names of the lab's plan, those of the accounts."""

    lab: Lab
    identities: Mapping[str, Identity]
    pkcs12_password: str

    @property
    def root(self) -> Authority:
        """The root of the lab."""
        return self.lab.authority(pki.ROOT)

    def of(self, person: Person) -> Identity | None:
        """The identity that a person signs and decrypts with now: the last one declared."""
        return self.identities[person.certificates[-1]] if person.certificates else None


def make_keys(folder: Path, origin: str, now: datetime) -> LabKeys:
    """Make all keys and certificates of a lab served at `origin` (`http://127.0.0.1:8080`), below `folder`."""
    (folder / KEYS).mkdir(mode=0o700)
    write_private(folder / PKCS12_PASSWORD_FILE, f"{secrets.token_urlsafe(9)}\n".encode())
    return load_keys(folder, origin, now)


def load_keys(folder: Path, origin: str, now: datetime) -> LabKeys:
    """The keys that `make_keys` made, with certificates that fit the origin.

    Raises OSError, LabFilesError or PrivateKeyError for a folder that is not whole.
    """
    password = (folder / PKCS12_PASSWORD_FILE).read_text(encoding="utf-8").strip()
    _take_over(folder, password)
    lab = pki.open_lab(folder, f"{origin}{PATH}", now)
    write_people(folder, lab, password)
    identities = {
        name: Identity(certificate=lab.certificates[name], key=lab.keys[name], chain=lab.chain(name))
        for person in PEOPLE
        for name in person.certificates
    }
    return LabKeys(lab=lab, identities=identities, pkcs12_password=password)


def _take_over(folder: Path, password: str) -> None:
    """Keep the keys of a folder that was made when they were in PKCS#12 files alone."""
    for name in (name for person in PEOPLE for name in person.certificates):
        where, key_file = files_of(folder, name), folder / KEYS / f"{name}.key"
        if where.pkcs12.exists() and not key_file.exists():
            bundle = from_pkcs12(where.pkcs12.read_bytes(), password=password.encode())
            write_private(key_file, key_to_pem(bundle.key))


def make_server_certificate(folder: Path, root: Authority, hosts: list[str], now: datetime) -> None:
    """Write a certificate of the lab's root, and its key, for a server of these names and addresses."""
    key = generate_key(KIND)
    certificate = issue_server(
        root,
        hosts=hosts,
        public_key=key.public_key(),
        serial=_serial(),
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=SERVER_DAYS - 1),
    )
    write_private(folder / SERVER_KEY, key_to_pem(key))
    (folder / SERVER_CERTIFICATE).write_bytes(to_pem(certificate))


def _serial() -> int:
    return serial_from(secrets.token_bytes(SERIAL_BYTES))
