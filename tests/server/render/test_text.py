"""Text: transfer encodings, charsets, HTML and cuts."""

import pytest

from eas_server.render import charsets, cms, text


@pytest.mark.parametrize(
    ("octets", "charset", "expected"),
    [
        (b"Gr\xc3\xbc\xc3\x9fe", "utf-8", "Grüße"),
        (b"Gr\xfc\xdfe", "iso-8859-1", "Grüße"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        (b"Gr\xfc\xdfe", "utf-8", "Gr\ufffd\ufffde"),
        (b"Gr\xfc\xdfe", "nonsense", "Grüße"),
        (b"Gr\xc3\xbc\xc3\x9fe", "us-ascii", "Grüße"),
        (b"Gr\xc3\xbc\xc3\x9fe\xc3", "", "Grüße\ufffd"),
        (b"\x1b$B$3$s\x1b(B", "ISO-2022-JP", "こん"),
        ("こん".encode("cp932"), "Shift_JIS", "こん"),
        (b"a\x00b\x07c\td\r\n", "utf-8", "abc\td\r\n"),
        (b"a\x00b\x00", "utf-16le", "ab"),
        (b"+2AA-x", "utf-7", "x"),
        (b"\xe9", "windows-1252", "é"),
        (b"x", "zlib", "x"),
        (b"x", "unicode_escape", "x"),
        (b"\xe0", "iso-8859-8-i", "א"),
    ],
)
def test_charsets(octets: bytes, charset: str, expected: str) -> None:
    assert text.decode(octets, "8bit", charsets.codec(charset)) == expected


def test_every_codec_of_the_table_decodes_anything() -> None:
    octets = bytes(range(256)) + bytes(range(255, -1, -1))
    for name in charsets._PAGES:
        decoded = charsets.decode(octets, charsets.codec(name))
        assert "\x00" not in decoded
        decoded.encode("utf-8")


@pytest.mark.parametrize(
    ("octets", "encoding", "decoded"),
    [
        (b"R3L8\r\n 3w==\r\nignored", "base64", b"Gr\xfc\xdf"),
        (b"R3L8*?3w", "base64", b"Gr\xfc\xdf"),
        (b"R3L83", "base64", b"Gr\xfc"),
        (b"", "base64", b""),
        (b"=C3=BC =\r\nx =ZZ =", "quoted-printable", b"\xc3\xbc x =ZZ "),
        (b"as it is", "binary", b"as it is"),
    ],
)
def test_transfer_encodings(octets: bytes, encoding: str, decoded: bytes) -> None:
    assert text.transfer_decode(octets, encoding) == decoded


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<ul><li>one</li><li>two</li></ul>after", "* one\n* two\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a &lt;b&gt; &amp;amp; &nbsp; c", "a <b> &amp; c"),
        ('<a href="https://example.com/">link</a> <img src="x.png" alt="a > b"> end', "link end"),
        ("<style>p {}</style><script>if (a < b) {}</script><!-- <p>no</p> -->yes", "yes"),
        ("<!--[if mso]><p>no</p><![endif]-->yes<!-- open", "yes"),
        ("<pre>two  spaces\nnext line</pre>", "two spaces\nnext line"),
        ("  white \n\t space ", "white space"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<title>no</title>yes", "yes"),
        ("<p", ""),
        ("x<o:p></o:p>y", "xy"),
    ],
)
def test_html_as_plain_text(source: str, expected: str) -> None:
    assert text.plain_from_html(source) == expected


def test_plain_text_as_html() -> None:
    page = text.html_from_plain("a < b\r\n  indented\tend\n")
    assert "a &lt; b<br>\r\n&nbsp; indented" in page
    assert page.startswith("<html>")
    assert page.endswith("</html>")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Read <https://example.com/x?y=1> on", "Read on"),
        ("[cid:image001.png@01D] logo", " logo"),
        ("[image: Logo] x", " x"),
        ("keep <this> and [that]", "keep <this> and [that]"),
        ("mail bob <mailto:bob@example.com>!", "mail bob!"),
    ],
)
def test_links_are_left_out_of_lists(source: str, expected: str) -> None:
    assert text.without_links(source) == expected


def test_previews_have_single_spaces() -> None:
    assert text.preview("a\r\n\r\n  b\tc <https://example.com> d", 6) == "a b c "[:6]


@pytest.mark.parametrize(
    ("source", "size", "expected"),
    [
        ("<p>one</p>", 100, "<p>one</p>"),
        ("<p>one</p>", 8, "<p>one"),
        ("a &amp; b", 4, "a "),
        ("a &amp; b", 7, "a &amp;"),
        ("x < y", 5, "x < y"),
        ("é" * 5, 5, "éé"),
    ],
)
def test_html_is_cut_between_tags(source: str, size: int, expected: str) -> None:
    assert text.truncate_html(source, size) == expected


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def signed_data(content: bytes, *, type_: bytes = cms.SIGNED_DATA) -> bytes:
    inner = der(0x30, der(0x06, b"*\x86H\x86\xf7\r\x01\x07\x01") + content)
    return der(0x30, der(0x06, type_) + der(0xA0, der(0x30, der(2, b"\1") + der(0x31, b"") + inner)))


class TestCms:
    def test_the_content_of_signed_data(self) -> None:
        assert cms.signed_content(signed_data(der(0xA0, der(4, b"text")))) == b"text"

    def test_content_in_pieces(self) -> None:
        pieces = b"\x24\x80" + der(4, b"te") + der(4, b"xt") + b"\0\0"
        assert cms.signed_content(signed_data(der(0xA0, pieces))) == b"text"

    def test_a_prefix_gives_the_beginning(self) -> None:
        whole = signed_data(der(0xA0, der(4, b"t" * 1000)))
        assert cms.signed_content(whole[:-900]) == b"t" * 100

    @pytest.mark.parametrize(
        "octets",
        [
            b"",
            b"\x30",
            b"\x30\x80",
            b"\x30\x89" + b"\xff" * 9,
            b"\x1f\x80",
            b"0\x80" * 5000,
            signed_data(b""),
            signed_data(der(0xA0, der(2, b"1"))),
            signed_data(der(0xA0, b"\x24\x80" + der(2, b"x"))),
            signed_data(der(0xA0, der(4, b"x")), type_=b"*\x86H\x86\xf7\r\x01\x07\x03"),
        ],
    )
    def test_what_is_none(self, octets: bytes) -> None:
        assert cms.signed_content(octets) is None
