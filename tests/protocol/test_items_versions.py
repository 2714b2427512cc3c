"""Which version has which element of the classes and of AirSyncBase, by every statement of the documents."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from protocol.commands.item_operations import AttachmentProperties, Fetch
from protocol.commands.sync import Change, Options
from protocol.elements import Element
from protocol.items.airsyncbase import (
    AddAttachment,
    Attachment,
    Attachments,
    Body,
    BodyPart,
    BodyPartPreference,
    BodyPartStatus,
    BodyPreference,
    BodyType,
    DeleteAttachment,
    Location,
    Method,
)
from protocol.items.calendar import Calendar
from protocol.items.email import Email
from protocol.items.rights import License
from protocol.schema import EMPTY, dump
from protocol.versions import SUPPORTED, ProtocolVersion
from tests.protocol import (
    test_items_calendar,
    test_items_contacts,
    test_items_email,
    test_items_notes,
    test_items_tasks,
)
from tests.protocol.items import DOCUMENTS

MOMENT = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
_SIZES: dict[str, Any] = {"truncation_size": 5, "all_or_none": True, "preview": 5}
_PLACES = dict.fromkeys(("display_name", "annotation", "street", "city", "state", "country", "postal_code"), "x")
_NUMBERS = dict.fromkeys(("latitude", "longitude", "accuracy", "altitude", "altitude_accuracy"), "1.5")
SHOWN = Email(
    native_body_type=2,
    body=Body(type=BodyType.HTML, estimated_data_size=4, truncated=True, data="text", preview="te", part=1),
    body_part=BodyPart(
        status=BodyPartStatus.SUCCESS,
        type=BodyType.HTML,
        estimated_data_size=4,
        truncated=True,
        data="text",
        preview="te",
    ),
    attachments=Attachments(
        changes=(
            Attachment(
                display_name="a",
                file_reference="1",
                client_id="c",
                method=Method.NORMAL,
                estimated_data_size=1,
                content_id="i",
                content_location="l",
                is_inline=True,
            ),
            AddAttachment(client_id="c", method=Method.NORMAL, content=b"x", display_name="a"),
            DeleteAttachment(file_reference="1"),
        )
    ),
)
ASKED = Options(
    body_preferences=(BodyPreference(type=BodyType.HTML, **_SIZES),),
    body_part_preference=BodyPartPreference(type=BodyType.HTML, **_SIZES),
)
_RIGHTS: dict[str, Any] = {field.name: True for field in fields(License)}
_TEXTS: dict[str, Any] = dict.fromkeys(("content_owner", "template_id", "template_description", "template_name"), "x")
LICENSE = License(**(_RIGHTS | _TEXTS | {"content_expiry_date": MOMENT}))
MAIL = replace(test_items_email.FULL, meeting_request=test_items_email.MEETING, rights_management_license=LICENSE)
EXAMPLES = {
    "MS-ASCAL": (replace(test_items_calendar.FULL, client_uid="c", categories=("x",)),),
    "MS-ASEMAIL": (MAIL, Change(server_id="1:1", send=EMPTY)),
    "MS-ASCNTC": (test_items_contacts.FULL,),
    "MS-ASNOTE": (test_items_notes.FULL,),
    "MS-ASTASK": (test_items_tasks.FULL,),
    "MS-ASAIRS": (
        SHOWN,
        Calendar(location=Location(**_PLACES, **_NUMBERS, location_uri="x:y")),
        ASKED,
        Change(server_id="1:1", instance_id="20261203T131800Z"),
        Fetch(store="Mailbox", file_reference="1"),
        AttachmentProperties(content_type="text/plain"),
    ),
}
"""What has every element of a document, with all its children."""

_STATEMENT = re.compile(
    r"(MS-AS\w+_R\d+)\t[^\t]*\t(?:Server|Both)\tNormative\t"
    r"\[In (\w+)(?: ?\((\w+)(?: Namespace)?\))?\] Protocol version (\d+\.\d) (does not |doens't )?supports? this"
)
_NAMESPACES = {
    ("MS-ASCAL", "Location"): "calendar",
    ("MS-ASEMAIL", "Location"): "email",
    ("MS-ASEMAIL", "DisplayName"): "email",
}
"""What another namespace has an element of that name for."""
_DEVIATIONS = frozenset({"MS-ASEMAIL_R1229", "MS-ASEMAIL_R1230"})
"""See MeetingRequest."""
_NO_ELEMENT = frozenset({"TopLevelSchemaProps"})
"""A group of the schemas."""


def statements() -> Iterator[tuple[str, str, str, list[tuple[str, ProtocolVersion, bool]]]]:
    """By document, parent and element: the ids, each with its version and whether that has the element."""
    versions = {str(version): version for version in SUPPORTED}
    for document in EXAMPLES:
        if not DOCUMENTS.exists():
            return
        found: dict[tuple[str, str], list[tuple[str, ProtocolVersion, bool]]] = {}
        for match in _STATEMENT.finditer((DOCUMENTS / f"{document}.tsv").read_text("utf-8")):
            id_, name, parent, version, denied = match.groups()
            if name not in _NO_ELEMENT and id_ not in _DEVIATIONS and version in versions:
                parent = parent or _NAMESPACES.get((document, name), "")
                found.setdefault((parent, name), []).append((id_, versions[version], not denied))
        for (parent, name), said in found.items():
            yield document, parent, name, said


def _below(root: Element) -> Iterator[tuple[str, str]]:
    for child in root.children:
        yield root.tag.name.casefold(), child.tag.name.casefold()
        yield child.tag.namespace.casefold(), child.tag.name.casefold()
        yield from _below(child)


@cache
def shown(document: str, version: ProtocolVersion) -> frozenset[tuple[str, str]]:
    """Parents and elements that the version gets of the examples; an element stands under its namespace and "" too."""
    pairs = [pair for example in EXAMPLES[document] for pair in _below(dump(example, version))]
    return frozenset([*pairs, *(("", name) for _, name in pairs)])


def _cases() -> Iterable[Any]:
    for document, parent, name, said in statements():
        marks = pytest.mark.requirement(*(id_ for id_, _, _ in said))
        yield pytest.param(document, parent, name, said, marks=marks, id=f"{document}-{parent}-{name}")


@pytest.mark.skipif(not DOCUMENTS.exists(), reason="the protocol documents are not here")
@pytest.mark.parametrize(("document", "parent", "name", "said"), list(_cases()))
def test_an_element_is_written_to_the_versions_that_have_it(
    document: str, parent: str, name: str, said: list[tuple[str, ProtocolVersion, bool]]
) -> None:
    parent = "" if parent.casefold() in {"airsyncbase", "contacts2"} else parent
    where = (parent.casefold(), name.casefold())
    for id_, version, has in said:
        assert (where in shown(document, version)) is has, id_
