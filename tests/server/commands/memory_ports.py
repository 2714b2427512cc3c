"""The simplest things that keep the contracts of FolderStore, StateStore and ChangeNotifier, for tests of handlers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from eas_server.errors import FolderExists, NoSuchFolder, StaleSyncKey
from eas_server.interfaces import KEPT_SUCCESSORS, Subscription
from eas_server.model.device import Device
from eas_server.model.ids import INITIAL_KEY, ROOT, CollectionId, DeviceId, Revision, SyncKey, Token, UserId
from eas_server.model.mail import Folder, FolderType
from eas_server.model.view import CollectionState, HierarchyState

DEFAULT_FOLDERS = {
    FolderType.INBOX: "Inbox",
    FolderType.DRAFTS: "Drafts",
    FolderType.DELETED_ITEMS: "Deleted Items",
    FolderType.SENT_ITEMS: "Sent Items",
    FolderType.OUTBOX: "Outbox",
    FolderType.CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.TASKS: "Tasks",
    FolderType.NOTES: "Notes",
    FolderType.JOURNAL: "Journal",
    FolderType.RECIPIENT_INFORMATION_CACHE: "Recipient Cache",
}


class MemoryFolders:
    """FolderStore of any number of users."""

    def __init__(self) -> None:
        self._users: dict[UserId, dict[CollectionId, Folder]] = {}
        self._token = 0
        self._last = 0

    def _of(self, user: UserId) -> dict[CollectionId, Folder]:
        if user not in self._users:
            self._users[user] = {}
            for type_, name in DEFAULT_FOLDERS.items():
                self._add(user, ROOT, name, type_)
        return self._users[user]

    def _next(self) -> Revision:
        self._token += 1
        return Revision(self._token)

    def _add(self, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
        self._last += 1
        id_ = CollectionId(str(self._last))
        made = Folder(id=id_, parent=parent, name=name, type=type_, revision=self._next())
        self._users[user][id_] = made
        return made

    def _check(self, user: UserId, parent: CollectionId, name: str, itself: CollectionId | None = None) -> None:
        known = self._of(user)
        if parent != ROOT and parent not in known:
            raise NoSuchFolder(parent)
        if any(f.parent == parent and f.name == name and f.id != itself for f in known.values()):
            raise FolderExists(name)

    async def folders(self, user: UserId) -> Sequence[Folder]:
        """See FolderStore."""
        known = self._of(user)
        ordered: list[Folder] = []
        level = [ROOT]
        while level:
            found = [f for f in known.values() if f.parent in level]
            ordered += found
            level = [f.id for f in found]
        return ordered

    async def hierarchy_token(self, user: UserId) -> Token:
        """See FolderStore."""
        self._of(user)
        return Token(self._token)

    async def create_folder(self, user: UserId, parent: CollectionId, name: str, type_: FolderType) -> Folder:
        """See FolderStore."""
        self._check(user, parent, name)
        return self._add(user, parent, name, type_)

    async def update_folder(self, user: UserId, folder: CollectionId, parent: CollectionId, name: str) -> Folder:
        """See FolderStore."""
        known = self._of(user)
        if folder not in known:
            raise NoSuchFolder(folder)
        self._check(user, parent, name, itself=folder)
        known[folder] = replace(known[folder], parent=parent, name=name, revision=self._next())
        return known[folder]

    async def delete_folder(self, user: UserId, folder: CollectionId) -> None:
        """See FolderStore."""
        known = self._of(user)
        if folder not in known:
            raise NoSuchFolder(folder)
        for child in [f.id for f in known.values() if f.parent == folder]:
            await self.delete_folder(user, child)
        del known[folder]
        self._next()


class MemoryState:
    """StateStore."""

    def __init__(self) -> None:
        self._devices: dict[tuple[UserId, DeviceId], Device] = {}
        self._hierarchies: dict[tuple[UserId, DeviceId], dict[SyncKey, HierarchyState]] = {}
        self._collections: dict[tuple[UserId, DeviceId, CollectionId], dict[SyncKey, CollectionState]] = {}
        self._parents: dict[tuple[UserId, DeviceId, CollectionId, SyncKey], SyncKey | None] = {}
        self._last = 0

    async def device(self, user: UserId, device: DeviceId) -> Device | None:
        """See StateStore."""
        return self._devices.get((user, device))

    async def save_device(self, device: Device) -> None:
        """See StateStore."""
        self._devices[device.user, device.id] = device

    async def devices(self, user: UserId | None = None) -> Sequence[Device]:
        """See StateStore."""
        return [d for d in self._devices.values() if user in (None, d.user)]

    async def remove_device(self, user: UserId, device: DeviceId) -> None:
        """See StateStore."""
        self._devices.pop((user, device), None)
        self._hierarchies.pop((user, device), None)
        for at in [at for at in self._collections if at[:2] == (user, device)]:
            del self._collections[at]

    async def collection(
        self, user: UserId, device: DeviceId, collection: CollectionId, key: SyncKey | None
    ) -> CollectionState | None:
        """See StateStore."""
        states = self._collections.get((user, device, collection), {})
        return states.get(key) if key is not None else next(reversed(states.values()), None)

    async def advance(
        self,
        user: UserId,
        device: DeviceId,
        collection: CollectionId,
        used: CollectionState | None,
        view: CollectionState,
    ) -> SyncKey:
        """See StateStore; a start with key 0 is the ancestor of all keys that follow it."""
        states = self._collections.setdefault((user, device, collection), {})
        if used is not None:
            held = states.get(used.key)
            if held is None:
                raise StaleSyncKey(used.key)
            self._drop_ancestors(user, device, collection, used.key)
            states[used.key] = replace(
                used, accepted={**held.accepted, **used.accepted}, written={**held.written, **used.written}
            )
        self._last += 1
        key = SyncKey(str(self._last))
        states[key] = replace(view, key=key)
        self._parents[user, device, collection, key] = used.key if used is not None else None
        for old in [k for k in states if used is None or k != used.key][:-KEPT_SUCCESSORS]:
            del states[old]
        return key

    def _drop_ancestors(self, user: UserId, device: DeviceId, collection: CollectionId, used: SyncKey) -> None:
        states = self._collections[user, device, collection]
        parent = self._parents[user, device, collection, used]
        for key in list(states):
            is_start = parent is None and int(key) < int(used)
            is_sibling = parent is not None and key == parent
            if is_start or is_sibling:
                del states[key]

    async def amend(self, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState) -> None:
        """See StateStore."""
        states = self._collections.get((user, device, collection), {})
        if state.key in states:
            states[state.key] = state

    async def forget_collection(self, user: UserId, device: DeviceId, collection: CollectionId) -> None:
        """See StateStore."""
        self._collections.pop((user, device, collection), None)

    async def hierarchy(self, user: UserId, device: DeviceId, key: SyncKey) -> HierarchyState | None:
        """See StateStore."""
        return self._hierarchies.get((user, device), {}).get(key)

    async def advance_hierarchy(
        self, user: UserId, device: DeviceId, used: SyncKey, folders: Mapping[str, Revision]
    ) -> SyncKey:
        """See StateStore."""
        states = self._hierarchies.setdefault((user, device), {})
        if used == INITIAL_KEY:
            states.clear()
        elif used not in states:
            raise StaleSyncKey(used)
        key = SyncKey(str(max((int(k) for k in states), default=0) + 1))
        states[key] = HierarchyState(key=key, folders=dict(folders))
        for old in [k for k in states if k != used][:-KEPT_SUCCESSORS]:
            del states[old]
        return key


class Published:
    """ChangeNotifier that notes what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[UserId, frozenset[CollectionId]]] = []

    @contextmanager
    def subscribe(self, user: UserId, collections: Collection[CollectionId]) -> Iterator[Subscription]:
        """Nobody waits in these tests."""
        raise AssertionError("not to be waited on")
        yield

    def publish(self, user: UserId, collections: Collection[CollectionId]) -> None:
        """See ChangeNotifier."""
        self.published.append((user, frozenset(collections)))
