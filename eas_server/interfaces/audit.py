"""The audit trail."""

from typing import Protocol

from eas_server.model.audit import AuditEvent


class Audit(Protocol):
    """Keeps events, in the order in which they were noted."""

    def note(self, event: AuditEvent) -> None:
        """Take an event down. Never waits and never raises: who is served does not wait for the trail.

        What cannot be kept, for the disk is full or more comes than can be written, is counted: the next event that can
        be is preceded by one of the kind LOST with the number (`events`). Texts in it may hold anything.
        """
        ...

    async def settled(self) -> None:
        """Return when all that was noted before is durable, or lost."""
        ...
