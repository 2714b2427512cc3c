"""RevocationSource in memory."""

from collections.abc import Mapping

from eas_server.errors import EvidenceUnavailable
from eas_server.model.trust import Wanted


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
        return answer
