"""The StateStore on SQLite.

A collection's key is the number of the transaction that stored it, so no key is ever given twice. Reads of devices
and of collection states are answered from memory, where what was last written or asked for is kept.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eas_server import interfaces
from eas_server.backends.sqlite import codec
from eas_server.backends.sqlite.foreign import Foreign
from eas_server.backends.sqlite.mailboxes import Cache
from eas_server.backends.sqlite.packing import pack, unpack
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.schema import collection_states, devices, hierarchy_states
from eas_server.backends.sqlite.writer import Unit, Writer
from eas_server.errors import StaleSyncKey
from eas_server.interfaces import KEPT_SUCCESSORS, DeviceChange
from eas_server.model.device import Device
from eas_server.model.ids import INITIAL_KEY, ROOT, CollectionId, DeviceId, ItemId, Revision, SyncKey, UserId
from eas_server.model.view import CollectionState, HierarchyState

MAX_DEVICES = 20_000
"""How many partnerships are kept in memory, about 2 kB each."""
MAX_STATES = 20_000
"""How many collections of devices have their states in memory, mostly about 2 kB each."""

_Path = tuple[UserId, DeviceId, CollectionId]
_Written = Mapping[ItemId, tuple[Revision, ...]]
_States = dict[SyncKey, CollectionState]
"""The states of one device and collection, oldest first."""

_device_at = (devices.c.user == bindparam("who"), devices.c.device == bindparam("which"))
_DEVICE = Sql(select(devices.c.value).where(*_device_at))
_DEVICES = Sql(select(devices.c.value).order_by(devices.c.user, devices.c.device))
_DEVICES_OF = Sql(select(devices.c.value).where(devices.c.user == bindparam("who")).order_by(devices.c.device))
_DROP_DEVICE = Sql(delete(devices).where(*_device_at))
_device_insert = upsert(devices)
_SAVE_DEVICE = Sql(
    _device_insert.on_conflict_do_update(
        index_elements=["user", "device"],
        set_={"changed": _device_insert.excluded.changed, "value": _device_insert.excluded.value},
    ),
    columns=("user", "device", "changed", "value"),
)

_states = collection_states.c
_states_at = (_states.user == bindparam("who"), _states.device == bindparam("which"))
_in_collection = (*_states_at, _states.collection == bindparam("what"))
_VALUES = Sql(select(_states.key, _states.value).where(*_in_collection).order_by(_states.key))
_LINKS = Sql(select(_states.key, _states.parent, _states.generation).where(*_in_collection).order_by(_states.key))
_VALUE = Sql(select(_states.value).where(_states.key == bindparam("number")))
_GROW = Sql(update(collection_states).where(_states.key == bindparam("number")).values(value=bindparam("octets")))
_NEW = Sql(insert(collection_states), columns=("key", "user", "device", "collection", "parent", "generation", "value"))
_DROP = Sql(delete(collection_states).where(_states.key == bindparam("number")))
_FORGET = Sql(delete(collection_states).where(*_in_collection))
_FORGET_ALL = Sql(delete(collection_states).where(*_states_at))

_hierarchy = hierarchy_states.c
_hierarchy_at = (_hierarchy.user == bindparam("who"), _hierarchy.device == bindparam("which"))
_HIERARCHY = Sql(select(_hierarchy.value).where(*_hierarchy_at, _hierarchy.key == bindparam("number")))
_HIERARCHY_KEYS = Sql(select(_hierarchy.key).where(*_hierarchy_at).order_by(_hierarchy.key))
_NEW_HIERARCHY = Sql(insert(hierarchy_states), columns=("user", "device", "key", "value"))
_DROP_HIERARCHY = Sql(delete(hierarchy_states).where(*_hierarchy_at, _hierarchy.key == bindparam("number")))
_DROP_HIERARCHIES = Sql(delete(hierarchy_states).where(*_hierarchy_at))


class SqliteState:
    """See the port."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer
        self._devices: Cache[tuple[UserId, DeviceId], tuple[Device | None]] = Cache(MAX_DEVICES)
        self._states: Cache[_Path, _States] = Cache(MAX_STATES)

    def forgotten(self) -> None:
        """Read everything anew: something was removed, which happens seldom."""
        self._devices.clear()
        self._states.clear()

    def foreign(self, foreign: Foreign) -> None:
        """Forget what another process has changed."""
        if foreign.forgotten:
            self.forgotten()
        for device in foreign.devices:
            self._devices.drop(device)
        for path in foreign.collections:
            self._states.drop(path)

    async def device(self, user: UserId, device: DeviceId) -> Device | None:
        """See the port."""
        held = self._devices.peek((user, device))
        if held is None:
            held = await self._devices.get(
                (user, device), lambda: self._readers.run(partial(_read_device, user=user, device=device))
            )
        return held[0]

    async def change_device(self, user: UserId, device: DeviceId, change: DeviceChange) -> Device | None:
        """See the port."""

        def work(unit: Unit) -> Device | None:
            (stored,) = _read_device(unit.connection, user=user, device=device)
            changed = change(stored)
            if changed is None or changed == stored:
                return stored
            _SAVE_DEVICE.run(unit.connection, user=user, device=device, changed=unit.stamp, value=codec.dump(changed))
            unit.effects.append(partial(self._devices.put, (user, device), (changed,)))
            if stored is not None and (changed.wipe, changed.access) != (stored.wipe, stored.access):
                unit.reshaped.setdefault(user, set()).add(ROOT)  # who waits hears that the device is kept out
            return changed

        return await self._writer.run(work)

    async def devices(self, user: UserId | None = None) -> Sequence[Device]:
        """See the port."""

        def read(connection: sqlite3.Connection) -> list[Device]:
            rows = _DEVICES.all(connection) if user is None else _DEVICES_OF.all(connection, who=user)
            return [codec.load_device(value) for (value,) in rows]

        return await self._readers.run(read)

    async def remove_device(self, user: UserId, device: DeviceId) -> None:
        """See the port."""

        def work(unit: Unit) -> None:
            for statement in (_DROP_DEVICE, _FORGET_ALL, _DROP_HIERARCHIES):
                statement.run(unit.connection, who=user, which=device)
            unit.mark("forgotten")

        await self._writer.run(work)

    async def collection(
        self, user: UserId, device: DeviceId, collection: CollectionId, key: SyncKey | None
    ) -> CollectionState | None:
        """See the port."""
        path = (user, device, collection)
        states = self._states.peek(path)
        if states is None:
            states = await self._states.get(path, lambda: self._readers.run(partial(_read_states, path=path)))
        if key is not None:
            return states.get(key)
        return states[next(reversed(states))] if states else None

    async def advance(
        self,
        user: UserId,
        device: DeviceId,
        collection: CollectionId,
        used: CollectionState | None,
        view: CollectionState,
    ) -> SyncKey:
        """See the port."""
        path = (user, device, collection)
        value = pack(view)

        def work(unit: Unit) -> SyncKey:
            key = SyncKey(str(unit.stamp))
            kept, grown = _advance(unit, path, used, value)
            unit.effects.append(partial(self._advanced, path, kept, grown, replace(view, key=key)))
            return key

        return await self._writer.run(work)

    def _advanced(self, path: _Path, kept: set[int], used: CollectionState | None, view: CollectionState) -> None:
        before = self._states.peek(path)
        if before is None and used is not None:
            self._states.drop(path)
            return
        states = {key: state for key, state in (before or {}).items() if int(key) in kept}
        if used is not None:
            states[used.key] = used
        states[view.key] = view
        if len(states) == len(kept) + 1:
            self._states.put(path, {key: states[key] for key in sorted(states, key=int)})
        else:
            self._states.drop(path)

    async def amend(self, user: UserId, device: DeviceId, collection: CollectionId, state: CollectionState) -> None:
        """See the port. What was accepted and written under the key stays."""
        path = (user, device, collection)

        def work(unit: Unit) -> CollectionState | None:
            number = _number(state.key) or 0
            found = {key for key, _, _ in _LINKS.all(unit.connection, who=user, which=device, what=collection)}
            return _grow(unit, number, state) if number in found else None

        held = self._states.peek(path)
        if held is None:
            await self._writer.run(work)
        elif state.key in held:
            held[state.key] = _merged(held[state.key], state)
            self._writer.post(work)

    async def forget_collection(self, user: UserId, device: DeviceId, collection: CollectionId) -> None:
        """See the port."""

        def work(unit: Unit) -> None:
            _FORGET.run(unit.connection, who=user, which=device, what=collection)
            unit.mark("forgotten")

        await self._writer.run(work)

    async def hierarchy(self, user: UserId, device: DeviceId, key: SyncKey) -> HierarchyState | None:
        """See the port."""
        number = _number(key)
        if number is None:
            return None
        row = await self._readers.run(
            lambda connection: _HIERARCHY.one(connection, who=user, which=device, number=number)
        )
        return None if row is None else HierarchyState(key=key, folders=codec.load_folders(row[0]))

    async def advance_hierarchy(
        self, user: UserId, device: DeviceId, used: SyncKey, folders: Mapping[str, Revision]
    ) -> SyncKey:
        """See the port."""
        value = codec.dump_folders(folders)
        return await self._writer.run(partial(_advance_hierarchy, user=user, device=device, used=used, value=value))


