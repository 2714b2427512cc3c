"""What every StateStore keeps to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from eas_server.errors import StaleSyncKey
from eas_server.interfaces import KEPT_SUCCESSORS
from eas_server.model.device import Access, Device, PolicyState, Wipe
from eas_server.model.ids import INITIAL_KEY, CollectionId, DeviceId, ItemId, Revision, SyncKey, Token
from eas_server.model.view import Accepted, CollectionState, Position, RangeSet, View
from tests.contract.samples import ALICE, BOB, NOW, AnyStore

PHONE = DeviceId("PHONE")
INBOX = CollectionId("1")


def state(token: int = 1, **fields: object) -> CollectionState:
    empty = CollectionState(key=SyncKey(""), view=View(token=Token(token)))
    return replace(empty, **fields)  # type: ignore[arg-type]


async def used(store: AnyStore, key: SyncKey) -> CollectionState:
    found = await store.state.collection(ALICE, PHONE, INBOX, key)
    assert found is not None
    return found


async def advance(store: AnyStore, present: CollectionState | None, new: CollectionState) -> SyncKey:
    return await store.state.advance(ALICE, PHONE, INBOX, present, new)


class StateStoreContract:
    """Inherit, and give a fixture `store`."""

    async def test_devices(self, store: AnyStore) -> None:
        assert await store.state.device(ALICE, PHONE) is None
        policy = PolicyState(key=7, digest="x", acknowledged=NOW, settings=frozenset({"DevicePasswordEnabled"}))
        device = Device(
            user=ALICE,
            id=PHONE,
            type="iPhone",
            first_seen=NOW,
            last_seen=NOW + timedelta(days=1),
            details={"Model": "x"},
            access=Access.BLOCKED,
            wipe=Wipe.PENDING,
            policy=policy,
            ping_heartbeat=480,
            ping_folders=((INBOX, "Email"),),
            skipped=((INBOX, 4, "broken"),),
        )
        assert await store.state.change_device(ALICE, PHONE, lambda _: None) is None
        assert await store.state.change_device(ALICE, PHONE, lambda _: device) == device
        assert await store.state.device(ALICE, PHONE) == device
        assert await store.state.device(BOB, PHONE) is None
        changed = replace(device, wipe=Wipe.SENT)
        stored = await store.state.change_device(
            ALICE, PHONE, lambda found: None if found is None else replace(found, wipe=Wipe.SENT)
        )
        assert stored == changed
        other = replace(device, user=BOB)
        await store.state.change_device(BOB, PHONE, lambda _: other)
        assert await store.state.device(ALICE, PHONE) == changed
        assert list(await store.state.devices(ALICE)) == [changed]
        assert list(await store.state.devices()) == [changed, other]
        await store.state.remove_device(ALICE, PHONE)
        assert await store.state.device(ALICE, PHONE) is None
        assert await store.state.device(BOB, PHONE) == other

    async def test_a_state_comes_back_as_it_was_stored(self, store: AnyStore) -> None:
        view = View(
            token=Token(900),
            held=RangeSet([(1, 5), (9, 9), (20, 40_000)]),
            revisions={ItemId(3): Revision(907), ItemId(9): Revision(1)},
            own={ItemId(5): (Revision(901), Revision(902))},
            low=Position(-5, 17),
            floor=-1_000_000,
        )
        stored = state(
            view=view,
            accepted={"c-1": Accepted(item=ItemId(5), revision=Revision(50), digest=b"\x00\xff")},
            written={ItemId(5): (Revision(905), Revision(899))},
            options=b"\x03\x01\x6a\x00",
        )
        key = await advance(store, None, stored)
        assert await used(store, key) == replace(stored, key=key)
        assert await store.state.collection(ALICE, PHONE, INBOX, None) == replace(stored, key=key)

    async def test_unknown_keys(self, store: AnyStore) -> None:
        assert await store.state.collection(ALICE, PHONE, INBOX, None) is None
        key = await advance(store, None, state())
        for other in (f"0{key}", f"{key}0", "0", "-1", "", "²", "x" * 64, "9" * 64, f" {key}"):
            assert await store.state.collection(ALICE, PHONE, INBOX, SyncKey(other)) is None
        assert await store.state.collection(BOB, PHONE, INBOX, key) is None
        assert await store.state.collection(ALICE, DeviceId("OTHER"), INBOX, key) is None
        assert await store.state.collection(ALICE, PHONE, CollectionId("2"), key) is None

    async def test_a_key_stays_until_its_successor_is_used(self, store: AnyStore) -> None:
        first = await advance(store, None, state(1))
        second = await advance(store, await used(store, first), state(2))
        again = await advance(store, await used(store, first), state(3))
        assert (await used(store, second)).view.token == 2
        assert (await used(store, again)).view.token == 3
        third = await advance(store, await used(store, again), state(4))
        assert await store.state.collection(ALICE, PHONE, INBOX, first) is None
        assert (await used(store, again)).view.token == 3
        newest = await store.state.collection(ALICE, PHONE, INBOX, None)
        assert newest is not None
        assert newest.key == third

    async def test_a_used_state_that_is_gone_is_stale(self, store: AnyStore) -> None:
        first = await used(store, await advance(store, None, state(1)))
        second = await used(store, await advance(store, first, state(2)))
        await advance(store, second, state(3))
        with pytest.raises(StaleSyncKey):
            await advance(store, first, state(4))

    async def test_what_was_accepted_and_written_grows(self, store: AnyStore) -> None:
        first = await used(store, await advance(store, None, state(1)))
        one = replace(
            first,
            accepted={"a": Accepted(item=ItemId(1), revision=Revision(10), digest=b"1")},
            written={ItemId(1): (Revision(5),)},
        )
        two = replace(
            first,
            accepted={"b": Accepted(item=ItemId(2), revision=Revision(20), digest=b"2")},
            written={ItemId(1): (Revision(6),)},
        )
        await advance(store, one, state(2))
        await advance(store, two, state(3))
        grown = await used(store, first.key)
        assert grown.accepted == {**one.accepted, **two.accepted}
        assert grown.written == {ItemId(1): (Revision(5), Revision(6))}

    async def test_a_start_drops_nothing_before_its_key_is_used(self, store: AnyStore) -> None:
        old = await used(store, await advance(store, None, state(1)))
        old_too = await used(store, await advance(store, old, state(2)))
        start = await used(store, await advance(store, None, state(3)))
        await used(store, old.key)
        await used(store, old_too.key)
        after = await advance(store, start, state(4))
        assert await store.state.collection(ALICE, PHONE, INBOX, old.key) is None
        assert await store.state.collection(ALICE, PHONE, INBOX, old_too.key) is None
        await used(store, start.key)
        await used(store, after)

    async def test_the_number_of_keys_is_bounded(self, store: AnyStore) -> None:
        first = await used(store, await advance(store, None, state(0)))
        keys = [await advance(store, first, state(n)) for n in range(1, KEPT_SUCCESSORS + 5)]
        kept = [key for key in keys if await store.state.collection(ALICE, PHONE, INBOX, key) is not None]
        assert kept == keys[-(KEPT_SUCCESSORS - 1) :]
        await used(store, first.key)

    async def test_keys_never_repeat(self, store: AnyStore) -> None:
        keys = [await advance(store, None, state()) for _ in range(3)]
        await store.state.forget_collection(ALICE, PHONE, INBOX)
        assert await store.state.collection(ALICE, PHONE, INBOX, keys[-1]) is None
        keys.append(await advance(store, None, state()))
        await store.state.remove_device(ALICE, PHONE)
        assert await store.state.collection(ALICE, PHONE, INBOX, keys[-1]) is None
        keys.append(await advance(store, None, state()))
        assert len(set(keys)) == len(keys)

    async def test_amend(self, store: AnyStore) -> None:
        first = await used(store, await advance(store, None, state(1, written={ItemId(1): (Revision(1),)})))
        amended = replace(first, view=View(token=Token(9)), options=b"new")
        await store.state.amend(ALICE, PHONE, INBOX, amended)
        assert await used(store, first.key) == amended
        await store.state.amend(ALICE, PHONE, INBOX, replace(first, key=SyncKey("777777")))
        assert await store.state.collection(ALICE, PHONE, INBOX, SyncKey("777777")) is None
        key = await advance(store, amended, state(10))
        assert (await used(store, key)).view.token == 10

    async def test_hierarchy(self, store: AnyStore) -> None:
        folders = {"1": Revision(4), "RI": Revision(9)}
        assert await store.state.hierarchy(ALICE, PHONE, SyncKey("1")) is None
        assert await store.state.advance_hierarchy(ALICE, PHONE, INITIAL_KEY, folders) == "1"
        found = await store.state.hierarchy(ALICE, PHONE, SyncKey("1"))
        assert found is not None
        assert found.folders == folders
        assert await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("1"), {}) == "2"
        assert await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("1"), {"5": Revision(1)}) == "3"
        assert await store.state.hierarchy(ALICE, PHONE, SyncKey("2")) is not None
        assert await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("3"), {}) == "4"
        with pytest.raises(StaleSyncKey):
            await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("1"), {})
        with pytest.raises(StaleSyncKey):
            await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("nonsense"), {})
        assert await store.state.advance_hierarchy(ALICE, PHONE, INITIAL_KEY, {}) == "1"
        assert await store.state.hierarchy(ALICE, PHONE, SyncKey("4")) is None
        assert await store.state.hierarchy(BOB, PHONE, SyncKey("1")) is None

    async def test_hierarchy_keys_are_bounded(self, store: AnyStore) -> None:
        await store.state.advance_hierarchy(ALICE, PHONE, INITIAL_KEY, {})
        last = [await store.state.advance_hierarchy(ALICE, PHONE, SyncKey("1"), {}) for _ in range(20)][-1]
        known = [n for n in range(1, 25) if await store.state.hierarchy(ALICE, PHONE, SyncKey(str(n))) is not None]
        assert known == [1, *range(15, 22)]
        assert last == "21"

    async def test_a_new_hierarchy_keeps_the_collections(self, store: AnyStore) -> None:
        key = await advance(store, None, state())
        await store.state.advance_hierarchy(ALICE, PHONE, INITIAL_KEY, {})
        await used(store, key)
