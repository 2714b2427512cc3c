"""A MailStore whose protected items come sealed: whoever forgets about rights management gives nothing away.

The item itself is inside (`Item.inside`); `commands.rights.disclosed` takes it out for who may see it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from eas_server.interfaces import Changes, MailStore, Written
from eas_server.model.blob import MemoryBlob, read
from eas_server.model.ids import CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import Entry, Item, NewMessage, StateChange
from eas_server.model.view import Position
from eas_server.render.mime import index_message
from eas_server.render.rights import sealed_message
from eas_server.submission.header import MAX_HEADER, InvalidMessage, parse_fields, read_header

_KEPT: Final = frozenset(
    b"received return-path delivered-to from sender reply-to to cc bcc subject date message-id in-reply-to references "
    b"thread-topic thread-index importance priority x-priority x-msmail-priority auto-submitted precedence list-id "
    b"disposition-notification-to return-receipt-to x-confirm-reading-to".split()
)
"""The fields that a sealed message has; what else stands in a header may be content that came there by a mistake."""


async def sealed(item: Item) -> Item:
    """The item as those see it who cannot or may not read it; itself where it is not protected."""
    if item.index.protection is None or item.inside is not None:
        return item
    above = item.index_offset
    octets = await read(item.content, 0, above + min(item.index.size, MAX_HEADER))
    try:
        header = read_header(octets[above:])
    except InvalidMessage:  # nothing of it can be told from the content
        header = parse_fields(b"")
    message = sealed_message(header.only(lambda field: field.name in _KEPT).octets)
    index = replace(
        index_message(message, received=item.received)[0],
        conversation_index=item.index.conversation_index,
        conversation_id=item.index.conversation_id,
        protection=item.index.protection,
    )
    return replace(item, content=MemoryBlob(octets[:above] + message), index=index, inside=item)


class ProtectedMail:
    """See the port and the module."""

    def __init__(self, mail: MailStore) -> None:
        self._mail = mail

    async def fetch(self, user: UserId, collection: CollectionId, items: Sequence[ItemId]) -> Sequence[Item]:
        """See the port; protected items are sealed."""
        found = await self._mail.fetch(user, collection, items)
        if all(item.index.protection is None for item in found):
            return found
        return [await sealed(item) for item in found]

    async def tokens(self, user: UserId, collections: Collection[CollectionId]) -> Mapping[CollectionId, Token]:
        """See the port."""
        return await self._mail.tokens(user, collections)

    async def changes(self, user: UserId, collection: CollectionId, since: Token) -> Changes:
        """See the port."""
        return await self._mail.changes(user, collection, since)

    async def page(
        self, user: UserId, collection: CollectionId, *, below: Position, not_before: int, limit: int
    ) -> Sequence[Entry]:
        """See the port."""
        return await self._mail.page(user, collection, below=below, not_before=not_before, limit=limit)

    async def count(self, user: UserId, collection: CollectionId, *, below: Position, not_before: int) -> int:
        """See the port."""
        return await self._mail.count(user, collection, below=below, not_before=not_before)

    async def add(self, user: UserId, collection: CollectionId, message: NewMessage) -> Entry:
        """See the port."""
        return await self._mail.add(user, collection, message)

    async def replace(
        self, user: UserId, collection: CollectionId, item: ItemId, message: NewMessage, expected: Revision
    ) -> Written | None:
        """See the port."""
        return await self._mail.replace(user, collection, item, message, expected)

    async def change(self, user: UserId, collection: CollectionId, item: ItemId, change: StateChange) -> Written:
        """See the port."""
        return await self._mail.change(user, collection, item, change)

    async def delete(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> frozenset[ItemId]:
        """See the port."""
        return await self._mail.delete(user, collection, items)

    async def move(
        self, user: UserId, source: CollectionId, items: Sequence[ItemId], target: CollectionId
    ) -> Mapping[ItemId, ItemId]:
        """See the port."""
        return await self._mail.move(user, source, items, target)


_: type[MailStore] = ProtectedMail
