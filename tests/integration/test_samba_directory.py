"""People, groups and certificates of a real Active Directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool
from eas_server.model.directory import DirectoryEntry, EntryKind, Found
from fixtures.directory.make import PICTURE
from tests.integration.samba import LONGEST_SETUP, Samba, settings_for, shared_samba
from tests.integration.samba_people import BIG, CROWD, PKI, dn

samba = shared_samba
pytestmark = [pytest.mark.integration("samba", "samba-tool"), pytest.mark.timeout(LONGEST_SETUP)]


@asynccontextmanager
async def directory_of(server: Samba, **changes: object) -> AsyncIterator[LdapDirectory]:
    pool = LdapPool(settings_for(server, **changes))
    try:
        yield LdapDirectory(pool)
    finally:
        await pool.close()


@pytest.fixture
async def directory(samba: Samba) -> AsyncIterator[LdapDirectory]:
    async with directory_of(samba) as made:
        yield made


def names(found: Found) -> list[str]:
    return [entry.email.partition("@")[0] for entry in found.entries]


async def test_every_property(directory: LdapDirectory) -> None:
    found = await directory.resolve("a.liddell@example.com", 10)
    assert found.entries == (
        DirectoryEntry(
            key=dn("alice@example.com"),
            kind=EntryKind.PERSON,
            display_name="Alice",
            email="alice@example.com",
            addresses=("a.liddell@example.com",),
            alias="alice",
            title="Engineer",
            company="Liddell Ltd",
            department="Research",
            home_phone="+49 30 2001",
            mobile_phone="+49 170 3001",
            picture=PICTURE,
            user_certificates=((PKI / "alice.der").read_bytes(),),
            smime_certificates=((PKI / "alice.usersmime").read_bytes(),),
        ),
    )


@pytest.mark.requirement("MS-ASCMD_R4610")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("gone", ["change", "disabled", "expired", "locked"]),
        ("dis gone", ["disabled"]),
        ("liddell", ["alice"]),
        ("team", ["team"]),
        ("eas", []),
        ("administrator", []),
        ("sip:alice", []),
    ],
)
async def test_each_word_begins_a_name_or_an_address(directory: LdapDirectory, query: str, expected: list[str]) -> None:
    found = await directory.search(query, 0, 10)
    assert (names(found), found.total) == (expected, len(expected))


async def test_a_crowd_is_counted_and_ordered(directory: LdapDirectory) -> None:
    """The first by name, not the first that the server thought of."""
    found = await directory.search("crowd", 0, 3)
    assert (names(found), found.total) == (["crowd1999", "crowd1998", "crowd1997"], CROWD)
    last = await directory.search("crowd", CROWD - 1, 3)
    assert (names(last), last.total) == (["crowd0"], CROWD)


async def test_a_crowd_is_bounded(samba: Samba) -> None:
    async with directory_of(samba, max_matches=200, page_size=100) as directory:
        found = await directory.search("crowd", 0, 300)
    assert len(found.entries) == 200
    assert found.total > 200


async def test_members_of_a_big_group(directory: LdapDirectory) -> None:
    (group,) = (await directory.resolve("big@example.com", 1)).entries
    found = await directory.members(group, 10)
    assert (len(found.entries), found.total) == (10, BIG)
