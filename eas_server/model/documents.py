"""Documents of shares: their UNC names, and what is told of them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eas_server.model.blob import Blob

MAX_LINK: Final = 1024
"""Octets of a UNC name in UTF-8 (MS-ASCMD_R5263)."""
MAX_DEPTH: Final = 64
"""Names below the share."""
UNKNOWN_TYPE: Final = "application/octet-stream"

_HOST: Final = re.compile(r"(?:[0-9A-Za-z][0-9A-Za-z._-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_NAME: Final = re.compile("[^\x00-\x1f\x7f\\\\/\ud800-\udfff\ufffe\uffff]{1,255}")
_DEVICES: Final = frozenset(
    (
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³"),
    )
)
_TYPES: Final = {
    "7z": "application/x-7z-compressed",
    "avi": "video/x-msvideo",
    "bmp": "image/bmp",
    "csv": "text/csv",
    "doc": "application/msword",
    "docm": "application/vnd.ms-word.document.macroEnabled.12",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "dotx": "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
    "eml": "message/rfc822",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "log": "text/plain",
    "m4a": "audio/mp4",
    "md": "text/markdown",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "msg": "application/vnd.ms-outlook",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "png": "image/png",
    "pps": "application/vnd.ms-powerpoint",
    "ppt": "application/vnd.ms-powerpoint",
    "pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "wav": "audio/wav",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UncName:
    """`\\\\host\\share\\folder\\file`, in pieces that `is_name` holds for; the host may have a port."""

    host: str
    share: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\\\\" + "\\".join((self.host, self.share, *self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document or a folder. `size` in octets, 0 for a folder; the moments are aware, in UTC."""

    name: UncName
    is_folder: bool
    is_hidden: bool
    created: datetime
    modified: datetime
    size: int

    @property
    def display_name(self) -> str:
        """The last name of all."""
        return self.name.parts[-1] if self.name.parts else self.name.share


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A part of what a UNC name stands for: the item itself, then the contents of a folder; and how much there is."""

    documents: Sequence[Document]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDocument:
    """A document with its octets."""

    document: Document
    content: Blob


def parse_unc(text: str) -> UncName | None:
    """A UNC name in pieces; None for all that is none, and for names that lead anywhere but down."""
    if not text.startswith("\\\\") or len(text.encode("utf-8", "surrogatepass")) > MAX_LINK:
        return None
    host, *names = text[2:].removesuffix("\\").split("\\")
    if not is_host(host) or not names or len(names) > MAX_DEPTH + 1:
        return None
    if not all(is_name(name) for name in names):
        return None
    return UncName(host=host, share=names[0], parts=tuple(names[1:]))


def is_host(text: str) -> bool:
    """Whether it is the name of a host, or its address, with or without a port."""
    return _HOST.fullmatch(text) is not None


def is_name(name: str) -> bool:
    """Whether a file of this name can be told of and asked for.

    Names of devices mean nothing to this server, but no Windows client could keep such a file.
    """
    if not _NAME.fullmatch(name) or name in (".", ".."):
        return False
    return re.split("[.:]", name, maxsplit=1)[0].rstrip().upper() not in _DEVICES


def folded(name: str) -> str:
    """What names are compared by: case does not count, nor how an accent is written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def content_type(name: str) -> str:
    """The MIME type that a file's name promises."""
    _, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), UNKNOWN_TYPE) if dot else UNKNOWN_TYPE
