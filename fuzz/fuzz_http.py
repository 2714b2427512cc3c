"""Whatever octets come in on a connection, what goes out is HTTP that says no 500, and the log tells of no fault.

    python -m fuzz.fuzz_http --seconds 10 --seed 1

Starts a server of its own on a free port of the loopback, and sends it mutations of real requests (those of
`fixtures/wbxml` and of Autodiscover), many connections at once. The same seed gives the same inputs in the same order.
A breach is printed with the inputs since the log was last looked at, in base64, and ends the run with status 1.
"""

import argparse
import asyncio
import base64
import gzip
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eas_server.backends.sqlite import HashCost, open_store
from eas_server.model.directory import DirectoryEntry

FIXTURES = Path(__file__).parents[1] / "fixtures" / "wbxml"
USER, PASSWORD = "alice@example.com", "correct horse"
AUTHORIZATION = base64.b64encode(f"{USER}:{PASSWORD}".encode())
CONFIG = """
[server]
domains = ["example.com"]
[[listeners]]
address = "127.0.0.1"
port = 0
[store]
path = "store.db"
[logging]
file = "server.log"
[limits.http]
body_grace = 0.5
max_devices = 100000
[limits.connections]
header_seconds = 0.5
keep_alive_seconds = 1
[limits.sync]
min_heartbeat = 1
max_heartbeat = 1
[authentication.slow_down]
account_failures = 1000000
address_failures = 1000000
"""
AT_ONCE = 200
ROUNDS = 6
ANSWER_SECONDS = 30.0
START_SECONDS = 30.0
LISTENING = re.compile(r"listening on http://127\.0\.0\.1:([0-9]+)")
FAULTS = ("Traceback", " ERROR ", " CRITICAL ", PASSWORD)
VERSIONS = (b"12.1", b"14.0", b"14.1", b"16.0", b"16.1")
XML = (
    b"<Autodiscover><Request><EMailAddress>alice@example.com</EMailAddress><AcceptableResponseSchema>"
    b"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006</AcceptableResponseSchema>"
    b"</Request></Autodiscover>"
)
WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b":",
    b"%0d%0a",
    b"&",
    b"=",
    b"?",
    b"\xff",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"0\r\n\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"MS-ASProtocolVersion: 12.1\r\n",
    b"MS-ASAcceptMultiPart: T\r\n",
    b"X-MS-PolicyKey: 1\r\n",
    b"HTTP/1.0",
    b"OPTIONS ",
    b"Cmd=",
    b"&DeviceId=validate",
    b"\x03\x01\x6a\x00",
    b"\x00\x11",
    b"\x00\x07",
    b"\x01",
    b"\xc3\x8f\xff\xff\xff\x7f",
    b"\x4b\x03\xff\0\x01",
    b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
    b"Host: \r\n",
)


def seeds() -> list[bytes]:
    """Real requests."""
    found = [request(b"/autodiscover/autodiscover.xml", XML, b"16.1")]
    for path in sorted(FIXTURES.glob("*/*request*.wbxml")):
        body = path.read_bytes()
        query = b"Cmd=%s&User=alice&DeviceId=fuzz&DeviceType=Lab" % path.parent.name.encode()
        target = b"/Microsoft-Server-ActiveSync?" + query
        found += [request(target, body, version) for version in VERSIONS]
        packed = gzip.compress(body, mtime=0)
        found.append(request(target, packed, b"16.1", b"Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n"))
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        found.append(head(target, b"16.1") + b"Transfer-Encoding: chunked\r\n\r\n" + chunked)
    return found


def head(target: bytes, version: bytes) -> bytes:
    """The head of a request without the empty line."""
    return (
        b"POST %s HTTP/1.1\r\nHost: mail.example.com\r\nAuthorization: Basic %s\r\nMS-ASProtocolVersion: %s\r\n"
        b"Content-Type: application/vnd.ms-sync.wbxml\r\n" % (target, AUTHORIZATION, version)
    )


