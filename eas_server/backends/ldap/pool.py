"""Connections to the directory's servers, used by blocking jobs on threads of their own.

Nobody waits longer than the operation time-out: the event loop stops waiting then, and the job's connection is shut
down under it, so that the thread is free again. A server that failed is left alone for `retry_after` seconds; then one
job tries it while the others still pass it by. With no server left, jobs fail at once.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

from eas_server.backends.ldap.connection import LdapConnection, ServerError, tls_context
from eas_server.backends.ldap.settings import LdapSettings
from eas_server.errors import ConfigError, DirectoryUnavailable

T = TypeVar("T")

IDLE_LIMIT: Final = 60.0
"""Seconds after which an unused connection is not trusted any more: firewalls forget them without a word."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Server:
    """What is known of a server. Guarded by the pool's lock."""

    uri: str
    failed: bool = False
    avoid_until: float = 0.0
    idle: list[tuple[float, LdapConnection]] = field(default_factory=list)


class _AbortedError(Exception):
    """Nobody waits for this job any more."""


class _Operation:
    """The connection that a job is using, to be shut down when nobody waits for the job any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: LdapConnection | None = None
        self.aborted = False

    def use(self, connection: LdapConnection | None) -> None:
        with self._lock:
            if self.aborted and connection is not None:
                raise _AbortedError
            self._connection = connection

    def abort(self) -> None:
        with self._lock:
            self.aborted = True
            if self._connection is not None:
                self._connection.abort()


class LdapPool:
    """Runs jobs on connections that are signed in as the server itself, and tries sign-ins of others.

    Raises ConfigError when it is made with a CA or password file that cannot be used.
    """

    def __init__(self, settings: LdapSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.settings: Final = settings
        self._password = _read("bind_password_file", settings.password)
        if settings.bind_dn and not self._password:
            raise ConfigError(f"ldap.bind_password_file: {settings.bind_password_file} is empty")
        self._context = _read("ca_file", lambda: tls_context(settings))
        self._monotonic = monotonic
        self._servers = [_Server(uri) for uri in settings.uris]
        self._lock = Lock()
        self._executor = ThreadPoolExecutor(settings.pool_size, thread_name_prefix="ldap")

    async def run(self, job: Callable[[LdapConnection], T]) -> T:
        """Let `job` search on a connection. It may run again on another one, so it must not keep state.

        Raises DirectoryUnavailable.
        """
        return await self._submit(lambda operation: self._run(operation, job))

    async def sign_in(self, dn: str, password: str, then: Callable[[LdapConnection], T]) -> T | None:
        """Bind as `dn` on a connection made for this and let `then` use it; None for a refusal.

        Raises DirectoryUnavailable, and ValueError for an empty name or password.
        """
        if not dn or not password:
            raise ValueError("a bind needs a name and a password")

        def attempt(operation: _Operation, server: _Server) -> T | None:
            connection = self._open(operation, server)
            try:
                return then(connection) if connection.bind(dn, password) else None
            finally:
                operation.use(None)
                connection.close()

        return await self._submit(lambda operation: self._first_working(operation, attempt))

    async def close(self) -> None:
        """Close the connections; jobs that are under way end first, others are dropped."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        with self._lock:
            idle = [connection for server in self._servers for _, connection in server.idle]
            for server in self._servers:
                server.idle.clear()
        for connection in idle:
            await asyncio.to_thread(connection.close)

    async def _submit(self, work: Callable[[_Operation], T]) -> T:
        operation = _Operation()
        try:
            async with asyncio.timeout(self.settings.operation_timeout):
                return await asyncio.get_running_loop().run_in_executor(self._executor, work, operation)
        except TimeoutError as error:
            raise DirectoryUnavailable("the directory did not answer in time") from error
        finally:
            # After a normal end there is no connection left to shut down.
            operation.abort()

    def _run(self, operation: _Operation, job: Callable[[LdapConnection], T]) -> T:
        def attempt(operation: _Operation, server: _Server) -> T:
            connection = self._take(server)
            if connection is not None:
                try:
                    return self._use(operation, server, connection, job)
                except ServerError as error:
                    if error.timed_out or operation.aborted:
                        raise
                    # The server closed it while it was idle, or was restarted: a fresh one will tell.
            return self._use(operation, server, self._signed_in(operation, server), job)

        return self._first_working(operation, attempt)

    def _use(
        self, operation: _Operation, server: _Server, connection: LdapConnection, job: Callable[[LdapConnection], T]
    ) -> T:
        sound = False
        try:
            operation.use(connection)
            result = job(connection)
            sound = True
            return result
        except DirectoryUnavailable:
            sound = True
            raise
        finally:
            operation.use(None)
            if sound and not operation.aborted:
                self._give_back(server, connection)
            else:
                connection.close()

    def _first_working(self, operation: _Operation, attempt: Callable[[_Operation, _Server], T]) -> T:
        reason = "all servers failed a moment ago"
        for server in self._candidates():
            try:
                result = attempt(operation, server)
            except ServerError as error:
                if operation.aborted:
                    break
                reason = str(error)
                self._failed(server, reason)
            except _AbortedError:
                break
            except DirectoryUnavailable:
                self._worked(server)
                raise
            else:
                self._worked(server)
                return result
        raise DirectoryUnavailable(reason)

    def _open(self, operation: _Operation, server: _Server) -> LdapConnection:
        connection = LdapConnection(server.uri, self.settings, self._context)
        operation.use(connection)
        connection.open()
        try:
            operation.use(connection)  # while it was being opened, it could not be shut down
        except _AbortedError:
            connection.close()
            raise
        return connection

    def _signed_in(self, operation: _Operation, server: _Server) -> LdapConnection:
        connection = self._open(operation, server)
        welcome = False
        try:
            welcome = not self.settings.bind_dn or connection.bind(self.settings.bind_dn, self._password)
        finally:
            if not welcome:
                connection.close()
        if not welcome:
            # A failure of the server, so that wrong settings do not lock the account by many attempts.
            raise ServerError(f"{server.uri}: refuses bind_dn {self.settings.bind_dn!r} with its password")
        return connection

    def _candidates(self) -> Iterator[_Server]:
        for server in self._servers:
            with self._lock:
                now = self._monotonic()
                if server.failed:
                    if now < server.avoid_until:
                        continue
                    server.avoid_until = now + self.settings.retry_after  # this job tries it, the others do not
            yield server

    def _failed(self, server: _Server, reason: str) -> None:
        with self._lock:
            server.failed = True
            server.avoid_until = self._monotonic() + self.settings.retry_after
            idle, server.idle = server.idle, []
        _log.warning("directory server failed: %s", reason)
        for _, connection in idle:
            connection.close()

    def _worked(self, server: _Server) -> None:
        with self._lock:
            if server.failed:
                _log.info("directory server works again: %s", server.uri)
            server.failed = False

    def _take(self, server: _Server) -> LdapConnection | None:
        with self._lock:
            oldest = self._monotonic() - IDLE_LIMIT
            stale = [connection for since, connection in server.idle if since < oldest]
            server.idle = [each for each in server.idle if each[0] >= oldest]
            taken = server.idle.pop()[1] if server.idle else None
        for connection in stale:
            connection.close()
        return taken

    def _give_back(self, server: _Server, connection: LdapConnection) -> None:
        with self._lock:
            server.idle.append((self._monotonic(), connection))


def _read(key: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (OSError, ValueError) as error:
        raise ConfigError(f"ldap.{key}: cannot be used: {error}") from error
