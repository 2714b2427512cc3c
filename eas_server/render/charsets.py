"""Charsets of mail: their Python codecs and their Windows code pages.

Only names in this table are ever given to a codec: Python has codecs that are no charsets (`zip`, `unicode_escape`),
and mail is written by strangers.
"""

import codecs
import re
from functools import lru_cache
from typing import Final

UTF8: Final = "utf-8"
UTF8_PAGE: Final = 65001

GUESS: Final = "ascii"
"""The codec name that stands for "nothing said": UTF-8 where the octets are that, else Windows-1252."""

_FALLBACK: Final = "cp1252"

_PAGES: Final = {
    "ascii": 20127,
    "utf-8": UTF8_PAGE,
    "utf-7": 65000,
    "utf-16": 1200,
    "utf-16-le": 1200,
    "utf-16-be": 1201,
    "utf-32": 12000,
    "utf-32-le": 12000,
    "utf-32-be": 12001,
    "iso8859-1": 28591,
    "iso8859-2": 28592,
    "iso8859-3": 28593,
    "iso8859-4": 28594,
    "iso8859-5": 28595,
    "iso8859-6": 28596,
    "iso8859-7": 28597,
    "iso8859-8": 28598,
    "iso8859-9": 28599,
    "iso8859-10": 28600,
    "iso8859-13": 28603,
    "iso8859-14": 28604,
    "iso8859-15": 28605,
    "iso8859-16": 28606,
    "cp437": 437,
    "cp737": 737,
    "cp775": 775,
    "cp850": 850,
    "cp852": 852,
    "cp855": 855,
    "cp857": 857,
    "cp858": 858,
    "cp860": 860,
    "cp861": 861,
    "cp862": 862,
    "cp863": 863,
    "cp864": 864,
    "cp865": 865,
    "cp866": 866,
    "cp869": 869,
    "cp874": 874,
    "tis-620": 874,
    "cp1250": 1250,
    "cp1251": 1251,
    "cp1252": 1252,
    "cp1253": 1253,
    "cp1254": 1254,
    "cp1255": 1255,
    "cp1256": 1256,
    "cp1257": 1257,
    "cp1258": 1258,
    "koi8-r": 20866,
    "koi8-u": 21866,
    "mac-roman": 10000,
    "mac-cyrillic": 10007,
    "big5": 950,
    "big5hkscs": 951,
    "cp950": 950,
    "gb2312": 936,
    "gbk": 936,
    "gb18030": 54936,
    "hz": 52936,
    "shift_jis": 932,
    "cp932": 932,
    "euc_jp": 51932,
    "iso2022_jp": 50220,
    "iso2022_jp_1": 50220,
    "iso2022_jp_2": 50220,
    "iso2022_jp_ext": 50221,
    "euc_kr": 51949,
    "cp949": 949,
    "johab": 1361,
    "iso2022_kr": 50225,
}

_WIDER: Final = {
    # What these names mean in practice: the Windows superset, which decodes whatever the smaller set does.
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}

_STATEFUL: Final = frozenset(
    {"utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "hz"}
    | {name for name in _PAGES if name.startswith("iso2022")}
)
"""Charsets in which an octet below 0x20 or above 0x7F may be a part of something else."""

_NAME: Final = re.compile(r"[A-Za-z0-9._:+-]{1,40}\Z")

_CONTROLS: Final = bytes(n for n in range(0x20) if n not in (0x09, 0x0A, 0x0D))

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@lru_cache(maxsize=256)
def _canonical(charset: str) -> str | None:
    """The table's name of a charset; None where it has none."""
    if not _NAME.match(charset):
        return None
    if charset.lower() == "iso-8859-8-i":  # the same letters, another promise about their direction
        return "iso8859-8"
    for candidate in (charset, charset.lower().removeprefix("x-"), charset.lower().replace("windows-", "cp")):
        try:
            name = codecs.lookup(candidate).name
        except (LookupError, ValueError):
            continue
        if name in _PAGES:
            return name
    return None


@lru_cache(maxsize=256)
def codec(charset: str) -> str:
    """The Python codec for a charset name of a message; GUESS for an unknown or missing one."""
    name = _canonical(charset.strip()) if charset else None
    return _WIDER.get(name, name) if name else GUESS


@lru_cache(maxsize=256)
def codepage(charset: str) -> int:
    """The Windows code page of a charset name, for InternetCPID ([MS-ASEMAIL] 2.2.2.40); UTF-8 for unknown ones."""
    name = _canonical(charset.strip()) if charset else None
    return _PAGES[name] if name else UTF8_PAGE


def decode(octets: bytes, name: str) -> str:
    """Text from octets by a codec name that `codec` gave; never fails.

    The result holds no character that XML or an inline string cannot carry.
    """
    if name in _STATEFUL:
        return clean(octets.decode(name, "replace"))
    octets = octets.translate(None, _CONTROLS)
    if name not in (GUESS, UTF8):
        return (
            _UNWRITABLE.sub("", octets.decode(name, "replace")) if name == "gb18030" else octets.decode(name, "replace")
        )
    try:
        text = octets.decode(UTF8)
    except UnicodeDecodeError as error:
        # Octets may have been cut within a character; that is no reason to doubt those before it.
        cut = error.reason == "unexpected end of data" and not octets[: error.start].isascii()
        text = octets.decode(UTF8, "replace") if name == UTF8 or cut else octets.decode(_FALLBACK, "replace")
    return text if text.isascii() else _UNWRITABLE.sub("", text)


def clean(text: str) -> str:
    """`text` without the characters that XML and inline strings cannot carry (NUL and most other controls)."""
    return _UNWRITABLE.sub("", text)
