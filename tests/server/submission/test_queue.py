"""The runner of the outgoing queue, over both stores, with a scripted way out."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eas_server.errors import ConfigError, StoreUnavailable
from eas_server.interfaces import Forwarding, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import UserId
from eas_server.render.mime import index_message
from eas_server.submission.queue import QueuePorts, QueueRunner, WakingSubmission
from eas_server.submission.report import Failure
from eas_server.submission.settings import SmtpSettings
from eas_server.submission.smart_host import Attempt, NoSmartHost, Transport, transport_for
from tests.server.submission.support import NOW, FixedClock, Scripted, inbox, octets

CONTENT = (
    b"Received: by mail.example.com\r\nFrom: alice@example.com\r\nTo: x@one.test, y@two.test\r\nSubject: out\r\n"
    b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nsecret\r\n"
)
SETTINGS = SmtpSettings(first_retry=60, last_retry=300, give_up_after=1000, poll=30)


def runner(store: Any, clock: FixedClock, transport: Transport, settings: SmtpSettings = SETTINGS) -> QueueRunner:
    ports = QueuePorts(
        queue=store.queue,
        submission=store.submission,
        accounts=store.accounts,
        transport=transport,
        clock=clock,
        index=index_message,
    )
    return QueueRunner(ports, settings, host="mail.example.com")


async def enqueue(store: Any, *recipients: str, sender: str = "alice@example.com") -> None:
    forwarding = Forwarding(sender=sender, recipients=recipients, content=MemoryBlob(CONTENT))
    user = UserId("alice@example.com")
    await store.submission.submit(Submission(user=user, source=None, deliveries=(), forwarding=forwarding, now=NOW))


async def due(store: Any, clock: FixedClock) -> list[Any]:
    return list(await store.queue.due(clock.now(), 10))


async def attempt_all(run: QueueRunner, store: Any, clock: FixedClock) -> None:
    for queued in await due(store, clock):
        await run.attempt(queued)


def failing(status: str, *, only: tuple[str, ...] = ()) -> Callable[[Forwarding], Attempt]:
    def outcome(forwarding: Forwarding) -> Attempt:
        bad = [r for r in forwarding.recipients if not only or r in only]
        failures = tuple(
            Failure(address=r, status=status, diagnostic=f"{status[0]}50 {status} no", remote=True) for r in bad
        )
        sent = tuple(r for r in forwarding.recipients if r not in bad)
        permanent = status.startswith("5")
        return Attempt(sent=sent, refused=failures if permanent else (), deferred=() if permanent else failures)

    return outcome


async def test_what_is_sent_leaves_the_queue(store: Any, clock: FixedClock):
    way = Scripted()
    await enqueue(store, "x@one.test", "y@two.test")
    await attempt_all(runner(store, clock, way), store, clock)
    assert [(f.sender, f.recipients, c) for f, c in way.sent] == [
        ("alice@example.com", ("x@one.test", "y@two.test"), CONTENT)
    ]
    assert await due(store, clock) == []
    assert await inbox(store, "alice") == []


async def test_a_refused_recipient_is_reported(store: Any, clock: FixedClock):
    await enqueue(store, "x@one.test", "y@two.test")
    await attempt_all(runner(store, clock, Scripted(failing("5.1.1", only=("y@two.test",)))), store, clock)
    assert await due(store, clock) == []
    (report,) = await inbox(store, "alice")
    assert report.index.message_class == "REPORT.IPM.NOTE.SMIME.NDR"
    _, text = await octets(report)
    assert b"Final-Recipient: rfc822; y@two.test\r\nAction: failed\r\nStatus: 5.1.1\r\n" in text
    assert b"Diagnostic-Code: smtp; 550 5.1.1 no\r\n" in text
    assert b"x@one.test\r\nAction" not in text
    assert b"Subject: out\r\n" in text
    assert b"\r\nsecret" not in text


async def test_delays_grow_and_the_time_ends(store: Any, clock: FixedClock):
    way = Scripted(failing("4.2.0"))
    run = runner(store, clock, way)
    await enqueue(store, "x@one.test")
    waits = []
    while not await inbox(store, "alice"):
        await attempt_all(run, store, clock)
        waited = 0
        while not await due(store, clock) and not await inbox(store, "alice"):
            clock.advance(30)
            waited += 30
        waits.append(waited)
    assert waits == [60, 120, 240, 300, 300, 0]
    assert await due(store, clock) == []
    (report,) = await inbox(store, "alice")
    _, text = await octets(report)
    assert b"Status: 4.4.7\r\n" in text
    assert b"450 4.2.0 no" in text


async def test_only_who_waits_is_tried_again(store: Any, clock: FixedClock):
    way = Scripted(failing("4.2.0", only=("y@two.test",)))
    run = runner(store, clock, way)
    await enqueue(store, "x@one.test", "y@two.test")
    await attempt_all(run, store, clock)
    clock.advance(60)
    way.outcome = lambda forwarding: Attempt(sent=forwarding.recipients)
    await attempt_all(run, store, clock)
    assert [f.recipients for f, _ in way.sent] == [("x@one.test", "y@two.test"), ("y@two.test",)]


async def test_without_a_smart_host_all_comes_back(store: Any, clock: FixedClock):
    way = transport_for(SmtpSettings())
    assert isinstance(way, NoSmartHost)
    await enqueue(store, "x@one.test")
    await attempt_all(runner(store, clock, way), store, clock)
    (report,) = await inbox(store, "alice")
    assert b"Status: 5.4.4\r\n" in (await octets(report))[1]


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"smtp\.ca_file: .*ca\.pem: "):
        transport_for(SmtpSettings(host="smtp.example.com", ca_file=file))


async def test_a_foreign_sender_is_told_by_mail_and_the_null_sender_not(store: Any, clock: FixedClock):
    way = Scripted(failing("5.0.0"))
    run = runner(store, clock, way)
    await enqueue(store, "x@one.test", sender="dora@elsewhere.test")
    await attempt_all(run, store, clock)
    (report,) = await due(store, clock)
    assert (report.forwarding.sender, report.forwarding.recipients) == ("", ("dora@elsewhere.test",))
    await attempt_all(run, store, clock)
    assert await due(store, clock) == []


async def test_a_report_that_finds_no_room_does_not_stay(store: Any, clock: FixedClock):
    await store.submission.submit(
        Submission(
            user=UserId("bob@example.com"),
            source=None,
            deliveries=(),
            forwarding=Forwarding(
                sender="bob@example.com", recipients=("x@one.test",), content=MemoryBlob(CONTENT * 20)
            ),
            now=NOW,
        )
    )
    await attempt_all(runner(store, clock, Scripted(failing("5.0.0"))), store, clock)
    assert await due(store, clock) == []


# --- as a task ---


class Gate:
    """A way out that waits until it is let through; counts who is on the way."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.arrived = asyncio.Semaphore(0)
        self.under_way = 0
        self.most = 0
        self.fail = False

    async def send(self, forwarding: Forwarding) -> Attempt:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.arrived.release()
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        if self.fail:
            raise StoreUnavailable("no content")
        return Attempt(sent=forwarding.recipients)


