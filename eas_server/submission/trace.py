"""The header lines that are put on top of a message: trace headers, and what a client left out. All end in CRLF."""

import base64
from datetime import datetime
from email.headerregistry import Address
from email.utils import format_datetime, formataddr
from typing import Final
from urllib.parse import urlsplit

from eas_server.submission.header import Header, safe
from eas_server.submission.routing import normal_address

CRLF: Final = "\r\n"
_NAME_LIMIT: Final = 64
"""Characters of a display name in a From line that is made here."""


def server_name(external_url: str, address: str) -> str:
    """What the server calls itself in header lines: the host of its URL, else the domain of the sender's address."""
    host = urlsplit(external_url).hostname if external_url else ""
    return safe(host or address.rpartition("@")[2] or "localhost")


def from_line(display_name: str, address: str) -> bytes:
    """`From: "Alice" <alice@example.com>`, in ASCII, without a line end."""
    return b"From: " + mailbox(display_name, address)


def mailbox(display_name: str, address: str) -> bytes:
    """A display name (encoded words where it is not ASCII) and an address, for a header line."""
    address = safe(normal_address(address))
    name = safe(display_name)[:_NAME_LIMIT]
    if not address.isascii():  # an internationalised local part: [RFC 6532]
        return str(Address(display_name=name, addr_spec=address)).encode("utf-8")
    return formataddr((name, address)).encode("ascii")


def completions(
    header: Header,
    *,
    sender: tuple[str, str],
    now: datetime,
    message_id: str,
    answers: tuple[str, ...] = (),
    thread_index: bytes = b"",
) -> bytes:
    """Lines for what every message has ([RFC 5322] 3.6) and this one does not: From, Date, Message-ID.

    And In-Reply-To and References where `answers`, the message ids of the thread up to the original, are given: a
    client that answers by SmartReply does not know them; so with Thread-Index, which says when that was
    ([MS-ASCON] 2.2.2.4). On top, so that the octets of the client stay as they are below.
    """
    lines: list[tuple[bytes, bytes]] = [
        (b"from", from_line(*sender)),
        (b"date", f"Date: {format_datetime(now)}".encode("ascii")),
        (b"message-id", f"Message-ID: {message_id}".encode("ascii", "replace")),
    ]
    if answers and not (header.has(b"references") or header.has(b"in-reply-to")):
        ids = [answer.encode("ascii", "replace") for answer in answers]
        lines.append((b"in-reply-to", b"In-Reply-To: " + ids[-1]))
        lines.append((b"references", b"References: " + b"\r\n\t".join(ids)))
    if thread_index:
        lines.append((b"thread-index", b"Thread-Index: " + base64.b64encode(thread_index)))
    return b"".join(line + b"\r\n" for name, line in lines if not header.has(name))


def received(*, by: str, protocol: str, id_: str, now: datetime, peer: str = "") -> bytes:
    """A Received line ([RFC 5321] 4.4); `peer` is who handed the message over, where that may be told."""
    source = f"from {safe(peer)} " if peer else ""
    line = f"Received: {source}by {safe(by)} with {protocol} id {safe(id_)};{CRLF}\t{format_datetime(now)}{CRLF}"
    return line.encode("ascii", "replace")


def delivered(sender: str, recipient: str) -> bytes:
    """The lines of final delivery: Return-Path, and Delivered-To by which mail loops are found."""
    return f"Return-Path: <{safe(sender)}>{CRLF}Delivered-To: {safe(recipient)}{CRLF}".encode("utf-8", "replace")
