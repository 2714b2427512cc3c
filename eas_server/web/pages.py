"""What is served beside the endpoint: Autodiscover and the health check."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from eas_server.errors import Unavailable
from eas_server.interfaces import Clock
from eas_server.web import autodiscover
from eas_server.web.app import HEALTH
from eas_server.web.auth import SignIn
from eas_server.web.body import Disconnected, Refused, announced, discard, read_body
from eas_server.web.failures import UNAVAILABLE
from eas_server.web.log import REQUEST_ID, RequestIds, RequestRecord
from eas_server.web.settings import Live
from eas_server.web.transport import host_of, peer_of
from protocol.http import PATH

XML = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"
_UNAUTHORIZED = 401
_BAD_REQUEST = 400


class Pages:
    """The handlers; `app` is the application they make up. Its paths are in lower case."""

    def __init__(
        self, *, sign_in: SignIn, live: Live, clock: Clock, ids: RequestIds, further: Sequence[BaseRoute] = ()
    ) -> None:
        self._sign_in = sign_in
        self._live = live
        self._clock = clock
        self._ids = ids
        self.app = Starlette(
            routes=[
                Route(HEALTH, self._health, methods=["GET"]),
                Route(XML, self._xml, methods=["GET", "POST"]),
                Route(JSON, self._json, methods=["GET"]),
                Route(JSON + "/v1.0/{email}", self._json, methods=["GET"]),
                *further,
            ]
        )

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _xml(self, request: Request) -> Response:
        """The XML form. No answer depends on any account before credentials were right."""
        return await self._recorded(request, self._by_xml)

    async def _json(self, request: Request) -> Response:
        """The JSON form, which is the same for everybody."""
        return await self._recorded(request, self._by_json)

    async def _recorded(
        self, request: Request, answer: Callable[[Request, RequestRecord], Awaitable[Response]]
    ) -> Response:
        """An answer under a name that the log knows it by."""
        record = RequestRecord(id=self._ids.next(), started=time.perf_counter(), address=peer_of(request.scope))
        record.command = "Autodiscover"
        try:
            response = await answer(request, record)
            response.headers[REQUEST_ID] = record.id
            record.status, record.sent = response.status_code, len(response.body)
        finally:
            record.write()
        return response

    async def _by_xml(self, request: Request, record: RequestRecord) -> Response:
        limits = replace(self._live.web.limits, max_request=autodiscover.MAX_REQUEST)
        what = announced(request.scope["headers"])
        try:
            account = await self._sign_in.account(request.headers.get("authorization", ""), record.address)
        except Unavailable:
            return await self._refused(request, UNAVAILABLE, {"retry-after": str(limits.retry_after)})
        if account is None:
            challenge = {"www-authenticate": self._sign_in.challenge}
            return await self._refused(request, _UNAUTHORIZED, challenge)
        record.user = account.user
        url = self._url(request)
        if not url:
            return await self._refused(request, _BAD_REQUEST, {})
        try:
            body = await read_body(request.receive, what, request.headers.get("content-encoding", "").lower(), limits)
        except Refused as refused:
            record.note = refused.reason
            return Response(status_code=refused.status, headers={"connection": "close"})
        except Disconnected:
            return Response(status_code=_BAD_REQUEST)
        record.received = len(body)
        content = autodiscover.answer(bytes(body), account, url, self._clock.now())
        return Response(content, media_type="text/xml; charset=utf-8")

    async def _refused(self, request: Request, status: int, headers: dict[str, str]) -> Response:
        if not await discard(request.receive, announced(request.scope["headers"]), self._live.web.limits):
            headers = {**headers, "connection": "close"}
        return Response(status_code=status, headers=headers)

    def _url(self, request: Request) -> str:
        """The URL of the endpoint: the configured one, else by the name that the client used; "" if that is none."""
        base = self._live.web.settings.external_url
        if not base:
            host = host_of(request.scope)
            base = f"{request.scope['scheme']}://{host}" if host else ""
        return base + PATH if base else ""

    async def _by_json(self, request: Request, _: RequestRecord) -> Response:
        url = self._url(request)
        if not url:
            return Response(status_code=_BAD_REQUEST)
        query = {name.lower(): value for name, value in request.query_params.items()}
        email = str(request.path_params.get("email") or query.get("email", ""))
        status, content = autodiscover.answer_json(query.get("protocol", ""), email, url)
        return JSONResponse(content, status)
