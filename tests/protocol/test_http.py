"""The query line, the headers and Basic credentials, [MS-ASHTTP] 2.2."""

import base64
import struct

import pytest

from protocol import headers as h
from protocol.errors import MalformedRequest
from protocol.http import (
    CommandLine,
    CommandName,
    Options,
    build_base64_query,
    build_plain_query,
    is_device_id,
    options_headers,
    parse_basic,
    parse_headers,
    parse_query,
    plain_headers,
    resync_headers,
)
from protocol.status import CommonStatus
from protocol.versions import SUPPORTED, V12_1, V14_0, V14_1, V16_0, V16_1

PLAIN = "Cmd=Sync&User=rmjones&DeviceId=v140Device&DeviceType=SmartPhone"
ENCODED = "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"


def encoded(
    *,
    version: int = 141,
    code: int = 0,
    locale: int = 0x0409,
    device_id: bytes = b"v141Device",
    policy_key: bytes = b"",
    device_type: bytes = b"SmartPhone",
    parameters: bytes = b"",
) -> str:
    octets = struct.pack("<BBH", version, code, locale)
    for value in (device_id, policy_key, device_type):
        octets += bytes((len(value),)) + value
    return base64.b64encode(octets + parameters).decode()


def parameter(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value


class TestExamples:
    @pytest.mark.requirement("MS-ASHTTP_R15", "MS-ASHTTP_R16", "MS-ASHTTP_R18", "MS-ASHTTP_R403")
    def test_both_forms_of_the_documents_name_the_same_command_and_device(self):
        plain, coded = parse_query(PLAIN), parse_query(ENCODED)
        assert plain.command == coded.command == CommandName.SYNC == "Sync"
        assert plain.device_id == coded.device_id == "v140Device"
        assert plain.device_type == coded.device_type == "SmartPhone"
        assert (coded.version, coded.locale, coded.policy_key) == (V14_0, 0x0409, None)
        assert (plain.version, plain.user) == (None, "rmjones")

    @pytest.mark.requirement("MS-ASHTTP_R16", "MS-ASHTTP_R22")
    def test_the_writer_makes_the_examples_of_the_documents(self):
        assert build_plain_query(parse_query(PLAIN)) == PLAIN
        assert build_base64_query(parse_query(ENCODED)) == ENCODED

    @pytest.mark.requirement("MS-ASHTTP_R139", "MS-ASHTTP_R140")
    def test_the_credentials_of_the_documents(self):
        (found,) = parse_basic("Basic ZmFrZXVzZXI6eCRwSUFLOUBwOSE=")
        assert (found.login, found.user, found.domain, found.password) == ("fakeuser", "fakeuser", "", "x$pIAK9@p9!")


class TestCommands:
    @pytest.mark.requirement(
        "MS-ASHTTP_R58",
        "MS-ASHTTP_R59",
        "MS-ASHTTP_R62",
        "MS-ASHTTP_R63",
        "MS-ASHTTP_R64",
        "MS-ASHTTP_R65",
        "MS-ASHTTP_R66",
        "MS-ASHTTP_R67",
        "MS-ASHTTP_R69",
        "MS-ASHTTP_R70",
        "MS-ASHTTP_R71",
        "MS-ASHTTP_R72",
        "MS-ASHTTP_R73",
        "MS-ASHTTP_R74",
        "MS-ASHTTP_R75",
        "MS-ASHTTP_R76",
        "MS-ASHTTP_R77",
        "MS-ASHTTP_R78",
        "MS-ASHTTP_R33",
    )
    @pytest.mark.parametrize(
        ("code", "name"),
        [
            (0, "Sync"),
            (1, "SendMail"),
            (2, "SmartForward"),
            (3, "SmartReply"),
            (4, "GetAttachment"),
            (9, "FolderSync"),
            (10, "FolderCreate"),
            (11, "FolderDelete"),
            (12, "FolderUpdate"),
            (13, "MoveItems"),
            (14, "GetItemEstimate"),
            (15, "MeetingResponse"),
            (16, "Search"),
            (17, "Settings"),
            (18, "Ping"),
            (19, "ItemOperations"),
            (20, "Provision"),
            (21, "ResolveRecipients"),
            (22, "ValidateCert"),
            (23, "Find"),
        ],
    )
    def test_codes(self, code, name):
        assert CommandName(name).code == code
        assert parse_query(encoded(code=code)).known is CommandName(name)

    @pytest.mark.parametrize("query", ["Cmd=sync&User=a&DeviceId=b&DeviceType=c", "cmd=SYNC&deviceid=b"])
    def test_the_case_of_names_does_not_matter(self, query):
        assert parse_query(query).command == "Sync"
        assert parse_query(query).device_id == "b"

    def test_an_unknown_command_is_kept_for_the_answer(self):
        assert parse_query("Cmd=Dance&DeviceId=b").command == "Dance"
        assert parse_query(encoded(code=99)).command == "99"
        assert parse_query(encoded(code=99)).known is None

    @pytest.mark.requirement(
        "MS-ASCMD_R10032015",
        "MS-ASCMD_R10032016",
        "MS-ASCMD_R10032017",
        "MS-ASCMD_R10032018",
        "MS-ASCMD_R10032019",
        "MS-ASCMD_R6020",
        "MS-ASCMD_R6021",
        "MS-ASCMD_R6023100601",
        "MS-ASCMD_R6048",
        "MS-ASCMD_R6049",
        "MS-ASCMD_R6051100601",
        "MS-ASCMD_R6081",
        "MS-ASCMD_R6121",
    )
    def test_which_version_has_which_command(self):
        def versions(name: CommandName) -> list[object]:
            return [version for version in SUPPORTED if name.supported_at(version)]

        assert versions(CommandName.FIND) == [V16_1]
        assert versions(CommandName.GET_ATTACHMENT) == versions(CommandName.GET_HIERARCHY) == [V12_1]
        assert versions(CommandName.RESOLVE_RECIPIENTS) == versions(CommandName.VALIDATE_CERT) == list(SUPPORTED)
        assert versions(CommandName.MOVE_COLLECTION) == []


class TestPlainQuery:
    @pytest.mark.requirement(
        "MS-ASHTTP_R98",
        "MS-ASHTTP_R115",
        "MS-ASHTTP_R116",
        "MS-ASHTTP_R117",
        "MS-ASHTTP_R118",
        "MS-ASHTTP_R119",
        "MS-ASHTTP_R121",
    )
    def test_parameters_of_commands(self):
        line = parse_query(
            b"Cmd=SmartReply&User=EXAMPLE%5Calice&DeviceId=d1&DeviceType=SP&CollectionId=5&ItemId=5%3A12"
            b"&LongId=RgA%2B&Occurrence=2026-12-03T13%3A18%3A00.000Z&SaveInSent=T&AttachmentName=a%20b&New=1"
        )
        assert line.user == "EXAMPLE\\alice"
        assert (line.collection_id, line.item_id, line.long_id) == ("5", "5:12", "RgA+")
        assert line.occurrence == "2026-12-03T13:18:00.000Z"
        assert line.attachment_name == "a b"
        assert line.save_in_sent

    @pytest.mark.requirement("MS-ASHTTP_R122", "MS-ASHTTP_R437")
    @pytest.mark.parametrize("query", [PLAIN, PLAIN + "&SaveInSent=F", PLAIN + "&SaveInSent="])
    def test_sent_mail_is_not_saved_unless_asked(self, query):
        assert not parse_query(query).save_in_sent

    def test_a_plus_sign_is_itself(self):
        assert parse_query("Cmd=Ping&User=bob+list@example.com&DeviceId=d").user == "bob+list@example.com"

    def test_the_user_may_be_missing_and_may_be_latin_1(self):
        assert parse_query("Cmd=Ping&DeviceId=d&DeviceType=t").user is None
        assert parse_query(b"Cmd=Ping&User=Andr%C3%A9").user == "André"
        assert parse_query(b"Cmd=Ping&User=Andr%E9").user == "André"
        assert parse_query(b"Cmd=Ping&User=Andr\xe9").user == "André"

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("", "empty"),
            ("User=alice&DeviceId=d", "no Cmd"),
            ("Cmd=&DeviceId=d", "no Cmd"),
            ("Cmd=Sync&cmd=Ping", "twice"),
            ("Cmd=Sync&DeviceId=a%0d%0aX-Evil:%201", "control character"),
            ("Cmd=Sync&User=a%00b", "control character"),
            ("Cmd=Sync&User=" + "a" * 9000, "longer"),
        ],
    )
    def test_malformed(self, query, reason):
        with pytest.raises(MalformedRequest, match=reason):
            parse_query(query)

    def test_the_same_value_twice_is_one_value(self):
        assert parse_query("Cmd=Sync&Cmd=Sync&DeviceId=d").command == "Sync"


