"""The values of elements as they are read: what a text has to look like to be a number, a moment, octets."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any, Final

from protocol import quirks
from protocol.datatypes import is_dashed, parse_datetime
from protocol.elements import Content, Element, Opaque
from protocol.errors import quote


class Form(Enum):
    """A form of a value on the wire, where the type alone does not tell."""

    DEFAULT = "default"
    COMPACT = "compact"
    OPAQUE = "opaque"
    DOUBLE = "double"


COMPACT: Final = Form.COMPACT
OPAQUE: Final = Form.OPAQUE
DOUBLE: Final = Form.DOUBLE
"""A text that is a number with fractions; it stays as it was written ([MS-ASDTYPE] 2.4)."""

_INT_DIGITS: Final = 20
"""More digits than any number of the protocol has: int() must not be given megabytes of them."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""What the reader of WBXML makes of octets that are not UTF-8."""


class Bad(Exception):
    """A wrong value below; the path grows on the way up."""

    def __init__(self, reason: str, *path: str) -> None:
        self.reason = reason
        self.path = list(path)


Load = Callable[[Element], Any]


def _text(e: Element) -> str:
    if e.children:
        raise Bad("child elements where a value belongs")
    return e.text


def read_content(e: Element) -> Content:
    """The content as it is."""
    if e.children:
        raise Bad("child elements where a value belongs")
    return e.content if e.content is not None else ""


def read_bool(e: Element) -> bool:
    """0 or 1; an empty element is true."""
    text = _text(e).strip()
    if text.lower() in ("", "1", "true"):
        return True
    if text.lower() in ("0", "false"):
        return False
    raise Bad(f"{quote(text)} is neither 0 nor 1")


def _number(e: Element) -> int:
    text = _text(e).strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _INT_DIGITS):
        raise Bad(f"{quote(text)} is not a number")
    return int(text)


def integers(low: int | None, high: int | None) -> Load:
    """Whole numbers within limits."""

    def read(e: Element) -> int:
        number = _number(e)
        if (low is not None and number < low) or (high is not None and number > high):
            raise Bad(f"{number} is not between {low} and {high}")
        return number

    return read


def int_enum(kind: type[IntEnum]) -> Load:
    """The members of an enumeration of numbers."""

    def read(e: Element) -> IntEnum:
        try:
            return kind(_number(e))
        except ValueError:
            raise Bad(f"{quote(e.text)} is not a valid {kind.__name__}") from None

    return read


def enum(kind: type[Enum]) -> Load:
    """The members of an enumeration of texts."""

    def read(e: Element) -> Enum:
        try:
            return kind(_text(e))
        except ValueError:
            raise Bad(f"{quote(e.text)} is not a valid {kind.__name__}") from None

    return read


def texts(limit: int | None) -> Load:
    """Texts of so many characters at most."""

    def read(e: Element) -> str:
        text = _text(e)
        if limit is not None and len(text) > limit:
            raise Bad(f"longer than {limit} characters")
        if not text.isascii() and _SURROGATE.search(text):
            raise Bad("octets that are not UTF-8")  # no store, no directory and no digest could take them
        return text

    return read


_DOUBLE: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_MAX_DOUBLE: Final = 64
"""Characters of a number that anybody means."""


def read_double(e: Element) -> str:
    """A number with fractions, as text; an empty one says nothing."""
    text = _text(e).strip()
    if len(text) > _MAX_DOUBLE or (text and _DOUBLE.fullmatch(text) is None):
        raise Bad(f"{quote(text)} is not a number")
    return text


def datetimes(form: Form) -> Load:
    """Moments in either form, or in that of the element alone (quirks.MIXED_DATE_FORMS)."""

    def read(e: Element) -> datetime:
        text = _text(e).strip()
        mixed = is_dashed(text) is (form is COMPACT)
        if mixed and not quirks.tolerates(quirks.MIXED_DATE_FORMS):
            raise Bad(f"{quote(text)} is a date and time in the other form")
        try:
            return parse_datetime(text)
        except ValueError:
            raise Bad(f"{quote(e.text)} is not a date and time") from None

    return read


def read_opaque(e: Element) -> bytes:
    """Octets as they are when opaque; an inline text holds them as base64 (MS-ASDTYPE_R91, R98)."""
    return e.octets if isinstance(e.content, Opaque) else read_base64(e)


def read_base64(e: Element) -> bytes:
    """Octets as base64 text."""
    if isinstance(e.content, Opaque):
        return e.octets
    try:
        return base64.b64decode("".join(_text(e).split()), validate=True)
    except (binascii.Error, ValueError):
        raise Bad("not base64") from None
