"""SmartReply and SmartForward: what the server adds, what it leaves alone, and what it notes at the original."""

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands import smart_forward, smart_reply
from eas_server.commands.context import Command
from eas_server.commands.quoting import Quoted, add_original
from eas_server.model.blob import read
from eas_server.model.ids import ItemId
from eas_server.model.mail import FolderType, StateChange, Verb
from eas_server.render.mime import index_message
from eas_server.submission.header import read_header
from protocol.commands import smart_forward as forward_types
from protocol.commands import smart_reply as reply_types
from protocol.commands.compose_mail import PRESENT, Source
from protocol.datatypes import ConversationIndex
from protocol.elements import Opaque
from protocol.errors import MalformedRequest
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_1, V16_1
from tests.server.commands.composing import ALICE, BOB, CAROL, NOW, Bench, content

REPLY = smart_reply.COMMAND
FORWARD = smart_forward.COMMAND

TOP = (
    b"From: alice@example.com\r\nTo: bob@example.com\r\nDate: Wed, 04 Mar 2026 05:00:00 +0000\r\n"
    b"Message-ID: <2@phone>\r\n"
)
PLAIN = TOP + b"Subject: Re: lunch\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGern!\r\n"

ORIGINAL = (
    b"From: Bob <bob@example.com>\r\nTo: alice@example.com, carol@example.com\r\nBcc: secret@example.com\r\n"
    b"Subject: lunch\r\nDate: Tue, 03 Mar 2026 05:00:00 +0000\r\nMessage-ID: <1@bob>\r\nReferences: <0@bob>\r\n"
    b"MIME-Version: 1.0\r\n"
)
SIMPLE = ORIGINAL + b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nMittag im Gr\xfcnen?\r\n"
PDF = (
    b"Content-Type: application/pdf; name=menu.pdf\r\nContent-Transfer-Encoding: base64\r\nX-Kept:  as it is \r\n"
    b"Content-Disposition: attachment; filename=menu.pdf\r\n\r\nJVBERi0=\r\n"
)
RICH = (
    ORIGINAL
    + b'Content-Type: multipart/mixed; boundary="m"\r\n\r\n'
    + b'--m\r\nContent-Type: multipart/related; boundary="r"\r\n\r\n'
    + b"--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head><style>p{color:red}</style></head>"
    + b'<body class="x">'
    + b'<p>Mittag im Gr\xc3\xbcnen? <img src="cid:i1"></p></body></html>\r\n'
    + b"--r\r\nContent-Type: image/png\r\nContent-ID: <i1>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n"
    + b"--r--\r\n"
    + b"--m\r\n"
    + PDF
    + b"\r\n--m--\r\n"
)
SIGNED = ORIGINAL + (
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="s"\r\n\r\n'
    b"--s\r\nContent-Type: text/plain\r\n\r\nsigned \t\r\n--s\r\nContent-Type: application/pkcs7-signature\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nMAA=\r\n--s--\r\n"
)
ENCRYPTED = ORIGINAL + (
    b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nMAA=\r\n"
)


def reply(octets: bytes, item: str, **more: str) -> reply_types.Request:
    return reply_types.Request(client_id="1", source=Source(item_id=item), mime=Opaque(octets), **more)


def forward(octets: bytes, item: str, **more: str) -> forward_types.Request:
    return forward_types.Request(client_id="1", source=Source(item_id=item), mime=Opaque(octets), **more)


async def sent(command: Command, octets: bytes, original: bytes, **more: str) -> bytes:
    """What bob gets of an answer to `original`."""
    bench = Bench()
    item = bench.mail.put(original, b"Return-Path: <bob@example.com>\r\nDelivered-To: alice@example.com\r\n")
    make = reply if command is REPLY else forward
    assert await bench.ask(command, make(octets, item, **more)) is None
    (delivery,) = bench.submission.deliveries(BOB)
    found = await content(delivery)
    index = index_message(found)[0]
    assert delivery.message.index.plain == index.plain
    assert delivery.message.index.attachments == index.attachments
    return found


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not any(part.defects for part in message.walk())
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


# --- text below text ---


