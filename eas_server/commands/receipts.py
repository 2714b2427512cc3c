"""When a client marks a message as read for the first time, its sender may be told ([RFC 8098])."""

from eas_server.commands.context import Context
from eas_server.delivery.read_receipts import ReceiptPorts, acknowledge
from eas_server.model.mail import Folder, Item
from eas_server.render.read_receipts import Reading
from eas_server.submission.trace import server_name


async def acknowledge_reading(item: Item, folder: Folder, ctx: Context) -> None:
    """Tell the sender of `item`, which was unread until now, if he wants to know and the settings allow it."""
    account = ctx.account
    host = server_name(ctx.settings.external_url, account.address)
    ports = ReceiptPorts(
        accounts=ctx.ports.accounts,
        preferences=ctx.ports.preferences,
        submission=ctx.ports.submission,
        host=host,
        domains=ctx.settings.domains,
    )
    reading = Reading(name=account.display_name, address=account.address, to="", now=ctx.now, host=host, message_id="")
    await acknowledge(item, folder.type, account, ctx.settings.mail.read_receipts, ports, reading)
