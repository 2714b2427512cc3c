"""What the HTTP side may be told by the administrator. All of it may change while the server runs, save `Timing`."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeAlias

from eas_server.model.settings import Settings

Network: TypeAlias = IPv4Network | IPv6Network

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDown:
    """How wrong passwords are slowed down. The answer to a wrong one is held back; a right one never is."""

    account_failures: int = 5
    """Failures of one account name within the window that cost nothing."""
    address_failures: int = 30
    """The same for one address: many phones may share it."""
    window_seconds: float = 900.0
    first_delay: float = 1.0
    """Seconds for the first failure too many; each further one doubles it."""
    max_delay: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Basic authentication."""

    realm: str = "Exchange ActiveSync"
    cache_seconds: float = 60.0
    """How long a verified password is taken without asking again; 0: not at all."""
    slow_down: SlowDown = field(default_factory=SlowDown)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Limits of requests and answers, in octets and seconds."""

    max_request: int = 40 * MEBIBYTE
    """The largest body, as it comes and inflated; 413 beyond it."""
    max_bodies: int = 512 * MEBIBYTE
    """All request bodies at once; 503 beyond it."""
    max_discarded: int = MEBIBYTE
    """How much of the body of a refused request is read to keep the connection; beyond it the connection ends."""
    body_grace: float = 30.0
    """Seconds that the body of any request may take …"""
    body_rate: int = 8 * 1024
    """… and octets a second that it has to come in with after that."""
    send_grace: float = 120.0
    """Seconds within which a client has to take each piece of a long answer."""
    gzip_from: int = 1024
    """Answers of at least this size …"""
    gzip_to: int = 128 * 1024
    """… and at most this size are compressed for clients that accept it. 0: none."""
    max_devices: int = 100
    """Partnerships of one user (Status 177 beyond them)."""
    retry_after: int = 30
    """Seconds that Retry-After names when the server cannot do its work now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What connections are allowed to take, in seconds. Fixed when a listener starts."""

    header_seconds: float = 30.0
    """From the connection (or the first octet of a further request) to the end of the headers."""
    keep_alive_seconds: int = 75
    """How long an idle connection is kept."""
    stop_seconds: int = 20
    """How long requests may go on after the server was told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address to listen on. Port 0: any free one."""

    address: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Where the certificate (with its chain) and its key are, in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """All that the HTTP side asks for."""

    settings: Settings = field(default_factory=Settings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: WebLimits = field(default_factory=WebLimits)
    require_tls: bool = False
    """Plain HTTP is answered 403, from loopback too."""
    trusted_proxies: tuple[Network, ...] = ()
    """The peers whose X-Forwarded-For and X-Forwarded-Proto hold, and who may speak plain HTTP."""


class Live:
    """The settings in force: whoever holds this sees a new configuration with the next request."""

    __slots__ = ("web",)

    def __init__(self, web: WebSettings) -> None:
        self.web = web
