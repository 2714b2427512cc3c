"""The shapes of SendMail, SmartReply and SmartForward."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import wbxml
from protocol.codepages import tag
from protocol.commands import send_mail, smart_forward, smart_reply
from protocol.commands.compose_mail import PRESENT, Source, mime_octets
from protocol.elements import Element, Opaque
from protocol.errors import MalformedXml
from protocol.schema import dump, load
from protocol.versions import V14_0, V14_1, V16_1
from tests.schemas import assert_valid

MIME = b"To: bob@example.com\r\n\r\nHi\x00\xff"
MODULES = [(send_mail, "SendMail"), (smart_reply, "SmartReply"), (smart_forward, "SmartForward")]


def octets(element: Element) -> bytes:
    return b"".join(map(bytes, wbxml.encode(element)))


@pytest.mark.requirement("MS-ASCMD_R3345", "MS-ASCMD_R3874", "MS-ASCMD_R3887", "MS-ASCMD_R3888", "MS-ASCMD_R950")
def test_a_request_as_it_is_on_the_wire():
    wire = (
        b"\x03\x01\x6a\x00"
        b"\x00\x15\x45"  # page ComposeMail, SendMail
        b"\x51\x0342\x00\x01"  # ClientId
        b"\x08"  # SaveInSentItems
        b"\x50\xc3\x19To: bob@example.com\r\n\r\nHi\x01"  # Mime
        b"\x01"
    )
    request = load(send_mail.Request, wbxml.decode(wire))
    assert request.client_id == "42"
    assert request.save_in_sent_items == PRESENT
    assert bytes(mime_octets(request.mime)) == b"To: bob@example.com\r\n\r\nHi"
    assert octets(dump(request, V14_1)) == wire


@pytest.mark.parametrize("content", ["", "0", "1"])
@pytest.mark.requirement("MS-ASCMD_R3781", "MS-ASCMD_R3874")
def test_flags_are_told_by_being_there(content: str):
    reply = smart_reply.Request(client_id="1", source=Source(item_id="5:1"), mime=Opaque(MIME))
    element = dump(reply)
    element.children.append(Element(tag("ComposeMail:ReplaceMime"), content or None))
    assert load(smart_reply.Request, element).replace_mime is not None
    assert load(smart_reply.Request, element).save_in_sent_items is None


def test_inline_mime_is_taken_too():
    element = Element(
        tag("ComposeMail:SendMail"),
        [Element(tag("ComposeMail:Mime"), "To: b\udcff"), Element(tag("ComposeMail:ClientId"), "1")],
    )
    assert bytes(mime_octets(load(send_mail.Request, element).mime)) == b"To: b\xff"


@pytest.mark.parametrize(("module", "name"), MODULES)
@pytest.mark.requirement("MS-ASCMD_R949", "MS-ASCMD_R3342", "MS-ASCMD_R3969")
def test_what_is_required(module: ModuleType, name: str):
    source = {} if name == "SendMail" else {"source": Source(item_id="5:1")}
    whole = dump(module.Request(client_id="1", mime=Opaque(MIME), **source))
    required = ["ClientId"] + ["Mime"] * (name != "SmartForward") + ["Source"] * (name != "SendMail")
    for missing in required:
        rest = [child for child in whole.children if child.tag.name != missing]
        with pytest.raises(MalformedXml, match=f"/{name}/{missing}"):
            load(module.Request, Element(whole.tag, rest))


@pytest.mark.parametrize(("module", "name"), MODULES)
@pytest.mark.requirement("MS-ASCMD_R952")
def test_a_client_id_has_up_to_40_characters(module: ModuleType, name: str):
    source = {} if name == "SendMail" else {"source": Source(item_id="5:1")}
    for size, fits in ((40, True), (41, False)):
        element = dump(module.Request(client_id="x" * size, mime=Opaque(MIME), **source))
        if fits:
            assert load(module.Request, element).client_id == "x" * size
        else:
            with pytest.raises(MalformedXml):
                load(module.Request, element)


@pytest.mark.requirement("MS-ASCMD_R3092", "MS-ASCMD_R3204", "MS-ASCMD_R3244")
@pytest.mark.parametrize(("field", "size"), [("folder_id", 64), ("item_id", 64), ("long_id", 256)])
def test_ids_have_a_limit(field: str, size: int):
    assert load(Source, dump(Source(**{field: "x" * size})))
    with pytest.raises(MalformedXml):
        load(Source, dump(Source(**{field: "x" * (size + 1)})))


@pytest.mark.requirement("MS-ASCMD_R4377", "MS-ASCMD_R4404")
@pytest.mark.parametrize(("module", "name"), MODULES)
def test_responses_are_valid(module: ModuleType, name: str):
    for status in (107, 118, 119, 120, 150, 166):
        assert_valid(dump(module.Response(status=status), V14_0), name)


def test_forwardees_are_of_16_0_and_later():
    forwardees = smart_forward.Forwardees(forwardees=(smart_forward.Forwardee(email="b@example.com", name="B"),))
    request = smart_forward.Request(client_id="1", source=Source(item_id="5:1"), forwardees=forwardees)
    assert load(smart_forward.Request, dump(request, V16_1)) == request
    assert load(smart_forward.Request, dump(request, V14_1)).forwardees is None


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
OPTIONAL = st.none() | TEXT


@given(st.builds(Source, folder_id=OPTIONAL, item_id=OPTIONAL, long_id=OPTIONAL, instance_id=OPTIONAL), st.binary())
def test_what_is_written_is_read(source: Source, mime: bytes):
    request = smart_reply.Request(client_id="1", source=source, replace_mime=PRESENT, mime=Opaque(mime))
    again = load(smart_reply.Request, wbxml.decode(octets(dump(request))))
    assert again.source == source
    assert bytes(mime_octets(again.mime)) == mime
