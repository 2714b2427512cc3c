"""LdapPublisher against a real OpenLDAP."""

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapPublisher, LdapSettings
from fixtures.directory.make import Line
from tests.contract.publishing import FIRST, PublisherContract
from tests.integration.slapd import BASE, SERVICE_DN, SERVICE_PASSWORD, Slapd, start_slapd
from tests.integration.test_ldap_contract import content, dn

pytestmark = pytest.mark.integration("slapd")

WRITER: list[Line] = [
    # the rootdn of the database, which may do everything
    ("dn", f"cn=root,{BASE}"),
    ("objectClass", "organizationalRole"),
    ("objectClass", "simpleSecurityObject"),
    ("cn", "root"),
    ("userPassword", "root-secret"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = start_slapd(tmp_path_factory.mktemp("publisher") / "home", content(WRITER))
    yield server
    server.stop()


@pytest.fixture
async def pool(written: Slapd) -> AsyncIterator[LdapPool]:
    made = LdapPool(
        LdapSettings(uris=(written.uri,), base_dn=BASE, bind_dn=f"cn=root,{BASE}", bind_password="root-secret")
    )
    yield made
    await made.close()


def apply(server: Slapd, ldif: str) -> None:
    """As an administrator would do it."""
    subprocess.run(
        ["ldapmodify", "-x", "-H", server.uri, "-D", f"cn=root,{BASE}", "-w", "root-secret"],
        input=ldif.encode(),
        check=True,
        capture_output=True,
    )


class TestPublisher(PublisherContract):
    @pytest.fixture
    def publisher(self, pool: LdapPool) -> LdapPublisher:
        return LdapPublisher(pool)

    @pytest.fixture
    def directory(self, pool: LdapPool) -> LdapDirectory:
        return LdapDirectory(pool)

    @pytest.fixture
    async def address(self, publisher: LdapPublisher) -> str:
        await publisher.unpublish("carol@example.com")
        return "carol@example.com"

    @pytest.fixture
    async def reader(self, written: Slapd) -> AsyncIterator[LdapPublisher]:
        pool = LdapPool(
            LdapSettings(uris=(written.uri,), base_dn=BASE, bind_dn=SERVICE_DN, bind_password=SERVICE_PASSWORD)
        )
        yield LdapPublisher(pool)
        await pool.close()

    @pytest.mark.integration("ldapmodify")
    async def test_ldapmodify_takes_the_dry_run(self, publisher: LdapPublisher, written: Slapd, address: str) -> None:
        would = await publisher.publish(address, FIRST, dry_run=True)
        apply(written, would.ldif())
        assert would.dn == dn(address)
        assert await publisher.held(address) == FIRST
