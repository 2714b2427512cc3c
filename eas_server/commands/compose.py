"""What SendMail, SmartReply and SmartForward share: from the client's octets to a Submission.

The octets go out as they came. Edited is the outer header alone: From where it names an address that is not the
user's, Bcc in what others get; what is missing is put on top (docs/decisions/0010).
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from eas_server.commands.context import Context
from eas_server.commands.rights import check_template_usable, protect
from eas_server.commands.smime_policy import check_outgoing
from eas_server.errors import CommandError, StoreFull, Unavailable
from eas_server.interfaces import ClientSubmission, Delivery, Forwarding, Receipt, Submission, Submitted
from eas_server.model.blob import Joined, MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from eas_server.model.mail import FolderType, ItemState, MessageIndex, NewMessage
from eas_server.model.rights import Protection
from eas_server.render import addresses, headers
from eas_server.render.mime import index_message
from eas_server.submission import trace
from eas_server.submission.copies import Copy, Indexer, Original
from eas_server.submission.header import Field, Header, InvalidMessage, read_header
from eas_server.submission.report import Failure, delivery_report
from eas_server.submission.routing import Routes, normal_address, route
from protocol.commands.compose_mail import Source
from protocol.elements import Buffer
from protocol.errors import MalformedXml
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import V14_0, V14_1

MAX_RECIPIENTS: Final = 1000
"""Addresses in To, Cc and Bcc of one message; beyond it Status 115."""
MAILBOX_FULL: Final = "5.2.2"
"""The status of a full mailbox, [RFC 3463] 3.3."""
_HASH_RUN: Final = 1024 * 1024
_ADDRESSED: Final = frozenset({b"to", b"cc", b"bcc"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request of any of the three commands, in any version."""

    command: str
    client_id: str | None
    """None up to 12.1."""
    mime: memoryview
    save: bool
    """A copy goes into Sent Items."""
    account_id: str | None = None
    template_id: str | None = None
    source: Source | None = None
    whole: bool = False
    """ReplaceMime: nothing of the source is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be sent: octets with their header, and the message ids of the thread that they answer."""

    octets: memoryview
    header: Header
    answers: tuple[str, ...] = ()
    thread_index: bytes = b""
    """Where in its conversation it stands ([MS-ASCON] 2.2.2.4), as octets of a Thread-Index; b"": nobody knows."""
    protection: Protection | None = None
    """What it is restricted to."""


Compose: TypeAlias = Callable[[Message], Awaitable[Message]]


def raw_order(body: Buffer, line: CommandLine) -> Order:
    """A request up to 12.1: the MIME, and the query line ([MS-ASHTTP] 2.2.1.1.1.2.5)."""
    return Order(
        command=line.command,
        client_id=None,
        mime=memoryview(body),
        save=line.save_in_sent,
        source=Source(
            folder_id=line.collection_id, item_id=line.item_id, long_id=line.long_id, instance_id=line.occurrence
        ),
    )


def check_client_id(client_id: str, command: str) -> str:
    """A ClientId has at least one character (schema of ComposeMail)."""
    if not client_id:
        raise MalformedXml(f"/{command}/ClientId", "is empty")
    return client_id


async def send(order: Order, ctx: Context, compose: Compose | None = None) -> bool:
    """Send a message; `compose` adds to it what the client left to the server.

    False: a repetition at a version that has no Status for it. Raises CommandError.
    """
    _check(order, ctx)
    digest = await _digest(order)
    message = _read(order.mime)
    recipients = named_recipients(message.header)
    if not recipients:
        raise CommandError(CommonStatus.MESSAGE_HAS_NO_RECIPIENT)
    if len(recipients) > MAX_RECIPIENTS:
        raise CommandError(CommonStatus.SEND_QUOTA_EXCEEDED, f"more than {MAX_RECIPIENTS} recipients")
    if compose is not None:
        message = await compose(message)
    else:
        message = replace(message, protection=protect(order.template_id, ctx))
    routes = await _resolve(recipients, ctx)
    if message.protection is not None and routes.remote:
        # the protection is this server's alone: whoever has the message elsewhere could do anything with it
        raise CommandError(CommonStatus.IRM_OPERATION_NOT_PERMITTED, "a protected message for another server")
    checked = await check_outgoing(message.octets, message.header, routes.addresses, digest, ctx)
    draft = await _draft(message, ctx, digest)
    hidden = await _hidden(message.header, routes, ctx)
    submission = Submission(
        user=ctx.account.user,
        source=ClientSubmission(device=ctx.device.id, client_id=order.client_id, digest=digest),
        deliveries=_deliveries(draft, routes, hidden, order, ctx),
        forwarding=_forwarding(draft, routes, ctx),
        now=ctx.now,
    )
    receipt = await _submit(submission, ctx)
    if receipt.outcome is Submitted.ACCEPTED:
        await checked.sent(ctx)
    if receipt.missed:
        await _report(routes, receipt.missed, draft, ctx)
    return _answer(receipt.outcome, ctx)


