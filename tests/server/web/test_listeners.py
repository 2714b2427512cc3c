"""Connections: keep-alive, garbage, slow and large headers, TLS with reload, require-TLS, and a stop that is polite."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eas_server.commands.context import Context, Reply
from eas_server.commands.waiting import Reason, waiting
from eas_server.errors import StoreUnavailable
from eas_server.model.ids import CollectionId
from eas_server.web.listeners import Listeners, raise_file_limit, reload_certificate, tls_context
from eas_server.web.settings import Certificate, Listener, Timing, WebLimits, WebSettings
from protocol.wbxml import Segments
from tests.server.web.support import AUTHORIZATION, SYNC, Seen, Site, request, site


def make_certificate(folder: Path, name: str) -> Certificate:
    """A self-signed certificate for TLS."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    made = Certificate(certificate=folder / "cert.pem", key=folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


async def name_served(port: int) -> str:
    """The common name of the certificate that a listener shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


async def test_many_requests_on_one_connection() -> None:
    async with site() as there:
        client = await there.connect()
        for number in range(5):
            assert (await client.ask(body=b"x" * number)).status == 200
        client.writer.write(request(body=b"one") + request(body=b"two"))
        assert [(await client.answer()).status for _ in range(2)] == [200, 200]
    assert there.seen.bodies[-2:] == [b"one", b"two"]


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 500, b"x\r\n\r\n"]
)
async def test_garbage_ends_the_connection_and_nothing_else(garbage: bytes) -> None:
    async with site() as there:
        client = await there.connect()
        client.writer.write(request(body=b"one") + garbage)
        assert (await client.answer()).status == 200
        assert await client.closed()
        alone = await there.connect()
        alone.writer.write(garbage + bytes(100) + b"\r\n\r\n")
        assert (await asyncio.wait_for(alone.reader.readline(), 5)).startswith(b"HTTP/1.1 400 ")
        assert (await there.ask("OPTIONS")).status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"X-MS-PolicyKey: 1\r\nX-MS-PolicyKey: 2\r\nContent-Length: 0\r\n",
        b"User-Agent: a\x01b\r\nContent-Length: 0\r\n",
        b"User-Agent: a\r\n folded\r\nContent-Length: 0\r\n",
    ],
)
async def test_headers_that_contradict_each_other(head: bytes) -> None:
    async with site() as there:
        client = await there.connect()
        usual = request(Content_Length="")[:-2]
        client.writer.write(usual + head + b"\r\n")
        first = await asyncio.wait_for(client.reader.readline(), 5)
        assert first.split(b" ")[1] in (b"400", b"200") or not first
        assert (await there.ask("OPTIONS")).status == 200
    if there.seen.contexts:
        assert b"folded" in head


async def test_headers_without_end() -> None:
    async with site() as there:
        client = await there.connect()
        client.writer.write(b"GET / HTTP/1.1\r\n")
        sent = 0
        while sent < 5_000_000 and not client.reader.at_eof() and not client.writer.is_closing():
            client.writer.write(b"X-Padding: " + b"x" * 16_000 + b"\r\n")
            sent += 16_000
            await asyncio.sleep(0)
        # a reset, too, is an end
        with suppress(ConnectionResetError):
            assert (await asyncio.wait_for(client.reader.readline(), 5)).startswith(b"HTTP/1.1 400")
    assert sent < 5_000_000


async def test_trailers_without_end() -> None:
    """Neither many of them nor a long one is gathered."""
    for trailer in (b"X-Padding: " + b"x" * 16_000 + b"\r\n", b"x" * 16_000):
        async with site() as there:
            client = await there.connect()
            client.writer.write(request(Transfer_Encoding="chunked", Content_Length="") + b"1\r\nx\r\n0\r\n")
            sent = 0
            while sent < 5_000_000 and not client.reader.at_eof() and not client.writer.is_closing():
                client.writer.write(trailer)
                sent += 16_000
                await asyncio.sleep(0)
            with suppress(ConnectionResetError):
                assert (await asyncio.wait_for(client.reader.readline(), 5)).startswith(b"HTTP/1.1 400")
        assert sent < 5_000_000


async def test_a_client_that_leaves_with_requests_in_a_row() -> None:
    """The first is being answered, the others wait: it learns that nobody listens, and they are not begun."""
    begun, left = asyncio.Event(), asyncio.Event()

    async def slow(_: object, ctx: Context) -> Reply:
        begun.set()
        await ctx.gone()
        left.set()
        return Reply(body=Segments((b"x" * 1000,)), content_type="x/y")

    async with site() as there:
        there.seen.answer = slow
        client = await there.connect()
        client.writer.write(request() * 5)
        await begun.wait()
        client.writer.transport.abort()
        await asyncio.wait_for(left.wait(), 5)
        assert (await there.ask("OPTIONS")).status == 200
        assert len(there.seen.contexts) == 1


async def test_trailers_are_no_headers() -> None:
    """A proxy that takes Authorization or X-Forwarded-For out of the headers may let trailers pass."""
    async with site() as there:
        client = await there.connect()
        head = request(Transfer_Encoding="chunked", Content_Length="", Authorization="")
        client.writer.write(head + f"1\r\nx\r\n0\r\nAuthorization: {AUTHORIZATION}\r\n\r\n".encode())
        assert (await client.answer()).status == 401


async def test_headers_that_do_not_come() -> None:
    async with site(timing=Timing(header_seconds=0.1, stop_seconds=1)) as there:
        silent, slow, second = [await there.connect() for _ in range(3)]
        slow.writer.write(b"POST / HTTP/1.1\r\nHost:")
        await second.ask("OPTIONS")
        second.writer.write(b"POST / HTTP/1.1\r\nHost:")
        assert [await client.closed() for client in (silent, slow, second)] == [True] * 3
        assert (await there.ask("OPTIONS")).status == 200


async def test_a_reply_that_breaks_off_breaks_the_connection() -> None:
    class Lost:
        size = 1_000_000

        async def chunks(self, start: int = 0, end: int | None = None):
            yield b"x" * 100_000
            raise StoreUnavailable("the file is gone")

    async with site() as there:
        there.seen.answer = lambda request, ctx: Reply(body=Segments((Lost(),)), content_type="x/y")
        client = await there.connect()
        client.writer.write(request())
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 1000000" in head
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.reader.readexactly(1_000_000)
        assert (await there.ask("OPTIONS")).status == 200


async def test_a_client_that_does_not_take_its_answer_is_let_go() -> None:
    async with site(limits=WebLimits(send_grace=0.2)) as there:
        there.seen.answer = lambda request, ctx: Reply(body=Segments((bytes(50_000_000),)), content_type="x/y")
        client = await there.connect()
        client.writer.write(request())
        await asyncio.sleep(1)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.reader.readexactly(50_000_000)


async def hang(_: object, ctx) -> None:
    with waiting(ctx, [CollectionId("1")]) as waiter:
        woken = await waiter.wait(60)
    ctx.ports.notifier.ended.append(woken.reason)


async def waiting_site(there: Site) -> list[Reason]:
    """Let the command of `there` wait; gives the list of how the waits end."""
    ended: list[Reason] = []
    there.notifier.ended = ended  # type: ignore[attr-defined]
    there.seen.answer = hang
    return ended


async def until(holds: Callable[[], bool]) -> None:
    """Come back when `holds` does."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_stop_answers_the_waiting_requests_first() -> None:
    async with site() as there:
        ended = await waiting_site(there)
        asked = [asyncio.create_task(there.ask(target=SYNC.replace("device1", f"d{n}"))) for n in range(20)]
        await until(lambda: len(there.seen.contexts) == 20)
        there.listeners.stop()
        answers = await asyncio.wait_for(asyncio.gather(*asked), 5)
        assert {(answer.status, answer["connection"]) for answer in answers} == {(200, "close")}
        with pytest.raises(OSError, match="Connect"):
            await there.connect()
    assert ended == [Reason.STOPPING] * 20


