"""The declarative layer between trees and types."""

from datetime import UTC, datetime
from enum import IntEnum

import pytest

from protocol.codepages import tag
from protocol.elements import Element, Inline, Opaque
from protocol.errors import MalformedXml
from protocol.schema import COMPACT, EMPTY, OPAQUE, Empty, dump, el, element, load, tag_of
from protocol.versions import V12_1, V14_0, V14_1, V16_0


class Retrieval(IntEnum):
    """CertificateRetrieval."""

    NONE = 1
    FULL = 2


@element("ResolveRecipients:Options")
class Options:
    """A container of single values."""

    retrieval: Retrieval | None = el("ResolveRecipients:CertificateRetrieval", default=None)
    most: int | None = el("ResolveRecipients:MaxCertificates", default=None, minimum=0, maximum=9999)
    picture: bool | None = el("ResolveRecipients:Picture", default=None)


@element("ResolveRecipients:ResolveRecipients")
class Request:
    """Repeated values and a nested element."""

    to: tuple[str, ...] = el("ResolveRecipients:To", default=(), max_length=256)
    options: Options | None = el(default=None)


@element("AirSync:Add")
class Add:
    """One of a mixture."""

    client_id: str = el("AirSync:ClientId")
    content: Element | None = el("AirSync:ApplicationData", default=None)


@element("AirSync:Delete")
class Delete:
    """Another one."""

    server_id: str = el("AirSync:ServerId")


@element("AirSync:Commands")
class Commands:
    """An ordered mixture."""

    commands: tuple[Add | Delete, ...] = el(default=())


@element("Email:Flag")
class Flag:
    """Values that may be empty."""

    status: int | Empty | None = el("Email:Status", default=None)
    kind: str | None = el("Email:FlagType", default=None)
    due: datetime | None = el("Tasks:DueDate", default=None)


@element("Email:MeetingRequest")
class Meeting:
    """Forms, versions, containers."""

    start: datetime | None = el("Email:StartTime", default=None, form=COMPACT)
    categories: tuple[str, ...] | None = el("Email:Categories", item="Email:Category", default=None)
    conversation: bytes | None = el("Email2:ConversationId", default=None, form=OPAQUE)
    location: str | None = el("Email:Location", default=None, until=V14_1)
    blob: bytes | None = el("Email:TimeZone", default=None)


@element("AirSyncBase:Body")
class Body:
    """Content as it is."""

    content: str | Opaque | Inline | None = el("AirSyncBase:Data", default=None)


def tree(name: str, *children: Element | str) -> Element:
    """An element by the name of its tag."""
    if children and isinstance(children[0], str):
        return Element(tag(name), children[0])
    return Element(tag(name), [c for c in children if isinstance(c, Element)] or None)


RR = "ResolveRecipients:"


def test_reads_and_writes_what_it_declares() -> None:
    request = Request(to=("alice", "bob"), options=Options(retrieval=Retrieval.FULL, most=3, picture=True))
    written = dump(request)
    assert load(Request, written) == request
    assert [child.tag.name for child in written.children] == ["To", "To", "Options"]


def test_children_are_taken_in_any_order_and_unknown_ones_skipped() -> None:
    root = tree(RR + "ResolveRecipients", tree(RR + "Options"), tree("Find:Find"), tree(RR + "To", "carol"))
    assert load(Request, root) == Request(to=("carol",), options=Options())


@pytest.mark.parametrize(
    ("root", "path"),
    [
        (
            tree(RR + "ResolveRecipients", tree(RR + "Options", tree(RR + "CertificateRetrieval", "x"))),
            "/ResolveRecipients/Options/CertificateRetrieval: 'x' is not a number",
        ),
        (
            tree(RR + "ResolveRecipients", tree(RR + "Options", tree(RR + "CertificateRetrieval", "7"))),
            "/ResolveRecipients/Options/CertificateRetrieval: '7' is not a valid Retrieval",
        ),
        (
            tree(RR + "ResolveRecipients", tree(RR + "Options", tree(RR + "MaxCertificates", "10000"))),
            "/ResolveRecipients/Options/MaxCertificates: 10000 is not between 0 and 9999",
        ),
        (
            tree(RR + "ResolveRecipients", tree(RR + "Options"), tree(RR + "Options")),
            "/ResolveRecipients/Options: must not be repeated",
        ),
        (
            tree(RR + "ResolveRecipients", tree(RR + "To", "x" * 257)),
            "/ResolveRecipients/To: longer than 256 characters",
        ),
        (
            tree(RR + "ResolveRecipients", tree(RR + "To", tree(RR + "To", "x"))),
            "/ResolveRecipients/To: child elements",
        ),
        (tree(RR + "ResolveRecipients", "words"), "/ResolveRecipients: text where child elements belong"),
        (tree(RR + "Options"), "/Options: expected ResolveRecipients:ResolveRecipients"),
    ],
)
def test_errors_name_the_path_once(root: Element, path: str) -> None:
    with pytest.raises(MalformedXml) as caught:
        load(Request, root)
    assert str(caught.value).startswith(path)


