"""The virtual certificate collections as the administrator has them: import, find, remove, export."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from eas_server.administration.ports import TrustKeeper
from eas_server.errors import NoSuchThing, Unfit
from eas_server.model.trust import Anchor, Trusted
from eas_server.pki.certificate import ParsedCertificate, parse
from eas_server.pki.trust_files import (
    Judged,
    PrivateKeyThere,
    TrustFile,
    TrustFileError,
    judge,
    read_trust_file,
    to_pem_bundle,
    to_pkcs7,
    to_sst,
)

MIN_DIGITS: Final = 8
"""Of a fingerprint that names a certificate."""
_HEX: Final = re.compile(r"[0-9a-f]+")


class Outcome(StrEnum):
    """What became of a certificate that was to be trusted."""

    ADDED = "added"
    CHANGED = "changed"
    """It was there as the other of root and intermediate."""
    THERE = "already there"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One certificate of an import; `reason` says why it was refused."""

    judged: Judged
    outcome: Outcome
    anchor: Anchor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """One file of an import: `refused` says why nothing was taken from it; `has_key`: there is a private key in it."""

    name: str
    file: TrustFile | None = None
    certificates: Sequence[Imported] = ()
    refused: str = ""
    has_key: bool = False


async def take(
    keeper: TrustKeeper,
    collection: str,
    files: Iterable[tuple[str, bytes]],
    now: datetime,
    wanted: Anchor | None = None,
) -> Sequence[ImportedFile]:
    """Import the certificates of files (names, octets) into a collection, all of them in one transaction.

    A certificate that is there already stays what it is, unless `wanted` says what it is to be. Raises
    AdministrationError where the collection would become too large.
    """
    read = [_read(name, octets) for name, octets in files]
    before = {each.certificate: each.anchor for each in await keeper.certificates() if each.collection == collection}
    judged = {
        der: judge(der, now, wanted) for each in read if each.file for der in dict.fromkeys(each.file.certificates)
    }
    chosen = {
        der: (before.get(der) if wanted is None else None) or each.anchor
        for der, each in judged.items()
        if each.anchor is not None
    }
    was = await keeper.trust(collection, {der: anchor for der, anchor in chosen.items() if anchor is not None})
    told: set[bytes] = set()
    return [_told(each, judged, chosen, was, told) for each in read]


async def held(keeper: TrustKeeper, collection: str | None = None) -> Sequence[tuple[Trusted, ParsedCertificate]]:
    """What a collection holds, or all of them (None), each certificate with what can be read of it."""
    found = await keeper.certificates()
    return [(each, parse(each.certificate)) for each in found if collection is None or each.collection == collection]


async def remove(keeper: TrustKeeper, collection: str, fingerprint: str) -> Trusted:
    """Take the certificate whose SHA-256 or SHA-1 begins with some digits out of a collection. Raises NoSuchThing."""
    digits = fingerprint.strip().lower().replace(":", "").replace(" ", "")
    if len(digits) < MIN_DIGITS or _HEX.fullmatch(digits) is None:
        raise Unfit("FINGERPRINT", f"must be at least {MIN_DIGITS} hexadecimal digits, as `trust list` shows them")
    everywhere = [each for each, parsed in await held(keeper) if _begins(parsed, digits)]
    found = [each for each in everywhere if each.collection == collection]
    if len(found) != 1:
        elsewhere = ", ".join(sorted({each.collection or "all domains" for each in everywhere}))
        hint = f"; it is in that of {elsewhere}" if everywhere and not found else ""
        many = "more than one certificate" if found else "no certificate"
        raise NoSuchThing(f"{named(collection)} holds {many} with that fingerprint{hint}: see `eas-server trust list`")
    await keeper.distrust(collection, [found[0].fingerprint])
    return found[0]


async def remove_all(keeper: TrustKeeper, collection: str) -> int:
    """Empty a collection; how many certificates it held."""
    fingerprints = [each.fingerprint for each in await keeper.certificates() if each.collection == collection]
    return await keeper.distrust(collection, fingerprints)


EXPORTS: Final[dict[str, Callable[[Iterator[bytes]], bytes]]] = {
    "pem": to_pem_bundle,
    "sst": to_sst,
    "p7b": to_pkcs7,
}
"""How a collection is written, by the name of the form."""


def named(collection: str) -> str:
    """What a collection is called."""
    return f"the collection of {collection}" if collection else "the collection of all domains"


def counted(files: Iterable[ImportedFile]) -> Counter[Outcome]:
    """How many certificates had which outcome."""
    return Counter(each.outcome for file in files for each in file.certificates)


def _read(name: str, octets: bytes) -> ImportedFile:
    try:
        return ImportedFile(name=name, file=read_trust_file(octets))
    except PrivateKeyThere as error:
        return ImportedFile(name=name, refused=str(error), has_key=True)
    except TrustFileError as error:
        return ImportedFile(name=name, refused=str(error))


def _told(
    each: ImportedFile,
    judged: Mapping[bytes, Judged],
    chosen: Mapping[bytes, Anchor | None],
    was: Mapping[bytes, Anchor | None],
    told: set[bytes],
) -> ImportedFile:
    if each.file is None:
        return each
    certificates: list[Imported] = []
    for der in each.file.certificates:
        anchor = chosen.get(der)
        if anchor is None:
            outcome = Outcome.REFUSED
        elif der in told or was[der] is anchor:
            outcome = Outcome.THERE
        else:
            outcome = Outcome.ADDED if was[der] is None else Outcome.CHANGED
        told.add(der)
        certificates.append(Imported(judged=judged[der], outcome=outcome, anchor=anchor))
    return ImportedFile(name=each.name, file=each.file, certificates=certificates)


def _begins(certificate: ParsedCertificate, digits: str) -> bool:
    return certificate.sha256.startswith(digits) or certificate.sha1.startswith(digits)
