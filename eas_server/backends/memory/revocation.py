"""RevocationSource in memory."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from eas_server.errors import EvidenceUnavailable
from eas_server.model.trust import Wanted

_ANY_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryRevocation:
    """RevocationSource that answers from what it is given, by URL. `asked` notes what was wanted, in order."""

    def __init__(self, answers: Mapping[str, bytes | EvidenceUnavailable] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[Wanted] = []

    async def fetch(self, wanted: Wanted) -> bytes:
        """See RevocationSource."""
        self.asked.append(wanted)
        answer = self.answers.get(wanted.url, EvidenceUnavailable(f"{wanted.url} does not answer"))
        if isinstance(answer, EvidenceUnavailable):
            raise answer
        try:
            # nothing is kept, so the moment does not matter
            wanted.keep_until(answer, _ANY_MOMENT)
        except ValueError as error:
            raise EvidenceUnavailable(f"{wanted.url}: {error}", unreadable=True) from None
        return answer

    async def kept(self, wanted: Wanted) -> bytes | None:
        """See RevocationSource: all of it is at hand."""
        answer = self.answers.get(wanted.url)
        return answer if isinstance(answer, bytes) else None
