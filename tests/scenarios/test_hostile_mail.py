"""Messages that break every rule: sent by a client or brought by another server, then synced in every form."""

import asyncio
import base64
import random
from typing import Any

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol.client import ITEM_OPERATIONS, SEND_MAIL, SMART_FORWARD, SMART_REPLY
from protocol.commands import item_operations, smart_forward, smart_reply, sync
from protocol.commands.compose_mail import Source
from protocol.elements import Opaque
from protocol.items.airsyncbase import BodyPartPreference, BodyPreference, BodyType
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_1, V16_1, ProtocolVersion
from tests.scenarios import hostile
from tests.scenarios.hostile import MEBIBYTE, Ground, judge, sending, volley
from tests.scenarios.server import ValidatedDevice

server = pytest.fixture(hostile.running, scope="module")
ground = pytest.fixture(hostile.ground)

B = b"\r\n"


def lines(*each: bytes | str) -> bytes:
    return B.join(one.encode() if isinstance(one, str) else one for one in each) + B


def parts(count: int, boundary: str = "b") -> bytes:
    inner = f"--{boundary}\r\nContent-Type: text/plain; name=x.txt\r\n\r\nx\r\n".encode() * count
    return lines(f"Content-Type: multipart/mixed; boundary={boundary}", "", inner, f"--{boundary}--")


