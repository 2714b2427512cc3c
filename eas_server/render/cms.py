"""Just enough of CMS ([RFC 5652]) to reach the content of an opaque-signed message.

Reads the beginning of a SignedData, definite and indefinite lengths alike, and works on a prefix too: certificates and
signatures follow the content and are not needed. It verifies nothing: that is the client's part.
"""

from typing import Final, NamedTuple

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_OCTETS_CONSTRUCTED: Final = 0x24
_OID: Final = 0x06
_EXPLICIT_0: Final = 0xA0
_CONSTRUCTED: Final = 0x20
_LONG_TAG: Final = 0x1F
_LONG_LENGTH: Final = 0x80
_MAX_LENGTH_OCTETS: Final = 8
_MAX_DEPTH: Final = 16

SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")


class _Bad(Exception):
    """Not what CMS looks like."""


class _Tlv(NamedTuple):
    tag: int
    start: int
    end: int | None
    """None: indefinite, up to the end-of-contents octets."""


def _read(der: bytes, at: int) -> _Tlv:
    if at + 2 > len(der):
        raise _Bad
    tag, length = der[at], der[at + 1]
    at += 2
    if tag & _LONG_TAG == _LONG_TAG:
        raise _Bad
    if length < _LONG_LENGTH:
        return _Tlv(tag, at, at + length)
    if length == _LONG_LENGTH:
        return _Tlv(tag, at, None)
    count = length - _LONG_LENGTH
    if count > _MAX_LENGTH_OCTETS or at + count > len(der):
        raise _Bad
    return _Tlv(tag, at + count, at + count + int.from_bytes(der[at : at + count], "big"))


def _inside(der: bytes, at: int, tag: int) -> int:
    """Where the content of the expected element begins."""
    found = _read(der, at)
    if found.tag != tag:
        raise _Bad
    return found.start


def _after(der: bytes, at: int, depth: int = 0) -> int:
    """Where the element at `at` ends."""
    found = _read(der, at)
    if found.end is not None:
        return found.end
    if depth > _MAX_DEPTH:
        raise _Bad
    at = found.start
    while der[at : at + 2] != b"\0\0":
        at = _after(der, at, depth + 1)
    return at + 2


def signed_content(der: bytes) -> bytes | None:
    """The content that a ContentInfo with SignedData carries, as far as `der` has it.

    None where it is something else (enveloped, compressed) or carries none (a detached signature).
    """
    try:
        at = _inside(der, 0, _SEQUENCE)
        oid = _read(der, at)
        if oid.tag != _OID or oid.end is None or der[oid.start : oid.end] != SIGNED_DATA:
            return None
        at = _inside(der, oid.end, _EXPLICIT_0)
        at = _inside(der, at, _SEQUENCE)
        at = _after(der, at)  # version
        at = _after(der, at)  # digestAlgorithms
        at = _inside(der, at, _SEQUENCE)  # encapContentInfo
        at = _after(der, at)  # eContentType
        at = _inside(der, at, _EXPLICIT_0)
        return _octet_string(der, at)
    except _Bad:
        return None


def _octet_string(der: bytes, at: int) -> bytes:
    found = _read(der, at)
    if found.tag == _OCTETS:
        return der[found.start : found.end]
    if found.tag != _OCTETS_CONSTRUCTED:
        raise _Bad
    stop = len(der) if found.end is None else min(found.end, len(der))
    at = found.start
    pieces: list[bytes] = []
    while at < stop and der[at : at + 2] != b"\0\0":
        try:
            piece = _read(der, at)
        except _Bad:
            break  # a prefix may end within a header
        if piece.tag != _OCTETS or piece.end is None:
            raise _Bad
        pieces.append(der[piece.start : piece.end])
        at = piece.end
    return b"".join(pieces)
