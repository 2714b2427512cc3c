"""Devices, and the state behind their keys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from eas_server.model.device import Device
from eas_server.model.ids import CollectionId, DeviceId, Revision, SyncKey, UserId
from eas_server.model.view import CollectionState, HierarchyState

DeviceChange = Callable[[Device | None], Device | None]
"""Makes a partnership of what is stored of it."""


class StateStore(Protocol):
    """Devices and the state behind their keys. Writes are durable when the method returns."""

    async def device(self, user: UserId, device: DeviceId) -> Device | None:
        """The partnership."""
        ...

    async def change_device(self, user: UserId, device: DeviceId, change: DeviceChange) -> Device | None:
        """Store what `change` makes of the partnership as it is stored (None: there is none yet); gives what is then
        stored. One transaction: nobody else's change is lost.

        `change` may be called again, and in another thread; None leaves everything as it is. What it raises is raised.
        """
        ...

    async def devices(self, user: UserId | None = None) -> Sequence[Device]:
        """All partnerships (of a user)."""
        ...

    async def remove_device(self, user: UserId, device: DeviceId) -> None:
        """Forget a partnership with all its keys."""
        ...

    async def collection(
        self, user: UserId, device: DeviceId, collection: CollectionId, key: SyncKey | None
    ) -> CollectionState | None:
        """The state of `key`, or (None) that of the newest key. None: there is none."""
        ...

    async def advance(
        self,
        user: UserId,
        device: DeviceId,
        collection: CollectionId,
        used: CollectionState | None,
        view: CollectionState,
    ) -> SyncKey:
        """Store the successor of `used` and give it its key.

        `used` is the presented state as it is to be kept (its `accepted` and `written` grown; what other requests under
        the same key added meanwhile is kept too); its ancestors are dropped, since using a key proves its receipt.
        Other successors of `used` stay; beyond KEPT_SUCCESSORS keys in all, the oldest ones go.
        None: a start with key 0, which drops nothing before the new key is used: that drops all keys from before the
        start. Keys of a collection never repeat, not even after `forget_collection` or `remove_device`.
        `view.key` is ignored. Raises StaleSyncKey when `used` is no longer there.
        """
        ...

    async def amend(self, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState) -> None:
        """Replace what is stored under `state.key`, which stays the same: new Options, a view that tells the same in
        fewer words. Without effect when the key is no longer there; need not be durable at once.
        """
        ...

    async def forget_collection(self, user: UserId, device: DeviceId, collection: CollectionId) -> None:
        """Drop all keys of a collection."""
        ...

    async def hierarchy(self, user: UserId, device: DeviceId, key: SyncKey) -> HierarchyState | None:
        """The state of a FolderSync key."""
        ...

    async def advance_hierarchy(
        self, user: UserId, device: DeviceId, used: SyncKey, folders: Mapping[str, Revision]
    ) -> SyncKey:
        """Store the successor of `used` and give it its key: a small counter, 1 after INITIAL_KEY (which drops all
        other keys of the hierarchy). Raises StaleSyncKey when `used` is no longer there.
        """
        ...


KEPT_SUCCESSORS = 8
"""How many keys of one device and collection stay usable at once."""
