"""The lab PKI over HTTP: CRLs, OCSP by GET and POST, the certificates that others point to. For labs and tests alone.

Everything here is public. Paths are in lower case, as the application hands them on; only OCSP by GET looks at the path
as it came, for base64 has both.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from eas_server.interfaces import Clock
from eas_server.pki import lab_ocsp
from eas_server.pki.lab_crl import Withdrawn, crl, delta_crl
from eas_server.pki.lab_issue import CRLS, DOWN, ISSUERS, OCSP, Lab, crl_url, delta_url
from eas_server.pki.lab_plan import CrlPoint
from eas_server.web.transport import peer_of

log = logging.getLogger(__name__)

PATH: Final = "/lab/pki"
"""Of the lab; what the URL of a Lab ends with."""
PEOPLE: Final = "people"
CRL_TYPE: Final = "application/pkix-crl"
CERTIFICATE_TYPE: Final = "application/pkix-cert"
OCSP_TYPE: Final = "application/ocsp-response"

_KEPT: Final = {"cache-control": "public, max-age=3600"}
"""What is of the hour may be kept for one."""
_NOT_KEPT: Final = {"cache-control": "no-store"}
_CLOSED: Final = {"connection": "close"}
_TOO_LARGE: Final = 413
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400
_DOWN: Final = 503

Further = Callable[[str], Sequence[Withdrawn]]
"""Certificates of an authority, by its name, that were revoked beyond those declared."""


class LabPki:
    """The handlers; `routes` are what makes them part of an application."""

    def __init__(self, lab: Lab, clock: Clock, further: Further) -> None:
        self._lab = lab
        self._clock = clock
        self._further = further
        self._crls = _crls_of(lab)
        self.routes: Sequence[BaseRoute] = (
            Route(f"{PATH}/{PEOPLE}.json", self._people, methods=["GET"]),
            Route(f"{PATH}/{PEOPLE}/{{name}}.cer", self._person, methods=["GET"]),
            Route(f"{PATH}/{ISSUERS}/{{name}}.cer", self._issuer, methods=["GET"]),
            Route(f"{PATH}/{CRLS}/{{name}}.crl", self._crl, methods=["GET"]),
            Route(f"{PATH}/{OCSP}/{{name}}", self._ocsp_post, methods=["POST"]),
            Route(f"{PATH}/{OCSP}/{{name}}/{{request:path}}", self._ocsp_get, methods=["GET"]),
            Route(f"{PATH}/{DOWN}/{{name:path}}", self._down, methods=["GET", "POST"]),
        )

    async def _people(self, _: Request) -> Response:
        """The table of docs/lab-pki.md, for programs."""
        url = self._lab.url
        told = [
            {
                "name": name,
                "addresses": person.addresses,
                "wrong": person.wrong,
                "status": {"CheckCRL 0": person.status[0], "CheckCRL 1": person.status[1]},
                "certificate": f"{url}/{PEOPLE}/{name}.cer",
            }
            for name, person in self._lab.plan.people.items()
        ]
        roots = [f"{url}/{ISSUERS}/{name}.cer" for name, each in self._lab.plan.authorities.items() if each.trusted]
        return JSONResponse({"trust": roots, "people": told})

    async def _person(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._lab.plan.people:
            return Response(status_code=_NOT_FOUND)
        return Response(self._lab.certificates[name], media_type=CERTIFICATE_TYPE)

    async def _issuer(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._lab.plan.authorities:
            return Response(status_code=_NOT_FOUND)
        _note(request, f"the certificate of {name}")
        return Response(self._lab.certificates[name], media_type=CERTIFICATE_TYPE, headers=_KEPT)

    async def _crl(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = self._crls.get(f"{self._lab.url}/{CRLS}/{name}.crl")
        if found is None:
            return Response(status_code=_NOT_FOUND)
        _note(request, f"the CRL {name}")
        return Response(await asyncio.to_thread(self._made, *found), media_type=CRL_TYPE, headers=_KEPT)

    def _made(self, authority: str, point: CrlPoint | None) -> bytes:
        now = self._clock.now()
        if point is None:
            return delta_crl(self._lab, authority, now)
        return crl(self._lab, authority, point, now, self._further(authority))

    async def _ocsp_post(self, request: Request) -> Response:
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > lab_ocsp.MAX_REQUEST:
                    return Response(status_code=_TOO_LARGE, headers=_CLOSED)
        except ClientDisconnect:
            return Response(status_code=_BAD_REQUEST)
        return await self._answered(request, bytes(body), _NOT_KEPT)

    async def _ocsp_get(self, request: Request) -> Response:
        """[RFC 6960] A.1: the request in base64, and that in the form of URLs."""
        name = request.path_params["name"]
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        text = raw[len(f"{PATH}/{OCSP}/{name}/") :].partition(b"?")[0]
        try:
            asked = base64.b64decode(unquote_to_bytes(text), validate=True)
        except binascii.Error:
            asked = b""  # which is answered as a malformed request
        return await self._answered(request, asked, _NOT_KEPT if lab_ocsp.has_nonce(asked) else _KEPT)

    async def _answered(self, request: Request, asked: bytes, headers: dict[str, str]) -> Response:
        name = request.path_params["name"]
        if name not in self._lab.plan.authorities:
            return Response(status_code=_NOT_FOUND)
        about = ", ".join(lab_ocsp.asked_about(self._lab, name, asked)) or "nobody known"
        _note(request, f"the OCSP responder of {name} about {about}")
        content = await asyncio.to_thread(self._told, name, asked)
        return Response(content, media_type=OCSP_TYPE, headers=headers)

    def _told(self, name: str, asked: bytes) -> bytes:
        return lab_ocsp.answer(self._lab, name, asked, self._clock.now(), self._further(name))

    async def _down(self, request: Request) -> Response:
        _note(request, "what is not there by intent")
        return Response(status_code=_DOWN, headers=_CLOSED)


def _note(request: Request, what: str) -> None:
    """Developers of clients want to see what theirs asks for."""
    log.info("lab: %s asks for %s", peer_of(request.scope), what)


def _crls_of(lab: Lab) -> dict[str, tuple[str, CrlPoint | None]]:
    """What is behind each URL of a CRL: the authority, and None for a delta."""
    found: dict[str, tuple[str, CrlPoint | None]] = {}
    for name, authority in lab.plan.authorities.items():
        found[delta_url(lab.url, name)] = (name, None)
        for point in (CrlPoint.FULL, CrlPoint.DELTA, CrlPoint.STALE):
            found[crl_url(lab.url, name, point)] = (name, point)
        if authority.crl_signer:
            found[crl_url(lab.url, name, CrlPoint.INDIRECT)] = (name, CrlPoint.INDIRECT)
    return found
