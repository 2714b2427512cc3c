"""Certificates written into the directory, by an administrator's command."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eas_server.backends.ldap import filters
from eas_server.backends.ldap.connection import LdapConnection, ModifyRefusedError
from eas_server.backends.ldap.entries import RawEntry, certificate_attributes, directory_entry
from eas_server.backends.ldap.pool import LdapPool
from eas_server.backends.ldap.settings import CERTIFICATE_SYNTAX, LdapSettings

_LINE: Final = 76
"""Characters of a line of LDIF."""


class PublicationRefused(Exception):
    """Nothing was changed; the text says why, for the administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateValues:
    """Values of the two attributes: DER certificates, and PKCS#7."""

    user_certificates: tuple[bytes, ...] = ()
    smime_certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeChange:
    """What becomes of one attribute, by the name that the server is told."""

    attribute: str
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]

    @property
    def added(self) -> tuple[bytes, ...]:
        return tuple(value for value in self.after if value not in self.before)

    @property
    def removed(self) -> tuple[bytes, ...]:
        return tuple(value for value in self.before if value not in self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was done, or with `dry_run` would be; no changes: the entry was as wanted."""

    dn: str
    changes: tuple[AttributeChange, ...]

    def ldif(self) -> str:
        """The same for ldapmodify (RFC 2849)."""
        if not self.changes:
            return ""
        lines = [_folded("dn", self.dn.encode()), "changetype: modify"]
        for change in self.changes:
            lines.append(f"replace: {change.attribute}")
            lines += [_folded(change.attribute, value) for value in change.after]
            lines.append("-")
        return "\n".join(lines) + "\n"


class LdapPublisher:
    """Writes `userCertificate` and `userSMIMECertificate` of people.

    The account of `bind_dn` needs the right to write both. An attribute is replaced as a whole, since OpenLDAP has no
    matching rule for values of userSMIMECertificate and takes no second one otherwise: whoever changes the same
    attribute of the same person in the same moment may lose that change. The values are not looked into.
    """

    def __init__(self, pool: LdapPool) -> None:
        self._pool = pool
        self._layout = pool.settings.effective_layout()

    async def held(self, address: str) -> CertificateValues:
        """What the entry of that address has. Raises PublicationRefused, DirectoryUnavailable."""
        return _values(await self._pool.run(lambda connection: self._find(connection, address)), self._pool.settings)

    async def publish(
        self,
        address: str,
        values: CertificateValues,
        *,
        replacing: CertificateValues = CertificateValues(),
        dry_run: bool = False,
    ) -> Publication:
        """Add values that the entry of `address` does not have, and take out those of `replacing`.

        The entry's primary address or another one may be given. Raises PublicationRefused, DirectoryUnavailable.
        """
        return await self._pool.run(
            lambda connection: self._change(connection, address, values, replacing, dry_run=dry_run)
        )

    async def unpublish(
        self, address: str, values: CertificateValues | None = None, *, dry_run: bool = False
    ) -> Publication:
        """Take values out of the entry of `address`, or all that it has. Raises as `publish` does."""

        def job(connection: LdapConnection) -> Publication:
            gone = values
            if gone is None:
                gone = _values(self._find(connection, address), self._pool.settings)
            return self._change(connection, address, CertificateValues(), gone, dry_run=dry_run)

        return await self._pool.run(job)

    def _change(
        self,
        connection: LdapConnection,
        address: str,
        values: CertificateValues,
        gone: CertificateValues,
        *,
        dry_run: bool,
    ) -> Publication:
        raw = self._find(connection, address)
        held = _values(raw, self._pool.settings)
        names = self._layout.attributes
        wanted = (
            (names.user_certificates, held.user_certificates, values.user_certificates, gone.user_certificates),
            (names.smime_certificates, held.smime_certificates, values.smime_certificates, gone.smime_certificates),
        )
        changes = tuple(change for each in wanted if (change := self._attribute(raw, *each)) is not None)
        done = Publication(dn=raw.dn, changes=changes)
        if changes and not dry_run:
            try:
                connection.replace(raw.dn, {change.attribute: change.after for change in changes})
            except ModifyRefusedError as error:
                raise PublicationRefused(f"{raw.dn}: {error}") from error
        return done

    def _attribute(
        self,
        raw: RawEntry,
        names: Sequence[str],
        held: tuple[bytes, ...],
        new: tuple[bytes, ...],
        gone: tuple[bytes, ...],
    ) -> AttributeChange | None:
        """The first of the attributes is written; what others hold is left as it is."""
        if not names:
            if new:
                raise PublicationRefused("no attribute is set up for this kind of certificate (ldap.attributes)")
            return None
        before = raw.octets(names[:1])
        kept = [value for value in before if value not in gone or value in new]
        after = tuple(dict.fromkeys((*kept, *(value for value in new if value not in held or value in gone))))
        if set(after) == set(before):
            return None
        return AttributeChange(attribute=_written_name(names[0], self._pool.settings), before=before, after=after)

    def _find(self, connection: LdapConnection, address: str) -> RawEntry:
        names = self._layout.attributes
        wanted = filters.both(
            self._layout.person_filter, filters.equals((*names.email, *names.addresses), (address.strip(),))
        )
        attributes = (*names.email, *names.addresses, *certificate_attributes(self._layout))
        found = connection.search(wanted, attributes, limit=self._pool.settings.page_size).entries
        key = address.strip().casefold()
        # compared again, since servers see addresses as equal that are not
        people = [each for each in found if key in map(str.casefold, directory_entry(each, self._layout).all_addresses)]
        if len(people) != 1:
            raise PublicationRefused(
                f"{address}: nobody in the directory has this address"
                if not people
                else f"{address}: {len(people)} entries have this address: {', '.join(each.dn for each in people)}"
            )
        return people[0]


def _values(raw: RawEntry, settings: LdapSettings) -> CertificateValues:
    names = settings.effective_layout().attributes
    return CertificateValues(
        user_certificates=raw.octets(names.user_certificates), smime_certificates=raw.octets(names.smime_certificates)
    )


def _written_name(attribute: str, settings: LdapSettings) -> str:
    """RFC 4523 2.1 wants `;binary` for values of the Certificate syntax; Active Directory has octet strings instead."""
    wanted = settings.layout == "inetorgperson" and attribute.lower() in CERTIFICATE_SYNTAX
    return f"{attribute};binary" if wanted else attribute


def _folded(name: str, value: bytes) -> str:
    line = f"{name}:: {base64.b64encode(value).decode()}"
    rest = range(_LINE, len(line), _LINE - 1)
    return "\n".join((line[:_LINE], *(f" {line[start : start + _LINE - 1]}" for start in rest)))
