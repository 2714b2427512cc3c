"""Search in the mailbox, [MS-ASCMD] 2.2.1.16: messages first, newest first, and then what is kept of other classes.

A range that begins with 0 is looked up anew, so is each with RebuildResults; others go on in the result set that was
found then. The LongId of a result is its ServerId.
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, application_data, are_parts_offered, body_plan
from eas_server.commands.kept_items import KEPT, has_class
from eas_server.commands.rights import disclosed
from eas_server.commands.search_ranges import SearchFailed, Span, answered, span_of
from eas_server.errors import NoSuchFolder, Unavailable
from eas_server.model.ids import ROOT, CollectionId, ItemId, server_id
from eas_server.model.kinds import MAIL_ALONE, TEXT_MESSAGE_WORD, Kinds, is_text_message
from eas_server.model.mail import Folder, Item, ItemClass, SearchHit, SearchQuery
from eas_server.sync.hierarchy import is_recipient_cache, subtree
from protocol import wbxml
from protocol.commands.search import (
    And,
    Options,
    Result,
    Store,
    StoreResponse,
    StoreStatus,
    item_properties,
    mailbox_query,
)
from protocol.commands.sync import SMS
from protocol.status import CommonStatus
from protocol.versions import V14_0, V14_1, ProtocolVersion

log = logging.getLogger(__name__)

MAX_COUNTED: Final = 1000
"""Messages up to which Total is exact; it is an estimate by the documents (MS-ASCMD_R4633)."""
RESULT_OVERHEAD: Final = 1024
"""About what the properties of a message take beside its body, in octets."""

MAIL: Final = frozenset({ItemClass.EMAIL})
_CLASSES: Final = frozenset({*(known.value for known in ItemClass), SMS})  # MS-ASCMD_R920
_SINCE_14: Final = frozenset({ItemClass.NOTES.value, SMS})  # MS-ASCMD_R6288
_SECOND: Final = timedelta(seconds=1)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than any message; the calendar ends soon after it."""


async def search_mailbox(store: Store, ctx: Context) -> StoreResponse:
    """The items that match. Raises SearchFailed, MalformedXml."""
    deadline = asyncio.get_running_loop().time() + ctx.settings.sync.window_seconds
    wanted = _wanted(store, ctx.version)
    _check_parts(store.options, wanted, ctx.version)
    span = span_of(store.options.range, ctx.settings.recipients.max_results)
    folders = {folder.id: folder for folder in await ctx.ports.folders.folders(ctx.account.user)}
    queries = _queries(wanted, folders, ctx.version, deep=store.options.deep_traversal is not None)
    hits = await _result_set(store, span, queries, ctx, deadline)
    if not hits:
        answer = answered(span, (), 0)
        return answer if answer.status != StoreStatus.SUCCESS else _nothing(answer)
    shown = hits[span.first : span.first + span.count]
    kinds = _kinds(wanted, ctx.version)
    return answered(span, await _results(shown, store.options, folders, kinds, ctx, deadline), len(hits))


def _nothing(answer: StoreResponse) -> StoreResponse:
    """An empty Result says that the mailbox has nothing (MS-ASCMD_R3850); the GAL says so by none at all."""
    return StoreResponse(status=answer.status, results=(Result(),), total=answer.total)


# ---- the query


def _wanted(store: Store, version: ProtocolVersion) -> And:
    query = mailbox_query(store.query)
    if query.is_too_complex:
        raise SearchFailed(StoreStatus.TOO_COMPLEX)
    if len(query.ands) != 1 or query.equals or query.ands[0].equals:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)
    wanted = query.ands[0]
    known = _CLASSES if version >= V14_0 else _CLASSES - _SINCE_14
    if not known.issuperset(wanted.classes):
        raise SearchFailed(StoreStatus.INVALID_REQUEST)
    if wanted.conversation_id is not None and version < V14_0:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)  # MS-ASCMD_R6364
    if not _has_condition(wanted):
        raise SearchFailed(StoreStatus.INVALID_REQUEST)
    return wanted


