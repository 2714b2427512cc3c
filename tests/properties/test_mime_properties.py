"""Whatever octets come, a message is indexed, and the index is true to them."""

import base64
import quopri

from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.render import charsets, text
from eas_server.render.body import choose_body, finish
from eas_server.render.mime import index_message
from protocol.items.airsyncbase import BodyPreference, BodyType
from tests.server.render import corpus

FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"--a\r\n",
    b"--a\n",
    b"--a--\r\n",
    b"--b\n",
    b"--b--\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b"Content-Type: multipart/alternative; boundary=b\n",
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="a"\r\n',
    b"Content-Type: text/html; charset=iso-2022-jp\r\n",
    b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name*0*=utf-8''%C3; name*1*=%A4.p7m\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b'From: "Al\\"ice (x)" <alice@example.com>, (((\r\n',
    b"To: undisclosed: bob@example.com, ;\r\n",
    b"Subject: =?utf-8?b?w6Q=?= =?utf-8?q?=C3?= =?utf-8?q?=A4?=\r\n",
    b"Date: Mon, 31 Feb 2025 99:99:99 +9999\r\n",
    b"Message-ID: <1@example.com>\r\n",
    b"References: <0@example.com>\r\n",
    b"Thread-Index: AdtBoGq5\r\n",
    b"<p>x<br><!-- <script> &amp; &#xD800;</p",
    b"=C3=A4=\r\n",
    b"MIIBAA==",
    b"\xff\xfe\x00",
]
messages = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=12)), max_size=30).map(b"".join)


@settings(deadline=None)
@given(messages)
def test_any_octets_give_an_index_that_can_be_written(octets: bytes) -> None:
    index, words = index_message(octets)
    assert index.size == len(octets)
    assert index.has_nul == (b"\0" in octets)
    for value in (index.subject, index.sender, index.to, index.cc, index.display_to, index.preview, words):
        assert "\0" not in value
        value.encode("utf-8")
    for part in (index.plain, index.html, *index.attachments):
        if part is not None:
            assert 0 <= part.start <= part.end <= len(octets)
    assert len(index.conversation_id) == 16
    assert len(index.conversation_index) % 5 == 0


@settings(deadline=None)
@given(messages)
def test_a_view_is_read_like_the_octets_themselves(octets: bytes) -> None:
    padded = memoryview(b"xx" + octets + b"yy")[2:-2]
    assert index_message(padded) == index_message(octets)


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable", "8bit"]), st.integers(1, 40))
def test_decoding_in_runs_gives_the_same_and_its_size_is_known(octets: bytes, encoding: str, run: int) -> None:
    whole = text.transfer_decode(octets, encoding)
    decoder = text.TransferDecoder(encoding)
    pieces = [decoder.feed(octets[at : at + run]) for at in range(0, len(octets), run)]
    assert b"".join([*pieces, decoder.finish()]) == whole
    assert text.decoded_size(octets, 0, len(octets), encoding) == len(whole)


@given(st.text(max_size=60), st.integers(0, 200))
def test_truncation_fits_and_is_a_beginning(source: str, size: int) -> None:
    source = source.encode("utf-8", "ignore").decode()
    cut = text.truncate(source, size)
    assert source.startswith(cut)
    assert len(cut.encode()) <= size
    assert cut == source or len(source[: len(cut) + 1].encode()) > size


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["<", ">", "<p", "</p>", "<!--", "-->", "<style>", "a", '"', "'", "&amp", ";", " ", "<br/>"])
    )
)
def test_html_of_any_shape_becomes_text(pieces: list[str]) -> None:
    assert "\x01" not in text.plain_from_html("".join(pieces))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), max_size=40))
def test_plain_text_survives_the_way_through_html(source: str) -> None:
    assert text.plain_from_html(text.html_from_plain(source)) == source.strip()


bodies = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=3000),
    st.sampled_from(["word <b>bold</b> & more. ", "ä€😀", "x" * 70 + "\r\n"]).flatmap(
        lambda piece: st.integers(0, 400).map(lambda times: piece * times)
    ),
)
preferences = st.builds(
    BodyPreference,
    type=st.sampled_from(list(BodyType)),
    truncation_size=st.none() | st.integers(0, 4000),
    all_or_none=st.none() | st.booleans(),
    preview=st.none() | st.integers(0, 255),
)


def encoded(body: str, encoding: str) -> bytes:
    octets = body.encode()
    if encoding == "base64":
        return base64.encodebytes(octets)
    return quopri.encodestring(octets) if encoding == "quoted-printable" else octets


@settings(deadline=None)
@given(
    bodies,
    st.sampled_from(["plain", "html"]),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
    st.lists(preferences, max_size=3),
    st.sampled_from([0, 1, 2]),
)
def test_a_body_keeps_to_what_was_asked(
    source: str, kind: str, encoding: str, wanted: list[BodyPreference], mime_support: int
) -> None:
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    item = corpus.item(head + encoded(source, encoding))
    plan = choose_body(item, preferences=wanted, mime_support=mime_support)
    whole = corpus.TRACE + head + encoded(source, encoding)
    body = finish(plan, whole[slice(*plan.read)] if plan.read else b"")
    assert body.type is not BodyType.RTF
    assert plan.limit is None or not isinstance(body.data, str) or len(body.data.encode()) <= plan.limit
    assert body.truncated or body.data is not None
    assert body.preview is None or len(body.preview) <= (plan.preview or 0)
    if body.type is BodyType.MIME and body.data is not None:
        assert mime_support == 2
        assert not isinstance(body.data, str)
    if not body.truncated and isinstance(body.data, str):
        assert body.size == len(body.data.encode())
        if body.type.name.lower() == kind:
            assert body.data == charsets.clean(source)
