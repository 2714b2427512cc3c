"""What of a message is its text, and what are its attachments."""

import re
from dataclasses import dataclass, field
from typing import Final

from eas_server.model.mail import Attachment, AttachmentMethod, TextPart
from eas_server.render import charsets, cms, headers, structure, text
from eas_server.render.headers import Octets
from eas_server.render.structure import EMBEDDED, TEXT_PLAIN, Part, Structure

TEXT_HTML: Final = "text/html"

MAX_TEXT: Final = 1024 * 1024
"""Encoded octets of a text part up to which its exact size is found by decoding it."""
MAX_CMS: Final = 1024 * 1024
"""Encoded octets of an opaque-signed message in which its text is looked for."""
MAX_ATTACHMENTS: Final = 500
MAX_NAME: Final = 255

_CMS_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_MAX_WRAPPINGS: Final = 3
"""Signatures around signatures that are looked into for the text."""

_NAMES: Final = {
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.txt",
    "text/calendar": "invite.ics",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition.txt",
    "text/rfc822-headers": "headers.txt",
}
_EXTENSIONS: Final = {
    "text/plain": ".txt",
    "text/html": ".htm",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/msword": ".doc",
}
_PATH: Final = re.compile(r".*[/\\]", re.DOTALL)


@dataclass(slots=True)
class Contents:
    """The parts of a message by what they are for."""

    plain: Part | None = None
    html: Part | None = None
    attached: list[tuple[Part, bool]] = field(default_factory=list)
    """Attachments in order; whether each belongs into the text (multipart/related)."""

    @property
    def has_text(self) -> bool:
        """Whether text was found; an empty part leaves the place to a later one."""
        return not (_empty(self.plain) and _empty(self.html))


def _empty(part: Part | None) -> bool:
    return part is None or part.start >= part.end


def cms_type(part: Part) -> str:
    """The smime-type of a CMS part (`enveloped-data`, …), "cms" where it does not say; "" for other parts.

    A nameless binary that is called `.p7m` counts ([RFC 8551] 3.9).
    """
    if part.type in _CMS_TYPES:
        return part.params.get("smime-type", "").strip().lower() or "cms"
    if part.type == "application/octet-stream" and _given_name(part).lower().endswith(".p7m"):
        return "cms"
    return ""


def collect(root: Part) -> Contents:
    """Tell text from attachments.

    The text is the first text part, with its alternatives; later ones are attachments, as nothing of a message may
    vanish. So are signatures and encrypted parts, and calendar parts.
    """
    contents = Contents()
    stack = [(root, "", False)]
    while stack:
        part, container, alternative = stack.pop()
        if part.type.startswith("multipart/") and part.children:
            kind = part.type.removeprefix("multipart/")
            within = alternative or kind == "alternative"
            stack.extend((child, kind, within) for child in reversed(part.children))
        elif not _take_as_text(contents, part, alternative=alternative) and not _needless(part, container):
            contents.attached.append((part, container == "related"))
    return contents


def _take_as_text(contents: Contents, part: Part, *, alternative: bool) -> bool:
    """Take the part as text of the message, if it is."""
    if _disposition(part)[0] == "attachment":
        return False
    if part.type == TEXT_PLAIN and _empty(contents.plain) and (alternative or not contents.has_text):
        contents.plain = part
        return True
    if part.type == TEXT_HTML and _empty(contents.html) and (alternative or not contents.has_text):
        contents.html = part
        return True
    return False


def _needless(part: Part, container: str) -> bool:
    """Whether the part is the text once more, in a form that no client asks for (text/enriched, text/x-amp-html)."""
    return (
        container == "alternative"
        and part.type.startswith("text/")
        and part.type not in {TEXT_PLAIN, TEXT_HTML, "text/calendar"}
    )


def _disposition(part: Part) -> tuple[str, dict[str, str]]:
    value = headers.first(part.fields, "content-disposition")
    return headers.parameters(value) if value else ("", {})


