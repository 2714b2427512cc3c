"""One connection to one server, through ldap3: the only place that knows that library.

ldap3 has its traps; what is done about each:

* A `Server` object that several connections share mixes up their failures: each connection gets its own.
* The receive time-out takes whole seconds only and skips the TLS handshake's connect time-out: time-outs are set on the
  socket here.
* `Tls` checks names by a deprecated function: an `ssl.SSLContext` does it here, with SNI.
* Referrals would be followed with the user's password to whatever host the answer names: never.
* Passwords go through SASLprep, which can make an empty one of a full one: they are sent as octets.
* A malformed answer may raise anything: all of it becomes ServerError.
"""

import contextlib
import math
import socket
import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from eas_server.backends.ldap.entries import RawEntry, raw_entry
from eas_server.backends.ldap.settings import LdapSettings
from eas_server.errors import DirectoryUnavailable

with warnings.catch_warnings():
    # ldap3 2.9.1 uses names of pyasn1 that are deprecated (typeMap, tagMap).
    warnings.simplefilter("ignore", DeprecationWarning)
    ldap3: Any = import_module("ldap3")

T = TypeVar("T")

PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"
_SUCCESS: Final = 0
_REFERRAL: Final = 10
_SIZE_LIMITS: Final = frozenset({4, 11})
"""sizeLimitExceeded, adminLimitExceeded: what came before is good."""
_NO_SUCH_ENTRY: Final = frozenset({32, 34})
"""noSuchObject, invalidDNSyntax."""
_REFUSALS: Final = frozenset({19, 32, 34, 48, 49, 50, 53})
"""constraintViolation (locked by a password policy), noSuchObject, invalidDNSyntax, inappropriateAuthentication (no
password set), invalidCredentials, insufficientAccessRights, unwillingToPerform (account disabled)."""


_NOT_NOW: Final = frozenset({51, 52})
"""busy, unavailable: another server may be able to."""


class Scope(Enum):
    """How deep a search looks."""

    ENTRY = "BASE"
    SUBTREE = "SUBTREE"


class ModifyRefusedError(Exception):
    """The server does not let us change the entry; the text is for the administrator."""


