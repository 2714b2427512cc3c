"""What the server adds to an answer or a forwarded message (MS-ASCMD_R545, R580): pure, from octets to octets.

| the client's message | the original | what goes out |
| --- | --- | --- |
| signed or encrypted | any | the client's octets as they are |
| plain | signed, encrypted, or not to be read as text | the client's message and the original as message/rfc822 |
| plain | plain | the client's text with the original's below it; the attachments of a forwarded one |

Text that is extended goes out in UTF-8 (MS-ASCMD_R548, R584). Every part that is not extended keeps its octets.
"""

import binascii
import hashlib
import html
import re
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Final

from eas_server.model.mail import MessageIndex
from eas_server.render import contents, structure, text
from eas_server.render.structure import Part
from eas_server.submission.header import Header, parse_fields, read_header

_SECURED: Final = frozenset({"multipart/signed", "multipart/encrypted"})
_BODY_TYPE: Final = (b"content-type", b"content-transfer-encoding")
_DESCRIPTION: Final = b"content-"
_CLOSING: Final = re.compile(r"</body\s*>", re.IGNORECASE)
_OPENING: Final = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_STYLE: Final = re.compile(r"<style\b[^<>]*>[^<]*</style\s*>", re.IGNORECASE)
_META: Final = re.compile(r"""(<meta\b[^<>]{0,1000}?\bcharset\s*=\s*["']?)[A-Za-z0-9_.:-]+""", re.IGNORECASE)
_RULE: Final = "_" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The original: its octets below the lines that delivery put on top, and its index."""

    octets: bytes
    index: MessageIndex


def is_secured(root: Part) -> bool:
    """Whether a message is signed or encrypted as a whole, by S/MIME or otherwise: nothing may be added to it."""
    return root.type in _SECURED or bool(contents.cms_type(root))


def add_original(
    message: memoryview, header: Header, original: Quoted, *, forward: bool, embed: bool = False
) -> bytes | memoryview:
    """The message that goes out: `message`, whose outer header is `header`, with what belongs to it of the original.

    `embed`: the original as a whole, whatever it is (MS-ASRM_R41, R470).
    """
    own = structure.scan(message)
    if is_secured(own.root):
        return message
    parts = contents.collect(own.root)
    other = structure.scan(original.octets)
    if embed or own.broken or not parts.has_text or not _is_readable(original, other):
        return _wrapped(message, header, [_embedded(original, other.root, header.eol)])
    edits = [_Edit.extend(message, part, _Quote.of(original, other.root)) for part in (parts.plain, parts.html) if part]
    extended = _spliced(message, edits)
    attached = _taken_along(other.root, original, forward=forward, as_html=parts.html is not None)
    if not attached:
        return extended
    return _wrapped(memoryview(extended), read_header(extended), attached)


def _is_readable(original: Quoted, found: structure.Structure) -> bool:
    return not (found.broken or is_secured(found.root) or original.index.smime)


# ---- the text of the original


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quote:
    """The original as text and as HTML; "" for the HTML of one that has none."""

    lines: tuple[tuple[str, str], ...]
    """Who wrote it to whom, and when. Bcc is not among it."""
    plain: str
    html: str

    @classmethod
    def of(cls, original: Quoted, root: Part) -> "_Quote":
        index = original.index
        parts = contents.collect(root)
        plain = _text(original.octets, parts.plain)
        source = _text(original.octets, parts.html)
        named = (
            ("From", index.sender),
            ("Sent", format_datetime(index.date) if index.date else ""),
            ("To", index.to),
            ("Cc", index.cc),
            ("Subject", index.subject),
        )
        return cls(
            lines=tuple((name, value) for name, value in named if value),
            plain=plain or (text.plain_from_html(source) if source else ""),
            html=source,
        )

    def below(self, own: str) -> str:
        """`own` and the original below it, as plain text with LF."""
        head = "\n".join(f"{name}: {value}" for name, value in self.lines)
        return f"{own.rstrip()}\n\n{_RULE}\n{head}\n\n{self.plain.strip()}\n"

    def below_html(self, own: str) -> str:
        """`own` and the original below it, as HTML."""
        head = "<br>\n".join(f"<b>{name}:</b> {html.escape(value)}" for name, value in self.lines)
        inner = self.html or text.html_from_plain(self.plain)
        added = f"<hr>\n<div>{head}</div>\n<br>\n{_styles(inner)}<div>{_inside(inner)}</div>\n"
        own = _META.sub(r"\1utf-8", own)
        closing = list(_CLOSING.finditer(own))
        if not closing:
            return f"{own}\n{added}"
        at = closing[-1].start()
        return f"{own[:at]}{added}{own[at:]}"


def _text(octets: bytes | memoryview, part: Part | None) -> str:
    if part is None:
        return ""
    described, _ = contents.text_part(octets, part)
    found = text.decode(bytes(octets[part.start : part.end]), described.encoding, described.charset)
    return found.replace("\r\n", "\n").replace("\r", "\n")


def _styles(source: str) -> str:
    opening = _OPENING.search(source)
    return "".join(_STYLE.findall(source[: opening.start()])) if opening else ""


def _inside(source: str) -> str:
    """What stands in the body of an HTML document."""
    opening = _OPENING.search(source)
    start = opening.end() if opening else 0
    closing = list(_CLOSING.finditer(source, start))
    return source[start : closing[-1].start() if closing else len(source)]


# ---- into the client's message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """New octets for a stretch of the message."""

    start: int
    end: int
    octets: bytes

    @classmethod
    def extend(cls, message: memoryview, part: Part, quote: _Quote) -> "_Edit":
        """A text part with the original below it, in UTF-8."""
        own = _text(message, part)
        as_html = part.type == contents.TEXT_HTML
        whole = quote.below_html(own) if as_html else quote.below(own)
        if not as_html and part.params.get("format", "").lower() == "flowed":
            whole = _unflowed(whole)
        header = parse_fields(_header_octets(message, part))
        eol = header.eol
        encoded = binascii.b2a_qp(whole.encode("utf-8", "replace"), istext=True)
        kept = header.without(lambda field: field.name in _BODY_TYPE).octets
        lines = [] if header.has(b"mime-version") or part.header else [b"MIME-Version: 1.0"]
        lines += [f"Content-Type: {part.type}; charset=utf-8".encode(), b"Content-Transfer-Encoding: quoted-printable"]
        head = (kept if kept.endswith(b"\n") or not kept else kept + eol) + eol.join((*lines, b"", b""))
        return cls(start=part.header, end=part.end, octets=head + encoded.replace(b"\n", eol))


def _unflowed(plain: str) -> str:
    """Soft line breaks of format=flowed ([RFC 3676]) taken out: the lines are joined, for the parameter goes."""
    joined: list[str] = []
    soft = False
    for line in plain.split("\n"):
        if soft:
            joined[-1] += line
        else:
            joined.append(line)
        soft = line.endswith(" ") and line != "-- "
    return "\n".join(joined)


def _header_octets(message: bytes | memoryview, part: Part) -> bytes:
    """The header of a part without the empty line below it."""
    lines = bytes(message[part.header : part.start])
    for empty in (b"\r\n", b"\n"):
        if lines.endswith(b"\n" + empty) or lines == empty:
            return lines.removesuffix(empty)
    return lines


def _spliced(message: memoryview, edits: list[_Edit]) -> bytes:
    pieces: list[bytes | memoryview] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += (message[at : edit.start], edit.octets)
        at = edit.end
    return b"".join((*pieces, message[at:]))


# ---- around the client's message


def _wrapped(message: memoryview, header: Header, attached: list[bytes]) -> bytes:
    """multipart/mixed of the client's untouched entity and further parts, each header and body."""
    eol = header.eol
    digest = hashlib.sha256(message)
    for part in attached:
        digest.update(part)
    boundary = b"=_" + digest.hexdigest()[:32].encode()
    outside = header.without(lambda field: field.name.startswith(_DESCRIPTION) or field.name == b"mime-version")
    inside = header.only(lambda field: field.name.startswith(_DESCRIPTION))
    delimiter = eol + b"--" + boundary
    top = outside.octets if outside.octets.endswith(b"\n") else outside.octets + eol
    pieces: list[bytes | memoryview] = [
        top + b"MIME-Version: 1.0" + eol + b'Content-Type: multipart/mixed; boundary="' + boundary + b'"' + eol,
        delimiter + eol + inside.octets + (b"" if header.octets.endswith(b"\n") else eol + eol),
        message[header.size :],
    ]
    for part in attached:
        pieces += (delimiter + eol, part)
    return b"".join((*pieces, delimiter, b"--", eol))


