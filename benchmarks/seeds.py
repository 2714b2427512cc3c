"""What the stores of the benchmarks hold."""

import asyncio
import base64
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from eas_server.backends.sqlite.store import Store
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import DirectoryEntry
from eas_server.model.ids import INITIAL_KEY, CollectionId, DeviceId, ItemId, UserId
from eas_server.model.mail import NewMessage
from eas_server.model.view import BOTTOM, NO_LIMIT, CollectionState, RangeSet, View
from eas_server.pki.keys import KeyKind, generate_key
from eas_server.pki.lab import Purpose, create_root, issue_person, serial_from
from eas_server.render.mime import index_message

INBOX: Final = CollectionId("1")
NOW: Final = datetime.now(UTC)
AT_ONCE: Final = 64
"""Writes under way at once: they share commits."""

SIZES: Final = ((0.60, 4_000), (0.30, 45_000), (0.09, 460_000), (0.01, 3_000_000))
"""Mixed messages: which part of them has about how many octets; on the average 95 kB."""

_WORDS: Final = (
    "invoice",
    "meeting",
    "report",
    "draft",
    "contract",
    "lunch",
    "release",
    "budget",
    "question",
    "answer",
)


def message(number: int, size: int, randomness: random.Random) -> bytes:
    """A message of about `size` octets: text, text and HTML, or text with an attachment."""
    words = " ".join(randomness.choice(_WORDS) for _ in range(120))
    head = (
        f"From: Sender {number % 50} <sender{number % 50}@example.org>\r\nTo: user@example.com\r\n"
        f"Subject: {randomness.choice(_WORDS)} {number}\r\nMessage-ID: <{number}@bench.example.org>\r\n"
        f"Date: {(NOW - timedelta(minutes=number)).strftime('%a, %d %b %Y %H:%M:%S +0000')}\r\nMIME-Version: 1.0\r\n"
    )
    text = "\r\n".join([words] * 3)
    if size < 10_000:
        filler = "\r\n".join([words] * max(1, size // len(words) - 3))
        html = f"<html><body><p>{text}</p><p>{filler}</p></body></html>"
        return (
            f"{head}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b\r\n"
            f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
        ).encode()
    attached = base64.encodebytes(randomness.randbytes(size * 3 // 4)).decode().replace("\n", "\r\n")
    return (
        f"{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b\r\n"
        f'Content-Type: application/pdf; name="file{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        f"Content-Disposition: attachment\r\n\r\n{attached}--b--\r\n"
    ).encode()


def prose(size: int) -> str:
    """About `size` characters in lines, whose words come as often as words do (Zipf's law over 6,000 of them)."""
    randomness = random.Random(5)
    vocabulary = [
        "".join(randomness.choices("abcdefghijklmnoprstuvwz", k=randomness.randint(2, 9))) for _ in range(6_000)
    ]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    return "\r\n".join(" ".join(randomness.choices(vocabulary, weights, k=11)) for _ in range(size // 72))


async def add_users(store: Store, count: int) -> None:
    """user0@example.com and so on, all with the password `bench`."""
    hashed = [store.admin.add_user(f"user{n}@example.com", "bench") for n in range(count)]
    for at in range(0, count, AT_ONCE):
        await asyncio.gather(*hashed[at : at + AT_ONCE])


async def fill_mixed(store: Store, user: str, count: int) -> int:
    """Put mixed messages into a user's Inbox; gives their octets together."""
    randomness = random.Random(1)
    shares = [share for share, _ in SIZES]
    total = 0
    for number in range(count):
        (size,) = randomness.choices([size for _, size in SIZES], shares)
        octets = message(number, size, randomness)
        total += len(octets)
        await _add(store, user, octets, NOW - timedelta(minutes=number))
    return total


async def fill_small(store: Store, user: str, count: int) -> None:
    """Put many small messages into a user's Inbox."""
    randomness = random.Random(2)
    octets = message(0, 2_000, randomness)
    index, text = index_message(octets)
    for at in range(0, count, AT_ONCE * 8):
        await asyncio.gather(
            *(
                store.mail.add(
                    UserId(user),
                    INBOX,
                    NewMessage(
                        content=MemoryBlob(octets), index=index, text=text, received=NOW - timedelta(minutes=number)
                    ),
                )
                for number in range(at, min(at + AT_ONCE * 8, count))
            )
        )


async def fill_varied(store: Store, user: str, count: int) -> None:
    """Put small messages into a user's Inbox that differ in their words, and index them."""
    randomness = random.Random(4)
    vocabulary = prose(60_000).split()
    for at in range(0, count, AT_ONCE * 8):
        await asyncio.gather(
            *(
                _add(store, user, _varied(number, vocabulary, randomness), NOW - timedelta(minutes=number))
                for number in range(at, min(at + AT_ONCE * 8, count))
            )
        )
    await store.index()


def _varied(number: int, vocabulary: Sequence[str], randomness: random.Random) -> bytes:
    begin = randomness.randrange(len(vocabulary) - 60)
    words = " ".join((*vocabulary[begin : begin + 60], randomness.choice(_WORDS)))
    return (
        f"From: Sender {number % 50} <sender{number % 50}@example.org>\r\nTo: user@example.com\r\n"
        f"Subject: {randomness.choice(_WORDS)} number{number % 5000}\r\nMessage-ID: <{number}@bench.example.org>\r\n"
        f"Date: {(NOW - timedelta(minutes=number)).strftime('%a, %d %b %Y %H:%M:%S +0000')}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n"
    ).encode()


async def _add(store: Store, user: str, octets: bytes, received: datetime) -> None:
    index, text = index_message(octets, received=received)
    await store.mail.add(
        UserId(user), INBOX, NewMessage(content=MemoryBlob(octets), index=index, text=text, received=received)
    )


async def in_sync(store: Store, user: str, devices: Sequence[str], items: int = 0) -> dict[str, str]:
    """Let devices hold the whole Inbox; gives their SyncKeys."""
    tokens = await store.mail.tokens(UserId(user), [INBOX])
    view = View(
        token=tokens[INBOX],
        held=RangeSet([(1, items)] if items else ()),
        low=BOTTOM,
        floor=NO_LIMIT,
    )
    state = CollectionState(key=INITIAL_KEY, view=view)
    keys = await asyncio.gather(
        *(store.state.advance(UserId(user), DeviceId(device), INBOX, None, state) for device in devices)
    )
    assert items == 0 or ItemId(items) in view.held
    return dict(zip(devices, map(str, keys), strict=True))


async def add_people(store: Store, count: int) -> None:
    """A directory of people."""
    first = ("Anna", "Bernd", "Carla", "David", "Emma", "Fritz", "Greta", "Hans", "Ines", "Jan")
    last = ("Abel", "Bauer", "Conrad", "Dietz", "Ebert", "Fuchs", "Graf", "Huber", "Ilg", "Jung")
    await store.admin.add_people(
        DirectoryEntry(
            key="",
            display_name=f"{first[n % 10]} {last[n // 10 % 10]}{n}",
            first_name=first[n % 10],
            last_name=f"{last[n // 10 % 10]}{n}",
            email=f"person{n}@example.com",
            alias=f"p{n}",
            office=f"Room {n % 400}",
            phone=f"+49 30 {n:06}",
            company="Example",
        )
        for n in range(count)
    )


async def certify(store: Store, count: int) -> None:
    """Give the first people a certificate each."""
    begin, end = NOW - timedelta(days=30), NOW + timedelta(days=365)
    randomness = random.Random(3)
    key = generate_key(KeyKind.RSA_2048)
    root = create_root(
        "Bench CA", key=key, serial=serial_from(randomness.randbytes(16)), not_before=begin, not_after=end
    )
    for n in range(count):
        certificate = issue_person(
            root,
            name=f"Person {n}",
            addresses=[f"person{n}@example.com"],
            public_key=key.public_key(),
            purpose=Purpose.BOTH,
            serial=serial_from(randomness.randbytes(16)),
            not_before=begin,
            not_after=end,
        )
        await store.admin.publish_certificate(f"person{n}@example.com", certificate)
