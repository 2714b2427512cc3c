"""Which body goes out, in which size, and what is read for it."""

import asyncio

import pytest

from eas_server.model.blob import read
from eas_server.model.mail import Item
from eas_server.render.body import RenderedBody, choose_body, choose_body_part, finish
from protocol.elements import Inline, size_of
from protocol.items.airsyncbase import BodyPartPreference, BodyPartStatus, BodyPreference, BodyType
from protocol.schema import dump
from protocol.versions import V12_1, V14_1
from tests.server.render import corpus

PLAIN, HTML, RTF, MIME = BodyType.PLAIN, BodyType.HTML, BodyType.RTF, BodyType.MIME


def want(type_: BodyType, size: int | None = None, *, all_or_none: bool | None = None, preview: int | None = None):
    return BodyPreference(type=type_, truncation_size=size, all_or_none=all_or_none, preview=preview)


def render(item: Item, *preferences: BodyPreference, **options) -> RenderedBody:
    plan = choose_body(item, preferences=preferences, **options)
    octets = asyncio.run(read(item.content, *plan.read)) if plan.read else b""
    return finish(plan, octets)


def octets_of(body: RenderedBody) -> bytes:
    assert body.data is not None
    assert not isinstance(body.data, str)
    return asyncio.run(read(body.data))


def plain_item(text: str) -> Item:
    return corpus.item(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode())


def html_item(html: str) -> Item:
    return corpus.item(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())


class TestMimeSupport:
    @pytest.mark.parametrize("name", ["clear-signed", "opaque-signed", "encrypted-gcm", "triple"])
    @pytest.mark.requirement("MS-ASCMD_R3395", "MS-ASCMD_R3396", "MS-ASCMD_R3397", "MS-ASAIRS_R307")
    def test_secure_messages(self, name: str) -> None:
        item = corpus.item(corpus.message(name))
        types = [render(item, want(MIME), want(HTML), mime_support=support).type for support in (0, 1, 2)]
        assert types == [HTML, MIME, MIME]

    @pytest.mark.parametrize("name", ["plain", "pgp-signed", "smime-in-rfc822"])
    def test_other_messages(self, name: str) -> None:
        item = corpus.item(corpus.message(name))
        types = [render(item, want(MIME), want(PLAIN), mime_support=support).type for support in (0, 1, 2)]
        assert types == [PLAIN, PLAIN, MIME]

    def test_mime_must_be_asked_for_by_type_too(self) -> None:
        item = corpus.item(corpus.message("clear-signed"))
        assert render(item, want(PLAIN), mime_support=2).type is PLAIN

    @pytest.mark.parametrize("name", corpus.NAMES)
    def test_the_octets_are_those_that_came(self, name: str) -> None:
        item = corpus.item(corpus.message(name))
        body = render(item, want(MIME), mime_support=2, multipart=True)
        assert octets_of(body) == corpus.TRACE + corpus.message(name)
        assert body.size == len(corpus.TRACE) + len(corpus.message(name))
        assert not body.truncated

    @pytest.mark.requirement("MS-ASCMD_R3408", "MS-ASCMD_R3409", "MS-ASCMD_R3411", "MS-ASCMD_R3412")
    def test_the_elements_of_a_mime_body(self) -> None:
        body = render(corpus.item(corpus.message("clear-signed")), want(MIME), mime_support=1).body()
        names = [child.tag.name for child in dump(body, V12_1).children]
        assert names == ["Type", "EstimatedDataSize", "Truncated", "Data"]
        assert isinstance(body.data, Inline)
        assert size_of(body.data.octets) == body.estimated_data_size

    def test_a_nul_cannot_go_inline(self) -> None:
        item = corpus.item(corpus.message("broken-nul"))
        assert render(item, want(MIME), want(PLAIN), mime_support=2).type is PLAIN
        alone = render(item, want(MIME), mime_support=2)
        assert (alone.type, alone.data, alone.truncated) == (MIME, None, True)
        assert alone.body().data is None
        assert render(item, want(MIME), mime_support=2, multipart=True).data is not None

    def test_an_encrypted_message_without_mime_has_an_empty_text(self) -> None:
        body = render(corpus.item(corpus.message("encrypted-cbc")), want(PLAIN, 500, preview=100))
        assert (body.type, body.data, body.truncated, body.size, body.preview) == (PLAIN, "", False, 0, None)