def _check(order: Order, ctx: Context) -> None:
    if order.account_id is not None and ctx.version >= V14_1:  # older versions do not know it (MS-ASCMD_R6134)
        # MS-ASCMD_R722, R724: Settings names no AccountId, for the primary account has none (R729)
        raise CommandError(CommonStatus.INVALID_ACCOUNT_ID)
    if order.template_id is not None:
        check_template_usable(ctx)


async def _digest(order: Order) -> bytes:
    """What the client sent, in 32 octets: the command, what it refers to, and the MIME."""
    source = order.source or Source()
    words = [order.command, source.folder_id, source.item_id, source.long_id, source.instance_id, str(order.whole)]
    if order.template_id is not None:
        words.append(order.template_id)
    found = hashlib.sha256(repr(tuple(words)).encode("utf-8", "surrogateescape"))
    for at in range(0, order.mime.nbytes, _HASH_RUN):
        if at:
            await asyncio.sleep(0)
        found.update(order.mime[at : at + _HASH_RUN])
    return found.digest()


def _read(octets: memoryview) -> Message:
    try:
        return Message(octets=octets, header=read_header(octets))
    except InvalidMessage as error:
        raise CommandError(CommonStatus.INVALID_MIME, str(error)) from None


def named_recipients(header: Header) -> list[str]:
    """The addresses, and the names without one, of To, Cc and Bcc."""
    found: dict[str, None] = {}
    for field in header.fields:
        if field.name in _ADDRESSED:
            found.update(dict.fromkeys(_addresses(field)))
    return list(found)


def _addresses(field: Field) -> list[str]:
    parsed = addresses.parse(field.value)
    if any("=?" in one.address for one in parsed):
        # some clients encode the address along with the name, which [RFC 2047] 5 forbids
        parsed = addresses.parse(headers.text(field.value).encode())
    return [one.address or one.name for one in parsed if one.address or one.name]


async def _resolve(recipients: list[str], ctx: Context) -> Routes:
    """Names without a domain are local users and groups, or what the directory has exactly one of."""
    routes = await route(recipients, ctx.ports.accounts, ctx.settings.domains)
    if not routes.unresolved:
        return routes
    found: dict[str, str] = {}
    for name in routes.unresolved:
        matches = await ctx.ports.directory.resolve(name, 2)
        if matches.total != 1 or not matches.entries[0].email:
            raise CommandError(CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED, f"{name!r}")
        found[name] = matches.entries[0].email
    return await route([found.get(name, name) for name in recipients], ctx.ports.accounts, ctx.settings.domains)


