"""The lab PKI in files beside the store: keys made once and kept, everything else made from them at each start.

`keys/NAME.key` are the keys, for the owner only; `lab/made` says when the lab was made; `lab/revoked` has certificates
that were revoked later on, a line each. The root is `lab/root.cer`, the same that `eas-server cert issue` uses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from eas_server.pki.keys import KeyKind, PrivateKey, PrivateKeyError, generate_key, key_from_pem, key_to_pem
from eas_server.pki.lab import KeyBundle, to_pem, to_pkcs12
from eas_server.pki.lab_crl import Withdrawn
from eas_server.pki.lab_issue import Lab, key_names, make_lab
from eas_server.pki.lab_plan import LabKey, Plan, read_plan

KEYS: Final = "keys"
CERTIFICATES: Final = "lab"
ROOT: Final = "root"
ROOT_FILE: Final = f"{CERTIFICATES}/{ROOT}.cer"
ROOT_PEM_FILE: Final = f"{CERTIFICATES}/{ROOT}.pem"
MADE_FILE: Final = f"{CERTIFICATES}/made"
REVOKED_FILE: Final = f"{CERTIFICATES}/revoked"

_WORDS: Final = 4
"""In a line of REVOKED_FILE: authority, serial number, instant, reason."""


class LabFilesError(Exception):
    """The files of the lab cannot be used; the message says which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFiles:
    """Where a person's certificate and key are."""

    certificate: Path
    """DER."""
    pkcs12: Path


@cache
def declared_plan() -> Plan:
    """The plan as it is delivered."""
    return read_plan((files("eas_server.lab") / "lab.toml").read_text(encoding="utf-8"))


def open_lab(folder: Path, url: str, now: datetime, plan: Plan | None = None) -> Lab:
    """The lab in `folder`, with the keys that are there and new ones where there are none.

    `url` is where it is served, without a slash at the end. Raises LabFilesError, OSError.
    """
    plan = plan or declared_plan()
    (folder / KEYS).mkdir(mode=0o700, exist_ok=True)
    (folder / CERTIFICATES).mkdir(exist_ok=True)
    keys = _keys(folder, plan)
    root = _root(folder)
    lab = make_lab(plan, keys, url=url, made=_made(folder, now), roots={ROOT: root} if root else {})
    if root is None:
        (folder / ROOT_FILE).write_bytes(lab.certificates[ROOT])
        (folder / ROOT_PEM_FILE).write_bytes(to_pem(lab.certificates[ROOT]))
    return lab


def files_of(folder: Path, name: str) -> PersonFiles:
    """The files of a person of the plan."""
    return PersonFiles(certificate=folder / CERTIFICATES / f"{name}.cer", pkcs12=folder / KEYS / f"{name}.p12")


def write_people(folder: Path, lab: Lab, password: str) -> None:
    """Write everybody's `.cer`, `.pem` and `.p12`, where they are not there as they should be."""
    for name, person in lab.plan.people.items():
        certificate, where = lab.certificates[name], files_of(folder, name)
        if where.pkcs12.exists() and where.certificate.exists() and where.certificate.read_bytes() == certificate:
            continue
        bundle = KeyBundle(certificate=certificate, key=lab.keys[name], chain=lab.chain(name))
        # what also telephones of some years ago can import
        pfx = to_pkcs12(bundle, password=password.encode(), name=person.name, legacy=True)
        write_private(where.pkcs12, pfx)
        (folder / CERTIFICATES / f"{name}.pem").write_bytes(to_pem(certificate))
        where.certificate.write_bytes(certificate)


def revoke(folder: Path, authority: str, revoked: Withdrawn) -> None:
    """Remember that an authority of the lab revoked a certificate: its next CRL has it, and its responder knows it."""
    line = f"{authority} {revoked.serial:x} {revoked.when.isoformat()} {revoked.reason or '-'}\n"
    with (folder / REVOKED_FILE).open("a", encoding="utf-8") as file:
        file.write(line)


def revoked_later(folder: Path) -> Callable[[str], Sequence[Withdrawn]]:
    """What `revoke` remembered of an authority, read anew each time. Raises LabFilesError, OSError."""

    def of(authority: str) -> Sequence[Withdrawn]:
        path = folder / REVOKED_FILE
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = [_withdrawn(path, line) for line in lines if line.strip()]
        return tuple({each.serial: each for of_whom, each in found if of_whom == authority}.values())

    return of


def write_private(path: Path, octets: bytes) -> None:
    """Write a file that only its owner can read, from its first octet on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(octets)


def _withdrawn(path: Path, line: str) -> tuple[str, Withdrawn]:
    words = line.split()
    try:
        if len(words) != _WORDS:
            raise ValueError(f"{len(words)} words")
        authority, serial, when, reason = words
        told = "" if reason == "-" else x509.ReasonFlags(reason).value
        return authority, Withdrawn(serial=int(serial, 16), when=datetime.fromisoformat(when), reason=told)
    except ValueError as error:
        raise LabFilesError(f"{path}: {line!r} is no revoked certificate: {error}") from None


def _made(folder: Path, now: datetime) -> datetime:
    """When the lab was made: now, where it is new."""
    path = folder / MADE_FILE
    if not path.exists():
        path.write_text(f"{now.astimezone(UTC).replace(microsecond=0).isoformat()}\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8").strip()
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        made = None
    if made is None or made.tzinfo is None:
        raise LabFilesError(f"{path}: {text!r} is no instant with its time zone")
    return made


def _root(folder: Path) -> bytes | None:
    """The root that is there; None where there is none, or one that allows no intermediates, as earlier ones did."""
    path = folder / ROOT_FILE
    if not path.exists():
        return None
    der = path.read_bytes()
    try:
        constraints = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, x509.ExtensionNotFound):
        raise LabFilesError(f"{path} is no certificate of an authority") from None
    return None if constraints.value.path_length == 0 else der


def _keys(folder: Path, plan: Plan) -> Mapping[str, PrivateKey]:
    """All keys; those that are missing are made."""
    kinds = {name: each.key for name, each in plan.entries()}
    return {name: _key(folder, name, kinds.get(name, LabKey.EC_P256)) for name in key_names(plan)}


def _key(folder: Path, name: str, kind: LabKey) -> PrivateKey:
    path = folder / KEYS / f"{name}.key"
    if path.exists():
        try:
            return key_from_pem(path.read_bytes())
        except PrivateKeyError as error:
            raise LabFilesError(f"{path}: {error}") from None
    key = _new_key(kind)
    write_private(path, key_to_pem(key))
    return key


def _new_key(kind: LabKey) -> PrivateKey:
    match kind:
        case LabKey.RSA_1024:
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - meant to be weak
        case LabKey.RSA_2048:
            return generate_key(KeyKind.RSA_2048)
        case LabKey.EC_P256:
            return generate_key(KeyKind.EC_P256)