def request(target: bytes, body: bytes, version: bytes, more: bytes = b"") -> bytes:
    """A whole request."""
    return head(target, version) + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def mutated(real: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Octets without end. Half of them keep their head, with the right length, so that more than the head is tried."""
    while True:
        octets = bytearray(chance.choice(real))
        lead, _, body = bytes(octets).partition(b"\r\n\r\n")
        if body and chance.random() < 0.5:
            changed = _changed(bytearray(body), chance)
            lead = re.sub(rb"Content-Length: [0-9]+", b"Content-Length: %d" % len(changed), lead)
            yield lead + b"\r\n\r\n" + changed
        else:
            yield bytes(_changed(octets, chance))


def _changed(octets: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, ROUNDS)):
        start = chance.randint(0, len(octets))
        end = min(len(octets), start + chance.choice((0, 1, 2, 8, 64)))
        match chance.randrange(5):
            case 0:
                octets[start:end] = b""
            case 1:
                octets[start:end] = chance.choice(WORDS)
            case 2:
                octets[start:end] = chance.randbytes(end - start)
            case 3:
                octets[start:end] = octets[start:end] * chance.randint(2, 40)
            case _:
                octets[start:end] = chance.choice(WORDS) * chance.choice((1, 2, 5000))
    return octets


async def replies(port: int, octets: bytes) -> bytes:
    """What comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(octets)
            return await reader.read(-1)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def unclear(answer: bytes) -> str | None:
    """What is wrong with the octets that came back, if anything is."""
    while answer:
        lead, empty, rest = answer.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", lead)
        if status is None or not empty:
            return f"no HTTP: {lead[:200]!r}"
        if status[1] == b"100":
            answer = rest
            continue
        if status[1] == b"500":
            return "status 500"
        length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", lead)
        if length is None or len(rest) < int(length[1]):
            return f"no length, or another one: {lead[:300]!r}"
        answer = rest[int(length[1]) :]
    return None


class Site:
    """A server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = 0
        self._server: subprocess.Popen[bytes] | None = None

    async def start(self) -> int:
        """Start it; gives the port."""
        (self._folder / "eas-server.toml").write_text(CONFIG)
        async with open_store(self._folder / "store.db", hash_cost=HashCost(passes=1, kibibytes=8, lanes=1)) as store:
            await store.admin.add_user(USER, PASSWORD, DirectoryEntry(key="", display_name="Alice", email=USER))
        self._begin()
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if found := LISTENING.search(self.news()):
                return int(found[1])
            await asyncio.sleep(0.1)
        raise RuntimeError("the server did not start")

    def _begin(self) -> None:
        command = [sys.executable, "-m", "eas_server.cli", "serve", "--config", str(self._folder / "eas-server.toml")]
        self._server = subprocess.Popen(command)

    def news(self) -> str:
        """What was written to the log since it was last looked at."""
        path = self._folder / "server.log"
        octets = path.read_bytes()[self._seen :] if path.exists() else b""
        self._seen += len(octets)
        return octets.decode("utf-8", "replace")

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()


async def fuzz(seconds: float, seed: int) -> int:
    """Fuzz for so long; gives the exit status."""
    inputs = mutated(seeds(), random.Random(seed))
    honest = request(b"/Microsoft-Server-ActiveSync", b"", b"16.1").replace(b"POST", b"OPTIONS", 1)
    tried, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        try:
            port = await site.start()
            while time.monotonic() < end:
                batch = list(islice(inputs, AT_ONCE))
                answers = await asyncio.gather(*(replies(port, octets) for octets in (*batch, honest)))
                tried += len(batch)
                found = next((problem for answer in answers if (problem := unclear(answer))), None)
                log = site.news()
                if found is None and any(fault in log for fault in FAULTS):
                    found = log
                if found is None and not answers[-1].startswith(b"HTTP/1.1 200 "):
                    found = f"an honest request got {answers[-1][:200]!r}"
                if found is not None:
                    print(f"seed {seed}, within {AT_ONCE} inputs before {tried}: {found}", file=sys.stderr)
                    for octets in batch:
                        print(base64.b64encode(octets).decode(), file=sys.stderr)
                    return 1
        finally:
            site.stop()
    print(f"{tried} inputs, no breach")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the HTTP side of a running server.")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(asyncio.run(fuzz(options.seconds, options.seed)))


if __name__ == "__main__":
    main()
