"""LdapPublisher against a real Active Directory."""

from collections.abc import AsyncIterator

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapPublisher, PublicationRefused
from eas_server.backends.ldap.connection import ModifyRefusedError
from tests.contract.publishing import FIRST, PublisherContract
from tests.integration.samba import LONGEST_SETUP, Samba, add_person, settings_for, shared_samba
from tests.integration.samba_people import ADMIN, ADMIN_PASSWORD

samba = shared_samba
pytestmark = [pytest.mark.integration("samba", "samba-tool"), pytest.mark.timeout(LONGEST_SETUP)]


@pytest.fixture
async def pool(samba: Samba) -> AsyncIterator[LdapPool]:
    made = LdapPool(settings_for(samba, bind_dn=ADMIN, bind_password=ADMIN_PASSWORD))
    yield made
    await made.close()


@pytest.fixture
def address(samba: Samba, request: pytest.FixtureRequest) -> str:
    """Somebody for this test alone, since other workers change the same directory."""
    return add_person(samba, f"published-{abs(hash(request.node.name)) % 10**8}")


class TestPublisher(PublisherContract):
    @pytest.fixture
    def publisher(self, pool: LdapPool) -> LdapPublisher:
        return LdapPublisher(pool)

    @pytest.fixture
    def directory(self, pool: LdapPool) -> LdapDirectory:
        return LdapDirectory(pool)

    @pytest.fixture
    async def reader(self, samba: Samba) -> AsyncIterator[LdapPublisher]:
        pool = LdapPool(settings_for(samba))
        yield LdapPublisher(pool)
        await pool.close()


async def test_the_global_catalog_cannot_be_written(samba: Samba, address: str) -> None:
    pool = LdapPool(settings_for(samba, uris=(samba.catalog_uri,), bind_dn=ADMIN, bind_password=ADMIN_PASSWORD))
    try:
        with pytest.raises(PublicationRefused):
            await LdapPublisher(pool).publish(address, FIRST)
    finally:
        await pool.close()


async def test_names_are_written_without_binary(pool: LdapPool, address: str) -> None:
    """Unlike OpenLDAP, which wants it. Samba knows no such names at all."""
    publisher = LdapPublisher(pool)
    would = await publisher.publish(address, FIRST, dry_run=True)
    assert [change.attribute for change in would.changes] == ["userCertificate", "userSMIMECertificate"]
    values = {"userCertificate;binary": FIRST.user_certificates}
    with pytest.raises(ModifyRefusedError, match="noSuchAttribute"):
        await pool.run(lambda connection: connection.replace(would.dn, values))
