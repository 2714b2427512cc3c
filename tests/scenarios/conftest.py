"""Whole dialogues against a real server."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.scenarios.server import Server, World, fill


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all scenarios (of a worker); at the end nothing may have gone wrong inside it."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.open(fill)
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log
    assert (running.folder / "stderr.txt").read_text() == ""


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    """Accounts for one test."""
    made = server.world()
    yield made
    await made.close()
