"""`eas-server backup` and `eas-server restore`."""

import asyncio
import json
import shutil

from eas_server.backends.sqlite import open_store
from tests.server.cli.conftest import CHEAP

CAROL = "carol@example.com"


def users(shell) -> list[str]:
    return [user["user"] for user in json.loads(shell("user", "list", "--json"))]


def test_what_is_restored_is_what_was_copied(shell):
    shell("backup", "copy.db")
    assert (shell.folder / "copy.db").stat().st_mode & 0o777 == 0o600
    before = users(shell)
    shell("user", "add", CAROL, "--no-password")
    assert shell.try_("restore", "copy.db", given="n\n").exit_code == 1
    assert CAROL in users(shell)
    shell("restore", "copy.db", given="y\n")
    assert users(shell) == before
    shell("restore", "copy.db", "--yes")
    assert users(shell) == before


def test_into_a_folder_the_copy_gets_a_name(shell):
    (shell.folder / "copies").mkdir()
    output = shell("backup", "copies")
    (copy,) = (shell.folder / "copies").iterdir()
    assert copy.name in output
    assert copy.name.startswith("eas-server-20")


async def test_a_copy_is_made_while_the_server_runs_but_none_put_back(shell):
    async with open_store(shell.store, hash_cost=CHEAP):
        await asyncio.to_thread(shell, "backup", "copy.db")
        said = await asyncio.to_thread(shell.refused, "restore", "copy.db", "--yes", status=75)
    assert "stop the server" in said


def test_nothing_is_written_over(shell):
    (shell.folder / "copy.db").write_text("precious")
    assert "is there already" in shell.refused("backup", "copy.db")
    assert (shell.folder / "copy.db").read_text() == "precious"
    assert "no such folder" in shell.refused("backup", "nowhere/copy.db")


def test_what_is_no_backup_is_not_put_back(shell):
    before = users(shell)
    (shell.folder / "text").write_text("a text" * 1000)
    (shell.folder / "empty").write_text("")
    for name in ("text", "empty", "eas-server.db"):
        shell.refused("restore", name, "--yes", status=78)
    shell("backup", "copy.db")
    damaged = bytearray((shell.folder / "copy.db").read_bytes())
    damaged[20_000:60_000] = b"\xa5" * 40_000
    (shell.folder / "damaged.db").write_bytes(damaged)
    shell.refused("restore", "damaged.db", "--yes", status=78)
    shell.refused("restore", "nowhere.db", "--yes", status=2)
    assert users(shell) == before


def test_a_store_that_is_gone_comes_back(shell):
    shell("backup", "copy.db")
    shell.store.unlink()
    assert "there is no store" in shell.refused("backup", "other.db", status=78)
    shell("restore", "copy.db")
    assert users(shell)


def test_the_folder_of_the_store_has_to_be_there(shell):
    shell("backup", "copy.db")
    shutil.copy("eas-server.toml", "other.toml")
    (shell.folder / "other.toml").write_text('[store]\npath = "nowhere/eas.db"\n')
    shell.refused("restore", "copy.db", "--config", "other.toml", status=78)
    assert "store.path" in shell.refused("user", "list", "--config", "other.toml", status=78)
