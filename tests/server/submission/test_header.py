"""Outer headers: found whatever the line ends, edited byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.model.blob import read
from eas_server.submission.header import MAX_HEADER, InvalidMessage, read_header, safe, with_header

CRLF = b"From: a@b\r\nBcc: x@y,\r\n\tz@y\r\nSubject: one\r\n two\r\n\r\nBcc: body\r\n"


@pytest.mark.parametrize("octets", [CRLF, CRLF.replace(b"\r\n", b"\n")])
def test_finds_folded_fields(octets: bytes):
    header = read_header(octets)
    assert [field.name for field in header.fields] == [b"from", b"bcc", b"subject"]
    assert header.first(b"subject") == b"one two"
    assert header.first(b"bcc") == b"x@y,\tz@y"
    assert octets[header.size :].lstrip(b"\r\n").startswith(b"Bcc: body")


def test_takes_out_whole_fields():
    assert read_header(CRLF).visible().octets == b"From: a@b\r\nSubject: one\r\n two\r\n"
    header = read_header(b"From: a@b\r\n\r\n")
    assert header.visible() is header


def test_the_separator_may_have_other_line_ends():
    header = read_header(b"From: a@b\r\nTo: c@d\n\nbody\r\n\r\nmore")
    assert header.octets == b"From: a@b\r\nTo: c@d\n"


def test_lines_that_are_no_fields_are_kept():
    octets = b"From: a@b\r\nno field at all\r\nbcc\t: x@y\r\n\r\n"
    assert read_header(octets).visible().octets == b"From: a@b\r\nno field at all\r\n"


def test_a_field_is_replaced_where_it_stands():
    octets = b"To: x\r\nfrom: evil@x\n\tand more\nCc: y\r\nFrom: again\r\n\r\n"
    assert read_header(octets).replaced(b"from", b"From: a@b").octets == b"To: x\r\nFrom: a@b\nCc: y\r\n"


def test_a_header_without_an_end():
    header = read_header(b"To: x\r\nFrom: evil@x")
    assert header.replaced(b"from", b"From: a@b").octets == b"To: x\r\nFrom: a@b"
    assert header.size == 19


@pytest.mark.parametrize("size", [100, 20_000, MAX_HEADER - 30])
def test_long_headers(size: int):
    octets = b"From: a@b\r\nX: " + b"x" * size + b"\r\nBcc: y\r\n\r\nbody"
    assert read_header(octets).has(b"bcc")


@pytest.mark.parametrize(
    "octets", [b"", b"\r\n", b"text\r\nFrom: a@b\r\n\r\n", b"X: " + b"x" * MAX_HEADER, b"A: \0\n\n"]
)
def test_what_is_no_message(octets: bytes):
    with pytest.raises(InvalidMessage):
        read_header(octets)


def test_many_fields_are_read_in_one_pass():
    octets = b"Bcc: x\r\n" * 20_000 + b"From: a@b\r\n\r\n"
    assert read_header(octets).visible().octets == b"From: a@b\r\n"


LINES = st.lists(
    st.sampled_from(
        [b"From: a@b", b"Bcc: secret", b"BCC : secret", b" folded", b"\tfolded", b"nonsense", b"To:", b"X:y"]
    )
)
ENDS = st.lists(st.sampled_from([b"\r\n", b"\n"]), min_size=40, max_size=40)


@given(lines=LINES, ends=ENDS, body=st.binary(max_size=50))
async def test_nothing_but_bcc_goes(lines: list[bytes], ends: list[bytes], body: bytes):
    first = [b"Subject: s", *lines[: len(ends) - 2]]
    octets = b"".join(line + end for line, end in zip(first, ends, strict=False)) + b"\r\n" + body
    header = read_header(octets)
    kept = await read(with_header(header.visible(), header, memoryview(octets)))
    assert kept.endswith(b"\r\n" + body)
    assert b"secret" not in kept[: len(kept) - len(body)]
    assert read_header(kept).visible().octets == read_header(kept).octets
    again = with_header(header, header, memoryview(octets))
    assert await read(again) == octets


@given(st.text())
def test_safe_text_stays_on_its_line(text: str):
    assert not any(c in safe(text) for c in "\r\n\0\t\x0b\x85\u2028")
