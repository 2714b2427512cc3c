"""Whom a vCard names as somebody to write to, and the certificates in it (KEY: RFC 6350 6.8.1, RFC 2426 3.7.2)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from eas_server.render import addresses
from eas_server.render.contacts import values
from eas_server.render.contentlines import Component, Property, parse, unescape

MAX_KEYS: Final = 16
"""KEY lines of one contact that are looked at."""
MAX_KEY: Final = 256 * 1024
"""Characters of one of them."""
MAX_ADDRESSES: Final = 16

_DATA: Final = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
_BASE64: Final = frozenset({"B", "BASE64"})
_NAMES: Final = ("FN", "N", "NICKNAME", "ORG")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPerson:
    """Somebody in the contacts. `addresses` as written, the first one the most important; there may be none."""

    name: str
    addresses: tuple[str, ...]
    keys: tuple[bytes, ...]
    """What the KEY lines hold: DER, PEM, PKCS#7, or anything else."""
    words: str
    """What somebody may be found by: names and addresses."""
    picture: bytes = b""


def card_person(octets: bytes) -> CardPerson:
    """Who stands in a vCard. Raises MalformedLines."""
    card = parse(octets)
    found = _addresses(card)
    name = (card.text("FN") or "").strip()
    photo = card.first("PHOTO")
    return CardPerson(
        name=name or next(iter(found), ""),
        addresses=found,
        keys=tuple(key for line in card.all("KEY")[:MAX_KEYS] if (key := _octets(line))),
        words=" ".join((*(p.text for kind in _NAMES for p in card.all(kind)), *found)),
        picture=(values.picture_of(photo) if photo is not None else None) or b"",
    )


def _addresses(card: Component) -> tuple[str, ...]:
    lines = card.all("EMAIL")[:MAX_ADDRESSES]
    ranked = sorted(lines, key=lambda line: not ("pref" in line.types or line.param("PREF") == "1"))
    return tuple(
        dict.fromkeys(one.address for line in ranked for one in addresses.parse(line.text.encode()) if one.address)
    )


def _octets(line: Property) -> bytes:
    """What a KEY holds itself; nothing for the address of one, and for a key of OpenPGP."""
    kind = " ".join((*line.types, line.param("MEDIATYPE") or "")).lower()
    if "pgp" in kind or len(line.value) > MAX_KEY:
        return b""
    text = unescape(line.value)
    data = _DATA.match(text)
    if data is None and (line.param("ENCODING") or "").upper() not in _BASE64:
        return text.encode("utf-8", "replace") if "-----BEGIN" in text else b""
    try:
        return base64.b64decode(text[data.end() :] if data is not None else text)
    except (binascii.Error, ValueError):
        return b""
