"""A thin HTTP/1.1 client for `protocol.client`, on asyncio streams: for the demonstration and for tests.

It knows what this server's answers are made of: Content-Length on every one, and connections that are kept.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from protocol.client import Answer, Client, Command, HttpRequest

Q = TypeVar("Q")
R = TypeVar("R")

HEADER_LIMIT: Final = 64 * 1024
"""Octets of the head of an answer."""
BODY_LIMIT: Final = 1024 * 1024 * 1024
"""Octets of the body of an answer."""
CONNECT_SECONDS: Final = 10.0
_VERSION: Final = "HTTP/1.1"
_STATUS_PARTS: Final = 2


class TransportError(ConnectionError):
    """The other end does not speak HTTP as it should, or is gone."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _Connection:
    """One connection: one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def usable(self) -> bool:
        """Whether another request can go this way."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def exchange(self, request: HttpRequest, host: str) -> HttpResponse:
        """Send a request and read its answer."""
        head = [
            f"{request.method} {request.target} {_VERSION}",
            f"Host: {host}",
            f"Content-Length: {len(request.body)}",
            *(f"{name}: {value}" for name, value in request.headers),
        ]
        self._writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
        self._writer.write(request.body)
        # a server that refuses a large body answers before it was read: the answer is what counts
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        return await self._read()

    async def _read(self) -> HttpResponse:
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, headers = _parse_head(head)
            body = await self._reader.readexactly(_length(headers))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise TransportError(f"the answer is cut short: {error}") from None
        if any(name.lower() == "connection" and value.lower() == "close" for name, value in headers):
            self._writer.close()
        return HttpResponse(status, headers, body)

    def abort(self) -> None:
        """Break the connection off."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


def _parse_head(head: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ", _STATUS_PARTS)
    if len(parts) < _STATUS_PARTS or not parts[0].startswith("HTTP/1.") or not parts[1].isdecimal():
        raise TransportError(f"{first[:80]!r} is no HTTP answer")
    pairs = (line.partition(":") for line in lines)
    return int(parts[1]), tuple((name.strip(), value.strip()) for name, _, value in pairs)


def _length(headers: Sequence[tuple[str, str]]) -> int:
    texts = [value for name, value in headers if name.lower() == "content-length"]
    if len(texts) != 1 or not texts[0].isdecimal() or int(texts[0]) > BODY_LIMIT:
        raise TransportError("the answer does not say how long it is")
    return int(texts[0])


class Transport:
    """Connections to one server; as many as there are requests at the same time, kept for further ones."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self._context = context
        self._idle: list[_Connection] = []

    @property
    def authority(self) -> str:
        """What the Host header says."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def send(self, request: HttpRequest) -> HttpResponse:
        """One request and its answer. Raises OSError (TransportError is one) when there is none."""
        connection = await self._connection()
        try:
            response = await connection.exchange(request, self.authority)
        except BaseException:
            connection.abort()
            raise
        if connection.usable:
            self._idle.append(connection)
        return response

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            await connection.close()
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self._context, limit=HEADER_LIMIT)
        return _Connection(reader, writer)

    async def close(self) -> None:
        """End all connections."""
        while self._idle:
            await self._idle.pop().close()


class Session:
    """A device with a way to its server."""

    def __init__(self, client: Client, transport: Transport) -> None:
        self.client = client
        self.transport = transport

    async def call(self, command: Command[Q, R], request: Q | None = None, *, multiparts: bool = False) -> Answer[R]:
        """Give a command and read its answer; None: with an empty body."""
        outgoing = self.client.request(command, request, multiparts=multiparts)
        response = await self.transport.send(outgoing)
        return self.client.read(command, response.status, response.headers, response.body)

    async def options(self) -> Answer[None]:
        """Ask for versions and commands."""
        response = await self.transport.send(self.client.options())
        return self.client.read_options(response.status, response.headers, response.body)

    async def discover(self, address: str) -> Answer[str]:
        """Ask for the server of an address."""
        response = await self.transport.send(self.client.discover(address))
        return self.client.read_discovery(response.status, response.headers, response.body)
