"""Distinguished names, as far as they have to be compared (RFC 4514)."""

import re
from typing import Final

DnKey = tuple[tuple[str, ...], ...]
"""A DN by its RDNs, each by its assertions in lower case; two spellings of a DN give the same."""

_SIGN: Final = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.)|(.)", re.DOTALL)
"""Octets in hexadecimal, an escaped character, a character that stands for itself."""
_OPTIONAL_UID: Final = re.compile(r"#'[01]*'B$")


def dn_key(dn: str) -> DnKey:
    """What two spellings of one DN have in common: case, blanks at separators and the way of escaping do not count."""
    return tuple(tuple(sorted(_assertion(part) for part in _split(rdn, "+"))) for rdn in _split(dn, ",") if rdn.strip())


def member_dn(value: str) -> str:
    """The DN in a value of member or uniqueMember; the latter may have a bit string behind it (RFC 4517 3.3.21)."""
    return _OPTIONAL_UID.sub("", value)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that are not escaped."""
    parts = [""]
    escaped = False
    for char in text:
        if char == separator and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts


def _assertion(text: str) -> str:
    name, _, value = text.partition("=")
    signs = list(_SIGN.finditer(value))
    while signs and signs[0][0] == " ":
        signs.pop(0)
    while signs and signs[-1][0] == " ":
        signs.pop()
    return f"{name.strip().casefold()}={''.join(map(_meaning, signs)).casefold()}"


def _meaning(sign: re.Match[str]) -> str:
    if sign[1]:
        return bytes.fromhex(sign[1].replace("\\", "")).decode("utf-8", "replace")
    return str(sign[2] or sign[3])
