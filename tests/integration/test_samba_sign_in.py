"""Sign-in by a real Active Directory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from eas_server.backends.ldap import LdapAuthenticator, LdapPool
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from tests.integration.samba import LONGEST_SETUP, REALM, Samba, settings_for, shared_samba
from tests.integration.samba_people import LOCKOUT

samba = shared_samba
pytestmark = [pytest.mark.integration("samba", "samba-tool"), pytest.mark.timeout(LONGEST_SETUP)]

SEARCH: dict[str, object] = {"sign_in": "search"}
BY_UPN: dict[str, object] = {"sign_in": "upn", "upn_domain": REALM.lower()}
WITHOUT_SERVICE: dict[str, object] = {**BY_UPN, "bind_dn": "", "bind_password": ""}


class EveryMailbox:
    """A mailbox for each address."""

    async def account(self, user: UserId) -> Account | None:
        raise NotImplementedError

    async def by_address(self, address: str) -> Account | None:
        return Account(user=UserId(address.partition("@")[0]), address=address, addresses=frozenset({address}))

    async def group(self, address: str) -> Sequence[str] | None:
        raise NotImplementedError


@asynccontextmanager
async def authenticator_of(server: Samba, **changes: object) -> AsyncIterator[LdapAuthenticator]:
    pool = LdapPool(settings_for(server, **changes))
    try:
        yield LdapAuthenticator(pool, EveryMailbox())
    finally:
        await pool.close()


@pytest.fixture(params=[SEARCH, BY_UPN, WITHOUT_SERVICE], ids=["search", "upn", "upn-without-service"])
async def authenticator(samba: Samba, request: pytest.FixtureRequest) -> AsyncIterator[LdapAuthenticator]:
    async with authenticator_of(samba, **request.param) as made:
        yield made


async def opens(authenticator: LdapAuthenticator, name: str, password: str) -> str | None:
    account = await authenticator.authenticate(name, password)
    return account.address if account else None


@pytest.mark.parametrize(
    "name", ["alice", "ALICE", "alice@example.com", "EXAMPLE\\alice", "example\\ALICE", "alice@ad.example.test"]
)
async def test_every_form_of_the_name(authenticator: LdapAuthenticator, name: str) -> None:
    assert await opens(authenticator, name, "wonderland") == "alice@example.com"
    assert await opens(authenticator, name, "Wonderland") is None


@pytest.mark.parametrize("user", ["disabled", "expired", "change"])
async def test_accounts_that_may_not_sign_in(authenticator: LdapAuthenticator, user: str) -> None:
    assert await opens(authenticator, user, "secret") is None


async def test_an_account_without_a_password(authenticator: LdapAuthenticator) -> None:
    assert await opens(authenticator, "carol", "") is None
    assert await opens(authenticator, "carol", "anything") is None


async def test_a_name_that_two_people_have(authenticator: LdapAuthenticator) -> None:
    assert await opens(authenticator, "same@example.com", "secret") is None
    assert await opens(authenticator, "EXAMPLE\\first", "secret") == "same@example.com"
    assert await opens(authenticator, "second", "secret") == "second@example.com"


async def test_wrong_passwords_lock_an_account(samba: Samba) -> None:
    async with authenticator_of(samba) as authenticator:
        assert await opens(authenticator, "locked", "secret") == "locked@example.com"
        for _ in range(LOCKOUT):
            assert await opens(authenticator, "locked", "wrong") is None
        assert await opens(authenticator, "locked", "secret") is None


async def test_only_the_domains_that_are_ours(samba: Samba) -> None:
    async with authenticator_of(samba, domains=("EXAMPLE", "example.com")) as authenticator:
        assert await opens(authenticator, "EXAMPLE\\alice", "wonderland") == "alice@example.com"
        assert await opens(authenticator, "OTHER\\alice", "wonderland") is None
        assert await opens(authenticator, "alice@other.example", "wonderland") is None
