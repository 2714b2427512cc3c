"""Policies by mail domain, what becomes of unprotected mail, and the audit trail, as the configuration has them."""

from pathlib import Path

import pytest

from eas_server.administration import policies
from eas_server.administration.switches import Switches
from eas_server.commands.policy import policy_of
from eas_server.config import parse
from eas_server.errors import ConfigError
from eas_server.model.enforcement import Measure
from eas_server.model.ids import UserId

TEXT = """
[policies.mail]
domains = ["Example.com", "example.org"]
[policies.group]
groups = ["team@example.com"]
[policies.user]
users = ["alice@example.com"]
[smime.enforcement]
missing = "audit"
weak = "refuse"
signer_address = false
[smime.enforcement.domains]
"partner.example" = "refuse"
".partner.example" = "warn"
[audit]
max_file = 1000
log = false
"""


def read(text: str):
    return parse(text, Path("/etc/eas-server.toml"))


def test_defaults():
    config = read("")
    assert config.settings.smime.enforcement.missing is Measure.REFUSE
    assert config.settings.smime.enforcement.weak is Measure.AUDIT
    assert config.audit.enabled
    assert config.settings.audit_log


def test_all_of_it():
    config = read(TEXT)
    enforcement = config.settings.smime.enforcement
    assert (enforcement.missing, enforcement.weak, enforcement.signer_address) == (Measure.AUDIT, Measure.REFUSE, False)
    assert enforcement.measure_for("partner.example") is Measure.REFUSE
    assert enforcement.measure_for("a.b.partner.example") is Measure.WARN
    assert enforcement.measure_for("example.net") is Measure.AUDIT
    assert (config.audit.max_file, config.settings.audit_log) == (1000, False)


def test_user_before_group_before_domain_before_default():
    settings, switches = read(TEXT).settings, Switches()
    team = frozenset({UserId("alice@example.com"), UserId("bob@example.com")})
    live = policies.in_force(settings, switches, {"team@example.com": team})
    found = {name: policy_of(live, UserId(f"{name}@example.com")).name for name in ("alice", "bob", "carol")}
    assert found == {"alice": "user", "bob": "group", "carol": "mail"}
    assert policy_of(live, UserId("dave@example.net")).name == "default"
    switched = policies.in_force(settings, Switches(policy_of_user={"carol@example.com": "user"}), {})
    assert policy_of(switched, UserId("carol@example.com")).name == "user"
    named = {each.policy.name: list(each.domains) for each in policies.all_assigned(settings, switches)}
    assert named == {"default": [], "mail": ["example.com", "example.org"], "group": [], "user": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[policies.a]\ndomains = ['x.y']\n[policies.b]\ndomains = ['X.y']",
            'policies.b.domains: "X.y" is in policies.a',
        ),
        ("[policies.a]\ndomains = ['a@x.y']", "policies.a.domains"),
        ("[policies.a]\ndomains = ['']", "policies.a.domains"),
        ("[smime.enforcement]\nmissing = 'maybe'", "smime.enforcement.missing"),
        ("[smime.enforcement.domains]\n'a@b' = 'audit'", "smime.enforcement.domains"),
        ("[smime.enforcement.domains]\n'a.b' = true", "smime.enforcement.domains.a.b"),
        ("[audit]\nmax_file = -1", "audit.max_file"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        read(text)
