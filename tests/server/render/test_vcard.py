"""Contacts out of vCards and into them."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from eas_server.render.contacts.vcard import apply_contact, contact_from, search_text
from eas_server.render.contentlines import MalformedLines, parse
from eas_server.render.merging import TAGS
from eas_server.render.pim import InvalidItem
from protocol.elements import Tag
from protocol.items.airsyncbase import Body, BodyPreference, BodyType
from protocol.items.contacts import Contact
from protocol.schema import EMPTY
from protocol.versions import V14_1, V16_1

NOW = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)
FOREIGN = b"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iOS 17//EN
N:Smith;Bob;J.;Dr.;Jr.
FN:Dr. Bob J. Smith\\, Jr.
NICKNAME:Bobby
ORG:Example\\, Inc.;Research;Team 5
TITLE:Engineer
item1.EMAIL;type=INTERNET;type=pref:bob@example.com
EMAIL;type=WORK:bob@work.example.com
EMAIL:three@example.com
EMAIL:four@example.com
TEL;type=CELL;type=VOICE;type=pref:+49 170 1
TEL;type=HOME:+49 30 1
TEL;TYPE="work,voice":+49 30 2
TEL;TYPE=HOME;TYPE=FAX:+49 30 3
TEL:+49 30 4
item2.ADR;type=HOME:PO 7;;1 Main St\\nDoor 2;Berlin;;10115;Germany
item2.X-ABADR:de
ADR;TYPE=work:;;Work St;Bonn;NRW;5;DE
BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-05
item3.X-ABDATE;type=pref:2001-02-03
item3.X-ABLabel:_$!<Anniversary>!$_
URL:https://example.com/a\\,b
CATEGORIES:Friends,Work
NOTE:Line 1\\nLine 2
IMPP;X-SERVICE-TYPE=Jabber:xmpp:bob@example.com
X-SOCIALPROFILE;type=x:https://example.com/bob
UID:1234
END:VCARD
""".replace(b"\n", b"\r\n")


def tags(*names: str) -> frozenset[Tag]:
    return frozenset(TAGS[Contact][name] for name in names)


def change(stored: bytes | None, new: Contact, **options: object) -> bytes:
    return apply_contact(stored, new, **{"version": V14_1, "now": NOW, "uid": "u1", **options})  # type: ignore[arg-type]


def lines(octets: bytes) -> list[bytes]:
    return [line for line in octets.split(b"\r\n") if not line.startswith(b"REV:")]


def test_a_foreign_card_is_read() -> None:
    contact = contact_from(FOREIGN)
    body = contact.body
    assert body is not None
    assert (body.type, body.data, body.estimated_data_size) == (BodyType.PLAIN, "Line 1\r\nLine 2", 14)
    assert replace(contact, body=None) == Contact(
        last_name="Smith",
        first_name="Bob",
        middle_name="J.",
        title="Dr.",
        suffix="Jr.",
        file_as="Dr. Bob J. Smith, Jr.",
        nick_name="Bobby",
        company_name="Example, Inc.",
        department="Research",
        job_title="Engineer",
        email1_address="bob@example.com",
        email2_address="bob@work.example.com",
        email3_address="three@example.com",
        mobile_phone_number="+49 170 1",
        home_phone_number="+49 30 1",
        home2_phone_number="+49 30 4",
        business_phone_number="+49 30 2",
        home_fax_number="+49 30 3",
        home_address_street="1 Main St\nDoor 2",
        home_address_city="Berlin",
        home_address_postal_code="10115",
        home_address_country="Germany",
        business_address_street="Work St",
        business_address_city="Bonn",
        business_address_state="NRW",
        business_address_postal_code="5",
        business_address_country="DE",
        birthday=datetime(1604, 3, 5, 11, 59, tzinfo=UTC),
        anniversary=datetime(2001, 2, 3, 11, 59, tzinfo=UTC),
        web_page="https://example.com/a,b",
        categories=("Friends", "Work"),
        im_address="xmpp:bob@example.com",
    )


def test_the_same_again_changes_nothing() -> None:
    assert change(FOREIGN, contact_from(FOREIGN)) == FOREIGN


