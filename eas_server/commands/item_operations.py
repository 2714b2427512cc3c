"""ItemOperations, [MS-ASCMD] 2.2.1.10: items and attachments, each with a Status of its own, in line or as parts.

What is not there for this user, whether or not it is there for another one, is answered alike: 6, or 15 for an
attachment.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from eas_server.commands.attachments import Base64, content_of, find_attachment, parse_file_reference
from eas_server.commands.context import Command, Context, Reply
from eas_server.commands.conversations import move_conversation
from eas_server.commands.document_fetch import DocumentFailed, fetch_document, is_document
from eas_server.commands.items import ItemOptions, application_data, are_parts_offered, body_plan
from eas_server.commands.kept_items import KEPT, file_of, has_class
from eas_server.commands.reading import wbxml_reader
from eas_server.commands.rights import attachment_place, disclosed, unprotected
from eas_server.errors import CommandError, NoSuchFolder, Unavailable
from eas_server.model.blob import Blob, MemoryBlob, Slice, read
from eas_server.model.ids import CollectionId, ItemId, parse_server_id
from eas_server.model.kinds import is_text_message
from eas_server.model.mail import Folder, FolderType, Item
from eas_server.model.view import NO_LIMIT, TOP, Position
from eas_server.sync.hierarchy import is_special, subtree
from protocol import wbxml
from protocol.commands.item_operations import (
    MAILBOX,
    MAX_OPERATIONS,
    MULTIPART,
    AttachmentProperties,
    Emptied,
    EmptyFolderContents,
    Fetch,
    Fetched,
    FetchOptions,
    Move,
    Moved,
    Operation,
    Request,
    Response,
    Responses,
    Status,
    in_parts,
    item_properties,
)
from protocol.commands.sync import SMS
from protocol.elements import Buffer, Element, Inline, Octets, size_of
from protocol.errors import MalformedRequest
from protocol.http import CommandName
from protocol.items.airsyncbase import BodyPartPreference
from protocol.multipart import Multipart, Part
from protocol.schema import dump
from protocol.status import CommonStatus
from protocol.versions import V14_0, V14_1, ProtocolVersion

log = logging.getLogger(__name__)

DELETED_AT_ONCE: Final = 1000
"""Items of a folder that are removed in one go."""
IN_MEMORY: Final = 64 * 1024
"""Octets up to which an attachment is read before the answer begins: it can be compressed, and must be there."""
TEXT_BUDGET: Final = 32 * 1024 * 1024
"""Octets of rendered text in one answer, which are held in memory. MIME and attachments are not: they are streamed."""

PARTS_BUDGET: Final = 2**32 - 2**27
"""Octets of all parts of an answer: the numbers of the form have 32 bits, and the document needs some of them."""

_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


async def handle(request: Request, ctx: Context) -> Response | Reply:
    """Carry out the operations one after another (MS-ASCMD_R193), unless the request as a whole cannot be."""
    refusal = _refusal(request.operations, ctx)
    if refusal is not None:
        return Response(status=refusal)
    work = _Work(ctx, list(await ctx.ports.folders.folders(ctx.account.user)))
    moved: list[Moved] = []
    emptied: list[Emptied] = []
    fetched: list[Fetched] = []
    for operation in request.operations:
        match operation:
            case EmptyFolderContents():
                emptied.append(await work.empty(operation))
            case Fetch():
                fetched.append(await work.fetch(operation))
            case Move():
                moved.append(await move_conversation(ctx, work.folders, operation))
    responses = Responses(moved=tuple(moved), emptied=tuple(emptied), fetched=tuple(fetched))
    response = Response(status=Status.SUCCESS, responses=responses)
    if work.parts is None:
        return response
    document = wbxml.encode(dump(response, ctx.version))
    return Reply(body=Multipart([document, *work.parts]), content_type=MULTIPART)


def _refusal(operations: tuple[Operation, ...], ctx: Context) -> Status | None:
    """The Status of global scope that the request gets before anything is done."""
    if not operations:
        return Status.PROTOCOL_ERROR
    if len(operations) > MAX_OPERATIONS:
        return Status.TOO_LARGE  # MS-ASCMD_R7490
    for operation in operations:
        match operation:
            case Fetch() if operation.store.casefold() != MAILBOX.casefold() and not is_document(operation, ctx):
                return Status.UNKNOWN_STORE  # MS-ASCMD_R4161
            case Move() if ctx.version < V14_0:
                return Status.PROTOCOL_ERROR
            case Move() if operation.options is None or operation.options.move_always is None:
                return Status.MOVE_ALWAYS_MISSING  # MS-ASCMD_R3475
    return None


class _Parts:
    """The parts of a multipart answer behind the document."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._size = 0

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts)

    def add(self, part: Buffer | Octets) -> int:
        """The number that a Part element names it by; the document is number 0. Raises _Failed: it is too much."""
        size = self._size + size_of(part)
        if size > PARTS_BUDGET:
            raise _Failed(Status.TOO_LARGE)  # MS-ASCMD_R4163
        self._size = size
        self._parts.append(part)
        return len(self._parts)


