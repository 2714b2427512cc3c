"""Fetch of a document by its LinkId, whole or in part ([MS-ASCMD] 2.2.3.67.1)."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from eas_server.commands.context import Context
from eas_server.commands.document_access import BadLink, CredentialsRequired, WebLink, read_link, reader_of
from eas_server.errors import DocumentDenied, LibraryUnavailable, NoSuchDocument, StoreUnavailable
from eas_server.interfaces import DocumentLibrary
from eas_server.model.blob import Blob, Slice
from eas_server.model.documents import OpenDocument
from protocol.commands.item_operations import AttachmentProperties, Fetch, Status
from protocol.elements import Element
from protocol.items.document_library import STORES
from protocol.schema import dump

MAX_OCTETS: Final = 10**9
"""What a Range can name: its numbers have nine digits at most."""

WithContent = Callable[[AttachmentProperties, Blob], Awaitable[AttachmentProperties]]
"""Puts octets into properties, in line or as a part."""

_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


class DocumentFailed(Exception):
    """The Fetch ends with this Status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


def is_document(wanted: Fetch, ctx: Context) -> bool:
    """Whether a Fetch is one of the document library, and there is one."""
    return ctx.ports.documents is not None and wanted.store.casefold() in STORES


async def fetch_document(ctx: Context, wanted: Fetch, with_content: WithContent) -> Element:
    """The Properties of the answer. Raises DocumentFailed.

    Range and Total are always told: they say how much there is and how much of it came (MS-ASCMD_R2131, R2132).
    """
    library = ctx.ports.documents
    if library is None or not wanted.link_id:
        raise DocumentFailed(Status.PROTOCOL_ERROR)  # MS-ASDOC_R58
    found = await _opened(library, ctx, wanted, wanted.link_id)
    first, last = _span(wanted.options.range, found.content.size)
    properties = AttachmentProperties(
        range=f"{first}-{last}",
        total=found.content.size,
        version=found.document.modified,  # MS-ASCMD_R5272
    )
    try:
        filled = await with_content(properties, Slice(found.content, first, last + 1))
    except StoreUnavailable as error:
        raise DocumentFailed(Status.DOWNLOAD_FAILED) from error  # MS-ASCMD_R4164
    return dump(filled, ctx.version)


async def _opened(library: DocumentLibrary, ctx: Context, wanted: Fetch, link: str) -> OpenDocument:
    try:
        name = read_link(link)
        reader = await reader_of(ctx, wanted.options.user_name, wanted.options.password)
        return await library.open(reader, name)
    except BadLink:
        status = Status.BAD_LINK  # MS-ASCMD_R4156
    except (WebLink, DocumentDenied):
        status = Status.LIBRARY_ACCESS_DENIED  # MS-ASCMD_R4157
    except CredentialsRequired:
        status = Status.CREDENTIALS_REQUIRED  # MS-ASCMD_R4169
    except NoSuchDocument:
        status = Status.NOT_FOUND  # MS-ASCMD_R4158
    except LibraryUnavailable:
        status = Status.LIBRARY_CONNECTION_FAILED  # MS-ASCMD_R4159
    raise DocumentFailed(status)


def _span(text: str | None, size: int) -> tuple[int, int]:
    """The first and the last octet that go out."""
    if size == 0:
        raise DocumentFailed(Status.EMPTY_FILE)  # MS-ASCMD_R4162
    if text is None:
        first, last = 0, size - 1  # MS-ASCMD_R3716
    else:
        found = _RANGE.fullmatch(text.strip())
        if found is None or int(found[1]) > int(found[2]) or int(found[1]) >= size:
            raise DocumentFailed(Status.INVALID_RANGE)  # MS-ASCMD_R4160
        first, last = int(found[1]), min(int(found[2]), size - 1)  # MS-ASCMD_R3713
    if last >= MAX_OCTETS:
        raise DocumentFailed(Status.TOO_LARGE)  # MS-ASCMD_R4163
    return first, last
