"""Writes an answer: Content-Length always, gzip for small ones, large ones piece by piece without ever joining them."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from typing import Protocol, cast

from starlette.types import Send

from eas_server.model.blob import Blob
from eas_server.web.settings import WebLimits
from protocol.elements import Buffer, Octets

_PIECE = 64 * 1024
"""Small parts are joined up to about this size, and a large buffer is handed on in slices of it."""
_GZIP_LEVEL = 1
"""What phones gain by more is little, what the server pays for it is much."""

Header = tuple[bytes, bytes]


class Body(Protocol):
    """Finished octets: `protocol.wbxml.Segments` and its like."""

    @property
    def size(self) -> int:
        """Octets altogether."""
        ...

    def __iter__(self) -> Iterator[Buffer | Octets]:
        """The parts in order."""
        ...


class TooSlow(Exception):
    """The client did not take the answer in time."""


async def send_empty(send: Send, status: int, headers: list[Header]) -> None:
    """An answer without a body (MS-ASHTTP_R212: no Content-Type then)."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def send_body(
    send: Send, status: int, headers: list[Header], content_type: str, body: Body, *, gzips: bool, limits: WebLimits
) -> int:
    """Any other answer; gives the size that went out.

    Raises TooSlow, and what reading a Blob raises: then the answer has begun and cannot be finished.
    """
    size = body.size
    whole = _whole(body) if size <= max(_PIECE, limits.gzip_to) else None
    if whole is not None and gzips and limits.gzip_from <= size <= limits.gzip_to:
        whole = gzip.compress(whole, _GZIP_LEVEL, mtime=0)
        size = len(whole)
        headers = [*headers, (b"content-encoding", b"gzip")]
    start = [*headers, (b"content-type", content_type.encode("ascii")), (b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": status, "headers": start})
    if whole is not None:
        await send({"type": "http.response.body", "body": whole})
        return size
    async for piece in _pieces(body):
        try:
            async with asyncio.timeout(limits.send_grace):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            raise TooSlow from None
    await send({"type": "http.response.body", "body": b""})
    return size


def _whole(body: Body) -> bytes | None:
    """All of a body that is in memory; None where a part is not."""
    parts = []
    for part in body:
        if not isinstance(part, (bytes, bytearray, memoryview)):
            return None
        parts.append(part)
    return b"".join(parts)


async def _pieces(body: Body) -> AsyncIterator[Buffer]:
    """The octets in pieces of moderate size: small parts joined, large ones passed on, sliced where in memory."""
    small: list[Buffer] = []
    gathered = 0
    async for chunk in _chunks(body):
        if len(chunk) < _PIECE:
            small.append(chunk)
            gathered += len(chunk)
            if gathered >= _PIECE:
                yield b"".join(small)
                small.clear()
                gathered = 0
            continue
        if small:
            yield b"".join(small)
            small.clear()
            gathered = 0
        yield chunk
    if small:
        yield b"".join(small)


async def _chunks(body: Body) -> AsyncIterator[Buffer]:
    for part in body:
        if not isinstance(part, (bytes, bytearray, memoryview)):
            async for chunk in cast(Blob, part).chunks():
                yield chunk
        elif len(part) <= _PIECE:
            yield part
        else:
            view = memoryview(part)
            for at in range(0, len(view), _PIECE):
                yield view[at : at + _PIECE]
