"""Mail that the server writes for its user: invitations, cancellations, answers. Sent like mail of the user's own."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eas_server.commands.auditing import note_composed
from eas_server.commands.compose import MAILBOX_FULL
from eas_server.commands.context import Context
from eas_server.errors import StoreFull
from eas_server.interfaces import ClientSubmission, Delivery, Forwarding, Receipt, Submission, Submitted
from eas_server.model.blob import Joined, MemoryBlob
from eas_server.model.mail import FolderType, ItemState, MessageIndex, NewMessage
from eas_server.render.mime import index_message
from eas_server.submission import trace
from eas_server.submission.header import read_header
from eas_server.submission.report import Failure, delivery_report
from eas_server.submission.routing import NO_SUCH_USER, Routes, Unroutable, normal_address, route

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMail:
    """A message as it goes out, and where it goes."""

    octets: bytes
    """A whole message, with From, Date and Message-ID."""
    recipients: Sequence[str]
    """Addresses, groups, and names of local users."""
    to_user: bool = False
    """The user who sends it gets it too, if among them."""
    save: bool = True
    """A copy goes into Sent Items."""
    is_answered: bool = True
    """Recipients who are away may answer automatically."""
    once: ClientSubmission | None = None
    """What it is known by if it is sent again (`Submission.source`); None: it always goes out."""


async def send_server_mail(mail: ServerMail, ctx: Context) -> Receipt:
    """Send it. Whom it cannot reach, the user is told by a delivery report. Raises StoreFull, Unavailable."""
    found = await route(mail.recipients, ctx.ports.accounts, ctx.settings.domains)
    local = {user: address for user, address in found.local.items() if mail.to_user or user != ctx.account.user}
    unknown = (Unroutable(address=a, code=NO_SUCH_USER, reason="nobody has this name") for a in found.unresolved)
    routes = replace(found, local=local, unresolved=(), unroutable=(*found.unroutable, *unknown))
    copy = _Copy(mail.octets, *index_message(mail.octets), ctx)
    submission = Submission(
        user=ctx.account.user,
        source=mail.once,
        deliveries=_deliveries(mail, routes, copy),
        forwarding=copy.forwarding(routes.remote),
        now=ctx.now,
    )
    receipt = await ctx.ports.submission.submit(submission)
    if receipt.outcome is Submitted.ACCEPTED:
        note_composed(routes.addresses, ctx)
    failures = [
        Failure(address=address, status=MAILBOX_FULL, diagnostic="the mailbox is full")
        for user, address in routes.local.items()
        if user in receipt.missed
    ]
    if failures:
        await _report(copy, failures)
    return receipt


async def _report(copy: "_Copy", failures: Sequence[Failure]) -> None:
    """Tell the user whose mailbox had no room: the message itself was taken, for the others."""
    user, now = copy.ctx.account.user, copy.ctx.now
    told = Delivery(user=user, folder=FolderType.INBOX, message=copy.report(failures))
    submission = Submission(user=user, source=None, deliveries=(told,), forwarding=None, now=now)
    try:
        await copy.ctx.ports.submission.submit(submission)
    except StoreFull:
        log.warning("request %s: no room for the report that a mailbox was full", copy.ctx.request_id)


def _deliveries(mail: ServerMail, routes: Routes, copy: "_Copy") -> tuple[Delivery, ...]:
    user = copy.ctx.account.user
    made = [
        Delivery(
            user=local,
            folder=FolderType.INBOX,
            message=copy.delivered(address),
            sender=copy.sender if mail.is_answered else "",
            recipient=address,
        )
        for local, address in routes.local.items()
    ]
    if mail.save:
        sent = replace(copy.message(b""), state=ItemState(read=True))
        made.append(Delivery(user=user, folder=FolderType.SENT_ITEMS, message=sent))
    if routes.unroutable:
        failures = [Failure(address=u.address, status=u.code, diagnostic=u.reason) for u in routes.unroutable]
        made.append(Delivery(user=user, folder=FolderType.INBOX, message=copy.report(failures)))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Copy:
    """The message as it is stored and forwarded."""

    octets: bytes
    index: MessageIndex
    text: str
    ctx: Context

    @property
    def sender(self) -> str:
        return normal_address(self.ctx.account.address)

    @property
    def host(self) -> str:
        return trace.server_name(self.ctx.settings.external_url, self.ctx.account.address)

    def message(self, above: bytes) -> NewMessage:
        content = MemoryBlob(self.octets)
        return NewMessage(content=content, index=self.index, text=self.text, received=self.ctx.now, trace=above)

    def delivered(self, address: str) -> NewMessage:
        return self.message(trace.delivered(self.sender, address) + self._received())

    def forwarding(self, remote: tuple[str, ...]) -> Forwarding | None:
        if not remote:
            return None
        content = Joined(MemoryBlob(self._received()), MemoryBlob(self.octets))
        return Forwarding(sender=self.sender, recipients=remote, content=content)

    def report(self, failures: Sequence[Failure]) -> NewMessage:
        return delivery_report(
            header=read_header(self.octets).octets,
            sender=self.sender,
            failures=failures,
            host=self.host,
            now=self.ctx.now,
            index=index_message,
        )

    def _received(self) -> bytes:
        return trace.received(by=self.host, protocol="HTTP", id_=self.ctx.request_id, now=self.ctx.now)
