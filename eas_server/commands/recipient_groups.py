"""The members of groups, within bounds of number and time."""

import asyncio
import logging
from dataclasses import dataclass

from eas_server.interfaces import Directory
from eas_server.model.directory import DirectoryEntry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The people of a group, nested groups expanded: those that were looked up, and how many there are."""

    people: tuple[DirectoryEntry, ...]
    total: int
    in_time: bool = True
    """False: nobody knows who and how many they are."""

    @property
    def complete(self) -> bool:
        """All of them are there: less is no set of certificates to encrypt with (MS-ASCMD_R3254)."""
        return self.in_time and len(self.people) == self.total


OUT_OF_TIME = Members(people=(), total=1, in_time=False)
"""One member at least, so that nobody takes a count of no certificates for all of them (MS-ASCMD_R3769)."""


async def members_of(group: DirectoryEntry, directory: Directory, limit: int, seconds: float) -> Members:
    """The members, at most `limit`, if they are known after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            found = await directory.members(group, limit)
    except TimeoutError:
        log.warning("the members of %s could not be looked up in %g seconds", group.email, seconds)
        return OUT_OF_TIME
    return Members(people=found.entries, total=found.total)
