"""What the index says of a message."""

from datetime import UTC, datetime, timedelta

import pytest

from eas_server.model.mail import PREVIEW_LENGTH, AttachmentMethod
from eas_server.render import structure
from eas_server.render.mime import index_message, topic
from protocol.datatypes import ConversationIndex
from tests.server.render import corpus


def index(header: str = "", body: str = "text\r\n"):
    return index_message((header + "\r\n" + body).encode())[0]


def message_class(type_: str, body: str = "") -> str:
    return index(f"Content-Type: {type_}\r\n", body).message_class


@pytest.mark.requirement("MS-ASEMAIL_R331", "MS-ASEMAIL_R787")
def test_recipients_are_separated_by_commas() -> None:
    found = index('To: "Bob, B." <bob@example.com>, carol@example.com\r\nCc: <a@example.com>,b@example.com\r\n')
    assert found.to == '"Bob, B." <bob@example.com>, carol@example.com'
    assert found.cc == "a@example.com, b@example.com"


@pytest.mark.requirement("MS-ASEMAIL_R711")
def test_reply_to_is_separated_by_semicolons() -> None:
    assert index("Reply-To: a@example.com, B <b@example.com>\r\n").reply_to == 'a@example.com; "B" <b@example.com>'


@pytest.mark.requirement("MS-ASEMAIL_R399", "MS-ASEMAIL_R400")
def test_display_to_has_names() -> None:
    assert index("To: Bob <bob@example.com>, carol@example.com\r\n").display_to == "Bob;carol@example.com"


@pytest.mark.requirement("MS-ASEMAIL_R477", "MS-ASEMAIL_R788")
def test_address_lists_have_a_limit_and_keep_addresses_whole() -> None:
    many = ", ".join(f"someone{n}@example.com" for n in range(3000))
    found = index(f"To: {many}\r\nFrom: {many}\r\n")
    assert 32000 < len(found.to) <= 32768
    assert found.to.endswith("@example.com")
    assert found.sender == "someone0@example.com"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("alice@example.com (Alice (A.) Example)", '"Alice (A.) Example" <alice@example.com>'),
        ('"A \\"quoted\\" name" <a@example.com>', '"A \\"quoted\\" name" <a@example.com>'),
        ("Team: a@example.com, B <b@example.com>;", 'a@example.com, "B" <b@example.com>'),
        ("undisclosed-recipients:;", ""),
        ("=?utf-8?b?w4R0eg==?= <a@example.com>", '"Ätz" <a@example.com>'),
        ("<@relay.example.com:a@example.com>", "a@example.com"),
        ("alice", "alice"),
        ("Broken <a@example.com", '"Broken" <a@example.com>'),
        ('"Never closed <a@example.com>', '"Never closed <a@example.com>"'),
        (",, ;a@example.com", "a@example.com"),
        ("A B C", '"A B C"'),
    ],
)
def test_addresses_are_read_leniently(value: str, shown: str) -> None:
    assert index(f"To: {value}\r\n").to == shown


@pytest.mark.requirement("MS-ASEMAIL_R726", "MS-ASEMAIL_R724")
def test_the_sender_is_named_only_where_it_differs() -> None:
    assert index("From: a@example.com\r\nSender: Alice <a@example.com>\r\n").sending_agent == ""
    assert index("From: a@example.com\r\nSender: b@example.com\r\n").sending_agent == "b@example.com"