def _number(key: SyncKey) -> int | None:
    """The number that a key of ours stands for."""
    return int(key) if key.isascii() and key.isdecimal() and len(key) < _KEY_DIGITS and key[0] != "0" else None


_KEY_DIGITS = 19
"""Longer keys do not fit the database's numbers, so they cannot be ours."""


def _read_device(connection: sqlite3.Connection, *, user: UserId, device: DeviceId) -> tuple[Device | None]:
    row = _DEVICE.one(connection, who=user, which=device)
    return (None if row is None else codec.load_device(row[0]),)


def _read_states(connection: sqlite3.Connection, *, path: _Path) -> _States:
    user, device, collection = path
    rows = _VALUES.all(connection, who=user, which=device, what=collection)
    return {SyncKey(str(key)): unpack(value, SyncKey(str(key))) for key, value in rows}


def _advance(
    unit: Unit, path: _Path, used: CollectionState | None, value: bytes
) -> tuple[set[int], CollectionState | None]:
    """Store the successor; gives the older keys that stay, and `used` as it stands now."""
    user, device, collection = path
    rows = _LINKS.all(unit.connection, who=user, which=device, what=collection)
    links = {key: (parent, generation) for key, parent, generation in rows}
    parent, generation, grown = 0, unit.stamp, None
    if used is not None:
        parent = _number(used.key) or 0
        if parent not in links:
            raise StaleSyncKey(used.key)
        generation = links[parent][1]
        grown = _grow(unit, parent, used)
    kept = kept_keys(links, parent)
    _DROP.many(unit.connection, ({"number": key} for key in links if key not in kept))
    _NEW.run(
        unit.connection,
        key=unit.stamp,
        user=user,
        device=device,
        collection=collection,
        parent=parent,
        generation=generation,
        value=value,
    )
    return kept, grown


