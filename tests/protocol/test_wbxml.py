"""The WBXML reader and writer, by golden documents and by octets written out."""

import enum
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from protocol.codepages import PAGES, tag
from protocol.elements import Element, Inline, Opaque
from protocol.errors import LimitExceeded, MalformedRequest, MalformedWbxml, MalformedXml
from protocol.wbxml import HEADER, Limits, decode, encode
from protocol.xmltext import dump, undump

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wbxml"
DOCUMENTS = sorted(FIXTURES.glob("*/*.wbxml"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in DOCUMENTS]

SYNC, KEY, COLLECTIONS = tag("AirSync:Sync"), tag("AirSync:SyncKey"), tag("AirSync:Collections")
MIME, SEND_MAIL = tag("ComposeMail:Mime"), tag("ComposeMail:SendMail")


class Remote:
    """Octets that are not in memory."""

    size = 20_000_000


def body(text: str) -> bytes:
    """A document: the header, and octets in hexadecimal."""
    return HEADER + bytes.fromhex(text)


def key(content: bytes) -> bytes:
    """A document of `Sync` with a `SyncKey` that holds `content` as it stands."""
    return HEADER + b"\x45\x4b" + content + b"\x01\x01"


def read_key(content: bytes) -> Element:
    found = decode(key(content)).find(KEY)
    assert found is not None
    return found


# --- golden documents ---------------------------------------------------------------------------------------------


def without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_a_golden_document_reads_as_its_dump(path: Path) -> None:
    expected = without_comments(path.with_suffix(".txt").read_text(encoding="utf-8"))
    assert dump(decode(path.read_bytes())) == expected


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if not path.stem.startswith("raw")])
def test_a_golden_dump_writes_as_its_document(path: Path) -> None:
    assert encode(undump(path.with_suffix(".txt").read_text(encoding="utf-8"))).join() == path.read_bytes()


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_wbxml", FIXTURES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_golden_documents_are_what_their_script_makes() -> None:
    made = load_script().documents()
    assert sorted(made) == sorted(NAMES)
    for name, document in made.items():
        assert (FIXTURES / name).with_suffix(".wbxml").read_bytes() == document


# --- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("MS-ASWBXML_R6", "MS-ASWBXML_R7", "MS-ASWBXML_R801", "MS-ASWBXML_R802", "MS-ASWBXML_R804")
def test_the_writer_switches_pages_and_ends_elements() -> None:
    tree = Element(SYNC, [Element(KEY, "0"), Element(tag("AirSyncBase:Body"), [Element(tag("AirSync:Wait"))])])
    assert encode(tree).join() == body("45 4b 03 30 00 01  00 11 4a  00 00 24  01 01")


@pytest.mark.requirement("MS-ASWBXML_R819", "MS-ASDTYPE_R97", "MS-ASDTYPE_R98")
@pytest.mark.parametrize(("size", "length"), [(0, "00"), (127, "7f"), (128, "81 00"), (16_384, "81 80 00")])
def test_opaque_content_has_a_multi_byte_length(size: int, length: str) -> None:
    tree = Element(SEND_MAIL, [Element(MIME, Opaque(b"x" * size))])
    document = body("00 15 45 50 c3" + length) + b"x" * size + b"\x01\x01"
    assert encode(tree).join() == document
    assert decode(document) == tree


@pytest.mark.requirement("MS-ASWBXML_R656", "MS-ASDTYPE_R91")
def test_the_writer_uses_inline_strings_and_no_string_table() -> None:
    assert encode(Element(KEY, "äöü €")).join() == b"\x03\x01\x6a\x00\x4b\x03" + "äöü €".encode() + b"\x00\x01"


@pytest.mark.parametrize("content", [None, "", []])
def test_no_content_is_an_empty_element(content: "str | list[Element] | None") -> None:
    assert encode(Element(SYNC, content)).join() == body("05")


def test_the_octets_of_a_mime_body_go_inline_as_they_are() -> None:
    assert encode(Element(KEY, Inline(b"caf\xe9\r\n"))).join() == key(b"")[:4] + b"\x4b\x03caf\xe9\r\n\x00\x01"


