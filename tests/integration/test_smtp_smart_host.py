"""One attempt at a time with a real SMTP server: TLS, sign-in, refusals of every kind, and servers that hang."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from eas_server.interfaces import Forwarding
from eas_server.model.blob import Blob, MemoryBlob
from eas_server.pki.keys import KeyKind, generate_key, key_to_pem
from eas_server.pki.lab import create_root, issue_server, to_pem
from eas_server.submission.settings import Security, SmtpSettings
from eas_server.submission.smart_host import Attempt, SmartHost

CONTENT = b"From: a@b\r\nSubject: x\r\n\r\n.\n.dots\r\nGr\xfc\xdfe\nlf\r\n"
ON_THE_WIRE = b"From: a@b\r\nSubject: x\r\n\r\n.\r\n.dots\r\nGr\xfc\xdfe\r\nlf\r\n"


class Received:
    """What the SMTP server got, and what it says to whom."""

    def __init__(self, **answers: str) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.options: list[str] = []
        self.answers = answers
        """By recipient; "DATA" and "MAIL" for the commands."""

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self.options = options
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        answer = self.answers.get(address.partition("@")[0], "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            self.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return answer


@asynccontextmanager
async def smtp_server(handler: Any, *, tls: ssl.SSLContext | None = None, **more: Any) -> AsyncIterator[int]:
    """An SMTP server; gives its port. `tls`: from the first octet."""
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def make() -> SMTP:
        protocols.append(SMTP(handler, hostname="smtp.test", loop=loop, **more))
        return protocols[-1]

    server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        await asyncio.sleep(0)


async def send(port: int, *recipients: str, content: Blob | None = None, sender: str = "a@b", **more: Any) -> Attempt:
    chosen = {"security": Security.NONE, "timeout": 10, "host": "127.0.0.1", **more}
    settings = SmtpSettings(port=port, **chosen)
    forwarding = Forwarding(
        sender=sender, recipients=recipients or ("x@one.test",), content=content or MemoryBlob(CONTENT)
    )
    return await SmartHost(settings).send(forwarding)


def outcome(failures: Sequence[Any]) -> list[tuple[str, str, str]]:
    return [(f.address, f.status, f.diagnostic) for f in failures]


async def test_lines_arrive_as_they_are():
    handler = Received()
    async with smtp_server(handler) as port:
        attempt = await send(port, "x@one.test", "y@two.test")
    assert attempt == Attempt(sent=("x@one.test", "y@two.test"))
    assert handler.messages == [("a@b", ["x@one.test", "y@two.test"], ON_THE_WIRE)]
    assert "BODY=8BITMIME" in handler.options
    assert f"SIZE={len(CONTENT)}" in handler.options


async def test_a_report_has_no_sender():
    handler = Received()
    async with smtp_server(handler) as port:
        await send(port, sender="")
    assert handler.messages[0][0] in ("", "<>")


async def test_each_refusal_goes_to_its_recipient():
    handler = Received(bad="550 5.1.1 who is that", busy="450 4.2.1 later", odd="553 no")
    async with smtp_server(handler) as port:
        attempt = await send(port, "bad@t", "x@t", "busy@t", "odd@t")
    assert attempt.sent == ("x@t",)
    assert outcome(attempt.refused) == [
        ("bad@t", "5.1.1", "550 5.1.1 who is that"),
        ("odd@t", "5.0.0", "553 no"),
    ]
    assert outcome(attempt.deferred) == [("busy@t", "4.2.1", "450 4.2.1 later")]


@pytest.mark.parametrize("command", ["MAIL", "DATA"])
async def test_refusals_of_the_message_are_for_all(command: str):
    async with smtp_server(Received(**{command: "554 5.6.0 not this", "bad": "550 5.1.1 no"})) as port:
        attempt = await send(port, "x@t", "y@t")
    assert [f.address for f in attempt.refused] == ["x@t", "y@t"]
    assert {f.status for f in attempt.refused} == {"5.6.0"}
    async with smtp_server(Received(**{command: "451 4.3.0 later"})) as port:
        attempt = await send(port, "x@t")
    assert outcome(attempt.deferred) == [("x@t", "4.3.0", "451 4.3.0 later")]


async def test_all_recipients_refused():
    handler = Received(bad="550 5.1.1 no")
    async with smtp_server(handler) as port:
        attempt = await send(port, "bad@t")
    assert len(attempt.refused) == 1
    assert handler.messages == []


async def test_nobody_there():
    attempt = await send(1)
    assert [f.status for f in attempt.deferred] == ["4.4.1"]
    assert (await send(25, host="no-such-host.invalid")).deferred


async def test_addresses_outside_ascii_need_smtputf8():
    handler = Received()
    async with smtp_server(handler) as port:
        attempt = await send(port, "jürgen@t")
        assert [f.status for f in attempt.refused] == ["5.6.7"]
    async with smtp_server(handler, enable_SMTPUTF8=True) as port:
        attempt = await send(port, "jürgen@t")
    assert attempt.sent == ("jürgen@t",)
    assert handler.messages[0][1] == ["jürgen@t"]


class Large:
    """20 MB that are made as they are read."""

    RUN = b"x" * 76 + b"\r\n"

    @property
    def size(self) -> int:
        return len(self.RUN) * 250_000

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        for _ in range(250):
            yield self.RUN * 1000


async def test_a_large_message_is_read_in_runs():
    handler = Received()
    async with smtp_server(handler, data_size_limit=None) as port:
        attempt = await send(port, content=Large())
    assert attempt.sent
    assert handler.messages[0][2] == Large.RUN * 250_000


# --- TLS and sign-in ---


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab CA (`ca.pem`) and a certificate for localhost."""
    home = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    life = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=30)}
    root = create_root("Lab", key=generate_key(KeyKind.EC_P256), serial=1, **life)
    key = generate_key(KeyKind.EC_P256)
    der = issue_server(root, hosts=["localhost"], public_key=key.public_key(), serial=2, **life)
    (home / "ca.pem").write_bytes(to_pem(root.certificate))
    (home / "server.pem").write_bytes(to_pem(der) + key_to_pem(key))
    return home


