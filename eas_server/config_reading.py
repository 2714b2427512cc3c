"""From the tables of a TOML file to dataclasses: strict, with errors that name the key and what would be right."""

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union

import msgspec

_PATHS: Final = frozenset(("ca_file", "bind_password_file", "socket", "system_trust_file"))
"""Keys of sections of others that hold a path as text."""


class Wrong(Exception):
    """A key holds something else than it should."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


def read(found: Mapping[str, Any], cls: type, base: Path) -> Any:  # noqa: ANN401 — an instance of `cls`
    """`found` as an instance of the dataclass `cls`; paths are taken relative to `base`. Raises Wrong."""
    return _dataclass(found, cls, base, "")


def _dataclass(found: object, cls: type, base: Path, key: str) -> Any:  # noqa: ANN401
    if not isinstance(found, dict):
        raise Wrong(key, "must be a table")
    hints = typing.get_type_hints(cls)
    known = {each.name: each for each in fields(cls)}
    for name in found:
        if name not in known:
            raise Wrong(_join(key, name), f"is unknown; {suggestion(name, list(known))}")
    values = {name: _value(value, hints[name], base, _join(key, name)) for name, value in found.items()}
    for name, each in known.items():
        if name in found:
            continue
        if _is_required(each):
            raise Wrong(_join(key, name), f"is missing; it must be {_described(hints[name])}")
        if is_dataclass(hints[name]):
            values[name] = _dataclass({}, hints[name], base, _join(key, name))
        elif isinstance(each.default, Path):
            values[name] = base / each.default
    try:
        return cls(**values)
    except ValueError as error:
        name, colon, reason = str(error).partition(": ")
        raise Wrong(_join(key, name) if colon else key, reason or name) from None


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def suggestion(name: str, known: list[str]) -> str:
    """Which name could have been meant."""
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _value(value: object, hint: Any, base: Path, key: str) -> Any:  # noqa: ANN401
    hint = _without_none(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(value, hint, base, key)
    if origin is tuple and is_dataclass(arguments[0]):
        if not isinstance(value, list):
            raise Wrong(key, f"must be a list of tables: [[{key}]]")
        return tuple(_dataclass(each, _class(arguments[0]), base, f"{key}[{n}]") for n, each in enumerate(value))
    if origin is not None and issubclass(_class(origin), Mapping):
        if not isinstance(value, dict):
            raise Wrong(key, "must be a table")
        return {name: _value(each, arguments[1], base, _join(key, name)) for name, each in value.items()}
    return _leaf(value, hint, base, key)


def _class(origin: Any) -> type:  # noqa: ANN401
    return origin if isinstance(origin, type) else object


def _leaf(value: object, hint: Any, base: Path, key: str) -> Any:  # noqa: ANN401
    is_path = hint is Path
    try:
        converted = msgspec.convert(value, str if is_path else hint)
    except msgspec.ValidationError:
        raise Wrong(key, f"must be {_described(hint)}, not {value!r}") from None
    if isinstance(converted, (int, float)) and converted < 0:
        raise Wrong(key, f"must not be negative, as {value!r} is")
    if is_path or (key.rpartition(".")[2] in _PATHS and converted):
        resolved = base / str(converted)
        return resolved if is_path else str(resolved)
    return converted


def _without_none(hint: Any) -> Any:  # noqa: ANN401
    members = _members(hint)
    rest = [member for member in members if member is not type(None)]
    return rest[0] if len(rest) == 1 else hint


def _members(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401
    is_union = typing.get_origin(hint) in (Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


_NAMES: Final = {
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    bool: "true or false",
    Path: "a path in quotes",
}


def _described(hint: Any) -> str:  # noqa: ANN401
    """What would be right."""
    hint = _without_none(hint)
    members = _members(hint)
    if len(members) > 1:
        return " or ".join(_described(member) for member in members)
    if hint in _NAMES:
        return _NAMES[hint]
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(f'"{choice.value}"' for choice in hint)
    if typing.get_origin(hint) is tuple:
        return 'a list: ["…", "…"]'
    return "a table"
