"""A message as it was sent, and the edited copies of it that are stored: indexed once, for whatever its size."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from eas_server.model.blob import Blob
from eas_server.model.mail import MessageIndex
from eas_server.submission.header import Header, with_header

Indexer: TypeAlias = Callable[[bytes | memoryview], tuple[MessageIndex, str]]
"""`eas_server.render.mime.index_message`: the index of a message and its text for searching."""

OFFLOAD_FROM: Final = 256 * 1024
"""Octets: larger messages are indexed beside the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Octets with their index."""

    content: Blob
    header: Header
    index: MessageIndex
    text: str


class Original:
    """A message in memory, with its header."""

    def __init__(self, message: memoryview, header: Header, index: Indexer, found: tuple[MessageIndex, str]) -> None:
        self.message = message
        self.header = header
        self.index, self.text = found
        self._indexer = index

    @classmethod
    async def read(cls, message: memoryview, header: Header, index: Indexer) -> "Original":
        """Index a message of which the outer header is known."""
        large = message.nbytes >= OFFLOAD_FROM
        found = await asyncio.to_thread(index, message) if large else index(message)
        return cls(message, header, index, found)

    def copy(self, header: Header, above: bytes = b"") -> Copy:
        """The message with another header; `above` are the lines that will be put on top of it.

        The body is neither copied nor read again: its places in the index move by what the header grew.
        """
        index = self.index
        if header is not self.header or above:
            index = _moved(index, header.size - self.header.size)
            index = _headed(index, self._indexer(above + header.octets + header.eol)[0])
        content = with_header(header, self.header, self.message)
        return Copy(content=content, header=header, index=index, text=self.text)


def _moved(index: MessageIndex, by: int) -> MessageIndex:
    if not by:
        return index
    return replace(
        index,
        size=index.size + by,
        plain=index.plain and replace(index.plain, start=index.plain.start + by, end=index.plain.end + by),
        html=index.html and replace(index.html, start=index.html.start + by, end=index.html.end + by),
        calendar=index.calendar
        and replace(index.calendar, start=index.calendar.start + by, end=index.calendar.end + by),
        attachments=tuple(replace(a, start=a.start + by, end=a.end + by) for a in index.attachments),
    )


def _headed(index: MessageIndex, header: MessageIndex) -> MessageIndex:
    """`index` with what `header` says of the fields that are edited or added."""
    return replace(
        index,
        sender=header.sender,
        sending_agent=header.sending_agent,
        bcc=header.bcc,
        date=header.date,
        message_id=header.message_id,
        in_reply_to=header.in_reply_to,
        references=header.references,
        conversation_index=header.conversation_index,
        conversation_id=header.conversation_id,
    )
