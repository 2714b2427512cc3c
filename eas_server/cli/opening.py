"""What the administrator's commands share: the configuration, the store that it names, and how failures end.

Exit statuses: 0 done; 1 refused, and the message says why; 2 wrong usage; 75 the store cannot be reached now, try
again; 78 the configuration or the store is not one that this program can use.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from eas_server.cli.terminal import printable
from eas_server.errors import AdministrationError, ConfigError, StoreFull, Unavailable

if TYPE_CHECKING:
    from eas_server.administration.ports import Administered
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

T = TypeVar("T")

CONFIG_VARIABLE: Final = "EAS_SERVER_CONFIG"
DEFAULT_CONFIG: Final = Path("eas-server.toml")

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    help="The configuration file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Failed(click.ClickException):
    """What was asked for was not done; the message says why, and what to do next."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class Misconfigured(Failed):
    """It cannot be done before the configuration or the store is another one."""

    exit_code = os.EX_CONFIG


class NotNow(Failed):
    """It may be done later."""

    exit_code = os.EX_TEMPFAIL


@contextmanager
def failures() -> Iterator[None]:
    """Turn the failures of configuration, store and files into Failed."""
    try:
        yield
    except AdministrationError as error:
        raise Failed(str(error)) from None
    except ConfigError as error:
        raise Misconfigured(str(error)) from None
    except StoreFull as error:
        raise Failed(f"{error}: nothing was stored; make room and try again") from None
    except Unavailable as error:
        raise NotNow(f"{error}; try again later") from None
    except PermissionError as error:
        raise Failed(f"{error.filename}: {error.strerror}: run this as the user that the server runs as") from None
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None


def read_config(path: Path) -> "Config":
    """The configuration. Raises Misconfigured where there is none, ConfigError where it is wrong."""
    from eas_server.config import load

    if not path.is_file():
        raise Misconfigured(
            f"{path}: there is no such configuration file: name yours with --config or in {CONFIG_VARIABLE}, "
            "or write one (docs/configuration.md)"
        )
    return load(path)


def in_store(config_path: Path, work: "Callable[[Config, Store], Awaitable[T]]") -> T:
    """Open the store that the configuration names, do `work` with it, and close it. A server may be running.

    Raises Failed.
    """
    with failures():
        config = read_config(config_path)
        folder = config.store.path.parent
        if not folder.is_dir():
            raise Misconfigured(f"{folder}: there is no such folder: make it for the store, or set store.path")
        return asyncio.run(_opened(config, work))


async def _opened(config: "Config", work: "Callable[[Config, Store], Awaitable[T]]") -> T:
    from eas_server.backends.sqlite import open_store

    async with open_store(config.store.path, readers=1) as store:
        return await work(config, store)


def administered(store: "Store") -> "Administered":
    """What the administrator's commands work on, beside a running server or without one."""
    from eas_server.administration.ports import Administered
    from eas_server.backends.sqlite import SystemClock

    return Administered(
        people=store.admin,
        state=store.state,
        accounts=store.accounts,
        directory=store.directory,
        preferences=store.preferences,
        queue=store.queue,
        clock=SystemClock(),
    )


def tell_embedded_only(config: "Config") -> None:
    """Say so where the directory that clients see is another one than the one that a command works on."""
    if config.directory.kind == "ldap":
        click.echo(
            'note: directory.kind is "ldap", so clients find people, groups and certificates in LDAP; '
            "this command works on the embedded directory only",
            err=True,
        )


def write_private(path: Path, octets: bytes, *, replace: bool = False) -> None:
    """Write a file that only its owner can read, from its first octet on. Raises Failed where there is one already."""
    if replace:
        path.unlink(missing_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Failed(f"{path} is there already: name another file, or remove it first") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
