"""What every Directory, Accounts and Authenticator keeps to."""

import pytest

from eas_server import interfaces
from eas_server.model.directory import DirectoryEntry, EntryKind
from eas_server.model.ids import UserId
from tests.contract.samples import ALICE, AnyStore

TEAM = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name="Team", email="team@example.com")
ALL = DirectoryEntry(key="", kind=EntryKind.GROUP, display_name="All", email="all@example.com", alias="everybody")
PEOPLE = (
    DirectoryEntry(
        key="",
        display_name="Zoë Ångström",
        first_name="Zoë",
        last_name="Ångström",
        email="Zoe@example.com",
        addresses=("z.angstrom@example.com",),
        alias="zoe",
        office="Room 12",
        phone="+46 8 123",
        user_certificates=(b"cert-1", b"cert-2"),
        smime_certificates=(b"cert-3",),
        picture=b"\xff\xd8",
    ),
    DirectoryEntry(key="", display_name="Zoe Adams", email="zadams@example.com", alias="zadams"),
    DirectoryEntry(key="", display_name="Anne-Marie Zoellner", email="anne@example.com", alias="zoe"),
)


async def populate(store: AnyStore) -> None:
    """What the suite expects in the directory, beside alice, bob and carol."""
    await store.admin.add_people(PEOPLE)
    await store.admin.add_group(TEAM, ["alice@example.com", "Bob@example.com", "x@example.org"])
    await store.admin.add_group(ALL, ["team@example.com", "all@example.com", "zoe@example.com", "alice@example.com"])


class DirectoryContract:
    """Inherit, and give a fixture `directory` with PEOPLE, alice, bob, carol and the groups."""

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("zoe", ["Anne-Marie Zoellner", "Zoe Adams", "Zoë Ångström"]),
            ("ZOË ang", ["Zoë Ångström"]),
            ("angstrom", ["Zoë Ångström"]),
            ("marie", ["Anne-Marie Zoellner"]),
            ("anne-m", ["Anne-Marie Zoellner"]),
            ("z.angstrom@ex", ["Zoë Ångström"]),
            ("zadams@example.com", ["Zoe Adams"]),
            ("room 12", ["Zoë Ångström"]),
            ('"Zoe A."', ["Anne-Marie Zoellner", "Zoe Adams", "Zoë Ångström"]),
            ("team", ["Team"]),
            ("example.com", []),
            ("ngstrom", []),
            ("*", []),
            ("%", []),
            ("", []),
            ("  ", []),
        ],
    )
    async def test_search(self, directory: interfaces.Directory, query: str, names: list[str]) -> None:
        found = await directory.search(query, 0, 100)
        assert [entry.display_name for entry in found.entries] == names
        assert found.total == len(names)

    async def test_search_in_portions(self, directory: interfaces.Directory) -> None:
        found = await directory.search("zoe", 1, 1)
        assert ([e.display_name for e in found.entries], found.total) == (["Zoe Adams"], 3)
        assert (await directory.search("zoe", 5, 5)).entries == ()

    async def test_entries_carry_everything(self, directory: interfaces.Directory) -> None:
        (entry,) = (await directory.resolve("zoe@EXAMPLE.com", 10)).entries
        zoe = PEOPLE[0]
        assert (entry.display_name, entry.email, entry.addresses) == (zoe.display_name, zoe.email, zoe.addresses)
        assert (entry.user_certificates, entry.smime_certificates) == (zoe.user_certificates, zoe.smime_certificates)
        assert (entry.picture, entry.office, entry.phone) == (zoe.picture, zoe.office, zoe.phone)

    @pytest.mark.requirement("MS-ASCMD_R4610")
    async def test_an_exact_name_is_never_ambiguous(self, directory: interfaces.Directory) -> None:
        for name in ("zoe@example.com", " Z.Angstrom@example.com ", "ZADAMS"):
            found = await directory.resolve(name, 10)
            assert (len(found.entries), found.total) == (1, 1)
        assert (await directory.resolve("everybody", 10)).entries[0].kind is EntryKind.GROUP

    async def test_other_names_may_be_ambiguous(self, directory: interfaces.Directory) -> None:
        found = await directory.resolve("zoe", 2)
        assert (len(found.entries), found.total) == (2, 3)
        assert (await directory.resolve("nobody@example.com", 2)).total == 0

    async def test_members_are_expanded_once_each(self, directory: interfaces.Directory) -> None:
        (group,) = (await directory.resolve("all@example.com", 1)).entries
        found = await directory.members(group, 100)
        expected = ["Zoe@example.com", "alice@example.com", "bob@example.com", "x@example.org"]
        assert sorted(entry.email for entry in found.entries) == expected
        assert found.total == 4
        few = await directory.members(group, 2)
        assert (len(few.entries), few.total) == (2, 4)
        (person,) = (await directory.resolve("zadams", 1)).entries
        assert (await directory.members(person, 10)).total == 0