def test_missing_elements_are_named() -> None:
    with pytest.raises(MalformedXml, match=r"^/Commands/Add/ClientId: is missing$"):
        load(Commands, tree("AirSync:Commands", tree("AirSync:Add")))


def test_a_mixture_keeps_its_order() -> None:
    commands = Commands(commands=(Delete(server_id="1:2"), Add(client_id="a"), Delete(server_id="1:3")))
    assert load(Commands, dump(commands)) == commands


def test_the_second_stage_gets_the_element_itself() -> None:
    inner = tree("AirSync:ApplicationData", tree("Email:Subject", "x"))
    loaded = load(Add, tree("AirSync:Add", tree("AirSync:ClientId", "c"), inner))
    assert loaded.content is inner
    assert dump(loaded).children[1] is inner


@pytest.mark.requirement("MS-ASCMD_R660")
def test_absent_and_empty_differ() -> None:
    absent = load(Flag, tree("Email:Flag"))
    empty = load(Flag, tree("Email:Flag", tree("Email:Status"), tree("Email:FlagType")))
    assert absent == Flag()
    assert empty == Flag(status=EMPTY, kind="")
    assert [c.tag.name for c in dump(empty).children] == ["Status", "FlagType"]
    assert all(c.content is None for c in dump(empty).children)


def test_an_empty_container_is_not_an_absent_one() -> None:
    assert load(Meeting, tree("Email:MeetingRequest", tree("Email:Categories"))).categories == ()
    assert load(Meeting, tree("Email:MeetingRequest")).categories is None
    written = dump(Meeting(categories=())).children
    assert [c.tag.name for c in written] == ["Categories"]
    assert written[0].content is None


def test_an_empty_flag_is_true() -> None:
    loaded = load(Options, tree(RR + "Options", tree(RR + "Picture")))
    assert loaded.picture is True


def test_instants_have_two_forms() -> None:
    at = datetime(2026, 12, 3, 13, 18, tzinfo=UTC)
    assert dump(Meeting(start=at)).children[0].text == "20261203T131800Z"
    assert dump(Flag(due=at)).children[0].text == "2026-12-03T13:18:00.000Z"
    assert load(Flag, dump(Flag(due=at))).due == at


@pytest.mark.requirement("MS-ASDTYPE_R91", "MS-ASDTYPE_R98")
def test_octets_are_taken_opaque_or_as_base64() -> None:
    written = dump(Meeting(conversation=b"\x00\x01", blob=b"\xff")).children
    assert isinstance(written[0].content, Opaque)
    assert written[1].content == "/w=="
    inline = Element(tag("Email:MeetingRequest"), [Element(tag("Email2:ConversationId"), "AAE=")])
    assert load(Meeting, inline).conversation == b"\x00\x01"


def test_versions_see_what_they_have() -> None:
    meeting = Meeting(conversation=b"x", location="here")
    assert [c.tag.name for c in dump(meeting, V12_1).children] == ["Location"]
    assert [c.tag.name for c in dump(meeting, V14_0).children] == ["ConversationId", "Location"]
    assert [c.tag.name for c in dump(meeting, V16_0).children] == ["ConversationId"]


def test_content_passes_as_it_is() -> None:
    octets = Inline(b"From: x\r\n\r\n\xff")
    assert dump(Body(content=octets)).children[0].content is octets
    loaded = load(Body, tree("AirSyncBase:Body", tree("AirSyncBase:Data", "text")))
    assert loaded.content == "text"


def test_a_class_knows_its_tag() -> None:
    assert str(tag_of(Body)) == "AirSyncBase:Body"


def test_text_that_is_not_utf8_is_malformed() -> None:
    """The reader of WBXML keeps such octets as surrogates, which nothing behind it could write anywhere."""
    root = Element(tag("ResolveRecipients:ResolveRecipients"), [Element(tag("ResolveRecipients:To"), "b\udcffb")])
    with pytest.raises(MalformedXml, match=r"/ResolveRecipients/To: octets that are not UTF-8"):
        load(Request, root)
    root.content = [Element(tag("ResolveRecipients:To"), Opaque(b"b\xffb"))]
    with pytest.raises(MalformedXml, match=r"not UTF-8"):
        load(Request, root)
    root.content = [Element(tag("ResolveRecipients:To"), "Zoë 😀")]
    assert load(Request, root).to == ("Zoë 😀",)
