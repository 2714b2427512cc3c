"""Search of the document library: an item and, where it is a folder, its contents ([MS-ASCMD] 2.2.1.16)."""

from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.document_access import BadLink, CredentialsRequired, WebLink, read_link, reader_of
from eas_server.commands.search_ranges import SearchFailed, answered, span_of
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument
from eas_server.interfaces import DocumentLibrary
from eas_server.model.documents import MAX_LINK, Document, Listing, content_type
from protocol.commands.search import Options, Result, Store, StoreResponse, StoreStatus
from protocol.elements import Element
from protocol.items.document_library import DocumentProperties, document_query
from protocol.schema import dump

MAX_RESULTS: Final = 1000
"""MS-ASCMD_R3734."""


async def search_documents(store: Store, ctx: Context) -> StoreResponse:
    """The answer of the store. Raises SearchFailed, MalformedXml."""
    library = ctx.ports.documents
    if library is None:
        raise SearchFailed(StoreStatus.ACCESS_BLOCKED)  # there is none here
    link = _link(store.query)
    span = span_of(store.options.range, MAX_RESULTS)
    found = await _listing(library, ctx, link, store.options, span.first, span.count)
    results = [Result(properties=dump(properties_of(each), ctx.version)) for each in found.documents]
    return answered(span, results, found.total)


def _link(query: Element) -> str:
    asked = document_query(query)
    if asked is None:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)  # MS-ASDOC_R85
    if asked.is_too_complex:
        raise SearchFailed(StoreStatus.TOO_COMPLEX)
    if len(asked.equals) != 1 or len(asked.equals[0].value.encode("utf-8", "surrogatepass")) > MAX_LINK:
        raise SearchFailed(StoreStatus.INVALID_REQUEST)  # MS-ASCMD_R2276, R5263
    return asked.equals[0].value


async def _listing(
    library: DocumentLibrary, ctx: Context, link: str, options: Options, first: int, count: int
) -> Listing:
    try:
        name = read_link(link)
        reader = await reader_of(ctx, options.user_name, options.password)
        return await library.listing(reader, name, first, count)
    except BadLink:
        status = StoreStatus.BAD_LINK  # MS-ASCMD_R4336
    except WebLink:
        status = StoreStatus.ACCESS_BLOCKED  # MS-ASCMD_R4364
    except CredentialsRequired:
        status = StoreStatus.CREDENTIALS_REQUIRED  # MS-ASCMD_R4367
    except DocumentDenied:
        status = StoreStatus.ACCESS_DENIED  # MS-ASCMD_R4339
    except NoSuchDocument:
        status = StoreStatus.NOT_FOUND  # MS-ASCMD_R4342
    except LibraryUnavailable:
        status = StoreStatus.CONNECTION_FAILED  # MS-ASCMD_R4345
    raise SearchFailed(status)


def properties_of(document: Document) -> DocumentProperties:
    """What is told of a document."""
    return DocumentProperties(
        link_id=str(document.name),
        display_name=document.display_name,
        is_folder=document.is_folder,
        creation_date=document.created,
        last_modified_date=document.modified,
        is_hidden=document.is_hidden,
        content_length=document.size,
        content_type=None if document.is_folder else content_type(document.display_name),
    )
