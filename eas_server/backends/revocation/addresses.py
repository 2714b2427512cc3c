"""What may be asked: which URLs, and which addresses their names may stand for.

Whoever makes a certificate chooses its URLs, so they are asked only where everybody could ask: plain HTTP(S) at public
addresses. What the administrator runs inside is named in the configuration.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.errors import EvidenceUnavailable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL: Final = 2048
"""Characters of a URL."""
PORTS: Final = {"http": 80, "https": 443}

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label of this kind makes resolvers read the whole as an address: 127.1, 0x7f000001, 2130706433."""


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


_NEVER: Final = _networks("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")
"""No single other host: this host, multicast, broadcast. No configuration opens them."""
_LOCAL: Final = _networks(
    "169.254.0.0/16",
    "fe80::/10",
    "fec0::/10",
)
"""This link. The name of an allowed host does not open it."""
_METADATA: Final = _networks(
    "169.254.169.254/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
)
"""Where clouds tell their machines secrets; only the very address in `allow_networks` opens one."""
_NOT_PUBLIC: Final = _networks(
    # the special-purpose registry of IANA, [RFC 6890], as far as the blocks are not globally reachable
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    # inside 2000::/3: Teredo and other protocols, documentation, 6to4
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""What a network without IPv4 reaches IPv4 by ([RFC 6052]): as public as the address within."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be asked as far as can be told without its address."""

    scheme: str
    host: str
    """In lower case, without a dot at the end; the canonical form of an address, IPv6 without brackets."""
    port: int
    path: str
    """With the query."""
    address: Address | None
    """Where the host is an address."""

    @property
    def origin(self) -> str:
        """Scheme, host and port: what fails together."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, as it is asked."""
        return f"{self.origin}{self.path}"


class Guard:
    """The rules of one configuration."""

    def __init__(self, settings: RevocationSettings) -> None:
        self._enabled = settings.enabled
        self._hosts = frozenset(host.lower() for host in settings.allow_hosts)
        self._allowed = _networks(*settings.allow_networks)
        self._refused = _networks(*settings.refuse_networks)
        self._ports = frozenset((*PORTS.values(), *settings.allow_ports))

    def target(self, url: str) -> Target:
        """Read a URL. Raises EvidenceUnavailable (`refused`) for one that may not be asked."""
        if not self._enabled:
            raise _refused("nothing is fetched: [revocation] enabled is false")
        parts = _split(url)
        if parts.scheme not in PORTS:
            raise _refused(f"only http and https are asked, not {parts.scheme[:20] or 'a URL without a scheme'}")
        if "@" in parts.netloc:
            raise _refused("a URL with a user name is not asked")
        try:
            port = parts.port or PORTS[parts.scheme]
        except ValueError:
            raise _refused("the port of the URL is none") from None
        if port not in self._ports:
            raise _refused(f"port {port} is not asked")
        host, address = _host(parts.hostname or "", bracketed="[" in parts.netloc)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = Target(parts.scheme, host, port, path, address)
        if address is not None:
            self.permitted(target, [address])
        return target

    def permitted(self, target: Target, addresses: Iterable[Address]) -> list[Address]:
        """Those of the addresses of a target that may be connected to.

        Raises EvidenceUnavailable (`refused`) where it has some, and none may be.
        """
        judged = [(address, self._against(target.host, address)) for address in addresses]
        open_ones = [address for address, reason in judged if reason is None]
        if judged and not open_ones:
            address, reason = judged[0]
            raise _refused(f"{target.host} is at {address}: {reason}")
        return open_ones

    def _against(self, host: str, address: Address) -> str | None:
        """What speaks against an address; None: nothing."""
        forms = _forms(address)
        if _within(forms, _NEVER):
            return "no address of another host"
        if _within(forms, _METADATA) and not any(_is_single(each) for each in self._allowed if _within(forms, [each])):
            return "where clouds keep the secrets of their machines"
        if _within(forms, self._allowed):
            return None
        if _within(forms, self._refused):
            return "in refuse_networks"
        if all(map(_is_public, forms)):
            return None
        if _within(forms, _LOCAL):
            return "of this link"
        return None if self._is_allowed(host) else "not public"

    def _is_allowed(self, host: str) -> bool:
        return host in self._hosts or any(each.startswith(".") and host.endswith(each) for each in self._hosts)


def _refused(reason: str) -> EvidenceUnavailable:
    return EvidenceUnavailable(reason, refused=True)


def _split(url: str) -> SplitResult:
    # authorities write blanks into paths; all that a server could read in two ways is refused
    url = url.strip(" ").replace(" ", "%20")
    if len(url) > MAX_URL:
        raise _refused(f"a URL of more than {MAX_URL} characters is not asked")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise _refused("a URL with characters that do not belong there is not asked")
    try:
        return urlsplit(url)
    except ValueError:
        raise _refused("a URL that cannot be read is not asked") from None


def _host(text: str, *, bracketed: bool) -> tuple[str, Address | None]:
    host = text.lower()
    if bracketed or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            address = ip_address(host)
        except ValueError:
            raise _refused("the host of the URL is no address in its usual form") from None
        if getattr(address, "scope_id", None):
            raise _refused("an address of a link is not asked")
        return str(address), address
    host = host.removesuffix(".")
    if not _NAME.fullmatch(host):
        raise _refused("the host of the URL is none")
    return host, None


def _forms(address: Address) -> tuple[Address, ...]:
    """The address that is really reached: an IPv4 address in the clothes of IPv6 is that IPv4 address.

    One of NAT64 is both: its network may be allowed or refused, too.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    address = IPv6Address(int(address))
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (address, IPv4Address(int(address) & 0xFFFFFFFF))
    return (address,)


def _is_public(address: Address) -> bool:
    if _within([address], (*_NOT_PUBLIC, *_METADATA, *_LOCAL)):
        return False
    return isinstance(address, IPv4Address) or address in _PUBLIC_6 or address in _NAT64


def _within(forms: Iterable[Address], networks: Iterable[Network]) -> bool:
    return any(form in network for network in networks for form in forms if form.version == network.version)


def _is_single(network: Network) -> bool:
    return network.prefixlen == network.max_prefixlen
