"""What was acknowledged is there after the power cut."""

import asyncio

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol.client import Unexpected
from tests.scenarios.server import Server, fill


@pytest.fixture
def own_server(tmp_path, monkeypatch):
    """A server that this test may kill."""
    monkeypatch.setattr("tests.scenarios.server.WORLDS", 1)
    running = Server(tmp_path)
    running.open(fill)
    running.start()
    yield running
    running.kill()


ENOUGH = 20


async def _send_until_it_breaks(device, letters, acknowledged, enough):
    for letter in letters:
        try:
            await device.send(letter)
        except (OSError, Unexpected):
            return
        acknowledged.append(letter)
        if len(acknowledged) >= ENOUGH:
            enough.set()


async def test_acknowledged_messages_survive_kill_9(own_server):
    world = own_server.world()
    senders = [world.device("alice", device_id=f"sender{n}") for n in range(4)]
    acknowledged, enough = [], asyncio.Event()
    tasks = [
        asyncio.create_task(
            _send_until_it_breaks(
                device, [world.letter(f"letter {n} {number}") for number in range(1000)], acknowledged, enough
            )
        )
        for n, device in enumerate(senders)
    ]
    await asyncio.wait_for(enough.wait(), 60)
    own_server.kill()
    await asyncio.gather(*tasks)
    own_server.start()
    bob = world.device("bob")
    inbox = (await bob.folders())[FolderType.INBOX]
    there = [octets_of(found) for found in (await bob.catch_up(inbox, options=MIME)).added.values()]
    for letter in acknowledged:
        assert sum(1 for each in there if each.endswith(letter)) == 1
    await world.close()


async def test_keys_that_a_device_holds_are_good_after_kill_9(own_server):
    world = own_server.world()
    alice = world.device("alice")
    assert await alice.provision()
    inbox = (await alice.folders())[FolderType.INBOX]
    for number in range(4):
        await alice.send(world.letter(f"letter {number}", to="alice"), save=False)
    await alice.round(inbox)
    first, more = await alice.round(inbox, window=2)
    assert more
    own_server.kill()
    own_server.start()
    again = world.device("alice")
    again.client.sync_keys = dict(alice.client.sync_keys)
    again.client.policy_key = alice.client.policy_key
    rest = await again.catch_up(inbox, window=2)
    assert len(first.added) == len(rest.added) == 2
    assert not set(first.added) & set(rest.added)
    await world.close()


async def test_a_stop_answers_who_waits(own_server):
    world = own_server.world()
    alice = world.device("alice")
    inbox = (await alice.folders())[FolderType.INBOX]
    await alice.catch_up(inbox)
    waiting = asyncio.create_task(alice.wait(inbox))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(own_server.stop)
    assert (await asyncio.wait_for(waiting, 10)).status in (1, 2)
    await world.close()
