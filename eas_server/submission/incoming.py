"""Mail that comes in: into the mailboxes of its recipients, with an outcome for each of them."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from eas_server.errors import StoreFull, Unavailable
from eas_server.interfaces import Accounts, Clock, Delivery, Forwarding, MailSubmission, Submission
from eas_server.model.blob import Joined, MemoryBlob
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, MessageIndex, NewMessage
from eas_server.submission import trace
from eas_server.submission.copies import OFFLOAD_FROM, Indexer
from eas_server.submission.header import Header, InvalidMessage, parse_fields, read_header
from eas_server.submission.routing import normal_address, route

log = logging.getLogger(__name__)

MAX_HOPS: Final = 100
"""Received lines of a message that goes in circles ([RFC 5321] 6.3 asks for at least 100)."""


class Outcome(Enum):
    """What became of a message for one recipient."""

    DELIVERED = "delivered"
    UNKNOWN = "unknown"
    """There is no such mailbox or group."""
    FULL = "full"
    """The mailbox or the disk is full: later it may not be."""
    LOOP = "loop"
    """The message has been here before."""
    UNAVAILABLE = "unavailable"
    """The store cannot be reached now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingPorts:
    """What delivery works with."""

    accounts: Accounts
    submission: MailSubmission
    clock: Clock
    index: Indexer


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message as it was handed over; `sender` is "" for the null sender."""

    sender: str
    recipients: tuple[str, ...]
    content: memoryview
    protocol: str
    """What Received says: LMTP, or what brought it here otherwise."""
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """An envelope's content, read once for all recipients."""

    envelope: Envelope
    header: Header
    index: MessageIndex
    text: str
    received: bytes


class Incoming:
    """Delivers mail. `host` is what the server calls itself, `domains` the local ones."""

    def __init__(self, ports: IncomingPorts, *, host: str, domains: Sequence[str]) -> None:
        self._ports = ports
        self._host = host
        self._domains = tuple(domains)

    async def knows(self, recipient: str) -> bool:
        """Whether mail for `recipient` is taken here."""
        address = normal_address(recipient)
        if await self._ports.accounts.by_address(address) is not None:
            return True
        return await self._ports.accounts.group(address) is not None

    async def deliver(self, envelope: Envelope) -> list[Outcome]:
        """Deliver a message; the outcomes are in the order of the recipients. What is DELIVERED is durable.

        The octets are stored as they came: a message that is no valid MIME is delivered too.
        """
        message = await self._read(envelope)
        if len(message.header.all(b"received")) > MAX_HOPS:
            return [Outcome.LOOP] * len(envelope.recipients)
        return [await self._deliver_to(recipient, message) for recipient in envelope.recipients]

    async def _read(self, envelope: Envelope) -> _Message:
        content = envelope.content
        large = content.nbytes >= OFFLOAD_FROM
        index, text = await asyncio.to_thread(self._ports.index, content) if large else self._ports.index(content)
        try:
            header = read_header(content)
        except InvalidMessage:
            header = parse_fields(b"")
        received = trace.received(
            by=self._host,
            protocol=envelope.protocol,
            id_=secrets.token_hex(8),
            now=self._ports.clock.now(),
            peer=envelope.peer,
        )
        return _Message(envelope=envelope, header=header, index=index, text=text, received=received)

    async def _deliver_to(self, recipient: str, message: _Message) -> Outcome:
        if self._was_here(recipient, message.header):
            return Outcome.LOOP
        try:
            return await self._submit(recipient, message)
        except StoreFull:
            return Outcome.FULL
        except Unavailable as error:
            log.warning("a message to %s has to wait: %s", recipient, error)
            return Outcome.UNAVAILABLE

    def _was_here(self, recipient: str, header: Header) -> bool:
        wanted = normal_address(recipient).lower().encode("utf-8", "replace")
        return any(field.value.lower() == wanted for field in header.all(b"delivered-to"))

    async def _submit(self, recipient: str, message: _Message) -> Outcome:
        routes = await route([recipient], self._ports.accounts, self._domains)
        group = await self._ports.accounts.group(normal_address(recipient)) is not None
        if not routes.local and not (group and routes.remote):
            return Outcome.UNKNOWN  # nothing goes out from here that was not sent to a group of ours
        user = next(iter(routes.local), UserId(""))
        submission = Submission(
            user=user,
            source=None,
            deliveries=tuple(self._delivery(u, address, message) for u, address in routes.local.items()),
            forwarding=self._forwarding(routes.remote, message) if group else None,
            now=self._ports.clock.now(),
        )
        receipt = await self._ports.submission.submit(submission)
        for missed in receipt.missed:
            # the others of a group have it: the sender is not asked to send it to all of them again
            log.warning("a message to %s did not reach %s: the mailbox is full or gone", recipient, missed)
        return Outcome.DELIVERED

    def _delivery(self, user: UserId, address: str, message: _Message) -> Delivery:
        new = NewMessage(
            content=MemoryBlob(message.envelope.content),
            index=message.index,
            text=message.text,
            received=self._ports.clock.now(),
            trace=trace.delivered(message.envelope.sender, address) + message.received,
        )
        sender = message.envelope.sender
        return Delivery(user=user, folder=FolderType.INBOX, message=new, sender=sender, recipient=address)

    def _forwarding(self, recipients: tuple[str, ...], message: _Message) -> Forwarding | None:
        if not recipients:
            return None
        content = Joined(MemoryBlob(message.received), MemoryBlob(message.envelope.content))
        return Forwarding(sender=message.envelope.sender, recipients=recipients, content=content)
