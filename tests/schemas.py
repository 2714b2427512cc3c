"""Validation of responses against the schemas of the protocol documents, where those are at hand."""

import tempfile
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from protocol.elements import Element
from protocol.schema import dump
from protocol.versions import SUPPORTED, ProtocolVersion
from protocol.xmltext import to_schema_xml

SCHEMAS = Path(__file__).resolve().parents[2] / "shared" / "spec" / "schemas"
XS = "{http://www.w3.org/2001/XMLSchema}"

PROPOSED_TIMES = """<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="MeetingResponse">
  <element name="ProposedStartTime" type="string"/><element name="ProposedEndTime" type="string"/>
</schema>"""
"""What the schemas of the documents refer to and none of them has."""

_SHARED = {"AirSync", "FolderHierarchy", "ItemOperations", "Find", "Provision", "Search", "Settings", "ComposeMail"}


def completed(folder: Path) -> None:
    """Write the schemas to `folder` with the imports and includes that the documents leave out."""
    for path in SCHEMAS.glob("*.xsd"):
        schema = etree.parse(path).getroot()
        own = schema.get("targetNamespace")
        others = sorted(set(schema.nsmap.values()) - {own, XS[1:-1]})
        for other in others:
            location = "SettingsResponse" if other == "Settings" else other  # the one that has DeviceInformation
            schema.insert(0, etree.Element(f"{XS}import", namespace=other, schemaLocation=f"{location}.xsd"))
        if own in _SHARED and path.stem != own:
            schema.insert(0, etree.Element(f"{XS}include", schemaLocation=f"{own}.xsd"))
        (folder / path.name).write_bytes(etree.tostring(schema))
    (folder / "MeetingResponse.xsd").write_text(PROPOSED_TIMES)


@cache
def response_schema(command: str) -> etree.XMLSchema | None:
    """The schema of a command's response; None where the protocol documents are not at hand."""
    if not SCHEMAS.exists():
        return None
    with tempfile.TemporaryDirectory() as name:
        completed(Path(name))
        return etree.XMLSchema(etree.parse(Path(name) / f"{command}Response.xsd"))


def is_valid(root: Element, command: str) -> bool:
    """Whether `root` holds by the schema of the command's response. Skips the test without the documents."""
    schema = response_schema(command)
    if schema is None:
        pytest.skip("the protocol documents are not here")
    return bool(schema.validate(etree.fromstring(to_schema_xml(root))))


def assert_valid(response: object, command: str, version: ProtocolVersion | None = None) -> None:
    """Fail unless `response` (an Element, or a declared value) holds by the schema of the command's response.

    A declared value is tried in `version`, or in all versions. Without the protocol documents nothing is checked,
    so that the other assertions of a test still count.
    """
    schema = response_schema(command)
    if schema is None:
        return
    if isinstance(response, Element):
        roots = [response]
    else:
        roots = [dump(response, v) for v in ([version] if version is not None else SUPPORTED)]
    for root in roots:
        schema.assertValid(etree.fromstring(to_schema_xml(root)))
