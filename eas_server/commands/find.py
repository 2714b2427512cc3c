"""Find, [MS-ASCMD] 2.2.1.2: messages by a query in KQL, newest first, and people in the global address list.

Each range is looked up anew.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from eas_server.commands.context import Command, Context
from eas_server.commands.find_mail import find_mail
from eas_server.commands.last_finds import Search
from eas_server.commands.mailbox_search import MAX_COUNTED, items_of, places_of
from eas_server.commands.pictures import Pictures
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.search import gal_properties_of
from eas_server.commands.search_ranges import SearchFailed
from eas_server.model.ids import CollectionId, server_id
from eas_server.model.mail import Folder, FolderType, Item, ItemClass, SearchHit
from eas_server.render import addresses
from protocol import kql
from protocol.commands.find import (
    MAX_PREVIEW,
    Answer,
    EmailProperties,
    MailboxCriterion,
    MailboxQuery,
    Options,
    PictureOptions,
    Request,
    Response,
    Result,
    Status,
    gal_properties,
    words_of,
)
from protocol.commands.search import StoreStatus
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.items.email import Importance
from protocol.schema import dump
from protocol.versions import ProtocolVersion

DEFAULT_RANGE: Final = range(100)
"""MS-ASCMD_R3707101815, R3733, R3735."""

_RANGE: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")


class _Failed(Exception):
    """The command ends with this Status, as a child of Find."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


async def handle(request: Request, ctx: Context) -> Response:
    """Search the mailbox or the directory."""
    mailbox, gal = request.execute.mailbox, request.execute.gal
    try:
        if mailbox is not None and gal is None:
            span = _span(mailbox.options)
            if not _goes_on(_search_of(request, ctx, mailbox.query), span, ctx):
                return _start_with_zero()
            answer = await _find_mail(mailbox, span, ctx)
        elif gal is not None and mailbox is None:
            span, words = _span(gal.options), words_of(gal.query)
            if not _goes_on(_search_of(request, ctx, words), span, ctx):
                return _start_with_zero()
            answer = await _find_people(words, gal.options.picture, span, ctx)
        else:
            raise _Failed(Status.INVALID_REQUEST)
    except _Failed as failed:
        return Response(status=failed.status)
    return Response(status=Status.SUCCESS, answer=answer)


# ---- ranges


def _span(options: Options) -> range:
    if options.range is None:
        return DEFAULT_RANGE
    found = _RANGE.fullmatch(options.range.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise _Failed(Status.INVALID_REQUEST)  # MS-ASCMD_R37071811, R37071812
    return range(int(found[1]), int(found[2]) + 1)


def _search_of(request: Request, ctx: Context, query: MailboxQuery | str) -> Search:
    """What stays the same while a client asks for one range after another (MS-ASCMD_R70981808)."""
    text = repr((request.search_id, query))
    return ctx.account.user, ctx.device.id, hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _goes_on(search: Search, span: range, ctx: Context) -> bool:
    if span.start == 0:
        ctx.ports.last_finds.begin(search)
        return True
    return ctx.ports.last_finds.goes_on(search)


def _start_with_zero() -> Response:
    """MS-ASCMD_R72172518."""
    return Response(status=Status.SUCCESS, answer=Answer(status=Status.START_WITH_RANGE_ZERO))


def _answer(span: range, results: list[Result], total: int) -> Answer:
    """Range tells how many results there are here, Total how many there are (MS-ASCMD_R131999)."""
    return Answer(
        status=Status.SUCCESS,
        results=tuple(results),
        range=f"{span.start}-{span.start + len(results) - 1}" if results else None,
        total=total,
    )


# ---- people


async def _find_people(words: str, wanted: PictureOptions | None, span: range, ctx: Context) -> Answer:
    if not words:
        raise _Failed(Status.INVALID_REQUEST)
    count = max(0, min(span.stop, ctx.settings.recipients.max_results) - span.start)  # MS-ASCMD_R10031996
    found = await ctx.ports.directory.search(words, span.start, count)
    pictures = Pictures(wanted.max_size, wanted.max_pictures) if wanted is not None else None
    results = [
        Result(properties=gal_properties(dump(gal_properties_of(entry, pictures), ctx.version)))
        for entry in found.entries[:count]
    ]
    return _answer(span, results, found.total)


# ---- mail


async def _find_mail(criterion: MailboxCriterion, span: range, ctx: Context) -> Answer:
    deadline = asyncio.get_running_loop().time() + ctx.settings.sync.window_seconds
    alternatives = _alternatives(criterion)
    folders = {folder.id: folder for folder in await ctx.ports.folders.folders(ctx.account.user)}
    places = _places(criterion, folders)
    hits = await find_mail(alternatives, places, ctx, deadline) if places else ()
    shown = hits[span.start : min(span.stop, MAX_COUNTED)]
    items = await items_of(shown, ctx)
    results = [_result(hit, folders.get(hit.collection), items.get((hit.collection, hit.id)), ctx) for hit in shown]
    return _answer(span, [result for result in results if result is not None], len(hits))


def _alternatives(criterion: MailboxCriterion) -> tuple[kql.Alternative, ...]:
    query = criterion.query
    if any(name != ItemClass.EMAIL.value for name in query.classes):
        raise _Failed(Status.INVALID_REQUEST)  # MS-ASCMD_R901100613
    try:
        alternatives = kql.parse(query.free_text)
    except kql.TooComplex:
        raise _Failed(Status.INVALID_REQUEST) from None
    if not alternatives:
        raise _Failed(Status.INVALID_REQUEST)
    return alternatives


def _places(criterion: MailboxCriterion, folders: Mapping[CollectionId, Folder]) -> tuple[CollectionId, ...]:
    deep = criterion.options.deep_traversal is not None
    try:
        return places_of(criterion.query.collection_ids, folders, deep=deep)
    except SearchFailed as failed:
        outdated = failed.status == StoreStatus.FOLDER_SYNC_REQUIRED
        raise _Failed(Status.FOLDER_SYNC_REQUIRED if outdated else Status.INVALID_REQUEST) from failed


def _result(hit: SearchHit, folder: Folder | None, item: Item | None, ctx: Context) -> Result | None:
    """None for what went away since the search."""
    if folder is None or item is None:
        return None
    return Result(
        item_class=folder.item_class.value,
        server_id=server_id(hit.collection, hit.id),
        collection_id=hit.collection,
        properties=dump(_properties(folder, item), ctx.version),
    )


def _properties(folder: Folder, item: Item) -> EmailProperties:
    index = item.index
    return EmailProperties(
        subject=index.subject,
        date_received=item.received,
        display_to=index.display_to or None,
        display_cc=display_names(index.cc) or None,
        display_bcc=display_names(index.bcc) or None,
        importance=Importance(index.importance),
        read=item.state.read,
        is_draft=True if folder.type is FolderType.DRAFTS else None,
        preview=index.preview[:MAX_PREVIEW] or None,
        has_attachments=any(not attachment.inline for attachment in index.attachments),
        sender=index.sender or None,
    )


def display_names(field: str) -> str:
    """The names of a header, or addresses where there is no name, separated by semicolons."""
    return addresses.display_names(addresses.parse(field.encode("utf-8", "replace")))


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R72172512."""
    return Response(status=Status.INVALID_REQUEST)


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.FIND, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
