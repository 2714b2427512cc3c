"""Read a message once: its index, and the words to search it by."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eas_server.model.mail import PREVIEW_LENGTH, MessageIndex, TextPart
from eas_server.render import addresses, charsets, contents, conversation, headers, message_class, text
from eas_server.render.contents import Contents
from eas_server.render.headers import Fields, Octets
from eas_server.render.meetings import itip
from eas_server.render.structure import Part, Structure, scan
from protocol.datatypes import Mailbox
from protocol.items.email import CONTENT_CLASS

MAX_SEARCH_TEXT: Final = 256 * 1024
"""Characters of the body that are searched."""
MAX_SUBJECT: Final = 4096
MAX_BCC: Final = 1024
"""Characters of Bcc on the wire (schema of Email2)."""

_NUL: Final = re.compile(b"\0")
_PREFIX: Final = re.compile(
    r"\s*(?:(?:re|fwd?|aw|wg|sv|vs|antw|doorst|tr|rv|res|enc|odp|pd|ynt|ilt|r|i)(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[::]\s*)+",
    re.IGNORECASE,
)

LOW, NORMAL, HIGH = 0, 1, 2
_IMPORTANCE: Final = {
    b"low": LOW,
    b"non-urgent": LOW,
    b"5": LOW,
    b"4": LOW,
    b"normal": NORMAL,
    b"3": NORMAL,
    b"high": HIGH,
    b"urgent": HIGH,
    b"1": HIGH,
    b"2": HIGH,
}
_RECEIPT_FIELDS: Final = ("disposition-notification-to", "return-receipt-to", "x-confirm-reading-to")


@dataclass(slots=True, kw_only=True)
class _Body:
    """What is known of the text."""

    plain: TextPart | None = None
    html: TextPart | None = None
    shown: str = ""
    """The plain text, made from the HTML where there is no other."""
    charset: str = ""
    native: int | None = None


PLAIN, HTML = 1, 2


def index_message(octets: Octets, *, received: datetime | None = None) -> tuple[MessageIndex, str]:
    """The index of a message and its text for searching.

    Takes any octets and never fails. `received` stands in for a missing Date in ConversationIndex.
    Octets are read where they are; what is copied is the header, the text (up to `contents.MAX_TEXT`), and of
    attachments a run at a time.
    """
    structure = scan(octets)
    root = structure.root
    found = contents.collect(root) if not structure.broken else Contents()
    kind = _kind(octets, structure, found)
    body = _body(octets, structure, found, kind.description)
    fields = root.fields
    subject = headers.text(headers.first(fields, "subject"))[:MAX_SUBJECT]
    sender = _people(fields, "from")[:1]
    agent = _people(fields, "sender")[:1]
    to, cc, bcc = (_people(fields, name) for name in ("to", "cc", "bcc"))
    names = _Names.of(fields, subject)
    date = headers.date(headers.first(fields, "date"))
    index = MessageIndex(
        size=len(octets),
        subject=subject,
        sender=addresses.joined(sender),
        sending_agent=addresses.joined(agent) if agent and agent[0].address != _address(sender) else "",
        to=addresses.joined(to),
        cc=addresses.joined(cc),
        bcc=addresses.joined(bcc, limit=MAX_BCC),
        reply_to=addresses.joined(_people(fields, "reply-to"), "; "),
        display_to=addresses.display_names(to),
        date=date,
        message_id=names.message_id,
        in_reply_to=names.in_reply_to,
        references=names.references,
        thread_topic=names.topic,
        importance=_importance(fields),
        message_class=kind.message_class,
        content_class=kind.content_class,
        calendar=kind.calendar,
        codepage=charsets.codepage(body.charset),
        native_body_type=body.native,
        plain=body.plain,
        html=body.html,
        preview=body.shown[:PREVIEW_LENGTH],
        text_size=body.plain.size if body.plain else text.utf8_size(body.shown),
        attachments=contents.attachments(octets, found),
        conversation_index=conversation.conversation_index(
            thread=names.thread, date=date or received, answers=len(names.ancestors)
        ),
        conversation_id=conversation.conversation_id(
            root=names.ancestors[0] if names.ancestors else "",
            message_id=names.message_id,
            thread=names.thread,
            topic=names.topic,
            otherwise=octets[: root.start],
        ),
        receipt_requested=any(name in fields for name in _RECEIPT_FIELDS),
        broken=structure.broken,
        has_nul=_NUL.search(octets) is not None,
    )
    return index, _search_text(index, body.shown)


@dataclass(slots=True, kw_only=True)
class _Kind:
    """What a message is."""

    message_class: str
    content_class: str = CONTENT_CLASS
    calendar: TextPart | None = None
    description: str = ""
    """The text of the event, for a message that has no other."""


def _kind(octets: Octets, structure: Structure, found: Contents) -> _Kind:
    """The class; the part that makes a meeting message of it is no attachment."""
    root = structure.root
    plain = message_class.classify(octets, root)
    meeting = itip.find(octets, root) if plain == message_class.NOTE and not structure.broken else None
    if meeting is None:
        notification = itip.named_class(root) if plain == message_class.NOTE else None
        if notification is not None:
            return _Kind(message_class=notification, content_class=itip.CONTENT_CLASS)
        return _Kind(message_class=plain)
    part, message = meeting
    found.attached = [held for held in found.attached if held[0] is not part]
    return _Kind(
        message_class=message.message_class or message_class.NOTE,
        content_class=itip.CONTENT_CLASS,
        calendar=itip.text_part(part),
        description=(message.main.text("DESCRIPTION") or "")[:PREVIEW_LENGTH],
    )


def _people(fields: Fields, name: str) -> tuple[Mailbox, ...]:
    values = fields.get(name)
    return addresses.parse(b", ".join(values)) if values else ()


def _address(people: tuple[Mailbox, ...]) -> str:
    return people[0].address if people else ""


@dataclass(slots=True, kw_only=True)
class _Names:
    """By what a message and its thread are known."""

    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    thread: conversation.Thread | None
    topic: str

    @classmethod
    def of(cls, fields: Fields, subject: str) -> "_Names":
        own = headers.message_ids(headers.first(fields, "message-id"))
        parent = headers.message_ids(headers.first(fields, "in-reply-to"))
        thread = headers.first(fields, "thread-index")
        return cls(
            message_id=own[0] if own else "",
            in_reply_to=parent[0] if parent else "",
            references=headers.message_ids(headers.first(fields, "references")),
            thread=conversation.thread_index(thread) if thread else None,
            topic=headers.text(headers.first(fields, "thread-topic"))[:MAX_SUBJECT] or topic(subject),
        )

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The messages that this one answers, the first of the thread first."""
        return self.references or ((self.in_reply_to,) if self.in_reply_to else ())


