"""The document libraries keep the contract."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from eas_server.backends.memory.documents import MemoryLibrary
from eas_server.backends.shares import ShareSettings, SharesLibrary
from eas_server.interfaces import DocumentLibrary
from tests.contract.documents import HOSTS, OUTWARD, READERS, TREE, DocumentLibraryContract, Groups


class TestMemory(DocumentLibraryContract):
    @pytest.fixture
    def library(self) -> DocumentLibrary:
        accounts: Any = Groups()
        made = MemoryLibrary(accounts)
        docs = made.add_share("docs", *HOSTS, readers=READERS)
        docs.items.update(TREE)
        docs.outward.update(OUTWARD)
        made.add_share("gone", *HOSTS).is_there = False
        return made


class TestShares(DocumentLibraryContract):
    @pytest.fixture
    async def library(self, tmp_path: Path) -> AsyncIterator[DocumentLibrary]:
        root = tmp_path / "docs"
        root.mkdir()
        for place, octets in TREE.items():
            path = root.joinpath(*place)
            if octets is None:
                path.mkdir()
            else:
                path.write_bytes(octets)
        (tmp_path / "outside" / "etc").mkdir(parents=True)
        for place in OUTWARD:
            root.joinpath(*place).symlink_to(tmp_path / "outside")
        accounts: Any = Groups()
        made = SharesLibrary(
            [
                ShareSettings(hosts=HOSTS, name="docs", path=root, readers=READERS),
                ShareSettings(hosts=HOSTS, name="gone", path=tmp_path / "gone", readers=("*",)),
            ],
            accounts,
        )
        yield made
        made.close()
