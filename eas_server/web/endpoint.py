"""/Microsoft-Server-ActiveSync: authenticate, read, gate, dispatch, reply ([MS-ASHTTP] 3.2.5.1)."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from starlette.types import Receive, Scope, Send

from eas_server.commands.context import Command, Context, Ports, Reply
from eas_server.commands.languages import languages
from eas_server.commands.policy import policy_digest, policy_of
from eas_server.commands.waiting import supersede
from eas_server.errors import CommandError, Unavailable
from eas_server.interfaces import Clock
from eas_server.model.device import Device
from eas_server.model.directory import Account
from eas_server.model.settings import PolicySettings
from eas_server.web import gate
from eas_server.web.auth import SignIn
from eas_server.web.body import Announced, Bodies, Disconnected, Refused, announced, discard, read_body
from eas_server.web.devices import Devices
from eas_server.web.failures import BAD_REQUEST, EXPECTED, INTERNAL, UNAVAILABLE, Asked, reply_to, text
from eas_server.web.log import REQUEST_ID, RequestIds, RequestRecord
from eas_server.web.reading import headers_of, line_of, split
from eas_server.web.reply import Header, TooSlow, send_body, send_empty
from eas_server.web.settings import Live
from eas_server.web.tolerance import Tolerance
from eas_server.web.trace import Traced, Traces
from eas_server.web.transport import abort, lingering, peer_of
from protocol import schema, wbxml
from protocol.elements import Buffer, Element
from protocol.errors import MalformedRequest
from protocol.headers import SERVER_VERSION
from protocol.http import (
    MESSAGE,
    WBXML,
    CommandLine,
    CommandName,
    RequestHeaders,
    options_headers,
)
from protocol.quirks import FIND_AT_14_1, NONE_REFUSED, tolerates
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V14_0, V14_1, ProtocolVersion

log = logging.getLogger(__name__)

_UNAUTHORIZED = 401
_NOT_IMPLEMENTED = 501
_OCTETS = "application/octet-stream"
_MAIL_COMMANDS = frozenset((CommandName.SEND_MAIL, CommandName.SMART_REPLY, CommandName.SMART_FORWARD))
"""Whose body is the message itself up to 12.1."""
_TOLERATED = {(CommandName.FIND, V14_1): FIND_AT_14_1}
"""Commands of a version that does not have them, and the quirk by which they are let pass."""
_ALWAYS: tuple[Header, ...] = (
    (SERVER_VERSION.lower().encode(), str(SUPPORTED[-1]).encode()),
    (b"cache-control", b"private"),
)
_CLOSE: Header = (b"connection", b"close")


@dataclass(slots=True)
class _Exchange:
    """One request on its way through."""

    scope: Scope
    receive: Receive
    send: Send
    record: RequestRecord
    body: Announced
    now: datetime
    headers: RequestHeaders = field(default_factory=RequestHeaders)
    asked: Asked | None = None
    body_read: bool = False
    hopeless: bool = False
    """The body is not read to its end any more: the connection ends with the answer."""
    refused: frozenset[str] = NONE_REFUSED
    """The quirks that are not let pass in it."""
    traced: Traced | None = None
    """It is written down for the administrator."""
    counted: int = 0
    """Octets of the body that are counted as in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What goes out."""

    status: int
    headers: tuple[Header, ...] = ()
    content_type: str = WBXML
    body: wbxml.Segments | None = None
    document: Element | None = None
    """What `body` says, where it is WBXML and the request is traced."""


class Endpoint:
    """The ASGI application of the one path that all commands are sent to."""

    def __init__(
        self,
        *,
        ports: Ports,
        commands: Mapping[CommandName, Command],
        sign_in: SignIn,
        live: Live,
        clock: Clock,
        ids: RequestIds,
        stopping: asyncio.Event,
        traces: Traces | None = None,
    ) -> None:
        self._ports = ports
        self._commands = commands
        self._sign_in = sign_in
        self._live = live
        self._clock = clock
        self._stopping = stopping
        self._devices = Devices(ports.state)
        self._bodies = Bodies()
        self._tolerance = Tolerance()
        self._traces = traces
        self._digests: dict[str, tuple[PolicySettings, str]] = {}
        self._ids = ids
        spoken = options_headers(SUPPORTED, [name for name in CommandName if name in commands])
        self._options = tuple((name.lower().encode(), value.encode()) for name, value in spoken[1:])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        record = RequestRecord(id=self._ids.next(), started=time.perf_counter())
        record.method, record.address = scope["method"], peer_of(scope)
        exchange = _Exchange(
            scope=scope,
            receive=receive,
            send=send,
            record=record,
            body=announced(scope["headers"]),
            now=self._clock.now(),
        )
        try:
            await self._serve(exchange)
        finally:
            self._bodies.release(exchange.counted)
            record.write()

    async def _serve(self, exchange: _Exchange) -> None:
        try:
            answer = await self._answer(exchange)
        except Disconnected:
            exchange.record.note = "the client closed the connection"
            return
        except Exception as error:  # noqa: BLE001 — the one place where failures become answers; bugs are logged there
            answer = self._failed(error, exchange)
        await self._send(answer, exchange)

    async def _answer(self, exchange: _Exchange) -> _Answer:
        authorization, told = split(exchange.scope["headers"])
        exchange.headers = headers_of(told)
        switches = self._live.web.settings.quirks
        exchange.refused = self._tolerance.decide(switches, user_agent=exchange.headers.user_agent)
        account = self._sign_in.known(authorization)
        if account is None:
            account = await self._sign_in.account(authorization, exchange.record.address)
        if account is None:
            challenge = self._sign_in.challenge.encode("ascii")
            return _Answer(status=_UNAUTHORIZED, headers=((b"www-authenticate", challenge),))
        exchange.record.user = account.user
        match exchange.scope["method"]:
            case "POST":
                return await self._command(exchange, account)
            case "OPTIONS":
                return _Answer(status=200, headers=self._options)
            case _:
                return _Answer(status=_NOT_IMPLEMENTED, headers=((b"allow", b"OPTIONS,POST"),))  # MS-ASHTTP_R187

    async def _command(self, exchange: _Exchange, account: Account) -> _Answer:
        record = exchange.record
        line = line_of(exchange.scope["query_string"], exchange.headers, exchange.refused)
        record.command, record.device = line.command, line.device_id
        version = line.version
        if version is None or version not in SUPPORTED:
            raise MalformedRequest("", "the request names no protocol version that this server speaks")
        record.version = str(version)
        switches, agent = self._live.web.settings.quirks, exchange.headers.user_agent
        self._tolerance.decide(switches, device_type=line.device_type, user_agent=agent, version=record.version)
        name = line.known
        command = self._commands.get(name) if name is not None else None
        if name is None or command is None:
            return _Answer(status=_NOT_IMPLEMENTED)
        exchange.asked = Asked(
            command=command,
            version=version,
            policy_key_sent=line.policy_key is not None,
            empty=exchange.body.empty,
        )
        body = await self._read(exchange)
        _check_line(line, name, version)
        device = await self._device(exchange, account, line, version)
        if self._traces is not None and device.trace_until is not None:
            await self._begin_trace(self._traces, exchange, device, line, body)
        self._pass_gate(exchange, account, device, command, line)
        _check_content_type(exchange.headers, body, name, version)
        context = self._context(exchange, account, device, version, line)
        supersede(context)
        result = await command.handle(command.read(body, line, version), context)
        reply = result if isinstance(result, Reply) else Reply(response=result)
        return _encoded(reply, version, kept=exchange.traced is not None)

    async def _read(self, exchange: _Exchange) -> Buffer:
        limits = self._live.web.limits
        expected = exchange.body.length or 0
        if expected <= limits.max_request:
            self._bodies.take(expected, limits)
            exchange.counted = expected

        def hold(size: int) -> None:
            if size > exchange.counted:
                self._bodies.take(size - exchange.counted, limits)
                exchange.counted = size

        body = await read_body(exchange.receive, exchange.body, exchange.headers.content_encoding, limits, hold)
        exchange.body_read = True
        exchange.record.received = len(body)
        return body

    async def _device(
        self, exchange: _Exchange, account: Account, line: CommandLine, version: ProtocolVersion
    ) -> Device:
        if not account.eas_enabled:
            raise CommandError(CommonStatus.USER_DISABLED_FOR_SYNC)  # before anything of the device is kept
        return await self._devices.find(
            account, line, version, exchange.headers.user_agent, exchange.now, self._live.web.limits.max_devices
        )

    def _pass_gate(
        self, exchange: _Exchange, account: Account, device: Device, command: Command, line: CommandLine
    ) -> None:
        policy = policy_of(self._live.web.settings, account.user)
        request = gate.Request(
            eas_enabled=account.eas_enabled,
            access=device.access,
            wipe=device.wipe,
            state=device.policy,
            policy=policy,
            digest=self._digest(policy),
            gated=command.gated,
            policy_key=line.policy_key,
            asked=self._devices.was_asked(device),
        )
        status = gate.decide(request, exchange.now)
        if status is CommonStatus.DEVICE_NOT_PROVISIONED:
            self._devices.ask(device)
        if status is not None:
            raise CommandError(status)

    async def _begin_trace(
        self, traces: Traces, exchange: _Exchange, device: Device, line: CommandLine, body: Buffer
    ) -> None:
        exchange.traced = traces.of(device, exchange.record, exchange.now)
        if exchange.traced is not None:
            await exchange.traced.begin(exchange.scope["headers"], line, body, exchange.now)

    def _digest(self, policy: PolicySettings) -> str:
        known = self._digests.get(policy.name)
        if known is None or known[0] is not policy:
            known = self._digests[policy.name] = (policy, policy_digest(policy))
        return known[1]

    def _context(
        self, exchange: _Exchange, account: Account, device: Device, version: ProtocolVersion, line: CommandLine
    ) -> Context:
        receive = exchange.receive

        async def gone() -> None:
            while (await receive())["type"] == "http.request":
                pass

        return Context(
            ports=self._ports,
            settings=self._live.web.settings,
            account=account,
            device=device,
            version=version,
            line=line,
            now=exchange.now,
            request_id=exchange.record.id,
            secure=exchange.scope["scheme"] == "https",
            languages=languages(line.locale, exchange.headers.accept_language),
            accept_multipart=line.accept_multipart,
            gone=gone,
            stopping=self._stopping,
        )

    def _failed(self, error: Exception, exchange: _Exchange) -> _Answer:
        """The answer to a request that an exception ended."""
        record, asked, limits = exchange.record, exchange.asked, self._live.web.limits
        if isinstance(error, Refused):
            exchange.hopeless = True
            record.note = error.reason
            return _encoded(text(error.status, error.reason, limits.retry_after), None)
        if isinstance(error, EXPECTED):
            record.note = str(error)
        else:
            record.note = f"failed: {type(error).__name__}"
            log.error("request %s failed", record.id, exc_info=error)
        if asked is not None:
            reply = reply_to(error, asked, limits.retry_after)
            return _encoded(reply, asked.version, kept=exchange.traced is not None)
        if isinstance(error, MalformedRequest):
            return _encoded(text(BAD_REQUEST, str(error)), None)  # MS-ASHTTP_R188
        return _encoded(text(UNAVAILABLE if isinstance(error, Unavailable) else INTERNAL, "", limits.retry_after), None)

    async def _send(self, answer: _Answer, exchange: _Exchange) -> None:
        limits, record = self._live.web.limits, exchange.record
        record.status = answer.status
        headers = [*_ALWAYS, (REQUEST_ID.encode(), record.id.encode()), *answer.headers]
        keeps = exchange.body_read
        if not keeps and not exchange.hopeless:
            keeps = await discard(exchange.receive, exchange.body, limits)
        send = exchange.send
        if not keeps:
            headers.append(_CLOSE)
            send = lingering(send, exchange.receive)
        finished = False
        try:
            if answer.body is None:
                await send_empty(send, answer.status, headers)
            else:
                record.sent = await send_body(
                    send,
                    answer.status,
                    headers,
                    answer.content_type,
                    answer.body,
                    gzips=exchange.headers.accepts_gzip,
                    limits=limits,
                )
            finished = True
        except TooSlow:
            record.note = "the client did not take the answer"
        except Unavailable as error:  # the octets of a Blob cannot be reached any more: what was begun cannot be ended
            record.note = f"the answer broke off: {error}"
        finally:
            if not finished:
                abort(exchange.scope)
            if exchange.traced is not None:
                await exchange.traced.end(answer.document, (time.perf_counter() - record.started) * 1000)


def _check_line(line: CommandLine, name: CommandName, version: ProtocolVersion) -> None:
    """Raise CommandError for a command that the version does not have, and for a missing or strange device."""
    if not name.supported_at(version):
        quirk = _TOLERATED.get((name, version))
        if quirk is None or not tolerates(quirk):
            raise CommandError(CommonStatus.VERSION_NOT_SUPPORTED)
    problem = line.device_problem
    if problem is not None:
        raise CommandError(problem)


def _check_content_type(headers: RequestHeaders, body: Buffer, name: CommandName, version: ProtocolVersion) -> None:
    """Raise CommandError(101) for a body that says to be something else than the command takes (MS-ASCMD_R4813)."""
    if not body or not headers.content_type:
        return
    message = name in _MAIL_COMMANDS and version < V14_0
    if not (headers.content_type == MESSAGE if message else headers.is_wbxml):
        raise CommandError(CommonStatus.INVALID_CONTENT, f"a body of type {headers.content_type[:80]}")


def _encoded(reply: Reply, version: ProtocolVersion | None, *, kept: bool = False) -> _Answer:
    """What goes out; `kept`: with the document, which a trace shows."""
    headers = tuple((name.lower().encode("ascii"), value.encode("ascii")) for name, value in reply.headers.items())
    if reply.response is not None and version is not None:
        document = schema.dump(reply.response, version)
        body = wbxml.encode(document)
        return _Answer(status=reply.status, headers=headers, body=body, document=document if kept else None)
    if reply.body is not None:
        content_type = reply.content_type or _OCTETS
        return _Answer(status=reply.status, headers=headers, content_type=content_type, body=reply.body)
    return _Answer(status=reply.status, headers=headers)
