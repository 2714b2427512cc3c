"""To which conversation a message belongs, and where in it ([MS-ASEMAIL] 2.2.2.21, 2.2.2.22; [MS-ASCON] 2.2.2.4).

The id follows from the first message of the thread, which each answer names in References, so that a conversation stays
one whether or not the mailers in it write Thread-Index. Only where no message id is known, Thread-Index or the topic
decide.
"""

import binascii
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

ID_SIZE: Final = 16
HEADER_SIZE: Final = 5
LEVEL_SIZE: Final = 5
MAX_LEVELS: Final = 50

_THREAD_HEADER: Final = 22
"""Octets of a Thread-Index before its response levels: 1 reserved, 5 of time, 16 of GUID."""
_THREAD_TIME: Final = slice(1, 6)
_THREAD_GUID: Final = slice(6, 22)
_RESERVED: Final = 1

_FILETIME_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_TICKS: Final = 10
"""FILETIME counts units of 100 nanoseconds, ten in a microsecond."""


def thread_index(value: bytes) -> bytes | None:
    """The octets of a Thread-Index header; None for what cannot be one."""
    try:
        octets = binascii.a2b_base64(value.translate(None, b" \t\r\n"))
    except binascii.Error:
        return None
    levels = len(octets) - _THREAD_HEADER
    if levels < 0 or levels % LEVEL_SIZE or octets[0] != _RESERVED:
        return None
    return octets


def conversation_id(
    *, root: str, message_id: str, thread: bytes | None, topic: str, otherwise: bytes | memoryview = b""
) -> bytes:
    """16 octets: the same for all messages of a conversation.

    `root` is the first of the References (or In-Reply-To), "" where there is none; `otherwise` stands for a message
    that says nothing of itself.
    """
    if root or message_id:
        return _hash(b"id", (root or message_id).encode("utf-8", "replace"))
    if thread is not None:
        return thread[_THREAD_GUID]
    if topic:
        return _hash(b"topic", " ".join(topic.lower().split()).encode("utf-8", "replace"))
    return _hash(b"octets", otherwise)


def _hash(kind: bytes, value: bytes | memoryview) -> bytes:
    return hashlib.blake2b(value, digest_size=ID_SIZE, person=kind).digest()


def conversation_index(*, thread: bytes | None, date: datetime | None, answers: int) -> bytes:
    """Five octets of time and five for each answer in the thread.

    From Thread-Index where there is one. Otherwise the header has the message's own date, the only one known, and each
    of the `answers` before and with it a level without a time difference.
    """
    if thread is not None:
        return _header(thread[_THREAD_TIME]) + thread[_THREAD_HEADER:][: MAX_LEVELS * LEVEL_SIZE]
    ticks = 0
    if date is not None and date > _FILETIME_EPOCH:
        ticks = (date - _FILETIME_EPOCH) // timedelta(microseconds=1) * _TICKS
    header = (ticks >> 16 & 0xFF_FFFF_FFFF).to_bytes(HEADER_SIZE, "big")
    return header + bytes(LEVEL_SIZE) * min(answers, MAX_LEVELS)


def _header(time: bytes) -> bytes:
    """The time of a Thread-Index as FILETIME's octets 1 to 5 (`CA2CFA8A23` is a day in 2009).

    Newer mailers write octets 0 to 4, which begin with 1 until the year 2057.
    """
    return time[1:] + b"\0" if time[0] == _RESERVED else time
