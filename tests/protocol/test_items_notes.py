"""The elements of notes against the schemas and the statements of the documents."""

from datetime import UTC, datetime

import pytest

from protocol.items.airsyncbase import Body, BodyType
from protocol.items.notes import Note
from protocol.schema import dump
from protocol.versions import V12_1
from tests.protocol.items import again, assert_valid_everywhere, assert_versions

FULL = Note(
    subject="Subject",
    message_class="IPM.StickyNote",
    last_modified_date=datetime(2026, 12, 3, 13, 18, tzinfo=UTC),
    categories=("a", "b"),
    body=Body(type=BodyType.PLAIN, estimated_data_size=4, truncated=False, data="text"),
)


@pytest.mark.requirement("MS-ASNOTE_R3", "MS-ASNOTE_R126")
def test_a_full_note_holds_by_the_schema() -> None:
    assert_valid_everywhere(FULL)
    assert again(FULL) == FULL
    assert again(Note()) == Note()


@pytest.mark.requirement("MS-ASNOTE_R60001", "MS-ASNOTE_R57001", "MS-ASNOTE_R53001", "MS-ASNOTE_R47001")
@pytest.mark.requirement("MS-ASNOTE_R43001", "MS-ASNOTE_R50001", "MS-ASNOTE_R43002", "MS-ASNOTE_R60002")
def test_versions() -> None:
    assert dump(FULL, V12_1).content is None
    assert_versions(FULL, "MS-ASNOTE")


@pytest.mark.requirement("MS-ASNOTE_R53")
def test_the_date_is_compact() -> None:
    assert [e.text for e in dump(FULL).children if e.tag.name == "LastModifiedDate"] == ["20261203T131800Z"]
