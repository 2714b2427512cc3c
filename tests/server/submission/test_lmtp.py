"""LMTP over a Unix socket and over TCP, spoken by hand and by the standard library's client."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from eas_server.errors import ConfigError
from eas_server.submission.lmtp import LmtpListener
from eas_server.submission.settings import LmtpSettings
from tests.server.submission.support import MESSAGE, FixedClock, inbox, octets
from tests.server.submission.test_incoming import incoming


@asynccontextmanager
async def listening(store: Any, clock: FixedClock, path: Path, **more: Any) -> AsyncIterator[Path]:
    listener = LmtpListener(incoming(store, clock), LmtpSettings(socket=path, **more), host="mail.example.com")
    task = asyncio.create_task(listener.run())
    await listener.listening.wait()
    try:
        yield path
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """A reply, its lines joined."""
        lines = []
        while True:
            line = (await self.reader.readline()).decode().rstrip("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    async def ask(self, *octets_: bytes, replies: int = 1) -> list[str]:
        self.writer.write(b"".join(octets_))
        return [await self.reply() for _ in range(replies)]


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_unix_connection(path)
    peer = Peer(reader, writer)
    assert (await peer.reply()).startswith("220 mail.example.com")
    yield peer
    writer.close()
    await writer.wait_closed()


BEGIN = b"LHLO mx.example.com\r\nMAIL FROM:<dora@elsewhere.test> SIZE=100\r\n"


async def test_a_transaction_in_one_go(store: Any, clock: FixedClock, tmp_path: Path):
    async with listening(store, clock, tmp_path / "lmtp") as path, connected(path) as peer:
        replies = await peer.ask(
            BEGIN,
            b"RCPT TO:<alice@example.com>\r\nRCPT TO:<ghost@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n",
            replies=6,
        )
        assert "250-PIPELINING" in replies[0]
        assert "250-ENHANCEDSTATUSCODES" in replies[0]
        assert "250-8BITMIME" in replies[0]
        assert [r[:9] for r in replies[1:]] == ["250 OK", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354 end w"]
        replies = await peer.ask(MESSAGE, b"..\r\n", b"x" * 3000, b"\r\n.\r\n", replies=2)
        assert replies == [
            "250 2.0.0 <alice@example.com> delivered",
            "452 4.2.2 <bob@example.com> mailbox full",
        ]
        assert (await peer.ask(b"QUIT\r\n"))[0].startswith("221")
    (item,) = await inbox(store, "alice")
    above, below = await octets(item)
    assert below == MESSAGE + b".\r\n" + b"x" * 3000 + b"\r\n"
    assert b"Received: from mx.example.com by mail.example.com with LMTP id " in above


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"X: y\r\n\r\n\x80\x00\n.\n\r\r\n",
        b"A: b\r\n\r\n" + b"z" * 200_000 + b"\r\n",
        b"A: b\r\n\r\nz" * 30_000 + b"\r\n",
    ],
    ids=["empty", "odd octets", "a very long line", "many lines"],
)
async def test_octets_stay(store: Any, clock: FixedClock, tmp_path: Path, content: bytes):
    async with listening(store, clock, tmp_path / "lmtp") as path, connected(path) as peer:
        await peer.ask(BEGIN, b"RCPT TO:<carol>\r\nDATA\r\n", replies=4)
        assert await peer.ask(content, b".\r\n") == ["250 2.0.0 <carol> delivered"]
    (item,) = await inbox(store, "carol")
    assert (await octets(item))[1] == content


async def test_too_large_messages_are_refused_for_each(store: Any, clock: FixedClock, tmp_path: Path):
    async with listening(store, clock, tmp_path / "lmtp", max_message_bytes=1000) as path, connected(path) as peer:
        rcpt = b"RCPT TO:<carol@example.com>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n"
        await peer.ask(BEGIN, rcpt, replies=5)
        replies = await peer.ask(MESSAGE, b"x" * 100_000, b"\r\n.\r\n", replies=2)
        assert [r[:9] for r in replies] == ["552 5.3.4", "552 5.3.4"]
        replies = await peer.ask(b"MAIL FROM:<> SIZE=2000\r\n")
        assert replies[0].startswith("552")
        await peer.ask(b"MAIL FROM:<>\r\n", rcpt, replies=4)
        assert await peer.ask(MESSAGE, b".\r\n", replies=2) == [
            "250 2.0.0 <carol@example.com> delivered",
            "250 2.0.0 <alice@example.com> delivered",
        ]
    assert (await octets((await inbox(store, "carol"))[0]))[0].startswith(b"Return-Path: <>\r\n")


async def test_commands_out_of_order(store: Any, clock: FixedClock, tmp_path: Path):
    async with listening(store, clock, tmp_path / "lmtp") as path, connected(path) as peer:
        assert (await peer.ask(b"EHLO x\r\n"))[0].startswith("500")
        assert (await peer.ask(b"DATA\r\n"))[0].startswith("503")
        await peer.ask(BEGIN, replies=2)
        assert (await peer.ask(b"DATA\r\n"))[0].startswith("503 5.5.1")
        assert (await peer.ask(b"X" * 100_000, b"\r\n"))[0].startswith("500")
        assert (await peer.ask(b"RCPT TO:<ghost@example.com\r\n"))[0].startswith("5")
        assert (await peer.ask(b"RSET\r\n"))[0].startswith("250")


async def test_a_connection_that_ends_within_a_message_delivers_nothing(store: Any, clock: FixedClock, tmp_path: Path):
    async with listening(store, clock, tmp_path / "lmtp") as path:
        async with connected(path) as peer:
            await peer.ask(BEGIN, b"RCPT TO:<carol>\r\nDATA\r\n", replies=4)
            peer.writer.write(MESSAGE)
            await peer.writer.drain()
        async with connected(path) as peer:
            await peer.ask(b"LHLO x\r\n")
    assert await inbox(store, "carol") == []


async def test_a_fault_is_answered_for_each(store: Any, clock: FixedClock, tmp_path: Path, monkeypatch, caplog):
    async def fails(self: object, envelope: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("eas_server.submission.incoming.Incoming.deliver", fails)
    async with listening(store, clock, tmp_path / "lmtp") as path, connected(path) as peer:
        await peer.ask(BEGIN, b"RCPT TO:<carol>\r\nRCPT TO:<alice>\r\nDATA\r\n", replies=5)
        replies = await peer.ask(MESSAGE, b".\r\n", replies=2)
    assert [r[:9] for r in replies] == ["451 4.3.0", "451 4.3.0"]
    assert "a bug" in caplog.text


async def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(store: Any, clock: FixedClock, tmp_path: Path):
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with listening(store, clock, path, socket_mode=0o600):
        assert path.stat().st_mode & 0o777 == 0o600
        second = LmtpListener(incoming(store, clock), LmtpSettings(socket=path), host="h")
        with pytest.raises(FileExistsError):
            await second.run()
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(FileExistsError):
        await LmtpListener(incoming(store, clock), LmtpSettings(socket=path), host="h").run()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "mail.example.com"])
def test_only_loopback(host: str):
    with pytest.raises(ConfigError, match="loopback"):
        LmtpListener(None, LmtpSettings(host=host, port=24), host="h")  # type: ignore[arg-type]


async def test_the_standard_librarys_client_over_tcp(store: Any, clock: FixedClock):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = LmtpListener(incoming(store, clock), LmtpSettings(port=port), host="mail.example.com")
    task = asyncio.create_task(listener.run())

    def send() -> None:
        with smtplib.LMTP("127.0.0.1", port) as client:
            assert client.sendmail("dora@elsewhere.test", ["carol@example.com"], MESSAGE) == {}

    await listener.listening.wait()
    await asyncio.to_thread(send)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    (item,) = await inbox(store, "carol")
    assert (await octets(item))[1] == MESSAGE