@pytest.mark.parametrize(
    ("field", "value", "old", "new"),
    [
        ("email2_address", "x@example.com", b"EMAIL;type=WORK:bob@work.example.com", b"EMAIL;type=WORK:x@example.com"),
        ("home_phone_number", "1", b"TEL;type=HOME:+49 30 1", b"TEL;type=HOME:1"),
        ("home_address_city", "Ulm;x", b"Berlin", b"Ulm\\;x"),
        ("department", "D", b"Research", b"D"),
        ("web_page", "http://x/a,b", b"https://example.com/a\\,b", b"http://x/a,b"),
        ("categories", ("A,", "B"), b"Friends,Work", b"A\\,,B"),
        ("birthday", datetime(1980, 3, 4, 11, 59, tzinfo=UTC), b";X-APPLE-OMIT-YEAR=1604:1604-03-05", b":1980-03-04"),
        (
            "birthday",
            datetime(1980, 3, 4, 23, 0, tzinfo=UTC),
            b"X-APPLE-OMIT-YEAR=1604:1604-03-05",
            b"X-EAS-TIME=230000:1980-03-04",
        ),
        ("anniversary", datetime(2002, 2, 3, 11, 59, tzinfo=UTC), b"2001-02-03", b"2002-02-03"),
        ("nick_name", None, b"NICKNAME:Bobby\r\n", b""),
        ("im_address", "skype:b", b"xmpp:bob@example.com", b"skype:b"),
        (
            "im_address",
            "b b",
            b"IMPP;X-SERVICE-TYPE=Jabber:xmpp:bob@example.com",
            b"X-EAS-IM;X-SERVICE-TYPE=Jabber:b b",
        ),
    ],
)
def test_one_field_changes_and_the_rest_stays(field: str, value: object, old: bytes, new: bytes) -> None:
    sent = replace(contact_from(FOREIGN), **{field: value})
    changed = change(FOREIGN, sent)
    assert lines(changed) == lines(FOREIGN.replace(old, new))
    assert b"REV:20261203T131800Z\r\n" in changed
    assert getattr(contact_from(changed), field) == value


@pytest.mark.requirement("MS-ASCMD_R879", "MS-ASCMD_R878")
def test_absent_properties_are_deleted_but_for_body_and_picture() -> None:
    stored = change(None, Contact(first_name="A", spouse="S", picture=PIXEL, body=Body(type=BodyType.PLAIN, data="n")))
    contact = contact_from(change(stored, Contact(first_name="A", body=Body(type=BodyType.PLAIN))))
    assert (contact.spouse, contact.picture, contact.body and contact.body.data) == (None, PIXEL, "n")


@pytest.mark.requirement("MS-ASCMD_R5906", "MS-ASCMD_R5907", "MS-ASCMD_R5908", "MS-ASCMD_R5911", "MS-ASCMD_R5912")
@pytest.mark.requirement("MS-ASCMD_R5909", "MS-ASCMD_R660", "MS-ASCNTC_R499")
def test_ghosted_properties_are_kept() -> None:
    stored = change(None, Contact(first_name="A", spouse="S", job_title="J"))
    named = contact_from(change(stored, Contact(first_name="B"), supported=tags("first_name", "job_title")))
    assert (named.first_name, named.spouse, named.job_title) == ("B", "S", None)
    empty = contact_from(change(stored, Contact(first_name="B"), supported=frozenset()))
    assert (empty.first_name, empty.spouse, empty.job_title) == ("B", "S", "J")
    absent = contact_from(change(stored, Contact(first_name="B")))
    assert (absent.spouse, absent.job_title) == (None, None)


def test_empty_elements_clear() -> None:
    sent = Contact(first_name="A", spouse="S", birthday=NOW, picture=PIXEL, categories=("a",), children=("c",))
    stored = change(None, replace(sent, body=Body(type=BodyType.PLAIN, data="n")))
    cleared = Contact(
        first_name="A",
        spouse="",
        birthday=EMPTY,
        picture=b"",
        categories=(),
        children=(),
        body=Body(type=BodyType.PLAIN, data=""),
    )
    contact = contact_from(change(stored, cleared, supported=frozenset()))
    assert contact == Contact(first_name="A", file_as="A", body=contact.body)
    assert contact.body == Body(type=BodyType.PLAIN, estimated_data_size=0, truncated=False, data="")
    kept = contact_from(change(stored, cleared, empty_picture_keeps=True))
    assert (kept.picture, kept.spouse) == (PIXEL, None)


@pytest.mark.requirement("MS-ASCNTC_R384", "MS-ASCNTC_R381", "MS-ASCNTC_R382", "MS-ASCNTC_R1021")
def test_a_picture_beyond_the_limit() -> None:
    change(None, Contact(picture=bytes(36 * 1024)))
    with pytest.raises(InvalidItem):
        change(None, Contact(picture=bytes(36 * 1024 + 1)))


@pytest.mark.requirement("MS-ASCNTC_R183", "MS-ASCNTC_R194")
def test_too_many_labels() -> None:
    with pytest.raises(InvalidItem):
        change(None, Contact(categories=("a",) * 301))
    with pytest.raises(InvalidItem):
        change(None, Contact(children=("a",) * 301))


@pytest.mark.parametrize("body_type", [BodyType.RTF, BodyType.MIME])
def test_a_body_that_nobody_else_could_read(body_type: BodyType) -> None:
    with pytest.raises(InvalidItem):
        change(None, Contact(body=Body(type=body_type, data="x")))


def test_a_deleted_line_does_not_bring_hidden_ones_into_sight() -> None:
    sent = replace(contact_from(FOREIGN), email1_address=None, web_page=None)
    two = FOREIGN.replace(b"CATEGORIES", b"URL:http://two.example.com\r\nCATEGORIES")
    changed = change(two, sent)
    contact = contact_from(changed)
    assert (contact.email1_address, contact.email2_address) == (None, "bob@work.example.com")
    assert (contact.email3_address, contact.web_page) == ("three@example.com", None)
    again = change(changed, sent)
    assert again == changed
    assert b"four@example.com" in again
    assert b"http://two.example.com" in again
    back = contact_from(change(changed, replace(sent, email1_address="n@example.com", web_page="http://n")))
    assert (back.email1_address, back.email2_address) == ("n@example.com", "bob@work.example.com")
    assert back.web_page == "http://n"


