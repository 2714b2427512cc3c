"""The mail of the demonstration, declared: who has what in which folder, and how old it is.

Ages are relative to the making, so that every FilterType has something to leave out. Signatures and envelopes are made
with the real keys of the laboratory.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Final

from eas_server.lab.keys import LabKeys
from eas_server.lab.people import ALICE, BOB, CAROL, DOMAIN, PEOPLE, Person
from eas_server.model.mail import Flag, FolderType, ItemState
from eas_server.pki.lab import KeyBundle, to_pkcs12
from eas_server.pki.smime import encrypt, sign_detached, sign_opaque

POSTMASTER: Final = ("Lab CA", f"postmaster@{DOMAIN}")
_PICTURE_SIDE: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A message in a folder of a person."""

    owner: Person
    folder: FolderType
    received: datetime
    content: bytes
    state: ItemState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """A message before it has its octets."""

    name: str
    sender: Person | None
    """None: the laboratory itself."""
    to: tuple[Person, ...]
    subject: str
    age: timedelta
    entity: bytes
    answers: str = ""
    """The name of the letter that this one answers."""
    headers: tuple[str, ...] = ()
    state: ItemState = field(default_factory=ItemState)


def samples(keys: LabKeys, now: datetime) -> Iterator[Sample]:
    """All messages of the demonstration; the sender has a copy in Sent Items."""
    for letter in _letters(keys, now):
        when = (now - letter.age).replace(microsecond=0)
        content = _octets(letter, when)
        for owner in letter.to:
            yield Sample(owner=owner, folder=FolderType.INBOX, received=when, content=content, state=letter.state)
        if letter.sender is not None:
            state = ItemState(read=True)
            yield Sample(owner=letter.sender, folder=FolderType.SENT_ITEMS, received=when, content=content, state=state)


def _octets(letter: _Letter, when: datetime) -> bytes:
    sender = POSTMASTER if letter.sender is None else _name_of(letter.sender)
    lines = [
        f"From: {formataddr(sender)}",
        f"To: {', '.join(formataddr(_name_of(person)) for person in letter.to)}",
        f"Subject: {letter.subject}",
        f"Date: {format_datetime(when)}",
        f"Message-ID: {_message_id(letter.name)}",
        *([f"In-Reply-To: {_message_id(letter.answers)}"] if letter.answers else ()),
        *letter.headers,
        "MIME-Version: 1.0",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii") + letter.entity


def _message_id(name: str) -> str:
    return f"<{name}.lab@{DOMAIN}>"


def _name_of(person: Person) -> tuple[str, str]:
    return person.entry.display_name, person.address


def _entity(text: str) -> EmailMessage:
    entity = EmailMessage(policy=SMTP)
    entity.set_content(text)
    return entity


def _bytes(entity: EmailMessage) -> bytes:
    del entity["MIME-Version"]  # the letter has it
    return entity.as_bytes()


def _plain(text: str) -> bytes:
    return _bytes(_entity(text))


def _with_picture() -> bytes:
    entity = _entity("The new logo is a square that grows dark to the right. (This is the text without the picture.)\n")
    entity.add_alternative(
        "<html><body><p>The <b>new logo</b>:</p><p><img src='cid:logo.lab' alt='the logo'></p>"
        "<p>Do you like it? Zoë thinks it is too plain.</p></body></html>\n",
        subtype="html",
    )
    html = entity.get_payload()[1]  # type: ignore[index]  # of a multipart: the list of its parts
    html.add_related(  # type: ignore[union-attr]
        picture(), "image", "png", cid="<logo.lab>", filename="logo.png", disposition="inline"
    )
    return _bytes(entity)


def _with_attachments() -> bytes:
    entity = _entity("The minutes, the figures and the drawing are attached, and so is what Bob wrote about them.\n")
    entity.add_attachment("Present: Alice, Bob, Carol.\nIt was agreed to meet again.\n", filename="minutes.txt")
    entity.add_attachment("month,amount\nMay,1200\nJune,1340\n", subtype="csv", filename="figures.csv")
    entity.add_attachment(picture(), "image", "png", filename="drawing über alles.png")
    forwarded = _entity("I have looked at the figures. They are right.\n")
    forwarded["From"], forwarded["To"] = formataddr(_name_of(BOB)), formataddr(_name_of(CAROL))
    forwarded["Subject"] = "Figures"
    entity.add_attachment(forwarded)
    return _bytes(entity)


def picture() -> bytes:
    """A small PNG: a gradient."""
    side = _PICTURE_SIDE
    row = b"\0" + b"".join(bytes((255 - 4 * x, 255 - 2 * x, 255)) for x in range(side))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * side, 9)),
        (b"IEND", b""),
    )
    framed = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def _ago(*, days: int = 0, hours: int = 0, minutes: int = 0) -> timedelta:
    return timedelta(days=days, hours=hours, minutes=minutes)


