"""Names to addresses, and the pins that keep a connection at the addresses that were checked."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from eas_server.backends.revocation.addresses import Address
from eas_server.backends.revocation.budget import OverLimit

Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a name, for a port. Raises OSError where it has none."""

THREADS: Final = 16
"""The system looks names up one after another in each: one that hangs holds up few."""
MAX_ADDRESSES: Final = 8
"""Of one name that are looked at."""


class SystemLookup:
    """What the system knows of names."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="evidence-names")
        self._running = 0

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """See Lookup. Raises OverLimit while all threads are taken: that says nothing about this name."""
        if self._running >= THREADS:
            raise OverLimit("too many names are looked up at once")
        self._running += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        finally:
            self._running -= 1
        addresses = dict.fromkeys(ip_address(entry[4][0]) for entry in found)
        return list(addresses)[:MAX_ADDRESSES]

    def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> Sequence[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{error}") from error


class Pinned(AbstractResolver):
    """A resolver for one connection: it knows the addresses that were checked, and nothing else."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See AbstractResolver."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=_family(address),
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """See AbstractResolver."""

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for an address that is about to be connected to: the last look, whatever the library did before."""
        family, kind, protocol, _, where = info
        if ip_address(where[0]) not in self._addresses:
            raise PermissionError(f"{where[0]} was not checked")
        return socket.socket(family, kind, protocol)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 — the version of IP
