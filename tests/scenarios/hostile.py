"""What the tests of bad input share: a server to attack, octets to attack it with, and what has to hold afterwards.

    server = pytest.fixture(hostile.running, scope="module")
    ground = pytest.fixture(hostile.ground)

After each test the server still serves somebody else, holds no more memory than it may, and its log tells of no fault
and shows nothing of what only a client and its mailbox may know (CANARY stands in passwords and messages).
"""

import asyncio
import itertools
import os
import re
import secrets
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.sqlite import Store
from eas_server.lab.device import MIME
from eas_server.lab.transport import TransportError
from eas_server.model.directory import DirectoryEntry, EntryKind
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import PING, Answer, Client, Command, compose
from protocol.client.answers import read_answer
from protocol.commands import send_mail
from protocol.elements import Element
from protocol.headers import WBXML
from protocol.versions import V14_0, V16_1, ProtocolVersion
from protocol.wbxml import encode
from tests.scenarios.server import NAMES, Server, ValidatedDevice, World, domain_of
from tests.schemas import assert_valid

CANARY = "kanarienvogel"
PASSWORD = f"{CANARY}:pässword"
WORLDS = 80
MEBIBYTE = 1024 * 1024
MEMORY = 800 * MEBIBYTE
"""The most that the server may ever have held (VmHWM): all bodies together may have 512 MiB."""
ANSWER_SECONDS = 20.0
CALM = frozenset((200, 400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 431, 449, 501, 503, 507))
"""The HTTP statuses of clear answers: 500 is not among them."""
CONFIG = """
[lmtp]
socket = "lmtp.sock"
[limits.http]
body_grace = 1.0
[limits.connections]
header_seconds = 1.0
keep_alive_seconds = 1
[limits.sync]
min_heartbeat = 1
max_heartbeat = 2
[authentication.slow_down]
account_failures = 20
address_failures = 1000
first_delay = 60.0
max_delay = 60.0
"""

SPECIAL_TEXTS = (
    "",
    "0",
    "-1",
    "18446744073709551616",
    "9" * 19,
    "999999999999999999999999999999",
    "1e9",
    "٣",
    "../../etc/passwd",
    "1:1 OR 1=1",
    "' OR ''='",
    "*)(uid=*))(|(uid=*",
    "a\r\nX-Injected: yes\r\n\r\n",
    "\x01\x1b[2J\x7f",
    "\udcff\udc80",
    "\ufffe\uffff",
    "\u202e\u2066evil\u2069",
    "\U0001f600" * 64,
    "x" * 70_000,
    "%00%0d%0a{}{0}%s%n",
)
"""Texts that no honest client sends. The surrogates stand for octets that are no UTF-8."""


