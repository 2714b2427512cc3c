"""What the documentation says of the command line, and where its links lead."""

import re
from pathlib import Path

import click
import pytest

from eas_server.cli import main
from tests.server.cli.test_help import ALL, options

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
DECISIONS = ROOT / "docs" / "decisions"

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
CALL = re.compile(r"eas-server((?: [a-z][a-z-]*)*)([^`|\n&#]*)")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def command(words: list[str]) -> click.Command:
    """The command that the words begin with."""
    found: click.Command = main
    left = list(words)
    while left and isinstance(found, click.Group):
        inner = found.get_command(click.Context(found), left[0])
        assert inner is not None, f"no command {' '.join(words)}"
        found, left = inner, left[1:]
    return found


def calls(text: str) -> list[tuple[list[str], str]]:
    """The words behind each `eas-server` that is a call of it, and the rest of its line."""
    return [
        (found[1].split(), found[2])
        for found in CALL.finditer(text)
        if found[1] and text[found.start() - 1 : found.start()] in ("`", "/", " ", "\n")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert broken == []


def test_every_decision_is_in_the_index():
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in DECISIONS.glob("0*.md") if f"({path.name})" not in index]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_are_commands_with_options_that_they_have(page):
    blocks = re.findall(r"```[a-z]*\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        for words, rest in calls(f"\n{line}"):
            check(words, rest)


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_examples_of_the_help(path):
    found = command(list(path))
    for words, rest in calls(found.epilog or ""):
        check(words, rest)


def check(words: list[str], rest: str) -> None:
    found = command(words)
    assert not isinstance(found, click.Group), f"{words} is not whole"
    known = {*options(found), "--help"}
    assert [option for option in OPTION.findall(rest) if option not in known] == [], (words, rest)