@pytest.mark.parametrize("octets", [b"a\0b", bytearray(b"a\0b"), memoryview(b"a\0b")])
def test_inline_octets_with_a_nul_are_refused(octets: "bytes | bytearray | memoryview") -> None:
    with pytest.raises(ValueError, match="NUL"):
        encode(Element(KEY, Inline(octets)))


def test_a_nul_in_text_is_left_out() -> None:
    assert decode(encode(Element(KEY, "a\0b")).join()) == Element(KEY, "ab")


def test_half_a_character_becomes_a_replacement_character() -> None:
    assert decode(encode(Element(KEY, "a\ud83d")).join()).content == "a\ufffd"


def test_octets_that_are_not_utf_8_survive() -> None:
    document = key(b"\x03\xe9\xff\x00")
    assert encode(decode(document)).join() == document


def test_a_text_that_is_an_enum_member_is_text() -> None:
    class Store(enum.StrEnum):
        GAL = "GAL"

    assert decode(encode(Element(KEY, Store.GAL)).join()).content == "GAL"


def test_octets_that_are_not_in_memory_are_passed_on() -> None:
    remote = Remote()
    segments = encode(Element(SEND_MAIL, [Element(MIME, Opaque(remote)), Element(MIME, Inline(remote))]))
    first, one, second, other, last = segments
    assert (one, other) == (remote, remote)
    assert (first, second, last) == (body("00 15 45 50 c3 89 c4 da 00"), b"\x01\x50\x03", b"\x00\x01\x01")
    assert segments.size == 2 * remote.size + len(first) + len(second) + len(last)
    with pytest.raises(TypeError, match="not in memory"):
        segments.join()


def test_large_buffers_are_passed_on_and_small_ones_merged() -> None:
    large, small = memoryview(b"x" * 20_000), memoryview(b"small")
    segments = encode(Element(SEND_MAIL, [Element(MIME, Opaque(small)), Element(MIME, Opaque(large))]))
    assert [part is large for part in segments] == [False, True, False]
    assert segments.size == len(segments.join())


def test_deep_trees_are_written_without_recursion() -> None:
    tree = Element(SYNC)
    for _ in range(100_000):
        tree = Element(SYNC, [tree])
    assert encode(tree).size == len(HEADER) + 200_001


# --- reading ------------------------------------------------------------------------------------------------------


def test_every_tag_of_every_page_is_read_and_written() -> None:
    tags = [entry for page in PAGES for entry in page.tags]
    tree = Element(SYNC, [Element(entry, [Element(entry, "x"), Element(entry)]) for entry in tags])
    assert decode(encode(tree).join()) == tree


@pytest.mark.parametrize("header", ["01 01 6a 00", "02 01 6a 00", "03 01 6a 00", "03 01 03 00", "03 01 00 00"])
def test_versions_and_charsets_that_are_read(header: str) -> None:
    assert decode(bytes.fromhex(header + "45 4b 03 30 00 01 01")) == Element(SYNC, [Element(KEY, "0")])


def test_a_public_identifier_is_passed_over() -> None:
    assert decode(bytes.fromhex("03 00 00 6a 02 41 00 05")) == Element(SYNC)
    assert decode(bytes.fromhex("03 9f 52 6a 00 05")) == Element(SYNC)


@pytest.mark.parametrize("header", ["00 01 6a 00", "04 01 6a 00", "3c 3f 78 6d", "03 01 04 00", "03 01 8f 77 00"])
def test_versions_and_charsets_that_are_not(header: str) -> None:
    with pytest.raises(MalformedWbxml):
        decode(bytes.fromhex(header + "05"))


def test_opaque_content_is_not_copied() -> None:
    document = HEADER + bytes.fromhex("00 15 45 50 c3 03") + b"abc" + b"\x01\x01"
    for octets in (document, bytearray(document), memoryview(document)):
        mime = decode(octets).find(MIME)
        assert mime is not None
        assert isinstance(mime.content, Opaque)
        assert isinstance(mime.content.octets, memoryview)
        assert mime.content.octets.obj is (document if isinstance(octets, memoryview) else octets)
        assert mime.octets == b"abc"


def test_a_part_of_a_buffer_is_read() -> None:
    document = key(b"\x030\x00")
    whole = b"\0\1" + document + b"\0\1"
    assert decode(memoryview(whole)[2:-2]) == decode(document)
    assert decode(memoryview(bytearray(whole))[2:-2]) == decode(document)


