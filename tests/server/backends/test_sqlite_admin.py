"""Administration, and the index of people that follows it."""

from dataclasses import replace

import pytest

from eas_server.backends.sqlite import SMIME_CERTIFICATE, AdministrationError, Store, registry
from eas_server.model.directory import DirectoryEntry, EntryKind
from eas_server.model.ids import CollectionId, DeviceId, SyncKey, Token, UserId
from eas_server.model.view import CollectionState, View
from eas_server.notify import ChangeNotifier
from tests.contract.samples import ALICE, BOB, CAROL, message

INBOX = CollectionId("1")
DAVE = DirectoryEntry(key="", display_name="Dave", email="Dave@example.com", alias="dave", office="1")


async def found(store: Store, query: str) -> list[str]:
    return [entry.display_name for entry in (await store.directory.search(query, 0, 10)).entries]


async def test_users(store: Store) -> None:
    account = await store.admin.add_user(" Dave ", "secret", DAVE, quota=5, eas_enabled=False)
    assert (account.user, account.address, account.quota, account.eas_enabled) == ("dave", DAVE.email, 5, False)
    assert [user.user for user in await store.admin.users()] == [ALICE, BOB, CAROL, "dave"]
    await store.admin.set_quota(account.user, None)
    await store.admin.set_eas_enabled(account.user, True)
    changed = await store.admin.user("DAVE")
    assert changed is not None
    assert (changed.quota, changed.eas_enabled) == (None, True)
    await store.mail.add(account.user, INBOX, message("x" * 100))
    assert await store.admin.usage(account.user) > 100


async def test_passwords(store: Store) -> None:
    assert await store.authenticator.authenticate("bob", "builder") is not None
    await store.admin.set_password(BOB, "plumber")
    assert await store.authenticator.authenticate("bob", "builder") is None
    assert await store.authenticator.authenticate("bob", "plumber") is not None
    assert await store.authenticator.authenticate("carol", "") is None


async def test_a_removed_user_leaves_nothing(store: Store, notifier: ChangeNotifier) -> None:
    phone = DeviceId("PHONE")
    state = CollectionState(key=SyncKey(""), view=View(token=Token(1)))
    key = await store.state.advance(BOB, phone, INBOX, None, state)
    await store.mail.add(BOB, INBOX, message("secret"))
    with notifier.subscribe(BOB, [CollectionId("0")]) as subscription:
        await store.admin.remove_user(BOB)
        assert await subscription.wait()
    assert list(await store.folders.folders(BOB)) == []
    assert await store.accounts.account(BOB) is None
    assert await found(store, "bob") == []
    assert await store.state.collection(BOB, phone, INBOX, key) is None
    assert await store.authenticator.authenticate("bob", "builder") is None
    again = await store.admin.add_user(BOB, "new")
    assert list(await store.mail.fetch(again.user, INBOX, [1])) == []


async def test_addresses_belong_to_one(store: Store) -> None:
    for clash in (
        replace(DAVE, email="Alice@example.com"),
        replace(DAVE, addresses=("a.LIDDELL@example.com",)),
        replace(DAVE, email="dave"),
    ):
        with pytest.raises(AdministrationError):
            await store.admin.add_user("dave", "x", clash)
    with pytest.raises(AdministrationError, match="already"):
        await store.admin.add_user("ALICE@example.com", "x", DAVE)
    assert await found(store, "dave") == []


async def test_what_does_not_exist(store: Store) -> None:
    admin, nobody = store.admin, UserId("nobody")
    attempts = (
        lambda: admin.set_password(nobody, "x"),
        lambda: admin.set_quota(nobody, 1),
        lambda: admin.remove_user(nobody),
        lambda: admin.update_entry("nobody@example.com", DAVE),
        lambda: admin.remove_entry("nobody@example.com"),
        lambda: admin.remove_entry("alice@example.com"),
        lambda: admin.add_member("alice@example.com", "bob@example.com"),
        lambda: admin.remove_member("nobody@example.com", "bob@example.com"),
        lambda: admin.group_members("alice@example.com"),
        lambda: admin.publish_certificate("nobody@example.com", b"x"),
        lambda: admin.unpublish_certificate("alice@example.com", b"x"),
    )
    for attempt in attempts:
        with pytest.raises(AdministrationError):
            await attempt()


async def test_entries(store: Store) -> None:
    await store.admin.add_people([DAVE])
    await store.admin.update_entry(
        "dave@example.com", replace(DAVE, display_name="David", addresses=("d@example.com",))
    )
    assert await found(store, "dav") == ["David"]
    assert await found(store, "d@") == ["David"]
    with pytest.raises(AdministrationError):
        await store.admin.update_entry("d@example.com", replace(DAVE, kind=EntryKind.GROUP))
    await store.admin.remove_entry("d@example.com")
    assert await found(store, "dav") == []
    assert await store.admin.entry("d@example.com") is None


async def test_groups(store: Store) -> None:
    team = DirectoryEntry(key="", display_name="Team", email="team@example.com")
    await store.admin.add_group(team, ["alice@example.com"])
    await store.admin.add_member("TEAM@example.com", "Bob@example.com")
    await store.admin.add_member("team@example.com", "bob@example.com")
    assert list(await store.admin.group_members("team@example.com")) == ["alice@example.com", "bob@example.com"]
    assert [group.email for group in await store.admin.groups()] == ["team@example.com"]
    await store.admin.remove_member("team@example.com", "alice@example.com")
    assert await store.accounts.group("team@example.com") == ["bob@example.com"]
    await store.admin.remove_entry("team@example.com")
    assert await store.accounts.group("team@example.com") is None


async def test_certificates(store: Store) -> None:
    for value, source in ((b"1", "user"), (b"2", "user"), (b"1", "user"), (b"3", SMIME_CERTIFICATE)):
        await store.admin.publish_certificate("alice@example.com", value, source)
    entry = await store.admin.entry("a.liddell@example.com")
    assert entry is not None
    assert (entry.user_certificates, entry.smime_certificates) == ((b"1", b"2"), (b"3",))
    await store.admin.unpublish_certificate("alice@example.com", b"1")
    (again,) = (await store.directory.resolve("alice", 1)).entries
    assert again.user_certificates == (b"2",)


async def test_many_changes_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_CHANGES", 3)
    assert await found(store, "person") == []
    people = [replace(DAVE, display_name=f"Person {n}", email=f"p{n}@example.com") for n in range(8)]
    await store.admin.add_people(people[:2])
    assert await found(store, "person") == ["Person 0", "Person 1"]
    await store.admin.add_people(people[2:])
    assert await found(store, "person") == [f"Person {n}" for n in range(8)]
    await store.admin.remove_entry("p1@example.com")
    await store.admin.add_people([replace(DAVE, display_name="Person 9", email="p9@example.com")])
    assert await found(store, "person 9") == ["Person 9"]
    assert len(await found(store, "person")) == 8
