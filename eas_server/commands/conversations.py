"""Whole conversations that are moved, once and for all: Move of ItemOperations, [MS-ASCON] 3.2.5.3.

What comes later is seen to when it is delivered (`delivery.conversation_rules`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from eas_server.commands.context import Context
from eas_server.errors import NoSuchFolder
from eas_server.model.ids import CollectionId, ItemId
from eas_server.model.mail import Folder, FolderType, ItemClass, SearchQuery
from eas_server.model.preferences import ConversationRules
from eas_server.sync.hierarchy import is_recipient_cache
from protocol.commands.item_operations import Move, Moved, Status

MOVED_AT_ONCE: Final = 500
"""Messages that are looked up and moved in one go."""

_NO_TARGETS: Final = frozenset({FolderType.DRAFTS, FolderType.OUTBOX})
"""Folders with mail that no conversation can be moved to (MS-ASCON_R175)."""


async def move_conversation(ctx: Context, folders: Sequence[Folder], wanted: Move) -> Moved:
    """Move all messages of a conversation, from all folders but Sent Items, and those to come (MS-ASCON_R215).

    A conversation that is to be moved to the inbox always is one that goes its usual way again.
    """
    target = next((folder for folder in folders if folder.id == wanted.target), None)
    status = _refusal(target)
    if target is None or status is not None:
        return Moved(status=status or Status.NOT_FOUND, conversation_id=wanted.conversation_id)
    try:
        found = await _exists(ctx, folders, wanted.conversation_id)
        if found:
            await _keep_rule(ctx, wanted.conversation_id, target)
            await _move(ctx, tuple(_sources(folders, target)), wanted.conversation_id, target.id)
    except NoSuchFolder:  # the target went away meanwhile
        found = False
    return Moved(status=Status.SUCCESS if found else Status.NOT_FOUND, conversation_id=wanted.conversation_id)


def _refusal(target: Folder | None) -> Status | None:
    if target is None:
        return Status.NOT_FOUND  # MS-ASCON_R317
    if is_recipient_cache(target):
        return Status.INVALID_COMBINATION  # MS-ASCON_R262
    if target.item_class is not ItemClass.EMAIL or target.type in _NO_TARGETS:
        return Status.NOT_SUPPORTED  # MS-ASCON_R338
    return None


async def _exists(ctx: Context, folders: Iterable[Folder], conversation_id: bytes) -> bool:
    """Whether there is such a conversation, be it in Sent Items alone (MS-ASCON_R146)."""
    mail = tuple(folder.id for folder in folders if folder.item_class is ItemClass.EMAIL)
    query = SearchQuery(collections=mail, conversation_id=conversation_id, limit=1)
    return bool(conversation_id) and bool(await ctx.ports.search.search(ctx.account.user, query))


async def _keep_rule(ctx: Context, conversation_id: bytes, target: Folder) -> None:
    """Before anything is moved, so that nothing slips through in between."""
    folder = None if target.type is FolderType.INBOX else target.id
    await ctx.ports.preferences.change_preference(
        ctx.account.user, ConversationRules, lambda rules: rules.with_rule(conversation_id, folder)
    )


def _sources(folders: Iterable[Folder], target: Folder) -> Iterable[CollectionId]:
    for folder in folders:
        if folder.item_class is ItemClass.EMAIL and folder.type is not FolderType.SENT_ITEMS and folder.id != target.id:
            yield folder.id


async def _move(ctx: Context, sources: tuple[CollectionId, ...], conversation_id: bytes, target: CollectionId) -> None:
    """Until nothing is found any more, or what is found has gone by itself. Raises NoSuchFolder."""
    query = SearchQuery(collections=sources, conversation_id=conversation_id, limit=MOVED_AT_ONCE)
    moved = True
    while moved:
        found: dict[CollectionId, list[ItemId]] = {}
        for hit in await ctx.ports.search.search(ctx.account.user, query):
            found.setdefault(hit.collection, []).append(hit.id)
        moved = False
        for source, items in found.items():
            moved |= bool(await ctx.ports.mail.move(ctx.account.user, source, items, target))
