"""Puts the people of the lab into the directory, and its root into the trust store."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eas_server.model.directory import DirectoryEntry
from eas_server.model.trust import Anchor
from eas_server.pki.lab_issue import Lab
from eas_server.pki.lab_plan import directory_address

COMPANY = "EAS Lab PKI"


class Publisher(Protocol):
    """Changes the directory: what the administration of a store does."""

    async def entry(self, address: str) -> DirectoryEntry | None:
        """The entry of an address, with its certificates."""
        ...

    async def add_people(self, people: Iterable[DirectoryEntry]) -> None:
        """Add people who have no account."""
        ...

    async def publish_certificate(self, address: str, value: bytes) -> None:
        """Add a value of userCertificate."""
        ...

    async def unpublish_certificate(self, address: str, value: bytes) -> None:
        """Take a value away."""
        ...


class Truster(Protocol):
    """Changes the trust store."""

    async def trust(self, collection: str, certificates: Mapping[bytes, Anchor]) -> Mapping[bytes, Anchor | None]:
        """Take certificates into a collection."""
        ...


async def publish(lab: Lab, publisher: Publisher, truster: Truster) -> None:
    """Everybody's certificates as they are now, in place of those for the same keys; what else is there stays."""
    new = []
    for address, names in _by_address(lab).items():
        wanted = [lab.certificates[name] for name in names]
        entry = await publisher.entry(address)
        if entry is None:
            new.append(_entry(lab, address, names))
            continue
        there = entry.user_certificates
        for value in _outdated(there, wanted):
            await publisher.unpublish_certificate(address, value)
        for certificate in wanted:
            if certificate not in there:
                await publisher.publish_certificate(address, certificate)
    await publisher.add_people(new)
    await truster.trust("", dict.fromkeys(lab.roots, Anchor.ROOT))


def _by_address(lab: Lab) -> Mapping[str, list[str]]:
    """The names of the certificates of each entry of the directory."""
    found: dict[str, list[str]] = {}
    for name, person in lab.plan.people.items():
        found.setdefault(directory_address(name, person), []).append(name)
    return found


def _entry(lab: Lab, address: str, names: list[str]) -> DirectoryEntry:
    alias = address.partition("@")[0]
    return DirectoryEntry(
        key="",
        display_name=lab.plan.people[names[0]].name,
        email=address,
        alias=alias,
        company=COMPANY,
        user_certificates=tuple(lab.certificates[name] for name in names),
    )


def _outdated(there: Iterable[bytes], wanted: list[bytes]) -> list[bytes]:
    keys = {_public_key(certificate) for certificate in wanted}
    return [value for value in there if value not in wanted and _public_key(value) in keys]


def _public_key(certificate: bytes) -> bytes:
    """The public key (DER); b"" for what cannot be read, which somebody else has put there."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError:
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
