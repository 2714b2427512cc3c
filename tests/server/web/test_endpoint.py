"""The endpoint over real sockets: authentication, versions, dispatch, and what failures become."""

import asyncio
import base64
import gzip
import logging
from dataclasses import replace

import pytest

from eas_server.commands.context import Reply
from eas_server.errors import CommandError, DirectoryUnavailable, NoSuchFolder, StoreFull, StoreUnavailable
from eas_server.model.blob import MemoryBlob
from eas_server.model.device import Access, Wipe
from eas_server.model.ids import DeviceId
from eas_server.model.settings import PolicySettings, Settings
from eas_server.web.settings import AuthSettings, WebLimits, WebSettings
from protocol import wbxml
from protocol.commands.ping import Response, Status
from protocol.errors import MalformedRequest, MalformedWbxml, MalformedXml
from protocol.http import CommandLine, build_base64_query
from protocol.status import CommonStatus
from protocol.versions import V14_0
from protocol.wbxml import Segments
from tests.server.commands.support import ALICE, Bench
from tests.server.web.support import BOB, PATH, PING, SYNC, Seen, basic, request, site

NOTHING_NEW = Response(status=Status.NO_CHANGES)


@pytest.mark.requirement(
    "MS-ASHTTP_R1107", "MS-ASHTTP_R1108", "MS-ASHTTP_R247", "MS-ASHTTP_R248", "MS-ASHTTP_R249", "MS-ASHTTP_R450"
)
@pytest.mark.parametrize("path", [PATH, PATH.lower(), PATH.upper(), PATH + "/"])
async def test_options(path: str) -> None:
    async with site() as there:
        answer = await there.ask("OPTIONS", path, MS_ASProtocolVersion="")
    assert answer.status == 200
    assert answer["MS-ASProtocolVersions"] == "12.1,14.0,14.1,16.0,16.1"
    assert answer["MS-ASProtocolCommands"] == "Sync,SendMail,Ping,Find"
    assert answer["MS-Server-ActiveSync"] == "16.1"
    assert answer["Content-Length"] == "0"
    assert {"OPTIONS", "POST"} == set(answer["Allow"].split(","))


@pytest.mark.requirement("MS-ASHTTP_R178", "MS-ASHTTP_R523", "MS-ASHTTP_R139", "MS-ASHTTP_R2371")
@pytest.mark.parametrize("authorization", ["", "Bearer abc", "Basic ???", basic("alice", "wrong"), basic("eve", "x")])
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET"])
async def test_without_credentials_the_connection_goes_on(authorization: str, method: str) -> None:
    async with site() as there:
        client = await there.connect()
        for _ in range(2):
            answer = await client.ask(method, body=b"x" * 300_000, Authorization=authorization)
            assert answer.status == 401
            assert answer["WWW-Authenticate"].startswith('Basic realm="')
            assert "connection" not in answer.headers
        assert (await client.ask("OPTIONS")).status == 200
    assert not there.seen.contexts


@pytest.mark.parametrize(
    "head", [{"Content_Length": "10000000"}, {"Content_Length": "", "Transfer_Encoding": "chunked"}]
)
async def test_a_refused_request_does_not_make_the_server_read_for_ever(head: dict[str, str]) -> None:
    async with site() as there:
        client = await there.connect()
        client.writer.write(request(Authorization="", **head))
        piece = b"x" * 100_000 if "Transfer_Encoding" not in head else b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
        answer = asyncio.create_task(client.answer())
        for _ in range(30):
            if answer.done():
                break
            client.writer.write(piece)
            await asyncio.sleep(0.01)
        assert (await answer).status == 401
        assert (await answer)["connection"] == "close"


@pytest.mark.parametrize(
    "authorization",
    [basic("alice", "secret"), basic("alice@example.com", "secret"), basic("carol", "pässwörd"),
     basic("carol", "pässwörd", "latin-1"), "basic  " + base64.b64encode(b"alice:secret").decode().rstrip("=")],
)  # fmt: skip
async def test_credentials_in_their_forms(authorization: str) -> None:
    async with site() as there:
        assert (await there.ask("OPTIONS", Authorization=authorization)).status == 200


async def test_the_user_parameter_need_not_be_the_name_that_signs_in() -> None:
    async with site() as there:
        answer = await there.ask(target=PING.replace("User=alice", "User=EXAMPLE%5Csomebody"))
    assert answer.status == 200
    assert there.seen.contexts[0].account is ALICE


async def test_a_sign_in_that_cannot_be_checked_is_tried_later() -> None:
    async with site() as there:
        there.accounts.error = DirectoryUnavailable("no LDAP server answers")
        answer = await there.ask()
    assert (answer.status, answer["Retry-After"]) == (503, "7")


