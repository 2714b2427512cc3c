"""The serialized certificate store (SST), as Exchange's administrators export their virtual certificate collection.

Little-endian throughout ([MS-OSHARED] 2.3.9.1, [MS-WCCE] 2.2.2.1): version 0, the word "CERT", then for each
certificate its properties and itself, each as id, encoding type, length and octets; an entry with the id 0 ends it.
CRLs and trust lists (CTLs) stand among the certificates in stores of other kinds.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_SST_BYTES: Final = 16 * 1024 * 1024
MAX_ENTRIES: Final = 100_000
"""Certificates with their properties; Windows writes about six properties a certificate."""
MAX_STORED: Final = 10_000
"""Certificates, CRLs and CTLs."""

_HEADER: Final = struct.Struct("<II")
_ENTRY: Final = struct.Struct("<III")
_VERSION: Final = 0
_FILE_TYPE: Final = 0x54524543
_ENCODING: Final = 1
_END: Final = 0
_CERTIFICATE: Final = 0x20
_CRL: Final = 0x21
_CTL: Final = 0x22
_MAX_PROPERTY: Final = 0xFFFF


class SstError(ValueError):
    """The octets are no serialized store, or one that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedStore:
    """`certificates` are DER as they stand, none of them checked; `crls` and `ctls` count what was skipped.

    `whole`: the end marker was there. Without it the file may have been cut between two certificates.
    """

    certificates: tuple[bytes, ...]
    crls: int = 0
    ctls: int = 0
    whole: bool = True


def is_sst(octets: bytes) -> bool:
    """Whether it begins as a serialized store does."""
    return len(octets) >= _HEADER.size and _HEADER.unpack_from(octets) == (_VERSION, _FILE_TYPE)


def read_sst(octets: bytes) -> SerializedStore:
    """Read a store; properties of certificates are passed over. Raises SstError."""
    if len(octets) > MAX_SST_BYTES:
        raise SstError(f"{len(octets)} octets are more than {MAX_SST_BYTES}")
    if not is_sst(octets):
        raise SstError("it does not begin as a serialized store of version 0 does")
    found: dict[int, list[bytes]] = {_CERTIFICATE: [], _CRL: [], _CTL: []}
    at, stored, pending = _HEADER.size, 0, False
    for _ in range(MAX_ENTRIES):
        if at == len(octets):
            return _store(found, whole=False, pending=pending)
        identity, value, at = _entry(octets, at)
        if identity == _END:
            return _store(found, whole=True, pending=pending)
        pending = identity not in found
        if not pending:
            stored += 1
            found[identity].append(value)
        if stored > MAX_STORED:
            raise SstError(f"it holds more than {MAX_STORED} certificates and lists")
    raise SstError(f"it has more than {MAX_ENTRIES} entries")


def write_sst(certificates: Iterable[bytes]) -> bytes:
    """A store of DER certificates, without properties."""
    entries = [_ENTRY.pack(_CERTIFICATE, _ENCODING, len(der)) + der for der in certificates]
    return b"".join((_HEADER.pack(_VERSION, _FILE_TYPE), *entries, _ENTRY.pack(_END, 0, 0)))


def _entry(octets: bytes, at: int) -> tuple[int, bytes, int]:
    """The id and the value of the entry at an offset, and where the next one is."""
    if at + _ENTRY.size > len(octets):
        raise SstError(f"it ends within an entry, at octet {at}")
    identity, encoding, length = _ENTRY.unpack_from(octets, at)
    if identity == _END:
        return identity, b"", at  # what stands behind the end marker is not looked at
    if identity > _MAX_PROPERTY:
        raise SstError(f"the entry at octet {at} has the id {identity:#x}, which no property has")
    if encoding != _ENCODING:
        raise SstError(f"the entry at octet {at} has the encoding type {encoding}, not {_ENCODING}")
    begin = at + _ENTRY.size
    if length > len(octets) - begin:
        raise SstError(f"the entry at octet {at} says {length} octets, {len(octets) - begin} are left")
    value = octets[begin : begin + length] if identity in (_CERTIFICATE, _CRL, _CTL) else b""
    return identity, value, begin + length


def _store(found: dict[int, list[bytes]], *, whole: bool, pending: bool) -> SerializedStore:
    if pending:
        raise SstError("it ends with properties of a certificate that is not there")
    return SerializedStore(
        certificates=tuple(found[_CERTIFICATE]), crls=len(found[_CRL]), ctls=len(found[_CTL]), whole=whole
    )
