"""What names, addresses, texts, sizes and passwords of the administrator may be.

Each function raises ValueError, which says why, for what it cannot take.
"""

import re
import unicodedata
from typing import Final

from eas_server.submission.routing import is_address, normal_address

MAX_TEXT: Final = 256
"""Characters of a property; the protocol documents name no limit, and clients cut what is longer."""
MAX_USER: Final = 254
MAX_PASSWORD_OCTETS: Final = 1024
NO_LIMIT: Final = -1
"""The size of a mailbox without a quota."""

_UNFIT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that no line of text holds: controls (NUL would even end a text on the wire), line ends."""
_SIZE: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def is_one_line(text: str) -> bool:
    """Whether there are no line ends and no control characters in it."""
    return not any(unicodedata.category(sign) in _UNFIT for sign in text)


def address(text: str) -> str:
    """A mail address, its domain in lower case and ASCII form."""
    found = normal_address(text.strip())
    if not is_address(found):
        raise ValueError('is no mail address: "alice@example.com"')
    return found


def domain(text: str) -> str:
    """A mail domain in lower case and ASCII form."""
    found = normal_address(f"x@{text.strip()}")
    if not is_address(found) or "." not in found:
        raise ValueError('is no mail domain: "example.com"')
    return found.partition("@")[2]


def user_name(text: str) -> str:
    """What somebody signs in with. HTTP's Basic authentication takes no colon, and a backslash parts off a domain."""
    user = text.strip().lower()
    wrong = any(sign in ':\\/"<>' or sign.isspace() or not sign.isprintable() for sign in user)
    if wrong or not 0 < len(user) <= MAX_USER or user.count("@") > 1 or user[0] == "@" or user[-1] == "@":
        raise ValueError('cannot be a user: "alice@example.com" or "alice"')
    return user


def line(text: str) -> str:
    """One line of text, such as a name."""
    found = text.strip()
    if not is_one_line(found):
        raise ValueError("holds line ends or control characters")
    if len(found) > MAX_TEXT:
        raise ValueError(f"has {len(found)} characters; {MAX_TEXT} are allowed")
    return found


def octets(text: str) -> int:
    """A number of octets: `500M`, `2G`; `none` is NO_LIMIT."""
    if text.strip().lower() == "none":
        return NO_LIMIT
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError('is no size: "500M", "2G", or "none" for no limit')
    return int(float(match["number"]) * _UNITS[match["unit"].upper()])


def password(text: str) -> str:
    """A password, as it is. The message of a refusal does not hold it."""
    if not text:
        raise ValueError("the password is empty")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_OCTETS:
        raise ValueError(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
    if not is_one_line(text):
        raise ValueError("the password holds line ends or control characters: give one line")
    return text


def picture(content: bytes, limit: int) -> bytes:
    """A JPEG or PNG picture of at most `limit` octets."""
    if len(content) > limit:
        raise ValueError(f"more than {limit} octets")
    if not content.startswith(_PICTURES):
        raise ValueError("is neither a JPEG nor a PNG picture")
    return content
