"""Provision, [MS-ASPROV] 2.2.2."""

from enum import IntEnum

from protocol.commands.settings import DeviceInformation, DeviceInformationAnswer
from protocol.schema import Empty, el, element
from protocol.versions import V12_1, V14_1, V16_1

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
"""The PolicyType of all versions from 12.0 on (MS-ASPROV_R971)."""


class Status(IntEnum):
    """[MS-ASPROV] 2.2.2.54.2, Status (Provision)."""

    SUCCESS = 1
    PROTOCOL_ERROR = 2
    SERVER_ERROR = 3


class PolicyStatus(IntEnum):
    """[MS-ASPROV] 2.2.2.54.1, Status (Policy) in a response."""

    SUCCESS = 1
    NO_POLICY = 2
    UNKNOWN_TYPE = 3
    CORRUPT = 4
    WRONG_KEY = 5


class Compliance(IntEnum):
    """[MS-ASPROV] 2.2.2.54.1, Status (Policy) in a request: how far the device holds to the policy."""

    FULL = 1
    PARTIAL = 2
    NONE = 3
    EXTERNALLY_MANAGED = 4


class WipeStatus(IntEnum):
    """[MS-ASPROV] 2.2.2.54.3, Status (RemoteWipe)."""

    SUCCESS = 1
    FAILURE = 2


class SignedAlgorithm(IntEnum):
    """[MS-ASPROV] 2.2.2.50: both are broken, and no value stands for a sound one."""

    SHA1 = 0
    MD5 = 1


class EncryptionAlgorithm(IntEnum):
    """[MS-ASPROV] 2.2.2.48: all are obsolete, and no value stands for AES."""

    TRIPLE_DES = 0
    DES = 1
    RC2_128 = 2
    RC2_64 = 3
    RC2_40 = 4


class Negotiation(IntEnum):
    """[MS-ASPROV] 2.2.2.13: whether the device may choose another algorithm than the policy's."""

    NONE = 0
    STRONG = 1
    ANY = 2


@element("Provision:EASProvisionDoc")
class EASProvisionDoc:
    """The settings of a policy, [MS-ASPROV] 2.2.2.28, in the order of the schema; None: not told.

    EMPTY takes a setting back (MS-ASPROV_R1044), though the schema has it for four of the numbers alone.
    The code pages have no 16.1 for two of the elements, a slip of the documents: the class document has them.
    """

    device_password_enabled: bool | Empty | None = el("Provision:DevicePasswordEnabled", default=None)
    alphanumeric_device_password_required: bool | Empty | None = el(
        "Provision:AlphanumericDevicePasswordRequired", default=None
    )
    password_recovery_enabled: bool | Empty | None = el("Provision:PasswordRecoveryEnabled", default=None)
    require_storage_card_encryption: bool | Empty | None = el("Provision:RequireStorageCardEncryption", default=None)
    attachments_enabled: bool | Empty | None = el("Provision:AttachmentsEnabled", default=None)
    min_device_password_length: int | Empty | None = el("Provision:MinDevicePasswordLength", default=None)
    max_inactivity_time_device_lock: int | Empty | None = el("Provision:MaxInactivityTimeDeviceLock", default=None)
    max_device_password_failed_attempts: int | Empty | None = el(
        "Provision:MaxDevicePasswordFailedAttempts", default=None, since=V12_1
    )
    max_attachment_size: int | Empty | None = el("Provision:MaxAttachmentSize", default=None)
    allow_simple_device_password: bool | Empty | None = el("Provision:AllowSimpleDevicePassword", default=None)
    device_password_expiration: int | Empty | None = el("Provision:DevicePasswordExpiration", default=None)
    device_password_history: int | Empty | None = el("Provision:DevicePasswordHistory", default=None)
    allow_storage_card: bool | Empty | None = el("Provision:AllowStorageCard", default=None)
    allow_camera: bool | Empty | None = el("Provision:AllowCamera", default=None)
    require_device_encryption: bool | Empty | None = el("Provision:RequireDeviceEncryption", default=None)
    allow_unsigned_applications: bool | Empty | None = el("Provision:AllowUnsignedApplications", default=None)
    allow_unsigned_installation_packages: bool | Empty | None = el(
        "Provision:AllowUnsignedInstallationPackages", default=None
    )
    min_device_password_complex_characters: int | Empty | None = el(
        "Provision:MinDevicePasswordComplexCharacters", default=None
    )
    allow_wifi: bool | Empty | None = el("Provision:AllowWiFi", default=None)
    allow_text_messaging: bool | Empty | None = el("Provision:AllowTextMessaging", default=None)
    allow_pop_imap_email: bool | Empty | None = el("Provision:AllowPOPIMAPEmail", default=None)
    allow_bluetooth: int | Empty | None = el("Provision:AllowBluetooth", default=None)
    allow_irda: bool | Empty | None = el("Provision:AllowIrDA", default=None)
    require_manual_sync_when_roaming: bool | Empty | None = el("Provision:RequireManualSyncWhenRoaming", default=None)
    allow_desktop_sync: bool | Empty | None = el("Provision:AllowDesktopSync", default=None)
    max_calendar_age_filter: int | Empty | None = el("Provision:MaxCalendarAgeFilter", default=None, since=V12_1)
    allow_html_email: bool | Empty | None = el("Provision:AllowHTMLEmail", default=None)
    max_email_age_filter: int | Empty | None = el("Provision:MaxEmailAgeFilter", default=None)
    max_email_body_truncation_size: int | Empty | None = el("Provision:MaxEmailBodyTruncationSize", default=None)
    max_email_html_body_truncation_size: int | Empty | None = el(
        "Provision:MaxEmailHTMLBodyTruncationSize", default=None
    )
    require_signed_smime_messages: bool | Empty | None = el("Provision:RequireSignedSMIMEMessages", default=None)
    require_encrypted_smime_messages: bool | Empty | None = el("Provision:RequireEncryptedSMIMEMessages", default=None)
    require_signed_smime_algorithm: SignedAlgorithm | Empty | None = el(
        "Provision:RequireSignedSMIMEAlgorithm", default=None
    )
    require_encryption_smime_algorithm: EncryptionAlgorithm | Empty | None = el(
        "Provision:RequireEncryptionSMIMEAlgorithm", default=None
    )
    allow_smime_encryption_algorithm_negotiation: Negotiation | Empty | None = el(
        "Provision:AllowSMIMEEncryptionAlgorithmNegotiation", default=None
    )
    allow_smime_soft_certs: bool | Empty | None = el("Provision:AllowSMIMESoftCerts", default=None)
    allow_browser: bool | Empty | None = el("Provision:AllowBrowser", default=None)
    allow_consumer_email: bool | Empty | None = el("Provision:AllowConsumerEmail", default=None)
    allow_remote_desktop: bool | Empty | None = el("Provision:AllowRemoteDesktop", default=None)
    allow_internet_sharing: bool | Empty | None = el("Provision:AllowInternetSharing", default=None)
    unapproved_in_rom_application_list: tuple[str, ...] | None = el(
        "Provision:UnapprovedInROMApplicationList", item="Provision:ApplicationName", default=None
    )
    approved_application_list: tuple[str, ...] | None = el(
        "Provision:ApprovedApplicationList", item="Provision:Hash", default=None
    )


