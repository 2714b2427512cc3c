"""Text messages (SMS) that a phone keeps in a mail folder: from their properties to what is stored ([MS-ASMS]).

Who wrote and who is written to is told by names and telephone numbers, `"Bob" [MOBILE:+15550100]`, which are no mail
addresses: the index has them as they came.
"""

from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from eas_server.model.kinds import TEXT_MESSAGE
from eas_server.model.mail import MessageIndex
from eas_server.render import text, writing
from eas_server.render.drafts import InvalidDraft, octets_of
from protocol.items.airsyncbase import BodyType
from protocol.items.email import MAX_ADDRESSES, Email

_SHOWN: Final = 60
"""Characters of the text that stand for a subject in other programs."""


def text_message(change: Email, received: datetime, message_id: str) -> bytes:
    """The message as it is kept. Raises InvalidDraft."""
    plain = _text(change)
    subject = change.subject or plain[:_SHOWN]
    lines = (
        writing.unstructured("From", change.sender or ""),
        writing.unstructured("To", change.to or ""),
        writing.subject_line(subject),
        f"Date: {format_datetime(received)}\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n".encode(),
    )
    return b"".join(lines) + writing.text_part(plain, "plain")


def text_message_index(index: MessageIndex, change: Email) -> MessageIndex:
    """The index of such a message, with what its header cannot say."""
    return replace(
        index,
        message_class=TEXT_MESSAGE,
        sender=writing.clean(change.sender or "")[:MAX_ADDRESSES],
        to=writing.clean(change.to or "")[:MAX_ADDRESSES],
        display_to=writing.clean(change.to or "")[:MAX_ADDRESSES],
        subject=writing.clean(change.subject or ""),
        importance=index.importance if change.importance is None else int(change.importance),
        receipt_requested=False,
    )


def _text(change: Email) -> str:
    body = change.body
    if body is None or body.data is None:
        return ""
    if body.type not in {BodyType.PLAIN, BodyType.HTML}:
        raise InvalidDraft(f"a text message of type {body.type}")
    source = octets_of(body.data).decode("utf-8", "replace").replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return source if body.type is BodyType.PLAIN else text.plain_from_html(source)
