"""The runner of the outgoing queue: sends what is due, tries again later, and reports what can never arrive.

The queue itself is in the store, so that a crash loses nothing. A message is taken off only after the smart host has
it, or after the report on it is in the sender's Inbox: after a crash in between, it is sent or reported once more.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from eas_server.errors import StoreFull, Unavailable
from eas_server.interfaces import (
    Accounts,
    Clock,
    Delivery,
    Forwarding,
    MailSubmission,
    OutgoingQueue,
    Queued,
    Receipt,
    Submission,
    Submitted,
)
from eas_server.model.blob import Blob, read
from eas_server.model.mail import FolderType
from eas_server.submission.copies import Indexer
from eas_server.submission.header import MAX_HEADER, InvalidMessage, read_header
from eas_server.submission.report import Failure, delivery_report
from eas_server.submission.settings import SmtpSettings
from eas_server.submission.smart_host import Attempt, Transport

log = logging.getLogger(__name__)

STOP_GRACE: Final = 5.0
"""Seconds that transfers may take to end when the server stops."""
_EXPIRED: Final = "4.4.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePorts:
    """What the runner works with."""

    queue: OutgoingQueue
    submission: MailSubmission
    accounts: Accounts
    transport: Transport
    clock: Clock
    index: Indexer


class QueueRunner:
    """Runs as long as the server does. `host` is what the server calls itself in reports."""

    def __init__(self, ports: QueuePorts, settings: SmtpSettings, *, host: str) -> None:
        self._ports = ports
        self._settings = settings
        self._host = host
        self._wake = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There is something new: look at once. To be called in the event loop's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; transfers that are under way then have STOP_GRACE to end."""
        try:
            while True:
                self._wake.clear()
                await self._start_due()
                try:
                    async with asyncio.timeout(self._settings.poll):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await self._finish_running()

    async def _start_due(self) -> None:
        free = self._settings.connections - len(self._running)
        if free <= 0:
            return
        try:
            due = await self._ports.queue.due(self._ports.clock.now(), self._settings.connections)
        except Unavailable as error:
            log.warning("the outgoing queue cannot be read: %s", error)
            return
        for queued in [message for message in due if message.id not in self._running][:free]:
            self._running[queued.id] = asyncio.create_task(self._attempt(queued))

    async def _attempt(self, queued: Queued) -> None:
        try:
            await self.attempt(queued)
            self._wake.set()
        except Exception:  # a fault with one message must not stop the others, nor stand in front of them
            log.exception("outgoing message %d could not be handled", queued.id)
            with contextlib.suppress(Unavailable):
                until = self._ports.clock.now() + self._delay(queued.attempts)
                await self._ports.queue.defer(queued.id, until, "an error here")
        finally:
            del self._running[queued.id]

    async def attempt(self, queued: Queued) -> None:
        """Try once to send a message, and settle what can be settled."""
        attempt = await self._ports.transport.send(queued.forwarding)
        now = self._ports.clock.now()
        failures, waiting = _judged(attempt, now - queued.queued >= timedelta(seconds=self._settings.give_up_after))
        if failures:
            await self._report(queued, failures, now)
        settled = [*attempt.sent, *(failure.address for failure in failures)]
        if settled:
            await self._ports.queue.finish(queued.id, settled)
        for failure in (*failures, *waiting):
            log.info("outgoing message %d, %s: %s", queued.id, failure.address, failure.diagnostic)
        if waiting:
            await self._ports.queue.defer(queued.id, now + self._delay(queued.attempts), waiting[0].diagnostic)

    def _delay(self, attempts: int) -> timedelta:
        doublings = min(attempts, _MAX_DOUBLINGS)
        return timedelta(seconds=min(self._settings.first_retry * 2**doublings, self._settings.last_retry))

    async def _report(self, queued: Queued, failures: tuple[Failure, ...], now: datetime) -> None:
        """Tell the sender: in the Inbox of a local one, by mail another one (of a message to a group here)."""
        sender = queued.forwarding.sender
        if not sender:
            return  # this was a report itself, or something that nobody waits for
        header = await _header(queued.forwarding.content)
        report = delivery_report(
            header=header, sender=sender, failures=failures, host=self._host, now=now, index=self._ports.index
        )
        account = await self._ports.accounts.by_address(sender)
        deliveries: tuple[Delivery, ...] = ()
        forwarding: Forwarding | None = None
        if account is not None:
            deliveries = (Delivery(user=account.user, folder=FolderType.INBOX, message=report),)
        else:
            forwarding = Forwarding(sender="", recipients=(sender,), content=report.content)
        submission = Submission(user=queued.user, source=None, deliveries=deliveries, forwarding=forwarding, now=now)
        try:
            await self._ports.submission.submit(submission)
        except StoreFull:
            log.warning("no report to %s: the mailbox is full", sender)

    async def _finish_running(self) -> None:
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_MAX_DOUBLINGS: Final = 30


def _judged(attempt: Attempt, expired: bool) -> tuple[tuple[Failure, ...], tuple[Failure, ...]]:
    """The failures for good, and those for now: none once the time is over."""
    if not expired:
        return attempt.refused, attempt.deferred
    given_up = tuple(
        Failure(
            address=failure.address,
            status=_EXPIRED,
            diagnostic=f"not delivered in time; the last answer was: {failure.diagnostic}",
            remote=failure.remote,
        )
        for failure in attempt.deferred
    )
    return (*attempt.refused, *given_up), ()


async def _header(content: Blob) -> bytes:
    try:
        return read_header(await read(content, 0, MAX_HEADER)).octets
    except InvalidMessage:
        return b""


class WakingSubmission:
    """A MailSubmission that wakes the runner for each message that goes out."""

    def __init__(self, submission: MailSubmission, wake: Callable[[], None]) -> None:
        self._submission = submission
        self._wake = wake

    async def submit(self, submission: Submission) -> Receipt:
        """See MailSubmission."""
        receipt = await self._submission.submit(submission)
        if receipt.outcome is Submitted.ACCEPTED and submission.forwarding is not None:
            self._wake()
        return receipt


_: type[MailSubmission] = WakingSubmission
