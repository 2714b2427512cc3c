"""The lab's certificate authority in files beside the store, where the demonstration keeps its own too.

`keys/root.key` is its key, for the owner only; `lab/root.cer` (DER) and `lab/root.pem` are what devices install.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eas_server.cli.opening import Failed, write_private
from eas_server.pki.certificate import CertificateError, parse
from eas_server.pki.keys import KeyKind, PrivateKeyError, generate_key, key_from_pem, key_to_pem
from eas_server.pki.lab import SERIAL_BYTES, Authority, create_root, serial_from, to_pem

KEY: Final = Path("keys", "root.key")
CERTIFICATE: Final = Path("lab", "root.cer")
CERTIFICATE_PEM: Final = Path("lab", "root.pem")
NAME: Final = "EAS Lab CA"
DAYS: Final = 3650
CLOCK_SKEW: Final = timedelta(minutes=10)
"""How far a device's clock may be behind ours without finding a new certificate not yet valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabAuthority:
    """The authority and whether it was made just now."""

    authority: Authority
    file: Path
    """Its certificate, DER: what devices install."""
    not_after: datetime
    made: bool


def lab_authority(folder: Path, now: datetime) -> LabAuthority:
    """The authority kept in `folder`, made where there is none. Raises Failed, OSError."""
    key, certificate = folder / KEY, folder / CERTIFICATE
    if not key.exists() and not certificate.exists():
        return _made(folder, now)
    if not (key.exists() and certificate.exists()):
        there, missing = (key, certificate) if key.exists() else (certificate, key)
        raise Failed(
            f"{there} is there, but {missing} is not: put it back from a backup, or move both away for new ones"
        )
    try:
        authority = Authority(certificate=certificate.read_bytes(), key=key_from_pem(key.read_bytes()))
        not_after = parse(authority.certificate).not_after
    except (PrivateKeyError, CertificateError) as error:
        raise Failed(f"the authority in {folder} cannot be read: {error}") from None
    if not_after <= now:
        raise Failed(f"{certificate} is no longer valid: move it and {key} away, and a new authority is made")
    return LabAuthority(authority=authority, file=folder / CERTIFICATE, not_after=not_after, made=False)


def new_serial() -> int:
    """A serial number that nobody can foretell."""
    return serial_from(secrets.token_bytes(SERIAL_BYTES))


def _made(folder: Path, now: datetime) -> LabAuthority:
    not_after = (now + timedelta(days=DAYS)).replace(microsecond=0)
    authority = create_root(
        NAME,
        key=generate_key(KeyKind.RSA_2048),
        serial=new_serial(),
        not_before=now - timedelta(days=1),
        not_after=not_after,
        path_length=None,  # the lab PKI has intermediates below it
    )
    (folder / KEY).parent.mkdir(mode=0o700, exist_ok=True)
    (folder / CERTIFICATE).parent.mkdir(exist_ok=True)
    # the key comes first, and never over another one: of two that start at once, one fails here
    write_private(folder / KEY, key_to_pem(authority.key))
    (folder / CERTIFICATE_PEM).write_bytes(to_pem(authority.certificate))
    (folder / CERTIFICATE).write_bytes(authority.certificate)
    return LabAuthority(authority=authority, file=folder / CERTIFICATE, not_after=not_after, made=True)
