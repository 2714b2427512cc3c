"""LdapDirectory and LdapAuthenticator keep the contracts, with the people of the suite in a real Active Directory."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from eas_server import interfaces
from eas_server.backends.ldap import LdapAuthenticator, LdapDirectory, LdapPool
from eas_server.backends.memory import MemoryStore
from tests.contract.people import AuthenticatorContract, DirectoryContract
from tests.contract.world import settle
from tests.integration.samba import LONGEST_SETUP, Samba, settings_for, shared_samba

samba = shared_samba
pytestmark = [pytest.mark.integration("samba", "samba-tool"), pytest.mark.timeout(LONGEST_SETUP)]

NAMES = {
    # Two people of the suite share an alias, and a group has one: sAMAccountName is unique, these are not.
    "attributes": {"alias": ("uid", "info")},
    "anr_attributes": (
        *("displayName", "givenName", "sn", "uid", "info", "mail", "proxyAddresses"),
        "physicalDeliveryOfficeName",
    ),
    "login_attributes": ("sAMAccountName", "userPrincipalName", "proxyAddresses"),
}


class TestDirectory(DirectoryContract):
    @pytest.fixture
    async def directory(self, samba: Samba) -> AsyncIterator[interfaces.Directory]:
        pool = LdapPool(settings_for(samba, **NAMES))
        yield LdapDirectory(pool)
        await pool.close()

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("zoe", ["Anne-Marie Zoellner", "Zoe Adams", "Zoë Ångström"]),
            # Samba tells accents apart, which Microsoft's own does not.
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
    async def store(self, samba: Samba) -> AsyncIterator[Any]:
        local = MemoryStore()
        await settle(local)
        pool = LdapPool(settings_for(samba, **NAMES))
        yield SimpleNamespace(authenticator=LdapAuthenticator(pool, local.accounts), admin=local.admin)
        await pool.close()

    async def test_two_domains_with_the_same_user(self, store: Any) -> None:
        """A domain has one user of a name: there is nobody of the other domain."""
        await store.admin.add_user("alice@example.org", "other")
        assert await store.authenticator.authenticate("alice@example.org", "other") is None
