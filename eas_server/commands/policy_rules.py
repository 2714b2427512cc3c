"""The settings of a policy by the names of EASProvisionDoc: what each may say, and what takes it back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocol.commands.provision import EASProvisionDoc, EncryptionAlgorithm, Negotiation, SignedAlgorithm
from protocol.schema import EMPTY, Empty

Value = bool | int | str | tuple[str, ...]

_MAX_INT: Final = 2**32 - 1
"""xs:unsignedInt."""
_SHA1_DIGITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A setting of a policy."""

    field: str
    """Of EASProvisionDoc."""
    unset: bool | int | Empty | tuple[str, ...]
    """What goes out when a value that went out before is no longer set: EMPTY (MS-ASPROV_R1044) where the schema has
    room for it, else the value that is no restriction (MS-ASPROV_R1045)."""
    allowed: Sequence[int] | None = None
    """The values of a number; None: the setting is a yes or no, or a list."""
    hashes: bool = False
    """The list is one of SHA-1 hashes (MS-ASPROV_R237)."""

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None: nothing."""
        if isinstance(self.unset, tuple):
            return self._list_problem(value)
        if self.allowed is None:
            return None if isinstance(value, bool) else "must be true or false"
        if isinstance(value, bool) or not isinstance(value, int) or value not in self.allowed:
            return f"must be {_described(self.allowed)}"
        return None

    def _list_problem(self, value: object) -> str | None:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            return "must be a list of texts that are not empty"
        if self.hashes and not all(_is_sha1(item) for item in value):
            return f"must be a list of SHA-1 hashes, {_SHA1_DIGITS} hexadecimal digits each"
        return None


def _is_sha1(text: str) -> bool:
    return len(text) == _SHA1_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _described(allowed: Sequence[int]) -> str:
    if isinstance(allowed, range):
        return f"a whole number from {allowed.start} to {allowed.stop - 1}"
    return "one of " + ", ".join(str(number) for number in allowed)


def _yes_no(field: str, *, unset: bool) -> Rule:
    return Rule(field=field, unset=unset)


def _number(field: str, low: int, high: int, *, unset: int | Empty = EMPTY) -> Rule:
    return Rule(field=field, unset=unset, allowed=range(low, high + 1))


RULES: Final[Mapping[str, Rule]] = {
    "DevicePasswordEnabled": _yes_no("device_password_enabled", unset=False),
    "AlphanumericDevicePasswordRequired": _yes_no("alphanumeric_device_password_required", unset=False),
    "PasswordRecoveryEnabled": _yes_no("password_recovery_enabled", unset=False),
    "RequireStorageCardEncryption": _yes_no("require_storage_card_encryption", unset=False),
    "AttachmentsEnabled": _yes_no("attachments_enabled", unset=True),
    "MinDevicePasswordLength": _number("min_device_password_length", 1, 16),
    "MaxInactivityTimeDeviceLock": _number("max_inactivity_time_device_lock", 0, _MAX_INT),
    "MaxDevicePasswordFailedAttempts": _number("max_device_password_failed_attempts", 4, 16),
    "MaxAttachmentSize": _number("max_attachment_size", 0, _MAX_INT),
    "AllowSimpleDevicePassword": _yes_no("allow_simple_device_password", unset=True),
    "DevicePasswordExpiration": _number("device_password_expiration", 0, _MAX_INT),
    "DevicePasswordHistory": _number("device_password_history", 0, _MAX_INT, unset=0),
    "AllowStorageCard": _yes_no("allow_storage_card", unset=True),
    "AllowCamera": _yes_no("allow_camera", unset=True),
    "RequireDeviceEncryption": _yes_no("require_device_encryption", unset=False),
    "AllowUnsignedApplications": _yes_no("allow_unsigned_applications", unset=True),
    "AllowUnsignedInstallationPackages": _yes_no("allow_unsigned_installation_packages", unset=True),
    "MinDevicePasswordComplexCharacters": _number("min_device_password_complex_characters", 1, 4, unset=1),
    "AllowWiFi": _yes_no("allow_wifi", unset=True),
    "AllowTextMessaging": _yes_no("allow_text_messaging", unset=True),
    "AllowPOPIMAPEmail": _yes_no("allow_pop_imap_email", unset=True),
    "AllowBluetooth": _number("allow_bluetooth", 0, 2, unset=2),
    "AllowIrDA": _yes_no("allow_irda", unset=True),
    "RequireManualSyncWhenRoaming": _yes_no("require_manual_sync_when_roaming", unset=False),
    "AllowDesktopSync": _yes_no("allow_desktop_sync", unset=True),
    "MaxCalendarAgeFilter": Rule(field="max_calendar_age_filter", unset=0, allowed=(0, 4, 5, 6, 7)),
    "AllowHTMLEmail": _yes_no("allow_html_email", unset=True),
    "MaxEmailAgeFilter": _number("max_email_age_filter", 0, 5, unset=0),
    "MaxEmailBodyTruncationSize": _number("max_email_body_truncation_size", -1, _MAX_INT, unset=-1),
    "MaxEmailHTMLBodyTruncationSize": _number("max_email_html_body_truncation_size", -1, _MAX_INT, unset=-1),
    "RequireSignedSMIMEMessages": _yes_no("require_signed_smime_messages", unset=False),
    "RequireEncryptedSMIMEMessages": _yes_no("require_encrypted_smime_messages", unset=False),
    # of the obsolete algorithms the least bad one takes the others back
    "RequireSignedSMIMEAlgorithm": Rule(
        field="require_signed_smime_algorithm", unset=SignedAlgorithm.SHA1, allowed=tuple(map(int, SignedAlgorithm))
    ),
    "RequireEncryptionSMIMEAlgorithm": Rule(
        field="require_encryption_smime_algorithm",
        unset=EncryptionAlgorithm.TRIPLE_DES,
        allowed=tuple(map(int, EncryptionAlgorithm)),
    ),
    "AllowSMIMEEncryptionAlgorithmNegotiation": Rule(
        field="allow_smime_encryption_algorithm_negotiation",
        unset=Negotiation.ANY,
        allowed=tuple(map(int, Negotiation)),
    ),
    "AllowSMIMESoftCerts": _yes_no("allow_smime_soft_certs", unset=True),
    "AllowBrowser": _yes_no("allow_browser", unset=True),
    "AllowConsumerEmail": _yes_no("allow_consumer_email", unset=True),
    "AllowRemoteDesktop": _yes_no("allow_remote_desktop", unset=True),
    "AllowInternetSharing": _yes_no("allow_internet_sharing", unset=True),
    "UnapprovedInROMApplicationList": Rule(field="unapproved_in_rom_application_list", unset=()),
    "ApprovedApplicationList": Rule(field="approved_application_list", unset=(), hashes=True),
}
"""All settings ([MS-ASPROV] 2.2.2.28)."""


def check_policy(name: str, settings: Mapping[str, object]) -> list[str]:
    """What is wrong with the settings of the policy `name`: each line names policy and setting. Empty: nothing."""
    problems = []
    for key, value in settings.items():
        rule = RULES.get(key)
        problem = "is no setting of [MS-ASPROV] 2.2.2.28" if rule is None else rule.problem(value)
        if problem is not None:
            problems.append(f"policy {name}: {key} {problem}")
    return problems


def document(settings: Mapping[str, Value], sent: Collection[str]) -> EASProvisionDoc:
    """What a device is told that was told the settings `sent` before. Settings must be as `check_policy` wants them."""
    told: Any = {RULES[key].field: RULES[key].unset for key in sent if key in RULES}
    told.update((RULES[key].field, value) for key, value in settings.items() if key in RULES)
    return EASProvisionDoc(**told)