@pytest.mark.requirement("MS-ASWBXML_R803", "MS-ASWBXML_R814")
def test_runs_of_text_are_put_together() -> None:
    document = bytes.fromhex("03 01 6a 05 6f6e650074 45 4b 03 61 00 02 84 3c 83 00 03 62 00 01 01")
    with pytest.raises(MalformedWbxml, match="string table"):
        decode(document.replace(b"\x83\x00", b"\x83\x04"))
    assert decode(document) == Element(SYNC, [Element(KEY, "aȼoneb")])


def test_opaque_and_text_are_put_together() -> None:
    assert read_key(b"\xc3\x01\xff\x03a\0\xc3\x01b").octets == b"\xffab"


@pytest.mark.parametrize("content", [b"", b"\x03\0", b"\x03\0\x03\0"])
def test_a_content_bit_without_content(content: bytes) -> None:
    assert read_key(content).content is None


def test_white_space_beside_elements_is_dropped_and_text_refused() -> None:
    assert decode(HEADER + b"\x45\x03\r\n\t \0\x0b\x03\n\0\x01") == Element(SYNC, [Element(KEY)])
    with pytest.raises(MalformedXml, match=r"^/Sync/Collections: text beside child elements"):
        decode(HEADER + b"\x45\x5c\x0b\x03x\0\x01\x01")
    with pytest.raises(MalformedXml, match=r"^/Sync: text"):
        decode(HEADER + b"\x45\xc3\x01x\x0b\x01")


@pytest.mark.parametrize(
    "unknown",
    [
        "11",  # a token that page 0 does not have
        "51 03 61 00 01",
        "51 03 61 00 45 03 62 00 01 03 63 00 c3 01 64 01",  # mixed content is no matter where it is skipped
        "00 fe 05 00 00",
        "00 fe 45 46 03 78 00 01 07 01 00 00",
        "00 03 45 00 00 45 4b 03 30 00 01 01 01",  # known tags inside, and a page that is chosen there
    ],
)
def test_what_no_page_has_is_skipped_with_its_content(unknown: str) -> None:
    assert decode(body(f"45 {unknown} 4b 03 30 00 01 01")) == Element(SYNC, [Element(KEY, "0")])


@pytest.mark.parametrize(
    "root", ["11", "51 01", "00 fe 05", "00 03 45 01", "01", "03 61 00", "c3 01 61", "04", "44", ""]
)
def test_an_unknown_root_is_refused(root: str) -> None:
    with pytest.raises(MalformedWbxml):
        decode(body(root))


@pytest.mark.requirement(*(f"MS-ASWBXML_R{number}" for number in (*range(805, 814), *range(815, 819), 820)))
@pytest.mark.parametrize("token", [0x04, 0x40, 0x41, 0x42, 0x43, 0x44, 0x80, 0x81, 0x82, 0x84, 0xC0, 0xC1, 0xC2, 0xC4])
def test_global_tokens_without_a_use_are_refused(token: int) -> None:
    for inside in (b"", b"\x51"):
        with pytest.raises(MalformedWbxml, match=f"0x{token:02X} at offset"):
            decode(HEADER + b"\x45" + inside + bytes((token, 0, 1, 1, 1)))


@pytest.mark.requirement("MS-ASWBXML_R656")
@pytest.mark.parametrize("token", [0x85, 0xC5, 0x91, 0xFF])
def test_attributes_are_refused(token: int) -> None:
    with pytest.raises(MalformedWbxml, match="has no meaning"):
        decode(HEADER + b"\x45" + bytes((token, 0x01, 0x01)))


def test_nothing_but_nuls_follows_the_root() -> None:
    assert decode(body("05 00 00")) == Element(SYNC)
    for rest in ("05", "01", "43 01", "00 05"):
        with pytest.raises(MalformedWbxml, match="after the end of the root"):
            decode(body("45 01" + rest))


# --- hostile documents --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_a_document_cut_anywhere_is_malformed(path: Path) -> None:
    document = path.read_bytes()
    for size in range(len(document)):
        with pytest.raises(MalformedWbxml):
            decode(document[:size])


def test_a_cut_document_names_where_it_ends() -> None:
    with pytest.raises(MalformedWbxml, match="ends too early, after 5 octets"):
        decode(body("45"))


