"""HarvestedCertificates in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from eas_server import interfaces
from eas_server.backends.memory.world import World
from eas_server.model.certificates import MAX_HARVESTED_OF_ADDRESS, MAX_HARVESTED_OF_USER, Harvested
from eas_server.model.ids import UserId


class MemoryHarvested:
    """See the port."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: list[Harvested] = []

    async def known(self, user: UserId | None, addresses: Collection[str]) -> Sequence[Harvested]:
        """See the port."""
        found = [each for each in self._held if each.address in addresses and user in (None, each.user)]
        return sorted(found, key=lambda each: each.last_seen, reverse=True)

    async def keep(self, found: Harvested) -> None:
        """See the port."""
        if found.user not in self._world.mailboxes:
            return
        name = (found.user, found.address, found.fingerprint)
        same = [each for each in self._held if (each.user, each.address, each.fingerprint) == name]
        first = min(each.first_seen for each in (found, *same))
        self._held = [each for each in self._held if each not in same] + [replace(found, first_seen=first)]
        self._thin_out(lambda each: (each.user, each.address) == name[:2], MAX_HARVESTED_OF_ADDRESS)
        self._thin_out(lambda each: each.user == found.user, MAX_HARVESTED_OF_USER)

    async def forget(self, fingerprint: str) -> int:
        """See the port."""
        before = len(self._held)
        self._held = [each for each in self._held if each.fingerprint != fingerprint]
        return before - len(self._held)

    async def disputed(self) -> Sequence[Harvested]:
        """See the port."""
        found = [each for each in self._held if each.disputed]
        return sorted(found, key=lambda each: (each.address, each.user, each.fingerprint))

    def _thin_out(self, counts: Callable[[Harvested], bool], most: int) -> None:
        ordered = sorted(filter(counts, self._held), key=lambda each: each.last_seen, reverse=True)
        gone = ordered[most:]
        self._held = [each for each in self._held if each not in gone]


_: type[interfaces.HarvestedCertificates] = MemoryHarvested
