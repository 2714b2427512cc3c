"""The keys of the demonstration: made once, kept under `keys/` (for the owner only), certificates under `lab/`."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eas_server.lab.people import PEOPLE, Lasting, Person
from eas_server.pki.keys import KeyKind, PrivateKey, generate_key, key_from_pem, key_to_pem
from eas_server.pki.lab import (
    SERIAL_BYTES,
    Authority,
    KeyBundle,
    Purpose,
    create_root,
    from_pkcs12,
    issue_person,
    issue_server,
    serial_from,
    to_pem,
    to_pkcs12,
)

KEYS: Final = "keys"
CERTIFICATES: Final = "lab"
ROOT_NAME: Final = "EAS Lab CA"
ROOT_FILE: Final = f"{CERTIFICATES}/root.cer"
SERVER_CERTIFICATE: Final = f"{CERTIFICATES}/server.pem"
SERVER_KEY: Final = f"{KEYS}/server.key"
PASSWORD_FILE: Final = f"{KEYS}/password"
PKCS12_PASSWORD_FILE: Final = f"{KEYS}/pkcs12-password"
ROOT_DAYS: Final = 3650
SERVER_DAYS: Final = 397
"""What browsers and phones take without complaint."""
RENEW_DAYS: Final = 30
"""A server certificate that ends within this time is made anew at the next start."""
KIND: Final = KeyKind.RSA_2048
"""What every phone can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A certificate (DER) with its key."""

    certificate: bytes
    key: PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LabKeys:
    """All keys of a demonstration; `identities` by the names of `people.Lasting`."""

    root: Authority
    identities: Mapping[str, Identity]
    pkcs12_password: str

    def of(self, person: Person) -> Identity | None:
        """The identity that a person signs and decrypts with now: the last one declared."""
        return self.identities[person.certificates[-1].name] if person.certificates else None


def make_keys(folder: Path, now: datetime) -> LabKeys:
    """Make all keys and certificates and write them below `folder`."""
    (folder / KEYS).mkdir(mode=0o700)
    (folder / CERTIFICATES).mkdir()
    root = create_root(
        ROOT_NAME,
        key=generate_key(KIND),
        serial=_serial(),
        not_before=now - timedelta(days=ROOT_DAYS / 2),
        not_after=now + timedelta(days=ROOT_DAYS),
    )
    write_private(folder / KEYS / "root.key", key_to_pem(root.key))
    (folder / ROOT_FILE).write_bytes(root.certificate)
    (folder / CERTIFICATES / "root.pem").write_bytes(to_pem(root.certificate))
    password = secrets.token_urlsafe(9)
    write_private(folder / PKCS12_PASSWORD_FILE, f"{password}\n".encode())
    identities = {
        lasting.name: _make_identity(folder, root, person, lasting, password, now)
        for person in PEOPLE
        for lasting in person.certificates
    }
    return LabKeys(root=root, identities=identities, pkcs12_password=password)


def _make_identity(
    folder: Path, root: Authority, person: Person, lasting: Lasting, password: str, now: datetime
) -> Identity:
    key = generate_key(KIND)
    certificate = issue_person(
        root,
        name=person.entry.display_name,
        addresses=person.entry.all_addresses,
        public_key=key.public_key(),
        purpose=Purpose.BOTH,
        serial=_serial(),
        not_before=now + timedelta(days=lasting.from_days),
        not_after=now + timedelta(days=lasting.to_days),
    )
    (folder / CERTIFICATES / f"{lasting.name}.pem").write_bytes(to_pem(certificate))
    bundle = KeyBundle(certificate=certificate, key=key, chain=(root.certificate,))
    # what also telephones of some years ago can import
    pfx = to_pkcs12(bundle, password=password.encode(), name=person.entry.display_name, legacy=True)
    write_private(folder / KEYS / f"{lasting.name}.p12", pfx)
    return Identity(certificate=certificate, key=key)


def load_keys(folder: Path) -> LabKeys:
    """Read what `make_keys` wrote. Raises OSError or PrivateKeyError for a folder that is not whole."""
    password = (folder / PKCS12_PASSWORD_FILE).read_text(encoding="utf-8").strip()
    root = Authority(
        certificate=(folder / ROOT_FILE).read_bytes(), key=key_from_pem((folder / KEYS / "root.key").read_bytes())
    )
    identities = {}
    for person in PEOPLE:
        for lasting in person.certificates:
            pfx = (folder / KEYS / f"{lasting.name}.p12").read_bytes()
            bundle = from_pkcs12(pfx, password=password.encode())
            identities[lasting.name] = Identity(certificate=bundle.certificate, key=bundle.key)
    return LabKeys(root=root, identities=identities, pkcs12_password=password)


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


def write_private(path: Path, octets: bytes) -> None:
    """Write a file that only its owner can read, from its first octet on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(octets)


def _serial() -> int:
    return serial_from(secrets.token_bytes(SERIAL_BYTES))
