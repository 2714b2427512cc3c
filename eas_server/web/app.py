"""The whole HTTP side as one ASGI application: who may speak plain HTTP, and what each path leads to."""

from starlette.types import ASGIApp, Receive, Scope, Send

from eas_server.web.body import announced, discard
from eas_server.web.reply import send_empty
from eas_server.web.settings import Live
from eas_server.web.transport import behind_proxy, is_loopback, is_trusted, lingering, peer_of
from protocol.http import PATH

_FORBIDDEN = 403
_ENDPOINTS = (PATH.lower(), f"{PATH.lower()}/")
HEALTH = "/health"


class App:
    """Sends the hot path straight to the endpoint and all others to `others`, with the path in lower case."""

    def __init__(self, endpoint: ASGIApp, others: ASGIApp, live: Live) -> None:
        self._endpoint = endpoint
        self._others = others
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        web = self._live.web
        seen = behind_proxy(scope, web.trusted_proxies)
        path = scope["path"].lower()
        if seen["scheme"] != "https" and path != HEALTH and not self._may_be_plain(scope):
            await self._forbid(scope, receive, send)
        elif path in _ENDPOINTS:
            await self._endpoint(seen, receive, send)
        else:
            await self._others(dict(seen, path=path), receive, send)

    def _may_be_plain(self, scope: Scope) -> bool:
        """Whether plain HTTP is all right from this peer: passwords would travel in the clear otherwise."""
        web, peer = self._live.web, peer_of(scope)
        if web.require_tls:
            return False
        return is_loopback(peer) or is_trusted(peer, web.trusted_proxies)

    async def _forbid(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = announced(scope["headers"])
        headers = []
        if not await discard(receive, body, self._live.web.limits):
            headers.append((b"connection", b"close"))
            send = lingering(send, receive)
        await send_empty(send, _FORBIDDEN, headers)
