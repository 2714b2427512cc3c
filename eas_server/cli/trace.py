"""`eas-server device trace`: the traffic of one device, in readable text."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from eas_server.administration import devices
from eas_server.cli.arguments import USER
from eas_server.cli.opening import Failed, administered, config_option, failures, in_store
from eas_server.cli.printing import moment
from eas_server.model.device import Device

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

MINUTES: Final = 60
_LONGEST: Final = int(devices.MAX_TRACE.total_seconds() // 60)
_LOOK_SECONDS: Final = 0.25


@click.command(
    epilog="""\b
Examples:
  eas-server device trace alice@example.com ApplDN6GPMSLFMBB --on --follow
  eas-server device trace alice@example.com ApplDN6GPMSLFMBB --on --minutes 15
  eas-server device trace alice@example.com ApplDN6GPMSLFMBB --off
"""
)
@click.argument("user", type=USER)
@click.argument("device")
@click.option("--on/--off", "on", default=None, help="Begin, or end, to write the device's traffic down.")
@click.option(
    "--minutes",
    type=click.IntRange(1, _LONGEST),
    default=MINUTES,
    show_default=True,
    help="After which it ends by itself.",
)
@click.option("--follow", is_flag=True, help="Show what comes, until Ctrl-C.")
@config_option
def trace(config_path: Path, user: str, device: str, on: bool | None, minutes: int, follow: bool) -> None:
    """Write down what DEVICE of USER asks and is answered, and show it.

    Each request with its headers, the document as XML, the answer, and how long it took. Texts that people wrote,
    addresses, passwords and certificates are left out: how long they are stands in their place. Without options, what
    was written down is shown. The server notices at once; there is no need to restart it.
    """
    until = None if on is None or not on else datetime.now(UTC) + timedelta(minutes=minutes)

    async def work(config: "Config", store: "Store") -> tuple[Device, Path]:
        from eas_server.web.trace import FOLDER, path_of

        world = administered(store)
        found = await devices.device_of(world, user, device)
        if on is not None:
            await devices.set_trace(world, found, until)
            found = await devices.device_of(world, user, device)
        return found, path_of(config.store.path.parent / FOLDER, found.user, found.id)

    found, path = in_store(config_path, work)
    if on is not None:
        state = f"is written down until {moment(until)}" if until else "is no longer written down"
        click.echo(f"The traffic of {found.id} of {found.user} {state}: {path}", err=True)
    if follow:
        _follow(path)
    elif on is None:
        _show(path, found)


def _show(path: Path, device: Device) -> None:
    with failures():
        if not path.exists():
            raise Failed(f"there is no trace of {device.id}: switch it on with --on, and let the device come")
        with path.open("rb") as file:
            _print(file)


def _follow(path: Path) -> None:
    """Show what is added to a trace; it may be put aside for a new one meanwhile."""
    at, known = (path.stat().st_size, path.stat().st_ino) if path.exists() else (0, 0)
    while True:
        if path.exists():
            with path.open("rb") as file:
                number = path.stat().st_ino
                file.seek(at if number == known else 0)
                _print(file)
                at, known = file.tell(), number
        time.sleep(_LOOK_SECONDS)


def _print(file: BinaryIO) -> None:
    for octets in file:
        click.echo(octets.decode("utf-8", "replace"), nl=False)


COMMAND = trace
