"""The settings of mail transport: sections `[smtp]` and `[lmtp]` of the configuration."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

SUBMISSION_PORT: Final = 587
MEBIBYTE: Final = 1024 * 1024


class Security(StrEnum):
    """How a connection to the smart host is protected."""

    NONE = "none"
    """Not at all: only for a smart host on the same machine or in the same trusted network."""
    STARTTLS = "starttls"
    """STARTTLS is demanded; without it nothing is sent."""
    TLS = "tls"
    """TLS from the first octet (port 465)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """The smart host that mail for other servers goes to, and the patience of the queue. Times in seconds."""

    host: str = ""
    """"": there is none, and mail for other servers comes back to its sender as a delivery report."""
    port: int = SUBMISSION_PORT
    security: Security = Security.STARTTLS
    verify: bool = True
    """The certificate has to be valid and to name `host`."""
    ca_file: Path | None = None
    """PEM certificates to trust instead of the system's."""
    username: str = ""
    password: str = field(default="", repr=False)
    local_hostname: str = ""
    """What the server calls itself in EHLO and in header lines; "": the host of the external URL."""
    timeout: float = 60.0
    """For connecting and for each answer of the smart host."""
    connections: int = 4
    """Messages that are sent at the same time."""
    first_retry: float = 60.0
    """After the first failed attempt; the delay doubles with each further one, up to `last_retry`."""
    last_retry: float = 3600.0
    give_up_after: float = 2 * 24 * 3600.0
    """When a message that cannot be delivered comes back to its sender."""
    poll: float = 10.0
    """How often the queue is looked at for retries; new messages wake it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LmtpSettings:
    """Where mail comes in from a mail server on the same machine, such as Postfix."""

    socket: Path | None = None
    """The path of a Unix socket."""
    socket_mode: int = 0o660
    host: str = "127.0.0.1"
    """A loopback address: LMTP has no authentication."""
    port: int = 0
    """0: no TCP listener."""
    max_message_bytes: int = 50 * MEBIBYTE
    timeout: float = 300.0
    """After which a silent connection is closed."""

    @property
    def enabled(self) -> bool:
        """Whether there is a listener at all."""
        return self.socket is not None or self.port != 0