def _embedded(original: Quoted, root: Part, eol: bytes) -> bytes:
    """The original as an attached message: its octets as they are, save Bcc, which nobody else may see."""
    header = parse_fields(_header_octets(original.octets, root))
    octets = header.visible().octets + original.octets[root.header + header.size :]
    name = re.sub(r"[^A-Za-z0-9 ._-]+", "_", original.index.subject).strip(" ._")[:60] or "message"
    encoding = b"" if octets.isascii() else b"Content-Transfer-Encoding: 8bit" + eol
    disposition = f'Content-Disposition: attachment; filename="{name}.eml"'.encode()
    return b"Content-Type: message/rfc822" + eol + encoding + disposition + eol + eol + octets


def _taken_along(root: Part, original: Quoted, *, forward: bool, as_html: bool) -> list[bytes]:
    """The attachments of the original, each with its header as it is: all of a forwarded one, else images in HTML."""
    found = contents.collect(root)
    wanted = [part for part, related in found.attached if forward or (as_html and related and found.html)]
    return [_part_octets(part, root, original.octets) for part in wanted]


def _part_octets(part: Part, root: Part, octets: bytes) -> bytes:
    if part is not root:
        return octets[part.header : part.end]
    # not `read_header`: what came in from outside may have a header that nobody may send
    header = parse_fields(_header_octets(octets, root))
    kept = header.only(lambda field: field.name.startswith(_DESCRIPTION) and b"\0" not in field.value)
    return kept.octets + octets[part.header + header.size : part.end]
