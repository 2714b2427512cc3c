"""Drafts in Sync, from 16.0 on: what a client adds, changes and sends in the Drafts folder ([MS-ASEMAIL] 3.1.5.4)."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from eas_server.commands.attachments import file_reference, find_attachment, lasting_number, parse_file_reference
from eas_server.commands.compose import Order, named_recipients, send
from eas_server.commands.context import Context
from eas_server.commands.items import ItemOptions, email_of
from eas_server.errors import CommandError, NoSuchItem, StoreFull
from eas_server.interfaces import Written
from eas_server.model import blob
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import SyncKey, server_id
from eas_server.model.mail import Attachment, Entry, Folder, FolderType, Item, ItemState, NewMessage
from eas_server.render.drafts import InvalidDraft, Origin, added_files, changed_draft, new_draft
from eas_server.render.email import InvalidFlag, flag_from_client
from eas_server.render.mime import index_message
from eas_server.render.writing import file_name
from eas_server.submission import trace
from eas_server.submission.header import InvalidMessage, read_header
from protocol.commands.sync import Add, Change, Status
from protocol.elements import Element
from protocol.items import airsyncbase
from protocol.items.email import Email
from protocol.schema import dump
from protocol.status import CommonStatus
from protocol.versions import V16_0

ATTEMPTS: Final = 5
"""How often a Change is tried again when somebody else changes the draft at the same moment."""
OFFLOAD_FROM: Final = 256 * 1024
"""Octets: larger drafts are put together beside the event loop."""
_ADDRESS: Final = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_INVALID_RECIPIENTS: Final = (CommonStatus.MESSAGE_HAS_NO_RECIPIENT, CommonStatus.MESSAGE_RECIPIENT_UNRESOLVED)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A draft that was made; `sent`: it went out at once, and is gone again."""

    entry: Entry
    sent: bool
    answer: Element | None
    """What the response tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A draft that was changed."""

    written: Written
    files: Mapping[int, str]
    """The ClientIds of the attachments that were added, by `lasting_number`."""


