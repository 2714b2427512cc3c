"""Broken HTTP: lying lengths, smuggled requests, endless headers, bombs, slow senders, injected lines, evil XML."""

import asyncio
import gzip
import zlib

import pytest

from protocol.client import FOLDER_SYNC
from protocol.commands import folder_sync
from protocol.versions import V16_1
from tests.scenarios import hostile
from tests.scenarios.hostile import CALM, CANARY, MEBIBYTE, Ground, octets_of_request

server = pytest.fixture(hostile.running, scope="module")
ground = pytest.fixture(hostile.ground)

BODY = octets_of_request(folder_sync.Request(sync_key="0"), V16_1)
PACKED = gzip.compress(BODY, mtime=0)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
AUTODISCOVER = "/autodiscover/autodiscover.xml"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync"


async def statuses(ground: Ground, *octets: bytes) -> list[int]:
    """What is answered on one connection until the server closes it, idle ones included."""
    wire = await ground.wire()
    await wire.say(*octets)
    replies = await wire.all()
    for reply in replies:
        assert "x-injected" not in reply.headers
        assert CANARY.encode() not in reply.head + reply.body
    return [reply.status for reply in replies]


AMBIGUOUS = (
    (("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n" + SMUGGLED),
    (("Transfer-Encoding: chunked", "Content-Length: 5"), b"0\r\n\r\n" + SMUGGLED),
    (("Content-Length: 5", "Content-Length: 6"), b"hello" + SMUGGLED),
    (("Content-Length: 5, 5",), b"hello" + SMUGGLED),
    (("Content-Length: +5",), b"hello" + SMUGGLED),
    (("Content-Length: -5",), b"hello" + SMUGGLED),
    (("Content-Length: 0x5",), b"hello" + SMUGGLED),
    (("Content-Length: 5 5",), b"hello" + SMUGGLED),
    (("Content-Length : 5",), b"hello" + SMUGGLED),
    (("Content-Length: 99999999999999999999999",), b"hello"),
    (("Content-Length: 18446744073709551617",), b"h" + SMUGGLED),
    (("Transfer-Encoding: xchunked",), b"0\r\n\r\n" + SMUGGLED),
    (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n" + SMUGGLED),
    (("Transfer-Encoding: identity",), SMUGGLED),
    (("Transfer-Encoding : chunked",), b"0\r\n\r\n" + SMUGGLED),
    (("Transfer-Encoding:\x0bchunked",), b"0\r\n\r\n" + SMUGGLED),
    ((" Transfer-Encoding: chunked",), b"0\r\n\r\n" + SMUGGLED),
    (("X: y\rTransfer-Encoding: chunked",), b"0\r\n\r\n" + SMUGGLED),
    (("X: \0",), b""),
    (("Content-Length:",), SMUGGLED),
)


async def test_requests_that_two_servers_would_read_differently(ground: Ground) -> None:
    """What follows an ambiguous request is never answered as a request of its own (it would be 404)."""
    answers = await asyncio.gather(*(statuses(ground, ground.head(*lines) + body) for lines, body in AMBIGUOUS))
    for (lines, _), found in zip(AMBIGUOUS, answers, strict=True):
        assert 404 not in found, lines
        assert found[-1:] in ([], [400], [413], [501]), (lines, found)


CHUNKS = (
    b"zz\r\nhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\nhello",
    b"7fffffffffffffff\r\nhello",
    b"5\r\nhelloworld\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhel",
    b"0005;" + b"e" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"\r\n\r\n",
    b"",
    b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n",
)


async def test_chunks_that_are_none(ground: Ground) -> None:
    head = ground.head("Transfer-Encoding: chunked")
    answers = await asyncio.gather(*(statuses(ground, head, chunks) for chunks in CHUNKS))
    for chunks, found in zip(CHUNKS, answers, strict=True):
        assert len(found) <= 1, chunks[:50]
        assert set(found) <= {200, 400, 408, 413}, chunks[:50]


async def test_trailers_without_end(ground: Ground) -> None:
    """They are cut off, and not gathered: with credentials and without."""
    for head in (
        ground.head("Transfer-Encoding: chunked"),
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        wire = await ground.wire()
        trailers = (b"X: " + b"y" * 1000 + b"\r\n") * 1024
        sent = 0
        await wire.say(head, b"1\r\nx\r\n0\r\n")
        while sent < 64 and not wire.writer.is_closing() and not wire.reader.at_eof():
            await wire.say(trailers)
            sent += 1
        await wire.end()
        assert sent < 64


async def test_lengths_that_lie(ground: Ground) -> None:
    """More announced than comes: nothing is done. Less: what is left over is no request."""
    found = await asyncio.gather(
        statuses(ground, ground.head(f"Content-Length: {len(BODY) + 1}") + BODY),
        statuses(ground, ground.head(f"Content-Length: {len(BODY) - 1}") + BODY),
        statuses(ground, ground.head(f"Content-Length: {41 * MEBIBYTE}")),
        statuses(ground, ground.head("Content-Length: 9223372036854775807")),
    )
    assert found == [[408], [200], [413], [413]]  # and the octet too many ends the connection


async def test_requests_in_a_row_and_garbage_behind_them(ground: Ground) -> None:
    one = ground.whole(BODY)
    assert await statuses(ground, one * 30) == [200] * 30
    assert await statuses(ground, one * 3 + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == [200, 200, 200]
    endless = await ground.wire()
    for _ in range(20):
        endless.writer.write(one * 100)  # and nobody reads the answers
    await asyncio.sleep(0.2)
    endless.close()


STRANGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://elsewhere.example:99999999/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%ff%00%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /autodiscover/autodiscover.json/v1.0/%0d%0aX-Injected:1?Protocol=%0d%0aX HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 5\r\n\r\nhello",
    b"\r\n" * 1000,
    b"A" * 100_000,
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"Y" * 200_000 + b": x\r\n\r\n",
)


async def test_octets_that_are_no_request_of_ours(ground: Ground) -> None:
    answers = await asyncio.gather(*(statuses(ground, octets) for octets in STRANGE))
    for octets, found in zip(STRANGE, answers, strict=True):
        assert set(found) <= CALM, octets[:80]
        assert len(found) <= 2, octets[:80]


async def test_senders_that_never_finish(ground: Ground) -> None:
    """Headers that stop, bodies that stop: the connection ends, and others are served meanwhile."""
    heads = [b"", b"POST /", ground.head()[:-2], ground.head("Content-Length: 100") + b"half of it"]
    heads += [ground.head("Transfer-Encoding: chunked") + b"5\r\nhel", ground.head(method="OPTIONS")[:-40]]
    wires = [await ground.wire() for _ in heads for _ in range(20)]
    for wire, head in zip(wires, heads * 20, strict=True):
        await wire.say(head)
    await ground.bystander_is_served()
    for replies in await asyncio.gather(*(wire.all() for wire in wires)):
        assert {reply.status for reply in replies} <= {400, 408}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
async def test_bombs_that_inflate(ground: Ground, coding: str) -> None:
    bomb = gzip.compress(b"\0" * (64 * MEBIBYTE))
    reply = await ground.post(bomb, f"Content-Encoding: {coding}")
    assert reply.status == 413


async def test_bombs_at_once_that_are_never_finished(ground: Ground) -> None:
    """Bodies that have inflated to 38 MiB each, and whose last octets do not come, are counted too."""
    packed = gzip.compress(b"\0" * (38 * MEBIBYTE), 1)
    wires = [await ground.wire() for _ in range(18)]
    for wire in wires:
        await wire.say(ground.head(f"Content-Length: {len(packed)}", "Content-Encoding: gzip") + packed[:-4])
    await ground.bystander_is_served()
    replies = await asyncio.gather(*(wire.all() for wire in wires))
    assert {reply.status for each in replies for reply in each} <= {408, 503}


@pytest.mark.parametrize(
    "packed",
    [
        b"\x1f\x8b",
        PACKED[:-1],
        PACKED + b"garbage",
        PACKED[:-8] + b"\0" * 8,
        zlib.compress(BODY),
        BODY,
        PACKED + gzip.compress(b"\0" * MEBIBYTE, mtime=0),
    ],
)
async def test_broken_compression(ground: Ground, packed: bytes) -> None:
    reply = await ground.post(packed, "Content-Encoding: gzip")
    assert reply.status == 400


@pytest.mark.parametrize("coding", ["deflate", "br", "gzip, gzip", "gzip,identity", "\x7f", "zstd"])
async def test_other_compressions(ground: Ground, coding: str) -> None:
    reply = await ground.post(gzip.compress(gzip.compress(BODY)), f"Content-Encoding: {coding}")
    assert reply.status in (400, 415)


INJECTIONS = ("%0d%0aX-Injected:%20yes", "a%0aX-Injected:%20yes", "%00", "a%0dX-Injected:%20yes", "%e2%80%a8",
              "é" * 400, "%ff%fe", "..%2f..", "<script>", '"%27;--', "%25s%25n{0}", "%ed%a0%80",
              "x" * 5000)  # fmt: skip


@pytest.mark.parametrize("field", ["Cmd", "User", "DeviceId", "DeviceType", "AttachmentName", "CollectionId", "LongId"])
async def test_queries_that_would_be_headers(ground: Ground, field: str) -> None:
    for text in INJECTIONS:
        reply = await ground.post(BODY, target=ground.query(**{field: text}).encode().decode("latin-1"))
        assert reply.status in CALM
        assert "x-injected" not in reply.headers
        assert b"X-Injected" not in reply.head


@pytest.mark.parametrize("version", ["16.1\t", "99.9", "16.1, 14.1", "", "16,1", "2.5", "1.0", "é", "-1"])
async def test_versions_that_nobody_speaks(ground: Ground, version: str) -> None:
    wire = await ground.wire()
    head = ground.whole(BODY).replace(b"Version: 16.1", b"Version: " + version.encode())
    await wire.say(head)
    assert (await wire.reply()).status in (200, 400)


async def test_headers_that_are_there_twice(ground: Ground) -> None:
    for line in ("MS-ASProtocolVersion: 12.1", "Authorization: Basic eDp5", "X-MS-PolicyKey: 1\r\nX-MS-PolicyKey: 2"):
        assert (await ground.post(BODY, line)).status in (400, 401)


@pytest.mark.parametrize(
    "xml",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><Autodiscover>&l9;</Autodiscover>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><Autodiscover/>',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><Autodiscover><Request><EMailAddress>&e;</EMailAddress></Request></Autodiscover>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><Autodiscover/>',
        "<a>" * 15_000,
        "<Autodiscover>" + "<a/>" * 12_000 + "</Autodiscover>",
        "<Autodiscover " + " ".join(f'a{n}="1"' for n in range(6000)) + "/>",
        "<Autodiscover " + " ".join(f'xmlns:a{n}="u:{n}"' for n in range(2500)) + "/>",
        "<Autodiscover>&undefined;</Autodiscover>",
        '<?xml version="1.0" encoding="utf-7"?><Autodiscover/>',
        '<?xml version="1.0" encoding="UTF-16"?><Autodiscover/>',
        '<?xml version="1.0" encoding="rot13"?><Autodiscover/>',
        '<?xml version="1.0" encoding="idna"?><Autodiscover/>',
        "<Autodiscover><Request><EMailAddress>a\x00b</EMailAddress></Request></Autodiscover>",
        "",
        "\xff\xfe" * 10,
    ],
)
@pytest.mark.requirement("MS-ASCMD_R2287")
async def test_evil_xml_at_autodiscover(ground: Ground, xml: str) -> None:
    reply = await ground.post(xml.encode("latin-1"), target=AUTODISCOVER, content_type="text/xml")
    assert reply.status == 200
    assert b"<ErrorCode>600</ErrorCode>" in reply.body
    assert b"root:" not in reply.body
    assert len(reply.body) < 1000


async def test_autodiscover_tells_nobody_of_others(ground: Ground) -> None:
    """bob, nobody and a text that would be markup are answered alike."""
    bodies = set()
    for address in (
        ground.address("bob"),
        "nobody@example.com",
        "&lt;/Message&gt;&lt;Url&gt;x",
        "a&#13;&#10;X-Injected: 1",
    ):
        xml = (
            f"<Autodiscover><Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{_MOBILE}"
            "/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>"
        )
        reply = await ground.post(xml.encode(), target=AUTODISCOVER, content_type="text/xml")
        assert reply.status == 200
        bodies.add(reply.body)
    assert len(bodies) == 1
    assert b"<Status>2</Status>" in bodies.pop()


async def test_bodies_without_credentials_are_not_kept(ground: Ground) -> None:
    """40 connections that announce 39 MiB each, and send half of it, with nobody's name on it."""
    wires = [await ground.wire() for _ in range(40)]
    head = b"POST /Microsoft-Server-ActiveSync?Cmd=Sync HTTP/1.1\r\nHost: a\r\nContent-Length: 40894464\r\n\r\n"
    await asyncio.gather(*(wire.say(head, b"\0" * 4 * MEBIBYTE) for wire in wires))
    for replies in await asyncio.gather(*(wire.all() for wire in wires)):
        assert {reply.status for reply in replies} <= {401}


async def test_hosts_that_would_be_part_of_an_answer(ground: Ground) -> None:
    for host in ('a"><script>', "a b", "a/../", "a@b", "é", "a" * 3000):
        octets = ground.whole(b"", target=AUTODISCOVER).replace(b"mail.example.com", host.encode())
        wire = await ground.wire()
        await wire.say(octets)
        reply = await wire.reply()
        assert reply.status in (200, 400)
        assert host.encode() not in reply.body


async def test_an_answer_is_what_it_should_be(ground: Ground) -> None:
    """That the attacks above are not refused for another reason."""
    reply = await ground.post(BODY)
    assert hostile.judge(FOLDER_SYNC, V16_1, reply).status == 1
    reply = await ground.post(gzip.compress(BODY), "Content-Encoding: gzip")
    assert hostile.judge(FOLDER_SYNC, V16_1, reply).status == 1