@pytest.mark.requirement("MS-ASCMD_R580", "MS-ASCMD_R584", "MS-ASCMD_R605", "MS-ASCMD_R5776")
async def test_a_reply_has_the_original_text_below():
    message = parsed(await sent(REPLY, PLAIN, SIMPLE))
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    text = body(message, "plain")
    assert text.startswith("Gern!\n\n____")
    assert 'From: "Bob" <bob@example.com>\n' in text
    assert "Subject: lunch\n" in text
    assert text.endswith("\n\nMittag im Grünen?\n")
    assert "secret@example.com" not in text


@pytest.mark.requirement("MS-ASCMD_R545", "MS-ASCMD_R548", "MS-ASCMD_R568", "MS-ASCMD_R4407")
async def test_a_forwarded_message_has_text_and_attachments():
    octets = await sent(FORWARD, PLAIN, RICH)
    message = parsed(octets)
    assert message.get_content_type() == "multipart/mixed"
    assert "Gern!" in body(message, "plain")
    assert "Mittag im Grünen?" in body(message, "plain")
    assert PDF in octets
    assert {p.get_content_type() for p in message.iter_attachments()} == {"image/png", "application/pdf"}
    assert b"Bcc" not in octets
    assert b"Return-Path" not in octets


async def test_a_reply_leaves_attachments_behind():
    message = parsed(await sent(REPLY, PLAIN, RICH))
    assert message.get_content_type() == "text/plain"
    assert "Mittag im Grünen?" in message.get_content()


ALTERNATIVE = TOP + (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="a"\r\n\r\n'
    b"--a\r\nContent-Type: text/plain; charset=us-ascii; format=flowed\r\nContent-Description: d\r\n\r\n"
    b"soft \r\nline\r\n"
    b"--a\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"PG1ldGEgY2hhcnNldD1pc28tODg1OS0xPjxib2R5Pk1haWwg/DwvYm9keT4=\r\n--a--\r\n"
)


async def test_both_alternatives_are_extended():
    octets = await sent(REPLY, ALTERNATIVE, RICH)
    message = parsed(octets)
    plain, html = body(message, "plain"), body(message, "html")
    assert plain.startswith("soft line\n\n")
    assert "Mittag im Grünen?" in plain
    assert html.startswith("<meta charset=utf-8><body>Mail ü<hr>")
    assert "<b>From:</b> &quot;Bob&quot; &lt;bob@example.com&gt;" in html
    assert '<style>p{color:red}</style><div><p>Mittag im Grünen? <img src="cid:i1"></p></div>' in html
    assert html.rstrip().endswith("</body>")
    assert [p["Content-ID"] for p in message.iter_attachments()] == ["<i1>"]
    assert b"Content-Description: d\r\n" in octets


async def test_text_that_came_as_plain_is_escaped_in_html():
    evil = ORIGINAL + b"\r\n<script>alert(1)</script>\r\n"
    own = TOP + b"Content-Type: text/html\r\n\r\n<p>x</p>"
    html = body(parsed(await sent(REPLY, own, evil)), "html")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


async def test_the_clients_attachment_keeps_its_octets():
    own = TOP + (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="c"\n\n'
        b"--c\r\n\r\nhello\r\n--c\r\nContent-Type: application/octet-stream\n\n\x80\xff\r\x00\n\r\n--c--\r\nepilogue"
    )
    octets = await sent(FORWARD, own, RICH)
    assert b"\r\n--c\r\nContent-Type: application/octet-stream\n\n\x80\xff\r\x00\n\r\n--c--\r\nepilogue" in octets
    assert b"hello" in octets
    assert PDF in octets


# --- signed and encrypted ---


def protected(original: bytes) -> bytes:
    """The same content as a message of alice's to bob."""
    return TOP + original[original.index(b"MIME-Version") :]


@pytest.mark.parametrize("own", [protected(SIGNED), protected(ENCRYPTED)], ids=["signed", "encrypted"])
@pytest.mark.parametrize("original", [SIMPLE, SIGNED, RICH])
@pytest.mark.parametrize("command", [REPLY, FORWARD], ids=["reply", "forward"])
async def test_a_signed_or_encrypted_body_is_sent_as_it_is(own: bytes, original: bytes, command: Command):
    assert await sent(command, own, original) == own