@pytest.mark.parametrize(
    ("header", "importance"),
    [
        ("Importance: High", 2),
        ("Importance: low", 0),
        ("X-Priority: 1 (Highest)", 2),
        ("X-Priority: 5", 0),
        ("Priority: non-urgent", 0),
        ("Importance: whatever\r\nPriority: urgent", 2),
        ("Importance:", 1),
        ("Subject: x", 1),
    ],
)
@pytest.mark.requirement("MS-ASEMAIL_R484", "MS-ASEMAIL_R485", "MS-ASEMAIL_R486")
def test_importance(header: str, importance: int) -> None:
    assert index(f"{header}\r\n").importance == importance


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: FWD: [list] Re: x", "[list] Re: x"),
        ("AW: WG: Grüße", "Grüße"),
        ("RE[2]: x", "x"),
        ("Report: x", "Report: x"),
        ("Re:", ""),
    ],
)
def test_the_topic_is_the_subject_without_prefixes(subject: str, expected: str) -> None:
    assert topic(subject) == expected


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Mon, 3 Feb 2025 10:11:12 +0100", datetime(2025, 2, 3, 9, 11, 12, tzinfo=UTC)),
        ("3 Feb 2025 10:11 -0130 (comment)", datetime(2025, 2, 3, 11, 41, tzinfo=UTC)),
        ("Mon, 03 Feb 25 10:11:12 GMT", datetime(2025, 2, 3, 10, 11, 12, tzinfo=UTC)),
        ("Mon, 31 Feb 2025 10:11:12 +0100", None),
        ("1 Jan 0001 00:00:00 +2359", None),
        ("yesterday", None),
    ],
)
def test_the_date_is_an_instant_in_utc(value: str, moment: datetime | None) -> None:
    assert index(f"Date: {value}\r\n").date == moment


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("text/plain", "IPM.Note"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "IPM.Note.SMIME"),
        ("Application/X-PKCS7-MIME; smime-type=Signed-Data", "IPM.Note.SMIME"),
        ("application/pkcs7-mime; smime-type=authEnveloped-data", "IPM.Note.SMIME"),
        ("application/octet-stream; name=smime.P7M", "IPM.Note.SMIME"),
        ("application/pkcs7-mime; smime-type=signed-receipt", "IPM.Note.Receipt.SMIME"),
        ('multipart/signed; protocol="application/pkcs7-signature"; boundary=b', "IPM.Note.SMIME.MultipartSigned"),
        ("MULTIPART/Signed; protocol=application/X-pkcs7-signature; boundary=b", "IPM.Note.SMIME.MultipartSigned"),
        ("multipart/signed; protocol=application/pgp-signature; boundary=b", "IPM.Note"),
        ("multipart/encrypted; protocol=application/pgp-encrypted; boundary=b", "IPM.Note"),
    ],
)
@pytest.mark.requirement("MS-ASEMAIL_R590", "MS-ASEMAIL_R591", "MS-ASEMAIL_R592", "MS-ASEMAIL_R593")
def test_the_class_follows_from_the_type_of_the_whole(type_: str, expected: str) -> None:
    assert message_class(type_) == expected


def test_a_forwarded_signed_message_is_an_ordinary_one() -> None:
    found, _ = index_message(corpus.message("smime-in-rfc822"))
    assert found.message_class == "IPM.Note"
    assert not found.smime
    (attachment,) = found.attachments
    assert attachment.method is AttachmentMethod.EMBEDDED_MESSAGE
    assert corpus.message("smime-in-rfc822")[attachment.start : attachment.end] == corpus.message("clear-signed")


@pytest.mark.requirement("MS-ASAIRS_R2299")
def test_an_embedded_message_has_the_extension_eml() -> None:
    found, _ = index_message(corpus.message("smime-in-rfc822"))
    assert found.attachments[0].name.endswith(".eml")


def test_a_forgotten_protocol_is_read_off_the_signature() -> None:
    body = "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n\r\n--b--\r\n"
    assert message_class("multipart/signed; boundary=b", body) == "IPM.Note.SMIME.MultipartSigned"


def report(status: str, original: str = "Content-Type: text/plain\r\n\r\n") -> str:
    body = f"--b\r\nContent-Type: {status}\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    return message_class("multipart/report; boundary=b", body)


SIGNED = "Content-Type: multipart/signed; protocol=application/pkcs7-signature\r\n\r\n"
ENCRYPTED = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n"


@pytest.mark.requirement("MS-ASEMAIL_R604", "MS-ASEMAIL_R605", "MS-ASEMAIL_R606")
def test_delivery_reports() -> None:
    assert report("message/delivery-status\r\n\r\nAction: failed") == "REPORT.IPM.NOTE.NDR"
    assert report("message/delivery-status\r\n\r\nA: x\r\n\r\naction: Delivered") == "REPORT.IPM.NOTE.DR"
    assert report("message/delivery-status\r\n\r\nAction: delayed") == "REPORT.IPM.NOTE.DELAYED"


