"""Hands out the root certificate of the laboratory over plain HTTP: a phone cannot trust our TLS before it has it."""

import asyncio
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from eas_server.lab.folder import Place
from eas_server.web.listeners import Listeners
from eas_server.web.settings import Listener, Timing

PATH: Final = "/lab/root.cer"
MEDIA_TYPE: Final = "application/x-x509-ca-cert"


def root_page(certificate: bytes) -> Starlette:
    """An application that knows one document; it is public."""

    async def root(_: Request) -> Response:
        return Response(certificate, media_type=MEDIA_TYPE)

    async def front(_: Request) -> Response:
        return RedirectResponse(PATH)

    return Starlette(routes=[Route(PATH, root), Route("/", front)])


def bind_root_page(certificate: bytes, place: Place, stopping: asyncio.Event) -> tuple[Listeners, int]:
    """Listeners for the page at the port after the server's (any free one where that is taken), and that port."""
    for port in (place.port + 1, 0):
        listeners = Listeners(
            root_page(certificate),
            [Listener(address=place.host, port=port)],
            context=None,
            timing=Timing(stop_seconds=1),
            stopping=stopping,
        )
        try:
            (url,) = listeners.bind()
        except OSError:
            if port:
                continue
            raise
        return listeners, int(url.rpartition(":")[2])
    raise AssertionError("port 0 is always tried")
