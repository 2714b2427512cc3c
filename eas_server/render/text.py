"""Body text: out of its transfer encoding, from HTML to plain text and back, and cut to size."""

import binascii
import html
import re
from typing import Final

from eas_server.render import charsets

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(n for n in range(256) if n not in _BASE64)


def transfer_decode(octets: bytes, encoding: str) -> bytes:
    """Undo a content-transfer-encoding; never fails.

    base64: octets outside the alphabet are left out, the first `=` ends it, so that n letters always give n*6//8
    octets (`decoded_size` relies on it).
    """
    if encoding == "base64":
        pad = octets.find(b"=")
        letters = (octets if pad < 0 else octets[:pad]).translate(None, _NOT_BASE64)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(octets)
    return octets


class TransferDecoder:
    """`transfer_decode` for octets that come in runs; what comes out, joined, is the same."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._rest = b""
        self._ended = False

    def feed(self, octets: bytes) -> bytes:
        """The octets that can be decoded now."""
        if self._encoding == "base64":
            return self._base64(octets)
        if self._encoding != "quoted-printable":
            return octets
        octets = self._rest + octets
        cut = octets.rfind(b"\n") + 1  # an escape or trailing white space never goes beyond its line
        self._rest = octets[cut:]
        return binascii.a2b_qp(octets[:cut])

    def _base64(self, octets: bytes) -> bytes:
        if self._ended:
            return b""
        pad = octets.find(b"=")
        self._ended = pad >= 0
        letters = self._rest + (octets[:pad] if self._ended else octets).translate(None, _NOT_BASE64)
        whole = len(letters) - len(letters) % 4
        self._rest = letters[whole:]
        return binascii.a2b_base64(letters[:whole])

    def finish(self) -> bytes:
        """What was held back."""
        rest, self._rest = self._rest, b""
        return transfer_decode(rest, self._encoding)


_RUN: Final = 64 * 1024


def decoded_size(octets: bytes | memoryview, start: int, end: int, encoding: str) -> int:
    """The exact size of `transfer_decode(octets[start:end], encoding)`, found without holding it."""
    if encoding not in {"base64", "quoted-printable"}:
        return end - start
    if encoding == "base64":
        letters = 0
        for at in range(start, end, _RUN):
            run = bytes(octets[at : min(at + _RUN, end)])
            pad = run.find(b"=")
            letters += len((run if pad < 0 else run[:pad]).translate(None, _NOT_BASE64))
            if pad >= 0:
                break
        return letters * 6 // 8
    decoder = TransferDecoder(encoding)
    size = sum(len(decoder.feed(bytes(octets[at : min(at + _RUN, end)]))) for at in range(start, end, _RUN))
    return size + len(decoder.finish())


def decode(octets: bytes, encoding: str, charset: str) -> str:
    """The text of a part's encoded octets; `charset` is a codec name from `charsets.codec`."""
    return charsets.decode(transfer_decode(octets, encoding), charset)


def utf8_size(text: str) -> int:
    """Octets of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def truncate(text: str, size: int) -> str:
    """The beginning of `text` that fits into `size` octets of UTF-8, no character split."""
    if len(text) <= size and utf8_size(text) <= size:
        return text
    return text[:size].encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


_OPEN_END: Final = re.compile(r"(?:<[^<>]*|&#?[a-zA-Z0-9]{0,31})\Z")


def truncate_html(source: str, size: int) -> str:
    """`truncate` for HTML: a tag or character reference that would be cut is left out whole."""
    cut = truncate(source, size)
    if cut == source:
        return source
    tail = max(cut.rfind("<"), cut.rfind("&"))
    return cut[:tail] if tail >= 0 and _OPEN_END.match(cut, tail) else cut


# ---- HTML to plain text. Every pattern takes each character at most a fixed number of times: an unclosed comment or
# ---- element ends with the text, and no tag is looked for beyond the next "<".

_DROP: Final = re.compile(
    r"<(?:!--.*?(?:-->|\Z)|(script|style|title|template|noscript|svg|object)\b.*?(?:</\1\s*>|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_PRE: Final = re.compile(r"<pre\b[^<>]*>(.*?)(?:</pre\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"""<(?:(/?[a-zA-Z][a-zA-Z0-9]*+)(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|[/!?a-zA-Z][^<>]*+>?)""")
_BLOCK: Final = "\x01"
_GAP: Final = "\x02"
_MARKS: Final = str.maketrans("", "", _BLOCK + _GAP)
_BREAKS: Final = {
    **{
        edge + name: _BLOCK
        for edge in ("", "/")
        for name in [
            "address",
            "article",
            "center",
            "dd",
            "div",
            "dl",
            "dt",
            "footer",
            "form",
            "header",
            "section",
            "tr",
            "li",
            "ul",
            "ol",
            "table",
        ]
    },
    **{edge + name: _GAP for edge in ("", "/") for name in ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"]},
    **{"/" + name: _GAP for name in ("ul", "ol", "table")},
    "li": _BLOCK + "* ",
    "br": "\n",
    "hr": _BLOCK,
    "/td": " ",
    "/th": " ",
}

MAX_HTML: Final = 4 * 1024 * 1024
"""Characters of HTML that are converted; what follows is left out."""


def plain_from_html(source: str) -> str:
    """The text of HTML: blocks on lines of their own, no links, no images, no styles."""
    text = _DROP.sub("", source[:MAX_HTML].translate(_MARKS))
    if "<pre" in text or "<PRE" in text:
        text = _PRE.sub(lambda m: "<p>" + m[1].replace("\n", "<br>").replace(" ", "&nbsp;") + "</p>", text)
    pieces = _TAG.split(" ".join(text.split()))  # text, name, text, name, …, text
    pieces[1::2] = [_BREAKS.get(name.lower(), "") if name else "" for name in pieces[1::2]]
    text = "".join(pieces)
    if "&" in text:
        text = html.unescape(text)
    lines: list[str] = []
    for paragraph in text.split(_GAP):
        if lines and lines[-1]:
            lines.append("")
        for block in paragraph.split(_BLOCK):
            if stripped := block.strip():
                lines += map(_single_spaced, stripped.split("\n"))
    return charsets.clean("\n".join(lines)).strip()


def _single_spaced(line: str) -> str:
    return line.strip() if line.isascii() and "  " not in line else " ".join(line.split())


_HEAD: Final = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>'
_FOOT: Final = "</body></html>"


def html_from_plain(plain: str) -> str:
    """HTML that shows a plain text as it is: line ends and runs of spaces kept."""
    text = html.escape(plain.replace("\r\n", "\n").replace("\r", "\n"), quote=False)
    text = text.replace("\t", "    ").replace("  ", "&nbsp; ").replace("\n ", "\n&nbsp;").replace("\n", "<br>\r\n")
    return _HEAD + text + _FOOT


_LINK: Final = re.compile(
    r"[ \t]?<(?:https?|mailto|tel|cid):[^<>\s]{1,4000}>|\[(?:cid|image|https?):[^\[\]\n]{0,4000}\]"
)


def without_links(plain: str) -> str:
    """A plain text for a message list: the link targets and image marks that mailers write into it are left out."""
    return _LINK.sub("", plain) if "<" in plain or "[" in plain else plain


def preview(plain: str, length: int) -> str:
    """The first `length` characters for a message list: links left out, white space as single spaces."""
    return " ".join(without_links(plain).split())[:length]