@pytest.mark.requirement("MS-ASHTTP_R283", "MS-ASHTTP_R157", "MS-ASHTTP_R404", "MS-ASHTTP_R12", "MS-ASHTTP_R426")
async def test_the_version_comes_from_header_or_query() -> None:
    line = CommandLine(command="Ping", device_id="device1", device_type="iPhone", version=V14_0, policy_key=5)
    async with site(gated=False) as there:
        await there.ask(MS_ASProtocolVersion="16.0")
        await there.ask(target=f"{PATH}?{build_base64_query(line)}", MS_ASProtocolVersion="")
    assert [str(ctx.version) for ctx in there.seen.contexts] == ["16.0", "14.0"]
    assert there.seen.contexts[1].line.policy_key == 5


@pytest.mark.requirement("MS-ASHTTP_R188", "MS-ASCMD_R7559", "MS-ASHTTP_R176")
@pytest.mark.parametrize("version", ["", "2.5", "12.0", "13.0", "17.0", "x", "14.1, 16.1"])
async def test_a_version_that_is_not_spoken(version: str) -> None:
    async with site() as there:
        client = await there.connect()
        answer = await client.ask(body=b"12345", MS_ASProtocolVersion=version)
        assert answer.status == 400
        assert (await client.ask("OPTIONS")).status == 200


@pytest.mark.requirement("MS-ASHTTP_R188")
@pytest.mark.parametrize(
    "query", ["", "?", "?User=alice", "?Cmd=", "?Cmd=Ping&Cmd=Sync", "?%00", "?jAA", "?Cmd=P%0d%0aX: y"]
)
async def test_a_query_that_cannot_be_read(query: str) -> None:
    async with site() as there:
        answer = await there.ask(target=PATH + query)
    assert answer.status in (400, 501)
    assert not there.seen.contexts
    assert "x" not in answer.headers


@pytest.mark.requirement("MS-ASHTTP_R187", "MS-ASHTTP_R443", "MS-ASHTTP_R465", "MS-ASCMD_R7558")
@pytest.mark.parametrize("command", ["FolderSync", "Nonsense", "GetHierarchy"])
@pytest.mark.parametrize("version", ["12.1", "16.1"])
async def test_a_command_that_the_server_does_not_have(command: str, version: str) -> None:
    async with site() as there:
        answer = await there.ask(target=PING.replace("Ping", command), MS_ASProtocolVersion=version)
    assert answer.status == 501


@pytest.mark.requirement("MS-ASHTTP_R187", "MS-ASHTTP_R465")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND"])
async def test_a_method_that_the_path_does_not_have(method: str) -> None:
    async with site() as there:
        assert (await there.ask(method)).status == 501


@pytest.mark.requirement("MS-ASCMD_R4897", "MS-ASCMD_R7559")
async def test_a_command_that_the_version_does_not_have() -> None:
    find = PING.replace("Ping", "Find")
    async with site() as there:
        for version in ("16.1", "14.1"):  # quirks.FIND_AT_14_1
            assert (await there.ask(target=find, MS_ASProtocolVersion=version)).status == 200
        for version in ("16.0", "14.0"):
            assert (await there.ask(target=find, MS_ASProtocolVersion=version)).wbxml_status == "138"
        assert (await there.ask(target=find, MS_ASProtocolVersion="12.1")).status == 400


@pytest.mark.requirement("MS-ASCMD_R4828", "MS-ASCMD_R4830", "MS-ASHTTP_R102")
@pytest.mark.parametrize(
    ("target", "status"),
    [
        (PING.replace("DeviceId=device1&", ""), "108"),
        (PING.replace("device1", "a,b"), "108"),
        (PING.replace("device1", "a" * 33), "108"),
        (PING.replace("&DeviceType=iPhone", ""), "109"),
    ],
)
async def test_a_device_that_does_not_say_who_it_is(target: str, status: str) -> None:
    async with site() as there:
        assert (await there.ask(target=target)).wbxml_status == status
        assert (await there.ask(target=target, MS_ASProtocolVersion="12.1")).status == 400
    assert not await there.bench.state.devices()


async def test_a_device_is_kept_with_the_first_request_and_brought_up_to_date() -> None:
    async with site() as there:
        await there.ask(User_Agent="Apple-iPhone/1")
        await there.ask(User_Agent="Apple-iPhone/2", MS_ASProtocolVersion="16.1")
        device = await there.bench.state.device(ALICE.user, DeviceId("device1"))
    assert (device.type, device.user_agent, device.version) == ("iPhone", "Apple-iPhone/2", "16.1")
    assert there.seen.contexts[1].device == device


