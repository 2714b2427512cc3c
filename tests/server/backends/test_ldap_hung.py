"""Directory servers that say nothing, or nonsense: nobody waits for them for long."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from eas_server.backends.ldap import LdapDirectory, LdapPool, LdapSettings
from eas_server.errors import DirectoryUnavailable
from tests.server.backends.ldap_listener import Listener, answered

SHORT = 0.2
LONG = 60.0
"""More than a test may take: what ends before was not a time-out."""
RETRY = 30.0


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], None]], Listener]]:
    made: list[Listener] = []

    def start(talk: Callable[[socket.socket], None]) -> Listener:
        made.append(Listener(talk))
        return made[-1]

    yield start
    for listener in made:
        listener.close()


Listen = Callable[[Callable[[socket.socket], None]], Listener]


def say_nothing(peer: socket.socket) -> None:
    while peer.recv(4096):
        pass


@asynccontextmanager
async def pool_of(uri: str, **changes: object) -> AsyncIterator[LdapPool]:
    keys = {
        "uris": (uri,),
        "base_dn": "dc=example,dc=com",
        "connect_timeout": LONG,
        "receive_timeout": LONG,
        "operation_timeout": LONG,
        "retry_after": RETRY,
    }
    pool = LdapPool(LdapSettings(**(keys | changes)), monotonic=lambda: 1000.0)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.close()


async def test_no_answer_is_a_failure_of_the_server(listen: Listen) -> None:
    server = listen(say_nothing)
    async with pool_of(server.uri, receive_timeout=SHORT) as pool:
        with pytest.raises(DirectoryUnavailable, match="timed out"):
            await LdapDirectory(pool).search("alice", 0, 1)
        with pytest.raises(DirectoryUnavailable, match="a moment ago"):
            await LdapDirectory(pool).search("alice", 0, 1)
    assert server.taken == 1


async def test_no_answer_to_a_sign_in(listen: Listen) -> None:
    async with pool_of(listen(say_nothing).uri, receive_timeout=SHORT) as pool:
        with pytest.raises(DirectoryUnavailable, match="timed out"):
            await pool.sign_in("uid=alice", "secret", lambda _connection: None)


@pytest.mark.parametrize("start_tls", [True, False])
async def test_no_tls_handshake(listen: Listen, start_tls: bool) -> None:
    uri = listen(say_nothing).uri
    async with pool_of(
        uri if start_tls else uri.replace("ldap:", "ldaps:"), start_tls=start_tls, connect_timeout=SHORT
    ) as pool:
        with pytest.raises(DirectoryUnavailable, match="timed out"):
            await LdapDirectory(pool).search("alice", 0, 1)


async def test_the_whole_operation_has_an_end_and_its_thread_too(listen: Listen) -> None:
    """A server that sends an octet now and then never runs into the receive time-out."""
    stop = threading.Event()

    def trickle(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"\x30\x84\x00\x01\x00\x00")
        while not stop.wait(0.01):
            peer.sendall(b"\x00")

    async with pool_of(listen(trickle).uri, operation_timeout=SHORT, pool_size=1) as pool:
        with pytest.raises(DirectoryUnavailable, match="in time"):
            await LdapDirectory(pool).search("alice", 0, 1)
        await pool.close()  # waits for the thread
    stop.set()


async def test_the_others_do_not_wait(listen: Listen) -> None:
    """While one request waits for the directory, the event loop goes on; giving up frees the thread."""
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(peer: socket.socket) -> None:
        peer.recv(4096)
        loop.call_soon_threadsafe(reached.set)
        say_nothing(peer)

    async with pool_of(listen(told).uri, pool_size=1) as pool:
        waiting = asyncio.create_task(LdapDirectory(pool).search("alice", 0, 1))
        await reached.wait()
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # The one thread is free for the next, who is not told that the server failed: nobody waited long enough.
        reached.clear()
        following = asyncio.create_task(LdapDirectory(pool).search("alice", 0, 1))
        await reached.wait()
        following.cancel()


async def test_who_waits_for_a_thread_gives_up_in_time(listen: Listen) -> None:
    async with pool_of(listen(say_nothing).uri, pool_size=1, operation_timeout=SHORT) as pool:
        answers = await asyncio.gather(
            *(LdapDirectory(pool).search("alice", 0, 1) for _ in range(5)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {DirectoryUnavailable}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x30\x00",
        b"\x30\x80\x00\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x65\x00",
        b"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x63\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\xff",
        b"\x00" * 64,
        b"\xff" * 64,
    ],
)
async def test_octets_that_are_no_answer(listen: Listen, answer: bytes) -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(answer)
        peer.shutdown(socket.SHUT_WR)

    async with pool_of(listen(talk).uri, receive_timeout=SHORT) as pool:
        with pytest.raises(DirectoryUnavailable):
            await LdapDirectory(pool).search("alice", 0, 1)
        with pytest.raises(DirectoryUnavailable):
            await pool.sign_in("uid=alice", "secret", lambda _connection: None)


RESULT = b"\x0a\x01\x00\x04\x00\x04\x00"
"""resultCode success, an empty matchedDN, an empty diagnosticMessage."""


@pytest.mark.parametrize(
    "operation",
    [
        b"\x69\x07" + RESULT,  # delResponse
        b"\x78\x07" + RESULT,  # extendedResp
        b"\x61\x00",  # bindResponse without a result
        b"\x65\x00",  # searchResDone without a result
        b"\x65\x07\x0a\x01\x34\x04\x00\x04\x00",  # unavailable
        b"\x61\x07\x0a\x01\x33\x04\x00\x04\x00",  # busy
        b"\x64\x02\x04\x00",  # searchResEntry without attributes
        b"\x7f\x00",
        b"\x04\x00",
        b"",
    ],
)
async def test_answers_that_are_no_answer_to_this(listen: Listen, operation: bytes) -> None:
    def talk(peer: socket.socket) -> None:
        while request := peer.recv(4096):
            peer.sendall(answered(request, operation))

    for _ in range(2):
        async with pool_of(listen(talk).uri, receive_timeout=SHORT) as pool:
            with pytest.raises(DirectoryUnavailable):
                await LdapDirectory(pool).search("alice", 0, 1)
        async with pool_of(listen(talk).uri, receive_timeout=SHORT) as pool:
            with pytest.raises(DirectoryUnavailable):
                await pool.sign_in("uid=alice", "secret", lambda _connection: None)


async def test_a_busy_server_is_passed_over_and_one_that_refuses_is_not(listen: Listen) -> None:
    def busy(peer: socket.socket) -> None:
        peer.sendall(answered(peer.recv(4096), b"\x61\x07\x0a\x01\x33\x04\x00\x04\x00"))

    def refuse(peer: socket.socket) -> None:
        peer.sendall(answered(peer.recv(4096), b"\x61\x07\x0a\x01\x31\x04\x00\x04\x00"))

    servers = [listen(busy), listen(refuse), listen(say_nothing)]
    async with pool_of("", uris=tuple(server.uri for server in servers)) as pool:
        assert await pool.sign_in("uid=alice", "wrong", lambda _connection: "in") is None
    assert [server.taken for server in servers] == [1, 1, 0]


async def test_referrals_are_not_followed(listen: Listen) -> None:
    """Neither a search nor a password goes to where an answer points."""
    elsewhere = listen(say_nothing)
    url = f"{elsewhere.uri}/dc=example,dc=com".encode()
    referral = b"\xa3" + bytes((len(url) + 2,)) + b"\x04" + bytes((len(url),)) + url
    result = b"\x0a\x01\x0a\x04\x00\x04\x00" + referral

    def talk(peer: socket.socket) -> None:
        while request := peer.recv(4096):
            kind = b"\x61" if b"\x60" in request[:12] else b"\x65"
            peer.sendall(answered(request, kind + bytes((len(result),)) + result))

    async with pool_of(listen(talk).uri) as pool:
        with pytest.raises(DirectoryUnavailable, match="referral"):
            await LdapDirectory(pool).search("alice", 0, 1)
        with pytest.raises(DirectoryUnavailable):
            await pool.sign_in("uid=alice", "secret", lambda _connection: None)
    assert elsewhere.taken == 0
