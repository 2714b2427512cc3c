"""Drafts as octets: whatever a client sends becomes a message that says just that."""

from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.render.drafts import InvalidDraft, Origin, added_files, changed_draft, new_draft
from eas_server.render.mime import index_message
from eas_server.render.writing import LONG_LINE, clean, file_name
from protocol.items.airsyncbase import AddAttachment, Attachments, Body, BodyType, DeleteAttachment, Method
from protocol.items.email import Email, Importance

ORIGIN = Origin(name="Alice Example", address="alice@example.com", message_id="<1@example.com>")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
wild = st.one_of(
    texts, st.sampled_from(["", "\r\nBcc: eve@example.com", "=?utf-8?q?a=0d=0aBcc:_x@y?=", "a" * 3000, "ß" * 999])
)
addresses = st.one_of(wild, st.sampled_from(["bob@example.com", '"Bob, B" <bob@example.com>; carol@example.com']))
bodies = st.builds(Body, type=st.sampled_from([BodyType.PLAIN, BodyType.HTML]), data=wild)
new_files = st.builds(
    AddAttachment,
    client_id=st.text("abc123", min_size=1, max_size=8),
    method=st.sampled_from([Method.NORMAL, Method.EMBEDDED_MESSAGE]),
    content=st.binary(max_size=300),
    display_name=wild,
    content_type=st.one_of(
        st.none(), wild, st.sampled_from(["image/png", "multipart/mixed", "text/plain", "text/html"])
    ),
    content_id=st.one_of(st.none(), wild, st.just("image@1")),
    content_location=st.one_of(st.none(), wild),
    is_inline=st.one_of(st.none(), st.booleans()),
)
emails = st.builds(
    Email,
    to=st.one_of(st.none(), addresses),
    cc=st.one_of(st.none(), addresses),
    bcc=st.one_of(st.none(), addresses),
    reply_to=st.one_of(st.none(), addresses),
    subject=st.one_of(st.none(), wild),
    importance=st.one_of(st.none(), st.sampled_from(Importance)),
    body=st.one_of(st.none(), bodies),
    attachments=st.one_of(st.none(), st.builds(Attachments, changes=st.lists(new_files, max_size=4).map(tuple))),
)


def text_of(octets: bytes, kind: str) -> str:
    part = message_from_bytes(octets, policy=policy.default).get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


@given(emails)
def test_a_new_draft_says_what_the_client_said(email: Email) -> None:
    octets = new_draft(email, ORIGIN)
    index, _ = index_message(octets)
    assert index.broken == ""
    assert index.subject == clean(email.subject or "")[:4096]
    assert [a.size for a in index.attachments] == [len(f.content) for f in sorted_files(email)]
    assert [a.name.removesuffix(".eml") for a in index.attachments] == [
        file_name(f.display_name).removesuffix(".eml") for f in sorted_files(email)
    ]
    assert index.importance == int(Importance.NORMAL if email.importance is None else email.importance)
    head = octets[: octets.index(b"\r\n\r\n")]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert len(names) == len(set(names))
    assert max(map(len, head.split(b"\r\n"))) <= LONG_LINE or email.to or email.cc or email.bcc or email.reply_to


def sorted_files(email: Email) -> list[AddAttachment]:
    """Those of the text come first, where it is HTML."""
    html = email.body is not None and email.body.type is BodyType.HTML and bool(email.body.data is not None)
    return sorted(added_files(email), key=lambda f: not (html and f.is_inline and f.content_id))


@given(emails)
def test_the_same_change_again_changes_nothing(email: Email) -> None:
    email = Email(**{**fields(email), "attachments": None})
    octets = new_draft(email, ORIGIN)
    assert changed_draft(octets, email) == octets


@given(emails, emails)
def test_a_change_keeps_what_it_does_not_name(first: Email, second: Email) -> None:
    octets = new_draft(first, ORIGIN)
    before, _ = index_message(octets)
    after, _ = index_message(changed_draft(octets, second))
    assert after.message_id == before.message_id
    assert after.subject == (before.subject if second.subject is None else clean(second.subject)[:4096])
    assert len(after.attachments) == len(before.attachments) + len(added_files(second))
    kept = [(a.name, a.size) for a in before.attachments]
    assert all((a.name, a.size) in kept for a in before.attachments)
    if second.to is None and second.cc is None and second.bcc is None:
        assert (after.to, after.cc, after.bcc) == (before.to, before.cc, before.bcc)


@given(emails, st.data())
def test_files_go_one_by_one(email: Email, data: st.DataObject) -> None:
    octets = new_draft(email, ORIGIN)
    while files := index_message(octets)[0].attachments:
        number = data.draw(st.integers(0, len(files) - 1))
        octets = changed_draft(octets, deleting(number), int)
        left = index_message(octets)[0].attachments
        assert sorted((a.name, a.size) for a in left) == sorted(
            (a.name, a.size) for n, a in enumerate(files) if n != number
        )


