"""The listeners of one process: several uvicorn servers in one event loop, with one application."""

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from eas_server.web.connection import connection_class
from eas_server.web.settings import Certificate, Listener, Timing

log = logging.getLogger(__name__)

BACKLOG: Final = 4096
"""Connections that wait to be accepted: thousands of phones come back at once after a restart."""
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}
"""After so many seconds of silence the kernel asks so often, every so many seconds, whether the other end is there."""
_TICK: Final = 1.0


def tls_context(certificate: Certificate) -> ssl.SSLContext:
    """A context for the TLS listeners. Raises OSError that names the files where they do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, certificate)
    return context


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    for path in (certificate.certificate, certificate.key):
        path.open("rb").close()  # OpenSSL would not say which of them is missing
    try:
        # without a password here it would ask for the one of an encrypted key on the terminal
        context.load_cert_chain(certificate.certificate, certificate.key, password="")
    except ssl.SSLError as error:
        message = f"{certificate.certificate} and {certificate.key} are no certificate with its private key in PEM"
        raise OSError(f"{message}, the key without a password ({error.reason or error})") from None


def reload_certificate(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Use new files for connections from now on. Raises OSError, and then the old ones stay."""
    tls_context(certificate)  # tried in a context of its own: a half-loaded one would serve nobody
    _load(context, certificate)


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us and tells when it has stopped to accept."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping
        self.accepting = asyncio.Event()
        """Set once connections are accepted."""
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: `Listeners.stop` is what ends a server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self.accepting.set()

    def end(self) -> None:
        """Let `serve` come to its end."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Keep the Date header right until the end: one look a second, where uvicorn looks ten times."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. The waiting requests are told in the same step that closes the door, and answer then."""
        self._stopping.set()
        await super().shutdown(sockets)


class Listeners:
    """All listeners of the process."""

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[Listener],
        *,
        context: ssl.SSLContext | None,
        timing: Timing,
        stopping: asyncio.Event,
    ) -> None:
        self._listeners = listeners
        self._sockets: list[socket.socket] = []
        connection = connection_class(timing)
        self._servers = []
        for listener in listeners:
            config = uvicorn.Config(
                app,
                http=connection,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=timing.keep_alive_seconds,
                timeout_graceful_shutdown=timing.stop_seconds,
                backlog=BACKLOG,
                ssl_context_factory=_factory(context) if listener.tls else None,
            )
            self._servers.append(_Server(config, stopping))

    def bind(self) -> list[str]:
        """Open the sockets; gives the URLs. Raises OSError."""
        urls = []
        for listener in self._listeners:
            opened = _bound(listener)
            self._sockets.append(opened)
            port = opened.getsockname()[1]
            host = f"[{listener.address}]" if ":" in listener.address else listener.address
            urls.append(f"{'https' if listener.tls else 'http'}://{host}:{port}")
        return urls

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop`."""
        async with asyncio.TaskGroup() as group:
            for server, opened in zip(self._servers, self._sockets, strict=True):
                group.create_task(server.serve(sockets=[opened]))
            for server in self._servers:
                await server.accepting.wait()
            if ready is not None:
                ready()

    def stop(self) -> None:
        """Stop accepting, let the requests end."""
        for server in self._servers:
            server.end()


def _factory(context: ssl.SSLContext | None) -> Callable[..., ssl.SSLContext]:
    if context is None:
        raise ValueError("a TLS listener needs a certificate")
    return lambda *_: context


def _bound(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # what accepted sockets inherit: a phone that vanished does not hold its Ping for ever
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # macOS has not all of them
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        opened.bind((listener.address, listener.port))
    except OSError as error:
        opened.close()
        why = f"cannot listen on {listener.address}, port {listener.port}: {error.strerror}"
        raise OSError(error.errno, f"{why}; stop what listens there, or choose another port") from error
    return opened


def raise_file_limit() -> int:
    """Let the process open as many files as the system allows it: a connection is one. Gives the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
