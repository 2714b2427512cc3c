"""Rights management: the templates that an administrator declares, and the protection of a message ([MS-ASRM])."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

NO_RESTRICTION: Final = "00000000-0000-0000-0000-000000000000"
"""The TemplateID that asks for no protection (MS-ASRM_R49)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What somebody may do with a message ([MS-ASRM] 2.2.2.3 to 2.2.2.13)."""

    edit_allowed: bool = False
    reply_allowed: bool = False
    reply_all_allowed: bool = False
    forward_allowed: bool = False
    extract_allowed: bool = False
    print_allowed: bool = False
    export_allowed: bool = False
    programmatic_access_allowed: bool = False

    @property
    def modify_recipients_allowed(self) -> bool:
        """Always what ForwardAllowed is (MS-ASRM_R1098)."""
        return self.forward_allowed


ALL_RIGHTS: Final = Rights(
    edit_allowed=True,
    reply_allowed=True,
    reply_all_allowed=True,
    forward_allowed=True,
    extract_allowed=True,
    print_allowed=True,
    export_allowed=True,
    programmatic_access_allowed=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsTemplate(Rights):
    """A rights policy template, `[[rights.templates]]`. `id` is a GUID in any of its forms."""

    id: str
    name: str
    description: str
    content_owner: str = ""
    """The address of the owner of what is sent under it; "": whoever sends it."""
    owner_full_control: bool = True
    """The owner may do everything, for ever."""
    expiry_days: int = 0
    """How long after its sending a message can be read; 0: for ever."""
    license_days: int = 0
    """How long a client may keep what it fetched; 0: as long as it can be read."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name by language: `{de = "Vertraulich"}`; `name` is English."""
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The id in the one form that is compared and sent."""
        return normal_id(self.id) or self.id


def normal_id(text: str) -> str | None:
    """A GUID in lower case with dashes and without braces; None for what is none."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The restriction of a message: its template as it was when the message was sent, its owner, and the instant."""

    template: RightsTemplate
    owner: str
    since: datetime

    @property
    def expires(self) -> datetime | None:
        """When the message cannot be read any more, save by an owner with full control; None: never."""
        days = self.template.expiry_days
        return self.since + timedelta(days=days) if days else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsSettings:
    """`[rights]`."""

    enabled: bool = True
    templates: tuple[RightsTemplate, ...] = ()

    @property
    def active(self) -> bool:
        """Whether there is rights management: without templates there is nothing to protect with."""
        return self.enabled and bool(self.templates)

    def template(self, id_: str) -> RightsTemplate | None:
        """The template of that id."""
        wanted = normal_id(id_)
        return next((each for each in self.templates if each.key == wanted), None)


def is_owner(protection: Protection, addresses: frozenset[str]) -> bool:
    """Whether the content belongs to who has these addresses (MS-ASRM_R31)."""
    return protection.owner.lower() in {address.lower() for address in addresses}


def granted(protection: Protection, addresses: frozenset[str], now: datetime) -> Rights | None:
    """What who has these addresses may do with the message; None: not even read it, for its time is over."""
    template = protection.template
    if template.owner_full_control and is_owner(protection, addresses):
        return ALL_RIGHTS
    return None if protection.expires is not None and now >= protection.expires else template
