"""`[smime]` of the configuration."""

from pathlib import Path

import pytest

from eas_server.config import parse
from eas_server.errors import ConfigError
from eas_server.model.settings import CrlCheck, PublishedChain, SmimeSettings

FILE = Path("/etc/eas/eas-server.toml")


def test_what_is_not_said() -> None:
    assert parse("", FILE).smime == parse("", FILE).settings.smime == SmimeSettings()


def test_all_that_can_be_said() -> None:
    text = """
        [smime]
        system_trust = true
        system_trust_file = "ca.pem"
        check_crl_on_validate = "always"
        check_crl_on_send = true
        group_seconds = 5
        secondary_addresses = false
        published_chain = "none"
    """
    found = parse(text, FILE).settings.smime
    assert found == SmimeSettings(
        system_trust=True,
        system_trust_file="/etc/eas/ca.pem",
        check_crl_on_validate=CrlCheck.ALWAYS,
        check_crl_on_send=True,
        group_seconds=5,
        secondary_addresses=False,
        published_chain=PublishedChain.NONE,
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('check_crl_on_validate = "sometimes"', 'one of "as-asked", "always", "never"'),
        ('published_chain = "root"', 'one of "with-root", "without-root", "none"'),
        ("group_seconds = -1", "must not be negative"),
        ("system_trust = 1", "true or false"),
        ("sytem_trust = true", "did you mean system_trust?"),
    ],
)
def test_what_is_wrong(line: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason.replace("?", r"\?")):
        parse(f"[smime]\n{line}\n", FILE)
