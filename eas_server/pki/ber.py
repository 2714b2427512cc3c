"""A look at BER before it is parsed: how many pieces would a parser have to walk over?

asn1crypto takes more than a microsecond for each member of a value of indefinite length, and for each piece of an octet
string in pieces: forty megabytes of empty pieces would take it a minute.
"""

from typing import Final

from eas_server.pki.cms import CmsError

_CONSTRUCTED: Final = 0x20
_LONG_TAG: Final = 0x1F
_INDEFINITE: Final = 0x80
_IN_PIECES: Final = frozenset({0x24, 0x30, 0xA0})
"""Of a definite length, and walked over all the same: octet strings in pieces, and what they may stand in."""
_MAX_LENGTH_OCTETS: Final = 8


def check_pieces(blob: bytes, most: int) -> None:
    """Raise CmsError where there are more than `most` pieces. What is no BER passes: the parser says so."""
    at, left, ends = 0, most, [len(blob)]
    while ends:
        if at >= ends[-1]:
            ends.pop()
            continue
        left -= 1
        if left < 0:
            raise CmsError(f"more than {most} pieces")
        if blob[at : at + 2] == b"\0\0":  # the end of an indefinite length
            ends.pop()
            at += 2
            continue
        inside = _inside(blob, at)
        if inside is None:
            return
        start, end = inside
        tag = blob[at]
        if end is None:
            ends.append(len(blob))
            at = start
        elif tag in _IN_PIECES:
            ends.append(min(end, len(blob)))
            at = start
        else:
            at = end


def _inside(blob: bytes, at: int) -> tuple[int, int | None] | None:
    """Where the content of the value at `at` begins and ends (None: indefinite); None where it cannot be told."""
    if at + 2 > len(blob) or blob[at] & _LONG_TAG == _LONG_TAG:
        return None
    length = blob[at + 1]
    start = at + 2
    if length < _INDEFINITE:
        return start, start + length
    if length == _INDEFINITE:
        return (start, None) if blob[at] & _CONSTRUCTED else None
    octets = length - _INDEFINITE
    if octets > _MAX_LENGTH_OCTETS or start + octets > len(blob):
        return None
    return start + octets, start + octets + int.from_bytes(blob[start : start + octets], "big")
