"""Settings, [MS-ASCMD] 2.2.1.18. The properties of a request are answered in its order (MS-ASCMD_R480)."""

from enum import IntEnum

from protocol.commands.oof import CurrentSettings
from protocol.elements import Element
from protocol.items.rights import Templates
from protocol.schema import el, element
from protocol.versions import V14_0, V14_1

MAX_DEVICE_TEXT = 1024
"""Characters of a value of DeviceInformation (MS-ASCMD_R3441 and its siblings)."""
MAX_PASSWORD = 255
"""Characters of a recovery password (MS-ASCMD_R3660)."""


class Status(IntEnum):
    """[MS-ASCMD] 2.2.3.177.15, Status (Settings): of the command and of its properties."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    ACCESS_DENIED = 3
    SERVER_UNAVAILABLE = 4
    INVALID_ARGUMENTS = 5
    CONFLICTING_ARGUMENTS = 6
    DENIED_BY_POLICY = 7


# --- the request --------------------------------------------------------------------------------------------------


@element("Settings:Set")
class DeviceDetails:
    """What a device tells of itself, [MS-ASCMD] 2.2.3.45. Lengths are not checked here: see MAX_DEVICE_TEXT."""

    model: str | None = el("Settings:Model", default=None)
    imei: str | None = el("Settings:IMEI", default=None)
    friendly_name: str | None = el("Settings:FriendlyName", default=None)
    os: str | None = el("Settings:OS", default=None)
    os_language: str | None = el("Settings:OSLanguage", default=None)
    phone_number: str | None = el("Settings:PhoneNumber", default=None)
    user_agent: str | None = el("Settings:UserAgent", default=None)
    enable_outbound_sms: int | None = el("Settings:EnableOutboundSMS", default=None, since=V14_0)
    mobile_operator: str | None = el("Settings:MobileOperator", default=None, since=V14_0)


@element("Settings:DeviceInformation")
class DeviceInformation:
    """The device's properties, [MS-ASCMD] 2.2.3.45, in Settings and in Provision. Write-only (MS-ASCMD_R2178)."""

    details: DeviceDetails | None = el(default=None)


@element("Settings:Oof")
class Oof:
    """Out of office, [MS-ASCMD] 2.2.3.122: Get and Set as they came (`protocol.commands.oof` reads them)."""

    get: Element | None = el("Settings:Get", default=None)
    set: Element | None = el("Settings:Set", default=None)


@element("Settings:Set")
class NewPassword:
    """A recovery password; "" takes it back (MS-ASCMD_R3661). Its length is not checked here: see MAX_PASSWORD."""

    password: str = el("Settings:Password")


@element("Settings:DevicePassword")
class DevicePassword:
    """[MS-ASCMD] 2.2.3.46."""

    set: NewPassword = el()


@element("Settings:UserInformation")
class UserInformation:
    """[MS-ASCMD] 2.2.3.192."""

    get: Element = el("Settings:Get")


@element("Settings:RightsManagementInformation")
class RightsManagementInformation:
    """[MS-ASCMD] 2.2.3.156."""

    get: Element = el("Settings:Get")


Property = Oof | DevicePassword | DeviceInformation | UserInformation | RightsManagementInformation


@element("Settings:Settings")
class Request:
    """The request: each property at most once (MS-ASCMD_R477), in the order in which they are carried out."""

    properties: tuple[Oof | DevicePassword | DeviceInformation | UserInformation | RightsManagementInformation, ...] = (
        el(default=())
    )


# --- the response -------------------------------------------------------------------------------------------------


@element("Settings:Oof")
class OofAnswer:
    """What became of Oof."""

    status: int = el("Settings:Status")
    get: CurrentSettings | None = el(default=None)


@element("Settings:DevicePassword")
class DevicePasswordAnswer:
    """What became of DevicePassword."""

    status: int = el("Settings:Status")


@element("Settings:DeviceInformation")
class DeviceInformationAnswer:
    """What became of DeviceInformation."""

    status: int = el("Settings:Status")


@element("Settings:EmailAddresses")
class EmailAddresses:
    """The addresses of an account, [MS-ASCMD] 2.2.3.57."""

    smtp_addresses: tuple[str, ...] = el("Settings:SMTPAddress", default=())
    primary_smtp_address: str | None = el("Settings:PrimarySmtpAddress", default=None, since=V14_1)


@element("Settings:Account")
class Account:
    """An account of the user, [MS-ASCMD] 2.2.3.2; the primary one has no AccountId (MS-ASCMD_R729)."""

    account_id: str | None = el("Settings:AccountId", default=None)
    account_name: str | None = el("Settings:AccountName", default=None)
    user_display_name: str | None = el("Settings:UserDisplayName", default=None)
    send_disabled: bool | None = el("Settings:SendDisabled", default=None)
    email_addresses: EmailAddresses | None = el(default=None)


@element("Settings:Get")
class UserDetails:
    """The user's addresses: up to 14.0 alone, from 14.1 on by account (MS-ASCMD_R6502 to R6505)."""

    email_addresses: EmailAddresses | None = el(default=None, until=V14_0)
    accounts: tuple[Account, ...] | None = el("Settings:Accounts", item="Settings:Account", default=None, since=V14_1)


@element("Settings:UserInformation")
class UserInformationAnswer:
    """What became of UserInformation."""

    status: int = el("Settings:Status")
    get: UserDetails | None = el(default=None)


@element("Settings:Get")
class RightsManagementDetails:
    """The schema has it with every Status."""

    templates: Templates = el()


@element("Settings:RightsManagementInformation")
class RightsManagementAnswer:
    """What became of RightsManagementInformation."""

    status: int = el("Settings:Status")
    get: RightsManagementDetails = el()


Answer = OofAnswer | DevicePasswordAnswer | DeviceInformationAnswer | UserInformationAnswer | RightsManagementAnswer


@element("Settings:Settings")
class Response:
    """The response. `status`: a Status, or a common one; with another than success there is nothing else (R483)."""

    status: int = el("Settings:Status")
    answers: tuple[
        OofAnswer | DevicePasswordAnswer | DeviceInformationAnswer | UserInformationAnswer | RightsManagementAnswer,
        ...,
    ] = el(default=())
