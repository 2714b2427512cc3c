"""The demonstration as a process of its own, for tests."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

PASSWORD = "an easy one"
READY_SECONDS = 90
STOP_SECONDS = 30
_PKCS12_PASSWORD = re.compile(r"^  (\S+) \(kept in ", re.MULTILINE)


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_once(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`eas-server demo --once`."""
    return subprocess.run(
        _command(data, free_port(), "--once", *options),
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
        env=_environment(),
    )


def _command(data: Path, port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "eas_server.cli", "demo", "--data", str(data), "--port", str(port), *options]


def _environment() -> dict[str, str]:
    return {**os.environ, "EAS_DEMO_PASSWORD": PASSWORD, "PYTHONUNBUFFERED": "1"}


class RunningDemo:
    """A demonstration that serves until it is stopped."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.port = free_port()
        self.output = ""
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            _command(data, self.port, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._ready.wait(READY_SECONDS)
        if "Serving until Ctrl-C" not in self.output:
            self.kill()
            raise RuntimeError(self.output)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self.output += line
                if "Serving until Ctrl-C" in line:
                    self._ready.set()
        self._ready.set()

    @property
    def root(self) -> Path:
        """The root certificate of the lab, in PEM."""
        return self.data / "lab" / "root.pem"

    def stop(self) -> int:
        """Ctrl-C; gives the exit status."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once, where it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
