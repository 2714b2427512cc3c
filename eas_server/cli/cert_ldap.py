"""Certificates published in LDAP and taken out of it, by `eas-server cert publish` and `unpublish`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from eas_server.backends.ldap.publisher import CertificateValues, LdapPublisher, Publication, PublicationRefused
from eas_server.cli.certificate_verdicts import values_with
from eas_server.cli.opening import Failed
from eas_server.model.directory import DirectoryEntry

if TYPE_CHECKING:
    from eas_server.config import Config

T = TypeVar("T")


def publish_in_ldap(
    config: "Config", address: str, fingerprint: str, values: CertificateValues, *, dry_run: bool
) -> None:
    """Add values to the entry of an address; a userSMIMECertificate for the same certificate is replaced.

    `fingerprint` is the SHA-256 of the certificate that others encrypt to. Raises Failed, DirectoryUnavailable.
    """

    async def work(publisher: LdapPublisher) -> Publication:
        old: tuple[bytes, ...] = ()
        if values.smime_certificates:
            held = await publisher.held(address)
            entry = _entry(address, CertificateValues(smime_certificates=held.smime_certificates))
            old = tuple(values_with(entry, fingerprint).get(fingerprint, ()))
        replacing = CertificateValues(smime_certificates=old)
        return await publisher.publish(address, values, replacing=replacing, dry_run=dry_run)

    _tell(_with_publisher(config, work), dry_run=dry_run)


def unpublish_in_ldap(config: "Config", address: str, fingerprint: str, *, dry_run: bool) -> str:
    """Take the certificate whose SHA-256 begins so out of both attributes; gives the whole SHA-256.

    Raises Failed, DirectoryUnavailable.
    """

    async def work(publisher: LdapPublisher) -> tuple[str, Publication]:
        held = await publisher.held(address)
        found = values_with(_entry(address, held), fingerprint)
        if len(found) != 1:
            raise Failed(f"{address} has {'more than one' if found else 'no'} certificate with that fingerprint")
        ((whole, values),) = found.items()
        gone = CertificateValues(
            user_certificates=tuple(each for each in values if each in held.user_certificates),
            smime_certificates=tuple(each for each in values if each in held.smime_certificates),
        )
        return whole, await publisher.unpublish(address, gone, dry_run=dry_run)

    whole, done = _with_publisher(config, work)
    _tell(done, dry_run=dry_run)
    return whole


def _entry(address: str, held: CertificateValues) -> DirectoryEntry:
    return DirectoryEntry(
        key="",
        display_name="",
        email=address,
        user_certificates=held.user_certificates,
        smime_certificates=held.smime_certificates,
    )


def _with_publisher(config: "Config", work: Callable[[LdapPublisher], Awaitable[T]]) -> T:
    async def run() -> T:
        from eas_server.backends.ldap import LdapPool

        if config.ldap is None:
            raise Failed('directory.kind is "ldap", and there is no section [ldap]')
        pool = LdapPool(config.ldap)
        try:
            return await work(LdapPublisher(pool))
        finally:
            await pool.close()

    try:
        return asyncio.run(run())
    except PublicationRefused as error:
        raise Failed(str(error)) from None


def _tell(done: Publication, *, dry_run: bool) -> None:
    if not done.changes:
        click.echo(f"{done.dn}: nothing to change")
    elif dry_run:
        click.echo(done.ldif(), nl=False)
    for change in () if dry_run else done.changes:
        click.echo(f"{done.dn}: {change.attribute}: {len(change.added)} added, {len(change.removed)} taken away")
