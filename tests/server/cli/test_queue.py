"""`eas-server queue`."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.interfaces import Forwarding, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.ids import UserId

NOW = datetime.now(UTC)


@pytest.fixture
def shell(shell):
    """Two messages wait; the second was tried once."""

    async def fill(store):
        for recipients in (("x@example.org",), ("y@example.org", "z@example.org")):
            content = MemoryBlob(b"Subject: hello\r\n\r\nhello\r\n")
            forwarding = Forwarding(sender="alice@example.com", recipients=recipients, content=content)
            await store.submission.submit(
                Submission(user=UserId("alice@example.com"), source=None, deliveries=(), forwarding=forwarding, now=NOW)
            )
        _, second = await store.queue.due(NOW, 2)
        await store.queue.defer(second.id, NOW + timedelta(days=1), "451 later")

    shell.in_store(fill)
    return shell


def ids(shell) -> list[str]:
    return [str(message["id"]) for message in json.loads(shell("queue", "list", "--json"))]


def test_the_queue_is_listed(shell):
    rows = shell("queue", "list").splitlines()
    assert "x@example.org" in rows[1]
    assert "y@example.org, z@example.org" in rows[2]
    assert "no smart host" in shell.try_("queue", "list").stderr
    first, second = json.loads(shell("queue", "list", "--json"))
    assert (first["attempts"], second["attempts"]) == (0, 1)
    assert first["octets"] == 25


def test_a_message_is_due_again(shell):
    _, second = ids(shell)
    assert len(shell.in_store(lambda store: store.queue.due(NOW, 9))) == 1
    shell("queue", "retry", second, second)
    assert len(shell.in_store(lambda store: store.queue.due(datetime.now(UTC), 9))) == 2
    assert "2 messages" in shell("queue", "retry", "--all")


def test_a_message_is_removed_for_all_recipients(shell):
    first, second = ids(shell)
    assert shell.try_("queue", "remove", second, given="n\n").exit_code == 1
    shell("queue", "remove", second, given="y\n")
    assert ids(shell) == [first]
    shell("queue", "remove", first, "--yes")
    assert ids(shell) == []
    assert "0 messages" in shell("queue", "retry", "--all")


def test_what_is_not_in_the_queue(shell):
    first, _ = ids(shell)
    assert "queue list" in shell.refused("queue", "retry", first, "999")
    assert "queue list" in shell.refused("queue", "remove", "999", "--yes")
    shell.refused("queue", "retry", status=2)
    shell.refused("queue", "retry", first, "--all", status=2)
    shell.refused("queue", "retry", "one", status=2)
    assert len(ids(shell)) == 2
