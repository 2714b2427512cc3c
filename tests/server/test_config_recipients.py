"""The sections [recipients] and [harvest]."""

from pathlib import Path

import pytest

from eas_server.config import parse
from eas_server.errors import ConfigError
from eas_server.model.certificates import HarvestScope, HarvestSettings, ServedCertificates, Source

PATH = Path("/etc/eas-server.toml")


def test_what_holds_without_them() -> None:
    settings = parse("", PATH).settings
    assert (settings.served, settings.harvest) == (ServedCertificates(), HarvestSettings())
    assert settings.harvest.scope is HarvestScope.OFF
    assert settings.served.sources[:2] == (Source.USER_SMIME_CERTIFICATE, Source.USER_CERTIFICATE)


def test_all_keys() -> None:
    text = """
[recipients]
sources = ["contacts", "userCertificate"]
require_trusted = true
refuse_revoked = false
min_rsa_bits = 1024
min_ec_bits = 0
[harvest]
scope = "everybody"
max_message = 1000
"""
    settings = parse(text, PATH).settings
    assert settings.served == ServedCertificates(
        sources=(Source.CONTACTS, Source.USER_CERTIFICATE),
        require_trusted=True,
        refuse_revoked=False,
        min_rsa_bits=1024,
        min_ec_bits=0,
    )
    assert settings.harvest == HarvestSettings(scope=HarvestScope.EVERYBODY, max_message=1000)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[recipients]\nsources = []", "recipients.sources: must name at least one of"),
        ('[recipients]\nsources = ["contacts", "contacts"]', "each once"),
        ('[recipients]\nsources = ["local"]', "must name at least one of"),
        ('[recipients]\nsources = ["ldap"]', "recipients.sources: must be a list"),
        ('[recipients]\nsources = ["harvested", "userCertificate"]', "must come behind"),
        ('[recipients]\nsources = ["userCertificate", "contacts", "userSMIMECertificate"]', "must stand together"),
        ("[recipients]\nmin_rsa_bits = -1", "recipients.min_rsa_bits: must not be negative"),
        ('[harvest]\nscope = "all"', "harvest.scope: must be one of"),
    ],
)
def test_what_cannot_work_is_told(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse(text, PATH)
