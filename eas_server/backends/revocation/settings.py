"""What an administrator says about fetching CRLs, OCSP answers and issuers."""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

_HOST: Final = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)
_MAX_PORT: Final = 65535
_KIB: Final = 1024
_MIB: Final = 1024 * _KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationSettings:
    """`[revocation]`. Durations in seconds, sizes in octets. Raises ValueError ("key: what would be right")."""

    enabled: bool = True
    """Whether anything is fetched at all."""
    allow_hosts: tuple[str, ...] = ()
    """Names that may stand for private addresses, too; `.corp.example` is all names below it."""
    allow_networks: tuple[str, ...] = ()
    """Private networks that may be asked."""
    refuse_networks: tuple[str, ...] = ()
    """Public networks that may not, such as one's own."""
    allow_ports: tuple[int, ...] = ()
    """Beside 80 and 443."""
    ca_file: str = ""
    """Roots for https, PEM; "": the system's."""
    max_crl: int = 10 * _MIB
    max_ocsp: int = 64 * _KIB
    max_issuer: int = 256 * _KIB
    connect_timeout: float = 5.0
    """For the name, the connection and the TLS handshake."""
    timeout: float = 15.0
    """For a whole fetch with its redirects; as long again for a place among the fetches."""
    max_age: float = 24 * 3600.0
    """After which what is kept is asked for anew, though it holds longer; without an answer it holds on."""
    cache_size: int = 256 * _MIB
    first_retry: float = 30.0
    """How long a failure is remembered; each further one in a row twice as long, up to `last_retry`."""
    last_retry: float = 3600.0
    user_fetches: int = 200
    """Of one user in an hour; what is kept already does not count."""
    user_octets: int = 256 * _MIB
    """Of one user in an hour."""
    parallel: int = 32
    """Fetches at once."""
    parallel_per_host: int = 6
    parallel_per_user: int = 4

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for host in self.allow_hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f'allow_hosts: "{host}" must be a name ("pki.corp.example") or ".corp.example"')
        _check_networks("allow_networks", self.allow_networks)
        _check_networks("refuse_networks", self.refuse_networks)
        if not all(1 <= port <= _MAX_PORT for port in self.allow_ports):
            raise ValueError(f"allow_ports: must be between 1 and {_MAX_PORT}")
        for key in _POSITIVE:
            if not getattr(self, key):
                raise ValueError(f"{key}: must be more than 0")
        if self.last_retry < self.first_retry:
            raise ValueError("last_retry: must not be less than first_retry")


def _check_networks(key: str, texts: tuple[str, ...]) -> None:
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(f'{key}: must be networks ("10.1.0.0/16") or addresses: {error}') from None


_POSITIVE: Final = (
    "max_crl", "max_ocsp", "max_issuer", "connect_timeout", "timeout", "first_retry",
    "parallel", "parallel_per_host", "parallel_per_user",
)  # fmt: skip
