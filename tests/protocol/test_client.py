"""The client half, held against the parsers of the server half and against broken answers."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.web import autodiscover
from protocol import multipart, schema, wbxml
from protocol.client import (
    COMMANDS,
    FOLDER_SYNC,
    PING,
    PROVISION,
    SEND_MAIL,
    SMART_REPLY,
    SYNC,
    Client,
    QueryForm,
    Unexpected,
    compose,
)
from protocol.commands import folder_sync, ping, provision, settings, smart_reply, sync
from protocol.commands.compose_mail import Source
from protocol.elements import Element, Opaque
from protocol.http import MESSAGE, WBXML, parse_basic, parse_headers, parse_query
from protocol.versions import SUPPORTED, V12_1, V14_0, V16_1, ProtocolVersion

PING_REQUEST = ping.Request(heartbeat_interval=480, folders=(ping.Folder(id="5", item_class="Email"),))
MIME = b"From: alice@example.com\nSubject: bytes \xff\x00 as they are\r\n\r\nText\n"


def client(version: ProtocolVersion = V16_1, query: QueryForm = QueryForm.PLAIN, **more) -> Client:
    """Alice's telephone."""
    return Client(
        user="alice@example.com",
        password="päss:word",
        device_id="phone1",
        device_type="Lab",
        version=version,
        query=query,
        **more,
    )


def octets(response: object, version: ProtocolVersion = V16_1) -> bytes:
    """A response as a server sends it."""
    return wbxml.encode(schema.dump(response, version)).join()


def wire(request):
    """What a server reads of a request: its command line with the headers, and the headers."""
    headers = parse_headers((name.encode(), value.encode()) for name, value in request.headers)
    return parse_query(request.query).with_headers(headers), headers


@pytest.mark.requirement("MS-ASHTTP_R403", "MS-ASHTTP_R150", "MS-ASHTTP_R162")
@pytest.mark.parametrize("query", QueryForm)
@pytest.mark.parametrize("version", SUPPORTED)
def test_both_forms_of_the_query_say_the_same(version, query):
    device = client(version, query)
    device.policy_key = 3_000_000_000
    request = device.request(PING, PING_REQUEST, multiparts=True)
    line, headers = wire(request)
    assert (request.method, request.path) == ("POST", "/Microsoft-Server-ActiveSync")
    assert (line.known, line.user, line.device_id, line.device_type) == (PING.name, device.user, "phone1", "Lab")
    assert (line.version, line.policy_key, line.accept_multipart) == (version, 3_000_000_000, True)
    assert headers.content_type == WBXML
    assert schema.load(ping.Request, wbxml.decode(request.body)) == PING_REQUEST


def test_the_password_goes_as_basic_credentials():
    _, headers = wire(client().request(PING))
    found = parse_basic(headers.authorization)[0]
    assert (found.user, found.domain, found.password) == ("alice", "example.com", "päss:word")


def test_without_a_policy_key_none_is_sent():
    line, _ = wire(client(policy_key=None).request(PING))
    assert line.policy_key is None


def test_an_empty_request_has_no_type():
    _, headers = wire(client().request(SYNC))
    assert headers.content_type == ""


@pytest.mark.requirement("MS-ASCMD_R7540")
def test_send_mail_before_14_is_the_message_itself():
    request = client(V12_1).request(SEND_MAIL, compose(MIME, "1"))
    line, headers = wire(request)
    assert request.body == MIME
    assert headers.content_type == MESSAGE
    assert line.save_in_sent


@pytest.mark.requirement("MS-ASCMD_R7540")
def test_send_mail_from_14_on_carries_the_message_untouched():
    request = client(V14_0).request(SEND_MAIL, compose(MIME, "1", save=False))
    line, _ = wire(request)
    loaded = schema.load(SEND_MAIL.request, wbxml.decode(request.body))
    assert bytes(loaded.mime.octets) == MIME
    assert loaded.save_in_sent_items is None
    assert not line.save_in_sent


@pytest.mark.requirement("MS-ASCMD_R5530")
def test_smart_reply_before_14_names_the_original_in_the_query():
    reply = smart_reply.Request(client_id="2", source=Source(folder_id="5", item_id="5:7"), mime=Opaque(MIME))
    request = client(V12_1, QueryForm.BASE64).request(SMART_REPLY, reply)
    line, _ = wire(request)
    assert request.body == MIME
    assert (line.collection_id, line.item_id) == ("5", "5:7")
    assert not line.save_in_sent


