"""A connection of a client: uvicorn's, with limits on the headers and a way to break it."""

import asyncio
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from eas_server.web.settings import Timing
from eas_server.web.transport import ABORT

MAX_HEADERS: Final = 64 * 1024
"""Octets of request line and headers, give or take what is read at once: more than any client sends."""


class Connection(HttpToolsProtocol):
    """Closes a connection whose headers do not come in time or without end: uvicorn itself would wait for ever."""

    header_seconds = Timing().header_seconds
    # in slots: a few attributes more would cost each waiting request a dictionary of its own
    __slots__ = ("_header_octets", "_header_timer", "_in_body", "_in_headers", "_running")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_headers = True
        self._in_body = False
        """The last read brought some of a body."""
        self._header_octets = 0
        """Octets of headers that were not complete with the read that they came in, and of what follows a body."""
        self._header_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        """The request that is being answered: `cycle` is the one that came last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._forget_timer()
        if self._running is not None and not self._running.response_complete:
            # uvicorn tells the last one alone, and the others would write to a connection that is gone
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._header_octets > MAX_HEADERS:
            self.send_400_response("Headers too large.")
            return
        self._in_body = False
        super().data_received(data)
        if self._in_headers:
            # most headers come in one read, and never get here
            self._header_octets += len(data)
            if self._header_timer is None:
                self._expect_headers()
        elif not self._in_body:
            self._header_octets += len(data)  # the parser gathers trailers for as long as they come

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; requests that came before it whole are answered first."""
        pending = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if pending:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """The parser meets a request."""
        super().on_message_begin()
        self._in_headers = True
        cast(Scope, self.scope)[ABORT] = self.transport.abort

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has a header. Trailers are dropped: what a proxy took out of the headers must not return there."""
        if self._in_headers:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """The parser has a piece of the body."""
        self._in_body = True
        self._header_octets = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The parser has all headers."""
        self._in_headers = False
        self._header_octets = 0
        self._forget_timer()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """A request is handed to the application."""
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _expect_headers(self) -> None:
        self._header_timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _forget_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def connection_class(timing: Timing) -> type[Connection]:
    """The class that listeners make connections of."""
    return type("Connection", (Connection,), {"__slots__": (), "header_seconds": timing.header_seconds})