@pytest.mark.parametrize("original", [SIGNED, ENCRYPTED, SIGNED.replace(b"\r\n", b"\n")])
@pytest.mark.parametrize("command", [REPLY, FORWARD], ids=["reply", "forward"])
async def test_a_protected_original_is_attached_untouched(original: bytes, command: Command):
    octets = await sent(command, PLAIN, original)
    untouched = original.replace(b"Bcc: secret@example.com\r\n", b"").replace(b"Bcc: secret@example.com\n", b"")
    assert b"Content-Type: message/rfc822\r\n" in octets
    assert untouched in octets
    assert b"secret" not in octets
    message = parsed(octets)
    assert body(message, "plain") == "Gern!\n"
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "lunch.eml"


async def test_an_unreadable_original_is_attached():
    broken = ORIGINAL + b'Content-Type: multipart/mixed; boundary="nowhere"\r\n\r\ntext\r\n'
    octets = await sent(FORWARD, PLAIN, broken)
    assert b"Content-Type: message/rfc822\r\n" in octets
    assert b"secret" not in octets


async def test_a_client_without_text_gets_the_original_attached():
    own = TOP + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n"
    message = parsed(await sent(FORWARD, own, SIMPLE))
    assert [p.get_content_type() for p in message.iter_parts()] == ["image/png", "message/rfc822"]


@pytest.mark.requirement("MS-ASCMD_R3775", "MS-ASCMD_R3781")
@pytest.mark.parametrize("command", [REPLY, FORWARD], ids=["reply", "forward"])
async def test_replace_mime_adds_nothing(command: Command):
    assert await sent(command, PLAIN, RICH, replace_mime=PRESENT) == PLAIN


# --- what is around ---


async def test_the_thread_is_named_where_the_client_does_not():
    bench = Bench()
    item = bench.mail.put(SIMPLE)
    await bench.ask(REPLY, reply(PLAIN, item, save_in_sent_items=PRESENT))
    (delivery,) = bench.submission.deliveries(BOB)
    assert b"In-Reply-To: <1@bob>\r\nReferences: <0@bob>\r\n\t<1@bob>\r\n" in delivery.message.trace
    assert delivery.message.index.references == ("<0@bob>", "<1@bob>")
    (copy,) = bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)
    assert copy.message.index.conversation_id == bench.mail.items[1].index.conversation_id


@pytest.mark.requirement(
    "MS-ASCON_R87", "MS-ASCON_R88", "MS-ASCON_R305", "MS-ASCON_R306", "MS-ASCON_R307", "MS-ASCON_R86"
)
@pytest.mark.requirement("MS-ASCON_R192", "MS-ASCON_R194", "MS-ASCON_R259")
@pytest.mark.parametrize(("command", "asked"), [(REPLY, reply), (FORWARD, forward)], ids=["reply", "forward"])
async def test_each_answer_adds_a_level_to_the_index(command: Command, asked: Any):
    bench = Bench()
    name, octets = bench.mail.put(SIMPLE), PLAIN
    for level in range(1, 4):
        item = bench.mail.items[ItemId(level)]
        await bench.ask(command, asked(octets, name))
        message = bench.submission.deliveries(BOB)[-1].message
        before, after = (ConversationIndex.parse(index.conversation_index) for index in (item.index, message.index))
        assert (after.header, after.levels[:-1]) == (before.header, before.levels)
        assert len(after.levels) == len(before.levels) + 1
        assert abs(after.replied[-1] - NOW) < timedelta(seconds=1)
        assert message.index.conversation_id == item.index.conversation_id
        whole = message.trace + await content(bench.submission.deliveries(BOB)[-1])
        name, octets = bench.mail.put(whole), PLAIN.replace(b"<2@", f"<{level + 2}@".encode())


async def test_an_index_that_the_client_gives_is_kept():
    bench = Bench()
    octets = PLAIN.replace(b"Subject", b"Thread-Index: AQHcc\r\nSubject")
    await bench.ask(REPLY, reply(octets, bench.mail.put(SIMPLE)))
    assert b"Thread-Index" not in bench.submission.deliveries(BOB)[0].message.trace


