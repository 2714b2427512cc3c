"""Search, [MS-ASCMD] 2.2.1.16: dispatch by store, and the global address list."""

from eas_server.commands.context import Command, Context
from eas_server.commands.document_search import search_documents
from eas_server.commands.mailbox_search import search_mailbox
from eas_server.commands.pictures import Pictures
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.search_ranges import SearchFailed, answered, span_of
from eas_server.model.directory import DirectoryEntry
from protocol.commands.search import (
    Answer,
    GalProperties,
    Picture,
    Request,
    Response,
    Result,
    Status,
    Store,
    StoreResponse,
    StoreStatus,
    words_of,
)
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.schema import dump
from protocol.versions import V14_1, ProtocolVersion


async def handle(request: Request, ctx: Context) -> Response:
    """Search the store that the request names."""
    store = request.store
    try:
        match store.name.casefold():
            case "gal":
                found = await _search_gal(store, ctx)
            case "mailbox":
                found = await search_mailbox(store, ctx)
            case "documentlibrary" | "document library":
                found = await search_documents(store, ctx)
            case _:
                found = StoreResponse(status=StoreStatus.INVALID_REQUEST)
    except SearchFailed as failed:
        found = StoreResponse(status=failed.status)
    return Response(status=Status.SUCCESS, answer=Answer(store=found))


async def _search_gal(store: Store, ctx: Context) -> StoreResponse:
    words = words_of(store.query)
    if not words:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)
    span = span_of(store.options.range, ctx.settings.recipients.max_results)
    found = await ctx.ports.directory.search(words, span.first, span.count)
    wanted = store.options.picture if ctx.version >= V14_1 else None  # MS-ASCMD_R6971, R6972
    pictures = Pictures(wanted.max_size, wanted.max_pictures) if wanted is not None else None
    results = [
        Result(properties=dump(gal_properties_of(entry, pictures), ctx.version))
        for entry in found.entries[: span.count]
    ]
    return answered(span, results, found.total)


def gal_properties_of(entry: DirectoryEntry, pictures: Pictures | None) -> GalProperties:
    """All that is not empty (MS-ASCMD_R417)."""
    return GalProperties(
        display_name=entry.display_name or None,
        phone=entry.phone or None,
        office=entry.office or None,
        title=entry.title or None,
        company=entry.company or None,
        alias=entry.alias or None,
        first_name=entry.first_name or None,
        last_name=entry.last_name or None,
        home_phone=entry.home_phone or None,
        mobile_phone=entry.mobile_phone or None,
        email_address=entry.email or None,
        picture=_picture(entry, pictures) if pictures is not None else None,
    )


def _picture(entry: DirectoryEntry, pictures: Pictures) -> Picture:
    status, data = pictures.take(entry.picture)
    return Picture(status=status, data=data)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R4328, MS-ASAIRS_R10012: the store's Status, in a request that was processed."""
    return Response(status=Status.SUCCESS, answer=Answer(store=StoreResponse(status=StoreStatus.INVALID_REQUEST)))


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.SEARCH, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
