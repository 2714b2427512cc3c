"""Asking one URL over the network: a bounded question, a bounded answer, and redirects that are checked like the first.

Nothing outlives an exchange: each has a connection of its own, no cookies, no credentials, no proxies.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from eas_server.backends.revocation.addresses import Address, Guard, Target
from eas_server.backends.revocation.budget import Places
from eas_server.backends.revocation.lookup import Lookup, Pinned
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.errors import ConfigError
from eas_server.model.ids import UserId
from eas_server.model.trust import EvidenceKind

MAX_REDIRECTS: Final = 3
MAX_HEADER: Final = 8190
"""Octets of one header field, and of the status line."""
MAX_HEADERS: Final = 100
PIECE: Final = 64 * 1024
USER_AGENT: Final = "eas-server"

_OK: Final = 200
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_SEE_OTHER: Final = 303
_ACCEPT: Final = {
    EvidenceKind.CRL: "application/pkix-crl, */*",
    EvidenceKind.OCSP: "application/ocsp-response",
    EvidenceKind.ISSUER: "application/pkix-cert, application/pkcs7-mime, */*",
}


class Scope(Enum):
    """What a failure speaks of, and so what is left alone for a while."""

    REQUEST = "request"
    """This question: another one at the same URL may be answered."""
    URL = "url"
    """The URL: it does not answer in time, or breaks off."""
    HOST = "host"
    """Everything at this port of this host: no name, no connection."""


class Failed(Exception):
    """There was no answer, or one that is none."""

    def __init__(self, reason: str, scope: Scope, origin: str, *, unreadable: bool = False) -> None:
        """`unreadable`: see EvidenceUnavailable."""
        super().__init__(reason)
        self.reason = reason
        self.scope = scope
        self.origin = origin
        self.unreadable = unreadable


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and for whom."""

    kind: EvidenceKind
    body: bytes
    user: UserId
    spend: Callable[[int], None]
    """Told how many octets came, of answers that fail, too."""