class HostileServer(Server):
    """A server with an LMTP listener, whose memory can be looked at."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONFIG)

    @property
    def lmtp(self) -> str:
        """The path of the LMTP socket."""
        return str(self.folder / "lmtp.sock")

    @property
    def peak_memory(self) -> int:
        """Octets that the server held at the most; 0 where the system does not tell."""
        process = self._process
        status = Path(f"/proc/{process.pid if process else 0}/status")
        if not status.exists():
            return 0
        return int(re.search(r"VmHWM:\s+([0-9]+) kB", status.read_text())[1]) * 1024

    def faults(self, begin: int = 0) -> list[str]:
        """Lines of the log, from an offset on, that no attack may cause."""
        text = (self.folder / "server.log").read_bytes()[begin:].decode("utf-8", "replace")
        bad = ("Traceback", " ERROR ", " CRITICAL ", "Task exception", "never retrieved", CANARY)
        lines = [line for line in text.splitlines() if any(word in line for word in bad)]
        return lines + (self.folder / "stderr.txt").read_text().splitlines()


async def fill(store: Store) -> None:
    """Make the accounts of all tests."""
    for number in range(WORLDS):
        domain = domain_of(number)
        for name in NAMES:
            entry = DirectoryEntry(key="", display_name=f"{name.capitalize()} {number}", email=f"{name}@{domain}")
            await store.admin.add_user(f"{name}@{domain}", PASSWORD, entry)
        team = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name=f"Team {number}", email=f"team@{domain}")
        await store.admin.add_group(team, [f"{name}@{domain}" for name in NAMES])


@cache
def _filled(folder: Path) -> Path:
    """A store with all accounts, made once: each module starts with a copy."""
    folder.mkdir()
    HostileServer(folder).open(fill)
    return folder / "store.db"


def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileServer]:
    """A fixture: a server for the attacks of one module."""
    server = HostileServer(tmp_path_factory.mktemp("hostile"))
    shutil.copy(_filled(tmp_path_factory.getbasetemp() / "hostile-accounts"), server.folder / "store.db")
    server.start()
    yield server
    server.stop()
    assert server.faults() == []


async def ground(server: HostileServer) -> AsyncIterator["Ground"]:
    """A fixture: accounts for one test, and what has to hold after it."""
    made = Ground(server, next(server._worlds))
    begin = (server.folder / "server.log").stat().st_size
    yield made
    await made.bystander_is_served()
    await made.close()
    assert server.faults(begin) == []
    assert server.peak_memory < MEMORY


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes

    @property
    def command_status(self) -> int | None:
        """The first Status in a WBXML answer."""
        from protocol.wbxml import decode

        if not self.body or self.headers.get("content-type") != WBXML:
            return None
        found = [element.text for element in decode(self.body).walk() if element.tag.name == "Status"]
        return int(found[0]) if found else None


class Wire:
    """A connection on which anything can be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *octets: bytes) -> None:
        """Send octets; that nobody listens any more is an answer too."""
        try:
            for piece in octets:
                self.writer.write(piece)
                await self.writer.drain()
        except ConnectionError:
            return

    async def reply(self) -> Reply | None:
        """The next answer; None where the connection ended without one."""
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            assert len(headers) == len(lines), head
            body = b""
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif headers.get("connection") == "close":
                body = await self.reader.read()
        return Reply(int(first.split(" ")[1]), headers, body, head)

    async def end(self) -> None:
        """Wait for the other end to close."""
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                while await self.reader.read(MEBIBYTE):
                    pass
            except ConnectionError:
                return

    async def all(self) -> list[Reply]:
        """All answers until the other end closes."""
        replies = []
        while (reply := await self.reply()) is not None:
            replies.append(reply)
        return replies

    def close(self) -> None:
        """Hang up."""
        self.writer.transport.abort()