def _letters(keys: LabKeys, now: datetime) -> list[_Letter]:
    letters = [*_older(), *_newer()]
    for sender, receiver in ((BOB, ALICE), (ALICE, BOB), (ALICE, CAROL)):
        letters += _protected(keys, now, sender, receiver)
    letters += (letter for person in PEOPLE if (letter := _own_key(keys, person)) is not None)
    return letters


def _older() -> list[_Letter]:
    return [
        _Letter(
            name="welcome",
            sender=None,
            to=PEOPLE,
            subject="Welcome to the lab",
            age=_ago(days=100),
            entity=_plain("This mailbox was made for a demonstration. Do with it what you like.\n"),
            state=ItemState(read=True),
        ),
        _Letter(
            name="report",
            sender=CAROL,
            to=(ALICE, BOB),
            subject="Report of the last quarter",
            age=_ago(days=45),
            entity=_with_attachments(),
            state=ItemState(read=True, categories=("Finance",)),
        ),
        _Letter(
            name="lunch",
            sender=BOB,
            to=(ALICE,),
            subject="Lunch on Thursday?",
            age=_ago(days=6, hours=2),
            entity=_plain(
                "Hello Alice,\n\nshall we have lunch on Thursday? The usual place, at half past twelve.\n\nBob\n"
            ),
            state=ItemState(read=True),
        ),
        _Letter(
            name="lunch-answer",
            sender=ALICE,
            to=(BOB,),
            subject="Re: Lunch on Thursday?",
            age=_ago(days=5, hours=22),
            entity=_plain("With pleasure. I shall be there.\n\nAlice\n"),
            answers="lunch",
        ),
    ]


def _newer() -> list[_Letter]:
    return [
        _Letter(
            name="logo",
            sender=CAROL,
            to=(ALICE, BOB),
            subject="The new logo",
            age=_ago(days=2, hours=5),
            entity=_with_picture(),
        ),
        _Letter(
            name="minutes",
            sender=ALICE,
            to=(BOB, CAROL),
            subject="Minutes and figures",
            age=_ago(days=1, hours=3),
            entity=_with_attachments(),
        ),
        _Letter(
            name="budget",
            sender=CAROL,
            to=(ALICE,),
            subject="The budget needs your word by tonight",
            age=_ago(minutes=50),
            entity=_plain("Dear Alice,\n\nplease say yes or no.\n\nCarol\n"),
            headers=("Importance: high", "X-Priority: 1"),
            state=ItemState(flag=Flag(status=2, type="Flag for follow up")),
        ),
    ]


def _protected(keys: LabKeys, now: datetime, sender: Person, receiver: Person) -> Iterator[_Letter]:
    """The four forms of S/MIME; without a certificate nobody can be sent what is encrypted."""
    signer, reader = keys.of(sender), keys.of(receiver)
    if signer is None:
        return
    chain = signer.chain

    def sign(how: Callable[..., bytes], text: str, age: timedelta) -> bytes:
        return how(_plain(text), signer.certificate, signer.key, chain, now=now - age)

    def letter(form: str, subject: str, age: timedelta, entity: bytes) -> _Letter:
        name = f"{form}-{sender.name}-{receiver.name}"
        return _Letter(name=name, sender=sender, to=(receiver,), subject=subject, age=age, entity=entity)

    age = _ago(hours=30)
    text = "Whoever reads this can see that it is mine, and that nobody has changed it.\n"
    yield letter("clear-signed", "Signed, and readable everywhere", age, sign(sign_detached, text, age))
    age = _ago(hours=20)
    yield letter("opaque-signed", "Signed, in one piece", age, sign(sign_opaque, text, age))
    if reader is None:
        return
    recipients: Sequence[bytes] = (reader.certificate, signer.certificate)
    secret = _plain("Only you and I can read this.\n")
    yield letter("encrypted", "Encrypted", _ago(hours=8), encrypt(secret, recipients))
    age = _ago(hours=3)
    inner = sign(sign_detached, "Only you and I can read this, and it is mine.\n", age)
    yield letter("signed-encrypted", "Signed, then encrypted", age, encrypt(inner, recipients))


def _own_key(keys: LabKeys, person: Person) -> _Letter | None:
    """The person's own key, for a telephone: opening the attachment imports it."""
    identity = keys.of(person)
    if identity is None:
        return None
    entity = _entity(
        "Attached is your key with its certificate, for this telephone, and the certificate of the lab's root.\n"
        "Open them one after the other. The password of the key is printed where the demonstration was started.\n"
    )
    bundle = KeyBundle(certificate=identity.certificate, key=identity.key, chain=identity.chain)
    pfx = to_pkcs12(bundle, password=keys.pkcs12_password.encode(), name=person.entry.display_name, legacy=True)
    entity.add_attachment(pfx, "application", "x-pkcs12", filename=f"{person.name}.p12")
    entity.add_attachment(keys.root.certificate, "application", "x-x509-ca-cert", filename="root.cer")
    return _Letter(
        name=f"key-{person.name}",
        sender=None,
        to=(person,),
        subject="Your key and certificate",
        age=_ago(minutes=20),
        entity=_bytes(entity),
    )


__all__ = ["Sample", "picture", "samples"]
