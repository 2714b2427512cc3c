"""How the commands print: tables and lists for people, JSON for programs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click

from eas_server.cli.terminal import printable

Json = str | int | bool | None | Sequence["Json"] | dict[str, "Json"]

_STEP: Final = 1024
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def print_json(value: Json) -> None:
    """A value as JSON, in ASCII so that no terminal acts on anything in it."""
    click.echo(json.dumps(value, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows below their headings, each column as wide as its widest text; nothing for no rows."""
    if not rows:
        return
    table = [head, *([printable(text) or "-" for text in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_properties(properties: Sequence[tuple[str, str]]) -> None:
    """A name and a value a line; those without a value are left out."""
    listed = [(name, value) for name, value in properties if value]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        click.echo(f"{name + ':':<{width + 1}} {printable(value)}")


def size(octets: int | None) -> str:
    """A number of octets for people; None: "no limit"."""
    if octets is None:
        return "no limit"
    amount, unit = float(octets), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 or amount == int(amount) else f"{amount:.1f} {_UNITS[unit]}"


def moment(instant: datetime) -> str:
    """An instant for people, to the minute, UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(instant: datetime) -> str:
    """The day of an instant, UTC."""
    return f"{instant.astimezone(UTC):%Y-%m-%d}"


def exactly(instant: datetime) -> str:
    """An instant for programs: RFC 3339."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def count(number: int, one: str, many: str) -> str:
    """`1 user`, `2 users`."""
    return f"{number} {one if number == 1 else many}"
