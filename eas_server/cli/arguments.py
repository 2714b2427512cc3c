"""The kinds of arguments that several commands take: addresses, names, sizes, passwords."""

import re
import sys
from pathlib import Path
from typing import Final

import click

from eas_server.cli.opening import Failed
from eas_server.cli.terminal import is_one_line, shown

MAX_TEXT: Final = 256
"""Characters of a property; the protocol documents name no limit, and clients cut what is longer."""
MAX_USER: Final = 254
MAX_PASSWORD_OCTETS: Final = 1024
MAX_FILE: Final = 1024 * 1024
"""Octets of a file with certificates or keys."""

_SIZE: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class Address(click.ParamType[str]):
    """A mail address, its domain in lower case and ASCII form."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        from eas_server.submission.routing import is_address, normal_address

        address = normal_address(value.strip())
        if not is_address(address):
            self.fail(f'{shown(value)} is no mail address: "alice@example.com"', param, ctx)
        return address


class UserName(click.ParamType[str]):
    """What somebody signs in with. HTTP's Basic authentication takes no colon, and a backslash parts off a domain."""

    name = "user"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        user = value.strip().lower()
        wrong = any(sign in ':\\/"<>' or sign.isspace() or not sign.isprintable() for sign in user)
        if wrong or not 0 < len(user) <= MAX_USER or user.count("@") > 1 or user[0] == "@" or user[-1] == "@":
            self.fail(f'{shown(value)} cannot be a user: "alice@example.com" or "alice"', param, ctx)
        return user


class Text(click.ParamType[str]):
    """One line of text."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ParamType."""
        text = value.strip()
        if not is_one_line(text):
            self.fail(f"{shown(value)} holds line ends or control characters", param, ctx)
        if len(text) > MAX_TEXT:
            self.fail(f"{len(text)} characters are more than {MAX_TEXT}", param, ctx)
        return text


class Size(click.ParamType[int]):
    """A number of octets: `500M`, `2G`; `none` is -1."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See ParamType."""
        if isinstance(value, int):
            return value
        if value.strip().lower() == "none":
            return NO_LIMIT
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            self.fail(f'{shown(value)} is no size: "500M", "2G", or "none" for no limit', param, ctx)
        return int(float(match["number"]) * _UNITS[match["unit"].upper()])


NO_LIMIT: Final = -1
ADDRESS: Final = Address()
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
    if not password:
        raise Failed("the password is empty")
    if len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_OCTETS:
        raise Failed(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
    if not is_one_line(password):
        raise Failed("the password holds line ends or control characters: give one line")
    return password


def read_file(path: Path, limit: int = MAX_FILE) -> bytes:
    """The octets of a file. Raises Failed for one that is too large, and OSError."""
    with path.open("rb") as file:
        octets = file.read(limit + 1)
    if len(octets) > limit:
        raise Failed(f"{path}: more than {limit} octets")
    return octets
