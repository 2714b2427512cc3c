"""A lean HTTP/1.1 client over asyncio streams: the load must cost less than what it measures."""

import asyncio
import base64
import re
from typing import Final, Self

_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_KEY: Final = re.compile(rb"\x4b\x03([0-9]{1,20})\x00")
"""AirSync:SyncKey with its inline string: reading the whole document would cost the load more than the server."""
HEAD_LIMIT: Final = 64 * 1024


class Connection:
    """One keep-alive connection of one device."""

    def __init__(self, port: int, user: str, device: str, password: str = "bench", version: str = "16.1") -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        authorization = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._target = f"/Microsoft-Server-ActiveSync?User={user}&DeviceId={device}&DeviceType=Bench&Cmd="
        self._headers = (
            f"Host: localhost\r\nAuthorization: Basic {authorization}\r\nMS-ASProtocolVersion: {version}\r\n"
            "Content-Type: application/vnd.ms-sync.wbxml\r\n"
        )

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=HEAD_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._writer is not None
        self._writer.close()

    def send(self, command: str, body: bytes) -> None:
        """Send a request without waiting."""
        assert self._writer is not None
        head = f"POST {self._target}{command} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode())
        self._writer.write(body)

    async def receive(self) -> bytes:
        """The body of the next answer. Raises RuntimeError for any status but 200."""
        assert self._reader is not None
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        body = await self._reader.readexactly(int(length[1]))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{head.splitlines()[0]!r} {body[:200]!r}")
        return body

    async def drain(self) -> int:
        """Read an answer away in pieces; gives its size."""
        assert self._reader is not None
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        left = int(length[1])
        while left:
            left -= len(await self._reader.read(min(left, 1 << 16)))
        return int(length[1])

    async def ask(self, command: str, body: bytes) -> bytes:
        """Send and receive."""
        self.send(command, body)
        return await self.receive()


def sync_key(body: bytes) -> bytes:
    """The first SyncKey of a Sync answer."""
    found = _KEY.search(body, 0, 200)
    assert found is not None, body[:200]
    return found[1]