def fields(email: Email) -> dict[str, Any]:
    return {name: getattr(email, name) for name in ("to", "cc", "bcc", "reply_to", "subject", "importance", "body")}


def deleting(number: int) -> Email:
    return Email(attachments=Attachments(changes=(DeleteAttachment(file_reference=str(number)),)))


@pytest.mark.parametrize("kind", [BodyType.PLAIN, BodyType.HTML])
@pytest.mark.parametrize(
    "data", ["a", "a\r\nb\r\n", "trailing \t \r\n.\r\nFrom me\r\n--x\r\n", "ä€\U0001f600", "x" * 5000]
)
def test_text_comes_back(kind: BodyType, data: str) -> None:
    octets = new_draft(Email(body=Body(type=kind, data=data)), ORIGIN)
    shown = text_of(octets, "html" if kind is BodyType.HTML else "plain")
    assert shown.replace("\r\n", "\n").rstrip("\n") == data.replace("\r\n", "\n").rstrip("\n")


STORED = (
    b"From: alice@example.com\nSubject: =?iso-8859-1?q?gr=FC=DFe?=\nX-Mailer: other\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=outer\n\npreamble\n--outer\n"
    b"Content-Type: multipart/alternative; boundary=inner\n\n"
    b"--inner\nContent-Type: text/plain; charset=iso-8859-1\n\ngr\xfc\xdfe\n"
    b"--inner\nContent-Type: text/html; charset=iso-8859-1\n\n<p>gr\xfc\xdfe</p>\n--inner--\n"
    b"--outer\nContent-Type: application/pdf; name=a.pdf\nX-Own: line\nContent-Transfer-Encoding: base64\n\nJVBERg==\n"
    b"--outer\nContent-Type: message/rfc822\n\nSubject: inside\n\ntext\n--outer--\nepilogue\n"
)


def test_a_message_of_another_program() -> None:
    """What another program made keeps its parts, octet by octet, when the text is changed."""
    assert changed_draft(STORED, Email(subject="new")) == STORED.replace(b"=?iso-8859-1?q?gr=FC=DFe?=\n", b"new\r\n")
    changed = changed_draft(STORED, Email(body=Body(type=BodyType.HTML, data="<p>other</p>")))
    assert b"X-Mailer: other\n" in changed
    assert b"Content-Type: application/pdf; name=a.pdf\nX-Own: line\n" in changed
    index, _ = index_message(changed)
    assert [(a.name, a.size) for a in index.attachments] == [("a.pdf", 4), ("inside.eml", 21)]
    assert text_of(changed, "plain").strip() == "other"
    same = changed_draft(STORED, Email(body=Body(type=BodyType.HTML, data="<p>grüße</p>")))
    assert same == STORED
    without = changed_draft(STORED, deleting(0), int)
    assert b"gr\xfc\xdfe" in without
    assert [a.name for a in index_message(without)[0].attachments] == ["inside.eml"]


SIGNED = (
    b'Subject: s\r\nContent-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    b"--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nMII=\r\n--b--\r\n"
)
ENCRYPTED = b"Subject: s\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMII=\r\n"


@pytest.mark.parametrize("octets", [SIGNED, ENCRYPTED])
def test_signed_and_encrypted_drafts(octets: bytes) -> None:
    """Their content is left alone, or replaced as a whole."""
    assert changed_draft(octets, Email(importance=Importance.NORMAL)) == octets
    edited = changed_draft(octets, Email(to="bob@example.com", bcc="carol@example.com"))
    assert edited.endswith(octets[octets.index(b"\r\n\r\n") :])
    for change in (deleting(0), Email(attachments=Attachments(changes=(one_file(),)))):
        with pytest.raises(InvalidDraft):
            changed_draft(octets, change, int)
    index, _ = index_message(changed_draft(octets, Email(body=Body(type=BodyType.PLAIN, data="open"))))
    assert (index.message_class, index.attachments) == ("IPM.Note", ())


def one_file() -> AddAttachment:
    return AddAttachment(client_id="1", method=Method.NORMAL, content=b"x", display_name="x")


@pytest.mark.parametrize(
    "octets", [b"", b"\r\n", b"no header", b"Subject: s", b"\x00\xff" * 50, b"Subject: s\r\n\r\n\x00"]
)
def test_whatever_is_stored_can_be_changed(octets: bytes) -> None:
    changed = changed_draft(octets, Email(subject="new", body=Body(type=BodyType.PLAIN, data="text")))
    assert index_message(changed)[0].subject == "new"


def test_too_many_files() -> None:
    many = Attachments(changes=tuple(one_file() for _ in range(501)))
    with pytest.raises(InvalidDraft):
        new_draft(Email(attachments=many), ORIGIN)
