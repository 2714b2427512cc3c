"""The folder of a demonstration: keys, store and configuration, made whole or not at all, and kept."""

import contextlib
import re
import secrets
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from eas_server.lab.keys import (
    PASSWORD_FILE,
    RENEW_DAYS,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    LabKeys,
    load_keys,
    make_keys,
    make_server_certificate,
)
from eas_server.lab.people import DOMAIN
from eas_server.lab.pki import LabFilesError, write_private
from eas_server.pki.keys import PrivateKeyError

CONFIG: Final = "eas-server.toml"
STORE: Final = "eas-server.db"
LOG: Final = "eas-server.log"
UNFINISHED: Final = ".unfinished"
_PASSWORD_BYTES: Final = 9
_BEGIN: Final = "# --- from here: written by the demonstration at each start"
_END: Final = "# --- to here: what follows is yours and stays\n"
_SOMEWHERE: Final = ("192.0.2.1", 9)
"""An address of documentation, RFC 5737: a datagram socket told of it knows its own address, and sends nothing."""

Seed = Callable[[Path, LabKeys, str, datetime], None]
"""Fills the store at a path: keys, password, now."""


class FolderError(Exception):
    """The folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the demonstration listens."""

    host: str
    """An IP address."""
    port: int
    tls: bool

    @property
    def reachable(self) -> str:
        """The address that others can use; this machine's own where it listens on all."""
        return own_address() if ip_address(self.host).is_unspecified else self.host

    @property
    def loopback(self) -> str:
        """The address that the walk-through uses."""
        address = ip_address(self.host)
        if not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 — of the Internet Protocol

    @property
    def authority(self) -> str:
        """Address and port as others write them."""
        return f"{bracketed(self.reachable)}:{self.port}"

    @property
    def url(self) -> str:
        """The server's URL for others."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def lab_port(self) -> int:
        """Where CRLs and the like are served: plain HTTP, for with TLS nobody could ask who does not trust yet."""
        return self.port + 1 if self.tls else self.port

    @property
    def lab_origin(self) -> str:
        """The same, as it stands in the certificates of the lab."""
        return f"http://{bracketed(self.reachable)}:{self.lab_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demonstration that is ready to be served."""

    folder: Path
    keys: LabKeys
    password: str
    place: Place
    new: bool
    """It was made just now."""

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / CONFIG


def bracketed(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def own_address() -> str:
    """This machine's address in its network, or the loopback's where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def prepare(folder: Path, place: Place, password: str | None, seed: Seed, now: datetime) -> Demo:
    """Open the folder of a demonstration, or make it. Raises FolderError, OSError."""
    new = not (folder / CONFIG).exists()
    if new:
        _make(folder, place, password or secrets.token_urlsafe(_PASSWORD_BYTES), seed, now)
    kept = (folder / PASSWORD_FILE).read_text(encoding="utf-8").strip()
    try:
        keys = load_keys(folder, place.lab_origin, now)
    except (LabFilesError, PrivateKeyError) as error:
        raise FolderError(f"{folder}: the keys cannot be read: {error}") from None
    if place.tls:
        _renew_server_certificate(folder, keys, place, now)
    _write_config(folder / CONFIG, place)
    return Demo(folder=folder, keys=keys, password=kept, place=place, new=new)


def remember_password(folder: Path, password: str) -> None:
    """Keep the password for the next start."""
    write_private(folder / PASSWORD_FILE, f"{password}\n".encode())


def _make(folder: Path, place: Place, password: str, seed: Seed, now: datetime) -> None:
    """Make everything in a folder beside it, which then takes its place: a start that was broken off leaves nothing."""
    if folder.exists() and any(folder.iterdir()):
        raise FolderError(f"{folder} is there already and holds no {CONFIG}: name another folder")
    unfinished = folder.with_name(folder.name + UNFINISHED)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700, parents=True)
    keys = make_keys(unfinished, place.lab_origin, now)
    remember_password(unfinished, password)
    seed(unfinished / STORE, keys, password, now)
    (unfinished / CONFIG).write_text(f"{_BEGIN}\n{_END}", encoding="utf-8")
    unfinished.rename(folder)


def _renew_server_certificate(folder: Path, keys: LabKeys, place: Place, now: datetime) -> None:
    """See to it that there is a certificate for all names that the server may be called by."""
    hosts = list(dict.fromkeys((place.reachable, "localhost", "127.0.0.1", "::1", socket.gethostname())))
    with contextlib.suppress(OSError, ValueError):
        present = x509.load_pem_x509_certificate((folder / SERVER_CERTIFICATE).read_bytes())
        names = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        covered = {str(name.value) for name in names}
        lasts = present.not_valid_after_utc - now > timedelta(days=RENEW_DAYS)
        if lasts and covered >= set(hosts) and (folder / SERVER_KEY).exists():
            return
    make_server_certificate(folder, keys.root, hosts, now)


def _write_config(path: Path, place: Place) -> None:
    """Write the part of the file that follows from how the demonstration was started; the rest stays as it is."""
    text = path.read_text(encoding="utf-8")
    kept = text.partition(_END)[2] if _END in text else text
    path.write_text(f"{_BEGIN}\n{_config(place)}{_END}{kept}", encoding="utf-8")


def _config(place: Place) -> str:
    tls = f'\n[tls]\ncertificate = "{SERVER_CERTIFICATE}"\nkey = "{SERVER_KEY}"\n' if place.tls else ""
    return (
        f'[server]\ndomains = ["{DOMAIN}"]\n'
        f'\n[[listeners]]\naddress = "{place.host}"\nport = {place.port}\ntls = {str(place.tls).lower()}\n'
        f'{tls}\n[store]\npath = "{STORE}"\n\n[logging]\nfile = "{LOG}"\n'
        f'\n[lab]\nurl = "{place.lab_origin}"\n'
        # what is asked about the lab's certificates is asked of this machine, which is refused otherwise
        f'\n[revocation]\nallow_networks = ["{place.reachable}"]\nallow_ports = [{place.lab_port}]\n\n'
    )


def address_of(host: str) -> str:
    """`host` as an IP address: names are looked up. Raises FolderError."""
    bare = re.sub(r"^\[(.*)\]$", r"\1", host)
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(bare, None, proto=socket.IPPROTO_TCP)[0][4][0])
    except OSError as error:
        raise FolderError(f"HOST {host!r} is neither an address nor a name that can be found: {error}") from None
