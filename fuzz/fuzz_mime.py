"""Whatever the octets, a message is indexed and rendered in every form, as WBXML that reads back, within a second.

    python -m fuzz.fuzz_mime --seconds 10 --seed 1

Mutates the messages of `fixtures/mail`. The same seed gives the same inputs in the same order. A breach is printed with
its octets in base64, to be made a test, and ends the run with status 1.
"""

import argparse
import asyncio
import base64
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import cast

from eas_server.commands.attachments import content_of
from eas_server.commands.items import ItemOptions, email_of
from eas_server.commands.quoting import Quoted, add_original
from eas_server.model.blob import Blob, MemoryBlob, read
from eas_server.model.ids import CollectionId, ItemId, Revision
from eas_server.model.mail import Changed, Item, ItemState
from eas_server.render.mime import index_message
from eas_server.submission.header import InvalidMessage, read_header
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.schema import dump
from protocol.versions import V12_1, V16_1
from protocol.wbxml import Segments, decode, encode

FIXTURES = Path(__file__).parents[1] / "fixtures" / "mail"
LARGEST = 200_000
"""Octets of a seed: larger ones make the run slow and find nothing more."""
SLOW = 1.0
BATCH = 50
ROUNDS = 8
OWN = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n"
WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n",
    b"\r\n ",
    b"--",
    b"=?utf-8?B?",
    b"?=",
    b"=?x?Q?=ff?=",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"Content-Type: ",
    b"multipart/mixed; boundary=b",
    b"message/rfc822",
    b"text/html",
    b"; charset=utf-16",
    b'; boundary=""',
    b"Content-Transfer-Encoding: base64\r\n",
    b"quoted-printable",
    b"application/pkcs7-mime",
    b"multipart/signed",
    b"--b\r\n",
    b"<",
    b">",
    b"&#x110000;",
    b"<!--",
    b"]]>",
    b"<style>",
    b'"',
    b"(",
    b",;:",
    b"@",
    b"\xf0\x9f\x98\x80",
    b"*0*=utf-8''%ff",
    b"=",
    b"Bcc: secret@example.com\r\n",
)
OPTIONS = tuple(
    ItemOptions(preferences=preferences, mime_support=mime, multipart=multipart)
    for preferences, mime, multipart in (
        ((BodyPreference(type=BodyType.PLAIN, truncation_size=7, preview=20),), 0, False),
        ((BodyPreference(type=BodyType.HTML, truncation_size=501),), 0, False),
        (
            (
                BodyPreference(type=BodyType.HTML, all_or_none=True, truncation_size=100),
                BodyPreference(type=BodyType.PLAIN),
            ),
            1,
            False,
        ),
        ((BodyPreference(type=BodyType.MIME),), 2, False),
        ((BodyPreference(type=BodyType.MIME, truncation_size=99),), 2, True),
    )
)


def mutated(seeds: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Messages without end: a seed, cut, changed, doubled and mixed with another in some places."""
    while True:
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, ROUNDS)):
            start = chance.randint(0, len(octets))
            end = min(len(octets), start + chance.choice((0, 1, 2, 8, 64, 1000)))
            match chance.randrange(6):
                case 0:
                    octets[start:end] = b""
                case 1:
                    octets[start:end] = chance.choice(WORDS)
                case 2:
                    octets[start:end] = chance.randbytes(end - start)
                case 3:
                    octets[start:end] = octets[start:end] * chance.randint(2, 40)
                case 4:
                    octets[start:end] = chance.choice(WORDS) * chance.randint(2, 200)
                case _:
                    other = chance.choice(seeds)
                    at = chance.randint(0, len(other))
                    octets[start:end] = other[at : at + chance.randint(0, 2000)]
        yield bytes(octets)


def item_of(octets: bytes) -> Item:
    """What a store would give back."""
    index, _ = index_message(octets)
    one = Revision(1)
    return Item(
        id=ItemId(1),
        revision=one,
        changed=Changed(content=one, read=one, flag=one, categories=one, verb=one),
        received=datetime(2026, 1, 1, tzinfo=UTC),
        state=ItemState(),
        index=index,
        content=MemoryBlob(octets),
        index_offset=0,
    )


async def joined(segments: Segments) -> bytes:
    """A document with what is not in memory read."""
    pieces = [
        bytes(part) if isinstance(part, (bytes, bytearray, memoryview)) else await read(cast(Blob, part))
        for part in segments
    ]
    return b"".join(pieces)


async def render(octets: bytes) -> None:
    """All that the server does with a message."""
    item = item_of(octets)
    for options in OPTIONS:
        email = await email_of(CollectionId("1"), item, options)
        if options.multipart and email.body is not None:
            email = replace(email, body=replace(email.body, data=None, part=1))  # a part can hold what a string cannot
        for version in (V12_1, V16_1):
            segments = encode(dump(email, version))
            whole = await joined(segments)
            assert len(whole) == segments.size, "the document is not as long as it says"
            decode(whole)
    for attachment in item.index.attachments:
        content = content_of(item, attachment)
        assert len(await read(content)) == content.size, "an attachment is not as long as it says"
    for forward in (False, True):
        sent = bytes(
            add_original(memoryview(OWN), read_header(OWN), Quoted(octets=octets, index=item.index), forward=forward)
        )
        assert read_header(sent).first(b"to") == b"b@example.com", "the answer goes to somebody else"
    try:
        header = read_header(octets)
    except InvalidMessage:
        return
    assert not header.visible().has(b"bcc"), "Bcc is told"


def breach(octets: bytes) -> str | None:
    """How the invariant is broken, if it is."""
    begin = time.perf_counter()
    try:
        asyncio.run(render(octets))
    except Exception as error:  # noqa: BLE001 — any of them is a find
        return repr(error)
    spent = time.perf_counter() - begin
    return f"took {spent:.1f} s for {len(octets)} octets" if spent > SLOW else None


def run(seconds: float, seed: int) -> int:
    """Fuzz for so long; gives the exit status."""
    seeds = [path.read_bytes() for path in sorted(FIXTURES.glob("*.eml")) if path.stat().st_size <= LARGEST]
    messages = mutated(seeds, random.Random(seed))
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for octets in islice(messages, BATCH):
            tried += 1
            found = breach(octets)
            if found is not None:
                print(f"seed {seed}, message {tried}: {found}\n{base64.b64encode(octets).decode()}", file=sys.stderr)
                return 1
    print(f"{tried} messages, no breach")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz what reads and renders messages.")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(run(options.seconds, options.seed))


if __name__ == "__main__":
    main()
