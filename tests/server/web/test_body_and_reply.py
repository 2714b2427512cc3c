"""Bodies in and answers out: however they are cut, the octets are the same, and nothing large is ever joined."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from eas_server.errors import StoreUnavailable
from eas_server.model.blob import MemoryBlob
from eas_server.web.body import Announced, Bodies, Disconnected, Refused, announced, discard, read_body
from eas_server.web.reply import TooSlow, send_body, send_empty
from eas_server.web.settings import WebLimits
from protocol.wbxml import Segments

PIECE = 64 * 1024


class Wire:
    """Both ends of an exchange: `receive` gives the pieces, `send` keeps what comes."""

    def __init__(self, pieces: Sequence[bytes] = (), *, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.sent: list[bytes] = []
        self.start: Message = {}

    async def receive(self) -> Message:
        if not self.pieces and self.leaves:
            return {"type": "http.disconnect"}
        body = self.pieces.pop(0) if self.pieces else b""
        return {"type": "http.request", "body": body, "more_body": bool(self.pieces) or self.leaves}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.sent.append(bytes(message.get("body", b"")))

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.start["headers"])


pieces_ = st.lists(st.binary(min_size=1, max_size=300), max_size=12)


@given(pieces=pieces_)
async def test_a_body_is_the_same_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    limits = WebLimits()
    assert bytes(await read_body(Wire(pieces).receive, Announced(len(whole)), "", limits)) == whole
    assert bytes(await read_body(Wire(pieces).receive, Announced(None), "", limits)) == whole


@given(whole=st.binary(max_size=2000), size=st.integers(1, 50))
async def test_so_is_one_that_is_compressed(whole: bytes, size: int) -> None:
    packed = gzip.compress(whole)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert bytes(await read_body(Wire(pieces).receive, Announced(None), "gzip", WebLimits())) == whole


@given(packed=st.binary(max_size=200))
async def test_octets_that_are_no_gzip_are_refused(packed: bytes) -> None:
    with pytest.raises(Refused) as refused:
        await read_body(Wire([packed]).receive, Announced(None), "gzip", WebLimits())
    assert refused.value.status == 400


async def test_a_bomb_is_never_inflated() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(Refused) as refused:
        await read_body(Wire([bomb]).receive, Announced(len(bomb)), "gzip", WebLimits(max_request=10_000))
    assert refused.value.status == 413


@pytest.mark.parametrize("what", [Announced(10), Announced(None)])
async def test_a_client_that_leaves(what: Announced) -> None:
    with pytest.raises(Disconnected):
        await read_body(Wire([b"123"], leaves=True).receive, what, "", WebLimits())
    assert not await discard(Wire([b"123"], leaves=True).receive, what, WebLimits())


async def test_a_body_that_does_not_come() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    limits = WebLimits(body_grace=0.01, body_rate=10_000_000)
    with pytest.raises(Refused) as refused:
        await read_body(receive, Announced(1000), "", limits)
    assert refused.value.status == 408
    assert not await discard(receive, Announced(10), limits)


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])
async def test_others_are_served_while_a_body_inflates(size: int) -> None:
    packed, turns = gzip.compress(bytes(size)), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    assert len(await read_body(Wire([packed]).receive, Announced(len(packed)), "gzip", WebLimits())) == size
    beside.cancel()
    assert turns >= size // (1024 * 1024)


@pytest.mark.parametrize("what", [Announced(40_000_000), Announced(None)])
async def test_what_was_announced_buys_no_time(what: Announced) -> None:
    """A sender of one octet may keep nobody waiting for as long as 40 megabytes would take."""
    came = asyncio.Event()

    async def receive() -> Message:
        if came.is_set():
            await asyncio.Event().wait()
        came.set()
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(Refused) as refused:
        await read_body(receive, what, "", WebLimits(body_grace=0.01))
    assert refused.value.status == 408


async def test_octets_that_come_put_the_deadline_off() -> None:
    came: list[float] = []

    async def receive() -> Message:
        await asyncio.sleep(0.02)
        came.append(0.02)
        return {"type": "http.request", "body": b"x" * 100, "more_body": len(came) < 10}

    limits = WebLimits(body_grace=0.1, body_rate=100)
    assert len(await read_body(receive, Announced(None), "", limits)) == 1000


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_body_of_unknown_size_is_counted_while_it_grows(encoding: str) -> None:
    """Also one that inflates: else many of them, none of them finished, would fill the memory."""
    whole = bytes(range(256)) * 400
    sent = gzip.compress(whole) if encoding else whole
    held: list[int] = []
    wire = Wire([sent[at : at + 100] for at in range(0, len(sent), 100)])
    await read_body(wire.receive, Announced(None), encoding, WebLimits(), held.append)
    assert held == sorted(held)
    assert held[-1] == len(whole)
    assert len(held) > 3


@given(pieces=pieces_, limit=st.integers(0, 2000))
async def test_a_refused_body_is_read_to_its_end_or_the_connection_ends(pieces: list[bytes], limit: int) -> None:
    size = sum(map(len, pieces))
    limits = WebLimits(max_discarded=limit)
    for what in (Announced(size), Announced(None)):
        wire = Wire(pieces)
        kept = await discard(wire.receive, what, limits)
        assert kept == (size <= limit)
        assert not (kept and wire.pieces)


def test_what_the_headers_announce() -> None:
    assert announced([(b"host", b"x"), (b"content-length", b"12")]) == Announced(12)
    assert announced([(b"transfer-encoding", b"chunked")]) == Announced(None)
    assert announced([]).empty


def test_bodies_are_counted() -> None:
    bodies, limits = Bodies(), WebLimits(max_bodies=10)
    bodies.take(6, limits)
    with pytest.raises(Refused):
        bodies.take(5, limits)
    bodies.release(6)
    bodies.take(10, limits)


parts_ = st.lists(
    st.one_of(
        st.binary(max_size=100),
        st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5]).map(bytes),
        st.sampled_from([0, 5, PIECE, 5 * PIECE + 3]).map(bytes).map(MemoryBlob),
        st.binary(min_size=1, max_size=10).map(memoryview),
    ),
    max_size=8,
).map(tuple)


@pytest.mark.requirement("MS-ASHTTP_R216", "MS-ASHTTP_R199")
@given(parts=parts_)
async def test_an_answer_is_its_parts_and_as_long_as_announced(parts: tuple) -> None:
    whole = b"".join(bytes(part.view) if isinstance(part, MemoryBlob) else bytes(part) for part in parts)
    wire = Wire()
    size = await send_body(wire.send, 200, [], "x/y", Segments(parts), gzips=False, limits=WebLimits())
    assert b"".join(wire.sent) == whole
    assert wire.headers[b"content-length"] == str(len(whole)).encode()
    assert size == len(whole)
    assert max(map(len, wire.sent), default=0) <= max(MemoryBlob.CHUNK, 2 * PIECE)


class Fresh:
    """A blob whose chunks are made when they are asked for, and counted while somebody holds them."""

    size = 20 * 1024 * 1024

    def __init__(self) -> None:
        self.most = 0

    async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1024 * 1024)


async def test_a_large_answer_goes_out_piece_by_piece() -> None:
    wire = Wire()
    await send_body(wire.send, 200, [], "x/y", Segments((b"head", Fresh(), b"tail")), gzips=True, limits=WebLimits())
    assert b"content-encoding" not in wire.headers
    assert (wire.sent[0], wire.sent[-2]) == (b"head", b"tail")
    assert max(map(len, wire.sent)) == 1024 * 1024


@pytest.mark.parametrize(
    ("size", "limits", "packed"),
    [
        (1023, WebLimits(), False),
        (1024, WebLimits(), True),
        (128 * 1024, WebLimits(), True),
        (128 * 1024 + 1, WebLimits(), False),
        (5000, WebLimits(gzip_to=0), False),
    ],
)
async def test_what_is_compressed(size: int, limits: WebLimits, packed: bool) -> None:
    wire = Wire()
    await send_body(wire.send, 200, [], "x/y", Segments((bytes(size),)), gzips=True, limits=limits)
    sent = b"".join(wire.sent)
    assert (b"content-encoding" in wire.headers) == packed
    assert int(wire.headers[b"content-length"]) == len(sent)
    assert (gzip.decompress(sent) if packed else sent) == bytes(size)


async def test_a_client_that_does_not_take_its_answer() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    with pytest.raises(TooSlow):
        await send_body(
            send, 200, [], "x/y", Segments((bytes(10 * PIECE),)), gzips=False, limits=WebLimits(send_grace=0.01)
        )


async def test_octets_that_cannot_be_read_are_no_answer() -> None:
    class Lost:
        size = 10

        async def chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            raise StoreUnavailable("the file is gone")
            yield b""

    with pytest.raises(StoreUnavailable):
        await send_body(Wire().send, 200, [], "x/y", Segments((Lost(),)), gzips=False, limits=WebLimits())


@pytest.mark.requirement("MS-ASHTTP_R212")
async def test_an_empty_answer_has_a_length_and_no_type() -> None:
    wire = Wire()
    await send_empty(wire.send, 200, [])
    assert wire.headers == {b"content-length": b"0"}