class TestMimeTruncation:
    def test_an_ordinary_message_is_cut(self) -> None:
        item = corpus.item(corpus.message("attachment-names"))
        body = render(item, want(MIME, 100), mime_support=2)
        assert octets_of(body) == (corpus.TRACE + corpus.message("attachment-names"))[:100]
        assert body.truncated
        assert body.size == item.content.size

    @pytest.mark.requirement("MS-ASCMD_R3419", "MS-ASCMD_R3426")
    def test_by_mime_truncation(self) -> None:
        item = plain_item("x" * 50_000)
        sizes = [render(item, want(MIME), mime_support=2, mime_truncation=value).data.size for value in (1, 2, 3, 4, 5)]
        assert sizes == [4096, 5120, 7168, 10_240, 20_480]
        assert not render(item, want(MIME), mime_support=2, mime_truncation=8).truncated
        assert render(item, want(MIME, 300), mime_support=2, mime_truncation=8).data.size == 300

    @pytest.mark.requirement("MS-ASCMD_R3418")
    def test_zero_means_no_text_at_all(self) -> None:
        body = render(plain_item("x"), want(MIME), mime_support=2, mime_truncation=0)
        assert (body.data, body.truncated) == (None, True)

    def test_a_secure_message_is_never_cut(self) -> None:
        item = corpus.item(corpus.message("clear-signed"))
        assert not render(item, want(MIME, 100), mime_support=1, mime_truncation=1).truncated
        withheld = render(item, want(MIME, 100, all_or_none=True), mime_support=1)
        assert (withheld.type, withheld.data, withheld.truncated) == (MIME, None, True)
        assert withheld.size == item.content.size


class TestPreferences:
    @pytest.mark.requirement("MS-ASAIRS_R77", "MS-ASAIRS_R241")
    def test_the_native_type_wins(self) -> None:
        assert render(html_item("<p>x"), want(PLAIN), want(HTML)).type is HTML
        assert render(plain_item("x"), want(HTML), want(PLAIN)).type is PLAIN

    @pytest.mark.requirement("MS-ASAIRS_R78", "MS-ASAIRS_R80", "MS-ASAIRS_R399", "MS-ASAIRS_R385")
    def test_all_or_none_gives_way_to_the_next(self) -> None:
        item = html_item("<p>" + "word " * 50 + "</p>")
        body = render(item, want(HTML, 50, all_or_none=True), want(PLAIN, 50))
        assert (body.type, body.truncated) == (PLAIN, True)
        assert body.data == ("word " * 50)[:50]

    @pytest.mark.requirement("MS-ASAIRS_R376", "MS-ASAIRS_R377")
    def test_all_or_none_alone_is_answered_without_data(self) -> None:
        body = render(plain_item("word " * 50), want(PLAIN, 50, all_or_none=True))
        assert (body.data, body.truncated, body.size) == (None, True, 250)

    @pytest.mark.requirement("MS-ASAIRS_R75", "MS-ASAIRS_R401", "MS-ASAIRS_R300")
    def test_all_or_none_means_nothing_without_a_size(self) -> None:
        body = render(plain_item("word " * 5000), want(PLAIN, all_or_none=True))
        assert body.data == "word " * 5000
        assert not body.truncated

    @pytest.mark.requirement("MS-ASAIRS_R54", "MS-ASAIRS_R373")
    def test_all_or_none_that_fits_is_answered_whole(self) -> None:
        assert render(plain_item("word"), want(PLAIN, 50, all_or_none=True)).data == "word"

    def test_rtf_is_not_offered(self) -> None:
        assert render(plain_item("x"), want(RTF), want(HTML)).type is HTML
        assert render(plain_item("x"), want(RTF)).type is PLAIN

    def test_without_preferences_all_of_the_native_type_goes(self) -> None:
        assert render(html_item("<p>x")).data == "<p>x"
        assert render(corpus.item(corpus.message("clear-signed")), mime_support=1).type is MIME


