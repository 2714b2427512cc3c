"""Mail that waits for the smart host."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from eas_server.errors import NoSuchThing
from eas_server.interfaces import OutgoingQueue, Queued

MOST: Final = 10_000
"""Messages that one listing shows."""
_WHENEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""After every next attempt: asks for all messages of the queue."""
_RETRY_REASON: Final = "tried again for the administrator"


async def waiting(queue: OutgoingQueue) -> Sequence[Queued]:
    """The messages that wait, those whose next attempt is nearest first."""
    return await queue.due(_WHENEVER, MOST)


async def chosen(queue: OutgoingQueue, ids: Sequence[int]) -> list[Queued]:
    """The messages of these ids; no ids: all. Raises NoSuchThing."""
    listed = {queued.id: queued for queued in await waiting(queue)}
    missing = [str(id_) for id_ in ids if id_ not in listed]
    if missing:
        raise NoSuchThing(f"not in the queue: {', '.join(missing)}: see `eas-server queue list`")
    return [listed[id_] for id_ in dict.fromkeys(ids)] if ids else list(listed.values())


async def retry(queue: OutgoingQueue, messages: Sequence[Queued], now: datetime) -> None:
    """Try messages again as soon as the server looks at its queue."""
    for queued in messages:
        await queue.defer(queued.id, now, _RETRY_REASON)


async def remove(queue: OutgoingQueue, messages: Sequence[Queued]) -> None:
    """Drop messages: they are not sent, and their senders are not told."""
    for queued in messages:
        await queue.finish(queued.id, queued.forwarding.recipients)