class AccountsContract:
    """Inherit, and give a fixture `store` in which alice, bob, carol, PEOPLE and the groups are."""

    async def test_account(self, store: AnyStore) -> None:
        account = await store.accounts.account(ALICE)
        assert account is not None
        assert (account.user, account.address) == (ALICE, "alice@example.com")
        assert account.addresses == {"alice@example.com", "a.liddell@example.com"}
        assert await store.accounts.account(UserId("nobody")) is None

    @pytest.mark.parametrize(
        "address", ["alice@example.com", "A.Liddell@Example.com", "alice", "a.liddell", " ALICE@example.com"]
    )
    async def test_addresses(self, store: AnyStore, address: str) -> None:
        account = await store.accounts.by_address(address)
        assert account is not None
        assert account.user == ALICE

    @pytest.mark.parametrize("address", ["zoe@example.com", "nobody", "alice@example.org", "", "@", "team@example.com"])
    async def test_addresses_of_others(self, store: AnyStore, address: str) -> None:
        assert await store.accounts.by_address(address) is None

    async def test_groups(self, store: AnyStore) -> None:
        assert sorted(await store.accounts.group("TEAM@example.com") or ()) == [
            "alice@example.com",
            "bob@example.com",
            "x@example.org",
        ]
        assert await store.accounts.group("alice@example.com") is None
        assert await store.accounts.group("nothing@example.com") is None


class AuthenticatorContract:
    """Inherit, and give a fixture `store` in which alice has the password `wonderland` and bob `builder`."""

    @pytest.mark.parametrize(
        "name", ["alice", "ALICE@example.com", "EXAMPLE\\alice", "example.com\\alice", "a.liddell@example.com"]
    )
    async def test_names(self, store: AnyStore, name: str) -> None:
        for _ in range(2):
            account = await store.authenticator.authenticate(name, "wonderland")
            assert account is not None
            assert account.user == ALICE

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            ("alice", "Wonderland"),
            ("alice", ""),
            ("alice", "builder"),
            ("nobody", "wonderland"),
            ("zoe@example.com", ""),
            ("", ""),
            ("\\", "wonderland"),
            ("team@example.com", ""),
            ("carol", ""),
        ],
    )
    async def test_refusals(self, store: AnyStore, name: str, password: str) -> None:
        assert await store.authenticator.authenticate("alice", "wonderland") is not None
        assert await store.authenticator.authenticate(name, password) is None

    async def test_two_domains_with_the_same_user(self, store: AnyStore) -> None:
        await store.admin.add_user("alice@example.org", "other")
        assert await store.authenticator.authenticate("alice", "wonderland") is None
        for name, password, user in (
            ("EXAMPLE.COM\\alice", "wonderland", "alice@example.com"),
            ("example.org\\alice", "other", "alice@example.org"),
            ("alice@example.org", "other", "alice@example.org"),
        ):
            account = await store.authenticator.authenticate(name, password)
            assert account is not None
            assert account.user == user
