"""Read receipts ([RFC 8098]): who asks for one that may be sent, and what is sent."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from eas_server.model.mail import MessageIndex
from eas_server.render import addresses, writing
from eas_server.render.headers import Fields, first
from eas_server.render.out_of_office import is_answerable, is_personal, normal

ASKED: Final = "disposition-notification-to"
PREFIX: Final = "Read: "
_REQUIRED: Final = re.compile(rb"=[ \t]*required\b", re.IGNORECASE)
_SUPPRESSED: Final = frozenset({b"rn", b"all"})
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,900}>")

_TEXT: Final = """\
Your message

  To: {to}
  Subject: {subject}
  Sent: {sent}

was marked as read on {now}.

Whether it was understood, nobody can tell from this.
"""


def asked_by(fields: Fields, own: Collection[str]) -> str | None:
    """The address that wants to know when the user, whose normal addresses are `own`, reads the message with this
    header; None where nobody does, or nobody who may be told without asking the user.

    Told is the one to whom the envelope's sender belongs too ([RFC 8098] 2.1), a person, who wrote to the user; never
    a list, a machine, or somebody who asks for what is not known here.
    """
    wanted = [one.address for value in fields.get(ASKED, ()) for one in addresses.parse(value)]
    if len(wanted) != 1 or not is_answerable(wanted[0]) or normal(wanted[0]) in own:
        return None
    returned = {normal(one.address) for one in addresses.parse(first(fields, "return-path"))}
    if returned != {normal(wanted[0])} or not is_personal(fields, own):
        return None
    if _REQUIRED.search(first(fields, "disposition-notification-options")):
        return None
    suppressed = b",".join(fields.get("x-auto-response-suppress", ())).lower().split(b",")
    return None if _SUPPRESSED & {word.strip() for word in suppressed} else wanted[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Who read what somebody sent, and when."""

    name: str
    address: str
    """Of who read it: the address that it was sent to."""
    to: str
    """Who is told."""
    now: datetime
    host: str
    """What the server calls itself."""
    message_id: str
    """With its angle brackets."""


def read_receipt(original: MessageIndex, reading: Reading) -> bytes:
    """The mail that tells that `original` was read."""
    known = _MESSAGE_ID.fullmatch(original.message_id) is not None
    thread = [f"In-Reply-To: {original.message_id}", f"References: {original.message_id}"] if known else []
    lines = (
        writing.people_line("From", writing.mailbox(reading.name, reading.address)),
        writing.people_line("To", writing.mailbox("", reading.to)),
        writing.subject_line(PREFIX + original.subject),
        f"Date: {format_datetime(reading.now)}\r\nMessage-ID: {reading.message_id}\r\n".encode("ascii", "replace"),
        *(f"{line}\r\n".encode("ascii") for line in thread),
        b"Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\nMIME-Version: 1.0\r\n",
    )
    sent = format_datetime(original.date) if original.date else "?"
    to = original.display_to or reading.address
    shown = _TEXT.format(to=to, subject=original.subject, sent=sent, now=format_datetime(reading.now))
    whole = writing.multipart("report", [writing.text_part(shown, "plain"), _notification(original, reading, known)])
    return b"".join(lines) + whole.replace(b"/report;", b"/report; report-type=disposition-notification;", 1)


def _notification(original: MessageIndex, reading: Reading, known: bool) -> bytes:
    host, address = writing.clean(reading.host), writing.clean(reading.address)
    kind = "rfc822" if address.isascii() else "utf-8"
    lines = [
        "Content-Type: message/disposition-notification",
        "Content-Transfer-Encoding: 7bit" if address.isascii() else "Content-Transfer-Encoding: 8bit",
        "",
        f"Reporting-UA: {host}; eas-server",
        f"Final-Recipient: {kind}; {address}",
        *([f"Original-Message-ID: {original.message_id}"] if known else []),
        # who marks a message as read does so by hand; that it is told, the administrator decided
        "Disposition: manual-action/MDN-sent-automatically; displayed",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")
