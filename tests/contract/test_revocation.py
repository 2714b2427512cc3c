"""The sources of evidence keep the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas_server.backends.memory.revocation import MemoryRevocation
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.backends.revocation.source import FetchingSource
from eas_server.backends.sqlite import SystemClock
from eas_server.errors import EvidenceUnavailable
from tests.contract.revocation import Place, RevocationSourceContract
from tests.server.backends.revocation.hostile import body, serving


class TestMemory(RevocationSourceContract):
    @pytest.fixture
    def place(self) -> Place:
        forbidden = "ldap://dc.example.com/CN=CA"
        source = MemoryRevocation({forbidden: EvidenceUnavailable("not asked", refused=True)})

        def url(path: str) -> str:
            return f"http://pki.example.com{path}"

        def publish(path: str, octets: bytes) -> None:
            source.answers[url(path)] = octets

        return Place(source=source, url=url, publish=publish, forbidden=forbidden)


class TestFetching(RevocationSourceContract):
    @pytest.fixture
    async def place(self, tmp_path: Path) -> AsyncIterator[Place]:
        async with serving() as server:
            settings = RevocationSettings(allow_networks=("127.0.0.1",), allow_ports=(server.port,))
            source = FetchingSource(settings, tmp_path / "evidence", SystemClock())

            def publish(path: str, octets: bytes) -> None:
                server.answers[path] = body(octets)

            yield Place(source=source, url=server.url, publish=publish, forbidden="ldap://dc.example.com/CN=CA")
            await source.close()
