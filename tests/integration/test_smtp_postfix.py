"""Mail out to a real Postfix as smart host, and in from it by LMTP, on the embedded store."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.sqlite import SystemClock, open_store
from eas_server.interfaces import Forwarding, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import UserId
from eas_server.render.mime import index_message
from eas_server.submission.incoming import Incoming, IncomingPorts
from eas_server.submission.lmtp import LmtpListener
from eas_server.submission.queue import QueuePorts, QueueRunner, WakingSubmission
from eas_server.submission.settings import LmtpSettings, Security, SmtpSettings
from eas_server.submission.smart_host import transport_for
from tests.integration.postfix import Postfix, is_root, start_postfix
from tests.server.submission.support import fill, inbox, octets

pytestmark = [
    pytest.mark.integration("postfix"),
    pytest.mark.skipif(not is_root(), reason="Postfix can only be run by root"),
]

SIGNED = (
    b"From: alice@example.com\r\nTo: dora@elsewhere.test\r\nSubject: signed\r\n"
    b"Date: Wed, 04 Mar 2026 05:00:00 +0000\r\nMessage-ID: <7@example.com>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="s"\r\n\r\n'
    b"--s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe \t \r\n.\r\n..two\r\nFrom here\r\n--s\r\nContent-Type: application/pkcs7-signature\r\n\r\n"
    b"MAA=\r\n--s--\r\n"
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with start_postfix() as running:
        yield running


@asynccontextmanager
async def server(path: Path, postfix: Postfix) -> AsyncIterator[tuple[Any, WakingSubmission]]:
    """A store with the queue's runner and the LMTP listener."""
    clock = SystemClock()
    async with open_store(path / "store.db", clock=clock) as store:
        await fill(store, {"bob": 2000})
        settings = SmtpSettings(host="127.0.0.1", port=postfix.port, security=Security.NONE, timeout=10)
        ports = QueuePorts(
            queue=store.queue,
            submission=store.submission,
            accounts=store.accounts,
            transport=transport_for(settings),
            clock=clock,
            index=index_message,
        )
        runner = QueueRunner(ports, settings, host="mail.example.com")
        submission = WakingSubmission(store.submission, runner.wake)
        incoming = Incoming(
            IncomingPorts(accounts=store.accounts, submission=submission, clock=clock, index=index_message),
            host="mail.example.com",
            domains=["example.com"],
        )
        lmtp = LmtpSettings(socket=postfix.lmtp, socket_mode=0o666)
        listener = LmtpListener(incoming, lmtp, host="mail.example.com")
        tasks = [asyncio.create_task(runner.run()), asyncio.create_task(listener.run())]
        await listener.listening.wait()
        try:
            yield store, submission
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    for _ in range(500):
        found = look()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("nothing came")


async def empty(store: Any) -> bool:
    """Whether nothing waits in the queue."""
    return bool(await store.queue.waiting() == 0)


async def submit(submission: WakingSubmission, content: bytes, *recipients: str) -> None:
    forwarding = Forwarding(sender="alice@example.com", recipients=recipients, content=MemoryBlob(content))
    user = UserId("alice@example.com")
    now = SystemClock().now()
    await submission.submit(Submission(user=user, source=None, deliveries=(), forwarding=forwarding, now=now))


def below_trace(octets_: bytes) -> bytes:
    return octets_[octets_.index(b"From: ") :]


async def test_a_message_arrives_octet_by_octet(tmp_path: Path, postfix: Postfix):
    before = len(postfix.mail("dora"))
    async with server(tmp_path, postfix) as (store, submission):
        await submit(submission, SIGNED, "dora@elsewhere.test")
        mails = await eventually(lambda: postfix.mail("dora")[before:])
        # Postfix keeps lines, and writes their ends as LF into a maildir
        assert below_trace(mails[0]) == SIGNED.replace(b"\r\n", b"\n")
        await eventually(lambda: empty(store))
        assert await inbox(store, "alice") == []


async def test_a_refused_recipient_comes_back_and_the_other_gets_it(tmp_path: Path, postfix: Postfix):
    before = len(postfix.mail("dora"))
    async with server(tmp_path, postfix) as (store, submission):
        await submit(submission, SIGNED, "nobody@elsewhere.test", "dora@elsewhere.test", "x@far.test")
        await eventually(lambda: postfix.mail("dora")[before:])
        (report,) = await eventually(lambda: inbox(store, "alice"))
        assert report.index.message_class == "REPORT.IPM.NOTE.SMIME.MULTIPARTSIGNED.NDR"
        _, text = await octets(report)
        assert b"Final-Recipient: rfc822; nobody@elsewhere.test\r\nAction: failed\r\nStatus: 5.1.1\r\n" in text
        assert b"Final-Recipient: rfc822; x@far.test\r\nAction: failed\r\nStatus: 5.7.1\r\n" in text
        await eventually(lambda: empty(store))


async def test_twenty_megabytes_go_out_and_come_back_in(tmp_path: Path, postfix: Postfix):
    line = b"x" * 76 + b"\r\n"
    content = SIGNED + line * (20_000_000 // len(line))
    async with server(tmp_path, postfix) as (store, submission):
        await submit(submission, content, "carol@example.com")
        (item,) = await eventually(lambda: inbox(store, "carol"))
        assert below_trace((await octets(item))[1]) == content


async def test_incoming_mail_is_delivered_and_unknown_users_are_refused(tmp_path: Path, postfix: Postfix):
    async with server(tmp_path, postfix) as (store, _):

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", postfix.port) as client:
                recipients = ["carol@example.com", "ghost@example.com", "team@example.com"]
                client.sendmail("dora@elsewhere.test", recipients, SIGNED, mail_options=["BODY=8BITMIME"])

        before = len(postfix.mail("dora"))
        await asyncio.to_thread(send)
        (item,) = await eventually(lambda: inbox(store, "carol"))
        above, below = await octets(item)
        assert above.startswith(b"Return-Path: <dora@elsewhere.test>\r\nDelivered-To: carol@example.com\r\n")
        assert below_trace(below) == SIGNED
        for name in ("alice", "bob"):
            assert len(await eventually(lambda who=name: inbox(store, who))) == 1
        # a bounce for the unknown one, and the group's copy for its member elsewhere
        mails = await eventually(lambda: found if len(found := postfix.mail("dora")[before:]) > 1 else None)
        assert any(b"550 5.1.1 <ghost@example.com> no such mailbox here" in mail for mail in mails)
