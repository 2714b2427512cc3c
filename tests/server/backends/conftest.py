"""A store with accounts, made once and copied for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from eas_server.backends.sqlite import HashCost, Store, open_store
from eas_server.notify import ChangeNotifier
from tests.contract.world import settle

CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    async with open_store(path, hash_cost=CHEAP) as made:
        await settle(made)
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "store.db"))


@pytest.fixture
def notifier() -> ChangeNotifier:
    return ChangeNotifier()


@pytest.fixture
async def store(path: Path, notifier: ChangeNotifier) -> AsyncIterator[Store]:
    async with open_store(path, notifier=notifier, hash_cost=CHEAP) as opened:
        yield opened