def _has_condition(wanted: And) -> bool:
    """Something to search by, beside where."""
    if wanted.free_texts:
        return any(text.strip() for text in wanted.free_texts)
    return not (wanted.conversation_id is None and wanted.greater_than is None and wanted.less_than is None)


def _check_parts(options: Options, wanted: And, version: ProtocolVersion) -> None:
    if version < V14_1 or not options.body_part_preferences:
        return
    if wanted.conversation_id is None:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)  # MS-ASCMD_R5568, MS-ASAIRS_R10011
    if not are_parts_offered(options.body_part_preferences):
        raise SearchFailed(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # MS-ASCMD_R5412


def _queries(
    wanted: And, folders: Mapping[CollectionId, Folder], version: ProtocolVersion, *, deep: bool
) -> Sequence[SearchQuery]:
    """What to ask the store, one after the other. Only mail is received, and belongs to conversations."""
    classes = _classes(wanted, version)
    asked = SearchQuery(
        words=" ".join(wanted.free_texts),
        since=_second_after(wanted.greater_than.value) if wanted.greater_than is not None else None,
        before=_not_before(wanted.less_than.value) if wanted.less_than is not None else None,
        conversation_id=wanted.conversation_id,
        limit=MAX_COUNTED,
    )
    if asked.since is not None or asked.before is not None or asked.conversation_id is not None:
        classes &= MAIL
    groups = (classes & MAIL, classes - MAIL)
    places = [places_of(wanted.collection_ids, folders, deep=deep, classes=group) for group in groups]
    made = [replace(asked, collections=found) for found in places if found]
    if SMS in wanted.classes and ItemClass.EMAIL not in classes:
        short = replace(asked, words=f"{asked.words} {TEXT_MESSAGE_WORD}")
        made.append(replace(short, collections=places_of(wanted.collection_ids, folders, deep=deep)))
    return made


def _classes(wanted: And, version: ProtocolVersion) -> frozenset[ItemClass]:
    """Those that are asked for, else all that the version has (MS-ASCMD_R921, R922). Text messages are mail here."""
    known = frozenset(each for each in ItemClass if has_class(version, each))
    return known.intersection(each for each in ItemClass if each.value in wanted.classes) if wanted.classes else known


def _kinds(wanted: And, version: ProtocolVersion) -> Kinds:
    if version < V14_0:
        return MAIL_ALONE
    named = wanted.classes
    return Kinds(mail=not named or ItemClass.EMAIL.value in named, sms=not named or SMS in named)


def places_of(
    collection_ids: Sequence[str],
    folders: Mapping[CollectionId, Folder],
    *,
    deep: bool,
    classes: Collection[ItemClass] = MAIL,
) -> tuple[CollectionId, ...]:
    """The folders of those classes to search. Outlook for iOS names the root where it means all.

    Raises SearchFailed for folders that are not there.
    """
    found: dict[CollectionId, None] = dict.fromkeys(folders)
    if collection_ids and ROOT not in collection_ids:
        found = {}
        for name in collection_ids:
            if name not in folders:
                raise SearchFailed(StoreStatus.FOLDER_SYNC_REQUIRED)  # MS-ASCMD_R4357
            found[CollectionId(name)] = None
            if deep:  # MS-ASCMD_R2031
                found.update(dict.fromkeys(subtree(folders.values(), CollectionId(name))))
    places = [folders[id_] for id_ in found]
    return tuple(place.id for place in places if place.item_class in classes and not is_recipient_cache(place))


def _second_after(moment: datetime) -> datetime:
    """The first whole second after `moment`: messages are received at whole seconds."""
    return min(moment, _LATEST).replace(microsecond=0) + _SECOND


def _not_before(moment: datetime) -> datetime:
    """The first whole second that is not before `moment`."""
    whole = min(moment, _LATEST).replace(microsecond=0)
    return whole if whole == moment else whole + _SECOND


async def _result_set(
    store: Store, span: Span, queries: Sequence[SearchQuery], ctx: Context, deadline: float
) -> Sequence[SearchHit]:
    """What matches; it is remembered where a next range can be asked for (MS-ASCMD_R3749, R3754)."""
    searcher = ctx.account.user, ctx.device.id
    asked = wbxml.encode(store.query).join()
    digest = hashlib.sha256(asked + repr((store.options.deep_traversal, ctx.version)).encode()).digest()
    if span.first and store.options.rebuild_results is None:
        known = ctx.ports.last_searches.get(searcher, digest)
        if known is not None:
            return known
    try:
        async with asyncio.timeout_at(deadline):
            hits = [hit for query in queries for hit in await ctx.ports.search.search(ctx.account.user, query)]
    except TimeoutError:
        raise SearchFailed(StoreStatus.TIMED_OUT) from None  # MS-ASCMD_R4353
    if len(hits) > span.count:
        ctx.ports.last_searches.keep(searcher, digest, hits)
    return hits


# ---- the results


async def _results(
    hits: Sequence[SearchHit],
    options: Options,
    folders: Mapping[CollectionId, Folder],
    kinds: Kinds,
    ctx: Context,
    deadline: float,
) -> list[Result]:
    """As many as fit into the budgets of octets and time, one at least; the rest can be had by the next Range."""
    items = await items_of(hits, ctx)
    how = ItemOptions(
        preferences=options.body_preferences,
        part_preferences=options.body_part_preferences if ctx.version >= V14_1 else (),
        mime_support=options.mime_support or 0,
        rights_management=options.rights_management,
    )
    octets_left = ctx.settings.sync.window_bytes
    results: list[Result] = []
    for hit in hits:
        item, folder = items.get((hit.collection, hit.id)), folders.get(hit.collection)
        if item is None or folder is None or not _is_of(item, folder, kinds):
            continue
        if results and (octets_left <= 0 or asyncio.get_running_loop().time() >= deadline):
            break
        item = disclosed(item, ctx, asked=how.rights_management)
        result = await _result(item, folder, how, ctx)
        if result is not None:
            results.append(result)
            octets_left -= RESULT_OVERHEAD + _weight(item, folder, how)
    return results


def _weight(item: Item, folder: Folder, how: ItemOptions) -> int:
    return item.content.size if folder.item_class in KEPT else body_plan(item, how).weight


async def items_of(hits: Sequence[SearchHit], ctx: Context) -> dict[tuple[CollectionId, ItemId], Item]:
    """The items that are still there."""
    wanted: dict[CollectionId, list[ItemId]] = {}
    for hit in hits:
        wanted.setdefault(hit.collection, []).append(hit.id)
    found: dict[tuple[CollectionId, ItemId], Item] = {}
    for collection, ids in wanted.items():
        try:
            items = await ctx.ports.mail.fetch(ctx.account.user, collection, ids)
        except NoSuchFolder:  # it went away since the search
            continue
        found.update({(collection, item.id): item for item in items})
    return found


def _is_of(item: Item, folder: Folder, kinds: Kinds) -> bool:
    return folder.item_class is not ItemClass.EMAIL or kinds.wants(item.index.message_class)


async def _result(item: Item, folder: Folder, how: ItemOptions, ctx: Context) -> Result | None:
    """None for a message that cannot be rendered: it does not hold up the others."""
    try:
        properties = item_properties(await application_data(ctx, folder, item, how))
    except Unavailable:
        raise
    except Exception:
        log.exception("request %s: item %s:%s cannot be rendered", ctx.request_id, folder.id, item.id)
        return None
    return Result(
        item_class=SMS if is_text_message(item.index.message_class) else folder.item_class.value,
        long_id=server_id(folder.id, item.id),
        collection_id=folder.id,
        properties=properties,
    )
