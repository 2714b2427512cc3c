"""Parts and header lines of a message that is written here ([RFC 5322], [RFC 2045], [RFC 2047], [RFC 2231]).

All that comes from a client goes through `clean` or an encoding: no line of it becomes a line of a header.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from eas_server.render import addresses
from eas_server.render.contents import MAX_NAME
from protocol.items.airsyncbase import AddAttachment, Method

LINE: Final = 76
"""Characters of a header line before it is folded."""
LONG_LINE: Final = 998
"""Octets that a line may have ([RFC 5322] 2.1.1)."""
_WORD_OCTETS: Final = 42
"""Octets in one encoded word, so that it stays below 75 characters."""
_NAME: Final = 256
"""Characters of a display name that are kept."""
_PIECE: Final = 50
"""Characters in one piece of a parameter of [RFC 2231]."""

_PATH: Final = re.compile(r".*[/\\]", re.DOTALL)
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")
_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}\Z")
_STRUCTURED: Final = ("multipart/", "message/")
_UNKNOWN: Final = "application/octet-stream"
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9 !#$&'()+,;=@^_`{}~.\[\]-]+\Z")
_ID: Final = re.compile(r"[^\s<>()\"\\]+")


def clean(value: str) -> str:
    """On one line: controls are spaces, and runs of spaces are one."""
    printable = value if value.isprintable() else "".join(c if c.isprintable() else " " for c in value)
    return " ".join(printable.encode("utf-8", "replace").decode().split())


def subject_line(subject: str) -> bytes:
    """`Subject: …` with its line end; b"" for an empty one."""
    return unstructured("Subject", subject)


def unstructured(name: str, value: str) -> bytes:
    """A field of free text with its line end; b"" for an empty one."""
    value = clean(value)
    if not value:
        return b""
    if value.isascii() and "=?" not in value and len(value) <= LINE:
        return f"{name}: {value}\r\n".encode("ascii")
    return f"{name}: {words(value)}\r\n".encode("ascii")


def words(value: str) -> str:
    """Encoded words on folded lines ([RFC 2047] 2)."""
    made: list[str] = []
    run = b""
    for character in value:
        octets = character.encode("utf-8", "replace")
        if len(run) + len(octets) > _WORD_OCTETS:
            made.append(run.decode("latin-1"))
            run = b""
        run += octets
    made.append(run.decode("latin-1"))
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(each.encode('latin-1')).decode()}?=" for each in made)


def people(value: str) -> list[str]:
    """The mailboxes of an address list as a client writes it, each as it goes into a header."""
    return [mailbox(one.name, one.address) for one in addresses.parse(clean(value).encode())]


def mailbox(name: str, address: str) -> str:
    """`"Alice" <alice@example.com>`, the name in encoded words where it is not ASCII; either may be empty."""
    name, address = clean(name)[:_NAME], clean(address)
    if not name.isascii() or "=?" in name:
        phrase = words(name)
    elif name and not _ATOMS.match(name):
        phrase = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        phrase = name
    if not address:
        return phrase
    bracketed = f"<{address}>" if phrase or not _plain(address) else address
    return f"{phrase} {bracketed}" if phrase else bracketed


def _plain(address: str) -> bool:
    return not any(c in address for c in ' "(),:;<>[]')


def people_line(name: str, *mailboxes: str) -> bytes:
    """An address list with its line end, one mailbox a line where they do not fit on one; b"" for none.

    Addresses that are not ASCII go as UTF-8 ([RFC 6532]).
    """
    if not mailboxes:
        return b""
    joined = ", ".join(mailboxes)
    if len(joined) + len(name) > LINE:
        joined = ",\r\n ".join(mailboxes)
    return f"{name}: {joined}\r\n".encode("utf-8", "replace")


# ---- parts


def text_part(source: str, kind: str) -> bytes:
    """A text part (`plain`, `html`) in UTF-8; `source` with LF as line end."""
    encoded = binascii.b2a_qp(source.encode("utf-8", "replace"), istext=True)
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + encoded.replace(b"\n", b"\r\n")


def multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    """A part of parts; the boundary follows from what they hold."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(part)
    boundary = b"=_" + digest.hexdigest()[:32].encode()
    pieces = [b"Content-Type: multipart/" + kind.encode() + b';\r\n boundary="' + boundary + b'"\r\n\r\n']
    for part in parts:
        pieces += (b"--", boundary, b"\r\n", part, b"\r\n")
    return b"".join((*pieces, b"--", boundary, b"--\r\n"))


def file_name(display_name: str) -> str:
    """The name of a file without a path, as it is read back."""
    return " ".join(_PATH.sub("", clean(display_name)).split())[:MAX_NAME].strip() or "attachment"


def file_part(file: AddAttachment, *, inline: bool) -> bytes:
    """An attachment. What would be read as parts of this message is kept as a file of unknown type."""
    name = file_name(file.display_name)
    content_type = _content_type(file)
    lines = [f"Content-Type: {content_type}{_parameter('name', name)}"]
    if content_type == "message/rfc822":
        lines.append(f"Content-Transfer-Encoding: {'7bit' if file.content.isascii() else '8bit'}")
        content = file.content
    else:
        lines.append("Content-Transfer-Encoding: base64")
        content = base64.encodebytes(file.content).replace(b"\n", b"\r\n")
    shown = inline and not content_type.startswith("text/")
    lines.append(f"Content-Disposition: {'inline' if shown else 'attachment'}{_parameter('filename', name)}")
    if found := _ID.search(clean(file.content_id or "")[:LONG_LINE]):
        lines.append(f"Content-ID: <{found[0].encode('ascii', 'replace').decode()}>")
    if file.content_location and (location := clean(file.content_location)[:LONG_LINE]):
        lines.append(f"Content-Location: {quote(location, safe=_URL)}")
    return "\r\n".join((*lines, "", "")).encode("ascii", "replace") + content


_URL: Final = "!#$%&'()*+,/:;=?@[]~"


def _content_type(file: AddAttachment) -> str:
    if file.method is Method.EMBEDDED_MESSAGE and _is_message(file.content):
        return "message/rfc822"
    named = (file.content_type or "").partition(";")[0].strip().lower()
    if not _TYPE.match(named) or named.startswith(_STRUCTURED):
        return _UNKNOWN
    return named


def _is_message(content: bytes) -> bool:
    """Whether a message can stand in another one as it is: no encoding is allowed for it ([RFC 2046] 5.2.1)."""
    return b"\0" not in content and all(len(line) <= LONG_LINE for line in _lines(content))


def _lines(content: bytes) -> Iterable[bytes]:
    return content.split(b"\n")


def _parameter(name: str, value: str) -> str:
    """`; name="value"` on a line of its own, in pieces where it is long or not ASCII ([RFC 2231])."""
    if _SAFE_NAME.match(value) and len(value) <= LINE - len(name):
        return f';\r\n {name}="{value}"'
    pieces: list[str] = []
    run = "utf-8''"
    for character in value:
        encoded = quote(character, safe="")
        if len(run) + len(encoded) > _PIECE:
            pieces.append(run)
            run = ""
        run += encoded
    pieces.append(run)
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))
