"""Mail that comes in, over both stores."""

import hashlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas_server.errors import StoreUnavailable
from eas_server.render.mime import index_message
from eas_server.submission.incoming import MAX_HOPS, Envelope, Incoming, IncomingPorts, Outcome
from tests.server.submission.support import MESSAGE, FixedClock, inbox, octets


def incoming(store: Any, clock: FixedClock) -> Incoming:
    ports = IncomingPorts(accounts=store.accounts, submission=store.submission, clock=clock, index=index_message)
    return Incoming(ports, host="mail.example.com", domains=["example.com"])


def envelope(*recipients: str, content: bytes = MESSAGE, sender: str = "dora@elsewhere.test") -> Envelope:
    return Envelope(
        sender=sender, recipients=recipients, content=memoryview(content), protocol="LMTP", peer="mx.example.com"
    )


async def test_trace_headers_on_top_and_the_octets_below(store: Any, clock: FixedClock):
    assert await incoming(store, clock).deliver(envelope("Bob@example.com")) == [Outcome.DELIVERED]
    (item,) = await inbox(store, "bob")
    above, below = await octets(item)
    assert hashlib.sha256(below).digest() == hashlib.sha256(MESSAGE).digest()
    lines = above.split(b"\r\n")
    assert lines[:2] == [b"Return-Path: <dora@elsewhere.test>", b"Delivered-To: Bob@example.com"]
    assert lines[2].startswith(b"Received: from mx.example.com by mail.example.com with LMTP id ")
    assert lines[3:] == [b"\tWed, 04 Mar 2026 05:06:07 +0000", b""]
    assert item.index == index_message(MESSAGE)[0]
    assert not item.state.read


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.binary(min_size=1, max_size=300))
async def test_any_octets_are_delivered_as_they_are(store: Any, clock: FixedClock, content: bytes):
    assert await incoming(store, clock).deliver(envelope("carol@example.com", content=content)) == [Outcome.DELIVERED]
    assert (await octets((await inbox(store, "carol"))[-1]))[1] == content


async def test_each_recipient_has_an_outcome(store: Any, clock: FixedClock):
    large = MESSAGE + b"x" * 3000
    recipients = ("alice@example.com", "ghost@example.com", "bob@example.com", "x@elsewhere.test", "carol")
    assert await incoming(store, clock).deliver(envelope(*recipients, content=large)) == [
        Outcome.DELIVERED,
        Outcome.UNKNOWN,
        Outcome.FULL,
        Outcome.UNKNOWN,
        Outcome.DELIVERED,
    ]
    assert await store.queue.due(clock.now(), 10) in ([], ())


async def test_a_group_reaches_its_members(store: Any, clock: FixedClock):
    assert await incoming(store, clock).deliver(envelope("team@example.com")) == [Outcome.DELIVERED]
    for name in ("alice", "bob"):
        (item,) = await inbox(store, name)
        assert f"Delivered-To: {name}@example.com\r\n".encode() in (await octets(item))[0]
    (queued,) = await store.queue.due(clock.now(), 10)
    assert queued.forwarding.sender == "dora@elsewhere.test"
    assert queued.forwarding.recipients == ("dora@elsewhere.test",)


async def test_loops_are_found(store: Any, clock: FixedClock):
    here = incoming(store, clock)
    looping = b"Delivered-To: BOB@example.com\n" + MESSAGE
    assert await here.deliver(envelope("bob@example.com", "carol@example.com", content=looping)) == [
        Outcome.LOOP,
        Outcome.DELIVERED,
    ]
    hops = b"Received: by x\r\n" * (MAX_HOPS + 1) + MESSAGE
    assert await here.deliver(envelope("carol@example.com", content=hops)) == [Outcome.LOOP]


async def test_an_envelope_cannot_inject_lines(store: Any, clock: FixedClock):
    evil = Envelope(
        sender="a@b>\r\nX-Evil: 1",
        recipients=("carol@example.com",),
        content=memoryview(MESSAGE),
        protocol="LMTP",
        peer="x\r\nX-Evil: 2",
    )
    await incoming(store, clock).deliver(evil)
    (item,) = await inbox(store, "carol")
    assert b"\nX-Evil" not in (await octets(item))[0]


async def test_a_store_out_of_reach_is_temporary(store: Any, clock: FixedClock):
    class Down:
        async def submit(self, submission: object) -> Any:
            raise StoreUnavailable("down")

    ports = IncomingPorts(accounts=store.accounts, submission=Down(), clock=clock, index=index_message)
    here = Incoming(ports, host="h", domains=[])
    assert await here.deliver(envelope("bob@example.com")) == [Outcome.UNAVAILABLE]


@pytest.mark.parametrize("recipient", ["bob", "bob@example.com", "team@example.com"])
async def test_who_is_known(store: Any, clock: FixedClock, recipient: str):
    here = incoming(store, clock)
    assert await here.knows(recipient)
    assert not await here.knows("x" + recipient)