def test_fn_follows_the_names_and_file_as_is_kept() -> None:
    stored = change(None, Contact(first_name="Bob", last_name="Smith", file_as="Smith, Bob"))
    assert parse(stored).text("FN") == "Bob Smith"
    assert contact_from(stored).file_as == "Smith, Bob"
    renamed = change(stored, replace(contact_from(stored), first_name="Rob", body=None))
    assert parse(renamed).text("FN") == "Rob Smith"
    assert contact_from(renamed).file_as == "Smith, Bob"
    elsewhere = renamed.replace(b"FN:Rob Smith", b"FN:Carol Jones")
    assert contact_from(elsewhere).file_as == "Carol Jones"


def test_a_card_with_nothing_but_fn() -> None:
    stored = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bob J. Smith\r\nEND:VCARD\r\n"
    contact = contact_from(stored)
    assert (contact.first_name, contact.last_name, contact.file_as) == ("Bob J.", "Smith", "Bob J. Smith")
    assert change(stored, contact) == stored
    changed = change(stored, replace(contact, last_name="Jones"))
    assert b"N:Jones;Bob J.;;;\r\n" in changed
    assert b"FN:Bob J. Jones\r\n" in changed


def test_vcard_4() -> None:
    stored = (
        b"BEGIN:VCARD\r\nVERSION:4.0\r\nN:A;;;;\r\nFN:A\r\nTEL;VALUE=uri;TYPE=cell:tel:+49-1\r\nBDAY:--0405\r\n"
        b"ANNIVERSARY:20010203\r\nPHOTO:data:image/png;base64," + base64.b64encode(PIXEL) + b"\r\nEND:VCARD\r\n"
    )
    contact = contact_from(stored)
    assert (contact.mobile_phone_number, contact.picture) == ("+49-1", PIXEL)
    assert contact.birthday == datetime(1604, 4, 5, 11, 59, tzinfo=UTC)
    assert change(stored, contact) == stored
    moved = datetime(2002, 2, 3, 11, 59, tzinfo=UTC)
    new = replace(contact, mobile_phone_number="1", birthday=moved, anniversary=moved, picture=b"GIF89a")
    changed = change(stored, new)
    for line in (
        b"TEL;TYPE=cell:1",
        b"BDAY:20020203",
        b"ANNIVERSARY:20020203",
        b"PHOTO:data:image/gif;base64,R0lGODlh",
    ):
        assert line + b"\r\n" in changed
    assert replace(contact_from(changed), body=None) == replace(new, body=None)


@pytest.mark.parametrize(
    "photo",
    [
        b"PHOTO;VALUE=uri:https://example.com/p.jpg",
        b"PHOTO;ENCODING=b;TYPE=JPEG:" + base64.b64encode(bytes(40_000)),
        b"PHOTO;ENCODING=b:!",
    ],
)
def test_a_picture_that_devices_cannot_have_stays(photo: bytes) -> None:
    stored = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:A;;;;\r\nFN:A\r\n" + photo + b"\r\nEND:VCARD\r\n"
    assert contact_from(stored).picture is None
    assert photo in change(stored, Contact(last_name="B"))


def test_html_notes() -> None:
    html = "<p>Hello <b>you</b></p>"
    stored = change(None, Contact(first_name="A", body=Body(type=BodyType.HTML, data=html)))
    assert parse(stored).text("NOTE") == "Hello you"
    wanted = [BodyPreference(type=BodyType.HTML), BodyPreference(type=BodyType.PLAIN)]
    body = contact_from(stored, wanted).body
    assert body == Body(type=BodyType.HTML, estimated_data_size=len(html), truncated=False, data=html)
    plain = contact_from(stored, [BodyPreference(type=BodyType.PLAIN, truncation_size=5)]).body
    assert plain == Body(type=BodyType.PLAIN, estimated_data_size=9, truncated=True, data="Hello")
    edited = contact_from(stored.replace(b"NOTE:Hello you", b"NOTE:Bye"), wanted[:1]).body
    assert edited is not None
    assert "Bye" in str(edited.data)


def test_search_and_rubbish() -> None:
    found = search_text(FOREIGN)
    assert all(word in found for word in ("Smith", "four@example.com", "Berlin", "Line 2", "Friends"))
    with pytest.raises(MalformedLines):
        contact_from(b"rubbish")
    odd = (
        b"BEGIN:VCARD\r\nBDAY:circa 1800\r\nADR:x\r\nN:\r\nTEL;X-EAS-SLOT=9:1\r\nEMAIL;X-EAS-SLOT=a:2\r\nEND:VCARD\r\n"
    )
    assert contact_from(odd).birthday is None
    assert b"circa 1800" in change(odd, Contact(email1_address="x"), version=V16_1)
