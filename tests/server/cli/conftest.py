"""A folder with a configuration and a store of alice and bob, and a shell in it."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eas_server.backends.sqlite import HashCost, Store, open_store
from eas_server.cli import main
from eas_server.model.directory import DirectoryEntry
from tests.server.pki import FIXTURES

CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)
STORE = "eas-server.db"
CONFIG = "eas-server.toml"


class Shell:
    """Runs `eas-server` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / STORE

    def try_(self, *arguments: str, given: str | bytes | None = None, **environment: str) -> Result:
        """What came of a command; anything but a clean end is an error of the program."""
        result = CliRunner().invoke(main, arguments, input=given, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> str:
        """The output of a command that does what it was asked for."""
        result = self.try_(*arguments, given=given)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *arguments: str, given: str | bytes | None = None, status: int = 1) -> str:
        """What a command says that does not do what it was asked for."""
        result = self.try_(*arguments, given=given)
        assert result.exit_code == status, result.output
        return result.stderr

    def in_store(self, work: Callable[[Store], Any]) -> Any:
        """What `work` gives in the store, opened beside the commands."""

        async def opened() -> Any:
            async with open_store(self.store, hash_cost=CHEAP) as store:
                return await work(store)

        return asyncio.run(opened())

    def entry(self, address: str) -> DirectoryEntry:
        """The directory entry of an address."""
        found = self.in_store(lambda store: store.admin.entry(address))
        assert found is not None
        return found


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of real hashes is tested with the store."""
    monkeypatch.setattr("eas_server.backends.sqlite.store.HashCost", lambda: CHEAP)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is after the first days."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / CONFIG).write_text('[server]\ndomains = ["example.com"]\n')

    async def fill() -> None:
        async with open_store(folder / STORE, hash_cost=CHEAP) as store:
            for name in ("alice", "bob"):
                entry = DirectoryEntry(
                    key="", display_name=f"{name.title()} Example", email=f"{name}@example.com", alias=name
                )
                await store.admin.add_user(f"{name}@example.com", f"{name}'s old password", entry)

    asyncio.run(fill())
    return folder


@pytest.fixture
def shell(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    folder = tmp_path / "served"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("EAS_SERVER_CONFIG", raising=False)
    return Shell(folder)


@pytest.fixture
def with_authority(shell: Shell) -> Shell:
    """The lab's authority is there already: it takes a while to make one."""
    (shell.folder / "keys").mkdir(mode=0o700)
    (shell.folder / "lab").mkdir()
    shutil.copy(FIXTURES / "root.pem", shell.folder / "keys" / "root.key")
    shutil.copy(FIXTURES / "root.der", shell.folder / "lab" / "root.cer")
    return shell


def use_ldap(shell: Shell, section: str) -> None:
    """Let the directory or the authentication be LDAP, which need not be reachable for any of these commands."""
    with (shell.folder / CONFIG).open("a") as file:
        file.write(f'[{section}]\nkind = "ldap"\n[ldap]\nuris = ["ldaps://ldap.example.com"]\nbase_dn = "dc=example"\n')
