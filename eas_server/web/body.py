"""Reads the body of a request: once, into one buffer, under a cap, in bounded time."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Message, Receive

from eas_server.web.settings import WebLimits
from protocol.elements import Buffer

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""Tells zlib to read the gzip format."""
_INFLATED_AT_ONCE = 1024 * 1024
_EMPTY = b""


class Refused(Exception):
    """The body cannot be taken. `status` is the HTTP status; the rest of the body is not read."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Disconnected(Exception):
    """The client went away before the body had come."""


_BAD_REQUEST = 400
_TIMEOUT = 408
_TOO_LARGE = 413
_UNKNOWN_CODING = 415
_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Announced:
    """What the headers say about the body."""

    length: int | None
    """Content-Length; None for a chunked body."""

    @property
    def empty(self) -> bool:
        """Whether no body comes."""
        return self.length == 0


def announced(headers: list[tuple[bytes, bytes]]) -> Announced:
    """What is known of the body before it comes. The HTTP parser has refused contradictory headers."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return Announced(None)
        if name == b"content-length":
            length = int(value)
    return Announced(length)


class Bodies:
    """The bodies that are in memory at this moment, counted."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = 0

    def take(self, size: int, limits: WebLimits) -> None:
        """Count `size` octets more. Raises Refused when that is too much for the server."""
        if self.octets + size > limits.max_bodies:
            raise Refused(_UNAVAILABLE, "too many large requests at once")
        self.octets += size

    def release(self, size: int) -> None:
        """Count `size` octets less."""
        self.octets -= size


Hold: TypeAlias = Callable[[int], None]
"""Told how many octets of a body are in memory by now; may raise Refused."""


def _unlimited(_: int) -> None:
    return


async def read_body(
    receive: Receive, what: Announced, encoding: str, limits: WebLimits, hold: Hold = _unlimited
) -> Buffer:
    """The whole body; `encoding` is its Content-Encoding in lower case. `hold` is told of one whose size nobody knows.

    Raises Refused (408, 413, 415, 400 for broken gzip, and what `hold` raises) or Disconnected.
    """
    if what.empty:
        return _EMPTY
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Refused(_UNKNOWN_CODING, "unknown Content-Encoding")
    if what.length is not None and what.length > limits.max_request:
        raise Refused(_TOO_LARGE, f"a body of {what.length} octets; {limits.max_request} are allowed")
    try:
        async with asyncio.timeout(limits.body_grace) as deadline:
            receive = _in_time(receive, deadline, limits)
            if encoding not in ("", "identity"):
                return await _inflated(receive, limits.max_request, hold)
            if what.length is not None:
                return await _known(receive, what.length)
            return await _growing(receive, limits.max_request, hold)
    except TimeoutError:
        raise Refused(_TIMEOUT, "the body came too slowly") from None


def _in_time(receive: Receive, deadline: asyncio.Timeout, limits: WebLimits) -> Receive:
    """A `receive` that puts the deadline off by what has come, not by what was announced: the rest may never come."""
    start = deadline.when() or 0.0
    seen = 0

    async def next_message() -> Message:
        nonlocal seen
        message = await receive()
        if message.get("more_body") and not deadline.expired():
            seen += len(message.get("body", _EMPTY))
            deadline.reschedule(start + seen / limits.body_rate)
        return message

    return next_message


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Disconnected."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        if chunk := message.get("body"):
            yield chunk
        more = message.get("more_body", False)


async def _known(receive: Receive, length: int) -> Buffer:
    """A body of known length: the octets are put in their place in one buffer as they come."""
    message = await receive()
    chunk: bytes = message.get("body", _EMPTY)
    if len(chunk) == length:
        return chunk  # the usual case: all of it at once
    buffer = bytearray(length)
    at = 0
    while message["type"] == "http.request":
        buffer[at : at + len(chunk)] = chunk
        at += len(chunk)
        if at == length:
            return buffer
        message = await receive()
        chunk = message.get("body", _EMPTY)
    raise Disconnected


async def _growing(receive: Receive, limit: int, hold: Hold) -> Buffer:
    buffer = bytearray()
    async for chunk in chunks(receive):
        if len(buffer) + len(chunk) > limit:
            raise Refused(_TOO_LARGE, f"a body of more than {limit} octets")
        buffer += chunk
        hold(len(buffer))
    return buffer


async def _inflated(receive: Receive, limit: int, hold: Hold) -> Buffer:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    buffer = bytearray()
    try:
        async for chunk in chunks(receive):
            packed, more = chunk, True
            while more:
                # one octet more than allowed tells a bomb from a body that just fits
                step = min(_INFLATED_AT_ONCE, limit - len(buffer) + 1)
                piece = inflater.decompress(packed, step)
                buffer += piece
                if len(buffer) > limit:
                    raise Refused(_TOO_LARGE, f"a body that inflates to more than {limit} octets")
                hold(len(buffer))
                packed = inflater.unconsumed_tail
                more = bool(packed) or len(piece) == step
                if more:
                    await asyncio.sleep(0)  # a few octets can be many: others are served in between
    except zlib.error:
        raise Refused(_BAD_REQUEST, "the body is not gzip") from None
    if not inflater.eof or inflater.unused_data:
        raise Refused(_BAD_REQUEST, "the body is not one whole gzip member")
    return buffer


async def discard(receive: Receive, what: Announced, limits: WebLimits) -> bool:
    """Read a body and forget it. True: all of it came, so the connection can be used again; False: close it."""
    if what.empty:
        return True
    if what.length is not None and what.length > limits.max_discarded:
        return False
    seen = 0
    try:
        async with asyncio.timeout(limits.body_grace):
            async for chunk in chunks(receive):
                seen += len(chunk)
                if seen > limits.max_discarded:
                    return False
    except (TimeoutError, Disconnected):
        return False
    return True
