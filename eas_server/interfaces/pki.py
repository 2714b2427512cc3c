"""Trust, and evidence of revocation."""

from collections.abc import Sequence
from typing import Protocol

from eas_server.model.trust import TrustCollection, Wanted


class TrustStore(Protocol):
    """The administrator's trust: virtual certificate collections, by mail domain."""

    async def collection(self, domain: str) -> TrustCollection:
        """What counts for users of a mail domain: its own collection, else the one of the name "", empty if need be."""
        ...

    async def collections(self) -> Sequence[TrustCollection]:
        """All of them, by name."""
        ...


class RevocationSource(Protocol):
    """Fetches CRLs, OCSP answers and issuers from where certificates point to. The certificates are strangers'."""

    async def fetch(self, wanted: Wanted) -> bytes:
        """The octets, from the cache or from the network; bounded in size and time.

        Raises EvidenceUnavailable for what may not be asked (scheme, address, budget) and for what gave no answer, also
        while an earlier failure is remembered.
        """
        ...

    async def kept(self, wanted: Wanted) -> bytes | None:
        """The octets where they are at hand and still hold. Asks nobody: somebody waits who must not wait."""
        ...
