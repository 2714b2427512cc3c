"""Notes out of VJOURNALs and into them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eas_server.render.contentlines import MalformedLines
from eas_server.render.notes import apply_note, last_modified, note_from, search_text
from eas_server.render.pim import InvalidItem
from protocol.items.airsyncbase import Body, BodyType
from protocol.items.notes import Note
from protocol.versions import V14_1

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
LATER = datetime(2026, 12, 4, 13, 18, tzinfo=UTC)
FOREIGN = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Other//EN
X-WR-CALNAME:Mine
BEGIN:VJOURNAL
UID:1
DTSTAMP:20260101T000000Z
X-Odd;x=y:z
SUMMARY;LANGUAGE=en:Shopping
CATEGORIES:a,b
CATEGORIES:c
DESCRIPTION:Milk\\nEggs
ATTACH:https://example.com/a
END:VJOURNAL
END:VCALENDAR
""".replace(b"\n", b"\r\n")
SENT = Note(
    subject="S",
    message_class="IPM.StickyNote.x",
    categories=("a", "b,c"),
    body=Body(type=BodyType.PLAIN, data="1\r\n2"),
)


def change(stored: bytes | None, new: Note, now: datetime = NOW) -> bytes:
    return apply_note(stored, new, version=V14_1, now=now, uid="u1")


def stamps(octets: bytes) -> list[bytes]:
    return [line for line in octets.split(b"\r\n") if not line.startswith((b"DTSTAMP", b"LAST-MODIFIED"))]


def test_what_is_sent_comes_back() -> None:
    body = Body(type=BodyType.PLAIN, estimated_data_size=4, truncated=False, data="1\r\n2")
    assert note_from(change(None, SENT)) == replace(SENT, last_modified_date=NOW, body=body)


@pytest.mark.requirement("MS-ASNOTE_R125", "MS-ASNOTE_R123", "MS-ASNOTE_R54")
def test_a_foreign_note_is_read() -> None:
    assert note_from(FOREIGN) == Note(
        subject="Shopping",
        message_class="IPM.StickyNote",
        last_modified_date=datetime(2026, 1, 1, tzinfo=UTC),
        categories=("a", "b", "c"),
        body=Body(type=BodyType.PLAIN, estimated_data_size=10, truncated=False, data="Milk\r\nEggs"),
    )
    assert search_text(FOREIGN).split() == ["Shopping", "Milk", "Eggs", "a", "b", "c"]
    assert last_modified(FOREIGN) == datetime(2026, 1, 1, tzinfo=UTC)
    empty = b"BEGIN:VCALENDAR\r\nBEGIN:VJOURNAL\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n"
    body = note_from(empty).body
    assert body is not None
    assert body.data == ""
    with pytest.raises(MalformedLines):
        note_from(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")


def test_the_same_again_changes_nothing() -> None:
    assert change(FOREIGN, note_from(FOREIGN)) == FOREIGN


@pytest.mark.parametrize(
    ("new", "old", "line"),
    [
        (Note(subject="X"), b"SUMMARY;LANGUAGE=en:Shopping", b"SUMMARY;LANGUAGE=en:X"),
        (Note(subject=""), b"SUMMARY;LANGUAGE=en:Shopping", b"SUMMARY;LANGUAGE=en:"),
        (Note(categories=("a", "c")), b"CATEGORIES:a,b\r\nCATEGORIES:c", b"CATEGORIES:a,c"),
        (Note(body=Body(type=BodyType.PLAIN, data="n")), b"Milk\\nEggs", b"n"),
    ],
)
def test_one_field_changes_and_the_rest_stays(new: Note, old: bytes, line: bytes) -> None:
    new = new if new.categories else replace(new, categories=("a", "b", "c"))
    changed = change(FOREIGN, new)
    if new.subject == "":
        assert stamps(changed) == stamps(FOREIGN.replace(old + b"\r\n", b""))
    else:
        assert stamps(changed) == stamps(FOREIGN.replace(old, line))


@pytest.mark.requirement("MS-ASNOTE_R112", "MS-ASNOTE_R10002", "MS-ASNOTE_R113", "MS-ASNOTE_R10003", "MS-ASNOTE_R209")
def test_what_a_change_leaves_out() -> None:
    stored = change(None, SENT)
    fewer = note_from(change(stored, Note(categories=("a",), last_modified_date=NOW), LATER))
    assert (fewer.categories, fewer.subject, fewer.body, fewer.last_modified_date) == (
        ("a",),
        "S",
        note_from(stored).body,
        LATER,
    )
    assert note_from(change(stored, Note(message_class="IPM.StickyNote"))).categories is None


@pytest.mark.requirement("MS-ASNOTE_R57", "MS-ASNOTE_R119", "MS-ASNOTE_R86")
@pytest.mark.parametrize("name", ["IPM.Note", "IPM.StickyNotes", "x"])
def test_a_class_that_is_none_of_notes(name: str) -> None:
    with pytest.raises(InvalidItem):
        change(None, Note(message_class=name))


def test_too_many_categories() -> None:
    with pytest.raises(InvalidItem):
        change(None, Note(categories=("a",) * 301))


@pytest.mark.requirement("MS-ASNOTE_R50", "MS-ASNOTE_R56", "MS-ASNOTE_R60", "MS-ASNOTE_R211", "MS-ASNOTE_R58")
@pytest.mark.parametrize("text", ['a;b, c\\n "q" <&>', "Zoë \N{GRINNING FACE}", "x" * 5000, "END:VJOURNAL", " s p "])
def test_any_text_comes_back(text: str) -> None:
    sent = Note(subject=text, message_class=f"IPM.StickyNote.{text}", categories=(text, "other"))
    stored = change(None, sent)
    found = note_from(stored)
    assert (found.subject, found.message_class, found.categories) == (
        sent.subject,
        sent.message_class,
        sent.categories,
    )
    assert change(stored, replace(found, body=None)) == stored


def test_300_categories() -> None:
    many = tuple(f"c{number}" for number in range(300))
    assert note_from(change(None, Note(categories=many))).categories == many