async def settled(store: Any, clock: FixedClock) -> None:
    for _ in range(5000):
        if not await due(store, clock):
            return
        await asyncio.sleep(0.001)
    raise AssertionError("the queue does not become empty")


async def test_new_mail_is_sent_at_once_and_few_at_a_time(store: Any, clock: FixedClock):
    gate = Gate()
    run = runner(store, clock, gate, SmtpSettings(connections=2, poll=1000))
    submission = WakingSubmission(store.submission, run.wake)
    task = asyncio.create_task(run.run())
    await asyncio.sleep(0)
    for n in range(5):
        forwarding = Forwarding(sender="a@b", recipients=(f"x{n}@one.test",), content=MemoryBlob(CONTENT))
        await submission.submit(
            Submission(user=UserId("alice@example.com"), source=None, deliveries=(), forwarding=forwarding, now=NOW)
        )
    await gate.arrived.acquire()
    await gate.arrived.acquire()
    assert gate.under_way == 2
    gate.open.set()
    await settled(store, clock)
    assert gate.most == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_transfer_under_way_may_end_when_the_server_stops(store: Any, clock: FixedClock):
    gate = Gate()
    await enqueue(store, "x@one.test")
    task = asyncio.create_task(runner(store, clock, gate).run())
    await gate.arrived.acquire()
    task.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(task, return_exceptions=True)
    assert await due(store, clock) == []


async def test_a_fault_with_one_message_waits_its_turn(store: Any, clock: FixedClock, caplog):
    gate = Gate()
    gate.fail = True
    gate.open.set()
    await enqueue(store, "x@one.test")
    task = asyncio.create_task(runner(store, clock, gate).run())
    await settled(store, clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "could not be handled" in caplog.text
    clock.advance(60)
    (queued,) = await due(store, clock)
    assert queued.attempts == 1


async def test_a_queue_that_cannot_be_read_is_tried_again(store: Any, clock: FixedClock, caplog):
    class Down:
        calls = 0
        thrice = asyncio.Event()

        async def due(self, now: object, limit: int) -> list[Any]:
            self.calls += 1
            if self.calls == 3:
                self.thrice.set()
            raise StoreUnavailable("down")

    run = runner(store, clock, Scripted(), SmtpSettings(poll=0.001))
    run._ports = QueuePorts(**{name: getattr(run._ports, name) for name in run._ports.__slots__} | {"queue": Down()})
    task = asyncio.create_task(run.run())
    await Down.thrice.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "cannot be read" in caplog.text