async def _hidden(header: Header, routes: Routes, ctx: Context) -> frozenset[UserId]:
    """The local recipients whom Bcc alone names, themselves or by a group."""
    visible = header.visible()
    if visible is header:
        return frozenset()
    named = await route(named_recipients(visible), ctx.ports.accounts, ctx.settings.domains)
    return frozenset(routes.local.keys() - named.local.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """The copies of a message, and the lines that go on top of both."""

    sender: str
    """The envelope sender."""
    own: Copy
    """For Sent Items."""
    others: Copy
    """For the recipients: without Bcc."""
    completions: bytes
    host: str


async def _draft(message: Message, ctx: Context, digest: bytes) -> _Draft:
    header, sender = _with_own_sender(message.header, ctx.account)
    host = trace.server_name(ctx.settings.external_url, ctx.account.address)
    above = trace.completions(
        header,
        sender=(ctx.account.display_name, ctx.account.address),
        now=ctx.now,
        message_id=f"<{ctx.now:%Y%m%d%H%M%S}.{digest[:16].hex()}@{host}>",
        answers=message.answers,
        thread_index=message.thread_index,
    )
    original = await Original.read(message.octets, message.header, _indexer(message.protection))
    own = original.copy(header, above)
    visible = header.visible()
    others = own if visible is header else original.copy(visible, above)
    return _Draft(sender=sender, own=own, others=others, completions=above, host=host)


def _indexer(protection: Protection | None) -> Indexer:
    """`index_message` for a message with this protection."""
    if protection is None:
        return index_message

    def index(octets: bytes | memoryview) -> tuple[MessageIndex, str]:
        found, text = index_message(octets)
        return replace(found, protection=protection), text

    return index


def _with_own_sender(header: Header, account: Account) -> tuple[Header, str]:
    """The header with a From that is the user's, and the envelope sender.

    MS-ASCMD_R448 has From always set to the primary address; one of the user's other addresses is left as it is.
    """
    own = {normal_address(address).lower() for address in (*account.addresses, account.address)}
    named = [normal_address(address) for field in header.all(b"from") for address in _addresses(field)]
    if named and all(address.lower() in own for address in named):
        return header, named[0]
    if header.has(b"from"):
        header = header.replaced(b"from", trace.from_line(account.display_name, account.address))
    return header, normal_address(account.address)


def _deliveries(
    draft: _Draft, routes: Routes, hidden: frozenset[UserId], order: Order, ctx: Context
) -> tuple[Delivery, ...]:
    made = [_delivery(user, address, draft, ctx, bcc=user in hidden) for user, address in routes.local.items()]
    if order.save:
        sent = _new(draft.own, draft.completions, ctx)
        sent = replace(sent, state=ItemState(read=True))
        made.append(Delivery(user=ctx.account.user, folder=FolderType.SENT_ITEMS, message=sent))
    if routes.unroutable:
        failures = [Failure(address=u.address, status=u.code, diagnostic=u.reason) for u in routes.unroutable]
        made.append(_reporting(failures, draft, ctx))
    return tuple(made)


def _reporting(failures: list[Failure], draft: _Draft, ctx: Context) -> Delivery:
    """The delivery report for the sender's Inbox."""
    report = delivery_report(
        header=draft.completions + draft.own.header.octets,
        sender=draft.sender,
        failures=failures,
        host=draft.host,
        now=ctx.now,
        index=index_message,
    )
    return Delivery(user=ctx.account.user, folder=FolderType.INBOX, message=report)


async def _report(routes: Routes, missed: frozenset[UserId], draft: _Draft, ctx: Context) -> None:
    """Tell the sender whose mailbox had no room: the message itself was taken, for the others."""
    failures = [
        Failure(address=address, status=MAILBOX_FULL, diagnostic="the mailbox is full")
        for user, address in routes.local.items()
        if user in missed
    ]
    if not failures:
        return  # only a report for the sender, whose own mailbox is full
    told = Submission(
        user=ctx.account.user,
        source=None,
        deliveries=(_reporting(failures, draft, ctx),),
        forwarding=None,
        now=ctx.now,
    )
    try:
        await ctx.ports.submission.submit(told)
    except StoreFull:
        log.warning("request %s: no room for the report that a mailbox was full", ctx.request_id)


def _delivery(user: UserId, address: str, draft: _Draft, ctx: Context, *, bcc: bool) -> Delivery:
    above = trace.delivered(draft.sender, address) + _received(draft, ctx) + draft.completions
    message = _new(draft.others, above, ctx)
    if bcc:
        message = replace(message, index=replace(message.index, received_as_bcc=True))
    return Delivery(user=user, folder=FolderType.INBOX, message=message, sender=draft.sender, recipient=address)


def _forwarding(draft: _Draft, routes: Routes, ctx: Context) -> Forwarding | None:
    if not routes.remote:
        return None
    above = MemoryBlob(_received(draft, ctx) + draft.completions)
    return Forwarding(sender=draft.sender, recipients=routes.remote, content=Joined(above, draft.others.content))


def _received(draft: _Draft, ctx: Context) -> bytes:
    return trace.received(by=draft.host, protocol="HTTP", id_=ctx.request_id, now=ctx.now)


def _new(copy: Copy, above: bytes, ctx: Context) -> NewMessage:
    return NewMessage(content=copy.content, index=copy.index, text=copy.text, received=ctx.now, trace=above)


async def _submit(submission: Submission, ctx: Context) -> Receipt:
    try:
        return await ctx.ports.submission.submit(submission)
    except Unavailable as error:
        raise CommandError(CommonStatus.MAIL_SUBMISSION_FAILED, str(error), retry=True) from error


def _answer(outcome: Submitted, ctx: Context) -> bool:
    if outcome is Submitted.ACCEPTED:
        return True
    if ctx.version >= V14_0:
        raise CommandError(CommonStatus.MESSAGE_PREVIOUSLY_SENT)
    return False
