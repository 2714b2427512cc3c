"""A real server for a test: a process of its own on a free port of the loopback, with accounts to spare."""

import asyncio
import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from eas_server.backends.sqlite import HashCost, Store, open_store
from eas_server.lab.device import Device
from eas_server.lab.transport import Transport
from eas_server.model.directory import DirectoryEntry, EntryKind
from protocol.client import Answer, Client, Command, QueryForm
from protocol.versions import V16_1, ProtocolVersion
from tests.schemas import assert_valid

Q = TypeVar("Q")
R = TypeVar("R")

PASSWORD = "wörd:of alice"
NAMES = ("alice", "bob", "carol")
WORLDS = 300
"""Sets of accounts: each test has one to itself."""
HOME = -1
"""The world of example.com itself: who writes the messages under fixtures/mail lives there."""
CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)
VALIDATED = 4 * 1024 * 1024
"""Octets of a document that the validator takes: it refuses texts of more than ten million characters."""
START_SECONDS = 30.0
STOP_SECONDS = 30.0
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:([0-9]+)")


class Server:
    """A server with its folder; may be stopped, killed and started again."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.config = folder / "eas-server.toml"
        self.config.write_text(
            '[server]\ndomains = ["example.com"]\n[[listeners]]\naddress = "127.0.0.1"\nport = 0\n'
            '[store]\npath = "store.db"\n[logging]\nfile = "server.log"\n' + more
        )
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._worlds = itertools.count()

    def open(self, work: Callable[[Store], Awaitable[None]]) -> None:
        """Do something with the store, beside the server."""

        async def run() -> None:
            async with open_store(self.folder / "store.db", hash_cost=CHEAP) as store:
                await work(store)

        asyncio.run(run())

    def start(self) -> None:
        """Start, and wait until connections are accepted."""
        log = self.folder / "server.log"
        begin = log.stat().st_size if log.exists() else 0
        environment = dict(os.environ, PYTHONWARNINGS="")
        with (self.folder / "stderr.txt").open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "eas_server.cli", "serve", "--config", str(self.config)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            text = log.read_bytes()[begin:].decode() if log.exists() else ""
            if found := _LISTENING.search(text):
                self.port = int(found[1])
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"the server did not start: {(self.folder / 'stderr.txt').read_text()}")

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def stop(self) -> None:
        """End it as an administrator would. Fails for one that does not end well."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            assert self._process.wait(STOP_SECONDS) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process = None

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "server.log").read_text(encoding="utf-8")

    def world(self) -> "World":
        """Accounts that no other test has."""
        return World(self, next(self._worlds))

    def home(self) -> "World":
        """The accounts of example.com, which tests of the corpus share."""
        return World(self, HOME)


async def fill(store: Store, worlds: int = WORLDS) -> None:
    """Make all worlds: alice, bob and carol each, and a group team of them."""
    for number in (HOME, *range(worlds)):
        domain = domain_of(number)
        for name in NAMES:
            address = f"{name}@{domain}"
            entry = DirectoryEntry(
                key="",
                display_name=f"{name.capitalize()} Example {number}",
                email=address,
                addresses=(f"{name}.example@{domain}",),
                first_name=name.capitalize(),
                last_name="Example",
                office=f"Room {number}",
            )
            await store.admin.add_user(address, PASSWORD, entry)
        team = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name=f"Team {number}", email=f"team@{domain}")
        await store.admin.add_group(team, [f"{name}@{domain}" for name in NAMES])


def domain_of(number: int) -> str:
    """The domain of a world."""
    return "example.com" if number == HOME else f"w{number}.example.com"


class ValidatedDevice(Device):
    """A device that holds every response against the schemas of the protocol documents."""

    async def call(self, command: Command[Q, R], request: Q | None = None, *, multiparts: bool = False) -> Answer[R]:
        """See Session."""
        answer = await super().call(command, request, multiparts=multiparts)
        assert not answer.fault, answer.describe()
        if answer.document is not None and len(answer.body) < VALIDATED:
            assert_valid(answer.document, command.name)
        return answer


class World:
    """The accounts of one test, and their devices."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.domain = domain_of(number)
        self._transports: list[Transport] = []

    def address(self, name: str) -> str:
        """The address of alice, bob, carol or team."""
        return f"{name}@{self.domain}"

    def device(
        self,
        name: str = "alice",
        version: ProtocolVersion = V16_1,
        *,
        device_id: str = "device1",
        query: QueryForm = QueryForm.PLAIN,
        compress: bool = False,
    ) -> ValidatedDevice:
        """A device of a person."""
        client = Client(
            user=self.address(name),
            password=PASSWORD,
            device_id=device_id,
            device_type="Lab",
            version=version,
            query=query,
            compress=compress,
            user_agent="tests/1",
        )
        transport = Transport("127.0.0.1", self.server.port)
        self._transports.append(transport)
        return ValidatedDevice(client, transport)

    def letter(self, subject: str, *, sender: str = "alice", to: str = "bob", body: str = "Hello\r\n") -> bytes:
        """A plain message."""
        return (
            f"From: {self.address(sender)}\r\nTo: {self.address(to)}\r\nSubject: {subject}\r\n"
            f"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '-')}@{self.domain}>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
        ).encode()

    async def close(self) -> None:
        """End all connections."""
        for transport in self._transports:
            await transport.close()
