"""Answers that are none, are too much, or never end."""

import asyncio
import gzip
import random
from collections.abc import Callable

import pytest

from eas_server.backends.revocation.source import FetchingSource
from eas_server.errors import EvidenceUnavailable
from eas_server.model.trust import EvidenceKind
from tests.server.backends.revocation import hostile
from tests.server.backends.revocation.conftest import Names, all_of, wanted
from tests.server.backends.revocation.hostile import Answer, Server, response

Open = Callable[..., FetchingSource]

HOSTILE: dict[str, tuple[Answer, str]] = {
    "not there": (hostile.status("404 Not Found"), "HTTP status 404"),
    "an error": (hostile.status("500 Oh"), "HTTP status 500"),
    "nothing new": (hostile.status("304 Not Modified"), "HTTP status 304"),
    "a part": (hostile.octets(response(b"x", "Content-Range: bytes 0-0/9", status="206 Part")), "HTTP status 206"),
    "an empty body": (hostile.body(b""), "an empty answer"),
    "a length beyond the limit": (hostile.octets(response(b"x", length=10**9)), "an answer of 1000000000 octets"),
    "a length beyond all numbers": (hostile.octets(response(b"x", length=10**30)), "no proper answer|an answer of"),
    "a length that is none": (hostile.octets(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"), "no proper answer"),
    "two lengths": (
        hostile.octets(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
        "no proper answer",
    ),
    "a body shorter than its length": (hostile.octets(response(b"short", length=1000)), "no proper answer"),
    "an endless body": (
        hostile.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        "an answer of more than 100000 octets",
    ),
    "an endless chunked body": (
        hostile.endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        ),
        "an answer of more than 100000 octets",
    ),
    "a chunk without an end": (
        hostile.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", b"x" * 65536),
        "an answer of more than 100000 octets",
    ),
    "a chunk that is none": (
        hostile.octets(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n"),
        "no proper answer",
    ),
    "a gzip bomb": (hostile.body(gzip.compress(bytes(10**7)), "Content-Encoding: gzip"), "an encoded answer"),
    "an unknown encoding": (hostile.body(b"x", "Content-Encoding: br, gzip"), "an encoded answer"),
    "an encoded transfer": (
        hostile.octets(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(10**6))),
        "encoding that was not asked for",
    ),
    "a flood of headers": (hostile.endless(b"HTTP/1.1 200 OK\r\n", b"X-Flood: much\r\n" * 100), "no proper answer"),
    "one endless header": (hostile.endless(b"HTTP/1.1 200 OK\r\nX-Flood: ", b"x" * 4096), "no proper answer"),
    "an endless status line": (hostile.endless(b"HTTP/1.1 200 ", b"x" * 4096), "no proper answer"),
    "no HTTP": (hostile.octets(b"220 mail.example.com ESMTP\r\n"), "no proper answer"),
    "nothing": (hostile.octets(b""), "no proper answer"),
    "a connection that breaks": (hostile.reset, "no proper answer"),
    "a redirect to nowhere": (hostile.octets(response(b"", status="302 Found")), "a redirect to nowhere"),
    "a redirect to several places": (
        hostile.octets(response(b"", "Location: /a", "Location: /b", status="302 Found")),
        "a redirect to nowhere",
    ),
    "a redirect to what cannot be read": (hostile.redirect("http://[::1"), "a redirect to nowhere"),
    "a switch of protocols": (
        hostile.octets(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\nPRI"),
        "HTTP status 101|no proper answer",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_answer_that_is_none(server: Server, opened: Open, name: str) -> None:
    answer, reason = HOSTILE[name]
    server.answers["/x.crl"] = answer
    source = opened(max_crl=100_000)
    with pytest.raises(EvidenceUnavailable, match=reason) as caught:
        await source.fetch(wanted(server.url("/x.crl")))
    assert (caught.value.refused, caught.value.unreadable) == (False, False)
    server.answers["/good.crl"] = hostile.body(b"good")
    assert await source.fetch(wanted(server.url("/good.crl"))) == b"good"


async def test_octets_at_random(server: Server, opened: Open) -> None:
    chance = random.Random(20261203)
    source = opened(user_fetches=1000)
    whole = response(b"evidence", "Content-Type: application/pkix-crl", "Connection: close")
    outcomes = set()
    for number in range(300):
        written = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(written))
            written[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        server.answers[f"/{number}"] = hostile.octets(bytes(written))
        (outcome,) = await all_of([source.fetch(wanted(server.url(f"/{number}")))])
        outcomes.add(type(outcome))
    assert outcomes == {bytes, EvidenceUnavailable}


SLOW: dict[str, Answer] = {
    "no answer": hostile.hang,
    "a drip of the body": hostile.endless(response(b"", length=90_000), b"x", 0.01),
    "a drip of headers": hostile.endless(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x", 0.01),
    "endless interim answers": hostile.endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
}


@pytest.mark.parametrize("name", SLOW)
async def test_an_answer_that_never_ends_has_its_time(server: Server, opened: Open, name: str) -> None:
    server.answers["/x.crl"] = SLOW[name]
    source = opened(timeout=0.3)
    with pytest.raises(EvidenceUnavailable, match="no whole answer in time") as caught:
        await source.fetch(wanted(server.url("/x.crl")))
    assert not caught.value.refused


async def test_redirects_share_the_time_of_one_fetch(server: Server, opened: Open) -> None:
    async def late(asked: hostile.Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        await hostile.redirect(f"{asked.target}x")(asked, writer)

    server.answers = {f"/{'x' * count}": late for count in range(1, 9)}
    with pytest.raises(EvidenceUnavailable, match="no whole answer in time"):
        await opened(timeout=0.3).fetch(wanted(server.url("/x")))


@pytest.mark.parametrize(
    ("kind", "limit"),
    [(EvidenceKind.CRL, 10 << 20), (EvidenceKind.OCSP, 64 << 10), (EvidenceKind.ISSUER, 256 << 10)],
)
async def test_each_kind_has_its_size(server: Server, source: FetchingSource, kind: EvidenceKind, limit: int) -> None:
    server.answers["/most"] = hostile.body(b"x" * limit)
    server.answers["/more"] = hostile.body(b"x" * (limit + 1))
    assert len(await source.fetch(wanted(server.url("/most"), kind))) == limit
    with pytest.raises(EvidenceUnavailable):
        await source.fetch(wanted(server.url("/more"), kind))


async def test_what_follows_the_announced_body_is_never_evidence(server: Server, source: FetchingSource) -> None:
    server.answers["/x.crl"] = hostile.octets(response(b"right and wrong", length=5))
    (outcome,) = await all_of([source.fetch(wanted(server.url("/x.crl")))])
    # what comes in another packet is not even seen
    assert outcome == b"right" or "no proper answer" in str(outcome)


async def test_what_is_no_evidence_is_not_given_out(server: Server, source: FetchingSource) -> None:
    def keep_until(octets: bytes, fetched: object) -> None:
        raise ValueError("quoting\r\nwhat the server chose")

    server.answers["/x.crl"] = hostile.body(b"<html>Please sign in</html>")
    for reason in (r"the answer is no crl: ValueError$", "not asked again"):
        with pytest.raises(EvidenceUnavailable, match=reason) as caught:
            await source.fetch(wanted(server.url("/x.crl"), keep_until=keep_until))
        assert (caught.value.refused, caught.value.unreadable) == (False, True)
    assert server.times("/x.crl") == 1


async def test_nothing_is_told_of_us(server: Server, source: FetchingSource, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server.answers["/a"] = hostile.octets(
        response(b"", "Location: /b", "Set-Cookie: session=1; Path=/", status="302 Found")
    )
    server.answers["/b"] = hostile.body(b"evidence", "Set-Cookie: other=1")
    server.answers["/c"] = hostile.body(b"evidence")
    await source.fetch(wanted(server.url("/a")))
    await source.fetch(wanted(server.url("/c")))
    first, second, third = server.asked
    assert first.method == "GET"
    assert first.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "eas-server",
        "accept": "application/pkix-crl, */*",
        "accept-encoding": "identity",
        "connection": "close",
    }
    assert second.headers == third.headers == first.headers


async def test_an_ocsp_request_is_posted_and_keeps_its_body_in_redirects(
    server: Server, source: FetchingSource
) -> None:
    server.answers["/ocsp"] = hostile.redirect("/there", "307 Temporary Redirect")
    server.answers["/there"] = hostile.body(b"answer")
    found = await source.fetch(wanted(server.url("/ocsp"), EvidenceKind.OCSP, body=b"question"))
    assert found == b"answer"
    for asked in server.asked:
        assert (asked.method, asked.body) == ("POST", b"question")
        assert asked.headers["content-type"] == "application/ocsp-request"


async def test_a_redirect_that_would_lose_the_question(server: Server, source: FetchingSource) -> None:
    server.answers["/ocsp"] = hostile.redirect("/there", "303 See Other")
    with pytest.raises(EvidenceUnavailable, match="leaves the question behind"):
        await source.fetch(wanted(server.url("/ocsp"), EvidenceKind.OCSP, body=b"question"))


async def test_three_redirects_and_no_more(server: Server, source: FetchingSource) -> None:
    for number in range(1, 6):
        server.answers[f"/{number}"] = hostile.redirect(f"/{number - 1}", "301 Moved")
    server.answers["/0"] = hostile.body(b"found")
    assert await source.fetch(wanted(server.url("/3"))) == b"found"
    with pytest.raises(EvidenceUnavailable, match="more than 3 redirects"):
        await source.fetch(wanted(server.url("/5")))
    server.answers["/loop"] = hostile.redirect("/loop")
    with pytest.raises(EvidenceUnavailable, match="more than 3 redirects"):
        await source.fetch(wanted(server.url("/loop")))


async def test_no_connection(source: FetchingSource, server: Server, opened: Open, names: Names) -> None:
    with pytest.raises(EvidenceUnavailable, match="cannot be looked up: Name or service not known") as caught:
        await source.fetch(wanted(server.url("/", "nowhere.example.com")))
    assert not caught.value.refused
    closed = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = closed.sockets[0].getsockname()[1]
    closed.close()
    await closed.wait_closed()
    with pytest.raises(EvidenceUnavailable, match="no connection") as caught:
        await opened(allow_ports=(port,)).fetch(wanted(f"http://127.0.0.1:{port}/"))
    assert not caught.value.refused


async def test_a_name_server_that_does_not_answer(server: Server, opened: Open) -> None:
    async def never(host: str, port: int) -> list[object]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(EvidenceUnavailable, match="cannot be looked up: TimeoutError"):
        await opened(lookup=never, connect_timeout=0.05).fetch(wanted(server.url("/", "slow.example.com")))
