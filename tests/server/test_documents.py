"""UNC names and what they may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.model.documents import MAX_LINK, UncName, content_type, folded, is_host, is_name, parse_unc

names = st.text(min_size=1, max_size=20).filter(is_name)


@pytest.mark.parametrize(
    ("text", "host", "parts"),
    [
        (r"\\files\docs", "files", ()),
        ("\\\\files\\docs\\", "files", ()),
        (r"\\files.example.com:8445\docs\a b\ü.txt", "files.example.com:8445", ("a b", "ü.txt")),
        (r"\\192.0.2.1\docs\...", "192.0.2.1", ("...",)),
        (r"\\[2001:db8::1]:445\docs\$x", "[2001:db8::1]:445", ("$x",)),
        (r"\\h\docs\con1\nulls.txt\c.om1", "h", ("con1", "nulls.txt", "c.om1")),
    ],
)
def test_unc_names(text: str, host: str, parts: tuple[str, ...]) -> None:
    found = parse_unc(text)
    assert found == UncName(host=host, share="docs", parts=parts)
    assert str(found) == text.removesuffix("\\")


@given(st.lists(names, min_size=1, max_size=8))
def test_what_is_named_is_read_back(parts: list[str]) -> None:
    name = UncName(host="files.example.com", share=parts[0], parts=tuple(parts[1:]))
    if len(str(name).encode()) <= MAX_LINK:
        assert parse_unc(str(name)) == name


@given(st.text(alphabet="\\/.:a\0\n\ud800é", max_size=40) | st.text(max_size=60))
def test_no_name_leads_anywhere_but_down(text: str) -> None:
    for found in (parse_unc(text), parse_unc("\\\\files\\docs\\" + text)):
        for part in (found.share, *found.parts) if found is not None else ():
            assert part not in ("", ".", "..")
            assert not set(part) & set("\\/\0\n\ud800")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a\\b", "a/b", "a\0", "\x1b[1m", "\x7f", "\ud800", "\uffff"),
        *("NUL", "nul.txt", "Con", "COM9.x", "lpt¹", "aux ", "prn .txt", "con:x", "CONOUT$"),
        "x" * 256,
    ],
)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("host", ["", ".", "..", "?", "-a", "a b", "a\\b", "a@b", "ä", "a:", "a:b", "a:123456", "[a]"])
def test_what_is_no_host(host: str) -> None:
    assert is_host(host) is (host == "[a]")  # a hexadecimal digit: whether it is an address is nobody's business here


def test_what_is_the_same_name() -> None:
    assert folded("STRASSE") == folded("straße")
    assert folded("Ü") == folded("u\u0308")
    assert folded("a") != folded("á")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.PDF", "application/pdf"),
        ("a.b.txt", "text/plain"),
        ("txt", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ],
)
def test_content_types(name: str, expected: str) -> None:
    assert content_type(name) == expected
