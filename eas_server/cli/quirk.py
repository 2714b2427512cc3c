"""`eas-server quirk`: the oddities of clients that are let pass."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eas_server.administration import switches
from eas_server.administration.switches import Switches
from eas_server.cli.opening import Failed, config_option, failures, json_option, read_config
from eas_server.cli.printing import print_json, print_table
from protocol.quirks import QUIRKS, Switch

if TYPE_CHECKING:
    from eas_server.config import Config


@click.group(name="quirk")
def quirk_group() -> None:
    """See and switch the oddities of clients that are let pass.

    Each has a name. The configuration switches one by client and version ([quirks.NAME], docs/configuration.md); `off`
    and `on` switch it for all clients while the server runs, and go before the configuration until `reset`.
    """


@quirk_group.command("list")
@json_option
@config_option
def list_(config_path: Path, as_json: bool) -> None:
    """List all quirks: for whom each is let pass, and whose it is."""
    with failures():
        config = read_config(config_path)
        switched = switches.read(switches.path_of(config.store.path))
    if as_json:
        print_json(
            [
                {
                    "name": quirk.name,
                    "client": quirk.client,
                    "note": quirk.note,
                    "for": _for(config, switched, quirk.name),
                    "switched": switched.quirks.get(quirk.name),
                }
                for quirk in QUIRKS.values()
            ]
        )
        return
    rows = [
        (quirk.name, _for(config, switched, quirk.name), quirk.client, quirk.note)
        for quirk in sorted(QUIRKS.values(), key=lambda quirk: quirk.name)
    ]
    print_table(("NAME", "LET PASS", "SEEN OF", "WHAT"), rows)


def _for(config: "Config", switched: Switches, name: str) -> str:
    """For whom a quirk is let pass, in a few words."""
    if name in switched.quirks:
        return "always, switched" if switched.quirks[name] else "never, switched"
    switch = config.quirks.get(name, Switch())
    if not switch.on:
        return "never"
    words = [
        f"of {', '.join(switch.clients)}" if switch.clients else "",
        f"not of {', '.join(switch.except_clients)}" if switch.except_clients else "",
        f"at {', '.join(switch.versions)}" if switch.versions else "",
    ]
    return "; ".join(filter(None, words)) or "always"


@quirk_group.command(
    epilog="""\b
Examples:
  eas-server quirk off FIND_AT_14_1
"""
)
@click.argument("name")
@config_option
def off(config_path: Path, name: str) -> None:
    """Let NAME pass no more, of no client. The server notices within a second or two."""
    _switch(config_path, name, False)
    click.echo(f"{name} is off")


@quirk_group.command()
@click.argument("name")
@config_option
def on(config_path: Path, name: str) -> None:
    """Let NAME pass, of all clients."""
    _switch(config_path, name, True)
    click.echo(f"{name} is on")


@quirk_group.command()
@click.argument("name")
@config_option
def reset(config_path: Path, name: str) -> None:
    """Have NAME as the configuration has it."""
    _switch(config_path, name, None)
    click.echo(f"{name} is as configured")


def _switch(config_path: Path, name: str, on: bool | None) -> None:
    with failures():
        config = read_config(config_path)
        if name not in QUIRKS:
            raise Failed(f"there is no quirk {name}: see `eas-server quirk list`")
        switches.change(switches.path_of(config.store.path), partial(switches.with_quirk, name=name, on=on))


COMMAND = quirk_group
