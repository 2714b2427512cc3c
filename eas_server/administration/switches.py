"""What is switched while the server runs, beside the configuration: a file beside the store.

The configuration is the administrator's own text, with comments and an order of its own; a program that wrote it anew
would lose them. What stands here goes before what stands there.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from eas_server.administration.files import put_in_place
from eas_server.errors import ConfigError

FILE: Final = "switches.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What goes before the configuration; what is not there is as the configuration has it."""

    require_tls: bool | None = None
    policy_of_user: Mapping[str, str] = field(default_factory=dict)
    """Policies by user id."""
    policy_of_group: Mapping[str, str] = field(default_factory=dict)
    """Policies by the address of a group, the first that a user is in counts."""
    quirks: Mapping[str, bool] = field(default_factory=dict)
    """Quirks by name that are on or off for all clients."""


def path_of(store: Path) -> Path:
    """The file for a store."""
    return store.parent / FILE


def read(path: Path) -> Switches:
    """What is switched. Raises ConfigError."""
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return Switches()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        return msgspec.json.decode(octets, type=Switches)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}: mend it, or remove it to go back to the configuration") from None


def change(path: Path, changed: Callable[[Switches], Switches]) -> Switches:
    """Switch something, one program at a time; gives what then is switched. Raises ConfigError, OSError."""
    with _locked(path):
        before = read(path)
        after = changed(before)
        if after != before:
            put_in_place(path, msgspec.json.format(msgspec.json.encode(after), indent=2) + b"\n")
    return after


def with_quirk(switches: Switches, name: str, on: bool | None) -> Switches:
    """The switches with a quirk on or off for all clients; None: as the configuration has it."""
    kept = {each: value for each, value in switches.quirks.items() if each != name}
    return replace(switches, quirks=kept if on is None else {**kept, name: on})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
