"""Address lists ([RFC 5322] 3.4), read leniently and in one pass, and written as clients want them."""

import re
from collections.abc import Iterable
from typing import Final

from eas_server.render import charsets, headers
from protocol.datatypes import Mailbox

MAX_LENGTH: Final = 32768
"""Characters of an address list on the wire ([MS-ASEMAIL] 2.2.2.36, 2.2.2.79)."""
MAX_ADDRESSES: Final = 2000

_COMMON: Final = re.compile(r"""\s*+(?:"([^"\\]*+)"\s*+|([^"<>(),;:@\\]*+))<([^<>\s@]++@[^<>\s@]++)>\s*+(?:,|\Z)""")
"""A name and an address in angle brackets, which is what nearly all mail has."""
_TOKEN: Final = re.compile(r""""((?:[^"\\]|\\.)*+)"?|<([^<>]*+)>?|([,;])|(:)|\(|[^\s"<,;:(]++|\s++|.""", re.DOTALL)
_COMMENT_TOKEN: Final = re.compile(r"\\.|[()]|[^()\\]++|\\", re.DOTALL)


class _Reading:
    """What was read of one mailbox so far."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.comments: list[str] = []
        self.angle: str | None = None

    def finish(self) -> Mailbox | None:
        words = "".join(self.words).strip()
        comment = " ".join(self.comments).strip()
        if self.angle is not None:
            return Mailbox(_name(words or comment), _address(self.angle))
        if "@" in words and not any(c.isspace() for c in words):
            return Mailbox(_name(comment), _address(words))
        if words:  # neither brackets nor an @: a bare local name, or text that is shown as it came
            return Mailbox("", words) if " " not in words else Mailbox(_name(words), "")
        return None


def _name(raw: str) -> str:
    decoded = headers.decode_words(raw) if "=?" in raw else raw
    return " ".join(decoded.split())


def _address(raw: str) -> str:
    """Without source route and spaces."""
    address = "".join(raw.split())
    return address.rpartition(":")[2] if address.startswith("@") else address


def parse(value: bytes) -> tuple[Mailbox, ...]:
    """The mailboxes of a field, groups dissolved; never fails."""
    raw = charsets.decode(value, charsets.GUESS)
    found: list[Mailbox] = []
    mailbox = _Reading()
    at = 0
    fresh = True
    while at < len(raw) and len(found) < MAX_ADDRESSES:
        if fresh and (common := _COMMON.match(raw, at)):
            found.append(Mailbox(_name(common[1] or common[2] or ""), common[3]))
            at = common.end()
            continue
        match = _TOKEN.match(raw, at)
        if match is None:
            break
        at = match.end()
        fresh = bool(match[3])
        if fresh:
            found.extend(filter(None, [mailbox.finish()]))
            mailbox = _Reading()
        elif match[4]:
            mailbox = _Reading()  # what came before the colon was the name of a group
        elif match[1] is not None:
            mailbox.words.append(re.sub(r"\\(.)", r"\1", match[1]))
        elif match[2] is not None:
            mailbox.angle = match[2]
        elif match[0] == "(":
            comment, at = _comment(raw, at)
            mailbox.comments.append(comment)
        else:
            mailbox.words.append(match[0])
    found.extend(filter(None, [mailbox.finish()]))
    return tuple(found)


def _comment(raw: str, at: int) -> tuple[str, int]:
    """The comment whose parenthesis was opened before `at`, nested ones included, and where it ends."""
    depth = 1
    out: list[str] = []
    while at < len(raw):
        match = _COMMENT_TOKEN.match(raw, at)
        if match is None:
            break
        at = match.end()
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            break
        out.append(match[0].removeprefix("\\") or "\\")
    return "".join(out), at


def joined(addresses: Iterable[Mailbox], separator: str = ", ", limit: int = MAX_LENGTH) -> str:
    """Whole addresses up to `limit` characters."""
    out: list[str] = []
    length = 0
    for address in addresses:
        shown = str(address)
        length += len(shown) + len(separator)
        if length > limit + len(separator):
            break
        out.append(shown)
    return separator.join(out)


def display_names(addresses: Iterable[Mailbox]) -> str:
    """DisplayTo: the names, or addresses where there is no name, separated by ";" (MS-ASEMAIL_R399, R400)."""
    return ";".join(address.name or address.address for address in addresses)[:MAX_LENGTH]
