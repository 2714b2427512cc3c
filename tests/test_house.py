"""The rules of the house that a reader would check: sizes, names, and that every declared element can be used."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import protocol
from protocol import schema

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for path in (*ROOT.glob("protocol/**/*.py"), *ROOT.glob("eas_server/**/*.py"))
    if "migrations" not in path.parts
)
MAX_LINES_OF_FILE = 500
MAX_LINES_OF_FUNCTION = 60


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_LINES_OF_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_LINES_OF_FUNCTION, f"{node.name} in line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_to_be_done(path: Path) -> None:
    found = re.search(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b", path.read_text())
    assert found is None, found


def declared() -> list[type]:
    """Every declared element of the protocol package."""
    found = {
        value
        for module in pkgutil.walk_packages(protocol.__path__, "protocol.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, type) and hasattr(value, "__element_tag__")
    }
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


@pytest.mark.parametrize("cls", declared(), ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_every_declaration_compiles(cls: type) -> None:
    """Tags are looked up on first use: a typo must not wait for a user."""
    names = schema.fields_of(cls)
    assert len(set(names)) == len(names)
