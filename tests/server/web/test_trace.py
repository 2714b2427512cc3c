"""What is written down of a device's traffic, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.errors import NoSuchThing
from eas_server.model.device import Device
from eas_server.model.ids import DeviceId, UserId
from eas_server.web import trace
from eas_server.web.log import RequestRecord
from eas_server.web.trace import Traces, document, headers_of, path_of, redacted
from protocol import wbxml
from protocol.codepages import PAGES, tag
from protocol.elements import Element, Opaque
from protocol.http import parse_query
from protocol.xmltext import to_xml

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEVICE = Device(
    user=UserId("alice@example.com"),
    id=DeviceId("phone"),
    first_seen=NOW,
    last_seen=NOW,
    trace_until=NOW + timedelta(hours=1),
)
SECRET = "the secret of alice"
TELLING = frozenset(
    """
    Subject Data To From Cc Bcc Password UserName FreeText DisplayName Preview Email1Address Certificate
    CertificateChain MiniCertificate Picture Mime Content Location FirstName LastName MobilePhoneNumber PhoneNumber
    IMEI FriendlyName ReplyMessage EmailAddress Name Email Value Category DisplayTo ThreadTopic Sender SmtpAddress
    OrganizerName OrganizerEmail UID Query TemplateDescription ContentOwner LinkId Annotation Street ManagerName
    Spouse Company
    """.split()  # noqa: SIM905 — a list of names
)


def leaves():
    """Every tag that could hold what people wrote, with text and with octets."""
    for page in PAGES:
        for each in page.tags:
            if each.name in TELLING:
                yield Element(each, SECRET)
                yield Element(each, Opaque(SECRET.encode()))


def test_nothing_that_people_wrote_is_shown():
    root = Element(tag("AirSync:Sync"), list(leaves()))
    shown = to_xml(redacted(root))
    assert len(root.children) > 80
    assert [line for line in shown.splitlines() if SECRET in line] == []
    assert "[19 characters]" in shown
    assert "[19 octets]" in shown


def test_what_the_protocol_says_is_shown():
    body = wbxml.encode(
        Element(tag("Ping:Ping"), [Element(tag("Ping:HeartbeatInterval"), "480"), Element(tag("Ping:Folders"))])
    ).join()
    assert "<HeartbeatInterval>480</HeartbeatInterval>" in document(body)
    many = [Element(tag("AirSync:Status"), "1") for _ in range(trace.MAX_ELEMENTS * 2)]
    assert to_xml(redacted(Element(tag("AirSync:Sync"), many))).count("<Status>") == trace.MAX_ELEMENTS
    assert document(b"") == "(no body)\n"
    assert "no WBXML" in document(b"From: alice\r\n\r\n" + SECRET.encode())
    assert SECRET not in document(b"From: alice\r\n\r\n" + SECRET.encode())
    assert document(bytes(10_000_000)) == "[10000000 octets]\n"


def test_headers_are_shown_by_name():
    shown = headers_of(
        [
            (b"user-agent", b"Apple-iPhone"),
            (b"Authorization", b"Basic YWxpY2U6c2VjcmV0"),
            (b"cookie", b"session=1"),
            (b"x-\x1b[2J", b"\x1b[2J"),
            (b"content-type", b"a\x1b[2J"),
        ]
    )
    assert "user-agent: Apple-iPhone\n" in shown
    assert "YWxpY2U6c2VjcmV0" not in shown
    assert "session" not in shown
    assert "Authorization: [22 octets]\n" in shown
    assert "\x1b" not in shown


async def test_a_request_and_its_answer(tmp_path):
    traces = Traces(tmp_path / "traces")
    record = RequestRecord(id="abc-1", started=0.0, address="10.0.0.7", command="Ping", version="16.1")
    traced = traces.of(DEVICE, record, NOW)
    assert traced is not None
    line = parse_query("Cmd=Ping&User=alice&DeviceId=phone&DeviceType=iPhone&CollectionId=5")
    await traced.begin([(b"host", b"mail.example.com")], line, b"", NOW)
    record.status, record.sent, record.note = 200, 12, "it \x07 failed"
    await traced.end(Element(tag("Ping:Ping"), [Element(tag("Ping:Status"), "1")]), 12.34)
    text = await traces.read(DEVICE.user, DEVICE.id)
    for words in (
        "=== 2026-11-23T12:00:00.000Z abc-1 Ping at 16.1 from 10.0.0.7",
        "alice@example.com phone iPhone",
        "collection_id=5",
        "host: mail.example.com",
        "HTTP 200, 12 octets, 12.3 ms (it \\x07 failed)",
        "<Status>1</Status>",
    ):
        assert words in text
    assert (tmp_path / "traces").stat().st_mode & 0o777 == 0o700
    assert traces.path(DEVICE.user, DEVICE.id).stat().st_mode & 0o777 == 0o600


async def test_it_ends_by_itself_and_stays_small(tmp_path, monkeypatch):
    traces, record = Traces(tmp_path / "traces"), RequestRecord(id="1", started=0.0)
    assert traces.of(DEVICE, record, NOW + timedelta(hours=1)) is None
    assert traces.of(replace(DEVICE, trace_until=None), record, NOW) is None
    with pytest.raises(NoSuchThing):
        await traces.read(DEVICE.user, DEVICE.id)
    monkeypatch.setattr(trace, "MAX_OCTETS", 1000)
    for number in range(50):
        await traces.write(DEVICE, f"{number:099}\n")
    sizes = [path.stat().st_size for path in (tmp_path / "traces").iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1000
    assert f"{49:099}" in await traces.read(DEVICE.user, DEVICE.id)


async def test_a_trace_that_cannot_be_written_fails_no_request(tmp_path, caplog):
    (tmp_path / "traces").write_text("in the way")
    await Traces(tmp_path / "traces").write(DEVICE, "text")
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("user", "device"),
    [("..", ".."), ("alice", "../../etc"), ("a+b", "c"), ("a", "b+c"), ("u" * 254, "d" * 32), ("ä", "\x00")],
)
def test_no_name_leads_out_of_the_folder(tmp_path, user, device):
    path = path_of(tmp_path, user, device)
    assert path.parent == tmp_path
    assert path.resolve().parent == tmp_path.resolve()
    assert len(path.name.encode()) <= 255
    assert path != path_of(tmp_path, f"{user}+", device)
    assert path != path_of(tmp_path, user, f"{device}x")
