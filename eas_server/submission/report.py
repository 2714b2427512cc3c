"""Delivery reports ([RFC 3464]): what the sender gets when a message could not be delivered.

The message comes back by its header only. That keeps reports small, and nothing signed is taken apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from eas_server.model.blob import MemoryBlob
from eas_server.model.mail import NewMessage
from eas_server.submission import trace
from eas_server.submission.copies import Indexer
from eas_server.submission.header import safe

_HEADER_LIMIT: Final = 64 * 1024
"""Octets of the original's header that are sent back."""
_TEXT_LIMIT: Final = 800
"""Characters of a server's answer that are quoted."""

_INTRODUCTION: Final = """\
This is the mail server at {host}.

Your message could not be delivered to these recipients:

{recipients}
The header of your message is attached. Nothing was sent to them; to try again,
send the message again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A recipient that a message did not reach: `status` as in [RFC 3463], `diagnostic` as the other server said it."""

    address: str
    status: str
    diagnostic: str
    remote: bool = False
    """Whether `diagnostic` is the answer of an SMTP server."""


def delivery_report(
    *, header: bytes, sender: str, failures: Sequence[Failure], host: str, now: datetime, index: Indexer
) -> NewMessage:
    """The report on a message with that outer header, for its sender's Inbox."""
    name = sha256(repr((header, sender, failures, now)).encode("utf-8", "replace")).hexdigest()[:32]
    boundary = f"=_{name}"
    parts = (
        ("text/plain; charset=utf-8", _for_people(host, failures)),
        ("message/delivery-status", _for_machines(host, failures, now)),
        ("text/rfc822-headers", _original(header)),
    )
    lines = [_head(host=host, sender=sender, now=now, name=name, boundary=boundary)]
    for type_, content in parts:
        lines.append(f"--{boundary}\r\nContent-Type: {type_}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode())
        lines += (content, b"\r\n")
    octets = b"".join((*lines, f"--{boundary}--\r\n".encode()))
    found, text = index(octets)
    return NewMessage(content=MemoryBlob(octets), index=found, text=text, received=now)


def _head(*, host: str, sender: str, now: datetime, name: str, boundary: str) -> bytes:
    lines = (
        b"From: " + trace.mailbox("Mail Delivery System", f"MAILER-DAEMON@{host}"),
        b"To: " + trace.mailbox("", sender),
        b"Subject: Undelivered mail returned to sender",
        f"Date: {format_datetime(now)}".encode(),
        f"Message-ID: <{name}@{host}>".encode(),
        b"Auto-Submitted: auto-replied",
        b"MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"'.encode(),
    )
    return b"".join(line + b"\r\n" for line in (*lines, b""))


def _for_people(host: str, failures: Sequence[Failure]) -> bytes:
    recipients = "".join(f"  {safe(f.address)}\n    {_quoted(f.diagnostic)}\n\n" for f in failures)
    text = _INTRODUCTION.format(host=host, recipients=recipients)
    return text.replace("\n", "\r\n").encode("utf-8", "replace")


def _for_machines(host: str, failures: Sequence[Failure], now: datetime) -> bytes:
    blocks = [f"Reporting-MTA: dns; {safe(host)}\r\nArrival-Date: {format_datetime(now)}\r\n"]
    for failure in failures:
        kind = "smtp" if failure.remote else "x-local"
        blocks.append(
            f"Final-Recipient: rfc822; {safe(failure.address)}\r\nAction: failed\r\nStatus: {safe(failure.status)}\r\n"
            f"Diagnostic-Code: {kind}; {_quoted(failure.diagnostic)}\r\n"
        )
    return "\r\n".join(blocks).encode("utf-8", "replace")


def _quoted(diagnostic: str) -> str:
    return safe(diagnostic)[:_TEXT_LIMIT]


def _original(header: bytes) -> bytes:
    """Whole lines of the header, up to the limit; with CRLF, as it stands between lines of ours."""
    kept = header[:_HEADER_LIMIT].replace(b"\r\n", b"\n")
    if len(header) > _HEADER_LIMIT:
        kept = kept[: kept.rfind(b"\n") + 1]
    return kept.replace(b"\n", b"\r\n")
