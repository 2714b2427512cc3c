"""The server under test: a process of its own over a seeded store, and what it costs."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eas_server.backends.sqlite.passwords import HashCost
from eas_server.backends.sqlite.store import Store, open_store

CHEAP: Final = HashCost(passes=1, kibibytes=8, lanes=1)
"""Of the accounts of a benchmark: hashing is not what is measured."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
START_SECONDS: Final = 20.0

Seed = Callable[[Store], Awaitable[None]]


@dataclass(frozen=True)
class Server:
    """A running server."""

    pid: int
    port: int

    def cpu(self) -> float:
        """CPU seconds used so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self, name: str = "VmRSS") -> int:
        """Resident octets now; `VmHWM`: at the most since `forget_peak`."""
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def forget_peak(self) -> None:
        """Let VmHWM begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(seed: Seed, extra: str = "") -> AsyncIterator[Server]:
    """Seed a new store, start a server over it, stop it by its pid."""
    with tempfile.TemporaryDirectory(prefix="eas-bench-") as name:
        folder = Path(name)
        async with open_store(folder / "store.db", hash_cost=CHEAP) as store:
            await seed(store)
        port = free_port()
        config = folder / "eas-server.toml"
        config.write_text(
            f'[server]\ndomains = ["example.com"]\n[[listeners]]\naddress = "127.0.0.1"\nport = {port}\n'
            f'[store]\npath = "store.db"\n[logging]\nlevel = "warning"\n{extra}'
        )
        with _process(config, folder / "log") as pid:
            await _until_listening(port, folder / "log")
            yield Server(pid, port)


@contextlib.contextmanager
def _process(config: Path, log: Path) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "eas_server.cli", "serve", "--config", str(config)], stdout=output, stderr=output
        )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _until_listening(port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    said = await asyncio.to_thread(log.read_text)
    raise RuntimeError(f"the server did not start:\n{said}")