@pytest.mark.requirement("MS-ASEMAIL_R613", "MS-ASEMAIL_R614", "MS-ASEMAIL_R615", "MS-ASEMAIL_R616")
def test_delivery_reports_on_secure_messages() -> None:
    failed, delivered = (
        "message/delivery-status\r\n\r\nAction: failed",
        "message/delivery-status\r\n\r\nAction: relayed",
    )
    assert report(failed, ENCRYPTED) == "REPORT.IPM.NOTE.SMIME.NDR"
    assert report(delivered, ENCRYPTED) == "REPORT.IPM.NOTE.SMIME.DR"
    assert report(failed, SIGNED) == "REPORT.IPM.NOTE.SMIME.MULTIPARTSIGNED.NDR"
    assert report(delivered, SIGNED) == "REPORT.IPM.NOTE.SMIME.MULTIPARTSIGNED.DR"


@pytest.mark.requirement("MS-ASEMAIL_R607", "MS-ASEMAIL_R608")
def test_read_receipts() -> None:
    disposition = "message/disposition-notification\r\n\r\nDisposition: manual-action/x; "
    assert report(disposition + "displayed") == "REPORT.IPM.NOTE.IPNRN"
    assert report(disposition + "deleted") == "REPORT.IPM.NOTE.IPNNRN"


def test_encrypted_messages_have_no_text_and_no_native_type() -> None:
    for name in ("encrypted-cbc", "encrypted-gcm", "signed-encrypted", "opaque-triple"):
        found, words = index_message(corpus.message(name))
        assert (found.plain, found.html, found.preview, found.native_body_type) == (None, None, "", None)
        assert [attachment.name for attachment in found.attachments] == ["smime.p7m"]
        assert "Köln" not in words


def test_opaque_signed_messages_can_be_read_and_searched() -> None:
    found, words = index_message(corpus.message("opaque-signed"))
    assert found.preview.startswith("Grüße aus Köln")
    assert "contract" in words
    assert found.native_body_type == 1


@pytest.mark.requirement("MS-ASEMAIL_R496")
def test_the_code_page_is_that_of_the_body() -> None:
    pages = {
        charset: index(f"Content-Type: text/plain; charset={charset}\r\n").codepage
        for charset in ("us-ascii", "utf-8", "iso-8859-1", "windows-1252", "ISO-2022-JP", "koi8-r", "nonsense", "zip")
    }
    assert list(pages.values()) == [20127, 65001, 28591, 1252, 50220, 20866, 65001, 65001]


@pytest.mark.requirement("MS-ASAIRS_R237", "MS-ASAIRS_R238")
def test_the_native_type_is_the_richest() -> None:
    assert index().native_body_type == 1
    assert index("Content-Type: text/html\r\n", "<p>x").native_body_type == 2
    assert index_message(corpus.message("html-inline-image"))[0].native_body_type == 2


def test_the_preview_is_a_beginning_of_the_text() -> None:
    found = index("", "word " * 1000)
    assert len(found.preview) == PREVIEW_LENGTH
    assert found.text_size == 5000


def test_later_text_parts_are_attachments() -> None:
    body = (
        "--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/plain\r\n\r\nfooter\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b\r\n"
        "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\nx\r\n--b--\r\n"
    )
    found = index("Content-Type: multipart/mixed; boundary=b\r\n", body)
    assert found.preview == "first"
    assert [attachment.name for attachment in found.attachments] == ["ATT00001.txt", "ATT00002.htm", "notes.txt"]


def test_alternatives_below_a_mixed_part_are_one_text() -> None:
    body = (
        "--a\r\n\r\nplain\r\n--a\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
        "--m\r\nContent-Type: text/html\r\n\r\n<p>rich\r\n--m\r\nContent-Type: application/pdf\r\n\r\n%\r\n"
        "--m--\r\n--a--\r\n"
    )
    found = index("Content-Type: multipart/alternative; boundary=a\r\n", body)
    assert found.plain is not None
    assert found.native_body_type == 2
    assert [attachment.content_type for attachment in found.attachments] == ["application/pdf"]


def test_an_alternative_that_nobody_needs_is_no_attachment() -> None:
    body = "--a\r\nContent-Type: text/plain\r\n\r\nx\r\n--a\r\nContent-Type: text/x-amp-html\r\n\r\n<p>\r\n--a--\r\n"
    assert index("Content-Type: multipart/alternative; boundary=a\r\n", body).attachments == ()


