"""A connection of a client: uvicorn's, with limits on the headers and a way to break it."""

import asyncio
from typing import Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from eas_server.web.settings import Timing
from eas_server.web.transport import ABORT, Break

MAX_HEADERS: Final = 64 * 1024
"""Octets of the request line and the headers together."""


class TooLarge(Exception):
    """The headers are larger than any client's: the parser turns it into 400."""


class Connection(HttpToolsProtocol):
    """Closes a connection whose headers do not come in time: uvicorn itself would wait for ever."""

    header_seconds = Timing().header_seconds
    _header_octets = 0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_header_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The parser meets a request."""
        super().on_message_begin()
        self._header_octets = 0
        self._start_header_timer()
        cast(Scope, self.scope)[ABORT] = Break(self.transport)

    def on_url(self, url: bytes) -> None:
        """The parser has (a part of) the target. Raises TooLarge."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has a header. Raises TooLarge."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The parser has all headers."""
        self._stop_header_timer()
        super().on_headers_complete()

    def _count(self, octets: int) -> None:
        self._header_octets += octets
        if self._header_octets > MAX_HEADERS:
            raise TooLarge

    def _start_header_timer(self) -> None:
        self._stop_header_timer()
        self._header_timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def connection_class(timing: Timing) -> type[Connection]:
    """The class that listeners make connections of."""
    return type("Connection", (Connection,), {"header_seconds": timing.header_seconds})
