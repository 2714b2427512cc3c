"""Read receipts ([RFC 8098]): sent once, when a user marks a message as read whose sender wants to know.

See docs/decisions/0020-drafts.md for who is told.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from eas_server.errors import StoreFull, Unavailable
from eas_server.interfaces import Accounts, Delivery, Forwarding, MailSubmission, Preferences, Submission
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.directory import Account
from eas_server.model.mail import FolderType, Item, NewMessage
from eas_server.model.settings import ReadReceipts
from eas_server.render import headers
from eas_server.render.mime import index_message
from eas_server.render.out_of_office import normal
from eas_server.render.read_receipts import Reading, asked_by, read_receipt
from eas_server.submission import trace
from eas_server.submission.routing import Routes, route

REMEMBERED: Final = timedelta(days=3660)
"""How long it is known that a message was answered so: a receipt is sent once ([RFC 8098] 2.1)."""
OWN_MAIL: Final = frozenset({FolderType.SENT_ITEMS, FolderType.DRAFTS, FolderType.OUTBOX})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPorts:
    """What receipts are sent by."""

    accounts: Accounts
    preferences: Preferences
    submission: MailSubmission
    host: str
    """What the server calls itself in mail."""
    domains: tuple[str, ...]
    """The local mail domains."""


async def acknowledge(
    item: Item, folder: FolderType, account: Account, policy: ReadReceipts, ports: ReceiptPorts, reading: Reading
) -> bool:
    """Tell the sender that `item` was read, if he asks and may be told; tells whether he was.

    `reading`: when and by whom; its `to` and `message_id` are filled in here. What fails is logged: nobody's reading
    depends on it.
    """
    if policy is ReadReceipts.NEVER or folder in OWN_MAIL or not item.index.receipt_requested:
        return False
    own = {normal(address) for address in (*account.addresses, account.address)}
    octets = await blob.read(item.content, 0, min(item.content.size, headers.MAX_HEADER_BLOCK))
    fields, _ = headers.header_block(octets, 0, len(octets))
    to = asked_by(fields, own)
    if to is None:
        return False
    try:
        routes = await route([to], ports.accounts, ports.domains)
        inside = bool(routes.local) and await ports.accounts.group(normal(to)) is None
        if not inside and (policy is ReadReceipts.INTERNAL or not routes.remote):
            return False
        named = item.index.message_id or sha256(octets).hexdigest()
        now = reading.now
        # noted before it is sent: a crash in between loses one, the other way round it would be sent twice
        if not await ports.preferences.mark_once(account.user, f"read {named}", now, now + REMEMBERED):
            return False
        await _send(item, account, routes, ports, _completed(reading, to, fields, own, item))
    except (StoreFull, Unavailable) as error:
        log.info("no read receipt of %s: %s", account.user, error)
        return False
    return True


def _completed(reading: Reading, to: str, fields: headers.Fields, own: set[str], item: Item) -> Reading:
    named = repr((reading.address, to, item.index.message_id, reading.now.isoformat()))
    name = sha256(named.encode("utf-8", "replace")).hexdigest()[:32]
    delivered = headers.text(headers.first(fields, "delivered-to")).strip()
    return Reading(
        name=reading.name,
        address=delivered if normal(delivered) in own else reading.address,
        to=to,
        now=reading.now,
        host=reading.host,
        message_id=f"<{reading.now:%Y%m%d%H%M%S}.{name}@{reading.host}>",
    )


async def _send(item: Item, account: Account, routes: Routes, ports: ReceiptPorts, reading: Reading) -> None:
    """With the null sender, so that nothing ever answers it ([RFC 8098] 3)."""
    octets = read_receipt(item.index, reading)
    index, text = index_message(octets, received=reading.now)
    content = MemoryBlob(octets)
    received = trace.received(by=ports.host, protocol="local", id_=reading.message_id.strip("<>"), now=reading.now)
    deliveries = tuple(
        Delivery(
            user=user,
            folder=FolderType.INBOX,
            message=NewMessage(
                content=content,
                index=index,
                text=text,
                received=reading.now,
                trace=trace.delivered("", address) + received,
            ),
            recipient=address,
        )
        for user, address in routes.local.items()
    )
    forwarding = Forwarding(sender="", recipients=routes.remote, content=content) if routes.remote else None
    told = Submission(user=account.user, source=None, deliveries=deliveries, forwarding=forwarding, now=reading.now)
    await ports.submission.submit(told)