def topic(subject: str) -> str:
    """The subject without `Re:`, `Fwd:` and their like."""
    match = _PREFIX.match(subject)
    return (subject[match.end() :] if match else subject).strip()


def _importance(fields: Fields) -> int:
    for name in ("importance", "x-priority", "x-msmail-priority", "priority"):
        value = headers.first(fields, name)
        if value:
            found = _IMPORTANCE.get(value.split()[0].lower())
            if found is not None:
                return found
    return NORMAL


def _body(octets: Octets, structure: Structure, found: Contents, otherwise: str) -> _Body:
    """The text; `otherwise` is shown where there is none."""
    root = structure.root
    if structure.broken:
        found = Contents(plain=Part(root.header, root.start, root.end, {}, "text/plain", {}))
    if contents.cms_type(root):
        return _wrapped_body(octets, root)
    body = _text_body(octets, found)
    body.shown = body.shown or otherwise
    return body


def _text_body(octets: Octets, found: Contents) -> _Body:
    body = _Body()
    if found.plain is not None:
        body.plain, body.shown = contents.text_part(octets, found.plain)
        body.charset = found.plain.params.get("charset", "")
        body.native = PLAIN
    if found.html is not None:
        body.html, source = contents.text_part(octets, found.html)
        body.charset = found.html.params.get("charset", "") or body.charset
        body.native = HTML
        if found.plain is None:
            body.shown = text.plain_from_html(source)
    return body


def _wrapped_body(octets: Octets, root: Part) -> _Body:
    """The text of an opaque-signed message; nothing where it is encrypted."""
    stop = min(root.end, root.start + contents.MAX_CMS)
    inner = contents.unwrap(bytes(octets[root.start : stop]), root.encoding)
    if inner is None:
        return _Body()
    body = _text_body(inner.octets, inner.contents)
    body.plain = _within(root, body.plain)
    body.html = _within(root, body.html)
    return body


def _within(root: Part, part: TextPart | None) -> TextPart | None:
    if part is None:
        return None
    return TextPart(
        start=root.start, end=root.end, encoding=root.encoding, charset=part.charset, size=part.size, wrapped=True
    )


def _search_text(index: MessageIndex, shown: str) -> str:
    names = " ".join(attachment.name for attachment in index.attachments)
    words = (index.subject, index.sender, index.to, index.cc, names, shown[:MAX_SEARCH_TEXT])
    return "\n".join(word for word in words if word)