async def test_the_device_id_of_a_set_up_is_not_kept() -> None:
    async with site() as there:
        assert (await there.ask(target=PING.replace("device1", "validate"))).status == 200
        assert not await there.bench.state.devices()
    assert there.seen.contexts[0].device.id == "validate"


async def test_a_user_has_so_many_devices_and_no_more() -> None:
    async with site(limits=WebLimits(max_devices=2)) as there:
        for device in ("a", "b", "c", "a"):
            await there.ask(target=PING.replace("device1", device))
        assert (await there.ask(target=PING.replace("device1", "c"))).wbxml_status == "177"
    assert [ctx.device.id for ctx in there.seen.contexts] == ["a", "b", "a"]


@pytest.mark.requirement("MS-ASHTTP_R199", "MS-ASHTTP_R216", "MS-ASHTTP_R218", "MS-ASHTTP_R219", "MS-ASHTTP_R212")
async def test_a_response_and_an_empty_answer() -> None:
    async with site() as there:
        empty = await there.ask()
        there.seen.answer = lambda request, ctx: NOTHING_NEW
        full = await there.ask()
    assert (empty.status, empty["Content-Length"], empty.body) == (200, "0", b"")
    assert "content-type" not in empty.headers
    assert full["Content-Type"] == "application/vnd.ms-sync.wbxml"
    assert int(full["Content-Length"]) == len(full.body)
    assert full.wbxml_status == "1"


async def test_a_reply_with_headers_and_a_body_of_its_own() -> None:
    body = Segments((b"\x02\x00", MemoryBlob(b"octets"), b"end"))
    async with site() as there:
        there.seen.answer = lambda request, ctx: Reply(
            body=body, content_type="application/vnd.ms-sync.multipart", headers={"X-MS-RP": "14.1"}
        )
        answer = await there.ask()
    assert answer.body == b"\x02\x00octetsend"
    assert answer["X-MS-RP"] == "14.1"
    assert answer["Content-Type"] == "application/vnd.ms-sync.multipart"


