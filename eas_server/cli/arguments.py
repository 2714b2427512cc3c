"""The kinds of arguments that several commands take: addresses, names, sizes, passwords."""

import sys
from pathlib import Path
from typing import Final

import click

from eas_server.administration import texts
from eas_server.administration.texts import MAX_PASSWORD_OCTETS, MAX_TEXT, MAX_USER, NO_LIMIT
from eas_server.cli.opening import Failed
from eas_server.cli.terminal import shown

MAX_DAYS: Final = 36500
MAX_FILE: Final = 1024 * 1024
"""Octets of a file with certificates or keys."""


class Address(click.ParamType[str]):
    """A mail address, its domain in lower case and ASCII form."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        try:
            return texts.address(value)
        except ValueError as error:
            self.fail(f"{shown(value)} {error}", param, ctx)


class Domain(click.ParamType[str]):
    """A mail domain, in lower case and ASCII form."""

    name = "domain"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        try:
            return texts.domain(value)
        except ValueError as error:
            self.fail(f"{shown(value)} {error}", param, ctx)


class UserName(click.ParamType[str]):
    """What somebody signs in with. HTTP's Basic authentication takes no colon, and a backslash parts off a domain."""

    name = "user"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        try:
            return texts.user_name(value)
        except ValueError as error:
            self.fail(f"{shown(value)} {error}", param, ctx)


class Text(click.ParamType[str]):
    """One line of text."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        try:
            return texts.line(value)
        except ValueError as error:
            self.fail(f"{shown(value[: MAX_TEXT + 1])} {error}", param, ctx)


class Size(click.ParamType[int]):
    """A number of octets: `500M`, `2G`; `none` is -1."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See ParamType."""
        if isinstance(value, int):
            return value
        try:
            return texts.octets(value)
        except ValueError as error:
            self.fail(f"{shown(value)} {error}", param, ctx)


class DaysFromNow(click.ParamType[int]):
    """A number of days: `30d`, or `30`."""

    name = "days"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        text = str(value).strip().lower().removesuffix("d")
        if not (text.isascii() and text.isdecimal()) or int(text) > MAX_DAYS:
            self.fail(f"{value!r} is no number of days up to {MAX_DAYS}: 30d", param, ctx)
        return int(text)


ADDRESS: Final = Address()
DAYS_FROM_NOW: Final = DaysFromNow()
DOMAIN: Final = Domain()
USER: Final = UserName()
TEXT: Final = Text()
SIZE: Final = Size()
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def read_password(prompt: str, *, from_stdin: bool) -> str:
    """A new password: from standard input (one line end at its end does not count), or asked for twice."""
    if not from_stdin:
        asked: str = click.prompt(prompt, hide_input=True, confirmation_prompt=True)
        return _checked(asked)
    octets = sys.stdin.buffer.read(MAX_PASSWORD_OCTETS + 2)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Failed("the password on standard input is not UTF-8") from None
    return _checked(text.removesuffix("\n").removesuffix("\r"))


def _checked(password: str) -> str:
    try:
        return texts.password(password)
    except ValueError as error:
        raise Failed(str(error)) from None


def read_file(path: Path, limit: int = MAX_FILE) -> bytes:
    """The octets of a file. Raises Failed for one that is too large, and OSError."""
    with path.open("rb") as file:
        octets = file.read(limit + 1)
    if len(octets) > limit:
        raise Failed(f"{path}: more than {limit} octets")
    return octets


__all__ = [
    "ADDRESS",
    "DAYS_FROM_NOW",
    "DOMAIN",
    "FILE",
    "MAX_FILE",
    "MAX_PASSWORD_OCTETS",
    "MAX_TEXT",
    "MAX_USER",
    "NO_LIMIT",
    "SIZE",
    "TEXT",
    "USER",
    "Address",
    "Domain",
    "Size",
    "Text",
    "UserName",
    "password_option",
    "read_file",
    "read_password",
    "yes_option",
]