class _Failed(Exception):
    """An operation ends with this Status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Work:
    """The operations of one request."""

    def __init__(self, ctx: Context, folders: list[Folder]) -> None:
        self._ctx = ctx
        self.folders = folders
        self._text_left = TEXT_BUDGET
        self.parts = _Parts() if ctx.accept_multipart else None

    async def fetch(self, wanted: Fetch) -> Fetched:
        """One Fetch; the answer names what was asked for as the request did."""
        answer = Fetched(
            status=Status.SUCCESS,
            collection_id=wanted.collection_id or None,
            server_id=wanted.server_id or None,
            long_id=wanted.long_id or None,
            link_id=wanted.link_id or None,
            file_reference=wanted.file_reference,
        )
        try:
            if is_document(wanted, self._ctx):
                return replace(answer, properties=await fetch_document(self._ctx, wanted, self._with_content))
            if wanted.file_reference is not None:
                return replace(answer, properties=await self._attachment(wanted.file_reference, wanted.options))
            folder, item = await self._named(wanted)
            if wanted.remove_protection is not None and self._ctx.version >= V14_1:
                item = await unprotected(folder.id, item, self._ctx)
            properties = await self._properties(wanted, folder, item)
        except (_Failed, DocumentFailed, CommandError) as failed:
            return replace(answer, status=failed.status)
        short = self._ctx.version >= V14_0 and is_text_message(item.index.message_class)  # MS-ASCMD_R6274
        name = SMS if short else folder.item_class.value
        return replace(answer, item_class=name, properties=properties)

    # ---- items

    async def _named(self, wanted: Fetch) -> tuple[Folder, Item]:
        name = wanted.long_id or wanted.server_id
        if not name:
            raise _Failed(Status.NOT_FOUND if wanted.link_id else Status.PROTOCOL_ERROR)
        place = parse_server_id(name)
        if place is None or (wanted.collection_id and not wanted.long_id and wanted.collection_id != place[0]):
            raise _Failed(Status.NOT_FOUND)
        found = await self._item(*place)
        if found is None:
            raise _Failed(Status.NOT_FOUND)
        return found

    async def _item(self, collection: CollectionId, number: ItemId) -> tuple[Folder, Item] | None:
        folder = self._folder(collection)
        if folder is None or not has_class(self._ctx.version, folder.item_class):
            return None
        if folder.type is FolderType.RECIPIENT_INFORMATION_CACHE:
            raise _Failed(Status.ACCESS_DENIED)  # MS-ASCMD_R196
        try:
            items = await self._ctx.ports.mail.fetch(self._ctx.account.user, collection, [number])
        except NoSuchFolder:
            return None
        return (folder, items[0]) if items else None

    def _folder(self, collection: str) -> Folder | None:
        return next((folder for folder in self.folders if folder.id == collection), None)

    async def _properties(self, wanted: Fetch, folder: Folder, item: Item) -> Element:
        options = self._options(wanted)
        try:
            return await self._rendered(wanted, folder, item, options)
        except (Unavailable, _Failed):
            raise
        except Exception as error:
            log.exception("request %s: item %s:%s cannot be rendered", self._ctx.request_id, folder.id, item.id)
            raise _Failed(Status.CONVERSION_FAILED) from error  # MS-ASCMD_R4165

    def _options(self, wanted: Fetch) -> ItemOptions:
        options = wanted.options
        parts: tuple[BodyPartPreference, ...] = ()
        if self._ctx.version >= V14_1:
            parts = options.body_part_preferences
        if not are_parts_offered(parts):
            raise _Failed(CommonStatus.BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED)  # MS-ASCMD_R5412
        return ItemOptions(
            preferences=options.body_preferences,
            part_preferences=parts,
            mime_support=options.mime_support or 0,
            multipart=self.parts is not None,
            rights_management=options.rights_management,
        )

    async def _rendered(self, wanted: Fetch, folder: Folder, item: Item, options: ItemOptions) -> Element:
        item = disclosed(item, self._ctx, asked=options.rights_management)
        plan = None if folder.item_class in KEPT else body_plan(item, options)
        if plan is None or plan.content is None:
            weight = item.content.size if plan is None else plan.weight
            if weight > self._text_left < TEXT_BUDGET:
                raise _Failed(Status.TOO_LARGE)  # MS-ASCMD_R4163; asked for alone it goes
            self._text_left -= weight
        data = await application_data(self._ctx, folder, item, options, plan=plan)
        properties = item_properties(data, wanted.options.schema)
        return properties if self.parts is None else in_parts(properties, self.parts.add)

    # ---- attachments

    async def _attachment(self, reference: str, options: FetchOptions) -> Element:
        """Properties of an attachment, or of a range of it. Schema and body preferences mean nothing here (R3551)."""
        place = parse_file_reference(reference)
        found = await self._item(place.collection, place.item) if place is not None else None
        if place is not None and found is not None and found[0].item_class in KEPT:
            return await self._file(found[1], place.number, options.range)
        if place is None or found is None:
            raise _Failed(Status.INVALID_ATTACHMENT)  # MS-ASCMD_R4166, MS-ASAIRS_R214
        item, named = attachment_place(found[1], place.number, self._ctx, asked=options.rights_management)
        number = find_attachment(item.index.attachments, named)
        if number is None:
            raise _Failed(Status.INVALID_ATTACHMENT)
        attachment = item.index.attachments[number]
        return await self._ranged(attachment.content_type, content_of(item, attachment), options.range)

    async def _file(self, item: Item, number: int, span: str | None) -> Element:
        """A file of an event."""
        file = await file_of(item, number)
        if file is None:
            raise _Failed(Status.INVALID_ATTACHMENT)
        return await self._ranged(file[0], MemoryBlob(file[1]), span)

    async def _ranged(self, content_type: str, content: Blob, span: str | None) -> Element:
        if content.size == 0:
            raise _Failed(Status.EMPTY_FILE)  # MS-ASCMD_R4162
        properties = AttachmentProperties(content_type=content_type)
        if span is not None:  # iOS 10 fails on a Range that it did not ask for
            first, last = _range(span, content.size)
            properties = replace(properties, range=f"{first}-{last}", total=content.size)
            content = Slice(content, first, last + 1)
        return dump(await self._with_content(properties, content), self._ctx.version)

    async def _with_content(self, properties: AttachmentProperties, content: Blob) -> AttachmentProperties:
        small = content.size <= IN_MEMORY
        if self.parts is not None:
            return replace(properties, part=self.parts.add(await read(content) if small else content))
        letters = Base64(content)
        return replace(properties, data=Inline(await read(letters) if small else letters))

    # ---- folders

    async def empty(self, wanted: EmptyFolderContents) -> Emptied:
        """Remove all items of a folder for good, and its subfolders where that was asked for (MS-ASCMD_R2244)."""
        folder = self._folder(wanted.collection_id)
        if folder is None:
            status = Status.NOT_FOUND
        elif folder.type is FolderType.RECIPIENT_INFORMATION_CACHE:
            status = Status.ACCESS_DENIED  # MS-ASCMD_R196
        else:
            status = await self._empty(folder, subfolders=wanted.options.delete_subfolders is not None)
        return Emptied(status=status, collection_id=wanted.collection_id)

    async def _empty(self, folder: Folder, *, subfolders: bool) -> Status:
        try:
            await self._remove_items(folder.id)
        except NoSuchFolder:
            return Status.NOT_FOUND
        if not subfolders:
            return Status.SUCCESS
        kept = [child for child in self.folders if child.parent == folder.id and not await self._remove(child)]
        return Status.PARTIAL_SUCCESS if kept else Status.SUCCESS  # MS-ASCMD_R4168

    async def _remove_items(self, collection: CollectionId) -> None:
        """From the newest down: what comes in meanwhile stays."""
        user, mail = self._ctx.account.user, self._ctx.ports.mail
        below = TOP
        while True:
            page = await mail.page(user, collection, below=below, not_before=NO_LIMIT, limit=DELETED_AT_ONCE)
            if not page:
                return
            await mail.delete(user, collection, [entry.id for entry in page])
            below = Position(page[-1].received, page[-1].id)

    async def _remove(self, folder: Folder) -> bool:
        """Whether the folder could go, with all below it: the special folders stay."""
        gone = subtree(self.folders, folder.id)
        if any(is_special(inner) for inner in self.folders if inner.id in gone):
            return False
        try:
            await self._ctx.ports.folders.delete_folder(self._ctx.account.user, folder.id)
        except NoSuchFolder:
            log.info("request %s: folder %s was gone already", self._ctx.request_id, folder.id)
        self.folders = [kept for kept in self.folders if kept.id not in gone]
        return True


def _range(text: str, size: int) -> tuple[int, int]:
    """The first and the last octet of a Range, as far as there are so many (MS-ASCMD_R3713)."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise _Failed(Status.INVALID_RANGE)
    first, last = int(found[1]), int(found[2])
    if first > last or first >= size:
        raise _Failed(Status.INVALID_RANGE)  # MS-ASCMD_R4160
    return first, min(last, size - 1)


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """MS-ASCMD_R7238."""
    return Response(status=Status.PROTOCOL_ERROR)


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.ITEM_OPERATIONS, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