def test_compression_in_both_directions():
    device = client(compress=True)
    request = device.request(PING, PING_REQUEST)
    _, headers = wire(request)
    assert headers.accepts_gzip
    assert headers.content_encoding == "gzip"
    assert schema.load(ping.Request, wbxml.decode(gzip.decompress(request.body))) == PING_REQUEST
    body = gzip.compress(octets(ping.Response(status=ping.Status.NO_CHANGES)))
    answer = device.read(PING, 200, [("Content-Type", WBXML), ("content-encoding", "gzip")], body)
    assert answer.take().status is ping.Status.NO_CHANGES


@pytest.mark.parametrize("cut", [1, 12, 20])
def test_a_cut_compressed_answer_is_a_fault(cut):
    body = gzip.compress(octets(ping.Response(status=ping.Status.NO_CHANGES)))[:-cut]
    answer = client().read(PING, 200, [("Content-Type", WBXML), ("Content-Encoding", "gzip")], body)
    assert not answer.ok
    assert "compressed" in answer.fault


def synced(key: str | None, status: int = sync.Status.SUCCESS) -> sync.Response:
    """A Sync answer for the collection 5."""
    collection = sync.CollectionResponse(sync_key=key, collection_id="5", status=status)
    return sync.Response(collections=sync.CollectionsResponse(collections=(collection,)))


def test_a_sync_key_is_remembered_when_its_answer_is_read():
    device = client()
    assert device.collection("5").sync_key == "0"
    device.read(SYNC, 200, [("Content-Type", WBXML)], octets(synced("17")))
    assert device.collection("5").sync_key == "17"
    assert device.collection("6").sync_key == "0"
    device.read(SYNC, 200, [("Content-Type", WBXML)], octets(synced(None, sync.Status.INVALID_SYNC_KEY)))
    assert device.collection("5").sync_key == "17"


def test_an_empty_answer_is_neither_a_response_nor_a_fault():
    answer = client().read(SYNC, 200, [("Content-Length", "0")], b"")
    assert answer.ok
    assert answer.response is None
    with pytest.raises(Unexpected, match="HTTP 200"):
        answer.take()


@pytest.mark.requirement("MS-ASCMD_R7563", "MS-ASCMD_R7564")
@pytest.mark.parametrize("status", [141, 142, 143, 144])
def test_the_need_to_provision_in_both_ways(status):
    device = client()
    assert device.read(SYNC, 449, [], b"").needs_provisioning
    answer = device.read(SYNC, 200, [("Content-Type", WBXML)], octets(sync.Response(status=status)))
    assert answer.needs_provisioning
    assert answer.status == status
    assert answer.describe() == f"HTTP 200, Status {status}"
    assert not device.read(SYNC, 200, [("Content-Type", WBXML)], octets(sync.Response(status=4))).needs_provisioning


@pytest.mark.requirement("MS-ASHTTP_R224")
def test_a_redirection_names_where_to_go():
    answer = client().read(SYNC, 451, [("X-MS-Location", "https://mail.example.com/Microsoft-Server-ActiveSync")], b"")
    assert answer.location == "https://mail.example.com/Microsoft-Server-ActiveSync"
    assert not answer.ok


@pytest.mark.requirement("MS-ASHTTP_R1108")
def test_an_offer_is_read_from_options():
    device = client(user_agent="Lab/1")
    request = device.options()
    assert (request.method, request.target) == ("OPTIONS", "/Microsoft-Server-ActiveSync")
    assert wire(device.request(PING))[1].user_agent == "Lab/1"
    headers = [("MS-ASProtocolVersions", "2.5,14.1, 16.1,17.0"), ("MS-ASProtocolCommands", "Sync,Ping")]
    offer = device.read_options(200, headers).offer
    assert offer is not None
    assert [str(version) for version in offer.versions] == ["2.5", "14.1", "16.1"]
    assert offer.commands == {"Sync", "Ping"}
    assert device.read_options(200, []).offer is None


