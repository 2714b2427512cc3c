"""The audit trail in memory."""

from eas_server import interfaces
from eas_server.model.audit import AuditEvent


class MemoryAudit:
    """See the port; nothing is ever lost."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def note(self, event: AuditEvent) -> None:
        """See the port."""
        self.events.append(event)

    async def settled(self) -> None:
        """See the port."""


_: type[interfaces.Audit] = MemoryAudit
