"""A real server on a loopback port, with commands and accounts of the test's choice, and a client that sends octets."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from starlette.routing import BaseRoute

from eas_server.commands.context import Command, Context
from eas_server.main import build_app
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from eas_server.notify import ChangeNotifier
from eas_server.web.auth import SignIn
from eas_server.web.listeners import Listeners
from eas_server.web.settings import AuthSettings, Listener, Live, SlowDown, Timing, WebLimits, WebSettings
from protocol import wbxml
from protocol.commands.ping import Response, Status
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from tests.server.commands.support import ALICE, Bench

BOB = Account(user=UserId("bob@example.com"), address="bob@example.com", addresses=frozenset({"bob@example.com"}))
PASSWORDS = {"alice": "secret", "alice@example.com": "secret", "bob": "geheim", "carol": "pässwörd"}
ACCOUNTS = {"alice": ALICE, "alice@example.com": ALICE, "bob": BOB, "carol": replace(BOB, user=UserId("carol"))}
PATH = "/Microsoft-Server-ActiveSync"
PING = f"{PATH}?Cmd=Ping&User=alice&DeviceId=device1&DeviceType=iPhone"
SYNC = f"{PATH}?Cmd=Sync&User=alice&DeviceId=device1&DeviceType=iPhone"


class Accounts:
    """An Authenticator that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        """Answers wait for it."""

    async def authenticate(self, name: str, password: str) -> Account | None:
        """See the port."""
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        known = name in PASSWORDS and PASSWORDS[name] == password
        return ACCOUNTS[name] if known else None


class Time:
    """The clock of the tests."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)


@dataclass
class Seen:
    """A command whose behaviour the test sets: it keeps what it was given."""

    answer: Callable[[Any, Context], Any] = lambda request, ctx: None
    contexts: list[Context] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    refusal: object | None = None
    read: Callable[..., Any] = lambda body, line, version: body
    can_fail: bool = True

    async def handle(self, request: Any, ctx: Context) -> Any:
        self.contexts.append(ctx)
        self.bodies.append(bytes(request))
        if self.error is not None:
            raise self.error
        answer = self.answer(request, ctx)
        return await answer if asyncio.iscoroutine(answer) else answer

    def refuse(self, malformed: MalformedRequest, version: Any) -> object | None:
        return self.refusal

    def fail(self, status: int, version: Any) -> object | None:
        return failure(status) if self.can_fail else None

    def command(self, name: CommandName, *, gated: bool = True) -> Command:
        return Command(name=name, read=self.read, handle=self.handle, refuse=self.refuse, fail=self.fail, gated=gated)


def failure(status: int) -> Response:
    """A response that carries any Status: a test may not mind which command it is of."""
    made = Response(status=Status.NO_CHANGES)
    object.__setattr__(made, "status", status)
    return made


@dataclass
class Site:
    """A running server, and all that tests look at."""

    port: int
    live: Live
    seen: Seen
    accounts: Accounts
    bench: Bench
    stopping: asyncio.Event
    listeners: Listeners
    notifier: ChangeNotifier
    context: ssl.SSLContext | None = None
    clients: list["Client"] = field(default_factory=list)

    async def connect(self) -> "Client":
        """A connection."""
        server_context = None
        if self.context is not None:
            server_context = ssl.create_default_context()
            server_context.check_hostname = False
            server_context.verify_mode = ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=server_context)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def ask(self, method: str = "POST", target: str = PING, body: bytes = b"", **headers: str) -> "Answer":
        """One request on a connection of its own; underscores in names of headers stand for hyphens."""
        client = await self.connect()
        try:
            return await client.ask(method, target, body, **headers)
        finally:
            await client.close()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name.lower()]

    @property
    def wbxml_status(self) -> str:
        """The Status below the root."""
        root = wbxml.decode(self.body)
        return next(child.text for child in root.children if child.tag.name == "Status")


AUTHORIZATION = "Basic " + base64.b64encode(b"alice:secret").decode()
USUAL = {
    "Host": "mail.example.com",
    "Authorization": AUTHORIZATION,
    "MS-ASProtocolVersion": "14.1",
    "Content-Type": "application/vnd.ms-sync.wbxml",
}


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, method: str = "POST", target: str = PING, body: bytes = b"", **headers: str) -> Answer:
        """Send a request with the usual headers and these; "" leaves one out."""
        self.writer.write(request(method, target, body, **headers))
        return await self.answer()

    async def answer(self) -> Answer:
        """Read an answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        headers = {}
        for line in lines[1:-2]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        assert "transfer-encoding" not in headers
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    async def closed(self) -> bool:
        """Whether the server closes the connection, having sent nothing more."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionResetError:
            return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


def request(method: str = "POST", target: str = PING, body: bytes = b"", **headers: str) -> bytes:
    """The octets of a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    everything = {**USUAL, "Content-Length": str(len(body)), **named}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in everything.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


QUICK = WebLimits(body_grace=5.0, retry_after=7)


@asynccontextmanager
async def site(
    *,
    web: WebSettings | None = None,
    limits: WebLimits = QUICK,
    timing: Timing | None = None,
    seen: Seen | None = None,
    gated: bool = True,
    context: ssl.SSLContext | None = None,
    bench: Bench | None = None,
    names: tuple[CommandName, ...] = (CommandName.PING, CommandName.SYNC, CommandName.SEND_MAIL, CommandName.FIND),
    routes: Sequence[BaseRoute] = (),
) -> AsyncIterator[Site]:
    """A server of these settings; stopped at the end."""
    notifier = ChangeNotifier()
    bench = bench or Bench()
    bench.notifier = notifier
    auth = AuthSettings(slow_down=SlowDown(account_failures=1000, address_failures=1000))
    live = Live(web or WebSettings(limits=limits, auth=auth))
    seen = seen or Seen()
    accounts, stopping = Accounts(), asyncio.Event()
    sign_in = SignIn(accounts, live, stopping, asyncio.get_running_loop().time)
    commands = {name: seen.command(name, gated=gated) for name in names}
    app = build_app(bench.ports, commands, sign_in, live, Time(), stopping, routes=routes)
    listeners = Listeners(
        app,
        [Listener(address="127.0.0.1", port=0, tls=context is not None)],
        context=context,
        timing=timing or Timing(stop_seconds=5),
        stopping=stopping,
    )
    url = listeners.bind()[0]
    accepting = asyncio.Event()
    serving = asyncio.create_task(listeners.serve(accepting.set))
    await accepting.wait()
    made = Site(
        port=int(url.rpartition(":")[2]),
        live=live,
        seen=seen,
        accounts=accounts,
        bench=bench,
        stopping=stopping,
        listeners=listeners,
        notifier=notifier,
        context=context,
    )
    try:
        yield made
    finally:
        for client in made.clients:
            await client.close()
        listeners.stop()
        await serving
