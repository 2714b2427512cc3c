"""A server on the loopback that answers as a test wants it to, however improper that is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes, *lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A response whose length is right unless it is said to be another."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def octets(written: bytes) -> Answer:
    """Answer with just this, and close."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        await writer.drain()

    return answer


def body(content: bytes, *lines: str) -> Answer:
    """A proper answer."""
    return octets(response(content, *lines))


def status(line: str) -> Answer:
    """A proper answer of another status."""
    return octets(response(b"", status=line))


def redirect(where: str, line: str = "302 Found") -> Answer:
    """A redirect."""
    return octets(response(b"", f"Location: {where}", status=line))


async def hang(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


def endless(head: bytes, piece: bytes, pause: float = 0) -> Answer:
    """Send `head`, and `piece` again and again."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


async def reset(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Break the connection off in the middle of a body."""
    writer.write(response(b"half", length=1000))
    await writer.drain()
    writer.transport.abort()


@dataclass
class Server:
    """The server: `answers` by path, 404 for others."""

    port: int = 0
    scheme: str = "http"
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    busy: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """A URL of this server."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked.target == path for asked in self.asked)

    async def until_busy(self, count: int) -> None:
        """Return when so many requests are being answered, and no more of them come."""
        while self.busy < count:  # noqa: ASYNC110 — a few lines of a test
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        self.busy += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                asked = await _request(reader)
                self.asked.append(asked)
                answer = self.answers.get(asked.target, status("404 Not Found"))
                leaving = asyncio.create_task(_until_left(reader))
                answering = asyncio.create_task(answer(asked, writer))  # type: ignore[arg-type]
                await asyncio.wait([leaving, answering], return_when=asyncio.FIRST_COMPLETED)
                for task in (leaving, answering):
                    task.cancel()
                await asyncio.gather(leaving, answering, return_exceptions=True)
        finally:
            self.busy -= 1
            writer.close()


async def _until_left(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(1024):
            pass


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@asynccontextmanager
async def serving(context: SSLContext | None = None) -> AsyncIterator[Server]:
    """A server for a while."""
    server = Server(scheme="http" if context is None else "https")
    talks: set[asyncio.Task[None]] = set()

    async def until_busy(self, count: int) -> None:
        """Return when so many requests are being answered, and no more of them come."""
        while self.busy < count:  # noqa: ASYNC110 — a few lines of a test
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await server.talk(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            talks.discard(task)

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await listener.wait_closed()