async def test_a_stop_does_not_wait_for_ever() -> None:
    async with site(timing=Timing(stop_seconds=1)) as there:
        never = asyncio.Event()
        there.seen.answer = lambda request, ctx: never.wait()
        asked = asyncio.create_task(there.ask())
        await until(lambda: bool(there.seen.contexts))
        there.listeners.stop()
        assert (await asyncio.wait_for(asked, 5)).status == 500


async def test_a_client_that_goes_away_is_noticed_at_once() -> None:
    async with site() as there:
        ended = await waiting_site(there)
        client = await there.connect()
        client.writer.write(request(target=SYNC))
        await until(lambda: bool(there.seen.contexts))
        await client.close()
        await until(lambda: ended == [Reason.GONE])


async def test_a_newer_request_ends_the_older_one() -> None:
    async with site() as there:
        ended = await waiting_site(there)
        first = asyncio.create_task(there.ask(target=SYNC))
        await until(lambda: len(there.seen.contexts) == 1)
        second = asyncio.create_task(there.ask(target=SYNC))
        await until(lambda: len(there.seen.contexts) == 2)
        other = asyncio.create_task(there.ask(target=SYNC.replace("device1", "device2")))
        await first
        await until(lambda: len(there.seen.contexts) == 3)
        assert ended == [Reason.SUPERSEDED]
        there.notifier.publish(there.seen.contexts[0].account.user, [CollectionId("1")])
        await asyncio.gather(second, other)
        assert ended[1:] == [Reason.CHANGED] * 2


