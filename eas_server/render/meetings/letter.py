"""The mail around an iTIP object: header, the words for people, text/calendar for programs ([RFC 6047]).

What is put in comes from clients and strangers. Controls are taken out of everything that goes into a header line, so
that no name and no subject can begin a line of its own.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from typing import Final

from eas_server.render.item_body import NO_TEXT, ItemText

CRLF: Final = "\r\n"
MAX_SUBJECT: Final = 255
"""Characters of a subject, as Outlook has it."""
_MAX_NAME: Final = 64
"""Characters of a display name, so that no encoded line gets too long."""
_ADDRESS: Final = re.compile(r"""[^\s<>()\[\]\\,;:"@\x00-\x20\x7f]+@[^\s<>()\[\]\\,;:"@\x00-\x20\x7f]+""")
MAX_ADDRESS: Final = 320
"""Characters of an address ([RFC 5321] 4.5.3.1)."""
_MAX_LINE: Final = 998
"""Octets of a line of mail ([RFC 5322] 2.1.1)."""
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an address, and a name where it is known."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Who writes to whom, and when."""

    sender: Person
    to: tuple[Person, ...]
    cc: tuple[Person, ...] = ()
    now: datetime
    """Aware; becomes Date and DTSTAMP."""
    message_id: str
    """With its angle brackets."""
    subject: str | None = None
    """None: the subject of the event with the word that the method asks for."""
    text: ItemText | None = None
    """What people read; None: when and where the event is, and its own text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in the mail."""

    subject: str
    text: ItemText = NO_TEXT
    calendar: bytes | None = None
    method: str = ""
    """Of `calendar`."""
    fields: tuple[tuple[str, str], ...] = ()
    """Further header fields, in ASCII."""


def mime(letter: Letter, contents: Contents) -> bytes:
    """The whole message; the same for the same arguments. Lines end in CRLF; no octet is above 127."""
    parts = _parts(contents)
    seen = hashlib.sha256(letter.message_id.encode("utf-8", "replace"))
    for part in parts:
        seen.update(part)
    boundary = f"=_{seen.hexdigest()[:32]}"
    lines = [
        f"From: {mailbox(letter.sender)}",
        _people("To", letter.to) or "To: undisclosed-recipients:;",
        *filter(None, [_people("Cc", letter.cc)]),
        _unstructured("Subject", contents.subject[:MAX_SUBJECT]),
        f"Date: {format_datetime(letter.now)}",
        *([f"Message-ID: {letter.message_id}"] if _MESSAGE_ID.fullmatch(letter.message_id) else []),
        *(f"{name}: {printable(value)}" for name, value in contents.fields),
        "MIME-Version: 1.0",
    ]
    if len(parts) == 1:
        return CRLF.join(lines).encode("ascii", "replace") + b"\r\n" + parts[0]
    lines += [f'Content-Type: multipart/alternative; boundary="{boundary}"', "", ""]
    delimiter = f"--{boundary}{CRLF}".encode()
    body = b"".join(delimiter + part + b"\r\n" for part in parts)
    return CRLF.join(lines).encode("ascii", "replace") + body + f"--{boundary}--{CRLF}".encode()


def _parts(contents: Contents) -> list[bytes]:
    """Plain text, HTML where there is any, and the calendar: the richest form last ([RFC 2046] 5.1.4)."""
    made = [_text_part("text/plain", contents.text.plain)]
    if contents.text.html is not None:
        made.append(_text_part("text/html", contents.text.html))
    if contents.calendar is not None:
        made.append(calendar_part(contents.calendar, contents.method))
    return made


def _text_part(kind: str, text: str) -> bytes:
    encoded = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True).replace(b"\r\n", b"\n")
    head = f"Content-Type: {kind}; charset=utf-8{CRLF}Content-Transfer-Encoding: quoted-printable{CRLF}{CRLF}"
    return head.encode() + encoded.replace(b"\n", b"\r\n")


def calendar_part(octets: bytes, method: str, *, disposition: str = "") -> bytes:
    """A text/calendar part, its header included, that ends without a line end of its own.

    The method stands in Content-Type too, where programs look for it first ([RFC 6047] 2.4).
    """
    plain = octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) <= _MAX_LINE
    plain = plain and octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    head = [
        f"Content-Type: text/calendar; charset=utf-8; method={method}",
        f"Content-Transfer-Encoding: {'7bit' if plain else 'base64'}",
        *([f"Content-Disposition: {disposition}"] if disposition else []),
        "",
        "",
    ]
    body = octets if plain else base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return CRLF.join(head).encode() + body.removesuffix(b"\r\n")


# ---- header lines


def printable(text: str) -> str:
    """`text` on one line: without line ends and other controls."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())


def is_address(text: str) -> bool:
    """Whether `text` can stand as an address in a header line, and means one recipient."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


def mailbox(person: Person) -> str:
    """`Alice <alice@example.com>`, in ASCII: a name that is not goes as encoded words, a domain as A-labels."""
    address = ascii_address(person.address)
    name = printable(person.name)[:_MAX_NAME]
    if not is_address(address) or not address.isascii():
        address = "invalid@invalid"  # an internationalised local part has no place in a line of ASCII
    return formataddr((name, address))


def ascii_address(address: str) -> str:
    """The address with its domain in A-labels; itself where that cannot be."""
    local, at, domain = address.strip().rpartition("@")
    if not at or domain.isascii():
        return address.strip()
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address.strip()


def _people(name: str, people: Iterable[Person]) -> str:
    """One mailbox a line: the line never gets too long, however many there are."""
    shown = [mailbox(person) for person in people if _can_be_shown(person)]
    return f"{name}: " + f",{CRLF}\t".join(shown) if shown else ""


def _can_be_shown(person: Person) -> bool:
    address = ascii_address(person.address)
    return address.isascii() and is_address(address)


def _unstructured(name: str, value: str) -> str:
    shown = printable(value)
    if not shown:
        return f"{name}:"
    charset = "us-ascii" if shown.isascii() else "utf-8"
    return f"{name}: " + Header(shown.encode("utf-8", "replace").decode(), charset, header_name=name).encode(
        linesep=CRLF
    )
