"""Where each recipient's mail goes: into a local mailbox, to the smart host, or nowhere."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from eas_server.interfaces import Accounts
from eas_server.model.ids import UserId

MAX_ADDRESS: Final = 320
"""Octets: 64 for the local part, 255 for the domain, and the at sign ([RFC 5321] 4.5.3.1)."""

_LOCAL_PART: Final = r"""(?:[^\s<>()\[\]\\,;:"@\x00-\x20\x7f]+|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*")"""
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"{_LOCAL_PART}@(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\]|\[IPv6:[0-9A-Fa-f:.]+\])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unroutable:
    """A recipient that mail cannot go to; `code` and `reason` as in a delivery report ([RFC 3463])."""

    address: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Recipients by where their mail goes, each once; groups are expanded."""

    local: Mapping[UserId, str] = field(default_factory=dict)
    """The mailboxes, and the address that led to each."""
    remote: tuple[str, ...] = ()
    """For the smart host."""
    unroutable: tuple[Unroutable, ...] = ()
    """Unknown addresses of local domains, and what is no address."""
    unresolved: tuple[str, ...] = ()
    """Names without a domain that are no local user or group."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, as the message names them or a group does."""
        return (*self.local.values(), *self.remote, *(each.address for each in self.unroutable), *self.unresolved)


def normal_address(address: str) -> str:
    """`address` with its domain in lower case and A-labels (IDNA), as it goes into an envelope."""
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return address  # `is_address` refuses it
    return f"{local}@{domain.lower()}"


def is_address(address: str) -> bool:
    """Whether a normal address can go into an envelope: no spaces, no controls, no line ends."""
    return len(address.encode("utf-8", "replace")) <= MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


NO_SUCH_USER: Final = "5.1.1"
BAD_SYNTAX: Final = "5.1.3"


class _Router:
    def __init__(self, accounts: Accounts, domains: Collection[str]) -> None:
        self._accounts = accounts
        self._domains = frozenset(normal_address("@" + domain)[1:] for domain in domains)
        self._seen: set[str] = set()
        self.local: dict[UserId, str] = {}
        self.remote: list[str] = []
        self.unroutable: list[Unroutable] = []
        self.unresolved: list[str] = []

    async def add(self, address: str) -> None:
        address = normal_address(address)
        if address.lower() in self._seen:
            return
        self._seen.add(address.lower())
        account = await self._accounts.by_address(address)
        if account is not None:
            self.local.setdefault(account.user, address if "@" in address else account.address)
            return
        members = await self._accounts.group(address)
        if members is not None:
            for member in members:
                await self.add(member)
            return
        self._elsewhere(address)

    def _elsewhere(self, address: str) -> None:
        domain = address.rpartition("@")[2]
        if "@" not in address:
            self.unresolved.append(address)
        elif domain.rstrip(".") in self._domains:
            self.unroutable.append(
                Unroutable(address=address, code=NO_SUCH_USER, reason="there is no mailbox of this address")
            )
        elif not is_address(address):
            self.unroutable.append(
                Unroutable(address=address, code=BAD_SYNTAX, reason="this is not a valid mail address")
            )
        else:
            self.remote.append(address)


async def route(addresses: Iterable[str], accounts: Accounts, domains: Collection[str]) -> Routes:
    """Find out where the mail of each address goes. `domains` are the local ones."""
    router = _Router(accounts, domains)
    for address in addresses:
        await router.add(address)
    return Routes(
        local=router.local,
        remote=tuple(router.remote),
        unroutable=tuple(router.unroutable),
        unresolved=tuple(router.unresolved),
    )
