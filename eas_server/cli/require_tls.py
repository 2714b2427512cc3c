"""`eas-server require-tls`."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from eas_server.administration import switches
from eas_server.cli.opening import config_option, failures, read_config

_STATES: Final = {"on": True, "off": False, "reset": None}


@click.command(
    name="require-tls",
    epilog="""\b
Examples:
  eas-server require-tls on
  eas-server require-tls reset
""",
)
@click.argument("state", type=click.Choice(list(_STATES)))
@config_option
def require_tls(config_path: Path, state: str) -> None:
    """Refuse plain HTTP, from this machine too (`on`), or take it from where it is safe (`off`).

    The server notices within a second or two. It goes before server.require_tls of the configuration, until `reset`.
    """
    with failures():
        config = read_config(config_path)
        wanted = _STATES[state]
        switches.change(switches.path_of(config.store.path), lambda before: replace(before, require_tls=wanted))
        now = config.server.require_tls if wanted is None else wanted
    click.echo("Plain HTTP is refused" if now else "Plain HTTP is taken from this machine and from trusted proxies")


COMMAND = require_tls
