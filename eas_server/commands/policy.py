"""Which policy holds for a user, and how a device comes by it: pure decisions, [MS-ASPROV] 3.2.5.1."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.commands.policy_rules import check_policy
from eas_server.model.device import PolicyState
from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings
from protocol.commands.provision import Compliance
from protocol.status import CommonStatus

_DIGEST_CHARACTERS = 32
_KEY_BITS: Final = 32
NO_KEY: Final = 0
"""What stands for no policy key: never given out."""

Draw = Callable[[int], int]
"""Randomness: from a number of bits to a number that has no more, as `random.getrandbits`."""


def policy_of(settings: Settings, user: UserId) -> PolicySettings:
    """The policy of a user: the one assigned, else the default one."""
    found = assigned_policy(settings, user)
    return found if found is not None else PolicySettings(name=_name_of(settings, user))


def assigned_policy(settings: Settings, user: UserId) -> PolicySettings | None:
    """The policy of a user; None: there is none of the name that is assigned."""
    return settings.policies.get(_name_of(settings, user))


def policy_name(settings: Settings, of_user: Mapping[str, str], user: str) -> str:
    """The name of a user's policy: the one of user or group in `of_user`, else the mail domain's, else the default."""
    own = of_user.get(user)
    if own is not None:
        return own
    return settings.policy_of_domain.get(user.rpartition("@")[2].lower(), settings.default_policy)


def _name_of(settings: Settings, user: UserId) -> str:
    return policy_name(settings, settings.policy_of_user, user)


def policy_digest(policy: PolicySettings) -> str:
    """Names the policy and what devices are told by it: another name or other settings give another digest.

    Whether the policy is strict, and when it is to be refreshed, devices are not told: it does not count.
    """
    content = json.dumps([policy.name, sorted(policy.settings.items())], default=list)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def offered(state: PolicyState, policy: PolicySettings, draw: Draw) -> PolicyState:
    """The state of a device that is sent the policy with a temporary key (MS-ASPROV_R650).

    The final key that it had stays good until the new policy is acknowledged: its other requests go on.
    """
    return replace(
        state,
        pending_key=_fresh(draw, state),
        pending_digest=policy_digest(policy),
        settings=state.settings | frozenset(policy.settings),
    )


def is_acknowledged(state: PolicyState, policy: PolicySettings, key: str) -> bool:
    """Whether `key` is the temporary one of the policy as it is now (MS-ASPROV_R657): it is good for one time."""
    pending = state.pending_key != NO_KEY and key.strip() == str(state.pending_key)
    return pending and state.pending_digest == policy_digest(policy)


def refusal(compliance: Compliance, policy: PolicySettings) -> CommonStatus | None:
    """The Status for a device that does not hold to a strict policy; None: it may come in.

    The documents name a Status for 2 and 4 (MS-ASPROV_R455, R461); who applied nothing at all cannot be let in with
    more right than who applied a part.
    """
    if not policy.strict or compliance is Compliance.FULL:
        return None
    if compliance is Compliance.EXTERNALLY_MANAGED:
        return CommonStatus.EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED
    return CommonStatus.DEVICE_NOT_FULLY_PROVISIONABLE


def accepted(state: PolicyState, compliance: Compliance, now: datetime, draw: Draw) -> PolicyState:
    """The state of a device that acknowledged: with its final key (MS-ASPROV_R662)."""
    return replace(
        state,
        key=_fresh(draw, state),
        pending_key=NO_KEY,
        digest=state.pending_digest,
        pending_digest="",
        acknowledged=now,
        partial=compliance is not Compliance.FULL,
    )


def _fresh(draw: Draw, state: PolicyState) -> int:
    """A random key of 32 bits (MS-ASPROV_R606) that is no other one of the device."""
    while True:
        key = draw(_KEY_BITS)
        if key not in (NO_KEY, state.key, state.pending_key):
            return key


__all__ = [
    "NO_KEY",
    "Draw",
    "accepted",
    "assigned_policy",
    "check_policy",
    "is_acknowledged",
    "offered",
    "policy_digest",
    "policy_name",
    "policy_of",
    "refusal",
]
