"""Content lines: what nobody touches goes out as it came."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.render import contentlines
from eas_server.render.contentlines import Component, MalformedLines, Property, dump, escape, parse, parse_all

CARD = (
    b"BEGIN:VCARD\r\nversion:3.0\r\nFN:B\xc3\r\n \xb6b\r\nitem1.TEL;type=cell;PREF=1:+49 1\r\n"
    b'item1.X-ABLabel:_$!<Home>!$_\r\nX-FOO;x-p=a^nb;x-q="a;b",c:keep\\,this\\;raw\r\nno line at all\r\n\r\n'
    b"N:Bob;;;;\nTEL;HOME;VOICE:1\r\nEND:VCARD\r\n"
)


def test_untouched_octets_come_back() -> None:
    card = parse(CARD)
    assert dump(card) == CARD
    assert card.text("fn") == "Böb"
    odd = card.first("X-FOO")
    assert odd is not None
    assert odd.params == (("x-p", ("a\nb",)), ("x-q", ("a;b", "c")))
    assert odd.text == "keep,this;raw"
    assert [(p.group, p.value, p.types) for p in card.all("TEL")] == [
        ("item1", "+49 1", {"cell"}),
        ("", "1", {"home", "voice"}),
    ]


def test_a_change_leaves_the_other_lines_alone() -> None:
    card = parse(CARD)
    tel = card.all("TEL")[0]
    changed = card.replaced(tel, tel.with_text("+49 2")).with_text("X-FOO", None)
    expected = CARD.replace(b"+49 1", b"+49 2").replace(b'X-FOO;x-p=a^nb;x-q="a;b",c:keep\\,this\\;raw\r\n', b"")
    assert dump(changed) == expected
    assert dump(card.with_text("FN", "Böb")) == CARD
    assert dump(card.with_added(Property("NOTE", "x"))).endswith(b"VOICE:1\r\nNOTE:x\r\nEND:VCARD\r\n")
    assert dump(card.with_property(Property("TEL", "5"))).count(b"TEL") == 1


def test_components_nest() -> None:
    octets = b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nBEGIN:VALARM\r\nEND:VALARM\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    calendar = parse(octets)
    (task,) = calendar.components("vtodo")
    changed = calendar.replaced(task, task.with_text("UID", "2").without(lambda c: c.is_named("VALARM")))
    assert dump(changed) == b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:2\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"


def test_quoted_printable_of_old_cards() -> None:
    octets = b"BEGIN:VCARD\r\nNOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:a=E4=\r\nb=0D=0Ac\r\nEND:VCARD\r\n"
    card = parse(octets)
    assert dump(card) == octets
    assert card.text("NOTE") == "aäb\nc"
    note = card.all("NOTE")[0]
    assert dump(card.replaced(note, note.with_text("ö"))).splitlines()[1] == "NOTE:ö".encode()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"rubbish",
        b"BEGIN:VCARD\r\n",
        b"BEGIN:VCARD\r\nEND:VTODO\r\n",
        b"END:VCARD\r\n",
        b"X:1\r\nBEGIN:VCARD\r\nEND:VCARD\r\n",
        b"BEGIN:A\r\n" * 40,
        b"BEGIN:A\nEND:A\nBEGIN:A\nEND:A\n",
    ],
)
def test_what_is_no_component(octets: bytes) -> None:
    with pytest.raises(MalformedLines):
        parse(octets)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contentlines, "MAX_LINES", 3)
    with pytest.raises(MalformedLines):
        parse(b"BEGIN:A\nX:1\nX:1\nEND:A\n")
    monkeypatch.setattr(contentlines, "MAX_OCTETS", 3)
    with pytest.raises(MalformedLines):
        parse(b"BEGIN:A\n")


def test_many_cards() -> None:
    assert [c.text("N") for c in parse_all(b"\xef\xbb\xbfBEGIN:V\nN:1\nEND:V\n\nBEGIN:V\nN:2\nEND:V")] == ["1", "2"]


def test_octets_that_are_not_utf8_survive() -> None:
    octets = b"BEGIN:V\r\nN;x=\xfe:\xff\x01\r\nEND:V\r\n"
    card = parse(octets)
    assert card.text("N") == "\ufffd"
    assert dump(card) == octets
    name = card.all("N")[0]
    assert dump(card.replaced(name, name.with_value(name.value))) == octets


LINES = st.lists(
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=90).map(str.encode)
    | st.sampled_from([b"TEL;A=b;C:1", b" folded", b'X;a="b:c":d', b"X;ENCODING=QUOTED-PRINTABLE:a=", b"A;b=^'c:d"]),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_any_lines_come_back(lines: list[bytes]) -> None:
    octets = b"BEGIN:X\r\n" + b"".join(line + b"\r\n" for line in lines) + b"END:X\r\n"
    try:
        read = parse(octets)
    except MalformedLines:
        return
    assert dump(read) == octets


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.just("\n"), max_size=120)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_what_is_written_is_read(value: str, param: str, parts: list[str]) -> None:
    made = (
        Property("A", escape(value), (("P", (param, "x")),), "item1"),
        Property("B", contentlines.join_texts(parts, ";")),
        Property("C", contentlines.join_texts(parts)),
    )
    octets = dump(Component("X", made))
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    a, b, c = parse(octets).properties
    assert (a.text, a.all_of("p"), a.group) == (value, (param, "x"), "item1")
    assert b.parts == tuple(parts)
    assert c.texts == (tuple(parts) if parts != [""] else ())
