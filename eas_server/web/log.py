"""The log: one structured line a request, as `key=value` or as JSON. Never bodies, never passwords."""

import itertools
import json
import logging
import logging.handlers
import re
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

REQUESTS = logging.getLogger("eas_server.request")

REQUEST_ID = "request-id"
"""The header that tells a client what its request is called in the log."""
_PLAIN = re.compile(r"[A-Za-z0-9@.,:/_+\-]+")
_MAX_VALUE = 200


class RequestIds:
    """Makes the names of requests: no two are the same, also over a restart."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """A name for another request."""
        return f"{self._boot}-{next(self._numbers):x}"


@dataclass(slots=True)
class RequestRecord:
    """What is known of a request by its end."""

    id: str
    started: float
    """`time.perf_counter()` at its begin."""
    address: str = ""
    method: str = ""
    user: str = ""
    device: str = ""
    command: str = ""
    version: str = ""
    status: int = 0
    """The HTTP status; 0 where the client was gone before there was one."""
    received: int = 0
    """Octets of the body."""
    sent: int = 0
    note: str = ""
    """Why it failed, where it did."""
    at: float = field(default=0.0)
    """Milliseconds from begin to end."""

    def write(self) -> None:
        """Write the line."""
        if not REQUESTS.isEnabledFor(logging.INFO):
            return
        self.at = (time.perf_counter() - self.started) * 1000
        # made by hand: `Logger.info` would walk the stack for the name of this function
        line = logging.LogRecord(REQUESTS.name, logging.INFO, __file__, 0, "request", None, None)
        line.fields = self._fields()
        REQUESTS.handle(line)

    def _fields(self) -> dict[str, str | int | float]:
        fields: dict[str, str | int | float] = {
            "id": self.id,
            "address": self.address,
            "user": self.user,
            "device": self.device,
            "command": self.command or self.method,
            "version": self.version,
            "status": self.status,
            "in": self.received,
            "out": self.sent,
            "ms": round(self.at, 1),
        }
        if self.note:
            fields["note"] = self.note
        return fields


class TextFormatter(logging.Formatter):
    """`time level logger message key=value …`; what a client chose of it cannot break the line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 — as below
        """Local time with its offset, to the millisecond."""
        second = int(record.created)
        if second != self._second[0]:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S{}%z", time.localtime(second)))
        return self._second[1].format(f".{int(record.msecs):03d}")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 — the name that logging calls
        """The line."""
        line = super().formatMessage(record)
        fields = getattr(record, "fields", None)
        if not fields:
            return line
        return " ".join([line, *(f"{key}={_value(value)}" for key, value in fields.items())])


def _value(value: object) -> str:
    if not isinstance(value, str):
        return str(value)
    text = value[:_MAX_VALUE]
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        content: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= getattr(record, "fields", {})
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=True)


_OURS = "eas_server.configured"


def set_up_logging(level: str, *, json_lines: bool, file: Path | None) -> None:
    """Write the log to standard error, or to `file`; may be called again. Raises OSError for the file."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        # reopens the file when logrotate has moved it away
        handler = logging.handlers.WatchedFileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonFormatter() if json_lines else TextFormatter())
    handler.set_name(_OURS)
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if each.get_name() == _OURS]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # what no formatter of ours shows need not be found out for each line
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # what the libraries say of each connection is of interest to nobody
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # what it finds wrong with strangers' certificates is a verdict, not a failure: it would log a traceback for each
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
