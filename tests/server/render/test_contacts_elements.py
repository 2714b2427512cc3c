"""Every element of a contact by itself: what it holds, how it is cleared, repeated, ghosted; it moves no other."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eas_server.render.contacts.vcard import apply_contact, contact_from
from eas_server.render.merging import TAGS
from protocol import wbxml
from protocol.elements import Element
from protocol.errors import MalformedXml
from protocol.items.contacts import Contact
from protocol.schema import EMPTY, dump, load, tag_of
from protocol.versions import SUPPORTED, V14_1, ProtocolVersion
from tests.server.render.documents import ids_of

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
OF_THE_CACHE = frozenset({"alias", "weighted_rank"})
NAMES = [name for name in TAGS[Contact] if name not in OF_THE_CACHE]
_MOMENT = datetime(1980, 3, 4, 11, 59, tzinfo=UTC)
_FIRST: dict[str, Any] = {
    "birthday": _MOMENT,
    "anniversary": _MOMENT.replace(year=2001),
    "picture": b"\xff\xd8first",
    "categories": ("a", "b"),
    "children": ("c", "d"),
}
_SECOND: dict[str, Any] = {
    "birthday": datetime(1979, 2, 28, 23, 30, 15, tzinfo=UTC),
    "anniversary": _MOMENT.replace(year=1),
    "picture": b"\x89PNGsecond",
    "categories": ("b", "x;y,z\\"),
    "children": ("d, Jr.", "e;f"),
}
_EMPTY: dict[str, Any] = {"birthday": EMPTY, "anniversary": EMPTY, "picture": b"", "categories": (), "children": ()}
FULL = Contact(**{name: _FIRST.get(name, f"The {name}") for name in NAMES})
FULL_NAME = "The first_name The middle_name The last_name The suffix"
ODD_TEXTS = (
    "semi;colon, comma \\ back\\n \"quoted\" 'x' <&>",
    "two\nlines",
    "Zoë 太郎 \N{FAMILY} \N{GRINNING FACE}",
    "tel:+49 30 1",
    "https://example.com/?a=1,2;b#c d",
    "BEGIN:VCARD",
    " spaces ",
    "tab\tbed",
    "%0A=0A&#10;",
    "x" * 5000,
)


def change(stored: bytes | None, new: Contact, version: ProtocolVersion = V14_1, **options: Any) -> bytes:
    """What a client's Add or Change makes of a contact, by way of the wire."""
    sent = load(Contact, wbxml.decode(wbxml.encode(dump(new, version)).join()))
    return apply_contact(stored, sent, version=version, now=NOW, uid="u1", **options)


def seen(stored: bytes, version: ProtocolVersion = V14_1) -> Contact:
    """The contact as a device of the version gets it, without its body."""
    found = contact_from(stored)
    return replace(load(Contact, wbxml.decode(wbxml.encode(dump(found, version)).join())), body=None)


def elements() -> Iterator[Any]:
    """Each field, marked with what the documents say of its element."""
    patterns = (r"can be ghosted", r"is a (?:string|datetime) data type", r"element \[?(?:is a container|specifies)")
    said = ids_of("MS-ASCNTC", patterns)
    for name in NAMES:
        yield pytest.param(name, marks=pytest.mark.requirement(*said[TAGS[Contact][name].name]), id=name)


def test_everything_at_once() -> None:
    assert seen(change(None, FULL)) == FULL


@pytest.mark.parametrize("name", list(elements()))
def test_an_element(name: str) -> None:
    first, second = getattr(FULL, name), _SECOND.get(name, "Another")
    for version in SUPPORTED:
        stored = change(None, FULL, version)
        assert seen(stored, version) == FULL
        assert getattr(seen(change(None, Contact(**{name: second}), version), version), name) == second
        changed = change(stored, replace(FULL, **{name: second}), version)
        assert seen(changed, version) == replace(FULL, **{name: second})
        empty = replace(FULL, **{name: _EMPTY.get(name, "")})
        gone = seen(change(stored, empty, version), version)
        assert getattr(gone, name) is None or (name == "file_as" and gone.file_as)
        assert replace(gone, **{name: first}) == FULL
        assert seen(change(change(stored, empty, version), FULL, version), version) == FULL


@pytest.mark.parametrize("name", list(elements()))
def test_a_ghosted_element(name: str) -> None:
    """Absent, it is deleted where it counts as supported, and kept where it does not."""
    tag = TAGS[Contact][name]
    others = frozenset(TAGS[Contact].values()) - {tag}
    stored = change(None, FULL)
    absent = replace(FULL, **{name: None})
    assert seen(change(stored, absent, supported=others)) == FULL
    left = seen(change(stored, Contact(), supported=others))
    assert getattr(left, name) == getattr(FULL, name)
    assert {f.name for f in fields(Contact) if getattr(left, f.name) is not None} - {"file_as"} == {name, "picture"} - {
        "file_as"
    }
    gone = seen(change(stored, absent, supported=others | {tag}))
    if name == "file_as":  # a contact without one is filed by its name
        assert gone.file_as == FULL_NAME
    elif name == "picture":  # a device that manages pictures need not send it with each change
        assert gone == FULL
    else:
        assert gone == replace(FULL, **{name: None})


@pytest.mark.parametrize("name", NAMES)
def test_an_element_is_there_once_and_holds_a_value(name: str) -> None:
    (one,) = dump(Contact(**{name: getattr(FULL, name)})).children
    with pytest.raises(MalformedXml):
        load(Contact, Element(tag_of(Contact), [one, one]))
    inner = [Element(TAGS[Contact]["first_name" if name != "first_name" else "spouse"], "x")]
    if name not in {"categories", "children"}:
        with pytest.raises(MalformedXml):
            load(Contact, Element(tag_of(Contact), [Element(one.tag, inner)]))


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text_comes_back(text: str) -> None:
    """Whatever stands in one place is read from it, and changes nothing beside it."""
    texts = [f.name for f in fields(Contact) if isinstance(getattr(FULL, f.name), str)]
    everywhere = replace(FULL, **dict.fromkeys(texts, text))
    stored = change(None, everywhere)
    assert seen(stored) == everywhere
    assert change(stored, everywhere) == stored
    for name in texts:
        alone = Contact(**{name: text})
        assert getattr(seen(change(None, alone)), name) == text
        assert seen(change(change(None, FULL), replace(FULL, **{name: text}))) == replace(FULL, **{name: text})
