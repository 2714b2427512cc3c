"""The administration API as an ASGI application: who asks, for what, and what became of it.

It has a listener of its own. There are no cookies, and what a page in a browser sends is refused, so that no web site
can have an administrator's browser do anything here.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from eas_server.administration.tokens import Tokens
from eas_server.errors import AdministrationError, ConfigError, NoSuchThing, StoreFull, Unavailable, Unfit
from eas_server.web.administration import devices, groups, server, users
from eas_server.web.administration.openapi import describe
from eas_server.web.administration.operations import PREFIX, Call, Operation, Site, Text
from eas_server.web.administration.shapes import Fault, Problem
from eas_server.web.body import Disconnected, Refused, announced, discard, read_body
from eas_server.web.log import REQUEST_ID, RequestIds
from eas_server.web.settings import WebLimits
from eas_server.web.transport import peer_of

AUDIT = logging.getLogger("eas_server.administration")
MAX_BODY: Final = 1024 * 1024
"""Octets of a request: a picture of the largest size in base64, and much more than that of anything else."""
_JSON: Final = "application/json"
_BEARER: Final = "bearer"
_WHO: Final = "eas_server.token"
"""The key of a scope under which the name of the token is."""

OPERATIONS: Final = (*users.OPERATIONS, *groups.OPERATIONS, *devices.OPERATIONS, *server.OPERATIONS)
"""All operations, save the one that describes them."""


class Administration:
    """The application."""

    def __init__(self, site: Site, tokens: Tokens, ids: RequestIds, limits: WebLimits, version: str) -> None:
        self._site = site
        self._tokens = tokens
        self._ids = ids
        self._limits = replace(limits, max_request=MAX_BODY)
        self._description = describe((*OPERATIONS, _DESCRIBE), version)
        described = replace(_DESCRIBE, handle=self._describe)
        self._routes = Starlette(
            routes=[_route(one, partial(self._answer, one)) for one in (*OPERATIONS, described)],
            exception_handlers={HTTPException: self._no_route},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, if it comes with a token and from no page in a browser."""
        request = Request(scope, receive)
        scope[REQUEST_ID] = self._ids.next()
        started = time.perf_counter()
        who = self._tokens.who(_token(request))
        scope[_WHO] = who or ""
        refusal = _refusal(request, who)
        if refusal is None:
            await self._routes(scope, receive, send)
            return
        if not await discard(receive, announced(scope["headers"]), self._limits):
            refusal.headers["connection"] = "close"
        _audit(request, "", refusal.status_code, started, {})
        await refusal(scope, receive, send)

    async def _describe(self, _: Call) -> dict[str, Any]:
        return self._description

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """There is no such path, or no such method on it."""
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        known = f"GET {PREFIX}{_DESCRIBE.path} describes all that is"
        code = "no_such_method" if status == HTTPStatus.METHOD_NOT_ALLOWED else "no_such_path"
        response = _problem(request, status, code, f"there is no {request.method} {request.url.path}: {known}")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["allow"] = ", ".join(self._methods(request.scope))
        if not await discard(request.receive, announced(request.scope["headers"]), self._limits):
            response.headers["connection"] = "close"
        _audit(request, "", status, time.perf_counter(), {})
        return response

    def _methods(self, scope: Scope) -> list[str]:
        """The methods that there are on a path."""
        routes = [route for route in self._routes.routes if isinstance(route, Route)]
        found = {
            method for route in routes if route.matches(scope)[0] is not Match.NONE for method in route.methods or ()
        }
        return sorted(found)

    async def _answer(self, operation: Operation, request: Request) -> Response:
        started = time.perf_counter()
        try:
            response = await self._carried_out(operation, request)
        except Exception as error:  # noqa: BLE001 — the one place here where failures become answers; bugs are logged
            response = _failed(request, error, self._limits)
        _audit(request, operation.name, response.status_code, started, request.path_params)
        return response

    async def _carried_out(self, operation: Operation, request: Request) -> Response:
        body = await self._body(operation, request)
        unknown = [name for name in request.query_params if name not in operation.query]
        if unknown:
            raise Unfit(unknown[0], "is no parameter of this operation")
        call = Call(site=self._site, path=request.path_params, query=dict(request.query_params), body=body)
        answer = await operation.handle(call)
        headers = {REQUEST_ID: request.scope[REQUEST_ID], "cache-control": "no-store"}
        if operation.answer is None:
            return Response(status_code=operation.status, headers=headers)
        if isinstance(answer, Text):
            return Response(answer.text, media_type="text/plain; charset=utf-8", headers=headers)
        return Response(msgspec.json.encode(answer), operation.status, headers=headers, media_type=_JSON)

    async def _body(self, operation: Operation, request: Request) -> Any:  # noqa: ANN401 — an instance of its type
        """The body as the operation takes it. Raises Unfit, Refused, Disconnected."""
        what = announced(request.scope["headers"])
        encoding = request.headers.get("content-encoding", "").lower()
        octets = await read_body(request.receive, what, encoding, self._limits)
        if operation.body is None:
            if len(octets):
                raise Unfit("", "this operation takes no body")
            return None
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body has to be JSON: Content-Type: {_JSON}")
        try:
            return msgspec.json.decode(octets, type=operation.body)
        except msgspec.ValidationError as error:
            reason, _, where = str(error).partition(" - at `")
            raise Unfit(where.rstrip("`").removeprefix("$").removeprefix("."), reason) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit("", f"the body is no JSON: {error}") from None


