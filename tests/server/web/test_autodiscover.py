"""Autodiscover: the XML form with its errors, hostile XML, and the JSON form."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from eas_server.errors import DirectoryUnavailable
from eas_server.model.settings import Settings
from eas_server.web.autodiscover import (
    FRAME_SCHEMA,
    MAX_REQUEST,
    REQUEST_SCHEMA,
    RESPONSE_SCHEMA,
    Invalid,
    Request,
    answer,
    answer_json,
    parse,
)
from eas_server.web.log import REQUEST_ID, REQUESTS
from eas_server.web.settings import WebSettings
from tests.schemas import SCHEMAS
from tests.server.commands.support import ALICE
from tests.server.web.support import Site, site

NOW = datetime(2026, 11, 23, 16, 56, 32, 616402, tzinfo=UTC)
URL = "https://mail.example.com/Microsoft-Server-ActiveSync"
XML = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"


def ask(email: str = "alice@example.com", schema: str = RESPONSE_SCHEMA, requests: int = 1) -> bytes:
    one = (
        f"<Request><EMailAddress>{escape(email)}</EMailAddress>"
        f"<AcceptableResponseSchema>{escape(schema)}</AcceptableResponseSchema></Request>"
    )
    frame = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{REQUEST_SCHEMA}">{one * requests}</Autodiscover>'
    )
    return frame.encode()


def valid(document: bytes) -> etree._Element:
    """The answer, which holds by the schemas of the protocol documents where those are at hand."""
    root = etree.fromstring(document)
    if SCHEMAS.exists():
        assert schema().validate(root), schema().error_log
    return root


def schema() -> etree.XMLSchema:
    frame = etree.parse(SCHEMAS / "AutodiscoverResponse.xsd").getroot()
    # the document leaves the import out
    location = (SCHEMAS / "AutodiscoverMobileSync.xsd").as_uri()
    frame.insert(
        0, etree.Element("{http://www.w3.org/2001/XMLSchema}import", namespace=RESPONSE_SCHEMA, schemaLocation=location)
    )
    return etree.XMLSchema(etree.fromstring(etree.tostring(frame)))


def text(root: etree._Element, path: str, namespace: str = RESPONSE_SCHEMA) -> str | None:
    return root.findtext("/".join(f"{{{namespace}}}{name}" for name in path.split("/")))


@pytest.mark.requirement(
    "MS-ASCMD_R38", "MS-ASCMD_R41", "MS-ASCMD_R711", "MS-ASCMD_R2228", "MS-ASCMD_R3484", "MS-ASCMD_R4649",
    "MS-ASCMD_R2890", "MS-ASCMD_R807", "MS-ASCMD_R3815",
)  # fmt: skip
@pytest.mark.parametrize("email", ["alice@example.com", "AL@example.com", " alice@example.com\n"])
def test_a_user_finds_the_server(email: str) -> None:
    root = valid(answer(ask(email), ALICE, URL, NOW))
    assert text(root, "Response/User/EMailAddress") == "alice@example.com"
    assert text(root, "Response/User/DisplayName") == "Alice Example"
    assert text(root, "Response/Action/Settings/Server/Type") == "MobileSync"
    assert text(root, "Response/Action/Settings/Server/Url") == URL
    assert text(root, "Response/Action/Settings/Server/Name") == URL


@pytest.mark.requirement("MS-ASCMD_R2287", "MS-ASCMD_R3799", "MS-ASCMD_R3818", "MS-ASCMD_R5547", "MS-ASCMD_R708")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"<Autodiscover/>",
        ask(requests=0),
        ask(requests=2),
        ask(email=""),
        ask(schema=""),
        ask()[:-5],
        ask().replace(b"utf-8", b"klingon"),
        b" " * (MAX_REQUEST + 1),
    ],
)
def test_an_invalid_request(body: bytes) -> None:
    document = answer(body, ALICE, URL, NOW)
    root = valid(document)
    assert text(root, "Response/Error/ErrorCode", FRAME_SCHEMA) == "600"
    assert b'Time="16:56:32.6164020"' in document


@pytest.mark.requirement("MS-ASCMD_R2286", "MS-ASCMD_R2288")
def test_a_schema_that_nobody_provides() -> None:
    outlook = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    root = valid(answer(ask(schema=outlook), ALICE, URL, NOW))
    assert text(root, "Response/Error/ErrorCode", FRAME_SCHEMA) == "601"


@pytest.mark.requirement("MS-ASCMD_R4002", "MS-ASCMD_R4001")
def test_of_others_nobody_learns_anything() -> None:
    known, unknown = (answer(ask(email), ALICE, URL, NOW) for email in ("bob@example.com", "nobody@example.com"))
    assert known == unknown
    root = valid(known)
    assert text(root, "Response/Action/Error/Status") == "2"
    assert URL.encode() not in known


BOMB = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB + "]>",
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/x"> %e;]>',
        "<!DOCTYPE x>",
    ],
)
def test_a_dtd_is_refused_unread(doctype: str) -> None:
    body = ask("&e;").decode().replace("?>", "?>" + doctype, 1).replace("&amp;e;", "&e;").encode()
    with pytest.raises(Invalid):
        parse(body)


def test_deep_and_long_documents() -> None:
    with pytest.raises(Invalid):
        parse(b"<a>" * 20_000)
    assert len(parse(ask("a" * 50_000)).email) == 1024


def test_elements_that_nobody_knows_are_passed_over() -> None:
    body = ask().replace(b"<Request>", b"<New>x</New><Request><LegacyDN>/o=x</LegacyDN>")
    assert parse(body) == Request(email="alice@example.com", response_schema=RESPONSE_SCHEMA)


@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_octets_of_any_kind_are_a_request_or_invalid(body: bytes) -> None:
    valid(answer(body, ALICE, URL, NOW))


@given(name=st.text(max_size=40), url=st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_no_name_breaks_the_document(name: str, url: str) -> None:
    valid(answer(ask(), replace(ALICE, display_name=name), url, NOW))


@pytest.mark.parametrize(
    ("protocol", "email", "status", "key"),
    [
        ("ActiveSync", "alice@example.com", 200, "Url"),
        ("activesync", "nobody@example.com", 200, "Url"),
        ("EWS", "alice@example.com", 400, "ErrorCode"),
        ("", "alice@example.com", 400, "ErrorCode"),
        ("ActiveSync", "", 400, "ErrorCode"),
    ],
)
def test_the_json_form(protocol: str, email: str, status: int, key: str) -> None:
    found, content = answer_json(protocol, email, URL)
    assert found == status
    assert key in content


async def post(there: Site, path: str = XML, body: bytes | None = None, **headers: str):
    return await there.ask("POST", path, ask() if body is None else body, Content_Type="text/xml", **headers)


@pytest.mark.requirement("MS-ASCMD_R5718", "MS-ASHTTP_R144", "MS-ASHTTP_R445", "MS-ASHTTP_R519")
@pytest.mark.parametrize("path", [XML, "/Autodiscover/Autodiscover.xml", XML.upper()])
async def test_over_http(path: str) -> None:
    async with site() as there:
        found = await post(there, path)
        assert found.status == 200
        assert found["Content-Type"] == "text/xml; charset=utf-8"
        assert text(valid(found.body), "Response/Action/Settings/Server/Url") == (
            "http://mail.example.com/Microsoft-Server-ActiveSync"
        )
        assert text(valid((await there.ask("GET", path)).body), "Response/Error/ErrorCode", FRAME_SCHEMA) == "600"


async def test_it_asks_for_credentials_before_it_says_anything() -> None:
    async with site() as there:
        client = await there.connect()
        told = [
            await client.ask("POST", XML, body, Authorization="", Content_Type="text/xml")
            for body in (ask(), ask("nobody@example.com"), b"nonsense")
        ]
        assert {(each.status, each.body) for each in told} == {(401, b"")}
        assert told[0]["WWW-Authenticate"].startswith("Basic")
        assert (await client.ask("POST", XML, ask())).status == 200
        there.accounts.error = DirectoryUnavailable("away")
        assert (await post(there, Authorization="Basic YTpi")).status == 503


async def test_the_configured_url_goes_before_the_host() -> None:
    web = WebSettings(settings=Settings(external_url="https://eas.example.com:8443"))
    async with site(web=web) as there:
        found = await post(there, Host="evil.example")
        wanted = "https://eas.example.com:8443/Microsoft-Server-ActiveSync"
        assert text(valid(found.body), "Response/Action/Settings/Server/Url") == wanted
        told = await there.ask("GET", f"{JSON}?Email=alice@example.com&Protocol=ActiveSync", Authorization="")
        assert json.loads(told.body) == {"Protocol": "ActiveSync", "Url": wanted}


async def test_a_host_that_is_none_is_refused() -> None:
    async with site() as there:
        for host in ('evil"/><x', "a b", "evil.example/path"):
            assert (await post(there, Host=host)).status == 400
            assert (await there.ask("GET", f"{JSON}?Email=a@b.c&Protocol=ActiveSync", Host=host)).status == 400


async def test_too_large_a_request() -> None:
    async with site() as there:
        assert (await post(there, body=b" " * (MAX_REQUEST + 1))).status == 413


@pytest.mark.parametrize(
    "target",
    [
        f"{JSON}?Email=alice%40example.com&Protocol=ActiveSync",
        f"{JSON}?email=alice@example.com&protocol=activesync&RedirectCount=1",
        f"{JSON}/v1.0/alice@example.com?Protocol=ActiveSync",
        "/AutoDiscover/AutoDiscover.json/v1.0/nobody@example.com?Protocol=ActiveSync",
    ],
)
async def test_json_over_http(target: str) -> None:
    async with site() as there:
        found = await there.ask("GET", target, Authorization="")
    assert found.status == 200
    assert json.loads(found.body) == {
        "Protocol": "ActiveSync", "Url": "http://mail.example.com/Microsoft-Server-ActiveSync"
    }  # fmt: skip
    assert not there.accounts.asked


async def test_each_request_has_its_name_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, REQUESTS.name):
        async with site() as there:
            answers = [
                await post(there),
                await post(there, body=b" " * (MAX_REQUEST + 1)),
                await there.ask("GET", XML, Authorization=""),
                await there.ask("GET", f"{JSON}?Email=a@b.c&Protocol=ActiveSync"),
                await there.ask("OPTIONS", "/Microsoft-Server-ActiveSync"),
            ]
    told = [record.fields for record in caplog.records if record.name == REQUESTS.name]
    assert [fields["id"] for fields in told] == [answer.headers[REQUEST_ID] for answer in answers]
    assert len({fields["id"] for fields in told}) == len(answers)
    assert [fields["status"] for fields in told] == [200, 413, 401, 200, 200]
    assert [fields["out"] for fields in told] == [len(answer.body) for answer in answers]
    assert [fields["user"] for fields in told] == [
        "alice@example.com",
        "alice@example.com",
        "",
        "",
        "alice@example.com",
    ]


async def test_paths_that_lead_nowhere() -> None:
    async with site() as there:
        assert (await there.ask("GET", "/health", Authorization="")).body == b"ok\n"
        for path in ("/", "/Microsoft-Server-ActiveSync/x", "/autodiscover", "/../etc/passwd", "/%2e%2e/x"):
            assert (await there.ask("GET", path)).status == 404
        assert (await there.ask("POST", "/health")).status == 405


def test_the_schemas_are_those_of_the_documents() -> None:
    if not SCHEMAS.exists():
        pytest.skip("the protocol documents are not here")
    assert RESPONSE_SCHEMA in Path(SCHEMAS / "AutodiscoverMobileSync.xsd").read_text()
    assert FRAME_SCHEMA in Path(SCHEMAS / "AutodiscoverResponse.xsd").read_text()
