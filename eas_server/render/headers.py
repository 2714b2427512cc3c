"""Header fields: finding them by offset, and reading their values ([RFC 5322], [RFC 2047], [RFC 2231])."""

import binascii
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from eas_server.render import charsets
from eas_server.render.text import transfer_decode

Octets: TypeAlias = bytes | memoryview
"""What a message is read from; nothing here copies more than a header block of it."""

MAX_HEADER_BLOCK: Final = 256 * 1024
"""Octets of one header block that are read."""
MAX_FIELDS: Final = 1000
"""Fields of one header block that are kept."""
MAX_VALUE: Final = 64 * 1024
"""Octets of one field's value that are read."""

_BLOCK_END: Final = re.compile(rb"\r?\n\r?\n")
_FIELD: Final = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:[ \t]*([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_FOLD: Final = re.compile(rb"\r*\n[ \t]+|[\r\n\x00]+")
_ENCODED_WORD: Final = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,20})?\?([BbQq])\?([^?\s]*|[^?]*)\?=")

Fields: TypeAlias = dict[str, list[bytes]]
"""Values by field name in lower case, in the order they came, folded lines joined."""


def header_block(octets: Octets, start: int, end: int) -> tuple[Fields, int]:
    """The fields that begin at `start`, and where the body after them begins.

    Line ends may be LF, CRLF or both. Without an empty line all is header, up to MAX_HEADER_BLOCK. Lines among the
    fields that are no fields are passed over; octets without any field are all body.
    """
    first = bytes(octets[start : min(start + 2, end)])
    if first[:1] == b"\n" or first == b"\r\n":
        return {}, start + (1 if first[:1] == b"\n" else 2)
    stop = min(start + MAX_HEADER_BLOCK, end)
    found = _BLOCK_END.search(octets, start, stop)
    block = bytes(octets[start : found.start() if found else stop])
    fields: Fields = {}
    for count, match in enumerate(_FIELD.finditer(block)):
        if count == 0 and match.start() > 0 and not found:
            return {}, start  # text that happens to have a colon further down
        if count == MAX_FIELDS:
            break
        value = match[2].strip()[:MAX_VALUE]
        if b"\n" in value or b"\r" in value or b"\x00" in value:
            value = _FOLD.sub(b" ", value)
        name = match[1].decode("ascii").lower()
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if not fields:
        return {}, start
    return fields, found.end() if found else stop


def first(fields: Fields, name: str) -> bytes:
    """The value of the first field of that name; b"" where there is none."""
    values = fields.get(name)
    return values[0] if values else b""


def text(value: bytes) -> str:
    """An unstructured value as text: encoded words decoded, raw 8-bit octets read as well as they can be."""
    raw = charsets.decode(value, charsets.GUESS)
    return decode_words(raw) if "=?" in raw else raw


def decode_words(raw: str) -> str:
    """Replace the encoded words of [RFC 2047]; what is none stays as it is."""
    out: list[str] = []
    pending = b""
    charset = ""
    at = 0
    for match in _ENCODED_WORD.finditer(raw):
        between = raw[at : match.start()]
        at = match.end()
        octets = _word_octets(match[2], match[3])
        # Characters may be split between adjacent words of one charset, so their octets are joined first.
        if pending and (between.strip() or match[1].lower() != charset):
            out.append(charsets.decode(pending, charsets.codec(charset)))
            pending = b""
            between = between if between.strip() else ""
        elif pending:
            between = ""
        out.append(between)
        charset = match[1].lower()
        pending += octets
    if pending:
        out.append(charsets.decode(pending, charsets.codec(charset)))
    out.append(raw[at:])
    return charsets.clean("".join(out)).replace("\n", " ").replace("\r", " ")


def _word_octets(encoding: str, word: str) -> bytes:
    octets = word.encode("utf-8", "replace")
    return binascii.a2b_qp(octets, header=True) if encoding in "Qq" else transfer_decode(octets, "base64")


_PARAMETER: Final = re.compile(
    rb""";[ \t]*([^\s=;*]{1,60})(\*\d{1,3})?(\*)?[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"?|([^;]*))"""
)
MAX_PARAMETERS: Final = 100


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """A value such as Content-Type's: its main part in lower case and its parameters, decoded ([RFC 2231])."""
    main, semicolon, _ = value.partition(b";")
    token = charsets.decode(main, charsets.GUESS).strip().lower()
    if not semicolon:
        return token, {}
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(value, len(main))):
        if count == MAX_PARAMETERS:
            break
        name = charsets.decode(match[1], charsets.GUESS).lower()
        raw = re.sub(rb"\\(.)", rb"\1", match[4]) if match[4] is not None else match[5].strip()
        if match[2] or match[3]:
            piece = int(match[2][1:]) if match[2] else 0
            pieces.setdefault(name, {}).setdefault(piece, (raw, bool(match[3])))
        else:
            plain.setdefault(name, text(raw))
    for name, numbered in pieces.items():
        plain[name] = _extended(numbered)
    return token, plain


def _extended(numbered: dict[int, tuple[bytes, bool]]) -> str:
    """Join the pieces of a parameter with `*`; the first encoded one names the charset."""
    charset = ""
    octets = b""
    for number in sorted(numbered):
        raw, encoded = numbered[number]
        if encoded:
            if number == min(numbered) and raw.count(b"'") > 1:
                named, _, raw = raw.split(b"'", 2)
                charset = charsets.decode(named, charsets.GUESS)
            raw = unquote_to_bytes(raw)
        octets += raw
    return charsets.decode(octets, charsets.codec(charset)).replace("\n", " ").replace("\r", " ")


_YEARS: Final = range(1970, 9999)
_DATE: Final = re.compile(
    rb"(?:[A-Za-z]{3},)?\s*(\d\d?)\s+([A-Za-z]{3})\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+([+-])(\d\d)(\d\d)(?:\s|\Z)"
)
_MONTHS: Final = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}


def date(value: bytes) -> datetime | None:
    """A Date value as an instant in UTC; None for what is no date."""
    if not value:
        return None
    try:
        found = _plain_date(value) or parsedate_to_datetime(value[:200].decode("ascii", "replace"))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.year in _YEARS else None


def _plain_date(value: bytes) -> datetime | None:
    """The form that nearly all mail has; the library, which knows the others, takes a hundred times as long."""
    match = _DATE.match(value)
    month = _MONTHS.get(match[2].lower()) if match else None
    if match is None or month is None:
        return None
    day, year, hour, minute, second = (int(match[n] or b"0") for n in (1, 3, 4, 5, 6))
    offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
    local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    return local - offset if match[7] == b"+" else local + offset


_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,900}>")
MAX_REFERENCES: Final = 100


def message_ids(value: bytes) -> tuple[str, ...]:
    """The message ids of a value, with their angle brackets; of very many the first and the last ones."""
    found = _MESSAGE_ID.findall(charsets.decode(value, charsets.GUESS))
    if len(found) > MAX_REFERENCES:
        found = found[:1] + found[1 - MAX_REFERENCES :]
    return tuple(found)
