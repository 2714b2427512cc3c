"""The roots of the operating system as a second source, behind the administrator's own collections."""

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from asn1crypto import x509

from eas_server import interfaces
from eas_server.errors import ConfigError
from eas_server.interfaces import TrustStore
from eas_server.model.settings import SmimeSettings
from eas_server.model.trust import TrustCollection

log = logging.getLogger(__name__)

USUAL_PLACES: Final = (
    "/etc/pki/ca-trust/extracted/pem/email-ca-bundle.pem",  # Red Hat and SUSE tell roots for mail from those for TLS
    "/var/lib/ca-certificates/email-ca-bundle.pem",
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",  # BSD, macOS
)
MAX_BUNDLE: Final = 8 * 1024 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----")

LOOK_SECONDS: Final = 2.0
"""How often is looked whether the bundle has changed."""

_Stamp = tuple[str, int, int]
"""Path, time of change and size of a bundle."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Roots (DER) as they were read from a file."""

    path: Path
    roots: tuple[bytes, ...]


class SystemTrust:
    """TrustStore over another one: where `smime.system_trust` is on, the system's roots stand behind its own.

    The bundle is read anew when the file changes. One that cannot be read is as if it were empty, and the log says so.
    """

    def __init__(
        self, inner: TrustStore, settings: Callable[[], SmimeSettings], look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._look_seconds = look_seconds
        self._looked: tuple[SmimeSettings, float] | None = None
        self._known: _Stamp | None = None
        self._roots: tuple[bytes, ...] = ()
        self._joined: dict[str, tuple[TrustCollection, tuple[bytes, ...], TrustCollection]] = {}
        self._reading = asyncio.Lock()

    async def collection(self, domain: str) -> TrustCollection:
        """See the port."""
        return self._behind(await self._inner.collection(domain), await self._system())

    async def collections(self) -> Sequence[TrustCollection]:
        """See the port. That for all domains is there in any case."""
        roots = await self._system()
        found = list(await self._inner.collections())
        if roots and all(each.name for each in found):
            found.insert(0, TrustCollection(name=""))
        return [self._behind(each, roots) for each in found]

    async def _system(self) -> tuple[bytes, ...]:
        settings = self._settings()
        if not settings.system_trust:
            return ()
        async with self._reading:
            if not self._is_fresh(settings):
                stamp = await asyncio.to_thread(_stamp, settings)
                if stamp != self._known or self._looked is None:
                    self._known = stamp
                    self._roots = await asyncio.to_thread(self._read, stamp)
                self._looked = settings, asyncio.get_running_loop().time()
        return self._roots

    def _is_fresh(self, settings: SmimeSettings) -> bool:
        if self._looked is None:
            return False
        before, when = self._looked
        return before == settings and asyncio.get_running_loop().time() < when + self._look_seconds

    def _behind(self, own: TrustCollection, roots: tuple[bytes, ...]) -> TrustCollection:
        """A collection with further roots behind its own; what the administrator holds as an intermediate stays one.

        The same object for the same collection, as others remember what they made of it.
        """
        if not roots:
            return own
        known = self._joined.get(own.name)
        if known is not None and known[0] is own and known[1] is roots:
            return known[2]
        there = {*own.roots, *own.intermediates}
        joined = replace(own, roots=(*own.roots, *(root for root in roots if root not in there)))
        self._joined[own.name] = own, roots, joined
        return joined

    def _read(self, stamp: _Stamp | None) -> tuple[bytes, ...]:
        if stamp is None:
            log.warning("smime.system_trust is on, but no bundle of the system's certificates is there")
            return ()
        try:
            bundle = read_bundle(Path(stamp[0]))
        except (OSError, ValueError) as error:
            log.warning("smime.system_trust is on, but %s cannot be read: %s", stamp[0], error)
            return ()
        log.info("%d roots of %s are trusted behind the collections", len(bundle.roots), bundle.path)
        return bundle.roots


def system_bundle(settings: SmimeSettings) -> Path | None:
    """The file that holds the system's roots; None where there is none."""
    if settings.system_trust_file:
        return Path(settings.system_trust_file)
    return next((path for path in map(Path, USUAL_PLACES) if path.is_file()), None)


def read_bundle(path: Path) -> Bundle:
    """The self-issued certificates of a PEM bundle. Raises OSError, ValueError."""
    with path.open("rb") as file:
        octets = file.read(MAX_BUNDLE + 1)
    if len(octets) > MAX_BUNDLE:
        raise ValueError(f"more than {MAX_BUNDLE} octets")
    if not _BLOCK.search(octets):
        raise ValueError("no certificate is in it")
    return Bundle(path, tuple(dict.fromkeys(filter(None, map(_root, _BLOCK.findall(octets))))))


def check_bundle(settings: SmimeSettings) -> None:
    """See that the system's roots can be read where they are to count. Raises ConfigError."""
    if not settings.system_trust:
        return
    path = system_bundle(settings)
    if path is None:
        raise ConfigError("smime.system_trust: no bundle of the system's roots is here: name it in system_trust_file")
    try:
        read_bundle(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"smime.system_trust: {path} cannot be read: {error}") from None


def _root(block: bytes) -> bytes | None:
    """The certificate of a PEM block, if it can be read and is self-issued; one that cannot does not spoil the rest."""
    try:
        der = base64.b64decode(block)
        found = x509.Certificate.load(der, strict=True)["tbs_certificate"]
        return der if found["subject"].dump() == found["issuer"].dump() else None
    except (ValueError, TypeError):
        return None


def _stamp(settings: SmimeSettings) -> _Stamp | None:
    path = system_bundle(settings)
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, -1)
    return (str(path), found.st_mtime_ns, found.st_size)


_: type[interfaces.TrustStore] = SystemTrust
