"""The StateStore in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eas_server import interfaces
from eas_server.errors import StaleSyncKey
from eas_server.interfaces import KEPT_SUCCESSORS, DeviceChange
from eas_server.model.device import Device
from eas_server.model.ids import INITIAL_KEY, CollectionId, DeviceId, ItemId, Revision, SyncKey, UserId
from eas_server.model.view import CollectionState, HierarchyState

_Device = tuple[UserId, DeviceId]
_Written = Mapping[ItemId, tuple[Revision, ...]]


@dataclass(slots=True)
class _Kept:
    """A state, the keys that it descends from, and the number of the start that they descend from."""

    state: CollectionState
    ancestors: frozenset[SyncKey]
    start: int


class MemoryState:
    """See the port."""

    def __init__(self) -> None:
        self._devices: dict[_Device, Device] = {}
        self._collections: dict[tuple[_Device, CollectionId], dict[SyncKey, _Kept]] = {}
        self._hierarchies: dict[_Device, dict[int, dict[str, Revision]]] = {}
        self._last = 0

    async def device(self, user: UserId, device: DeviceId) -> Device | None:
        """See the port."""
        return self._devices.get((user, device))

    async def change_device(self, user: UserId, device: DeviceId, change: DeviceChange) -> Device | None:
        """See the port."""
        stored = self._devices.get((user, device))
        changed = change(stored)
        if changed is None:
            return stored
        self._devices[user, device] = changed
        return changed

    async def devices(self, user: UserId | None = None) -> Sequence[Device]:
        """See the port."""
        listed = sorted(self._devices.items())
        return [device for (owner, _), device in listed if user in (None, owner)]

    async def remove_device(self, user: UserId, device: DeviceId) -> None:
        """See the port."""
        self._devices.pop((user, device), None)
        self._hierarchies.pop((user, device), None)
        for path in [path for path in self._collections if path[0] == (user, device)]:
            del self._collections[path]

    async def collection(
        self, user: UserId, device: DeviceId, collection: CollectionId, key: SyncKey | None
    ) -> CollectionState | None:
        """See the port."""
        kept = self._collections.get(((user, device), collection), {})
        if key is None and kept:
            key = max(kept, key=int)
        return kept[key].state if key is not None and key in kept else None

    async def advance(
        self,
        user: UserId,
        device: DeviceId,
        collection: CollectionId,
        used: CollectionState | None,
        view: CollectionState,
    ) -> SyncKey:
        """See the port."""
        kept = self._collections.setdefault(((user, device), collection), {})
        if used is not None and used.key not in kept:
            raise StaleSyncKey(used.key)
        self._last += 1
        key = SyncKey(str(self._last))
        start, ancestors = self._last, frozenset[SyncKey]()
        if used is not None:
            present = kept[used.key]
            present.state = _united(present.state, used)
            start, ancestors = present.start, present.ancestors | {used.key}
            for other, found in list(kept.items()):
                if other in present.ancestors or found.start < start:
                    del kept[other]
        kept[key] = _Kept(replace(view, key=key), ancestors, start)
        for other in sorted(kept, key=int):
            if len(kept) > KEPT_SUCCESSORS and (used is None or other != used.key):
                del kept[other]
        return key

    async def amend(self, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState) -> None:
        """See the port."""
        kept = self._collections.get(((user, device), collection), {}).get(state.key)
        if kept is not None:
            kept.state = _united(kept.state, state)

    async def forget_collection(self, user: UserId, device: DeviceId, collection: CollectionId) -> None:
        """See the port."""
        self._collections.pop(((user, device), collection), None)

    async def hierarchy(self, user: UserId, device: DeviceId, key: SyncKey) -> HierarchyState | None:
        """See the port."""
        for number, folders in self._hierarchies.get((user, device), {}).items():
            if str(number) == key:
                return HierarchyState(key=key, folders=folders)
        return None

    async def advance_hierarchy(
        self, user: UserId, device: DeviceId, used: SyncKey, folders: Mapping[str, Revision]
    ) -> SyncKey:
        """See the port."""
        kept = self._hierarchies.setdefault((user, device), {})
        if used == INITIAL_KEY:
            kept.clear()
            kept[1] = dict(folders)
            return SyncKey("1")
        if used not in map(str, kept):
            raise StaleSyncKey(used)
        number, last = int(used), max(kept)
        for other in sorted(kept):
            if other < number or (other > number and len(kept) >= KEPT_SUCCESSORS):
                del kept[other]
        kept[last + 1] = dict(folders)
        return SyncKey(str(last + 1))


def _united(stored: CollectionState, used: CollectionState) -> CollectionState:
    written: dict[ItemId, tuple[Revision, ...]] = {}
    for item in {**stored.written, **used.written}:
        both = (*stored.written.get(item, ()), *used.written.get(item, ()))
        written[item] = tuple(dict.fromkeys(both))
    return replace(used, accepted={**stored.accepted, **used.accepted}, written=written)


_: type[interfaces.StateStore] = MemoryState
