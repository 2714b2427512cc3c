"""Search filters and DNs from what clients type (RFC 4515, RFC 4514); nothing typed keeps a meaning of its own."""

import unicodedata
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

from eas_server.backends.ldap.settings import AttributeMap, Layout

MAX_WORDS: Final = 8
"""More words than this do not make a query more telling, only dearer."""

_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._-")
_VALUE_PREFIX: Final = MappingProxyType({"proxyaddresses": "smtp:"})
"""Attributes (in lower case) that write something before the address."""
_DN_SPECIALS: Final = frozenset('",+;<>\\=#')
_AROUND: Final = ".,;:\"'<>()[]"
_BETWEEN_WORDS: Final = " -"
NOBODY: Final = "(!(objectClass=*))"
"""Matches no entry."""


def escape_value(text: str) -> str:
    """An assertion value: every octet but letters, digits and a few harmless signs as `\\xx`.

    RFC 4515 allows to escape more than it demands; so white space at the ends, which parsers strip, survives too.
    """
    octets = text.encode("utf-8", "replace")
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in octets)


def escape_dn_value(text: str) -> str:
    """An attribute value inside a DN (RFC 4514 2.4)."""
    chars = [_escape_dn_char(char) for char in text.encode("utf-8", "replace").decode()]
    if chars and chars[0] == " ":
        chars[0] = "\\" + chars[0]
    if chars and chars[-1] == " ":
        chars[-1] = "\\ "
    return "".join(chars)


def _escape_dn_char(char: str) -> str:
    if char in _DN_SPECIALS:
        return "\\" + char
    return f"\\{ord(char):02x}" if ord(char) < ord(" ") else char


def both(*filters: str) -> str:
    """All of the filters hold."""
    return f"(&{''.join(filters)})" if len(filters) > 1 else filters[0]


def either(filters: Iterable[str]) -> str:
    """One of the filters holds."""
    parts = list(dict.fromkeys(filters))
    if not parts:
        return NOBODY
    return f"(|{''.join(parts)})" if len(parts) > 1 else parts[0]


def equals(attributes: Iterable[str], values: Sequence[str]) -> str:
    """One of the attributes has one of the values."""
    return either(f"({name}={_prefix(name)}{escape_value(value)})" for name in attributes for value in values)


def present(attributes: Iterable[str]) -> str:
    """One of the attributes has a value."""
    return either(f"({name}=*)" for name in attributes)


def kinds(layout: Layout) -> str:
    """People and groups."""
    return either((layout.person_filter, layout.group_filter))


def addressable(layout: Layout) -> str:
    """People and groups that mail can be sent to: the others are of no use in an address list."""
    return both(kinds(layout), present(layout.attributes.email))


def exact(attributes: AttributeMap, name: str) -> str:
    """`name` is an address or the alias."""
    return equals((*attributes.email, *attributes.addresses, *attributes.alias), (name,))


def words(query: str) -> tuple[str, ...]:
    """The words of a query that are looked for, without the punctuation around them ("Adams, A.").

    Signs that cannot be seen are dropped as servers drop them (RFC 4518 2.2): a word of nothing else would match all.
    """
    stripped = ("".join(filter(is_visible, part)).strip(_AROUND) for part in query.split())
    return tuple(part for part in stripped if part)[:MAX_WORDS]


def is_visible(char: str) -> bool:
    """Not a control or format character."""
    return unicodedata.category(char) not in {"Cc", "Cf"}


def begins(layout: Layout, wanted: Sequence[str], *, inner_words: bool) -> str:
    """Each wanted word begins one of the attributes for name resolution, or (`inner_words`) a later word of one."""
    names = layout.attributes
    single = {each.lower() for each in (*names.email, *names.addresses, *names.alias) if each not in names.display_name}
    inner = [name for name in layout.anr_attributes if inner_words and name.lower() not in single]
    return both(*(_word_begins(layout.anr_attributes, inner, word) for word in wanted))


def _word_begins(attributes: Sequence[str], inner: Sequence[str], word: str) -> str:
    value = escape_value(word)
    starts = [f"({name}={_prefix(name)}{value}*)" for name in attributes]
    later = [f"({name}=*{escape_value(sign)}{value}*)" for name in inner for sign in _BETWEEN_WORDS]
    return either((*starts, *later))


def _prefix(attribute: str) -> str:
    return _VALUE_PREFIX.get(attribute.lower(), "")