async def _undescribed(_: Call) -> None:
    """Stands in for the description, which the application has."""


_DESCRIBE: Final = Operation(
    method="GET",
    path="/openapi.json",
    name="describe",
    summary="This description.",
    handle=_undescribed,
    answer=dict[str, Any],
)


def _route(operation: Operation, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    async def answer(request: Request) -> Response:
        return await endpoint(request)

    route = Route(PREFIX + operation.path, answer, methods=[operation.method], name=operation.name)
    route.methods = {operation.method}  # Starlette would answer HEAD with what GET does
    return route


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == _BEARER else ""


def _refusal(request: Request, who: str | None) -> Response | None:
    """Why the request is not even looked at; None: it is."""
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        return _problem(request, HTTPStatus.FORBIDDEN, "browser", "requests of web pages are refused")
    if len(request.headers.getlist("authorization")) > 1:
        return _problem(request, HTTPStatus.BAD_REQUEST, "invalid", "the header Authorization is there twice")
    if who is not None:
        return None
    message = "send `Authorization: Bearer TOKEN` with a token that `eas-server token add NAME` made"
    response = _problem(request, HTTPStatus.UNAUTHORIZED, "unauthorized", message)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _failed(request: Request, error: Exception, limits: WebLimits) -> Response:
    """The answer to a request that an exception ended."""
    match error:
        case Unfit():
            return _problem(request, HTTPStatus.BAD_REQUEST, "invalid", str(error), error.field)
        case NoSuchThing():
            return _problem(request, HTTPStatus.NOT_FOUND, "not_found", str(error))
        case AdministrationError():
            return _problem(request, HTTPStatus.CONFLICT, "conflict", str(error))
        case Refused():
            response = _problem(request, error.status, "invalid", error.reason)
            response.headers["connection"] = "close"
            return response
        case Disconnected():
            return _problem(request, HTTPStatus.BAD_REQUEST, "invalid", "the request was not whole")
        case StoreFull():
            return _problem(request, HTTPStatus.INSUFFICIENT_STORAGE, "full", f"{error}: nothing was stored")
        case Unavailable():
            response = _problem(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"{error}; try again later")
            response.headers["retry-after"] = str(limits.retry_after)
            return response
        case ConfigError():
            return _problem(request, HTTPStatus.CONFLICT, "conflict", str(error))
        case _:
            AUDIT.error("request %s failed", request.scope[REQUEST_ID], exc_info=error)
            return _problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "bug", "the server failed; its log says where")


def _problem(request: Request, status: int, code: str, message: str, field: str = "") -> Response:
    id_ = request.scope[REQUEST_ID]
    problem = Problem(error=Fault(code=code, message=message, field=field, request_id=id_))
    headers = {REQUEST_ID: id_, "cache-control": "no-store"}
    return Response(msgspec.json.encode(problem), status, headers=headers, media_type=_JSON)


def _audit(request: Request, operation: str, status: int, started: float, what: Mapping[str, str]) -> None:
    """One line a request: who did what to whom, and what became of it. Never what was in it."""
    AUDIT.info(
        "administration",
        extra={
            "fields": {
                "id": request.scope[REQUEST_ID],
                "address": peer_of(request.scope),
                "who": request.scope[_WHO],
                "operation": operation or request.method,
                **what,
                "status": int(status),
                "ms": round((time.perf_counter() - started) * 1000, 1),
            }
        },
    )
