"""The server as a program: started from a configuration file, reloaded and stopped by signals."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eas_server.backends.sqlite import HashCost, open_store
from eas_server.model.mail import FolderType
from protocol import wbxml
from protocol.commands import folder_sync, ping
from protocol.schema import dump
from tests.server.web.support import Answer, Client, basic, request
from tests.server.web.test_listeners import make_certificate, name_served

ALICE = basic("alice", "secret")
SYNC_FOLDERS = "/Microsoft-Server-ActiveSync?Cmd=FolderSync&User=alice&DeviceId=device1&DeviceType=iPhone"
FIRST = wbxml.encode(dump(folder_sync.Request(sync_key="0"))).join()

CONFIG = """
[server]
domains = ["example.com"]
require_tls = {require_tls}
[[listeners]]
address = "127.0.0.1"
port = 0
[[listeners]]
address = "127.0.0.1"
port = 0
tls = true
[tls]
certificate = "cert.pem"
key = "key.pem"
[logging]
format = "json"
"""


class Program:
    """A running `eas-server serve`."""

    def __init__(self, folder: Path, program: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.program = program
        self.log: list[str] = []
        self.ports: list[int] = []
        self.ping: object = None

    async def line(self, words: str) -> str:
        """The next line of the log that has these words."""
        assert self.program.stderr is not None
        async with asyncio.timeout(30):
            while True:
                line = (await self.program.stderr.readline()).decode()
                assert line, self.log
                self.log.append(line)
                if words in line:
                    return line

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[0])
        return Client(reader, writer)

    async def ask(self, *args: str, body: bytes = b"", **headers: str) -> Answer:
        client = await self.connect()
        try:
            return await client.ask(*args, body, Authorization=ALICE, **headers)
        finally:
            await client.close()

    def configure(self, text: str) -> None:
        (self.folder / "eas-server.toml").write_text(text)

    def signal(self, number: signal.Signals) -> None:
        self.program.send_signal(number)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Program]:
    """A server with the account alice."""
    cheap = HashCost(passes=1, kibibytes=64, lanes=1)
    async with open_store(folder / "eas-server.db", hash_cost=cheap) as store:
        account = await store.admin.add_user("alice@example.com", "secret")
        inbox = next(f.id for f in await store.folders.folders(account.user) if f.type is FolderType.INBOX)
    make_certificate(folder, "first")
    (folder / "eas-server.toml").write_text(CONFIG.format(require_tls="false"))
    arguments = ("-m", "eas_server.cli", "serve", "--config", str(folder / "eas-server.toml"))
    program = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.PIPE)
    running = Program(folder, program)
    running.ping = ping.Request(heartbeat_interval=60, folders=(ping.Folder(id=inbox, item_class="Email"),))
    try:
        urls = (await running.line("listening on")).split("listening on ")[1].split('"')[0]
        running.ports = [int(url.rpartition(":")[2]) for url in urls.split(", ")]
        yield running
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()


@pytest.mark.requirement("MS-ASHTTP_R1107")
async def test_from_the_first_request_to_the_last_signal(tmp_path: Path) -> None:
    async with started(tmp_path) as there:
        # the whole way, with the real store
        assert (await there.ask("OPTIONS", SYNC_FOLDERS)).status == 200
        answer = await there.ask("POST", SYNC_FOLDERS, body=FIRST)
        assert answer.wbxml_status == "1"
        assert await name_served(there.ports[1]) == "CN=first"

        # a broken configuration is refused whole, and the old one stays
        there.configure(CONFIG.format(require_tls="true") + "[lmits]\n")
        make_certificate(tmp_path, "second")
        there.signal(signal.SIGHUP)
        assert "lmits: is unknown; did you mean limits?" in await there.line("was not reloaded")
        assert (await there.ask("OPTIONS", SYNC_FOLDERS)).status == 200
        assert await name_served(there.ports[1]) == "CN=first"

        # a good one holds from the next request on, also on a connection that is open
        client = await there.connect()
        assert (await client.ask("OPTIONS", Authorization=ALICE)).status == 200
        there.configure(CONFIG.format(require_tls="true") + "[lmtp]\nport = 1\n")
        there.signal(signal.SIGHUP)
        assert "[lmtp] changed" in await there.line("takes a restart")
        await there.line("was reloaded")
        assert (await client.ask("OPTIONS", Authorization=ALICE)).status == 403
        assert await name_served(there.ports[1]) == "CN=second"
        await client.close()

        # a waiting request is answered before the end
        there.configure(CONFIG.format(require_tls="false"))
        there.signal(signal.SIGHUP)
        await there.line("was reloaded")
        waiting = await there.connect()
        body = wbxml.encode(dump(there.ping)).join()
        waiting.writer.write(request("POST", SYNC_FOLDERS.replace("FolderSync", "Ping"), body, Authorization=ALICE))
        await asyncio.sleep(0.5)
        there.signal(signal.SIGTERM)
        stopped = await asyncio.wait_for(waiting.answer(), 10)
        assert (stopped.wbxml_status, stopped["connection"]) == ("1", "close")
        await waiting.close()
        assert await asyncio.wait_for(there.program.wait(), 10) == 0


async def test_a_configuration_that_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "eas-server.toml").write_text('[[listeners]]\naddress = "0.0.0.0"\nport = 80\n')
    for options in (["--check"], []):
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "eas_server.cli", "serve", "--config", str(tmp_path / "eas-server.toml"), *options,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await program.communicate()
        assert program.returncode == 1
        assert b"listeners[0].tls: plain HTTP on 0.0.0.0 would send passwords in the clear" in said
        assert b"Traceback" not in said


async def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    make_certificate(tmp_path, "first").certificate.write_text("nonsense")
    (tmp_path / "eas-server.toml").write_text('[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n')
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eas_server.cli", "serve", "--config", str(tmp_path / "eas-server.toml"), "--check",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await program.communicate()
    assert program.returncode == 1
    assert b"cert.pem" in said
    assert b"Traceback" not in said
