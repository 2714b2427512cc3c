"""Automatic replies ([RFC 3834]): what is answered, and with what mail."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eas_server.model.mail import MessageIndex
from eas_server.model.preferences import AutomaticReply
from eas_server.render import addresses
from eas_server.render.headers import Fields, text
from eas_server.render.item_body import ItemText
from eas_server.render.meetings.letter import Contents, Letter, Person, ascii_address, is_address, mime
from eas_server.render.text import plain_from_html
from protocol.datatypes import Mailbox

PREFIX: Final = "Automatic reply: "
_MAX_REFERENCES: Final = 800
"""Octets of References: a line of mail has 998 ([RFC 5322] 2.1.1)."""

_MACHINES: Final = re.compile(
    r"owner-.*|.*-(?:owner|request|relay|outgoing)|(?:.*[-+.])?bounces?(?:[-+=._].*)?|"
    r"(?:.*[-_.+])?(?:no|do[-_.]?not|dont)[-_.]?reply(?:[-_.+].*)?|"
    r"mailer-daemon|listserv|majordomo|mailman|postmaster(?:[-+].*)?"
)
"""Local parts behind which nobody reads, or too many ([RFC 3834] 2, [RFC 5230] 4.6)."""
_BULK: Final = frozenset({b"bulk", b"list", b"junk", b"auto_reply"})
_SUPPRESSED: Final = frozenset({b"oof", b"autoreply", b"all"})
_AUTOMATIC: Final = frozenset(
    {"mailing-list", "x-mailing-list", "x-autoreply", "x-auto-reply", "x-autorespond", "x-mail-autoreply", "x-loop"}
)
"""Fields that only lists and machines write."""
_JUNK: Final = ("x-spam-flag", "x-spam-status", "x-spam")
_ADDRESSED: Final = ("to", "cc", "resent-to", "resent-cc")


def normal(address: str) -> str:
    """An address for comparing."""
    return ascii_address(address).lower()


def is_answerable(sender: str) -> bool:
    """Whether there may be somebody behind the envelope's sender; "" is nobody."""
    address = normal(sender)
    return is_address(address) and address.isascii() and _MACHINES.fullmatch(address.rpartition("@")[0]) is None


def is_personal(fields: Fields, own: Collection[str]) -> bool:
    """Whether a message with this header was written by a person to the user.

    `own`: the user's addresses, normal ones. Answered is neither what a machine wrote, nor what came by a list, nor
    junk, nor mail in which the user is not named ([RFC 3834] 2).
    """
    named = {normal(one.address) for name in _ADDRESSED for one in _people(fields, name)}
    writers = [one.address for name in ("from", "sender") for one in _people(fields, name)]
    return (
        not named.isdisjoint(own)
        and all(is_answerable(writer) and normal(writer) not in own for writer in writers)
        and not is_automatic(fields)
        and not any(_word(value) in {b"yes", b"true"} for name in _JUNK for value in fields.get(name, ()))
    )


def _people(fields: Fields, name: str) -> list[Mailbox]:
    return [one for value in fields.get(name, ()) for one in addresses.parse(value) if one.address]


def _word(value: bytes) -> bytes:
    """The first word of a value, in lower case."""
    return re.split(rb"[\s;,(]", value.strip(), maxsplit=1)[0].lower()


def is_automatic(fields: Fields) -> bool:
    """Whether a machine wrote the message, or a list passed it on."""
    if any(name.startswith("list-") or name in _AUTOMATIC for name in fields):
        return True
    if any(_word(value) != b"no" for value in fields.get("auto-submitted", ())):
        return True
    if any(_word(value) in _BULK for value in fields.get("precedence", ())):
        return True
    if any(_word(value) == b"multipart/report" for value in fields.get("content-type", ())):
        return True
    if any(value.strip() == b"<>" for value in fields.get("return-path", ())):
        return True
    suppressed = b",".join(fields.get("x-auto-response-suppress", ())).lower()
    return not _SUPPRESSED.isdisjoint(word.strip() for word in suppressed.split(b","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who answers whom, and when."""

    sender: Person
    to: str
    now: datetime
    message_id: str
    """With its angle brackets."""


def automatic_reply(reply: AutomaticReply, original: MessageIndex, envelope: Envelope) -> bytes:
    """The mail that answers `original`."""
    shown = ItemText(plain_from_html(reply.text), reply.text) if reply.html else ItemText(reply.text)
    letter = Letter(
        sender=envelope.sender, to=(Person(address=envelope.to),), now=envelope.now, message_id=envelope.message_id
    )
    fields = [
        ("Auto-Submitted", "auto-replied"),
        ("X-Auto-Response-Suppress", "All"),  # what Exchange looks for
        *_thread(original),
    ]
    return mime(letter, Contents(subject=PREFIX + text(original.subject.encode()), text=shown, fields=tuple(fields)))


def _thread(original: MessageIndex) -> list[tuple[str, str]]:
    """In-Reply-To and References ([RFC 5322] 3.6.4); of a very long thread its end."""
    if not original.message_id or not original.message_id.isascii() or len(original.message_id) > _MAX_REFERENCES:
        return []
    kept: list[str] = []
    size = 0
    for each in reversed((*original.references, original.message_id)):
        size += len(each) + 1
        if size > _MAX_REFERENCES or not each.isascii():
            break
        kept.insert(0, each)
    return [("In-Reply-To", original.message_id), ("References", " ".join(kept))]
