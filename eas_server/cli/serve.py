"""`eas-server serve`."""

import asyncio
import gc
from pathlib import Path
from typing import Final

import click

from eas_server.cli.opening import config_option
from eas_server.errors import ConfigError, Unavailable

_YOUNG: Final = 20_000
"""Objects between two looks of the collector: requests leave few cycles behind, and each look stops all of them."""


@click.command()
@config_option
@click.option(
    "--check", is_flag=True, help="Read the configuration and the files it names, say whether all is right, and end."
)
def serve(config_path: Path, check: bool) -> None:
    """Run the server in the foreground.

    SIGTERM and SIGINT stop it: waiting requests are answered first. SIGHUP reads the configuration and the
    certificates again.
    """
    try:
        if check:
            _check(config_path)
        else:
            _run(config_path)
    except (ConfigError, Unavailable, OSError) as error:
        raise click.ClickException(str(error)) from None


def _check(config_path: Path) -> None:
    from eas_server import main

    main.check(config_path)
    click.echo(f"{config_path}: all right")


def _run(config_path: Path) -> None:
    import uvloop

    from eas_server.lab.serving import open_adapters_with_lab
    from eas_server.main import run

    gc.set_threshold(_YOUNG, 20, 50)
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(config_path, adapters=open_adapters_with_lab))


COMMAND = serve
