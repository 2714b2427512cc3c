"""The code pages against the tables of [MS-ASWBXML] 2.1.2.1."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from protocol.codepages import CONTENT, PAGES, TAG_OF_BYTE, tag
from protocol.versions import V2_5, V12_1, V14_0, V14_1, V16_0, V16_1, ProtocolVersion

TABLES = Path(__file__).resolve().parents[2].parent / "shared" / "spec" / "requirements" / "MS-ASWBXML.tsv"
PAGE_ROW = re.compile(r"\[Code page\] (\d+) ?\[that indicates\] \[XML namespace\] (\w+)")
TAG_ROW = re.compile(
    r"\[In Code Page (\d+): (\w+)\] ?\[Tag name\] ?(\w+).*?0x(\w\w) ?\[supports protocol versions\] ?(.*)"
)


class Row(NamedTuple):
    requirement: str
    page: int
    namespace: str
    name: str
    token: int
    versions: frozenset[ProtocolVersion]


def read_rows() -> tuple[dict[int, tuple[str, str]], list[Row]]:
    """The pages (requirement and namespace by number) and the tags of the protocol documents; empty without them."""
    pages: dict[int, tuple[str, str]] = {}
    rows = []
    for line in TABLES.read_text(encoding="utf-8").splitlines() if TABLES.exists() else ():
        requirement, *_, statement = line.split("\t")
        if found := PAGE_ROW.search(statement):
            pages[int(found[1])] = (requirement, found[2])
        elif found := TAG_ROW.search(statement):
            rows.append(Row(requirement, int(found[1]), found[2], found[3], int(found[4], 16), versions(found[5])))
    return pages, rows


def versions(text: str) -> frozenset[ProtocolVersion]:
    if text.strip() == "All":
        return frozenset(ProtocolVersion)
    return frozenset(ProtocolVersion.parse(part) for part in text.split(","))


DOCUMENTED_PAGES, ROWS = read_rows()
ROWS_OF_PAGE = defaultdict(list)
for row in ROWS:
    ROWS_OF_PAGE[row.page].append(row)


@pytest.mark.skipif(not ROWS, reason="the protocol documents are not here")
def test_the_documents_are_read_whole() -> None:
    assert len(DOCUMENTED_PAGES) == 26
    assert len(ROWS) == sum(len(page.tags) for page in PAGES)


@pytest.mark.parametrize(
    ("number", "namespace"),
    [
        pytest.param(number, namespace, marks=pytest.mark.requirement(requirement))
        for number, (requirement, namespace) in DOCUMENTED_PAGES.items()
    ],
)
def test_every_page_has_its_number_and_namespace(number: int, namespace: str) -> None:
    assert PAGES[number].number == number
    assert PAGES[number].namespace.casefold() == namespace.casefold()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(rows, id=str(page), marks=pytest.mark.requirement(*(row.requirement for row in rows)))
        for page, rows in ROWS_OF_PAGE.items()
    ],
)
def test_every_tag_of_a_page_is_as_documented(rows: list[Row]) -> None:
    expected = {(row.token, row.namespace, row.name, row.versions) for row in rows}
    found = {(entry.token, entry.namespace, entry.name, entry.versions) for entry in PAGES[rows[0].page].tags}
    assert found == expected


def test_all_pages_are_there_without_the_documents() -> None:
    assert [page.number for page in PAGES] == list(range(26))
    assert sum(len(page.tags) for page in PAGES) == 586


@pytest.mark.requirement("MS-ASWBXML_R178")
def test_page_3_is_no_longer_in_use() -> None:
    assert PAGES[3].namespace == "AirNotify"
    assert PAGES[3].tags == ()


def test_tokens_and_names_are_unique_and_in_order() -> None:
    for page in PAGES:
        tokens = [entry.token for entry in page.tags]
        assert tokens == sorted(set(tokens))
        assert len({entry.name for entry in page.tags}) == len(tokens)
        assert all(
            0x05 <= token < CONTENT and entry.page == page.number
            for token, entry in zip(tokens, page.tags, strict=True)
        )


def test_a_tag_is_found_by_name_and_by_token() -> None:
    for page in PAGES:
        for entry in page.tags:
            assert tag(str(entry)) is entry
            assert TAG_OF_BYTE[page.number][entry.token] is TAG_OF_BYTE[page.number][entry.token | CONTENT] is entry


def test_both_spellings_of_the_gal_are_known() -> None:
    assert tag("Gal:Alias") is tag("GAL:Alias")


def test_a_typo_gets_a_hint() -> None:
    with pytest.raises(KeyError, match="AirSync:Synckey is no tag of the code pages; did you mean AirSync:SyncKey"):
        tag("AirSync:Synckey")
    with pytest.raises(KeyError, match="qqqqqq is no tag of the code pages"):
        tag("qqqqqq")


@pytest.mark.parametrize(("page", "token"), [(0, 0x11), (3, 0x05), (0, 0x11 | CONTENT), (0, 1), (0, 0)])
def test_no_tag_where_there_is_none(page: int, token: int) -> None:
    assert TAG_OF_BYTE[page][token] is None


@pytest.mark.requirement("MS-ASWBXML_R247", "MS-ASWBXML_R825")
def test_versions_are_ranges() -> None:
    assert tag("AirSync:Sync").versions == frozenset(ProtocolVersion)
    assert tag("AirSync:Wait").versions == frozenset((V12_1, V14_0, V14_1, V16_0, V16_1))
    assert V14_0 not in tag("GetItemEstimate:Class").versions
    assert V2_5 in tag("GetItemEstimate:Class").versions
    assert tag("Find:Find").versions == frozenset((V16_1,))
