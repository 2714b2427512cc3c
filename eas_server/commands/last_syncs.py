"""The last Sync request of each device: what an empty or a Partial request refers to ([MS-ASCMD] 2.2.1.21.1).

Kept in memory only. After a restart such a request is answered with Status 13 and the device sends a whole one; a
durable copy would cost a write with every Sync.
"""

from collections import OrderedDict
from typing import Final

from eas_server.model.ids import DeviceId, UserId
from protocol.commands.sync import Request

KEPT: Final = 20_000
"""Devices; those that have not asked for longest are forgotten first."""


class LastSyncs:
    """Requests by device."""

    def __init__(self) -> None:
        self._requests: OrderedDict[tuple[UserId, DeviceId], Request] = OrderedDict()

    def get(self, user: UserId, device: DeviceId) -> Request | None:
        """The last request that told its collections."""
        return self._requests.get((user, device))

    def put(self, user: UserId, device: DeviceId, request: Request) -> None:
        """Remember a request."""
        self._requests[user, device] = request
        self._requests.move_to_end((user, device))
        if len(self._requests) > KEPT:
            self._requests.popitem(last=False)

    def drop(self, user: UserId, device: DeviceId) -> None:
        """Forget a request."""
        self._requests.pop((user, device), None)
