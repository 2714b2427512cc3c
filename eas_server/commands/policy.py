"""Which policy holds for a user, and a name for its content."""

import hashlib
import json

from eas_server.model.ids import UserId
from eas_server.model.settings import PolicySettings, Settings

_DIGEST_CHARACTERS = 32


def policy_of(settings: Settings, user: UserId) -> PolicySettings:
    """The policy of a user: the one assigned, else the default one."""
    name = settings.policy_of_user.get(user, settings.default_policy)
    found = settings.policies.get(name)
    return found if found is not None else PolicySettings(name=name)


def policy_digest(policy: PolicySettings) -> str:
    """Names the policy and what devices are told by it: another name or other settings give another digest.

    Whether the policy is strict, and when it is to be refreshed, devices are not told: it does not count.
    """
    content = json.dumps([policy.name, sorted(policy.settings.items())], default=list)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_CHARACTERS]
