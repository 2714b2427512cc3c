"""Trees as XML and as dumps."""

from pathlib import Path

import pytest
from lxml import etree

from protocol.codepages import tag
from protocol.elements import Element, Inline, Opaque
from protocol.wbxml import decode
from protocol.xmltext import dump, to_schema_xml, to_xml, undump
from tests.schemas import is_valid

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures" / "wbxml"
RESPONSES = sorted(FIXTURES.glob("*/response*.wbxml"))

SYNC, KEY, MIME = tag("AirSync:Sync"), tag("AirSync:SyncKey"), tag("ComposeMail:Mime")
NAME, INDEX = tag("GAL:DisplayName"), tag("Email2:ConversationIndex")


class Remote:
    size = 20_000_000


# --- readable XML -------------------------------------------------------------------------------------------------


def test_readable_xml() -> None:
    tree = Element(SYNC, [Element(KEY, "<0>"), Element(NAME, [Element(KEY)]), Element(INDEX, Opaque(b"\x01\xff"))])
    assert to_xml(tree) == (
        '<Sync xmlns="AirSync" xmlns:email2="Email2" xmlns:gal="GAL">\n'
        "  <SyncKey>&lt;0&gt;</SyncKey>\n"
        "  <gal:DisplayName>\n"
        "    <SyncKey/>\n"
        "  </gal:DisplayName>\n"
        '  <email2:ConversationIndex opaque="base64">Af8=</email2:ConversationIndex>\n'
        "</Sync>\n"
    )
    assert to_xml(Element(NAME), pretty=False) == '<DisplayName xmlns="GAL"/>'


def test_long_texts_are_cut() -> None:
    assert to_xml(Element(KEY, "x" * 12), pretty=False, max_text=10) == (
        '<SyncKey xmlns="AirSync">xxxxxxxxxx… (2 more)</SyncKey>'
    )


def test_octets_that_are_not_in_memory_are_counted() -> None:
    for content in (Opaque(Remote()), Inline(Remote())):
        tree = Element(MIME, content)
        assert to_xml(tree, pretty=False) == '<Mime xmlns="ComposeMail" octets="20000000"/>'
        assert to_schema_xml(tree) == b'<Mime xmlns="ComposeMail"/>'
        assert dump(tree) == f"ComposeMail:Mime {'opaque ' * isinstance(content, Opaque)}(20000000 octets)\n"


def test_what_xml_cannot_hold_is_replaced() -> None:
    xml = to_schema_xml(Element(KEY, "a\x00b\udce9c\ud83dd\uffffe\r\n\t]]>&"))
    assert etree.fromstring(xml).text == "a\ufffdb\ufffdc\ufffdd\ufffde\r\n\t]]>&"


def test_deep_trees_have_xml_and_a_dump() -> None:
    tree = Element(SYNC)
    for _ in range(2_000):
        tree = Element(SYNC, [tree])
    assert to_xml(tree, pretty=False).count("</Sync>") == 2_000
    assert undump(dump(tree)) == tree


# --- the schemas of the protocol documents ------------------------------------------------------------------------


@pytest.mark.parametrize("path", RESPONSES, ids=[f"{path.parent.name}/{path.stem}" for path in RESPONSES])
def test_golden_responses_hold_by_the_schemas(path: Path) -> None:
    assert is_valid(decode(path.read_bytes()), path.parent.name)


@pytest.mark.parametrize("command", ["Sync", "Search", "ItemOperations", "FolderSync"])
def test_the_schemas_refuse_what_is_wrong(command: str) -> None:
    path = FIXTURES / command / "response.wbxml"
    tree = decode(path.read_bytes())
    status = next(element for element in tree.walk() if element.tag.name == "Status")
    status.content = "good"
    assert not is_valid(tree, command)


# --- dumps --------------------------------------------------------------------------------------------------------


def test_a_dump_is_a_line_for_each_element() -> None:
    content = [
        Element(KEY, 'a "b"\r\n\udce9é'),
        Element(NAME),
        Element(MIME, Opaque(b"\xe9\x00")),
        Element(MIME, Opaque(b"x\n")),
    ]
    assert dump(Element(SYNC, content)) == (
        "AirSync:Sync\n"
        '  AirSync:SyncKey "a \\"b\\"\\r\\n\\udce9é"\n'
        "  GAL:DisplayName\n"
        "  ComposeMail:Mime opaque e900\n"
        '  ComposeMail:Mime opaque "x\\n"\n'
    )


def test_comments_and_empty_lines_are_passed_over() -> None:
    assert undump("# by hand\n\nAirSync:Sync\n#\n  AirSync:SyncKey\n") == Element(SYNC, [Element(KEY)])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", "without an element"),
        ("  AirSync:Sync", "line 1 is indented wrongly"),
        ("AirSync:Sync\n    AirSync:SyncKey", "line 2 is indented wrongly"),
        ("AirSync:Sync\nAirSync:Sync", "line 2 is indented wrongly"),
        ("AirSync:Sync 5", "line 1: a value stands in double quotes"),
        ('AirSync:Sync "5', "line 1: Unterminated string"),
        ("AirSync:Sync opaque xyz", "line 1: non-hexadecimal"),
        ('AirSync:Sync "x"\n  AirSync:SyncKey', "line 2: the element above has a value"),
    ],
)
def test_what_is_no_dump_is_refused(lines: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        undump(lines)


def test_a_tag_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="did you mean AirSync:SyncKey"):
        undump("AirSync:Synckey")
