"""LdapDirectory and LdapAuthenticator keep the contracts, with the people of the suite in a real OpenLDAP."""

from collections.abc import AsyncIterator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from eas_server import interfaces
from eas_server.backends.ldap import LdapAuthenticator, LdapDirectory, LdapPool, LdapSettings
from eas_server.backends.memory import MemoryStore
from eas_server.model.directory import DirectoryEntry
from fixtures.directory.make import Line, ldif
from tests.contract.people import ALL, PEOPLE, TEAM, AuthenticatorContract, DirectoryContract
from tests.contract.world import settle
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, start_slapd

pytestmark = pytest.mark.integration("slapd")

USERS = (
    (
        DirectoryEntry(key="", display_name="Alice", email="alice@example.com", addresses=("a.liddell@example.com",)),
        "wonderland",
    ),
    (DirectoryEntry(key="", display_name="bob", email="bob@example.com"), "builder"),
    (DirectoryEntry(key="", display_name="carol", email="carol@example.com"), ""),
    (DirectoryEntry(key="", display_name="x@example.org", email="x@example.org", alias="x"), ""),
)
GROUPS = (
    (TEAM, ("alice@example.com", "bob@example.com", "x@example.org")),
    (ALL, ("team@example.com", "all@example.com", "zoe@example.com", "alice@example.com")),
)
CERTIFICATES = "audio"
"""OpenLDAP does not take the suite's certificates and pictures for such: they are kept where it does not look."""
PICTURE = "photo"


def dn(email: str) -> str:
    return f"mail={email},{BASE}"


def person(entry: DirectoryEntry, password: str = "") -> list[Line]:
    lines: list[Line] = [
        ("dn", dn(entry.email)),
        ("objectClass", "inetOrgPerson"),
        ("cn", entry.display_name),
        ("sn", entry.last_name or entry.display_name),
        ("uid", entry.alias or entry.email.partition("@")[0]),
        *(("mail", address) for address in entry.all_addresses),
        ("givenName", entry.first_name),
        ("physicalDeliveryOfficeName", entry.office),
        ("telephoneNumber", entry.phone),
        (PICTURE, entry.picture),
        *((CERTIFICATES, certificate) for certificate in entry.user_certificates),
        *(("userSMIMECertificate", certificate) for certificate in entry.smime_certificates),
        ("userPassword", password),
    ]
    return [line for line in lines if line[1]]


def group(entry: DirectoryEntry, members: Sequence[str]) -> list[Line]:
    return [
        ("dn", dn(entry.email)),
        ("objectClass", "groupOfNames"),
        ("objectClass", "extensibleObject"),
        ("cn", entry.display_name),
        ("mail", entry.email),
        ("uid", entry.alias or entry.display_name),
        *(("member", dn(member)) for member in members),
    ]


def content(*more: list[Line]) -> str:
    suffix: list[Line] = [
        ("dn", BASE),
        ("objectClass", "dcObject"),
        ("objectClass", "organization"),
        ("dc", "example"),
        ("o", "Suffix"),
    ]
    service: list[Line] = [
        ("dn", SERVICE_DN),
        ("objectClass", "organizationalRole"),
        ("objectClass", "simpleSecurityObject"),
        ("cn", "eas"),
        ("userPassword", SERVICE_PASSWORD),
    ]
    people = [*(person(*user) for user in USERS), *(person(entry) for entry in PEOPLE)]
    return ldif([suffix, service, *people, *(group(*each) for each in GROUPS), *more])


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = start_slapd(tmp_path_factory.mktemp("contract") / "home", content())
    yield server
    server.stop()


def pool_for(server: Slapd) -> LdapPool:
    attributes = {"user_certificates": (CERTIFICATES,), "picture": (PICTURE,)}
    return LdapPool(
        LdapSettings(
            uris=(server.uri,),
            base_dn=BASE,
            bind_dn=SERVICE_DN,
            bind_password=SERVICE_PASSWORD,
            attributes=attributes,
        )
    )


class TestDirectory(DirectoryContract):
    @pytest.fixture
    async def directory(self, populated: Slapd) -> AsyncIterator[interfaces.Directory]:
        pool = pool_for(populated)
        yield LdapDirectory(pool)
        await pool.close()

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("zoe", ["Anne-Marie Zoellner", "Zoe Adams", "Zoë Ångström"]),
            # OpenLDAP tells accents apart: "ang", "angstrom" and "a" do not find Zoë Ångström.
            ("ZOË ång", ["Zoë Ångström"]),
            ("ångström", ["Zoë Ångström"]),
            ("angstrom", []),
            ("marie", ["Anne-Marie Zoellner"]),
            ("anne-m", ["Anne-Marie Zoellner"]),
            ("z.angstrom@ex", ["Zoë Ångström"]),
            ("zadams@example.com", ["Zoe Adams"]),
            ("room 12", ["Zoë Ångström"]),
            ('"Zoe A."', ["Anne-Marie Zoellner", "Zoe Adams"]),
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
        await super().test_search(directory, query, names)


class TestAuthenticator(AuthenticatorContract):
    """The accounts are local, the passwords are not."""

    @pytest.fixture
    async def store(self, populated: Slapd) -> AsyncIterator[Any]:
        local = MemoryStore()
        await settle(local)
        pool = pool_for(populated)
        yield SimpleNamespace(authenticator=LdapAuthenticator(pool, local.accounts))
        await pool.close()

    async def test_two_domains_with_the_same_user(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        other = DirectoryEntry(key="", display_name="Alice", email="alice@example.org")
        server = start_slapd(tmp_path_factory.mktemp("two") / "home", content(person(other, "other")))
        local = MemoryStore()
        await settle(local)
        await local.admin.add_user("alice@example.org", "")
        pool = pool_for(server)
        store: Any = SimpleNamespace(authenticator=LdapAuthenticator(pool, local.accounts))
        try:
            await self.check(store.authenticator)
        finally:
            await pool.close()
            server.stop()

    async def check(self, authenticator: LdapAuthenticator) -> None:
        assert await authenticator.authenticate("alice", "wonderland") is None
        for name, password, address in (
            ("EXAMPLE.COM\\alice", "wonderland", "alice@example.com"),
            ("example.org\\alice", "other", "alice@example.org"),
            ("alice@example.org", "other", "alice@example.org"),
            ("alice@example.com", "wonderland", "alice@example.com"),
        ):
            account = await authenticator.authenticate(name, password)
            assert account is not None
            assert account.address == address
        assert await authenticator.authenticate("alice@example.org", "wonderland") is None