def _given_name(part: Part) -> str:
    name = _disposition(part)[1].get("filename") or part.params.get("name", "")
    return " ".join(_PATH.sub("", name).split())[:MAX_NAME]


# ---- descriptions for the index


def text_part(octets: Octets, part: Part) -> tuple[TextPart, str]:
    """How to read a text part, and its text: all of it, or of a very long one the beginning."""
    encoding = part.encoding
    codec = charsets.codec(part.params.get("charset", ""))
    stop = min(part.end, part.start + MAX_TEXT)
    shown = text.decode(bytes(octets[part.start : stop]), encoding, codec)
    size = text.utf8_size(shown)
    if stop < part.end:
        size = max(size, text.decoded_size(octets, part.start, part.end, encoding))
    return TextPart(start=part.start, end=part.end, encoding=encoding, charset=codec, size=size), shown


def attachments(octets: Octets, contents: Contents) -> tuple[Attachment, ...]:
    """What clients show as attachments."""
    return tuple(
        _attachment(octets, part, number, related=related)
        for number, (part, related) in enumerate(contents.attached[:MAX_ATTACHMENTS], 1)
    )


def _attachment(octets: Octets, part: Part, number: int, *, related: bool) -> Attachment:
    encoding = part.encoding
    embedded = part.type == EMBEDDED and encoding in {"7bit", "8bit", "binary"}
    content_id = headers.text(headers.first(part.fields, "content-id")).strip().strip("<>")
    disposition = _disposition(part)[0]
    return Attachment(
        start=part.start,
        end=part.end,
        encoding=encoding,
        size=text.decoded_size(octets, part.start, part.end, encoding),
        name=_embedded_name(octets, part) if embedded else _name(part, number),
        content_type=part.type,
        content_id=content_id,
        content_location=headers.text(headers.first(part.fields, "content-location")),
        inline=bool(content_id) and (related or disposition == "inline"),
        method=AttachmentMethod.EMBEDDED_MESSAGE if embedded else AttachmentMethod.NORMAL,
    )


def _name(part: Part, number: int) -> str:
    return _given_name(part) or _NAMES.get(part.type) or f"ATT{number:05}{_EXTENSIONS.get(part.type, '.dat')}"


def _embedded_name(octets: Octets, part: Part) -> str:
    """An embedded message is called by its subject, and `.eml` (MS-ASAIRS_R2299)."""
    name = _given_name(part)
    if not name:
        fields, _ = headers.header_block(octets, part.start, part.end)
        subject = headers.text(headers.first(fields, "subject"))
        name = " ".join(re.sub(r'[\\/:*?"<>|]', " ", subject).split())[: MAX_NAME - 4] or "message"
    return name if name.lower().endswith(".eml") else name + ".eml"


# ---- the text within an opaque signature


@dataclass(slots=True)
class Wrapped:
    """The message inside of an opaque-signed one, and its parts."""

    octets: bytes
    structure: Structure
    contents: Contents


def unwrap(encoded: bytes, encoding: str) -> Wrapped | None:
    """Look into the encoded octets of an application/pkcs7-mime part, or of the beginning of it.

    None where it holds no signed content: encrypted, compressed, or no CMS at all.
    """
    for _ in range(_MAX_WRAPPINGS):
        content = cms.signed_content(text.transfer_decode(encoded, encoding))
        if content is None:
            return None
        inner = structure.scan(content)
        if not cms_type(inner.root):
            return Wrapped(content, inner, collect(inner.root))
        encoded, encoding = content[inner.root.start : inner.root.end], inner.root.encoding
    return None


def part_text(part: TextPart, octets: bytes, *, html: bool) -> str:
    """The text of a part from its encoded octets, or from the beginning of them.

    `html` tells which text of an opaque-signed message is meant; what cannot be found any more is "".
    """
    if not part.wrapped:
        return text.decode(octets, part.encoding, part.charset)
    inner = unwrap(octets, part.encoding)
    if inner is None:
        return ""
    found = inner.contents.html if html else inner.contents.plain
    if found is None:
        return ""
    return text.decode(inner.octets[found.start : found.end], found.encoding, part.charset)
