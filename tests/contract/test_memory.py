"""The in-memory adapters keep the contracts."""

from collections.abc import Sequence

import pytest

from eas_server import interfaces
from eas_server.backends.memory import MemoryStore
from eas_server.backends.memory.trust import MemoryTrust
from eas_server.model.trust import TrustCollection
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


@pytest.fixture
def notifier() -> ChangeNotifier:
    return ChangeNotifier()


@pytest.fixture
async def store(notifier: ChangeNotifier) -> MemoryStore:
    made = MemoryStore(notifier)
    await settle(made)
    return made


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
    def trusting(self) -> Trusting:
        async def make(collections: Sequence[TrustCollection]) -> interfaces.TrustStore:
            return MemoryTrust(collections)

        return make


class WithPeople:
    @pytest.fixture
    async def store(self) -> MemoryStore:
        made = MemoryStore()
        await settle_with_people(made)
        return made


class TestDirectory(WithPeople, DirectoryContract):
    @pytest.fixture
    def directory(self, store: MemoryStore) -> interfaces.Directory:
        return store.directory


class TestAccounts(WithPeople, AccountsContract): ...


class TestAuthenticator(WithPeople, AuthenticatorContract): ...
