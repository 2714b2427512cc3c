"""TrustStore in memory."""

from collections.abc import Iterable, Sequence

from eas_server.model.trust import TrustCollection


class MemoryTrust:
    """TrustStore that holds what it is given."""

    def __init__(self, collections: Iterable[TrustCollection] = ()) -> None:
        self._by_name = {collection.name.lower(): collection for collection in collections}

    async def collection(self, domain: str) -> TrustCollection:
        """See TrustStore."""
        return self._by_name.get(domain.lower()) or self._by_name.get("") or TrustCollection(name="")

    async def collections(self) -> Sequence[TrustCollection]:
        """See TrustStore."""
        return [self._by_name[name] for name in sorted(self._by_name)]