class TestBase64Query:
    @pytest.mark.requirement(
        "MS-ASHTTP_R49",
        "MS-ASHTTP_R51",
        "MS-ASHTTP_R54",
        "MS-ASHTTP_R81",
        "MS-ASHTTP_R510",
        "MS-ASHTTP_R82",
        "MS-ASHTTP_R83",
        "MS-ASHTTP_R84",
        "MS-ASHTTP_R85",
        "MS-ASHTTP_R86",
        "MS-ASHTTP_R92",
        "MS-ASHTTP_R94",
    )
    def test_parameters_of_commands(self):
        line = parse_query(
            encoded(
                parameters=parameter(0, b"name")
                + parameter(1, b"5")
                + parameter(2, b"Folder")
                + parameter(3, b"5:12")
                + parameter(4, b"RgA")
                + parameter(5, b"0")
                + parameter(6, b"20261203T131800Z")
                + parameter(7, b"\x03")
                + parameter(8, "André".encode())
                + parameter(77, b"from a later revision")
            )
        )
        assert (line.attachment_name, line.collection_id, line.collection_name) == ("name", "5", "Folder")
        assert (line.item_id, line.long_id, line.parent_id) == ("5:12", "RgA", "0")
        assert (line.occurrence, line.user) == ("20261203T131800Z", "André")
        assert line.save_in_sent
        assert line.accept_multipart

    @pytest.mark.requirement("MS-ASHTTP_R92", "MS-ASHTTP_R94")
    @pytest.mark.parametrize(
        ("octet", "saves", "multipart"), [(0, False, False), (1, True, False), (2, False, True), (0xFE, False, True)]
    )
    def test_option_flags(self, octet, saves, multipart):
        line = parse_query(encoded(parameters=parameter(7, bytes((octet,)))))
        assert (line.save_in_sent, line.accept_multipart) == (saves, multipart)
        assert Options.SAVE_IN_SENT == 1

    @pytest.mark.requirement("MS-ASHTTP_R37", "MS-ASHTTP_R38", "MS-ASHTTP_R39", "MS-ASHTTP_R40", "MS-ASHTTP_R41")
    def test_the_policy_key(self):
        assert parse_query(encoded()).policy_key is None
        assert parse_query(encoded(policy_key=bytes(4))).policy_key == 0
        assert parse_query(encoded(policy_key=b"\xff\xff\xff\xff")).policy_key == 2**32 - 1
        assert parse_query(encoded(policy_key=b"\x01\x00\x00\x00")).policy_key == 1
        with pytest.raises(MalformedRequest, match="policy key of 2"):
            parse_query(encoded(policy_key=b"\x01\x00"))

    @pytest.mark.requirement("MS-ASHTTP_R23", "MS-ASHTTP_R24", "MS-ASHTTP_R26", "MS-ASHTTP_R451")
    def test_the_version(self):
        for version in SUPPORTED:
            assert parse_query(encoded(version=version)).version is version
        with pytest.raises(MalformedRequest, match="version 99"):
            parse_query(encoded(version=99))

    @pytest.mark.requirement("MS-ASHTTP_R29", "MS-ASHTTP_R31", "MS-ASHTTP_R34", "MS-ASHTTP_R36")
    def test_a_device_id_is_a_string_or_a_guid(self):
        guid = bytes.fromhex("6F24CAD599A5BF1A690246B8C68FAE8D")
        assert parse_query(encoded(device_id=guid)).device_id == guid.hex().upper()
        assert parse_query(encoded(device_id=b"Nine9abc0123")).device_id == "Nine9abc0123"
        assert parse_query(encoded(locale=0x0407)).locale == 0x0407

    @pytest.mark.requirement("MS-ASHTTP_R32")
    def test_an_empty_device_id_is_a_problem_of_the_device(self):
        problem = parse_query(encoded(device_id=b"")).device_problem
        assert problem is CommonStatus.DEVICE_ID_MISSING_OR_INVALID

    def test_every_spelling_of_base64(self):
        line = CommandLine(command="Sync", version=V14_1, device_id="d??>>", device_type="t~~~", locale=0xFFFE)
        query = build_base64_query(line)
        assert "+" in query
        assert "/" in query
        for spelling in (
            query.rstrip("="),
            query.replace("=", "%3D"),
            query.replace("=", "%3d").replace("+", "%2B").replace("/", "%2F"),
            query.replace("+", " "),
            query.replace("+", "%20"),
            query.replace("+", "-").replace("/", "_"),
        ):
            assert parse_query(spelling) == line

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("!!!!", "neither plain"),
            ("jAAJB", "neither plain"),
            ("jA==", "ends within the command code"),
            (base64.b64encode(b"\x8c\x00\x09\x04\xffshort").decode(), "ends within the device id"),
            (encoded(parameters=b"\x01"), "ends within the length"),
            (encoded(parameters=b"\x01\x05abc"), "ends within the parameter"),
            (encoded(parameters=parameter(7, b"\x01\x02")), "Options"),
            (encoded(parameters=parameter(8, b"a\r\nSet-Cookie: b")), "control character"),
            (encoded(parameters=parameter(1, b"5") + parameter(1, b"6")), "twice"),
            (encoded(device_type=b"a\nb"), "control character"),
        ],
    )
    def test_malformed(self, query, reason):
        with pytest.raises(MalformedRequest, match=reason):
            parse_query(query)

    @pytest.mark.parametrize(
        "line",
        [
            CommandLine(command="Sync"),
            CommandLine(command="Dance", version=V14_1),
            CommandLine(command="Sync", version=V14_1, device_id="é"),
            CommandLine(command="Sync", version=V14_1, user="a" * 256),
            CommandLine(command="Sync", version=V14_1, device_type="a" * 256),
            CommandLine(command="Sync", version=V14_1, policy_key=2**32),
            CommandLine(command="Sync", version=V14_1, locale=-1),
        ],
    )
    def test_what_the_form_cannot_carry(self, line):
        with pytest.raises(ValueError, match=r"."):
            build_base64_query(line)

    @pytest.mark.requirement("MS-ASHTTP_R22", "MS-ASHTTP_R42", "MS-ASHTTP_R46")
    def test_writing_parameters(self):
        line = CommandLine(
            command="SendMail",
            version=V12_1,
            policy_key=5,
            device_id="d",
            device_type="t",
            save_in_sent=True,
            collection_id="7",
            locale=0x0409,
        )
        octets = base64.b64decode(build_base64_query(line), validate=True)
        assert octets == b"\x79\x01\x09\x04\x01d\x04\x05\0\0\0\x01t\x01\x017\x07\x01\x01"


