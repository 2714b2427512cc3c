"""Who is at the other end of a connection, and how to end it."""

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from eas_server.web.settings import Network

ABORT: Final = "eas_server.abort"
"""The key of a scope under which our listeners leave how to break the connection."""

_LINGER_SECONDS: Final = 2.0
_MAX_HOPS: Final = 20
_HOST: Final = re.compile(r"[A-Za-z0-9._\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@lru_cache(maxsize=8192)
def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine itself."""
    address = _parsed(host)
    return address is not None and address.is_loopback


def is_trusted(host: str, trusted: Iterable[Network]) -> bool:
    """Whether an address belongs to a declared proxy."""
    address = _parsed(host)
    return address is not None and any(address.version == net.version and address in net for net in trusted)


def peer_of(scope: Scope) -> str:
    """The address of the other end; "" where there is none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def behind_proxy(scope: Scope, trusted: tuple[Network, ...]) -> Scope:
    """The scope as the client made it, if a declared proxy stands between; X-Forwarded-* of others means nothing."""
    if not trusted or not is_trusted(peer_of(scope), trusted):
        return scope
    forwarded: list[str] = []
    scheme = scope["scheme"]
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            forwarded += value.decode("latin-1").split(",")
        elif name == b"x-forwarded-proto":
            last = value.decode("latin-1").rpartition(",")[2].strip().lower()
            scheme = last if last in ("http", "https") else scheme
    seen = dict(scope, scheme=scheme)
    client = _client(forwarded[-_MAX_HOPS:], trusted)
    if client:
        seen["client"] = (client, 0)
    return seen


def _client(forwarded: list[str], trusted: tuple[Network, ...]) -> str:
    """The last address that no proxy of ours has added: what stands before it anybody could have written."""
    for entry in reversed(forwarded):
        host = _without_port(entry.strip())
        if _parsed(host) is None:
            return ""
        if not is_trusted(host, trusted):
            return host
    return ""


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def host_of(scope: Scope) -> str:
    """The Host header, if it can be part of a URL; else ""."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return hosts[0] if len(hosts) == 1 and _HOST.fullmatch(hosts[0]) else ""


def abort(scope: Scope) -> None:
    """Break the connection: what was announced cannot be sent."""
    breaks = scope.get(ABORT)
    if breaks is not None:
        breaks()


def lingering(send: Send, receive: Receive) -> Send:
    """A `send` that, before it ends the answer and with it the connection, reads for a moment what still comes.

    A connection that is closed with unread octets is reset, and the reset takes the answer from a client that was
    still sending.
    """

    async def send_and_linger(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await send({**message, "more_body": True})
            await _linger(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return send_and_linger


async def _linger(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive())["type"] == "http.request":
                pass
    except TimeoutError:
        return