class ServerError(Exception):
    """This server cannot be reached, is broken, or does not answer: try another one."""

    @property
    def timed_out(self) -> bool:
        """It was a time-out, not a connection that broke."""
        return isinstance(self.__cause__, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found. `total` counts the matches; it is an estimate where the search was not read to its end."""

    entries: list[RawEntry]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came back: entries, if any, and the result that closes the operation."""

    code: int
    text: str
    entries: list[RawEntry]
    cookie: bytes
    estimate: int


def tls_context(settings: LdapSettings) -> ssl.SSLContext:
    """How servers are verified. Raises OSError for a CA file that cannot be read, ssl.SSLError for one that is none."""
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _ContextTls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
    """TLS by an SSLContext that is made once and that checks the name itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=context.verify_mode)
        self.context = context

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ANN401  # ldap3's own signature
        """Put TLS on the connection's socket; the handshake happens here, whatever `do_handshake` says."""
        connection.socket = self.context.wrap_socket(connection.socket, server_hostname=connection.server.host)


class LdapConnection:
    """A connection that one thread uses at a time. `abort` may come from another one."""

    def __init__(self, uri: str, settings: LdapSettings, context: ssl.SSLContext) -> None:
        self.uri = uri
        self._settings = settings
        server = ldap3.Server(
            uri.rstrip("/"),
            get_info=ldap3.NONE,
            tls=_ContextTls(context),
            connect_timeout=settings.connect_timeout,
            allowed_referral_hosts=[],
        )
        self._ldap = ldap3.Connection(
            server,
            client_strategy=ldap3.SYNC,
            authentication=ldap3.ANONYMOUS,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            return_empty_attributes=False,
        )

    def open(self) -> None:
        """Connect, with TLS. Raises ServerError."""
        try:
            self._call(self._open)
        except ServerError:
            self._drop()
            raise

    def bind(self, dn: str, password: str) -> bool:
        """Sign in as `dn`; False for a refusal. Raises ServerError, DirectoryUnavailable.

        An empty name or password never leaves the house: servers take such a bind for an anonymous one and say
        "success" (RFC 4513 5.1.2).
        """
        if not dn or not password:
            raise ValueError("a bind needs a name and a password")
        self._ldap.user = dn
        self._ldap.password = password.encode()
        self._ldap.authentication = ldap3.SIMPLE
        try:
            answer = self._call(self._bind)
        finally:
            self._ldap.password = None
        if answer.code in _REFUSALS:
            return False
        self._check(answer, "bind")
        return True

    def search(
        self,
        filter_: str,
        attributes: Sequence[str],
        *,
        base: str | None = None,
        scope: Scope = Scope.SUBTREE,
        limit: int | None = None,
    ) -> SearchResult:
        """Entries that match, page by page, until at least `limit` were read.

        The server's own size limits cut the result short without an error; an entry that does not exist is no match.
        Raises ServerError, DirectoryUnavailable.
        """
        read = partial(self._page, filter_, attributes, self._settings.base_dn if base is None else base, scope)
        entries: list[RawEntry] = []
        cookie = b""
        while True:
            page = self._call(partial(read, cookie, self._settings.page_size))
            if page.code in _NO_SUCH_ENTRY and scope is Scope.ENTRY:
                return SearchResult(entries=[], total=0)
            if page.code not in _SIZE_LIMITS:
                self._check(page, "search")
            entries.extend(page.entries)
            cookie = page.cookie
            if not cookie:
                return SearchResult(entries=entries, total=len(entries))
            if limit is not None and len(entries) >= limit:
                self._call(partial(read, cookie, 0))  # a page of none: the server may forget the search
                return SearchResult(entries=entries, total=max(len(entries), page.estimate))

    def replace(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        """Give attributes of an entry these values and no others; none: the attribute is taken out.

        Raises ModifyRefusedError, ServerError, DirectoryUnavailable.
        """
        changes = {name: [(ldap3.MODIFY_REPLACE, list(values))] for name, values in attributes.items()}
        answer = self._call(partial(self._modify, dn, changes))
        if answer.code == _REFERRAL:
            raise ModifyRefusedError(f"{self.uri} sends us to another server (the global catalog cannot be written)")
        if answer.code not in _NOT_NOW and answer.code != _SUCCESS:
            raise ModifyRefusedError(f"{self.uri} refuses the change: {answer.text}")
        self._check(answer, "modify")

    def abort(self) -> None:
        """Make whoever waits for an answer of this connection fail now."""
        connected = self._ldap.socket
        if connected is not None:
            # Not SSLSocket.shutdown, which takes the TLS state from under the thread that is reading.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye where that is possible, and close."""
        with contextlib.suppress(ServerError):
            self._call(self._ldap.unbind)
        self._drop()

    def _open(self) -> None:
        self._ldap.open(read_server_info=False)
        if self._settings.start_tls and urlsplit(self.uri).scheme == "ldap":
            self._ldap.start_tls(read_server_info=False)  # raises where the server refuses it
        self._ldap.socket.settimeout(self._settings.receive_timeout)

    def _bind(self) -> _Answer:
        self._ldap.bind(read_server_info=False)
        return self._answer("bindResponse")

    def _page(
        self, filter_: str, attributes: Sequence[str], base: str, scope: Scope, cookie: bytes, size: int
    ) -> _Answer:
        self._ldap.search(
            base,
            filter_,
            search_scope=scope.value,
            dereference_aliases=ldap3.DEREF_NEVER,
            attributes=list(attributes),
            time_limit=math.ceil(self._settings.receive_timeout),
            paged_size=size,
            paged_cookie=cookie or None,
        )
        return self._answer("searchResDone")

    def _modify(self, dn: str, changes: Mapping[str, object]) -> _Answer:
        self._ldap.read_only = False
        try:
            self._ldap.modify(dn, changes)
        finally:
            self._ldap.read_only = True
        return self._answer("modifyResponse")

    def _answer(self, kind: str) -> _Answer:
        result = self._ldap.result
        if result["type"] != kind:
            raise ServerError(f"{self.uri}: answers {result['type']} instead of {kind}")
        control = result.get("controls", {}).get(PAGED_RESULTS, {}).get("value") or {}
        entries = [each for each in self._ldap.response or () if each["type"] == "searchResEntry"]
        return _Answer(
            code=result["result"],
            text=f"{result['description']} {result['message']}".strip(),
            entries=[raw_entry(each["dn"], each["raw_attributes"].items()) for each in entries],
            cookie=control.get("cookie") or b"",
            estimate=control.get("size") or 0,
        )

    def _check(self, answer: _Answer, what: str) -> None:
        if answer.code in _NOT_NOW:
            raise ServerError(f"{self.uri}: {what}: {answer.text}")
        if answer.code != _SUCCESS:
            raise DirectoryUnavailable(f"{self.uri}: {what}: {answer.text}")

    def _drop(self) -> None:
        """Close the socket, which ldap3 leaves open after some failures."""
        connected, self._ldap.socket = self._ldap.socket, None
        if connected is not None:
            connected.close()

    def _call(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except ServerError:
            raise
        except Exception as error:  # see the module's text: a malformed answer may raise anything
            raise ServerError(f"{self.uri}: {error}") from error
