"""The settings that decisions depend on: what an administrator may change without a restart. Defaults stand here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from eas_server.model.certificates import HarvestSettings, ServedCertificates
from eas_server.model.enforcement import EnforcementSettings
from eas_server.model.rights import RightsSettings
from protocol.quirks import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """A named policy, [MS-ASPROV] 2.2.2. `settings`: element names of EASProvisionDoc with their values."""

    name: str = "default"
    strict: bool = False
    """Devices that never provision are kept out (142, 449), and a device must acknowledge the whole policy."""
    refresh_hours: int = 0
    """How long an acknowledged policy stays good; 0: until it changes."""
    settings: Mapping[str, bool | int | str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """Limits of Sync, Ping and their kin."""

    default_window_size: int = 100
    """[MS-ASCMD] 2.2.3.199: 100 where the client asks for none."""
    max_window_size: int = 512
    window_bytes: int = 8 * 1024 * 1024
    """The byte budget of one answer; at least one item always goes."""
    window_seconds: float = 15.0
    """The time budget of one answer: what is not rendered by then waits for the next."""
    max_commands: int = 200
    """Add, Change, Delete and Fetch in one request (MS-ASCMD_R5657)."""
    max_collections: int = 300
    """Collections in one Sync (Status 15 beyond it)."""
    min_heartbeat: int = 60
    max_heartbeat: int = 3540
    """Seconds; what Ping answers with Status 5 and Sync with Status 14 where the client asks for more."""
    max_ping_folders: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientSettings:
    """Limits of ResolveRecipients and Search."""

    max_recipients: int = 100
    """`To` elements in one request (MS-ASCMD_R4613)."""
    max_members: int = 2000
    """Members of a group that are looked up."""
    max_results: int = 100
    mini_certificates: bool = True
    """Serve the whole certificate as MiniCertificate, since no public form of a smaller one exists."""
    require_address_match: bool = True
    """A certificate has to name the recipient's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSettings:
    """Limits of the validation of certificates."""

    deadline_seconds: float = 15.0
    """For everything that is fetched to answer one ValidateCert; what is not there by then counts as unknown."""


class CrlCheck(Enum):
    """When ValidateCert insists on knowing that a certificate is not revoked."""

    AS_ASKED = "as-asked"
    """Where the client sets CheckCRL (MS-ASCMD_R893)."""
    ALWAYS = "always"
    NEVER = "never"
    """Nothing is asked of anybody; what clients set does not count."""


class PublishedChain(Enum):
    """Which issuers stand beside a person's certificate in userSMIMECertificate."""

    WITH_ROOT = "with-root"
    WITHOUT_ROOT = "without-root"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmimeSettings:
    """`[smime]`: what an administrator knows from Exchange's Set-SmimeConfig (docs/trust.md)."""

    system_trust: bool = False
    """The roots of the operating system count behind those of the collections."""
    system_trust_file: str = ""
    """Its bundle, PEM; "": the first of the usual places."""
    check_crl_on_validate: CrlCheck = CrlCheck.AS_ASKED
    check_crl_on_send: bool = False
    """A signature on a message that is sent counts only where its certificate is known not to be revoked."""
    group_seconds: float = 60.0
    """How long the members of a group are looked up for one answer."""
    secondary_addresses: bool = True
    """Certificates that name another address of the person than the primary one count."""
    published_chain: PublishedChain = PublishedChain.WITH_ROOT
    """What is published of a person's chain where the person's key is at hand."""
    enforcement: EnforcementSettings = field(default_factory=EnforcementSettings)


class ReadReceipts(Enum):
    """Who is told that a message was read."""

    NEVER = "never"
    INTERNAL = "internal"
    """Senders with an account here."""
    ALWAYS = "always"


class Answered(Enum):
    """Who is answered while a user is out of office."""

    INTERNAL = "internal"
    """People of the local domains."""
    CONTACTS = "contacts"
    """And those outside who are among the user's contacts."""
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """What the server does with mail on its own."""

    read_receipts: ReadReceipts = ReadReceipts.INTERNAL
    automatic_replies: Answered = Answered.EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a handler may ask for."""

    external_url: str = ""
    """The URL that clients reach the server by, for Autodiscover: `https://mail.example.com`."""
    domains: tuple[str, ...] = ()
    """The local mail domains: unknown users in them are refused, others go to the smart host."""
    sync: SyncSettings = field(default_factory=SyncSettings)
    recipients: RecipientSettings = field(default_factory=RecipientSettings)
    served: ServedCertificates = field(default_factory=ServedCertificates)
    harvest: HarvestSettings = field(default_factory=HarvestSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    smime: SmimeSettings = field(default_factory=SmimeSettings)
    rights: RightsSettings = field(default_factory=RightsSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    policies: Mapping[str, PolicySettings] = field(default_factory=lambda: {"default": PolicySettings()})
    default_policy: str = "default"
    policy_of_user: Mapping[str, str] = field(default_factory=dict)
    policy_of_group: Mapping[str, str] = field(default_factory=dict)
    """By the address or name of a group, the first that counts first; `policy_of_user` holds what came of it."""
    policy_of_domain: Mapping[str, str] = field(default_factory=dict)
    """For users of a mail domain who have none of their own and none of a group's."""
    audit_log: bool = False
    """Events of the audit trail are lines of the log, too."""
    quirks: Mapping[str, Switch] = field(default_factory=dict)
    """For whom quirks of `protocol.quirks` are let pass, by name; those that are not there, for everybody."""