class TestDevice:
    @pytest.mark.requirement("MS-ASHTTP_R98", "MS-ASHTTP_R102", "MS-ASHTTP_R103")
    @pytest.mark.parametrize(
        ("text", "good"),
        [
            ("v140Device", True),
            ("A" * 32, True),
            ("android-1_2.3", True),
            ("A" * 33, False),
            ("", False),
            ("a,b", False),
            ("a/b", False),
            ("../x", False),
            ("aé", False),
            ("a\n", False),
        ],
    )
    def test_device_ids(self, text, good):
        assert is_device_id(text) is good

    @pytest.mark.requirement("MS-ASCMD_R4828", "MS-ASCMD_R4830")
    def test_what_is_wrong_with_the_device_has_a_status(self):
        assert parse_query(PLAIN).device_problem is None
        missing = parse_query("Cmd=Sync&DeviceType=SP")
        assert missing.device_problem is CommonStatus.DEVICE_ID_MISSING_OR_INVALID
        assert parse_query("Cmd=Sync&DeviceId=a").device_problem is CommonStatus.DEVICE_TYPE_MISSING_OR_INVALID


class TestHeaders:
    @pytest.mark.requirement(
        "MS-ASHTTP_R143", "MS-ASHTTP_R154", "MS-ASHTTP_R157", "MS-ASHTTP_R159", "MS-ASHTTP_R410", "MS-ASHTTP_R1381"
    )
    def test_all_of_them(self):
        found = parse_headers(
            [
                (b"host", b"mail.example.com"),
                (b"MS-ASProtocolVersion", b"14.1"),
                (b"x-ms-policykey", b"3942919513"),
                (b"ms-asacceptmultipart", b"T"),
                (b"user-agent", b"Apple-iPhone15C2/2101.100"),
                (b"content-type", b"Application/vnd.ms-sync.WBXML; charset=utf-8"),
                (b"content-encoding", b"GZIP"),
                (b"accept-encoding", b"deflate, gzip;q=0.5"),
                (b"accept-language", b"en-us"),
                (b"authorization", b"Basic Zm9vOmJhcg=="),
            ]
        )
        assert (found.version, found.policy_key, found.accept_multipart) == (V14_1, 3942919513, True)
        assert (found.user_agent, found.content_type) == ("Apple-iPhone15C2/2101.100", h.WBXML)
        assert (found.content_encoding, found.accept_language) == ("gzip", "en-us")
        assert found.is_wbxml
        assert found.accepts_gzip
        assert "Zm9v" not in repr(found)

    @pytest.mark.requirement("MS-ASHTTP_R155", "MS-ASHTTP_R440")
    def test_none_of_them(self):
        found = parse_headers([(b"MS-ASAcceptMultiPart", b"F")])
        assert found == parse_headers([]) == h.RequestHeaders()
        assert not found.is_wbxml
        assert not found.accepts_gzip

    @pytest.mark.requirement("MS-ASHTTP_R438")
    @pytest.mark.parametrize("value", [b"application/vnd.ms-sync", b"application/vnd.ms-sync.wbxml"])
    def test_both_media_types_of_wbxml(self, value):
        assert parse_headers([(b"content-type", value)]).is_wbxml

    def test_mail_is_no_wbxml(self):
        found = parse_headers([(b"content-type", b"message/rfc822")])
        assert found.content_type == h.MESSAGE
        assert not found.is_wbxml

    @pytest.mark.requirement("MS-ASHTTP_R158")
    @pytest.mark.parametrize("text", ["16.1", "16.0", "14.1", "14.0", "12.1", "12.0", "2.5"])
    def test_versions(self, text):
        assert str(parse_headers([(b"ms-asprotocolversion", text.encode())]).version) == text

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ([(b"ms-asprotocolversion", b"13.0")], "unknown"),
            ([(b"ms-asprotocolversion", b"14.0"), (b"MS-ASProtocolVersion", b"14.1")], "twice"),
            ([(b"user-agent", b"a\r\nb")], "control character"),
        ],
    )
    def test_malformed(self, headers, reason):
        with pytest.raises(MalformedRequest, match=reason):
            parse_headers(headers)

    @pytest.mark.parametrize(
        ("value", "key"),
        [(b"", None), (b"0", 0), (b"12", 12), (b"junk", -1), (b"-7", -1), (b"9" * 40, -1), ("٣".encode(), -1)],
    )
    def test_policy_keys(self, value, key):
        assert parse_headers([(b"x-ms-policykey", value)]).policy_key == key

    @pytest.mark.parametrize(
        ("value", "accepts"),
        [
            ("gzip", True),
            ("deflate, GZIP", True),
            ("*", True),
            ("gzip;q=0", False),
            ("gzip; q=0.0", False),
            ("br", False),
        ],
    )
    def test_gzip(self, value, accepts):
        assert parse_headers([(b"accept-encoding", value.encode())]).accepts_gzip is accepts

    def test_lists_may_come_in_parts(self):
        assert parse_headers([(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]).accepts_gzip

    @pytest.mark.requirement("MS-ASHTTP_R149", "MS-ASHTTP_R160", "MS-ASHTTP_R162", "MS-ASHTTP_R404", "MS-ASHTTP_R409")
    def test_the_query_holds_where_both_say_it(self):
        headers = h.RequestHeaders(version=V16_1, policy_key=1, accept_multipart=True)
        plain = parse_query(PLAIN).with_headers(headers)
        assert (plain.version, plain.policy_key, plain.accept_multipart) == (V16_1, 1, True)
        coded = parse_query(encoded(policy_key=bytes(4))).with_headers(headers)
        assert (coded.version, coded.policy_key, coded.accept_multipart) == (V14_1, 0, True)

    def test_the_client_says_in_headers_what_the_plain_query_cannot(self):
        line = CommandLine(command="ItemOperations", version=V16_0, policy_key=7, accept_multipart=True)
        assert plain_headers(line) == [
            ("MS-ASProtocolVersion", "16.0"),
            ("X-MS-PolicyKey", "7"),
            ("MS-ASAcceptMultiPart", "T"),
        ]
        assert plain_headers(CommandLine(command="Sync")) == []


class TestAnswers:
    @pytest.mark.requirement("MS-ASHTTP_R238", "MS-ASHTTP_R247", "MS-ASHTTP_R249", "MS-ASHTTP_R1107", "MS-ASHTTP_R222")
    def test_options(self):
        found = dict(options_headers(reversed(SUPPORTED), [CommandName.SYNC, CommandName.PING]))
        assert found == {
            "MS-Server-ActiveSync": "16.1",
            "MS-ASProtocolVersions": "12.1,14.0,14.1,16.0,16.1",
            "MS-ASProtocolCommands": "Sync,Ping",
            "Allow": "OPTIONS,POST",
            "Public": "OPTIONS,POST",
        }
        assert dict(options_headers(SUPPORTED, [], server="15.2"))["MS-Server-ActiveSync"] == "15.2"

    @pytest.mark.requirement("MS-ASHTTP_R1104", "MS-ASHTTP_R1202", "MS-ASHTTP_R227")
    def test_resynchronization(self):
        assert resync_headers([V14_1, V12_1], ["Sync"]) == [
            ("X-MS-RP", "12.1,14.1"),
            ("MS-ASProtocolVersions", "12.1,14.1"),
            ("MS-ASProtocolCommands", "Sync"),
        ]

    @pytest.mark.parametrize("text", ["a\r\nb", "a\nb", "\x00", "é", "\x7f"])
    def test_no_header_is_split(self, text):
        with pytest.raises(ValueError, match="header"):
            options_headers(SUPPORTED, [text])
        with pytest.raises(ValueError, match="header"):
            h.header_value(text)


def basic(octets: bytes) -> str:
    return "Basic " + base64.b64encode(octets).decode()


class TestBasic:
    @pytest.mark.parametrize(
        ("login", "user", "domain"),
        [
            ("alice", "alice", ""),
            ("alice@example.com", "alice", "example.com"),
            ("EXAMPLE\\alice", "alice", "EXAMPLE"),
            ("\\alice@example.com", "alice", "example.com"),
            ("EXAMPLE\\alice@example.com", "alice", "example.com"),
            ("a@b@example.com", "a@b", "example.com"),
        ],
    )
    def test_names(self, login, user, domain):
        (found,) = parse_basic(basic(f"{login}:se:cret".encode()))
        assert (found.login, found.user, found.domain, found.password) == (login, user, domain, "se:cret")

    def test_utf_8_first_then_latin_1(self):
        assert [c.password for c in parse_basic(basic("alice:gr\u00fcn".encode()))] == ["grün", "grÃ¼n"]
        assert [c.password for c in parse_basic(basic("alice:grün".encode("latin-1")))] == ["grün"]

    def test_the_password_is_not_shown(self):
        assert "secret" not in repr(parse_basic(basic(b"alice:secret")))

    def test_spellings(self):
        for header in ("basic  YWxpY2U6cHc=", b"BASIC YWxpY2U6cHc", " Basic YWxpY2U6cHc= "):
            assert parse_basic(header)[0].user == "alice"
        assert parse_basic(basic(b"alice:"))[0].password == ""

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Basic",
            "Basic !!!",
            "Bearer YWxpY2U6cHc=",
            basic(b"alice"),
            basic(b":pw"),
            basic(b"DOMAIN\\:pw"),
            basic(b"@example.com:pw"),
            basic(b"al\x00ice:pw"),
            basic(b"alice:p\r\nw"),
            "Basic é",
            basic(b"a:" + b"x" * 9000),
        ],
    )
    def test_garbage(self, header):
        with pytest.raises(MalformedRequest) as caught:
            parse_basic(header)
        assert "pw" not in str(caught.value)