def nested(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + lines("Subject: at the bottom", "", "x")


def nested_parts(depth: int) -> bytes:
    opens = b"".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n".encode() for n in range(depth))
    return opens + lines("Content-Type: text/plain", "", "x")


def encoded_words(count: int) -> bytes:
    return lines("Subject: " + "\r\n ".join("=?utf-8?B?8J+YgA==?=" for _ in range(count)), "", "x")


TEXT = ("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "")
HTML = ("MIME-Version: 1.0", "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: 8bit", "")
RANDOM = random.Random(5).randbytes(3000)

MESSAGES: dict[str, bytes] = {
    "nothing": b"\r\n",
    "no header": lines("", "only a body"),
    "no body": lines("Subject: no body"),
    "no colon": lines("this is no header", "neither is this", "", "x"),
    "octets": RANDOM,
    "octets below a header": lines("Subject: octets", "") + RANDOM,
    "octets in a header": b"Subject: " + RANDOM.replace(b"\n", b"") + b"\r\n\r\nx",
    "NUL": lines("Subject: a\0b", "From: \0@\0", "X\0Y: z", "", "a\0b\0"),
    "NUL in html": lines("Subject: nul", *HTML, "<p>a\0b</p><!-- \0"),
    "controls": lines("Subject: \x01\x02\x1b\x7f", *TEXT, "\x01\x0b\x0c\x1f\x7f"),
    "a long line": lines("Subject: " + "x" * MEBIBYTE, "", "x"),
    "a long field name": lines("X" * MEBIBYTE + ": y", "", "x"),
    "many fields": lines(*[f"X-{n}: y" for n in range(20_000)], "", "x"),
    "one field many times": lines(*["Subject: y", "To: a@example.com", "From: b@example.com"] * 3000, "", "x"),
    "folded without end": lines("Subject: x", *[" y"] * 50_000, "", "x"),
    "encoded words": encoded_words(5000),
    "broken encoded words": lines(
        "Subject: =?utf-8?B?8J+?= =?utf-8?Q?=F0=9F?= =?x?B?=?= =?utf-8?X?y?= =?utf-8?B?!!?=", "", "x"
    ),
    "encoded line ends": lines(
        "Subject: =?utf-8?Q?a=0D=0AX-Injected:_yes=0D=0A=0D=0A?=", "From: =?utf-8?Q?a=0D=0Ab?= <a@example.com>", "", "x"
    ),
    "encoded NUL": lines("Subject: =?utf-8?Q?a=00b?=", "From: =?utf-8?B?AAAA?= <a@example.com>", "", "x"),
    "surrogates": lines(b"Subject: \xed\xa0\x80\xed\xb0\x80", "", b"\xed\xa0\x80"),
    "no characters": lines("Subject: \ufffe\uffff\ufdd0", *TEXT, "\ufffe\uffff\U0001ffff"),
    "utf-16 surrogates": lines(
        "Subject: half", "Content-Type: text/plain; charset=utf-16-le", "", b"\x00\xd8\x00\xd8x\x00"
    ),
    "utf-7": lines("Subject: =?utf-7?Q?+2AA-?=", "Content-Type: text/plain; charset=utf-7", "", "+2AA-+AAA-"),
    "unknown charset": lines(
        "Subject: =?nonsense?Q?a?=", 'Content-Type: text/plain; charset="\x00nonsense"', "", b"\xff\xfe"
    ),
    "odd codecs": lines(
        "Content-Type: text/plain; charset=zlib_codec", "Subject: =?idna?Q?a?= =?rot13?Q?a?= =?hex?Q?zz?=", "", "x"
    ),
    "right to left": lines(
        "Subject: \u202eexe.txt", "From: \u202ealice@example.com\u2066 <x@example.com>", *TEXT, "\u2067" * 100
    ),
    "emoji": lines("Subject: " + "😀" * 300, *TEXT, "😀" * 4000),
    "emoji in html": lines("Subject: html", *HTML, "<b>" + "😀👨‍👩‍👧‍👦é" * 2000),
    "combining": lines("Subject: a" + "\u0300" * 5000, *TEXT, "a" + "\u0300" * 50_000),
    "open tags": lines("Subject: tags", *HTML, "<div>" * 50_000),
    "open comments": lines("Subject: comments", *HTML, "<!--" * 50_000),
    "open attributes": lines("Subject: attributes", *HTML, "<a b='" * 30_000),
    "entities": lines("Subject: entities", *HTML, "&#x110000;&#0;&#xD800;&#99999999999999999999;&amp" * 5000),
    "cdata": lines("Subject: cdata", *HTML, "<![CDATA[" * 20_000 + "<?" * 20_000 + "<script>" * 20_000),
    "parts": parts(5000),
    "an empty boundary": lines('Content-Type: multipart/mixed; boundary=""', "", "--", "", "x", "----"),
    "a long boundary": lines(
        f"Content-Type: multipart/mixed; boundary={'b' * 100_000}", "", f"--{'b' * 100_000}", "", "x"
    ),
    "no boundary": lines("Content-Type: multipart/alternative", "", "--b", "", "x"),
    "the same boundary inside": lines(
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "",
        "x",
        "--b--",
        "--b--",
    ),
    "nested messages": nested(1000),
    "nested parts": nested_parts(1000),
    "a broken base64": lines(
        "Content-Type: application/x; name=a",
        "Content-Disposition: attachment",
        "Content-Transfer-Encoding: base64",
        "",
        "!!!=A=",
        "====",
        "A",
    ),
    "no encoding": lines("Content-Type: text/plain", "Content-Transfer-Encoding: x-uuencode\0", "", "begin 644 x", "x"),
    "a broken quoted-printable": lines(
        "Content-Type: text/plain",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "=ZZ=",
        "=",
        "=F0=9F",
        "=" * 20_000,
    ),
    "no content type": lines("Content-Type: ;;;===///", "Content-Disposition: ;;", "", "x"),
    "parameters": lines(
        "Content-Type: text/plain; " + "; ".join(f"a{n}*{n}*=utf-8''%ff" for n in range(5000)), "", "x"
    ),
    "file names": lines(
        "Content-Type: application/x; name*=utf-16''%00%d8; name=\"../../etc/passwd\0\r\n\t\"",
        "Content-Disposition: attachment; filename*0*=utf-8''%0d%0aX; filename*1=\"\x01\"",
        "",
        "x",
    ),
    "content ids": lines(
        "Content-Type: multipart/related; boundary=b",
        "",
        "--b",
        "Content-Type: image/x",
        "Content-ID: <\r\n\t\0\xff>",
        "Content-Location: \x01",
        "",
        "x",
        "--b--",
    ),
    "dates": lines("Date: Mon, 99 Foo 99999 99:99:99 +99999999", "Subject: dates", "", "x"),
    "early": lines("Date: Mon, 1 Jan 0001 00:00:00 +2359", "Subject: early", "", "x"),
    "late": lines("Date: Fri, 31 Dec 9999 23:59:59 -2359", "Subject: late", "", "x"),
    "addresses": lines("From: <<<>>>,,;;:::@@@", "To: " + "a:" * 5000, 'Cc: "' * 1000, "Reply-To: (((" * 3000, "", "x"),
    "groups": lines("To: undisclosed:;, g: a@example.com, h: b@example.com;;", "", "x"),
    "comments": lines("From: " + "(" * 20_000, "", "x"),
    "references": lines("References: " + "<a@b> " * 20_000, "In-Reply-To: <", "Message-ID: \0", "", "x"),
    "thread index": lines("Thread-Index: !!!", "Thread-Topic: " + "=?" * 5000, "", "x"),
    "a long thread index": lines("Thread-Index: " + base64.b64encode(b"\xff" * 5000).decode(), "", "x"),
    "smime that is none": lines(
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        "Content-Transfer-Encoding: base64",
        "",
        "MIIB",
        "!!!!",
    ),
    "a signature of nothing": lines(
        'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b', "", "--b--"
    ),
    "reports": lines(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        "",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "\0",
        "--b--",
    ),
    "calendars": lines(
        "Content-Type: text/calendar; method=REQUEST",
        "",
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "DTSTART:99999999T999999Z",
        "RRULE:FREQ=\0",
    ),
    "tnef": lines(
        "Content-Type: application/ms-tnef; name=winmail.dat", "Content-Transfer-Encoding: base64", "", "eJ8+Ig=="
    ),
    "importance": lines(
        "Importance: \xff", "X-Priority: 99999999999999999999999", "Sensitivity: \0", "X-MS-Has-Attach: x", "", "x"
    ),
}
FORMS = {
    "plain": (BodyPreference(type=BodyType.PLAIN, truncation_size=7),),
    "html": (BodyPreference(type=BodyType.HTML, truncation_size=1001, all_or_none=True), BodyPreference(type=1)),
    "whole": (BodyPreference(type=BodyType.HTML), BodyPreference(type=BodyType.PLAIN)),
    "mime": (BodyPreference(type=BodyType.MIME, truncation_size=1000),),
    "preview": (BodyPreference(type=BodyType.PLAIN, truncation_size=0, preview=255),),
}
WHOLE = (sync.Options(mime_support=2, mime_truncation=8, body_preferences=(BodyPreference(type=BodyType.MIME),)),)


async def rendered(device: ValidatedDevice, inbox: str, **options: Any) -> dict[str, Any]:
    """What a first Sync of the folder brings, in one form; each answer is validated on the way."""
    device.client.sync_keys.pop(inbox, None)
    return dict((await device.catch_up(inbox, options=(sync.Options(**options),))).added)


@pytest.mark.parametrize("version", [V12_1, V16_1], ids=str)
async def test_messages_that_break_the_rules(ground: Ground, version: ProtocolVersion) -> None:
    """All of them are delivered, and no form of a body makes one of them stand in the way of the others."""
    answers = await ground.deliver(*MESSAGES.values(), ground.letter("The last"))
    assert [answer[:3] for answer in answers] == ["250"] * (len(MESSAGES) + 1)
    bob = ground.device("bob", version)
    inbox = (await bob.folders())[FolderType.INBOX]
    for form, preferences in FORMS.items():
        found = await rendered(bob, inbox, mime_support=2 if form == "mime" else 0, body_preferences=preferences)
        assert len(found) == len(MESSAGES) + 1, form
    if version >= V14_1:
        part = BodyPartPreference(type=BodyType.HTML, truncation_size=500)
        found = await rendered(bob, inbox, body_part_preference=part, body_preferences=FORMS["plain"])
        assert len(found) == len(MESSAGES) + 1
    await _all_fetched(ground, bob, inbox, found)


async def _all_fetched(ground: Ground, bob: ValidatedDevice, inbox: str, found: dict[str, Any]) -> None:
    """Every message by itself, whole, and every attachment."""
    options = item_operations.FetchOptions(mime_support=2, body_preferences=(BodyPreference(type=BodyType.MIME),))
    wanted = [
        item_operations.Fetch(store="Mailbox", collection_id=inbox, server_id=id_, options=options) for id_ in found
    ]
    wanted += [item_operations.Fetch(store="Mailbox", file_reference=f"{id_}:{n}") for id_ in found for n in range(2)]
    for at in range(0, len(wanted), 50):
        request = item_operations.Request(operations=tuple(wanted[at : at + 50]))
        for multiparts in (False, True):
            answer = await bob.call(ITEM_OPERATIONS, request, multiparts=multiparts)
            assert {each.status for each in answer.take().responses.fetched} <= {1, 10, 15}
    del ground


async def test_octets_of_messages_that_break_the_rules(ground: Ground) -> None:
    """What came is what goes out as MIME, save for what an inline string cannot hold."""
    whole = {name: octets for name, octets in MESSAGES.items() if b"\0" not in octets and len(octets) < 200_000}
    await ground.deliver(*whole.values())
    bob = ground.device("bob")
    inbox = (await bob.folders())[FolderType.INBOX]
    found = (await bob.catch_up(inbox, options=MIME)).added
    ends = {octets_of(mail).replace(b"\r\n", b"\n").strip(b"\n") for mail in found.values()}
    for name, octets in whole.items():
        plain = octets.replace(b"\r\n", b"\n").strip(b"\n")
        assert any(end.endswith(plain) for end in ends), name


async def test_every_cut_of_a_text(ground: Ground) -> None:
    """No TruncationSize cuts a character in two, whatever it is made of."""
    texts = ("😀" * 20, "é" * 40, "a\u0300" * 20, "\U000e0100漢" * 10, "<p>😀&amp;&#128512;</p>" * 5)
    await ground.deliver(
        *(lines(f"Subject: {n}", *(HTML if "<" in text else TEXT), text) for n, text in enumerate(texts))
    )
    bob = ground.device("bob")
    inbox = (await bob.folders())[FolderType.INBOX]
    for size in range(40):
        for kind in (BodyType.PLAIN, BodyType.HTML):
            found = await rendered(bob, inbox, body_preferences=(BodyPreference(type=kind, truncation_size=size),))
            for mail in found.values():
                data = mail.body.data or ""
                assert "\ufffd" not in data
                assert len(data.encode()) <= max(size, 0) or not mail.body.truncated


SENT = dict(MESSAGES) | {
    "10,000 recipients": lines("To: " + ",\r\n ".join(f"p{n}@example.com" for n in range(10_000)), "", "x"),
    "a group of groups": lines("To: " + "g:" * 1000 + "a@example.com" + ";" * 1000, "", "x"),
    "no utf-8": lines(b"To: \xff\xfe@example.com, \xed\xa0\x80@example.com", "", "x"),
    "injected": lines("To: =?utf-8?Q?a=0D=0ABcc:_x=40example.com?= <b@example.com>", "", "x"),
    "injected address": lines('To: "a\r\n b"@example.com, <a@example.com\r>, a@example.com\0', "", "x"),
    "a long address": lines("To: " + "a" * 300_000 + "@example.com", "", "x"),
    "a long domain": lines("To: a@" + "a." * 100_000 + "com", "", "x"),
    "idna": lines("To: a@\u0130\u200d.example, b@xn--\xff.example, c@" + "ü" * 300 + ".example", "", "x"),
    "names": lines('To: *, %, \' OR 1=1, "", <>', "", "x"),
    "empty": b"",
    "percent": lines("To: %s%n{0}${jndi:ldap://x}@example.com", "", "x"),
}


@pytest.mark.parametrize("version", [V12_1, V16_1], ids=str)
async def test_sending_what_breaks_the_rules(ground: Ground, version: ProtocolVersion) -> None:
    """Refused, or sent: never a fault."""
    alice = ground.device("alice", version)
    await alice.folders()
    client = alice.client
    addressed = [f"To: {ground.address('bob')}\r\n".encode() + octets for octets in SENT.values()]
    for octets in [*SENT.values(), *addressed][:: 1 if version is V16_1 else 3]:
        outgoing = client.request(SEND_MAIL, sending(octets))
        reply = await alice.transport.send(outgoing)
        headers = {name.lower(): value for name, value in reply.headers}
        judge(SEND_MAIL, version, hostile.Reply(reply.status, headers, reply.body, b""))
    bob = ground.device("bob", version)
    inbox = (await bob.folders())[FolderType.INBOX]
    for preferences in FORMS.values():
        for mail in (await rendered(bob, inbox, body_preferences=preferences)).values():
            assert "X-Injected" not in (mail.sender or "")


async def test_too_many_recipients(ground: Ground) -> None:
    alice = ground.device("alice")
    answer = await alice.call(SEND_MAIL, sending(SENT["10,000 recipients"]))
    assert answer.status == CommonStatus.SEND_QUOTA_EXCEEDED


async def test_answers_to_what_breaks_the_rules(ground: Ground) -> None:
    """SmartReply and SmartForward of each of them: what a Subject or a name holds becomes no header of the answer."""
    await ground.deliver(*MESSAGES.values(), to="alice")
    alice, bob = ground.device("alice"), ground.device("bob")
    inbox = (await alice.folders())[FolderType.INBOX]
    letter = Opaque(ground.letter("Re"))
    for number, item in enumerate((await alice.catch_up(inbox)).added):
        source = Source(folder_id=inbox, item_id=item)
        await alice.call(SMART_REPLY, smart_reply.Request(client_id=f"r{number}", source=source, mime=letter))
        await alice.call(SMART_FORWARD, smart_forward.Request(client_id=f"f{number}", source=source, mime=letter))
    theirs = (await bob.folders())[FolderType.INBOX]
    found = (await bob.catch_up(theirs, options=MIME)).added
    assert len(found) > len(MESSAGES)
    for mail in found.values():
        head = octets_of(mail).partition(b"\r\n\r\n")[0].lower()
        assert not any(line.startswith((b"x-injected", b"bcc")) for line in head.splitlines())


async def test_relays_that_lie(ground: Ground) -> None:
    """Nonsense on the LMTP socket: an answer or an end, and the next one is served."""
    talks = (
        b"\0" * 100_000, b"LHLO " + b"x" * 100_000 + b"\r\n", b"LHLO a\r\nMAIL FROM:<\xff\xfe>\r\n", b"DATA\r\n",
        b"LHLO a\r\nMAIL FROM:<a@b> SIZE=99999999999999999999\r\nRCPT TO:<x>\r\n", b"\r\n" * 10_000,
        b"LHLO a\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<bob@nowhere.example>\r\n" * 2000, b"EHLO a\r\nHELO b\r\nVRFY *\r\n",
        b"LHLO \x1b[2J\r\nMAIL FROM:<a@b>\r\nRCPT TO:<\"a\r\nb\"@example.com>\r\n", b"LHLO a\nMAIL FROM:<a@b>\nDATA\n",
        b"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<" + ground.address("bob").encode() + b">\r\nDATA\r\n"
        b"x\n.\nMAIL FROM:<c@d>\r\n",
    )  # fmt: skip
    for talk in talks:
        reader, writer = await asyncio.open_unix_connection(ground.server.lmtp)
        writer.write(talk + b"QUIT\r\n")
        try:
            async with asyncio.timeout(1):
                await reader.read(MEBIBYTE)
        except (TimeoutError, ConnectionError):
            pass
        writer.transport.abort()
    assert (await ground.deliver(ground.letter("After")))[0].startswith("250")
    bob = ground.device("bob")
    inbox = (await bob.folders())[FolderType.INBOX]
    assert [mail.subject for mail in (await bob.catch_up(inbox)).added.values()] == ["After"]


async def test_bodies_that_are_no_message_in_the_wbxml(ground: Ground) -> None:
    alice = ground.device("alice")
    await alice.folders()
    bodies = [
        hostile.octets_of_request(sending(octets), V16_1) for octets in (b"\0" * 1000, b"\xff" * 1000, b"\r" * 1000)
    ]
    for answer in await volley(alice, SEND_MAIL, bodies):
        assert answer.status == CommonStatus.INVALID_MIME
