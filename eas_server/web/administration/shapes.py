"""What goes in and out of the administration API as JSON. Properties that a request leaves out stay as they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class Shape(Struct, frozen=True, kw_only=True):
    """What an answer holds."""


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request holds: a property that is misspelled is an error."""


class Fault(Shape, frozen=True, kw_only=True):
    """Why a request was not carried out."""

    code: str
    message: str
    field: str = ""
    """The part of the request that is wrong, where there is one."""
    request_id: str
    """What the server's log calls the request."""


class Problem(Shape, frozen=True, kw_only=True):
    """The answer to a request that was not carried out."""

    error: Fault


class UserSummary(Shape, frozen=True, kw_only=True):
    """A user in a list."""

    user: str
    display_name: str
    email: str
    addresses: Sequence[str]
    """The further addresses."""
    mailbox_octets: int
    quota_octets: int | None
    eas_enabled: bool


class UserDetails(UserSummary, frozen=True, kw_only=True):
    """All of a user."""

    first_name: str
    last_name: str
    alias: str
    title: str
    company: str
    department: str
    office: str
    phone: str
    mobile_phone: str
    home_phone: str
    picture_octets: int
    certificate_values: int
    devices: Sequence[str]
    policy: str


class UserProperties(Body, frozen=True, kw_only=True):
    """What of a user can be set."""

    email: str | UnsetType = UNSET
    addresses: Sequence[str] | UnsetType = UNSET
    """All further addresses."""
    display_name: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    alias: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    company: str | UnsetType = UNSET
    department: str | UnsetType = UNSET
    office: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    mobile_phone: str | UnsetType = UNSET
    home_phone: str | UnsetType = UNSET
    picture: bytes | UnsetType | None = UNSET
    """JPEG or PNG in base64; null: none."""
    quota_octets: int | UnsetType | None = UNSET
    """null: no limit."""
    eas_enabled: bool | UnsetType = UNSET
    """Whether the user may use ActiveSync."""


class NewUser(UserProperties, frozen=True, kw_only=True):
    """A user to add."""

    user: str
    password: str | None = None
    """null: nobody can sign in by a local password."""


class NewPassword(Body, frozen=True, kw_only=True):
    """A password to set."""

    password: str


class DelegatesRecord(Body, frozen=True, kw_only=True):
    """Who gets a user's meeting mail."""

    users: Sequence[str]
    only: bool = False
    """They alone, and not the user too."""


Right = Literal["none", "free-busy", "read"]


class CalendarRightsRecord(Body, frozen=True, kw_only=True):
    """Who sees what of a user's calendar."""

    default: Right = "free-busy"
    """What everybody sees who has no right of the own."""
    others: Mapping[str, Right] = {}
    """By user."""


class GroupDetails(Shape, frozen=True, kw_only=True):
    """A group."""

    email: str
    display_name: str
    alias: str
    members: Sequence[str]
    people: Sequence[str]
    """The members with nested groups expanded."""


class NewGroup(Body, frozen=True, kw_only=True):
    """A group to add."""

    email: str
    display_name: str | None = None
    alias: str | None = None
    members: Sequence[str] = ()


class Members(Body, frozen=True, kw_only=True):
    """All members of a group, by address."""

    members: Sequence[str]


class Skipped(Shape, frozen=True, kw_only=True):
    """An item that could not be rendered."""

    item: str
    reason: str


class DeviceDetails(Shape, frozen=True, kw_only=True):
    """A device."""

    user: str
    device: str
    type: str
    user_agent: str
    version: str
    first_seen: datetime
    last_seen: datetime
    """Exact to the hour."""
    access: Literal["allowed", "blocked"]
    policy: str
    policy_acknowledged: datetime | None
    wipe: Literal["none", "pending", "sent", "done", "failed"]
    wipe_account_only: bool
    trace_until: datetime | None
    details: Mapping[str, str]
    skipped: Sequence[Skipped]


class RecoveryPassword(Shape, frozen=True, kw_only=True):
    """What a device left for its user."""

    recovery_password: str


class Forgotten(Shape, frozen=True, kw_only=True):
    """How many devices were forgotten."""

    devices: int


class Access(Body, frozen=True, kw_only=True):
    """Whether a device may sync."""

    access: Literal["allowed", "blocked"]


class Wipe(Body, frozen=True, kw_only=True):
    """Which wipe is asked for."""

    account_only: bool = False
    """Of this account alone, which devices know that speak 16.1."""


class WipeOfType(Wipe, frozen=True, kw_only=True):
    """A wipe of all devices of a type."""

    type: str
    """The DeviceType."""


class Trace(Body, frozen=True, kw_only=True):
    """Whether the traffic of a device is written down."""

    on: bool
    minutes: int = 60


class PolicyDetails(Shape, frozen=True, kw_only=True):
    """A policy of the configuration, and whom it is for."""

    name: str
    strict: bool
    refresh_hours: int
    settings: Mapping[str, bool | int | str | Sequence[str]]
    users: Sequence[str]
    """To whom it is assigned themselves."""
    groups: Sequence[str]
    domains: Sequence[str]
    """Mail domains, of the configuration."""
    is_default: bool


class Assignment(Body, frozen=True, kw_only=True):
    """The policy of a user or a group; null: as the configuration has it."""

    policy: str | None


class EffectivePolicy(Shape, frozen=True, kw_only=True):
    """The policy of a user."""

    policy: str
    """The one in force."""
    switched: str | None
    """The one that was assigned while the server runs."""


class RequireTls(Body, frozen=True, kw_only=True):
    """Whether plain HTTP is refused, from this machine too; null: as the configuration has it."""

    require_tls: bool | None


class RequireTlsState(Shape, frozen=True, kw_only=True):
    """Whether plain HTTP is refused."""

    require_tls: bool
    configured: bool


class QueuedMail(Shape, frozen=True, kw_only=True):
    """A message that waits for the smart host."""

    id: int
    user: str
    sender: str
    recipients: Sequence[str]
    octets: int
    since: datetime
    attempts: int


class QuirkDetails(Shape, frozen=True, kw_only=True):
    """A tolerated oddity of clients."""

    name: str
    client: str
    note: str
    on: bool
    clients: Sequence[str]
    """The clients that it is let pass of; none: all."""
    except_clients: Sequence[str]
    versions: Sequence[str]
    switched: bool | None
    """What was switched while the server runs, for all clients."""


class QuirkSwitch(Body, frozen=True, kw_only=True):
    """Whether an oddity is let pass, of all clients; null: as the configuration has it."""

    on: bool | None
