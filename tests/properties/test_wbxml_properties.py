"""The WBXML codec: what is written is what is read, and bad octets give one kind of error only."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from protocol.codepages import PAGES
from protocol.elements import Content, Element, Inline, Opaque, Tag
from protocol.errors import MalformedRequest
from protocol.wbxml import HEADER, Limits, decode, encode
from protocol.xmltext import dump, to_schema_xml, to_xml, undump

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "wbxml").glob("*/*.wbxml"))
DOCUMENTS = [path.read_bytes() for path in FIXTURES]

ALL_TAGS = [entry for page in PAGES for entry in page.tags]
TAGS: st.SearchStrategy[Tag] = st.integers(0, len(ALL_TAGS) - 1).map(lambda number: ALL_TAGS[number])
ESCAPED_OCTETS = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | ESCAPED_OCTETS, max_size=20)
LEAVES: st.SearchStrategy[Content] = st.one_of(
    st.none(),
    TEXTS,
    st.binary(max_size=200).map(Opaque),
    st.binary(max_size=20).map(lambda octets: Inline(octets.replace(b"\0", b""))),
)
TREES = st.recursive(
    st.builds(Element, TAGS, LEAVES),
    lambda children: st.builds(Element, TAGS, st.lists(children, max_size=6)),
    max_leaves=40,
)
TOKENS = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [b"\x00\x00", b"\x00\x11", b"\x00\xfe", b"\x01", b"\x02\x41", b"\x03x\0", b"\x83\x00", b"\xc3\x01y"]
    )
    | st.integers(0x05, 0x7F).map(lambda token: bytes((token,))),
    max_size=40,
).map(b"".join)


def read(document: bytes) -> Element | None:
    """The tree, which must be writable again, or None where the document is malformed."""
    try:
        tree = decode(document, Limits(max_depth=8, max_elements=50))
    except MalformedRequest:
        return None
    assert decode(encode(tree).join()) == tree
    return tree


@given(TREES)
def test_what_is_written_is_read(tree: Element) -> None:
    segments = encode(tree)
    document = segments.join()
    assert segments.size == len(document)
    found = decode(document)
    assert found == tree
    assert encode(found).join() == document


@given(TREES)
def test_every_buffer_reads_the_same(tree: Element) -> None:
    document = encode(tree).join()
    assert (
        decode(bytearray(document)) == decode(memoryview(document)) == decode(memoryview(b"x" + document)[1:]) == tree
    )


@given(TREES)
def test_a_dump_holds_the_whole_tree(tree: Element) -> None:
    found = decode(encode(tree).join())
    lines = dump(found)
    assert undump(lines) == found
    assert encode(undump(lines)).join() == encode(found).join()


@given(TREES)
def test_every_tree_has_its_xml(tree: Element) -> None:
    assert to_xml(tree, pretty=False).encode()
    assert to_schema_xml(tree)


@given(TOKENS)
def test_garbage_is_malformed_at_worst(octets: bytes) -> None:
    read(octets)
    read(HEADER + octets)
    read(b"\x03\x01\x6a\x03ab\0\x45" + octets)


@given(st.sampled_from(DOCUMENTS), st.data())
def test_changed_documents_are_malformed_at_worst(document: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(len(document), start + 8)))
    read(document[:start] + data.draw(TOKENS) + document[end:])
