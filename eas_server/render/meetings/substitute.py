"""What a delegate gets of somebody's meeting mail: the substitute meeting invitation ([MS-ASCMD] 3.1.5.6.1).

An ordinary message that says for whom it came and when and where the meeting is. The original is inside, untouched, as
a message that clients are not shown (MS-ASCMD_R5628); it goes along when the substitute is answered or forwarded
(R5625, R5627).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from eas_server.model.blob import Joined, MemoryBlob
from eas_server.model.mail import MessageIndex, NewMessage
from eas_server.render import headers
from eas_server.render.contentlines import Component, dump
from eas_server.render.headers import Octets
from eas_server.render.item_body import ItemText
from eas_server.render.meetings import compose, itip
from eas_server.render.meetings.itip import MeetingMessage
from eas_server.render.meetings.letter import CRLF, Contents, Letter, Person, mime
from eas_server.render.pim import InvalidItem
from protocol.datatypes import parse_mailboxes

SUBSTITUTE: Final = "X-EAS-Substitute"
"""The header field by which a substitute is known."""
_BEGINNINGS: Final = {
    itip.REQUEST_CLASS: "Meeting request for {}: ",
    itip.CANCELED_CLASS: "Meeting of {} was canceled: ",
    itip.ACCEPTED_CLASS: "Answer to the meeting of {}: ",
    itip.TENTATIVE_CLASS: "Answer to the meeting of {}: ",
    itip.DECLINED_CLASS: "Answer to the meeting of {}: ",
}
_PRIVATE: Final = frozenset({"PRIVATE", "CONFIDENTIAL"})

Indexer = Callable[[bytes], tuple[MessageIndex, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """For whom the original came, and who gets the substitute."""

    principal: Person
    delegate: Person


def is_private(calendar: Component) -> bool:
    """Whether a meeting is nobody's business but that of who was invited."""
    return any((event.text("CLASS") or "").strip().upper() in _PRIVATE for event in calendar.components("VEVENT"))


def is_substitute(octets: Octets) -> bool:
    """Whether a message is one, so that the original goes along with an answer (MS-ASCMD_R5625)."""
    return SUBSTITUTE.lower() in headers.header_block(octets, 0, len(octets))[0]


def substitute(original: NewMessage, message: MeetingMessage, parties: Parties, indexer: Indexer) -> NewMessage:
    """The substitute for a delegate; properties by the table of MS-ASCMD_R5604 to R5621."""
    index = original.index
    head, tail = _around(original, message, parties)
    made, text = indexer(head + tail)
    made = replace(
        made,
        size=len(head) + original.content.size + len(tail),
        display_to=index.display_to,
        date=index.date,
        thread_topic=index.thread_topic,
        importance=index.importance,
        codepage=index.codepage,
        native_body_type=index.native_body_type,
        conversation_index=index.conversation_index,
        conversation_id=index.conversation_id,
        attachments=(),
        has_nul=made.has_nul or index.has_nul,
    )
    content = Joined(MemoryBlob(head), original.content, MemoryBlob(tail))
    return NewMessage(content=content, index=made, text=text, received=original.received, trace=original.trace)


def _around(original: NewMessage, message: MeetingMessage, parties: Parties) -> tuple[bytes, bytes]:
    """What stands in front of the original, and what behind it."""
    index = original.index
    whose = parties.principal.name or parties.principal.address
    sender = next((Person(address=m.address, name=m.name) for m in parse_mailboxes(index.sender)), parties.principal)
    seed = f"{index.message_id}\0{parties.principal.address}\0{parties.delegate.address}\0{message.uid}"
    name = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:32]
    domain = parties.delegate.address.rpartition("@")[2] or "localhost"
    letter = Letter(
        sender=sender,
        to=(parties.delegate,),
        now=index.date or original.received,
        message_id=f"<{name}@{domain}>",
    )
    begins = _BEGINNINGS.get(index.message_class, "Meeting of {}: ").format(whose)
    contents = Contents(
        subject=begins + index.subject,
        text=ItemText(_words(message, whose, index.message_class)),
        fields=((SUBSTITUTE, "1"),),
    )
    whole = mime(letter, contents)
    header, _, body = whole.partition(b"MIME-Version: 1.0\r\n")
    boundary = f"=_{hashlib.sha256(whole + seed.encode('utf-8', 'replace')).hexdigest()[:32]}"
    top = f'MIME-Version: 1.0{CRLF}Content-Type: multipart/mixed; boundary="{boundary}"{CRLF}{CRLF}--{boundary}{CRLF}'
    between = (
        f"{CRLF}--{boundary}{CRLF}Content-Type: message/rfc822{CRLF}"
        f"Content-Transfer-Encoding: 8bit{CRLF}Content-Disposition: attachment{CRLF}{CRLF}"
    )
    return header + top.encode() + body + between.encode(), f"{CRLF}--{boundary}--{CRLF}".encode()


def _words(message: MeetingMessage, whose: str, message_class: str) -> str:
    """What the delegate reads (MS-ASCMD_R5613, R5623)."""
    try:
        summary = compose.summary(dump(message.calendar))
    except InvalidItem:
        summary = ""
    said = {
        itip.CANCELED_CLASS: "The meeting was canceled.",
        itip.ACCEPTED_CLASS: "The meeting was accepted.",
        itip.TENTATIVE_CLASS: "The meeting was accepted tentatively.",
        itip.DECLINED_CLASS: "The meeting was declined.",
    }.get(message_class)
    first = f"You get this message as a delegate of {whose}."
    return "\n".join([first, *([said] if said else []), "", summary])