class Drafts:
    """Writes and sends the drafts of one client. `key`: the SyncKey that it presented."""

    def __init__(self, ctx: Context, folder: Folder, key: SyncKey) -> None:
        self._ctx = ctx
        self._folder = folder
        self._key = key

    @staticmethod
    def are_in(ctx: Context, folder: Folder) -> bool:
        """Whether clients write drafts in this folder: not before 16.0 (MS-ASEMAIL_R1488, MS-ASCMD_R5916)."""
        return folder.type is FolderType.DRAFTS and ctx.version >= V16_0

    # ---- Add

    async def add(self, add: Add, email: Email) -> Added | int:
        """A new draft, or with Send a message that goes out; the Status of one that fails."""
        weight = sum(len(file.content) for file in added_files(email))
        try:
            octets = await _beside(weight, lambda: new_draft(email, self._origin(add)))
            message = await self._message(octets, email)
        except (InvalidDraft, InvalidFlag):
            return Status.CONVERSION_ERROR
        try:
            entry = await self._ctx.ports.mail.add(self._ctx.account.user, self._folder.id, message)
        except StoreFull:
            return Status.NO_SPACE
        if add.send is None:
            item = await self._fetch(entry)
            return Added(entry=entry, sent=False, answer=None if item is None else self.answer(item, email))
        # It is stored first: the client is given a ServerId (MS-ASCMD_R748), and then a Delete for it.
        status = await self._send(octets, add.client_id)
        await self._remove(entry)
        return Added(entry=entry, sent=True, answer=None) if status == Status.SUCCESS else status

    def _origin(self, add: Add) -> Origin:
        """The same for the same Add, so that a repeated one is known as such."""
        account, ctx = self._ctx.account, self._ctx
        named = repr((account.user, ctx.device.id, self._folder.id, self._key, add.client_id))
        digest = hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]
        host = trace.server_name(ctx.settings.external_url, account.address)
        return Origin(name=account.display_name, address=account.address, message_id=f"<{digest}@{host}>")

    def answer(self, item: Item, email: Email) -> Element:
        """What the response to an Add tells of a draft (MS-ASEMAIL_R1184, R1190; MS-ASAIRS_R1336)."""
        files = self._references(item, email)
        told = Email(
            attachments=airsyncbase.Attachments(changes=files) if files else None,
            conversation_id=item.index.conversation_id,
            conversation_index=item.index.conversation_index,
        )
        return dump(told, self._ctx.version)

    def _references(self, item: Item, email: Email) -> tuple[airsyncbase.Attachment, ...]:
        return tuple(
            airsyncbase.Attachment(file_reference=file_reference(self._folder.id, item.id, number), client_id=client_id)
            for number, client_id in added_numbers(item.index.attachments, email).items()
        )

    # ---- Change

    async def change(self, item: Item, email: Email) -> Rewritten | int:
        """The draft with what the Change names; the revisions are equal where it says so already.

        What somebody else writes at the same moment is not lost: the change is made again on top of it.
        """
        for _ in range(ATTEMPTS):
            try:
                stored, octets = await self._changed(item, email)
                if octets == stored:
                    return Rewritten(written=Written(before=item.revision, after=item.revision), files={})
                message = await self._message(octets, email)
                made = await self._ctx.ports.mail.replace(
                    self._ctx.account.user, self._folder.id, item.id, message, item.revision
                )
            except (InvalidDraft, InvalidFlag):
                return Status.CONVERSION_ERROR
            except NoSuchItem:
                return Status.NOT_FOUND
            except StoreFull:
                return Status.NO_SPACE
            if made is not None:
                return Rewritten(written=made, files=added_numbers(message.index.attachments, email))
            found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item.id])
            if not found:
                return Status.NOT_FOUND
            item = found[0]
        return Status.SERVER_ERROR

    async def send_changed(self, change: Change, item: Item, email: Email) -> int:
        """Send a stored draft with what the Change names. It leaves the folder; where it cannot be sent, it stays as it
        was (MS-ASEMAIL_R1389).
        """
        try:
            _, octets = await self._changed(item, email)
        except InvalidDraft:
            return Status.CONVERSION_ERROR
        status = await self._send(octets, change.server_id)
        if status == Status.SUCCESS:
            await self._ctx.ports.mail.delete(self._ctx.account.user, self._folder.id, [item.id])
        return status

    async def _changed(self, item: Item, email: Email) -> tuple[bytes, bytes]:
        """The octets before and after. Raises InvalidDraft."""

        def number(reference: str) -> int | None:
            place = parse_file_reference(reference)
            if place is None or (place.collection, place.item) != (self._folder.id, item.id):
                raise InvalidDraft(f"{reference!r} is no attachment of this draft")
            return find_attachment(item.index.attachments, place.number)

        stored = await blob.read(item.content)
        return stored, await _beside(len(stored), lambda: changed_draft(stored, email, number))

    async def told(self, item: Item, files: Mapping[int, str], options: ItemOptions) -> Change:
        """A Change for the client that added attachments: it has to learn their FileReferences (MS-ASAIRS_R1336), and
        the response to a Change has no place for them (MS-ASCMD_R1152).
        """
        email = await email_of(self._ctx, self._folder.id, item, options, is_draft=True)
        if email.attachments is not None:
            places = {find_attachment(item.index.attachments, number): each for number, each in files.items()}
            attachments = tuple(
                replace(one, client_id=places.get(place))
                for place, one in enumerate(email.attachments.changes)
                if isinstance(one, airsyncbase.Attachment)
            )
            email = replace(email, attachments=airsyncbase.Attachments(changes=attachments))
        name = server_id(self._folder.id, item.id)
        return Change(server_id=name, application_data=dump(email, self._ctx.version))

    # ---- what both need

    async def _message(self, octets: bytes, email: Email) -> NewMessage:
        index, words = await _beside(len(octets), lambda: index_message(octets, received=self._ctx.now))
        state = ItemState(
            read=True if email.read is None else email.read,
            flag=None if email.flag is None else flag_from_client(email.flag),
            categories=email.categories or (),
        )
        return NewMessage(content=MemoryBlob(octets), index=index, text=words, received=self._ctx.now, state=state)

    async def _fetch(self, entry: Entry) -> Item | None:
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [entry.id])
        return found[0] if found else None

    async def _remove(self, entry: Entry) -> None:
        await self._ctx.ports.mail.delete(self._ctx.account.user, self._folder.id, [entry.id])

    async def _send(self, octets: bytes, name: str) -> int:
        """Send like SendMail; 183 for recipients that there are none of, or that are no addresses (MS-ASCMD_R7472).

        The SyncKey stands in the name of the submission: a ClientId of Sync is good for one request (MS-ASCMD_R961),
        but the same request may come again.
        """
        try:
            header = read_header(octets)
        except InvalidMessage:
            return Status.CONVERSION_ERROR
        recipients = named_recipients(header)
        if not recipients or not all(_ADDRESS.fullmatch(address) for address in recipients):
            return CommonStatus.INVALID_RECIPIENTS
        dated = header.without(lambda field: field.name == b"date")  # the time of sending counts
        octets = dated.octets + octets[header.size :]
        order = Order(command="Sync", client_id=f"{self._key}:{name}", mime=memoryview(octets), save=True)
        try:
            await send(order, self._ctx)
        except StoreFull:
            return Status.NO_SPACE
        except CommandError as error:
            if error.status == CommonStatus.MESSAGE_PREVIOUSLY_SENT:
                return Status.SUCCESS
            return CommonStatus.INVALID_RECIPIENTS if error.status in _INVALID_RECIPIENTS else int(error.status)
        return Status.SUCCESS


def added_numbers(attachments: tuple[Attachment, ...], email: Email) -> Mapping[int, str]:
    """The lasting numbers that the attachments of an Add or a Change got in the message, each with its ClientId."""
    found: dict[int, str] = {}
    for file in reversed(added_files(email)):
        wanted = (file_name(file.display_name), len(file.content))
        for number in reversed(range(len(attachments))):
            one = attachments[number]
            name = one.name if file.method is not airsyncbase.Method.EMBEDDED_MESSAGE else _bare(one.name, wanted[0])
            if number not in found and (name, one.size) == wanted:
                found[number] = file.client_id
                break
    return {lasting_number(attachments[number], number): client_id for number, client_id in sorted(found.items())}


def _bare(name: str, wanted: str) -> str:
    """An embedded message is called `….eml`, whatever the client called it."""
    return name if name == wanted else name.removesuffix(".eml")


async def _beside(weight: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if weight >= OFFLOAD_FROM else work()
