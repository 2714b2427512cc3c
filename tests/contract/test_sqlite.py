"""The embedded store keeps the contracts."""

import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from eas_server import interfaces
from eas_server.backends.sqlite import HashCost, Store, open_store
from eas_server.model.trust import Anchor, TrustCollection
from eas_server.notify import ChangeNotifier
from tests.contract.folders import FolderStoreContract
from tests.contract.harvested import HarvestedContract
from tests.contract.mail import MailStoreContract
from tests.contract.notifying import NotifyingContract
from tests.contract.people import AccountsContract, AuthenticatorContract, DirectoryContract
from tests.contract.preferences import PreferencesContract
from tests.contract.search import SearchContract
from tests.contract.state import StateStoreContract
from tests.contract.submission import OutgoingQueueContract, SubmissionContract
from tests.contract.trust import Trusting, TrustStoreContract
from tests.contract.world import settle, settle_with_people

CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.db"
    async with open_store(path, hash_cost=CHEAP) as made:
        await settle(made)
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template_with_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "people.db"
    async with open_store(path, hash_cost=CHEAP) as made:
        await settle_with_people(made)
    return path


@pytest.fixture
def notifier() -> ChangeNotifier:
    return ChangeNotifier()


@pytest.fixture
async def store(template: Path, tmp_path: Path, notifier: ChangeNotifier) -> AsyncIterator[Store]:
    path = Path(shutil.copy(template, tmp_path / "store.db"))
    async with open_store(path, notifier=notifier, hash_cost=CHEAP) as opened:
        yield opened


class TestFolders(FolderStoreContract): ...


class TestMail(MailStoreContract): ...


class TestSearch(SearchContract): ...


class TestSubmission(SubmissionContract): ...


class TestQueue(OutgoingQueueContract): ...


class TestState(StateStoreContract): ...


class TestPreferences(PreferencesContract): ...


class TestHarvested(HarvestedContract): ...


class TestNotifying(NotifyingContract): ...


class TestTrust(TrustStoreContract):
    @pytest.fixture
    def trusting(self, store: Store) -> Trusting:
        async def make(collections: Sequence[TrustCollection]) -> interfaces.TrustStore:
            for each in collections:
                held = dict.fromkeys(each.roots, Anchor.ROOT) | dict.fromkeys(each.intermediates, Anchor.INTERMEDIATE)
                await store.trust.trust(each.name, held)
            return store.trust

        return make


class WithPeople:
    @pytest.fixture
    async def store(self, template_with_people: Path, tmp_path: Path) -> AsyncIterator[Store]:
        path = Path(shutil.copy(template_with_people, tmp_path / "store.db"))
        async with open_store(path, hash_cost=CHEAP) as opened:
            yield opened


class TestDirectory(WithPeople, DirectoryContract):
    @pytest.fixture
    def directory(self, store: Store) -> interfaces.Directory:
        return store.directory


class TestAccounts(WithPeople, AccountsContract): ...


class TestAuthenticator(WithPeople, AuthenticatorContract): ...