DISCOVERED = b"""<?xml version="1.0"?><Autodiscover xmlns="urn:frame"><Response xmlns="urn:mobilesync">
<User><EMailAddress>alice@example.com</EMailAddress></User><Action><Settings>
<Server><Type>CertEnroll</Type><Url>https://cert.example.com</Url></Server>
<Server><Type>MobileSync</Type><Url> https://eas.example.com/Microsoft-Server-ActiveSync </Url></Server>
</Settings></Action></Response></Autodiscover>"""


def test_discovery_asks_for_one_address_and_takes_the_server_of_the_right_type():
    device = client()
    request = device.discover("a<l>ice@example.com")
    asked = autodiscover.parse(request.body)
    assert asked.email == "a<l>ice@example.com"
    assert asked.response_schema == autodiscover.RESPONSE_SCHEMA
    assert device.read_discovery(200, [], DISCOVERED).take() == "https://eas.example.com/Microsoft-Server-ActiveSync"


@pytest.mark.parametrize("body", [b"", b"<html>", b"<a/>", DISCOVERED.replace(b"MobileSync", b"Other"), b"\xff\xfe"])
def test_discovery_without_a_server_is_a_fault(body):
    assert client().read_discovery(200, [], body).fault


def test_discovery_that_was_refused():
    assert client().read_discovery(401, [], b"").http_status == 401


def test_the_key_of_the_hierarchy_is_remembered():
    device = client()
    device.read(FOLDER_SYNC, 200, [("Content-Type", WBXML)], octets(folder_sync.Response(status=1, sync_key="3")))
    assert device.hierarchy_key == "3"
    device.read(FOLDER_SYNC, 200, [("Content-Type", WBXML)], octets(folder_sync.Response(status=9)))
    assert device.hierarchy_key == "3"


def provisioned(key: str | None) -> bytes:
    """An answer to Provision."""
    policy = provision.ResponsePolicy(policy_type=provision.POLICY_TYPE, status=1, policy_key=key)
    return octets(provision.Response(status=1, policies=(policy,)))


def test_both_phases_of_provisioning():
    device = client()
    asked = device.ask_for_policy(settings.DeviceDetails(model="Lab"))
    assert asked.device_information is not None
    device.read(PROVISION, 200, [("Content-Type", WBXML)], provisioned("77"))
    acknowledged = device.acknowledge_policy()
    assert acknowledged.policies is not None
    assert (acknowledged.policies[0].policy_key, acknowledged.policies[0].status) == ("77", provision.Compliance.FULL)
    device.read(PROVISION, 200, [("Content-Type", WBXML)], provisioned("4000000000"))
    assert device.policy_key == 4_000_000_000
    device.read(PROVISION, 200, [("Content-Type", WBXML)], provisioned(None))
    assert device.policy_key == 4_000_000_000


def test_device_information_goes_into_provision_from_14_1_on():
    assert client(V14_0).ask_for_policy(settings.DeviceDetails(model="Lab")).device_information is None


def test_the_parts_of_a_multipart_answer():
    document = octets(ping.Response(status=ping.Status.NO_CHANGES))
    body = b"".join(bytes(part) for part in multipart.Multipart([document, MIME, b"two"]))
    answer = client().read(PING, 200, [("Content-Type", "application/vnd.ms-sync.multipart")], body)
    assert answer.take().status is ping.Status.NO_CHANGES
    assert answer.parts == (MIME, b"two")


def test_a_document_of_another_command_is_a_fault():
    answer = client().read(PING, 200, [("Content-Type", WBXML)], octets(synced("1")))
    assert answer.response is None
    assert isinstance(answer.document, Element)
    assert "Ping" in answer.fault


def test_a_web_page_in_place_of_an_answer_is_a_fault():
    answer = client().read(PING, 200, [("Content-Type", "text/html")], b"<html>Sign in</html>")
    assert not answer.ok
    assert "text/html" in answer.describe()


@given(
    command=st.sampled_from(sorted(COMMANDS)),
    status=st.sampled_from([200, 401, 403, 449, 500, 503]),
    kind=st.sampled_from([WBXML, "application/vnd.ms-sync.multipart", "text/html", ""]),
    encoding=st.sampled_from(["", "gzip"]),
    body=st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\x03\x01\x6a\x00" + rest),
)
def test_whatever_comes_back_is_an_answer(command, status, kind, encoding, body):
    headers = [("Content-Type", kind), ("Content-Encoding", encoding)]
    answer = client().read(COMMANDS[command], status, headers, body)
    assert answer.http_status == status
    assert answer.describe()
