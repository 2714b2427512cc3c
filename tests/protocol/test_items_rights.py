"""The elements of rights management, by version and by limit ([MS-ASRM] 2.2.2)."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from protocol import wbxml
from protocol.commands.item_operations import Fetch, FetchOptions
from protocol.commands.send_mail import Request
from protocol.commands.settings import RightsManagementDetails
from protocol.elements import Element, Opaque
from protocol.errors import MalformedXml
from protocol.items.email import Email
from protocol.items.rights import (
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_OWNER,
    NEVER,
    License,
    Template,
    Templates,
)
from protocol.schema import EMPTY, dump, load
from protocol.versions import SUPPORTED, V14_1, V16_1, ProtocolVersion

LICENSE = License(
    owner=False,
    content_owner="alice@example.com",
    reply_all_allowed=True,
    edit_allowed=False,
    reply_allowed=True,
    forward_allowed=False,
    export_allowed=False,
    modify_recipients_allowed=False,
    template_id="e6f0a6a4-1b5f-4c0c-9d4e-000000000001",
    extract_allowed=False,
    template_description="Described",
    content_expiry_date=datetime(2026, 12, 3, 13, 18, 0, 500000, tzinfo=UTC),
    template_name="Named",
    print_allowed=True,
    programmatic_access_allowed=False,
)
TEMPLATES = Templates(templates=(Template(template_id="1", template_name="Named", template_description="Described"),))

IN_LICENSE = {
    "ContentExpiryDate": 1000,
    "ContentOwner": 1004,
    "EditAllowed": 1010,
    "ExportAllowed": 1014,
    "ExtractAllowed": 1018,  # whose statements have "AllowBrowser", a slip: the section is that of ExtractAllowed
    "ForwardAllowed": 1022,
    "ModifyRecipientsAllowed": 1026,
    "Owner": 1030,
    "PrintAllowed": 1034,
    "ProgrammaticAccessAllowed": 1038,
    "ReplyAllAllowed": 1046,
    "ReplyAllowed": 1050,
    "TemplateDescription": 1070,
    "TemplateID": 1078,
    "TemplateName": 1090,
}
"""The element, and the first of the five statements about its versions."""
IN_TEMPLATE = {"TemplateDescription": 1074, "TemplateID": 1082, "TemplateName": 1094}
IN_REQUESTS = {"RemoveRightsManagementProtection": 1042, "RightsManagementSupport": 1058, "TemplateID": 1086}


def stated(first: int, version: ProtocolVersion) -> str:
    """The id of the statement about a version: four in a row, and one of 16.1 behind the last of them."""
    numbers = [first, first + 1, first + 2, first + 3, (first + 3) * 10 + 1]
    return f"MS-ASRM_R{numbers[SUPPORTED.index(version)]}"


def cases(table: dict[str, int]) -> list[object]:
    """Each element in each version, with its statement."""
    return [
        pytest.param(name, version, marks=pytest.mark.requirement(stated(first, version)), id=f"{name}-{version}")
        for name, first in table.items()
        for version in SUPPORTED
    ]


def names(tree: Element) -> set[str]:
    """All elements of a tree."""
    return {tree.tag.name} | {name for child in tree.children for name in names(child)}


@pytest.mark.parametrize(("name", "version"), cases({**IN_LICENSE, "RightsManagementLicense": 1054}))
def test_the_license_by_version(name: str, version: ProtocolVersion) -> None:
    written = dump(Email(subject="x", rights_management_license=LICENSE), version)
    assert (name in names(written)) == (version >= V14_1)


@pytest.mark.parametrize(
    ("name", "version"),
    cases({**IN_TEMPLATE, "RightsManagementTemplate": 1062, "RightsManagementTemplates": 1066}),
)
def test_templates_by_version(name: str, version: ProtocolVersion) -> None:
    written = dump(RightsManagementDetails(templates=TEMPLATES), version)
    assert (name in names(written)) == (version >= V14_1)


@pytest.mark.parametrize(("name", "version"), cases(IN_REQUESTS))
def test_requests_by_version(name: str, version: ProtocolVersion) -> None:
    sent = Request(client_id="1", mime=Opaque(b""), template_id="1")
    fetch = Fetch(store="Mailbox", options=FetchOptions(rights_management=True), remove_protection=EMPTY)
    assert (name in names(dump(sent, version)) | names(dump(fetch, version))) == (version >= V14_1)


@pytest.mark.requirement("MS-ASRM_R316", "MS-ASRM_R108", "MS-ASRM_R21", "MS-ASRM_R29", "MS-ASRM_R35", "MS-ASRM_R45")
@pytest.mark.requirement("MS-ASRM_R54", "MS-ASRM_R59", "MS-ASRM_R64", "MS-ASRM_R69", "MS-ASRM_R77", "MS-ASRM_R83")
@pytest.mark.requirement("MS-ASRM_R96", "MS-ASRM_R101", "MS-ASRM_R143", "MS-ASRM_R159", "MS-ASRM_R173")
@pytest.mark.requirement("MS-ASRM_R37", "MS-ASRM_R47", "MS-ASRM_R56", "MS-ASRM_R61", "MS-ASRM_R66", "MS-ASRM_R71")
@pytest.mark.requirement("MS-ASRM_R80", "MS-ASRM_R85", "MS-ASRM_R98", "MS-ASRM_R103", "MS-ASRM_R27", "MS-ASRM_R28")
def test_a_license_on_the_wire() -> None:
    tree = dump(LICENSE, V16_1)
    assert {child.tag.name for child in tree.children} == set(IN_LICENSE)
    texts = {child.tag.name: child.text for child in tree.children}
    assert texts["ContentExpiryDate"] == "2026-12-03T13:18:00.500Z"
    assert {texts[name] for name in IN_LICENSE if name.endswith("Allowed")} == {"0", "1"}
    assert all(not child.children for child in tree.children)
    assert load(License, wbxml.decode(wbxml.encode(tree).join())) == LICENSE


@pytest.mark.requirement("MS-ASRM_R23")
def test_a_license_without_end() -> None:
    tree = dump(replace(LICENSE, content_expiry_date=NEVER), V16_1)
    assert [c.text for c in tree.children if c.tag.name == "ContentExpiryDate"] == ["9999-12-30T23:59:59.999Z"]


@pytest.mark.parametrize("field", [field.name for field in fields(License)])
def test_a_license_lacks_nothing(field: str) -> None:
    name = "".join(part.capitalize() for part in field.split("_")).replace("Id", "ID")
    tree = dump(LICENSE, V16_1)
    children = [child for child in tree.children if child.tag.name != name]
    assert len(children) == len(IN_LICENSE) - 1
    with pytest.raises(MalformedXml):
        load(License, Element(tree.tag, children))


@pytest.mark.requirement("MS-ASRM_R34", "MS-ASRM_R147", "MS-ASRM_R177")
@pytest.mark.parametrize(
    ("field", "most"),
    [("content_owner", MAX_OWNER), ("template_description", MAX_DESCRIPTION), ("template_name", MAX_NAME)],
)
def test_texts_have_an_end(field: str, most: int) -> None:
    load(License, dump(replace(LICENSE, **{field: "x" * most}), V16_1))
    with pytest.raises(MalformedXml):
        load(License, dump(replace(LICENSE, **{field: "x" * (most + 1)}), V16_1))


@pytest.mark.requirement("MS-ASRM_R304", "MS-ASRM_R303", "MS-ASRM_R132", "MS-ASRM_R137", "MS-ASRM_R317")
def test_templates_on_the_wire() -> None:
    assert load(Templates, dump(TEMPLATES, V16_1)) == TEMPLATES
    assert dump(Templates(), V16_1).content is None
