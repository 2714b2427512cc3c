"""The partnership that a request belongs to: known, new, or not kept."""

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from eas_server.errors import CommandError
from eas_server.interfaces import StateStore
from eas_server.model.device import Device
from eas_server.model.directory import Account
from eas_server.model.ids import DeviceId, UserId
from protocol import quirks
from protocol.http import CommandLine
from protocol.status import CommonStatus
from protocol.versions import ProtocolVersion

NOT_KEPT: Final = "validate"
"""Old Android sends this DeviceId while an account is set up, and another one from then on: it is not kept."""
TOUCH_AFTER: Final = timedelta(hours=1)
"""How exactly `last_seen` is kept: a write with every request would cost more than the request."""
_MAX_TEXT: Final = 256
_VERSIONS: Final = {version: str(version) for version in ProtocolVersion}
_MAX_ASKED: Final = 100_000


class Devices:
    """Finds partnerships."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._asked: OrderedDict[tuple[UserId, DeviceId], None] = OrderedDict()

    async def find(
        self, account: Account, line: CommandLine, version: ProtocolVersion, user_agent: str, now: datetime, limit: int
    ) -> Device:
        """The partnership, saved when it is new or seen in another way than before.

        Raises CommandError(177) for a new device of a user who has `limit` of them.
        """
        id_ = DeviceId(line.device_id)
        type_, agent, spoken = line.device_type[:_MAX_TEXT], user_agent[:_MAX_TEXT], _VERSIONS[version]
        kept = id_ != NOT_KEPT or not quirks.tolerates(quirks.VALIDATE_DEVICE_ID)
        known = await self._state.device(account.user, id_) if kept else None
        if known is None:
            device = Device(
                user=account.user, id=id_, type=type_, user_agent=agent, version=spoken, first_seen=now, last_seen=now
            )
            if not kept:
                return device
            if len(await self._state.devices(account.user)) >= limit:
                raise CommandError(CommonStatus.MAXIMUM_DEVICES_REACHED, "too many devices")
        elif (known.type, known.user_agent, known.version) == (type_, agent, spoken) and not _is_old(known, now):
            return known
        else:
            device = known

        def seen(stored: Device | None) -> Device:
            if stored is None:
                return device
            return replace(stored, last_seen=now, type=type_, user_agent=agent, version=spoken)

        return await self._state.change_device(account.user, id_, seen) or device

    def was_asked(self, device: Device) -> bool:
        """Whether the device was told to provision before (since the server started)."""
        return (device.user, device.id) in self._asked

    def ask(self, device: Device) -> None:
        """Note that the device is told to provision."""
        self._asked[device.user, device.id] = None
        if len(self._asked) > _MAX_ASKED:
            self._asked.popitem(last=False)


def _is_old(known: Device, now: datetime) -> bool:
    return now - known.last_seen >= TOUCH_AFTER
