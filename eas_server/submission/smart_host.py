"""One attempt to hand a message to the smart host, over a connection of its own."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Final, Protocol

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPHeloError, SMTPResponseException, SMTPTimeoutError
from aiosmtplib.response import SMTPResponse

from eas_server.errors import ConfigError
from eas_server.interfaces import Forwarding
from eas_server.model.blob import Blob
from eas_server.submission.report import Failure
from eas_server.submission.settings import Security, SmtpSettings
from eas_server.submission.wire import SmtpLines

PERMANENT: Final = range(500, 600)
START_INPUT: Final = 354
COMPLETED: Final = 250
_ADDRESS_NOT_SUPPORTED: Final = "5.6.7"
"""[RFC 6531]: the other server does not take non-ASCII addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of each recipient."""

    sent: tuple[str, ...] = ()
    refused: tuple[Failure, ...] = ()
    """For good."""
    deferred: tuple[Failure, ...] = ()
    """For now."""


class Transport(Protocol):
    """Hands a message to other servers."""

    async def send(self, forwarding: Forwarding) -> Attempt:
        """Try once. Raises StoreUnavailable where the content cannot be read; all else is in the Attempt."""
        ...


class NoSmartHost:
    """Stands where there is no smart host: nothing can go out."""

    async def send(self, forwarding: Forwarding) -> Attempt:
        """See Transport."""
        reason = "this server has no way to other mail servers (no smart host is set up)"
        return Attempt(refused=_all(forwarding.recipients, "5.4.4", reason, remote=False))


def transport_for(settings: SmtpSettings) -> Transport:
    """The way out that the settings name. Raises ConfigError for a CA file that cannot be read."""
    return SmartHost(settings) if settings.host else NoSmartHost()


class SmartHost:
    """An SMTP server that takes mail for everybody."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._context = _context(settings)

    async def send(self, forwarding: Forwarding) -> Attempt:
        """See Transport."""
        client = self._client()
        try:
            await client.connect()
        except (SMTPException, OSError, ValueError) as error:
            # Refusals of the connection, of TLS or of the sign-in say nothing of this message: it waits.
            return Attempt(deferred=_all(forwarding.recipients, "4.4.1", _words(error)))
        try:
            attempt = await self._transfer(client, forwarding)
            await _quit(client)
        except (SMTPException, OSError) as error:
            return Attempt(deferred=_all(forwarding.recipients, "4.4.2", _words(error)))
        finally:
            client.close()
        return attempt

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password or None,
            local_hostname=settings.local_hostname or None,
            timeout=settings.timeout,
            use_tls=settings.security is Security.TLS,
            start_tls=settings.security is Security.STARTTLS,
            tls_context=self._context,
        )

    async def _transfer(self, client: aiosmtplib.SMTP, forwarding: Forwarding) -> Attempt:
        if client.is_ehlo_or_helo_needed:  # the library would wait for MAIL, which is too late for the extensions
            with contextlib.suppress(SMTPHeloError):
                await client.ehlo()
        utf8 = not all(address.isascii() for address in (forwarding.sender, *forwarding.recipients))
        if utf8 and not client.supports_extension("smtputf8"):
            reason = "the smart host does not take addresses outside ASCII"
            return Attempt(refused=_all(forwarding.recipients, _ADDRESS_NOT_SUPPORTED, reason, remote=False))
        encoding = "utf-8" if utf8 else "ascii"
        try:
            await client.mail(forwarding.sender, options=_options(client, forwarding.content, utf8), encoding=encoding)
        except SMTPResponseException as error:
            return _sorted((), _every(forwarding.recipients, error))
        failures: list[tuple[str, SMTPResponseException]] = []
        for recipient in forwarding.recipients:
            try:
                await client.rcpt(recipient, encoding=encoding)
            except SMTPResponseException as error:
                failures.append((recipient, error))
        refused = {recipient for recipient, _ in failures}
        taken = [recipient for recipient in forwarding.recipients if recipient not in refused]
        if taken:
            response = await self._data(client, forwarding.content)
            if response.code != COMPLETED:
                failures += _every(taken, SMTPResponseException(response.code, response.message))
                taken = []
        return _sorted(taken, failures)

    async def _data(self, client: aiosmtplib.SMTP, content: Blob) -> SMTPResponse:
        """DATA in runs: a large message is never in memory as a whole.

        The library's own `data` wants it whole; its protocol object takes runs, and knows when to pause.
        """
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        response = await client.execute_command(b"DATA")
        if response.code != START_INPUT:
            return response
        lines = SmtpLines()
        async for run in content.chunks():
            protocol.write(lines.feed(run))
            await self._drained(protocol)
        protocol.write(lines.finish())
        return await protocol.read_response(timeout=self._settings.timeout)

    async def _drained(self, protocol: aiosmtplib.protocol.SMTPProtocol) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                await protocol._drain_helper()  # the only name there is for it
        except TimeoutError:
            raise SMTPTimeoutError("the smart host stopped reading") from None


def _context(settings: SmtpSettings) -> ssl.SSLContext | None:
    if settings.security is Security.NONE:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise ConfigError(f"smtp.ca_file: {settings.ca_file}: {error.strerror or error}") from None
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _options(client: aiosmtplib.SMTP, content: Blob, utf8: bool) -> list[str]:
    options = []
    if client.supports_extension("size"):
        options.append(f"SIZE={content.size}")
    if client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    if utf8:
        options.append("SMTPUTF8")
    return options


def _every(
    recipients: list[str] | tuple[str, ...], error: SMTPResponseException
) -> list[tuple[str, SMTPResponseException]]:
    return [(recipient, error) for recipient in recipients]


def _sorted(sent: list[str] | tuple[()], failures: list[tuple[str, SMTPResponseException]]) -> Attempt:
    refused: list[Failure] = []
    deferred: list[Failure] = []
    for recipient, error in failures:
        permanent = error.code in PERMANENT
        text = f"{error.code} {error.message}"
        status = _enhanced(error.message, "5.0.0" if permanent else "4.0.0")
        failure = Failure(address=recipient, status=status, diagnostic=text, remote=True)
        (refused if permanent else deferred).append(failure)
    return Attempt(sent=tuple(sent), refused=tuple(refused), deferred=tuple(deferred))


def _enhanced(message: str, otherwise: str) -> str:
    """The enhanced status code that an answer begins with ([RFC 2034]), if it is of the class of `otherwise`."""
    first = message.split(" ", 1)[0]
    numbers = first.split(".")
    well_formed = len(numbers) == len(otherwise.split(".")) and all(n.isascii() and n.isdigit() for n in numbers)
    return first if well_formed and first[:1] == otherwise[:1] else otherwise


def _all(recipients: tuple[str, ...], status: str, reason: str, *, remote: bool = True) -> tuple[Failure, ...]:
    return tuple(Failure(address=r, status=status, diagnostic=reason, remote=remote) for r in recipients)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Say good-bye; what is done is done whatever the answer is."""
    with contextlib.suppress(SMTPException, OSError):
        await client.quit(timeout=_QUIT_TIMEOUT)


_QUIT_TIMEOUT: Final = 5.0