@element("Provision:Policy")
class RequestPolicy:
    """A policy asked for, or (with `policy_key` and `status`) acknowledged, [MS-ASPROV] 2.2.2.41."""

    policy_type: str = el("Provision:PolicyType")
    policy_key: str | None = el("Provision:PolicyKey", default=None)
    status: Compliance | None = el("Provision:Status", default=None)


@element("Provision:RemoteWipe")
class RemoteWipeResult:
    """What came of a remote wipe, [MS-ASPROV] 2.2.2.45, request."""

    status: WipeStatus = el("Provision:Status")


@element("Provision:AccountOnlyRemoteWipe")
class AccountOnlyRemoteWipeResult:
    """What came of a wipe of the account alone, [MS-ASPROV] 2.2.2.1, request."""

    status: WipeStatus = el("Provision:Status")


@element("Provision:Provision")
class Request:
    """The request: for a policy, its acknowledgement, that of a wipe, or (empty) for a wipe."""

    device_information: DeviceInformation | None = el(default=None)
    policies: tuple[RequestPolicy, ...] | None = el("Provision:Policies", item="Provision:Policy", default=None)
    remote_wipe: RemoteWipeResult | None = el(default=None)
    account_only_remote_wipe: AccountOnlyRemoteWipeResult | None = el(default=None)


@element("Provision:Data")
class Data:
    """[MS-ASPROV] 2.2.2.24."""

    document: EASProvisionDoc = el()


@element("Provision:Policy")
class ResponsePolicy:
    """A policy with its temporary key, or (without `data`) the final key, or neither and why."""

    policy_type: str = el("Provision:PolicyType")
    status: int = el("Provision:Status")
    policy_key: str | None = el("Provision:PolicyKey", default=None)
    data: Data | None = el(default=None)


@element("Provision:Provision")
class Response:
    """The response. `status`: a Status, or a common one."""

    device_information: DeviceInformationAnswer | None = el(default=None, since=V14_1)
    status: int = el("Provision:Status")
    policies: tuple[ResponsePolicy, ...] | None = el("Provision:Policies", item="Provision:Policy", default=None)
    remote_wipe: Empty | None = el("Provision:RemoteWipe", default=None)
    account_only_remote_wipe: Empty | None = el("Provision:AccountOnlyRemoteWipe", default=None, since=V16_1)
