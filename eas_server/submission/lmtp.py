"""LMTP ([RFC 2033]): where a mail server on the same machine hands over mail, with an answer for each recipient.

The library reads commands; DATA is read here, since LMTP answers it once a recipient, and lines may be of any length.
"""

import asyncio
import contextlib
import logging
import stat
from asyncio import IncompleteReadError, LimitOverrunError
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from aiosmtpd.smtp import Session

from eas_server.errors import ConfigError, Unavailable
from eas_server.submission.incoming import Envelope, Incoming, Outcome
from eas_server.submission.settings import LmtpSettings

log = logging.getLogger(__name__)

MAX_RECIPIENTS: Final = 1000
_RUN: Final = 64 * 1024
_CRLF: Final = b"\r\n"

_ANSWERS: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "250 2.0.0 <{}> delivered",
    Outcome.UNKNOWN: "550 5.1.1 <{}> no such mailbox here",
    Outcome.FULL: "452 4.2.2 <{}> mailbox full",
    Outcome.LOOP: "554 5.4.6 <{}> mail loop: the message has been here before",
    Outcome.UNAVAILABLE: "451 4.3.0 <{}> the mail store cannot be reached now",
}
_TOO_LARGE: Final = "552 5.3.4 <{}> the message is too large"
_FAULT: Final = "451 4.3.0 <{}> an error here; try again later"


class _Session(LMTP):
    """One connection."""

    line_length_limit = _RUN

    def __init__(self, incoming: Incoming, settings: LmtpSettings, host: str, sessions: "set[_Session]") -> None:
        super().__init__(
            _Answers(incoming),
            data_size_limit=settings.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=host,
            ident="eas-server LMTP",
            timeout=settings.timeout,
            loop=asyncio.get_running_loop(),
        )
        self._incoming = incoming
        self._limit = settings.max_message_bytes
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._sessions.discard(self)
        super().connection_lost(error)

    def close(self) -> None:
        """Hang up; what was not answered is sent again by the other side."""
        if self.transport is not None:
            self.transport.close()

    @property
    def _recipients(self) -> tuple[str, ...]:
        return tuple(self.envelope.rcpt_tos) if self.envelope is not None else ()

    @property
    def _sender(self) -> str:
        sender = (self.envelope and self.envelope.mail_from) or ""
        return "" if sender == "<>" else sender  # the library leaves the null sender as it stands in the command

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 — the library's name
        """[RFC 2033] 4.2: after the end mark an answer for each recipient that was taken."""
        if await self.check_helo_needed("LHLO"):
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        if not self._recipients:
            await self.push("503 5.5.1 RCPT comes first")
            return
        await self.push("354 end with a line of one dot")
        await self._answer(await self._content())

    async def _answer(self, content: bytearray | None) -> None:
        recipients = self._recipients
        if content is None:
            answers: Sequence[str] = [_TOO_LARGE] * len(recipients)
        else:
            answers = await self._deliver(memoryview(content), recipients)
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # the library has no types
        await self.push("\r\n".join(a.format(_shown(r)) for a, r in zip(answers, recipients, strict=True)))

    async def _deliver(self, content: memoryview, recipients: tuple[str, ...]) -> Sequence[str]:
        envelope = Envelope(
            sender=self._sender,
            recipients=recipients,
            content=content,
            protocol="LMTP",
            peer=(self.session and self.session.host_name) or "",
        )
        try:
            outcomes = await self._incoming.deliver(envelope)
        except Exception:  # each recipient has to get an answer, or both sides count differently from here on
            log.exception("a message that came in by LMTP could not be handled")
            return [_FAULT] * len(recipients)
        return [_ANSWERS[outcome] for outcome in outcomes]

    async def _content(self) -> bytearray | None:
        """The message up to the end mark, dots removed; None where it is larger than the limit."""
        content = bytearray()
        size = 0
        line_start = True
        while True:
            run = await self._run()
            ends = run.endswith(_CRLF)
            if line_start:
                if run == b".\r\n":
                    return content if size <= self._limit else None
                run = run.removeprefix(b".")
            size += len(run)
            if size <= self._limit:
                content += run
            else:
                content.clear()
            line_start = ends

    async def _run(self) -> bytes:
        """The octets up to the next CRLF, or a part of a very long line."""
        try:
            run: bytes = await self._reader.readuntil(_CRLF)
        except LimitOverrunError as error:
            run = await self._reader.read(max(error.consumed, 1))
            self._reset_timeout()
        except IncompleteReadError:
            raise ConnectionResetError("the connection ended within a message") from None
        return run


class _Answers:
    """What the library asks while it reads commands."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    async def handle_EHLO(  # noqa: N802 — the library's name
        self,
        server: object,
        session: Session,
        envelope: SmtpEnvelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """[RFC 2033] 5 demands both extensions."""
        del server, envelope
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[1:]]

    async def handle_RCPT(  # noqa: N802 — the library's name
        self,
        server: object,
        session: Session,
        envelope: SmtpEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        """Unknown recipients are refused before the message comes."""
        del server, session
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        try:
            if not await self._incoming.knows(address):
                return _ANSWERS[Outcome.UNKNOWN].format(_shown(address))
        except Unavailable:
            return _ANSWERS[Outcome.UNAVAILABLE].format(_shown(address))
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return f"250 2.1.5 <{_shown(address)}> is here"

    async def handle_exception(self, error: Exception) -> str:
        """A fault within a command."""
        log.error("an LMTP command failed", exc_info=error)
        return "451 4.3.0 an error here; try again later"


def _shown(address: str) -> str:
    return "".join(c for c in address if c.isprintable())


class LmtpListener:
    """Listens as long as the server runs. `host` is what the server calls itself.

    Raises ConfigError for a TCP address that is not a loopback one: LMTP has no authentication.
    """

    def __init__(self, incoming: Incoming, settings: LmtpSettings, *, host: str) -> None:
        if settings.port and not _is_loopback(settings.host):
            raise ConfigError(f"[lmtp] host: {settings.host!r} is not a loopback address such as 127.0.0.1")
        self._incoming = incoming
        self._settings = settings
        self._host = host
        self._sessions: set[_Session] = set()
        self.listening = asyncio.Event()
        """Set while connections are taken."""

    async def run(self) -> None:
        """Listen until cancelled. Raises OSError for an address that is taken."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # the library logs whole messages for debugging
        servers = await self._listen()
        self.listening.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.listening.clear()
            for server in servers:
                server.close()
            for session in tuple(self._sessions):
                session.close()
            if self._settings.socket is not None:
                self._settings.socket.unlink(missing_ok=True)

    async def _listen(self) -> list[asyncio.Server]:
        loop = asyncio.get_running_loop()
        servers: list[asyncio.Server] = []
        path = self._settings.socket
        if path is not None:
            await _remove_stale(path)
            servers.append(await loop.create_unix_server(self._session, path))
            path.chmod(self._settings.socket_mode)
            log.info("LMTP on %s", path)
        if self._settings.port:
            servers.append(await loop.create_server(self._session, self._settings.host, self._settings.port))
            log.info("LMTP on %s port %d", self._settings.host, self._settings.port)
        return servers

    def _session(self) -> _Session:
        return _Session(self._incoming, self._settings, self._host, self._sessions)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on; raises OSError where somebody does, or where it is no socket."""
    if not _is_socket(path):
        return
    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        raise FileExistsError(f"somebody listens on {path} already")
    path.unlink(missing_ok=True)  # noqa: ASYNC240 — once, before anything is served


def _is_socket(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is there and is no socket")
    return True
