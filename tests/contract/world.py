"""Stores with the accounts that the suites expect."""

from eas_server.model.directory import DirectoryEntry
from tests.contract.people import populate
from tests.contract.samples import ALICE, BOB, CAROL, AnyStore

SMALL_QUOTA = 1000


async def settle(store: AnyStore) -> None:
    """Alice, bob and carol."""
    profile = DirectoryEntry(
        key="", display_name="Alice", email="alice@example.com", addresses=("a.liddell@example.com",), alias="alice"
    )
    await store.admin.add_user(ALICE, "wonderland", profile)
    await store.admin.add_user(BOB, "builder")
    await store.admin.add_user(CAROL, None, quota=SMALL_QUOTA)


async def settle_with_people(store: AnyStore) -> None:
    """The same, and the rest of the directory."""
    await settle(store)
    await populate(store)
