"""The adapters of Audit keep the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eas_server.audit import Wanted
from eas_server.backends.audit_file import AuditFile, AuditSettings, read_trail
from eas_server.backends.memory.audit import MemoryAudit
from tests.contract.auditing import AuditContract, Trail


class TestMemory(AuditContract):
    @pytest.fixture
    def trail(self) -> Trail:
        audit = MemoryAudit()
        return Trail(audit, lambda: audit.events)


class TestFile(AuditContract):
    @pytest.fixture
    def trail(self, tmp_path: Path) -> Iterator[Trail]:
        audit = AuditFile(tmp_path / "audit", AuditSettings())
        yield Trail(audit, lambda: list(read_trail(tmp_path / "audit", Wanted(), pytest.fail)))
        audit.close()