def trusting(settings: RevocationSettings) -> ssl.SSLContext:
    """What https servers are checked with. Raises ConfigError where `ca_file` cannot be read."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise ConfigError(f"revocation.ca_file: {settings.ca_file}: {error.strerror or error}") from None


class Exchange:
    """The network, as one configuration lets it be used."""

    def __init__(
        self, settings: RevocationSettings, guard: Guard, lookup: Lookup, check: Callable[[str], None]
    ) -> None:
        """`check` raises EvidenceUnavailable for an origin that is left alone."""
        self._settings = settings
        self._guard = guard
        self._lookup = lookup
        self._check = check
        self._hosts = Places(settings.parallel_per_host, "too many fetches from one host at once")
        self._names = Places(settings.parallel_per_user, "too many names are looked up for one user")
        self._lookups: set[asyncio.Task[Sequence[Address]]] = set()
        # the system's roots take a tenth of a second to read: they wait until they are needed
        self._tls = trusting(settings) if settings.ca_file else None
        self._most = {
            EvidenceKind.CRL: settings.max_crl,
            EvidenceKind.OCSP: settings.max_ocsp,
            EvidenceKind.ISSUER: settings.max_issuer,
        }

    async def ask(self, target: Target, question: Question, patience: float) -> bytes:
        """The octets of the answer. `patience`: until when (of the loop's clock) to wait for a place.

        Raises EvidenceUnavailable for what may not be asked, OverLimit, and Failed.
        """
        left = self._settings.timeout
        clock = asyncio.get_running_loop().time
        for _ in range(MAX_REDIRECTS + 1):
            self._check(target.origin)
            async with self._hosts.held((target.host, target.port), patience):
                begun = clock()
                answer = await self._hop(target, question, left)
                left -= clock() - begun
            if isinstance(answer, bytes):
                return answer
            target = self._guard.target(_joined(target, answer))
            patience = max(patience, clock() + left)
        raise Failed(f"more than {MAX_REDIRECTS} redirects", Scope.REQUEST, target.origin)

    async def close(self) -> None:
        """Wait for no lookup any more."""
        lookups = list(self._lookups)
        for task in lookups:
            task.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _hop(self, target: Target, question: Question, seconds: float) -> bytes | str:
        """The octets, or where they are instead."""
        try:
            async with asyncio.timeout(seconds):
                pinned = await self._pinned(target, question.user)
                return await self._asked(target, question, pinned)
        except TimeoutError:
            raise Failed("no whole answer in time", Scope.URL, target.origin) from None

    async def _pinned(self, target: Target, user: UserId) -> Pinned:
        """The addresses of the target, checked; nothing is looked up twice, so nothing can change after the check."""
        if target.address is not None:
            return Pinned([target.address])
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                addresses = await asyncio.shield(self._looked_up(target, user))
        except OSError as error:
            # a TimeoutError is one, too
            raise Failed(f"the name cannot be looked up: {_said(error)}", Scope.HOST, target.origin) from None
        checked = self._guard.permitted(target, addresses)
        if not checked:
            raise Failed("the name has no address", Scope.HOST, target.origin)
        return Pinned(checked)

    def _looked_up(self, target: Target, user: UserId) -> asyncio.Task[Sequence[Address]]:
        """A lookup that holds its user's place until it ends, though nobody waits any more: the system cannot break
        it off, and somebody whose name servers hang must not take all its threads.
        """

        async def look_up() -> Sequence[Address]:
            async with self._names.held(user, asyncio.get_running_loop().time()):
                return await self._lookup(target.host, target.port)

        task = asyncio.create_task(look_up())
        self._lookups.add(task)
        task.add_done_callback(self._forget_lookup)
        return task

    def _forget_lookup(self, task: asyncio.Task[Sequence[Address]]) -> None:
        self._lookups.discard(task)
        if not task.cancelled():
            task.exception()

    async def _asked(self, target: Target, question: Question, pinned: Pinned) -> bytes | str:
        if target.scheme == "https" and self._tls is None:
            self._tls = await asyncio.to_thread(trusting, self._settings)
        try:
            async with (
                self._session(pinned) as session,
                session.request(
                    "POST" if question.body else "GET",
                    URL(target.url, encoded=True),
                    data=question.body or None,
                    headers=_headers(question),
                    allow_redirects=False,
                ) as response,
            ):
                return await self._answer(target, question, response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Failed(f"no connection: {_said(error.certificate_error)}", Scope.HOST, target.origin) from None
        except aiohttp.ClientConnectorError as error:
            raise Failed(f"no connection: {_said(error.os_error)}", Scope.HOST, target.origin) from None
        except aiohttp.ServerTimeoutError as error:
            scope = Scope.HOST if isinstance(error, aiohttp.ConnectionTimeoutError) else Scope.URL
            raise Failed("no answer in time", scope, target.origin) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # the message may quote the server: the name of the error is enough
            raise Failed(f"no proper answer: {type(error).__name__}", Scope.URL, target.origin) from None

    def _session(self, pinned: Pinned) -> aiohttp.ClientSession:
        settings = self._settings
        connector = aiohttp.TCPConnector(
            resolver=pinned, socket_factory=pinned.socket, use_dns_cache=False, force_close=True, ssl=self._tls or True
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=settings.connect_timeout, sock_connect=settings.connect_timeout
            ),
        )

    async def _answer(self, target: Target, question: Question, response: aiohttp.ClientResponse) -> bytes | str:
        if response.status in _REDIRECTS:
            return _redirect(target, question, response)

        def failed(reason: str) -> Failed:
            return Failed(reason, Scope.REQUEST, target.origin)

        if response.status != _OK:
            raise failed(f"HTTP status {response.status}")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise failed("an encoded answer, which was not asked for")
        if response.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise failed("an answer in an encoding that was not asked for")
        most = self._most[question.kind]
        if (response.content_length or 0) > most:
            raise failed(f"an answer of {response.content_length} octets, where {most} are too many already")
        octets = bytearray()
        async for piece in response.content.iter_chunked(PIECE):
            octets += piece
            question.spend(len(piece))
            if len(octets) > most:
                raise failed(f"an answer of more than {most} octets")
        if not octets:
            raise failed("an empty answer")
        return bytes(octets)


def _redirect(target: Target, question: Question, response: aiohttp.ClientResponse) -> str:
    locations = response.headers.getall("Location", [])
    if len(locations) != 1:
        raise Failed("a redirect to nowhere", Scope.REQUEST, target.origin)
    if question.body and response.status == _SEE_OTHER:
        raise Failed("a redirect that leaves the question behind", Scope.REQUEST, target.origin)
    return locations[0]


def _joined(target: Target, location: str) -> str:
    try:
        return urljoin(target.url, location)
    except ValueError:
        raise Failed("a redirect to nowhere", Scope.REQUEST, target.origin) from None


def _headers(question: Question) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept": _ACCEPT[question.kind], "Accept-Encoding": "identity"}
    if question.body:
        headers["Content-Type"] = "application/ocsp-request"
    return headers


def _said(error: BaseException) -> str:
    """What the system says; not a text that a server chose."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
