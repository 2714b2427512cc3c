"""Text that strangers chose, made harmless for a terminal."""

import unicodedata
from typing import Final

UNFIT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that no line of text holds: controls (NUL would even end a text on the wire), line ends."""


def printable(text: str) -> str:
    """A text with nothing in it that a terminal would act on: devices choose what they call themselves."""
    if text.isprintable():
        return text
    return "".join(sign.encode("unicode_escape").decode("ascii") if _acts(sign) else sign for sign in text)


def shown(text: str) -> str:
    """A text in quotes, harmless."""
    return f'"{printable(text)}"'


def _acts(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category in UNFIT or category[0] == "C"
