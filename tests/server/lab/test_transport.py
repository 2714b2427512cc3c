"""The thin HTTP client: what it makes of answers that are none, and of connections that end."""

import asyncio
import contextlib

import pytest

from eas_server.lab.transport import Transport, TransportError
from protocol.client import HttpRequest

REQUEST = HttpRequest(method="POST", path="/x", query="Cmd=Ping", headers=(("A", "b"),), body=b"body")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Header:  v \r\n\r\nhi"


@contextlib.asynccontextmanager
async def server(*answers: bytes, keeps: bool = True):
    """A server that gives these answers, one for each request, and tells what it was sent on which connection."""
    left, seen, connections = list(answers), [], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                seen.append(head + await reader.readexactly(len(REQUEST.body)))
                writer.write(left.pop(0))
                await writer.drain()
                if not keeps:
                    break
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = Transport("127.0.0.1", running.sockets[0].getsockname()[1])
    try:
        yield transport, seen, connections
    finally:
        await transport.close()
        running.close()
        await running.wait_closed()


async def test_one_connection_serves_requests_one_after_another():
    async with server(OK, OK) as (transport, seen, connections):
        for _ in range(2):
            response = await transport.send(REQUEST)
            assert (response.status, response.body) == (200, b"hi")
            assert ("X-Header", "v") in response.headers
    head = seen[0].decode()
    assert head.startswith("POST /x?Cmd=Ping HTTP/1.1\r\n")
    assert f"Host: {transport.authority}\r\n" in head
    assert "Content-Length: 4\r\n" in head
    assert head.endswith("A: b\r\n\r\nbody")
    assert len(connections) == 1


async def test_requests_at_the_same_time_have_a_connection_each():
    async with server(OK, OK) as (transport, _, connections):
        await asyncio.gather(transport.send(REQUEST), transport.send(REQUEST))
        assert len(connections) == 2


async def test_a_connection_that_was_closed_is_not_used_again():
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with server(closing, OK, OK, keeps=False) as (transport, _, connections):
        for _ in range(3):
            assert (await transport.send(REQUEST)).status == 200
            await asyncio.sleep(0.05)
        assert len(connections) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nhi",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half a head",
        "half a body",
        "no length",
        "a word",
        "too long",
        "not HTTP",
        "no status",
        "a long head",
    ],
)
async def test_what_is_no_answer(answer):
    async with server(answer, keeps=False) as (transport, _, _):
        with pytest.raises(TransportError):
            await transport.send(REQUEST)


async def test_nobody_there():
    async with server(OK) as (transport, _, _):
        pass
    with pytest.raises(ConnectionError):
        await transport.send(REQUEST)


def test_addresses_of_version_6_stand_in_brackets():
    assert Transport("::1", 80).authority == "[::1]:80"
