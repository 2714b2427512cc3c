"""The class SMS in mail folders, from 14.0 on: what a phone adds, and who gets it ([MS-ASCMD] 2.2.3.27.6).

The server has no gateway: it keeps text messages, and shows them to the clients whose Options name their class.
"""

import hashlib
from dataclasses import replace
from itertools import islice
from typing import Final

from eas_server.commands.context import Context
from eas_server.errors import StoreFull
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import ItemId, server_id
from eas_server.model.kinds import TEXT_MESSAGE_WORD, Kinds
from eas_server.model.mail import Entry, Folder, ItemClass, ItemState, NewMessage
from eas_server.model.view import TOP, View
from eas_server.render.drafts import InvalidDraft
from eas_server.render.email import InvalidFlag, flag_from_client
from eas_server.render.mime import index_message
from eas_server.render.text_messages import text_message, text_message_index
from eas_server.submission import trace
from eas_server.sync.window import absorb_delete
from protocol.commands.sync import SMS, SoftDelete, Status
from protocol.items.email import Email
from protocol.versions import V14_0

LOOKED_AT: Final = 500
"""Items read from the store in one go."""


def are_in(ctx: Context, folder: Folder) -> bool:
    """Whether the folder has text messages for this client (MS-ASCMD_R6298)."""
    return folder.item_class is ItemClass.EMAIL and ctx.version >= V14_0


async def add_text_message(email: Email, name: str, folder: Folder, ctx: Context) -> Entry | int:
    """Keep a text message; the Status of one that cannot be kept. `name` tells it from others of the user."""
    received = email.date_received or ctx.now
    host = trace.server_name(ctx.settings.external_url, ctx.account.address)
    digest = hashlib.sha256(f"{ctx.account.user} {ctx.device.id} {name}".encode("utf-8", "replace")).hexdigest()[:32]
    try:
        octets = text_message(email, received, f"<{digest}@{host}>")
        flag = None if email.flag is None else flag_from_client(email.flag)
    except (InvalidDraft, InvalidFlag):
        return Status.CONVERSION_ERROR
    index, words = index_message(octets, received=received)
    message = NewMessage(
        content=MemoryBlob(octets),
        index=text_message_index(index, email),
        text=f"{words}\n{TEXT_MESSAGE_WORD}",
        received=received,
        state=ItemState(read=bool(email.read), flag=flag, categories=email.categories or ()),
    )
    try:
        return await ctx.ports.mail.add(ctx.account.user, folder.id, message)
    except StoreFull:
        return Status.NO_SPACE


async def switched(
    ctx: Context, folder: Folder, view: View, before: Kinds, after: Kinds
) -> tuple[View, list[SoftDelete]]:
    """The view of a client whose Options name other classes now, and what it is told to drop (MS-ASCMD_R3968).

    What it wants from now on was passed over until now: it is looked for from the top.
    """
    gone: list[ItemId] = []
    if after.lacks(before):
        held = iter(view.held)
        while batch := list(islice(held, LOOKED_AT)):
            items = await ctx.ports.mail.fetch(ctx.account.user, folder.id, batch)
            gone += [item.id for item in items if not after.wants(item.index.message_class)]
        view = absorb_delete(view, gone)
    if before.lacks(after):
        view = replace(view, low=TOP)
    return view, [SoftDelete(server_id=server_id(folder.id, item)) for item in gone]


__all__ = ["SMS", "add_text_message", "are_in", "switched"]