class TestText:
    @pytest.mark.parametrize("type_", [PLAIN, HTML])
    @pytest.mark.parametrize(
        "name", ["plain", "plain-latin1", "html-only", "html-inline-image", "opaque-signed-stream"]
    )
    def test_both_types_can_be_had(self, name: str, type_: BodyType) -> None:
        body = render(corpus.item(corpus.message(name)), want(type_))
        assert body.type is type_
        assert isinstance(body.data, str)
        assert not body.truncated
        assert ("<" in body.data and "</" in body.data) == (type_ is HTML)

    @pytest.mark.parametrize("size", [0, 1, 7, 87, 1000, 1500, 5000])
    @pytest.mark.requirement("MS-ASAIRS_R288", "MS-ASAIRS_R276", "MS-ASAIRS_R277", "MS-ASAIRS_R202")
    def test_text_is_cut_at_a_whole_character(self, size: int) -> None:
        source = "Grüße — " * 200
        body = render(plain_item(source), want(PLAIN, size))
        assert body.size == len(source.encode())
        data = body.data or ""
        assert source.startswith(data)
        assert size - 3 < len(data.encode()) <= size or not body.truncated
        assert body.truncated == (size < len(source.encode()))

    def test_html_is_not_cut_within_a_tag(self) -> None:
        body = render(html_item('<p>one</p><a href="https://example.com/">two &amp; three</a>'), want(HTML, 30))
        assert body.data == "<p>one</p>"
        assert body.truncated

    def test_a_short_text_costs_no_read(self) -> None:
        for preference in (want(PLAIN), want(PLAIN, 500), want(HTML)):
            assert choose_body(plain_item("short"), preferences=[preference]).read is None

    def test_the_beginning_of_a_long_text_costs_no_read(self) -> None:
        assert choose_body(plain_item("x" * 100_000), preferences=[want(PLAIN, 500)]).read is None
        assert choose_body(html_item("<p>" + "x" * 100_000), preferences=[want(PLAIN, 1024)]).read is None

    def test_only_the_beginning_of_a_long_text_is_read(self) -> None:
        plan = choose_body(plain_item("x" * 1_000_000), preferences=[want(PLAIN, 5000)])
        assert plan.read is not None
        assert plan.read[1] - plan.read[0] < 100_000
        assert plan.weight == 5000
        body = render(plain_item("x" * 1_000_000), want(PLAIN, 5000))
        assert (body.data, body.truncated, body.size) == ("x" * 5000, True, 1_000_000)

    def test_a_list_preview_has_no_links(self) -> None:
        item = plain_item("See this <https://example.com/very/long> and [cid:image001.png@x] that. " * 50)
        assert render(item, want(PLAIN, 40)).data == "See this and  that. See this and  that. "[:40]

    def test_offsets_count_from_below_the_trace(self) -> None:
        item = html_item("<b>exactly this</b>")
        assert render(item, want(HTML)).data == "<b>exactly this</b>"


class TestPreview:
    @pytest.mark.requirement("MS-ASAIRS_R248", "MS-ASAIRS_R250")
    def test_a_preview_is_plain_and_short_enough(self) -> None:
        body = render(html_item("<h1>Hello</h1><p>there &amp; " + "more " * 100), want(HTML, 10, preview=12))
        assert body.preview == "Hello there "[:12]

    @pytest.mark.requirement("MS-ASAIRS_R1001036")
    def test_plain_text_with_data_has_none(self) -> None:
        assert render(plain_item("text"), want(PLAIN, preview=100)).preview is None
        assert render(plain_item("text " * 50), want(PLAIN, 10, all_or_none=True, preview=4)).preview == "text"

    def test_an_opaque_signed_message_has_one_beside_its_mime(self) -> None:
        body = render(corpus.item(corpus.message("opaque-signed")), want(MIME, preview=10), mime_support=1)
        assert body.preview == "Grüße aus "

    def test_before_14_0_there_is_none(self) -> None:
        body = render(html_item("<p>x"), want(HTML, preview=5)).body()
        assert "Preview" not in [child.tag.name for child in dump(body, V12_1).children]


class TestWireForms:
    @pytest.mark.requirement("MS-ASAIRS_R176", "MS-ASAIRS_R244", "MS-ASAIRS_R405")
    def test_a_part_stands_instead_of_data(self) -> None:
        rendered = render(plain_item("text"), want(PLAIN))
        assert [c.tag.name for c in dump(rendered.body(part=1), V14_1).children][-1] == "Part"
        assert rendered.body(part=1).data is None
        assert rendered.body().part is None

    @pytest.mark.requirement("MS-ASAIRS_R126", "MS-ASAIRS_R127", "MS-ASAIRS_R271", "MS-ASAIRS_R272", "MS-ASAIRS_R256")
    def test_a_body_part(self) -> None:
        item = html_item("<p>" + "word " * 20)
        plan = choose_body_part(item, [BodyPartPreference(type=HTML, preview=4)])
        assert plan is not None
        assert plan.read is not None
        part = finish(plan, asyncio.run(read(item.content, *plan.read))).body_part()
        names = [child.tag.name for child in dump(part, V14_1).children]
        assert names == ["Status", "Type", "EstimatedDataSize", "Truncated", "Data", "Preview"]
        assert part.status is BodyPartStatus.SUCCESS
        large = choose_body_part(item, [BodyPartPreference(type=HTML, truncation_size=5, all_or_none=True)])
        assert large is not None
        assert finish(large).body_part().status is BodyPartStatus.TOO_LARGE
        assert choose_body_part(item, []) is None
        assert choose_body_part(item, [BodyPartPreference(type=MIME)]) is None
