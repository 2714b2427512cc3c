"""Whether a device may give a command now: a pure decision, [MS-ASPROV] 3.2.5.1 and [MS-ASCMD] 2.2.2.

OPTIONS and Autodiscover do not come here. Commands that are not `gated` (Ping, Provision) are spared the policy key
and the wipe, not the administrator's block of account or device.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from eas_server.model.device import WIPING, Access, PolicyState, Wipe
from eas_server.model.settings import PolicySettings
from protocol.status import CommonStatus

NO_KEY = 0
"""What a device sends that has no policy yet (MS-ASPROV_R618)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the decision is about."""

    eas_enabled: bool
    access: Access
    wipe: Wipe
    state: PolicyState
    policy: PolicySettings
    digest: str
    """Names `policy` as it is now."""
    gated: bool
    """Whether the command waits for a policy."""
    policy_key: int | None
    """As sent; None: none was sent."""
    asked: bool = False
    """The device was told to provision before, and did not."""


def decide(request: Request, now: datetime) -> CommonStatus | None:
    """The Status that keeps the request out, or None."""
    if not request.eas_enabled:
        return CommonStatus.USER_DISABLED_FOR_SYNC
    if request.wipe in WIPING:
        # before the block: a blocked device can still be wiped, which it learns from Provision alone
        return CommonStatus.REMOTE_WIPE_REQUESTED if request.gated else None
    if request.access is Access.BLOCKED:
        return CommonStatus.DEVICE_IS_BLOCKED_FOR_THIS_USER
    return _policy(request, now) if request.gated else None


def _policy(request: Request, now: datetime) -> CommonStatus | None:
    key, state, policy = request.policy_key, request.state, request.policy
    if key is None:
        # MS-ASPROV_R458, R685: only a server that is configured so keeps out who sends no key
        return CommonStatus.LEGACY_DEVICE_ON_STRICT_POLICY if policy.strict else None
    if key == NO_KEY:
        return CommonStatus.DEVICE_NOT_PROVISIONED if _must_provision(request) else None
    if key != state.key:
        return CommonStatus.INVALID_POLICY_KEY  # MS-ASPROV_R487; a temporary key is one of these (R626)
    if state.digest != request.digest or (policy.strict and state.partial):
        return CommonStatus.POLICY_REFRESH  # MS-ASPROV_R693
    return CommonStatus.POLICY_REFRESH if _is_due(state, policy, now) else None


def _must_provision(request: Request) -> bool:
    """Whether a device with key 0 is kept out.

    One that provisioned before can do it again. Of one that never did nobody knows: a policy that is not strict asks
    it once, if there is anything to ask for, and then lets it in.
    """
    if request.policy.strict or request.state.key != NO_KEY:
        return True
    return bool(request.policy.settings) and not request.asked


def _is_due(state: PolicyState, policy: PolicySettings, now: datetime) -> bool:
    """MS-ASCMD_R4909: the policy is to be refreshed every few hours."""
    if not policy.refresh_hours:
        return False
    return state.acknowledged is None or now - state.acknowledged >= timedelta(hours=policy.refresh_hours)
