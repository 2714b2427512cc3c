"""To which conversation a message belongs, and where in it ([MS-ASEMAIL] 2.2.2.21, 2.2.2.22; [MS-ASCON] 2.2.2.4).

The id follows from the first message of the thread, which each answer names in References, so that a conversation stays
one whether or not the mailers in it write Thread-Index. Only where no message id is known, Thread-Index or the topic
decide.
"""

import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eas_server.model.mail import MessageIndex
from protocol.datatypes import CONVERSATION_ID_SIZE, ConversationIndex

LEVEL_SIZE: Final = 5
"""Octets that each answer in a thread adds to its index."""
MAX_LEVELS: Final = 50

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the date of a message that has none."""
_EPOCH_MARK: Final = 1


@dataclass(frozen=True, slots=True)
class Thread:
    """What a Thread-Index header says."""

    index: ConversationIndex
    id: bytes


def thread_index(value: bytes) -> Thread | None:
    """Read a Thread-Index header; None for what cannot be one."""
    try:
        index, id_ = ConversationIndex.from_thread_index(binascii.a2b_base64(value))
    except ValueError:  # binascii.Error is one
        return None
    if index.header[0] == _EPOCH_MARK:
        # Newer mailers write the first five octets of the FILETIME, which begin with 1 until the year 2057, where the
        # older ones and the protocol documents have the second to the sixth.
        index = ConversationIndex(index.header[1:] + b"\0", index.levels)
    return Thread(index, id_)


def conversation_id(
    *, root: str, message_id: str, thread: Thread | None, topic: str, otherwise: bytes | memoryview = b""
) -> bytes:
    """16 octets: the same for all messages of a conversation.

    `root` is the first of the References (or In-Reply-To), "" where there is none; `otherwise` stands for a message
    that says nothing of itself.
    """
    if root or message_id:
        return _hash(b"id", (root or message_id).encode("utf-8", "replace"))
    if thread is not None:
        return thread.id
    if topic:
        return _hash(b"topic", " ".join(topic.lower().split()).encode("utf-8", "replace"))
    return _hash(b"octets", otherwise)


def _hash(kind: bytes, value: bytes | memoryview) -> bytes:
    return hashlib.blake2b(value, digest_size=CONVERSATION_ID_SIZE, person=kind).digest()


def next_in_thread(original: MessageIndex, moment: datetime, *, random: int) -> bytes:
    """The Thread-Index of an answer to a message or a forwarding of it, sent at `moment` (MS-ASCON_R305, R306).

    A level is added to those of the original; from MAX_LEVELS on none. `random`: see `ConversationIndex.reply`. b""
    where the original has no place in a conversation.
    """
    try:
        index = ConversationIndex.parse(original.conversation_index)
        if len(index.levels) < MAX_LEVELS:
            index = index.reply(moment, random=random)
        return index.to_thread_index(original.conversation_id)
    except ValueError:
        return b""


def conversation_index(*, thread: Thread | None, date: datetime | None, answers: int) -> bytes:
    """Five octets of time and five for each answer in the thread.

    From Thread-Index where there is one. Otherwise the header has the message's own date, the only one known, and each
    of the `answers` up to and with it a level without a time difference.
    """
    if thread is not None:
        index = ConversationIndex(thread.index.header, thread.index.levels[:MAX_LEVELS])
        return index.octets
    return ConversationIndex.begin(date or _EARLIEST).octets + bytes(LEVEL_SIZE) * min(answers, MAX_LEVELS)
