"""The recipient information cache in Sync, GetItemEstimate and Ping, [MS-ASCMD] 2.2.3.30.6: read-only, and limited."""

from dataclasses import replace

from eas_server.commands.context import Context
from eas_server.commands.kept_items import octets_of
from eas_server.delivery.recipient_cache import MAX_ENTRIES
from eas_server.model.mail import Folder, Item
from eas_server.model.view import TOP
from eas_server.render.recipients import cached
from eas_server.sync.filters import Scope
from eas_server.sync.hierarchy import is_recipient_cache
from protocol.commands.sync import Options
from protocol.elements import Element
from protocol.schema import dump
from protocol.versions import V14_0


async def within_max_items(ctx: Context, folder: Folder, options: Options, scope: Scope) -> Scope:
    """The scope with MaxItems: the client is to hold the first so many entries (MS-ASCMD_R3273).

    Without effect for other folders, and at 12.1, which does not have it (MS-ASCMD_R6770). Raises NoSuchFolder.
    """
    most = options.max_items
    if most is None or most >= MAX_ENTRIES or not is_recipient_cache(folder) or ctx.version < V14_0:
        return scope
    first = await ctx.ports.mail.page(ctx.account.user, folder.id, below=TOP, not_before=scope.cutoff, limit=most)
    return replace(scope, cutoff=first[-1].received) if len(first) == most else scope


async def entry_data(ctx: Context, item: Item) -> Element:
    """ApplicationData of an entry."""
    return dump(cached(await octets_of(item)), ctx.version)