@pytest.mark.requirement(
    "MS-ASCMD_R7461", "MS-ASCMD_R7462", "MS-ASCMD_R7463", "MS-ASCMD_R7547", "MS-ASCMD_R7550", "MS-ASCMD_R7551",
    "MS-ASCMD_R7553", "MS-ASCMD_R4815", "MS-ASCMD_R4817", "MS-ASCMD_R4832", "MS-ASCMD_R4834", "MS-ASCMD_R4838",
    "MS-ASHTTP_R192", "MS-ASHTTP_R190", "MS-ASHTTP_R184",
)  # fmt: skip
@pytest.mark.parametrize(
    ("error", "status", "http_status"),
    [
        (MalformedWbxml("", "broken"), 102, 400),
        (MalformedXml("/Ping", "wrong"), 103, 400),
        (MalformedRequest("", "wrong"), 101, 400),
        (CommandError(CommonStatus.INVALID_IDS), 106, 400),
        (CommandError(CommonStatus.ITEM_NOT_FOUND), 150, 400),
        (StoreUnavailable("gone"), 111, 503),
        (StoreFull(), 113, 507),
        (ValueError("a bug"), 110, 500),
        (NoSuchFolder("leaked"), 110, 500),
    ],
)
async def test_failures_become_a_status_or_before_14_0_an_http_status(
    error: Exception, status: int, http_status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(seen=Seen(error=error)) as there:
        for version in ("14.0", "16.1"):
            answer = await there.ask(body=b"12345", MS_ASProtocolVersion=version)
            assert (answer.status, answer.wbxml_status) == (200, str(status))
        answer = await there.ask(body=b"12345", MS_ASProtocolVersion="12.1")
        assert answer.status == http_status
        assert answer.headers.get("retry-after") == ("7" if http_status == 503 else None)
        there.seen.can_fail = False
        assert (await there.ask(body=b"12345", MS_ASProtocolVersion="16.1")).status == http_status
    bugs = [record for record in caplog.records if record.exc_info]
    assert bool(bugs) == (status == 110)
    assert b"Traceback" not in answer.body


async def test_a_status_of_the_commands_own_goes_out_in_any_version() -> None:
    async with site(seen=Seen(error=CommandError(Status.HIERARCHY_CHANGED))) as there:
        for version in ("12.1", "16.1"):
            assert (await there.ask(MS_ASProtocolVersion=version)).wbxml_status == "7"
        there.seen.refusal, there.seen.error = Response(status=Status.SYNTAX_ERROR), MalformedXml("/Ping", "wrong")
        for version in ("12.1", "16.1"):
            assert (await there.ask(body=b"1", MS_ASProtocolVersion=version)).wbxml_status == "4"
        there.seen.error = MalformedWbxml("", "broken")
        assert (await there.ask(body=b"1")).wbxml_status == "102"


@pytest.mark.requirement(
    "MS-ASCMD_R4811", "MS-ASCMD_R4812", "MS-ASCMD_R4813", "MS-ASCMD_R7546", "MS-ASHTTP_R143", "MS-ASHTTP_R438"
)
async def test_a_body_of_another_type_than_the_command_takes() -> None:
    send = PING.replace("Ping", "SendMail")
    async with site() as there:
        for good in ("application/vnd.ms-sync.wbxml", "application/vnd.ms-sync; charset=utf-8", ""):
            assert (await there.ask(body=b"1", Content_Type=good)).body == b""
        assert (await there.ask(body=b"1", Content_Type="text/plain")).wbxml_status == "101"
        assert (await there.ask(target=send, body=b"1", Content_Type="message/rfc822")).wbxml_status == "101"
        old = {"MS_ASProtocolVersion": "12.1"}
        assert (await there.ask(target=send, body=b"1", **old)).status == 400
        assert (await there.ask(target=send, body=b"1", Content_Type="message/rfc822", **old)).status == 200
        there.seen.error = MalformedWbxml("", "the body is empty")
        assert (await there.ask()).wbxml_status == "101"


@pytest.mark.requirement("MS-ASCMD_R7564", "MS-ASCMD_R4906", "MS-ASCMD_R7555", "MS-ASCMD_R4869", "MS-ASHTTP_R180")
async def test_the_gate_stands_before_the_command() -> None:
    strict = Settings(policies={"default": PolicySettings(strict=True)})
    async with site(web=WebSettings(settings=strict)) as there:
        assert (await there.ask(X_MS_PolicyKey="0")).wbxml_status == "142"
        assert (await there.ask(X_MS_PolicyKey="0", MS_ASProtocolVersion="12.1")).status == 449
        assert (await there.ask()).wbxml_status == "141"
        device = await there.bench.state.device(ALICE.user, DeviceId("device1"))
        await there.bench.state.change_device(device.user, device.id, lambda _: replace(device, wipe=Wipe.PENDING))
        assert (await there.ask(X_MS_PolicyKey="1", MS_ASProtocolVersion="12.1")).status == 449
        assert (await there.ask(MS_ASProtocolVersion="12.1")).status == 403
        await there.bench.state.change_device(device.user, device.id, lambda _: replace(device, access=Access.BLOCKED))
        assert (await there.ask()).wbxml_status == "129"
    assert not there.seen.contexts


async def test_the_default_policy_lets_devices_in_that_never_provision() -> None:
    async with site() as there:
        for key in ("", "0"):
            assert (await there.ask(X_MS_PolicyKey=key)).body == b""
            assert (await there.ask(X_MS_PolicyKey=key, MS_ASProtocolVersion="12.1")).status == 200


async def test_a_policy_that_is_not_strict_asks_a_device_once() -> None:
    asking = Settings(policies={"default": PolicySettings(settings={"DevicePasswordEnabled": True})})
    async with site(web=WebSettings(settings=asking)) as there:
        assert (await there.ask(X_MS_PolicyKey="0")).wbxml_status == "142"
        assert (await there.ask(X_MS_PolicyKey="0")).body == b""


async def test_an_account_without_eas_leaves_no_trace() -> None:
    async with site() as there:
        object.__setattr__(BOB, "eas_enabled", False)
        try:
            answer = await there.ask(Authorization=basic("bob", "geheim"), MS_ASProtocolVersion="12.1")
            assert answer.status == 403
            assert (await there.ask(Authorization=basic("bob", "geheim"))).wbxml_status == "126"
        finally:
            object.__setattr__(BOB, "eas_enabled", True)
        assert not await there.bench.state.devices()


@pytest.mark.requirement("MS-ASHTTP_R197", "MS-ASHTTP_R412", "MS-ASHTTP_R214", "MS-ASHTTP_R215")
async def test_gzip_both_ways() -> None:
    text = b"many words, " * 1000
    async with site() as there:
        there.seen.answer = lambda request, ctx: Reply(body=Segments((text,)), content_type="text/plain")
        plain = await there.ask(body=gzip.compress(text), Content_Encoding="gzip")
        packed = await there.ask(body=text, Accept_Encoding="gzip, deflate")
    assert there.seen.bodies == [text, text]
    assert plain.body == text
    assert "content-encoding" not in plain.headers
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == text


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"x" * 100_001, "", 413),
        (gzip.compress(bytes(100_001)), "gzip", 413),
        (gzip.compress(bytes(100_000)), "gzip", 200),
        (gzip.compress(b"x" * 1000)[:-9], "gzip", 400),
        (gzip.compress(b"x") + b"more", "gzip", 400),
        (b"not gzip", "gzip", 400),
        (b"x", "br", 415),
    ],
    ids=["long", "inflates too far", "as far as allowed", "cut", "trailing", "not gzip", "unknown"],
)
async def test_bodies_that_cannot_be_taken(body: bytes, encoding: str, status: int) -> None:
    async with site(limits=WebLimits(max_request=100_000)) as there:
        assert (await there.ask(body=body, Content_Encoding=encoding)).status == status
        assert (await there.ask("OPTIONS")).status == 200
    assert len(there.seen.bodies) == (status == 200)


