"""SendMail: who gets what, and which octets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.commands.send_mail import COMMAND
from eas_server.errors import StoreFull, StoreUnavailable
from eas_server.model.blob import read
from eas_server.model.mail import FolderType
from eas_server.render.mime import index_message
from protocol.commands.compose_mail import PRESENT
from protocol.commands.send_mail import Request
from protocol.elements import Opaque
from protocol.errors import MalformedRequest
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import V12_1, V14_0, V16_1
from tests.server.commands.composing import ALICE, BOB, CAROL, Bench, content

HEADER = b"Date: Wed, 04 Mar 2026 05:00:00 +0000\r\nMessage-ID: <1@phone>\r\n"


def mime(
    to: bytes = b"To: bob@example.com\r\n", body: bytes = b"Hello\r\n", sender: bytes = b"From: alice@example.com\r\n"
) -> bytes:
    return sender + to + HEADER + b"Subject: s\r\n\r\n" + body


def request(octets: bytes, client_id: str = "1", **more: str) -> Request:
    return Request(client_id=client_id, mime=Opaque(octets), **more)


@pytest.mark.requirement("MS-ASCMD_R443", "MS-ASCMD_R463", "MS-ASCMD_R3343", "MS-ASCMD_R4379", "MS-ASCMD_R3871")
async def test_a_message_is_delivered_as_it_is():
    bench = Bench()
    octets = mime()
    assert await bench.ask(COMMAND, request(octets)) is None
    (delivery,) = bench.submission.last.deliveries
    assert (delivery.user, delivery.folder) == (BOB.user, FolderType.INBOX)
    assert await content(delivery) == octets
    assert delivery.message.index == index_message(octets)[0]
    assert delivery.message.trace == (
        b"Return-Path: <alice@example.com>\r\n"
        b"Delivered-To: bob@example.com\r\n"
        b"Received: by mail.example.com with HTTP id r1;\r\n"
        b"\tWed, 04 Mar 2026 05:06:07 +0000\r\n"
    )
    assert bench.submission.last.forwarding is None


@pytest.mark.requirement("MS-ASCMD_R3870", "MS-ASCMD_R3874")
async def test_saves_in_sent_items():
    bench = Bench()
    await bench.ask(COMMAND, request(mime(), save_in_sent_items=PRESENT))
    (sent,) = bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)
    assert sent.message.state.read
    assert sent.message.trace == b""
    assert await content(sent) == mime()


MIXED_EOL = (
    b"From: alice@example.com\r\nTo: bob@example.com\r\n" + HEADER + b'Content-Type: multipart/signed; boundary="b"\n\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe \t \r\n--b\n\n\rx\x00y\n--b--"
)


@pytest.mark.parametrize(
    "octets",
    [mime(body=b"\x80\xff 8-bit\n.\n..\r\n"), mime().replace(b"\r\n", b"\n"), MIXED_EOL, mime(body=b"")],
    ids=["8-bit", "lf", "mixed", "empty"],
)
@pytest.mark.requirement("MS-ASCMD_R3345")
async def test_no_octet_changes(octets: bytes):
    bench = Bench()
    await bench.ask(COMMAND, request(octets, save_in_sent_items=PRESENT))
    assert [await content(d) for d in bench.submission.last.deliveries] == [octets, octets]


@given(body=st.binary(max_size=300))
async def test_whatever_the_body_holds_it_stays(body: bytes):
    bench = Bench()
    await bench.ask(COMMAND, request(mime(b"To: bob\r\nBcc: carol\r\n", body, b"From: x@y\r\n")))
    for delivery in bench.submission.last.deliveries:
        assert (await content(delivery)).endswith(b"\r\n\r\n" + body)


# --- Bcc ---


async def test_bcc_is_in_the_sent_copy_alone():
    bench = Bench()
    octets = mime(b"To: bob@example.com\r\nBCC : carol@example.com,\r\n x@elsewhere.test\r\nbcc: team\r\n")
    await bench.ask(COMMAND, request(octets, save_in_sent_items=PRESENT))
    without = mime(b"To: bob@example.com\r\n")
    for user in (ALICE, BOB, CAROL):
        (delivery,) = bench.submission.deliveries(user)
        assert await content(delivery) == without
        bcc = user is not BOB
        assert delivery.message.index == replace(index_message(without)[0], received_as_bcc=bcc)
        assert b"bcc" not in delivery.message.trace.lower()
    forwarding = bench.submission.last.forwarding
    assert forwarding is not None
    assert forwarding.recipients == ("x@elsewhere.test",)
    assert b"bcc" not in (await read(forwarding.content)).lower()
    (sent,) = bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)
    assert await content(sent) == octets
    assert sent.message.index == index_message(octets)[0]


async def test_bcc_of_a_signed_message_leaves_the_body_alone():
    bench = Bench()
    body = b"--b\r\nBcc: in the body\n\nx\r\n--b--"
    octets = mime(b"To: bob\r\nBcc: carol\r\n", body)
    await bench.ask(COMMAND, request(octets))
    (delivery,) = bench.submission.deliveries(CAROL)
    assert (await content(delivery)).endswith(body)


# --- From ---


@pytest.mark.parametrize(
    "sender",
    [
        b"From: alice@example.com\r\n",
        b"From: Somebody <ALICE.ARCHER@Example.COM>\r\n",
        b'From: "Archer, Alice"\r\n\t<alice@example.com>\r\n',
    ],
)
async def test_a_from_of_the_users_stays(sender: bytes):
    bench = Bench()
    await bench.ask(COMMAND, request(mime(sender=sender)))
    (delivery,) = bench.submission.deliveries(BOB)
    assert await content(delivery) == mime(sender=sender)


@pytest.mark.parametrize(
    "sender",
    [
        b"From: ceo@example.com\r\n",
        b"From: alice@example.com, ceo@example.com\r\n",
        b"From: Nobody\r\n",
        b"From:\r\n",
        b"From: alice@example.com\r\nFrom: ceo@example.com\r\n",
        b"from :\r\n\t=?utf-8?Q?=3Cceo=40example.com=3E?=\r\n",
    ],
)
@pytest.mark.requirement("MS-ASCMD_R448")
async def test_a_foreign_from_becomes_the_users(sender: bytes):
    bench = Bench()
    await bench.ask(COMMAND, request(mime(sender=sender)))
    (delivery,) = bench.submission.deliveries(BOB)
    right = mime(sender=b"From: Alice Archer <alice@example.com>\r\n")
    assert await content(delivery) == right
    assert delivery.message.index == index_message(right)[0]


async def test_the_envelope_has_the_users_address():
    bench = Bench()
    await bench.ask(COMMAND, request(mime(b"To: x@elsewhere.test\r\n", sender=b"From: robert@example.com\r\n")))
    forwarding = bench.submission.last.forwarding
    assert forwarding is not None
    assert forwarding.sender == "alice@example.com"


async def test_what_is_missing_goes_on_top():
    bench = Bench()
    octets = b"To: bob\nSubject: s\n\nHello\n"
    await bench.ask(COMMAND, request(octets, save_in_sent_items=PRESENT))
    (sent,) = bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)
    (delivery,) = bench.submission.deliveries(BOB)
    assert await content(delivery) == await content(sent) == octets
    assert delivery.message.trace.endswith(sent.message.trace)
    whole = sent.message.trace + octets
    assert whole.startswith(b"From: Alice Archer <alice@example.com>\r\nDate: Wed, 04 Mar 2026 05:06:07 +0000\r\n")
    index = index_message(whole)[0]
    assert sent.message.index.message_id == index.message_id != ""
    assert sent.message.index.sender == index.sender
    assert sent.message.index.date == index.date
    assert sent.message.index.conversation_id == index.conversation_id


# --- recipients ---


async def test_names_without_a_domain_are_local_users():
    bench = Bench()
    await bench.ask(COMMAND, request(mime(b"To: bob\r\nCc: Carol\r\n")))
    assert {d.user for d in bench.submission.last.deliveries} == {BOB.user, CAROL.user}


async def test_groups_and_repetitions_reach_each_once():
    bench = Bench()
    to = b"To: friends: bob@example.com, robert@example.com; , Team <team@example.com>\r\nCc: BOB@EXAMPLE.com\r\n"
    await bench.ask(COMMAND, request(mime(to)))
    assert sorted(d.user for d in bench.submission.last.deliveries) == [ALICE.user, BOB.user, CAROL.user]


async def test_encoded_and_international_recipients():
    bench = Bench()
    to = "To: =?utf-8?Q?B=C3=B6b?= <bob@example.com>, =?utf-8?Q?carol=40example=2Ecom?=, x@bücher.example\r\n"
    await bench.ask(COMMAND, request(mime(to.encode())))
    assert {d.user for d in bench.submission.last.deliveries} == {BOB.user, CAROL.user}
    forwarding = bench.submission.last.forwarding
    assert forwarding is not None
    assert forwarding.recipients == ("x@xn--bcher-kva.example",)


async def test_a_display_name_is_looked_up():
    bench = Bench()
    bench.directory.entries["Bob Baker"] = ["bob@example.com"]
    assert await bench.ask(COMMAND, request(mime(b"To: Bob Baker\r\n"))) is None
    assert bench.submission.deliveries(BOB)


@pytest.mark.requirement("MS-ASCMD_R4844")
@pytest.mark.parametrize("matches", [[], ["bob@example.com", "carol@example.com"]])
async def test_an_unresolved_name_fails_the_command(matches: list[str]):
    bench = Bench()
    bench.directory.entries["bo"] = matches
    status = await bench.ask(COMMAND, request(mime(b"To: bo, bob@example.com\r\n")))
    assert status == CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED
    assert not bench.submission.submissions


async def test_an_unknown_local_address_comes_back_as_a_report():
    bench = Bench()
    octets = mime(b"To: nobody@example.com, bob@example.com\r\nBcc: ghost@EXAMPLE.com\r\n")
    assert await bench.ask(COMMAND, request(octets)) is None
    assert bench.submission.deliveries(BOB)
    (report,) = bench.submission.deliveries(ALICE)
    assert report.message.index.message_class == "REPORT.IPM.NOTE.NDR"
    text = await content(report)
    assert b"Final-Recipient: rfc822; nobody@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n" in text
    assert b"Final-Recipient: rfc822; ghost@example.com\r\n" in text


async def test_a_full_mailbox_comes_back_as_a_report():
    bench = Bench()
    bench.submission.missed = frozenset({BOB.user})
    assert await bench.ask(COMMAND, request(mime(b"To: bob@example.com, carol@example.com\r\n"))) is None
    (report,) = bench.submission.deliveries(ALICE)
    assert report.message.index.message_class == "REPORT.IPM.NOTE.NDR"
    assert b"Final-Recipient: rfc822; bob@example.com\r\nAction: failed\r\nStatus: 5.2.2\r\n" in await content(report)


@pytest.mark.requirement("MS-ASCMD_R4853")
@pytest.mark.parametrize("to", [b"", b"To:\r\n", b"To: ;\r\nCc: ,\r\n", b"To: undisclosed-recipients:;\r\n"])
async def test_no_recipient(to: bytes):
    assert await Bench().ask(COMMAND, request(mime(to))) == CommonStatus.MESSAGE_HAS_NO_RECIPIENT


async def test_too_many_recipients():
    to = b"To: " + b",\r\n ".join(b"u%d@elsewhere.test" % n for n in range(1001)) + b"\r\n"
    assert await Bench().ask(COMMAND, request(mime(to))) == CommonStatus.SEND_QUOTA_EXCEEDED


# --- failures ---


@pytest.mark.requirement("MS-ASCMD_R4826")
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n\r\nTo: bob\r\n",
        b"Hello bob, how are you?\r\n",
        b"\x00\x01\x02",
        b"To: bob\x00@example.com\r\n\r\n",
        b"To: bob@example.com\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        b"\xef\xbb\xbfTo: bob\r\n\r\n",
    ],
    ids=["empty", "no header", "text", "binary", "nul", "giant header", "bom"],
)
async def test_invalid_mime(octets: bytes):
    bench = Bench()
    assert await bench.ask(COMMAND, request(octets)) == CommonStatus.INVALID_MIME
    assert not bench.submission.submissions


@pytest.mark.requirement("MS-ASCMD_R4855", "MS-ASCMD_R4380")
async def test_failed_submission():
    bench = Bench()
    bench.submission.failure = StoreUnavailable("down")
    assert await bench.ask(COMMAND, request(mime())) == CommonStatus.MAIL_SUBMISSION_FAILED


async def test_a_full_mailbox_is_told_as_such():
    bench = Bench()
    bench.submission.failure = StoreFull()
    with pytest.raises(StoreFull):
        await bench.ask(COMMAND, request(mime()))


@pytest.mark.requirement("MS-ASCMD_R724", "MS-ASCMD_R722")
async def test_no_account_id_is_valid():
    assert await Bench().ask(COMMAND, request(mime(), account_id="7")) == CommonStatus.INVALID_ACCOUNT_ID


async def test_rights_management_is_not_there():
    assert await Bench().ask(COMMAND, request(mime(), template_id="7")) == CommonStatus.IRM_FEATURE_DISABLED


@pytest.mark.requirement("MS-ASCMD_R949", "MS-ASCMD_R952")
@pytest.mark.parametrize("client_id", ["", "x" * 41])
async def test_a_client_id_of_the_wrong_length(client_id: str):
    with pytest.raises(MalformedRequest):
        await Bench().ask(COMMAND, request(mime(), client_id))


# --- repetitions ---


@pytest.mark.requirement("MS-ASCMD_R953", "MS-ASCMD_R4848", "MS-ASCMD_R7465")
@pytest.mark.parametrize("version", [V14_0, V16_1])
async def test_a_repetition_is_sent_once(version):
    bench = Bench()
    assert await bench.ask(COMMAND, request(mime()), version) is None
    assert await bench.ask(COMMAND, request(mime()), version) == CommonStatus.MESSAGE_PREVIOUSLY_SENT
    assert len(bench.submission.submissions) == 1


async def test_the_same_id_with_other_octets_is_sent():
    bench = Bench()
    await bench.ask(COMMAND, request(mime()))
    assert await bench.ask(COMMAND, request(mime(body=b"Other"))) is None
    assert len(bench.submission.submissions) == 2


# --- 12.1 ---


@pytest.mark.requirement("MS-ASCMD_R7540", "MS-ASHTTP_R121", "MS-ASHTTP_R531")
async def test_raw_mime_with_save_in_sent():
    bench = Bench()
    line = CommandLine(command="SendMail", save_in_sent=True)
    assert await bench.post(COMMAND, mime(), V12_1, line) is None
    assert await content(bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)[0]) == mime()
    assert bench.submission.last.source is not None
    assert bench.submission.last.source.client_id is None


@pytest.mark.requirement("MS-ASHTTP_R122")
async def test_a_repetition_without_client_id_succeeds_and_sends_nothing():
    bench = Bench()
    assert await bench.post(COMMAND, mime(), V12_1) is None
    assert await bench.post(COMMAND, mime(), V12_1) is None
    assert len(bench.submission.submissions) == 1
    assert not bench.submission.deliveries(ALICE, FolderType.SENT_ITEMS)


# --- hostile headers ---


async def test_a_recipient_cannot_inject_header_lines():
    bench = Bench()
    to = b'To: "x\r\n\tY: z" <bob@example.com>, =?utf-8?Q?a=0D=0AX-Evil:_1@elsewhere.test?=\r\n'
    await bench.ask(COMMAND, request(mime(to)))
    for delivery in bench.submission.last.deliveries:
        assert b"\nX-Evil" not in delivery.message.trace
        assert b"\nX-Evil" not in (await read(delivery.message.content)).replace(to, b"")
    forwarding = bench.submission.last.forwarding
    assert forwarding is None or all("\n" not in r and "\r" not in r for r in forwarding.recipients)


async def test_a_display_name_cannot_inject_header_lines():
    bench = Bench()
    ctx = bench.context()
    from dataclasses import replace

    evil = replace(ALICE, display_name="A\r\nBcc: x@y\x00\u2028")
    await COMMAND.handle(
        COMMAND.read(mime(sender=b""), CommandLine(command="SendMail"), V12_1), replace(ctx, account=evil)
    )
    (delivery,) = bench.submission.deliveries(BOB)
    assert b"\nBcc" not in delivery.message.trace


async def test_a_large_message_is_not_copied():
    bench = Bench()
    octets = mime(b"To: bob\r\nBcc: carol\r\n", b"x" * 78 * 10_000, b"From: a@b\r\n")
    await bench.ask(COMMAND, request(octets, save_in_sent_items=PRESENT))
    for delivery in bench.submission.last.deliveries:
        assert (await content(delivery)).endswith(b"\r\n\r\n" + b"x" * 780_000)
