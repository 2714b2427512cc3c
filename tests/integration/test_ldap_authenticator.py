"""LdapAuthenticator against a real OpenLDAP."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from eas_server.backends.ldap import LdapAuthenticator, LdapPool, LdapSettings
from eas_server.backends.ldap.connection import LdapConnection
from eas_server.errors import DirectoryUnavailable
from eas_server.model.directory import Account
from eas_server.model.ids import UserId
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, free_port, shared_slapd

slapd = shared_slapd
pytestmark = pytest.mark.integration("slapd")

T = TypeVar("T")
TEMPLATE = f"uid={{user}},ou=people,{BASE}"
SEARCH: dict[str, object] = {"sign_in": "search"}
BY_TEMPLATE: dict[str, object] = {"sign_in": "template", "user_dn_template": TEMPLATE}
ERINS_PASSWORD = "gr\u00fc\u00dfe\u00ad\uff21"


class LocalAccounts:
    """Mailboxes for all but bo."""

    async def account(self, user: UserId) -> Account | None:
        raise NotImplementedError

    async def by_address(self, address: str) -> Account | None:
        user = address.partition("@")[0]
        if user not in {"alice", "bob", "carol", "erin"}:
            return None
        return Account(user=UserId(user), address=address, addresses=frozenset({address}))

    async def group(self, address: str) -> Sequence[str] | None:
        raise NotImplementedError


@asynccontextmanager
async def authenticator_of(uri: str, **changes: object) -> AsyncIterator[LdapAuthenticator]:
    keys = {"uris": (uri,), "base_dn": BASE, "bind_dn": SERVICE_DN, "bind_password": SERVICE_PASSWORD}
    pool = LdapPool(LdapSettings(**(keys | changes)))  # type: ignore[arg-type]
    try:
        yield LdapAuthenticator(pool, LocalAccounts())
    finally:
        await pool.close()


@pytest.fixture(params=[SEARCH, BY_TEMPLATE], ids=["search", "template"])
async def authenticator(slapd: Slapd, request: pytest.FixtureRequest) -> AsyncIterator[LdapAuthenticator]:
    async with authenticator_of(slapd.uri, **request.param) as made:
        yield made


async def opens(authenticator: LdapAuthenticator, name: str, password: str) -> str | None:
    account = await authenticator.authenticate(name, password)
    return account.user if account else None


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.com", "EXAMPLE\\alice"])
async def test_the_right_password(authenticator: LdapAuthenticator, name: str) -> None:
    assert await opens(authenticator, name, "alice-secret") == "alice"


async def test_a_second_address_as_name(slapd: Slapd) -> None:
    async with authenticator_of(slapd.uri) as authenticator:
        assert await opens(authenticator, "a.adams@example.com", "alice-secret") == "alice"


async def test_passwords_are_sent_as_they_are(authenticator: LdapAuthenticator) -> None:
    assert await opens(authenticator, "erin", ERINS_PASSWORD) == "erin"
    assert await opens(authenticator, "erin", "gr\u00fc\u00dfeA") is None


@pytest.mark.parametrize(
    "password", ["wrong", "bob-secret", "alice-secret ", "Alice-secret", "\u00ad", "alice-secret\0", "\0", "\ud800"]
)
async def test_a_wrong_password(authenticator: LdapAuthenticator, password: str) -> None:
    assert await opens(authenticator, "alice", password) is None


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "",
        " ",
        "\\",
        "EXAMPLE\\",
        "@example.com",
        "*",
        "alic*",
        "*)(uid=*",
        "alice)(|(uid=*",
        "alice\0",
        "alice\u00ad",
        "alice\u200b",
        "\uff41lice",
        "alice ",
        "alice,ou=people",
        "x,uid=alice",
        "alice+cn=Alice Adams",
        f"alice,ou=people,{BASE}",
        "cn=eas",
        "\\61lice",
        "#0405616c696365",
        "a" * 10_000,
        "\ud800",
    ],
)
async def test_a_name_that_is_nobodys(authenticator: LdapAuthenticator, name: str) -> None:
    for password in ("alice-secret", SERVICE_PASSWORD, ""):
        assert await opens(authenticator, name, password) is None


@pytest.mark.parametrize("changes", [SEARCH, BY_TEMPLATE])
async def test_an_empty_password_is_refused_before_any_traffic(changes: dict[str, object]) -> None:
    async with authenticator_of(f"ldap://127.0.0.1:{free_port()}", **changes) as authenticator:
        assert await authenticator.authenticate("alice", "") is None
        with pytest.raises(DirectoryUnavailable):
            await authenticator.authenticate("alice", "alice-secret")


@pytest.mark.parametrize("dn", ["", f"uid=alice,ou=people,{BASE}"])
async def test_no_unauthenticated_bind_leaves_the_pool(slapd: Slapd, dn: str) -> None:
    pool = LdapPool(LdapSettings(uris=(slapd.uri,), base_dn=BASE))
    with pytest.raises(ValueError, match="a name and a password"):
        await pool.sign_in(dn, "" if dn else "x", lambda _connection: None)
    await pool.close()


async def test_a_user_without_a_mailbox(authenticator: LdapAuthenticator) -> None:
    assert await opens(authenticator, "bo", "bo-secret") is None
    assert await opens(authenticator, "ghost", "ghost-secret") is None


async def test_a_name_that_fits_two_people_opens_nothing(slapd: Slapd) -> None:
    async with authenticator_of(slapd.uri, login_attributes=("sn", "givenName")) as authenticator:
        assert await opens(authenticator, "Adams", "alice-secret") == "alice"
        assert await opens(authenticator, "Bob", "bob-secret") == "bob"
    async with authenticator_of(slapd.uri, login_attributes=("objectClass",)) as authenticator:
        assert await opens(authenticator, "inetOrgPerson", "alice-secret") is None


async def test_only_our_domains(slapd: Slapd) -> None:
    async with authenticator_of(slapd.uri, domains=("example.com", "EXAMPLE")) as authenticator:
        for name in ("alice", "alice@Example.com", "example\\alice"):
            assert await opens(authenticator, name, "alice-secret") == "alice"
        for name in ("alice@example.org", "OTHER\\alice"):
            assert await opens(authenticator, name, "alice-secret") is None


async def test_what_is_typed_never_chooses_the_mailbox(authenticator: LdapAuthenticator) -> None:
    """alice's password with a name in which bob's address stands."""
    for name in ("bob@example.com\\alice", "alice@bob"):
        assert await opens(authenticator, name, "alice-secret") in {"alice", None}


async def test_a_filter_can_shut_people_out(slapd: Slapd) -> None:
    async with authenticator_of(slapd.uri, person_filter="(&(objectClass=inetOrgPerson)(!(uid=bob)))") as authenticator:
        assert await opens(authenticator, "alice", "alice-secret") == "alice"
        assert await opens(authenticator, "bob", "bob-secret") is None
    changes = BY_TEMPLATE | {"person_filter": "(&(objectClass=inetOrgPerson)(!(uid=bob)))"}
    async with authenticator_of(slapd.uri, **changes) as authenticator:
        assert await opens(authenticator, "alice", "alice-secret") == "alice"
        assert await opens(authenticator, "bob", "bob-secret") is None


class PrincipalPool(LdapPool):
    """OpenLDAP knows no user principal names: this makes DNs of them, as Active Directory would."""

    async def sign_in(self, dn: str, password: str, then: Callable[[LdapConnection], T]) -> T | None:
        return await super().sign_in(TEMPLATE.format(user=dn.partition("@")[0]), password, then)


async def test_user_principal_names(slapd: Slapd) -> None:
    settings = LdapSettings(
        uris=(slapd.uri,), base_dn=BASE, sign_in="upn", upn_domain="example.com", login_attributes=("uid", "mail")
    )
    pool = PrincipalPool(settings)
    authenticator = LdapAuthenticator(pool, LocalAccounts())
    assert await opens(authenticator, "alice", "alice-secret") == "alice"
    assert await opens(authenticator, "bob@example.com", "bob-secret") == "bob"
    assert await opens(authenticator, "bob@example.com", "alice-secret") is None
    assert await opens(authenticator, "ghost", "ghost-secret") is None
    await pool.close()


async def test_sign_ins_leave_the_searches_alone(slapd: Slapd) -> None:
    """The connection of a search is never one that somebody signed in on."""
    async with authenticator_of(slapd.uri) as authenticator:
        assert await opens(authenticator, "alice", "alice-secret") == "alice"
        pool = authenticator._pool
        assert await pool.run(lambda connection: connection._ldap.user) == SERVICE_DN
