"""`[rights]` of the configuration."""

from pathlib import Path

import pytest

from eas_server.config import parse
from eas_server.errors import ConfigError

GUID = "e6f0a6a4-1b5f-4c0c-9d4e-2f6d6c1b7a55"
PATH = Path("/etc/eas-server.toml")


def template(**keys: object) -> str:
    """A template with these keys."""
    values = {"id": GUID, "name": "Confidential", "description": "For you alone.", **keys}
    lines = (f"{name} = {written(value)}" for name, value in values.items() if value is not None)
    return "\n".join(("[[rights.templates]]", *lines, ""))


def written(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and not value.startswith("{") else str(value)


def test_without_it_there_is_no_rights_management() -> None:
    assert not parse("", PATH).settings.rights.active
    assert not parse("[rights]\nenabled = true\n", PATH).settings.rights.active
    assert not parse("[rights]\nenabled = false\n" + template(), PATH).settings.rights.active


def test_a_template() -> None:
    text = template(id=f"urn:uuid:{GUID.upper()}", reply_allowed=True, expiry_days=3, names='{ de = "Vertraulich" }')
    rights = parse(text, PATH).settings.rights
    assert rights.active
    (found,) = rights.templates
    assert found.key == GUID
    assert found.reply_allowed
    assert not found.export_allowed
    assert found.names == {"de": "Vertraulich"}
    for form in (GUID, GUID.upper(), f"{{{GUID}}}", f" {GUID} ", GUID.replace("-", "")):
        assert rights.template(form) is found
    for other in ("", "x", GUID[:-1], GUID[:-1] + "6"):
        assert rights.template(other) is None


@pytest.mark.requirement("MS-ASRM_R304", "MS-ASRM_R147", "MS-ASRM_R152", "MS-ASRM_R177", "MS-ASRM_R182")
@pytest.mark.requirement("MS-ASRM_R1421", "MS-ASRM_R1721", "MS-ASRM_R1009", "MS-ASRM_R34")
@pytest.mark.parametrize(
    ("text", "key"),
    [
        (template(id="x"), r"rights\.templates\[0\]\.id: .*GUID"),
        (template(id="00000000-0000-0000-0000-000000000000"), r"templates\[0\]\.id: .*no restriction"),
        (template() + template(id=GUID.upper()), r"templates\[1\]\.id: .*twice"),
        (template(name=""), r"templates\[0\]\.name"),
        (template(name="x" * 257), r"templates\[0\]\.name"),
        (template(description="x" * 10_241), r"templates\[0\]\.description"),
        (template(description=None), r"templates\[0\]\.description: is missing"),
        (template(names='{ de = " " }'), r"templates\[0\]\.names\.de"),
        (template(descriptions=f'{{ de = "{"x" * 10_241}" }}'), r"templates\[0\]\.descriptions\.de"),
        (template(export_allowed=True), r"templates\[0\]\.edit_allowed"),
        (template(content_owner="nobody"), r"templates\[0\]\.content_owner"),
        (template(content_owner="x" * 320 + "@example.com"), r"templates\[0\]\.content_owner"),
        (template(expiry_days=-1), r"templates\[0\]\.expiry_days"),
        (template(license_days=10**9), r"templates\[0\]\.license_days"),
        (template(modify_recipients_allowed=True), r"templates\[0\]\.modify_recipients_allowed: is unknown"),
        ("".join(template(id=f"{number:032x}") for number in range(1, 22)), r"rights\.templates: .*20"),
    ],
)
def test_what_is_wrong(text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        parse(text, PATH)


def test_twenty_are_not_too_many() -> None:
    text = "".join(template(id=f"{number:032x}") for number in range(1, 21))
    assert len(parse(text, PATH).settings.rights.templates) == 20