def server_context(home: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.pem")
    return context


def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"eas", b"secret")
    return AuthResult(success=good, handled=False)


async def test_starttls_and_sign_in(certificates: Path):
    handler = Received()
    more = {"tls_context": server_context(certificates), "auth_required": True, "authenticator": authenticator}
    async with smtp_server(handler, require_starttls=True, **more) as port:
        chosen = {"host": "localhost", "security": Security.STARTTLS, "ca_file": certificates / "ca.pem"}
        assert (await send(port, username="eas", password="secret", **chosen)).sent
        attempt = await send(port, username="eas", password="wrong", **chosen)
    assert [f.status for f in attempt.deferred] == ["4.4.1"]
    assert "secret" not in repr(attempt)
    assert len(handler.messages) == 1


async def test_tls_from_the_start_and_its_verification(certificates: Path):
    handler = Received()
    async with smtp_server(handler, tls=server_context(certificates)) as port:
        chosen = {"security": Security.TLS, "ca_file": certificates / "ca.pem"}
        assert (await send(port, host="localhost", **chosen)).sent
        assert (await send(port, host="127.0.0.1", **chosen)).deferred  # another name
        assert (await send(port, host="localhost", security=Security.TLS)).deferred  # an unknown CA
        assert (await send(port, host="127.0.0.1", security=Security.TLS, verify=False)).sent


async def test_without_starttls_nothing_is_sent():
    handler = Received()
    async with smtp_server(handler) as port:
        assert (await send(port, security=Security.STARTTLS)).deferred
    assert handler.messages == []


# --- servers that misbehave ---


@asynccontextmanager
async def talker(*lines: bytes, hang: bool = False) -> AsyncIterator[int]:
    """Says a line for each that it hears, then hangs or hangs up."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line)
            if line != lines[-1]:
                await reader.readline()
        if hang:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        done.set()
        server.close()


@pytest.mark.parametrize(
    "lines",
    [
        [b""],
        [b"554 go away\r\n"],
        [b"220 hello\r\n", b"250 x\r\n"],
        [b"220 hello\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n"],
        [b"220 hello\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"],
        [b"\xff\xfe garbage\r\n"],
        [b"220 " + b"x" * 100_000 + b"\r\n"],
    ],
)
@pytest.mark.parametrize("hang", [False, True])
async def test_a_broken_server_defers(lines: list[bytes], hang: bool):
    async with talker(*lines, hang=hang) as port:
        attempt = await send(port, timeout=0.1)
    assert attempt.sent == ()
    assert attempt.refused == ()
    assert [f.address for f in attempt.deferred] == ["x@one.test"]


async def test_a_server_that_stops_reading_defers():
    begin = [b"220 hello\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
    async with talker(*begin, hang=True) as port:
        attempt = await send(port, timeout=0.2, content=Large())
    assert attempt.deferred
