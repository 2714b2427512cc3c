"""What LdapPublisher keeps to on every directory server."""

from pathlib import Path
from typing import Final

import pytest

from eas_server.backends.ldap import CertificateValues, LdapDirectory, LdapPublisher, PublicationRefused
from eas_server.model.directory import DirectoryEntry

PKI: Final = Path(__file__).parents[2] / "fixtures" / "pki"
OLD: Final = (PKI / "bob-expired.der").read_bytes()
NEW: Final = (PKI / "bob.der").read_bytes()
OLD_PKCS7: Final = (PKI / "alice.usersmime").read_bytes()
NEW_PKCS7: Final = (PKI / "erin.usersmime").read_bytes()
FIRST: Final = CertificateValues(user_certificates=(OLD,), smime_certificates=(OLD_PKCS7,))
SECOND: Final = CertificateValues(user_certificates=(NEW,), smime_certificates=(NEW_PKCS7,))
NOTHING: Final = CertificateValues()


class PublisherContract:
    """Inherit, and give fixtures: `publisher`, who may write; `reader`, who may not; `directory`; and `address` of
    somebody without certificates."""

    async def test_values_are_published_and_read(
        self, publisher: LdapPublisher, directory: LdapDirectory, address: str
    ) -> None:
        done = await publisher.publish(address, FIRST)
        assert [(each.added, each.removed) for each in done.changes] == [((OLD,), ()), ((OLD_PKCS7,), ())]
        entry = await self.entry(directory, address)
        assert (entry.user_certificates, entry.smime_certificates) == ((OLD,), (OLD_PKCS7,))
        assert entry.key == done.dn
        assert await publisher.held(address) == FIRST

    async def test_the_same_again_changes_nothing(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        again = await publisher.publish(address.upper(), FIRST)
        assert (again.changes, again.ldif()) == ((), "")

    async def test_other_values_are_kept(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        await publisher.publish(address, SECOND)
        held = await publisher.held(address)
        assert set(held.user_certificates) == {OLD, NEW}
        assert set(held.smime_certificates) == {OLD_PKCS7, NEW_PKCS7}

    async def test_values_are_replaced(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        done = await publisher.publish(address, SECOND, replacing=FIRST)
        assert [(each.added, each.removed) for each in done.changes] == [
            ((NEW,), (OLD,)),
            ((NEW_PKCS7,), (OLD_PKCS7,)),
        ]
        assert await publisher.held(address) == SECOND

    async def test_what_is_published_anew_is_not_taken_out(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        assert (await publisher.publish(address, FIRST, replacing=FIRST)).changes == ()
        assert await publisher.held(address) == FIRST

    async def test_one_value_is_taken_out(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        await publisher.publish(address, SECOND)
        await publisher.unpublish(address, CertificateValues(user_certificates=(OLD,)))
        held = await publisher.held(address)
        assert (held.user_certificates, set(held.smime_certificates)) == ((NEW,), {OLD_PKCS7, NEW_PKCS7})

    async def test_all_values_are_taken_out(self, publisher: LdapPublisher, address: str) -> None:
        await publisher.publish(address, FIRST)
        done = await publisher.unpublish(address)
        assert [each.removed for each in done.changes] == [(OLD,), (OLD_PKCS7,)]
        assert await publisher.held(address) == NOTHING
        assert (await publisher.unpublish(address)).changes == ()

    async def test_a_dry_run_changes_nothing(
        self, publisher: LdapPublisher, reader: LdapPublisher, address: str
    ) -> None:
        would = await reader.publish(address, FIRST, dry_run=True)
        assert await publisher.held(address) == NOTHING
        assert would.ldif().startswith("dn:: ")
        assert max(map(len, would.ldif().splitlines())) <= 76
        assert would == await publisher.publish(address, FIRST)
        would = await reader.unpublish(address, dry_run=True)
        assert would.ldif().count("\nreplace: ") == 2
        assert await publisher.held(address) == FIRST

    async def test_who_may_not_write_is_told(self, reader: LdapPublisher, address: str) -> None:
        with pytest.raises(PublicationRefused, match=r"refuses the change: insufficientAccessRights"):
            await reader.publish(address, FIRST)
        assert await reader.held(address) == NOTHING

    @pytest.mark.parametrize("name", ["nobody@example.com", "team@example.com", "", "*", "*@example.com"])
    async def test_nobody(self, publisher: LdapPublisher, name: str) -> None:
        with pytest.raises(PublicationRefused, match="nobody in the directory"):
            await publisher.publish(name, FIRST)

    async def entry(self, directory: LdapDirectory, address: str) -> DirectoryEntry:
        (entry,) = (await directory.resolve(address, 2)).entries
        return entry