def kept_keys(links: Mapping[int, tuple[int, int]], used: int) -> set[int]:
    """Which keys stay when `used` (0: a start) gets a successor. `links`: key to parent and generation.

    The ancestors of `used` go, and what is older than the start that it descends from; of the rest the newest stay.
    """
    kept = dict(links)
    if used:
        at, start = links[used]
        while at in kept:
            at = kept.pop(at)[0]
        kept = {key: link for key, link in kept.items() if link[1] >= start}
    others = sorted((key for key in kept if key != used), reverse=True)
    room = KEPT_SUCCESSORS - 1 - (1 if used else 0)
    return {*others[:room], *([used] if used else [])}


def _grow(unit: Unit, number: int, used: CollectionState) -> CollectionState:
    """Add to a stored state what `used` accepted and wrote."""
    row = _VALUE.one(unit.connection, number=number)
    if row is None:
        raise StaleSyncKey(used.key)
    octets = bytes(row[0])
    if octets == pack(used):
        return used
    stored = unpack(octets, used.key)
    grown = replace(used, accepted={**stored.accepted, **used.accepted}, written=_united(stored.written, used.written))
    _GROW.run(unit.connection, number=number, octets=pack(grown))
    return grown


def _merged(stored: CollectionState, used: CollectionState) -> CollectionState:
    return replace(used, accepted={**stored.accepted, **used.accepted}, written=_united(stored.written, used.written))


def _united(stored: _Written, used: _Written) -> _Written:
    """The revisions of both, each once."""
    return {item: tuple(dict.fromkeys((*stored.get(item, ()), *used.get(item, ())))) for item in {**stored, **used}}


def _advance_hierarchy(unit: Unit, *, user: UserId, device: DeviceId, used: SyncKey, value: bytes) -> SyncKey:
    keys: list[int] = [key for (key,) in _HIERARCHY_KEYS.all(unit.connection, who=user, which=device)]
    if used == INITIAL_KEY:
        _DROP_HIERARCHIES.run(unit.connection, who=user, which=device)
        key = 1
    else:
        number = _number(used)
        if number not in keys:
            raise StaleSyncKey(used)
        key = keys[-1] + 1
        successors = [other for other in keys if other > number]
        surplus = max(0, len(successors) - (KEPT_SUCCESSORS - 2))
        gone = [other for other in keys if other < number] + successors[:surplus]
        _DROP_HIERARCHY.many(unit.connection, ({"who": user, "which": device, "number": other} for other in gone))
    _NEW_HIERARCHY.run(unit.connection, user=user, device=device, key=key, value=value)
    return SyncKey(str(key))


_: type[interfaces.StateStore] = SqliteState
