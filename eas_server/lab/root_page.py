"""Hands out the root certificate of the laboratory over plain HTTP: a phone cannot trust our TLS before it has it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from eas_server.lab.folder import Place
from eas_server.web.listeners import Listeners
from eas_server.web.settings import Listener, Timing

PATH: Final = "/lab/root.cer"
MEDIA_TYPE: Final = "application/x-x509-ca-cert"


def root_page(certificate: bytes, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """An application that knows one document, and whatever else is public."""

    async def root(_: Request) -> Response:
        return Response(certificate, media_type=MEDIA_TYPE)

    async def front(_: Request) -> Response:
        return RedirectResponse(PATH)

    return Starlette(routes=[Route(PATH, root), Route("/", front), *routes])


def bind_root_page(
    certificate: bytes, place: Place, stopping: asyncio.Event, routes: Sequence[BaseRoute] = ()
) -> tuple[Listeners, str]:
    """Listeners for the page at the port that the lab's certificates name, and its URL. Raises OSError."""
    listeners = Listeners(
        root_page(certificate, routes),
        [Listener(address=place.host, port=place.lab_port)],
        context=None,
        timing=Timing(stop_seconds=1),
        stopping=stopping,
    )
    listeners.bind()
    return listeners, f"{place.lab_origin}{PATH}"
