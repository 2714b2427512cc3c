"""LdapDirectory against a real OpenLDAP: what is found."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapSettings
from eas_server.model.directory import DirectoryEntry, EntryKind, Found
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, shared_slapd, start_slapd

slapd = shared_slapd
pytestmark = pytest.mark.integration("slapd")

PKI = Path(__file__).parents[2] / "fixtures" / "pki"
CROWD = 60


@asynccontextmanager
async def directory_of(server: Slapd, **changes: object) -> AsyncIterator[LdapDirectory]:
    keys = {"uris": (server.uri,), "base_dn": BASE, "bind_dn": SERVICE_DN, "bind_password": SERVICE_PASSWORD}
    pool = LdapPool(LdapSettings(**(keys | changes)))  # type: ignore[arg-type]
    try:
        yield LdapDirectory(pool)
    finally:
        await pool.close()


@pytest.fixture
async def directory(slapd: Slapd) -> AsyncIterator[LdapDirectory]:
    async with directory_of(slapd) as made:
        yield made


def names(found: Found) -> list[str]:
    return [entry.email.partition("@")[0] for entry in found.entries]


async def one(directory: LdapDirectory, name: str) -> DirectoryEntry:
    found = await directory.resolve(name, 10)
    assert found.total == 1
    return found.entries[0]


async def test_every_property(directory: LdapDirectory) -> None:
    alice = await one(directory, "alice@example.com")
    assert alice == DirectoryEntry(
        key=f"uid=alice,ou=people,{BASE}",
        kind=EntryKind.PERSON,
        display_name="Alice Adams",
        email="alice@example.com",
        addresses=("a.adams@example.com",),
        alias="alice",
        first_name="Alice",
        last_name="Adams",
        title="Engineer",
        company="Example Ltd",
        department="Research",
        office="214 East",
        phone="+49 30 1001",
        home_phone="+49 30 2001",
        mobile_phone="+49 170 3001",
        picture=alice.picture,
        user_certificates=((PKI / "alice.der").read_bytes(),),
        smime_certificates=((PKI / "alice.usersmime").read_bytes(),),
    )
    assert alice.picture.startswith(b"\xff\xd8\xff")


async def test_all_certificates_of_an_entry(directory: LdapDirectory) -> None:
    bob = await one(directory, "bob@example.com")
    assert set(bob.user_certificates) == {(PKI / "bob.der").read_bytes(), (PKI / "bob-expired.der").read_bytes()}
    carol = await one(directory, "carol@example.com")
    assert (carol.user_certificates, carol.smime_certificates) == ((), ())
    erin = await one(directory, "erin@example.com")
    assert erin.smime_certificates == ((PKI / "erin.usersmime").read_bytes(),)


@pytest.mark.requirement("MS-ASCMD_R4610", "MS-ASCMD_R426")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("adam", ["alice"]),
        ("ALI ad", ["alice"]),
        ("Adams, A.", ["alice"]),
        ("ad ali", ["alice"]),
        ("berg", ["bob", "erin"]),
        ("van", ["bob"]),
        ("müll", ["carol"]),
        ("MÜLLER", ["carol"]),
        ("a.adams@", ["alice"]),
        ("team@example", ["team"]),
        ("ali\0ce", ["alice"]),
        ("example", ["alice"]),
        ("214", ["alice"]),
        ("dams", []),
        ("alice berg", []),
        ("Ghost", []),
        ("nobody", []),
        (" ", []),
        ("", []),
        (".,;", []),
    ],
)
async def test_each_word_begins_a_name_or_an_address(directory: LdapDirectory, query: str, expected: list[str]) -> None:
    found = await directory.search(query, 0, 10)
    assert (names(found), found.total) == (expected, len(expected))
    assert names(await directory.resolve(query, 10)) == expected


async def test_inner_words_can_be_switched_off(slapd: Slapd) -> None:
    async with directory_of(slapd, inner_words=False) as directory:
        assert names(await directory.search("der", 0, 10)) == []
        assert names(await directory.search("van", 0, 10)) == ["bob"]


@pytest.mark.requirement("MS-ASCMD_R426", "MS-ASCMD_R416")
async def test_a_part_of_the_matches_in_the_order_of_display_names(directory: LdapDirectory) -> None:
    everybody = await directory.search("b", 0, 10)
    assert names(everybody) == ["bo", "bob", "erin"]
    part = await directory.search("b", 1, 1)
    assert (names(part), part.total) == (["bob"], 3)
    beyond = await directory.search("b", 3, 5)
    assert (beyond.entries, beyond.total) == ((), 3)


async def test_a_groups_alias_is_its_name(directory: LdapDirectory) -> None:
    assert (await one(directory, "team")).alias == "team"


@pytest.mark.parametrize("name", ["bo", "BO", " bo ", "bo@example.com", "Bo@Example.COM"])
async def test_an_exact_alias_or_address_is_never_ambiguous(directory: LdapDirectory, name: str) -> None:
    assert names(await directory.search("bo", 0, 10)) == ["bo", "bob"]
    found = await directory.resolve(name, 10)
    assert (names(found), found.total) == (["bo"], 1)


async def test_an_exact_match_is_given_whatever_the_limit(directory: LdapDirectory) -> None:
    assert names(await directory.resolve("bo", 0)) == ["bo"]


async def test_a_second_address_is_as_exact(directory: LdapDirectory) -> None:
    assert (await one(directory, "A.Adams@example.com")).alias == "alice"


async def test_an_ambiguous_name_gives_the_total(directory: LdapDirectory) -> None:
    found = await directory.resolve("b", 2)
    assert (names(found), found.total) == (["bo", "bob"], 3)


@pytest.mark.parametrize(
    "typed",
    [
        "*",
        "a*",
        "*)(uid=*",
        "*)(|(uid=*)",
        "alice)(objectClass=*",
        "alice*",
        "\\2a",
        "\\",
        "\0",
        "(",
        ")))",
        "&(uid=alice)",
        "!(uid=x)",
        "\ud800alice",
        "\u00ad",
        "\u0085",
        "a\x1cb",
    ],
)
async def test_what_is_typed_has_no_meaning_in_a_filter(directory: LdapDirectory, typed: str) -> None:
    for found in (await directory.search(typed, 0, 10), await directory.resolve(typed, 10)):
        assert found == Found(entries=(), total=0)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    head = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n"
    service = f"dn: {SERVICE_DN}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: eas\n"
    people = [
        f"dn: uid=u{number},{BASE}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: Person {CROWD - number:03}\n"
        f"sn: Person\nmail: u{number}@example.com\n{'mail: shared@example.com' if number < 2 else ''}\n"
        for number in range(CROWD)
    ]
    members = "".join(f"member: uid=u{number},{BASE}\n" for number in range(CROWD))
    group = f"dn: cn=crowd,{BASE}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\nmail: c@example.com\n"
    ldif = "\n".join((head, f"{service}userPassword: {SERVICE_PASSWORD}\n", *people, f"{group}{members}"))
    server = start_slapd(tmp_path_factory.mktemp("crowd") / "home", ldif, extra="sizelimit 50")
    yield server
    server.stop()


async def test_results_of_many_pages(crowded: Slapd) -> None:
    async with directory_of(crowded, page_size=7) as directory:
        found = await directory.search("person 00", 0, 100)
        assert [entry.display_name for entry in found.entries] == [f"Person {number:03}" for number in range(1, 10)]
        assert found.total == 9
        # The search was read to its end and the connection is good for the next one.
        assert names(await directory.resolve("u3@example.com", 10)) == ["u3"]


async def test_an_address_of_two_people_is_ambiguous(crowded: Slapd) -> None:
    async with directory_of(crowded) as directory:
        found = await directory.resolve("shared@example.com", 1)
        assert (names(found), found.total) == (["u1"], 2)


async def test_only_so_many_matches_are_looked_at(crowded: Slapd) -> None:
    async with directory_of(crowded, page_size=5, max_matches=10) as directory:
        found = await directory.search("person", 0, 100)
        assert len(found.entries) == 10
        assert found.total >= 10
        assert names(await directory.resolve("u3@example.com", 10)) == ["u3"]


@pytest.mark.parametrize("page_size", [7, 500])
async def test_the_servers_own_limit_cuts_the_result_short(crowded: Slapd, page_size: int) -> None:
    async with directory_of(crowded, page_size=page_size) as directory:
        found = await directory.search("person", 0, 3)
        assert len(found.entries) == 3
        assert found.total == 50


@pytest.mark.parametrize("dn_attribute", ["entryDN", "none"])
async def test_a_group_of_more_members_than_one_filter_names(crowded: Slapd, dn_attribute: str) -> None:
    async with directory_of(crowded, dn_attribute=dn_attribute) as directory:
        group = await one(directory, "c@example.com")
        found = await directory.members(group, 4)
        assert [entry.display_name for entry in found.entries] == [f"Person {number:03}" for number in range(1, 5)]
        assert found.total == CROWD


async def test_only_so_many_members_are_read(crowded: Slapd) -> None:
    async with directory_of(crowded, max_members=10) as directory:
        found = await directory.members(await one(directory, "c@example.com"), 100)
        assert (len(found.entries), found.total) == (10, CROWD)


@pytest.mark.parametrize("dn_attribute", ["entryDN", "none"])
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("team", ["alice", "bob", "carol"]),
        ("unique", ["alice", "bob"]),
        ("posix", ["bob", "carol"]),
        ("all", ["alice", "bo", "bob", "carol", "erin"]),
        ("cycle", ["alice", "bo", "bob", "carol", "erin"]),
    ],
)
async def test_groups(slapd: Slapd, dn_attribute: str, group: str, expected: list[str]) -> None:
    async with directory_of(slapd, dn_attribute=dn_attribute) as directory:
        entry = await one(directory, group + "@example.com")
        assert entry.kind is EntryKind.GROUP
        found = await directory.members(entry, 10)
        assert (names(found), found.total) == (expected, len(expected))
        assert all(each.kind is EntryKind.PERSON for each in found.entries)
        some = await directory.members(entry, 1)
        assert (names(some), some.total) == (expected[:1], len(expected))


@pytest.mark.parametrize("key", [f"cn=gone,ou=groups,{BASE}", "not a dn", f"uid=alice,ou=people,{BASE}"])
async def test_what_is_no_group_has_no_members(directory: LdapDirectory, key: str) -> None:
    gone = DirectoryEntry(key=key, kind=EntryKind.GROUP, display_name="", email="")
    assert await directory.members(gone, 10) == Found(entries=(), total=0)
