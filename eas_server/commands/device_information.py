"""DeviceInformation, as Settings and Provision take it, [MS-ASCMD] 2.2.3.45."""

from collections.abc import Mapping
from typing import Final

from protocol.commands.settings import MAX_DEVICE_TEXT, DeviceDetails, DeviceInformation, Status

_FIELDS: Final = {
    "Model": "model",
    "IMEI": "imei",
    "FriendlyName": "friendly_name",
    "OS": "os",
    "OSLanguage": "os_language",
    "PhoneNumber": "phone_number",
    "UserAgent": "user_agent",
    "MobileOperator": "mobile_operator",
}


def taken(information: DeviceInformation) -> tuple[Status, Mapping[str, str]]:
    """What the server makes of it, and with success the details by element name.

    Only lengths are checked: the values are not validated (MS-ASCMD_R3445 and its siblings).
    """
    details = information.details
    if details is None:
        return Status.PROTOCOL_ERROR, {}  # MS-ASCMD_R5845: Set is required
    found = _texts(details)
    if any(len(text) > MAX_DEVICE_TEXT for text in found.values()) or details.enable_outbound_sms not in (None, 0, 1):
        return Status.INVALID_ARGUMENTS, {}
    if details.enable_outbound_sms is not None:
        found["EnableOutboundSMS"] = str(details.enable_outbound_sms)
    return Status.SUCCESS, found


def _texts(details: DeviceDetails) -> dict[str, str]:
    given = {name: getattr(details, field) for name, field in _FIELDS.items()}
    return {name: text for name, text in given.items() if text is not None}
