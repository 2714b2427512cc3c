"""LdapDirectory against a real OpenLDAP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapSettings
from eas_server.model.directory import DirectoryEntry, EntryKind, Found
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, shared_slapd

slapd = shared_slapd
pytestmark = pytest.mark.integration("slapd")

PKI = Path(__file__).parents[2] / "fixtures" / "pki"


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


def addresses(found: Found) -> list[str]:
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
        office="B 214",
        phone="+49 30 1001",
        home_phone="+49 30 2001",
        mobile_phone="+49 170 3001",
        picture=alice.picture,
        user_certificates=((PKI / "alice.der").read_bytes(),),
        smime_certificates=((PKI / "alice.usersmime").read_bytes(),),
    )
    assert alice.picture.startswith(b"\xff\xd8\xff")
