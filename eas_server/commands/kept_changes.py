"""What a client did to an item that is kept as vCard or iCalendar: its Add and its Change, carried out."""

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.commands import kept_items
from eas_server.commands.attachments import parse_file_reference
from eas_server.commands.context import Context
from eas_server.commands.invitations import Invitations
from eas_server.errors import NoSuchItem, StoreFull
from eas_server.interfaces import Written
from eas_server.model.ids import ItemId, Revision
from eas_server.model.mail import Entry, Folder, Item, ItemClass, SearchQuery
from eas_server.render.calendar import client_uid_word
from eas_server.render.pim import InvalidItem
from protocol import wbxml
from protocol.commands.sync import Status
from protocol.datatypes import parse_datetime
from protocol.elements import Element, Tag
from protocol.errors import MalformedXml
from protocol.items.calendar import Calendar
from protocol.schema import load
from protocol.versions import V16_0

ATTEMPTS: Final = 5
"""How often a Change is tried again when somebody else changes the item at the same moment."""

log = logging.getLogger(__name__)


class KeptChanges:
    """Writes items of one folder for one client."""

    def __init__(self, ctx: Context, folder: Folder, supported: frozenset[Tag] | None) -> None:
        self._ctx = ctx
        self._folder = folder
        self._supported = supported
        self._invitations = Invitations(ctx, folder)
        self.moved_on = False
        """The last change completed a recurring task: the item is its next occurrence, not what the client wrote."""

    async def add(self, data: Element) -> Entry | Status:
        """A new item, or the one that the device made before; the Status of one that cannot be kept (6, 9)."""
        try:
            known = await self._known(data)
            if known is not None:
                return await self._again(known, data)
            octets = self._invitations.revised(None, self._written(None, data, None, None))
        except (MalformedXml, InvalidItem):
            return Status.CONVERSION_ERROR
        if len(octets) > kept_items.MAX_OCTETS:
            return Status.CONVERSION_ERROR
        user, mail = self._ctx.account.user, self._ctx.ports.mail
        try:
            entry = await mail.add(user, self._folder.id, kept_items.new_item(self._folder.item_class, octets))
        except StoreFull:
            return Status.NO_SPACE
        told = await self._invitations.send()
        if told is not Status.SUCCESS:
            await mail.delete(user, self._folder.id, [entry.id])
            return told
        return entry

    async def _known(self, data: Element) -> Item | None:
        """The event that a device adds once more, by the ClientUid of 16.0 and later (MS-ASCAL_R2062).

        Raises MalformedXml.
        """
        if self._ctx.version < V16_0 or self._folder.item_class is not ItemClass.CALENDAR:
            return None
        client_uid = load(Calendar, data).client_uid
        if not client_uid:
            return None
        query = SearchQuery(words=client_uid_word(client_uid), collections=(self._folder.id,), limit=1)
        user = self._ctx.account.user
        hits = await self._ctx.ports.search.search(user, query)
        found = await self._ctx.ports.mail.fetch(user, self._folder.id, [hit.id for hit in hits]) if hits else ()
        return found[0] if found else None

    async def _again(self, item: Item, data: Element) -> Entry | Status:
        made = await self.change(item, data)
        if isinstance(made, Status):
            return made
        return Entry(id=item.id, revision=made.after, received=int(item.received.timestamp()))

    async def before_delete(self, item: ItemId) -> Status:
        """What has to be done before an item is deleted; a Status other than SUCCESS: it must stay."""
        if not self._invitations.is_due:
            return Status.SUCCESS
        found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item])
        return await self._invitations.deleted(await kept_items.octets_of(found[0])) if found else Status.SUCCESS

    async def change(self, item: Item, data: Element, instance_id: str | None = None) -> Written | Status:
        """Another content; the revisions are equal where it is what the item says already.

        What somebody else writes at the same moment is not lost: the change is made again on top of it.
        """

        def rewritten(stored: bytes) -> bytes:
            at = None if instance_id is None else parse_datetime(instance_id)
            return self._written(stored, data, item, at)

        return await self._rewrite(item, rewritten)

    async def delete_occurrence(self, item: Item, instance_id: str) -> Written | Status:
        """An event without one of its occurrences (MS-ASCMD_R6420)."""

        def without(stored: bytes) -> bytes:
            return kept_items.without_occurrence(stored, parse_datetime(instance_id), self._how(item, None))

        return await self._rewrite(item, without)

    async def _rewrite(self, item: Item, rewritten: Callable[[bytes], bytes]) -> Written | Status:
        self.moved_on = False
        for _ in range(ATTEMPTS):
            stored = await kept_items.octets_of(item)
            done = None
            try:
                octets = rewritten(stored)
                if octets != stored:
                    octets = self._invitations.revised(stored, octets)
                    completed = kept_items.completed(self._folder.item_class, stored, octets, self._how(item, None))
                    octets, done = (octets, None) if completed is None else completed
            except (MalformedXml, ValueError):  # InvalidItem is one
                return Status.CONVERSION_ERROR
            if octets == stored:
                return Written(before=item.revision, after=item.revision)
            if len(octets) > kept_items.MAX_OCTETS:
                return Status.CONVERSION_ERROR
            try:
                made = await self._replace(item, octets)
            except NoSuchItem:
                return Status.NOT_FOUND
            except StoreFull:
                return Status.NO_SPACE
            if made is not None:
                told = await self._invitations.send() if done is None else await self._add_done(done)
                return made if told is Status.SUCCESS else await self._taken_back(item, made, stored, told)
            found = await self._ctx.ports.mail.fetch(self._ctx.account.user, self._folder.id, [item.id])
            if not found:
                return Status.NOT_FOUND
            item = found[0]
        return Status.SERVER_ERROR

    async def _add_done(self, octets: bytes) -> Status:
        """Put the occurrence that is done beside its series, which is another now than what the client wrote."""
        item = kept_items.new_item(self._folder.item_class, octets)
        try:
            await self._ctx.ports.mail.add(self._ctx.account.user, self._folder.id, item)
        except StoreFull:
            return Status.NO_SPACE
        self.moved_on = True
        return Status.SUCCESS

    async def _taken_back(self, item: Item, made: Written, stored: bytes, why: Status) -> Status:
        """Undo a change that attendees could not be told of, or whose other half could not be kept.

        The client gets the item as it was, as somebody else's.
        """
        try:
            await self._replace(replace(item, revision=made.after), stored)
        except (NoSuchItem, StoreFull):
            log.warning("request %s: a change that failed could not be taken back", self._ctx.request_id)
        return why

    async def _replace(self, item: Item, octets: bytes) -> Written | None:
        return await self._ctx.ports.mail.replace(
            self._ctx.account.user,
            self._folder.id,
            item.id,
            kept_items.new_item(self._folder.item_class, octets),
            item.revision,
        )

    def _written(self, stored: bytes | None, data: Element, item: Item | None, at: datetime | None) -> bytes:
        return kept_items.written(self._folder.item_class, stored, data, self._how(item, at))

    def _how(self, item: Item | None, instance_id: datetime | None) -> kept_items.Writing:
        def file_number(reference: str) -> int | None:
            place = parse_file_reference(reference)
            mine = (
                item is not None and place is not None and (place.collection, place.item) == (self._folder.id, item.id)
            )
            return place.number if place is not None and mine else None

        return kept_items.Writing(
            version=self._ctx.version,
            now=self._ctx.now,
            uid=secrets.token_hex(16),
            account=self._ctx.account,
            device_type=self._ctx.device.type,
            supported=self._supported,
            instance_id=instance_id,
            file_number=file_number,
        )


def accepted_name(client_id: str, data: Element) -> tuple[str, bytes]:
    """What an Add is known by when it is repeated: its ClientId with its content, and the digest of that.

    The same ClientId with another content is another item (MS-ASCMD_R961).
    """
    digest = hashlib.sha256(wbxml.encode(data).join()).digest()
    return f"{client_id}:{digest.hex()}", digest


def clashes(item: Item, known: int, own: tuple[Revision, ...]) -> bool:
    """Whether somebody else changed the item since the client knew it."""
    return item.changed.content > known and item.changed.content not in own
