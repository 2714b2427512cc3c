"""Certificates of the lab's authority, and how values come into the embedded directory."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from eas_server.cli.certificate_verdicts import values_with
from eas_server.cli.lab_authority import CLOCK_SKEW, LabAuthority, new_serial
from eas_server.cli.opening import Failed
from eas_server.model.directory import DirectoryEntry
from eas_server.model.settings import PublishedChain
from eas_server.pki.certificate import ParsedCertificate, parse
from eas_server.pki.cms import CmsError
from eas_server.pki.directory_blobs import build_user_smime_certificate
from eas_server.pki.keys import PrivateKey
from eas_server.pki.lab import Purpose, issue_person

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

LAB_CRL: Final = "/lab/pki/crl/root.crl"

_MAX_COMMON_NAME: Final = 64
"""Characters of a common name: RFC 5280, appendix A.1."""


async def entry_of(store: "Store", address: str) -> DirectoryEntry:
    """The entry of an address. Raises Failed."""
    entry = await store.admin.entry(address)
    if entry is None:
        raise Failed(f"nobody here has the address {address}: add the user first, see `eas-server user add --help`")
    return entry


def issued(
    lab: LabAuthority,
    entry: DirectoryEntry,
    name: str,
    key: PrivateKey,
    purpose: Purpose,
    now: datetime,
    days: int,
    *,
    crl_url: str | None = None,
) -> ParsedCertificate:
    """A certificate of the authority for a person; `crl_url` is where its revocation is told. Raises Failed."""
    try:
        der = issue_person(
            lab.authority,
            name=name[:_MAX_COMMON_NAME],
            addresses=entry.all_addresses,
            public_key=key.public_key(),
            purpose=purpose,
            serial=new_serial(),
            not_before=now - CLOCK_SKEW,
            not_after=min(now + timedelta(days=days), lab.not_after),
            crl_url=crl_url,
        )
    except ValueError as error:
        raise Failed(f"no certificate can be made for {', '.join(entry.all_addresses)}: {error}") from None
    return parse(der)


def lab_crl_url(config: "Config") -> str | None:
    """Where the lab tells what its authority has revoked; None: the server does not serve the lab."""
    return f"{config.lab.url}{LAB_CRL}" if config.lab.url else None


async def publish_smime(
    store: "Store",
    address: str,
    certificate: ParsedCertificate,
    key: PrivateKey,
    chain: tuple[bytes, ...],
    now: datetime,
    other: ParsedCertificate | None = None,
    *,
    published: PublishedChain,
) -> None:
    """Each signature has its time in it: a value for the same certificate takes the place of the one before."""
    from eas_server.backends.sqlite import SMIME_CERTIFICATE

    encrypted_to = other or certificate
    value = smime_value(certificate, key, chain, now, other, published=published)
    before = values_with(await entry_of(store, address), encrypted_to.sha256).get(encrypted_to.sha256, [])
    await store.admin.publish_certificate(address, value, SMIME_CERTIFICATE)
    for old in before:
        if old not in (value, encrypted_to.der):
            await store.admin.unpublish_certificate(address, old)


def smime_value(
    certificate: ParsedCertificate,
    key: PrivateKey,
    chain: tuple[bytes, ...],
    now: datetime,
    other: ParsedCertificate | None,
    *,
    published: PublishedChain,
) -> bytes:
    """A value of userSMIMECertificate, signed by `certificate`; `other` is the one to encrypt to. Raises Failed."""
    encrypted_to, issuers = other or certificate, _to_publish(chain, published)
    try:
        return build_user_smime_certificate(certificate.der, key, issuers, now, encryption_certificate=encrypted_to.der)
    except CmsError as error:
        raise Failed(f"userSMIMECertificate cannot be made: {error}") from None


def _to_publish(chain: tuple[bytes, ...], published: PublishedChain) -> tuple[bytes, ...]:
    match published:
        case PublishedChain.WITH_ROOT:
            return chain
        case PublishedChain.WITHOUT_ROOT:
            parsed = [parse(der) for der in chain]
            return tuple(each.der for each in parsed if each.subject != each.issuer)
        case PublishedChain.NONE:
            return ()


def belongs(key: PrivateKey, certificate: ParsedCertificate) -> bool:
    """Whether a key is that of a certificate."""
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate.der).public_key() == key.public_key()