@pytest.mark.requirement("MS-ASCON_R74", "MS-ASCON_R80")
class TestConversations:
    ROOT = "Message-ID: <1@example.com>\r\n"
    REPLY = "Message-ID: <2@example.com>\r\nIn-Reply-To: <1@example.com>\r\nReferences: <1@example.com>\r\n"
    THIRD = "Message-ID: <3@example.com>\r\nReferences: <1@example.com>\r\n <2@example.com>\r\n"

    def test_answers_share_the_id_of_what_they_answer(self) -> None:
        ids = {index(header).conversation_id for header in (self.ROOT, self.REPLY, self.THIRD)}
        assert len(ids) == 1
        assert len(ids.pop()) == 16

    def test_thread_index_does_not_part_a_conversation(self) -> None:
        thread = "Thread-Index: AcosL6iKI/9oAiBYvUhZlr4V9vbZkyA=\r\n"
        assert index(thread + self.ROOT).conversation_id == index(self.THIRD).conversation_id

    def test_other_messages_have_other_ids(self) -> None:
        assert index(self.ROOT).conversation_id != index("Message-ID: <9@example.com>\r\n").conversation_id

    def test_without_message_ids_the_topic_decides(self) -> None:
        assert index("Subject: A topic\r\n").conversation_id == index("Subject: RE: a  Topic\r\n").conversation_id
        assert index("Subject: A topic\r\n").conversation_id != index("Subject: Another\r\n").conversation_id
        assert index("X: 1\r\n").conversation_id != index("X: 2\r\n").conversation_id

    @pytest.mark.requirement("MS-ASCON_R95", "MS-ASCON_R309")
    def test_the_index_begins_with_the_date(self) -> None:
        found = index("Date: Thu, 03 Sep 2009 00:00:00 +0000\r\n")
        began = ConversationIndex.parse(found.conversation_index).began
        assert abs(began - datetime(2009, 9, 3, tzinfo=UTC)) < timedelta(seconds=1)

    def test_each_answer_adds_a_level(self) -> None:
        assert [len(index(header).conversation_index) for header in (self.ROOT, self.REPLY, self.THIRD)] == [5, 10, 15]

    def test_thread_index_gives_the_times(self) -> None:
        found, _ = index_message(corpus.message("reply"))
        assert found.conversation_index.hex() == "ca2cfa8a230000106890"

    def test_the_newer_form_of_thread_index(self) -> None:
        newer = index("Thread-Index: AQHZcKxlR0AAAAAAAAAAAAAAAAAAAA==\r\n")
        assert newer.conversation_index.hex() == "d970ac6500"

    @pytest.mark.parametrize("value", ["AdtBoGq5", "!!", "AQ==", "AcosL6iKI/9oAiBYvUhZlr4V9vbZkyAA"])
    def test_a_broken_thread_index_is_ignored(self, value: str) -> None:
        assert len(index(f"Thread-Index: {value}\r\n").conversation_index) == 5

    def test_without_any_date_the_time_of_receipt_counts(self) -> None:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        dated = index_message(b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n")[0]
        assert index_message(b"\r\n", received=moment)[0].conversation_index == dated.conversation_index


class TestHostileMessages:
    def test_depth_is_bounded(self) -> None:
        found = structure.scan(corpus.maker().nested(2000))
        assert len(list(found.root.walk())) <= structure.MAX_DEPTH + 1

    def test_parts_are_bounded(self) -> None:
        octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000
        found, _ = index_message(octets)
        assert len(found.attachments) <= 500
        assert len(structure.scan(octets).root.children) == structure.MAX_PARTS

    def test_a_boundary_in_a_boundary(self) -> None:
        body = "--b-x\r\n\r\nno\r\n--b\r\n\r\nyes\r\n--b--x\r\n--b  \t\r\n\r\nlater\r\n--b--\r\n--b\r\nepilogue"
        found = index("Content-Type: multipart/mixed; boundary=b\r\n", body)
        assert found.preview.startswith("yes")
        assert len(found.attachments) == 1

    def test_giant_headers_are_cut(self) -> None:
        found = index("Subject: " + "x" * 1_000_000 + "\r\n")
        assert len(found.subject) <= 4096
        assert index("X: y\r\n" * 5000 + "Subject: z\r\n").subject == ""

    def test_header_injection_does_not_reach_values(self) -> None:
        found = index("Subject: =?utf-8?q?a=0D=0ABcc:_x@example.com?=\r\n")
        assert "\r" not in found.subject
        assert "\n" not in found.subject

    def test_unclosed_html_is_quick(self) -> None:
        for piece in ("<!--", "<p ", "<a href='", "<script>", '"<', "&"):
            found = index("Content-Type: text/html\r\n", piece * 50_000)
            assert found.broken == ""