async def test_tls_with_certificates_that_change(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "first")
    context = tls_context(certificate)
    async with site(context=context) as there:
        client = await there.connect()
        assert (await client.ask("OPTIONS")).status == 200
        assert await name_served(there.port) == "CN=first"
        make_certificate(tmp_path, "second")
        reload_certificate(context, certificate)
        assert await name_served(there.port) == "CN=second"
        assert (await client.ask("OPTIONS")).status == 200
        certificate.certificate.write_text("nonsense")
        with pytest.raises(OSError, match="PEM"):
            reload_certificate(context, certificate)
        assert await name_served(there.port) == "CN=second"
        assert (await there.ask(body=b"x" * 200_000)).status == 200
    assert len(there.seen.bodies[-1]) == 200_000


@pytest.mark.parametrize("spoilt", ["missing", "of another certificate", "encrypted"])
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path, spoilt: str) -> None:
    certificate = make_certificate(tmp_path, "first")
    private = serialization.load_pem_private_key(certificate.key.read_bytes(), None)
    match spoilt:
        case "missing":
            certificate.key.unlink()
        case "encrypted":
            protection = serialization.BestAvailableEncryption(b"secret")
            certificate.key.write_bytes(
                private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
            )
        case _:
            (tmp_path / "other").mkdir()
            certificate.key.write_bytes(make_certificate(tmp_path / "other", "other").key.read_bytes())
    with pytest.raises(OSError, match=r"key\.pem"):
        tls_context(certificate)


async def test_tls_is_what_a_tls_listener_speaks(tmp_path: Path) -> None:
    async with site(context=tls_context(make_certificate(tmp_path, "x"))) as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(request("OPTIONS"))
        assert not (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        context = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", there.port, ssl=context)


@pytest.mark.requirement("MS-ASHTTP_R258")
async def test_require_tls_is_switched_at_run_time(tmp_path: Path) -> None:
    async with site() as there:
        client = await there.connect()
        assert (await client.ask("OPTIONS")).status == 200
        there.live.web = replace(there.live.web, require_tls=True)
        assert (await client.ask(body=b"x" * 1000)).status == 403
        assert (await client.ask("GET", "/autodiscover/autodiscover.json")).status == 403
        assert (await client.ask("GET", "/health", Authorization="")).status == 200
        there.live.web = replace(there.live.web, trusted_proxies=(ip_network("127.0.0.0/8"),))
        assert (await client.ask("OPTIONS")).status == 403
        assert (await client.ask("OPTIONS", X_Forwarded_Proto="https", X_Forwarded_For="198.51.100.7")).status == 200
        there.live.web = replace(there.live.web, require_tls=False)
        assert (await client.ask("OPTIONS")).status == 200
    context = tls_context(make_certificate(tmp_path, "x"))
    async with site(context=context, web=WebSettings(require_tls=True)) as there:
        assert (await there.ask("OPTIONS")).status == 200


def test_a_tls_listener_needs_a_certificate() -> None:
    with pytest.raises(ValueError, match="certificate"):
        Listeners(
            None,  # type: ignore[arg-type]
            [Listener(address="127.0.0.1", port=0, tls=True)],
            context=None,
            timing=Timing(),
            stopping=asyncio.Event(),
        )


async def test_an_address_that_is_taken() -> None:
    async with site() as there:
        listeners = Listeners(
            Seen,  # type: ignore[arg-type]
            [Listener(address="127.0.0.1", port=there.port)],
            context=None,
            timing=Timing(),
            stopping=asyncio.Event(),
        )
        with pytest.raises(OSError, match="in use"):
            listeners.bind()


def test_the_limit_of_files_is_raised() -> None:
    assert raise_file_limit() >= 1024