class Ground(World):
    """The accounts of a test: alice attacks, bob suffers, carol stands by."""

    def __init__(self, server: HostileServer, number: int) -> None:
        super().__init__(server, number)
        self.server: HostileServer = server
        self._wires: list[Wire] = []
        self._letters = itertools.count()

    def device(self, name: str = "alice", version: ProtocolVersion = V16_1, **more: Any) -> ValidatedDevice:
        """A device of a person; see World."""
        made = super().device(name, version, **more)
        made.client.authorization = self.authorization(name)
        return made

    def authorization(self, name: str = "alice", password: str = PASSWORD) -> str:
        """The value of the header."""
        return "Basic " + b64encode(f"{self.address(name)}:{password}".encode()).decode()

    async def wire(self) -> Wire:
        """A new connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, limit=MEBIBYTE)
        self._wires.append(Wire(reader, writer))
        return self._wires[-1]

    def query(self, command: str = "FolderSync", name: str = "alice", **more: str) -> str:
        """A target with a query in the plain form."""
        pairs = {"Cmd": command, "User": self.address(name), "DeviceId": "device1", "DeviceType": "Lab"} | more
        return "/Microsoft-Server-ActiveSync?" + "&".join(f"{key}={value}" for key, value in pairs.items())

    def head(self, *lines: str, target: str | None = None, method: str = "POST", name: str = "alice") -> bytes:
        """The head of a request in the name of a person, with further lines."""
        usual = (
            f"{method} {target or self.query(name=name)} HTTP/1.1",
            "Host: mail.example.com",
            f"Authorization: {self.authorization(name)}",
            "MS-ASProtocolVersion: 16.1",
        )
        return "\r\n".join([*usual, *lines, "", ""]).encode("latin-1")

    def whole(self, body: bytes, *lines: str, target: str | None = None, content_type: str = WBXML) -> bytes:
        """A whole request."""
        length = f"Content-Length: {len(body)}"
        return self.head(length, f"Content-Type: {content_type}", *lines, target=target) + body

    async def post(self, body: bytes, *lines: str, **more: Any) -> Reply | None:
        """One request on a connection of its own."""
        wire = await self.wire()
        await wire.say(self.whole(body, *lines, **more))
        return await wire.reply()

    async def bystander_is_served(self) -> None:
        """carol sends herself a message and gets it, and nothing of the attack is with her."""
        device = self.device("carol", device_id="bystander")
        folders = await device.folders()
        letter = self.letter(f"carol {next(self._letters)}", sender="carol", to="carol")
        await device.send(letter, save=False)
        news = await device.catch_up(folders[FolderType.INBOX], options=MIME)
        assert any(found.subject.startswith("carol ") for found in news.added.values())

    async def deliver(self, *messages: bytes, to: str = "bob", sender: str = "mallory@elsewhere.example") -> list[str]:
        """Hand over messages by LMTP; gives the answers."""
        reader, writer = await asyncio.open_unix_connection(self.server.lmtp)
        answers = []

        async def answer() -> str:
            line = (await reader.readline()).decode()
            while line[3:4] == "-":
                line = (await reader.readline()).decode()
            return line

        await answer()
        for number, message in enumerate(messages):
            greeting = [] if number else ["LHLO relay.example"]
            for line in (*greeting, f"MAIL FROM:<{sender}>", f"RCPT TO:<{self.address(to)}>", "DATA"):
                writer.write(f"{line}\r\n".encode())
                await answer()
            lines = message.replace(b"\r\n", b"\n").split(b"\n")
            writer.write(b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines))
            writer.write(b"\r\n.\r\n")
            await writer.drain()
            answers.append(await answer())
        writer.close()
        return answers

    async def close(self) -> None:
        """End all connections."""
        for wire in self._wires:
            wire.close()
        await super().close()


def octets_of_request(request: object, version: ProtocolVersion) -> bytes:
    """A typed request as WBXML."""
    return encode(schema.dump(request, version)).join()


def sending(mime: bytes) -> send_mail.Request:
    """SendMail of a message, under a ClientId of its own."""
    return compose(mime, secrets.token_hex(16))


def judge(command: Command[Any, Any], version: ProtocolVersion, reply: Reply) -> Answer[Any]:
    """An answer to a command is clear: readable, valid by the schemas, and no fault of the server."""
    answer = read_answer(command, reply.status, reply.headers.items(), reply.body)
    assert answer.http_status in CALM, (answer.describe(), reply.head)
    assert not answer.fault, answer.describe()
    assert "x-injected" not in reply.headers
    if answer.document is not None:
        assert_valid(answer.document, command.name)
        assert answer.status != 110, "Status 110 is that of a bug"
    elif answer.http_status == 200:
        assert not answer.body
    if version >= V14_0 and command is not PING:  # whose Status has no room for the common values
        assert answer.http_status in (200, 501, 503), answer.describe()
    return answer


async def volley(
    device: ValidatedDevice, command: Command[Any, Any], bodies: Iterable[bytes], *, at_once: int = 25
) -> list[Answer[Any]]:
    """Give a command with each of the bodies, some of them pipelined; gives the answers, each of them judged."""
    client: Client = device.client
    answers = []
    reader, writer = await asyncio.open_connection("127.0.0.1", device.transport.port, limit=MEBIBYTE)
    wire = Wire(reader, writer)
    for batch in itertools.batched(bodies, at_once) if hasattr(itertools, "batched") else _batched(bodies, at_once):
        requests = [client.raw(client.line(command.name), body) for body in batch]
        for request in requests:
            lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
            head = f"POST {request.target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(request.body)}\r\n{lines}\r\n"
            await wire.say(head.encode("latin-1"), request.body)
        for body in batch:
            reply = await wire.reply()
            if reply is None:
                raise TransportError(f"no answer to {body[:200]!r}")
            try:
                answers.append(judge(command, client.version, reply))
            except AssertionError as error:
                raise AssertionError(f"{command.name} {client.version}: {error}\n{body[:300].hex()}") from error
    wire.close()
    return answers


def _batched(items: Iterable[bytes], size: int) -> Iterator[tuple[bytes, ...]]:
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch


def leaves(root: Element) -> list[Element]:
    """The elements without children."""
    return [element for element in root.walk() if not element.children]


def random_octets(size: int) -> bytes:
    """Octets that do not compress."""
    return os.urandom(size)
