"""Entries of the recipient information cache: who a user writes to, ranked by how often and how recently.

Each use of an entry counts half as much with every HALF_LIFE that passes. Kept is not the sum, which would have to be
written anew for all entries with time, but the moment at which a single use would count as much: that of an entry used
once is the moment of its use; each further one moves it on. So the order of the entries never changes by itself.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log2
from typing import Final

from eas_server.render.contacts.vcard import apply_contact, contact_from
from protocol.items.contacts import Contact
from protocol.versions import V16_1

HALF_LIFE: Final = timedelta(days=30)
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
_RANKED: Final = timedelta(minutes=1)
_MAX_NAME: Final = 256
"""Characters of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody a user writes to."""

    address: str
    name: str = ""
    """As the mail has it."""
    alias: str = ""
    """Of somebody on this server …"""
    display_name: str = ""
    """… and the name there."""


def used(moment: datetime | None, now: datetime) -> datetime:
    """The moment of an entry after a use of it; None: it is new."""
    if moment is None:
        return now
    later, earlier = max(moment, now), min(moment, now)
    return later + HALF_LIFE * log2(1 + 2 ** ((earlier - later) / HALF_LIFE))


def weighted_rank(moment: datetime) -> int:
    """WeightedRank ([MS-ASCNTC] 2.2.2.64): higher for the entries that come first."""
    return max(0, (moment - _BEGINNING) // _RANKED)


def entry(stored: bytes | None, recipient: Recipient, moment: datetime, *, now: datetime, uid: str) -> bytes:
    """The vCard of an entry. A name that was known stays where the mail has none. Raises MalformedLines."""
    known = contact_from(stored).file_as if stored is not None else None
    name = recipient.name or known or recipient.display_name or recipient.address
    contact = Contact(
        email1_address=recipient.address,
        file_as=name[:_MAX_NAME],
        alias=recipient.alias[:_MAX_NAME] or None,
        weighted_rank=weighted_rank(moment),
    )
    return apply_contact(stored, contact, version=V16_1, now=now, uid=uid)


def cached(octets: bytes) -> Contact:
    """What a client gets of an entry: these properties and no others (MS-ASCNTC_R514). Raises MalformedLines."""
    held = contact_from(octets)
    return Contact(
        email1_address=held.email1_address, file_as=held.file_as, alias=held.alias, weighted_rank=held.weighted_rank
    )
