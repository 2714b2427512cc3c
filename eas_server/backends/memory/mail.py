"""FolderStore, MailStore and SearchesMail in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from eas_server import interfaces
from eas_server.backends.memory.world import Box, Mailbox, World
from eas_server.backends.words import words
from eas_server.errors import FolderExists, NoSuchFolder, NoSuchItem, StaleToken, StoreFull
from eas_server.interfaces import Changes, Written
from eas_server.model.blob import Joined, MemoryBlob
from eas_server.model.ids import ROOT, CollectionId, ItemId, Revision, Token, UserId
from eas_server.model.mail import (
    KEEP,
    Changed,
    Entry,
    Folder,
    FolderType,
    Item,
    ItemClass,
    ItemState,
    NewMessage,
    SearchHit,
    SearchQuery,
    StateChange,
)
from eas_server.model.view import Position


class MemoryFolders:
    """See the port."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def folders(self, user: UserId) -> Sequence[Folder]:
        """See the port."""
        mailbox = self._world.mailboxes.get(user)
        if mailbox is None:
            return []
        return sorted((box.folder for box in mailbox.boxes.values()), key=lambda folder: len(_above(mailbox, folder)))

    async def hierarchy_token(self, user: UserId) -> Token:
        """See the port."""
        mailbox = self._world.mailboxes.get(user)
        return mailbox.hierarchy if mailbox is not None else Token(0)

    async def create_folder(self, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
        """See the port."""
        mailbox = self._world.mailbox(user)
        _check_place(mailbox, parent, name, None)
        folder = self._world.add_folder(mailbox, parent, name, type_)
        self._world.publish(user, ROOT)
        return folder

    async def update_folder(self, user: UserId, folder: CollectionId, parent: CollectionId, name: str) -> Folder:
        """See the port."""
        mailbox = self._world.mailbox(user)
        box = mailbox.box(folder)
        if parent != ROOT and folder in [parent, *_above(mailbox, mailbox.box(parent).folder)]:
            raise NoSuchFolder(parent)
        _check_place(mailbox, parent, name, folder)
        if (box.folder.parent, box.folder.name) != (parent, name):
            stamp = self._world.next()
            box.folder = replace(box.folder, parent=parent, name=name, revision=Revision(stamp))
            mailbox.hierarchy = Token(stamp)
            self._world.publish(user, ROOT)
        return box.folder

    async def delete_folder(self, user: UserId, folder: CollectionId) -> None:
        """See the port."""
        mailbox = self._world.mailbox(user)
        mailbox.box(folder)
        gone = [id_ for id_, box in mailbox.boxes.items() if folder in [id_, *_above(mailbox, box.folder)]]
        for id_ in gone:
            del mailbox.boxes[id_]
        mailbox.hierarchy = Token(self._world.next())
        self._world.publish(user, ROOT, *gone)


def _above(mailbox: Mailbox, folder: Folder) -> list[CollectionId]:
    """The ids of the folders that a folder stands in."""
    found: list[CollectionId] = []
    while folder.parent != ROOT:
        found.append(folder.parent)
        folder = mailbox.boxes[folder.parent].folder
    return found


def _check_place(mailbox: Mailbox, parent: CollectionId, name: str, but: CollectionId | None) -> None:
    if parent != ROOT:
        mailbox.box(parent)
    for box in mailbox.boxes.values():
        folder = box.folder
        if folder.parent == parent and folder.name.casefold() == name.casefold() and folder.id != but:
            raise FolderExists(name)


class MemoryMail:
    """See the port."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def tokens(self, user: UserId, collections: Collection[CollectionId]) -> Mapping[CollectionId, Token]:
        """See the port."""
        mailbox = self._world.mailboxes.get(user)
        boxes = mailbox.boxes if mailbox is not None else {}
        return {collection: boxes[collection].token for collection in collections if collection in boxes}

    async def changes(self, user: UserId, collection: CollectionId, since: Token) -> Changes:
        """See the port."""
        box = self._box(user, collection)
        if since > box.token:
            raise StaleToken(str(since))
        there = [_entry(item) for item in box.items.values() if item.revision > since]
        gone = [entry for entry, born in box.gone.values() if entry.revision > since >= born]
        return Changes(token=box.token, entries=[*gone, *there])

    async def page(
        self,
        user: UserId,
        collection: CollectionId,
        *,
        below: Position,
        not_before: int,
        limit: int,
    ) -> Sequence[Entry]:
        """See the port."""
        entries = [_entry(item) for item in self._box(user, collection).items.values()]
        listed = [e for e in entries if (e.received, e.id) < below and e.received >= not_before]
        return sorted(listed, key=lambda entry: (entry.received, entry.id), reverse=True)[:limit]

    async def count(self, user: UserId, collection: CollectionId, *, below: Position, not_before: int) -> int:
        """See the port."""
        everything = len(self._box(user, collection).items)
        return len(await self.page(user, collection, below=below, not_before=not_before, limit=everything))

    async def fetch(self, user: UserId, collection: CollectionId, items: Sequence[ItemId]) -> Sequence[Item]:
        """See the port."""
        box = self._box(user, collection)
        return [box.items[item] for item in items if item in box.items]

    async def add(self, user: UserId, collection: CollectionId, message: NewMessage) -> Entry:
        """See the port."""
        entry = self.deliver(user, collection, message)
        self._world.publish(user, collection)
        return entry

    def deliver(self, user: UserId, collection: CollectionId, message: NewMessage) -> Entry:
        """Add without waking anybody. Raises StoreFull, NoSuchFolder."""
        mailbox = self._world.mailbox(user)
        box = mailbox.box(collection)
        content = Joined(MemoryBlob(message.trace), message.content) if message.trace else message.content
        if not mailbox.room_for(content.size):
            raise StoreFull(f"the quota of {user} is used up")
        stamp = Revision(self._world.next())
        item = Item(
            id=ItemId(box.next_item),
            revision=stamp,
            changed=_all_changed(stamp),
            received=message.received.astimezone(UTC).replace(microsecond=0),
            index=message.index,
            state=message.state,
            content=content,
            index_offset=len(message.trace),
        )
        _put(box, item, words(message.text))
        return _entry(item)

    async def replace(
        self, user: UserId, collection: CollectionId, item: ItemId, message: NewMessage, expected: Revision
    ) -> Written | None:
        """See the port."""
        mailbox = self._world.mailbox(user)
        box = mailbox.box(collection)
        if item not in box.items:
            raise NoSuchItem(f"{collection}:{item}")
        old = box.items[item]
        if old.revision != expected:
            return None
        content = Joined(MemoryBlob(message.trace), message.content) if message.trace else message.content
        if not mailbox.room_for(content.size - old.content.size):
            raise StoreFull(f"the quota of {user} is used up")
        stamp = Revision(self._world.next())
        box.items[item] = replace(
            old,
            revision=stamp,
            changed=replace(old.changed, content=stamp),
            received=message.received.astimezone(UTC).replace(microsecond=0),
            index=message.index,
            content=content,
            index_offset=len(message.trace),
        )
        box.words[item] = words(message.text)
        box.token = Token(stamp)
        self._world.publish(user, collection)
        return Written(before=old.revision, after=stamp)

    async def change(self, user: UserId, collection: CollectionId, item: ItemId, change: StateChange) -> Written:
        """See the port."""
        box = self._box(user, collection)
        if item not in box.items:
            raise NoSuchItem(f"{collection}:{item}")
        old = box.items[item]
        state = _changed_state(old.state, change)
        if state == old.state:
            return Written(before=old.revision, after=old.revision)
        stamp = Revision(self._world.next())
        changed = Changed(
            content=old.changed.content,
            read=stamp if state.read != old.state.read else old.changed.read,
            flag=stamp if state.flag != old.state.flag else old.changed.flag,
            categories=stamp if state.categories != old.state.categories else old.changed.categories,
            verb=stamp if _verb(state) != _verb(old.state) else old.changed.verb,
        )
        box.items[item] = replace(old, state=state, revision=stamp, changed=changed)
        box.token = Token(stamp)
        self._world.publish(user, collection)
        return Written(before=old.revision, after=stamp)

    async def delete(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> frozenset[ItemId]:
        """See the port."""
        box = self._box(user, collection)
        gone = frozenset(item for item in items if item in box.items)
        if gone:
            stamp = self._world.next()
            for item in gone:
                _take(box, item, stamp)
            self._world.publish(user, collection)
        return gone

    async def move(
        self, user: UserId, source: CollectionId, items: Sequence[ItemId], target: CollectionId
    ) -> Mapping[ItemId, ItemId]:
        """See the port."""
        here, there = self._box(user, source), self._box(user, target)
        stamp = Revision(self._world.next())
        moved: dict[ItemId, ItemId] = {}
        for item in dict.fromkeys(items):
            if item not in here.items:
                continue
            old, found = _take(here, item, stamp)
            moved[item] = ItemId(there.next_item)
            _put(there, replace(old, id=moved[item], revision=stamp, changed=_all_changed(stamp)), found)
        if moved:
            self._world.publish(user, source, target)
        return moved

    async def search(self, user: UserId, query: SearchQuery) -> Sequence[SearchHit]:
        """See the port."""
        mailbox = self._world.mailboxes.get(user)
        hits: list[tuple[datetime, int, ItemId, CollectionId]] = []
        for order, (collection, box) in enumerate(mailbox.boxes.items() if mailbox is not None else ()):
            if query.collections is None and box.folder.item_class is not ItemClass.EMAIL:
                continue
            if query.collections is None or collection in query.collections:
                found = (item for item in box.items.values() if _matches(item, box.words[item.id], query))
                hits += [(item.received, -order, item.id, collection) for item in found]
        hits.sort(reverse=True)
        return [SearchHit(collection=collection, id=item) for _, _, item, collection in hits[: query.limit]]

    async def conversations(self, user: UserId, collection: CollectionId, *, since: int) -> Sequence[Entry]:
        """See the port."""
        items = self._box(user, collection).items.values()
        recent = {item.index.conversation_id for item in items if _entry(item).received >= since} - {b""}
        found = [_entry(item) for item in items if item.index.conversation_id in recent]
        older = [entry for entry in found if entry.received < since]
        return sorted(older, key=lambda entry: (entry.received, entry.id), reverse=True)

    async def entries(self, user: UserId, collection: CollectionId, items: Collection[ItemId]) -> Sequence[Entry]:
        """See the port."""
        box = self._box(user, collection)
        return [_entry(box.items[item]) for item in items if item in box.items]

    def _box(self, user: UserId, collection: CollectionId) -> Box:
        return self._world.mailbox(user).box(collection)


def _matches(item: Item, own: set[str], query: SearchQuery) -> bool:
    wanted = words(query.words)
    if query.words and not wanted:
        return False
    return (
        all(any(word.startswith(beginning) for word in own) for beginning in wanted)
        and (query.since is None or item.received >= query.since.replace(microsecond=0))
        and (query.before is None or item.received < query.before.replace(microsecond=0))
        and (query.conversation_id is None or item.index.conversation_id == query.conversation_id)
    )


def _put(box: Box, item: Item, found: set[str]) -> None:
    box.items[item.id] = item
    box.born[item.id] = Revision(item.revision)
    box.words[item.id] = found
    box.next_item = item.id + 1
    box.token = Token(item.revision)


def _take(box: Box, item: ItemId, stamp: int) -> tuple[Item, set[str]]:
    old = box.items.pop(item)
    left = Entry(id=item, revision=Revision(stamp), received=_entry(old).received, present=False)
    box.gone[item] = (left, box.born.pop(item))
    box.token = Token(stamp)
    return old, box.words.pop(item)


def _entry(item: Item) -> Entry:
    return Entry(id=item.id, revision=item.revision, received=int(item.received.timestamp()))


def _all_changed(stamp: Revision) -> Changed:
    return Changed(content=stamp, read=stamp, flag=stamp, categories=stamp, verb=stamp)


def _verb(state: ItemState) -> tuple[object, object]:
    return state.verb, state.verb_time


def _changed_state(state: ItemState, change: StateChange) -> ItemState:
    return ItemState(
        read=state.read if change.read is KEEP else change.read,
        flag=state.flag if change.flag is KEEP else change.flag,
        categories=state.categories if change.categories is KEEP else change.categories,
        verb=state.verb if change.verb is KEEP else change.verb,
        verb_time=state.verb_time if change.verb_time is KEEP else change.verb_time,
    )


_folders: type[interfaces.FolderStore] = MemoryFolders
_mail: type[interfaces.MailStore] = MemoryMail
_search: type[interfaces.SearchesMail] = MemoryMail