async def test_a_large_chunked_body_ends_with_413_and_not_with_a_reset() -> None:
    async with site(limits=WebLimits(max_request=100_000, max_discarded=1000)) as there:
        client = await there.connect()
        client.writer.write(request(Content_Length="", Transfer_Encoding="chunked"))
        for _ in range(10):
            client.writer.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            await asyncio.sleep(0.005)
        answer = await client.answer()
        assert (answer.status, answer["connection"]) == (413, "close")
        assert await client.closed()


async def test_a_chunked_body() -> None:
    async with site() as there:
        client = await there.connect()
        client.writer.write(
            request(Content_Length="", Transfer_Encoding="chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert (await client.answer()).status == 200
    assert there.seen.bodies == [b"abcde"]


async def test_too_many_large_bodies_at_once_are_told_to_come_later() -> None:
    async with site(limits=WebLimits(max_bodies=1000, retry_after=7)) as there:
        proceed = asyncio.Event()
        began = asyncio.Event()

        async def hold() -> None:
            began.set()
            await proceed.wait()

        there.seen.answer = lambda request, ctx: hold()
        first = asyncio.create_task(there.ask(body=b"x" * 900))
        await began.wait()
        second = await there.ask(target=SYNC, body=b"x" * 200)
        assert (second.status, second["Retry-After"]) == (503, "7")
        proceed.set()
        await first
        assert (await there.ask(body=b"x" * 900)).status == 200


async def test_a_client_that_sends_too_slowly() -> None:
    async with site(limits=WebLimits(body_grace=0.2, body_rate=1_000_000)) as there:
        client = await there.connect()
        client.writer.write(request(body=b"12345", Content_Length="50"))
        answer = await client.answer()
    assert (answer.status, answer["connection"]) == (408, "close")


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    async with site() as there:
        client = await there.connect()
        client.writer.write(request(body=b"12345", Content_Length="50"))
        await client.writer.drain()
        await client.close()
        assert (await there.ask("OPTIONS")).status == 200
    assert not there.seen.contexts


async def test_the_log_says_who_what_and_how_long_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with site() as there:
        answer = await there.ask(body=b"private words", Authorization=basic("alice", "secret"))
        await there.ask(target=PING.replace("Ping", "Odd%20one"))
    lines = [record.fields for record in caplog.records if record.name == "eas_server.request"]
    assert lines[0]["id"] == answer["request-id"]
    told = {"user": "alice@example.com", "device": "device1", "command": "Ping", "version": "14.1", "status": 200}
    assert told.items() <= lines[0].items()
    assert (lines[0]["in"], lines[0]["out"]) == (13, 0)
    assert lines[0]["ms"] >= 0
    assert lines[1]["command"] == "Odd one"
    assert not any(word in str(lines) for word in ("secret", "private", "Basic"))


async def test_the_context_is_what_the_request_says() -> None:
    async with site() as there:
        await there.ask(target=SYNC, MS_ASAcceptMultiPart="T")
        ctx = there.seen.contexts[0]
        assert (ctx.account, ctx.device.id, ctx.accept_multipart) == (ALICE, "device1", True)
        assert ctx.settings is there.live.web.settings
        assert ctx.line.command == "Sync"
        assert ctx.ports.state is there.bench.state


async def test_the_same_bench_serves_a_document_of_wbxml() -> None:
    """The whole way: octets in, typed value, octets out."""
    seen = Seen(read=lambda body, line, version: body, answer=lambda request, ctx: NOTHING_NEW)
    async with site(seen=seen, bench=Bench(), web=WebSettings(auth=AuthSettings())) as there:
        answer = await there.ask(body=b"\x03\x01\x6a\x00\x0d\x05")
    assert wbxml.decode(answer.body).tag.name == "Ping"
