"""pyactivesync against the demonstration's server: what its tests share."""

import uuid
from collections.abc import Callable, Iterator

import pyactivesync
import pytest
from pyactivesync import FolderType

from tests.scenarios.demo import PASSWORD, RunningDemo

ALICE, BOB = "alice@example.com", "bob@example.com"
TYPES = {FolderType.INBOX, FolderType.DRAFTS, FolderType.DELETED_ITEMS, FolderType.SENT_ITEMS, FolderType.CALENDAR}


def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A fixture of a module: the demonstration, which must hold and end well."""
    running = RunningDemo(tmp_path_factory.mktemp("demo") / "data", "--tls")
    assert "All of it held." in running.output
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output
    assert "Traceback" not in (running.data / "eas-server.log").read_text()


def client_of(demo: RunningDemo, request: pytest.FixtureRequest) -> Iterator[Callable[[str], pyactivesync.Client]]:
    """Makes clients by the address of their user."""
    made = []

    def make(user: str) -> pyactivesync.Client:
        device = uuid.uuid5(uuid.NAMESPACE_URL, request.node.name + user + str(len(made))).hex
        client = pyactivesync.Client(f"127.0.0.1:{demo.port}", user, PASSWORD, device_id=device)
        # it has no other way to name a certificate authority, and one of the environment would come first
        client._transport.session.verify = str(demo.root)
        client._transport.session.trust_env = False
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def folder(client, kind):
    """The id of the folder of a type."""
    return next(each.id for each in client.list_folders() if each.type == kind)


def synced(client, folder_id):
    """Everything in a folder, and the key for what follows."""
    result = client.sync_folder(folder_id)
    items = []
    while True:
        result = client.sync_folder(folder_id, sync_key=result.sync_key)
        items += result.added
        if not result.more_available:
            return items, result.sync_key