async def test_a_thread_that_the_client_names_is_kept():
    bench = Bench()
    octets = PLAIN.replace(b"Subject", b"In-Reply-To: <1@bob>\r\nSubject")
    await bench.ask(REPLY, reply(octets, bench.mail.put(SIMPLE)))
    assert b"References" not in bench.submission.deliveries(BOB)[0].message.trace


@pytest.mark.requirement("MS-ASEMAIL_R516", "MS-ASEMAIL_R517", "MS-ASEMAIL_R518")
@pytest.mark.parametrize(
    ("command", "to", "verb"),
    [
        (REPLY, b"bob@example.com", Verb.REPLY_TO_SENDER),
        (REPLY, b"bob@example.com, CAROL@example.com", Verb.REPLY_TO_ALL),
        (REPLY, b"bob@example.com, alice@example.com", Verb.REPLY_TO_SENDER),
        (FORWARD, b"bob@example.com", Verb.FORWARD),
    ],
)
async def test_the_original_knows_what_was_done(command: Command, to: bytes, verb: Verb):
    bench = Bench()
    item = bench.mail.put(SIMPLE)
    octets = PLAIN.replace(b"To: bob@example.com", b"To: " + to)
    request = reply(octets, item) if command is REPLY else forward(octets, item)
    await bench.ask(command, request)
    assert bench.mail.changes == [(1, StateChange(verb=verb, verb_time=NOW))]
    await bench.ask(command, request)
    assert len(bench.mail.changes) == 1


async def test_bcc_does_not_leak():
    bench = Bench()
    octets = PLAIN.replace(b"Subject", b"Bcc: carol@example.com\r\nSubject")
    await bench.ask(FORWARD, forward(octets, bench.mail.put(SIGNED), save_in_sent_items=PRESENT))
    for user in (BOB, CAROL):
        (delivery,) = bench.submission.deliveries(user)
        assert b"bcc" not in (await content(delivery)).lower()
    (copy,) = bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)
    assert b"Bcc: carol@example.com\r\n" in await content(copy)


# --- the source ---


@pytest.mark.requirement("MS-ASCMD_R4930", "MS-ASCMD_R4408", "MS-ASCMD_R5777")
@pytest.mark.parametrize(
    "source",
    [
        Source(item_id="5:99"),
        Source(item_id="6:1"),
        Source(item_id="nonsense"),
        Source(folder_id="6", item_id="5:1"),
        Source(long_id="5:99"),
        Source(),
        Source(item_id="5:1", instance_id="2026-03-20T22:40:00.000Z"),
    ],
)
@pytest.mark.parametrize("command", [REPLY, FORWARD], ids=["reply", "forward"])
async def test_a_source_that_is_not_there(source: Source, command: Command):
    bench = Bench()
    bench.mail.put(SIMPLE)
    types = reply_types if command is REPLY else forward_types
    request = types.Request(client_id="1", source=source, mime=Opaque(PLAIN))
    assert await bench.ask(command, request) == CommonStatus.ITEM_NOT_FOUND
    assert not bench.submission.submissions


@pytest.mark.requirement("MS-ASCMD_R541", "MS-ASCMD_R578")
@pytest.mark.parametrize("command", [REPLY, FORWARD], ids=["reply", "forward"])
async def test_an_invalid_instance_id(command: Command):
    bench = Bench()
    bench.mail.put(SIMPLE)
    types = reply_types if command is REPLY else forward_types
    source = Source(folder_id="5", item_id="5:1", instance_id="tomorrow")
    request = types.Request(client_id="1", source=source, mime=Opaque(PLAIN))
    assert await bench.ask(command, request) == CommonStatus.INVALID_DATE_TIME


@pytest.mark.requirement("MS-ASCMD_R5530", "MS-ASHTTP_R526", "MS-ASHTTP_R527", "MS-ASHTTP_R530")
async def test_the_query_line_names_the_source_at_12_1():
    bench = Bench()
    item = bench.mail.put(SIMPLE)
    line = CommandLine(command="SmartReply", collection_id="5", item_id=item, save_in_sent=True)
    assert await bench.post(REPLY, PLAIN, V12_1, line) is None
    (delivery,) = bench.submission.deliveries(BOB)
    assert "Mittag im Grünen?" in parsed(await content(delivery)).get_content()
    assert bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)