@pytest.mark.parametrize("tag_byte", ["45", "51"])
def test_100_000_nested_tags_are_refused(tag_byte: str) -> None:
    with pytest.raises(LimitExceeded, match="more than 64 deep"):
        decode(body("45") + bytes.fromhex(tag_byte) * 100_000 + b"\x01" * 100_001)


def test_the_depth_limit_is_exact() -> None:
    def nested(depth: int) -> bytes:
        return HEADER + b"\x45" * depth + b"\x01" * depth

    assert sum(1 for _ in decode(nested(64)).walk()) == 64
    with pytest.raises(LimitExceeded):
        decode(nested(65))
    with pytest.raises(LimitExceeded):
        decode(nested(3), Limits(max_depth=2))


@pytest.mark.parametrize(
    "sibling", [b"\x0b", b"\x4b\x01", b"\x4b\x03x\0\x01", b"\x11", b"\x51\x01", b"\x03 \0", b"\x51\x11\x01"]
)
def test_sibling_bombs_are_refused(sibling: bytes) -> None:
    with pytest.raises(LimitExceeded, match="more than 1000 elements"):
        decode(HEADER + b"\x45" + sibling * 1_001 + b"\x01", Limits(max_elements=1_000))


def test_the_element_limit_is_exact() -> None:
    document = HEADER + b"\x45" + b"\x0b" * 9 + b"\x01"
    assert len(decode(document, Limits(max_elements=10)).children) == 9
    with pytest.raises(LimitExceeded):
        decode(document, Limits(max_elements=9))


@pytest.mark.parametrize("length", ["8f ff ff ff 7f", "87 ff ff ff 7f", "ff 7f", "05", "7f"])
@pytest.mark.parametrize("place", ["03 01 6a {}", "03 01 6a 00 45 4b c3 {}", "03 01 6a 00 45 51 c3 {}"])
def test_lengths_beyond_the_end_are_refused(place: str, length: str) -> None:
    with pytest.raises(MalformedWbxml, match="reaches beyond the end"):
        decode(bytes.fromhex(place.format(length) + "61 01 01"))


@pytest.mark.parametrize("number", ["ff ff ff ff 7f", "90 80 80 80 00", "80 80 80 80 80 00", "ff ff ff ff ff ff"])
def test_numbers_of_more_than_32_bits_are_refused(number: str) -> None:
    with pytest.raises(MalformedWbxml, match="larger than 32 bits"):
        decode(body(f"45 4b c3 {number} 61 01 01"))


@pytest.mark.parametrize("number", ["00", "83 b0 00", "83 bf 7f", "c4 80 00", "8f ff ff ff 7f"])
def test_entities_that_are_no_characters_are_refused(number: str) -> None:
    with pytest.raises(MalformedWbxml, match="no character"):
        read_key(bytes.fromhex("02" + number))


@pytest.mark.parametrize("offset", ["03", "04", "7f", "8f ff ff ff 7f"])
def test_places_outside_the_string_table_are_refused(offset: str) -> None:
    with pytest.raises(MalformedWbxml, match="string table"):
        decode(bytes.fromhex(f"03 01 6a 03 61 62 00 45 4b 83 {offset} 01 01"))


def test_a_string_table_cannot_swell_a_document() -> None:
    text = b"x" * 10_000 + b"\0"
    document = b"\x03\x01\x6a\xce\x11" + text + b"\x45\x4b" + b"\x83\x00" * 1_000 + b"\x01\x01"
    assert len(text) == 0x4E << 7 | 0x11
    with pytest.raises(LimitExceeded, match="string table"):
        decode(document)
    assert len(decode(document, Limits(max_table_text=10_000_000)).children[0].text) == 10_000_000


def test_a_string_without_an_end_is_refused() -> None:
    with pytest.raises(MalformedWbxml, match="has no end"):
        decode(HEADER + b"\x45\x0b\x03" + b"a" * 100)
    with pytest.raises(MalformedWbxml):
        decode(b"\x01\x01\x6a\x00\x45\x4b\x03aaaa")


@pytest.mark.parametrize("document", [b"", b"\x03", b"<Sync/>", b"\xff" * 100, b"\x03\x01\x6a\x00", bytes(100)])
def test_what_is_no_wbxml_is_malformed(document: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode(document)
