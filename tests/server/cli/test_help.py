"""What all commands have in common: help, the configuration, the ends that they come to."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from eas_server.cli import COMMANDS, main
from tests.server.cli.conftest import Shell

ADMINISTRATION = Path(__file__).resolve().parents[3] / "docs" / "administration.md"
OURS = ("user", "group", "cert", "trust", "device", "oof", "queue", "audit", "backup", "restore")


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


def all_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(main)
    found = [(name, main.get_command(context, name)) for name in OURS]
    return [each for name, command in found if command is not None for each in commands(command, (name,))]


ALL = all_commands()
NAMED = [pytest.param(path, command, id=" ".join(path)) for path, command in ALL]


def options(command: click.Command) -> list[str]:
    return [
        name for each in command.params if isinstance(each, click.Option) for name in (*each.opts, *each.secondary_opts)
    ]


@pytest.mark.parametrize(("path", "command"), NAMED)
def test_the_help_explains_every_option(shell, path, command):
    shown = shell(*path, "--help")
    assert command.help
    assert "--config" in options(command)
    assert all(name in shown for name in options(command))
    assert all(each.help for each in command.params if isinstance(each, click.Option))
    assert shell(*path, "-h") == shown


@pytest.mark.parametrize(("path", "command"), NAMED)
def test_the_documentation_has_every_command_with_its_options(path, command):
    text = ADMINISTRATION.read_text(encoding="utf-8")
    assert f"eas-server {' '.join(path)}" in text
    assert [name for name in options(command) if name not in text] == []


def test_the_commands_are_listed_with_what_they_do(shell):
    shown = shell("--help")
    assert all(f"  {name} " in shown for name in COMMANDS)
    for name in ("user", "group", "cert", "device", "queue"):
        assert "Commands:" in shell(name, "--help")


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_without_a_configuration_it_is_said_how_to_name_one(shell: Shell, path):
    (shell.folder / "file").write_text("")
    arguments = {
        ("cert", "import"): ["file"],
        ("trust", "import"): ["file"],
        ("cert", "publish"): ["a@example.com", "file", "--password-stdin"],
        ("cert", "disputes"): [],
        ("cert", "issue"): ["a@example.com"],
        ("cert", "unpublish"): ["a@example.com", "12345678"],
        ("cert", "revoke"): ["a@example.com", "12345678"],
        ("group", "add-member"): ["a@example.com", "b@example.com"],
        ("group", "remove-member"): ["a@example.com", "b@example.com"],
        ("queue", "retry"): ["--all"],
        ("queue", "remove"): ["1"],
        ("user", "set"): ["a", "--title", "x"],
        ("audit",): [],
        ("backup",): ["copy.db"],
        ("restore",): ["file"],
    }.get(path, [] if path[-1] == "list" else ["a@example.com"])
    if path[0] == "device" and path[-1] not in ("list", "forget-all"):
        arguments.append("phone")
    if path[0] == "cert" and path[1] in ("import", "publish"):
        return  # they read the file first, and this one is none
    said = shell.refused(*path, *arguments, "--config", "nowhere.toml", status=78)
    assert "--config" in said
    assert "EAS_SERVER_CONFIG" in said


def test_the_configuration_is_named_by_the_environment(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shell.try_("user", "list").exit_code == 78
    assert shell.try_("user", "list", EAS_SERVER_CONFIG=str(shell.folder / "eas-server.toml")).exit_code == 0


def test_a_wrong_configuration_names_the_key(shell):
    (shell.folder / "eas-server.toml").write_text("[store]\npaht = 1\n")
    assert "paht" in shell.refused("user", "list", status=78)


def test_a_file_that_is_no_store_is_left_alone(shell):
    shell.store.write_text("not a database" * 1000)
    shell.refused("user", "list", status=78)
    assert shell.store.read_text().startswith("not a database")


def test_other_users_of_the_machine_are_told_whom_the_store_belongs_to(shell, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "eas-server.db")

    monkeypatch.setattr("eas_server.backends.sqlite.store.locked", refuse)
    assert "run this as the user that the server runs as" in shell.refused("user", "list")