@pytest.mark.requirement("MS-ASHTTP_R118")
async def test_a_long_id_names_the_source():
    bench = Bench()
    line = CommandLine(command="SmartForward", long_id=bench.mail.put(SIMPLE))
    assert await bench.post(FORWARD, PLAIN, V12_1, line) is None


# --- repetitions, 16.x ---


async def test_the_same_mime_about_another_source_is_another_message():
    bench = Bench()
    first, second = bench.mail.put(SIMPLE), bench.mail.put(SIGNED)
    assert await bench.ask(REPLY, reply(PLAIN, first)) is None
    assert await bench.ask(REPLY, reply(PLAIN, first)) == CommonStatus.MESSAGE_PREVIOUSLY_SENT
    assert await bench.ask(REPLY, reply(PLAIN, second)) is None


FORWARDEES = forward_types.Forwardees(forwardees=(forward_types.Forwardee(email="bob@example.com"),))


@pytest.mark.requirement("MS-ASCMD_R7176", "MS-ASCMD_R7467")
async def test_forwardees_beside_mime():
    bench = Bench()
    request = forward(PLAIN, bench.mail.put(SIMPLE))
    both = forward_types.Request(client_id="1", source=request.source, mime=request.mime, forwardees=FORWARDEES)
    assert await bench.ask(FORWARD, both, V16_1) == CommonStatus.INVALID_MIME_BODY_COMBINATION
    assert await bench.ask(FORWARD, both, V14_1) is None


async def test_forwardees_of_a_message():
    bench = Bench()
    request = forward_types.Request(client_id="1", source=Source(item_id=bench.mail.put(SIMPLE)), forwardees=FORWARDEES)
    assert await bench.ask(FORWARD, request, V16_1) == CommonStatus.ITEM_NOT_FOUND


@pytest.mark.requirement("MS-ASCMD_R3342")
async def test_mime_is_required():
    with pytest.raises(MalformedRequest):
        await Bench().ask(FORWARD, forward_types.Request(client_id="1", source=Source(item_id="5:1")))


# --- anything at all ---


@given(own=st.binary(max_size=200), other=st.binary(max_size=200), forward=st.booleans(), flat=st.booleans())
def test_whatever_the_octets_are_nothing_fails(own: bytes, other: bytes, forward: bool, flat: bool):
    message = memoryview((TOP if flat else ALTERNATIVE) + b"\r\n" + own)
    original = (ORIGINAL if flat else RICH) + other
    quoted = Quoted(octets=original, index=index_message(original)[0])
    octets = bytes(add_original(message, read_header(message), quoted, forward=forward))
    assert read_header(octets).first(b"to") == b"bob@example.com"
    assert b"secret@example.com" not in octets.split(b"\r\n\r\n", 1)[0]


async def test_the_forwarded_copy_is_as_long_as_it_says():
    bench = Bench()
    octets = PLAIN.replace(b"bob@example.com", b"x@elsewhere.test")
    await bench.ask(FORWARD, forward(octets, bench.mail.put(RICH)))
    forwarding = bench.submission.last.forwarding
    assert forwarding is not None
    assert len(await read(forwarding.content)) == forwarding.content.size


@pytest.mark.parametrize("odd", [b"X-Odd: \0\r\n", b"X-Odd: " + b"x" * 300_000 + b"\r\n"], ids=["NUL", "long"])
def test_an_original_with_a_header_that_nobody_may_send(odd: bytes):
    """Mail from outside may break every rule. It is forwarded all the same, and Bcc is still not told."""
    own = memoryview(PLAIN)
    pdf = ORIGINAL.replace(b"MIME-Version", odd + b"MIME-Version") + PDF
    signed = pdf.replace(b"application/pdf", b'multipart/signed; boundary="s"')
    for octets, kept in ((pdf, b"JVBERi0="), (signed, b"lunch")):
        quoted = Quoted(octets=octets, index=index_message(octets)[0])
        sent = bytes(add_original(own, read_header(own), quoted, forward=True))
        assert kept in sent
        assert b"secret@example.com" not in sent
