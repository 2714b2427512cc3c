"""Sections of the configuration that stand in other files, and the sections of a seed, which are none of it.

A configuration may say `include = ["world.toml"]`. What that file holds of the configuration counts as if it stood in
the configuration itself, with its own relative paths; what it holds of a seed is left to `eas-server seed`. So one file
can declare a whole world, and be the configuration, too.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from eas_server.config_reading import Wrong
from eas_server.errors import ConfigError

C = TypeVar("C")

SEED_SECTIONS: Final = frozenset(("users", "people", "groups", "folders", "messages", "certificates", "trust"))
"""What `eas-server seed` reads, and the server does not."""
INCLUDE: Final = "include"


def parsed(text: str, path: Path) -> dict[str, Any]:
    """The tables of a file. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None


def of_config(found: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of the configuration, without those of a seed and without `include`."""
    return {name: value for name, value in found.items() if name not in SEED_SECTIONS and name != INCLUDE}


def of_seed(found: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of the seed."""
    return {name: value for name, value in found.items() if name in SEED_SECTIONS}


def included(found: Mapping[str, Any], path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files that a configuration at `path` includes, with their tables. Raises Wrong, ConfigError."""
    names = found.get(INCLUDE, [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise Wrong(INCLUDE, 'must be a list of files: ["world.toml"]')
    files = []
    for name in names:
        file = path.parent / name
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Wrong(INCLUDE, f"{file} cannot be read: {error}") from None
        tables = parsed(text, file)
        if INCLUDE in tables:
            raise ConfigError(f"{file}: {INCLUDE}: an included file cannot include others")
        files.append((file, tables))
    return files


def merged(config: C, other: C, tables: Mapping[str, Any], base: Mapping[str, Any]) -> C:
    """`config` with what `other`, which was read from `tables`, says; `base` are the tables of `config`.

    Lists are joined, tables of names are joined; a key that both files have is an error. Raises Wrong.
    """
    changes = {name: _joined(name, config, other, tables[name], base.get(name)) for name in tables}
    replaced: Callable[..., C] = replace
    return replaced(config, **changes)


def _joined(name: str, config: object, other: object, added: object, present: object) -> object:
    mine, theirs = getattr(config, name), getattr(other, name)
    if present is None:
        return theirs
    if isinstance(mine, tuple):
        return (*mine, *theirs)
    if not (isinstance(added, dict) and isinstance(present, dict)):
        raise Wrong(name, "is in two files")
    twice = sorted(added.keys() & present.keys())
    if twice:
        raise Wrong(f"{name}.{twice[0]}", "is in two files")
    if isinstance(mine, Mapping):
        return {**mine, **theirs}
    if is_dataclass(mine) and not isinstance(mine, type):
        return replace(mine, **{key: getattr(theirs, key) for key in added})
    raise Wrong(name, "is in two files")
